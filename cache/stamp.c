/*
 * Times: what differs from the snapshot before gets the time of this one, all else keeps what it
 * had. Merges of sorted lists; what the two snapshots share is passed over by its pointer, so only
 * what the build or patch made itself is written to. Nobody else has it yet.
 */
#include "cache/draft.h"

#include "base/str.h"
#include "cache/same.h"

struct stamper {
    int64_t now_ms;
    bool deleting_changed; /* a family came into deleting/ or left it */
};

/* The time of something: as it was, where there was the same. */
static int64_t since(const struct stamper *st, bool same, int64_t old_ms)
{
    return same ? old_ms : st->now_ms;
}

static void stamp_resource(void *arg, const void *x, const void *y)
{
    const struct index_resource *old = x, *now = y;
    struct index_resource *r = (struct index_resource *)now;
    struct stamper *st = arg;

    if (!now)
        return;
    r->changed_ms = since(st, old && same_resource(old, now), old ? old->changed_ms : 0);
    r->owner_ms = since(st, old && same_owner(old, now), old ? old->owner_ms : 0);
}

static void stamp_service(void *arg, const void *x, const void *y)
{
    const struct index_service *old = x, *now = y;
    struct index_service *s = (struct index_service *)now;
    struct stamper *st = arg;

    if (!now)
        return;
    bool links = old && same_links(old->resources, old->n_resources, s->resources, s->n_resources);
    s->changed_ms = since(st, old && same_service(old, now), old ? old->changed_ms : 0);
    s->resources_ms = since(st, links, old ? old->resources_ms : 0);
    s->depends_ms = since(st, old && same_depends(old, s), old ? old->depends_ms : 0);
}

static void stamp_family(void *arg, const void *x, const void *y)
{
    static const struct index_family none;
    const size_t name = offsetof(struct index_service, name);
    const struct index_family *old = x ? x : &none, *now = y ? y : &none;
    struct index_family *f = (struct index_family *)y;
    struct stamper *st = arg;

    st->deleting_changed |= (old->n_deleting > 0) != (now->n_deleting > 0);
    if (!f)
        return;
    struct row before = ROW(old->services, old->n_services), here = ROW(f->services, f->n_services);
    struct row went = ROW(old->deleting, old->n_deleting), going = ROW(f->deleting, f->n_deleting);
    row_pairs(before, here, name, stamp_service, st);
    row_pairs(went, going, name, stamp_service, st);
    bool shared = same_links(old->shared, old->n_shared, f->shared, f->n_shared);
    f->changed_ms = since(st, x && old->has_blueprint == f->has_blueprint, old->changed_ms);
    f->services_ms = since(st, x && row_same(before, here, name), old->services_ms);
    f->deleting_ms = since(st, x && row_same(went, going, name), old->deleting_ms);
    f->shared_ms = since(st, x && shared, old->shared_ms);
}

static void stamp_group(void *arg, const void *x, const void *y)
{
    const struct index_group *old = x;
    struct index_group *g = (struct index_group *)y;
    struct stamper *st = arg;

    if (!g)
        return;
    bool links = old && same_links(old->resources, old->n_resources, g->resources, g->n_resources);
    g->changed_ms = since(st, old && same_group(old, g), old ? old->changed_ms : 0);
    g->resources_ms = since(st, links, old ? old->resources_ms : 0);
}

static void stamp_type(void *arg, const void *x, const void *y)
{
    const struct index_type *old = x;
    struct index_type *t = (struct index_type *)y;
    struct stamper *st = arg;

    if (!t)
        return;
    bool same =
        old && row_same(ROW(old->resources, old->n_resources), ROW(t->resources, t->n_resources),
                        offsetof(struct index_resource, id));
    t->listed_ms = since(st, same, old ? old->listed_ms : 0);
}

static void stamp_kind(void *arg, const void *x, const void *y)
{
    static const struct index_kind none;
    const size_t name = offsetof(struct index_type, name);
    const struct index_kind *old = x ? x : &none;
    struct index_kind *k = (struct index_kind *)y;
    struct stamper *st = arg;

    if (!k)
        return;
    struct row before = ROW_STRUCTS(old->types, old->n_types),
               here = ROW_STRUCTS(k->types, k->n_types);
    row_pairs(before, here, name, stamp_type, st);
    k->listed_ms = since(st, x && row_same(before, here, name), old->listed_ms);
}

static void stamp_untagged(const struct stamper *st, const struct snapshot_private *old,
                           struct snapshot_private *now)
{
    bool same = same_links(old->untagged, old->n_untagged, now->untagged, now->n_untagged);

    now->untagged_ms = since(st, same, old->untagged_ms);
}

static bool same_needs(const struct snapshot *a, const struct snapshot *b)
{
    const struct snapshot_private *p = a->private_, *q = b->private_;
    bool same = p->n_needs == q->n_needs;

    for (size_t i = 0; same && i < p->n_needs; i++)
        same = p->needs[i] == q->needs[i] || (streq(p->needs[i]->id, q->needs[i]->id) &&
                                              streq(p->needs[i]->by->link, q->needs[i]->by->link));
    return same;
}

int stamp_pass(struct build *b)
{
    const struct snapshot *old = b->in->before;
    struct snapshot *s = b->s;

    s->built_wall_ms = b->in->wall_ms;
    if (!old) /* all zero, and so they are */
        return 0;
    if (s->built_wall_ms <= old->built_wall_ms)
        s->built_wall_ms = old->built_wall_ms + 1;
    struct stamper st = {.now_ms = s->built_wall_ms};
    const struct row families[] = {ROW(old->families, old->n_families),
                                   ROW(s->families, s->n_families)};
    const struct row services[] = {ROW(old->services, old->n_services),
                                   ROW(s->services, s->n_services)};
    const struct row kinds[] = {ROW_STRUCTS(old->kinds, old->n_kinds),
                                ROW_STRUCTS(s->kinds, s->n_kinds)};
    const struct row groups[] = {ROW_STRUCTS(old->groups, old->n_groups),
                                 ROW_STRUCTS(s->groups, s->n_groups)};
    const size_t family = offsetof(struct index_family, name);
    const size_t link = offsetof(struct index_service, link);
    const size_t kind = offsetof(struct index_kind, name);
    const size_t group = offsetof(struct index_group, name);

    row_pairs(ROW(old->resources, old->n_resources), ROW(s->resources, s->n_resources),
              offsetof(struct index_resource, key), stamp_resource, &st);
    row_pairs(families[0], families[1], family, stamp_family, &st);
    row_pairs(kinds[0], kinds[1], kind, stamp_kind, &st);
    row_pairs(groups[0], groups[1], group, stamp_group, &st);
    s->families_ms = since(&st, row_same(families[0], families[1], family), old->families_ms);
    s->services_ms = since(&st, row_same(services[0], services[1], link), old->services_ms);
    s->deleting_ms = since(&st, !st.deleting_changed, old->deleting_ms);
    s->kinds_ms = since(&st, row_same(kinds[0], kinds[1], kind), old->kinds_ms);
    s->needs_ms = since(&st, same_needs(old, s), old->needs_ms);
    s->groups_ms = since(&st, row_same(groups[0], groups[1], group), old->groups_ms);
    stamp_untagged(&st, old->private_, s->private_);
    return 0;
}
