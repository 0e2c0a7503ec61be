/* RDS: where an instance listens, and tags. ctx as in client.h; f may be NULL; errors: tree.md's
 * table. */
#pragma once

#include "awsapi/client.h"

struct rds_endpoint {
    char host[256];
    unsigned port;
};
/* Tags of any resource of RDS. *ret: object of strings; tags: list of {"Key", "Value"}; keys: list
 * of strings. */
int rds_list_tags(struct aws_client *c, const struct aws_ctx *ctx, const char *arn, json_t **ret,
                  struct fault *f);
int rds_add_tags(struct aws_client *c, const struct aws_ctx *ctx, const char *arn, json_t *tags,
                 struct fault *f);
int rds_remove_tags(struct aws_client *c, const struct aws_ctx *ctx, const char *arn, json_t *keys,
                    struct fault *f);

/* -ENOENT: no such instance; -EAGAIN: it has no endpoint yet (it is being made). */
int rds_describe_endpoint(struct aws_client *c, const struct aws_ctx *ctx, const char *identifier,
                          struct rds_endpoint *ret, struct fault *f);
