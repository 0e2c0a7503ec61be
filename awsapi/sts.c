/* Who we are: one call, which needs no permission, and is how a mount finds out whether its keys
 * work. */
#include "awsapi/sts.h"

#include <errno.h>

#include "base/str.h"

static const struct aws_action get_caller_identity = {
    .service = AWS_STS, .name = "GetCallerIdentity", .bucket = BUCKET_STS};

int sts_get_caller_identity(struct aws_client *c, const struct aws_ctx *ctx,
                            struct sts_identity *ret, struct fault *f)
{
    _cleanup_json_ json_t *answer = NULL;
    struct sts_identity id;
    const char *account, *arn;
    int r = aws_call(c, &get_caller_identity, ctx, NULL, &answer, f);

    if (r < 0)
        return r;
    account = json_string_value(json_object_get(answer, "Account"));
    arn = json_string_value(json_object_get(answer, "Arn"));
    if (account == NULL || arn == NULL ||
        str_format(id.account, sizeof(id.account), "%s", account) < 0 ||
        str_format(id.arn, sizeof(id.arn), "%s", arn) < 0)
        return fault_set(f, -EPROTO, "the answer to GetCallerIdentity names no account");
    *ret = id;
    return 0;
}
