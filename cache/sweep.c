/*
 * The sweep of the resources: chains of pages side by side, which share the client's rate limit. It
 * is whole only when all of its chains are; else nothing of it is used.
 *
 * Calls: one a page of 100, and no more: ceil(N/100) for a census, the sum over the types of
 * ceil(n/100) for a sweep by types (and one for records where there are none); chains.c says which
 * it is, and why.
 *
 * A page token after an error may give a short list without a word, so a chain that breaks is
 * thrown away and begun anew, alone. Only a chain that has begun: its first page was tried several
 * times by the client, and an endpoint that answers nothing is to be told soon, not after three
 * times that.
 *
 * A type that had resources and now has none, or whose filter is refused, is not believed: what is
 * wrong may be our filter, and an empty type would hide services. Then a census decides. If that
 * shows the type after all, types are not asked for until the next time for strays.
 */
#include "cache/sweep.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "awsapi/tagging.h"
#include "base/log.h"
#include "base/str.h"

enum { TRIES = 3, TRY_PAUSE_MS = 500, SIDE_BY_SIDE = 8 };

/* One chain at work; only one thread has it. */
struct run {
    const struct sweep_env *env;
    const struct chain *chain;
    const char *family; /* CHAIN_FAMILY */
    struct cancel *cancel;
    struct arena *arena;
    struct raw_resource **found; /* in the arena, but for the list itself */
    size_t n, cap;
    unsigned pages;
    int64_t begun_ms, begun_wall_ms;
};

struct sweep {
    struct run *runs;
    size_t n;
    struct cancel *cancel; /* raised where it has failed: nobody needs the other chains */

    pthread_mutex_t lock;
    pthread_cond_t ended;
    size_t next;             /* chain to begin */
    unsigned helpers;        /* not ended yet */
    int result;              /* of the first chain that failed */
    const struct run *empty; /* a type that is not to be believed, or NULL */
    struct fault fault;
};

/* --- one chain --- */

static int on_resource(void *arg, const char *arn, json_t *tags)
{
    struct run *run = arg;
    struct raw_resource *r;

    if (run->chain->kind == CHAIN_STRAYS && json_object_get(tags, run->env->family_tag))
        return 0;
    if (run->n == run->cap) {
        size_t cap = run->cap ? run->cap * 2 : 64;
        struct raw_resource **found = reallocarray(run->found, cap, sizeof(struct raw_resource *));
        if (!found)
            return -ENOMEM;
        run->found = found;
        run->cap = cap;
    }
    r = arena_alloc(run->arena, sizeof(*r));
    if (!r)
        return -ENOMEM;
    r->key = arena_strdup(run->arena, arn);
    r->tags = raw_tags_from_json(run->arena, tags, &r->n_tags);
    if (!r->key || !r->tags)
        return -ENOMEM;
    run->found[run->n++] = r;
    return 0;
}

static void run_clear(struct run *run)
{
    arena_free(run->arena);
    free(run->found);
    run->arena = NULL;
    run->found = NULL;
    run->n = run->cap = 0;
    run->pages = 0;
}

static int run_once(struct run *run, struct fault *f)
{
    const struct sweep_env *e = run->env;
    const struct chain *chain = run->chain;
    const char *type = chain->what;
    struct clock *clock = aws_client_clock(e->aws);
    struct aws_ctx ctx = {.cancel = run->cancel};
    const struct tagging_query q = {
        .tag_key = chain->kind == CHAIN_STRAYS ? e->service_tag : e->family_tag,
        .tag_value = run->family,
        .resource_types = &type,
        .n_types = chain->kind == CHAIN_TYPE,
        .ret_pages = &run->pages,
    };

    run_clear(run);
    run->arena = arena_new();
    run->begun_ms = clock->monotonic_ms(clock);
    run->begun_wall_ms = clock->wall_ms(clock);
    int r = run->arena ? tagging_get_resources(e->aws, &ctx, &q, on_resource, run, f) : -ENOMEM;
    if (r == -ENOMEM) /* what on_resource gives has no words */
        fault_set(f, r, "no memory");
    return r;
}

static bool breaks_pass(int err)
{
    return err == -EAGAIN || err == -EREMOTEIO || err == -ETIMEDOUT || err == -EHOSTUNREACH ||
           err == -EPROTO || err == -EINVAL; /* a token that was not accepted any more */
}

