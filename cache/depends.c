#include "cache/depends.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"

enum { FIRST_CONTINUATION = 2 };

bool depends_is_key(const char *tag, const char *key)
{
    const char *more = str_after(key, tag);

    if (!more || !*more)
        return more;
    if (*more++ != '-' || *more < '1' || *more > '9' || streq(more, "1"))
        return false;
    return strspn(more, "0123456789") == strlen(more);
}

char *depends_key(const char *tag, size_t index)
{
    return index == 0 ? strdup(tag) : str_printf("%s-%zu", tag, index - 1 + FIRST_CONTINUATION);
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* In place; what is no escape stays as it is. */
static void unescape(char *s)
{
    char *out = s;

    while (*s) {
        int high = *s == '=' ? hex(s[1]) : -1, low = high >= 0 ? hex(s[2]) : -1;

        if (low >= 0 && high + low > 0) {
            *out++ = (char)(high * 16 + low);
            s += 3;
        } else {
            *out++ = *s++;
        }
    }
    *out = '\0';
}

int depends_read(const char *value, depends_fn fn, void *arg)
{
    int r = 0;

    for (const char *at = value + strspn(value, " "); r == 0 && *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        char *id _cleanup_free_ = strndup(at, n);

        if (!id)
            return -ENOMEM;
        at += n;
        unescape(id);
        r = fn(arg, id);
    }
    return r;
}

/* Whether AWS takes the character in every service's tags; beyond ASCII nobody is asked here. */
static bool is_plain(unsigned char c)
{
    return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
           (c >= 'a' && c <= 'z') || (c && strchr("_.:/+-@", c));
}

static int append_escaped(struct buf *out, const char *id)
{
    int r = 0;

    for (; r == 0 && *id; id++)
        r = is_plain((unsigned char)*id) ? buf_putc(out, *id)
                                         : buf_printf(out, "=%02X", (unsigned char)*id);
    return r;
}

static size_t characters(const char *s)
{
    size_t n = 0;

    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

void depends_free(char **values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(values[i]);
    free(values);
}

/* Adds id to the last value, or begins another one. */
static int add_id(char **values, size_t *n, struct buf *last, const char *id)
{
    struct buf escaped _cleanup_buf_ = BUF_INIT(64 * 1024);
    int r = append_escaped(&escaped, id);
    size_t more = characters(buf_str(&escaped));

    if (r < 0)
        return r == -EFBIG ? -EINVAL : r;
    if (more == 0 || more > TAG_VALUE_CHARS)
        return -EINVAL;
    if (last->len > 0 && characters(last->data) + 1 + more > TAG_VALUE_CHARS) {
        if (!(values[*n] = buf_steal(last)))
            return -ENOMEM;
        ++*n;
    }
    r = last->len > 0 ? buf_putc(last, ' ') : 0;
    return r ? r : buf_puts(last, buf_str(&escaped));
}

int depends_write(const char *const *ids, size_t n, char ***ret, size_t *ret_n)
{
    struct buf last _cleanup_buf_ = BUF_INIT(64 * 1024);
    char **values = calloc(n + 1, sizeof(*values));
    size_t n_values = 0;
    int r = values ? 0 : -ENOMEM;

    for (size_t i = 0; r == 0 && i < n; i++)
        r = add_id(values, &n_values, &last, ids[i]);
    if (r == 0 && last.len > 0) {
        values[n_values] = buf_steal(&last);
        r = values[n_values] ? 0 : -ENOMEM;
        n_values += r == 0;
    }
    if (r < 0) {
        depends_free(values, n_values);
        return r;
    }
    *ret = values;
    *ret_n = n_values;
    return 0;
}
