/*
 * The cache: three threads around one set of inputs.
 *
 *   refresher: sweeps the resources by timer or on request, and hands the raw result over.
 *   grouper: sweeps the groups once the resources are there. Some thousand groups take minutes at
 * the rate that AWS allows. publisher: builds a snapshot whenever an input changed, puts it in
 * force, calls the observers, then wakes who waits.
 *
 * The publisher is apart because own writes must show within milliseconds, also while a sweep hangs
 * on a stalled AWS.
 *
 * `changes` counts changes of the inputs, `built` up to which of them the newest snapshot goes; so
 * a flush waits for built >= the changes it saw. The lock guards the inputs. It is held for a patch
 * (a millisecond), which makes of the newest snapshot and what the overlay noted the next one; a
 * whole build, for a new sweep or what a patch cannot do, takes a copy of the inputs and lets go of
 * it. The newest snapshot and the freshness have a lock of their own, so readers never wait for
 * either. Order: lock, newest_lock.
 *
 * Rejected: publishing from whoever writes. Observers would then run on many threads, and out of
 * order.
 */
#include "cache/cache.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "cache/diff.h"
#include "cache/overlay.h"
#include "cache/things.h"

enum { OBSERVERS_MAX = 4, BACKOFF_FIRST_MS = 1000 };

struct observer {
    cache_observer fn;
    void *arg;
};

struct cache {
    struct aws_client *aws;
    struct clock *clock;
    char *family_tag, *service_tag, *account, *region, *partition;
    int64_t refresh_ms;
    struct cancel *stop;
    pthread_t refresher, grouper, publisher;
    bool refreshing, grouping, publishing; /* threads exist; the last one under the lock */
    struct observer observers[OBSERVERS_MAX];
    size_t n_observers;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* anything below */
    struct overlay overlay;
    struct raw_resources *resources; /* NULL before the first sweep */
    struct raw_groups *groups;
    char *groups_problem;
    uint64_t changes, built;
    int build_error;       /* of the last build */
    bool groups_due;       /* there was a sweep since the groups were swept */
    uint64_t wanted, done; /* sweeps asked for; begun after that many were asked for, and ended */
    bool failed;           /* a sweep failed: observers are to be told */

    pthread_mutex_t newest_lock;
    struct cache_freshness freshness;
    const struct snapshot *newest;
    uint64_t generation;
};

/* --- the publisher --- */

const struct snapshot *cache_snapshot(struct cache *c)
{
    pthread_mutex_lock(&c->newest_lock);
    const struct snapshot *s = c->newest ? snapshot_ref(c->newest) : NULL;
    pthread_mutex_unlock(&c->newest_lock);
    return s;
}

const struct snapshot *cache_sketch(struct cache *c)
{
    return cache_snapshot(c);
}

void cache_want_family(_unused_ struct cache *c, _unused_ const char *family)
{
}

static void count_difference(void *arg, _unused_ const struct diff *d)
{
    ++*(size_t *)arg;
}

/* Locked. The overlay may be a copy; all else is lent. */
static struct build_input inputs(struct cache *c, const struct overlay *o)
{
    return (struct build_input){.family_tag = c->family_tag,
                                .service_tag = c->service_tag,
                                .account = c->account,
                                .region = c->region,
                                .partition = c->partition,
                                .resources = c->resources,
                                .groups = c->groups,
                                .overlay = o->entries,
                                .overlay_groups = o->groups,
                                .records = o->records,
                                .dead_claims = o->dead_claims,
                                .blueprints = o->blueprints,
                                .groups_problem = c->groups_problem,
                                .before = c->newest,
                                .generation = c->generation + 1,
                                .wall_ms = c->clock->wall_ms(c->clock)};
}

/* Locked, but not while it builds: who writes meanwhile is not held up, and that is patched in
 * next. */
