/*
 * Names: a bijection between tag values and file names, as long as they fit, and the place of an ARN below resources/.
 *
 * What is escaped decides itself by position and character alone, so the way back needs no table: a name is
 * valid exactly if escaping its value gives it again. Cut names end in `%~`, which no escape begins with, and have no
 * way back; the snapshot finds them by their full name.
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

/* Escapes value into w, whole characters only; extra: further characters to escape. */
static void escape(struct writer *w, const char *value, bool first, bool at, bool plus)
{
    for (const char *s = value; *s && !w->full;) {
        unsigned char c = (unsigned char)*s;
        bool esc = c == '/' || c == '%' || c < 0x20 || c == 0x7f || (c == '@' && at) ||
                   (c == '+' && plus) || (s == value && (c == '.' || first));

        if (esc) {
            write_escaped(w, c);
            s++;
        } else {
            size_t n = utf8_length(s);
            write_bytes(w, s, n);
            s += n;
        }
    }
}

/* Ends w: where the name did not fit, cuts it at what was written last and puts the hash of value behind. */
static void finish(struct writer *w, const char *value)
{
    char suffix[CUT_SUFFIX + 1];

    if (w->full) {
        size_t room = NAME_MAX_BYTES - CUT_SUFFIX;
        while (w->len > room) { /* back over one whole character or escape */
            size_t n = 1;
            if (w->len >= 3 && w->out[w->len - 3] == '%')
                n = 3;
            else
                while (n < w->len && ((unsigned char)w->out[w->len - n] & 0xC0) == 0x80)
                    n++;
            w->len -= n;
        }
        snprintf(suffix, sizeof(suffix), "%%~%016" PRIx64, hash_stable(value, strlen(value)));
        memcpy(w->out + w->len, suffix, CUT_SUFFIX);
        w->len += CUT_SUFFIX;
    }
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
    char again[NAME_SIZE], again_at[NAME_SIZE];

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
    name_from_value(out, reserved, true, again_at);
    return streq(name, again) || streq(name, again_at) ? 0 : -EINVAL;
}

/* --- ARNs --- */

/* Services whose ARNs have no type, and what their documents call the thing. */
static const struct {
    const char *service, *type;
} untyped[] = {{"s3", "bucket"}, {"sns", "topic"}, {"sqs", "queue"}, {"cloudfront", "distribution"}};

static void id_name(const char *id, char out[NAME_SIZE])
{
    struct writer w = {.out = out, .size = NAME_MAX_BYTES};
    bool begin = true;

    if (!*id)
        write_bytes(&w, "%", 1);
    for (const char *s = id; *s && !w.full;) {
        char one[5] = {0};
        size_t n = utf8_length(s);
        memcpy(one, s, n);
        if (*s == '/')
            write_bytes(&w, "+", 1);
        else if (begin)
            escape(&w, one, false, false, true);
        else if (*s == '.')
            write_bytes(&w, ".", 1);
        else
            escape(&w, one, false, false, true);
        begin = false;
        s += n;
    }
    finish(&w, id);
}

static int set_path(struct name_path *p, const char *service, const char *type, const char *id)
{
    name_from_value(service, NULL, false, p->service);
    name_from_value(type, NULL, false, p->type);
    id_name(id, p->id);
    return 0;
}

int name_path_from_arn(const char *arn, struct name_path *ret)
{
    char service[64], type[128];
    const char *parts[6];
    const char *s = arn;

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        parts[i] = s;
        if (i == ARRAY_SIZE(parts) - 1)
            break;
        s = strchr(s, ':');
        if (!s)
            return -EINVAL;
        s++;
    }
    if (!str_starts(arn, "arn:") || !*parts[5] || parts[3] == parts[2] + 1)
        return -EINVAL;
    if (str_format(service, sizeof(service), "%.*s", (int)(parts[3] - parts[2] - 1), parts[2]) < 0)
        return -EINVAL;
    size_t n = strcspn(parts[5], "/:");
    for (size_t i = 0; i < ARRAY_SIZE(untyped); i++)
        if (streq(untyped[i].service, service) && (!parts[5][n] || streq(service, "s3")))
            return set_path(ret, service, untyped[i].type, parts[5]);
    if (!parts[5][n])
        return set_path(ret, service, "resource", parts[5]);
    if (str_format(type, sizeof(type), "%.*s", (int)n, parts[5]) < 0)
        return -EINVAL;
    return set_path(ret, service, type, parts[5] + n + 1);
}

int name_path_from_key(const char *key, struct name_path *ret)
{
    char service[64], type[128];
    const char *a = strchr(key, '/'), *b = a ? strchr(a + 1, '/') : NULL;

    if (!b || a == key || b == a + 1 || !b[1] ||
        str_format(service, sizeof(service), "%.*s", (int)(a - key), key) < 0 ||
        str_format(type, sizeof(type), "%.*s", (int)(b - a - 1), a + 1) < 0)
        return -EINVAL;
    name_from_value(service, NULL, false, ret->service);
    name_from_value(type, NULL, false, ret->type);
    name_from_value(b + 1, NULL, false, ret->id);
    return 0;
}

void name_link(const struct name_path *p, char out[NAME_SIZE])
{
    char whole[3 * NAME_SIZE];
    struct writer w = {.out = out, .size = NAME_MAX_BYTES};

    snprintf(whole, sizeof(whole), "%s.%s.%s", p->service, p->type, p->id);
    for (const char *s = whole; *s && !w.full;) {
        size_t n = utf8_length(s);
        write_bytes(&w, s, n);
        s += n;
    }
    finish(&w, whole);
}
