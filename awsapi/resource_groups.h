/* AWS Resource Groups. Pages are all fetched; a chain that breaks is an error. */
#pragma once

#include "awsapi/client.h"

typedef int (*groups_group_fn)(void *arg, const char *name, const char *arn);
typedef int (*groups_member_fn)(void *arg, const char *arn);

int groups_list(struct aws_client *c, const struct aws_ctx *ctx, groups_group_fn fn, void *arg,
                struct fault *f);
/* *ret: {"Type": "TAG_FILTERS_1_0", "Query": "…"} as the API gives ResourceQuery; a group that has
 * none (by configuration): -ENODATA. */
int groups_get_query(struct aws_client *c, const struct aws_ctx *ctx, const char *name,
                     json_t **ret, struct fault *f);
int groups_list_resources(struct aws_client *c, const struct aws_ctx *ctx, const char *name,
                          groups_member_fn fn, void *arg, struct fault *f);
/* tags: object of strings. query: a ResourceQuery. *ret_arn malloc'ed. -EEXIST where the name is
 * taken. */
int groups_create(struct aws_client *c, const struct aws_ctx *ctx, const char *name, json_t *query,
                  json_t *tags, char **ret_arn, struct fault *f);
int groups_delete(struct aws_client *c, const struct aws_ctx *ctx, const char *name,
                  struct fault *f);
int groups_get_tags(struct aws_client *c, const struct aws_ctx *ctx, const char *arn, json_t **ret,
                    struct fault *f);
/* tags: object of strings; keys: list of strings. */
int groups_tag(struct aws_client *c, const struct aws_ctx *ctx, const char *arn, json_t *tags,
               struct fault *f);
int groups_untag(struct aws_client *c, const struct aws_ctx *ctx, const char *arn, json_t *keys,
                 struct fault *f);
/* {"Type":"TAG_FILTERS_1_0","Query":"{…AWS::AllSupported…}"} for these key/value pairs. */
json_t *groups_tag_query(const char *const (*tags)[2], size_t n);
