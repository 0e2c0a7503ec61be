/*
 * Ownership of a service's work: owner-N and its lease (engine.md 3, 4, 6). Used by the one engine
 * thread of a run; only end_ms is read by others.
 */
#pragma once

#include <stdatomic.h>

#include "provision/internal.h"

struct lease {
    struct provision *p;
    const char *id, *claim; /* borrowed */
    unsigned n;
    struct record_owner owner;
    int64_t length_ms;
    atomic_int_least64_t
        end_ms;       /* monotonic: no call's deadline passes it; at it the owner stops */
    int64_t renew_ms; /* when the next renewal is due */
};

/* Makes owner-n. bound_ms: monotonic end of the lease that the caller has already (the claim's), 0:
 * none. 0: the lease is ours; -EALREADY: it is somebody else's; -ESTALE: ours is over; other
 * errors: not made. */
int lease_take(struct lease *l, unsigned n, int64_t bound_ms, struct cancel *cancel,
               struct fault *f);
/* One renewal, sent once. An unclear or refused one leaves the end where it was. */
int lease_renew(struct lease *l, struct cancel *cancel, struct fault *f);
bool lease_over(const struct lease *l);
/* Says `released`, so that others need not wait for the end. Best effort; 0: it was answered. */
int lease_release(struct lease *l);
/* Takes owner-N away again: for a taker who found that there is nothing to own. */
void lease_undo(struct lease *l);
