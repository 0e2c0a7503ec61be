/* A table of resource types for tests of what is pure: no AWS behind them. Linked instead of
 * provision/types.c. */
#include "tests/unit/fake_types.h"

#include <errno.h>

#include "base/str.h"

static const struct property thing_properties[] = {
    {"Name", PROPERTY_STRING, NULL, false},
    {"Size", PROPERTY_INTEGER, "theSize", false},
    {"Encrypted", PROPERTY_BOOLEAN, NULL, false},
    {"Subnets", PROPERTY_LIST, NULL, false},
    {"Parent", PROPERTY_STRING, NULL, false},
    {"Labels", PROPERTY_MAP, NULL, false},
    {"Policy", PROPERTY_JSON, NULL, false},
    {"Rules[].Port", PROPERTY_INTEGER, NULL, true},
    {"Rules[].Peer", PROPERTY_STRING, NULL, false},
    {"Rules[].Ids[]", PROPERTY_INTEGER, NULL, false},
    {"Box.Inner.Deep", PROPERTY_STRING, NULL, true},
    {"Box.IAM", PROPERTY_STRING, "iam", false},
    {"Tags[].Key", PROPERTY_STRING, NULL, true},
    {"Tags[].Value", PROPERTY_STRING, NULL, true},
    {NULL, PROPERTY_STRING, NULL, false},
};
static const char *const thing_attributes[] = {"Arn", "Host", NULL};

static const struct property rule_properties[] = {
    {"Host", PROPERTY_STRING, NULL, true},
    {"Target", PROPERTY_STRING, NULL, true},
    {NULL, PROPERTY_STRING, NULL, false},
};
static const char *const no_attributes[] = {NULL};

const struct property *fake_thing_properties(void)
{
    return thing_properties;
}

/* Identity: the name, else the default one. */
static int thing_identity(const struct step_ctx *s, json_t *properties, json_t **ret,
                          struct fault *f)
{
    json_t *given = json_object_get(properties, "Name");
    char name[65];

    if (given && !json_is_string(given))
        return fault_set(f, -EINVAL, "Name: must be known before anything is made");
    if (naming_default(s->service_id, s->token, 64, name) < 0)
        return -EINVAL;
    *ret = json_pack("{s:s}", "n", given ? json_string_value(given) : name);
    return *ret ? 0 : -ENOMEM;
}

static int thing_check(const struct step_ctx *s _unused_, json_t *properties, struct fault *f)
{
    if (json_integer_value(json_object_get(properties, "Size")) == 13)
        return fault_set(f, -EINVAL, "Size: 13 is not a size");
    return 0;
}

static int rule_identity(const struct step_ctx *s _unused_, json_t *properties, json_t **ret,
                         struct fault *f _unused_)
{
    const char *target =
        json_string_value(json_object_get(json_object_get(properties, "Target"), "Ref"));

    *ret = json_pack("{s:s+}", "t", "!", target ? target : "");
    return *ret ? 0 : -ENOMEM;
}

static int retag(struct step_ctx *s _unused_, const struct step_state *st _unused_,
                 json_t *set _unused_, json_t *unset _unused_, struct fault *f _unused_)
{
    return 0;
}

static const struct resource_type types[] = {
    {.name = "Custom::Thing",
     .code = "th",
     .properties = thing_properties,
     .attributes = thing_attributes,
     .short_id_max = 40,
     .identity = thing_identity,
     .check = thing_check,
     .retag = retag},
    {.name = "AWS::ElasticLoadBalancingV2::ListenerRule",
     .code = "rule",
     .properties = rule_properties,
     .attributes = no_attributes,
     .short_id_max = 40,
     .identity = rule_identity},
};

const struct resource_type *type_at(size_t i)
{
    return i < ARRAY_SIZE(types) ? &types[i] : NULL;
}

const struct resource_type *type_by_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (streq(types[i].name, name))
            return &types[i];
    return NULL;
}

const struct resource_type *type_by_code(const char *code)
{
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (streq(types[i].code, code))
            return &types[i];
    return NULL;
}
