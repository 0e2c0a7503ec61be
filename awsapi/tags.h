/*
 * Tags of a resource by the API of the service that owns it: what the tagging API tells late or not
 * at all, and fails to do for some. A service is a row in tags.c. Tags are objects of strings, keys
 * lists of strings; ctx as in client.h; errors: tree.md's table, and -EOPNOTSUPP: no row for it.
 */
#pragma once

#include "awsapi/client.h"

/* *ret: its tags as they are now; of a resource that is not there -ENOENT, or (EC2) none. */
int tags_read(struct aws_client *c, const struct aws_ctx *ctx, const char *arn, json_t **ret,
              struct fault *f);
int tags_add(struct aws_client *c, const struct aws_ctx *ctx, const char *arn, json_t *tags,
             struct fault *f);
int tags_remove(struct aws_client *c, const struct aws_ctx *ctx, const char *arn, json_t *keys,
                struct fault *f);
bool tags_known(const char *arn); /* whether its service has a row */
