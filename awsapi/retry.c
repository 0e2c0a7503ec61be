/*
 * delay = random · min(b · 2^i, 20 s), i = 0, 1; b = 50 ms, after throttling 1 s ("full jitter"). A
 * header x-amz-retry-after is honoured within [delay, delay + 5 s]; Retry-After, which the SDKs
 * ignore, up to 20 s. The caller's deadline bounds all of that. Clock skew is not handled here: it
 * has one further try of its own, without a delay.
 */
#include "awsapi/retry.h"

#include "base/macro.h"

enum {
    QUOTA_MAX = 500,
    COST_TRANSIENT = 14,
    COST_THROTTLED = 5,
    DELAY_MAX_MS = 20000,
    AMZ_EXTRA_MS = 5000,
};

void retry_quota_init(struct retry_quota *q)
{
    pthread_mutex_init(&q->lock, NULL);
    q->tokens = QUOTA_MAX;
}

void retry_quota_done(struct retry_quota *q)
{
    pthread_mutex_destroy(&q->lock);
}

static bool take(struct retry_quota *q, int cost)
{
    bool enough;

    pthread_mutex_lock(&q->lock);
    enough = q->tokens >= cost;
    if (enough)
        q->tokens -= cost;
    pthread_mutex_unlock(&q->lock);
    return enough;
}

bool retry_decide(struct retry_quota *q, struct retry_state *s, const struct retry_answer *a,
                  double random, int64_t *ret_delay_ms)
{
    int cost = a->kind == ERROR_THROTTLED ? COST_THROTTLED : COST_TRANSIENT;
    int64_t base = a->kind == ERROR_THROTTLED ? 1000 : 50, delay;

    s->attempts++;
    if (a->kind != ERROR_THROTTLED && a->kind != ERROR_TRANSIENT)
        return false;
    if (s->attempts >= RETRY_ATTEMPTS || !take(q, cost))
        return false;
    s->last_cost = cost;
    delay = (int64_t)(random * (double)MIN(base << (s->attempts - 1), (int64_t)DELAY_MAX_MS));
    if (a->amz_retry_after_ms >= 0)
        delay = MIN(MAX(delay, a->amz_retry_after_ms), delay + AMZ_EXTRA_MS);
    else if (a->retry_after_s >= 0)
        delay = MAX(delay, MIN(a->retry_after_s, (int64_t)DELAY_MAX_MS / 1000) * 1000);
    *ret_delay_ms = delay;
    return true;
}

void retry_succeeded(struct retry_quota *q, const struct retry_state *s)
{
    pthread_mutex_lock(&q->lock);
    q->tokens = MIN(q->tokens + (s->last_cost > 0 ? s->last_cost : 1), (int)QUOTA_MAX);
    pthread_mutex_unlock(&q->lock);
}
