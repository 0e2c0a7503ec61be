/*
 * The tag index. A page's token belongs to one chain: after an error a repeated token may give a
 * short list without a word (emulator.md saw it), so only the first page is ever retried, and a
 * chain that breaks is the caller's to begin anew. The chain ends with a token that is absent, null
 * or "".
 */
#include "awsapi/tagging.h"

#include <errno.h>

#include "awsapi/errors.h"
#include "awsapi/page.h"
#include "base/str.h"

enum { PAGE_SIZE = 100, TOKEN_PAGES_MAX = 100000 };

static const struct aws_action get_resources = {
    .service = AWS_TAGGING, .name = "GetResources", .bucket = BUCKET_TAGGING_READ};
static const struct aws_action get_tag_values = {
    .service = AWS_TAGGING, .name = "GetTagValues", .bucket = BUCKET_TAGGING_VALUES};
static const struct aws_action tag_resources = {
    .service = AWS_TAGGING, .name = "TagResources", .bucket = BUCKET_TAGGING_WRITE, .write = true};
static const struct aws_action untag_resources = {.service = AWS_TAGGING,
                                                  .name = "UntagResources",
                                                  .bucket = BUCKET_TAGGING_WRITE,
                                                  .write = true};

/* What a page's entries are given to. */
struct taker {
    int (*give)(const struct taker *t, json_t *answer, struct fault *f);
    tagging_resource_fn on_resource;
    tagging_value_fn on_value;
    void *arg;
    unsigned *ret_pages; /* or NULL */
};

static json_t *filters_of(const struct tagging_query *q)
{
    if (q->tag_filters != NULL)
        return json_incref(q->tag_filters);
    if (q->tag_value != NULL)
        return json_pack("[{s: s, s: [s]}]", "Key", q->tag_key, "Values", q->tag_value);
    return json_pack("[{s: s}]", "Key", q->tag_key);
}

static json_t *list_of(const char *const *arns, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n && list != NULL; i++)
        (void)json_array_append_new(list, json_string(arns[i]));
    return list;
}

static json_t *request_of(const struct tagging_query *q)
{
    if (q->n_arns > 0)
        return json_pack("{s: o}", "ResourceARNList", list_of(q->arns, q->n_arns));
    _cleanup_json_ json_t *request = json_pack("{s: i}", "ResourcesPerPage", PAGE_SIZE);

    if (request == NULL)
        return NULL;
    if ((q->tag_filters != NULL || q->tag_key != NULL) &&
        json_object_set_new(request, "TagFilters", filters_of(q)) < 0)
        return NULL;
    if (q->n_types > 0) {
        json_t *types = json_array();

        for (size_t i = 0; i < q->n_types && types != NULL; i++)
            (void)json_array_append_new(types, json_string(q->resource_types[i]));
        if (json_array_size(types) != q->n_types ||
            json_object_set_new(request, "ResourceTypeFilters", types) < 0)
            return NULL;
    }
    return steal_ptr(request);
}

/* [{"Key": k, "Value": v}, …] → {k: v, …}; NULL: not of that form. */
static json_t *tags_of(json_t *list)
{
    _cleanup_json_ json_t *tags = json_object();
    size_t i;
    json_t *tag;

    json_array_foreach(list, i, tag)
    {
        const char *key = json_string_value(json_object_get(tag, "Key"));
        json_t *value = json_object_get(tag, "Value");

        if (key == NULL || !json_is_string(value) || json_object_set(tags, key, value) < 0)
            return NULL;
    }
    return steal_ptr(tags);
}

static int give_resources(const struct taker *t, json_t *answer, struct fault *f)
{
    json_t *list = json_object_get(answer, "ResourceTagMappingList"), *entry;
    size_t i;

    if (list != NULL && !json_is_array(list))
        return fault_set(f, -EPROTO, "the answer to GetResources holds no list");
    json_array_foreach(list, i, entry)
    {
        const char *arn = json_string_value(json_object_get(entry, "ResourceARN"));
        _cleanup_json_ json_t *tags = tags_of(json_object_get(entry, "Tags"));
        int r;

        if (arn == NULL || tags == NULL)
            return fault_set(f, -EPROTO,
                             "the answer to GetResources holds an entry without ARN "
                             "or with tags that cannot be read");
        r = t->on_resource(t->arg, arn, tags);
        if (r != 0)
            return r;
    }
    return 0;
}

static int give_values(const struct taker *t, json_t *answer, struct fault *f)
{
    json_t *list = json_object_get(answer, "TagValues"), *value;
    size_t i;

    json_array_foreach(list, i, value)
    {
        int r = json_is_string(value)
                    ? t->on_value(t->arg, json_string_value(value))
                    : fault_set(f, -EPROTO, "the answer to GetTagValues holds what is no text");
        if (r != 0)
            return r;
    }
    return 0;
}

