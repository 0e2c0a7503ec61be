/*
 * Dependencies: the tag that names the services which a service needs, on its record and on every
 * resource that it has.
 *
 * The anchor is where it is read and written first, at the service that owns it and so without the
 * lag of the tag index: the record, or of a service without one its first resource (by link: the
 * same on every mount) whose service can be asked. What the other resources have besides counts,
 * too: somebody may have tagged but one of them. What both had in the snapshot does not, since it
 * may have been taken away since.
 *
 * Two mounts may write at once, and AWS has no "if unchanged" for tags. So each reads the anchor,
 * writes it, copies to the other resources, and reads it again no sooner than depend_ms later: who
 * finds something else there begins anew, for its own id was overwritten, or its copies are old.
 * What remains is a write that takes longer than that from its reading to its arrival. Circles are
 * looked for before the anchor is written, and again afterwards: of two that close one together at
 * least the later one sees both and takes its own back.
 *
 * Order: anchor, then copies, then the continuations that are no longer needed: what is read at any
 * time has each id that stays. An addition that fails is taken back wherever it was written, so
 * that a repeated `ln` begins anew (the kernel answers EEXIST for a name that is shown, without
 * asking); a removal that fails is shown until a repeated `rm` has completed it.
 */
#include "provision/depend.h"

#include <errno.h>
#include <stdio.h>

#include "base/str.h"
#include "cache/depends.h"
#include "provision/tag_rules.h"
#include "provision/tag_write.h"

enum { ATTEMPTS = 6, NAMED_MAX = 8 };

/* --- writing --- */

/* What is to stand in the tags of the service: set, and the keys that no longer are needed. */
struct wanted {
    json_t *set, *unset;
};

static void wanted_done(struct wanted *w)
{
    json_decref(w->set);
    json_decref(w->unset);
}
#define _cleanup_wanted_ _cleanup_(wanted_done)

static int unset_key(struct depend *d, struct wanted *w, const char *key)
{
    json_t *item;
    size_t i;

    if (!depends_is_key(d->p->dependency_tag, key) || json_object_get(w->set, key))
        return 0;
    json_array_foreach(w->unset, i, item) if (streq(json_string_value(item), key)) return 0;
    return json_array_append_new(w->unset, json_string(key)) < 0 ? -ENOMEM : 0;
}

static int make_wanted(struct depend *d, const struct ids *ids, const struct anchor *a,
                       struct wanted *ret)
{
    const char *key;
    json_t *value;
    int e = ids_tags(ids, d->p->dependency_tag, &ret->set);

    if (e == -EINVAL)
        return fault_set(d->f, e, "the id of %s does not fit into a tag", d->need->other);
    if (e == 0 && !(ret->unset = json_array()))
        e = -ENOMEM;
    json_object_foreach(a->tags, key, value) if (e == 0) e = unset_key(d, ret, key);
    for (size_t i = 0; i < d->s->n_resources; i++)
        for (size_t k = 0; e == 0 && k < d->s->resources[i]->n_tags; k++)
            e = unset_key(d, ret, d->s->resources[i]->tags[k].key);
    return e < 0 ? depend_no_memory(d) : 0;
}

/* The same as changes of tags, borrowed; the caller frees the array. NULL: no memory. */
static struct index_tag *changes_of(const struct wanted *w, size_t *ret_n)
{
    size_t n = json_object_size(w->set) + json_array_size(w->unset), i;
    struct index_tag *changes = calloc(n + 1, sizeof(*changes));
    const char *key;
    json_t *value;

    *ret_n = 0;
    if (!changes)
        return NULL;
    json_object_foreach(w->set, key, value) changes[(*ret_n)++] =
        (struct index_tag){key, json_string_value(value)};
    json_array_foreach(w->unset, i, value) changes[(*ret_n)++] =
        (struct index_tag){json_string_value(value), NULL};
    return changes;
}

