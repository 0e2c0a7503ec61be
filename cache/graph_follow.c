/*
 * From snapshot to snapshot: only what is another pointer in the new one is looked at.
 */
#include "cache/graph_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cache/same.h"

struct following {
    struct graph *g;
    struct map *needed; /* ids whose dependents changed → anything */
    int error;          /* the first */
};

static void note(struct following *f, int e)
{
    f->error = f->error < 0 ? f->error : e;
}

/* --- services --- */

static struct graph_face *face_new(const struct index_service *s)
{
    size_t link = strlen(s->link) + 1, name = strlen(s->name) + 1,
           family = strlen(s->family->name) + 1;
    struct graph_face *f = malloc(sizeof(*f) + link + name + family);
    char *text = (char *)(f + 1);

    if (!f)
        return NULL;
    f->link = memcpy(text, s->link, link);
    f->name = memcpy(text + link, s->name, name);
    f->family = memcpy(text + link + name, s->family->name, family);
    f->deleting = s->deleting;
    atomic_init(&f->refs, 1);
    return f;
}

static bool same_face(const struct graph_face *f, const struct index_service *s)
{
    return streq(f->link, s->link) && streq(f->name, s->name) &&
           streq(f->family, s->family->name) && f->deleting == s->deleting;
}

static struct svc *svc_new(const struct index_service *s)
{
    struct svc *v = calloc(1, sizeof(*v));

    if (!v)
        return NULL;
    v->face = face_new(s);
    v->id = strdup(s->id);
    v->family_id = strdup(s->family->id);
    if (v->face && v->id && v->family_id)
        return v;
    graph_face_unref(v->face);
    free(v->id);
    free(v->family_id);
    free(v);
    return NULL;
}

/* By family and id, which is what it is. They stay: there are few. */
struct svc *graph_svc(struct graph *g, const struct index_service *s, bool make)
{
    _cleanup_free_ char *key = str_printf("%s\n%s", s->family->id, s->id);
    struct svc *v = key ? map_get(g->services, key) : NULL;

    if (v || !key || !make)
        return v;
    v = svc_new(s);
    if (v && map_put(g->services, key, v, NULL) == 0)
        return v;
    if (v) {
        graph_face_unref(v->face);
        free(v->id);
        free(v->family_id);
        free(v);
    }
    return NULL;
}

static void renew_face(struct graph *g, const struct index_service *s)
{
    struct svc *v = graph_svc(g, s, false);
    struct graph_face *face = v && !same_face(v->face, s) ? face_new(s) : NULL;

    if (!face)
        return;
    graph_face_unref(v->face);
    v->face = face;
}

static void need_all(struct following *f, const struct index_service *s)
{
    for (size_t i = 0; i < s->n_depends; i++)
        note(f, map_put(f->needed, s->depends[i], f, NULL));
}

static void pair_service(void *arg, const void *x, const void *y)
{
    static const struct index_service none;
    const struct index_service *old = x ? x : &none, *now = y ? y : &none;
    struct following *f = arg;
    struct svc *v;

    if (y)
        renew_face(f->g, now);
    if (x && y && same_depends(old, now) && old->deleting == now->deleting &&
        streq(old->link, now->link))
        return;
    need_all(f, old);
    need_all(f, now);
    if (old->n_depends + now->n_depends == 0 || !f->g->drawings)
        return;
    v = graph_svc(f->g, y ? y : x, false);
    if (v && !v->redraw)
        v->redraw = list_add(&f->g->redraw, v) == 0;
    if (v)
        note(f, map_put(f->g->families, v->face->family, f, NULL));
}

static void pair_family(void *arg, const void *x, const void *y)
{
    static const struct index_family none;
    const struct index_family *old = x ? x : &none, *now = y ? y : &none;
    const size_t name = offsetof(struct index_service, name);

    row_pairs(ROW(old->services, old->n_services), ROW(now->services, now->n_services), name,
              pair_service, arg);
    row_pairs(ROW(old->deleting, old->n_deleting), ROW(now->deleting, now->n_deleting), name,
              pair_service, arg);
}

