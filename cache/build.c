/*
 * From raw to snapshot in four passes: collect what there is (sweep, minus ghosts, with the
 * overlay's and the records' word), give each its place below resources/, hang it on its service
 * and family, sort every listing.
 *
 * During the build families and services are growing `draft`s; the snapshot's own structs are const
 * for everybody else.
 */
#include "cache/draft.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

const char *const index_reserved[] = {
    "blueprint.json", "next-id", "services.tsv", "resources", "plan", "graph.dot", NULL};

int list_add(struct list *l, const void *item)
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
const void *list_finish(struct build *b, struct list *l, int (*order)(const void *, const void *))
{
    const void **out = arena_array(b->a, l->n, sizeof(*out));

    if (out && l->n > 0) {
        qsort(l->items, l->n, sizeof(*l->items), order);
        memcpy(out, l->items, l->n * sizeof(*out));
    }
    free(l->items);
    l->items = NULL;
    return out;
}

int order_by_link(const void *x, const void *y)
{
    return strcmp((*(const struct index_resource *const *)x)->link,
                  (*(const struct index_resource *const *)y)->link);
}

#define ORDER(name, type, expression)                                                              \
    static int name(const void *x, const void *y)                                                  \
    {                                                                                              \
        const type *a = *(const type *const *)x, *b = *(const type *const *)y;                     \
        return strcmp(a->expression, b->expression);                                               \
    }
ORDER(by_key, struct index_resource, key)
ORDER(by_family_name, struct index_family, name)
ORDER(by_service_name, struct index_service, name)
ORDER(by_service_link, struct index_service, link)

static int by_text(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* A line for .svcfs/errors: one line whatever stands in a tag. */
int problem_add(struct build *b, char *line)
{
    for (char *s = line; s && *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            *s = ' ';
    return line ? list_add(&b->problems, line) : -ENOMEM;
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
    if (d->family)
        d->family->known = true;
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
    if (!s->id || !s->name || map_put(b->family_count, id, (void *)count, NULL) < 0)
        return NULL;
    return d;
}

/* Whether r is the record of service id; then its tags tell phase and claim. */
static bool is_record(const struct index_resource *r, const char *id)
{
    const char *name = r->has_arn && streq(r->service, "ssm") && streq(r->type, "parameter")
                           ? strstr(r->key, ":parameter/svcfs/")
                           : NULL;
    const char *mode = name ? index_tag(r, "management-mode") : NULL;

    return mode && streq(mode, "automatic") && streq(str_after(name, ":parameter/svcfs/"), id);
}

/* A record belongs to the service that it names, whatever somebody made of its tags. */
static int hang(struct build *b, struct index_resource *r)
{
    const struct overlay_record *rec = map_get(b->records, r->key);
    const char *family = rec ? rec->family : index_tag(r, b->in->family_tag);
    const char *id = rec ? rec->id : index_tag(r, b->in->service_tag);

    if (!family && id)
        return problem_add(
            b, arena_printf(b->a,
                            "%s: has %s=%s but no %s, so it belongs to no service; add the "
                            "tag or remove it",
                            r->key, b->in->service_tag, id, b->in->family_tag));
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
    if (is_record(r, id)) {
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
    char id[NAME_SIZE], family[NAME_SIZE], whole[2 * NAME_SIZE], link[NAME_SIZE];
    bool unique = (uintptr_t)map_get(b->family_count, s->id) == 1;

    name_from_value(s->id, NULL, true, id);
    name_from_value(s->family->id, NULL, true, family);
    snprintf(whole, sizeof(whole), "%s%s%s", id, unique ? "" : "@", unique ? "" : family);
    name_fit(whole, link);
    s->link = arena_strdup(b->a, link);
    return s->link ? 0 : -ENOMEM;
}

/* Of several services with one id that which lives, then that of the first family: the same at
 * every build. */
static int note_id(struct build *b, struct index_service *s)
{
    struct map *all = b->s->private_->services_by_id;
    const struct index_service *other = map_get(all, s->id);

    if (other && (other->deleting == s->deleting ? strcmp(other->family->id, s->family->id) < 0
                                                 : !other->deleting))
        return 0;
    return map_put(all, s->id, s, NULL);
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
        s->service->resources = list_finish(b, &s->resources, order_by_link);
        e = s->service->resources ? set_link(b, s->service) : -ENOMEM;
        if (e == 0)
            e = list_add(s->service->deleting ? &going : &here, s->service);
        if (e == 0 && !s->service->deleting)
            e = list_add(links, s->service);
        if (e == 0)
            e = note_id(b, s->service);
    }
    d->family->n_services = here.n;
    d->family->services = list_finish(b, &here, by_service_name);
    d->family->n_deleting = going.n;
    d->family->deleting = list_finish(b, &going, by_service_name);
    d->family->n_shared = d->shared.n;
    d->family->shared = list_finish(b, &d->shared, order_by_link);
    if (e == 0)
        e = map_put(b->s->private_->families_by_id, d->family->id, d->family, NULL);
    return e < 0 || !d->family->services || !d->family->deleting || !d->family->shared ? -ENOMEM
                                                                                       : 0;
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

/* --- all --- */

static int finish_resources(struct build *b)
{
    if (b->in->groups_problem) {
        const char *line = arena_strdup(b->a, b->in->groups_problem);
        if (!line || list_add(&b->problems, line) < 0)
            return -ENOMEM;
    }
    b->s->n_problems = b->problems.n;
    b->s->problems = list_finish(b, &b->problems, by_text);
    b->s->n_resources = b->resources.n;
    b->s->resources = list_finish(b, &b->resources, by_key);
    return b->s->problems && b->s->resources ? 0 : -ENOMEM;
}

static void list_free(void *value)
{
    struct list *l = value;

    free(l->items);
    free(l);
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
        free(d->shared.items);
    }
    map_free(b->families);
    map_free(b->family_count);
    map_free(b->records);
    map_free(b->by_key);
    map_free_with(b->by_tag[0], list_free);
    map_free_with(b->by_tag[1], list_free);
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
    *s = (struct snapshot){.generation = in->generation,
                           .built_wall_ms = in->wall_ms,
                           .whole = true,
                           .swept = !in->resources->saved,
                           .private_ = p};
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
    b.by_tag[0] = map_new();
    b.by_tag[1] = map_new();
    b.records = map_new();
    b.families = map_new();
    b.family_count = map_new();
    if (!b.by_key || !b.by_tag[0] || !b.by_tag[1] || !b.records || !b.families || !b.family_count)
        e = -ENOMEM;

    int (*const passes[])(struct build *) = {
        collect_swept, collect_records, collect_members, collect_part_namesakes, hang_all,
        collect_kinds, draft_groups,    finish_families, finish_resources,
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