static int build_whole(struct cache *c, const struct snapshot **ret)
{
    _cleanup_(raw_resources_unrefp) struct raw_resources *resources =
        raw_resources_ref(c->resources);
    _cleanup_(raw_groups_unrefp) struct raw_groups *groups = raw_groups_ref(c->groups);
    _cleanup_free_ char *problem = c->groups_problem ? strdup(c->groups_problem) : NULL;
    struct overlay copy;
    int r = c->groups_problem && !problem ? -ENOMEM : overlay_copy(&c->overlay, &copy);

    if (r < 0)
        return r;
    struct build_input in = inputs(c, &copy);
    in.resources = resources;
    in.groups = groups;
    in.groups_problem = problem;
    changes_done(&c->overlay.changes);
    pthread_mutex_unlock(&c->lock);
    r = build_snapshot(&in, ret);
    pthread_mutex_lock(&c->lock);
    overlay_done(&copy);
    return r;
}

/* Locked. What cannot be built stays due, as a whole. */
static int build(struct cache *c, const struct snapshot **ret)
{
    const struct build_input in = inputs(c, &c->overlay);
    int r = build_patch(&in, &c->overlay.changes, ret);

    if (r == 0)
        changes_done(&c->overlay.changes);
    else if (r == -EOPNOTSUPP)
        r = build_whole(c, ret);
    c->overlay.changes.all |= r < 0;
    return r;
}

static void call_observers(struct cache *c, const struct snapshot *old, const struct snapshot *now)
{
    for (size_t i = 0; i < c->n_observers; i++)
        c->observers[i].fn(c->observers[i].arg, old, now);
}

/* Takes now over. What differs in nothing takes the place of the old one without a word: it has
 * let go of the old sweep, and the next patch goes by it. */
static void publish(struct cache *c, const struct snapshot *now)
{
    _cleanup_snapshot_ const struct snapshot *old = cache_snapshot(c);
    size_t differences = 0;

    diff_snapshots(old, now, count_difference, &differences);
    bool news = !old || differences > 0 || old->whole != now->whole || old->swept != now->swept;
    if (!news)
        snapshot_stands_for((struct snapshot *)now, old);
    pthread_mutex_lock(&c->newest_lock);
    const struct snapshot *dropped = c->newest;
    c->newest = now;
    c->generation = now->generation;
    pthread_mutex_unlock(&c->newest_lock);
    snapshot_unref(dropped);
    if (!news)
        return;
    _cleanup_snapshot_ const struct snapshot *held = snapshot_ref(now);
    call_observers(c, old, held);
}

