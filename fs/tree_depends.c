/* What depends-on/ and dependents/ of a service hold, and where their links lead; as tree.c. */
#include <errno.h>

#include "base/str.h"
#include "cache/lookup.h"
#include "cache/name.h"
#include "fs/render.h"
#include "fs/tree.h"

int tree_needs(const struct snapshot *snap, const struct index_service *s, tree_need_fn fn,
               void *arg)
{
    char whole[NAME_SIZE], name[NAME_SIZE];
    int r = 0;

    for (size_t i = 0; r == 0 && i < s->n_depends; i++) {
        size_t n;
        const struct index_service *const *all = snapshot_services_by_id(snap, s->depends[i], &n);
        for (size_t k = 0; r == 0 && k < n; k++)
            r = fn(arg, all[k]->link, s->depends[i], all[k]);
        if (n > 0)
            continue;
        name_from_value(s->depends[i], NULL, true, whole);
        name_fit(whole, name);
        r = fn(arg, name, s->depends[i], NULL);
    }
    return r;
}

struct wanted {
    const char *name;
    const char *id;
    const struct index_service *to;
};

static int is_wanted(void *arg, const char *name, const char *id, const struct index_service *to)
{
    struct wanted *w = arg;

    if (!streq(name, w->name))
        return 0;
    w->id = id;
    w->to = to;
    return 1;
}

static bool find_need(const struct snapshot *snap, const struct index_service *s, struct wanted *w)
{
    return tree_needs(snap, s, is_wanted, w) == 1;
}

const char *tree_need_id(const struct snapshot *snap, const struct index_service *s,
                         const char *name)
{
    struct wanted w = {.name = name};

    return find_need(snap, s, &w) ? w.id : NULL;
}

/* ret borrows name: that of what does not exist stands nowhere else. */
int find_depends_on(struct place *dir, const char *name, struct key *ret)
{
    int r = place_whole(dir);

    if (r)
        return r;
    if (!tree_need_id(dir->snap, dir->service, name))
        return -ENOENT;
    *ret = key_child(dir->key, KIND_DEPENDENCY, name);
    return 0;
}

struct emitting {
    struct place *dir;
    list_fn emit;
    void *arg;
};

static int emit_need(void *arg, const char *name, const char *id _unused_,
                     const struct index_service *to _unused_)
{
    struct emitting *e = arg;
    struct key key = key_child(e->dir->key, KIND_DEPENDENCY, name);

    return e->emit(e->arg, &key, name);
}

int list_depends_on(struct place *dir, list_fn emit, void *arg)
{
    struct emitting e = {dir, emit, arg};
    int r = place_whole(dir);

    return r ? r : tree_needs(dir->snap, dir->service, emit_need, &e);
}

static const struct index_service *dependent(const struct place *p, const char *name)
{
    size_t n;
    const struct index_need *const *needs = snapshot_dependents(p->snap, p->service->id, &n);

    for (size_t i = 0; i < n; i++)
        if (streq(needs[i]->by->link, name))
            return needs[i]->by;
    return NULL;
}

int find_dependents(struct place *dir, const char *name, struct key *ret)
{
    const struct index_service *by;
    int r = place_whole(dir);

    if (r)
        return r;
    by = dependent(dir, name);
    if (!by)
        return -ENOENT;
    *ret = key_child(dir->key, KIND_DEPENDENT, by->link);
    return 0;
}

int list_dependents(struct place *dir, list_fn emit, void *arg)
{
    const struct index_need *const *needs;
    int r = place_whole(dir);
    size_t n;

    if (r)
        return r;
    needs = snapshot_dependents(dir->snap, dir->service->id, &n);
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct key key = key_child(dir->key, KIND_DEPENDENT, needs[i]->by->link);

        r = emit(arg, &key, needs[i]->by->link);
    }
    return r;
}

/* From an entry in a directory of a service that is deleting or not. */
static int print_service(struct buf *out, const struct place *p, const struct index_service *to,
                         const char *file)
{
    if (to->deleting == p->key->deleting)
        return buf_printf(out, "../../../%s/%s%s", to->family->name, to->name, file);
    return buf_printf(out, "../../../../%s/%s/%s%s", to->deleting ? "deleting" : "families",
                      to->family->name, to->name, file);
}

/* What does not exist is where it would be, so that the link dangles. */
int render_dependency_link(struct place *p, struct buf *out, struct fault *f _unused_)
{
    struct wanted w = {.name = key_name(p->key)};

    if (!find_need(p->snap, p->service, &w))
        return -ENOENT;
    return w.to ? print_service(out, p, w.to, "")
                : buf_printf(out, "../../../../services/%s", w.name);
}

int render_dependent_link(struct place *p, struct buf *out, struct fault *f _unused_)
{
    const struct index_service *by = dependent(p, key_name(p->key));

    return by ? print_service(out, p, by, "/service.json") : -ENOENT;
}
