/*
 * One lock around the graph. Whoever changes it (the cache's publisher, a thread that describes)
 * looks at what is touched thereby, up to an effort that takes some milliseconds, and tells; what
 * is shared by a whole large account goes on behind, at a part of one processor.
 *
 * What is newly wanted is told to the cache without the lock, and waited for by who describes: so a
 * round of descriptions that is over has seen all that it brought to light.
 */
#include "cache/impacts.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/jobs.h"
#include "base/log.h"
#include "base/str.h"
#include "cache/list.h"

enum { EFFORT = 100000, REST_FACTOR = 4 };

struct impacts {
    struct cache *cache;
    struct describe *describe;
    struct clock *clock;
    struct cancel *stop;
    struct jobs *jobs; /* what goes on behind */
    impacts_observer fn;
    void *arg;

    pthread_mutex_t lock;
    struct graph *graph;
    bool behind; /* a job is at it */
    bool whole;  /* a first round was seen to be over */
};

/* --- what differs, copied out of the lock --- */

struct telling {
    struct list impacts, drawings; /* of the structs in the header, owned */
    const struct snapshot *snap;   /* whose resources they are */
};

static void tell_impact(void *arg, const struct index_resource *r, const struct impact *old,
                        const struct impact *now)
{
    struct telling *t = arg;
    struct impact_change *c = malloc(sizeof(*c));

    if (!c)
        return;
    *c = (struct impact_change){r, impact_ref(old), impact_ref(now)};
    if (list_add(&t->impacts, c) == 0)
        return;
    impact_unref(old);
    impact_unref(now);
    free(c);
}

static void tell_drawing(void *arg, const char *family, const struct graph_face *service)
{
    struct telling *t = arg;
    size_t size = family ? strlen(family) + 1 : 0;
    struct drawing_change *c = malloc(sizeof(*c) + size);

    if (!c)
        return;
    *c = (struct drawing_change){.service = service ? graph_face_ref(service) : NULL};
    if (family)
        c->family = memcpy(c + 1, family, size);
    if (list_add(&t->drawings, c) == 0)
        return;
    graph_face_unref(service);
    free(c);
}

static void telling_done(struct telling *t)
{
    for (size_t i = 0; i < t->impacts.n; i++) {
        struct impact_change *c = (struct impact_change *)t->impacts.items[i];
        impact_unref(c->old);
        impact_unref(c->now);
        free(c);
    }
    for (size_t i = 0; i < t->drawings.n; i++) {
        struct drawing_change *c = (struct drawing_change *)t->drawings.items[i];
        graph_face_unref(c->service);
        free(c);
    }
    list_done(&t->impacts);
    list_done(&t->drawings);
    snapshot_unref(t->snap);
}

static void tell(struct impacts *i, const struct telling *t)
{
    struct impact_change *impacts = calloc(t->impacts.n + 1, sizeof(*impacts));
    struct drawing_change *drawings = calloc(t->drawings.n + 1, sizeof(*drawings));

    for (size_t k = 0; impacts && k < t->impacts.n; k++)
        impacts[k] = *(const struct impact_change *)t->impacts.items[k];
    for (size_t k = 0; drawings && k < t->drawings.n; k++)
        drawings[k] = *(const struct drawing_change *)t->drawings.items[k];
    if (impacts && drawings && i->fn && t->impacts.n + t->drawings.n > 0)
        i->fn(i->arg, &(struct impact_news){impacts, t->impacts.n, drawings, t->drawings.n});
    free(impacts);
    free(drawings);
}

/* Locked. Whether there is more to look at. */
static bool gather(struct impacts *i, struct telling *t)
{
    const struct graph_news news = {tell_impact, tell_drawing, t};
    const struct snapshot *s = graph_snapshot(i->graph);

    t->snap = s ? snapshot_ref(s) : NULL;
    return graph_news(i->graph, EFFORT, &news);
}

/* --- behind --- */

static void go_on(void *arg)
{
    struct impacts *i = arg;
    bool more = true;

    while (more && !cancel_raised(i->stop)) {
        struct telling t = {0};
        int64_t begun = i->clock->monotonic_ms(i->clock), now;
        pthread_mutex_lock(&i->lock);
        more = gather(i, &t);
        i->behind = more;
        pthread_mutex_unlock(&i->lock);
        tell(i, &t);
        telling_done(&t);
        now = i->clock->monotonic_ms(i->clock);
        if (more)
            i->clock->sleep_until(i->clock, now + REST_FACTOR * (now - begun), i->stop);
    }
}

/* --- changes --- */

struct wants {
    struct list keys;
    bool *used;
    size_t cap;
    int error;
};

static void want(void *arg, const char *key, bool come)
{
    struct wants *w = arg;
    char *copy = strdup(key);

    if (w->keys.n == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 64;
        bool *more = reallocarray(w->used, cap, sizeof(*more));
        w->used = more ? more : w->used;
        w->cap = more ? cap : w->cap;
    }
    if (!copy || w->keys.n == w->cap || list_add(&w->keys, copy) < 0) {
        w->error = -ENOMEM;
        free(copy);
        return;
    }
    w->used[w->keys.n - 1] = come;
}

static void wants_done(struct wants *w)
{
    for (size_t k = 0; k < w->keys.n; k++)
        free((char *)w->keys.items[k]);
    list_done(&w->keys);
    free(w->used);
}

