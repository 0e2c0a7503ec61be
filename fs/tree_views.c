/* What the views hold: the same services and resources in another order, as links; as tree.c. */
#include <errno.h>

#include "base/str.h"
#include "cache/lookup.h"
#include "cache/name.h"
#include "fs/standing.h"
#include "fs/tree.h"

/* --- by-status/: a directory for each word, so that looking for what failed is never an error ---
 */

int find_by_status(struct place *dir, const char *name, struct key *ret)
{
    int status = standing_status(name);

    if (status == STANDING_NONE)
        return -ENOENT;
    *ret = key_child(dir->key, KIND_STANDING, service_status_name(status));
    return 0;
}

int list_by_status(struct place *dir, list_fn emit, void *arg)
{
    int r = 0;

    for (int i = 0; r == 0 && i < STANDINGS; i++) {
        struct key key = key_child(dir->key, KIND_STANDING, service_status_name(i));

        r = emit(arg, &key, service_status_name(i));
    }
    return r;
}

int resolve_standing(struct place *p)
{
    return standing_status(p->key->args[0]) == STANDING_NONE ? -ENOENT : 0;
}

/* The first look at all services comes right behind the first snapshot, and wakes who waits. */
static int known(const struct place *dir)
{
    int r = standings_known(dir->fs->standings);

    return r == -EAGAIN ? PARK : r;
}

/* ret borrows name, which is the caller's. */
int find_standing(struct place *dir, const char *name, struct key *ret)
{
    int r = known(dir);

    r = r ? r : standings_find(dir->fs->standings, standing_status(dir->key->args[0]), name, NULL);
    if (r == 0)
        *ret = key_child(dir->key, KIND_STANDING_LINK, name);
    return r;
}

struct listing_standing {
    const struct key *dir;
    list_fn emit;
    void *arg;
};

static int list_one(void *arg, const char *link)
{
    const struct listing_standing *l = arg;
    struct key key = key_child(l->dir, KIND_STANDING_LINK, link);

    return l->emit(l->arg, &key, link);
}

int list_standing(struct place *dir, list_fn emit, void *arg)
{
    struct listing_standing l = {dir->key, emit, arg};
    int r = known(dir);

    return r ? r
             : standings_each(dir->fs->standings, standing_status(dir->key->args[0]), list_one, &l);
}

/* --- by-type/: links to what resources/ has anyway, so that they cost no more than the types ---
 */

/* Few types begin alike, so hardly more than the name that is looked for is put together. */
static const struct index_type *find_in_kind(const struct index_kind *k, const char *name)
{
    char shown[NAME_SIZE];

    for (size_t i = 0; k->name[0] == name[0] && i < k->n_types; i++) {
        name_type(k->name, k->types[i].name, shown);
        if (streq(shown, name))
            return &k->types[i];
    }
    return NULL;
}

const struct index_type *tree_type(const struct snapshot *s, const char *name,
                                   const struct index_kind **ret_kind)
{
    const struct index_type *t = NULL;

    for (size_t i = 0; !t && i < s->n_kinds; i++) {
        *ret_kind = &s->kinds[i];
        t = find_in_kind(*ret_kind, name);
    }
    return t;
}

/* ret borrows name, which is the caller's. */
int find_by_type(struct place *dir, const char *name, struct key *ret)
{
    const struct index_kind *k;

    if (!tree_type(dir->snap, name, &k))
        return -ENOENT;
    *ret = key_child(dir->key, KIND_TYPE_LINK, name);
    return 0;
}

static int list_kind(struct place *dir, const struct index_kind *k, list_fn emit, void *arg)
{
    char shown[NAME_SIZE];
    int r = 0;

    for (size_t i = 0; r == 0 && i < k->n_types; i++) {
        struct key key;

        name_type(k->name, k->types[i].name, shown);
        key = key_child(dir->key, KIND_TYPE_LINK, shown);
        r = emit(arg, &key, shown);
    }
    return r;
}

int list_by_type(struct place *dir, list_fn emit, void *arg)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < dir->snap->n_kinds; i++)
        r = list_kind(dir, &dir->snap->kinds[i], emit, arg);
    return r;
}

/* --- untagged/ --- */

const struct index_resource *tree_untagged(const struct snapshot *s, const char *link)
{
    size_t n;
    const struct index_resource *const *list = snapshot_untagged(s, &n);

    return tree_link(list, n, link);
}

int find_untagged(struct place *dir, const char *name, struct key *ret)
{
    size_t n;
    const struct index_resource *const *list = snapshot_untagged(dir->snap, &n);

    return tree_find_link(dir, list, n, KIND_UNTAGGED_LINK, name, ret);
}

int list_untagged(struct place *dir, list_fn emit, void *arg)
{
    size_t n;
    const struct index_resource *const *list = snapshot_untagged(dir->snap, &n);

    return tree_list_links(dir, list, n, KIND_UNTAGGED_LINK, emit, arg);
}
