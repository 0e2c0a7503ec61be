/*
 * Groups and their members. A query that asks for our two tags alone is answered from the index
 * itself: the same that GetResources would say, and what this daemon made a moment ago is in it.
 */
#include "cache/draft.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

static int by_group_name(const void *x, const void *y)
{
    return strcmp((*(const struct index_group *const *)x)->name,
                  (*(const struct index_group *const *)y)->name);
}

/* One filter of a tag query: r has key with one of values (any, where there are none). */
static bool filter_matches(const struct index_resource *r, json_t *filter)
{
    const char *key = json_string_value(json_object_get(filter, "Key"));
    json_t *values = json_object_get(filter, "Values"), *v;
    const char *has = key ? index_tag(r, key) : NULL;
    size_t i;

    if (!has)
        return false;
    json_array_foreach(values, i, v)
    {
        if (json_is_string(v) && streq(json_string_value(v), has))
            return true;
    }
    return json_array_size(values) == 0;
}

/* Every resource under its values of our two tags: a scan for each of thousands of groups would be
 * quadratic. */
static int index_by_tag(struct build *b)
{
    const char *const keys[] = {b->in->family_tag, b->in->service_tag};
    int e = 0;

    if ((!b->in->groups || map_size(b->in->groups->by_name) == 0) &&
        map_size(b->in->overlay_groups) == 0)
        return 0;
    for (size_t i = 0; e == 0 && i < b->resources.n; i++) {
        const struct index_resource *r = b->resources.items[i];
        for (size_t k = 0; e == 0 && k < ARRAY_SIZE(keys); k++) {
            const char *value = index_tag(r, keys[k]);
            struct list *l = value ? map_get(b->by_tag[k], value) : NULL;
            if (!value)
                continue;
            if (!l) {
                l = calloc(1, sizeof(*l));
                e = l ? map_put(b->by_tag[k], value, l, NULL) : -ENOMEM;
                if (e < 0)
                    free(l);
            }
            if (e == 0)
                e = list_add(l, r);
        }
    }
    return e;
}

static bool all_match(const struct index_resource *r, json_t *filters)
{
    json_t *filter;
    size_t i;

    json_array_foreach(filters, i, filter)
    {
        if (!filter_matches(r, filter))
            return false;
    }
    return r->has_arn;
}

static int add_matching(const struct list *from, json_t *filters, struct list *out)
{
    int e = 0;

    for (size_t i = 0; e == 0 && from && i < from->n; i++)
        if (all_match(from->items[i], filters))
            e = list_add(out, from->items[i]);
    return e;
}

/* The values of a filter on our tag k, or NULL. */
static json_t *values_of(const struct build *b, json_t *filters, size_t k)
{
    const char *const keys[] = {b->in->family_tag, b->in->service_tag};
    json_t *filter;
    size_t i;

    json_array_foreach(filters, i, filter)
    {
        const char *key = json_string_value(json_object_get(filter, "Key"));
        json_t *values = json_object_get(filter, "Values");
        if (key && streq(key, keys[k]) && json_array_size(values) > 0)
            return values;
    }
    return NULL;
}

static int matching(struct build *b, const char *query, struct list *out)
{
    _cleanup_json_ json_t *outer = json_loads(query, 0, NULL);
    const char *text = json_string_value(json_object_get(outer, "Query"));
    _cleanup_json_ json_t *inner = text ? json_loads(text, 0, NULL) : NULL;
    json_t *filters = json_object_get(inner, "TagFilters"), *value;
    size_t k = values_of(b, filters, 1) ? 1 : 0, i;
    json_t *values = values_of(b, filters, k);
    _cleanup_(map_freep) struct map *asked = map_new();
    int e = asked ? 0 : -ENOMEM;

    if (e == 0 && !values && json_array_size(filters) > 0)
        return add_matching(&b->resources, filters, out);
    json_array_foreach(values, i, value)
    {
        const char *v = json_string_value(value);
        if (e < 0 || !v || map_get(asked, v)) /* a value that is named twice */
            continue;
        e = map_put(asked, v, b, NULL);
        if (e == 0)
            e = add_matching(map_get(b->by_tag[k], v), filters, out);
    }
    return e;
}

static int add_group(struct build *b, struct list *groups, const char *name, const char *arn,
                     const char *query, const struct raw_group *raw)
{
    struct index_group *g = arena_alloc(b->a, sizeof(*g));
    struct list members = {0};
    int e = g ? 0 : -ENOMEM;

    if (e == 0 && query && (!raw || raw->by_our_tags))
        e = matching(b, query, &members);
    for (size_t i = 0; e == 0 && raw && i < raw->n_members; i++) {
        const void *r = map_get(b->by_key, raw->members[i].key);
        e = r ? list_add(&members, r) : 0;
    }
    if (e < 0) {
        free(members.items);
        return e;
    }
    g->name = arena_strdup(b->a, name);
    g->arn = arena_strdup(b->a, arn);
    g->query = query ? arena_strdup(b->a, query) : NULL;
    g->n_resources = members.n;
    g->resources = list_finish(b, &members, order_by_link);
    if (!g->name || !g->arn || (query && !g->query) || !g->resources)
        return -ENOMEM;
    return list_add(groups, g);
}

int draft_groups(struct build *b)
{
    struct list list = {0};
    struct map_iter it = {0};
    const char *name;
    void *value;
    int e = index_by_tag(b);

    while (e == 0 && b->in->groups && map_next(b->in->groups->by_name, &it, &name, &value)) {
        const struct raw_group *g = value;
        if (map_get(b->in->overlay_groups, name))
            continue;
        if (g->problem)
            e = problem_add(b, arena_strdup(b->a, g->problem));
        else
            e = add_group(b, &list, name, g->arn, g->query, g);
    }
    it = (struct map_iter){0};
    while (e == 0 && map_next(b->in->overlay_groups, &it, &name, &value)) {
        const struct overlay_group *o = value;
        if (o->query)
            e = add_group(b, &list, name, o->arn, o->query, NULL);
    }
    if (e == 0 && list.n > 0)
        qsort(list.items, list.n, sizeof(void *), by_group_name);
    struct index_group *groups = arena_array(b->a, list.n, sizeof(*groups));
    for (size_t i = 0; groups && i < list.n; i++)
        groups[i] = *(const struct index_group *)list.items[i];
    b->s->groups = groups;
    b->s->n_groups = list.n;
    b->s->groups_known = b->in->groups != NULL;
    free(list.items);
    return e < 0 || !groups ? -ENOMEM : 0;
}
