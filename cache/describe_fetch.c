/*
 * Batches: which resources go into one call, the call, and what becomes of its answer.
 *
 * A batch is filled from its resource outwards, so that who reads a directory from one end to the
 * other has each call's worth ahead; the family's come first, since it is them that are read next.
 */
#include "cache/describe_private.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

#define BEHIND_RATE 0.33

/* --- what goes in --- */

struct filling {
    struct describe *d;
    const struct index_type *type;
    const struct index_resource *first;
    struct describe_batch *batch;
    size_t max;
    describe_need need;
};

/* Locked. */
static int add(struct filling *f, const struct index_resource *r)
{
    struct describe_batch *b = f->batch;
    struct describe_entry *e = describe_entry_make(f->d, b->row, r->key);
    char *key = e ? strdup(r->key) : NULL;

    if (!key)
        return -ENOMEM;
    e->fetching = true;
    e->slowly = b->row->more && b->whom == FOR_ROUND;
    b->keys[b->n++] = key;
    return 0;
}

static bool fits(struct filling *f, const struct index_resource *r)
{
    return f->need(f->d, r, describe_entry_get(f->d, r->key)) &&
           aws_describe_row(r->service, r->type, r->key) == f->batch->row &&
           aws_describe_together(f->batch->row, f->first->key, r->key);
}

/* From the first one on, and round. */
static int fill(struct filling *f, size_t from, bool family)
{
    int rc = 0;

    for (size_t i = 1; rc == 0 && i < f->type->n_resources && f->batch->n < f->max; i++) {
        const struct index_resource *r = f->type->resources[(from + i) % f->type->n_resources];

        if ((!family || r->family == f->first->family ||
             (r->family && f->first->family && streq(r->family->id, f->first->family->id))) &&
            fits(f, r))
            rc = add(f, r);
    }
    return rc;
}

