/*
 * From raw to snapshot in four passes: collect what there is (sweep, minus ghosts, with the overlay's and the
 * records' word), give each its place below resources/, hang it on its service and family, sort every listing.
 *
 * Ghosts are left out in the first pass, so no later one knows of them: what the overlay calls gone, and what carries the
 * claim of a record that was seen to vanish.
 *
 * During the build families and services are growing `draft`s; the snapshot's own structs are const for everybody else.
 */
#include "cache/build.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"

const char *const index_reserved[] = {"blueprint.json", "next-id", "services.tsv", "resources",
                                      "plan", "graph.dot", NULL};

struct list {
    const void **items;
    size_t n, cap;
};

struct service_draft {
    struct index_service *service;
    struct list resources;
};

struct family_draft {
    struct index_family *family;
    struct map *services; /* id → struct service_draft * */
    struct list all, shared;
};

struct build {
    const struct build_input *in;
    struct arena *a;
    struct snapshot *s;
    struct list resources; /* struct index_resource * */
    struct map *by_key;
    struct map *families; /* id → struct family_draft * */
    struct map *family_count; /* service id → number of families, as a pointer */
    struct list family_list, problems;
};

static int list_add(struct list *l, const void *item)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 16;
        const void **items = reallocarray(l->items, cap, sizeof(*items));
        if (!items)
            return -ENOMEM;
        l->items = items;
        l->cap = cap;
    }
    l->items[l->n++] = item;
    return 0;
}

/* Sorts and copies into the arena. */
static const void *list_finish(struct build *b, struct list *l, int (*order)(const void *, const void *))
{
    const void **out = arena_array(b->a, l->n, sizeof(*out));

    if (out && l->n > 0) {
        if (order)
            qsort(l->items, l->n, sizeof(*l->items), order);
        memcpy(out, l->items, l->n * sizeof(*out));
    }
    free(l->items);
    l->items = NULL;
    return out;
}

#define ORDER(name, type, expression)                                                              \
    static int name(const void *x, const void *y)                                                  \
    {                                                                                              \
        const type *a = *(const type *const *)x, *b = *(const type *const *)y;                     \
        return strcmp(a->expression, b->expression);                                               \
    }
ORDER(by_key, struct index_resource, key)
ORDER(by_link, struct index_resource, link)
ORDER(by_family_name, struct index_family, name)
ORDER(by_service_name, struct index_service, name)
ORDER(by_service_link, struct index_service, link)
ORDER(by_group_name, struct index_group, name)

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

/* --- first pass: what there is --- */

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
    if (e == -EINVAL) {
        const char *line = arena_printf(b->a, "%s: not an ARN that svcfs can place", key);
        return line ? list_add(&b->problems, line) : -ENOMEM;
    }
    if (e == 0)
        e = map_put(b->by_key, r->key, r, NULL);
    if (e == 0)
        e = list_add(&b->resources, r);
    if (e == 0 && ret)
        *ret = r;
    return e;
}

static int collect_swept(struct build *b)
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

    if (e == 0 && !map_get(b->by_key, arn))
        e = add_resource(b, arn, tags, ARRAY_SIZE(tags), NULL);
    /* Things without an ARN carry no tags; they are hung on the service in the next pass by this one. */
    for (size_t i = 0; e == 0 && i < rec->n_keys; i++)
        if (!map_get(b->by_key, rec->keys[i]))
            e = add_resource(b, rec->keys[i], tags, 0, NULL);
    return e;
}

static int collect_records(struct build *b)
{
    struct map_iter it = {0};
    const char *key;
    void *value;
    int e = 0;

    while (e == 0 && map_next(b->in->records, &it, &key, &value))
        e = collect_record(b, value);
    return e;
}

static int collect_members(struct build *b)
{
    struct map_iter it = {0};
    const char *key;
    void *value;

    while (b->in->groups && map_next(b->in->groups->by_name, &it, &key, &value)) {
        const struct raw_group *g = value;
        for (size_t i = 0; i < g->n_members; i++) {
            const struct raw_resource *m = &g->members[i];
            const struct overlay_entry *o = map_get(b->in->overlay, m->key);
            if (map_get(b->by_key, m->key) || (o && o->gone) || is_ghost(b, m->tags, m->n_tags))
                continue;
            int e = add_resource(b, m->key, m->tags, m->n_tags, NULL);
            if (e < 0)
                return e;
        }
    }
    return 0;
}