/* The anchor by what AWS says of it, the others by the snapshot. */
static int check_room(struct depend *d, const struct anchor *a, const struct wanted *w)
{
    size_t n, n_tags = 0;
    struct index_tag *changes _cleanup_free_ = changes_of(w, &n);
    struct index_tag *tags _cleanup_free_ = calloc(json_object_size(a->tags) + 1, sizeof(*tags));
    const char *key;
    json_t *value;
    int e = 0;

    if (!changes || !tags)
        return depend_no_memory(d);
    json_object_foreach(a->tags, key, value) tags[n_tags++] =
        (struct index_tag){key, json_string_value(value)};
    struct index_resource now = *a->resource;
    now.tags = tags;
    now.n_tags = n_tags;
    e = tag_check_room(&now, changes, n, d->f);
    for (size_t i = 0; e == 0 && i < d->s->n_resources; i++)
        if (d->s->resources[i]->has_arn && d->s->resources[i] != a->resource)
            e = tag_check_room(d->s->resources[i], changes, n, d->f);
    return e;
}

/* Lays over the cache what was written. */
static int show(struct depend *d, const struct tag_target *targets, size_t n,
                const struct wanted *w)
{
    size_t n_changes;
    struct index_tag *changes _cleanup_free_ = changes_of(w, &n_changes);
    int e = changes ? 0 : -ENOMEM;

    for (size_t i = 0; e == 0 && i < n; i++)
        if (targets[i].done)
            e = cache_retag(d->p->cache, targets[i].of, changes, n_changes);
    return e < 0 ? depend_no_memory(d) : 0;
}

static int write_anchor(struct depend *d, const struct anchor *a, const struct wanted *w)
{
    struct tag_target target = {.arn = a->resource->key, .of = (void *)a->resource};
    int r = a->resource == record_of(d->s)
                ? tag_write_owner(d->p->aws, &d->ctx, &target, w->set, w->unset, d->f)
                : tag_write(d->p->aws, &d->ctx, &target, 1, w->set, w->unset, d->f);

    return r < 0 ? r : show(d, &target, 1, w);
}

static int name_failed(struct depend *d, const struct tag_target *t)
{
    fault_copy(d->f, &t->fault);
    return fault_prefix(d->f, t->fault.err, "%s", t->arn);
}

/* Whether the resource is one to copy to. */
static bool takes_copy(const struct depend *d, const struct anchor *a,
                       const struct index_resource *r)
{
    return r->has_arn && r != a->resource && !ids_have(&d->refused, r->key);
}

/* Everything but the anchor. What is gone needs no tags. */
static int write_copies(struct depend *d, const struct anchor *a, const struct wanted *w)
{
    struct tag_target *targets _cleanup_free_ = calloc(d->s->n_resources + 1, sizeof(*targets));
    size_t n = 0;
    int r = 0;

    if (!targets)
        return depend_no_memory(d);
    for (size_t i = 0; i < d->s->n_resources; i++)
        if (takes_copy(d, a, d->s->resources[i]))
            targets[n++] = (struct tag_target){.arn = d->s->resources[i]->key,
                                               .of = (void *)d->s->resources[i]};
    if (n > 0)
        tag_write(d->p->aws, &d->ctx, targets, n, w->set, w->unset, NULL);
    for (size_t i = 0; i < n; i++) {
        if (targets[i].done || targets[i].fault.err == -ENOENT)
            continue;
        r = r < 0 ? r : name_failed(d, &targets[i]);
        if (!targets[i].changed && ids_add(&d->refused, targets[i].arn) < 0)
            return depend_no_memory(d);
    }
    int e = show(d, targets, n, w);
    return r < 0 ? r : e;
}

/* --- one attempt --- */

