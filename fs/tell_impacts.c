/* What differs in who is touched, as calls of notify.h. */
#include <string.h>

#include "cache/lookup.h"
#include "fs/fs.h"
#include "fs/kind.h"
#include "fs/notify.h"
#include "fs/tree.h"
#include "fs/tell.h"

/* The entries of services/; whether any is another one. (Where the links lead to stands in the
 * service's own node: tell.c.) */
static bool tell_links(struct notify *n, const struct key *dir, const struct impact *old,
                       const struct impact *now)
{
    bool other = false;
    size_t i = 0, k = 0;

    while (i < old->n || k < now->n) {
        const struct graph_face *a = i < old->n ? old->entries[i].service : NULL;
        const struct graph_face *b = k < now->n ? now->entries[k].service : NULL;
        int order = !a ? 1 : !b ? -1 : strcmp(a->link, b->link);

        if (order != 0 || a->deleting != b->deleting) {
            notify_entry(n, dir, order <= 0 ? a->link : b->link);
            other = true;
        }
        i += order <= 0;
        k += order >= 0;
    }
    return other;
}

static void tell_impact(struct notify *n, const struct impact_change *c)
{
    const struct index_resource *r = c->resource;
    struct key resource = {
        .kind = KIND_RESOURCE, .n_args = 3, .args = {r->service, r->type, r->id}, .life = ""};
    struct key dir = key_child(&resource, KIND_RESOURCE_OWNERS, NULL);
    struct key table = key_child(&resource, KIND_IMPACT, NULL);

    notify_inode(n, &table);
    if (tell_links(n, &dir, c->old, c->now))
        notify_inode(n, &dir);
}

static void tell_drawing(struct notify *n, const struct snapshot *s, const struct drawing_change *c)
{
    struct key root = {.kind = KIND_ROOT, .life = ""};
    struct key family = {.kind = KIND_FAMILY, .n_args = 1, .args = {c->family}, .life = ""};
    const struct index_family *f;
    const struct index_service *v;
    struct key service;

    if (!c->family)
        notify_version(n, &root, KIND_GRAPH);
    else if (!c->service)
        notify_version(n, &family, KIND_FAMILY_GRAPH);
    if (!c->service)
        return;
    f = s ? snapshot_family(s, c->family) : NULL;
    v = !f                     ? NULL
        : c->service->deleting ? snapshot_deleting(f, c->service->name)
                               : snapshot_service(f, c->service->name);
    if (!v)
        return; /* its directory went with it */
    service = tree_service_key(v);
    notify_version(n, &service, KIND_SERVICE_GRAPH);
}

void tell_impacts(struct fs *fs, const struct impact_news *news)
{
    const struct snapshot *snap _cleanup_snapshot_ = cache_snapshot(fs->cache);

    notify_next_epoch(fs->notify);
    for (size_t i = 0; i < news->n_impacts; i++)
        tell_impact(fs->notify, &news->impacts[i]);
    for (size_t i = 0; i < news->n_drawings; i++)
        tell_drawing(fs->notify, snap, &news->drawings[i]);
}
