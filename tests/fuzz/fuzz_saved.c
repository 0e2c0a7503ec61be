/* Any bytes as a saved index, with the checksum that somebody would compute for them: they are
 * refused, or become an index that is saved as what reads the same. */
#include "tests/fuzz/fuzz.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "cache/overlay.h"
#include "cache/saved.h"

static const struct saved_owner owner = {"123456789012",   "eu-central-1", "aws", "",
                                         "service-family", "service-id"};

static const struct snapshot *build(struct raw_resources *r, struct overlay *o)
{
    const struct build_input in = {.family_tag = owner.family_tag,
                                   .service_tag = owner.service_tag,
                                   .dependency_tag = "service-dependency",
                                   .account = owner.account,
                                   .region = owner.region,
                                   .partition = owner.partition,
                                   .resources = r,
                                   .overlay = o->entries,
                                   .overlay_groups = o->groups,
                                   .records = o->records,
                                   .dead_claims = o->dead_claims,
                                   .generation = 1,
                                   .wall_ms = 1};
    const struct snapshot *s = NULL;

    if (build_snapshot(&in, &s) != 0 || s->swept)
        abort();
    return s;
}

/* What is built of it is saved, and comes back as the same. */
static void check_accepted(struct raw_resources *r)
{
    struct raw_resources *back = NULL;
    char *image = NULL, *again = NULL;
    size_t len, len_again;
    struct overlay o;

    if (overlay_init(&o) != 0)
        abort();
    const struct snapshot *s = build(r, &o);
    if (saved_image(&owner, s, r->begun_wall_ms, &image, &len) != 0 ||
        saved_parse(&owner, image, len, &back, NULL) != 0)
        abort();
    const struct snapshot *t = build(back, &o);
    if (saved_image(&owner, t, back->begun_wall_ms, &again, &len_again) != 0 || len != len_again ||
        memcmp(image, again, len) != 0)
        abort();
    snapshot_unref(s);
    snapshot_unref(t);
    raw_resources_unref(back);
    overlay_done(&o);
    free(image);
    free(again);
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
        check_accepted(r);
    else if (err != -EPROTO)
        abort();
    raw_resources_unref(r);
    free(copy);
    return 0;
}

FUZZ_MAIN
