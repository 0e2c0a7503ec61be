/*
 * What there is, and where it stands below resources/. Ghosts are left out here, so no later pass
 * knows of them: what the overlay calls gone, and what carries the claim of a record that was seen
 * to vanish.
 *
 * A member of a group comes from an older sweep than the resources. So only what has neither of our
 * tags is taken from there; of everything else the resources' own sweep decides whether it still
 * is.
 */
#include "cache/draft.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

static int by_place(const void *x, const void *y)
{
    const struct index_resource *a = *(const struct index_resource *const *)x,
                                *b = *(const struct index_resource *const *)y;
    int order = strcmp(a->service, b->service);

    if (order == 0)
        order = strcmp(a->type, b->type);
    if (order == 0)
        order = strcmp(a->id, b->id);
    return order ? order : strcmp(a->key, b->key);
}

static const char *tag_of(const struct index_tag *tags, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (streq(tags[i].key, key))
            return tags[i].value;
    return NULL;
}

static bool is_ghost(const struct build *b, const struct index_tag *tags, size_t n)
{
    const char *claim = tag_of(tags, n, "svcfs:claim");

    return claim && map_get(b->in->dead_claims, claim);
}

static int set_names(struct build *b, struct index_resource *r)
{
    struct name_path path;
    char link[NAME_SIZE];

    r->has_arn = name_path_from_arn(r->key, &path) == 0;
    if (!r->has_arn && name_path_from_key(r->key, &path) < 0)
        return -EINVAL;
    name_link(&path, link);
    r->service = arena_strdup(b->a, path.service);
    r->type = arena_strdup(b->a, path.type);
    r->id = arena_strdup(b->a, path.id);
    r->link = arena_strdup(b->a, link);
    return r->service && r->type && r->id && r->link ? 0 : -ENOMEM;
}

/* *ret (may be NULL) gets the resource, or NULL where key is nothing that can be shown. */
static int add_resource(struct build *b, const char *key, const struct index_tag *tags, size_t n,
                        struct index_resource **ret)
{
    struct index_resource *r = arena_alloc(b->a, sizeof(*r));

    if (ret)
        *ret = NULL;
    if (!r)
        return -ENOMEM;
    r->key = arena_strdup(b->a, key);
    r->tags = raw_tags(b->a, tags, n);
    r->n_tags = n;
    if (!r->key || !r->tags)
        return -ENOMEM;
    int e = set_names(b, r);
    if (e == -EINVAL)
        return problem_add(b, arena_printf(b->a, "%s: not an ARN that svcfs can place", key));
    if (e == 0)
        e = map_put(b->by_key, r->key, r, NULL);
    if (e == 0)
        e = list_add(&b->resources, r);
    if (e == 0 && ret)
        *ret = r;
    return e;
}

int collect_swept(struct build *b)
{
    struct map_iter it = {0};
    const char *key;
    void *value;

    while (map_next(b->in->resources->by_key, &it, &key, &value)) {
        const struct raw_resource *r = value;
        if (map_get(b->in->overlay, key) || is_ghost(b, r->tags, r->n_tags))
            continue;
        int e = add_resource(b, key, r->tags, r->n_tags, NULL);
        if (e < 0)
            return e;
    }
    it = (struct map_iter){0};
    while (map_next(b->in->overlay, &it, &key, &value)) {
        const struct overlay_entry *o = value;
        if (o->gone || is_ghost(b, o->tags, o->n_tags))
            continue;
        int e = add_resource(b, key, o->tags, o->n_tags, NULL);
        if (e < 0)
            return e;
    }
    return 0;
}

