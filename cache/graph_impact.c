/*
 * Who is touched: a walk backwards, nearest first. The chain of each service is a shortest one; of
 * several that by the least keys from its end, so that it does not depend on the order in which
 * things came to be known.
 */
#include "cache/graph_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"

struct impact_private {
    atomic_uint refs;
    atomic_size_t kept_size;
    struct buf paths;
};

/* An impact being made. */
struct reach {
    struct graph *g;
    struct node *from;
    uint32_t mark;
    struct list nodes;   /* in the order of the walk */
    struct list touched; /* svcs */
    int error;
};

/* --- lives --- */

const struct graph_face *graph_face_ref(const struct graph_face *f)
{
    atomic_fetch_add(&((struct graph_face *)f)->refs, 1);
    return f;
}

void graph_face_unref(const struct graph_face *f)
{
    struct graph_face *face = (struct graph_face *)f;

    if (face && atomic_fetch_sub(&face->refs, 1) == 1)
        free(face);
}

const struct impact *impact_ref(const struct impact *i)
{
    atomic_fetch_add(&i->private_->refs, 1);
    return i;
}

void impact_unref(const struct impact *i)
{
    if (!i || atomic_fetch_sub(&i->private_->refs, 1) > 1)
        return;
    for (size_t k = 0; k < i->n; k++)
        graph_face_unref(i->entries[k].service);
    buf_done(&i->private_->paths);
    free((void *)i->entries);
    free(i->private_);
    free((void *)i);
}

static struct impact *impact_new(size_t n)
{
    struct impact *i = calloc(1, sizeof(*i));
    struct impact_private *p = calloc(1, sizeof(*p));
    struct impact_entry *entries = calloc(n + 1, sizeof(*entries));

    if (!i || !p || !entries) {
        free(i);
        free(p);
        free(entries);
        return NULL;
    }
    atomic_init(&p->refs, 1);
    p->paths = BUF_INIT((size_t)1 << 30);
    i->private_ = p;
    i->entries = entries;
    return i;
}

void impact_keep_size(const struct impact *i, size_t size)
{
    atomic_store(&i->private_->kept_size, size);
}

size_t impact_kept_size(const struct impact *i)
{
    return atomic_load(&i->private_->kept_size);
}

