/* Any bytes as a saved index, with the checksum that somebody would compute for them: they are
 * refused, or what was read is written as what reads the same. */
#include "tests/fuzz/fuzz.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "cache/saved.h"

static const struct saved_owner owner = {"123456789012",   "eu-central-1", "aws", "",
                                         "service-family", "service-id"};

static void check_accepted(const struct raw_resources *r, size_t size)
{
    struct raw_resources *back = NULL;
    char *image = NULL;
    size_t len;

    if (saved_image(&owner, r, &image, &len) != 0 || len != size ||
        saved_parse(&owner, image, len, &back, NULL) != 0 ||
        map_size(back->by_key) != map_size(r->by_key))
        abort();
    raw_resources_unref(back);
    free(image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct raw_resources *r = NULL;
    char *copy = malloc(size ? size : 1); /* not a byte more: the sanitizer sees what is read */
    uint64_t sum;

    if (!copy)
        abort();
    memcpy(copy, data, size);
    if (size >= sizeof(sum)) {
        sum = htole64(hash_stable(copy, size - sizeof(sum)));
        memcpy(copy + size - sizeof(sum), &sum, sizeof(sum));
    }
    int err = saved_parse(&owner, copy, size, &r, NULL);
    if (err == 0)
        check_accepted(r, size);
    else if (err != -EPROTO)
        abort();
    raw_resources_unref(r);
    free(copy);
    return 0;
}

FUZZ_MAIN
