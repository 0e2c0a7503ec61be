/*
 * Two resource types of fake_ssm's account, linked instead of provision/types.c: a Box, and a Pin
 * that needs a Box. They speak through the daemon's own client, so that whatever becomes of a
 * daemon becomes of them.
 */
#include <errno.h>

#include "awsapi/client.h"
#include "base/str.h"
#include "provision/type.h"

static const struct aws_action create = {
    .service = AWS_SSM, .name = "FakeCreate", .bucket = BUCKET_EFS_WRITE, .write = true};
static const struct aws_action delete = {
    .service = AWS_SSM, .name = "FakeDelete", .bucket = BUCKET_EFS_WRITE, .write = true};
static const struct aws_action get = {
    .service = AWS_SSM, .name = "FakeGet", .bucket = BUCKET_EFS_READ};

static const struct property box_properties[] = {
    {"Name", PROPERTY_STRING, NULL, false},
    {NULL, PROPERTY_STRING, NULL, false},
};
static const struct property pin_properties[] = {
    {"Name", PROPERTY_STRING, NULL, false},
    {"Box", PROPERTY_STRING, NULL, true},
    {NULL, PROPERTY_STRING, NULL, false},
};
static const char *const attributes[] = {NULL};

/* The name is the blueprint's, or ID-LOGICAL: tests know it beforehand. */
static int identity(const struct step_ctx *s, json_t *properties, json_t **ret,
                    _unused_ struct fault *f)
{
    const char *given = json_string_value(json_object_get(properties, "Name"));
    _cleanup_free_ char *name =
        given ? strdup(given) : str_printf("%s-%s", s->service_id, s->logical);

    *ret = name ? json_pack("{s:s}", "n", name) : NULL;
    return *ret ? 0 : -ENOMEM;
}

static const char *name_of(struct step_ctx *s)
{
    return json_string_value(json_object_get(s->identity, "n"));
}

static json_t *request_of(struct step_ctx *s)
{
    return json_pack("{s:s, s:s, s:s}", "Name", name_of(s), "Claim", s->claim, "Id", s->service_id);
}

static int look(struct step_ctx *s, struct step_state *ret, struct fault *f)
{
    _cleanup_json_ json_t *request = request_of(s), *found = NULL;
    int r = aws_call(s->aws, &get, s->call, request, &found, f);

    if (r < 0)
        return r;
    const char *claim = json_string_value(json_object_get(found, "Claim"));
    *ret = (struct step_state){.found = !claim                   ? FOUND_ABSENT
                                        : streq(claim, s->claim) ? FOUND_OURS
                                                                 : FOUND_STRANGER};
    ret->degraded = claim && !json_is_true(json_object_get(found, "Usable"));
    snprintf(ret->physical, sizeof(ret->physical), "%s", name_of(s));
    snprintf(ret->short_id, sizeof(ret->short_id), "%s", name_of(s));
    snprintf(ret->detail, sizeof(ret->detail), "a thing named %s", name_of(s));
    return 0;
}

static int make(struct step_ctx *s, _unused_ json_t *properties, struct fault *f)
{
    _cleanup_json_ json_t *request = request_of(s);

    return aws_call(s->aws, &create, s->call, request, NULL, f);
}

static int settle(_unused_ struct step_ctx *s, _unused_ json_t *properties, struct step_state *st,
                  struct fault *f)
{
    if (!st->degraded)
        return 0;
    fault_set(f, -ETIMEDOUT, "it is not usable yet");
    return 1;
}

static int take_away(struct step_ctx *s, _unused_ const struct step_state *st, struct fault *f)
{
    _cleanup_json_ json_t *request = request_of(s);

    return aws_call(s->aws, &delete, s->call, request, NULL, f);
}

static const struct resource_type types[] = {
    {.name = "Fake::Box",
     .code = "box",
     .properties = box_properties,
     .attributes = attributes,
     .short_id_max = 40,
     .identity = identity,
     .look = look,
     .create = make,
     .settle = settle,
     .remove = take_away},
    {.name = "Fake::Pin",
     .code = "pin",
     .properties = pin_properties,
     .attributes = attributes,
     .short_id_max = 40,
     .identity = identity,
     .look = look,
     .create = make,
     .settle = settle,
     .remove = take_away},
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