/* After a failure with d->f: the tags as they were, wherever something was written. */
static int take_back(struct depend *d, const struct ids *before, int err, bool copies)
{
    _cleanup_anchor_ struct anchor a = {0};
    _cleanup_wanted_ struct wanted w = {0};
    struct fault f = FAULT_INIT;
    struct depend undo = *d;
    undo.f = &f;
    undo.ctx.cancel = NULL;
    int e = depend_read_anchor(&undo, d->s, &a);

    if (e == 0 && !copies && !ids_have(&a.ids, d->need->other))
        return err; /* nothing was written at all */
    if (e == 0) {   /* what others wrote meanwhile stays */
        if (!ids_have(before, d->need->other))
            ids_remove(&a.ids, d->need->other);
        e = make_wanted(&undo, &a.ids, &a, &w);
    }
    if (e == 0)
        e = write_anchor(&undo, &a, &w);
    if (e == 0 && copies)
        e = write_copies(&undo, &a, &w);
    d->refused = undo.refused;
    return e < 0 ? fault_prefix(d->f, err, "%s is not taken back everywhere (%s); `rm` does that",
                                d->need->other, f.message)
                 : err;
}

static int check_before(struct depend *d, const struct anchor *a)
{
    const struct provision_need *need = d->need;
    bool there = ids_have(&a->ids, need->other), shown = false;

    for (size_t i = 0; i < d->s->n_depends; i++)
        shown |= streq(d->s->depends[i], need->other);
    if (need->add && there)
        return fault_set(d->f, -EEXIST, "%s needs %s already", need->id, need->other);
    if (!need->add && !there && !shown)
        return fault_set(d->f, -ENOENT, "%s does not need %s", need->id, need->other);
    return 0;
}

/* What another mount has written is shown from now on. */
static void show_found(struct depend *d, const struct anchor *a)
{
    _cleanup_wanted_ struct wanted w = {0};
    struct tag_target target = {.of = (void *)a->resource, .done = true};
    _cleanup_ids_ struct ids own = {0};

    if (ids_add_json(&own, d->p->dependency_tag, a->tags) == 0 && make_wanted(d, &own, a, &w) == 0)
        show(d, &target, 1, &w);
}

/* Whether, depend_ms after the anchor was written, it still says what was copied to the others: 0;
 * -EAGAIN: what is needed has been overwritten; -ESTALE: that stands, but the copies may be old. */
static int verify(struct depend *d, const struct ids *written, int64_t written_ms)
{
    _cleanup_anchor_ struct anchor a = {0};
    _cleanup_ids_ struct ids own = {0};
    int64_t until_ms = written_ms + d->p->timing.depend_ms;

    if (d->p->clock->sleep_until(d->p->clock, until_ms, d->ctx.cancel) < 0)
        return -ECANCELED;
    int e = depend_find_anchor(d, d->s, &a);
    if (e == 0 && ids_add_json(&own, d->p->dependency_tag, a.tags) < 0)
        e = depend_no_memory(d);
    if (e < 0)
        return e;
    if (ids_have(&own, d->need->other) != d->need->add)
        return -EAGAIN;
    return ids_same(&own, written) ? 0 : -ESTALE;
}

static int attempt(struct depend *d, bool first)
{
    _cleanup_anchor_ struct anchor a = {0};
    _cleanup_wanted_ struct wanted w = {0};
    _cleanup_ids_ struct ids before = {0};
    int e = depend_read_anchor(d, d->s, &a);

    if (e == 0 && first && (e = check_before(d, &a)) < 0)
        show_found(d, &a);
    if (e == 0 && d->need->add)
        e = depend_check_circle(d);
    if (e == 0 && ids_copy(&a.ids, &before) < 0)
        e = depend_no_memory(d);
    if (e < 0)
        return e;
    if (d->need->add && ids_add(&a.ids, d->need->other) < 0)
        return depend_no_memory(d);
    if (!d->need->add)
        ids_remove(&a.ids, d->need->other);
    e = make_wanted(d, &a.ids, &a, &w);
    if (e == 0 && d->need->add)
        e = check_room(d, &a, &w);
    if (e < 0)
        return e;
    e = write_anchor(d, &a, &w);
    int64_t written_ms = now_ms(d->p);
    if (e == 0 && d->need->add)
        e = depend_check_circle(d);
    bool copies = e == 0;
    if (e == 0)
        e = write_copies(d, &a, &w);
    if (e < 0 && d->need->add)
        return take_back(d, &before, e, copies);
    return e < 0 ? e : verify(d, &a.ids, written_ms);
}

