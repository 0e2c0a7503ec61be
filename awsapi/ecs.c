/*
 * Elastic Container Service's calls. What ECS answers where others say "not found" or "exists" is
 * told apart here: a missing service comes as a failure in a successful answer, a missing task
 * definition as a ClientException, a namesake as an InvalidParameterException whose text alone says
 * so.
 */
#include "awsapi/ecs.h"

#include <errno.h>
#include <string.h>

#include "awsapi/page.h"
#include "awsapi/xml.h"
#include "base/str.h"

#define ACTION(name, bucket, write)                                                                \
    {                                                                                              \
        AWS_ECS, name, bucket, write, NULL, NULL, NULL                                             \
    }

static const struct aws_action list_task_definitions =
    ACTION("ListTaskDefinitions", BUCKET_ECS_TASKDEF_READ, false);
static const struct aws_action describe_task_definition =
    ACTION("DescribeTaskDefinition", BUCKET_ECS_TASKDEF_READ, false);
static const struct aws_action register_task_definition =
    ACTION("RegisterTaskDefinition", BUCKET_ECS_TASKDEF_WRITE, true);
static const struct aws_action deregister_task_definition =
    ACTION("DeregisterTaskDefinition", BUCKET_ECS_TASKDEF_WRITE, true);
static const struct aws_action delete_task_definitions =
    ACTION("DeleteTaskDefinitions", BUCKET_ECS_TASKDEF_DELETE, true);
static const struct aws_action describe_services =
    ACTION("DescribeServices", BUCKET_ECS_READ, false);
static const struct aws_action create_service =
    ACTION("CreateService", BUCKET_ECS_SERVICE_WRITE, true);
static const struct aws_action update_service =
    ACTION("UpdateService", BUCKET_ECS_SERVICE_WRITE, true);
static const struct aws_action delete_service =
    ACTION("DeleteService", BUCKET_ECS_SERVICE_WRITE, true);
static const struct aws_action list_tasks = ACTION("ListTasks", BUCKET_ECS_READ, false);
static const struct aws_action describe_tasks = ACTION("DescribeTasks", BUCKET_ECS_READ, false);
static const struct aws_action tag = ACTION("TagResource", BUCKET_ECS_SERVICE_WRITE, true);
static const struct aws_action list_tags = ACTION("ListTagsForResource", BUCKET_ECS_READ, false);
static const struct aws_action untag = ACTION("UntagResource", BUCKET_ECS_SERVICE_WRITE, true);

enum { DELETE_BATCH = 10, STOPPED_MAX = 10 };

/* Whether arn is "…:task-definition/FAMILY:REVISION". */
static bool is_of_family(const char *arn, const char *family)
{
    const char *name = arn ? strstr(arn, "task-definition/") : NULL;
    size_t n = strlen(family);

    name = name ? strchr(name, '/') + 1 : NULL;
    return name && strncmp(name, family, n) == 0 && name[n] == ':' && !strchr(name + n + 1, ':');
}

int ecs_list_task_definitions(struct aws_client *c, const struct aws_ctx *ctx, const char *family,
                              json_t **ret, struct fault *f)
{
    static const struct aws_paging paging = {"nextToken", "nextToken", "taskDefinitionArns", NULL};
    _cleanup_json_ json_t *request =
        aws_strings("familyPrefix", family, "status", "ACTIVE", "sort", "DESC", NULL);
    _cleanup_json_ json_t *all = NULL;

    if (!request)
        return aws_no_memory(f);
    int r = aws_pages(c, &list_task_definitions, ctx, request, &paging, &all, f);
    if (r < 0)
        return r;
    for (size_t i = json_array_size(all); i-- > 0;)
        if (!is_of_family(json_string_value(json_array_get(all, i)), family))
            json_array_remove(all, i);
    *ret = steal_ptr(all);
    return 0;
}

