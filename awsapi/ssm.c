/*
 * Parameter Store: the durable notes of svcfs. Values are plain strings of the standard tier; no
 * secret is ever put there. GetParametersByPath and GetParameters take ten at a time. Pages are all
 * read: half of a list of records would make live services vanish.
 */
#include "awsapi/ssm.h"

#include <errno.h>
#include <string.h>

#include "awsapi/page.h"
#include "base/str.h"

enum { NAMES_MAX = 10 };

static const struct aws_action put_parameter = {
    .service = AWS_SSM, .name = "PutParameter", .bucket = BUCKET_SSM_WRITE, .write = true};
static const struct aws_action get_parameter = {
    .service = AWS_SSM, .name = "GetParameter", .bucket = BUCKET_SSM_READ};
static const struct aws_action get_parameters = {
    .service = AWS_SSM, .name = "GetParameters", .bucket = BUCKET_SSM_READ};
static const struct aws_action get_parameters_by_path = {
    .service = AWS_SSM, .name = "GetParametersByPath", .bucket = BUCKET_SSM_READ};
static const struct aws_action delete_parameter = {
    .service = AWS_SSM, .name = "DeleteParameter", .bucket = BUCKET_SSM_WRITE, .write = true};
static const struct aws_action add_tags = {
    .service = AWS_SSM, .name = "AddTagsToResource", .bucket = BUCKET_SSM_WRITE, .write = true};
static const struct aws_action list_tags = {
    .service = AWS_SSM, .name = "ListTagsForResource", .bucket = BUCKET_SSM_READ};
static const struct aws_action remove_tags = {.service = AWS_SSM,
                                              .name = "RemoveTagsFromResource",
                                              .bucket = BUCKET_SSM_WRITE,
                                              .write = true};

void ssm_parameters_done(struct ssm_parameters *p)
{
    for (size_t i = 0; i < p->n; i++) {
        free(p->items[i].name);
        free(p->items[i].value);
    }
    free(p->items);
    *p = (struct ssm_parameters){0};
}

static json_t *tag_list(const struct ssm_tag *tags, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n && list != NULL; i++)
        (void)json_array_append_new(
            list, json_pack("{s: s, s: s}", "Key", tags[i].key, "Value", tags[i].value));
    if (json_array_size(list) == n)
        return list;
    json_decref(list);
    return NULL;
}

int ssm_put_parameter(struct aws_client *c, const struct aws_ctx *ctx, const char *name,
                      const char *value, bool overwrite, const struct ssm_tag *tags, size_t n_tags,
                      struct fault *f)
{
    _cleanup_json_ json_t *request =
        json_pack("{s: s, s: s, s: s, s: s, s: b}", "Name", name, "Value", value, "Type", "String",
                  "Tier", "Standard", "Overwrite", overwrite);

    if (request == NULL ||
        (n_tags > 0 && json_object_set_new(request, "Tags", tag_list(tags, n_tags)) < 0))
        return aws_no_memory(f);
    return aws_call(c, &put_parameter, ctx, request, NULL, f);
}

int ssm_get_parameter(struct aws_client *c, const struct aws_ctx *ctx, const char *name, char **ret,
                      struct fault *f)
{
    _cleanup_json_ json_t *request = json_pack("{s: s}", "Name", name), *answer = NULL;
    const char *value;
    int r;

    if (request == NULL)
        return aws_no_memory(f);
    r = aws_call(c, &get_parameter, ctx, request, &answer, f);
    if (r < 0)
        return r;
    value = json_string_value(json_object_get(json_object_get(answer, "Parameter"), "Value"));
    if (value == NULL)
        return fault_set(f, -EPROTO, "the answer to GetParameter holds no value");
    *ret = strdup(value);
    return *ret != NULL ? 0 : aws_no_memory(f);
}

static int append(json_t *list, struct ssm_parameters *p, struct fault *f)
{
    struct ssm_parameter *more;
    size_t i;
    json_t *item;

    if (json_array_size(list) == 0)
        return 0;
    more = reallocarray(p->items, p->n + json_array_size(list), sizeof(*more));
    if (more == NULL)
        return aws_no_memory(f);
    p->items = more;
    json_array_foreach(list, i, item)
    {
        const char *name = json_string_value(json_object_get(item, "Name"));
        const char *value = json_string_value(json_object_get(item, "Value"));
        struct ssm_parameter *q = &p->items[p->n];

        if (name == NULL || value == NULL)
            return fault_set(f, -EPROTO, "SSM gave a parameter without name or value");
        *q = (struct ssm_parameter){strdup(name), strdup(value)};
        p->n++;
        if (q->name == NULL || q->value == NULL)
            return aws_no_memory(f);
    }
    return 0;
}

