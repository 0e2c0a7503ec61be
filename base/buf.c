/*
 * Every byte that comes from the network grows in one of these, because they have a maximum: an
 * answer without an end costs an error, not the memory. Invariants: data == NULL iff cap == 0;
 * otherwise len < cap and data[len] == '\0'. The maximum bounds len, not cap.
 */
#include "base/buf.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

void buf_done(struct buf *b)
{
    free(b->data);
    b->data = NULL;
    b->len = b->cap = 0;
}

void buf_wipe(struct buf *b)
{
    if (b->data != NULL)
        explicit_bzero(b->data, b->cap);
    buf_done(b);
}

/* Not realloc: it would leave copies of secrets behind in freed memory. */
static int buf_grow(struct buf *b, size_t more)
{
    size_t need, cap;
    char *data;

    if (b->len > b->max || more > b->max - b->len || b->len + more == SIZE_MAX)
        return -EFBIG;
    need = b->len + more + 1;
    if (need <= b->cap)
        return 0;
    cap = MAX(b->cap + b->cap / 2, (size_t)64);
    cap = MAX(cap, need);
    data = malloc(cap);
    if (data == NULL)
        return -ENOMEM;
    if (b->data != NULL) {
        memcpy(data, b->data, b->len + 1);
        explicit_bzero(b->data, b->cap);
        free(b->data);
    } else {
        data[0] = '\0';
    }
    b->data = data;
    b->cap = cap;
    return 0;
}

int buf_append(struct buf *b, const void *data, size_t len)
{
    int r = buf_grow(b, len);

    if (r < 0)
        return r;
    if (len > 0)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
    return 0;
}

int buf_puts(struct buf *b, const char *s)
{
    return buf_append(b, s, strlen(s));
}

int buf_putc(struct buf *b, char c)
{
    return buf_append(b, &c, 1);
}

int buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    int len, r;

    va_copy(again, ap);
    len = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (len < 0)
        return -EINVAL;
    r = buf_grow(b, (size_t)len);
    if (r < 0)
        return r;
    (void)vsnprintf(b->data + b->len, (size_t)len + 1, fmt, ap);
    b->len += (size_t)len;
    return 0;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    int r;

    va_start(ap, fmt);
    r = buf_vprintf(b, fmt, ap);
    va_end(ap);
    return r;
}

void buf_truncate(struct buf *b, size_t len)
{
    if (len < b->len) {
        b->len = len;
        b->data[len] = '\0';
    }
}

char *buf_steal(struct buf *b)
{
    char *s = b->data != NULL ? b->data : calloc(1, 1);

    b->data = NULL;
    b->len = b->cap = 0;
    return s;
}

const char *buf_str(const struct buf *b)
{
    return b->data != NULL ? b->data : "";
}
