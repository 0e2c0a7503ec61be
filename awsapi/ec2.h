/*
 * EC2: security groups. ctx as in client.h; f may be NULL; errors: tree.md's table. Descriptions
 * are the API's own objects, members as on the wire: "groupId", "ipPermissions".
 */
#pragma once

#include "awsapi/client.h"

/* *ret: array of the groups with exactly this name in the VPC (the API compares names with case).
 */
int ec2_describe_security_groups(struct aws_client *c, const struct aws_ctx *ctx, const char *vpc,
                                 const char *name, json_t **ret, struct fault *f);
/* tags: list of {"Key", "Value"}. *ret_id malloc'ed. -EEXIST: the name is taken in the VPC. */
int ec2_create_security_group(struct aws_client *c, const struct aws_ctx *ctx, const char *name,
                              const char *description, const char *vpc, json_t *tags, char **ret_id,
                              struct fault *f);
/* permission: one IpPermission in the names of requests ("IpProtocol", "Groups", "IpRanges").
 * -EEXIST where the group has that rule. */
enum ec2_direction { EC2_INGRESS, EC2_EGRESS };
int ec2_authorize(struct aws_client *c, const struct aws_ctx *ctx, enum ec2_direction d,
                  const char *group_id, json_t *permission, struct fault *f);
int ec2_revoke_egress(struct aws_client *c, const struct aws_ctx *ctx, const char *group_id,
                      json_t *permission, struct fault *f);
/* -EBUSY while something uses it (DependencyViolation). */
int ec2_delete_security_group(struct aws_client *c, const struct aws_ctx *ctx, const char *group_id,
                              struct fault *f);
/* tags: list of {"Key", "Value"}; keys: list of strings. Neither says whether the resource is
 * there. */
int ec2_create_tags(struct aws_client *c, const struct aws_ctx *ctx, const char *id, json_t *tags,
                    struct fault *f);
/* *ret: object of strings; empty for what is not there, too. */
int ec2_describe_tags(struct aws_client *c, const struct aws_ctx *ctx, const char *id, json_t **ret,
                      struct fault *f);
int ec2_delete_tags(struct aws_client *c, const struct aws_ctx *ctx, const char *id, json_t *keys,
                    struct fault *f);
