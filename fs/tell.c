/*
 * A directory whose names came or went is known by its time, which is that of the new snapshot: so
 * a thousand new names are one change of their directory. The names themselves, and what is in
 * files, come from the differences.
 */
#include "fs/tell.h"

#include <string.h>

#include "base/str.h"
#include "cache/diff.h"
#include "cache/list.h"
#include "cache/lookup.h"
#include "cache/name.h"
#include "fs/fs.h"
#include "fs/kind.h"
#include "fs/node.h"
#include "fs/notify.h"
#include "fs/tree.h"
#include "fs/tell_depends.h"

struct telling {
    struct notify *notify;
    const struct snapshot *old, *now;
};

struct publication {
    struct telling telling;
    struct list services; /* whose status may be another one */
};

static struct key make_key(enum kind_id kind, const char *a, const char *b, const char *c)
{
    struct key key = {.kind = kind, .args = {a, b, c}, .life = ""};

    while (key.n_args < 3 && key.args[key.n_args])
        key.n_args++;
    return key;
}

static void inode(struct telling *c, enum kind_id kind, const char *x, const char *y, const char *z)
{
    struct key key = make_key(kind, x, y, z);

    notify_inode(c->notify, &key);
}

static void entry(struct telling *c, enum kind_id dir, const char *x, const char *y,
                  const char *name)
{
    struct key key = make_key(dir, x, y, NULL);

    notify_entry(c->notify, &key, name);
}

/* The family's services.tsv. */
static void table(struct telling *c, const char *family)
{
    struct key key = make_key(KIND_FAMILY, family, NULL, NULL);

    notify_version(c->notify, &key, KIND_SERVICES_TSV);
}

/* The names of two lists of links that are in one of them alone. */
static void links(struct telling *c, const struct key *dir, const struct index_resource *const *old,
                  size_t n_old, const struct index_resource *const *now, size_t n_now)
{
    size_t i = 0, k = 0;

    while (i < n_old || k < n_now) {
        int order = i == n_old ? 1 : k == n_now ? -1 : strcmp(old[i]->link, now[k]->link);

        if (order != 0)
            notify_entry(c->notify, dir, order < 0 ? old[i]->link : now[k]->link);
        i += order <= 0;
        k += order >= 0;
    }
}

/* --- services --- */

static void of_service(struct telling *c, const struct key *service, enum kind_id kind)
{
    struct key key = key_child(service, kind, NULL);

    notify_inode(c->notify, &key);
}

/* Its status, and all that goes with that. */
static void status(struct telling *c, const struct key *service)
{
    of_service(c, service, KIND_STATUS);
    of_service(c, service, KIND_ERROR);
    of_service(c, service, KIND_OUTPUTS);
    notify_inode(c->notify, service); /* `error` comes and goes */
    notify_entry(c->notify, service, "error");
}

static void service_changed(struct telling *c, const struct index_service *old,
                            const struct index_service *s)
{
    bool other_status =
        old->managed != s->managed || old->claims != s->claims || !streq(old->phase, s->phase);
    struct key key = tree_service_key(s), resources = key_child(&key, KIND_SERVICE_RESOURCES, NULL);

    notify_version(c->notify, &key, KIND_SERVICE_JSON);
    if (other_status)
        status(c, &key);
    if (other_status || old->n_resources != s->n_resources)
        table(c, s->family->name);
    if (s->resources_ms == c->now->built_wall_ms) {
        notify_inode(c->notify, &resources);
        links(c, &resources, old->resources, old->n_resources, s->resources, s->n_resources);
    }
}

/* The links to it say where it stands; one of the same name may have stood elsewhere. */
static void moved(struct telling *c, const struct index_service *s)
{
    const struct index_service *old = snapshot_link(c->old, s->link);
    const struct index_service *now = snapshot_link(c->now, s->link);

    if (old && now && !streq(old->family->name, now->family->name))
        inode(c, KIND_OWNER_LINK, s->link, NULL, NULL);
}

