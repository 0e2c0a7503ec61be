/*
 * Targets of links. All are relative, so that the tree may be mounted, or bind-mounted, anywhere;
 * and they hold what the snapshot says now, so that a link never points to what another thing of
 * that name was.
 */
#include <errno.h>

#include "cache/lookup.h"
#include "fs/render.h"
#include "fs/tree.h"

static const struct index_resource *target_of(const struct place *p)
{
    const char *link = p->key->args[p->key->n_args - 1];

    switch (p->key->kind) {
    case KIND_FAMILY_LINK:
        return tree_link(p->family->shared, p->family->n_shared, link);
    case KIND_SERVICE_LINK:
        return tree_link(p->service->resources, p->service->n_resources, link);
    case KIND_GROUP_LINK:
        return tree_link(p->group->resources, p->group->n_resources, link);
    default:
        return NULL;
    }
}

int render_resource_link(struct place *p, struct buf *out, struct fault *f _unused_)
{
    const struct index_resource *r = target_of(p);
    const char *up = p->key->kind == KIND_SERVICE_LINK ? "../../../.." : "../../..";

    if (!r)
        return -ENOENT;
    return buf_printf(out, "%s/resources/%s/%s/%s", up, r->service, r->type, r->id);
}

int render_services_link(struct place *p, struct buf *out, struct fault *f _unused_)
{
    const struct index_service *s = snapshot_link(p->snap, p->key->args[0]);

    if (!s)
        return -ENOENT;
    return buf_printf(out, "../families/%s/%s", s->family->name, s->name);
}

int render_owner_link(struct place *p, struct buf *out, struct fault *f _unused_)
{
    const struct index_service *s = p->service;

    return buf_printf(out, "../../../../../%s/%s/%s/service.json",
                      s->deleting ? "deleting" : "families", s->family->name, s->name);
}
