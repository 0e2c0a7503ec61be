/*
 * Sweeps: what the tagging API and Resource Groups say, gathered whole or not
 * at all. A page token after an error may give a short list without a word, so
 * a chain that breaks is thrown away and begun anew. Only a chain that has
 * begun: its first page was tried several times by the client, and an endpoint
 * that answers nothing is to be told soon, not after three times that.
 *
 * A group that cannot be read (its stack is gone, or closed to us) is one line
 * in .svcfs/errors and does not hide the others.
 */
#include "cache/raw.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "awsapi/resource_groups.h"
#include "awsapi/tagging.h"
#include "base/str.h"

enum { TRIES = 3, TRY_PAUSE_MS = 500, QUERY_AGE_MAX = 10 };

static const double background = 0.33;

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

static const struct index_tag *tags_from_json(struct arena *a, json_t *object, size_t *ret_n)
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

/* --- resources --- */

static int on_resource(void *arg, const char *arn, json_t *tags)
{
    struct raw_resources *all = arg;
    struct raw_resource *r;

    if (map_get(all->by_key, arn))
        return 0;
    r = arena_alloc(all->arena, sizeof(*r));
    if (!r)
        return -ENOMEM;
    r->key = arena_strdup(all->arena, arn);
    r->tags = tags_from_json(all->arena, tags, &r->n_tags);
    if (!r->key || !r->tags)
        return -ENOMEM;
    return map_put(all->by_key, r->key, r, NULL);
}

/* *ret_pages counts the pages that came. */
static int sweep_once(const struct sweep_env *e, struct raw_resources **ret, unsigned *ret_pages,
                      struct fault *f)
{
    _cleanup_(raw_resources_unrefp) struct raw_resources *all = calloc(1, sizeof(*all));
    const char *const keys[] = {e->family_tag, e->service_tag};
    struct aws_ctx ctx = {.cancel = e->cancel};
    struct clock *clock = aws_client_clock(e->aws);
    int r = 0;

    if (!all)
        return fault_set(f, -ENOMEM, "no memory");
    all->arena = arena_new();
    all->by_key = map_new_lent();
    if (!all->arena || !all->by_key)
        return fault_set(f, -ENOMEM, "no memory");
    all->begun_ms = clock->monotonic_ms(clock);
    all->begun_wall_ms = clock->wall_ms(clock);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(keys); i++) {
        struct tagging_query q = {.tag_key = keys[i], .ret_pages = ret_pages};
        r = tagging_get_resources(e->aws, &ctx, &q, on_resource, all, f);
    }
    if (r == 0)
        *ret = steal_ptr(all);
    else if (r == -ENOMEM) /* what on_resource gives has no words */
        fault_set(f, r, "no memory");
    return r;
}

static bool breaks_pass(int err)
{
    return err == -EAGAIN || err == -EREMOTEIO || err == -ETIMEDOUT || err == -EHOSTUNREACH ||
           err == -EPROTO || err == -EINVAL; /* a token that was not accepted any more */
}

int sweep_resources(const struct sweep_env *e, struct raw_resources **ret, struct fault *f)
{
    struct clock *clock = aws_client_clock(e->aws);
    int r = 0;

    for (int i = 0; i < TRIES; i++) {
        if (i > 0 && clock->sleep_until(clock, clock->monotonic_ms(clock) + (TRY_PAUSE_MS << i),
                                        e->cancel) < 0)
            return fault_set(f, -ECANCELED, "stopped");
        unsigned pages = 0;
        r = sweep_once(e, ret, &pages, f);
        if (r == 0 || pages == 0 || !breaks_pass(r))
            break;
    }
    return r;
}

/* --- groups --- */

struct groups_sweep {
    const struct sweep_env *env;
    const struct raw_groups *old;
    struct raw_groups *all;
    struct aws_ctx ctx;
    struct raw_resource *members;
    size_t n_members, cap_members;
};

static int on_group(void *arg, const char *name, const char *arn)
{
    struct groups_sweep *s = arg;
    struct raw_group *g = arena_alloc(s->all->arena, sizeof(*g));

    if (!g)
        return -ENOMEM;
    g->name = arena_strdup(s->all->arena, name);
    g->arn = arena_strdup(s->all->arena, arn);
    if (!g->name || !g->arn)
        return -ENOMEM;
    return map_put(s->all->by_name, g->name, g, NULL);
}

static int read_query(struct groups_sweep *s, struct raw_group *g, struct fault *f)
{
    const struct raw_group *before = s->old ? map_get(s->old->by_name, g->name) : NULL;
    _cleanup_json_ json_t *query = NULL;

    if (before && streq(before->arn, g->arn) && before->age < QUERY_AGE_MAX) {
        g->age = before->age + 1;
        g->query = before->query ? arena_strdup(s->all->arena, before->query) : NULL;
        return before->query && !g->query ? fault_set(f, -ENOMEM, "no memory") : 0;
    }
    int r = groups_get_query(s->env->aws, &s->ctx, g->name, &query, f);
    if (r == -ENODATA)
        return 0;
    if (r < 0)
        return r;
    _cleanup_free_ char *text = json_dumps(query, JSON_COMPACT | JSON_SORT_KEYS);
    g->query = text ? arena_strdup(s->all->arena, text) : NULL;
    return g->query ? 0 : fault_set(f, -ENOMEM, "no memory");
}

