/*
 * From drafts to listings. Every array of the snapshot is the base's, edited; a build has no base,
 * and so its arrays consist of what came.
 */
#include "cache/draft.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cache/same.h"

#define ORDER(name, type, member)                                                                  \
    int name(const void *x, const void *y)                                                         \
    {                                                                                              \
        return strcmp(((const type *)x)->member, ((const type *)y)->member);                       \
    }
ORDER(order_by_link, struct index_resource, link)
static ORDER(order_by_key, struct index_resource,
             key) static ORDER(order_services_by_name, struct index_service,
                               name) static ORDER(order_services_by_link, struct index_service,
                                                  link) static ORDER(order_families,
                                                                     struct index_family, name)

    /* Of one service and type. */
    int order_by_place(const void *x, const void *y)
{
    const struct index_resource *a = x, *b = y;
    int order = strcmp(a->id, b->id);

    return order ? order : strcmp(a->key, b->key);
}

/* Of several with one id first what lives, then by family: the same at every build. */
static int order_services_by_id(const void *x, const void *y)
{
    const struct index_service *a = x, *b = y;
    int order = strcmp(a->id, b->id);

    if (order == 0)
        order = (int)a->deleting - (int)b->deleting;
    return order ? order : strcmp(a->family->id, b->family->id);
}

static int order_types(const void *x, const void *y)
{
    const struct type_draft *a = x, *b = y;
    int order = strcmp(a->service, b->service);

    return order ? order : strcmp(a->type, b->type);
}

static int order_texts(const void *x, const void *y)
{
    return strcmp(x, y);
}

/* --- types --- */

static struct type_draft *draft_type(struct build *b, const char *service, const char *type)
{
    char key[2 * NAME_SIZE];

    snprintf(key, sizeof(key), "%s/%s", service, type);
    struct type_draft *t = map_get(b->types, key);
    if (t)
        return t;
    t = arena_alloc(b->scratch, sizeof(*t));
    if (!t || map_put(b->types, key, t, NULL) < 0)
        return NULL;
    t->service = service;
    t->type = type;
    return t;
}

/* The base's types too, since all of them will stand in the new arrays. */
static int begin_types(struct build *b)
{
    for (size_t i = 0; i < b->base->n_kinds; i++) {
        const struct index_kind *k = &b->base->kinds[i];
        for (size_t j = 0; j < k->n_types; j++) {
            struct type_draft *t = draft_type(b, k->name, k->types[j].name);
            if (!t)
                return -ENOMEM;
            t->old = &k->types[j];
        }
    }
    return 0;
}

static int sort_by_type(struct build *b, const struct list *from, bool come)
{
    struct type_draft *t = NULL;
    int e = 0;

    for (size_t i = 0; e == 0 && i < from->n; i++) {
        const struct index_resource *r = from->items[i];
        if (!t || !streq(t->type, r->type) || !streq(t->service, r->service))
            t = draft_type(b, r->service, r->type);
        if (!t)
            return -ENOMEM;
        e = list_add(come ? &t->resources.come : &t->resources.gone, r);
    }
    return e;
}

static int rename_namesakes(struct build *b, struct type_draft *t)
{
    struct index_resource *first = NULL;
    char name[NAME_SIZE];

    list_sort(&t->resources.come, order_by_place);
    for (size_t i = 0; i < t->resources.come.n; i++) {
        struct index_resource *r = (struct index_resource *)t->resources.come.items[i];
        if (!first || !streq(r->id, first->id)) {
            first = r;
            continue;
        }
        name_hashed(r->link, r->key, name);
        r->link = arena_strdup(b->things, name);
        name_hashed(r->id, r->key, name);
        r->id = arena_strdup(b->things, name);
        if (!r->id || !r->link)
            return -ENOMEM;
    }
    return 0;
}

/* Two ARNs (of different regions or accounts) may have one path: all but the first get a hash of
 * the ARN. */
