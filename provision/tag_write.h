/* Setting and taking tags of several resources: by the tagging API, and where that fails by the API
 * of the service that owns the resource. Waits for AWS. */
#pragma once

#include "awsapi/client.h"

struct tag_target {
    const char *arn;
    void *of;     /* the caller's */
    bool changed; /* something of it was changed, or may have been */
    bool done;    /* changed as asked; where not, why: */
    struct fault fault;
};

/* set (object of strings) and unset (list of keys) may be NULL, or empty. Fills done and fault of
 * each target. 0, or the errno of the first that failed, with its fault. */
int tag_write(struct aws_client *c, const struct aws_ctx *ctx, struct tag_target *targets, size_t n,
              json_t *set, json_t *unset, struct fault *f);
/* The same of one resource, by the service that owns it and no other. */
int tag_write_owner(struct aws_client *c, const struct aws_ctx *ctx, struct tag_target *target,
                    json_t *set, json_t *unset, struct fault *f);
