/*
 * Names: a bijection between tag values and file names, as long as they fit, and the place of an
 * ARN below resources/.
 *
 * What is escaped decides itself by position and character alone, so the way back needs no table: a
 * name is valid exactly if escaping its value gives it again. Cut names end in `%~`, which no
 * escape begins with, and have no way back; the snapshot finds them by their full name.
 */
#include "cache/name.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"

enum { CUT_SUFFIX = 18, NAME_MAX_BYTES = NAME_SIZE - 1 };

struct writer {
    char *out;
    size_t len, size; /* size: without the terminator */
    bool full;
};

static void write_bytes(struct writer *w, const char *bytes, size_t n)
{
    if (w->full || w->len + n > w->size) {
        w->full = true;
        return;
    }
    memcpy(w->out + w->len, bytes, n);
    w->len += n;
}

static void write_escaped(struct writer *w, unsigned char c)
{
    char hex[4];

    snprintf(hex, sizeof(hex), "%%%02X", c);
    write_bytes(w, hex, 3);
}

static bool is_reserved(const char *value, const char *const *reserved)
{
    for (; reserved && *reserved; reserved++)
        if (streq(value, *reserved))
            return true;
    return false;
}

static size_t utf8_length(const char *s)
{
    size_t n = 1;

    while (n < 4 && ((unsigned char)s[n] & 0xC0) == 0x80)
        n++;
    return n;
}

/* Escapes value into w, whole characters only. first: its first character too; at: `@` too; id: `/`
 * becomes
 * `+`, and so `+` is escaped. */
static void escape(struct writer *w, const char *value, bool first, bool at, bool id)
{
    for (const char *s = value; *s && !w->full;) {
        unsigned char c = (unsigned char)*s;
        bool esc = (c == '/' && !id) || c == '%' || c < 0x20 || c == 0x7f || (c == '@' && at) ||
                   (c == '+' && id) || (s == value && (c == '.' || first));

        if (esc) {
            write_escaped(w, c);
            s++;
        } else if (c == '/') {
            write_bytes(w, "+", 1);
            s++;
        } else {
            size_t n = utf8_length(s);
            write_bytes(w, s, n);
            s += n;
        }
    }
}

/* Takes whole characters and escapes off the end until at most room bytes are left. */
static void shorten(struct writer *w, size_t room)
{
    while (w->len > room) {
        size_t n = 1;

        if (w->len >= 3 && w->out[w->len - 3] == '%')
            n = 3;
        else
            while (n < w->len && ((unsigned char)w->out[w->len - n] & 0xC0) == 0x80)
                n++;
        w->len -= n;
    }
}

static void put_hash(struct writer *w, const char *value)
{
    char suffix[CUT_SUFFIX + 1];

    shorten(w, NAME_MAX_BYTES - CUT_SUFFIX);
    snprintf(suffix, sizeof(suffix), "%%~%016" PRIx64, hash_stable(value, strlen(value)));
    memcpy(w->out + w->len, suffix, CUT_SUFFIX);
    w->len += CUT_SUFFIX;
}

/* Ends w: where the name did not fit, cuts it and puts the hash of value behind. */
static void finish(struct writer *w, const char *value)
{
    if (w->full)
        put_hash(w, value);
    w->out[w->len] = 0;
}

