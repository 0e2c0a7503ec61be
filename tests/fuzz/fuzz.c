/* Runs a fuzz target over its corpus; and over each file with one byte changed or the end cut off,
 * which costs nothing. */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

enum { FILE_MAX = 1024 * 1024, MUTATIONS = 300 };

static void run_mutations(const char *text, size_t len)
{
    static const char replacements[] = "{}[]\",:\\$0\xff";
    uint8_t *copy = malloc(len + 1);
    unsigned seed = 1;

    if (!copy)
        abort();
    for (unsigned i = 0; len && i < MUTATIONS; i++) {
        memcpy(copy, text, len);
        seed = seed * 1103515245 + 12345;
        size_t at = (seed >> 8) % len;
        seed = seed * 1103515245 + 12345;
        copy[at] = (uint8_t)replacements[(seed >> 16) % (sizeof(replacements) - 1)];
        LLVMFuzzerTestOneInput(copy, len);
        LLVMFuzzerTestOneInput(copy, at);
    }
    free(copy);
}

static unsigned run_dir(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    unsigned n = 0;

    while (d && (e = readdir(d))) {
        _cleanup_free_ char *path = str_printf("%s/%s", dir, e->d_name), *text = NULL;
        size_t len;
        if (*e->d_name == '.' || !path || str_read_file(path, FILE_MAX, &text, &len) < 0)
            continue;
        LLVMFuzzerTestOneInput((const uint8_t *)text, len);
        run_mutations(text, len);
        n++;
    }
    if (d)
        closedir(d);
    return n;
}

int fuzz_run_corpus(int argc, char **argv)
{
    unsigned n = 0;

    for (int i = 1; i < argc; i++)
        n += run_dir(argv[i]);
    printf("%u files\n", n);
    return n ? 0 : 1;
}