const struct impact_entry *impact_find(const struct impact *i, const char *link)
{
    size_t low = 0, high = i->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(i->entries[middle].service->link, link);

        if (order == 0)
            return &i->entries[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

bool impact_same(const struct impact *a, const struct impact *b)
{
    bool same = a->n == b->n;

    for (size_t i = 0; same && i < a->n; i++) {
        const struct graph_face *x = a->entries[i].service, *y = b->entries[i].service;
        same = a->entries[i].path_hash == b->entries[i].path_hash &&
               (x == y || (streq(x->link, y->link) && streq(x->name, y->name) &&
                           streq(x->family, y->family) && x->deleting == y->deleting));
    }
    return same;
}

/* --- along edges --- */

static void touch(struct reach *w, struct node *n, uint32_t distance, bool last)
{
    struct svc *v = n->svc;
    int order;

    if (!v)
        return;
    if (v->mark != w->mark) {
        v->mark = w->mark;
        v->queued = false;
        if (list_add(&w->touched, v) < 0)
            w->error = -ENOMEM;
    } else {
        order = distance < v->distance ? -1 : distance > v->distance ? 1 : 0;
        order = order ? order : strcmp(n->key, v->end->key);
        if (order > 0 || (order == 0 && last))
            return;
    }
    v->distance = distance;
    v->end = n;
    v->end_last = last;
    v->by_need = NULL;
}

static void step(struct reach *w, struct node *at, const struct link *l)
{
    struct node *user = l->node;
    uint32_t distance = at->distance + 1;

    if (!user->r)
        return;
    if (user->mark == w->mark) {
        if (user->distance == distance && strcmp(at->key, user->via->key) < 0)
            user->via = at;
        return;
    }
    if (l->flags & LINK_LAST) {
        bool new = user->last_mark != w->mark;
        if (!new && (user->last_distance < distance || strcmp(at->key, user->last_via->key) > 0))
            return;
        user->last_mark = w->mark;
        user->last_distance = distance;
        user->last_via = at;
        touch(w, user, distance, true);
        return;
    }
    user->mark = w->mark;
    user->distance = distance;
    user->via = at;
    if (list_add(&w->nodes, user) < 0)
        w->error = -ENOMEM;
}

static void walk_edges(struct reach *w)
{
    w->from->mark = w->mark;
    w->from->distance = 0;
    w->from->via = NULL;
    if (list_add(&w->nodes, w->from) < 0)
        w->error = -ENOMEM;
    for (size_t i = 0; i < w->nodes.n; i++) {
        struct node *at = (struct node *)w->nodes.items[i];
        const struct link *l;
        uint32_t it = 0;
        touch(w, at, at->distance, false);
        while ((l = graph_next(at, true, &it)))
            step(w, at, l);
    }
    w->g->effort += w->nodes.n;
}

/* --- along dependencies --- */

/* Whether the way over v is the better one for d. */
static bool better(const struct reach *w, const struct svc *v, const struct svc *d)
{
    uint32_t distance = v->distance + 1;

    if (d->mark != w->mark || distance < d->distance)
        return true;
    return distance == d->distance && d->by_need &&
           strcmp(v->face->link, d->by_need->face->link) < 0;
}

static void step_need(struct reach *w, struct svc *v, const struct index_need *need,
                      struct list *queue)
{
    struct svc *d = graph_svc(w->g, need->by, true);

    if (!d)
        w->error = -ENOMEM;
    if (!d || d == v || !better(w, v, d))
        return;
    bool new = d->mark != w->mark, nearer = new || v->distance + 1 < d->distance;
    if (new) {
        d->mark = w->mark;
        d->queued = false;
        if (list_add(&w->touched, d) < 0)
            w->error = -ENOMEM;
    }
    d->distance = v->distance + 1;
    d->end = NULL;
    d->by_need = v;
    if (!nearer || d->queued)
        return;
    d->queued = true;
    if (list_add(queue, d) < 0)
        w->error = -ENOMEM;
}

static void walk_needs(struct reach *w)
{
    struct list queue = {0};

    if (!w->g->snap)
        return;
    for (size_t i = 0; i < w->touched.n; i++) {
        struct svc *v = (struct svc *)w->touched.items[i];
        v->queued = true;
        if (list_add(&queue, v) < 0)
            w->error = -ENOMEM;
    }
    for (size_t i = 0; i < queue.n; i++) {
        struct svc *v = (struct svc *)queue.items[i];
        size_t n;
        const struct index_need *const *needs = snapshot_dependents(w->g->snap, v->id, &n);
        v->queued = false;
        for (size_t k = 0; k < n; k++)
            step_need(w, v, needs[k], &queue);
    }
    list_done(&queue);
}

/* --- what came of it --- */

static int put_node(struct buf *out, const struct node *n)
{
    return n->r ? buf_printf(out, "%s/%s/%s < ", n->r->service, n->r->type, n->r->id)
                : buf_printf(out, "%s < ", n->key);
}

/* From the resource to the service. */
static int put_chain(const struct svc *v, struct buf *out)
{
    struct list services = {0}, nodes = {0};
    int e = 0;

    for (; e == 0 && !v->end; v = v->by_need)
        e = list_add(&services, v);
    if (e == 0)
        e = list_add(&services, v);
    const struct node *n = e == 0 ? v->end : NULL;
    for (bool last = v->end_last; e == 0 && n; last = false) {
        e = list_add(&nodes, n);
        n = last ? n->last_via : n->via;
    }
    while (e == 0 && nodes.n > 0)
        e = put_node(out, nodes.items[--nodes.n]);
    while (e == 0 && services.n > 0) {
        e = buf_puts(out, ((const struct svc *)services.items[--services.n])->face->link);
        if (e == 0 && services.n > 0)
            e = buf_puts(out, " < ");
    }
    list_done(&services);
    list_done(&nodes);
    return e;
}

static int order_touched(const void *x, const void *y)
{
    return strcmp(((const struct svc *)x)->face->link, ((const struct svc *)y)->face->link);
}

/* With the paths, they are in one buffer, which moves while it grows. */
static int fill(struct reach *w, bool paths, struct impact *i)
{
    struct impact_entry *entries = (struct impact_entry *)i->entries;
    _cleanup_free_ size_t *at = calloc(w->touched.n + 1, sizeof(*at));
    struct buf *text = &i->private_->paths;
    int e = at ? 0 : -ENOMEM;

    for (size_t k = 0; e == 0 && k < w->touched.n; k++) {
        const struct svc *v = w->touched.items[k];
        at[k] = text->len;
        e = put_chain(v, text);
        if (e < 0)
            return e;
        entries[i->n++] = (struct impact_entry){
            .service = graph_face_ref(v->face),
            .distance = v->distance,
            .path_hash = hash_stable(text->data + at[k], text->len - at[k]),
        };
        if (paths)
            e = buf_putc(text, '\0');
        else
            buf_truncate(text, 0);
    }
    for (size_t k = 0; e == 0 && paths && k < i->n; k++)
        entries[k].path = text->data + at[k];
    if (!paths)
        buf_done(text);
    return e;
}

int graph_reach(struct graph *g, struct node *from, bool paths, const struct impact **ret)
{
    struct reach w = {.g = g, .from = from, .mark = ++g->mark};

    walk_edges(&w);
    walk_needs(&w);
    struct impact *i = w.error < 0 ? NULL : impact_new(w.touched.n);
    int e = i ? 0 : -ENOMEM;
    if (e == 0) {
        list_sort(&w.touched, order_touched);
        e = fill(&w, paths, i);
    }
    list_done(&w.nodes);
    list_done(&w.touched);
    if (e == 0)
        *ret = i;
    else
        impact_unref(i);
    return e;
}

/* --- asked for --- */

/* A snapshot that is newer than the graph's may have it: whose it is, is all that is known then. */
static int reach_as_given(struct graph *g, struct node *n, const struct index_resource *r,
                          const struct impact **ret)
{
    n->r = r;
    n->svc = r->owner ? graph_svc(g, r->owner, true) : NULL;
    int e = graph_reach(g, n, false, ret);
    n->r = NULL;
    n->svc = NULL;
    return e;
}

static int remember(struct graph *g, struct node *n, const struct index_resource *r)
{
    struct impact *now = NULL;
    int e = n->r ? graph_reach(g, n, false, (const struct impact **)&now)
                 : reach_as_given(g, n, r, (const struct impact **)&now);

    if (e < 0)
        return e;
    now->changed_ms = r->owner_ms;
    n->told = now;
    g->n_told++;
    g->batch++; /* what was seen before may be affected anew */
    return 0;
}

int graph_impact(struct graph *g, const struct index_resource *r, const struct impact **ret)
{
    struct node *n = graph_node(g, r->key);
    int e = n ? 0 : -ENOMEM;

    if (e == 0 && !n->told)
        e = remember(g, n, r);
    if (e < 0)
        return e;
    *ret = impact_ref(n->told);
    return 0;
}

int graph_impact_paths(struct graph *g, const struct index_resource *r, const struct impact **ret)
{
    struct node *n = map_get(g->nodes, r->key);

    return n && n->r ? graph_reach(g, n, true, ret) : -EAGAIN;
}

const struct impact *graph_impact_told(struct graph *g, const struct index_resource *r)
{
    const struct node *n = map_get(g->nodes, r->key);

    return n && n->told ? impact_ref(n->told) : NULL;
}

/* --- told --- */

static void tell_impact(struct graph *g, struct node *n, const struct graph_news *news)
{
    const struct impact *now = NULL;

    n->stale = false;
    if (!n->told || !n->r) {
        graph_drop_unused(g, n);
        return;
    }
    if (graph_reach(g, n, false, &now) < 0)
        return;
    if (impact_same(n->told, now)) {
        impact_unref(now);
        return;
    }
    ((struct impact *)now)->changed_ms = MAX(g->now_ms, n->told->changed_ms + 1);
    news->impact(news->arg, n->r, n->told, now);
    impact_unref(n->told);
    n->told = now;
}

static void tell_drawings(struct graph *g, const struct graph_news *news)
{
    struct map_iter it = {0};
    const char *family;

    while (g->redraw.n > 0) {
        struct svc *v = (struct svc *)g->redraw.items[--g->redraw.n];
        v->redraw = false;
        news->drawing(news->arg, v->face->family, v->face);
    }
    while (map_next(g->families, &it, &family, NULL)) {
        news->drawing(news->arg, family, NULL);
        map_remove(g->families, family);
    }
    if (g->redraw_all)
        news->drawing(news->arg, NULL, NULL);
    g->redraw_all = false;
}

bool graph_news(struct graph *g, size_t effort, const struct graph_news *news)
{
    size_t until = g->effort + effort;

    tell_drawings(g, news);
    while (g->stale.n > 0 && g->effort < until) {
        tell_impact(g, (struct node *)g->stale.items[--g->stale.n], news);
        g->effort++;
    }
    g->batch++;
    return g->stale.n > 0;
}
