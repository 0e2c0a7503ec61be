/*
 * A small table, searched from end to end: removals are rare, and no more than a few processes try
 * them at once. When it is full the oldest refusal goes. A process that /proc does not show
 * (another pid namespace: the kernel says 0) is known by its thread id alone: all such share one
 * fate, which errs on the side of refusing.
 */
#include "fs/guard.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

enum { ENTRIES = 256 };

struct entry {
    struct proc_group group;
    int64_t until_ms; /* 0: free */
};

struct guard {
    pthread_mutex_t lock;
    struct clock *clock;
    guard_identify identify;
    struct entry entries[ENTRIES];
};

int guard_new(struct guard **ret, struct clock *clock, guard_identify identify)
{
    struct guard *g = calloc(1, sizeof(*g));

    if (!g)
        return -ENOMEM;
    pthread_mutex_init(&g->lock, NULL);
    g->clock = clock;
    g->identify = identify;
    *ret = g;
    return 0;
}

void guard_free(struct guard *g)
{
    if (!g)
        return;
    pthread_mutex_destroy(&g->lock);
    free(g);
}

static struct proc_group group_of(struct guard *g, pid_t tid)
{
    struct proc_group group;

    if (tid <= 0 || g->identify(tid, &group))
        group = (struct proc_group){.tgid = tid};
    return group;
}

/* The entry of the group where it is in force; else NULL, and in *ret_free one to use. */
static struct entry *find(struct guard *g, const struct proc_group *group, int64_t now,
                          struct entry **ret_free)
{
    struct entry *oldest = &g->entries[0];

    for (size_t i = 0; i < ENTRIES; i++) {
        struct entry *e = &g->entries[i];

        if (e->until_ms > now && e->group.tgid == group->tgid && e->group.start == group->start)
            return e;
        if (e->until_ms < oldest->until_ms)
            oldest = e;
    }
    *ret_free = oldest;
    return NULL;
}

void guard_refuse(struct guard *g, pid_t tid)
{
    struct proc_group group = group_of(g, tid);
    int64_t now = g->clock->monotonic_ms(g->clock);
    struct entry *e, *unused = NULL;

    pthread_mutex_lock(&g->lock);
    e = find(g, &group, now, &unused);
    if (!e)
        e = unused;
    e->group = group;
    e->until_ms = now + GUARD_MS;
    pthread_mutex_unlock(&g->lock);
}

bool guard_refused(struct guard *g, pid_t tid)
{
    struct proc_group group = group_of(g, tid);
    int64_t now = g->clock->monotonic_ms(g->clock);
    struct entry *e, *unused;

    pthread_mutex_lock(&g->lock);
    e = find(g, &group, now, &unused);
    if (e)
        e->until_ms = now + GUARD_MS;
    pthread_mutex_unlock(&g->lock);
    return e;
}
