/*
 * Whether and when a failed read is sent again: the SDKs' "standard" mode with the numbers of 2026
 * (aws-facts.md 3). Pure but for the quota, which all calls of a client share and which is
 * thread-safe.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "awsapi/errors.h"

enum { RETRY_ATTEMPTS = 3 };

/* Tokens that retries cost and successes give back: while AWS is down, calls fail at once instead
 * of each of them being sent three times. */
struct retry_quota {
    pthread_mutex_t lock;
    int tokens;
};
void retry_quota_init(struct retry_quota *q);
void retry_quota_done(struct retry_quota *q);

struct retry_state {
    int attempts;  /* made and failed so far */
    int last_cost; /* of the last retry, which a success gives back */
};

struct retry_answer {
    enum error_kind kind;
    int64_t retry_after_s;      /* Retry-After, or -1 */
    int64_t amz_retry_after_ms; /* x-amz-retry-after, or -1 */
};

/* After a failed attempt: true and the delay, or false: give up. random: 0 <= random < 1. */
bool retry_decide(struct retry_quota *q, struct retry_state *s, const struct retry_answer *a,
                  double random, int64_t *ret_delay_ms);
void retry_succeeded(struct retry_quota *q, const struct retry_state *s);
