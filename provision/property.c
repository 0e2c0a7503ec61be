/*
 * Properties by table. A type's table lists the properties it takes by path; a container needs no
 * row of its own: that "Volumes[].Name" is there says that Volumes is a list of objects. A LIST
 * without rows beneath is a list of strings, an OBJECT without rows beneath takes nothing.
 *
 * Check and conversion walk the same way, by `kind_of`. References ({"Ref": …}, {"Fn::…": …}) may
 * stand wherever a scalar may; the one function that gives a list, Fn::Split, where a list of
 * scalars may. Keys that begin with "svcfs:" are the plan's own (plan.h): no blueprint can write
 * one, conversion leaves them out.
 */
#include "provision/property.h"

#include <errno.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/str.h"

enum { PATH_SIZE = 256, KIND_NONE = -1 };

struct walk {
    const struct property *table;
    enum property_style style;
    char at[PATH_SIZE]; /* where it is, with indexes: for messages */
    struct fault *f;
};

static int convert_value(struct walk *w, const char *path, json_t *v, json_t **ret);
static int check_value(struct walk *w, const char *path, json_t *v);

static const struct property *row_find(const struct property *table, const char *path)
{
    for (; table->path; table++)
        if (streq(table->path, path))
            return table;
    return NULL;
}

/* Kind of what stands at path: by its row, or by the rows beneath it. */
static int kind_of(const struct property *table, const char *path)
{
    const struct property *row = row_find(table, path);
    size_t n = strlen(path);

    if (row)
        return (int)row->kind;
    for (const struct property *p = table; p->path; p++)
        if (strncmp(p->path, path, n) == 0) {
            if (p->path[n] == '.')
                return PROPERTY_OBJECT;
            if (p->path[n] == '[')
                return PROPERTY_LIST;
        }
    /* An element of a list of scalars without a row of its own. */
    if (n > 2 && streq(path + n - 2, "[]")) {
        char list[PATH_SIZE];
        if (str_format(list, sizeof(list), "%.*s", (int)(n - 2), path) == 0 &&
            (row = row_find(table, list)) && row->kind == PROPERTY_LIST)
            return PROPERTY_STRING;
    }
    return KIND_NONE;
}

static const char *kind_name(int kind)
{
    static const char *const names[] = {
        [PROPERTY_STRING] = "a string",       [PROPERTY_INTEGER] = "a whole number",
        [PROPERTY_BOOLEAN] = "true or false", [PROPERTY_OBJECT] = "an object",
        [PROPERTY_LIST] = "a list",           [PROPERTY_MAP] = "a map of strings",
        [PROPERTY_JSON] = "a value",
    };
    return names[kind];
}

static const char *function_of(json_t *v)
{
    const char *key;

    if (!json_is_object(v) || json_object_size(v) != 1)
        return NULL;
    key = json_object_iter_key(json_object_iter(v));
    return streq(key, "Ref") || str_starts(key, "Fn::") ? key : NULL;
}

static int path_join(const char *up, const char *key, char *out, size_t size)
{
    return str_format(out, size, "%s%s%s", up, *up ? "." : "", key);
}

/* Names that may stand beside each other below path. */
static void allowed_print(const struct property *table, const char *path, struct buf *out)
{
    size_t n = strlen(path);
    const char *last = "";
    size_t last_len = 0;

    for (; table->path; table++) {
        const char *rest = table->path;
        size_t len;
        if (n && (strncmp(rest, path, n) != 0 || rest[n] != '.'))
            continue;
        rest += n ? n + 1 : 0;
        len = strcspn(rest, ".[");
        if (len == last_len && memcmp(rest, last, len) == 0)
            continue;
        buf_printf(out, "%s%.*s", out->len ? ", " : "", (int)len, rest);
        last = rest;
        last_len = len;
    }
}

static int unknown_key(struct walk *w, const char *path)
{
    _cleanup_buf_ struct buf allowed = BUF_INIT(300);

    allowed_print(w->table, path, &allowed);
    return fault_set(w->f, -EINVAL, "is not a property that svcfs knows here; there are: %s",
                     allowed.len ? buf_str(&allowed) : "none");
}

static int wrong_kind(struct walk *w, int kind)
{
    return fault_set(w->f, -EINVAL, "must be %s", kind_name(kind));
}

static bool parse_integer(const char *s, json_int_t *ret)
{
    char *end;
    long long v;

    if (!*s || (!(*s >= '0' && *s <= '9') && *s != '-'))
        return false;
    errno = 0;
    v = strtoll(s, &end, 10);
    if (errno || *end)
        return false;
    *ret = v;
    return true;
}

