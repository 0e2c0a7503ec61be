/*
 * A name in depends-on/ hangs on two services: on the one whose directory it is, and on the one
 * that it leads to, which may come, go, be torn down, or have another name. So whatever happens to
 * a service, what it needs is compared, and what those need who need it.
 */
#include "fs/tell_depends.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cache/list.h"
#include "cache/lookup.h"
#include "cache/name.h"
#include "cache/same.h"
#include "fs/notify.h"
#include "fs/tree.h"

static struct key directory(const struct index_service *s, enum kind_id kind)
{
    struct key service = tree_service_key(s);

    return key_child(&service, kind, NULL);
}

/* --- dependents/ --- */

static void dependent(struct notify *n, const struct snapshot *now, const char *id,
                      const char *link)
{
    size_t n_all;
    const struct index_service *const *all = snapshot_services_by_id(now, id, &n_all);

    for (size_t i = 0; i < n_all; i++) {
        struct key dir = directory(all[i], KIND_DEPENDENTS);
        struct key entry = key_child(&dir, KIND_DEPENDENT, link);

        notify_inode(n, &dir);
        notify_inode(n, &entry); /* who asks for it finds out before the name is forgotten */
        notify_entry(n, &dir, link);
    }
}

static bool needs(const struct index_service *s, const char *id)
{
    for (size_t i = 0; s && i < s->n_depends; i++)
        if (streq(s->depends[i], id))
            return true;
    return false;
}

/* In the directories of those that s needs, and `other` (may be NULL) does not. */
static void dependents_of(struct notify *n, const struct snapshot *now,
                          const struct index_service *s, const struct index_service *other)
{
    for (size_t i = 0; s && i < s->n_depends; i++)
        if (!needs(other, s->depends[i]))
            dependent(n, now, s->depends[i], s->link);
}

/* --- depends-on/ --- */

struct entry {
    char name[NAME_SIZE];
    const struct index_service *to;
};
struct entries {
    struct entry *all;
    size_t n, max;
};

static int add_entry(void *arg, const char *name, const char *id _unused_,
                     const struct index_service *to)
{
    struct entries *e = arg;

    if (e->n == e->max) {
        size_t max = e->max ? e->max * 2 : 32;
        struct entry *more = reallocarray(e->all, max, sizeof(*more));

        if (!more)
            return -1;
        e->all = more;
        e->max = max;
    }
    strcpy(e->all[e->n].name, name);
    e->all[e->n++].to = to;
    return 0;
}

static int by_name(const void *x, const void *y)
{
    return strcmp(((const struct entry *)x)->name, ((const struct entry *)y)->name);
}

static struct entries entries_of(const struct snapshot *snap, const struct index_service *s)
{
    struct entries e = {0};

    tree_needs(snap, s, add_entry, &e);
    if (e.n > 0)
        qsort(e.all, e.n, sizeof(*e.all), by_name);
    return e;
}

static bool same_target(const struct index_service *a, const struct index_service *b)
{
    if (!a || !b)
        return a == b;
    return a->deleting == b->deleting && streq(a->family->name, b->family->name) &&
           streq(a->name, b->name);
}

static void compare(struct notify *n, const struct key *dir, const struct entries *old,
                    const struct entries *now)
{
    bool other_names = false;
    size_t i = 0, k = 0;

    while (i < old->n || k < now->n) {
        int order = i == old->n ? 1 : k == now->n ? -1 : strcmp(old->all[i].name, now->all[k].name);
        struct key link =
            key_child(dir, KIND_DEPENDENCY, order <= 0 ? old->all[i].name : now->all[k].name);

        if (order != 0 || !same_target(old->all[i].to, now->all[k].to))
            notify_inode(n, &link);
        if (order != 0)
            notify_entry(n, dir, key_name(&link));
        other_names |= order != 0;
        i += order <= 0;
        k += order >= 0;
    }
    if (other_names)
        notify_inode(n, dir);
}

/* The same service in the old snapshot, where its directory is the same node. */
static const struct index_service *before(const struct snapshot *old, const struct index_service *s)
{
    const struct index_family *f = snapshot_family(old, s->family->name);
    const struct index_service *was = f ? snapshot_service_by_id(f, s->id) : NULL;

    return was && was->deleting == s->deleting && streq(was->claim, s->claim) ? was : NULL;
}

static void depends_of(struct notify *n, const struct snapshot *old, const struct snapshot *now,
                       const struct index_service *s)
{
    const struct index_service *was = before(old, s);
    struct key dir = directory(s, KIND_DEPENDS_ON);
    struct entries a, b;

    if (!was)
        return;
    a = entries_of(old, was);
    b = entries_of(now, s);
    compare(n, &dir, &a, &b);
    free(a.all);
    free(b.all);
}

void tell_depends(struct notify *n, const struct snapshot *old, const struct snapshot *now,
                  const struct diff *d)
{
    const struct index_service *s = d->service, *was = d->old_service;
    const struct index_need *const *all;
    size_t n_all;

    if (d->how == DIFF_CHANGED) {
        if (same_depends(was, s))
            return;
        dependents_of(n, now, was, s);
        dependents_of(n, now, s, was);
        depends_of(n, old, now, s);
        return;
    }
    dependents_of(n, now, s, NULL);
    all = snapshot_dependents(now, s->id, &n_all);
    for (size_t i = 0; i < n_all; i++)
        depends_of(n, old, now, all[i]->by);
}