static void on_service(struct telling *c, const struct diff *d)
{
    const struct index_service *s = d->service;
    struct key dir;

    tell_depends(c->notify, c->old, c->now, d);
    if (d->how == DIFF_CHANGED) {
        service_changed(c, d->old_service, s);
        return;
    }
    dir = make_key(s->deleting ? KIND_DELETING_FAMILY : KIND_FAMILY, s->family->name, NULL, NULL);
    notify_entry(c->notify, &dir, s->name);
    if (s->deleting)
        return;
    table(c, s->family->name);
    entry(c, KIND_SERVICES, NULL, NULL, s->link);
    moved(c, s);
}

/* --- families --- */

static void on_family(struct telling *c, const struct diff *d)
{
    const char *name = d->family->name;

    if (d->how != DIFF_CHANGED) {
        entry(c, KIND_FAMILIES, NULL, NULL, name);
        return;
    }
    if (d->old_family->has_blueprint == d->family->has_blueprint)
        return; /* its lists are known now: that is told by their times */
    inode(c, KIND_FAMILY, name, NULL, NULL);
    entry(c, KIND_FAMILY, name, NULL, "blueprint.json");
    entry(c, KIND_FAMILY, name, NULL, "next-id");
}

static void on_shared(struct telling *c, const struct diff *d)
{
    struct key dir = make_key(KIND_FAMILY_RESOURCES, d->family->name, NULL, NULL);

    links(c, &dir, d->old_family->shared, d->old_family->n_shared, d->family->shared,
          d->family->n_shared);
}

/* Directories of a family, by their times; and whether it has one in deleting/. */
static void family_listings(struct telling *c, const struct index_family *f)
{
    const struct index_family *old = snapshot_family(c->old, f->name);
    int64_t now_ms = c->now->built_wall_ms;

    if (f->services_ms == now_ms)
        inode(c, KIND_FAMILY, f->name, NULL, NULL);
    if (f->shared_ms == now_ms)
        inode(c, KIND_FAMILY_RESOURCES, f->name, NULL, NULL);
    if (f->deleting_ms == now_ms)
        inode(c, KIND_DELETING_FAMILY, f->name, NULL, NULL);
    if ((old && old->n_deleting > 0) != (f->n_deleting > 0))
        entry(c, KIND_DELETING, NULL, NULL, f->name);
}

/* --- resources --- */

/* Its link in by-type/ comes or goes. */
static void by_type(struct telling *c, const char *service, const char *type)
{
    char shown[NAME_SIZE];

    name_type(service, type, shown);
    entry(c, KIND_BY_TYPE, NULL, NULL, shown);
}

static void tag(struct telling *c, const struct index_resource *r, const char *tag_key, bool same)
{
    struct key dir = make_key(KIND_TAGS, r->service, r->type, r->id), key;
    char name[NAME_SIZE];

    name_from_value(tag_key, NULL, false, name);
    key = key_child(&dir, KIND_TAG, name);
    if (same)
        notify_inode(c->notify, &key);
    else
        notify_entry(c->notify, &dir, name);
}

static void tags(struct telling *c, const struct index_resource *old,
                 const struct index_resource *now)
{
    size_t i = 0, k = 0;
    bool other_names = false;

    if (old->unread != now->unread) {
        struct key dir = make_key(KIND_RESOURCE, now->service, now->type, now->id);

        notify_inode(c->notify, &dir);
        notify_entry(c->notify, &dir, "tags");
    }
    while (i < old->n_tags || k < now->n_tags) {
        int order = i == old->n_tags   ? 1
                    : k == now->n_tags ? -1
                                       : strcmp(old->tags[i].key, now->tags[k].key);

        if (order != 0 || !streq(old->tags[i].value, now->tags[k].value))
            tag(c, now, order <= 0 ? old->tags[i].key : now->tags[k].key, order == 0);
        other_names = other_names || order != 0;
        i += order <= 0;
        k += order >= 0;
    }
    if (other_names)
        inode(c, KIND_TAGS, now->service, now->type, now->id);
}

static void on_resource(struct telling *c, const struct diff *d)
{
    const struct index_resource *r = d->resource;
    const struct snapshot *without = d->how == DIFF_ADDED ? c->old : c->now;
    const struct index_kind *kind;

    if (d->how == DIFF_CHANGED) {
        tags(c, d->old_resource, r);
        return;
    }
    kind = snapshot_kind(without, r->service);
    if (!kind || !snapshot_type(kind, r->type))
        by_type(c, r->service, r->type);
    if (!kind)
        entry(c, KIND_RESOURCES, NULL, NULL, r->service);
    else if (!snapshot_type(kind, r->type))
        entry(c, KIND_RESOURCE_SERVICE, r->service, NULL, r->type);
    else
        entry(c, KIND_RESOURCE_TYPE, r->service, r->type, r->id);
}

