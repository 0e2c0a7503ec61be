/* RDS: where an instance listens. ctx as in client.h; f may be NULL; errors: tree.md's table. */
#pragma once

#include "awsapi/client.h"

struct rds_endpoint {
    char host[256];
    unsigned port;
};
/* -ENOENT: no such instance; -EAGAIN: it has no endpoint yet (it is being made). */
int rds_describe_endpoint(struct aws_client *c, const struct aws_ctx *ctx, const char *identifier,
                          struct rds_endpoint *ret, struct fault *f);
