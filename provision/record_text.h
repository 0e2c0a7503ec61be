/* Text that must fit into a record: well-formed UTF-8, of a size, without `{{`. All malloc'ed,
 * NULL: no memory. */
#pragma once

#include <stddef.h>

/* s as well-formed UTF-8 of at most max bytes in one line: what is not becomes '?', control
 * characters spaces. */
char *record_text_clean(const char *s, size_t max);
/* The same, but newlines stay. */
char *record_text_lines(const char *s);
/* s cut to at most max bytes, between characters, with "..." where it was cut and there is room for
 * it. */
char *record_text_cut(const char *s, size_t max);
/* JSON text with every second brace of `{{` written \u007b. */
char *record_text_braces(const char *json);