/* The TagFilters of a tag query over all supported types, or NULL. A new
 * reference. */
static json_t *tag_filters(const char *query)
{
    _cleanup_json_ json_t *outer = query ? json_loads(query, 0, NULL) : NULL;
    const char *type = json_string_value(json_object_get(outer, "Type"));
    const char *text = json_string_value(json_object_get(outer, "Query"));

    if (!type || !text || !streq(type, "TAG_FILTERS_1_0"))
        return NULL;
    _cleanup_json_ json_t *inner = json_loads(text, 0, NULL);
    json_t *types = json_object_get(inner, "ResourceTypeFilters");
    const char *first = json_string_value(json_array_get(types, 0));
    if (json_array_size(types) > 1 || (first && !streq(first, "AWS::AllSupported")))
        return NULL;
    json_t *filters = json_object_get(inner, "TagFilters");
    return json_array_size(filters) > 0 ? json_incref(filters) : NULL;
}

static bool ours_alone(const struct sweep_env *e, json_t *filters)
{
    json_t *filter;
    size_t i;

    json_array_foreach(filters, i, filter)
    {
        const char *key = json_string_value(json_object_get(filter, "Key"));
        if (!key || !(streq(key, e->family_tag) || streq(key, e->service_tag)))
            return false;
    }
    return json_array_size(filters) > 0;
}

static int add_member(struct groups_sweep *s, const char *arn, json_t *tags)
{
    struct arena *a = s->all->arena;

    if (s->n_members == s->cap_members) {
        size_t cap = s->cap_members ? s->cap_members * 2 : 64;
        struct raw_resource *m = reallocarray(s->members, cap, sizeof(*m));
        if (!m)
            return -ENOMEM;
        s->members = m;
        s->cap_members = cap;
    }
    struct raw_resource *r = &s->members[s->n_members];
    r->key = arena_strdup(a, arn);
    r->tags = tags_from_json(a, tags, &r->n_tags);
    if (!r->key || !r->tags)
        return -ENOMEM;
    s->n_members++;
    return 0;
}

static int on_tagged_member(void *arg, const char *arn, json_t *tags)
{
    return add_member(arg, arn, tags);
}

static int on_member(void *arg, const char *arn)
{
    return add_member(arg, arn, NULL);
}

static int read_members(struct groups_sweep *s, struct raw_group *g, struct fault *f)
{
    _cleanup_json_ json_t *filters = tag_filters(g->query);
    int r;

    g->by_our_tags = filters && ours_alone(s->env, filters);
    if (g->by_our_tags)
        return 0;
    s->n_members = 0;
    if (filters) {
        struct tagging_query q = {.tag_filters = filters};
        r = tagging_get_resources(s->env->aws, &s->ctx, &q, on_tagged_member, s, f);
    } else {
        r = groups_list_resources(s->env->aws, &s->ctx, g->name, on_member, s, f);
    }
    if (r < 0)
        return r;
    struct raw_resource *copy = arena_array(s->all->arena, s->n_members, sizeof(*copy));
    if (!copy)
        return fault_set(f, -ENOMEM, "no memory");
    if (s->n_members > 0)
        memcpy(copy, s->members, s->n_members * sizeof(*copy));
    g->members = copy;
    g->n_members = s->n_members;
    return 0;
}

/* 0: g is whole, was taken out, or has a problem. A query that may not be read
 * is the policy's word on all of them; members also need what their stacks or
 * types allow. */
static int read_group(struct groups_sweep *s, struct raw_group *g, struct fault *f)
{
    struct fault fault = FAULT_INIT;
    int queried = read_query(s, g, &fault);
    int r = queried == 0 ? read_members(s, g, &fault) : queried;

    if (r == -ENOENT) { /* deleted since it was listed */
        map_remove(s->all->by_name, g->name);
        return 0;
    }
    if (queried == 0 && (r == -EACCES || r == -EINVAL)) {
        g->problem = arena_printf(s->all->arena, "the resource group %s cannot be read: %s: %s: %s",
                                  g->name, fault.call, fault.code, fault.message);
        return g->problem ? 0 : fault_set(f, -ENOMEM, "no memory");
    }
    return r < 0 && f ? fault_copy(f, &fault) : r;
}

int sweep_groups(const struct sweep_env *e, const struct raw_groups *old, struct raw_groups **ret,
                 struct fault *f)
{
    _cleanup_(raw_groups_unrefp) struct raw_groups *all = calloc(1, sizeof(*all));
    struct groups_sweep s = {.env = e, .old = old, .all = all};
    struct clock *clock = aws_client_clock(e->aws);
    struct map_iter it = {0};
    const char *name;
    void *value;

    if (!all)
        return fault_set(f, -ENOMEM, "no memory");
    all->arena = arena_new();
    all->by_name = map_new();
    if (!all->arena || !all->by_name)
        return fault_set(f, -ENOMEM, "no memory");
    all->begun_ms = clock->monotonic_ms(clock);
    s.ctx = (struct aws_ctx){.cancel = e->cancel, .rate = background};
    int r = groups_list(e->aws, &s.ctx, on_group, &s, f);
    while (r == 0 && map_next(all->by_name, &it, &name, &value))
        r = read_group(&s, value, f);
    free(s.members);
    if (r == 0)
        *ret = steal_ptr(all);
    else if (r == -ENOMEM)
        fault_set(f, r, "no memory");
    return r;
}
