/* Token buckets, by a clock that moves only when somebody sleeps. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "awsapi/limit.h"
#include "awsapi/retry.h"
#include "base/macro.h"

static void test_rate(void **state)
{
    struct clock_fake c;
    struct limit *l;
    (void)state;

    clock_fake_init(&c, 1000, 0);
    assert_int_equal(limit_new(&l, &c.clock, 1), 0);
    /* 20 at once, then one a second. */
    for (int i = 0; i < 20; i++)
        assert_int_equal(limit_wait(l, BUCKET_ECS_TASKDEF_WRITE, 0, 0, NULL), 0);
    assert_int_equal(c.now_ms, 1000);
    for (int i = 1; i <= 10; i++) {
        assert_int_equal(limit_wait(l, BUCKET_ECS_TASKDEF_WRITE, 0, 0, NULL), 0);
        assert_int_equal(c.now_ms, 1000 + i * 1000);
    }
    assert_int_equal(limit_wait(l, BUCKET_ECS_TASKDEF_WRITE, 0, c.now_ms + 999, NULL), -ETIMEDOUT);
    assert_int_equal(limit_wait(l, BUCKET_ECS_TASKDEF_WRITE, 0, c.now_ms + 1000, NULL), 0);
    /* Buckets are independent. */
    int64_t now = c.now_ms;
    assert_int_equal(limit_wait(l, BUCKET_STS, 0, 0, NULL), 0);
    assert_int_equal(c.now_ms, now);
    limit_free(l);
}

