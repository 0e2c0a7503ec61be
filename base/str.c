/*
 * What libc lacks for strings. Everything here is pure but str_read_file and str_random.
 * str_random draws from the kernel (getrandom) and rejects bytes that would favour some letters of
 * the alphabet: service ids, claims and generated passwords come from it.
 */
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/buf.h"

bool str_starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

const char *str_after(const char *s, const char *prefix)
{
    return str_starts(s, prefix) ? s + strlen(prefix) : NULL;
}

bool str_ends(const char *s, const char *suffix)
{
    size_t len = strlen(s), n = strlen(suffix);

    return n <= len && memcmp(s + len - n, suffix, n) == 0;
}

char *str_printf(const char *fmt, ...)
{
    char *s = NULL;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&s, fmt, ap);
    va_end(ap);
    return n < 0 ? NULL : s;
}

int str_format(char *out, size_t size, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(out, size, fmt, ap);
    va_end(ap);
    return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

static int read_all(int fd, struct buf *b)
{
    char chunk[8192];

    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        int r;

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            r = n < 0 ? -errno : 0;
            explicit_bzero(chunk, sizeof(chunk));
            return r;
        }
        r = buf_append(b, chunk, (size_t)n);
        if (r < 0)
            return r;
    }
}

int str_read_file(const char *path, size_t max, char **ret, size_t *ret_len)
{
    struct buf b = BUF_INIT(max); /* wiped, not only freed: credentials files are read by this */
    int fd, r;

    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return -errno;
    r = read_all(fd, &b);
    close(fd);
    if (r == 0) {
        size_t len = b.len;
        char *s = buf_steal(&b);

        if (s == NULL)
            return -ENOMEM;
        if (ret_len != NULL)
            *ret_len = len;
        *ret = s;
        return 0;
    }
    buf_wipe(&b);
    return r;
}

int str_random(char *out, size_t n, const char *alphabet)
{
    size_t letters = strlen(alphabet), made = 0;
    unsigned limit;

    if (letters == 0 || letters > 256)
        return -EIO;
    limit = (unsigned)(256 / letters * letters);
    while (made < n) {
        unsigned char bytes[64];
        ssize_t got = getrandom(bytes, sizeof(bytes), 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return -EIO;
        for (ssize_t i = 0; i < got && made < n; i++) {
            if (bytes[i] < limit)
                out[made++] = alphabet[bytes[i] % letters];
        }
        explicit_bzero(bytes, sizeof(bytes));
    }
    out[n] = '\0';
    return 0;
}

/* Unicode 15, table 3-7: length of the well-formed sequence at s, or 0. */
static size_t utf8_sequence(const unsigned char *s, size_t len)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t n;

    if (s[0] <= 0x7f)
        return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        n = 2;
    else if (s[0] >= 0xe0 && s[0] <= 0xef)
        n = 3;
    else if (s[0] >= 0xf0 && s[0] <= 0xf4)
        n = 4;
    else
        return 0;
    if (n > len)
        return 0;
    if (s[0] == 0xe0)
        low = 0xa0;
    else if (s[0] == 0xed)
        high = 0x9f;
    else if (s[0] == 0xf0)
        low = 0x90;
    else if (s[0] == 0xf4)
        high = 0x8f;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++) {
        if (s[i] < 0x80 || s[i] > 0xbf)
            return 0;
    }
    return n;
}

bool str_utf8_valid(const char *s, size_t len)
{
    const unsigned char *p = (const unsigned char *)s;

    while (len > 0) {
        size_t n = utf8_sequence(p, len);

        if (n == 0)
            return false;
        p += n;
        len -= n;
    }
    return true;
}
