/*
 * Where the keys come from while the daemon runs. One kind of source so far: the keys of the
 * configuration. A source that can renew its keys is another implementation of the same three
 * functions.
 */
#pragma once

#include "awsapi/config.h"

struct aws_credentials {
    char *access_key_id, *secret_access_key, *session_token; /* token may be NULL */
};
void aws_credentials_done(struct aws_credentials *c); /* wipes */
#define _cleanup_credentials_ _cleanup_(aws_credentials_done)

/* Implementations embed it. Thread-safe. */
struct credentials_source {
    /* The current keys, a copy: the caller's. -ENOKEY, -ENOMEM, … */
    int (*get)(struct credentials_source *s, struct aws_credentials *ret, struct fault *f);
    /* AWS called these keys expired. true: get may give others now. */
    bool (*invalidate)(struct credentials_source *s, const char *access_key_id);
    void (*free)(struct credentials_source *s);
};

/* The keys of config, which must outlive it. */
int credentials_static_new(const struct aws_config *config, struct credentials_source **ret);
