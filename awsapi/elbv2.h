/*
 * Elastic Load Balancing v2. ctx as in client.h; f may be NULL; errors: tree.md's table.
 * Descriptions and requests are the API's own objects ("TargetGroupArn"). All pages are read.
 */
#pragma once

#include "awsapi/client.h"

/* One of name and arn is given. *ret: the target group; -ENOENT. */
int elbv2_describe_target_group(struct aws_client *c, const struct aws_ctx *ctx, const char *name,
                                const char *arn, json_t **ret, struct fault *f);
/* *ret_arn malloc'ed: perhaps of one that was there before. */
int elbv2_create_target_group(struct aws_client *c, const struct aws_ctx *ctx, json_t *request,
                              char **ret_arn, struct fault *f);
/* attributes: list of {"Key", "Value"}. */
int elbv2_describe_target_group_attributes(struct aws_client *c, const struct aws_ctx *ctx,
                                           const char *arn, json_t **ret, struct fault *f);
int elbv2_modify_target_group_attributes(struct aws_client *c, const struct aws_ctx *ctx,
                                         const char *arn, json_t *attributes, struct fault *f);
/* -EBUSY while a rule or listener forwards to it. */
int elbv2_delete_target_group(struct aws_client *c, const struct aws_ctx *ctx, const char *arn,
                              struct fault *f);

int elbv2_describe_listeners(struct aws_client *c, const struct aws_ctx *ctx,
                             const char *load_balancer, json_t **ret, struct fault *f);
/* *ret: the load balancer; -ENOENT. */
int elbv2_describe_load_balancer(struct aws_client *c, const struct aws_ctx *ctx, const char *arn,
                                 json_t **ret, struct fault *f);
/* *ret: array of the listener's rules, its default rule among them. */
int elbv2_describe_rules(struct aws_client *c, const struct aws_ctx *ctx, const char *listener,
                         json_t **ret, struct fault *f);
/* *ret: the rule; -ENOENT. */
int elbv2_describe_rule(struct aws_client *c, const struct aws_ctx *ctx, const char *arn,
                        json_t **ret, struct fault *f);
/* *ret_arn malloc'ed. -EBUSY: PriorityInUse; -EDQUOT: TooManyRules, TooManyTargetGroups, … */
int elbv2_create_rule(struct aws_client *c, const struct aws_ctx *ctx, json_t *request,
                      char **ret_arn, struct fault *f);
int elbv2_delete_rule(struct aws_client *c, const struct aws_ctx *ctx, const char *arn,
                      struct fault *f);

/* *ret: list of {"Key", "Value"} of one resource, empty where it has none; -ENOENT. */
int elbv2_describe_tags(struct aws_client *c, const struct aws_ctx *ctx, const char *arn,
                        json_t **ret, struct fault *f);
/* tags: list of {"Key", "Value"}; keys: list of strings. */
int elbv2_add_tags(struct aws_client *c, const struct aws_ctx *ctx, const char *arn, json_t *tags,
                   struct fault *f);
int elbv2_remove_tags(struct aws_client *c, const struct aws_ctx *ctx, const char *arn,
                      json_t *keys, struct fault *f);
