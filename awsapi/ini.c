/*
 * A flat list of entries instead of nested maps: the files are small, and the last of several equal
 * entries counts, which a search from the end gives for free. The whole text is kept and cut up in
 * place, so that there is one piece of memory to wipe.
 *
 * Rules, after Python's configparser as the AWS CLI uses it: a comment is a line that begins with
 * "#" or ";"; the delimiter is the first "=" or ":"; names of sections keep their case, white space
 * in them is squeezed and quotes are removed ([profile "a b"]); an indented line belongs to the key
 * before it.
 */
#include "awsapi/ini.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

enum { FILE_MAX = 4 * 1024 * 1024 };

struct entry {
    const char *section, *key, *subkey, *value; /* key NULL: the section's header */
};

struct ini {
    char *text;
    size_t len;
    struct entry *entries;
    size_t n, cap;
};

void ini_free(struct ini *i)
{
    if (i == NULL)
        return;
    if (i->text != NULL)
        explicit_bzero(i->text, i->len);
    free(i->text);
    free(i->entries);
    free(i);
}

static int add(struct ini *i, struct entry e)
{
    if (i->n == i->cap) {
        size_t cap = MAX(i->cap * 2, (size_t)32);
        struct entry *more = reallocarray(i->entries, cap, sizeof(*more));

        if (more == NULL)
            return -ENOMEM;
        i->entries = more;
        i->cap = cap;
    }
    i->entries[i->n++] = e;
    return 0;
}

static char *trim(char *s)
{
    size_t len;

    s += strspn(s, " \t\r");
    len = strlen(s);
    while (len > 0 && strchr(" \t\r", s[len - 1]) != NULL)
        s[--len] = '\0';
    return s;
}

/* In place: quotes away, white space outside of them squeezed. */
static void clean_section(char *s)
{
    char *out = s, quote = '\0';

    for (char *p = s; *p != '\0'; p++) {
        if (quote != '\0' ? *p == quote : (*p == '"' || *p == '\'')) {
            quote = quote != '\0' ? '\0' : *p;
        } else if (quote == '\0' && (*p == ' ' || *p == '\t')) {
            if (out > s && out[-1] != ' ')
                *out++ = ' ';
        } else {
            *out++ = *p;
        }
    }
    while (out > s && out[-1] == ' ')
        out--;
    *out = '\0';
}

struct place {
    const char *section, *key;
};

static int parse_section(struct ini *i, char *line, struct place *at)
{
    char *end = strchr(line, ']');

    if (end == NULL)
        return -EINVAL;
    *end = '\0';
    clean_section(line + 1);
    at->section = line + 1;
    at->key = NULL;
    return add(i, (struct entry){.section = at->section});
}

static int parse_line(struct ini *i, char *line, struct place *at)
{
    bool indented = *line == ' ' || *line == '\t';
    char *s = trim(line), *delimiter;

    if (*s == '\0' || *s == '#' || *s == ';')
        return 0;
    if (*s == '[' && !indented)
        return parse_section(i, s, at);
    delimiter = strpbrk(s, "=:");
    if (at->section == NULL)
        return -EINVAL;
    if (indented && at->key != NULL) {
        if (delimiter == NULL)
            return 0; /* a value that goes on in a second line: none of ours does */
        *delimiter = '\0';
        return add(i, (struct entry){at->section, at->key, trim(s), trim(delimiter + 1)});
    }
    if (delimiter == NULL || delimiter == s)
        return -EINVAL;
    *delimiter = '\0';
    at->key = trim(s);
    return add(i, (struct entry){at->section, at->key, NULL, trim(delimiter + 1)});
}

static int parse(struct ini *i, const char *path, struct fault *f)
{
    struct place at = {0};
    char *line = i->text;
    unsigned number = 0;

    if (str_starts(line, "\xef\xbb\xbf"))
        line += 3;
    if (strlen(i->text) != i->len)
        return fault_set(f, -EINVAL, "%s: a NUL byte: this is not a text file", path);
    while (line != NULL) {
        char *end = strchr(line, '\n');
        int r;

        if (end != NULL)
            *end = '\0';
        number++;
        r = parse_line(i, line, &at);
        if (r == -EINVAL)
            return fault_set(f, r, "%s:%u: neither [section] nor key = value", path, number);
        if (r < 0)
            return fault_set(f, r, "%s: no memory", path);
        line = end != NULL ? end + 1 : NULL;
    }
    return 0;
}

int ini_load(const char *path, struct ini **ret, struct fault *f)
{
    _cleanup_(ini_freep) struct ini *i = calloc(1, sizeof(*i));
    int r;

    if (i == NULL)
        return fault_set(f, -ENOMEM, "no memory");
    r = str_read_file(path, FILE_MAX, &i->text, &i->len);
    if (r == 0)
        r = parse(i, path, f);
    else if (r == -ENOENT || r == -ENOTDIR)
        r = 0;
    else
        r = fault_set(f, r, "%s: %s", path, strerrordesc_np(-r));
    if (r == 0)
        *ret = steal_ptr(i);
    return r;
}

bool ini_has_section(const struct ini *i, const char *section)
{
    for (size_t k = 0; k < i->n; k++) {
        if (streq(i->entries[k].section, section))
            return true;
    }
    return false;
}

const char *ini_get(const struct ini *i, const char *section, const char *key, const char *subkey)
{
    for (size_t k = i->n; k > 0; k--) {
        const struct entry *e = &i->entries[k - 1];

        if (e->key == NULL || !streq(e->section, section) || strcasecmp(e->key, key) != 0)
            continue;
        if (subkey == NULL ? e->subkey == NULL
                           : e->subkey != NULL && strcasecmp(e->subkey, subkey) == 0)
            return e->value;
    }
    return NULL;
}
