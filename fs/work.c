/*
 * States: running, answered (by the worker, or by the signal thread). Whoever sets `answered` under
 * the lock is the one that answers, and unregisters the interrupt function first. The kernel sends
 * one INTERRUPT a request: after a signal that was not fatal it says nothing about a SIGKILL that
 * follows, so that the thread keeps looking at /proc meanwhile. One list for the process: a mount
 * is a process.
 */
#include "fs/work.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fs/proc.h"

enum { LOOK_AGAIN_NS = 100 * 1000 * 1000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static struct work *first;
static bool started, stopping;
static pthread_t thread;

/* What is left of it, by whoever has the last reference: without the lock. */
static void unref(struct work *w)
{
    bool last;

    pthread_mutex_lock(&lock);
    last = --w->refs == 0;
    pthread_mutex_unlock(&lock);
    if (!last)
        return;
    cancel_unref(w->cancel);
    if (w->arg_free)
        w->arg_free(w->arg);
    free(w);
}

static void unlist_locked(struct work *w)
{
    if (!w->listed)
        return;
    if (w->next)
        w->next->prev = w->prev;
    if (w->prev)
        w->prev->next = w->next;
    else
        first = w->next;
    w->listed = false;
}

/* Whether the caller is the one to answer. */
static bool claim_locked(struct work *w)
{
    if (w->answered)
        return false;
    w->answered = true;
    unlist_locked(w);
    return true;
}

static void on_interrupt(fuse_req_t req _unused_, void *data)
{
    struct work *w = data;

    pthread_mutex_lock(&lock);
    w->signalled = true;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static void job(void *arg)
{
    struct work *w = arg;
    struct node_table *nodes = w->request.fs->nodes;
    struct node *node = w->request.node;
    int r = w->run(w);
    bool ours;

    pthread_mutex_lock(&lock);
    ours = claim_locked(w);
    pthread_mutex_unlock(&lock);
    if (ours) {
        fuse_req_interrupt_func(w->request.req, NULL, NULL);
        if (r == -ECANCELED)
            r = -EINTR;
        if (r)
            request_fail(&w->request, r);
        else
            w->reply(w);
        request_waited(&w->request);
    }
    node_put(nodes, node);
    unref(w);
}

static struct work *work_new(const struct request *r, const struct work_args *a)
{
    const struct fuse_ctx *ctx = fuse_req_ctx(r->req);
    struct work *w = calloc(1, sizeof(*w));

    if (!w || !(w->cancel = cancel_new())) {
        if (a->arg_free)
            a->arg_free(a->arg);
        free(w);
        return NULL;
    }
    w->request = *r;
    w->request.holding = false; /* r's own */
    if (!a->unlocked)
        request_waits(&w->request);
    w->run = a->run;
    w->reply = a->reply;
    w->any_signal = a->any_signal;
    w->arg = a->arg;
    w->arg_free = a->arg_free;
    w->tid = ctx->pid;
    w->refs = 1;
    return w;
}

int work_start(const struct request *r, const struct work_args *a)
{
    struct work *w = work_new(r, a);
    int rc;

    if (!w)
        return -ENOMEM;
    node_ref(r->fs->nodes, r->node);
    fuse_req_interrupt_func(r->req, on_interrupt, w);
    pthread_mutex_lock(&lock);
    w->next = first;
    if (first)
        first->prev = w;
    first = w;
    w->listed = true;
    pthread_mutex_unlock(&lock);
    rc = jobs_add(r->fs->jobs, job, w);
    if (rc == 0)
        return 0;
    pthread_mutex_lock(&lock);
    if (!claim_locked(w))
        rc = 0; /* the signal thread was faster */
    pthread_mutex_unlock(&lock);
    if (rc) {
        fuse_req_interrupt_func(r->req, NULL, NULL);
        request_waited(&w->request);
    }
    node_put(r->fs->nodes, r->node);
    unref(w);
    return rc;
}

/* One that a signal, or the end, takes from its worker; NULL: none. Reads /proc with the lock held:
 * memory only. */
static struct work *take_locked(bool *ret_look_again)
{
    *ret_look_again = false;
    for (struct work *w = first; w; w = w->next) {
        if (!stopping && !w->signalled)
            continue;
        if (!stopping && !w->any_signal && !proc_dying(w->tid)) {
            *ret_look_again = true;
            continue;
        }
        claim_locked(w);
        w->refs++;
        return w;
    }
    return NULL;
}

static void rest_locked(bool look_again)
{
    struct timespec until;

    if (!look_again) {
        pthread_cond_wait(&changed, &lock);
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LOOK_AGAIN_NS;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&changed, &lock, &until);
}

static void *signal_main(void *arg _unused_)
{
    pthread_mutex_lock(&lock);
    for (;;) {
        bool look_again, ending = stopping;
        struct work *w = take_locked(&look_again);

        if (!w && ending)
            break;
        if (!w) {
            rest_locked(look_again);
            continue;
        }
        pthread_mutex_unlock(&lock);
        fuse_req_interrupt_func(w->request.req, NULL, NULL);
        fuse_reply_err(w->request.req, EINTR);
        request_waited(&w->request);
        /* Nobody waits for a mkdir any more, but its claim may be on its way: cancelled, nobody
         * would know whether it was made. Only a wait is cancelled, and everything when the mount
         * ends. */
        if (w->any_signal || ending)
            cancel_raise(w->cancel);
        unref(w);
        pthread_mutex_lock(&lock);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

int work_init(void)
{
    pthread_condattr_t attr;
    int r;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&changed, &attr);
    pthread_condattr_destroy(&attr);
    r = pthread_create(&thread, NULL, signal_main, NULL);
    started = r == 0;
    return -r;
}

void work_stop(void)
{
    pthread_mutex_lock(&lock);
    stopping = true;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
    if (started)
        pthread_join(thread, NULL);
    started = false;
}
