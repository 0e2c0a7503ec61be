/*
 * What a service needs: the ids in its dependency tags, those of its record and those of all its
 * resources together, since somebody may have tagged but one of them. And the way back, from a
 * service to those that need it: a sorted array of all needs of the account.
 */
#include "cache/draft.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "cache/depends.h"

struct ids {
    struct build *b;
    struct list list;
};

static int order_ids(const void *x, const void *y)
{
    return strcmp(x, y);
}

static int add_id(void *arg, const char *id)
{
    struct ids *ids = arg;
    const char *kept = arena_strdup(ids->b->scratch, id);

    return kept ? list_add(&ids->list, kept) : -ENOMEM;
}

static int read_tags(struct ids *ids, const struct list *resources)
{
    const char *tag = ids->b->in->dependency_tag;
    int e = 0;

    for (size_t i = 0; i < resources->n; i++) {
        const struct index_resource *r = resources->items[i];
        for (size_t k = 0; e == 0 && k < r->n_tags; k++)
            if (depends_is_key(tag, r->tags[k].key))
                e = depends_read(r->tags[k].value, add_id, ids);
    }
    return e;
}

/* Each once, in memory that the snapshot keeps. */
static int keep(struct build *b, struct index_service *s, struct list *found)
{
    const char **kept = arena_array(b->things, found->n, sizeof(*kept));

    if (!kept)
        return -ENOMEM;
    list_sort(found, order_ids);
    for (size_t i = 0; i < found->n; i++) {
        const char *id = found->items[i];
        if (s->n_depends > 0 && streq(kept[s->n_depends - 1], id))
            continue;
        if (!(kept[s->n_depends] = arena_strdup(b->things, id)))
            return -ENOMEM;
        s->n_depends++;
    }
    s->depends = kept;
    return 0;
}

int depends_collect(struct build *b, struct index_service *s, const struct list *resources)
{
    struct ids ids = {.b = b};
    int e = read_tags(&ids, resources);

    if (e == 0 && ids.list.n > 0)
        e = keep(b, s, &ids.list);
    list_done(&ids.list);
    return e;
}

int order_needs(const void *x, const void *y)
{
    const struct index_need *a = x, *b = y;
    int order = strcmp(a->id, b->id);

    return order ? order : strcmp(a->by->link, b->by->link);
}

static int comes(struct build *b, const struct index_service *s, const char *id)
{
    struct index_need *need = arena_alloc(b->things, sizeof(*need));

    if (!need)
        return -ENOMEM;
    *need = (struct index_need){id, s};
    return list_add(&b->needs.come, need);
}

static int goes(struct build *b, const struct index_service *s, const char *id)
{
    const struct snapshot_private *p = b->base->private_;
    const struct index_need like = {id, s};
    size_t i = list_place((const void *const *)p->needs, p->n_needs, &like, order_needs);

    while (i < p->n_needs && p->needs[i]->by != s)
        i++;
    return i < p->n_needs ? list_add(&b->needs.gone, p->needs[i]) : 0;
}

int depends_list(struct build *b, const struct index_service *s, bool come)
{
    int e = 0;

    for (size_t i = 0; e == 0 && i < s->n_depends; i++)
        e = come ? comes(b, s, s->depends[i]) : goes(b, s, s->depends[i]);
    return e;
}
