/*
 * The watcher: reads all records and what stands beneath them in one chain of pages, learns what
 * other machines do, and finds work that nobody owns any more (engine.md 5, 6). One thread; it only
 * reads, but for leftovers beneath claims that are no more (engine.md 11).
 *
 * Between sweeps it reads the services by themselves that somebody else works on, since users wait
 * for them. A record that a sweep does not show is looked up by itself before it counts as gone:
 * pages may skip one while others are deleted.
 */
#include "provision/internal.h"

#include <errno.h>
#include <stdio.h>

#include "awsapi/ssm.h"
#include "base/str.h"

enum { SCAN_MS = 5000 };

static const double background = 0.33; /* of each limiter's rate */

/* --- one service --- */

static int read_record(struct provision *p, const char *id, const struct aws_ctx *ctx,
                       struct record **ret, struct fault *f)
{
    _cleanup_free_ char *text = NULL;
    char name[128];

    int r = naming_record(id, name, sizeof(name));
    if (r < 0)
        return fault_set(f, -ENOENT, "no service can have the id %s", id);
    r = ssm_get_parameter(p->aws, ctx, name, &text, f);
    return r < 0 ? r : record_parse(id, text, ret, f);
}

int watch_read(struct provision *p, const char *id, const struct aws_ctx *ctx, struct life **ret,
               struct fault *f)
{
    struct record *record = NULL;
    struct children c = {0};
    struct fault why = FAULT_INIT;
    char claim[CLAIM_SIZE];
    int64_t begun = now_ms(p);

    int r = read_record(p, id, ctx, &record, &why);
    if (r == 0 || r == -EPROTO)
        provision_set_bad_record(p, id, r < 0 ? &why : NULL);
    if (r == -ENOENT)
        life_not_found(p, id, begun);
    if (r < 0)
        return fault_copy(f, &why), r;
    memcpy(claim, record->claim, sizeof(claim));
    r = children_read(p, id, claim, ctx, &c, f);
    if (r < 0) {
        record_free(record);
        return r;
    }
    struct life *l = life_learn(p, record, begun);
    if (!l && life_since_vanished(p, id) >= 0)
        return fault_set(f, -ENOENT, "the record of %s went away while it was read", id);
    if (!l)
        return fault_set(f, -ENOMEM, "no memory");
    if (streq(l->claim, claim))
        life_set_children(p, l, &c, begun);
    pthread_mutex_lock(&p->lock);
    l->polled_ms = now_ms(p);
    pthread_mutex_unlock(&p->lock);
    *ret = l;
    return 0;
}

void watch_consider(struct provision *p, struct life *l)
{
    pthread_mutex_lock(&p->lock);
    int64_t now = now_ms(p);
    int64_t lease = l->owner_n ? l->owner.lease_ms : l->record->lease_ms;
    int64_t patience = lease + MIN(lease, p->timing.call_ms);
    bool free_to_take =
        (l->owner_n && l->owner.released) || l->owner_seen_ms - l->owner_since_ms > patience;
    bool take = life_has_work(l) && !l->engaged && !l->gone && !p->read_only && free_to_take &&
                now >= l->next_try_ms && !cancel_raised(p->stop) && !map_get(p->bad_records, l->id);
    pthread_mutex_unlock(&p->lock);
    if (take)
        engine_start(p, l, ENGINE_TAKE_OVER, 0);
}

/* --- the sweep --- */

struct sweep {
    struct provision *p;
    struct ssm_parameters all;
    struct map *records; /* id → claim, of those that could be read */
    int64_t begun_ms;
    uint64_t number;
};

static void learn_records(struct sweep *s)
{
    for (size_t i = 0; i < s->all.n; i++) {
        struct record_child name;
        struct record *record = NULL;
        struct fault f = FAULT_INIT;

        if (record_parse_name(s->all.items[i].name, &name) < 0 || name.claim[0])
            continue;
        if (record_parse(name.id, s->all.items[i].value, &record, &f) < 0) {
            provision_set_bad_record(s->p, name.id, &f);
            continue;
        }
        provision_set_bad_record(s->p, name.id, NULL);
        char *claim = strdup(record->claim);
        if (claim && map_put(s->records, name.id, claim, NULL) < 0)
            free(claim);
        struct life *l = life_learn(s->p, record, s->begun_ms);
        if (!l)
            continue;
        pthread_mutex_lock(&s->p->lock);
        l->sweep = s->number;
        pthread_mutex_unlock(&s->p->lock);
        life_unref(s->p, l);
    }
}