static int run_chain(struct run *run, struct fault *f)
{
    struct clock *clock = aws_client_clock(run->env->aws);
    int r = 0;

    for (int i = 0; i < TRIES; i++) {
        if (i > 0 && clock->sleep_until(clock, clock->monotonic_ms(clock) + (TRY_PAUSE_MS << i),
                                        run->cancel) < 0)
            return fault_set(f, -ECANCELED, "stopped");
        r = run_once(run, f);
        if (r == 0 || run->pages == 0 || !breaks_pass(r))
            break;
    }
    return r;
}

/* --- side by side --- */

static bool is_doubtful(const struct run *run, int r)
{
    return run->chain->kind == CHAIN_TYPE &&
           (r == 0 ? run->chain->expected && run->n == 0 : r == -EINVAL && run->pages == 0);
}

static void note_end(struct sweep *s, const struct run *run, int r, const struct fault *f)
{
    bool doubtful = is_doubtful(run, r);

    if (r == 0 && !doubtful)
        return;
    pthread_mutex_lock(&s->lock);
    if (s->result == 0 && !s->empty) {
        s->empty = doubtful ? run : NULL;
        s->result = doubtful ? 0 : r;
        s->fault = *f;
    }
    pthread_mutex_unlock(&s->lock);
    cancel_raise(s->cancel);
}

/* Begins one chain after the other until there is none left. */
static void work(struct sweep *s)
{
    for (;;) {
        struct fault f = FAULT_INIT;

        pthread_mutex_lock(&s->lock);
        struct run *run = s->next < s->n && !cancel_raised(s->cancel) ? &s->runs[s->next++] : NULL;
        pthread_mutex_unlock(&s->lock);
        if (!run)
            return;
        int r = run_chain(run, &f);
        note_end(s, run, r, &f);
    }
}

static void help(void *arg)
{
    struct sweep *s = arg;

    work(s);
    pthread_mutex_lock(&s->lock);
    s->helpers--;
    pthread_cond_signal(&s->ended);
    pthread_mutex_unlock(&s->lock);
}