/* --- second pass: places --- */

/* Two ARNs (of different regions or accounts) may have one path: all but the first get a hash of the ARN. */
static int part_namesakes(struct build *b)
{
    struct index_resource *before = NULL;

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
        uint64_t hash = hash_stable(r->key, strlen(r->key));
        r->id = arena_printf(b->a, "%.200s%%~%016" PRIx64, r->id, hash);
        r->link = arena_printf(b->a, "%.200s%%~%016" PRIx64, r->link, hash);
        if (!r->id || !r->link)
            return -ENOMEM;
    }
    return 0;
}

static int make_kinds(struct build *b)
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
            kinds[k++] = (struct index_kind){r->service, &types[t], 0};
        if (new_kind || !streq(types[t - 1].name, r->type)) {
            types[t++] = (struct index_type){r->type, &all[i], 0};
            ((struct index_kind *)&kinds[k - 1])->n_types++;
        }
        types[t - 1].n_resources++;
    }
    b->s->kinds = kinds;
    b->s->n_kinds = k;
    return 0;
}

/* --- third pass: services and families --- */

static struct family_draft *family_of(struct build *b, const char *id)
{
    struct family_draft *d = map_get(b->families, id);
    char name[NAME_SIZE];

    if (d)
        return d;
    d = arena_alloc(b->a, sizeof(*d));
    if (!d)
        return NULL;
    name_from_value(id, NULL, false, name);
    d->services = map_new();
    d->family = arena_alloc(b->a, sizeof(*d->family));
    if (!d->services || !d->family || map_put(b->families, id, d, NULL) < 0) {
        map_free(d->services);
        return NULL;
    }
    d->family->id = arena_strdup(b->a, id);
    d->family->name = arena_strdup(b->a, name);
    if (!d->family->id || !d->family->name || list_add(&b->family_list, d->family) < 0)
        return NULL;
    return d;
}

static struct service_draft *service_of(struct build *b, struct family_draft *f, const char *id)
{
    struct service_draft *d = map_get(f->services, id);
    char name[NAME_SIZE];

    if (d)
        return d;
    d = arena_alloc(b->a, sizeof(*d));
    struct index_service *s = arena_alloc(b->a, sizeof(*s));
    if (!d || !s || map_put(f->services, id, d, NULL) < 0)
        return NULL;
    name_from_value(id, index_reserved, false, name);
    s->id = arena_strdup(b->a, id);
    s->name = arena_strdup(b->a, name);
    s->family = f->family;
    s->phase = s->claim = "";
    d->service = s;
    uintptr_t count = (uintptr_t)map_get(b->family_count, id) + 1;
    if (!s->id || !s->name || list_add(&f->all, s) < 0 ||
        map_put(b->family_count, id, (void *)count, NULL) < 0)
        return NULL;
    return d;
}

/* Whether r is the record of service id; then its tags tell phase and claim. */
static bool is_record(const struct build *b, const struct index_resource *r, const char *id)
{
    const char *name = strstr(r->key, ":parameter/svcfs/");
    const char *mode = index_tag(r, "management-mode");

    (void)b;
    return name && r->has_arn && streq(name + strlen(":parameter/svcfs/"), id) && mode &&
           streq(mode, "automatic");
}

static int hang(struct build *b, struct index_resource *r)
{
    const char *family = index_tag(r, b->in->family_tag), *id = index_tag(r, b->in->service_tag);

    if (!family && id) {
        const char *line = arena_printf(
            b->a, "%s: has %s=%s but no %s, so it belongs to no service; add the tag or remove it",
            r->key, b->in->service_tag, id, b->in->family_tag);
        return line ? list_add(&b->problems, line) : -ENOMEM;
    }
    if (!family)
        return 0;
    struct family_draft *f = family_of(b, family);
    if (!f)
        return -ENOMEM;
    r->family = f->family;
    if (!id)
        return list_add(&f->shared, r);
    struct service_draft *s = service_of(b, f, id);
    if (!s)
        return -ENOMEM;
    r->owner = s->service;
    if (is_record(b, r, id)) {
        const char *phase = index_tag(r, "svcfs:phase"), *claim = index_tag(r, "svcfs:claim");
        s->service->managed = true;
        s->service->phase = phase ? phase : "";
        s->service->claim = claim ? claim : "";
        s->service->deleting = phase && streq(phase, "deleting");
    }
    return list_add(&s->resources, r);
}

