/* Any text as a record, a parameter's name, an owner: it is refused, or what was read prints to
 * what reads the same. */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "provision/record.h"

static void check_record(const char *text)
{
    struct record *r = NULL, *back = NULL;
    char *printed = NULL, *again = NULL;
    int err = record_parse("n91bet54", text, &r, NULL);

    if (err == -EPROTO)
        return;
    if (err != 0)
        abort();
    err = record_print(r, &printed, NULL);
    if (err == 0) {
        if (strlen(printed) > RECORD_MAX || strstr(printed, "{{") ||
            record_parse("n91bet54", printed, &back, NULL) != 0 ||
            record_print(back, &again, NULL) != 0 || strcmp(printed, again) != 0)
            abort();
    } else if (err != -EFBIG) {
        abort();
    }
    free(printed);
    free(again);
    record_free(r);
    record_free(back);
}

static void check_name(const char *text)
{
    struct record_child c;
    char name[128];
    static const char *const words[] = {"owner", "delete", "cancel", "protect"};

    if (record_parse_name(text, &c) != 0)
        return;
    if (*c.claim)
        naming_beneath(c.id, c.claim, words[c.word], c.n, name, sizeof(name));
    else
        naming_record(c.id, name, sizeof(name));
    if (strcmp(name, text) != 0)
        abort();
}

static void check_owner(const char *text)
{
    struct record_owner o, back;
    char *printed = NULL;

    if (record_owner_parse(text, &o) != 0)
        return;
    if (record_owner_print(&o, &printed) != 0 || record_owner_parse(printed, &back) != 0 ||
        memcmp(&o, &back, sizeof(o)) != 0)
        abort();
    free(printed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    if (!text)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    check_record(text);
    check_name(text);
    check_owner(text);
    free(text);
    return 0;
}

FUZZ_MAIN
