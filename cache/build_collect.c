/*
 * What there is. Every source (the overlay, the sweep, the records, the groups) offers candidates;
 * those of one key are resolved together, in the order of enum source. Ghosts end here, so no later
 * pass knows of them: what the overlay calls gone, and what carries the claim of a record that was
 * seen to vanish.
 *
 * A member of a group comes from an older sweep than the resources. So only what has neither of our
 * tags is taken from there; of everything else the resources' own sweep decides whether it still
 * is. What is known only because something uses it
 * stands behind everything else; where its tags would put it elsewhere, the sweep is waited for.
 */
#include "cache/draft.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"

struct candidate {
    const char *key;
    enum source source;
    const void *from; /* struct overlay_entry, raw_resource or overlay_record */
};

static int order_candidates(const void *x, const void *y)
{
    const struct candidate *a = x, *b = y;
    int order = strcmp(a->key, b->key);

    if (order == 0)
        order = (int)a->source - (int)b->source;
    if (order == 0 && a->source == NAMED_BY_RECORD)
        order = strcmp(((const struct overlay_record *)a->from)->id,
                       ((const struct overlay_record *)b->from)->id);
    return order;
}

int collect_candidate(struct build *b, const char *key, enum source source, const void *from)
{
    struct candidate *c = arena_alloc(b->scratch, sizeof(*c));

    if (!c)
        return -ENOMEM;
    *c = (struct candidate){key, source, from};
    return list_add(&b->candidates, c);
}

/* --- one resource --- */

uint32_t hash_claim(const char *claim)
{
    return (uint32_t)hash_stable(claim, strlen(claim)) | 1;
}

static bool is_ghost(const struct build *b, const struct index_tag *tags, size_t n)
{
    const char *claim = map_size(b->in->dead_claims) > 0 ? tag_value(tags, n, "svcfs:claim") : NULL;

    return claim && map_get(b->in->dead_claims, claim);
}

/* The same key in the snapshot before. A build asks in the order of the keys. */
static const struct index_resource *before_of(struct build *b, const char *key)
{
    const struct snapshot *s = b->in->before;
    int order = -1;

    if (!s)
        return NULL;
    if (b->base)
        return snapshot_resource_by_key(s, key);
    while (b->before_at < s->n_resources &&
           (order = strcmp(s->resources[b->before_at]->key, key)) < 0)
        b->before_at++;
    return order == 0 ? s->resources[b->before_at] : NULL;
}

/* The id is the end of the link, unless that was cut. */
static int set_names(struct build *b, struct index_resource *r, const char *service,
                     const char *type, const char *id, const char *link)
{
    r->service = arena_intern(b->things, service);
    r->type = arena_intern(b->things, type);
    r->link = arena_strdup(b->things, link);
    if (!r->service || !r->type || !r->link)
        return -ENOMEM;
    r->id = str_ends(link, id) ? r->link + strlen(link) - strlen(id) : arena_strdup(b->things, id);
    return r->id ? 0 : -ENOMEM;
}

/* Reading an ARN costs more than all else that is done for a resource; so what was made of it
 * before is taken, unless its id may have got a hash for the sake of a namesake. */
static int name_resource(struct build *b, struct index_resource *r)
{
    const struct index_resource *old = before_of(b, r->key);
    struct name_path path;
    char link[NAME_SIZE];

    if (old && !strstr(old->id, "%~")) {
        r->has_arn = old->has_arn;
        return set_names(b, r, old->service, old->type, old->id, old->link);
    }
    r->has_arn = name_path_from_arn(r->key, &path) == 0;
    if (!r->has_arn && name_path_from_key(r->key, &path) < 0)
        return -EINVAL;
    name_link(&path, link);
    return set_names(b, r, path.service, path.type, path.id, link);
}

/* So that a search for a claim among all resources reads no strings. */
static uint32_t claim_hash(const struct index_resource *r)
{
    const char *claim = index_tag(r, "svcfs:claim");

    return claim ? hash_claim(claim) : 0;
}

/* What is found of one key. */
struct finding {
    const char *key;
    const struct overlay_entry *told;
    struct raw_resource shown; /* key NULL: nothing */
    bool inferred, unread;
    const struct overlay_record *record, *named;
};

/* What is shown has key and tags in memory that the snapshot keeps. */
static int add_draft(struct build *b, const struct finding *f)
{
    const struct raw_resource *what = &f->shown;
    struct index_resource *r = arena_alloc(b->things, sizeof(*r));
    struct resource_draft *d = arena_alloc(b->scratch, sizeof(*d));

    if (!r || !d)
        return -ENOMEM;
    r->key = what->key;
    r->tags = what->tags;
    r->n_tags = what->n_tags;
    r->inferred = f->inferred;
    r->unread = f->unread;
    r->claim_hash = claim_hash(r);
    int e = name_resource(b, r);
    if (e == -EINVAL) {
        b->unplaced = true;
        b->contested |= f->named != NULL; /* nothing of it is kept that a patch could go by */
        return problem_come(b, problem_unplaced(b, what->key));
    }
    *d = (struct resource_draft){r, f->record, f->named};
    if (e == 0)
        e = list_add(&b->drafts, d);
    return e < 0 ? e : list_add(&b->resources.come, r);
}

/* --- the candidates of one key --- */

static int show_copy(struct build *b, struct finding *f, const struct index_tag *tags, size_t n)
{
    f->shown =
        (struct raw_resource){arena_strdup(b->things, f->key), raw_tags(b->things, tags, n), n};
    return f->shown.key && f->shown.tags ? 0 : -ENOMEM;
}

