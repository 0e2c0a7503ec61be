/*
 * Rounds: behind the sweeps, everything whose description can have edges is described, and again
 * when that is old. A round is one pass over each type, several types side by side, since each API
 * has its own rate; each pass takes its calls at a third of that, and one after the other. Each new
 * snapshot begins one, which looks at what is new alone.
 */
#include "cache/describe_private.h"

#include <errno.h>

#include "base/log.h"
#include "cache/edges.h"

enum { PAUSE_MS = 1000 }; /* between two rounds */

static int64_t now_ms(struct describe *d)
{
    return d->clock->monotonic_ms(d->clock);
}

/* A failure that has nothing to do with what was asked for. */
static bool is_passing(int err)
{
    return err == -EAGAIN || err == -ETIMEDOUT || err == -EHOSTUNREACH || err == -EREMOTEIO ||
           err == -EKEYEXPIRED || err == -EKEYREJECTED || err == -ENOKEY;
}

static bool is_due(struct describe *d, const struct index_resource *r _unused_,
                   const struct describe_entry *e)
{
    int64_t pause = d->every_ms;

    if (!e || !e->looked_ms)
        return !e || !e->fetching;
    if (e->fetching || (e->row->fixed && e->what))
        return false;
    if (e->partial && !e->failure)
        return true;
    if (e->failure && is_passing(e->failure->fault.err))
        pause = MIN(pause, (int64_t)DESCRIBE_AGAIN_MS);
    return now_ms(d) >= e->looked_ms + pause;
}

/* --- one pass over a type --- */

struct pass {
    struct describe *d;
    const struct snapshot *s;
    const struct index_type *type;
};

static const struct describe_row *row_of(const struct index_resource *r)
{
    return aws_describe_row(r->service, r->type, r->key);
}

/* What fails for one in a way that passes is not tried with the others. Locked. */
static void put_off(struct pass *p, size_t from, struct describe_failure *failure)
{
    for (size_t i = from; failure && i < p->type->n_resources; i++) {
        const struct index_resource *r = p->type->resources[i];
        struct describe_entry *e = describe_entry_get(p->d, r->key);
        const struct describe_row *row = is_due(p->d, r, e) ? row_of(r) : NULL;

        if (!row)
            continue;
        e = describe_entry_make(p->d, row, r->key);
        if (!e)
            return;
        describe_entry_fail(e, failure);
        e->looked_ms = now_ms(p->d);
    }
}

/* The next batch from *at on. 1: there is one; 0: none; -ENOMEM. */
static int next(struct pass *p, size_t *at, struct describe_batch *ret)
{
    struct describe *d = p->d;
    int rc = 0;

    pthread_mutex_lock(&d->lock);
    for (; rc == 0 && *at < p->type->n_resources; ++*at) {
        const struct index_resource *r = p->type->resources[*at];

        if (!is_due(d, r, describe_entry_get(d, r->key)) || !row_of(r))
            continue;
        rc = describe_batch_make(d, p->s, r, is_due, FOR_ROUND, ret);
        rc = rc ? rc : 1;
    }
    pthread_mutex_unlock(&d->lock);
    return rc;
}

static void pass_job(void *arg)
{
    struct pass *p = arg;
    struct describe *d = p->d;
    struct describe_batch b;
    struct fault f;
    size_t at = 0;

    while (!cancel_raised(d->stop) && next(p, &at, &b) == 1) {
        f = FAULT_INIT;
        if (!is_passing(describe_fetch(d, &b, &f)))
            continue;
        log_debug("%s is not described: %s %s", p->type->name, fault_errno_name(f.err), f.code);
        struct describe_failure *failure = describe_failure_new(&f);
        pthread_mutex_lock(&d->lock);
        put_off(p, at, failure);
        pthread_mutex_unlock(&d->lock);
        describe_failure_unref(failure);
    }
    snapshot_unref(p->s);
    free(p);
    pthread_mutex_lock(&d->lock);
    d->running_passes--;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
}

/* --- a round --- */

static void begin_pass(struct describe *d, const struct snapshot *s, const struct index_type *t)
{
    struct pass *p = malloc(sizeof(*p));

    if (!p)
        return; /* the next round may have more memory */
    *p = (struct pass){d, snapshot_ref(s), t};
    pthread_mutex_lock(&d->lock);
    d->running_passes++;
    pthread_mutex_unlock(&d->lock);
    if (jobs_add(d->passes, pass_job, p) == 0)
        return;
    snapshot_unref(p->s);
    free(p);
    pthread_mutex_lock(&d->lock);
    d->running_passes--;
    pthread_mutex_unlock(&d->lock);
}

/* Entries of resources that are not there any more. */
static void prune(struct describe *d, const struct snapshot *s)
{
    struct map_iter it = {0};
    const char *key;
    void *value;

    pthread_mutex_lock(&d->lock);
    while (map_next(d->entries, &it, &key, &value)) {
        struct describe_entry *e = value;

        if (!e->fetching && !snapshot_resource_by_key(s, key))
            describe_entry_drop(d, e);
    }
    pthread_mutex_unlock(&d->lock);
}

static void look_at_all(struct describe *d, const struct snapshot *s)
{
    for (size_t k = 0; k < s->n_kinds; k++)
        for (size_t t = 0; t < s->kinds[k].n_types; t++)
            if (edges_described(s->kinds[k].name, s->kinds[k].types[t].name))
                begin_pass(d, s, &s->kinds[k].types[t]);
    pthread_mutex_lock(&d->lock);
    while (d->running_passes > 0)
        pthread_cond_wait(&d->changed, &d->lock);
    d->rounds++;
    pthread_mutex_unlock(&d->lock);
    if (!cancel_raised(d->stop))
        describe_tell(d, NULL, 0);
}

/* When a round is next worth it: a new snapshot, or something is old. Locked. */
static int64_t due_ms(struct describe *d, int64_t begun_ms)
{
    if (d->published)
        return begun_ms + PAUSE_MS;
    return begun_ms + (d->every_ms ? MIN(d->every_ms, (int64_t)DESCRIBE_AGAIN_MS) : INT32_MAX);
}

static void rest(struct describe *d, int64_t begun_ms)
{
    pthread_mutex_lock(&d->lock);
    while (!cancel_raised(d->stop) && now_ms(d) < due_ms(d, begun_ms))
        clock_cond_wait(d->clock, &d->changed, &d->lock, due_ms(d, begun_ms));
    d->published = false;
    pthread_mutex_unlock(&d->lock);
}

void *describe_rounds(void *arg)
{
    struct describe *d = arg;
    int64_t begun = now_ms(d) - PAUSE_MS;

    for (;;) {
        rest(d, begun);
        if (cancel_raised(d->stop))
            return NULL;
        begun = now_ms(d);
        _cleanup_snapshot_ const struct snapshot *s = cache_snapshot(d->cache);
        if (!s || !s->swept)
            continue;
        prune(d, s);
        if (d->every_ms > 0)
            look_at_all(d, s);
    }
}