void name_from_value(const char *value, const char *const *reserved, bool at_escaped,
                     char out[NAME_SIZE])
{
    struct writer w = {.out = out, .size = NAME_MAX_BYTES};

    if (!*value)
        write_bytes(&w, "%", 1);
    escape(&w, value, is_reserved(value, reserved), at_escaped, false);
    finish(&w, value);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int unescape(const char *name, char *out, size_t size)
{
    size_t n = 0;

    for (const char *s = name; *s; s++) {
        char c = *s;
        if (c == '%') {
            if (s[1] == '~')
                return -ENODATA;
            int high = hex_digit(s[1]), low = high < 0 ? -1 : hex_digit(s[2]);
            if (low < 0 || (high == 0 && low == 0))
                return -EINVAL;
            c = (char)(high << 4 | low);
            s += 2;
        }
        if (n + 1 >= size)
            return -EINVAL;
        out[n++] = c;
    }
    out[n] = 0;
    return 0;
}

int name_to_value(const char *name, const char *const *reserved, char *out, size_t size)
{
    char again[NAME_SIZE];

    if (size == 0 || !*name)
        return -EINVAL;
    if (streq(name, "%")) {
        out[0] = 0;
        return 0;
    }
    int r = unescape(name, out, size);
    if (r < 0)
        return r;
    name_from_value(out, reserved, false, again);
    return streq(name, again) ? 0 : -EINVAL;
}

/* --- ARNs --- */

/* Services whose ARNs have no type, and what their documents call the thing. */
static const struct {
    const char *service, *type;
} untyped[] = {
    {"s3", "bucket"},
    {"sns", "topic"},
    {"sqs", "queue"},
    {"codecommit", "repository"},
    {"codepipeline", "pipeline"},
};

static void id_name(const char *id, char out[NAME_SIZE])
{
    struct writer w = {.out = out, .size = NAME_MAX_BYTES};

    if (!*id)
        write_bytes(&w, "%", 1);
    escape(&w, id, false, false, true);
    finish(&w, id);
}

static int set_path(struct name_path *p, const char *service, const char *type, const char *id)
{
    name_from_value(service, NULL, false, p->service);
    name_from_value(type, NULL, false, p->type);
    id_name(id, p->id);
    return 0;
}

/* The six parts of an ARN; what stands behind the fifth colon is one part. */
static int split_arn(const char *arn, const char *parts[6], size_t sizes[6])
{
    const char *s = arn;

    if (!str_starts(arn, "arn:"))
        return -EINVAL;
    for (size_t i = 0; i < 5; i++) {
        const char *end = strchr(s, ':');
        if (!end)
            return -EINVAL;
        parts[i] = s;
        sizes[i] = (size_t)(end - s);
        s = end + 1;
    }
    parts[5] = s;
    sizes[5] = strlen(s);
    return sizes[2] > 0 && sizes[5] > 0 ? 0 : -EINVAL;
}

/* The type where the ARN itself has none, else NULL. */
static const char *untyped_type(const char *service, bool has_account, const char *resource)
{
    size_t n = strcspn(resource, "/:");

    for (size_t i = 0; i < ARRAY_SIZE(untyped); i++)
        if (streq(untyped[i].service, service) && (!resource[n] || (n > 0 && !has_account)))
            return untyped[i].type;
    return resource[n] ? NULL : "resource";
}

int name_path_from_arn(const char *arn, struct name_path *ret)
{
    char service[64], type[128];
    const char *parts[6];
    size_t sizes[6];

    if (split_arn(arn, parts, sizes) < 0 ||
        str_format(service, sizeof(service), "%.*s", (int)sizes[2], parts[2]) < 0)
        return -EINVAL;
    const char *resource = parts[5];
    /* An object of a bucket has a slash too, but no account, unlike s3's access points. */
    const char *without = untyped_type(service, sizes[4] > 0, resource);
    if (without)
        return set_path(ret, service, without, resource);
    if (*resource == '/' && resource[1]) /* API Gateway: "/restapis/ID" */
        resource++;
    size_t n = strcspn(resource, "/:");
    if (str_format(type, sizeof(type), "%.*s", (int)n, resource) < 0)
        return -EINVAL;
    return set_path(ret, service, type, resource[n] ? resource + n + 1 : "");
}

int name_path_from_key(const char *key, struct name_path *ret)
{
    char service[64], type[128];
    const char *a = strchr(key, '/'), *b = a ? strchr(a + 1, '/') : NULL;

    if (str_starts(key, "arn:") || !b || a == key || b == a + 1 || !b[1] ||
        str_format(service, sizeof(service), "%.*s", (int)(a - key), key) < 0 ||
        str_format(type, sizeof(type), "%.*s", (int)(b - a - 1), a + 1) < 0)
        return -EINVAL;
    name_from_value(service, NULL, false, ret->service);
    name_from_value(type, NULL, false, ret->type);
    name_from_value(b + 1, NULL, false, ret->id);
    return 0;
}

/* Copies name, whole characters only. */
static void copy_name(struct writer *w, const char *name)
{
    for (const char *s = name; *s && !w->full;) {
        size_t n = utf8_length(s);
        write_bytes(w, s, n);
        s += n;
    }
}

void name_fit(const char *whole, char out[NAME_SIZE])
{
    struct writer w = {.out = out, .size = NAME_MAX_BYTES};

    copy_name(&w, whole);
    finish(&w, whole);
}

void name_hashed(const char *name, const char *value, char out[NAME_SIZE])
{
    struct writer w = {.out = out, .size = NAME_MAX_BYTES};

    copy_name(&w, name);
    put_hash(&w, value);
    w.out[w.len] = 0;
}

/* A dot within service or type would let two paths share one link. */
static void put_undotted(struct writer *w, const char *name)
{
    for (; *name; name++) {
        if (*name == '.')
            write_escaped(w, '.');
        else
            write_bytes(w, name, 1);
    }
}

static void put_type(struct writer *w, const char *service, const char *type)
{
    put_undotted(w, service);
    write_bytes(w, ".", 1);
    put_undotted(w, type);
}

void name_link(const struct name_path *p, char out[NAME_SIZE])
{
    char whole[8 * NAME_SIZE];
    struct writer w = {.out = whole, .size = sizeof(whole) - 1};

    put_type(&w, p->service, p->type);
    write_bytes(&w, ".", 1);
    write_bytes(&w, p->id, strlen(p->id));
    whole[w.len] = 0;
    name_fit(whole, out);
}

void name_type(const char *service, const char *type, char out[NAME_SIZE])
{
    char whole[8 * NAME_SIZE];
    struct writer w = {.out = whole, .size = sizeof(whole) - 1};

    put_type(&w, service, type);
    whole[w.len] = 0;
    name_fit(whole, out);
}
