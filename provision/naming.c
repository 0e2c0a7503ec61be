/*
 * Names of a life. Everything here is a function of the claim and the logical id, so that a taker
 * who has nothing but the record computes the same names and tokens as the daemon that died
 * (engine.md «Names and tokens»).
 *
 * Names are lossy on purpose (cut, replaced characters): what makes them unique is the token's
 * hash, what proves ownership is the claim, never a name. Changing a rule here makes resources of
 * living records unfindable: the rules are part of the record's format.
 */
#include "provision/naming.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <strings.h>

#include "awsapi/digest.h"
#include "base/str.h"

enum { GROUP_MAX = 128, SECRET_MAX = 512, SHORT_HASH = 8 };

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

int naming_claim(char out[CLAIM_SIZE], struct fault *f)
{
    if (str_random(out, CLAIM_LENGTH, "0123456789abcdefghijklmnopqrstuvwxyz") < 0)
        return fault_set(f, -EIO, "the system's random source does not answer");
    return 0;
}

int naming_token(const char *claim, const char *logical, char out[TOKEN_SIZE])
{
    char hex[DIGEST_HEX_SIZE];
    _cleanup_free_ char *text = str_printf("%s/%s", claim, logical);
    int r;

    if (!text)
        return -ENOMEM;
    r = digest_sha256_hex(text, strlen(text), hex);
    if (r < 0)
        return r;
    memcpy(out, hex, TOKEN_SIZE - 1);
    out[TOKEN_SIZE - 1] = '\0';
    return 0;
}

int naming_default(const char *id, const char *token, size_t max, char *out)
{
    size_t n = strlen(id);

    if (max < SHORT_HASH + 2 || strlen(token) < SHORT_HASH)
        return -ENAMETOOLONG;
    n = MIN(n, max - SHORT_HASH - 1);
    for (size_t i = 0; i < n; i++)
        out[i] = is_alnum(id[i]) ? id[i] : '-';
    snprintf(out + n, SHORT_HASH + 2, "-%.8s", token);
    return 0;
}

int naming_secret(const char *family, const char *id, const char *logical, char *out, size_t size)
{
    size_t n;

    if (str_format(out, size, "%s/%s/%s", family, id, logical) < 0)
        return -ENAMETOOLONG;
    for (char *p = out; *p; p++)
        if (!is_alnum(*p) && !strchr("/_+=.@-", *p))
            *p = '-';
    n = strlen(out);
    /* Secrets Manager appends a hyphen and six characters to the ARN: such a name makes look-ups by
     * it ambiguous. */
    if (n >= 7 && out[n - 7] == '-') {
        if (n + 1 >= size)
            return -ENAMETOOLONG;
        memcpy(out + n, "_", 2);
        n++;
    }
    return n <= SECRET_MAX ? 0 : -ENAMETOOLONG;
}

/* Copies name with what a group's name may not hold replaced; tells whether that changed anything.
 */
static bool group_clean(const char *name, bool first, char *out)
{
    bool changed = false;

    if (first && strncasecmp(name, "aws", 3) == 0) {
        *out++ = '_';
        name += 3;
        changed = true;
    }
    for (; *name; name++) {
        bool ok = is_alnum(*name) || *name == '_' || *name == '-';
        *out++ = ok ? *name : '_';
        changed |= !ok;
    }
    *out = '\0';
    return changed;
}

int naming_group(const char *family, const char *id, char *out, size_t size)
{
    char hex[DIGEST_HEX_SIZE];
    _cleanup_free_ char *whole = str_printf("%s%s%s", family, id ? "." : "", id ? id : "");
    _cleanup_free_ char *clean = NULL;
    bool changed;
    size_t n;
    int r;

    if (!whole || !(clean = malloc(strlen(whole) + 1)))
        return -ENOMEM;
    changed = group_clean(family, true, clean);
    if (id) {
        n = strlen(clean);
        clean[n++] = '.';
        changed |= group_clean(id, false, clean + n);
    }
    if (!changed && *clean && strlen(clean) <= GROUP_MAX)
        return str_format(out, size, "%s", clean);
    r = digest_sha256_hex(whole, strlen(whole), hex);
    if (r < 0)
        return r;
    return str_format(out, size, "%.*s_%.8s", GROUP_MAX - SHORT_HASH - 1, clean, hex);
}

int naming_record(const char *id, char *out, size_t size)
{
    return str_format(out, size, "/svcfs/%s", id);
}

int naming_beneath(const char *id, const char *claim, const char *word, unsigned n, char *out,
                   size_t size)
{
    if (n == 0)
        return str_format(out, size, "/svcfs/%s/%s/%s", id, claim, word);
    return str_format(out, size, "/svcfs/%s/%s/%s-%u", id, claim, word, n);
}
