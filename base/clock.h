/* Time as a parameter, so that tests need no sleep. */
#pragma once

#include <pthread.h>
#include <stdint.h>
#include <time.h>

struct cancel;

/* A clock; implementations embed it. All functions are thread-safe. */
struct clock {
    int64_t (*monotonic_ms)(struct clock *c); /* CLOCK_BOOTTIME: a suspended machine's leases end */
    int64_t (*wall_ms)(struct clock *c);      /* since 1970 */
    /* Waits until monotonic time until_ms, or until cancel (may be NULL) is raised: 0 or
     * -ECANCELED. */
    int (*sleep_until)(struct clock *c, int64_t until_ms, struct cancel *cancel);
};

struct clock *clock_system(void); /* the real one; static */

/* For a loop that waits for a condition until a time, and looks at both again: waits on cond, with
 * lock held, until a wake-up, monotonic until_ms of c, or 5 s (condition variables cannot wait on
 * CLOCK_BOOTTIME). */
void clock_cond_wait(struct clock *c, pthread_cond_t *cond, pthread_mutex_t *lock,
                     int64_t until_ms);

/* A clock for tests: stands until moved; sleep_until moves it. */
struct clock_fake {
    struct clock clock;
    int64_t now_ms; /* both clocks; wall adds wall_offset_ms */
    int64_t wall_offset_ms;
};
void clock_fake_init(struct clock_fake *c, int64_t now_ms, int64_t wall_offset_ms);

/* "2026-11-22T12:00:00Z" (RFC 3339, UTC, seconds) of wall time ms; out has CLOCK_TIME_SIZE bytes.
 */
enum { CLOCK_TIME_SIZE = 32 };
const char *clock_format(int64_t wall_ms, char out[CLOCK_TIME_SIZE]);
