/*
 * A token by which one thread ends another's wait. Raised once, never lowered. Waiters register a
 * wake function, called once from the raising thread (no lock of cancel held), or at once where the
 * token is raised already. Reference-counted: a request and its worker may end in any order.
 * Thread-safe.
 */
#pragma once

#include <stdbool.h>

#include "base/macro.h"

struct cancel;

struct cancel_waiter {
    void (*wake)(void *arg);
    void *arg;
    struct cancel_waiter *prev, *next; /* private */
    bool listed, running;              /* private */
};

struct cancel *cancel_new(void); /* NULL: no memory */
struct cancel *cancel_ref(struct cancel *c);
struct cancel *cancel_unref(struct cancel *c); /* gives NULL; takes NULL */
static inline void cancel_unrefp(struct cancel **c)
{
    cancel_unref(*c);
}
#define _cleanup_cancel_ _cleanup_(cancel_unrefp)

void cancel_raise(struct cancel *c);
bool cancel_raised(const struct cancel *c); /* c may be NULL: false */
/* c may be NULL: both do nothing. After cancel_remove returned, wake is not running and never will
 * be (it waits for a running one; so do not hold a lock that wake takes). */
void cancel_add(struct cancel *c, struct cancel_waiter *w);
void cancel_remove(struct cancel *c, struct cancel_waiter *w);