int ssm_get_parameters_page(struct aws_client *c, const struct aws_ctx *ctx, const char *path,
                            char **token, struct ssm_parameters *ret, struct fault *f)
{
    _cleanup_json_ json_t *request =
        json_pack("{s: s, s: b, s: i, s: s*}", "Path", path, "Recursive", 1, "MaxResults",
                  NAMES_MAX, "NextToken", *token);
    _cleanup_json_ json_t *answer = NULL;
    _cleanup_ssm_ struct ssm_parameters found = {0};

    if (request == NULL)
        return aws_no_memory(f);
    int r = aws_call(c, &get_parameters_by_path, ctx, request, &answer, f);
    if (r == 0)
        r = append(json_object_get(answer, "Parameters"), &found, f);
    if (r < 0)
        return r;
    const char *next = json_string_value(json_object_get(answer, "NextToken"));
    bool more = next != NULL && *next != '\0';
    if (more && *token != NULL && streq(next, *token))
        return fault_set(f, -EPROTO, "GetParametersByPath gives the same page again and again");
    char *copy = more ? strdup(next) : NULL;
    if (more && copy == NULL)
        return aws_no_memory(f);
    free(*token);
    *token = copy;
    *ret = found;
    found = (struct ssm_parameters){0};
    return 0;
}

int ssm_get_parameters_by_path(struct aws_client *c, const struct aws_ctx *ctx, const char *path,
                               struct ssm_parameters *ret, struct fault *f)
{
    static const struct aws_paging paging = {"NextToken", "NextToken", "Parameters", NULL};
    _cleanup_json_ json_t *request =
        json_pack("{s: s, s: b, s: i}", "Path", path, "Recursive", 1, "MaxResults", NAMES_MAX);
    _cleanup_json_ json_t *list = NULL;
    _cleanup_ssm_ struct ssm_parameters found = {0};
    int r;

    if (request == NULL)
        return aws_no_memory(f);
    r = aws_pages(c, &get_parameters_by_path, ctx, request, &paging, &list, f);
    if (r == 0)
        r = append(list, &found, f);
    if (r < 0)
        return r;
    *ret = found;
    found = (struct ssm_parameters){0};
    return 0;
}

static int get_some(struct aws_client *c, const struct aws_ctx *ctx, const char *const *names,
                    size_t n, struct ssm_parameters *found, struct fault *f)
{
    _cleanup_json_ json_t *list = json_array(), *request = NULL, *answer = NULL;
    int r;

    for (size_t i = 0; i < n && list != NULL; i++)
        (void)json_array_append_new(list, json_string(names[i]));
    if (json_array_size(list) != n)
        return aws_no_memory(f);
    request = json_pack("{s: O}", "Names", list);
    if (request == NULL)
        return aws_no_memory(f);
    r = aws_call(c, &get_parameters, ctx, request, &answer, f);
    return r < 0 ? r : append(json_object_get(answer, "Parameters"), found, f);
}

int ssm_get_parameters(struct aws_client *c, const struct aws_ctx *ctx, const char *const *names,
                       size_t n, struct ssm_parameters *ret, struct fault *f)
{
    _cleanup_ssm_ struct ssm_parameters found = {0};

    for (size_t i = 0; i < n; i += NAMES_MAX) {
        int r = get_some(c, ctx, names + i, MIN(n - i, (size_t)NAMES_MAX), &found, f);

        if (r < 0)
            return r;
    }
    *ret = found;
    found = (struct ssm_parameters){0};
    return 0;
}

int ssm_delete_parameter(struct aws_client *c, const struct aws_ctx *ctx, const char *name,
                         struct fault *f)
{
    _cleanup_json_ json_t *request = json_pack("{s: s}", "Name", name);

    return request != NULL ? aws_call(c, &delete_parameter, ctx, request, NULL, f)
                           : aws_no_memory(f);
}

int ssm_add_tags(struct aws_client *c, const struct aws_ctx *ctx, const char *name,
                 const struct ssm_tag *tags, size_t n_tags, struct fault *f)
{
    _cleanup_json_ json_t *request =
        json_pack("{s: s, s: s}", "ResourceType", "Parameter", "ResourceId", name);

    if (request == NULL || json_object_set_new(request, "Tags", tag_list(tags, n_tags)) < 0)
        return aws_no_memory(f);
    return aws_call(c, &add_tags, ctx, request, NULL, f);
}

int ssm_list_tags(struct aws_client *c, const struct aws_ctx *ctx, const char *name, json_t **ret,
                  struct fault *f)
{
    _cleanup_json_ json_t *answer = NULL;
    _cleanup_json_ json_t *request =
        json_pack("{s: s, s: s}", "ResourceType", "Parameter", "ResourceId", name);

    if (request == NULL)
        return aws_no_memory(f);
    int r = aws_call(c, &list_tags, ctx, request, &answer, f);
    return r < 0 ? r : aws_tags_object(json_object_get(answer, "TagList"), &list_tags, ret, f);
}

int ssm_remove_tags(struct aws_client *c, const struct aws_ctx *ctx, const char *name, json_t *keys,
                    struct fault *f)
{
    _cleanup_json_ json_t *request = json_pack("{s: s, s: s, s: O}", "ResourceType", "Parameter",
                                               "ResourceId", name, "TagKeys", keys);

    return request != NULL ? aws_call(c, &remove_tags, ctx, request, NULL, f) : aws_no_memory(f);
}
