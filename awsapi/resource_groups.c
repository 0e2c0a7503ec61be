/*
 * Resource groups are a view for the console; svcfs makes a few and reads all. The API has one
 * error for many things: "BadRequestException" is a taken name, a missing query or a wrong
 * parameter, and only the text tells the first of them apart.
 */
#include "awsapi/resource_groups.h"

#include <errno.h>
#include <string.h>

#include "awsapi/page.h"
#include "base/str.h"

#define GROUPS(name_, method_, path_, ...)                                                         \
    {                                                                                              \
        .service = AWS_RESOURCE_GROUPS, .name = (name_), .bucket = BUCKET_GROUPS,                  \
        .method = (method_), .path = (path_), __VA_ARGS__                                          \
    }

static const struct aws_action list_groups =
    GROUPS("ListGroups", "POST", "/groups-list", .query = "maxResults,nextToken");
static const struct aws_action get_group_query =
    GROUPS("GetGroupQuery", "POST", "/get-group-query");
static const struct aws_action list_group_resources =
    GROUPS("ListGroupResources", "POST", "/list-group-resources");
static const struct aws_action create_group =
    GROUPS("CreateGroup", "POST", "/groups", .write = true);
static const struct aws_action delete_group =
    GROUPS("DeleteGroup", "POST", "/delete-group", .write = true);
static const struct aws_action get_tags = GROUPS("GetTags", "GET", "/resources/{Arn}/tags");
static const struct aws_action tag = GROUPS("Tag", "PUT", "/resources/{Arn}/tags", .write = true);
static const struct aws_action untag =
    GROUPS("Untag", "PATCH", "/resources/{Arn}/tags", .write = true);

int groups_list(struct aws_client *c, const struct aws_ctx *ctx, groups_group_fn fn, void *arg,
                struct fault *f)
{
    static const struct aws_paging paging = {"nextToken", "NextToken", "GroupIdentifiers", NULL};
    _cleanup_json_ json_t *request = json_pack("{s: i}", "maxResults", 50), *list = NULL;
    size_t i;
    json_t *item;
    int r;

    if (request == NULL)
        return aws_no_memory(f);
    r = aws_pages(c, &list_groups, ctx, request, &paging, &list, f);
    if (r < 0)
        return r;
    json_array_foreach(list, i, item)
    {
        const char *name = json_string_value(json_object_get(item, "GroupName"));
        const char *arn = json_string_value(json_object_get(item, "GroupArn"));

        if (name == NULL || arn == NULL)
            return fault_set(f, -EPROTO, "ListGroups gave a group without name or ARN");
        r = fn(arg, name, arn);
        if (r != 0)
            return r;
    }
    return 0;
}

int groups_get_query(struct aws_client *c, const struct aws_ctx *ctx, const char *name,
                     json_t **ret, struct fault *f)
{
    _cleanup_json_ json_t *request = json_pack("{s: s}", "Group", name), *answer = NULL;
    struct fault fault = FAULT_INIT;
    json_t *query;
    int r;

    if (request == NULL)
        return aws_no_memory(f);
    r = aws_call(c, &get_group_query, ctx, request, &answer, &fault);
    if (r == -EINVAL && streq(fault.code, "BadRequestException"))
        r = fault.err = -ENODATA; /* the name is a listed one: it is a group by configuration */
    if (r < 0)
        return f != NULL ? fault_copy(f, &fault) : r;
    query = json_object_get(json_object_get(answer, "GroupQuery"), "ResourceQuery");
    if (!json_is_object(query))
        return fault_set(f, -ENODATA, "group %s has no query", name);
    *ret = json_incref(query);
    return 0;
}

int groups_list_resources(struct aws_client *c, const struct aws_ctx *ctx, const char *name,
                          groups_member_fn fn, void *arg, struct fault *f)
{
    static const struct aws_paging paging = {"NextToken", "NextToken", "Resources", NULL};
    _cleanup_json_ json_t *request = json_pack("{s: s, s: i}", "Group", name, "MaxResults", 50);
    _cleanup_json_ json_t *list = NULL;
    size_t i;
    json_t *item;
    int r;

    if (request == NULL)
        return aws_no_memory(f);
    r = aws_pages(c, &list_group_resources, ctx, request, &paging, &list, f);
    if (r < 0)
        return r;
    json_array_foreach(list, i, item)
    {
        const char *arn =
            json_string_value(json_object_get(json_object_get(item, "Identifier"), "ResourceArn"));

        if (arn == NULL)
            return fault_set(f, -EPROTO, "ListGroupResources gave a member without ARN");
        r = fn(arg, arn);
        if (r != 0)
            return r;
    }
    return 0;
}

