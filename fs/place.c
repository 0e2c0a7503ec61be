/*
 * Resolving: a key and the newest snapshot give a place, or the reason why not. Without any
 * snapshot the last sweep's error is the answer, and before there is one, PARK: never an empty
 * directory, never "no such file". Before the first sweep has ended there may be a sketch: enough
 * for the names of the families, and for those families that somebody has asked for.
 */
#include "fs/place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cache/lookup.h"
#include "fs/content.h"
#include "fs/kind.h"
#include "fs/node.h"
#include "fs/notify.h"
#include "fs/request.h"
#include "fs/tree.h"

/* There is nothing to answer from: why. */
static int not_yet(const struct place *p)
{
    struct cache_freshness fresh;

    cache_freshness(p->fs->cache, &fresh);
    return fresh.last.err ? fault_copy(p->fault, &fresh.last) : PARK;
}

int place_snapshot(const struct place *p)
{
    return p->snap && (p->snap->whole || kind_is_early(p->key)) ? 0 : not_yet(p);
}

int place_whole(const struct place *p)
{
    return p->snap && p->snap->whole ? 0 : not_yet(p);
}

int place_swept(const struct place *p)
{
    return p->snap && p->snap->whole && p->snap->swept ? 0 : not_yet(p);
}

int place_absent(const struct place *p)
{
    int r = place_swept(p);

    return r ? r : -ENOENT;
}

int place_family(const struct place *p)
{
    int r;

    if (p->family->known)
        return 0;
    r = cache_want_family(p->fs->cache, p->family->id, p->since_ms, p->fault);
    return r ? r : not_yet(p);
}

static int resolve(struct place *p)
{
    struct key up = *p->key;

    while (!kind_row(up.kind)->resolve)
        up = key_parent(&up);
    return kind_row(up.kind)->resolve(p);
}

int place_open(struct request *req, struct place *ret)
{
    struct fs *fs = req->fs;
    struct place p = {.fs = fs,
                      .key = &req->key,
                      .node = req->node,
                      .since_ms = req->begun_ms,
                      .fault = &req->fault,
                      .epoch = notify_epoch(fs->notify)};
    int r;

    p.snap = cache_snapshot(fs->cache);
    if (!p.snap)
        p.snap = cache_sketch(fs->cache);
    r = place_snapshot(&p);
    if (r && kind_row(p.key->kind)->flags & KIND_F_ALWAYS)
        r = 0; /* what is in it asks for the snapshot when it needs it */
    else if (r == 0)
        r = resolve(&p);
    if (r)
        place_done(&p);
    else
        *ret = p;
    return r;
}

int place_child(const struct place *dir, const struct key *key, struct place *ret)
{
    struct place p = *dir;
    int r = 0;

    p.key = key;
    p.node = NULL;
    p.view = NULL;
    p.content = NULL;
    p.glance = true;
    p.unknown = false;
    if (kind_row(key->kind)->resolve)
        r = kind_row(key->kind)->resolve(&p);
    if (r == 0)
        *ret = p;
    return r;
}

void place_child_done(struct place *p)
{
    service_view_free(p->view);
    content_unref(p->content);
    p->view = NULL;
    p->content = NULL;
}

void place_done(struct place *p)
{
    place_child_done(p);
    if (p->snap)
        snapshot_unref(p->snap);
    p->snap = NULL;
}

int place_view(struct place *p)
{
    return p->view ? 0 : provision_view(p->fs->provision, p->snap, p->service, &p->view);
}

const struct service_row *place_row(struct place *p)
{
    if (!p->has_row)
        provision_row(p->fs->provision, p->service, &p->row);
    p->has_row = true;
    return &p->row;
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

    r = r ? r : place_family(p);
    if (r)
        return r;
    p->has_row = false;
    p->service =
        p->key->deleting ? snapshot_deleting(p->family, name) : snapshot_service(p->family, name);
    if (!p->service)
        return -ENOENT;
    /* Another life of the same name is another service; a claim that is not known yet may be any.
     */
    if (p->key->life[0] && p->service->claim[0] && !streq(p->key->life, p->service->claim))
        return -ESTALE; /* who came by this name is to look it up again */
    return 0;
}

int resolve_owner(struct place *p)
{
    p->service = snapshot_link(p->snap, p->key->args[0]);
    return p->service ? 0 : -ENOENT;
}

int resolve_owner_deleting(struct place *p)
{
    for (size_t i = 0; i < p->snap->n_families; i++) {
        const struct index_family *f = p->snap->families[i];

        for (size_t k = 0; k < f->n_deleting; k++) {
            p->service = f->deleting[k];
            if (streq(p->service->link, p->key->args[0]))
                return 0;
        }
    }
    return -ENOENT;
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