/* A scalar in the type of its kind. 0, -EINVAL (not of that kind), -ENOMEM. */
static int scalar_convert(int kind, json_t *v, json_t **ret)
{
    const char *s = json_string_value(v);
    char number[32];
    json_int_t n;
    json_t *out = NULL;

    switch (kind) {
    case PROPERTY_INTEGER:
        if (s && !parse_integer(s, &n))
            return -EINVAL;
        if (!s && !json_is_integer(v))
            return -EINVAL;
        out = json_integer(s ? n : json_integer_value(v));
        break;
    case PROPERTY_BOOLEAN:
        if (s && !streq(s, "true") && !streq(s, "false"))
            return -EINVAL;
        if (!s && !json_is_boolean(v))
            return -EINVAL;
        out = json_boolean(s ? streq(s, "true") : json_is_true(v));
        break;
    default:
        if (json_is_boolean(v)) {
            s = json_is_true(v) ? "true" : "false";
        } else if (json_is_number(v)) {
            if (json_is_integer(v))
                snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(v));
            else
                snprintf(number, sizeof(number), "%.15g", json_real_value(v));
            s = number;
        }
        if (!s)
            return -EINVAL;
        out = json_string(s);
    }
    if (!out)
        return -ENOMEM;
    *ret = out;
    return 0;
}

static int check_scalar(struct walk *w, int kind, json_t *v)
{
    json_t *converted;
    int r = scalar_convert(kind, v, &converted);

    if (r == -EINVAL)
        return wrong_kind(w, kind);
    if (r == 0)
        json_decref(converted);
    return r < 0 ? fault_set(w->f, r, "no memory") : 0;
}

/* Puts key (or, key NULL, the index) behind w->at; gives the old length, to be cut back to. */
static size_t at_enter(struct walk *w, const char *key, size_t index)
{
    size_t n = strlen(w->at);

    if (key)
        snprintf(w->at + n, sizeof(w->at) - n, "%s%s", n ? "." : "", key);
    else
        snprintf(w->at + n, sizeof(w->at) - n, "[%zu]", index);
    return n;
}

static int check_required(struct walk *w, const char *path, json_t *object)
{
    size_t n = strlen(path);

    for (const struct property *row = w->table; row->path; row++) {
        const char *rest = row->path;
        if (!row->required || (n && (strncmp(rest, path, n) != 0 || rest[n] != '.')))
            continue;
        rest += n ? n + 1 : 0;
        if (!strpbrk(rest, ".[") && !json_object_get(object, rest))
            return fault_set(w->f, -EINVAL, "%s is missing", rest);
    }
    return 0;
}

static int check_object(struct walk *w, const char *path, json_t *object)
{
    const char *key;
    json_t *v;
    int r;

    json_object_foreach(object, key, v)
    {
        char child[PATH_SIZE];
        size_t n = at_enter(w, key, 0);
        if (path_join(path, key, child, sizeof(child)) < 0 || strpbrk(key, ".[") ||
            kind_of(w->table, child) == KIND_NONE)
            return unknown_key(w, path);
        r = check_value(w, child, v);
        if (r < 0)
            return r;
        w->at[n] = '\0';
    }
    return check_required(w, path, object);
}

static int check_list(struct walk *w, const char *path, json_t *v)
{
    char child[PATH_SIZE];
    const char *function = function_of(v);
    size_t i;
    json_t *e;
    int r;

    if (str_format(child, sizeof(child), "%s[]", path) < 0)
        return fault_set(w->f, -EINVAL, "stands too deep");
    if (function && streq(function, "Fn::Split") &&
        kind_of(w->table, child) <= (int)PROPERTY_BOOLEAN)
        return 0;
    if (!json_is_array(v))
        return wrong_kind(w, PROPERTY_LIST);
    json_array_foreach(v, i, e)
    {
        size_t n = at_enter(w, NULL, i);
        r = check_value(w, child, e);
        if (r < 0)
            return r;
        w->at[n] = '\0';
    }
    return 0;
}

static int check_map(struct walk *w, json_t *v)
{
    const char *key;
    json_t *e;
    int r;

    if (!json_is_object(v) || function_of(v))
        return wrong_kind(w, PROPERTY_MAP);
    json_object_foreach(v, key, e)
    {
        size_t n = at_enter(w, key, 0);
        const char *function = function_of(e);
        if (function && streq(function, "Fn::Split"))
            return wrong_kind(w, PROPERTY_STRING);
        r = function ? 0 : check_scalar(w, PROPERTY_STRING, e);
        if (r < 0)
            return r;
        w->at[n] = '\0';
    }
    return 0;
}

static int check_value(struct walk *w, const char *path, json_t *v)
{
    int kind = kind_of(w->table, path);
    const char *function = function_of(v);

    switch (kind) {
    case KIND_NONE:
        return unknown_key(w, path);
    case PROPERTY_JSON:
        return 0;
    case PROPERTY_MAP:
        return check_map(w, v);
    case PROPERTY_LIST:
        return check_list(w, path, v);
    case PROPERTY_OBJECT:
        if (!json_is_object(v) || function)
            return wrong_kind(w, kind);
        return check_object(w, path, v);
    default:
        if (function)
            return streq(function, "Fn::Split") ? wrong_kind(w, kind) : 0;
        return check_scalar(w, kind, v);
    }
}

