/*
 * The store: one entry a resource that was looked at, and what is being fetched.
 *
 *   read:   describe_want finds it, or has a batch made and handed to a worker (describe_fetch.c);
 *           who reads is called again when that has ended. Whoever else wants one of the batch
 * waits for the same call. behind: one thread goes over what the newest snapshot has
 * (describe_round.c).
 *
 * One lock guards the entries; it is never held across a call, an observer or a long text. Texts
 * are bounded: those that were read longest ago go, and what is kept of them is their edges and a
 * hash, so that their coming back is no change. Entries go with their resources.
 *
 * Rejected: waiting on a worker for each reader, since a thousand of them wait for ten calls.
 */
#include "cache/describe_private.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "cache/edges.h"

enum { JOBS = 16, BEHIND_JOBS = 4, PASSES = 6, TEXT_MAX = 64 << 20 };

/* --- entries --- */

struct describe_failure *describe_failure_new(const struct fault *f)
{
    struct describe_failure *failure = malloc(sizeof(*failure));

    if (failure) {
        failure->fault = *f;
        atomic_init(&failure->refs, 1);
    }
    return failure;
}

void describe_failure_unref(struct describe_failure *f)
{
    if (f && atomic_fetch_sub(&f->refs, 1) == 1)
        free(f);
}

struct describe_entry *describe_entry_get(struct describe *d, const char *key)
{
    return map_get(d->entries, key);
}

struct describe_entry *describe_entry_make(struct describe *d, const struct describe_row *row,
                                           const char *key)
{
    struct describe_entry *e = describe_entry_get(d, key);

    if (e)
        return e;
    e = calloc(1, sizeof(*e) + strlen(key) + 1);
    if (!e)
        return NULL;
    e->row = row;
    strcpy(e->key, key);
    if (map_put(d->entries, e->key, e, NULL) < 0) {
        free(e);
        return NULL;
    }
    return e;
}

static void unlist(struct describe *d, struct describe_entry *e)
{
    if (d->newest != e && !e->newer)
        return; /* it stands in no list */
    *(e->newer ? &e->newer->older : &d->newest) = e->older;
    *(e->older ? &e->older->newer : &d->oldest) = e->newer;
    e->newer = e->older = NULL;
}

static void list(struct describe *d, struct describe_entry *e)
{
    e->older = d->newest;
    *(d->newest ? &d->newest->newer : &d->oldest) = e;
    d->newest = e;
}

static void forget(struct describe *d, struct describe_entry *e)
{
    if (e->what && e->what->text) {
        unlist(d, e);
        d->text_bytes -= e->what->len;
    }
    description_unref(e->what);
    e->what = NULL;
}

static void entry_free(struct describe *d, struct describe_entry *e)
{
    forget(d, e);
    describe_failure_unref(e->failure);
    free(e);
}

void describe_entry_drop(struct describe *d, struct describe_entry *e)
{
    map_remove(d->entries, e->key);
    entry_free(d, e);
}

void describe_entry_read(struct describe *d, struct describe_entry *e)
{
    if (d->newest == e)
        return;
    unlist(d, e);
    list(d, e);
}

bool describe_entry_set(struct describe *d, struct describe_entry *e,
                        const struct description *what)
{
    bool first = !e->what && !e->failure, same = e->what && what && description_same(e->what, what);

    if (what)
        description_set_changed(what, same    ? e->what->changed_wall_ms
                                      : first ? 0
                                              : d->clock->wall_ms(d->clock));
    bool other = !same && (e->what || what);
    forget(d, e);
    e->what = what;
    if (what) {
        list(d, e);
        d->text_bytes += what->len;
    }
    return other;
}

void describe_make_room(struct describe *d, const char *first)
{
    struct describe_entry *asked = describe_entry_get(d, first);

    if (asked && asked->what && asked->what->text)
        describe_entry_read(d, asked);
    while (d->text_bytes > d->text_max && d->oldest != d->newest) {
        struct describe_entry *e = d->oldest;
        const struct description *rest = description_without_text(e->what);

        forget(d, e);
        e->what = rest; /* without memory: all of it */
    }
}

void describe_entry_fail(struct describe_entry *e, struct describe_failure *failure)
{
    if (failure)
        atomic_fetch_add(&failure->refs, 1);
    describe_failure_unref(e->failure);
    e->failure = failure;
}

/* --- reading --- */

const struct description *describe_peek(struct describe *d, const char *key)
{
    pthread_mutex_lock(&d->lock);
    const struct describe_entry *e = describe_entry_get(d, key);
    const struct description *what = e && e->what ? description_ref(e->what) : NULL;
    pthread_mutex_unlock(&d->lock);
    return what;
}