/* The record outranks the tags, and brings what has no ARN. */
static int hang_record(struct build *b, const struct overlay_record *rec)
{
    struct family_draft *f = family_of(b, rec->family);
    struct service_draft *d = f ? service_of(b, f, rec->id) : NULL;
    int e = 0;

    if (!d)
        return -ENOMEM;
    struct index_service *s = d->service;
    s->managed = true;
    s->phase = arena_strdup(b->a, rec->phase);
    s->claim = arena_strdup(b->a, rec->claim);
    s->deleting = rec->deleting;
    if (!s->phase || !s->claim)
        return -ENOMEM;
    for (size_t i = 0; e == 0 && i < rec->n_keys; i++) {
        struct index_resource *r = map_get(b->by_key, rec->keys[i]);
        if (r && !r->owner) {
            r->owner = s;
            r->family = f->family;
            e = list_add(&d->resources, r);
        }
    }
    return e;
}

static int hang_all(struct build *b)
{
    struct map_iter it = {0};
    const char *key;
    void *value;
    int e = 0;

    for (size_t i = 0; e == 0 && i < b->resources.n; i++)
        e = hang(b, (struct index_resource *)b->resources.items[i]);
    while (e == 0 && map_next(b->in->records, &it, &key, &value))
        e = hang_record(b, value);
    for (char *const *name = b->in->blueprints; e == 0 && name && *name; name++) {
        struct family_draft *f = family_of(b, *name);
        if (f)
            f->family->has_blueprint = true;
        e = f ? 0 : -ENOMEM;
    }
    return e;
}

/* --- fourth pass: listings --- */

static int set_link(struct build *b, struct index_service *s)
{
    char id[NAME_SIZE], family[NAME_SIZE];
    bool unique = (uintptr_t)map_get(b->family_count, s->id) == 1;

    name_from_value(s->id, NULL, true, id);
    name_from_value(s->family->id, NULL, true, family);
    if (unique)
        s->link = arena_strdup(b->a, id);
    else if (strlen(id) + strlen(family) < NAME_SIZE - 1)
        s->link = arena_printf(b->a, "%s@%s", id, family);
    else
        s->link = arena_printf(b->a, "%.180s%%~%016" PRIx64, id,
                               hash_stable(s->family->id, strlen(s->family->id)));
    return s->link ? 0 : -ENOMEM;
}

static int finish_family(struct build *b, struct family_draft *d, struct list *links)
{
    struct list here = {0}, going = {0};
    struct map_iter it = {0};
    const char *key;
    void *value;
    int e = 0;

    while (e == 0 && map_next(d->services, &it, &key, &value)) {
        struct service_draft *s = value;
        s->service->n_resources = s->resources.n;
        s->service->resources = list_finish(b, &s->resources, by_link);
        e = s->service->resources ? set_link(b, s->service) : -ENOMEM;
        if (e == 0)
            e = list_add(s->service->deleting ? &going : &here, s->service);
        if (e == 0 && !s->service->deleting)
            e = list_add(links, s->service);
        if (e == 0)
            e = map_put(b->s->private_->services_by_id, s->service->id, s->service, NULL);
    }
    d->family->n_services = here.n;
    d->family->services = list_finish(b, &here, by_service_name);
    d->family->n_deleting = going.n;
    d->family->deleting = list_finish(b, &going, by_service_name);
    d->family->n_shared = d->shared.n;
    d->family->shared = list_finish(b, &d->shared, by_link);
    if (e == 0)
        e = map_put(b->s->private_->families_by_id, d->family->id, d->family, NULL);
    return e < 0 || !d->family->services || !d->family->deleting || !d->family->shared ? -ENOMEM : 0;
}

static int finish_families(struct build *b)
{
    struct list links = {0};
    struct map_iter it = {0};
    const char *key;
    void *value;
    int e = 0;

    while (e == 0 && map_next(b->families, &it, &key, &value))
        e = finish_family(b, value, &links);
    b->s->n_services = links.n;
    b->s->services = list_finish(b, &links, by_service_link);
    b->s->n_families = b->family_list.n;
    b->s->families = list_finish(b, &b->family_list, by_family_name);
    return e < 0 || !b->s->services || !b->s->families ? -ENOMEM : 0;
}

/* --- groups --- */

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

