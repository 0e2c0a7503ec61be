/* What both sweeps gather into. */
#include "cache/raw.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct raw_resources *raw_resources_new(void)
{
    struct raw_resources *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->arena = arena_new();
    r->by_key = map_new_lent();
    if (r->arena && r->by_key)
        return r;
    raw_resources_unref(r);
    return NULL;
}

struct raw_resources *raw_resources_ref(struct raw_resources *r)
{
    if (r)
        atomic_fetch_add(&r->more_refs, 1);
    return r;
}

void raw_resources_unref(struct raw_resources *r)
{
    if (!r || atomic_fetch_sub(&r->more_refs, 1) > 0)
        return;
    map_free(r->by_key);
    arena_free(r->arena);
    free(r);
}

struct raw_groups *raw_groups_ref(struct raw_groups *g)
{
    if (g)
        atomic_fetch_add(&g->more_refs, 1);
    return g;
}

void raw_groups_unref(struct raw_groups *g)
{
    if (!g || atomic_fetch_sub(&g->more_refs, 1) > 0)
        return;
    map_free(g->by_name);
    arena_free(g->arena);
    free(g);
}

static int tag_order(const void *x, const void *y)
{
    return strcmp(((const struct index_tag *)x)->key, ((const struct index_tag *)y)->key);
}

const struct index_tag *raw_tags(struct arena *a, const struct index_tag *tags, size_t n)
{
    struct index_tag *out = arena_array(a, n, sizeof(*out));

    for (size_t i = 0; out && i < n; i++) {
        out[i].key = arena_intern(a, tags[i].key);
        out[i].value = arena_intern(a, tags[i].value);
        if (!out[i].key || !out[i].value)
            return NULL;
    }
    if (out && n > 1)
        qsort(out, n, sizeof(*out), tag_order);
    return out;
}

const struct index_tag *raw_tags_from_json(struct arena *a, json_t *object, size_t *ret_n)
{
    struct index_tag *tags = arena_array(a, json_object_size(object), sizeof(*tags));
    const char *key;
    json_t *value;
    size_t n = 0;

    json_object_foreach(object, key, value)
    {
        if (!tags || !json_is_string(value))
            continue;
        tags[n].key = arena_intern(a, key);
        tags[n].value = arena_intern(a, json_string_value(value));
        if (!tags[n].key || !tags[n].value)
            return NULL;
        n++;
    }
    if (tags && n > 1)
        qsort(tags, n, sizeof(*tags), tag_order);
    *ret_n = n;
    return tags;
}

int raw_copy(struct raw_resources *to, const struct raw_resource *r)
{
    struct raw_resource *copy = arena_alloc(to->arena, sizeof(*copy));

    if (!copy)
        return -ENOMEM;
    *copy = (struct raw_resource){.key = arena_strdup(to->arena, r->key),
                                  .tags = raw_tags(to->arena, r->tags, r->n_tags),
                                  .n_tags = r->n_tags};
    return copy->key && copy->tags ? map_put(to->by_key, copy->key, copy, NULL) : -ENOMEM;
}
