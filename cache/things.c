#include "cache/things.h"

#include <string.h>

struct things *things_new(struct things *before)
{
    struct things *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->arena = arena_new();
    if (!t->arena) {
        free(t);
        return NULL;
    }
    atomic_init(&t->refs, 1);
    if (before) {
        atomic_fetch_add(&before->refs, 1);
        t->before = before;
        t->patches = before->patches + 1;
    }
    return t;
}

/* A loop, since a chain of patches is long. */
void things_unref(struct things *t)
{
    while (t && atomic_fetch_sub(&t->refs, 1) == 1) {
        struct things *before = t->before;
        raw_resources_unref(t->resources);
        raw_groups_unref(t->groups);
        arena_free(t->arena);
        free(t);
        t = before;
    }
}

struct snapshot *snapshot_new(struct things *t)
{
    struct arena *a = arena_new();
    struct snapshot *s = a ? arena_alloc(a, sizeof(*s)) : NULL;
    struct snapshot_private *p = s ? arena_alloc(a, sizeof(*p)) : NULL;

    if (!p) {
        arena_free(a);
        return NULL;
    }
    p->lists = a;
    atomic_fetch_add(&t->refs, 1);
    p->things = t;
    atomic_init(&p->refs, 1);
    s->whole = s->swept = true;
    s->private_ = p;
    return s;
}

void snapshot_stands_for(struct snapshot *s, const struct snapshot *old)
{
    s->generation = old->generation;
    s->built_wall_ms = old->built_wall_ms;
}

const struct snapshot *snapshot_ref(const struct snapshot *s)
{
    atomic_fetch_add(&s->private_->refs, 1);
    return s;
}

void snapshot_free(const struct snapshot *s)
{
    struct things *t = s->private_->things;

    arena_free(s->private_->lists); /* s lies in it */
    things_unref(t);
}

void snapshot_unref(const struct snapshot *s)
{
    if (s && atomic_fetch_sub(&s->private_->refs, 1) == 1)
        snapshot_free(s);
}
