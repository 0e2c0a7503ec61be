/*
 * Secrets Manager. ctx as in client.h; f may be NULL; errors: tree.md's table. What holds a secret
 * is wiped by who gets it: secret_free, secret_wipe.
 */
#pragma once

#include "awsapi/client.h"

/* Overwrites, then frees; NULL is fine. */
void secret_free(char *secret);
DEFINE_CLEANUP(char *, secret_free)
#define _cleanup_secret_ _cleanup_(secret_freep)
/* Overwrites every string in v; the value stays the caller's. NULL is fine. */
void secret_wipe(json_t *v);
static inline void json_decref_secret(json_t **v)
{
    secret_wipe(*v);
    json_decref(*v);
}
#define _cleanup_json_secret_ _cleanup_(json_decref_secret)

/* request: as the API has it. *ret malloc'ed: free with secret_free. */
int secretsmanager_random_password(struct aws_client *c, const struct aws_ctx *ctx, json_t *request,
                                   char **ret, struct fault *f);
/* -EEXIST: the name is taken. -EINVAL with InvalidRequestException: it is scheduled for deletion.
 */
int secretsmanager_create(struct aws_client *c, const struct aws_ctx *ctx, json_t *request,
                          struct fault *f);
/* id: name or full ARN. *ret: the description ("ARN", "Tags", perhaps "DeletedDate"); -ENOENT. */
int secretsmanager_describe(struct aws_client *c, const struct aws_ctx *ctx, const char *id,
                            json_t **ret, struct fault *f);
/* The current SecretString. *ret malloc'ed: free with secret_free. -ENOENT; -EINVAL where it is
 * binary. */
int secretsmanager_get_value(struct aws_client *c, const struct aws_ctx *ctx, const char *id,
                             char **ret, struct fault *f);
/* Without recovery window; AWS does it some time after the answer. */
int secretsmanager_force_delete(struct aws_client *c, const struct aws_ctx *ctx, const char *arn,
                                struct fault *f);
/* tags: list of {"Key", "Value"}; keys: list of strings. */
int secretsmanager_tag(struct aws_client *c, const struct aws_ctx *ctx, const char *arn,
                       json_t *tags, struct fault *f);
int secretsmanager_untag(struct aws_client *c, const struct aws_ctx *ctx, const char *arn,
                         json_t *keys, struct fault *f);
