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
    uint64_t hash;            /* of the text */
    atomic_uint refs;
    struct description_edge edges[]; /* then their strings, and the text */
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
        free(whole_of(d));
}

static const char *put(char **at, const char *s)
{
    char *copy = *at;

    *at = stpcpy(copy, s) + 1;
    return copy;
}

/* text, without its newline, may be NULL. There are as many as there are resources: each takes what
 * it needs. */
static struct whole *whole_new(const char *text, const struct description_edge *edges, size_t n)
{
    size_t size =
        sizeof(struct whole) + n * sizeof(*edges) + (text ? strlen(text) + sizeof("\n") : 0);

    for (size_t i = 0; i < n; i++)
        size += strlen(edges[i].label) + 1 + strlen(edges[i].target) + 1;
    struct whole *w = calloc(1, size);
    if (!w)
        return NULL;
    char *at = (char *)&w->edges[n];
    for (size_t i = 0; i < n; i++)
        w->edges[i] =
            (struct description_edge){put(&at, edges[i].label), put(&at, edges[i].target)};
    w->shown.edges = w->edges;
    w->shown.n_edges = n;
    if (text) {
        w->shown.text = at;
        w->shown.len = (size_t)(stpcpy(stpcpy(at, text), "\n") - at);
        w->hash = hash_stable(at, w->shown.len);
    }
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

const struct description *description_new(const struct describe_row *row, const char *key,
                                          json_t *properties)
{
    struct collecting c = {.arena = arena_new()};
    _cleanup_free_ char *text =
        json_dumps(properties, JSON_INDENT(4) | JSON_SORT_KEYS | JSON_REAL_PRECISION(15));
    struct whole *w = NULL;

    if (c.arena && text && edges_of(row->service, row->type, key, properties, collect, &c) == 0)
        w = whole_new(text, c.edges, c.n);
    free(c.edges);
    arena_free(c.arena);
    return w ? &w->shown : NULL;
}

const struct description *description_without_text(const struct description *d)
{
    struct whole *w = whole_new(NULL, d->edges, d->n_edges);

    if (!w)
        return NULL;
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
