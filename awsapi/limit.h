/*
 * Token buckets, one per API and class of action (aws-facts.md 3): svcfs takes a share of what AWS
 * grants the account. Callers wait their turn in order; background callers only get tokens that
 * leave the bucket above their share. A throttling answer halves a bucket's rate, which then
 * recovers. Thread-safe.
 */
#pragma once

#include <stdint.h>

#include "base/cancel.h"
#include "base/clock.h"

enum aws_bucket {
    BUCKET_TAGGING_READ,   /* GetResources: 15/s */
    BUCKET_TAGGING_VALUES, /* GetTagValues: 5/s */
    BUCKET_TAGGING_WRITE,
    BUCKET_GROUPS,
    BUCKET_SSM_READ,
    BUCKET_SSM_WRITE,
    BUCKET_STS,
    BUCKET_EC2_READ,
    BUCKET_EC2_WRITE,
    BUCKET_ELB_READ,
    BUCKET_ELB_WRITE,
    BUCKET_EFS_READ,
    BUCKET_EFS_WRITE,
    BUCKET_ECS_TASKDEF_WRITE, /* 20 / 1 per s */
    BUCKET_ECS_TASKDEF_DELETE,
    BUCKET_ECS_TASKDEF_READ,
    BUCKET_ECS_SERVICE_WRITE,
    BUCKET_ECS_READ,
    BUCKET_SECRETS_READ,
    BUCKET_SECRETS_WRITE,
    BUCKET_RDS_READ,
    BUCKET_SSM_DESCRIBE,
    BUCKET_ECR_READ,
    BUCKET_LAMBDA_READ,
    BUCKET_LOGS_READ,
    BUCKET_CLOUDCONTROL,
    BUCKET_RDS_WRITE,
    AWS_BUCKETS
};

struct limit;

/* share: of AWS's rates and sizes, e.g. 0.67. */
int limit_new(struct limit **ret, struct clock *clock, double share);
void limit_free(struct limit *l);
/* Waits for a token. rate as in struct aws_ctx. 0, -ECANCELED, -ETIMEDOUT (not before until_ms,
 * monotonic; 0: no such bound; then no token was taken). */
int limit_wait(struct limit *l, enum aws_bucket b, double rate, int64_t until_ms,
               struct cancel *cancel);
/* Tells that AWS throttled / answered a call of this bucket. */
void limit_throttled(struct limit *l, enum aws_bucket b);
void limit_succeeded(struct limit *l, enum aws_bucket b);