int groups_create(struct aws_client *c, const struct aws_ctx *ctx, const char *name, json_t *query,
                  json_t *tags, char **ret_arn, struct fault *f)
{
    _cleanup_json_ json_t *answer = NULL;
    _cleanup_json_ json_t *request =
        json_pack("{s: s, s: O, s: O}", "Name", name, "ResourceQuery", query, "Tags", tags);
    struct fault fault = FAULT_INIT;
    const char *arn;
    int r;

    if (request == NULL)
        return aws_no_memory(f);
    r = aws_call(c, &create_group, ctx, request, &answer, &fault);
    if (r == -EINVAL && strcasestr(fault.message, "group already exists") != NULL)
        r = fault.err = -EEXIST;
    if (r < 0)
        return f != NULL ? fault_copy(f, &fault) : r;
    arn = json_string_value(json_object_get(json_object_get(answer, "Group"), "GroupArn"));
    if (arn == NULL)
        return fault_set(f, -EPROTO, "the answer to CreateGroup holds no ARN");
    *ret_arn = strdup(arn);
    return *ret_arn != NULL ? 0 : aws_no_memory(f);
}

int groups_delete(struct aws_client *c, const struct aws_ctx *ctx, const char *name,
                  struct fault *f)
{
    _cleanup_json_ json_t *request = json_pack("{s: s}", "Group", name);

    return request != NULL ? aws_call(c, &delete_group, ctx, request, NULL, f) : aws_no_memory(f);
}

int groups_get_tags(struct aws_client *c, const struct aws_ctx *ctx, const char *arn, json_t **ret,
                    struct fault *f)
{
    _cleanup_json_ json_t *request = json_pack("{s: s}", "Arn", arn), *answer = NULL;
    json_t *tags;
    int r;

    if (request == NULL)
        return aws_no_memory(f);
    r = aws_call(c, &get_tags, ctx, request, &answer, f);
    if (r < 0)
        return r;
    tags = json_object_get(answer, "Tags");
    *ret = json_is_object(tags) ? json_incref(tags) : json_object();
    return *ret != NULL ? 0 : aws_no_memory(f);
}

json_t *groups_tag_query(const char *const (*tags)[2], size_t n)
{
    _cleanup_json_ json_t *filters = json_array(), *query = NULL;
    json_t *result;
    char *text;

    for (size_t i = 0; i < n && filters != NULL; i++)
        (void)json_array_append_new(
            filters, json_pack("{s: s, s: [s]}", "Key", tags[i][0], "Values", tags[i][1]));
    if (json_array_size(filters) != n)
        return NULL;
    query = json_pack("{s: [s], s: O}", "ResourceTypeFilters", "AWS::AllSupported", "TagFilters",
                      filters);
    text = query != NULL ? json_dumps(query, JSON_COMPACT) : NULL;
    if (text == NULL)
        return NULL;
    result = json_pack("{s: s, s: s}", "Type", "TAG_FILTERS_1_0", "Query", text);
    free(text);
    return result;
}

int groups_tag(struct aws_client *c, const struct aws_ctx *ctx, const char *arn, json_t *tags,
               struct fault *f)
{
    _cleanup_json_ json_t *request = json_pack("{s: s, s: O}", "Arn", arn, "Tags", tags);

    return request != NULL ? aws_call(c, &tag, ctx, request, NULL, f) : aws_no_memory(f);
}

int groups_untag(struct aws_client *c, const struct aws_ctx *ctx, const char *arn, json_t *keys,
                 struct fault *f)
{
    _cleanup_json_ json_t *request = json_pack("{s: s, s: O}", "Arn", arn, "Keys", keys);

    return request != NULL ? aws_call(c, &untag, ctx, request, NULL, f) : aws_no_memory(f);
}