static int find_overlay(struct build *b, struct finding *f, const void *from)
{
    const struct overlay_entry *o = f->told = from;

    return o->gone || is_ghost(b, o->tags, o->n_tags) ? 0 : show_copy(b, f, o->tags, o->n_tags);
}

static int find_swept(struct build *b, struct finding *f, const void *from)
{
    const struct raw_resource *r = from;

    if (!f->told && !is_ghost(b, r->tags, r->n_tags))
        f->shown = *r;
    return 0;
}

/* A record that the index does not list yet. */
static int find_record(struct build *b, struct finding *f, const void *from)
{
    const struct overlay_record *rec = f->record = from;
    const struct index_tag tags[] = {{b->in->service_tag, rec->id},
                                     {b->in->family_tag, rec->family},
                                     {"management-mode", "automatic"},
                                     {"svcfs:claim", rec->claim},
                                     {"svcfs:phase", rec->phase}};

    return f->shown.key ? 0 : show_copy(b, f, tags, ARRAY_SIZE(tags));
}

/* Things without an ARN carry no tags; the record hangs them on its service. */
static int find_named(struct build *b, struct finding *f, const void *from)
{
    b->contested |= f->named && f->named != from;
    if (!f->named)
        f->named = from;
    return f->shown.key ? 0 : show_copy(b, f, NULL, 0);
}

static bool is_ours(const struct build *b, const struct index_tag *tags, size_t n)
{
    return tag_value(tags, n, b->in->family_tag) || tag_value(tags, n, b->in->service_tag);
}

static int find_member(struct build *b, struct finding *f, const void *from)
{
    const struct raw_resource *m = from;

    if (!f->shown.key && !(f->told && f->told->gone) && !is_ours(b, m->tags, m->n_tags) &&
        !is_ghost(b, m->tags, m->n_tags))
        f->shown = *m;
    return 0;
}

static int find_used(struct build *b, struct finding *f, const void *from)
{
    const struct overlay_entry *u = from;
    struct name_path path;

    if (f->shown.key || (f->told && f->told->gone) ||
        (name_path_from_arn(f->key, &path) < 0 && name_path_from_key(f->key, &path) < 0))
        return 0;
    f->inferred = true;
    f->unread = !u->listed || is_ours(b, u->tags, u->n_tags) || is_ghost(b, u->tags, u->n_tags);
    return show_copy(b, f, u->tags, f->unread ? 0 : u->n_tags);
}

static int (*const finders[])(struct build *b, struct finding *f, const void *from) = {
    [FROM_OVERLAY] = find_overlay,  [FROM_SWEEP] = find_swept,   [FROM_RECORD] = find_record,
    [NAMED_BY_RECORD] = find_named, [FROM_MEMBER] = find_member, [FROM_USE] = find_used,
};

int collect_resolve(struct build *b)
{
    struct list *all = &b->candidates;
    int e = list_sort_texts(all, offsetof(struct candidate, key), order_candidates);

    for (size_t i = 0; e == 0 && i < all->n;) {
        const struct candidate *first = all->items[i], *c = first;
        struct finding f = {.key = first->key};
        for (; e == 0 && i < all->n && streq((c = all->items[i])->key, first->key); i++)
            e = finders[c->source](b, &f, c->from);
        if (e == 0 && f.shown.key)
            e = add_draft(b, &f);
    }
    return e;
}

/* --- all candidates --- */

const char *record_arn(struct build *b, const char *id)
{
    return arena_printf(b->scratch, "arn:%s:ssm:%s:%s:parameter/svcfs/%s", b->in->partition,
                        b->in->region, b->in->account, id);
}

int collect_record(struct build *b, const struct overlay_record *rec)
{
    const char *arn = record_arn(b, rec->id);
    int e = arn ? collect_candidate(b, arn, FROM_RECORD, rec) : -ENOMEM;

    for (size_t i = 0; e == 0 && i < rec->n_keys; i++)
        e = collect_candidate(b, rec->keys[i], NAMED_BY_RECORD, rec);
    return e;
}

static int collect_members(struct build *b)
{
    struct map_iter it = {0};
    void *value;
    int e = 0;

    while (b->in->groups && map_next(b->in->groups->by_name, &it, NULL, &value)) {
        const struct raw_group *g = value;
        for (size_t i = 0; e == 0 && i < g->n_members; i++)
            e = collect_candidate(b, g->members[i].key, FROM_MEMBER, &g->members[i]);
    }
    return e;
}

int collect_all(struct build *b)
{
    struct map_iter it = {0};
    const char *key;
    void *value;
    int e = 0;

    while (e == 0 && map_next(b->in->resources->by_key, &it, NULL, &value))
        e = collect_candidate(b, ((const struct raw_resource *)value)->key, FROM_SWEEP, value);
    it = (struct map_iter){0};
    while (e == 0 && map_next(b->in->overlay, &it, &key, &value))
        e = collect_candidate(b, key, FROM_OVERLAY, value);
    it = (struct map_iter){0};
    while (e == 0 && map_next(b->in->records, &it, NULL, &value))
        e = collect_record(b, value);
    it = (struct map_iter){0};
    while (e == 0 && b->in->used && map_next(b->in->used, &it, &key, &value))
        e = collect_candidate(b, key, FROM_USE, value);
    return e == 0 ? collect_members(b) : e;
}
