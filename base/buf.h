/* A growing byte buffer with a maximum; always NUL-terminated behind its content. Not thread-safe.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#include "base/macro.h"

struct buf {
    char *data; /* NULL while empty and never grown */
    size_t len; /* without the terminator */
    size_t cap;
    size_t max; /* greatest len; going beyond gives -EFBIG and changes nothing */
};

#define BUF_INIT(max_) ((struct buf){.max = (max_)})

void buf_done(struct buf *b); /* frees; b may be used again afterwards */
void buf_wipe(struct buf *b); /* overwrites the content, then buf_done: for secrets */

/* 0, -EFBIG, -ENOMEM. */
int buf_append(struct buf *b, const void *data, size_t len);
int buf_puts(struct buf *b, const char *s);
int buf_putc(struct buf *b, char c);
int buf_printf(struct buf *b, const char *fmt, ...) _printf_(2, 3);
int buf_vprintf(struct buf *b, const char *fmt, va_list ap) _printf_(2, 0);

void buf_truncate(struct buf *b, size_t len);

/* The content as a malloc'ed string ("" when empty), buffer empty afterwards; NULL: no memory. */
char *buf_steal(struct buf *b);
/* The content as a string, valid until the next change. */
const char *buf_str(const struct buf *b);

#define _cleanup_buf_ _cleanup_(buf_done)
