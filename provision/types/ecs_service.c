/*
 * AWS::ECS::Service. Identity: cluster and name. States of ECS: ACTIVE → (DeleteService) → DRAINING
 * → INACTIVE; the name is blocked while ACTIVE or DRAINING, INACTIVE stays describable and counts
 * as absent.
 *
 * Usable is it when its tasks run and its deployment is COMPLETED. The look keeps what settle needs
 * in attributes of our own
 * ("svcfs:…", never a blueprint's), because counts that are read twice are two different answers.
 * ECS's events are told as they appear; which one was the last is this process's memory, so that a
 * look of another run does not tell them again.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "awsapi/ecs.h"
#include "base/str.h"
#include "provision/types/common.h"

enum { SERVICE_NAME_MAX = 255, SHORT_MAX = 48, BACKLOG_S = 3600 };

static const struct property properties[] = {
    {"Cluster", PROPERTY_STRING, NULL, true},
    {"ServiceName", PROPERTY_STRING, NULL, false},
    {"TaskDefinition", PROPERTY_STRING, NULL, true},
    {"DesiredCount", PROPERTY_INTEGER, NULL, false},
    {"LaunchType", PROPERTY_STRING, NULL, false},
    {"PlatformVersion", PROPERTY_STRING, NULL, false},
    {"SchedulingStrategy", PROPERTY_STRING, NULL, false},
    {"PropagateTags", PROPERTY_STRING, NULL, false},
    {"EnableECSManagedTags", PROPERTY_BOOLEAN, NULL, false},
    {"EnableExecuteCommand", PROPERTY_BOOLEAN, NULL, false},
    {"HealthCheckGracePeriodSeconds", PROPERTY_INTEGER, NULL, false},
    {"AvailabilityZoneRebalancing", PROPERTY_STRING, NULL, false},
    {"CapacityProviderStrategy[].Base", PROPERTY_INTEGER, NULL, false},
    {"CapacityProviderStrategy[].CapacityProvider", PROPERTY_STRING, NULL, true},
    {"CapacityProviderStrategy[].Weight", PROPERTY_INTEGER, NULL, false},
    {"DeploymentConfiguration.MaximumPercent", PROPERTY_INTEGER, NULL, false},
    {"DeploymentConfiguration.MinimumHealthyPercent", PROPERTY_INTEGER, NULL, false},
    {"DeploymentConfiguration.DeploymentCircuitBreaker.Enable", PROPERTY_BOOLEAN, NULL, true},
    {"DeploymentConfiguration.DeploymentCircuitBreaker.Rollback", PROPERTY_BOOLEAN, NULL, true},
    {"LoadBalancers[].ContainerName", PROPERTY_STRING, NULL, true},
    {"LoadBalancers[].ContainerPort", PROPERTY_INTEGER, NULL, true},
    {"LoadBalancers[].TargetGroupArn", PROPERTY_STRING, NULL, true},
    {"NetworkConfiguration.AwsvpcConfiguration.Subnets", PROPERTY_LIST, NULL, true},
    {"NetworkConfiguration.AwsvpcConfiguration.SecurityGroups", PROPERTY_LIST, NULL, false},
    {"NetworkConfiguration.AwsvpcConfiguration.AssignPublicIp", PROPERTY_STRING, NULL, false},
    {"PlacementConstraints[].Type", PROPERTY_STRING, NULL, true},
    {"PlacementConstraints[].Expression", PROPERTY_STRING, NULL, false},
    {"PlacementStrategies", PROPERTY_LIST, "placementStrategy", false},
    {"PlacementStrategies[].Type", PROPERTY_STRING, NULL, true},
    {"PlacementStrategies[].Field", PROPERTY_STRING, NULL, false},
    {"ServiceRegistries[].RegistryArn", PROPERTY_STRING, NULL, true},
    {"ServiceRegistries[].Port", PROPERTY_INTEGER, NULL, false},
    {"ServiceRegistries[].ContainerName", PROPERTY_STRING, NULL, false},
    {"ServiceRegistries[].ContainerPort", PROPERTY_INTEGER, NULL, false},
    {"Tags[].Key", PROPERTY_STRING, NULL, true},
    {"Tags[].Value", PROPERTY_STRING, NULL, true},
    {NULL, PROPERTY_STRING, NULL, false},
};

static const char *const attributes[] = {"ServiceArn", "Name", NULL};

#define DESIRED "svcfs:desired"
#define RUNNING "svcfs:running"
#define ROLLOUT "svcfs:rollout"
#define REASON "svcfs:reason"
#define STRATEGY "svcfs:strategy"
#define FAILED_TASKS "svcfs:failed"

static int service_identity(const struct step_ctx *s, json_t *props, json_t **ret, struct fault *f)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    char name[SERVICE_NAME_MAX + 1];
    const char *given, *cluster;

    int r = type_plain(props, "ServiceName", &given, f);
    if (r == 0)
        r = type_plain_required(props, "Cluster", &cluster, f);
    if (r < 0)
        return r;
    if (given)
        r = str_format(name, sizeof(name), "%s", given);
    else
        r = naming_default(s->service_id, s->token, 64, name);
    size_t n = r < 0 ? 0 : strlen(name);
    if (n == 0 || strspn(name, allowed) != n)
        return fault_set(f, -EINVAL, "ServiceName: 1 to %d letters, digits, _ and -",
                         SERVICE_NAME_MAX);
    return type_identity(ret, f, "c", cluster, "n", name, NULL);
}

/* --- looking --- */

