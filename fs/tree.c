/*
 * What directories hold. Every function here reads one snapshot and nothing else that could wait;
 * the two functions of a directory must agree: what list emits, find finds.
 */
#include "fs/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cache/lookup.h"
#include "cache/name.h"

bool exists_blueprint(struct place *p)
{
    return p->family->has_blueprint;
}

/* A broken blueprint makes nothing: what is listed must be readable (fuse-facts.md 37). */
bool exists_next_id(struct place *p)
{
    char id[64];

    return p->family->has_blueprint &&
           provision_next_id(p->fs->provision, p->family->id, id, NULL) == 0;
}

bool exists_error(struct place *p)
{
    return place_row(p)->has_error;
}

bool exists_group_query(struct place *p)
{
    return p->group->query;
}

bool exists_arn(struct place *p)
{
    return p->resource->has_arn;
}

bool exists_tags(struct place *p)
{
    return p->resource->has_arn && !p->resource->unread;
}

int find_families(struct place *dir, const char *name, struct key *ret)
{
    const struct index_family *f = snapshot_family(dir->snap, name);

    if (!f)
        return -ENOENT;
    *ret = key_child(dir->key, KIND_FAMILY, f->name);
    return 0;
}

int list_families(struct place *dir, list_fn emit, void *arg)
{
    for (size_t i = 0; i < dir->snap->n_families; i++) {
        struct key key = key_child(dir->key, KIND_FAMILY, dir->snap->families[i]->name);
        int r = emit(arg, &key, dir->snap->families[i]->name);

        if (r)
            return r;
    }
    return 0;
}

static struct key service_key(const struct key *dir, const struct index_service *s, bool deleting)
{
    struct key key = key_child(dir, KIND_SERVICE, s->name);

    key.deleting = deleting;
    key.life = s->claim;
    return key;
}

static int list_lives(struct place *dir, const struct index_service *const *list, size_t n,
                      bool deleting, list_fn emit, void *arg)
{
    for (size_t i = 0; i < n; i++) {
        struct key key = service_key(dir->key, list[i], deleting);
        int r = emit(arg, &key, list[i]->name);

        if (r)
            return r;
    }
    return 0;
}

int find_family(struct place *dir, const char *name, struct key *ret)
{
    const struct index_service *s;
    int r = place_family(dir);

    if (r)
        return r;
    s = snapshot_service(dir->family, name);
    if (!s)
        return -ENOENT;
    *ret = service_key(dir->key, s, false);
    return 0;
}

int list_family(struct place *dir, list_fn emit, void *arg)
{
    int r = place_family(dir);

    return r ? r
             : list_lives(dir, dir->family->services, dir->family->n_services, false, emit, arg);
}

int find_deleting_family(struct place *dir, const char *name, struct key *ret)
{
    const struct index_service *s = snapshot_deleting(dir->family, name);

    if (!s)
        return -ENOENT;
    *ret = service_key(dir->key, s, true);
    return 0;
}

int list_deleting_family(struct place *dir, list_fn emit, void *arg)
{
    return list_lives(dir, dir->family->deleting, dir->family->n_deleting, true, emit, arg);
}

int find_deleting(struct place *dir, const char *name, struct key *ret)
{
    const struct index_family *f = snapshot_family(dir->snap, name);

    if (!f || !f->n_deleting)
        return -ENOENT;
    *ret = key_child(dir->key, KIND_DELETING_FAMILY, f->name);
    return 0;
}

int list_deleting(struct place *dir, list_fn emit, void *arg)
{
    for (size_t i = 0; i < dir->snap->n_families; i++) {
        const struct index_family *f = dir->snap->families[i];
        struct key key = key_child(dir->key, KIND_DELETING_FAMILY, f->name);
        int r = f->n_deleting ? emit(arg, &key, f->name) : 0;

        if (r)
            return r;
    }
    return 0;
}

struct key tree_service_key(const struct index_service *s)
{
    return (struct key){.kind = KIND_SERVICE,
                        .n_args = 2,
                        .args = {s->family->name, s->name},
                        .deleting = s->deleting,
                        .life = s->claim};
}

const struct index_resource *tree_link(const struct index_resource *const *list, size_t n,
                                       const char *link)
{
    size_t low = 0;

    while (low < n) {
        size_t middle = low + (n - low) / 2;
        int c = strcmp(list[middle]->link, link);

        if (c == 0)
            return list[middle];
        if (c < 0)
            low = middle + 1;
        else
            n = middle;
    }
    return NULL;
}

