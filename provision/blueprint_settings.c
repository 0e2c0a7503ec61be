/*
 * Metadata.svcfs, and the ids of a family. What a setting may be stands in one table; a setting
 * that is not in it is an error like every other unknown key.
 *
 * Whatever ServiceIdPattern says, `[a-z][a-z0-9-]{0,30}[a-z0-9]` holds too: an id becomes a host
 * name, a database, a user and a parameter's name. Names that the tree reserves in a family are
 * never ids.
 */
#include "provision/blueprint_private.h"

#include <errno.h>
#include <stdio.h>

#include "base/str.h"

enum { NEXT_ID_TRIES = 100, PRIORITY_MAX = 50000 };

static const char default_pattern[] = "[a-z][a-z0-9]{3,23}";
static const char default_next_id[] = "n???????";
static const char *const reserved[] = {"next-id", "plan", "resources"};

static int set_pattern(struct blueprint *b, json_t *v, struct fault *f)
{
    if (!json_is_string(v) || !*json_string_value(v))
        return fault_set(f, -EINVAL, "must be a regular expression in a string");
    return pattern_init(&b->id_pattern, json_string_value(v), f);
}

static int set_next_id(struct blueprint *b, json_t *v, struct fault *f)
{
    const char *s = json_string_value(v);

    if (!s || strlen(s) < 2 || strlen(s) > NAMING_ID_MAX || !strpbrk(s, "?#") ||
        strspn(s, "?#abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(s))
        return fault_set(f, -EINVAL,
                         "must have 2 to %d of [a-z0-9-], ? (letter or digit) and # (digit), at "
                         "least one of the last two",
                         NAMING_ID_MAX);
    snprintf(b->next_id, sizeof(b->next_id), "%s", s);
    return 0;
}

static int set_priority_range(struct blueprint *b, json_t *v, struct fault *f)
{
    const char *s = json_string_value(v);
    unsigned from = 0, to = 0;
    int n = 0;

    if (!s || strspn(s, "0123456789-") != strlen(s) ||
        sscanf(s, "%5u-%5u%n", &from, &to, &n) != 2 || s[n] || from < 1 || from > to ||
        to > PRIORITY_MAX)
        return fault_set(f, -EINVAL, "must be \"A-B\" with 1 <= A <= B <= %d", PRIORITY_MAX);
    snprintf(b->priority_range, sizeof(b->priority_range), "%u-%u", from, to);
    return 0;
}

static int take_number(json_t *v, json_int_t min, json_int_t max, json_int_t *ret, struct fault *f)
{
    if (!json_is_integer(v) || json_integer_value(v) < min || json_integer_value(v) > max)
        return fault_set(f, -EINVAL,
                         "must be a whole number from %" JSON_INTEGER_FORMAT
                         " to %" JSON_INTEGER_FORMAT,
                         min, max);
    *ret = json_integer_value(v);
    return 0;
}

static int set_create_timeout(struct blueprint *b, json_t *v, struct fault *f)
{
    json_int_t seconds = 0;
    int r = take_number(v, 1, 24 * 3600, &seconds, f);

    if (r == 0)
        b->settings.create_timeout_ms = seconds * 1000;
    return r;
}

static int set_delete_grace(struct blueprint *b, json_t *v, struct fault *f)
{
    json_int_t seconds = 0;
    int r = take_number(v, 0, 24 * 3600, &seconds, f);

    if (r == 0)
        b->settings.delete_grace_ms = seconds * 1000;
    return r;
}

static int set_max_deletes(struct blueprint *b, json_t *v, struct fault *f)
{
    json_int_t n = 0;
    int r = take_number(v, 1, 1000, &n, f);

    if (r == 0)
        b->settings.max_deletes_per_minute = (unsigned)n;
    return r;
}

static int set_protected(struct blueprint *b, json_t *v, struct fault *f)
{
    if (!json_is_boolean(v))
        return fault_set(f, -EINVAL, "must be true or false");
    b->settings.is_protected = json_is_true(v);
    return 0;
}

static int set_on_failure(struct blueprint *b, json_t *v, struct fault *f)
{
    const char *s = json_string_value(v);

    if (!s || (!streq(s, "KEEP") && !streq(s, "ROLLBACK")))
        return fault_set(f, -EINVAL, "must be KEEP or ROLLBACK");
    b->settings.rollback = streq(s, "ROLLBACK");
    return 0;
}

static const struct {
    const char *name;
    int (*set)(struct blueprint *b, json_t *v, struct fault *f);
} settings[] = {
    {"ServiceIdPattern", set_pattern},        {"NextId", set_next_id},
    {"PriorityRange", set_priority_range},    {"CreateTimeout", set_create_timeout},
    {"MaxDeletesPerMinute", set_max_deletes}, {"Protected", set_protected},
    {"DeleteGrace", set_delete_grace},        {"OnFailure", set_on_failure},
};

static int load_setting(struct blueprint *b, const char *key, json_t *v, struct fault *f)
{
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
        if (streq(settings[i].name, key))
            return settings[i].set(b, v, f);
    return fault_set(f, -EINVAL,
                     "is not a setting: ServiceIdPattern, NextId, PriorityRange, CreateTimeout, "
                     "MaxDeletesPerMinute, Protected, DeleteGrace, OnFailure");
}

int blueprint_load_settings(struct blueprint *b, json_t *section, const struct json_place *at,
                            struct fault *f)
{
    const char *key;
    json_t *v;

    b->settings = (struct blueprint_settings){
        .create_timeout_ms = 20 * 60 * 1000,
        .max_deletes_per_minute = 5,
        .delete_grace_ms = 10 * 1000,
    };
    snprintf(b->next_id, sizeof(b->next_id), "%s", default_next_id);
    if (section && !json_is_object(section))
        return json_source_fault(&b->source, at, f, "must be an object");
    json_object_foreach(section, key, v)
    {
        struct json_place place = {at, key, 0};
        struct fault local = FAULT_INIT;
        int r = load_setting(b, key, v, &local);
        if (r < 0)
            return r == -EINVAL ? json_source_fault(&b->source, &place, f, "%s", local.message)
                                : fault_copy(f, &local);
    }
    return b->id_pattern.text ? 0 : pattern_init(&b->id_pattern, default_pattern, f);
}

static bool is_host_name(const char *id)
{
    size_t n = strlen(id);

    return n >= 2 && n <= NAMING_ID_MAX && id[0] >= 'a' && id[0] <= 'z' && id[n - 1] != '-' &&
           strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

int blueprint_check_id(const struct blueprint *b, const char *id, struct fault *f)
{
    for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
        if (streq(id, reserved[i]))
            return fault_set(f, -EINVAL, "\"%s\" is a name of the tree's own", id);
    if (!is_host_name(id))
        return fault_set(f, -EINVAL, "a service id must match [a-z][a-z0-9-]{0,30}[a-z0-9]");
    if (!pattern_matches(&b->id_pattern, id))
        return fault_set(f, -EINVAL, "a service id of %s must match %s", b->family,
                         b->id_pattern.text);
    return params_check(b->params, PARAM_ID, id, f);
}

int blueprint_next_id(const struct blueprint *b, char out[64], struct fault *f)
{
    char letters[NAMING_ID_MAX + 1], digits[NAMING_ID_MAX + 1];
    size_t n = strlen(b->next_id);

    for (unsigned i = 0; i < NEXT_ID_TRIES; i++) {
        if (str_random(letters, n, "abcdefghijklmnopqrstuvwxyz0123456789") < 0 ||
            str_random(digits, n, "0123456789") < 0)
            return fault_set(f, -EIO, "the system's random source does not answer");
        for (size_t k = 0; k <= n; k++)
            out[k] = b->next_id[k] == '?'   ? letters[k]
                     : b->next_id[k] == '#' ? digits[k]
                                            : b->next_id[k];
        if (blueprint_check_id(b, out, NULL) == 0)
            return 0;
    }
    return fault_set(f, -EINVAL,
                     "NextId %s gives no id that ServiceIdPattern %s and the parameter "
                     "ServiceId allow",
                     b->next_id, b->id_pattern.text);
}
