/*
 * A patch: the next snapshot from the last one and a few changes, in the time that it takes to copy
 * some arrays of pointers.
 *
 * What is looked at are keys. Each key that a change names leaves the base's listings, is resolved
 * anew from what all sources say of it now, and goes where that puts it; the services and families
 * that it leaves or enters are made anew, of what the base has of them and what came. All passes
 * behind the first are the build's own.
 *
 * That holds as long as a key depends on nothing but its own sources. Where it does not, a patch is
 * refused, and the caller builds:
 *   a path or an id in services/ that is shared, or would be: names then depend on who else has it;
 *   two records that name one key, or a record and somebody's tags that disagree about it;
 *   a claim that died, where there are keys without a place: nobody knows what they carry;
 *   groups whose members were swept with them: they decide what is there at all;
 *   a new sweep, so many changes that a build is cheaper, and a chain of patches that has become
 *     long.
 */
#include "cache/draft.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

enum { KEYS_MAX = 2000, CLAIMS_MAX = 50, PATCHES_MAX = 2000 };

/* --- which keys --- */

static int look_at(struct build *b, const char *key)
{
    return map_put(b->keys, key, b, NULL);
}

/* The record of a service also when all that changed is what it says of itself. */
static int look_at_records(struct build *b)
{
    struct map_iter it = {0};
    const char *id;
    int e = 0;

    while (e == 0 && map_next(b->changes->records, &it, &id, NULL)) {
        const char *arn = record_arn(b, id);
        e = arn ? look_at(b, arn) : -ENOMEM;
    }
    return e;
}

static int look_at_claim(struct build *b, const char *claim)
{
    uint32_t hash = hash_claim(claim);
    int e = 0;

    for (size_t i = 0; e == 0 && i < b->base->n_resources; i++) {
        const struct index_resource *r = b->base->resources[i];
        if (r->claim_hash == hash && streq(index_tag(r, "svcfs:claim"), claim))
            e = look_at(b, r->key);
    }
    return e;
}

static int look_at_claims(struct build *b)
{
    struct map_iter it = {0};
    const char *claim;
    int e = b->changes->claims && b->base->private_->unplaced ? -EOPNOTSUPP : 0;

    while (e == 0 && map_next(b->changes->claims, &it, &claim, NULL))
        e = look_at_claim(b, claim);
    return e;
}

static int choose_keys(struct build *b)
{
    struct map_iter it = {0};
    const char *key;
    int e = 0;

    if (map_size(b->changes->keys) + map_size(b->changes->records) > KEYS_MAX ||
        map_size(b->changes->claims) > CLAIMS_MAX)
        return -EOPNOTSUPP;
    while (e == 0 && map_next(b->changes->keys, &it, &key, NULL))
        e = look_at(b, key);
    if (e == 0)
        e = look_at_records(b);
    return e == 0 ? look_at_claims(b) : e;
}

/* --- what they were --- */

/* What is left of its service or family stands in a draft of it from now on. */
static int leave_home(struct build *b, const struct index_resource *old)
{
    const struct index_label *home = old->owner ? old->owner->family : old->family;
    struct family_draft *f = home ? draft_family(b, home->id) : NULL;

    if (home && !f)
        return -ENOMEM;
    if (old->owner)
        return draft_service(b, f, old->owner->id) ? 0 : -ENOMEM;
    if (f)
        return list_add(&f->shared.gone, old);
    return index_tag(old, b->in->service_tag) ? problem_gone(b, problem_homeless(b, old)) : 0;
}

static int take_out(struct build *b)
{
    struct map_iter it = {0};
    const char *key;
    int e = 0;

    while (e == 0 && map_next(b->keys, &it, &key, NULL)) {
        const struct index_resource *old = snapshot_resource_by_key(b->base, key);
        if (!old) {
            e = problem_gone(b, problem_unplaced(b, key));
            continue;
        }
        e = list_add(&b->resources.gone, old);
        if (e == 0)
            e = leave_home(b, old);
    }
    return e;
}

/* --- what all sources say of them now --- */

static int named_by(struct build *b, const char *key, const struct overlay_record *rec)
{
    int e = 0;

    for (size_t i = 0; e == 0 && rec && i < rec->n_keys; i++)
        if (streq(rec->keys[i], key))
            e = collect_candidate(b, rec->keys[i], NAMED_BY_RECORD, rec);
    return e;
}

/* A record that has not changed names key only if key is its service's (else it is contested). */
static int collect_named(struct build *b, const char *key)
{
    const struct index_resource *old = snapshot_resource_by_key(b->base, key);
    const char *owner = old && old->owner ? old->owner->id : NULL;

    return owner && !map_get(b->changes->records, owner)
               ? named_by(b, key, map_get(b->in->records, owner))
               : 0;
}

/* A record that has changed is collected as a whole. */
static int collect_record_of(struct build *b, const char *key)
{
    const char *name = strstr(key, ":parameter/svcfs/");
    const char *id = name ? str_after(name, ":parameter/svcfs/") : NULL;
    const struct overlay_record *rec = id ? map_get(b->in->records, id) : NULL;

    if (!rec || map_get(b->changes->records, id))
        return 0;
    const char *arn = record_arn(b, id);
    if (!arn)
        return -ENOMEM;
    return streq(arn, key) ? collect_candidate(b, key, FROM_RECORD, rec) : 0;
}

