/*
 * Reservations stand in one short list: as many as rules are being made at this moment, and those
 * of the last minute, which AWS may not show yet. Memory that cannot be had means no reservation,
 * which costs a retry, nothing else.
 */
#include "provision/types/priority.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

struct reservation {
    char *listener;
    unsigned priority;
    int64_t until_ms;
    struct reservation *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct reservation *reservations;

void priority_use(struct priority_set *set, long priority)
{
    if (priority > 0 && priority <= PRIORITY_MAX)
        set->used[priority / 8] |= (uint8_t)(1u << (priority % 8));
}

static bool is_used(const struct priority_set *set, unsigned priority)
{
    return set->used[priority / 8] >> (priority % 8) & 1;
}

static void drop(struct reservation **at)
{
    struct reservation *r = *at;

    *at = r->next;
    free(r->listener);
    free(r);
}

/* Marks what is reserved on the listener in set; drops what is over. */
static void collect(const char *listener, int64_t now_ms, struct priority_set *set)
{
    for (struct reservation **at = &reservations; *at;) {
        if ((*at)->until_ms <= now_ms) {
            drop(at);
            continue;
        }
        if (streq((*at)->listener, listener))
            priority_use(set, (long)(*at)->priority);
        at = &(*at)->next;
    }
}

static void reserve(const char *listener, unsigned priority, int64_t until_ms)
{
    struct reservation *r = calloc(1, sizeof(*r));

    if (r && !(r->listener = strdup(listener))) {
        free(r);
        r = NULL;
    }
    if (!r)
        return;
    r->priority = priority;
    r->until_ms = until_ms;
    r->next = reservations;
    reservations = r;
}

unsigned priority_reserve(const char *listener, const struct priority_set *set, unsigned first,
                          unsigned last, int64_t now_ms, int64_t until_ms)
{
    struct priority_set all = *set;
    unsigned found = 0;

    pthread_mutex_lock(&lock);
    collect(listener, now_ms, &all);
    for (unsigned p = first < 1 ? 1 : first; p <= last && p <= PRIORITY_MAX && !found; p++)
        if (!is_used(&all, p))
            found = p;
    if (found)
        reserve(listener, found, until_ms);
    pthread_mutex_unlock(&lock);
    return found;
}

void priority_release(const char *listener, unsigned priority)
{
    pthread_mutex_lock(&lock);
    for (struct reservation **at = &reservations; *at;) {
        if ((*at)->priority == priority && streq((*at)->listener, listener))
            drop(at);
        else
            at = &(*at)->next;
    }
    pthread_mutex_unlock(&lock);
}
