/*
 * What is secret in a description, and must not be shown. Whoever writes a password into an
 * environment variable shows it to everybody who may describe; this tree would spread it into
 * backups and search results. So values below "environment" and the like are judged by the name of
 * the variable and by what they look like, wherever in a description that stands: there is no list
 * of types to forget one in. Better one too many than one too few; but ARNs name secrets, and are
 * none.
 */
#include "awsapi/describe_private.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/macro.h"
#include "base/str.h"

static const char hidden[] = "***";

/* Members that hold variables: a list of {name, value}, or an object, maybe one level deeper. */
static const char *const variables[] = {
    "environment",
    "environmentvariables",
    "variables",
    "options",
    "driveropts",
    "dockerlabels",
    "stagevariables",
    "defaultenvironment",
    "runtimeenvironmentvariables",
    "environmentoverride",
};

/* Members whose text is a secret wherever they stand. */
static const char *const members[] = {
    "masteruserpassword", "password",  "secretstring",    "secretbinary", "authtoken",
    "clientsecret",       "secretkey", "secretaccesskey", "sessiontoken", "privatekey",
    "userpassword",       "userdata",  "presharedkey",    "secretvalue",  "accesstoken",
};

static const char *const names[] = {"PASSW", "PASSPHRASE", "SECRET", "TOKEN",
                                    "KEY",   "CREDENTIAL", "PWD",    "SALT",
                                    "AUTH",  "PRIVATE",    "DSN",    "CONNECTION_STRING"};

static const char *const values[] = {"PASSWORD", "PASSWD",     "SECRET", "TOKEN=", "PRIVATE KEY",
                                     "APIKEY",   "CREDENTIAL", "PWD=",   "API_KEY"};

/* What keys of well-known services begin with. */
static const char *const prefixes[] = {"AKIA",        "ASIA",     "ghp_", "gho_", "ghs_",
                                       "github_pat_", "glpat-",   "xox",  "sk-",  "sk_",
                                       "rk_",         "eyJhbGci", "AIza", "SG."};

static bool has_part(const char *text, const char *const *parts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcasestr(text, parts[i]))
            return true;
    return false;
}

static bool is_one(const char *text, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcasecmp(text, words[i]) == 0)
            return true;
    return false;
}

/* "mysql://user:password@host" */
static bool has_login(const char *value)
{
    const char *host = strstr(value, "://"), *at, *colon;

    if (!host)
        return false;
    host += 3;
    at = strchr(host, '@');
    colon = strchr(host, ':');
    return at && colon && colon < at;
}

bool describe_is_secret(const char *name, const char *value)
{
    if (!*value || str_starts(value, "arn:"))
        return false;
    if (has_part(name, names, ARRAY_SIZE(names)) || has_login(value))
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
        if (str_starts(value, prefixes[i]))
            return true;
    return has_part(value, values, ARRAY_SIZE(values));
}

static int hide(json_t *object, const char *key)
{
    return json_object_set_new(object, key, json_string(hidden)) < 0 ? -ENOMEM : 0;
}

/* The member of a pair, in whatever case: "name" "Name" "key". */
static const char *member_of(json_t *pair, const char *const *words, size_t n, const char **ret_key)
{
    const char *key;
    json_t *value;

    json_object_foreach(pair, key, value)
    {
        if (!json_is_string(value) || !is_one(key, words, n))
            continue;
        if (ret_key)
            *ret_key = key;
        return json_string_value(value);
    }
    return NULL;
}

/* Whether it was a pair {name, value}; *ret: 0, -ENOMEM. */
static bool redact_pair(json_t *pair, int *ret)
{
    static const char *const name_words[] = {"name", "key"}, *const value_words[] = {"value"};
    const char *key = NULL;
    const char *name = member_of(pair, name_words, ARRAY_SIZE(name_words), NULL);
    const char *value = member_of(pair, value_words, ARRAY_SIZE(value_words), &key);

    if (!name || !value)
        return false;
    if (describe_is_secret(name, value))
        *ret = hide(pair, key);
    return true;
}

static int redact(json_t *value, bool inside);

static int redact_object(json_t *object, bool inside)
{
    const char *key;
    json_t *value;
    void *next;
    int r = 0;

    if (inside && redact_pair(object, &r))
        return r;
    json_object_foreach_safe(object, next, key, value)
    {
        const char *text = json_string_value(value);
        bool below = inside || is_one(key, variables, ARRAY_SIZE(variables));

        if (text && *text &&
            (is_one(key, members, ARRAY_SIZE(members)) ||
             (inside && describe_is_secret(key, text))))
            r = hide(object, key);
        else if (!text)
            r = redact(value, below);
        if (r < 0)
            return r;
    }
    return 0;
}

static int redact(json_t *value, bool inside)
{
    json_t *item;
    size_t i;
    int r = 0;

    if (json_is_object(value))
        return redact_object(value, inside);
    json_array_foreach(value, i, item)
    {
        r = redact(item, inside);
        if (r < 0)
            break;
    }
    return r;
}

int describe_redact(json_t *properties)
{
    return redact(properties, false);
}
