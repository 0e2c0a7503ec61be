/*
 * Token buckets with reservations. A caller in the foreground takes its token at once, into debt if
 * need be, and sleeps until the bucket has earned it: so callers are served in the order in which
 * they came, nobody wakes anybody, and the clock needs nothing but sleep_until. Whoever is
 * cancelled gives the token back.
 *
 * A background caller must not take what the foreground could need: it stands in a queue of its own
 * and takes a token only at the head of it and only while the bucket is filled beyond the part that
 * is not its share. It sleeps for as long as that takes if nobody else comes, then looks again.
 *
 * A throttling answer means that others use the account too: the rate is halved, at most once a
 * second (one burst gives many such answers) and not below an eighth; each answered call brings
 * back a twentieth of the full rate.
 */
#include "awsapi/limit.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/macro.h"

/* AWS's sizes and refill rates a second (aws-facts.md 3); "assumed" where AWS publishes none. */
static const struct {
    double size, rate;
} published[AWS_BUCKETS] = {
    [BUCKET_TAGGING_READ] = {15, 15},
    [BUCKET_TAGGING_VALUES] = {5, 5},
    [BUCKET_TAGGING_WRITE] = {5, 5},
    [BUCKET_GROUPS] = {10, 2},    /* assumed */
    [BUCKET_SSM_READ] = {40, 40}, /* default throughput, size assumed */
    [BUCKET_SSM_WRITE] = {10, 3}, /* default throughput, size assumed */
    [BUCKET_STS] = {10, 10},      /* assumed */
    [BUCKET_EC2_READ] = {50, 10}, /* of DescribeSecurityGroups unfiltered, the tightest */
    [BUCKET_EC2_WRITE] = {50, 5},
    [BUCKET_ELB_READ] = {40, 10},
    [BUCKET_ELB_WRITE] = {20, 4}, /* of Register/Deregister; the others unpublished */
    [BUCKET_EFS_READ] = {20, 10}, /* assumed */
    [BUCKET_EFS_WRITE] = {10, 5}, /* assumed */
    [BUCKET_ECS_TASKDEF_WRITE] = {20, 1},
    [BUCKET_ECS_TASKDEF_DELETE] = {5, 1},
    [BUCKET_ECS_TASKDEF_READ] = {50, 20},
    [BUCKET_ECS_SERVICE_WRITE] = {50, 5},
    [BUCKET_ECS_READ] = {100, 20},
    [BUCKET_SECRETS_READ] = {100, 100}, /* far below what AWS grants */
    [BUCKET_SECRETS_WRITE] = {50, 50},
    [BUCKET_RDS_READ] = {20, 10},    /* assumed */
    [BUCKET_SSM_DESCRIBE] = {10, 5}, /* assumed */
    [BUCKET_ECR_READ] = {10, 10},    /* assumed */
    [BUCKET_LAMBDA_READ] = {15, 15}, /* control plane */
    [BUCKET_LOGS_READ] = {10, 10},   /* DescribeLogGroups */
    [BUCKET_CLOUDCONTROL] = {10, 5}, /* assumed; it calls the owning service in turn */
    [BUCKET_RDS_WRITE] = {10, 5},    /* assumed */
};

/* On the stack of a background caller that waits. */
struct turn {
    struct turn *next;
};

struct bucket {
    double size, full_rate, rate; /* tokens, and tokens a second */
    double tokens;                /* below 0: reserved by callers that sleep */
    int64_t updated_ms;
    int64_t halved_ms;
    struct turn *first; /* background callers, oldest first */
};

struct limit {
    struct clock *clock;
    pthread_mutex_t lock;
    struct bucket buckets[AWS_BUCKETS];
};

int limit_new(struct limit **ret, struct clock *clock, double share)
{
    struct limit *l = calloc(1, sizeof(*l));
    int64_t now = clock->monotonic_ms(clock);

    if (l == NULL)
        return -ENOMEM;
    l->clock = clock;
    pthread_mutex_init(&l->lock, NULL);
    for (size_t i = 0; i < AWS_BUCKETS; i++) {
        struct bucket *b = &l->buckets[i];

        b->size = b->tokens = MAX(published[i].size * share, 1.0);
        b->rate = b->full_rate = published[i].rate * share;
        b->updated_ms = now;
        b->halved_ms = now - 1000;
    }
    *ret = l;
    return 0;
}