/* --- what services need: who needs something is touched by all that touches that --- */

/* All services with this id. */
static int affect_service(struct graph *g, const struct snapshot *s, const char *id,
                          struct list *further)
{
    size_t n;
    const struct index_service *const *all = snapshot_services_by_id(s, id, &n);
    int e = 0;

    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < all[i]->n_resources; k++) {
            struct node *node = map_get(g->nodes, all[i]->resources[k]->key);
            if (node)
                graph_affect(g, node);
        }
        for (size_t k = 0; e == 0 && k < all[i]->n_depends; k++)
            e = list_add(further, all[i]->depends[k]);
    }
    return e;
}

static void affect_needed(struct following *f, const struct snapshot *s)
{
    struct map *seen _cleanup_(map_freep) = map_new();
    struct list ids = {0};
    struct map_iter it = {0};
    const char *id;

    if (!s || map_size(f->needed) == 0)
        return;
    if (!seen)
        note(f, -ENOMEM);
    while (seen && map_next(f->needed, &it, &id, NULL))
        note(f, list_add(&ids, id));
    while (seen && ids.n > 0) {
        id = ids.items[--ids.n];
        if (map_get(seen, id))
            continue;
        note(f, map_put(seen, id, f, NULL));
        note(f, affect_service(f->g, s, id, &ids));
    }
    list_done(&ids);
}

/* --- resources --- */

static void come(struct following *f, const struct index_resource *r)
{
    struct graph *g = f->g;
    struct node *n = graph_node(g, r->key);

    if (!n) {
        note(f, -ENOMEM);
        return;
    }
    n->r = r;
    n->svc = r->owner ? graph_svc(g, r->owner, true) : NULL;
    graph_affect(g, n);
    note(f, graph_set_refs(g, n));
    if (r->inferred)
        graph_unsure(g, n);
}

static void gone(struct following *f, const struct index_resource *r)
{
    struct graph *g = f->g;
    struct node *n = map_get(g->nodes, r->key);

    if (!n)
        return;
    graph_affect(g, n);
    n->r = NULL;
    n->svc = NULL;
    note(f, graph_set_refs(g, n)); /* none */
    graph_forget_impact(g, n);
    graph_unsure(g, n);
}

static bool same_family(const struct index_label *a, const struct index_label *b)
{
    return a == b || (a && b && streq(a->id, b->id));
}

static void pair_resource(void *arg, const void *x, const void *y)
{
    const struct index_resource *old = x, *now = y;
    struct following *f = arg;
    struct node *n = old && now ? map_get(f->g->nodes, now->key) : NULL;

    if (!now) {
        gone(f, old);
        return;
    }
    if (!n || !n->r) {
        come(f, now);
        return;
    }
    bool same =
        same_owner(old, now) && same_place(old, now) && same_family(old->family, now->family);
    if (!same)
        graph_affect(f->g, n);
    n->r = now;
    if (!same_owner(old, now))
        n->svc = now->owner ? graph_svc(f->g, now->owner, true) : NULL;
    if (!same)
        graph_affect(f->g, n);
    if (now->inferred && !old->inferred)
        graph_unsure(f->g, n);
}

int graph_follow(struct graph *g, const struct snapshot *now)
{
    static const struct snapshot none;
    const struct snapshot *before = g->snap, *old = before ? before : &none;
    struct following f = {g, map_new(), 0};

    if (!f.needed)
        return -ENOMEM;
    g->now_ms = MAX(g->now_ms, now->built_wall_ms);
    g->snap = snapshot_ref(now);
    row_pairs(ROW(old->families, old->n_families), ROW(now->families, now->n_families),
              offsetof(struct index_family, name), pair_family, &f);
    affect_needed(&f, before);
    row_pairs(ROW(old->resources, old->n_resources), ROW(now->resources, now->n_resources),
              offsetof(struct index_resource, key), pair_resource, &f);
    affect_needed(&f, now);
    graph_settle(g);
    map_free(f.needed);
    snapshot_unref(before);
    return f.error;
}
