/*
 * EC2's calls for security groups. The API's request names differ from both its model and its
 * answers: lists have the singular (Filter, TagSpecification), members of IpPermissions begin with
 * a capital, and answers do not. Requests here are written as they go onto the wire.
 */
#include "awsapi/ec2.h"

#include <errno.h>
#include <string.h>

#include "awsapi/page.h"

static const struct aws_action describe_groups = {
    AWS_EC2, "DescribeSecurityGroups", BUCKET_EC2_READ, false, NULL, NULL, NULL};
static const struct aws_action create_group = {
    AWS_EC2, "CreateSecurityGroup", BUCKET_EC2_WRITE, true, NULL, NULL, NULL};
static const struct aws_action authorize[] = {
    [EC2_INGRESS] = {AWS_EC2, "AuthorizeSecurityGroupIngress", BUCKET_EC2_WRITE, true, NULL, NULL,
                     NULL},
    [EC2_EGRESS] = {AWS_EC2, "AuthorizeSecurityGroupEgress", BUCKET_EC2_WRITE, true, NULL, NULL,
                    NULL},
};
static const struct aws_action revoke_egress = {
    AWS_EC2, "RevokeSecurityGroupEgress", BUCKET_EC2_WRITE, true, NULL, NULL, NULL};
static const struct aws_action delete_group = {
    AWS_EC2, "DeleteSecurityGroup", BUCKET_EC2_WRITE, true, NULL, NULL, NULL};
static const struct aws_action create_tags = {AWS_EC2, "CreateTags", BUCKET_EC2_WRITE, true, NULL,
                                              NULL,    NULL};
static const struct aws_action delete_tags = {AWS_EC2, "DeleteTags", BUCKET_EC2_WRITE, true, NULL,
                                              NULL,    NULL};
static const struct aws_action describe_tags = {
    AWS_EC2, "DescribeTags", BUCKET_EC2_READ, false, NULL, NULL, NULL};

int ec2_describe_security_groups(struct aws_client *c, const struct aws_ctx *ctx, const char *vpc,
                                 const char *name, json_t **ret, struct fault *f)
{
    static const struct aws_paging paging = {"NextToken", "nextToken", "securityGroupInfo", "item"};
    _cleanup_json_ json_t *request =
        json_pack("{s:i, s:[{s:s, s:[s]}, {s:s, s:[s]}]}", "MaxResults", 1000, "Filter", "Name",
                  "vpc-id", "Value", vpc, "Name", "group-name", "Value", name);

    if (!request)
        return aws_no_memory(f);
    return aws_pages(c, &describe_groups, ctx, request, &paging, ret, f);
}

int ec2_create_security_group(struct aws_client *c, const struct aws_ctx *ctx, const char *name,
                              const char *description, const char *vpc, json_t *tags, char **ret_id,
                              struct fault *f)
{
    _cleanup_json_ json_t *answer = NULL;
    _cleanup_json_ json_t *request = json_pack(
        "{s:s, s:s, s:s, s:[{s:s, s:O}]}", "GroupName", name, "GroupDescription", description,
        "VpcId", vpc, "TagSpecification", "ResourceType", "security-group", "Tag", tags);

    if (!request)
        return aws_no_memory(f);
    int r = aws_call(c, &create_group, ctx, request, &answer, f);
    if (r < 0)
        return r;
    const char *id = json_string_value(json_object_get(answer, "groupId"));
    if (!id)
        return fault_set(f, -EPROTO, "the answer to CreateSecurityGroup holds no groupId");
    *ret_id = strdup(id);
    return *ret_id ? 0 : aws_no_memory(f);
}

static int change_rule(struct aws_client *c, const struct aws_action *a, const struct aws_ctx *ctx,
                       const char *group_id, json_t *permission, struct fault *f)
{
    _cleanup_json_ json_t *request =
        json_pack("{s:s, s:[O]}", "GroupId", group_id, "IpPermissions", permission);

    if (!request)
        return aws_no_memory(f);
    return aws_call(c, a, ctx, request, NULL, f);
}

int ec2_authorize(struct aws_client *c, const struct aws_ctx *ctx, enum ec2_direction d,
                  const char *group_id, json_t *permission, struct fault *f)
{
    return change_rule(c, &authorize[d], ctx, group_id, permission, f);
}

int ec2_revoke_egress(struct aws_client *c, const struct aws_ctx *ctx, const char *group_id,
                      json_t *permission, struct fault *f)
{
    return change_rule(c, &revoke_egress, ctx, group_id, permission, f);
}

int ec2_delete_security_group(struct aws_client *c, const struct aws_ctx *ctx, const char *group_id,
                              struct fault *f)
{
    _cleanup_json_ json_t *request = json_pack("{s:s}", "GroupId", group_id);

    if (!request)
        return aws_no_memory(f);
    return aws_call(c, &delete_group, ctx, request, NULL, f);
}

int ec2_create_tags(struct aws_client *c, const struct aws_ctx *ctx, const char *id, json_t *tags,
                    struct fault *f)
{
    _cleanup_json_ json_t *request = json_pack("{s:[s], s:O}", "ResourceId", id, "Tag", tags);

    if (!request)
        return aws_no_memory(f);
    return aws_call(c, &create_tags, ctx, request, NULL, f);
}

int ec2_delete_tags(struct aws_client *c, const struct aws_ctx *ctx, const char *id, json_t *keys,
                    struct fault *f)
{
    _cleanup_json_ json_t *tags = json_array();
    size_t i;
    json_t *key;

    json_array_foreach(keys, i,
                       key) if (json_array_append_new(tags, json_pack("{s:O}", "Key", key)) <
                                0) return aws_no_memory(f);
    _cleanup_json_ json_t *request = json_pack("{s:[s], s:O}", "ResourceId", id, "Tag", tags);
    if (!request)
        return aws_no_memory(f);
    return aws_call(c, &delete_tags, ctx, request, NULL, f);
}

int ec2_describe_tags(struct aws_client *c, const struct aws_ctx *ctx, const char *id, json_t **ret,
                      struct fault *f)
{
    static const struct aws_paging paging = {"NextToken", "nextToken", "tagSet", "item"};
    _cleanup_json_ json_t *list = NULL;
    _cleanup_json_ json_t *request =
        json_pack("{s:[{s:s, s:[s]}]}", "Filter", "Name", "resource-id", "Value", id);

    if (!request)
        return aws_no_memory(f);
    int r = aws_pages(c, &describe_tags, ctx, request, &paging, &list, f);
    return r < 0 ? r : aws_tags_object(list, &describe_tags, ret, f);
}