/* How many of the events, newest first, have not been told yet: those before the last one told, or,
 * where this process has told none, those of the last while. */
static size_t count_new(struct step_ctx *s, json_t *events, const char *last)
{
    double since = (double)(s->clock->wall_ms(s->clock) / 1000) - BACKLOG_S;
    size_t i;
    json_t *e;

    json_array_foreach(events, i, e)
    {
        const char *id = type_text(e, "id");
        json_t *at = json_object_get(e, "createdAt");
        if (last && id ? streq(id, last) : json_is_number(at) && json_number_value(at) < since)
            return i;
    }
    return json_array_size(events);
}

/* Tells ECS's new events, oldest first; ECS gives the newest first, at most 100. */
static void tell_events(struct step_ctx *s, json_t *service)
{
    json_t *events = json_object_get(service, "events");
    const char *newest = type_text(json_array_get(events, 0), "id");
    char last[128];
    bool told = type_hint_get(s->token, last, sizeof(last));

    if (!newest || !s->event)
        return;
    for (size_t n = count_new(s, events, told ? last : NULL); n-- > 0;) {
        const char *text = type_text(json_array_get(events, n), "message");
        if (text)
            s->event(s, "ecs", type_id(s, "n"), text);
    }
    type_hint_put(s->token, newest);
}

static json_t *primary_deployment(json_t *service)
{
    size_t i;
    json_t *d;

    json_array_foreach(json_object_get(service, "deployments"), i, d)
    {
        const char *status = type_text(d, "status");
        if (status && streq(status, "PRIMARY"))
            return d;
    }
    return NULL;
}

static int set_number(struct step_state *st, const char *name, json_int_t n)
{
    char text[24];

    snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, n);
    return type_attribute(st, name, text);
}

static int set_attributes(json_t *d, struct step_state *st)
{
    json_t *deployment = primary_deployment(d);
    json_int_t desired = type_number(d, "desiredCount", 0),
               running = type_number(d, "runningCount", 0);

    st->degraded = running < desired;
    if (type_attribute(st, "ServiceArn", type_text(d, "serviceArn")) < 0 ||
        type_attribute(st, "Name", type_text(d, "serviceName")) < 0 ||
        set_number(st, DESIRED, desired) < 0 || set_number(st, RUNNING, running) < 0 ||
        set_number(st, FAILED_TASKS, type_number(deployment, "failedTasks", 0)) < 0 ||
        type_attribute(st, STRATEGY, type_text(d, "schedulingStrategy")) < 0 ||
        type_attribute(st, ROLLOUT, type_text(deployment, "rolloutState")) < 0)
        return -ENOMEM;
    return type_attribute(st, REASON, type_text(deployment, "rolloutStateReason"));
}

static int service_look(struct step_ctx *s, struct step_state *ret, struct fault *f)
{
    _cleanup_json_ json_t *d = NULL;
    char short_id[SHORT_MAX + 1];

    int r = ecs_describe_service(s->aws, s->call, type_id(s, "c"), type_id(s, "n"), &d, f);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return r;
    const char *arn = type_text(d, "serviceArn"), *status = type_text(d, "status");
    if (!status || streq(status, "INACTIVE"))
        return 0;
    str_format(short_id, sizeof(short_id), "%s", type_id(s, "n"));
    r = type_set_ids(ret, arn, short_id, arn, f);
    if (r < 0)
        return r;
    if (!type_claimed(s, json_object_get(d, "tags"), "key", "value")) {
        ret->found = FOUND_STRANGER;
        type_detail(ret, "ECS service %s (%s)", arn, status);
        return 0;
    }
    ret->found = streq(status, "DRAINING") ? FOUND_GOING : FOUND_OURS;
    if (set_attributes(d, ret) < 0)
        return type_no_memory(f);
    tell_events(s, d);
    return 0;
}

/* --- making --- */

static int service_create(struct step_ctx *s, json_t *props, struct fault *f)
{
    _cleanup_json_ json_t *request = NULL;

    int r = property_convert(properties, PROPERTY_LOWER_FIRST, props, &request, f);
    if (r < 0)
        return r;
    json_t *tags = type_tags(s, json_object_get(props, "Tags"), "key", "value");
    if (json_object_set_new(request, "tags", tags) < 0 ||
        json_object_set_new(request, "serviceName", json_string(type_id(s, "n"))) < 0 ||
        json_object_set_new(request, "cluster", json_string(type_id(s, "c"))) < 0 ||
        json_object_set_new(request, "clientToken", json_string(s->token)) < 0)
        return type_no_memory(f);
    return ecs_create_service(s->aws, s->call, request, f);
}