static int collect_record(struct build *b, const struct overlay_record *rec)
{
    const struct index_tag tags[] = {{b->in->service_tag, rec->id},
                                     {b->in->family_tag, rec->family},
                                     {"management-mode", "automatic"},
                                     {"svcfs:claim", rec->claim},
                                     {"svcfs:phase", rec->phase}};
    const char *arn = arena_printf(b->a, "arn:%s:ssm:%s:%s:parameter/svcfs/%s", b->in->partition,
                                   b->in->region, b->in->account, rec->id);
    int e = arn ? 0 : -ENOMEM;

    if (e == 0)
        e = map_put(b->records, arn, (void *)rec, NULL);
    if (e == 0 && !map_get(b->by_key, arn))
        e = add_resource(b, arn, tags, ARRAY_SIZE(tags), NULL);
    /* Things without an ARN carry no tags; they are hung on the service in the next pass by this
     * one. */
    for (size_t i = 0; e == 0 && i < rec->n_keys; i++)
        if (!map_get(b->by_key, rec->keys[i]))
            e = add_resource(b, rec->keys[i], tags, 0, NULL);
    return e;
}

int collect_records(struct build *b)
{
    struct map_iter it = {0};
    const char *key;
    void *value;
    int e = 0;

    while (e == 0 && map_next(b->in->records, &it, &key, &value))
        e = collect_record(b, value);
    return e;
}

/* Whether the sweep of the resources decides on it, and not an older one of the groups. */
static bool has_our_tag(const struct build *b, const struct raw_resource *r)
{
    return tag_of(r->tags, r->n_tags, b->in->family_tag) ||
           tag_of(r->tags, r->n_tags, b->in->service_tag);
}

int collect_members(struct build *b)
{
    struct map_iter it = {0};
    const char *key;
    void *value;

    while (b->in->groups && map_next(b->in->groups->by_name, &it, &key, &value)) {
        const struct raw_group *g = value;
        for (size_t i = 0; i < g->n_members; i++) {
            const struct raw_resource *m = &g->members[i];
            const struct overlay_entry *o = map_get(b->in->overlay, m->key);
            if (map_get(b->by_key, m->key) || (o && o->gone) || has_our_tag(b, m) ||
                is_ghost(b, m->tags, m->n_tags))
                continue;
            int e = add_resource(b, m->key, m->tags, m->n_tags, NULL);
            if (e < 0)
                return e;
        }
    }
    return 0;
}

/* --- second pass: places --- */

/* Two ARNs (of different regions or accounts) may have one path: all but the first get a hash of
 * the ARN. */
int collect_part_namesakes(struct build *b)
{
    struct index_resource *before = NULL;
    char name[NAME_SIZE];

    if (b->resources.n > 0)
        qsort(b->resources.items, b->resources.n, sizeof(void *), by_place);
    for (size_t i = 0; i < b->resources.n; i++) {
        struct index_resource *r = (struct index_resource *)b->resources.items[i];
        bool same = before && streq(r->service, before->service) && streq(r->type, before->type) &&
                    streq(r->id, before->id);
        if (!same) {
            before = r;
            continue;
        }
        name_hashed(r->id, r->key, name);
        r->id = arena_strdup(b->a, name);
        name_hashed(r->link, r->key, name);
        r->link = arena_strdup(b->a, name);
        if (!r->id || !r->link)
            return -ENOMEM;
    }
    return 0;
}

int collect_kinds(struct build *b)
{
    struct index_kind *kinds = arena_array(b->a, b->resources.n, sizeof(*kinds));
    struct index_type *types = arena_array(b->a, b->resources.n, sizeof(*types));
    const struct index_resource **all = arena_array(b->a, b->resources.n, sizeof(*all));
    size_t k = 0, t = 0;

    if (!kinds || !types || !all)
        return -ENOMEM;
    if (b->resources.n > 0)
        qsort(b->resources.items, b->resources.n, sizeof(void *), by_place);
    for (size_t i = 0; i < b->resources.n; i++) {
        const struct index_resource *r = b->resources.items[i];
        bool new_kind = k == 0 || !streq(kinds[k - 1].name, r->service);
        all[i] = r;
        if (new_kind)
            kinds[k++] = (struct index_kind){.name = r->service, .types = &types[t]};
        if (new_kind || !streq(types[t - 1].name, r->type)) {
            types[t++] = (struct index_type){.name = r->type, .resources = &all[i]};
            ((struct index_kind *)&kinds[k - 1])->n_types++;
        }
        types[t - 1].n_resources++;
    }
    b->s->kinds = kinds;
    b->s->n_kinds = k;
    return 0;
}
