/*
 * Elastic Load Balancing v2's calls. Two things here surprise: CreateTargetGroup with a name that
 * is taken succeeds where the settings are the same, so its answer says nothing about whose it is;
 * and CreateRule has no idempotency at all, so that a second sending makes a second rule.
 */
#include "awsapi/elbv2.h"

#include <errno.h>
#include <string.h>

#include "awsapi/page.h"
#include "awsapi/xml.h"
#include "base/str.h"

#define READ(name)                                                                                 \
    {                                                                                              \
        AWS_ELBV2, name, BUCKET_ELB_READ, false, NULL, NULL, NULL                                  \
    }
#define WRITE(name)                                                                                \
    {                                                                                              \
        AWS_ELBV2, name, BUCKET_ELB_WRITE, true, NULL, NULL, NULL                                  \
    }

static const struct aws_action describe_target_groups = READ("DescribeTargetGroups");
static const struct aws_action create_target_group = WRITE("CreateTargetGroup");
static const struct aws_action describe_attributes = READ("DescribeTargetGroupAttributes");
static const struct aws_action modify_attributes = WRITE("ModifyTargetGroupAttributes");
static const struct aws_action delete_target_group = WRITE("DeleteTargetGroup");
static const struct aws_action describe_listeners = READ("DescribeListeners");
static const struct aws_action describe_load_balancers = READ("DescribeLoadBalancers");
static const struct aws_action describe_rules = READ("DescribeRules");
static const struct aws_action create_rule = WRITE("CreateRule");
static const struct aws_action delete_rule = WRITE("DeleteRule");
static const struct aws_action describe_tags = READ("DescribeTags");
static const struct aws_action add_tags = WRITE("AddTags");
static const struct aws_action remove_tags = WRITE("RemoveTags");

/* The one item that was asked for by name; none: -ENOENT. */
static int describe_one(struct aws_client *c, const struct aws_action *a, const struct aws_ctx *ctx,
                        const char *member, const char *value, const char *list, json_t **ret,
                        struct fault *f)
{
    _cleanup_json_ json_t *request = json_pack("{s:[s]}", member, value);
    _cleanup_json_ json_t *answer = NULL;

    if (!request)
        return aws_no_memory(f);
    int r = aws_call(c, a, ctx, request, &answer, f);
    if (r < 0)
        return r;
    _cleanup_json_ json_t *items = xml_list(answer, list, "member");
    if (!items)
        return aws_no_memory(f);
    if (!json_is_object(json_array_get(items, 0)))
        return fault_set(f, -ENOENT, "%s finds no %s", a->name, value);
    *ret = json_incref(json_array_get(items, 0));
    return 0;
}

static int create_one(struct aws_client *c, const struct aws_action *a, const struct aws_ctx *ctx,
                      json_t *request, const char *list, const char *member, char **ret,
                      struct fault *f)
{
    _cleanup_json_ json_t *answer = NULL, *item = NULL;

    int r = aws_call(c, a, ctx, request, &answer, f);
    if (r < 0)
        return r;
    r = aws_first(answer, a, list, "member", &item, f);
    if (r < 0)
        return r;
    const char *arn = json_string_value(json_object_get(item, member));
    if (!arn)
        return fault_set(f, -EPROTO, "the answer to %s holds no %s", a->name, member);
    *ret = strdup(arn);
    return *ret ? 0 : aws_no_memory(f);
}

static int call_on(struct aws_client *c, const struct aws_action *a, const struct aws_ctx *ctx,
                   const char *member, const char *arn, struct fault *f)
{
    _cleanup_json_ json_t *request = json_pack("{s:s}", member, arn);

    if (!request)
        return aws_no_memory(f);
    return aws_call(c, a, ctx, request, NULL, f);
}

int elbv2_describe_target_group(struct aws_client *c, const struct aws_ctx *ctx, const char *name,
                                const char *arn, json_t **ret, struct fault *f)
{
    return describe_one(c, &describe_target_groups, ctx, name ? "Names" : "TargetGroupArns",
                        name ? name : arn, "TargetGroups", ret, f);
}

int elbv2_create_target_group(struct aws_client *c, const struct aws_ctx *ctx, json_t *request,
                              char **ret_arn, struct fault *f)
{
    return create_one(c, &create_target_group, ctx, request, "TargetGroups", "TargetGroupArn",
                      ret_arn, f);
}

