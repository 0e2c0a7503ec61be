/*
 * Jansson forgets where a value stood. Rather than a parser of our own, which would have to agree
 * with Jansson on every odd input, this scans the text a second time, only when a message is to be
 * written, along one path.
 *
 * The text was accepted by Jansson before, so the scan trusts its shape, but it never reads beyond
 * the terminator. Keys written with escapes are not found; the line is then that of the nearest key
 * above.
 */
#include "provision/jsonline.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

enum { PLACE_DEPTH = 80, PATH_MAX_BYTES = 300 };

struct segment {
    const char *key; /* NULL: index */
    size_t len, index;
};

static const char *skip_space(const char *p)
{
    while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r' || *p == ',' || *p == ':')
        p++;
    return p;
}

/* p at the opening quote; gives the character behind the closing one. */
static const char *skip_string(const char *p)
{
    for (p++; *p && *p != '"'; p++)
        if (*p == '\\' && p[1])
            p++;
    return *p ? p + 1 : p;
}

static const char *skip_value(const char *p)
{
    unsigned depth = 0;

    do {
        p = skip_space(p);
        if (*p == '{' || *p == '[') {
            depth++;
            p++;
        } else if (*p == '}' || *p == ']') {
            if (depth == 0)
                return p;
            depth--;
            p++;
        } else if (*p == '"') {
            p = skip_string(p);
        } else if (*p) {
            while (*p && !strchr(" \t\r\n,:]}", *p))
                p++;
        }
    } while (depth && *p);
    return p;
}

/* From a container at p to the value of this segment in it. *ret_mark: the key or element itself.
 * NULL: not there. */
static const char *enter(const char *p, const struct segment *s, const char **ret_mark)
{
    bool object = *p == '{';

    if (object != (s->key != NULL) || (!object && *p != '['))
        return NULL;
    p = skip_space(p + 1);
    for (size_t i = 0; *p && *p != '}' && *p != ']'; i++) {
        const char *mark = p;
        bool hit = i == s->index;
        if (object) {
            const char *end = skip_string(p);
            hit = (size_t)(end - p) == s->len + 2 && memcmp(p + 1, s->key, s->len) == 0;
            p = skip_space(end);
        }
        if (hit) {
            *ret_mark = mark;
            return p;
        }
        p = skip_space(skip_value(p));
    }
    return NULL;
}

static unsigned find(const char *text, const struct segment *segments, size_t n)
{
    const char *p = skip_space(text), *mark = p;
    unsigned line = 1;

    for (size_t i = 0; p && i < n; i++)
        p = enter(p, &segments[i], &mark);
    for (const char *c = text; c < mark; c++)
        line += *c == '\n';
    return line;
}

unsigned jsonline_find(const char *text, const struct json_place *at)
{
    struct segment segments[PLACE_DEPTH];
    size_t n = 0, i;

    for (const struct json_place *p = at; p; p = p->up)
        n++;
    i = n;
    for (const struct json_place *p = at; p; p = p->up)
        if (--i < PLACE_DEPTH)
            segments[i] = (struct segment){p->key, p->key ? strlen(p->key) : 0, p->index};
    return find(text, segments, n < PLACE_DEPTH ? n : PLACE_DEPTH);
}

unsigned jsonline_find_path(const char *text, const char *path)
{
    struct segment segments[PLACE_DEPTH];
    size_t n = 0;

    while (*path && n < PLACE_DEPTH) {
        if (*path == '[') {
            char *end;
            segments[n++] = (struct segment){.index = strtoul(path + 1, &end, 10)};
            path = *end == ']' ? end + 1 : end;
        } else {
            size_t len = strcspn(path, ".[");
            if (len)
                segments[n++] = (struct segment){.key = path, .len = len};
            path += len;
        }
        if (*path == '.')
            path++;
        else if (*path != '[')
            break;
    }
    return find(text, segments, n);
}

static void place_print(const struct json_place *at, struct buf *out)
{
    if (!at)
        return;
    place_print(at->up, out);
    if (!at->key)
        buf_printf(out, "[%zu]", at->index);
    else
        buf_printf(out, "%s%s", out->len ? "." : "", at->key);
}

static int fault_at(const struct json_source *s, unsigned line, const char *key, struct fault *f,
                    const char *fmt, va_list ap)
{
    char text[400], head[32] = "";

    if (!f)
        return -EINVAL;
    vsnprintf(text, sizeof(text), fmt, ap);
    if (s->text)
        snprintf(head, sizeof(head), ":%u", line);
    return fault_set(f, -EINVAL, "%s%s:%s%s%s %s", s->path, head, *key ? " " : "", key,
                     *key ? ":" : "", text);
}

int json_source_fault(const struct json_source *s, const struct json_place *at, struct fault *f,
                      const char *fmt, ...)
{
    _cleanup_buf_ struct buf key = BUF_INIT(PATH_MAX_BYTES);
    va_list ap;
    int r;

    place_print(at, &key);
    va_start(ap, fmt);
    r = fault_at(s, s->text ? jsonline_find(s->text, at) : 0, buf_str(&key), f, fmt, ap);
    va_end(ap);
    return r;
}

int json_source_fault_path(const struct json_source *s, const char *path, struct fault *f,
                           const char *fmt, ...)
{
    va_list ap;
    int r;

    va_start(ap, fmt);
    r = fault_at(s, s->text ? jsonline_find_path(s->text, path) : 0, path, f, fmt, ap);
    va_end(ap);
    return r;
}

int json_source_parse(const struct json_source *s, json_t **ret, struct fault *f)
{
    json_error_t e;
    json_t *root = json_loads(s->text, JSON_REJECT_DUPLICATES, &e);

    if (!root)
        return fault_set(f, -EINVAL, "%s:%d: not JSON: %s", s->path, e.line > 0 ? e.line : 1,
                         e.text);
    *ret = root;
    return 0;
}