int ecs_describe_task_definition(struct aws_client *c, const struct aws_ctx *ctx, const char *id,
                                 json_t **ret, struct fault *f)
{
    _cleanup_json_ json_t *request =
        json_pack("{s:s, s:[s]}", "taskDefinition", id, "include", "TAGS");
    struct fault own = FAULT_INIT;

    if (!request)
        return aws_no_memory(f);
    int r = aws_call(c, &describe_task_definition, ctx, request, ret, &own);
    if (r == 0)
        return 0;
    if (streq(own.code, "ClientException"))
        own.err = -ENOENT;
    return fault_copy(f, &own);
}

int ecs_register_task_definition(struct aws_client *c, const struct aws_ctx *ctx, json_t *request,
                                 char **ret_arn, struct fault *f)
{
    _cleanup_json_ json_t *answer = NULL;

    int r = aws_call(c, &register_task_definition, ctx, request, &answer, f);
    if (r < 0)
        return r;
    const char *arn = json_string_value(
        json_object_get(json_object_get(answer, "taskDefinition"), "taskDefinitionArn"));
    if (!arn)
        return fault_set(f, -EPROTO, "the answer to RegisterTaskDefinition holds no ARN");
    *ret_arn = strdup(arn);
    return *ret_arn ? 0 : aws_no_memory(f);
}

int ecs_deregister_task_definition(struct aws_client *c, const struct aws_ctx *ctx, const char *arn,
                                   struct fault *f)
{
    _cleanup_json_ json_t *request = json_pack("{s:s}", "taskDefinition", arn);

    if (!request)
        return aws_no_memory(f);
    return aws_call(c, &deregister_task_definition, ctx, request, NULL, f);
}

static int delete_batch(struct aws_client *c, const struct aws_ctx *ctx, json_t *batch,
                        struct fault *f)
{
    _cleanup_json_ json_t *request = json_pack("{s:O}", "taskDefinitions", batch);
    _cleanup_json_ json_t *answer = NULL;

    if (!request)
        return aws_no_memory(f);
    int r = aws_call(c, &delete_task_definitions, ctx, request, &answer, f);
    if (r < 0)
        return r;
    json_t *failed = json_array_get(json_object_get(answer, "failures"), 0);
    if (!failed)
        return 0;
    const char *reason = json_string_value(json_object_get(failed, "reason"));
    return fault_set(f, -EBUSY, "DeleteTaskDefinitions: %s", reason ? reason : "not deleted");
}

int ecs_delete_task_definitions(struct aws_client *c, const struct aws_ctx *ctx, json_t *arns,
                                struct fault *f)
{
    size_t n = json_array_size(arns);

    for (size_t i = 0; i < n;) {
        _cleanup_json_ json_t *batch = json_array();
        for (; batch && i < n && json_array_size(batch) < DELETE_BATCH; i++)
            json_array_append(batch, json_array_get(arns, i));
        int r = delete_batch(c, ctx, batch, f);
        if (r < 0)
            return r;
    }
    return 0;
}

int ecs_describe_service(struct aws_client *c, const struct aws_ctx *ctx, const char *cluster,
                         const char *name, json_t **ret, struct fault *f)
{
    _cleanup_json_ json_t *request =
        json_pack("{s:s, s:[s], s:[s]}", "cluster", cluster, "services", name, "include", "TAGS");
    _cleanup_json_ json_t *answer = NULL;
    struct fault own = FAULT_INIT;

    if (!request)
        return aws_no_memory(f);
    int r = aws_call(c, &describe_services, ctx, request, &answer, &own);
    if (r < 0) {
        if (streq(own.code, "ClusterNotFoundException"))
            own.err = -ENOENT;
        return fault_copy(f, &own);
    }
    json_t *service = json_array_get(json_object_get(answer, "services"), 0);
    if (json_is_object(service)) {
        *ret = json_incref(service);
        return 0;
    }
    json_t *failure = json_array_get(json_object_get(answer, "failures"), 0);
    const char *reason = json_string_value(json_object_get(failure, "reason"));
    if (reason && !streq(reason, "MISSING"))
        return fault_set(f, -EIO, "DescribeServices: %s: %s", name, reason);
    return fault_set(f, -ENOENT, "there is no service %s in cluster %s", name, cluster);
}

