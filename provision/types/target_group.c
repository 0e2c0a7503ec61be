/*
 * AWS::ElasticLoadBalancingV2::TargetGroup. Identity: its name, unique in account and region.
 * CreateTargetGroup with a stranger's name and the same settings succeeds with the stranger's ARN,
 * so the answer of create is not even kept: the look finds it by name and reads the claim from its
 * tags. Attributes are a call of their own and are made to hold in settle.
 */
#include "provision/types/elbv2.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "awsapi/elbv2.h"
#include "base/str.h"

enum { TARGET_GROUP_NAME_MAX = 32 };

static const struct property properties[] = {
    {"Name", PROPERTY_STRING, NULL, false},
    {"Protocol", PROPERTY_STRING, NULL, false},
    {"ProtocolVersion", PROPERTY_STRING, NULL, false},
    {"Port", PROPERTY_INTEGER, NULL, false},
    {"VpcId", PROPERTY_STRING, NULL, false},
    {"TargetType", PROPERTY_STRING, NULL, false},
    {"IpAddressType", PROPERTY_STRING, NULL, false},
    {"HealthCheckEnabled", PROPERTY_BOOLEAN, NULL, false},
    {"HealthCheckIntervalSeconds", PROPERTY_INTEGER, NULL, false},
    {"HealthCheckPath", PROPERTY_STRING, NULL, false},
    {"HealthCheckPort", PROPERTY_STRING, NULL, false},
    {"HealthCheckProtocol", PROPERTY_STRING, NULL, false},
    {"HealthCheckTimeoutSeconds", PROPERTY_INTEGER, NULL, false},
    {"HealthyThresholdCount", PROPERTY_INTEGER, NULL, false},
    {"UnhealthyThresholdCount", PROPERTY_INTEGER, NULL, false},
    {"Matcher.HttpCode", PROPERTY_STRING, NULL, false},
    {"Matcher.GrpcCode", PROPERTY_STRING, NULL, false},
    {"TargetGroupAttributes[].Key", PROPERTY_STRING, NULL, true},
    {"TargetGroupAttributes[].Value", PROPERTY_STRING, NULL, true},
    {"Tags[].Key", PROPERTY_STRING, NULL, true},
    {"Tags[].Value", PROPERTY_STRING, NULL, true},
    {NULL, PROPERTY_STRING, NULL, false},
};

static const char *const attributes[] = {"TargetGroupArn", "TargetGroupName", "TargetGroupFullName",
                                         "LoadBalancerArns", NULL};

const char *elbv2_arn_tail(const char *arn)
{
    const char *slash = arn ? strrchr(arn, '/') : NULL;

    return slash ? slash + 1 : "";
}

int elbv2_retag(struct step_ctx *s, const struct step_state *st, json_t *set, json_t *unset,
                struct fault *f)
{
    _cleanup_json_ json_t *tags = type_tag_list(set, "Key", "Value");

    if (!tags)
        return type_no_memory(f);
    int r = elbv2_add_tags(s->aws, s->call, st->physical, tags, f);
    return r < 0 ? r : elbv2_remove_tags(s->aws, s->call, st->physical, unset, f);
}

static int target_group_identity(const struct step_ctx *s, json_t *props, json_t **ret,
                                 struct fault *f)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-";
    char name[TARGET_GROUP_NAME_MAX + 1];
    const char *given;

    int r = type_plain(props, "Name", &given, f);
    if (r < 0)
        return r;
    if (given)
        r = str_format(name, sizeof(name), "%s", given);
    else
        r = naming_default(s->service_id, s->token, TARGET_GROUP_NAME_MAX, name);
    size_t n = r < 0 ? 0 : strlen(name);
    if (n == 0 || strspn(name, allowed) != n || name[0] == '-' || name[n - 1] == '-')
        return fault_set(f, -EINVAL, "Name: 1 to %d letters, digits and hyphens, none at the ends",
                         TARGET_GROUP_NAME_MAX);
    return type_identity(ret, f, "n", name, NULL);
}

/* The list as one text, joined by commas, as Fn::GetAtt's value must be one here. */
static int set_load_balancers(struct step_state *st, json_t *d)
{
    _cleanup_json_ json_t *arns = type_list(d, "LoadBalancerArns");
    _cleanup_buf_ struct buf text = BUF_INIT(8192);
    size_t i;
    json_t *arn;

    json_array_foreach(arns, i, arn) if (json_is_string(arn) &&
                                         buf_printf(&text, "%s%s", text.len ? "," : "",
                                                    json_string_value(arn)) < 0) return -ENOMEM;
    return type_attribute(st, "LoadBalancerArns", buf_str(&text));
}