static void test_share(void **state)
{
    struct clock_fake c;
    struct limit *l;
    (void)state;

    clock_fake_init(&c, 0, 0);
    assert_int_equal(limit_new(&l, &c.clock, 0.5), 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(limit_wait(l, BUCKET_ECS_TASKDEF_WRITE, 0, 0, NULL), 0);
    assert_int_equal(c.now_ms, 0);
    assert_int_equal(limit_wait(l, BUCKET_ECS_TASKDEF_WRITE, 0, 0, NULL), 0);
    assert_int_equal(c.now_ms, 2000);
    limit_free(l);
}

/* The background gets 5 of 20 tokens; the other 15 stay for who is in a hurry. */
static void test_background(void **state)
{
    struct clock_fake c;
    struct limit *l;
    (void)state;

    clock_fake_init(&c, 0, 0);
    assert_int_equal(limit_new(&l, &c.clock, 1), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(limit_wait(l, BUCKET_ECS_TASKDEF_WRITE, 0.25, 0, NULL), 0);
    assert_int_equal(c.now_ms, 0);
    assert_int_equal(limit_wait(l, BUCKET_ECS_TASKDEF_WRITE, 0.25, 500, NULL), -ETIMEDOUT);
    for (int i = 0; i < 15; i++)
        assert_int_equal(limit_wait(l, BUCKET_ECS_TASKDEF_WRITE, 0, 0, NULL), 0);
    assert_int_equal(c.now_ms, 0);
    assert_int_equal(limit_wait(l, BUCKET_ECS_TASKDEF_WRITE, 0.25, 0, NULL), 0);
    assert_int_equal(c.now_ms, 16000);
    limit_free(l);
}

static void test_throttled(void **state)
{
    struct clock_fake c;
    struct limit *l;
    (void)state;

    clock_fake_init(&c, 0, 0);
    assert_int_equal(limit_new(&l, &c.clock, 1), 0);
    limit_throttled(l, BUCKET_ECS_TASKDEF_WRITE);
    limit_throttled(l, BUCKET_ECS_TASKDEF_WRITE); /* the same burst: not halved again */
    assert_int_equal(limit_wait(l, BUCKET_ECS_TASKDEF_WRITE, 0, 0, NULL), 0);
    assert_int_equal(c.now_ms, 2000);
    for (int i = 0; i < 10; i++)
        limit_succeeded(l, BUCKET_ECS_TASKDEF_WRITE);
    assert_int_equal(limit_wait(l, BUCKET_ECS_TASKDEF_WRITE, 0, 0, NULL), 0);
    assert_int_equal(c.now_ms, 3000);
    for (int i = 0; i < 9; i++) {
        c.now_ms += 1000;
        limit_throttled(l, BUCKET_ECS_TASKDEF_WRITE);
    }
    int64_t now = c.now_ms;
    assert_int_equal(limit_wait(l, BUCKET_ECS_TASKDEF_WRITE, 0, 0, NULL), 0);
    assert_int_equal(c.now_ms, now + 8000);
    limit_free(l);
}

static void test_cancelled_gives_back(void **state)
{
    struct clock_fake c;
    struct limit *l;
    _cleanup_cancel_ struct cancel *cancel = cancel_new();
    (void)state;

    clock_fake_init(&c, 0, 0);
    assert_int_equal(limit_new(&l, &c.clock, 1), 0);
    cancel_raise(cancel);
    assert_int_equal(limit_wait(l, BUCKET_STS, 0, 0, cancel), -ECANCELED);
    assert_int_equal(limit_wait(l, BUCKET_STS, 0.3, 0, cancel), -ECANCELED);
    limit_free(l);
}

struct crowd {
    struct limit *l;
    struct clock *clock;
    double rate;
    struct cancel *cancel;
    atomic_int got, cancelled;
};

static void *wait_one(void *arg)
{
    struct crowd *w = arg;
    int r = limit_wait(w->l, BUCKET_SECRETS_READ, w->rate, 0, w->cancel);

    atomic_fetch_add(r == 0 ? &w->got : &w->cancelled, 1);
    return NULL;
}

/* Real clock, many threads: all get their token, cancelled ones leave the queue to the others. */
static void test_crowd(void **state)
{
    struct crowd free_of = {.clock = clock_system()}, doomed;
    pthread_t threads[40];
    (void)state;

    assert_int_equal(limit_new(&free_of.l, free_of.clock, 1), 0);
    free_of.rate = 0.1;
    doomed = free_of;
    doomed.cancel = cancel_new();
    for (int i = 0; i < 40; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_one, i % 2 ? &free_of : &doomed),
                         0);
    cancel_raise(doomed.cancel);
    for (int i = 0; i < 40; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(free_of.got, 20);
    assert_int_equal(doomed.got + doomed.cancelled, 20);
    cancel_unref(doomed.cancel);
    limit_free(free_of.l);
}

static void test_retry_delays(void **state)
{
    struct retry_quota q;
    struct retry_state s = {0};
    struct retry_answer a = {ERROR_TRANSIENT, -1, -1};
    int64_t delay = -1;
    (void)state;

    retry_quota_init(&q);
    assert_true(retry_decide(&q, &s, &a, 0.5, &delay));
    assert_int_equal(delay, 25);
    assert_true(retry_decide(&q, &s, &a, 0.5, &delay));
    assert_int_equal(delay, 50);
    assert_false(retry_decide(&q, &s, &a, 0.5, &delay));
    s = (struct retry_state){0};
    a.kind = ERROR_THROTTLED;
    assert_true(retry_decide(&q, &s, &a, 0.5, &delay));
    assert_int_equal(delay, 500);
    a.amz_retry_after_ms = 60000;
    assert_true(retry_decide(&q, &s, &a, 0, &delay));
    assert_int_equal(delay, 5000);
    s = (struct retry_state){0};
    a = (struct retry_answer){ERROR_TRANSIENT, 3600, -1};
    assert_true(retry_decide(&q, &s, &a, 0, &delay));
    assert_int_equal(delay, 20000);
    s = (struct retry_state){0};
    a.kind = ERROR_FINAL;
    assert_false(retry_decide(&q, &s, &a, 0, &delay));
    a.kind = ERROR_CLOCK_SKEW;
    s = (struct retry_state){0};
    assert_false(retry_decide(&q, &s, &a, 0, &delay));
    retry_quota_done(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_share),
        cmocka_unit_test(test_background),
        cmocka_unit_test(test_throttled),
        cmocka_unit_test(test_cancelled_gives_back),
        cmocka_unit_test(test_crowd),
        cmocka_unit_test(test_retry_delays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