int finish_namesakes(struct build *b)
{
    struct map_iter it = {0};
    void *type;
    int e = sort_by_type(b, &b->resources.come, true);

    while (e == 0 && map_next(b->types, &it, NULL, &type))
        e = rename_namesakes(b, type);
    return e;
}

/* A build has sorted them for the sake of the namesakes. */
static int patch_types(struct build *b)
{
    int e = begin_types(b);

    if (e == 0)
        e = sort_by_type(b, &b->resources.gone, false);
    return e == 0 ? sort_by_type(b, &b->resources.come, true) : e;
}

int finish_kinds(struct build *b)
{
    struct list all = {0};
    struct map_iter it = {0};
    void *type;
    size_t n_kinds = 0, n = 0;
    int e = b->base ? patch_types(b) : 0;

    while (e == 0 && map_next(b->types, &it, NULL, &type))
        e = list_add(&all, type);
    list_sort(&all, order_types);
    struct index_kind *kinds = arena_array(b->lists, all.n, sizeof(*kinds));
    struct index_type *types = arena_array(b->lists, all.n, sizeof(*types));
    if (!kinds || !types)
        e = -ENOMEM;
    for (size_t i = 0; e == 0 && i < all.n; i++) {
        struct type_draft *t = (struct type_draft *)all.items[i];
        struct index_type *now = &types[n];
        now->name = t->type;
        now->resources =
            edit_apply(&t->resources, b->lists, t->old ? t->old->resources : NULL,
                       t->old ? t->old->n_resources : 0, order_by_place, &now->n_resources);
        if (!now->resources)
            e = -ENOMEM;
        if (e < 0 || now->n_resources == 0)
            continue;
        if (n_kinds == 0 || !streq(kinds[n_kinds - 1].name, t->service))
            kinds[n_kinds++] = (struct index_kind){.name = t->service, .types = now};
        kinds[n_kinds - 1].n_types++;
        n++;
    }
    list_done(&all);
    b->s->kinds = kinds;
    b->s->n_kinds = n_kinds;
    return e;
}

/* --- services --- */

/* Whether r is the record of service id; then its tags tell phase and claim. */
static bool is_record(const struct index_resource *r, const char *id)
{
    const char *name = r->has_arn && streq(r->service, "ssm") && streq(r->type, "parameter")
                           ? strstr(r->key, ":parameter/svcfs/")
                           : NULL;
    const char *mode = name ? index_tag(r, "management-mode") : NULL;

    return mode && streq(mode, "automatic") && streq(str_after(name, ":parameter/svcfs/"), id);
}

/* Of the least and the greatest: more than two are never there at a time. */
static uint32_t digest_claims(const struct list *resources)
{
    uint32_t least = UINT32_MAX, greatest = 0;

    for (size_t i = 0; i < resources->n; i++) {
        const struct index_resource *r = resources->items[i];
        if (r->claim_hash != 0) {
            least = MIN(least, r->claim_hash);
            greatest = MAX(greatest, r->claim_hash);
        }
    }
    return greatest ? ((least ^ (greatest << 16 | greatest >> 16)) | 1) : 0;
}

static void told_by_tags(struct index_service *s, const struct list *resources)
{
    s->phase = s->claim = "";
    s->claims = digest_claims(resources);
    for (size_t i = 0; i < resources->n; i++) {
        const struct index_resource *r = resources->items[i];
        if (!is_record(r, s->id))
            continue;
        const char *phase = index_tag(r, "svcfs:phase"), *claim = index_tag(r, "svcfs:claim");
        s->managed = true;
        s->phase = phase ? phase : "";
        s->claim = claim ? claim : "";
        s->deleting = phase && streq(phase, "deleting");
    }
}

static int told_by_record(struct build *b, struct index_service *s,
                          const struct overlay_record *rec)
{
    s->managed = true;
    s->deleting = rec->deleting;
    s->phase = arena_strdup(b->things, rec->phase);
    s->claim = arena_strdup(b->things, rec->claim);
    return s->phase && s->claim ? 0 : -ENOMEM;
}

