/*
 * The characters that every service takes are letters, digits, spaces and `_ . : / = + - @`; EC2
 * takes more, which is not written: a tag that one service has should be fit for all. Which signs
 * beyond ASCII are letters is what the C library says of C.UTF-8; where it has no such locale, none
 * are.
 */
#include "provision/tag_rules.h"

#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <wctype.h>

#include "base/str.h"
#include "cache/depends.h"
#include "cache/lookup.h"
#include "provision/life.h"

enum { TAGS_MAX = 50, EC2_KEY_CHARS = 127, NO_BREAK_SPACE = 0xa0 };

static locale_t unicode;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_locale(void)
{
    unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

/* The next character of well-formed UTF-8. */
static wint_t next_char(const char **at)
{
    const unsigned char *s = (const unsigned char *)*at;
    int more = *s < 0x80 ? 0 : *s < 0xe0 ? 1 : *s < 0xf0 ? 2 : 3;
    wint_t c = more ? *s & (0x3f >> more) : *s;

    for (int i = 1; i <= more; i++)
        c = c << 6 | (s[i] & 0x3f);
    *at += more + 1;
    return c;
}

static bool is_common(wint_t c)
{
    if (c < 0x80)
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
               (c && strchr(" _.:/=+-@", (int)c));
    pthread_once(&once, make_locale);
    return unicode && (iswalnum_l(c, unicode) || c == NO_BREAK_SPACE ||
                       (iswspace_l(c, unicode) && !iswcntrl_l(c, unicode)));
}

/* The number of characters; -EINVAL: one of them is none that every service takes. */
static int count(const char *text, const char *what, struct fault *f)
{
    int n = 0;

    if (!str_utf8_valid(text, strlen(text)))
        return fault_set(f, -EINVAL, "the %s is no UTF-8", what);
    for (const char *at = text; *at; n++) {
        const char *here = at;
        if (!is_common(next_char(&at)))
            return fault_set(f, -EINVAL,
                             "the %s has \"%.*s\": letters, digits, spaces and _.:/=+-@ are what "
                             "tags may have",
                             what, (int)(at - here), here);
    }
    return n;
}

static bool has_prefix(const char *key, const char *prefix)
{
    return strncasecmp(key, prefix, strlen(prefix)) == 0;
}

int tag_check_key(const struct tag_rules *rules, const struct index_resource *r, const char *key,
                  struct fault *f)
{
    bool ec2 = streq(r->service, "ec2");

    if (!r->has_arn)
        return fault_set(f, -EPERM, "what has no ARN has no tags");
    if (has_prefix(key, "aws:"))
        return fault_set(f, -EPERM, "tags that begin with aws: are AWS's own");
    if (has_prefix(key, "svcfs:") || streq(key, TAG_MODE))
        return fault_set(f, -EPERM, "this tag is svcfs's own");
    if ((streq(key, rules->service_tag) || streq(key, rules->family_tag)) &&
        index_tag(r, TAG_CLAIM))
        return fault_set(f, -EPERM,
                         "svcfs made this resource for a service: it cannot be moved to another");
    int n = count(key, "key", f);
    if (n < 0)
        return n;
    if (n == 0 || n > (ec2 ? EC2_KEY_CHARS : TAG_KEY_CHARS))
        return fault_set(f, -EINVAL, "a key has 1 to %d characters, not %d",
                         ec2 ? EC2_KEY_CHARS : TAG_KEY_CHARS, n);
    if (streq(r->service, "rds") && has_prefix(key, "rds:"))
        return fault_set(f, -EINVAL, "RDS takes no keys that begin with rds:");
    return 0;
}

int tag_check_value(const struct index_resource *r, const char *value, struct fault *f)
{
    int n = count(value, "value", f);

    if (n < 0)
        return n;
    if (n > TAG_VALUE_CHARS)
        return fault_set(f, -EINVAL, "a value has at most %d characters, not %d", TAG_VALUE_CHARS,
                         n);
    if (n == 0 && streq(r->service, "rds"))
        return fault_set(f, -EINVAL, "RDS takes no empty values");
    return 0;
}

static bool has_key(const struct index_tag *tags, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (streq(tags[i].key, key))
            return true;
    return false;
}

int tag_check_room(const struct index_resource *r, const struct index_tag *changes, size_t n,
                   struct fault *f)
{
    size_t count = 0;

    for (size_t i = 0; i < r->n_tags; i++)
        count += !has_prefix(r->tags[i].key, "aws:") && !has_key(changes, n, r->tags[i].key);
    for (size_t i = 0; i < n; i++)
        count += changes[i].value != NULL;
    if (count > TAGS_MAX)
        return fault_set(f, -ENOSPC, "%s would have %zu tags; AWS allows %d", r->key, count,
                         TAGS_MAX);
    return 0;
}
