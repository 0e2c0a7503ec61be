/* Small, but each of these decides whether SSM or a JSON parser takes a record at all; hence apart,
 * with tests of their own. */
#include "provision/record_text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/* Bytes of the well-formed character at s, or 0. */
static size_t character_len(const char *s)
{
    unsigned char c = (unsigned char)*s;
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

    return strnlen(s, n) == n && str_utf8_valid(s, n) ? n : 0;
}

static char *clean(const char *s, size_t max, bool lines)
{
    char *out = malloc(MIN(strlen(s), max) + 1);
    size_t at = 0;

    if (!out)
        return NULL;
    while (*s) {
        size_t n = character_len(s);
        if (at + MAX(n, (size_t)1) > max)
            break;
        if (n == 0) {
            out[at++] = '?';
            s++;
        } else if (n == 1 && ((unsigned char)*s < 0x20 || *s == 0x7f)) {
            out[at++] = lines && *s == '\n' ? '\n' : ' ';
            s++;
        } else {
            memcpy(out + at, s, n);
            at += n;
            s += n;
        }
    }
    out[at] = '\0';
    return out;
}

char *record_text_clean(const char *s, size_t max)
{
    return clean(s, max, false);
}

char *record_text_lines(const char *s)
{
    return clean(s, strlen(s), true);
}

char *record_text_cut(const char *s, size_t max)
{
    static const char mark[] = "...";
    size_t n = strlen(s), room;
    char *out;

    if (n <= max)
        return strdup(s);
    room = max > sizeof(mark) ? max - (sizeof(mark) - 1) : max;
    while (room && ((unsigned char)s[room] & 0xc0) == 0x80)
        room--;
    out = malloc(max + sizeof(mark));
    if (!out)
        return NULL;
    memcpy(out, s, room);
    strcpy(out + room, max > sizeof(mark) ? mark : "");
    return out;
}

char *record_text_braces(const char *json)
{
    size_t pairs = 0;
    char *out, *p;

    for (const char *c = json; *c; c++)
        pairs += *c == '{' && c[1] == '{';
    out = p = malloc(strlen(json) + 5 * pairs + 1);
    if (!out)
        return NULL;
    for (; *json; json++) {
        if (*json == '{' && p > out && p[-1] == '{') {
            memcpy(p, "\\u007b", 6);
            p += 6;
        } else {
            *p++ = *json;
        }
    }
    *p = '\0';
    return out;
}
