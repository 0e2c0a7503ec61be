/*
 * The system's clock counts CLOCK_BOOTTIME, so that a lease ends while the machine is suspended.
 * Condition variables cannot wait on that clock; a sleep is therefore cut into slices on
 * CLOCK_MONOTONIC, and a machine that wakes up notices at most one slice late. Deadlines are always
 * compared with monotonic_ms(), so a late wake-up delays a step but never makes one too early.
 */
#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/cancel.h"
#include "base/macro.h"

enum { SLEEP_SLICE_MS = 5000 };

static int64_t read_clock(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t system_monotonic(_unused_ struct clock *c)
{
    return read_clock(CLOCK_BOOTTIME);
}

static int64_t system_wall(_unused_ struct clock *c)
{
    return read_clock(CLOCK_REALTIME);
}

void clock_cond_wait(struct clock *c, pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_ms)
{
    int64_t rest = MIN(until_ms - c->monotonic_ms(c), (int64_t)SLEEP_SLICE_MS);
    struct timespec t;

    if (rest <= 0)
        return;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += rest / 1000;
    t.tv_nsec += rest % 1000 * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    (void)pthread_cond_clockwait(cond, lock, CLOCK_MONOTONIC, &t);
}

struct sleeper {
    pthread_mutex_t lock;
    pthread_cond_t woken_cond;
    bool woken;
};

static void sleeper_wake(void *arg)
{
    struct sleeper *s = arg;

    pthread_mutex_lock(&s->lock);
    s->woken = true;
    pthread_cond_signal(&s->woken_cond);
    pthread_mutex_unlock(&s->lock);
}

static int system_sleep(_unused_ struct clock *c, int64_t until_ms, struct cancel *cancel)
{
    struct sleeper s = {.lock = PTHREAD_MUTEX_INITIALIZER, .woken_cond = PTHREAD_COND_INITIALIZER};
    struct cancel_waiter w = {.wake = sleeper_wake, .arg = &s};
    bool woken;

    cancel_add(cancel, &w);
    pthread_mutex_lock(&s.lock);
    while (!s.woken) {
        if (system_monotonic(NULL) >= until_ms)
            break;
        clock_cond_wait(clock_system(), &s.woken_cond, &s.lock, until_ms);
    }
    woken = s.woken;
    pthread_mutex_unlock(&s.lock);
    cancel_remove(cancel, &w);
    pthread_mutex_destroy(&s.lock);
    pthread_cond_destroy(&s.woken_cond);
    return woken ? -ECANCELED : 0;
}

struct clock *clock_system(void)
{
    static struct clock clock = {
        .monotonic_ms = system_monotonic,
        .wall_ms = system_wall,
        .sleep_until = system_sleep,
    };

    return &clock;
}

static int64_t fake_monotonic(struct clock *c)
{
    struct clock_fake *f = (struct clock_fake *)c;

    return __atomic_load_n(&f->now_ms, __ATOMIC_SEQ_CST);
}

static int64_t fake_wall(struct clock *c)
{
    struct clock_fake *f = (struct clock_fake *)c;

    return fake_monotonic(c) + __atomic_load_n(&f->wall_offset_ms, __ATOMIC_SEQ_CST);
}

static int fake_sleep(struct clock *c, int64_t until_ms, struct cancel *cancel)
{
    struct clock_fake *f = (struct clock_fake *)c;
    int64_t now = fake_monotonic(c);

    if (cancel_raised(cancel))
        return -ECANCELED;
    while (now < until_ms && !__atomic_compare_exchange_n(&f->now_ms, &now, until_ms, false,
                                                          __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
    return 0;
}

void clock_fake_init(struct clock_fake *c, int64_t now_ms, int64_t wall_offset_ms)
{
    *c = (struct clock_fake){
        .clock = {.monotonic_ms = fake_monotonic, .wall_ms = fake_wall, .sleep_until = fake_sleep},
        .now_ms = now_ms,
        .wall_offset_ms = wall_offset_ms,
    };
}

const char *clock_format(int64_t wall_ms, char out[CLOCK_TIME_SIZE])
{
    int64_t seconds = wall_ms / 1000 - (wall_ms % 1000 < 0 ? 1 : 0);
    time_t t = (time_t)seconds;
    struct tm tm;

    if (gmtime_r(&t, &tm) == NULL || strftime(out, CLOCK_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        (void)snprintf(out, CLOCK_TIME_SIZE, "-");
    return out;
}