int property_check(const struct property *table, json_t *properties, char *ret_path,
                   struct fault *f)
{
    struct fault local = FAULT_INIT;
    struct walk w = {.table = table, .f = &local};
    int r;

    if (!json_is_object(properties))
        r = wrong_kind(&w, PROPERTY_OBJECT);
    else
        r = check_object(&w, "", properties);
    if (r == 0)
        return 0;
    if (ret_path)
        memcpy(ret_path, w.at, sizeof(w.at));
    return fault_set(f, r, "%s%s%s", w.at, *w.at ? ": " : "", local.message);
}

/* The member's name in the API of the property at path. */
static void api_name(struct walk *w, const char *path, const char *key, char out[PATH_SIZE])
{
    const struct property *row = row_find(w->table, path);

    snprintf(out, PATH_SIZE, "%s", row && row->api ? row->api : key);
    if ((!row || !row->api) && w->style == PROPERTY_LOWER_FIRST && *out >= 'A' && *out <= 'Z')
        *out += 'a' - 'A';
}

static int convert_object(struct walk *w, const char *path, json_t *v, json_t **ret)
{
    json_t *out = json_object();
    const char *key;
    json_t *e;
    int r = out ? 0 : -ENOMEM;

    json_object_foreach(v, key, e)
    {
        char child[PATH_SIZE], name[PATH_SIZE];
        json_t *converted = NULL;
        size_t n;
        if (r < 0)
            break;
        if (str_starts(key, "svcfs:"))
            continue;
        n = at_enter(w, key, 0);
        r = path_join(path, key, child, sizeof(child)) < 0 ? unknown_key(w, path)
                                                           : convert_value(w, child, e, &converted);
        if (r < 0)
            break;
        api_name(w, child, key, name);
        if (json_object_set_new(out, name, converted) < 0)
            r = -ENOMEM;
        w->at[n] = '\0';
    }
    if (r < 0)
        json_decref(out);
    else
        *ret = out;
    return r;
}

static int convert_list(struct walk *w, const char *path, json_t *v, json_t **ret)
{
    json_t *out = json_array();
    char child[PATH_SIZE];
    size_t i;
    json_t *e;
    int r = out ? str_format(child, sizeof(child), "%s[]", path) : -ENOMEM;

    json_array_foreach(v, i, e)
    {
        json_t *converted = NULL;
        size_t n;
        if (r < 0)
            break;
        n = at_enter(w, NULL, i);
        r = convert_value(w, child, e, &converted);
        if (r < 0)
            break;
        if (json_array_append_new(out, converted) < 0)
            r = -ENOMEM;
        w->at[n] = '\0';
    }
    if (r < 0)
        json_decref(out);
    else
        *ret = out;
    return r;
}

static int convert_map(struct walk *w, json_t *v, json_t **ret)
{
    json_t *out = json_object();
    const char *key;
    json_t *e;
    int r = out ? 0 : -ENOMEM;

    json_object_foreach(v, key, e)
    {
        json_t *converted = NULL;
        if (r < 0)
            break;
        r = scalar_convert(PROPERTY_STRING, e, &converted);
        if (r == -EINVAL)
            r = wrong_kind(w, PROPERTY_MAP);
        else if (r == 0 && json_object_set_new(out, key, converted) < 0)
            r = -ENOMEM;
    }
    if (r < 0)
        json_decref(out);
    else
        *ret = out;
    return r;
}

static int convert_value(struct walk *w, const char *path, json_t *v, json_t **ret)
{
    int kind = kind_of(w->table, path), r;

    switch (kind) {
    case KIND_NONE:
        return unknown_key(w, path);
    case PROPERTY_JSON:
        *ret = json_deep_copy(v);
        return *ret ? 0 : -ENOMEM;
    case PROPERTY_MAP:
        return json_is_object(v) ? convert_map(w, v, ret) : wrong_kind(w, kind);
    case PROPERTY_LIST:
        return json_is_array(v) ? convert_list(w, path, v, ret) : wrong_kind(w, kind);
    case PROPERTY_OBJECT:
        return json_is_object(v) ? convert_object(w, path, v, ret) : wrong_kind(w, kind);
    default:
        r = scalar_convert(kind, v, ret);
        return r == -EINVAL ? wrong_kind(w, kind) : r;
    }
}

int property_convert(const struct property *table, enum property_style style, json_t *properties,
                     json_t **ret, struct fault *f)
{
    struct fault local = FAULT_INIT;
    struct walk w = {.table = table, .style = style, .f = &local};
    int r;

    if (!json_is_object(properties))
        r = wrong_kind(&w, PROPERTY_OBJECT);
    else
        r = convert_object(&w, "", properties, ret);
    if (r == 0)
        return 0;
    return fault_set(f, r, "%s%s%s", w.at, *w.at ? ": " : "",
                     *local.message ? local.message : "no memory");
}
