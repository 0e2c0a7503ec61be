/*
 * Differences by merging sorted listings. What the snapshots share is passed over by its pointer,
 * so that after a patch only what it made is compared.
 */
#include "cache/diff.h"

#include "base/str.h"
#include "cache/list.h"
#include "cache/lookup.h"
#include "cache/same.h"

struct differ {
    diff_fn fn;
    void *arg;
    const struct index_family *family; /* the one whose services are compared */
};

static void tell(struct differ *d, struct diff what)
{
    d->fn(d->arg, &what);
}

static enum diff_how how(const void *a, const void *b)
{
    return !a ? DIFF_ADDED : !b ? DIFF_REMOVED : DIFF_CHANGED;
}

static void pair_service(void *arg, const void *x, const void *y)
{
    const struct index_service *a = x, *b = y;
    struct differ *d = arg;

    if (a && b && !(streq(a->link, b->link) && streq(a->claim, b->claim))) {
        pair_service(d, a, NULL);
        pair_service(d, NULL, b);
        return;
    }
    if (!a || !b || !same_service(a, b))
        tell(d, (struct diff){.kind = DIFF_SERVICE,
                              .how = how(a, b),
                              .family = d->family,
                              .service = b ? b : a,
                              .old_service = b ? a : NULL});
}

static void pair_family(void *arg, const void *x, const void *y)
{
    static const struct index_family none;
    const struct index_family *a = x, *b = y, *f = b ? b : a;
    const struct index_family *old = a ? a : &none, *now = b ? b : &none;
    const size_t name = offsetof(struct index_service, name);
    struct differ *d = arg;

    if (!a || !b || a->has_blueprint != b->has_blueprint || a->known != b->known)
        tell(d,
             (struct diff){
                 .kind = DIFF_FAMILY, .how = how(a, b), .family = f, .old_family = b ? a : NULL});
    d->family = f;
    row_pairs(ROW(old->services, old->n_services), ROW(now->services, now->n_services), name,
              pair_service, d);
    row_pairs(ROW(old->deleting, old->n_deleting), ROW(now->deleting, now->n_deleting), name,
              pair_service, d);
    if (a && b && !same_links(a->shared, a->n_shared, b->shared, b->n_shared))
        tell(d,
             (struct diff){.kind = DIFF_SHARED, .how = DIFF_CHANGED, .family = f, .old_family = a});
}

static void pair_resource(void *arg, const void *x, const void *y)
{
    const struct index_resource *a = x, *b = y;
    struct differ *d = arg;

    if (a && b && !same_place(a, b)) {
        pair_resource(d, a, NULL);
        pair_resource(d, NULL, b);
        return;
    }
    if (!a || !b || !same_resource(a, b) || !same_owner(a, b))
        tell(d, (struct diff){.kind = DIFF_RESOURCE,
                              .how = how(a, b),
                              .resource = b ? b : a,
                              .old_resource = b ? a : NULL});
}

static void pair_group(void *arg, const void *x, const void *y)
{
    const struct index_group *a = x, *b = y;
    struct differ *d = arg;

    if (!a || !b || !same_group(a, b) ||
        !same_links(a->resources, a->n_resources, b->resources, b->n_resources))
        tell(d, (struct diff){.kind = DIFF_GROUP,
                              .how = how(a, b),
                              .group = b ? b : a,
                              .old_group = b ? a : NULL});
}

static bool same_problems(const struct snapshot *a, const struct snapshot *b)
{
    bool same = a->n_problems == b->n_problems;

    for (size_t i = 0; same && i < b->n_problems; i++)
        same = streq(a->problems[i], b->problems[i]);
    return same;
}

static bool same_untagged(const struct snapshot *old, const struct snapshot *now)
{
    size_t n_old = 0, n_now;
    const struct index_resource *const *was = old ? snapshot_untagged(old, &n_old) : NULL;
    const struct index_resource *const *is = snapshot_untagged(now, &n_now);

    return same_links(was, n_old, is, n_now);
}

void diff_snapshots(const struct snapshot *old, const struct snapshot *now, diff_fn fn, void *arg)
{
    static const struct snapshot none;
    const struct snapshot *before = old ? old : &none;
    struct differ d = {fn, arg, NULL};

    row_pairs(ROW(before->families, before->n_families), ROW(now->families, now->n_families),
              offsetof(struct index_family, name), pair_family, &d);
    row_pairs(ROW(before->resources, before->n_resources), ROW(now->resources, now->n_resources),
              offsetof(struct index_resource, key), pair_resource, &d);
    row_pairs(ROW_STRUCTS(before->groups, before->n_groups),
              ROW_STRUCTS(now->groups, now->n_groups), offsetof(struct index_group, name),
              pair_group, &d);
    if (before->groups_known != now->groups_known)
        tell(&d, (struct diff){.kind = DIFF_GROUPS_KNOWN, .how = DIFF_CHANGED});
    if (!same_untagged(old, now))
        tell(&d, (struct diff){.kind = DIFF_UNTAGGED, .how = DIFF_CHANGED});
    if (!same_problems(before, now))
        tell(&d, (struct diff){.kind = DIFF_PROBLEMS, .how = DIFF_CHANGED});
}
