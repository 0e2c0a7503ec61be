/*
 * Requests that wait for AWS: run on a job worker, answered when done, or before that with EINTR
 * when their process gets a signal: mkdir and rmdir only by a fatal one. The work itself goes on.
 */
#pragma once

#include "base/cancel.h"
#include "fs/request.h"

struct work;

struct work_args {
    int (*run)(struct work *w);    /* on a worker; may wait */
    void (*reply)(struct work *w); /* answers; only where run gave 0 and nobody has answered yet */
    bool any_signal;
    bool unlocked;               /* the kernel holds no lock, whatever the operation */
    void *arg;                   /* or NULL */
    void (*arg_free)(void *arg); /* NULL: nothing to free */
};

struct work {
    struct request request; /* its req only in reply: it may have been answered */
    struct cancel *cancel;  /* for what run calls */
    pid_t tid;
    void *arg;
    /* private */
    int (*run)(struct work *w);
    void (*reply)(struct work *w);
    void (*arg_free)(void *arg);
    bool any_signal, answered, signalled, listed;
    unsigned refs;
    struct work *prev, *next;
};

/* Takes over the request (copied; a reference to its node of its own) and a->arg, also on failure.
 * 0: it will be answered. */
int work_start(const struct request *r, const struct work_args *a);
/* One thread looks after the signals of all work. */
int work_init(void);
/* Answers all that is not yet with EINTR and cancels it; the jobs are the caller's to drain. */
void work_stop(void);
