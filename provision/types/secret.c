/*
 * AWS::SecretsManager::Secret. Identity: its name; the claim is in DescribeSecret's tags, and it is
 * deleted by its full ARN, so that a namesake made in between stays.
 *
 * A name outlives its secret: while AWS works off a deletion, creating answers
 * InvalidRequestException. Where the remains are svcfs's own (an earlier life of the id), that
 * passes and is worth waiting for; somebody else's secret in its recovery window does not pass for
 * days, and is "exists".
 *
 * The password is made by GetRandomPassword and put into SecretStringTemplate here, as
 * CloudFormation does; every copy this file makes is wiped.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "awsapi/secretsmanager.h"
#include "base/str.h"
#include "provision/types/common.h"

enum { SUFFIX = 6, NAME_MAX_LENGTH = 512 };

static const struct property properties[] = {
    {"Name", PROPERTY_STRING, NULL, false},
    {"Description", PROPERTY_STRING, NULL, false},
    {"KmsKeyId", PROPERTY_STRING, NULL, false},
    {"GenerateSecretString", PROPERTY_OBJECT, NULL, true},
    {"GenerateSecretString.SecretStringTemplate", PROPERTY_STRING, NULL, false},
    {"GenerateSecretString.GenerateStringKey", PROPERTY_STRING, NULL, false},
    {"GenerateSecretString.PasswordLength", PROPERTY_INTEGER, NULL, false},
    {"GenerateSecretString.ExcludeCharacters", PROPERTY_STRING, NULL, false},
    {"GenerateSecretString.ExcludeLowercase", PROPERTY_BOOLEAN, NULL, false},
    {"GenerateSecretString.ExcludeUppercase", PROPERTY_BOOLEAN, NULL, false},
    {"GenerateSecretString.ExcludeNumbers", PROPERTY_BOOLEAN, NULL, false},
    {"GenerateSecretString.ExcludePunctuation", PROPERTY_BOOLEAN, NULL, false},
    {"GenerateSecretString.IncludeSpace", PROPERTY_BOOLEAN, NULL, false},
    {"GenerateSecretString.RequireEachIncludedType", PROPERTY_BOOLEAN, NULL, false},
    {"Tags[].Key", PROPERTY_STRING, NULL, true},
    {"Tags[].Value", PROPERTY_STRING, NULL, true},
    {NULL, PROPERTY_STRING, NULL, false},
};

static const char *const attributes[] = {"Id", NULL};

static int secret_identity(const struct step_ctx *s, json_t *props, json_t **ret, struct fault *f)
{
    char name[NAME_MAX_LENGTH + 1];
    const char *given;

    int r = type_plain(props, "Name", &given, f);
    if (r < 0)
        return r;
    if (given)
        r = str_format(name, sizeof(name), "%s", given);
    else
        r = naming_secret(s->family, s->service_id, s->logical, name, sizeof(name));
    if (r < 0 || !*name)
        return fault_set(f, -EINVAL, "Name: 1 to %d characters", NAME_MAX_LENGTH);
    return type_identity(ret, f, "n", name, NULL);
}

static int secret_check(const struct step_ctx *s _unused_, json_t *props, struct fault *f)
{
    json_t *g = json_object_get(props, "GenerateSecretString");
    const char *template = type_text(g, "SecretStringTemplate");

    if (!json_object_get(g, "SecretStringTemplate") != !json_object_get(g, "GenerateStringKey"))
        return fault_set(f, -EINVAL,
                         "GenerateSecretString: SecretStringTemplate and "
                         "GenerateStringKey only go together");
    if (!template)
        return 0;
    _cleanup_json_ json_t *parsed = json_loads(template, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(parsed))
        return fault_set(f, -EINVAL,
                         "GenerateSecretString.SecretStringTemplate: must be a JSON object");
    return 0;
}

static int secret_look(struct step_ctx *s, struct step_state *ret, struct fault *f)
{
    _cleanup_json_ json_t *d = NULL;

    int r = secretsmanager_describe(s->aws, s->call, type_id(s, "n"), &d, f);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return r;
    const char *name = type_text(d, "Name"), *arn = type_text(d, "ARN");
    json_t *deleted = json_object_get(d, "DeletedDate");
    if ((deleted && !json_is_null(deleted)) || !name || !streq(name, type_id(s, "n")))
        return 0;
    size_t n = arn ? strlen(arn) : 0;
    r = type_set_ids(ret, arn, n > SUFFIX ? arn + n - SUFFIX : "", arn, f);
    if (r < 0)
        return r;
    ret->found =
        type_claimed(s, json_object_get(d, "Tags"), "Key", "Value") ? FOUND_OURS : FOUND_STRANGER;
    if (ret->found == FOUND_STRANGER)
        type_detail(ret, "secret %s", arn);
    return type_attribute(ret, "Id", arn) < 0 ? type_no_memory(f) : 0;
}

/* The template with the password in it; *ret is wiped by the caller. */
static int fill_template(const char *template, const char *key, const char *password, char **ret,
                         struct fault *f)
{
    _cleanup_json_secret_ json_t *o = json_loads(template, 0, NULL);