int elbv2_describe_target_group_attributes(struct aws_client *c, const struct aws_ctx *ctx,
                                           const char *arn, json_t **ret, struct fault *f)
{
    _cleanup_json_ json_t *request = json_pack("{s:s}", "TargetGroupArn", arn);
    _cleanup_json_ json_t *answer = NULL;

    if (!request)
        return aws_no_memory(f);
    int r = aws_call(c, &describe_attributes, ctx, request, &answer, f);
    if (r < 0)
        return r;
    *ret = xml_list(answer, "Attributes", "member");
    return *ret ? 0 : aws_no_memory(f);
}

int elbv2_modify_target_group_attributes(struct aws_client *c, const struct aws_ctx *ctx,
                                         const char *arn, json_t *attributes, struct fault *f)
{
    _cleanup_json_ json_t *request =
        json_pack("{s:s, s:O}", "TargetGroupArn", arn, "Attributes", attributes);

    if (!request)
        return aws_no_memory(f);
    return aws_call(c, &modify_attributes, ctx, request, NULL, f);
}

int elbv2_delete_target_group(struct aws_client *c, const struct aws_ctx *ctx, const char *arn,
                              struct fault *f)
{
    return call_on(c, &delete_target_group, ctx, "TargetGroupArn", arn, f);
}

int elbv2_describe_listeners(struct aws_client *c, const struct aws_ctx *ctx,
                             const char *load_balancer, json_t **ret, struct fault *f)
{
    static const struct aws_paging paging = {"Marker", "NextMarker", "Listeners", "member"};
    _cleanup_json_ json_t *request = json_pack("{s:s}", "LoadBalancerArn", load_balancer);

    if (!request)
        return aws_no_memory(f);
    return aws_pages(c, &describe_listeners, ctx, request, &paging, ret, f);
}

int elbv2_describe_load_balancer(struct aws_client *c, const struct aws_ctx *ctx, const char *arn,
                                 json_t **ret, struct fault *f)
{
    return describe_one(c, &describe_load_balancers, ctx, "LoadBalancerArns", arn, "LoadBalancers",
                        ret, f);
}

int elbv2_describe_rules(struct aws_client *c, const struct aws_ctx *ctx, const char *listener,
                         json_t **ret, struct fault *f)
{
    static const struct aws_paging paging = {"Marker", "NextMarker", "Rules", "member"};
    _cleanup_json_ json_t *request = json_pack("{s:s}", "ListenerArn", listener);

    if (!request)
        return aws_no_memory(f);
    return aws_pages(c, &describe_rules, ctx, request, &paging, ret, f);
}

int elbv2_describe_rule(struct aws_client *c, const struct aws_ctx *ctx, const char *arn,
                        json_t **ret, struct fault *f)
{
    return describe_one(c, &describe_rules, ctx, "RuleArns", arn, "Rules", ret, f);
}

int elbv2_create_rule(struct aws_client *c, const struct aws_ctx *ctx, json_t *request,
                      char **ret_arn, struct fault *f)
{
    return create_one(c, &create_rule, ctx, request, "Rules", "RuleArn", ret_arn, f);
}

int elbv2_delete_rule(struct aws_client *c, const struct aws_ctx *ctx, const char *arn,
                      struct fault *f)
{
    return call_on(c, &delete_rule, ctx, "RuleArn", arn, f);
}

int elbv2_describe_tags(struct aws_client *c, const struct aws_ctx *ctx, const char *arn,
                        json_t **ret, struct fault *f)
{
    _cleanup_json_ json_t *description = NULL;

    int r = describe_one(c, &describe_tags, ctx, "ResourceArns", arn, "TagDescriptions",
                         &description, f);
    if (r < 0)
        return r;
    *ret = xml_list(description, "Tags", "member");
    return *ret ? 0 : aws_no_memory(f);
}

int elbv2_add_tags(struct aws_client *c, const struct aws_ctx *ctx, const char *arn, json_t *tags,
                   struct fault *f)
{
    _cleanup_json_ json_t *request = json_pack("{s:[s], s:O}", "ResourceArns", arn, "Tags", tags);

    if (!request)
        return aws_no_memory(f);
    return aws_call(c, &add_tags, ctx, request, NULL, f);
}

int elbv2_remove_tags(struct aws_client *c, const struct aws_ctx *ctx, const char *arn,
                      json_t *keys, struct fault *f)
{
    _cleanup_json_ json_t *request =
        json_pack("{s:[s], s:O}", "ResourceArns", arn, "TagKeys", keys);

    if (!request)
        return aws_no_memory(f);
    return aws_call(c, &remove_tags, ctx, request, NULL, f);
}
