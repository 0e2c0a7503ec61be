/* Locale-free on purpose: isalnum() of a locale would let bytes through that AWS encodes. */
#include "awsapi/uri.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

int uri_encode(struct buf *out, const char *s, size_t len, const char *safe)
{
    static const char hex[] = "0123456789ABCDEF";
    int r = 0;

    for (size_t i = 0; i < len && r == 0; i++) {
        unsigned char c = (unsigned char)s[i];

        if (unreserved(c) || (c != '\0' && strchr(safe, c) != NULL)) {
            r = buf_putc(out, (char)c);
        } else {
            const char escape[3] = {'%', hex[c >> 4], hex[c & 15]};

            r = buf_append(out, escape, sizeof(escape));
        }
    }
    return r;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

int uri_decode(struct buf *out, const char *s, size_t len)
{
    int r = 0;

    for (size_t i = 0; i < len && r == 0; i++) {
        char c = s[i];

        if (c == '%') {
            int high = i + 2 < len ? hex_digit(s[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(s[i + 2]) : -1;

            if (low < 0 || (high == 0 && low == 0))
                return -EINVAL;
            c = (char)(high << 4 | low);
            i += 2;
        }
        r = buf_putc(out, c);
    }
    return r;
}
