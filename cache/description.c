/* A description: one block of memory, with all that it points to. */
#include "cache/description.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/str.h"
#include "cache/edges.h"

struct whole {
    struct description shown; /* first: callers see only this */
    struct arena *arena;      /* all of it */
    uint64_t hash;            /* of the text */
    atomic_uint refs;
};

static struct whole *whole_of(const struct description *d)
{
    return (struct whole *)d;
}

const struct description *description_ref(const struct description *d)
{
    atomic_fetch_add(&whole_of(d)->refs, 1);
    return d;
}

void description_unref(const struct description *d)
{
    if (d && atomic_fetch_sub(&whole_of(d)->refs, 1) == 1)
        arena_free(whole_of(d)->arena); /* it lies in it */
}

static struct whole *whole_new(void)
{
    struct arena *a = arena_new();
    struct whole *w = a ? arena_alloc(a, sizeof(*w)) : NULL;

    if (!w) {
        arena_free(a);
        return NULL;
    }
    w->arena = a;
    atomic_init(&w->refs, 1);
    return w;
}

struct collecting {
    struct arena *arena;
    struct description_edge *edges;
    size_t n, max;
};

static bool is_known(const struct collecting *c, const char *label, const char *target)
{
    for (size_t i = 0; i < c->n; i++)
        if (streq(c->edges[i].target, target) && streq(c->edges[i].label, label))
            return true;
    return false;
}

static int collect(void *arg, const char *label, const char *target)
{
    struct collecting *c = arg;
    size_t max = c->max ? c->max * 2 : 8;
    struct description_edge *more;

    if (is_known(c, label, target))
        return 0;
    if (c->n == c->max) {
        more = reallocarray(c->edges, max, sizeof(*more));
        if (!more)
            return -ENOMEM;
        c->edges = more;
        c->max = max;
    }
    c->edges[c->n] =
        (struct description_edge){arena_strdup(c->arena, label), arena_strdup(c->arena, target)};
    if (!c->edges[c->n].label || !c->edges[c->n].target)
        return -ENOMEM;
    c->n++;
    return 0;
}

static int set_edges(struct whole *w, const struct description_edge *edges, size_t n)
{
    struct description_edge *own = arena_array(w->arena, n, sizeof(*own));

    if (!own)
        return -ENOMEM;
    if (n > 0)
        memcpy(own, edges, n * sizeof(*own));
    w->shown.edges = own;
    w->shown.n_edges = n;
    return 0;
}

static int set_text(struct whole *w, json_t *properties)
{
    _cleanup_free_ char *text =
        json_dumps(properties, JSON_INDENT(4) | JSON_SORT_KEYS | JSON_REAL_PRECISION(15));
    char *own = text ? arena_printf(w->arena, "%s\n", text) : NULL;

    if (!own)
        return -ENOMEM;
    w->shown.text = own;
    w->shown.len = strlen(own);
    w->hash = hash_stable(own, w->shown.len);
    return 0;
}

const struct description *description_new(const struct describe_row *row, const char *key,
                                          json_t *properties)
{
    struct whole *w = whole_new();
    struct collecting c = {.arena = w ? w->arena : NULL};
    int r = w ? set_text(w, properties) : -ENOMEM;

    r = r ? r : edges_of(row->service, row->type, key, properties, collect, &c);
    r = r ? r : set_edges(w, c.edges, c.n);
    free(c.edges);
    if (r == 0)
        return &w->shown;
    if (w)
        arena_free(w->arena);
    return NULL;
}

const struct description *description_without_text(const struct description *d)
{
    struct whole *w = whole_new();
    int r = w ? 0 : -ENOMEM;
    struct collecting c = {.arena = w ? w->arena : NULL};

    for (size_t i = 0; r == 0 && i < d->n_edges; i++)
        r = collect(&c, d->edges[i].label, d->edges[i].target);
    r = r ? r : set_edges(w, c.edges, c.n);
    free(c.edges);
    if (r < 0) {
        if (w)
            arena_free(w->arena);
        return NULL;
    }
    w->shown.len = d->len;
    w->shown.changed_wall_ms = d->changed_wall_ms;
    w->hash = whole_of(d)->hash;
    return &w->shown;
}

bool description_same(const struct description *a, const struct description *b)
{
    return a->len == b->len && whole_of(a)->hash == whole_of(b)->hash;
}

void description_set_changed(const struct description *d, int64_t wall_ms)
{
    whole_of(d)->shown.changed_wall_ms = wall_ms;
}