static int set_link(struct build *b, struct index_service *s)
{
    char id[NAME_SIZE], family[NAME_SIZE], whole[2 * NAME_SIZE], link[NAME_SIZE];
    bool unique = (uintptr_t)map_get(b->family_count, s->id) == 1;

    name_from_value(s->id, NULL, true, id);
    name_from_value(s->family->id, NULL, true, family);
    snprintf(whole, sizeof(whole), "%s%s%s", id, unique ? "" : "@", unique ? "" : family);
    name_fit(whole, link);
    s->link = streq(link, s->id) ? s->id : arena_strdup(b->things, link);
    return s->link ? 0 : -ENOMEM;
}

/* Resources that the base has lead to the service as it was; where that holds no more, they are
 * made anew. */
static int renew_resources(struct build *b, struct service_draft *d)
{
    int e = 0;

    for (size_t i = 0; e == 0 && i < d->resources.n; i++) {
        const struct index_resource *r = d->resources.items[i];
        if (r->owner == d->service)
            continue;
        struct index_resource *mine = arena_alloc(b->things, sizeof(*mine));
        if (!mine)
            return -ENOMEM;
        *mine = *r;
        mine->owner = d->service;
        d->resources.items[i] = mine;
        e = list_add(&b->resources.gone, r);
        if (e == 0)
            e = list_add(&b->resources.come, mine);
    }
    return e;
}

static int make_service(struct build *b, struct service_draft *d)
{
    struct index_service *s = d->service;
    struct edit all = {0};

    list_sort(&d->resources, order_by_link);
    told_by_tags(s, &d->resources);
    int e = d->record ? told_by_record(b, s, d->record) : 0;
    if (e == 0)
        e = depends_collect(b, s, &d->resources);
    if (e == 0)
        e = set_link(b, s);
    if (e == 0 && d->old && !same_identity(d->old, s))
        e = renew_resources(b, d);
    if (e < 0)
        return e;
    all.come = d->resources; /* lent */
    s->resources = edit_apply(&all, b->things, NULL, 0, order_by_link, &s->n_resources);
    return s->resources ? 0 : -ENOMEM;
}

/* Into the listings that it belongs to, as what came or as what went. */
static int list_service(struct build *b, struct family_draft *f, const struct index_service *s,
                        bool come)
{
#define SIDE(edit) (come ? &(edit)->come : &(edit)->gone)
    int e = list_add(SIDE(s->deleting ? &f->going : &f->here), s);

    if (e == 0 && !s->deleting)
        e = list_add(SIDE(&b->links), s);
    if (e == 0)
        e = list_add(SIDE(&b->ids), s);
    return e == 0 ? depends_list(b, s, come) : e;
#undef SIDE
}

static int finish_service(struct build *b, struct family_draft *f, struct service_draft *d)
{
    int e = d->old ? list_service(b, f, d->old, false) : 0;

    if (e == 0 && d->resources.n > 0)
        e = make_service(b, d);
    if (e == 0 && d->resources.n > 0)
        e = list_service(b, f, d->service, true);
    return e;
}

int finish_services(struct build *b)
{
    struct map_iter it = {0};
    void *family, *service;
    int e = 0;

    while (e == 0 && map_next(b->families, &it, NULL, &family)) {
        struct family_draft *f = family;
        struct map_iter inner = {0};
        while (e == 0 && map_next(f->services, &inner, NULL, &service))
            e = finish_service(b, f, service);
    }
    return e;
}

/* --- families --- */

/* The listings of old (may be NULL), edited. */
static int finish_family(struct build *b, const struct index_family *old, struct family_draft *f,
                         struct list *out)
{
    static const struct index_family none;
    struct family_draft untouched = {.label = old ? old->label : NULL,
                                     .has_blueprint = old && old->has_blueprint};
    struct index_family *now = arena_alloc(b->lists, sizeof(*now));