bool describe_entry_gone(const struct describe_entry *e)
{
    return e && !e->what && e->failure && e->failure->fault.err == -ENOENT;
}

bool describe_gone(struct describe *d, const char *key)
{
    pthread_mutex_lock(&d->lock);
    bool gone = describe_entry_gone(describe_entry_get(d, key));
    pthread_mutex_unlock(&d->lock);
    return gone;
}

static const struct describe_row *row_of(const struct index_resource *r)
{
    return aws_describe_row(r->service, r->type, r->key);
}

bool describe_can(const struct index_resource *r)
{
    return row_of(r) != NULL;
}

static int64_t now_ms(struct describe *d)
{
    return d->clock->monotonic_ms(d->clock);
}

static bool failed_lately(struct describe *d, const struct describe_entry *e)
{
    return e->failure && now_ms(d) < e->looked_ms + DESCRIBE_ERROR_MS;
}

static bool is_outdated(struct describe *d, const struct index_resource *r,
                        const struct describe_entry *e)
{
    return !e->row->fixed &&
           (now_ms(d) >= e->fetched_ms + d->ttl_ms || r->changed_ms > e->fetched_wall_ms);
}

static bool is_missing(struct describe *d, const struct index_resource *r _unused_,
                       const struct describe_entry *e)
{
    return !e ||
           ((!e->fetching || e->slowly) && !failed_lately(d, e) && !(e->what && e->what->text));
}

static bool is_old_or_missing(struct describe *d, const struct index_resource *r,
                              const struct describe_entry *e)
{
    return is_missing(d, r, e) || (!e->fetching && !failed_lately(d, e) && is_outdated(d, r, e));
}

struct fetching {
    struct describe *describe;
    struct describe_batch batch;
};

static void fetch_job(void *arg)
{
    struct fetching *f = arg;

    (void)describe_fetch(f->describe, &f->batch, NULL);
    free(f);
}

/* Locked. The batch is fetched, or nothing of it is marked any more. */
static int begin(struct describe *d, struct describe_batch *b)
{
    struct fetching *f = malloc(sizeof(*f));

    if (f) {
        *f = (struct fetching){d, *b};
        if (jobs_add(b->whom == FOR_READER ? d->jobs : d->behind, fetch_job, f) == 0)
            return 0;
        free(f);
    }
    describe_batch_drop(d, b);
    return -ENOMEM;
}

static int start(struct describe *d, const struct snapshot *s, const struct index_resource *r,
                 enum describe_for whom)
{
    struct describe_batch b;
    int rc =
        describe_batch_make(d, s, r, whom == FOR_READER ? is_missing : is_old_or_missing, whom, &b);

    return rc ? rc : begin(d, &b);
}

/* Locked. There is a text: it is given, and a new one asked for behind where it is old. */
static void give(struct describe *d, const struct snapshot *s, const struct index_resource *r,
                 struct describe_entry *e, const struct description **ret)
{
    if (is_old_or_missing(d, r, e))
        (void)start(d, s, r, FOR_NEXT_READER);
    describe_entry_read(d, e);
    *ret = description_ref(e->what);
}

/* What was described long ago is not shown for ever to who may not see it now. */
static bool may_be_given(struct describe *d, const struct describe_entry *e)
{
    return e->what && e->what->text &&
           !(e->failure && now_ms(d) >= e->fetched_ms + DESCRIBE_OLD_MS);
}

static int want(struct describe *d, const struct snapshot *s, const struct index_resource *r,
                const struct description **ret, struct fault *f)
{
    struct describe_entry *e = describe_entry_get(d, r->key);

    if (e && may_be_given(d, e)) {
        give(d, s, r, e, ret);
        return 0;
    }
    if (e && e->fetching && !e->slowly)
        return 1;
    if (e && failed_lately(d, e))
        return fault_copy(f, &e->failure->fault);
    return start(d, s, r, FOR_READER) < 0 ? fault_set(f, -ENOMEM, "no memory") : 1;
}

int describe_want(struct describe *d, const struct snapshot *s, const struct index_resource *r,
                  const struct description **ret, struct fault *f)
{
    if (!row_of(r))
        return fault_set(f, -EOPNOTSUPP, "no call is known that describes %s/%s", r->service,
                         r->type);
    if (cancel_raised(d->stop))
        return fault_set(f, -ECANCELED, "stopped");
    pthread_mutex_lock(&d->lock);
    int rc = want(d, s, r, ret, f);
    pthread_mutex_unlock(&d->lock);
    return rc;
}

