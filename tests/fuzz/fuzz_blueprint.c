/*
 * Any text as a blueprint: it is refused with a message that begins with the file, or it has a
 * plan. Two parts divided by a NUL byte are a blueprint and its parameter file.
 */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "provision/plan.h"
#include "provision/record.h"
#include "tests/unit/fake_types.h"

static void check_accepted(struct blueprint *b)
{
    struct plan *p = NULL;
    struct record *r = NULL;
    char id[64], *text = NULL;

    if (blueprint_next_id(b, id, NULL) != 0 || blueprint_check_id(b, id, NULL) != 0)
        abort();
    if (plan_new(b, id, SAMPLE_CLAIM, &p, NULL) != 0 || p->n_steps == 0)
        abort();
    for (size_t i = 0; i < p->n_steps; i++)
        for (size_t k = 0; k < p->steps[i].n_needs; k++)
            if (p->steps[i].needs[k] >= i)
                abort();
    if (record_new(p, "who", "host", 1, 60000, &r, NULL) != 0 ||
        record_print(r, &text, NULL) != 0 || strlen(text) > RECORD_MAX || strstr(text, "{{"))
        abort();
    free(text);
    record_free(r);
    plan_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct blueprint *b = NULL;
    struct fault f = FAULT_INIT;
    size_t n;
    int r;

    if (!text)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    n = strlen(text);
    r = fake_load(text, n < size ? text + n + 1 : NULL, &b, &f);
    if (r == 0)
        check_accepted(b);
    else if (r != -EINVAL ||
             (!str_starts(f.message, "wp.json:") && !str_starts(f.message, "wp.parameters.json:")))
        abort();
    blueprint_unref(b);
    free(text);
    return 0;
}

FUZZ_MAIN