static size_t place_in(const struct index_type *t, const struct index_resource *r)
{
    size_t low = 0, high = t->n_resources;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(t->resources[middle]->id, r->id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* How many at most. What is asked for one by one or all at once: all, since nobody can tell on
 * which page one is. What takes a call for each besides: who reads one does not cause all those. */
static size_t room(const struct describe_row *row, const struct index_type *t,
                   enum describe_for whom)
{
    if (row->more && whom == FOR_NEXT_READER)
        return 1;
    return row->put == DESCRIBE_ONE_OR_ALL ? t->n_resources : row->batch;
}

void describe_batch_drop(struct describe *d, struct describe_batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        struct describe_entry *e = describe_entry_get(d, b->keys[i]);

        if (e)
            e->fetching = false;
        free(b->keys[i]);
    }
    free(b->keys);
}

int describe_batch_make(struct describe *d, const struct snapshot *s,
                        const struct index_resource *r, describe_need need, enum describe_for whom,
                        struct describe_batch *ret)
{
    const struct index_kind *kind = snapshot_kind(s, r->service);
    const struct index_type *type = kind ? snapshot_type(kind, r->type) : NULL;
    struct describe_batch b = {.row = aws_describe_row(r->service, r->type, r->key), .whom = whom};
    struct filling f = {d, type, r, &b, 1, need};

    if (type)
        f.max = room(b.row, type, whom);
    b.keys = calloc(f.max, sizeof(*b.keys));
    int rc = b.keys ? add(&f, r) : -ENOMEM;
    if (rc == 0 && type && f.max > 1) {
        size_t from = place_in(type, r);

        rc = fill(&f, from, true);
        rc = rc ? rc : fill(&f, from, false);
    }
    if (rc < 0)
        describe_batch_drop(d, &b);
    else
        *ret = b;
    return rc;
}

/* --- the call --- */

struct receiving {
    struct describe *d;
    const struct describe_batch *batch;
    int64_t begun_ms, begun_wall_ms;
    const char **changed;
    size_t n_changed, n_described;
    struct describe_failure *failure; /* the last one */
    struct fault worst;               /* that is not "gone" */
};

/* Locked. */
static void keep(struct receiving *r, struct describe_entry *e, const char *key,
                 const struct description *what, struct describe_failure *failure)
{
    struct describe *d = r->d;
    bool none = failure && (failure->fault.err == -ENOENT || failure->fault.err == -EOPNOTSUPP);
    bool was_gone = describe_entry_gone(e);
    bool changed = (what || none) && describe_entry_set(d, e, what);

    describe_entry_fail(e, failure);
    if (changed || was_gone != describe_entry_gone(e))
        r->changed[r->n_changed++] = key;
    if (what) {
        e->fetched_ms = r->begun_ms;
        e->fetched_wall_ms = r->begun_wall_ms;
        e->partial = e->row->more && r->batch->whom == FOR_READER;
    }
    e->looked_ms = d->clock->monotonic_ms(d->clock);
    e->fetching = false;
}

/* A reader's own call was begun later and has ended before. */
static bool is_overtaken(const struct receiving *r, const struct describe_entry *e)
{
    return e->what && e->fetched_ms > r->begun_ms && !e->partial;
}

static bool same_fault(const struct fault *a, const struct fault *b)
{
    return a->err == b->err && streq(a->request_id, b->request_id) && streq(a->message, b->message);
}

/* One failure for all that it met. NULL: no memory. */
static struct describe_failure *failure_of(struct receiving *r, const struct fault *f)
{
    if (!r->failure || !same_fault(&r->failure->fault, f)) {
        describe_failure_unref(r->failure);
        r->failure = describe_failure_new(f);
    }
    return r->failure;
}

static void on_described(void *arg, size_t i, json_t *properties, const struct fault *f)
{
    struct receiving *r = arg;
    const char *key = r->batch->keys[i];
    struct fault no_memory = FAULT_INIT;
    const struct description *what =
        properties ? description_new(r->batch->row, key, properties) : NULL;

    if (properties && !what) {
        fault_set(&no_memory, -ENOMEM, "no memory");
        f = &no_memory;
    }
    r->n_described += what || f->err == -ENOENT;
    if (!what && f->err != -ENOENT)
        r->worst = *f;
    pthread_mutex_lock(&r->d->lock);
    struct describe_entry *e = describe_entry_get(r->d, key);
    if (e && !is_overtaken(r, e))
        keep(r, e, key, what, what ? NULL : failure_of(r, f));
    else
        description_unref(what);
    pthread_mutex_unlock(&r->d->lock);
}

void describe_tell(struct describe *d, const char *const *keys, size_t n)
{
    for (size_t i = 0; i < d->n_observers; i++)
        d->observers[i].fn(d->observers[i].arg, keys, n);
}

int describe_fetch(struct describe *d, struct describe_batch *b, struct fault *f)
{
    const struct aws_ctx ctx = {.cancel = d->stop, .rate = b->whom == FOR_READER ? 0 : BEHIND_RATE};
    struct receiving r = {.d = d,
                          .batch = b,
                          .begun_ms = d->clock->monotonic_ms(d->clock),
                          .begun_wall_ms = d->clock->wall_ms(d->clock),
                          .changed = calloc(b->n, sizeof(char *))};
    struct fault no_memory = FAULT_INIT;

    if (r.changed) {
        aws_describe(d->aws, &ctx, b->row, (const char *const *)b->keys, b->n,
                     b->whom != FOR_READER, on_described, &r);
    } else {
        fault_set(&no_memory, -ENOMEM, "no memory");
        for (size_t i = 0; i < b->n; i++)
            on_described(&r, i, NULL, &no_memory);
    }
    pthread_mutex_lock(&d->lock);
    describe_make_room(d, b->keys[0]);
    pthread_mutex_unlock(&d->lock);
    if (!cancel_raised(d->stop))
        describe_tell(d, r.changed, r.n_changed);
    describe_failure_unref(r.failure);
    for (size_t i = 0; i < b->n; i++)
        free(b->keys[i]);
    free(b->keys);
    free(r.changed);
    return r.n_described ? 0 : fault_copy(f, &r.worst);
}
