/*
 * A cancel token is a flag with a list of those who want to know. Why not a file descriptor: most
 * waiters sit on a condition variable (limiters, the transport, jobs), and there are thousands of
 * tokens.
 *
 * A waiter goes not listed → listed → (running →) not listed. The wake function is called without
 * the lock, so it may take the lock of whoever waits; that is why remove has to wait for a running
 * one: the waiter's memory, usually a stack frame, is about to go. raised is set once and read
 * without the lock.
 */
#include "base/cancel.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

struct cancel {
    atomic_uint refs;
    atomic_bool raised;
    pthread_mutex_t lock;
    pthread_cond_t ran;
    struct cancel_waiter *first;
};

struct cancel *cancel_new(void)
{
    struct cancel *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    atomic_init(&c->refs, 1);
    atomic_init(&c->raised, false);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->ran, NULL);
    return c;
}

struct cancel *cancel_ref(struct cancel *c)
{
    atomic_fetch_add(&c->refs, 1);
    return c;
}

struct cancel *cancel_unref(struct cancel *c)
{
    if (c == NULL || atomic_fetch_sub(&c->refs, 1) != 1)
        return NULL;
    assert(c->first == NULL);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->ran);
    free(c);
    return NULL;
}

static void unlist(struct cancel *c, struct cancel_waiter *w)
{
    if (w->prev != NULL)
        w->prev->next = w->next;
    else
        c->first = w->next;
    if (w->next != NULL)
        w->next->prev = w->prev;
    w->prev = w->next = NULL;
    w->listed = false;
}

void cancel_raise(struct cancel *c)
{
    pthread_mutex_lock(&c->lock);
    atomic_store(&c->raised, true);
    while (c->first != NULL) {
        struct cancel_waiter *w = c->first;

        unlist(c, w);
        w->running = true;
        pthread_mutex_unlock(&c->lock);
        w->wake(w->arg);
        pthread_mutex_lock(&c->lock);
        w->running = false;
        pthread_cond_broadcast(&c->ran);
    }
    pthread_mutex_unlock(&c->lock);
}

bool cancel_raised(const struct cancel *c)
{
    return c != NULL && atomic_load(&c->raised);
}

void cancel_add(struct cancel *c, struct cancel_waiter *w)
{
    bool raised;

    w->prev = w->next = NULL;
    w->listed = w->running = false;
    if (c == NULL)
        return;
    pthread_mutex_lock(&c->lock);
    raised = atomic_load(&c->raised);
    if (!raised) {
        w->next = c->first;
        if (c->first != NULL)
            c->first->prev = w;
        c->first = w;
        w->listed = true;
    }
    pthread_mutex_unlock(&c->lock);
    if (raised)
        w->wake(w->arg);
}

void cancel_remove(struct cancel *c, struct cancel_waiter *w)
{
    if (c == NULL)
        return;
    pthread_mutex_lock(&c->lock);
    if (w->listed)
        unlist(c, w);
    while (w->running)
        pthread_cond_wait(&c->ran, &c->lock);
    pthread_mutex_unlock(&c->lock);
}