static void learn_children(struct sweep *s)
{
    struct life **lives = NULL;
    size_t n = 0;
    _cleanup_(map_freep) struct map *found = map_new();

    if (!found || life_list(s->p, &lives, &n) < 0)
        return;
    struct children *c = calloc(n + 1, sizeof(*c));
    for (size_t i = 0; c && i < n; i++)
        map_put(found, lives[i]->id, &c[i], NULL);
    for (size_t i = 0; c && i < s->all.n; i++) {
        struct record_child name;
        const char *claim;

        if (record_parse_name(s->all.items[i].name, &name) < 0 || !name.claim[0])
            continue;
        claim = map_get(s->records, name.id);
        struct children *of = map_get(found, name.id);
        if (claim && of)
            children_add(of, name.id, claim, s->all.items[i].name, s->all.items[i].value);
    }
    for (size_t i = 0; i < n; i++) {
        const char *claim = map_get(s->records, lives[i]->id);
        pthread_mutex_lock(&s->p->lock);
        bool ours = lives[i]->engaged;
        pthread_mutex_unlock(&s->p->lock);
        if (c && claim && streq(claim, lives[i]->claim) && !ours)
            life_set_children(s->p, lives[i], &c[i], s->begun_ms);
        life_unref(s->p, lives[i]);
    }
    free(c);
    free(lives);
}

/* Lives that were known before the sweep began and are not in it. */
static void look_for_missing(struct sweep *s)
{
    struct aws_ctx ctx = {.cancel = s->p->stop, .rate = background};
    struct life **lives = NULL;
    size_t n = 0;

    if (life_list(s->p, &lives, &n) < 0)
        return;
    for (size_t i = 0; i < n; i++) {
        struct life *again = NULL;
        pthread_mutex_lock(&s->p->lock);
        bool missing = lives[i]->sweep != s->number && !lives[i]->engaged && !lives[i]->gone;
        pthread_mutex_unlock(&s->p->lock);
        if (missing && !cancel_raised(s->p->stop))
            watch_read(s->p, lives[i]->id, &ctx, &again, NULL);
        life_unref(s->p, again);
        life_unref(s->p, lives[i]);
    }
    free(lives);
}

/* A sweep's pages may have skipped the record: only its own absence counts before anything beneath
 * it is deleted. */
static bool is_dead_claim(struct provision *p, const struct record_child *child,
                          const struct aws_ctx *ctx)
{
    _cleanup_(record_freep) struct record *record = NULL;
    int r = read_record(p, child->id, ctx, &record, NULL);

    return r == -ENOENT || (r == 0 && !streq(record->claim, child->claim));
}

/* Parameters beneath a claim that is not the record's, seen twice a lease apart (engine.md 11). */
static void clear_leftovers(struct sweep *s)
{
    struct provision *p = s->p;
    struct aws_ctx ctx = {.cancel = p->stop, .rate = background};
    struct map *still = map_new();

    for (size_t i = 0; still && i < s->all.n; i++) {
        const char *name = s->all.items[i].name;
        struct record_child child;

        if (record_parse_name(name, &child) < 0 || !child.claim[0])
            continue;
        const char *claim = map_get(s->records, child.id);
        if ((claim && streq(claim, child.claim)) ||
            (!claim && provision_is_bad_record(p, child.id)))
            continue;
        int64_t *since = map_remove(p->leftovers, name);
        if (!since) {
            since = malloc(sizeof(*since));
            if (!since)
                continue;
            *since = now_ms(p);
        }
        if (s->begun_ms - *since > MAX(p->lease_ms, p->timing.leftover_ms) && !p->read_only &&
            is_dead_claim(p, &child, &ctx))
            ssm_delete_parameter(p->aws, &ctx, name, NULL);
        if (map_put(still, name, since, NULL) < 0)
            free(since);
    }
    if (!still)
        return;
    map_free_with(p->leftovers, free);
    p->leftovers = still;
}

