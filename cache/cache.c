/*
 * The cache: three threads around one set of inputs.
 *
 *   refresher: sweeps the resources by timer or on request, and hands the raw result over
 *     (refresh.c); before its first sweep it gives what can be shown early (early.c).
 *   grouper: sweeps the groups once the resources are there. Some thousand groups take minutes at
 *     the rate that AWS allows.
 *   publisher: builds a snapshot whenever an input changed, puts it in force, calls the observers,
 *     then wakes who waits.
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
#include "cache/private.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "cache/diff.h"
#include "cache/things.h"

/* ARN_STEPS: of the longest way that ARNs alone lead (edges.c): rule, listener, load balancer. */
enum { CHAIN_HELPERS = 7, SIDE_JOBS = 4, ARN_STEPS = 2 };

/* --- the publisher --- */

static const struct snapshot *newest(struct cache *c, bool whole)
{
    pthread_mutex_lock(&c->newest_lock);
    const struct snapshot *s =
        c->newest && (c->newest->whole || !whole) ? snapshot_ref(c->newest) : NULL;
    pthread_mutex_unlock(&c->newest_lock);
    return s;
}

const struct snapshot *cache_snapshot(struct cache *c)
{
    return newest(c, true);
}

const struct snapshot *cache_sketch(struct cache *c)
{
    return newest(c, false);
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
                                .dependency_tag = c->dependency_tag,
                                .account = c->account,
                                .region = c->region,
                                .partition = c->partition,
                                .resources = c->resources,
                                .groups = c->groups,
                                .overlay = o->entries,
                                .overlay_groups = o->groups,
                                .records = o->records,
                                .dead_claims = o->dead_claims,
                                .used = o->used,
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
    int r = c->resources ? build_patch(&in, &c->overlay.changes, ret)
                         : sketch_build(&c->sketch, &in, ret);

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
    _cleanup_snapshot_ const struct snapshot *old = cache_sketch(c);
    size_t differences = 0;

    diff_snapshots(old, now, count_difference, &differences);
    bool news = !old || differences > 0 || old->whole != now->whole || old->swept != now->swept ||
                !now->whole; /* a family that is known now may be empty */
    if (!news)
        snapshot_stands_for((struct snapshot *)now, old);
    pthread_mutex_lock(&c->newest_lock);
    const struct snapshot *dropped = c->newest;
    c->newest = now;
    c->generation = now->generation;
    if (now->swept_wall_ms != c->freshness.begun_wall_ms) {
        c->freshness.begun_wall_ms = now->swept_wall_ms;
        c->freshness.saved = now->whole && !now->swept;
        c->freshness.last = FAULT_INIT;
    }
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
        bool shown = c->resources || c->sketch.named;
        bool dirty = shown && c->built < c->changes, failed = c->failed;
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
            _cleanup_snapshot_ const struct snapshot *s = cache_sketch(c);
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

/* An input is another one: all is built anew. */
void cache_touch(struct cache *c)
{
    c->overlay.changes.all = true;
    c->changes++;
    pthread_cond_broadcast(&c->changed);
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
    /* What ARNs lead to comes right behind the sweep, by an observer: a step with each snapshot. */
    for (int step = 0; step < ARN_STEPS; step++)
        cache_flush(c);
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

void cache_show_due(struct cache *c)
{
    pthread_mutex_lock(&c->newest_lock);
    c->freshness.next_ms = c->pace.due_ms;
    pthread_mutex_unlock(&c->newest_lock);
}

void cache_noted(struct cache *c)
{
    if (!changes_any(&c->overlay.changes))
        return;
    c->changes++;
    pthread_cond_broadcast(&c->changed);
}

/* Locked, and unlocks. */
static int touched(struct cache *c, int r)
{
    cache_noted(c);
    pthread_mutex_unlock(&c->lock);
    return r;
}

/* The same after a write of our own: the next sweep is to come sooner. */
static int written(struct cache *c, int r)
{
    if (r == 0) {
        pace_wrote(&c->pace);
        cache_show_due(c);
    }
    return touched(c, r);
}

int cache_put(struct cache *c, const char *key, const struct index_tag *tags, size_t n_tags)
{
    pthread_mutex_lock(&c->lock);
    return written(c, overlay_put(&c->overlay, key, tags, n_tags, c->resources,
                                  c->clock->monotonic_ms(c->clock)));
}

int cache_retag(struct cache *c, const struct index_resource *r, const struct index_tag *changes,
                size_t n)
{
    pthread_mutex_lock(&c->lock);
    return written(c, overlay_retag(&c->overlay, r->key, changes, n, r->tags, r->n_tags,
                                    c->resources, c->clock->monotonic_ms(c->clock)));
}

int cache_gone(struct cache *c, const char *key)
{
    pthread_mutex_lock(&c->lock);
    return written(c,
                   overlay_gone(&c->overlay, key, c->resources, c->clock->monotonic_ms(c->clock)));
}

int cache_put_group(struct cache *c, const char *name, const char *arn, const char *query)
{
    pthread_mutex_lock(&c->lock);
    return written(
        c, overlay_put_group(&c->overlay, name, arn, query, c->clock->monotonic_ms(c->clock)));
}

int cache_gone_group(struct cache *c, const char *name)
{
    pthread_mutex_lock(&c->lock);
    return written(
        c, overlay_put_group(&c->overlay, name, "", NULL, c->clock->monotonic_ms(c->clock)));
}

int cache_put_record(struct cache *c, const struct cache_record *r)
{
    pthread_mutex_lock(&c->lock);
    if (overlay_has_record(&c->overlay, r)) { /* records are read again and again */
        pthread_mutex_unlock(&c->lock);
        return 0;
    }
    return written(c, overlay_put_record(&c->overlay, r));
}

int cache_remove_record(struct cache *c, const char *id, const char *claim)
{
    pthread_mutex_lock(&c->lock);
    return written(c, overlay_remove_record(&c->overlay, id, claim));
}

int cache_use(struct cache *c, const char *const *keys, const bool *used, size_t n)
{
    int r = 0;

    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = overlay_use(&c->overlay, keys[i], used[i]);
    used_due(c, false);
    return touched(c, r);
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
    pace_init(&c->pace, o->refresh_ms);
    c->family_tag = strdup(o->family_tag);
    c->service_tag = strdup(o->service_tag);
    c->dependency_tag = strdup(o->dependency_tag);
    c->account = strdup(o->account);
    c->region = strdup(o->region);
    c->partition = strdup(o->partition);
    c->endpoint = strdup(o->endpoint ? o->endpoint : "");
    c->save_path = o->save_path ? strdup(o->save_path) : NULL;
    c->stop = cancel_new();
    int r = overlay_init(&c->overlay);
    r = r < 0 ? r : sketch_init(&c->sketch);
    r = r < 0 ? r : jobs_new(&c->chain_jobs, "svcfs-chain", CHAIN_HELPERS);
    r = r < 0 ? r : jobs_new(&c->side_jobs, "svcfs-side", SIDE_JOBS);
    if (r < 0 || !c->family_tag || !c->service_tag || !c->dependency_tag || !c->account ||
        !c->region || !c->partition || !c->endpoint || (o->save_path && !c->save_path) ||
        !c->stop) {
        cache_free(c);
        return fault_set(f, -ENOMEM, "no memory");
    }
    *ret = c;
    return 0;
}

struct sweep_env cache_sweep_env(struct cache *c)
{
    return (struct sweep_env){c->aws, c->family_tag, c->service_tag, c->stop, c->chain_jobs};
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
    jobs_drain(c->chain_jobs);
    jobs_drain(c->side_jobs);
    if (c->publishing)
        pthread_join(c->publisher, NULL);
    if (c->refreshing)
        early_save_last(c);
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
    sketch_done(&c->sketch);
    jobs_free(c->chain_jobs);
    jobs_free(c->side_jobs);
    free(c->groups_problem);
    free(c->family_tag);
    free(c->service_tag);
    free(c->dependency_tag);
    free(c->account);
    free(c->region);
    free(c->partition);
    free(c->endpoint);
    free(c->save_path);
    cancel_unref(c->stop);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->newest_lock);
    pthread_mutex_destroy(&c->lock);
    free(c);
}
