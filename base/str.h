/* What libc lacks for strings. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/macro.h"

static inline bool streq(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}
bool str_starts(const char *s, const char *prefix);
/* The part behind the prefix, or NULL where s does not begin with it. */
const char *str_after(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

/* malloc'ed, NULL: no memory. */
char *str_printf(const char *fmt, ...) _printf_(1, 2);

/* snprintf that says whether it fitted: 0 or -ENAMETOOLONG (out is then cut, still terminated). */
int str_format(char *out, size_t size, const char *fmt, ...) _printf_(3, 4);

/* Reads a whole file of at most max bytes, terminated; 0 or negative errno (-EFBIG). *ret
 * malloc'ed; ret_len may be NULL. */
int str_read_file(const char *path, size_t max, char **ret, size_t *ret_len);

/* n characters of alphabet from the system's random source; out gets n + 1 bytes. 0 or -EIO. */
int str_random(char *out, size_t n, const char *alphabet);

/* Whether s is well-formed UTF-8 (Unicode 15, table 3-7). */
bool str_utf8_valid(const char *s, size_t len);