/* Why a task stopped: its own reason, and that of its container. */
static void task_reason(json_t *task, char *out, size_t size)
{
    const char *why = type_text(task, "stoppedReason");
    size_t i;
    json_t *c;

    str_format(out, size, "%s", why ? why : "stopped");
    json_array_foreach(json_object_get(task, "containers"), i, c)
    {
        const char *name = type_text(c, "name"), *reason = type_text(c, "reason");
        json_t *code = json_object_get(c, "exitCode");
        size_t n = strlen(out);
        if (!reason && (!code || json_integer_value(code) == 0))
            continue;
        str_format(out + n, size - n, "; container %s%s%s", name ? name : "", reason ? ": " : "",
                   reason ? reason : "");
        n = strlen(out);
        if (code)
            str_format(out + n, size - n, ", exit code %d", (int)json_integer_value(code));
    }
}

/* f, with what AWS says about the tasks that stopped: best effort, what is wrong is known without
 * it. Gives err. */
static int tell_why(struct step_ctx *s, const struct step_state *st, int err, const char *what,
                    struct fault *f)
{
    _cleanup_json_ json_t *tasks = NULL;
    const char *reason = type_attribute_of(st, REASON);
    char why[360] = "";

    if (ecs_stopped_tasks(s->aws, s->call, type_id(s, "c"), type_id(s, "n"), &tasks, NULL) == 0 &&
        json_array_size(tasks) > 0)
        task_reason(json_array_get(tasks, 0), why, sizeof(why));
    fault_set(f, err, "%s%s%s%s%s", what, *why ? ": task: " : "", why, reason ? ": " : "",
              reason ? reason : "");
    if (f) {
        str_format(f->call, sizeof(f->call), "ecs:DescribeServices");
        str_format(f->code, sizeof(f->code), "%s", err == -EIO ? "FAILED" : "");
    }
    return err;
}

/* What is waited for, should the time run out. Tasks are asked about only where some have failed.
 */
static int not_yet(struct step_ctx *s, const struct step_state *st, json_int_t running,
                   json_int_t desired, struct fault *f)
{
    char what[80];

    snprintf(what, sizeof(what),
             "%" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT
             " tasks run, the deployment is not complete",
             running, desired);
    if (type_number(st->attributes, FAILED_TASKS, 0) > 0)
        tell_why(s, st, -ETIMEDOUT, what, f);
    else
        fault_set(f, -ETIMEDOUT, "%s", what);
    return 1;
}

static int service_settle(struct step_ctx *s, json_t *props _unused_, struct step_state *st,
                          struct fault *f)
{
    const char *rollout = type_attribute_of(st, ROLLOUT);
    json_int_t desired = type_number(st->attributes, DESIRED, 0);
    json_int_t running = type_number(st->attributes, RUNNING, 0);

    if (rollout && streq(rollout, "FAILED"))
        return tell_why(s, st, -EIO, "the deployment failed", f);
    /* Deployments that are not ECS's own (CODE_DEPLOY, EXTERNAL) have no rollout state. */
    if (running >= desired && (!rollout || streq(rollout, "COMPLETED")))
        return 0;
    return not_yet(s, st, running, desired, f);
}

/* --- removing --- */

static int service_pause(struct step_ctx *s, const struct step_state *st, struct fault *f)
{
    const char *strategy = type_attribute_of(st, STRATEGY);

    if ((strategy && streq(strategy, "DAEMON")) || type_number(st->attributes, DESIRED, 1) == 0)
        return 0;
    return ecs_set_desired_count(s->aws, s->call, type_id(s, "c"), type_id(s, "n"), 0, f);
}

static int service_remove(struct step_ctx *s, const struct step_state *st, struct fault *f)
{
    int r = service_pause(s, st, f);

    return r < 0 ? r : ecs_delete_service(s->aws, s->call, type_id(s, "c"), type_id(s, "n"), f);
}

static int service_retag(struct step_ctx *s, const struct step_state *st, json_t *set,
                         json_t *unset, struct fault *f)
{
    _cleanup_json_ json_t *tags = type_tag_list(set, "key", "value");

    if (!tags)
        return type_no_memory(f);
    int r = ecs_tag(s->aws, s->call, st->physical, tags, f);
    return r < 0 ? r : ecs_untag(s->aws, s->call, st->physical, unset, f);
}

const struct resource_type type_ecs_service = {
    .name = "AWS::ECS::Service",
    .code = "svc",
    .properties = properties,
    .attributes = attributes,
    .short_id_max = SHORT_MAX,
    .identity = service_identity,
    .look = service_look,
    .create = service_create,
    .settle = service_settle,
    .remove = service_remove,
    .pause = service_pause,
    .retag = service_retag,
};