static int matching(struct build *b, const char *query, struct list *out)
{
    _cleanup_json_ json_t *outer = json_loads(query, 0, NULL);
    const char *text = json_string_value(json_object_get(outer, "Query"));
    _cleanup_json_ json_t *inner = text ? json_loads(text, 0, NULL) : NULL;
    json_t *filters = json_object_get(inner, "TagFilters"), *filter;
    int e = 0;

    for (size_t k = 0; e == 0 && json_array_size(filters) > 0 && k < b->resources.n; k++) {
        const struct index_resource *r = b->resources.items[k];
        bool all = r->has_arn;
        size_t i;
        json_array_foreach(filters, i, filter)
        {
            all = all && filter_matches(r, filter);
        }
        if (all)
            e = list_add(out, r);
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
    g->resources = list_finish(b, &members, by_link);
    if (!g->name || !g->arn || (query && !g->query) || !g->resources)
        return -ENOMEM;
    return list_add(groups, g);
}

static int make_groups(struct build *b)
{
    struct list list = {0};
    struct map_iter it = {0};
    const char *name;
    void *value;
    int e = 0;

    while (e == 0 && b->in->groups && map_next(b->in->groups->by_name, &it, &name, &value)) {
        const struct raw_group *g = value;
        if (!map_get(b->in->overlay_groups, name))
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

/* --- all --- */

static int finish_resources(struct build *b)
{
    if (b->in->groups_problem) {
        const char *line = arena_strdup(b->a, b->in->groups_problem);
        if (!line || list_add(&b->problems, line) < 0)
            return -ENOMEM;
    }
    b->s->n_problems = b->problems.n;
    b->s->problems = list_finish(b, &b->problems, NULL);
    b->s->n_resources = b->resources.n;
    b->s->resources = list_finish(b, &b->resources, by_key);
    return b->s->problems && b->s->resources ? 0 : -ENOMEM;
}

static void build_done(struct build *b)
{
    struct map_iter it = {0};
    const char *key;
    void *value;

    while (b->families && map_next(b->families, &it, &key, &value)) {
        struct family_draft *d = value;
        struct map_iter inner = {0};
        void *draft;
        while (map_next(d->services, &inner, &key, &draft))
            free(((struct service_draft *)draft)->resources.items);
        map_free(d->services);
        free(d->all.items);
        free(d->shared.items);
    }
    map_free(b->families);
    map_free(b->family_count);
    map_free(b->by_key);
    free(b->resources.items);
    free(b->family_list.items);
    free(b->problems.items);
}

static struct snapshot *snapshot_new(const struct build_input *in)
{
    struct arena *a = arena_new();
    struct snapshot *s = a ? arena_alloc(a, sizeof(*s)) : NULL;
    struct snapshot_private *p = s ? arena_alloc(a, sizeof(*p)) : NULL;

    if (!p) {
        arena_free(a);
        return NULL;
    }
    *s = (struct snapshot){
        .generation = in->generation, .built_wall_ms = in->wall_ms, .private_ = p};
    p->arena = a;
    p->families_by_id = map_new();
    p->services_by_id = map_new();
    atomic_init(&p->refs, 1);
    if (!p->families_by_id || !p->services_by_id) {
        snapshot_free(s);
        return NULL;
    }
    return s;
}

void snapshot_free(const struct snapshot *s)
{
    map_free(s->private_->families_by_id);
    map_free(s->private_->services_by_id);
    arena_free(s->private_->arena); /* s lies in it */
}

int build_snapshot(const struct build_input *in, const struct snapshot **ret)
{
    struct build b = {.in = in, .s = snapshot_new(in)};
    int e = b.s ? 0 : -ENOMEM;

    if (e < 0)
        return e;
    b.a = b.s->private_->arena;
    b.by_key = map_new();
    b.families = map_new();
    b.family_count = map_new();
    if (!b.by_key || !b.families || !b.family_count)
        e = -ENOMEM;

    int (*const passes[])(struct build *) = {
        collect_swept, collect_records, collect_members, part_namesakes,  hang_all,
        make_kinds,    make_groups,     finish_families, finish_resources,
    };
    for (size_t i = 0; e == 0 && i < ARRAY_SIZE(passes); i++)
        e = passes[i](&b);
    build_done(&b);
    if (e < 0)
        snapshot_free(b.s);
    else
        *ret = b.s;
    return e;
}