static void resource_listings(struct telling *c)
{
    int64_t now_ms = c->now->built_wall_ms;

    for (size_t i = 0; i < c->now->n_kinds; i++) {
        const struct index_kind *k = &c->now->kinds[i];

        if (k->listed_ms == now_ms)
            inode(c, KIND_RESOURCE_SERVICE, k->name, NULL, NULL);
        for (size_t t = 0; t < k->n_types; t++)
            if (k->types[t].listed_ms == now_ms)
                inode(c, KIND_RESOURCE_TYPE, k->name, k->types[t].name, NULL);
    }
}

static void on_untagged(struct telling *c, const struct diff *d _unused_)
{
    struct key dir = make_key(KIND_UNTAGGED, NULL, NULL, NULL);
    size_t n_old, n_now;
    const struct index_resource *const *old = snapshot_untagged(c->old, &n_old);
    const struct index_resource *const *now = snapshot_untagged(c->now, &n_now);

    links(c, &dir, old, n_old, now, n_now);
}

/* --- groups --- */

static void on_group(struct telling *c, const struct diff *d)
{
    const struct index_group *old = d->old_group, *g = d->group;
    struct key dir = make_key(KIND_GROUP_RESOURCES, g->name, NULL, NULL);

    if (d->how != DIFF_CHANGED) {
        entry(c, KIND_GROUPS, NULL, NULL, g->name);
        return;
    }
    if (!streq(old->arn, g->arn))
        inode(c, KIND_GROUP_ARN, g->name, NULL, NULL);
    if (!old->query != !g->query) {
        inode(c, KIND_GROUP, g->name, NULL, NULL);
        entry(c, KIND_GROUP, g->name, NULL, "query.json");
    } else if (g->query && !streq(old->query, g->query)) {
        inode(c, KIND_GROUP_QUERY, g->name, NULL, NULL);
    }
    if (g->resources_ms == c->now->built_wall_ms)
        notify_inode(c->notify, &dir);
    links(c, &dir, old->resources, old->n_resources, g->resources, g->n_resources);
}

/* They are looked for as long as they are not known; the listing that says so was never given. */
static void on_groups_known(struct telling *c, const struct diff *d _unused_)
{
    inode(c, KIND_GROUPS, NULL, NULL, NULL);
}

/* --- all --- */

static void on_diff(void *arg, const struct diff *d)
{
    struct publication *p = arg;
    static void (*const handlers[])(struct telling * c, const struct diff *d) = {
        [DIFF_FAMILY] = on_family,     [DIFF_SERVICE] = on_service,
        [DIFF_SHARED] = on_shared,     [DIFF_RESOURCE] = on_resource,
        [DIFF_GROUP] = on_group,       [DIFF_GROUPS_KNOWN] = on_groups_known,
        [DIFF_UNTAGGED] = on_untagged, [DIFF_PROBLEMS] = NULL, /* .svcfs/errors is not cached */
    };

    if (handlers[d->kind])
        handlers[d->kind](&p->telling, d);
    if (d->kind == DIFF_SERVICE) /* without memory its place in by-status/ stays as it was */
        (void)list_add(&p->services, d->service);
}

/* All of them, where this is the first snapshot: they could be asked for before. */
static void top_listings(struct telling *c)
{
    const struct snapshot *s = c->now;
    const struct {
        enum kind_id kind;
        int64_t changed_ms;
    } top[] = {
        {KIND_FAMILIES, s->families_ms},      {KIND_SERVICES, s->services_ms},
        {KIND_GROUPS, s->groups_ms},          {KIND_RESOURCES, s->kinds_ms},
        {KIND_DELETING, s->deleting_ms},      {KIND_UNTAGGED, snapshot_untagged_ms(s)},
        {KIND_BY_TYPE, snapshot_types_ms(s)},
    };

    for (size_t i = 0; i < ARRAY_SIZE(top); i++)
        if (!c->old || top[i].changed_ms == s->built_wall_ms)
            inode(c, top[i].kind, NULL, NULL, NULL);
}

