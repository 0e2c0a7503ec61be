/*
 * Priorities of listener rules that this process is about to take. Services are made side by side;
 * without this, twenty of them read the same rules, choose the same free priority, and nineteen are
 * refused. It is a reservation, not a lock: nothing waits for it, and it protects against nobody
 * outside this process (PriorityInUse does). Thread-safe.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PRIORITY_MAX = 50000 };

/* A set of priorities in use on a listener. */
struct priority_set {
    uint8_t used[PRIORITY_MAX / 8 + 1];
};
void priority_use(struct priority_set *set, long priority);

/* The lowest of first..last that is neither in set nor reserved on the listener, reserved until
 * until_ms (monotonic; what has expired by now_ms is dropped). 0: there is none. */
unsigned priority_reserve(const char *listener, const struct priority_set *set, unsigned first,
                          unsigned last, int64_t now_ms, int64_t until_ms);
/* Gives it back: the rule was certainly not made. */
void priority_release(const char *listener, unsigned priority);