/* Locked, and unlocks. Whether the cache was told anything. */
static bool changed(struct impacts *i, int e)
{
    struct telling t = {0};
    struct wants w = {0};
    bool more, wanted;

    graph_wanted(i->graph, want, &w);
    more = gather(i, &t) && !i->behind;
    i->behind |= more;
    pthread_mutex_unlock(&i->lock);
    if (e < 0 || w.error < 0)
        log_debug("something is missing in the graph: no memory");
    tell(i, &t);
    telling_done(&t);
    wanted = w.keys.n > 0;
    if (wanted &&
        cache_use(i->cache, (const char *const *)(const void *)w.keys.items, w.used, w.keys.n) < 0)
        log_debug("something is missing in resources/: no memory");
    wants_done(&w);
    if (more && jobs_add(i->jobs, go_on, i) < 0) {
        pthread_mutex_lock(&i->lock);
        i->behind = false; /* the next change tries again */
        pthread_mutex_unlock(&i->lock);
    }
    return wanted;
}

static void on_published(void *arg, const struct snapshot *old, const struct snapshot *now)
{
    struct impacts *i = arg;

    if (!now || now == old || !now->whole)
        return;
    pthread_mutex_lock(&i->lock);
    changed(i, graph_follow(i->graph, now));
}

static void on_described(void *arg, const char *const *keys, size_t n)
{
    struct impacts *i = arg;
    int64_t now_ms = i->clock->wall_ms(i->clock);
    int e = 0;

    if (n == 0)
        return;
    pthread_mutex_lock(&i->lock);
    for (size_t k = 0; k < n; k++) {
        int r = graph_described(i->graph, keys[k], now_ms);
        e = e < 0 ? e : r;
    }
    if (changed(i, e))
        cache_flush(i->cache);
}

/* --- asking --- */

int impacts_get(struct impacts *i, const struct index_resource *r, const struct impact **ret)
{
    pthread_mutex_lock(&i->lock);
    int e = graph_impact(i->graph, r, ret);
    pthread_mutex_unlock(&i->lock);
    return e;
}

int impacts_get_paths(struct impacts *i, const struct index_resource *r, const struct impact **ret)
{
    pthread_mutex_lock(&i->lock);
    int e = graph_impact_paths(i->graph, r, ret);
    pthread_mutex_unlock(&i->lock);
    return e;
}

const struct impact *impacts_told(struct impacts *i, const struct index_resource *r)
{
    pthread_mutex_lock(&i->lock);
    const struct impact *told = graph_impact_told(i->graph, r);
    pthread_mutex_unlock(&i->lock);
    return told;
}

int impacts_draw(struct impacts *i, const char *family, const char *service, struct buf *out,
                 int64_t *ret_changed_ms)
{
    pthread_mutex_lock(&i->lock);
    int e = graph_draw(i->graph, family, service, out, ret_changed_ms);
    pthread_mutex_unlock(&i->lock);
    return e;
}

bool impacts_whole(struct impacts *i)
{
    struct describe_progress p;

    pthread_mutex_lock(&i->lock);
    bool whole = i->whole;
    pthread_mutex_unlock(&i->lock);
    if (whole)
        return true;
    describe_progress(i->describe, &p);
    whole = p.complete || !p.rounds;
    pthread_mutex_lock(&i->lock);
    i->whole |= whole;
    pthread_mutex_unlock(&i->lock);
    return whole;
}

/* --- beginning and end --- */

static int edges_described_of(void *arg, const char *key, edge_fn emit, void *emit_arg)
{
    struct impacts *i = arg;
    _cleanup_description_ const struct description *d = describe_peek(i->describe, key);
    int e = 0;

    for (size_t k = 0; d && e == 0 && k < d->n_edges; k++)
        e = emit(emit_arg, d->edges[k].label, d->edges[k].target);
    return d ? e : 1;
}

void impacts_observe(struct impacts *i, impacts_observer fn, void *arg)
{
    i->fn = fn;
    i->arg = arg;
}

int impacts_new(struct impacts **ret, const struct impacts_options *o, struct fault *f)
{
    struct impacts *i = calloc(1, sizeof(*i));
    const struct graph_options g = {.account = {o->partition, o->region, o->account},
                                    .described = edges_described_of,
                                    .arg = i};

    if (!i)
        return fault_set(f, -ENOMEM, "no memory");
    i->cache = o->cache;
    i->describe = o->describe;
    i->clock = clock_system();
    pthread_mutex_init(&i->lock, NULL);
    i->stop = cancel_new();
    if (!i->stop || graph_new(&i->graph, &g) < 0 || jobs_new(&i->jobs, "svcfs-impacts", 1) < 0) {
        impacts_free(i);
        return fault_set(f, -ENOMEM, "no memory");
    }
    cache_observe(o->cache, on_published, i);
    describe_observe(o->describe, on_described, i);
    *ret = i;
    return 0;
}

void impacts_stop(struct impacts *i)
{
    cancel_raise(i->stop);
    jobs_drain(i->jobs);
}

void impacts_free(struct impacts *i)
{
    if (!i)
        return;
    if (i->stop)
        cancel_raise(i->stop);
    jobs_free(i->jobs);
    graph_free(i->graph);
    cancel_unref(i->stop);
    pthread_mutex_destroy(&i->lock);
    free(i);
}
