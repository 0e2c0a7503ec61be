/*
 * Why a thread of its own: libfuse calls the interrupt function with the request's lock held, in
 * which the request must not be answered (at registration that would free it under the caller), and
 * whoever publishes must not run operations. Lock order: libfuse's lock of the request, then
 * park's; so nothing of libfuse is called with park's lock held. A parked request belongs to
 * whoever takes it off the list; it unregisters the interrupt function before anything else, which
 * waits for one that is running.
 */
#include "fs/park.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "fs/kind.h"

enum { LOOK_AGAIN_S = 1 }; /* for what no event announces */

struct parked {
    struct request request;
    struct park *park;
    uint64_t seen;
    bool interrupted;
    struct parked *prev, *next;
};

struct park {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct parked *first;
    uint64_t events;
    pthread_t thread;
    bool started, stopping;
};

int park_new(struct park **ret)
{
    struct park *p = calloc(1, sizeof(*p));
    pthread_condattr_t attr;

    if (!p)
        return -ENOMEM;
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->changed, &attr);
    pthread_condattr_destroy(&attr);
    *ret = p;
    return 0;
}

void park_free(struct park *p)
{
    if (!p)
        return;
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

uint64_t park_seen(struct park *p)
{
    uint64_t seen;

    pthread_mutex_lock(&p->lock);
    seen = p->events;
    pthread_mutex_unlock(&p->lock);
    return seen;
}

static void on_interrupt(fuse_req_t req _unused_, void *data)
{
    struct parked *q = data;

    pthread_mutex_lock(&q->park->lock);
    q->interrupted = true;
    pthread_cond_signal(&q->park->changed);
    pthread_mutex_unlock(&q->park->lock);
}

int park_add(struct park *p, const struct request *r, uint64_t seen)
{
    struct parked *q = malloc(sizeof(*q));
    bool stopping;

    if (!q)
        return -ENOMEM;
    *q = (struct parked){.request = *r, .park = p, .seen = seen};
    fuse_req_interrupt_func(r->req, on_interrupt, q);
    pthread_mutex_lock(&p->lock);
    stopping = p->stopping;
    if (!stopping) {
        q->next = p->first;
        if (q->next)
            q->next->prev = q;
        p->first = q;
        pthread_cond_signal(&p->changed);
    }
    pthread_mutex_unlock(&p->lock);
    if (stopping) {
        fuse_req_interrupt_func(r->req, NULL, NULL);
        free(q);
        return -ENODEV;
    }
    return 0;
}

void park_wake(struct park *p)
{
    pthread_mutex_lock(&p->lock);
    p->events++;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

static void unlist(struct park *p, struct parked *q)
{
    if (q->next)
        q->next->prev = q->prev;
    if (q->prev)
        q->prev->next = q->next;
    else
        p->first = q->next;
}

/* Takes one that is to be looked at off the list; NULL: none. */
static struct parked *take(struct park *p, bool *ret_interrupted)
{
    for (struct parked *q = p->first; q; q = q->next) {
        if (!q->interrupted && q->seen == p->events && !p->stopping)
            continue;
        unlist(p, q);
        *ret_interrupted = q->interrupted;
        return q;
    }
    return NULL;
}

static void answer(struct parked *q, int err)
{
    request_fail(&q->request, err);
    request_waited(&q->request);
    node_put(q->request.fs->nodes, q->request.node);
}

/* Without the lock: q is ours alone. */
static void look(struct parked *q, bool interrupted, bool stopping)
{
    fuse_req_interrupt_func(q->request.req, NULL, NULL);
    if (interrupted)
        answer(q, -EINTR);
    else if (stopping)
        answer(q, -ENODEV);
    else
        request_run(&q->request);
    free(q);
}

/* Waits for an event; once a second it makes one where somebody waits for what nothing announces.
 */
static void rest(struct park *p)
{
    struct timespec until;

    if (!p->first) {
        pthread_cond_wait(&p->changed, &p->lock);
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += LOOK_AGAIN_S;
    if (pthread_cond_timedwait(&p->changed, &p->lock, &until) == ETIMEDOUT)
        p->events++;
}

static void *park_main(void *arg)
{
    struct park *p = arg;

    pthread_mutex_lock(&p->lock);
    for (;;) {
        bool interrupted, stopping = p->stopping;
        struct parked *q = take(p, &interrupted);

        if (!q && stopping)
            break;
        if (!q) {
            rest(p);
            continue;
        }
        pthread_mutex_unlock(&p->lock);
        look(q, interrupted, stopping);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

int park_start(struct park *p)
{
    int r = pthread_create(&p->thread, NULL, park_main, p);

    p->started = r == 0;
    return -r;
}

void park_stop(struct park *p)
{
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
    if (p->started)
        pthread_join(p->thread, NULL);
    p->started = false;
}
