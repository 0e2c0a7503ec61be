/*
 * RDS. An instance that is being created is described without an endpoint; that is "not
 * yet", not an error of whoever asks.
 */
#include "awsapi/rds.h"

#include <errno.h>

#include "awsapi/page.h"
#include "awsapi/xml.h"
#include "base/str.h"

static const struct aws_action describe = {
    AWS_RDS, "DescribeDBInstances", BUCKET_RDS_READ, false, NULL, NULL, NULL};
static const struct aws_action list_tags = {
    AWS_RDS, "ListTagsForResource", BUCKET_RDS_READ, false, NULL, NULL, NULL};
static const struct aws_action add_tags = {
    AWS_RDS, "AddTagsToResource", BUCKET_RDS_WRITE, true, NULL, NULL, NULL};
static const struct aws_action remove_tags = {
    AWS_RDS, "RemoveTagsFromResource", BUCKET_RDS_WRITE, true, NULL, NULL, NULL};

/* Numbers are strings in XML. */
static unsigned port_of(json_t *endpoint)
{
    json_t *port = json_object_get(endpoint, "Port");
    long n = json_is_string(port) ? strtol(json_string_value(port), NULL, 10)
                                  : (long)json_integer_value(port);

    return n > 0 && n < 65536 ? (unsigned)n : 0;
}

int rds_describe_endpoint(struct aws_client *c, const struct aws_ctx *ctx, const char *identifier,
                          struct rds_endpoint *ret, struct fault *f)
{
    _cleanup_json_ json_t *request = json_pack("{s:s}", "DBInstanceIdentifier", identifier);
    _cleanup_json_ json_t *answer = NULL, *instance = NULL;
    struct rds_endpoint e = {{0}, 0};

    if (!request)
        return aws_no_memory(f);
    int r = aws_call(c, &describe, ctx, request, &answer, f);
    if (r < 0)
        return r;
    r = aws_first(answer, &describe, "DBInstances", "DBInstance", &instance, f);
    if (r < 0)
        return r;
    json_t *endpoint = json_object_get(instance, "Endpoint");
    const char *host = json_string_value(json_object_get(endpoint, "Address"));
    e.port = port_of(endpoint);
    if (!host || !e.port)
        return fault_set(f, -EAGAIN, "RDS instance %s has no endpoint yet", identifier);
    if (str_format(e.host, sizeof(e.host), "%s", host) < 0)
        return fault_set(f, -EPROTO, "RDS instance %s: its host name is too long", identifier);
    *ret = e;
    return 0;
}

int rds_list_tags(struct aws_client *c, const struct aws_ctx *ctx, const char *arn, json_t **ret,
                  struct fault *f)
{
    _cleanup_json_ json_t *request = json_pack("{s:s}", "ResourceName", arn);
    _cleanup_json_ json_t *answer = NULL, *list = NULL;

    if (!request)
        return aws_no_memory(f);
    int r = aws_call(c, &list_tags, ctx, request, &answer, f);
    if (r < 0)
        return r;
    list = xml_list(answer, "TagList", "Tag");
    return list ? aws_tags_object(list, &list_tags, ret, f) : aws_no_memory(f);
}

int rds_add_tags(struct aws_client *c, const struct aws_ctx *ctx, const char *arn, json_t *tags,
                 struct fault *f)
{
    _cleanup_json_ json_t *request = json_pack("{s:s, s:O}", "ResourceName", arn, "Tags.Tag", tags);

    return request ? aws_call(c, &add_tags, ctx, request, NULL, f) : aws_no_memory(f);
}

int rds_remove_tags(struct aws_client *c, const struct aws_ctx *ctx, const char *arn, json_t *keys,
                    struct fault *f)
{
    _cleanup_json_ json_t *request = json_pack("{s:s, s:O}", "ResourceName", arn, "TagKeys", keys);

    return request ? aws_call(c, &remove_tags, ctx, request, NULL, f) : aws_no_memory(f);
}
