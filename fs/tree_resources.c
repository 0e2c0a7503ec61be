/* What the directories below resources/ hold; as tree.c. */
#include <errno.h>

#include "base/str.h"
#include "cache/lookup.h"
#include "cache/name.h"
#include "fs/tree.h"
#include "provision/tagging.h"

int find_resources(struct place *dir, const char *name, struct key *ret)
{
    const struct index_kind *k = snapshot_kind(dir->snap, name);

    if (!k)
        return -ENOENT;
    *ret = key_child(dir->key, KIND_RESOURCE_SERVICE, k->name);
    return 0;
}

int list_resources(struct place *dir, list_fn emit, void *arg)
{
    for (size_t i = 0; i < dir->snap->n_kinds; i++) {
        struct key key = key_child(dir->key, KIND_RESOURCE_SERVICE, dir->snap->kinds[i].name);
        int r = emit(arg, &key, dir->snap->kinds[i].name);

        if (r)
            return r;
    }
    return 0;
}

int find_resource_service(struct place *dir, const char *name, struct key *ret)
{
    const struct index_type *t = snapshot_type(dir->rkind, name);

    if (!t)
        return -ENOENT;
    *ret = key_child(dir->key, KIND_RESOURCE_TYPE, t->name);
    return 0;
}

int list_resource_service(struct place *dir, list_fn emit, void *arg)
{
    for (size_t i = 0; i < dir->rkind->n_types; i++) {
        struct key key = key_child(dir->key, KIND_RESOURCE_TYPE, dir->rkind->types[i].name);
        int r = emit(arg, &key, dir->rkind->types[i].name);

        if (r)
            return r;
    }
    return 0;
}

int find_resource_type(struct place *dir, const char *name, struct key *ret)
{
    const struct index_resource *r = snapshot_resource(dir->rtype, name);

    if (!r)
        return -ENOENT;
    *ret = key_child(dir->key, KIND_RESOURCE, r->id);
    return 0;
}

int list_resource_type(struct place *dir, list_fn emit, void *arg)
{
    for (size_t i = 0; i < dir->rtype->n_resources; i++) {
        struct key key = key_child(dir->key, KIND_RESOURCE, dir->rtype->resources[i]->id);
        int r = emit(arg, &key, dir->rtype->resources[i]->id);

        if (r)
            return r;
    }
    return 0;
}

bool writable_tag(struct place *p)
{
    char key[TREE_TAG_KEY_SIZE];

    return tree_tag_key(p->resource, key_name(p->key), key, sizeof(key)) == 0 &&
           provision_tag_check(p->fs->provision, p->resource, key, NULL, NULL) == 0;
}

int tree_tag_key(const struct index_resource *r, const char *name, char *out, size_t size)
{
    char shown[NAME_SIZE];

    for (size_t i = 0; i < r->n_tags; i++) {
        name_from_value(r->tags[i].key, NULL, false, shown);
        if (streq(shown, name))
            return str_format(out, size, "%s", r->tags[i].key) < 0 ? -EINVAL : 0;
    }
    return name_to_value(name, NULL, out, size) < 0 ? -EINVAL : 0;
}

/* ret borrows name, which is the caller's: a tag's name exists nowhere but in this function. */
int find_tags(struct place *dir, const char *name, struct key *ret)
{
    char shown[NAME_SIZE];

    for (size_t i = 0; i < dir->resource->n_tags; i++) {
        name_from_value(dir->resource->tags[i].key, NULL, false, shown);
        if (!streq(shown, name))
            continue;
        *ret = key_child(dir->key, KIND_TAG, name);
        return 0;
    }
    return -ENOENT;
}

int list_tags(struct place *dir, list_fn emit, void *arg)
{
    char shown[NAME_SIZE];

    for (size_t i = 0; i < dir->resource->n_tags; i++) {
        struct key key;
        int r;

        name_from_value(dir->resource->tags[i].key, NULL, false, shown);
        key = key_child(dir->key, KIND_TAG, shown);
        r = emit(arg, &key, shown);
        if (r)
            return r;
    }
    return 0;
}

static struct key owner_key(const struct place *dir, const struct graph_face *owner,
                            const char *link)
{
    return key_child(dir->key, owner->deleting ? KIND_OWNER_DELETING : KIND_OWNER_LINK, link);
}

/* ret borrows name, as find_tags does. */
int find_owners(struct place *dir, const char *name, struct key *ret)
{
    const struct impact *touched _cleanup_(impact_unrefp) = NULL;
    int r = impacts_get(dir->fs->impacts, dir->resource, &touched);
    const struct impact_entry *e = r ? NULL : impact_find(touched, name);

    if (!e)
        return r ? r : -ENOENT;
    *ret = owner_key(dir, e->service, name);
    return 0;
}

int list_owners(struct place *dir, list_fn emit, void *arg)
{
    const struct impact *touched _cleanup_(impact_unrefp) = NULL;
    int r = impacts_get(dir->fs->impacts, dir->resource, &touched);

    for (size_t i = 0; r == 0 && i < touched->n; i++) {
        const char *link = touched->entries[i].service->link;
        struct key key = owner_key(dir, touched->entries[i].service, link);

        r = emit(arg, &key, link);
    }
    return r;
}