    if (!json_is_object(o))
        return fault_set(f, -EINVAL,
                         "GenerateSecretString.SecretStringTemplate: must be a JSON object");
    if (json_object_set_new(o, key, json_string(password)) < 0)
        return type_no_memory(f);
    *ret = json_dumps(o, JSON_COMPACT);
    return *ret ? 0 : type_no_memory(f);
}

static int generate(struct step_ctx *s, json_t *how, char **ret, struct fault *f)
{
    _cleanup_json_ json_t *request = json_copy(how);
    _cleanup_secret_ char *password = NULL;
    const char *template = type_text(how, "SecretStringTemplate");
    const char *key = type_text(how, "GenerateStringKey");

    if (!request)
        return type_no_memory(f);
    json_object_del(request, "SecretStringTemplate");
    json_object_del(request, "GenerateStringKey");
    int r = secretsmanager_random_password(s->aws, s->call, request, &password, f);
    if (r < 0)
        return r;
    if (template && key)
        return fill_template(template, key, password, ret, f);
    *ret = steal_ptr(password);
    return 0;
}

/* The name is blocked by a secret that is on its way out. */
static int blocked_name(struct step_ctx *s, struct fault *f)
{
    const char *name = type_id(s, "n");
    _cleanup_json_ json_t *d = NULL;

    int r = secretsmanager_describe(s->aws, s->call, name, &d, NULL);
    json_t *tags = json_object_get(d, "Tags");
    const char *mode = type_tag(tags, "Key", "Value", TAG_MODE);
    bool own = mode && streq(mode, MODE_AUTOMATIC) && type_tag(tags, "Key", "Value", TAG_CLAIM);
    if (r == -ENOENT || own)
        return fault_prefix(f, -EAGAIN, "the name %s is still held by a deletion", name);
    fault_prefix(f, -EEXIST, "exists, not ours: secret %s is scheduled for deletion", name);
    if (f)
        str_format(f->next, sizeof(f->next),
                   "restore or finally delete that secret, or rmdir this service");
    return -EEXIST;
}

static int secret_create(struct step_ctx *s, json_t *props, struct fault *f)
{
    _cleanup_json_secret_ json_t *request = NULL;
    _cleanup_secret_ char *value = NULL;
    struct fault own = FAULT_INIT;

    int r = property_convert(properties, PROPERTY_AS_IS, props, &request, f);
    if (r < 0)
        return r;
    r = generate(s, json_object_get(request, "GenerateSecretString"), &value, f);
    if (r < 0)
        return r;
    json_t *tags = type_tags(s, json_object_get(props, "Tags"), "Key", "Value");
    json_object_del(request, "GenerateSecretString");
    if (json_object_set_new(request, "Tags", tags) < 0 ||
        json_object_set_new(request, "Name", json_string(type_id(s, "n"))) < 0 ||
        json_object_set_new(request, "ClientRequestToken", json_string(s->token)) < 0 ||
        json_object_set_new(request, "SecretString", json_string(value)) < 0)
        return type_no_memory(f);
    r = secretsmanager_create(s->aws, s->call, request, &own);
    if (r == 0)
        return 0;
    if (streq(own.code, "InvalidRequestException") && !own.unclear)
        blocked_name(s, &own);
    return fault_copy(f, &own);
}

static int secret_remove(struct step_ctx *s, const struct step_state *st, struct fault *f)
{
    return secretsmanager_force_delete(s->aws, s->call, st->physical, f);
}

static int secret_retag(struct step_ctx *s, const struct step_state *st, json_t *set, json_t *unset,
                        struct fault *f)
{
    _cleanup_json_ json_t *tags = type_tag_list(set, "Key", "Value");

    if (!tags)
        return type_no_memory(f);
    int r = secretsmanager_tag(s->aws, s->call, st->physical, tags, f);
    return r < 0 ? r : secretsmanager_untag(s->aws, s->call, st->physical, unset, f);
}

const struct resource_type type_secret = {
    .name = "AWS::SecretsManager::Secret",
    .code = "secret",
    .properties = properties,
    .attributes = attributes,
    .short_id_max = SUFFIX,
    .identity = secret_identity,
    .check = secret_check,
    .look = secret_look,
    .create = secret_create,
    .remove = secret_remove,
    .retag = secret_retag,
};
