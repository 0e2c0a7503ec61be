/*
 * Credentials are copied out for each call, since a source that renews its keys may drop the old
 * ones while a call signs with them; the copy is wiped right after signing.
 */
#include "awsapi/credentials.h"

#include <errno.h>
#include <string.h>

static void wipe(char **s)
{
    if (*s != NULL)
        explicit_bzero(*s, strlen(*s));
    free(*s);
    *s = NULL;
}

void aws_credentials_done(struct aws_credentials *c)
{
    wipe(&c->access_key_id);
    wipe(&c->secret_access_key);
    wipe(&c->session_token);
}

struct static_source {
    struct credentials_source source;
    const struct aws_config *config;
};

static int static_get(struct credentials_source *s, struct aws_credentials *ret, struct fault *f)
{
    const struct aws_config *config = ((struct static_source *)s)->config;
    struct aws_credentials c = {0};

    if (config->access_key_id == NULL || config->secret_access_key == NULL)
        return fault_set(f, -ENOKEY, "no credentials");
    c.access_key_id = strdup(config->access_key_id);
    c.secret_access_key = strdup(config->secret_access_key);
    if (config->session_token != NULL)
        c.session_token = strdup(config->session_token);
    if (c.access_key_id == NULL || c.secret_access_key == NULL ||
        (config->session_token != NULL && c.session_token == NULL)) {
        aws_credentials_done(&c);
        return fault_set(f, -ENOMEM, "no memory");
    }
    *ret = c;
    return 0;
}

static bool static_invalidate(_unused_ struct credentials_source *s,
                              _unused_ const char *access_key_id)
{
    return false;
}

static void static_free(struct credentials_source *s)
{
    free(s);
}

int credentials_static_new(const struct aws_config *config, struct credentials_source **ret)
{
    struct static_source *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return -ENOMEM;
    s->source = (struct credentials_source){static_get, static_invalidate, static_free};
    s->config = config;
    *ret = &s->source;
    return 0;
}