/* This thread works too, so that it goes on, only slower, where no helper can be had. */
static void work_together(struct sweep *s, struct jobs *jobs)
{
    for (size_t i = 1; jobs && i < MIN(s->n, (size_t)SIDE_BY_SIDE); i++) {
        pthread_mutex_lock(&s->lock);
        s->helpers += jobs_add(jobs, help, s) == 0;
        pthread_mutex_unlock(&s->lock);
    }
    work(s);
    pthread_mutex_lock(&s->lock);
    while (s->helpers > 0)
        pthread_cond_wait(&s->ended, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

static void raise_cancel(void *arg)
{
    cancel_raise(arg);
}

/* --- all of them --- */

static int merge(struct sweep *s, struct raw_resources *all)
{
    for (size_t i = 0; i < s->n; i++) {
        struct run *run = &s->runs[i];
        if (i == 0 || run->begun_ms < all->begun_ms) {
            all->begun_ms = run->begun_ms;
            all->begun_wall_ms = run->begun_wall_ms;
        }
        for (size_t k = 0; k < run->n; k++)
            if (!map_get(all->by_key, run->found[k]->key) &&
                map_put(all->by_key, run->found[k]->key, run->found[k], NULL) < 0)
                return -ENOMEM;
        arena_join(all->arena, steal_ptr(run->arena));
    }
    return 0;
}

/* What the chains do not look for stays as it was. */
static int keep_strays(struct raw_resources *all, const struct raw_resources *last,
                       const char *family_tag)
{
    struct map_iter it = {0};
    const char *key;
    void *value;

    while (map_next(last->by_key, &it, &key, &value)) {
        const struct raw_resource *r = value;
        if (!tag_value(r->tags, r->n_tags, family_tag) && !map_get(all->by_key, key) &&
            raw_copy(all, r) < 0)
            return -ENOMEM;
    }
    return 0;
}

/* What has become of it, when all chains have ended. */
static int conclude(struct sweep *s, const struct cancel *cancel, struct raw_resources **ret,
                    const struct chain **ret_empty, struct fault *f)
{
    if (s->result < 0)
        return fault_copy(f, &s->fault);
    if (cancel_raised(cancel))
        return fault_set(f, -ECANCELED, "stopped");
    if (s->empty) {
        *ret_empty = s->empty->chain;
        return 0;
    }
    _cleanup_(raw_resources_unrefp) struct raw_resources *all = raw_resources_new();
    if (!all || merge(s, all) < 0)
        return fault_set(f, -ENOMEM, "no memory");
    *ret = steal_ptr(all);
    return 0;
}

static void sweep_done(struct sweep *s)
{
    for (size_t i = 0; s->runs && i < s->n; i++)
        run_clear(&s->runs[i]);
    free(s->runs);
    cancel_unref(s->cancel);
    pthread_cond_destroy(&s->ended);
    pthread_mutex_destroy(&s->lock);
}

/* *ret_empty gets the chain that is not to be believed, if one is; then *ret gets nothing. Only a
 * chain of a type can be one. */
static int sweep_chains(const struct sweep_env *e, const struct chains *chains, const char *family,
                        struct raw_resources **ret, const struct chain **ret_empty, struct fault *f)
{
    _cleanup_(sweep_done) struct sweep s = {.n = chains->n,
                                            .runs = calloc(chains->n, sizeof(struct run)),
                                            .cancel = cancel_new(),
                                            .lock = PTHREAD_MUTEX_INITIALIZER,
                                            .ended = PTHREAD_COND_INITIALIZER};
    struct cancel_waiter w = {.wake = raise_cancel, .arg = s.cancel};

    if (!s.runs || !s.cancel)
        return fault_set(f, -ENOMEM, "no memory");
    for (size_t i = 0; i < s.n; i++)
        s.runs[i] =
            (struct run){.env = e, .chain = &chains->all[i], .family = family, .cancel = s.cancel};
    cancel_add(e->cancel, &w);
    work_together(&s, e->jobs);
    cancel_remove(e->cancel, &w);
    return conclude(&s, e->cancel, ret, ret_empty, f);
}

static bool has_type(const struct raw_resources *all, const char *type)
{
    struct map_iter it = {0};
    char own[CHAIN_TYPE_SIZE];
    const char *key;
    void *value;

    while (map_next(all->by_key, &it, &key, &value))
        if (chain_type(key, own) == 0 && streq(own, type))
            return true;
    return false;
}

static int sweep_census(const struct sweep_env *e, const struct chain *doubted,
                        struct raw_resources **ret, struct fault *f)
{
    struct chain census = {.kind = CHAIN_CENSUS};
    const struct chains one = {&census, 1};

    log_debug("refresh: the type %s is not to be believed; all are read at once", doubted->what);
    int r = sweep_chains(e, &one, NULL, ret, NULL, f);
    if (r == 0)
        (*ret)->untyped = has_type(*ret, doubted->what);
    return r;
}

static bool has_new_record(const struct raw_resources *all, const struct raw_resources *last)
{
    struct map_iter it = {0};
    const char *key;
    void *value;

    while (map_next(all->by_key, &it, &key, &value))
        if (strstr(key, ":parameter/svcfs/") && !map_get(last->by_key, key))
            return true;
    return false;
}

int sweep_resources(const struct sweep_env *e, const struct chains *chains,
                    const struct raw_resources *last, struct raw_resources **ret, struct fault *f)
{
    bool strays = chains->all[chains->n - 1].kind == CHAIN_STRAYS;
    _cleanup_(raw_resources_unrefp) struct raw_resources *all = NULL;
    const struct chain *doubted = NULL;
    int r = sweep_chains(e, chains, NULL, &all, &doubted, f);

    if (r == 0 && doubted)
        r = sweep_census(e, doubted, &all, f);
    else if (r == 0)
        all->untyped = last && last->untyped && !strays;
    if (r == 0 && last && !strays && keep_strays(all, last, e->family_tag) < 0)
        r = fault_set(f, -ENOMEM, "no memory");
    if (r == 0) {
        all->news = last && has_new_record(all, last);
        *ret = steal_ptr(all);
    }
    return r;
}

int sweep_family(const struct sweep_env *e, const char *family, struct raw_resources **ret,
                 struct fault *f)
{
    struct chain chain = {.kind = CHAIN_FAMILY};
    const struct chains one = {&chain, 1};

    return sweep_chains(e, &one, family, ret, NULL, f);
}