/* --- all --- */

static int begin(struct depend *d, struct cancel *cancel)
{
    struct provision *p = d->p;

    pthread_mutex_lock(&p->lock);
    while (map_get(p->depending, d->need->id)) {
        pthread_mutex_unlock(&p->lock);
        if (p->clock->sleep_until(p->clock, now_ms(p) + 20, cancel) < 0)
            return -ECANCELED;
        pthread_mutex_lock(&p->lock);
    }
    int r = map_put(p->depending, d->need->id, p, NULL);
    pthread_mutex_unlock(&p->lock);
    return r < 0 ? depend_no_memory(d) : 0;
}

static void end(struct depend *d)
{
    pthread_mutex_lock(&d->p->lock);
    map_remove(d->p->depending, d->need->id);
    pthread_mutex_unlock(&d->p->lock);
}

static int find_service(struct depend *d)
{
    const struct provision_need *need = d->need;
    const struct index_family *family = snapshot_family_by_id(d->snap, need->family);
    const struct index_service *other = snapshot_any_service(d->snap, need->other);

    d->s = family ? snapshot_service_by_id(family, need->id) : NULL;
    if (!d->s)
        return fault_set(d->f, -ENOENT, "there is no service %s any more", need->id);
    if (d->s->deleting)
        return fault_set(d->f, -EPERM, "%s is being torn down", need->id);
    if (!need->add)
        return 0;
    if (streq(need->id, need->other))
        return fault_set(d->f, -ELOOP, "a service does not depend on itself");
    return other && !other->deleting
               ? 0
               : fault_set(d->f, -ENOENT, "there is no service %s", need->other);
}

static int run(struct depend *d)
{
    int e = -EAGAIN;

    for (int i = 0; (e == -EAGAIN || e == -ESTALE) && i < ATTEMPTS; i++) {
        _cleanup_snapshot_ const struct snapshot *s = NULL;
        e = swept_snapshot(d->p, d->ctx.cancel, &s, d->f);
        if (e < 0)
            return e;
        d->snap = s;
        e = find_service(d);
        if (e == 0)
            e = attempt(d, i == 0);
        d->snap = NULL;
        if (e == -EAGAIN && d->f->err) /* AWS's own word, not verify's */
            break;
    }
    if (e == -EAGAIN && !d->f->err)
        fault_set(d->f, e, "others keep writing the dependencies of %s", d->need->id);
    return e == -ESTALE ? 0 : e; /* whoever overwrote the anchor copies it, too */
}

int provision_depend(struct provision *p, const struct provision_need *need, struct cancel *cancel,
                     struct fault *f)
{
    struct fault own = FAULT_INIT;
    struct depend d = {.p = p,
                       .need = need,
                       .ctx = {.timeout_ms = p->timing.call_ms, .cancel = cancel},
                       .f = &own};

    if (p->read_only)
        return fault_set(f, -EROFS, "mounted read-only");
    int e = begin(&d, cancel);
    if (e < 0)
        return e;
    e = run(&d);
    cache_flush(p->cache);
    end(&d);
    ids_done(&d.refused);
    if (e < 0 && own.err)
        fault_copy(f, &own);
    return e;
}

int depend_check_unused(struct provision *p, const char *id, struct fault *f)
{
    _cleanup_snapshot_ const struct snapshot *s = cache_snapshot(p->cache);
    char names[400] = "";
    size_t n = 0, others = 0, len = 0;
    const struct index_need *const *needs = s ? snapshot_dependents(s, id, &n) : NULL;

    for (size_t i = 0; i < n; i++) {
        if (streq(needs[i]->by->id, id))
            continue;
        if (others++ < NAMED_MAX && len < sizeof(names))
            len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", len ? ", " : "",
                                    needs[i]->by->link);
    }
    if (others == 0)
        return 0;
    if (others > NAMED_MAX)
        return fault_set(f, -EBUSY, "%zu services depend on it: %s, ...", others, names);
    return fault_set(f, -EBUSY, "%s %s on it", names, others == 1 ? "depends" : "depend");
}