int ecs_create_service(struct aws_client *c, const struct aws_ctx *ctx, json_t *request,
                       struct fault *f)
{
    struct fault own = FAULT_INIT;

    int r = aws_call(c, &create_service, ctx, request, NULL, &own);
    if (r == 0)
        return 0;
    if (strcasestr(own.message, "not idempotent"))
        own.err = -EEXIST;
    return fault_copy(f, &own);
}

int ecs_set_desired_count(struct aws_client *c, const struct aws_ctx *ctx, const char *cluster,
                          const char *name, int count, struct fault *f)
{
    _cleanup_json_ json_t *request =
        json_pack("{s:s, s:s, s:i}", "cluster", cluster, "service", name, "desiredCount", count);

    if (!request)
        return aws_no_memory(f);
    return aws_call(c, &update_service, ctx, request, NULL, f);
}

int ecs_delete_service(struct aws_client *c, const struct aws_ctx *ctx, const char *cluster,
                       const char *name, struct fault *f)
{
    _cleanup_json_ json_t *request =
        json_pack("{s:s, s:s, s:b}", "cluster", cluster, "service", name, "force", 1);

    if (!request)
        return aws_no_memory(f);
    return aws_call(c, &delete_service, ctx, request, NULL, f);
}

int ecs_stopped_tasks(struct aws_client *c, const struct aws_ctx *ctx, const char *cluster,
                      const char *service, json_t **ret, struct fault *f)
{
    static const struct aws_paging paging = {"nextToken", "nextToken", "taskArns", NULL};
    _cleanup_json_ json_t *request =
        aws_strings("cluster", cluster, "serviceName", service, "desiredStatus", "STOPPED", NULL);
    _cleanup_json_ json_t *arns = NULL, *describe = NULL, *answer = NULL;

    if (!request)
        return aws_no_memory(f);
    int r = aws_pages(c, &list_tasks, ctx, request, &paging, &arns, f);
    if (r < 0)
        return r;
    while (json_array_size(arns) > STOPPED_MAX)
        json_array_remove(arns, json_array_size(arns) - 1);
    if (json_array_size(arns) == 0) {
        *ret = steal_ptr(arns);
        return 0;
    }
    describe = json_pack("{s:s, s:O}", "cluster", cluster, "tasks", arns);
    if (!describe)
        return aws_no_memory(f);
    r = aws_call(c, &describe_tasks, ctx, describe, &answer, f);
    if (r < 0)
        return r;
    *ret = xml_list(answer, "tasks", NULL);
    return *ret ? 0 : aws_no_memory(f);
}

int ecs_tag(struct aws_client *c, const struct aws_ctx *ctx, const char *arn, json_t *tags,
            struct fault *f)
{
    _cleanup_json_ json_t *request = json_pack("{s:s, s:O}", "resourceArn", arn, "tags", tags);

    if (!request)
        return aws_no_memory(f);
    return aws_call(c, &tag, ctx, request, NULL, f);
}

int ecs_untag(struct aws_client *c, const struct aws_ctx *ctx, const char *arn, json_t *keys,
              struct fault *f)
{
    _cleanup_json_ json_t *request = json_pack("{s:s, s:O}", "resourceArn", arn, "tagKeys", keys);

    if (!request)
        return aws_no_memory(f);
    return aws_call(c, &untag, ctx, request, NULL, f);
}

int ecs_list_tags(struct aws_client *c, const struct aws_ctx *ctx, const char *arn, json_t **ret,
                  struct fault *f)
{
    _cleanup_json_ json_t *request = json_pack("{s:s}", "resourceArn", arn), *answer = NULL;

    if (!request)
        return aws_no_memory(f);
    int r = aws_call(c, &list_tags, ctx, request, &answer, f);
    return r < 0 ? r : aws_tags_object(json_object_get(answer, "tags"), &list_tags, ret, f);
}