void limit_free(struct limit *l)
{
    if (l == NULL)
        return;
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static void refill(struct bucket *b, int64_t now)
{
    if (now <= b->updated_ms)
        return;
    b->tokens += (double)(now - b->updated_ms) / 1000 * b->rate;
    b->tokens = MIN(b->tokens, b->size);
    b->updated_ms = now;
}

/* When the bucket will hold `level` tokens if nobody takes any. */
static int64_t time_of_level(const struct bucket *b, double level)
{
    /* Rounding of doubles must not cost a caller a millisecond that it does not owe. */
    double missing = level - b->tokens - 1e-9;

    return missing <= 0 ? b->updated_ms : b->updated_ms + (int64_t)ceil(missing / b->rate * 1000);
}

static int wait_foreground(struct limit *l, struct bucket *b, int64_t until_ms,
                           struct cancel *cancel)
{
    int64_t ready;
    int r;

    pthread_mutex_lock(&l->lock);
    refill(b, l->clock->monotonic_ms(l->clock));
    ready = time_of_level(b, 1);
    if (until_ms == 0 || ready <= until_ms)
        b->tokens -= 1;
    pthread_mutex_unlock(&l->lock);
    if (until_ms != 0 && ready > until_ms)
        return -ETIMEDOUT;
    r = l->clock->sleep_until(l->clock, ready, cancel);
    if (r < 0) {
        pthread_mutex_lock(&l->lock);
        b->tokens = MIN(b->tokens + 1, b->size);
        pthread_mutex_unlock(&l->lock);
    }
    return r;
}

/* The link that points to t, or the last one; *ret_place: how many stand before. */
static struct turn **find_turn(struct bucket *b, const struct turn *t, unsigned *ret_place)
{
    struct turn **p = &b->first;

    for (*ret_place = 0; *p != NULL && *p != t; p = &(*p)->next)
        (*ret_place)++;
    return p;
}

static int wait_background(struct limit *l, struct bucket *b, double share, int64_t until_ms,
                           struct cancel *cancel)
{
    struct turn turn = {0}, **p;
    unsigned place;
    int r = 1;

    pthread_mutex_lock(&l->lock);
    *find_turn(b, &turn, &place) = &turn;
    while (r > 0) {
        int64_t now = l->clock->monotonic_ms(l->clock), ready;

        refill(b, now);
        p = find_turn(b, &turn, &place);
        ready = time_of_level(b, MIN(b->size * (1 - share) + 1, b->size)) +
                (int64_t)ceil(place / b->rate * 1000);
        if (place == 0 && ready <= now) {
            b->tokens -= 1;
            r = 0;
        } else if (until_ms != 0 && ready > until_ms) {
            r = -ETIMEDOUT;
        } else {
            pthread_mutex_unlock(&l->lock);
            /* Behind somebody who is late, too, time has to pass. */
            r = l->clock->sleep_until(l->clock, MAX(ready, now + 1), cancel);
            r = r < 0 ? r : 1;
            pthread_mutex_lock(&l->lock);
        }
    }
    p = find_turn(b, &turn, &place);
    *p = turn.next;
    pthread_mutex_unlock(&l->lock);
    return r;
}

int limit_wait(struct limit *l, enum aws_bucket bucket, double rate, int64_t until_ms,
               struct cancel *cancel)
{
    struct bucket *b = &l->buckets[bucket];

    if (cancel_raised(cancel))
        return -ECANCELED;
    if (rate > 0 && rate < 1)
        return wait_background(l, b, rate, until_ms, cancel);
    return wait_foreground(l, b, until_ms, cancel);
}

void limit_throttled(struct limit *l, enum aws_bucket bucket)
{
    struct bucket *b = &l->buckets[bucket];
    int64_t now = l->clock->monotonic_ms(l->clock);

    pthread_mutex_lock(&l->lock);
    refill(b, now);
    b->tokens = MIN(b->tokens, 0.0);
    if (now - b->halved_ms >= 1000) {
        b->rate = MAX(b->rate / 2, b->full_rate / 8);
        b->halved_ms = now;
    }
    pthread_mutex_unlock(&l->lock);
}

void limit_succeeded(struct limit *l, enum aws_bucket bucket)
{
    struct bucket *b = &l->buckets[bucket];

    pthread_mutex_lock(&l->lock);
    refill(b, l->clock->monotonic_ms(l->clock));
    b->rate = MIN(b->rate + b->full_rate / 20, b->full_rate);
    pthread_mutex_unlock(&l->lock);
}
