/*
 * Requests that wait: for the first snapshot, or for an operation to end (a READ of `wait`). One
 * thread runs them again whenever something may have changed, and answers EINTR to those whose
 * process got a signal. Thread-safe.
 */
#pragma once

#include <stdint.h>

#include "base/macro.h"
#include "fs/request.h"

struct park;

int park_new(struct park **ret);
int park_start(struct park *p);
void park_stop(struct park *p); /* answers all that wait with ENODEV, takes no more */
void park_free(struct park *p);
DEFINE_CLEANUP(struct park *, park_free)

uint64_t park_seen(struct park *p); /* to be asked before looking at what one will wait for */
/* Takes over *r (copied) and its node. seen: so that no wake in between is lost. 0, -ENOMEM,
 * -ENODEV. */
int park_add(struct park *p, const struct request *r, uint64_t seen);
/* Something may have changed. Never blocks on a request. */
void park_wake(struct park *p);