/* Changes request. */
static int all_pages(struct aws_client *c, const struct aws_action *action,
                     const struct aws_ctx *ctx, json_t *request, const struct taker *t,
                     struct fault *f)
{
    struct aws_ctx once = ctx != NULL ? *ctx : (struct aws_ctx){0};

    for (unsigned page = 0; page < TOKEN_PAGES_MAX; page++) {
        _cleanup_json_ json_t *answer = NULL;
        json_t *token, *before = json_object_get(request, "PaginationToken");
        int r = aws_call(c, action, page == 0 ? ctx : &once, request, &answer, f);

        once.no_retry = true;
        if (r == 0 && t->ret_pages != NULL)
            ++*t->ret_pages;
        if (r == 0)
            r = t->give(t, answer, f);
        if (r != 0)
            return r;
        token = json_object_get(answer, "PaginationToken");
        if (!json_is_string(token) || json_string_length(token) == 0)
            return 0;
        if (before != NULL && json_equal(token, before))
            break;
        if (json_object_set(request, "PaginationToken", token) < 0)
            return aws_no_memory(f);
    }
    return fault_set(f, -EPROTO, "%s gives the same page again and again", action->name);
}

int tagging_get_resources(struct aws_client *c, const struct aws_ctx *ctx,
                          const struct tagging_query *q, tagging_resource_fn fn, void *arg,
                          struct fault *f)
{
    _cleanup_json_ json_t *request = request_of(q);
    const struct taker t = {
        .give = give_resources, .on_resource = fn, .arg = arg, .ret_pages = q->ret_pages};

    return request != NULL ? all_pages(c, &get_resources, ctx, request, &t, f) : aws_no_memory(f);
}

int tagging_get_values(struct aws_client *c, const struct aws_ctx *ctx, const char *key,
                       tagging_value_fn fn, void *arg, struct fault *f)
{
    _cleanup_json_ json_t *request = json_pack("{s: s}", "Key", key);
    const struct taker t = {.give = give_values, .on_value = fn, .arg = arg};

    return request != NULL ? all_pages(c, &get_tag_values, ctx, request, &t, f) : aws_no_memory(f);
}

/* --- writing --- */

/* One entry of a FailedResourcesMap. */
static struct fault failure_of(const struct aws_action *a, json_t *entry)
{
    const char *code = json_string_value(json_object_get(entry, "ErrorCode"));
    const char *message = json_string_value(json_object_get(entry, "ErrorMessage"));
    int status = (int)json_integer_value(json_object_get(entry, "StatusCode"));
    struct fault f = FAULT_INIT;
    int err = error_classify(AWS_TAGGING, code != NULL ? code : "", status).err;

    /* the code is one of two words whatever the owning service has said: its status tells more */
    if (status == 401 || status == 403 || status == 404 || status == 429)
        err = error_classify(AWS_TAGGING, status == 404 ? "NotFound" : "", status).err;
    fault_set(&f, err, "%s", message != NULL ? message : "the resource was not tagged");
    (void)str_format(f.call, sizeof(f.call), "tagging:%s", a->name);
    (void)str_format(f.code, sizeof(f.code), "%s", code != NULL ? code : "");
    f.http_status = status;
    return f;
}

static int change_tags(struct aws_client *c, const struct aws_action *a, const struct aws_ctx *ctx,
                       json_t *request, tagging_failed_fn fn, void *arg, struct fault *f)
{
    _cleanup_json_ json_t *answer = NULL;
    const char *arn;
    json_t *entry;
    int r = aws_call(c, a, ctx, request, &answer, f);

    if (r < 0)
        return r;
    json_object_foreach(json_object_get(answer, "FailedResourcesMap"), arn, entry)
    {
        struct fault failure = failure_of(a, entry);

        fn(arg, arn, &failure);
    }
    return 0;
}

int tagging_tag(struct aws_client *c, const struct aws_ctx *ctx, const char *const *arns, size_t n,
                json_t *tags, tagging_failed_fn fn, void *arg, struct fault *f)
{
    _cleanup_json_ json_t *request =
        json_pack("{s: o, s: O}", "ResourceARNList", list_of(arns, n), "Tags", tags);

    return request != NULL ? change_tags(c, &tag_resources, ctx, request, fn, arg, f)
                           : aws_no_memory(f);
}

int tagging_untag(struct aws_client *c, const struct aws_ctx *ctx, const char *const *arns,
                  size_t n, json_t *keys, tagging_failed_fn fn, void *arg, struct fault *f)
{
    _cleanup_json_ json_t *request =
        json_pack("{s: o, s: O}", "ResourceARNList", list_of(arns, n), "TagKeys", keys);

    return request != NULL ? change_tags(c, &untag_resources, ctx, request, fn, arg, f)
                           : aws_no_memory(f);
}
