/*
 * A fault is a plain value of fixed size, so that it can be copied between threads, kept in a
 * record and thrown away without anybody owning anything. Its texts end up in files of one line
 * each and in the log: control characters are replaced here, once, and a text cut to fit is cut
 * between UTF-8 characters.
 */
#include "base/fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void clean(char *s)
{
    for (; *s != '\0'; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            *s = ' ';
    }
}

/* vsnprintf may have cut within a character: takes its beginning away. */
static void drop_partial_character(char *s, size_t size)
{
    size_t len = strlen(s), start = len;
    unsigned char c;
    size_t want;

    if (len + 1 < size || len == 0)
        return;
    while (start > 0 && len - start < 4 && ((unsigned char)s[start - 1] & 0xc0) == 0x80)
        start--;
    if (start == 0)
        return;
    c = (unsigned char)s[start - 1];
    want = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
    if (want > len - start + 1)
        s[start - 1] = '\0';
}

static void format(char *out, size_t size, const char *fmt, va_list ap)
{
    if (vsnprintf(out, size, fmt, ap) < 0)
        out[0] = '\0';
    drop_partial_character(out, size);
    clean(out);
}

int fault_set(struct fault *f, int err, const char *fmt, ...)
{
    va_list ap;

    if (f == NULL)
        return err;
    /* The arguments may point into *f itself. */
    char text[sizeof(f->message)];
    va_start(ap, fmt);
    format(text, sizeof(text), fmt, ap);
    va_end(ap);
    *f = (struct fault){.err = err};
    memcpy(f->message, text, sizeof(text));
    return err;
}

int fault_prefix(struct fault *f, int err, const char *fmt, ...)
{
    va_list ap;

    if (f == NULL)
        return err;
    char text[sizeof(f->message)], whole[2 * sizeof(f->message) + 2];
    va_start(ap, fmt);
    format(text, sizeof(text), fmt, ap);
    va_end(ap);
    f->message[sizeof(f->message) - 1] = '\0';
    (void)snprintf(whole, sizeof(whole), "%s%s%s", text, f->message[0] != '\0' ? ": " : "",
                   f->message);
    f->err = err;
    size_t len = strnlen(whole, sizeof(f->message) - 1);
    memcpy(f->message, whole, len);
    f->message[len] = '\0';
    drop_partial_character(f->message, sizeof(f->message));
    return f->err;
}

int fault_copy(struct fault *to, const struct fault *from)
{
    if (from == NULL)
        return 0;
    if (to != NULL && to != from)
        *to = *from;
    return from->err;
}

const char *fault_errno_name(int err)
{
    const char *name = strerrorname_np(abs(err));

    return name != NULL ? name : "E?";
}
