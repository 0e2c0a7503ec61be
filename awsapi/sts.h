/* STS: who we are. */
#pragma once

#include "awsapi/client.h"

struct sts_identity {
    char account[16];
    char arn[256];
};
int sts_get_caller_identity(struct aws_client *c, const struct aws_ctx *ctx,
                            struct sts_identity *ret, struct fault *f);