int tree_find_link(struct place *dir, const struct index_resource *const *list, size_t n,
                   enum kind_id kind, const char *name, struct key *ret)
{
    const struct index_resource *r = tree_link(list, n, name);

    if (!r)
        return -ENOENT;
    *ret = key_child(dir->key, kind, r->link);
    return 0;
}

int tree_list_links(struct place *dir, const struct index_resource *const *list, size_t n,
                    enum kind_id kind, list_fn emit, void *arg)
{
    for (size_t i = 0; i < n; i++) {
        struct key key = key_child(dir->key, kind, list[i]->link);
        int r = emit(arg, &key, list[i]->link);

        if (r)
            return r;
    }
    return 0;
}

int find_family_resources(struct place *dir, const char *name, struct key *ret)
{
    int r = place_family(dir);

    return r ? r
             : tree_find_link(dir, dir->family->shared, dir->family->n_shared, KIND_FAMILY_LINK,
                              name, ret);
}

int list_family_resources(struct place *dir, list_fn emit, void *arg)
{
    int r = place_family(dir);

    return r ? r
             : tree_list_links(dir, dir->family->shared, dir->family->n_shared, KIND_FAMILY_LINK,
                               emit, arg);
}

int find_service_resources(struct place *dir, const char *name, struct key *ret)
{
    const struct index_service *s = dir->service;

    return tree_find_link(dir, s->resources, s->n_resources, KIND_SERVICE_LINK, name, ret);
}

int list_service_resources(struct place *dir, list_fn emit, void *arg)
{
    const struct index_service *s = dir->service;

    return tree_list_links(dir, s->resources, s->n_resources, KIND_SERVICE_LINK, emit, arg);
}

int find_group_resources(struct place *dir, const char *name, struct key *ret)
{
    const struct index_group *g = dir->group;

    return tree_find_link(dir, g->resources, g->n_resources, KIND_GROUP_LINK, name, ret);
}

int list_group_resources(struct place *dir, list_fn emit, void *arg)
{
    const struct index_group *g = dir->group;

    return tree_list_links(dir, g->resources, g->n_resources, KIND_GROUP_LINK, emit, arg);
}

int find_outputs(struct place *dir, const char *name, struct key *ret)
{
    int r = place_view(dir);

    if (r)
        return r;
    for (size_t i = 0; i < dir->view->n_outputs; i++) {
        if (!streq(dir->view->outputs[i].name, name))
            continue;
        *ret = key_child(dir->key, KIND_OUTPUT, dir->view->outputs[i].name);
        return 0;
    }
    return -ENOENT;
}

int list_outputs(struct place *dir, list_fn emit, void *arg)
{
    int r = place_view(dir);

    for (size_t i = 0; r == 0 && i < dir->view->n_outputs; i++) {
        struct key key = key_child(dir->key, KIND_OUTPUT, dir->view->outputs[i].name);

        r = emit(arg, &key, dir->view->outputs[i].name);
    }
    return r;
}

int find_services(struct place *dir, const char *name, struct key *ret)
{
    const struct index_service *s = snapshot_link(dir->snap, name);

    if (!s)
        return -ENOENT;
    *ret = key_child(dir->key, KIND_SERVICES_LINK, s->link);
    return 0;
}

int list_services(struct place *dir, list_fn emit, void *arg)
{
    for (size_t i = 0; i < dir->snap->n_services; i++) {
        const struct index_service *s = dir->snap->services[i];
        struct key key = key_child(dir->key, KIND_SERVICES_LINK, s->link);
        int r = emit(arg, &key, s->link);

        if (r)
            return r;
    }
    return 0;
}

/* The groups are swept after the resources: until then they are not known, which is not "none". */
int find_groups(struct place *dir, const char *name, struct key *ret)
{
    const struct index_group *g = snapshot_group(dir->snap, name);

    if (!g)
        return dir->snap->groups_known ? -ENOENT : PARK;
    *ret = key_child(dir->key, KIND_GROUP, g->name);
    return 0;
}

int list_groups(struct place *dir, list_fn emit, void *arg)
{
    if (!dir->snap->groups_known)
        return PARK;
    for (size_t i = 0; i < dir->snap->n_groups; i++) {
        struct key key = key_child(dir->key, KIND_GROUP, dir->snap->groups[i].name);
        int r = emit(arg, &key, dir->snap->groups[i].name);

        if (r)
            return r;
    }
    return 0;
}
