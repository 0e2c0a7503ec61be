/*
 * Secrets Manager's calls. Answers with a secret in them are wiped before they are freed. Jansson
 * has no way to do that, so the strings' own memory is overwritten; nobody else holds a reference
 * to an answer.
 */
#include "awsapi/secretsmanager.h"

#include <errno.h>
#include <string.h>

#include "awsapi/page.h"

static const struct aws_action random_password = {
    AWS_SECRETSMANAGER, "GetRandomPassword", BUCKET_SECRETS_READ, false, NULL, NULL, NULL};
static const struct aws_action create = {
    AWS_SECRETSMANAGER, "CreateSecret", BUCKET_SECRETS_WRITE, true, NULL, NULL, NULL};
static const struct aws_action describe = {
    AWS_SECRETSMANAGER, "DescribeSecret", BUCKET_SECRETS_READ, false, NULL, NULL, NULL};
static const struct aws_action get_value = {
    AWS_SECRETSMANAGER, "GetSecretValue", BUCKET_SECRETS_READ, false, NULL, NULL, NULL};
static const struct aws_action delete = {
    AWS_SECRETSMANAGER, "DeleteSecret", BUCKET_SECRETS_WRITE, true, NULL, NULL, NULL};
static const struct aws_action tag = {
    AWS_SECRETSMANAGER, "TagResource", BUCKET_SECRETS_WRITE, true, NULL, NULL, NULL};
static const struct aws_action untag = {
    AWS_SECRETSMANAGER, "UntagResource", BUCKET_SECRETS_WRITE, true, NULL, NULL, NULL};

void secret_free(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

void secret_wipe(json_t *v)
{
    const char *key;
    json_t *e;
    size_t i;

    if (json_is_string(v)) {
        /* Jansson gives its own buffer, as const only because it is not to be grown. */
        char *text = (char *)(uintptr_t)json_string_value(v);
        explicit_bzero(text, json_string_length(v));
    }
    json_object_foreach(v, key, e) secret_wipe(e);
    json_array_foreach(v, i, e) secret_wipe(e);
}

static int call_for_secret(struct aws_client *c, const struct aws_action *a,
                           const struct aws_ctx *ctx, json_t *request, const char *member,
                           char **ret, struct fault *f)
{
    _cleanup_json_secret_ json_t *answer = NULL;

    int r = aws_call(c, a, ctx, request, &answer, f);
    if (r < 0)
        return r;
    const char *secret = json_string_value(json_object_get(answer, member));
    if (!secret)
        return fault_set(f, -EINVAL, "the answer to %s holds no %s", a->name, member);
    *ret = strdup(secret);
    return *ret ? 0 : aws_no_memory(f);
}

int secretsmanager_random_password(struct aws_client *c, const struct aws_ctx *ctx, json_t *request,
                                   char **ret, struct fault *f)
{
    return call_for_secret(c, &random_password, ctx, request, "RandomPassword", ret, f);
}

int secretsmanager_create(struct aws_client *c, const struct aws_ctx *ctx, json_t *request,
                          struct fault *f)
{
    return aws_call(c, &create, ctx, request, NULL, f);
}

int secretsmanager_describe(struct aws_client *c, const struct aws_ctx *ctx, const char *id,
                            json_t **ret, struct fault *f)
{
    _cleanup_json_ json_t *request = json_pack("{s:s}", "SecretId", id);

    if (!request)
        return aws_no_memory(f);
    return aws_call(c, &describe, ctx, request, ret, f);
}

int secretsmanager_get_value(struct aws_client *c, const struct aws_ctx *ctx, const char *id,
                             char **ret, struct fault *f)
{
    _cleanup_json_ json_t *request = json_pack("{s:s}", "SecretId", id);

    if (!request)
        return aws_no_memory(f);
    return call_for_secret(c, &get_value, ctx, request, "SecretString", ret, f);
}

int secretsmanager_force_delete(struct aws_client *c, const struct aws_ctx *ctx, const char *arn,
                                struct fault *f)
{
    _cleanup_json_ json_t *request =
        json_pack("{s:s, s:b}", "SecretId", arn, "ForceDeleteWithoutRecovery", 1);

    if (!request)
        return aws_no_memory(f);
    return aws_call(c, &delete, ctx, request, NULL, f);
}

int secretsmanager_tag(struct aws_client *c, const struct aws_ctx *ctx, const char *arn,
                       json_t *tags, struct fault *f)
{
    _cleanup_json_ json_t *request = json_pack("{s:s, s:O}", "SecretId", arn, "Tags", tags);

    if (!request)
        return aws_no_memory(f);
    return aws_call(c, &tag, ctx, request, NULL, f);
}

int secretsmanager_untag(struct aws_client *c, const struct aws_ctx *ctx, const char *arn,
                         json_t *keys, struct fault *f)
{
    _cleanup_json_ json_t *request = json_pack("{s:s, s:O}", "SecretId", arn, "TagKeys", keys);

    if (!request)
        return aws_no_memory(f);
    return aws_call(c, &untag, ctx, request, NULL, f);
}