static int target_group_look(struct step_ctx *s, struct step_state *ret, struct fault *f)
{
    _cleanup_json_ json_t *d = NULL, *tags = NULL;

    int r = elbv2_describe_target_group(s->aws, s->call, type_id(s, "n"), NULL, &d, f);
    if (r == 0 && type_text(d, "TargetGroupArn"))
        r = elbv2_describe_tags(s->aws, s->call, type_text(d, "TargetGroupArn"), &tags, f);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return r;
    const char *arn = type_text(d, "TargetGroupArn");
    r = type_set_ids(ret, arn, elbv2_arn_tail(arn), arn, f);
    if (r < 0)
        return r;
    ret->found = type_claimed(s, tags, "Key", "Value") ? FOUND_OURS : FOUND_STRANGER;
    if (ret->found == FOUND_STRANGER)
        type_detail(ret, "target group %s", arn);
    const char *full = strstr(arn, "targetgroup/");
    if (type_attribute(ret, "TargetGroupArn", arn) < 0 ||
        type_attribute(ret, "TargetGroupName", type_text(d, "TargetGroupName")) < 0 ||
        type_attribute(ret, "TargetGroupFullName", full) < 0 || set_load_balancers(ret, d) < 0)
        return type_no_memory(f);
    return 0;
}

static int target_group_create(struct step_ctx *s, json_t *props, struct fault *f)
{
    _cleanup_json_ json_t *request = NULL;
    _cleanup_free_ char *arn = NULL;

    int r = property_convert(properties, PROPERTY_AS_IS, props, &request, f);
    if (r < 0)
        return r;
    json_object_del(request, "TargetGroupAttributes");
    json_t *tags = type_tags(s, json_object_get(props, "Tags"), "Key", "Value");
    if (json_object_set_new(request, "Tags", tags) < 0 ||
        json_object_set_new(request, "Name", json_string(type_id(s, "n"))) < 0)
        return type_no_memory(f);
    return elbv2_create_target_group(s->aws, s->call, request, &arn, f);
}

/* Those of wanted that the target group does not have so. */
static json_t *missing_attributes(json_t *wanted, json_t *have)
{
    json_t *missing = json_array(), *w;
    size_t i;

    json_array_foreach(wanted, i, w)
    {
        const char *value = type_text(w, "Value");
        const char *now = type_tag(have, "Key", "Value", type_text(w, "Key"));
        if (!now || !value || !streq(now, value))
            json_array_append(missing, w);
    }
    return missing;
}

static int target_group_settle(struct step_ctx *s, json_t *props, struct step_state *st,
                               struct fault *f)
{
    _cleanup_json_ json_t *request = NULL, *have = NULL, *missing = NULL;

    if (json_array_size(json_object_get(props, "TargetGroupAttributes")) == 0)
        return 0;
    int r = property_convert(properties, PROPERTY_AS_IS, props, &request, f);
    if (r == 0)
        r = elbv2_describe_target_group_attributes(s->aws, s->call, st->physical, &have, f);
    if (r < 0)
        return r == -ENOENT ? 1 : r; /* not known everywhere yet */
    missing = missing_attributes(json_object_get(request, "TargetGroupAttributes"), have);
    if (!missing)
        return type_no_memory(f);
    if (json_array_size(missing) == 0)
        return 0;
    r = elbv2_modify_target_group_attributes(s->aws, s->call, st->physical, missing, f);
    return r == -ENOENT ? 1 : r;
}

static int target_group_remove(struct step_ctx *s, const struct step_state *st, struct fault *f)
{
    return elbv2_delete_target_group(s->aws, s->call, st->physical, f);
}

const struct resource_type type_target_group = {
    .name = "AWS::ElasticLoadBalancingV2::TargetGroup",
    .code = "tg",
    .properties = properties,
    .attributes = attributes,
    .short_id_max = 16,
    .identity = target_group_identity,
    .look = target_group_look,
    .create = target_group_create,
    .settle = target_group_settle,
    .remove = target_group_remove,
    .retag = elbv2_retag,
};
