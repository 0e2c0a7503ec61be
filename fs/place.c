/*
 * Resolving: a key and the newest snapshot give a place, or the reason why not. Without any
 * snapshot the last sweep's error is the answer, and before there is one, PARK: never an empty
 * directory, never "no such file".
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "fs/kind.h"
#include "fs/tree.h"

int place_snapshot(const struct place *p)
{
    struct cache_freshness fresh;

    if (p->snap)
        return 0;
    cache_freshness(p->fs->cache, &fresh);
    return fresh.last.err ? fault_copy(p->fault, &fresh.last) : PARK;
}

int place_open(struct fs *fs, const struct key *key, struct place *ret, struct fault *f)
{
    const struct kind *row = kind_row(key->kind);
    struct place p = {.fs = fs, .key = key, .fault = f};
    struct key up = *key;
    int r;

    p.snap = cache_snapshot(fs->cache);
    if (!p.snap) {
        /* What is always there answers; what is in it asks for the snapshot when it needs it. */
        r = row->flags & KIND_F_ALWAYS ? 0 : place_snapshot(&p);
        if (r == 0)
            *ret = p;
        return r;
    }
    while (!kind_row(up.kind)->resolve)
        up.kind = kind_parent(&up);
    r = kind_row(up.kind)->resolve(&p);
    if (r) {
        place_done(&p);
        return r;
    }
    *ret = p;
    return 0;
}

void place_done(struct place *p)
{
    if (p->snap)
        snapshot_unref(p->snap);
    service_view_free(p->view);
    p->snap = NULL;
    p->view = NULL;
}

int place_view(struct place *p)
{
    return p->view ? 0 : provision_view(p->fs->provision, p->snap, p->service, &p->view);
}

int resolve_none(struct place *p _unused_)
{
    return 0;
}

int resolve_family(struct place *p)
{
    p->family = snapshot_family(p->snap, p->key->args[0]);
    return p->family ? 0 : -ENOENT;
}

int resolve_deleting_family(struct place *p)
{
    int r = resolve_family(p);

    return r ? r : p->family->n_deleting ? 0 : -ENOENT;
}

int resolve_service(struct place *p)
{
    const char *name = p->key->args[1];
    int r = resolve_family(p);

    if (r)
        return r;
    p->service =
        p->key->deleting ? snapshot_deleting(p->family, name) : snapshot_service(p->family, name);
    if (!p->service)
        return -ENOENT;
    /* Another life of the same name is another service; a claim that is not known yet may be any.
     */
    if (p->key->life[0] && p->service->claim[0] && !streq(p->key->life, p->service->claim))
        return -ENOENT;
    return 0;
}

int resolve_group(struct place *p)
{
    p->group = snapshot_group(p->snap, p->key->args[0]);
    return p->group ? 0 : -ENOENT;
}

int resolve_resource_service(struct place *p)
{
    p->rkind = snapshot_kind(p->snap, p->key->args[0]);
    return p->rkind ? 0 : -ENOENT;
}

int resolve_resource_type(struct place *p)
{
    int r = resolve_resource_service(p);

    if (r)
        return r;
    p->rtype = snapshot_type(p->rkind, p->key->args[1]);
    return p->rtype ? 0 : -ENOENT;
}

int resolve_resource(struct place *p)
{
    int r = resolve_resource_type(p);

    if (r)
        return r;
    p->resource = snapshot_resource(p->rtype, p->key->args[2]);
    return p->resource ? 0 : -ENOENT;
}