    if (!now)
        return -ENOMEM;
    f = f ? f : &untouched;
    old = old ? old : &none;
    *now = (struct index_family){.id = f->label->id,
                                 .name = f->label->name,
                                 .label = f->label,
                                 .has_blueprint = f->has_blueprint,
                                 .known = true};
    now->services = edit_apply(&f->here, b->lists, old->services, old->n_services,
                               order_services_by_name, &now->n_services);
    now->deleting = edit_apply(&f->going, b->lists, old->deleting, old->n_deleting,
                               order_services_by_name, &now->n_deleting);
    now->shared =
        edit_apply(&f->shared, b->lists, old->shared, old->n_shared, order_by_link, &now->n_shared);
    if (!now->services || !now->deleting || !now->shared)
        return -ENOMEM;
    bool empty = now->n_services + now->n_deleting + now->n_shared == 0;
    return empty && !now->has_blueprint ? 0 : list_add(out, now);
}

int finish_families(struct build *b)
{
    struct edit all = {0};
    struct map_iter it = {0};
    void *draft;
    int e = 0;

    for (size_t i = 0; e == 0 && b->base && i < b->base->n_families; i++) {
        const struct index_family *f = b->base->families[i];
        e = finish_family(b, f, map_get(b->families, f->id), &all.come);
    }
    while (e == 0 && map_next(b->families, &it, NULL, &draft))
        if (!((struct family_draft *)draft)->old)
            e = finish_family(b, NULL, draft, &all.come);
    if (e == 0)
        b->s->families = edit_apply(&all, b->lists, NULL, 0, order_families, &b->s->n_families);
    edit_done(&all);
    return e < 0 || !b->s->families ? -ENOMEM : 0;
}

/* --- the snapshot --- */

/* Those that carry exactly one of the two tags, whoever they belong to (lookup.h). */
static int pick_untagged(const struct build *b, const struct list *from, struct list *out)
{
    int e = 0;

    for (size_t i = 0; e == 0 && i < from->n; i++) {
        const struct index_resource *r = from->items[i];
        if (!index_tag(r, b->in->family_tag) != !index_tag(r, b->in->service_tag))
            e = list_add(out, r);
    }
    return e;
}

int finish_listings(struct build *b)
{
    static const struct snapshot_private none;
    static const struct snapshot nothing;
    const struct snapshot *base = b->base ? b->base : &nothing;
    const struct snapshot_private *hidden = b->base ? b->base->private_ : &none;
    struct snapshot_private *p = b->s->private_;
    struct snapshot *s = b->s;

    if (pick_untagged(b, &b->resources.gone, &b->untagged.gone) < 0 ||
        pick_untagged(b, &b->resources.come, &b->untagged.come) < 0)
        return -ENOMEM;
    s->resources = edit_apply(&b->resources, b->lists, base->resources, base->n_resources,
                              order_by_key, &s->n_resources);
    s->services = edit_apply(&b->links, b->lists, base->services, base->n_services,
                             order_services_by_link, &s->n_services);
    p->ids =
        edit_apply(&b->ids, b->lists, hidden->ids, hidden->n_ids, order_services_by_id, &p->n_ids);
    p->untagged = edit_apply(&b->untagged, b->lists, hidden->untagged, hidden->n_untagged,
                             order_by_link, &p->n_untagged);
    p->needs =
        edit_apply(&b->needs, b->lists, hidden->needs, hidden->n_needs, order_needs, &p->n_needs);
    p->unplaced = b->unplaced || hidden->unplaced; /* a patch does not look whether all went */
    p->strays = b->strays || hidden->strays;       /* neither here */
    p->contested = b->contested;
    return s->resources && s->services && p->ids && p->untagged && p->needs ? 0 : -ENOMEM;
}

int finish_problems(struct build *b)
{
    struct snapshot *s = b->s;
    int e = 0;

    if (!b->base && b->in->groups_problem)
        e = problem_come(b, arena_strdup(b->scratch, b->in->groups_problem));
    if (e == 0)
        s->problems = edit_apply(&b->problems, b->lists, b->base ? b->base->problems : NULL,
                                 b->base ? b->base->n_problems : 0, order_texts, &s->n_problems);
    return e < 0 || !s->problems ? -ENOMEM : 0;
}