static int collect_member(struct build *b, const char *key)
{
    const struct snapshot_private *p = b->base->private_;
    const struct group_word from = {key, ""};
    size_t i = list_place((const void *const *)p->words, p->n_words, &from, order_words);
    int e = 0;

    for (; e == 0 && i < p->n_words && streq(p->words[i]->word, key); i++) {
        const struct raw_group *g =
            b->in->groups ? map_get(b->in->groups->by_name, p->words[i]->group) : NULL;
        for (size_t k = 0; e == 0 && g && k < g->n_members; k++)
            if (streq(g->members[k].key, key))
                e = collect_candidate(b, key, FROM_MEMBER, &g->members[k]);
    }
    return e;
}

static int collect_key(struct build *b, const char *key)
{
    const void *told = map_get(b->in->overlay, key);
    const void *used = map_get(b->in->used, key);
    const struct raw_resource *swept = map_get(b->in->resources->by_key, key);
    int e = told ? collect_candidate(b, key, FROM_OVERLAY, told) : 0;

    if (e == 0 && swept)
        e = collect_candidate(b, key, FROM_SWEEP, swept);
    if (e == 0)
        e = collect_record_of(b, key);
    if (e == 0)
        e = collect_named(b, key);
    if (e == 0 && used)
        e = collect_candidate(b, key, FROM_USE, used);
    return e == 0 ? collect_member(b, key) : e;
}

static int collect_chosen(struct build *b)
{
    struct map_iter it = {0};
    const char *name;
    int e = 0;

    while (e == 0 && map_next(b->keys, &it, &name, NULL))
        e = collect_key(b, name);
    it = (struct map_iter){0};
    while (e == 0 && map_next(b->changes->records, &it, &name, NULL)) {
        const struct overlay_record *rec = map_get(b->in->records, name);
        e = rec ? collect_record(b, rec) : 0;
    }
    return e;
}

/* --- what cannot be patched --- */

static int order_places(const void *x, const void *y)
{
    const struct index_resource *a = x, *b = y;
    int order = strcmp(a->service, b->service);

    if (order == 0)
        order = strcmp(a->type, b->type);
    return order ? order : strcmp(a->id, b->id);
}

static int order_with_id(const void *x, const void *id)
{
    return strcmp(((const struct index_resource *)x)->id, id);
}

/* Whether somebody else in the base has the path of r, or has a hash in its name because of it. */
static bool has_namesake(const struct build *b, const struct index_resource *r)
{
    const struct index_kind *k = snapshot_kind(b->base, r->service);
    const struct index_type *t = k ? snapshot_type(k, r->type) : NULL;
    const struct index_resource *other = t ? snapshot_resource(t, r->id) : NULL;
    char hashed[NAME_SIZE + 4];

    if (strlen(r->id) > NAME_SIZE / 2) /* a hash would take the place of its end */
        return true;
    if (!t)
        return false;
    if (other && !streq(other->key, r->key))
        return true;
    snprintf(hashed, sizeof(hashed), "%s%%~", r->id);
    size_t i = list_place((const void *const *)t->resources, t->n_resources, hashed, order_with_id);
    return i < t->n_resources && str_starts(t->resources[i]->id, hashed);
}

static int refuse_namesakes(struct build *b)
{
    struct list new = {0};
    bool shared = false;
    int e = 0;

    for (size_t i = 0; !shared && i < b->resources.gone.n; i++)
        shared = has_namesake(b, b->resources.gone.items[i]);
    for (size_t i = 0; e == 0 && !shared && i < b->resources.come.n; i++) {
        shared = has_namesake(b, b->resources.come.items[i]);
        e = list_add(&new, b->resources.come.items[i]);
    }
    list_sort(&new, order_places);
    for (size_t i = 1; !shared && i < new.n; i++)
        shared = order_places(new.items[i - 1], new.items[i]) == 0;
    list_done(&new);
    return shared ? -EOPNOTSUPP : e;
}

/* Whether the link of the service in services/ depends on another family. */
static bool shares_id(const struct build *b, const struct index_service *s)
{
    const struct snapshot_private *p = b->base->private_;
    bool shares = (uintptr_t)map_get(b->family_count, s->id) > 1;

    for (size_t i = snapshot_place_of_id(b->base, s->id);
         !shares && i < p->n_ids && streq(p->ids[i]->id, s->id); i++)
        shares = !streq(p->ids[i]->family->id, s->family->id);
    return shares;
}

static int refuse_disputes(struct build *b)
{
    struct map_iter it = {0};
    void *family, *service;
    bool refused = b->contested;

    while (!refused && map_next(b->families, &it, NULL, &family)) {
        struct map_iter inner = {0};
        while (!refused &&
               map_next(((struct family_draft *)family)->services, &inner, NULL, &service))
            refused = shares_id(b, ((struct service_draft *)service)->service);
    }
    return refused ? -EOPNOTSUPP : 0;
}

int build_patch(const struct build_input *in, const struct changes *changes,
                const struct snapshot **ret)
{
    static const build_pass passes[] = {
        choose_keys,     take_out,        collect_chosen,  collect_resolve, refuse_namesakes,
        hang_all,        hang_blueprints, refuse_disputes, finish_services, finish_kinds,
        finish_families, finish_listings, groups_pass,     finish_problems, stamp_pass,
    };
    const struct snapshot *base = in->before;
    struct build b = {.in = in, .base = base, .changes = changes};

    if (!base || !base->whole || changes->all || base->private_->contested)
        return -EOPNOTSUPP;
    const struct things *made = base->private_->things;
    if (made->resources != in->resources || made->groups != in->groups ||
        made->patches >= PATCHES_MAX)
        return -EOPNOTSUPP;
    return build_run(&b, passes, ARRAY_SIZE(passes), ret);
}