static void differences(struct publication *p)
{
    struct telling *c = &p->telling;

    for (size_t i = 0; i < c->now->n_families; i++)
        family_listings(c, c->now->families[i]);
    resource_listings(c);
    diff_snapshots(c->old, c->now, on_diff, p);
}

void tell_published(struct fs *fs, const struct snapshot *old, const struct snapshot *now)
{
    struct publication p = {.telling = {fs->notify, old, now}};

    if (old == now)
        return;
    notify_next_epoch(fs->notify);
    top_listings(&p.telling);
    if (old) /* else nothing below them could be answered before */
        differences(&p);
    tell_standings(fs, (const struct index_service *const *)p.services.items, p.services.n);
    list_done(&p.services);
}

/* What was first described could not be kept by the kernel before. */
static bool is_news(struct fs *fs, const char *key)
{
    const struct description *d _cleanup_description_ = describe_peek(fs->describe, key);

    return !d || d->changed_wall_ms;
}

void tell_described(struct fs *fs, const char *const *keys, size_t n)
{
    const struct snapshot *snap _cleanup_snapshot_ = n ? cache_snapshot(fs->cache) : NULL;
    struct telling c = {fs->notify, snap, snap};
    bool begun = false;

    for (size_t i = 0; snap && i < n; i++) {
        const struct index_resource *r = snapshot_resource_by_key(snap, keys[i]);
        struct key resource, key;

        if (!r || !is_news(fs, keys[i]))
            continue;
        if (!begun)
            notify_next_epoch(fs->notify);
        begun = true;
        resource = make_key(KIND_RESOURCE, r->service, r->type, r->id);
        key = key_child(&resource, KIND_PROPERTIES, NULL);
        if (describe_gone(fs->describe, keys[i]) || !node_find(fs->nodes, &key)) {
            notify_inode(c.notify, &resource); /* it came or went */
            notify_entry(c.notify, &resource, key_name(&key));
        }
        notify_inode(c.notify, &key);
    }
}

static void outputs(struct telling *c, struct fs *fs, const struct snapshot *snap,
                    const struct index_service *s, const struct key *service)
{
    struct service_view *view _cleanup_(service_view_freep) = NULL;
    struct key dir = key_child(service, KIND_OUTPUTS, NULL);

    if (provision_view(fs->provision, snap, s, &view) < 0)
        return;
    for (size_t i = 0; i < view->n_outputs; i++) {
        struct key key = key_child(&dir, KIND_OUTPUT, view->outputs[i].name);

        notify_inode(c->notify, &key);
    }
}

static void blueprint(struct telling *c, const struct index_family *f)
{
    inode(c, KIND_FAMILY, f->name, NULL, NULL);
    inode(c, KIND_BLUEPRINT, f->name, NULL, NULL);
    entry(c, KIND_FAMILY, f->name, NULL, "blueprint.json");
    entry(c, KIND_FAMILY, f->name, NULL, "next-id");
}

void tell_service(struct fs *fs, const char *family, const char *id, unsigned what)
{
    const struct snapshot *snap _cleanup_snapshot_ = cache_sketch(fs->cache);
    const struct index_family *f = snap ? snapshot_family_by_id(snap, family) : NULL;
    const struct index_service *s = f && id ? snapshot_service_by_id(f, id) : NULL;
    struct telling c = {fs->notify, snap, snap};
    struct key key;

    notify_next_epoch(fs->notify);
    if (f && !id)
        blueprint(&c, f);
    if (!s)
        return;
    key = tree_service_key(s);
    if (what & PROVISION_EVENTS) {
        of_service(&c, &key, KIND_EVENTS);
        notify_poll(fs->notify);
    }
    if (what & PROVISION_VIEW) {
        status(&c, &key);
        notify_version(c.notify, &key, KIND_SERVICE_JSON);
        outputs(&c, fs, snap, s, &key);
        table(&c, f->name);
        tell_standings(fs, &s, 1);
        notify_poll(fs->notify); /* of `wait` */
    }
}
