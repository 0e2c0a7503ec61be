/*
 * Differences by merging sorted listings. Two resources are the same if key, tags and place are;
 * two services if what the tree shows of them from the snapshot is.
 */
#include "cache/diff.h"

#include <string.h>

#include "base/str.h"

struct differ {
    diff_fn fn;
    void *arg;
};

/* Merges two sorted arrays of pointers. pair(old, NULL): went; pair(NULL, new): came; else both. */
static void merge(const void *const *old, size_t n_old, const void *const *now, size_t n_now,
                  size_t offset, void (*pair)(struct differ *d, const void *a, const void *b),
                  struct differ *d)
{
    size_t i = 0, k = 0;

    while (i < n_old || k < n_now) {
        int order = i == n_old ? 1 : k == n_now ? -1 : 0;
        if (order == 0)
            order = strcmp(*(const char *const *)((const char *)old[i] + offset),
                           *(const char *const *)((const char *)now[k] + offset));
        if (order == 0)
            pair(d, old[i++], now[k++]);
        else if (order < 0)
            pair(d, old[i++], NULL);
        else
            pair(d, NULL, now[k++]);
    }
}

#define MERGE(d, a, n_a, b, n_b, type, member, pair)                                               \
    merge((const void *const *)(a), (n_a), (const void *const *)(b), (n_b),                        \
          offsetof(type, member), (pair), (d))

static void tell(struct differ *d, struct diff what)
{
    d->fn(d->arg, &what);
}

static enum diff_how how(const void *a, const void *b)
{
    return !a ? DIFF_ADDED : !b ? DIFF_REMOVED : DIFF_CHANGED;
}

/* --- what is the same --- */

static bool same_place(const struct index_resource *a, const struct index_resource *b)
{
    return streq(a->service, b->service) && streq(a->type, b->type) && streq(a->id, b->id);
}

static bool same_resource(const struct index_resource *a, const struct index_resource *b)
{
    if (a->n_tags != b->n_tags || !streq(a->key, b->key) || !streq(a->id, b->id) ||
        !streq(a->link, b->link))
        return false;
    for (size_t i = 0; i < a->n_tags; i++)
        if (!streq(a->tags[i].key, b->tags[i].key) || !streq(a->tags[i].value, b->tags[i].value))
            return false;
    return true;
}

static bool same_owner(const struct index_resource *a, const struct index_resource *b)
{
    if (!a->owner || !b->owner)
        return a->owner == b->owner;
    return streq(a->owner->id, b->owner->id) && streq(a->owner->link, b->owner->link) &&
           a->owner->deleting == b->owner->deleting &&
           streq(a->owner->family->id, b->owner->family->id);
}

static bool same_list(const struct index_resource *const *a, size_t n_a,
                      const struct index_resource *const *b, size_t n_b)
{
    if (n_a != n_b)
        return false;
    for (size_t i = 0; i < n_a; i++)
        if (!same_resource(a[i], b[i]))
            return false;
    return true;
}

static bool same_service(const struct index_service *a, const struct index_service *b)
{
    return a->managed == b->managed && streq(a->phase, b->phase) && streq(a->claim, b->claim) &&
           same_list(a->resources, a->n_resources, b->resources, b->n_resources);
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? streq(a, b) : a == b;
}

/* --- pairs --- */

static void pair_service(struct differ *d, const void *x, const void *y)
{
    const struct index_service *a = x, *b = y, *s = b ? b : a;

    if (a && b && !(streq(a->link, b->link) && streq(a->claim, b->claim))) {
        pair_service(d, a, NULL);
        pair_service(d, NULL, b);
        return;
    }
    if (!a || !b || !same_service(a, b))
        tell(d, (struct diff){.kind = DIFF_SERVICE,
                              .how = how(a, b),
                              .family = s->family,
                              .service = s,
                              .old_service = b ? a : NULL});
}

static void pair_family(struct differ *d, const void *x, const void *y)
{
    static const struct index_family none;
    const struct index_family *a = x, *b = y, *f = b ? b : a;
    const struct index_family *old = a ? a : &none, *now = b ? b : &none;

    if (!a || !b || a->has_blueprint != b->has_blueprint)
        tell(d,
             (struct diff){
                 .kind = DIFF_FAMILY, .how = how(a, b), .family = f, .old_family = b ? a : NULL});
    MERGE(d, old->services, old->n_services, now->services, now->n_services, struct index_service,
          name, pair_service);
    MERGE(d, old->deleting, old->n_deleting, now->deleting, now->n_deleting, struct index_service,
          name, pair_service);
    if (a && b && !same_list(a->shared, a->n_shared, b->shared, b->n_shared))
        tell(d,
             (struct diff){.kind = DIFF_SHARED, .how = DIFF_CHANGED, .family = f, .old_family = a});
}

static void pair_resource(struct differ *d, const void *x, const void *y)
{
    const struct index_resource *a = x, *b = y;

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

static void diff_groups(struct differ *d, const struct snapshot *old, const struct snapshot *now)
{
    size_t i = 0, k = 0, n_old = old ? old->n_groups : 0;

    while (i < n_old || k < now->n_groups) {
        const struct index_group *a = i < n_old ? &old->groups[i] : NULL;
        const struct index_group *b = k < now->n_groups ? &now->groups[k] : NULL;
        int order = !a ? 1 : !b ? -1 : strcmp(a->name, b->name);

        i += order <= 0;
        k += order >= 0;
        a = order <= 0 ? a : NULL;
        b = order >= 0 ? b : NULL;
        if (!a || !b || !streq(a->arn, b->arn) || !same_text(a->query, b->query) ||
            !same_list(a->resources, a->n_resources, b->resources, b->n_resources))
            tell(d, (struct diff){.kind = DIFF_GROUP,
                                  .how = how(a, b),
                                  .group = b ? b : a,
                                  .old_group = b ? a : NULL});
    }
}

void diff_snapshots(const struct snapshot *old, const struct snapshot *now, diff_fn fn, void *arg)
{
    struct differ d = {fn, arg};

    MERGE(&d, old ? old->families : NULL, old ? old->n_families : 0, now->families, now->n_families,
          struct index_family, name, pair_family);
    MERGE(&d, old ? old->resources : NULL, old ? old->n_resources : 0, now->resources,
          now->n_resources, struct index_resource, key, pair_resource);
    diff_groups(&d, old, now);
}
