/*
 * Worker threads for what may wait. Threads are started as needed up to a maximum, end when idle
 * for a minute; jobs beyond the maximum queue in order. Thread-safe.
 */
#pragma once

#include <stddef.h>

#include "base/macro.h"

struct jobs;

/* name: of the threads, at most 15 characters. */
int jobs_new(struct jobs **ret, const char *name, unsigned max_threads);
/* run(arg) is called once, by some worker. 0, -ENOMEM, -ESHUTDOWN, -EAGAIN (no thread could be made
 * and none exists). */
int jobs_add(struct jobs *j, void (*run)(void *arg), void *arg);
/* Takes no further job, runs those queued, waits for all to end. */
void jobs_drain(struct jobs *j);
void jobs_free(struct jobs *j); /* jobs_drain, then frees; NULL is fine */
DEFINE_CLEANUP(struct jobs *, jobs_free)