/* Locked. */
static void count(struct describe *d, const struct index_type *t, struct describe_progress *p,
                  int64_t *latest_ms)
{
    for (size_t i = 0; i < t->n_resources; i++) {
        const struct describe_entry *e = describe_entry_get(d, t->resources[i]->key);

        if (!e && !row_of(t->resources[i]))
            continue;
        p->of++;
        p->done += e && e->looked_ms;
        if (!e || !e->failure || e->failure->fault.err == -ENOENT)
            continue;
        p->failed++;
        if (e->looked_ms >= *latest_ms)
            p->last = e->failure->fault;
        *latest_ms = MAX(*latest_ms, e->looked_ms);
    }
}

void describe_progress(struct describe *d, struct describe_progress *ret)
{
    _cleanup_snapshot_ const struct snapshot *s = cache_snapshot(d->cache);
    struct describe_progress p = {.rounds = d->every_ms > 0};
    int64_t latest_ms = 0;

    pthread_mutex_lock(&d->lock);
    for (size_t k = 0; s && k < s->n_kinds; k++)
        for (size_t t = 0; t < s->kinds[k].n_types; t++)
            if (edges_described(s->kinds[k].name, s->kinds[k].types[t].name))
                count(d, &s->kinds[k].types[t], &p, &latest_ms);
    p.complete = d->rounds > 0 && s && p.done == p.of;
    p.bytes = d->text_bytes;
    pthread_mutex_unlock(&d->lock);
    *ret = p;
}

int describe_each(struct describe *d, describe_fn fn, void *arg)
{
    struct map_iter it = {0};
    const char *key;
    void *value;
    int r = 0;

    pthread_mutex_lock(&d->lock);
    while (r == 0 && map_next(d->entries, &it, &key, &value)) {
        const struct describe_entry *e = value;

        if (e->what)
            r = fn(arg, key, e->what);
    }
    pthread_mutex_unlock(&d->lock);
    return r;
}

/* --- beginning and end --- */

void describe_observe(struct describe *d, describe_observer fn, void *arg)
{
    if (d->n_observers == DESCRIBE_OBSERVERS)
        return;
    d->observers[d->n_observers].fn = fn;
    d->observers[d->n_observers++].arg = arg;
}

static void on_published(void *arg, const struct snapshot *old, const struct snapshot *now)
{
    struct describe *d = arg;

    if (old == now)
        return;
    pthread_mutex_lock(&d->lock);
    d->published = true;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
}

int describe_new(struct describe **ret, const struct describe_options *o, struct fault *f)
{
    struct describe *d = calloc(1, sizeof(*d));

    if (!d)
        return fault_set(f, -ENOMEM, "no memory");
    d->aws = o->aws;
    d->cache = o->cache;
    d->clock = aws_client_clock(o->aws);
    d->every_ms = o->every_ms;
    d->ttl_ms = o->ttl_ms;
    d->text_max = o->text_max ? o->text_max : TEXT_MAX;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->changed, NULL);
    d->stop = cancel_new();
    d->entries = map_new_lent();
    if (!d->stop || !d->entries || jobs_new(&d->jobs, "svcfs-describe", JOBS) < 0 ||
        jobs_new(&d->behind, "svcfs-behind", BEHIND_JOBS) < 0 ||
        jobs_new(&d->passes, "svcfs-round", PASSES) < 0) {
        describe_free(d);
        return fault_set(f, -ENOMEM, "no memory");
    }
    cache_observe(o->cache, on_published, d);
    *ret = d;
    return 0;
}

int describe_start(struct describe *d, struct fault *f)
{
    int r = pthread_create(&d->thread, NULL, describe_rounds, d);

    d->running = r == 0;
    return r ? fault_set(f, -r, "cannot start the descriptions' thread") : 0;
}

void describe_stop(struct describe *d)
{
    if (!d)
        return;
    cancel_raise(d->stop);
    pthread_mutex_lock(&d->lock);
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    if (d->running)
        pthread_join(d->thread, NULL);
    d->running = false;
    jobs_drain(d->jobs);
    jobs_drain(d->behind);
    jobs_drain(d->passes);
}

void describe_free(struct describe *d)
{
    struct map_iter it = {0};
    const char *key;
    void *value;

    if (!d)
        return;
    jobs_free(d->jobs);
    jobs_free(d->behind);
    jobs_free(d->passes);
    while (d->entries && map_next(d->entries, &it, &key, &value))
        describe_entry_drop(d, value);
    map_free(d->entries);
    cancel_unref(d->stop);
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
    free(d);
}