static int sweep_records(struct provision *p, struct fault *f)
{
    struct aws_ctx ctx = {.cancel = p->stop, .rate = background};
    struct sweep s = {.p = p, .number = ++p->sweep, .records = map_new(), .begun_ms = now_ms(p)};

    if (!s.records)
        return fault_set(f, -ENOMEM, "no memory");
    int r = ssm_get_parameters_by_path(p->aws, &ctx, "/svcfs", &s.all, f);
    if (r == 0) {
        learn_records(&s);
        learn_children(&s);
        look_for_missing(&s);
        clear_leftovers(&s);
        provision_keep_bad_records(p, &s.all);
    }
    ssm_parameters_done(&s.all);
    map_free_with(s.records, free);
    return r;
}

static bool sweep_and_note(struct provision *p)
{
    struct fault f = FAULT_INIT;
    int r = sweep_records(p, &f);

    pthread_mutex_lock(&p->lock);
    bool news = !p->swept || (p->records_fault.err != 0) != (r < 0);
    p->swept = p->swept || r == 0;
    p->records_fault = r < 0 ? f : FAULT_INIT;
    pthread_mutex_unlock(&p->lock);
    if (news)
        provision_notify_all(p);
    return r == 0;
}

/* --- the thread --- */

static void poll_lives(struct provision *p, bool *ret_work)
{
    struct aws_ctx ctx = {.cancel = p->stop, .rate = background};
    struct life **lives = NULL;
    size_t n = 0;

    *ret_work = false;
    if (life_list(p, &lives, &n) < 0)
        return;
    for (size_t i = 0; i < n; i++) {
        struct life *again = NULL;
        pthread_mutex_lock(&p->lock);
        bool work = life_has_work(lives[i]) && !lives[i]->engaged && !lives[i]->gone;
        bool due = work && now_ms(p) - lives[i]->polled_ms >= p->timing.poll_ms;
        pthread_mutex_unlock(&p->lock);
        *ret_work = *ret_work || work;
        if (due && !cancel_raised(p->stop))
            watch_read(p, lives[i]->id, &ctx, &again, NULL);
        if (work)
            watch_consider(p, again ? again : lives[i]);
        life_unref(p, again);
        life_unref(p, lives[i]);
    }
    free(lives);
}

static void *watch_main(void *arg)
{
    struct provision *p = arg;
    int64_t sweep_at = 0, scan_at = 0, backoff = 1000;

    while (!cancel_raised(p->stop)) {
        bool work = false, changed = false;

        if (p->catalog && now_ms(p) >= scan_at) {
            if (catalog_scan(p->catalog, &changed, NULL) == 0 && changed)
                provision_blueprints_changed(p);
            scan_at = now_ms(p) + SCAN_MS;
        }
        if (now_ms(p) >= sweep_at) {
            bool good = sweep_and_note(p);
            backoff = good ? 1000 : MIN(backoff * 2, p->refresh_ms);
            sweep_at = now_ms(p) + (good ? p->refresh_ms : backoff);
        }
        poll_lives(p, &work);
        health_turn(p);

        pthread_mutex_lock(&p->lock);
        int64_t until = MIN(sweep_at, now_ms(p) + (work ? p->timing.turn_ms : SCAN_MS));
        if (!cancel_raised(p->stop))
            clock_cond_wait(p->clock, &p->changed, &p->lock, until);
        pthread_mutex_unlock(&p->lock);
    }
    return NULL;
}

int watch_start(struct provision *p)
{
    int r = pthread_create(&p->watcher, NULL, watch_main, p);

    p->watching = r == 0;
    return -r;
}

void watch_stop(struct provision *p)
{
    if (!p->watching)
        return;
    pthread_join(p->watcher, NULL);
    p->watching = false;
}