static void *publisher_main(void *arg)
{
    struct cache *c = arg;

    pthread_mutex_lock(&c->lock);
    while (!cancel_raised(c->stop)) {
        const struct snapshot *now = NULL;
        bool dirty = c->resources && c->built < c->changes, failed = c->failed;
        uint64_t goal = c->changes;

        if (!dirty && !failed) {
            pthread_cond_wait(&c->changed, &c->lock);
            continue;
        }
        c->failed = false;
        int r = dirty ? build(c, &now) : 0;
        pthread_mutex_unlock(&c->lock);
        if (now)
            publish(c, now);
        if (failed) {
            _cleanup_snapshot_ const struct snapshot *s = cache_snapshot(c);
            call_observers(c, s, s);
        }
        pthread_mutex_lock(&c->lock);
        if (dirty) { /* no memory: the last snapshot stays; the next change tries again */
            if (r < 0)
                log_debug("the snapshot cannot be built: %s", fault_errno_name(r));
            c->built = goal;
            c->build_error = r;
        }
        pthread_cond_broadcast(&c->changed);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

/* Locked. An input is another one: all is built anew. */
static void touch(struct cache *c)
{
    c->overlay.changes.all = true;
    c->changes++;
    pthread_cond_broadcast(&c->changed);
}

/* --- the refresher and the grouper --- */

static void set_sweeping(struct cache *c, bool sweeping)
{
    pthread_mutex_lock(&c->newest_lock);
    c->freshness.sweeping = sweeping;
    pthread_mutex_unlock(&c->newest_lock);
}

static void note_success(struct cache *c, int64_t begun_wall_ms)
{
    pthread_mutex_lock(&c->newest_lock);
    c->freshness.begun_wall_ms = begun_wall_ms;
    c->freshness.ended_wall_ms = c->clock->wall_ms(c->clock);
    c->freshness.sweeps++;
    c->freshness.last = FAULT_INIT;
    pthread_mutex_unlock(&c->newest_lock);
}

static void note_failure(struct cache *c, const struct fault *f)
{
    pthread_mutex_lock(&c->newest_lock);
    c->freshness.last = *f;
    pthread_mutex_unlock(&c->newest_lock);
    pthread_mutex_lock(&c->lock);
    c->failed = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

/* Takes r over, puts it into force, and waits until it is. */
static int take_resources(struct cache *c, struct raw_resources *r, struct fault *f)
{
    int result = 0;

    pthread_mutex_lock(&c->lock);
    overlay_settle(&c->overlay, r);
    raw_resources_unref(c->resources);
    c->resources = r;
    touch(c);
    uint64_t goal = c->changes;
    while (c->built < goal && !cancel_raised(c->stop))
        pthread_cond_wait(&c->changed, &c->lock);
    if (c->built < goal)
        result = fault_set(f, -ECANCELED, "stopped");
    else if (c->build_error < 0)
        result = fault_set(f, c->build_error, "the snapshot cannot be built: no memory");
    else
        c->groups_due = true;
    pthread_mutex_unlock(&c->lock);
    return result;
}

static int refresh_once(struct cache *c)
{
    const struct sweep_env e = {c->aws, c->family_tag, c->service_tag, c->stop};
    struct raw_resources *r = NULL;
    struct fault f = FAULT_INIT;

    pthread_mutex_lock(&c->lock);
    uint64_t goal = c->wanted;
    pthread_mutex_unlock(&c->lock);
    set_sweeping(c, true);
    int result = sweep_resources(&e, &r, &f);
    if (result == 0) {
        int64_t begun = r->begun_wall_ms;
        result = take_resources(c, r, &f);
        if (result == 0)
            note_success(c, begun);
    }
    set_sweeping(c, false);
    if (result == -ECANCELED) /* only by cache_stop */
        return result;
    if (result < 0)
        note_failure(c, &f);
    pthread_mutex_lock(&c->lock);
    c->done = goal;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    return result;
}

static void refresh_groups(struct cache *c)
{
    const struct sweep_env e = {c->aws, c->family_tag, c->service_tag, c->stop};
    struct raw_groups *g = NULL;
    struct fault f = FAULT_INIT;
    char *problem = NULL;

    int r = sweep_groups(&e, c->groups, &g, &f); /* only this thread changes c->groups */
    if (r == -ECANCELED)
        return;
    if (r < 0)
        problem =
            str_printf("the resource groups cannot be read: %s: %s: %s", f.call, f.code, f.message);
    pthread_mutex_lock(&c->lock);
    free(c->groups_problem);
    c->groups_problem = problem;
    if (g) {
        overlay_settle_groups(&c->overlay, g);
        raw_groups_unref(c->groups);
        c->groups = g;
    }
    touch(c);
    pthread_mutex_unlock(&c->lock);
}

static void *grouper_main(void *arg)
{
    struct cache *c = arg;

    pthread_mutex_lock(&c->lock);
    while (!cancel_raised(c->stop)) {
        if (!c->groups_due) {
            pthread_cond_wait(&c->changed, &c->lock);
            continue;
        }
        c->groups_due = false;
        pthread_mutex_unlock(&c->lock);
        refresh_groups(c);
        pthread_mutex_lock(&c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static void wait_for_turn(struct cache *c, int64_t until_ms)
{
    pthread_mutex_lock(&c->newest_lock);
    c->freshness.next_ms = until_ms;
    pthread_mutex_unlock(&c->newest_lock);
    pthread_mutex_lock(&c->lock);
    while (!cancel_raised(c->stop) && c->wanted == c->done &&
           c->clock->monotonic_ms(c->clock) < until_ms)
        clock_cond_wait(c->clock, &c->changed, &c->lock, until_ms);
    pthread_mutex_unlock(&c->lock);
}

static void *refresher_main(void *arg)
{
    struct cache *c = arg;
    int64_t backoff = BACKOFF_FIRST_MS;

    while (!cancel_raised(c->stop)) {
        bool good = refresh_once(c) == 0;
        int64_t pause = good ? c->refresh_ms : MIN(backoff, c->refresh_ms);

        backoff = good ? BACKOFF_FIRST_MS : MIN(backoff * 2, c->refresh_ms);
        wait_for_turn(c, c->clock->monotonic_ms(c->clock) + pause);
    }
    return NULL;
}

/* --- who waits --- */

static void wake_waiters(void *arg)
{
    struct cache *c = arg;

    pthread_mutex_lock(&c->lock);
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

int cache_refresh(struct cache *c, struct cancel *cancel, struct fault *f)
{
    struct cancel_waiter w = {.wake = wake_waiters, .arg = c};
    int r = 0;

    cancel_add(cancel, &w);
    pthread_mutex_lock(&c->lock);
    uint64_t mine = ++c->wanted;
    pthread_mutex_lock(&c->newest_lock);
    c->freshness.asked = mine;
    pthread_mutex_unlock(&c->newest_lock);
    pthread_cond_broadcast(&c->changed);
    while (c->done < mine && !cancel_raised(cancel) && !cancel_raised(c->stop))
        pthread_cond_wait(&c->changed, &c->lock);
    if (c->done < mine)
        r = fault_set(f, -ECANCELED, "the refresh goes on, but nobody waits for it any more");
    pthread_mutex_unlock(&c->lock);
    cancel_remove(cancel, &w);
    if (r < 0)
        return r;
    struct cache_freshness fresh;
    cache_freshness(c, &fresh);
    return fresh.last.err ? fault_copy(f, &fresh.last) : 0;
}

void cache_flush(struct cache *c)
{
    pthread_mutex_lock(&c->lock);
    uint64_t goal = c->changes;
    while (c->publishing && c->resources && c->built < goal && !cancel_raised(c->stop))
        pthread_cond_wait(&c->changed, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

void cache_freshness(struct cache *c, struct cache_freshness *ret)
{
    pthread_mutex_lock(&c->newest_lock);
    *ret = c->freshness;
    pthread_mutex_unlock(&c->newest_lock);
}

/* --- inputs --- */

/* Locked, and unlocks. The overlay has noted what changed, if anything. */
static int touched(struct cache *c, int r)
{
    if (changes_any(&c->overlay.changes)) {
        c->changes++;
        pthread_cond_broadcast(&c->changed);
    }
    pthread_mutex_unlock(&c->lock);
    return r;
}

int cache_put(struct cache *c, const char *key, const struct index_tag *tags, size_t n_tags)
{
    pthread_mutex_lock(&c->lock);
    return touched(c, overlay_put(&c->overlay, key, tags, n_tags, c->resources,
                                  c->clock->monotonic_ms(c->clock)));
}

int cache_gone(struct cache *c, const char *key)
{
    pthread_mutex_lock(&c->lock);
    return touched(c,
                   overlay_gone(&c->overlay, key, c->resources, c->clock->monotonic_ms(c->clock)));
}

int cache_put_group(struct cache *c, const char *name, const char *arn, const char *query)
{
    pthread_mutex_lock(&c->lock);
    return touched(
        c, overlay_put_group(&c->overlay, name, arn, query, c->clock->monotonic_ms(c->clock)));
}

int cache_gone_group(struct cache *c, const char *name)
{
    pthread_mutex_lock(&c->lock);
    return touched(
        c, overlay_put_group(&c->overlay, name, "", NULL, c->clock->monotonic_ms(c->clock)));
}

int cache_put_record(struct cache *c, const struct cache_record *r)
{
    pthread_mutex_lock(&c->lock);
    return touched(c, overlay_put_record(&c->overlay, r));
}

int cache_remove_record(struct cache *c, const char *id, const char *claim)
{
    pthread_mutex_lock(&c->lock);
    return touched(c, overlay_remove_record(&c->overlay, id, claim));
}

int cache_set_blueprints(struct cache *c, const char *const *families, size_t n)
{
    pthread_mutex_lock(&c->lock);
    return touched(c, overlay_set_blueprints(&c->overlay, families, n));
}

void cache_observe(struct cache *c, cache_observer fn, void *arg)
{
    if (c->n_observers < OBSERVERS_MAX)
        c->observers[c->n_observers++] = (struct observer){fn, arg};
}

/* --- beginning and end --- */

int cache_new(struct cache **ret, const struct cache_options *o, struct fault *f)
{
    struct cache *c = calloc(1, sizeof(*c));

    if (!c)
        return fault_set(f, -ENOMEM, "no memory");
    pthread_mutex_init(&c->lock, NULL);
    pthread_mutex_init(&c->newest_lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    c->aws = o->aws;
    c->clock = aws_client_clock(o->aws);
    c->refresh_ms = o->refresh_ms;
    c->family_tag = strdup(o->family_tag);
    c->service_tag = strdup(o->service_tag);
    c->account = strdup(o->account);
    c->region = strdup(o->region);
    c->partition = strdup(o->partition);
    c->stop = cancel_new();
    int r = overlay_init(&c->overlay);
    if (r < 0 || !c->family_tag || !c->service_tag || !c->account || !c->region || !c->partition ||
        !c->stop) {
        cache_free(c);
        return fault_set(f, -ENOMEM, "no memory");
    }
    *ret = c;
    return 0;
}

static int start_thread(pthread_t *ret, bool *ret_running, void *(*run)(void *), struct cache *c)
{
    int r = pthread_create(ret, NULL, run, c);

    *ret_running = r == 0;
    return -r;
}

int cache_start(struct cache *c, struct fault *f)
{
    pthread_mutex_lock(&c->lock); /* the publisher waits until publishing is set */
    int r = start_thread(&c->publisher, &c->publishing, publisher_main, c);
    pthread_mutex_unlock(&c->lock);
    if (r == 0)
        r = start_thread(&c->grouper, &c->grouping, grouper_main, c);
    if (r == 0)
        r = start_thread(&c->refresher, &c->refreshing, refresher_main, c);
    if (r == 0)
        return 0;
    cache_stop(c);
    return fault_set(f, r, "cannot start the refresher");
}

void cache_stop(struct cache *c)
{
    cancel_raise(c->stop);
    wake_waiters(c);
    if (c->refreshing)
        pthread_join(c->refresher, NULL);
    if (c->grouping)
        pthread_join(c->grouper, NULL);
    if (c->publishing)
        pthread_join(c->publisher, NULL);
    c->refreshing = c->grouping = false;
    pthread_mutex_lock(&c->lock);
    c->publishing = false;
    pthread_mutex_unlock(&c->lock);
}

void cache_free(struct cache *c)
{
    if (!c)
        return;
    if (c->refreshing || c->grouping || c->publishing)
        cache_stop(c);
    snapshot_unref(c->newest);
    raw_resources_unref(c->resources);
    raw_groups_unref(c->groups);
    overlay_done(&c->overlay);
    free(c->groups_problem);
    free(c->family_tag);
    free(c->service_tag);
    free(c->account);
    free(c->region);
    free(c->partition);
    cancel_unref(c->stop);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->newest_lock);
    pthread_mutex_destroy(&c->lock);
    free(c);
}
