/*
 * The refresher and the grouper: what they sweep, what becomes of it, and when it is their turn
 * again. A failed sweep changes nothing but the freshness.
 */
#include "cache/private.h"

#include <errno.h>

#include "base/log.h"
#include "base/str.h"

static void set_sweeping(struct cache *c, bool sweeping)
{
    pthread_mutex_lock(&c->newest_lock);
    c->freshness.sweeping = sweeping;
    pthread_mutex_unlock(&c->newest_lock);
}

static void note_success(struct cache *c)
{
    pthread_mutex_lock(&c->newest_lock);
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

int refresh_take(struct cache *c, struct raw_resources *r, struct fault *f)
{
    int result = 0;

    pthread_mutex_lock(&c->lock);
    if (sketch_hand_over(&c->sketch, r) < 0)
        log_debug("what was read early is shown again by the next refresh: no memory");
    overlay_settle(&c->overlay, r);
    raw_resources_unref(c->resources);
    c->resources = r;
    sketch_done(&c->sketch);
    cache_touch(c);
    uint64_t goal = c->changes;
    while (c->built < goal && !cancel_raised(c->stop))
        pthread_cond_wait(&c->changed, &c->lock);
    if (c->built < goal)
        result = fault_set(f, -ECANCELED, "stopped");
    else if (c->build_error < 0)
        result = fault_set(f, c->build_error, "the snapshot cannot be built: no memory");
    else
        c->groups_due = !r->saved;
    if (c->groups_due)
        used_due(c, true);
    pthread_mutex_unlock(&c->lock);
    return result;
}

/* Of the newest whole snapshot; 0: none. */
static uint64_t generation(struct cache *c)
{
    _cleanup_snapshot_ const struct snapshot *s = cache_snapshot(c);

    return s ? s->generation : 0;
}

/* *ret_goal: how many sweeps had been asked for when this one began. */
static int begin(struct cache *c, struct chains *ret, uint64_t *ret_goal, struct fault *f)
{
    pthread_mutex_lock(&c->lock);
    const struct chains_input in = {.last = c->resources,
                                    .overlay = c->overlay.entries,
                                    .family_tag = c->family_tag,
                                    .asked = c->wanted > c->done,
                                    .sweeps = c->sweeps_without_strays};
    int r = chains_choose(&in, ret);
    *ret_goal = c->wanted;
    pace_begin(&c->pace);
    pthread_mutex_unlock(&c->lock);
    return r < 0 ? fault_set(f, r, "no memory") : 0;
}

static int sweep(struct cache *c, const struct chains *chains, struct fault *f)
{
    const struct sweep_env e = cache_sweep_env(c);
    struct raw_resources *r = NULL;
    /* Only this thread changes c->resources. */
    int result = sweep_resources(&e, chains, c->resources, &r, f);

    if (result < 0)
        return result;
    result = refresh_take(c, r, f);
    if (result < 0)
        return result;
    bool strays = chains->all[chains->n - 1].kind == CHAIN_STRAYS;
    c->sweeps_without_strays = strays ? 0 : c->sweeps_without_strays + 1;
    note_success(c);
    return 0;
}

/* Tells who waits, and when the next is due. */
static void end(struct cache *c, uint64_t goal, int result, bool changed)
{
    int64_t now = c->clock->monotonic_ms(c->clock);

    pthread_mutex_lock(&c->lock);
    if (result == 0)
        pace_succeeded(&c->pace, now, changed);
    else
        pace_failed(&c->pace, now);
    c->done = goal;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static void refresh_once(struct cache *c)
{
    uint64_t before = generation(c), goal = 0;
    struct chains chains = {0};
    struct fault f = FAULT_INIT;

    set_sweeping(c, true);
    int result = begin(c, &chains, &goal, &f);
    if (result == 0)
        result = sweep(c, &chains, &f);
    chains_done(&chains);
    set_sweeping(c, false);
    if (result == -ECANCELED) /* only by cache_stop */
        return;
    if (result < 0)
        note_failure(c, &f);
    end(c, goal, result, generation(c) != before);
    early_save(c);
}

static void refresh_groups(struct cache *c)
{
    const struct sweep_env e = cache_sweep_env(c);
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
    cache_touch(c);
    pthread_mutex_unlock(&c->lock);
}

void *grouper_main(void *arg)
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

static void wait_for_turn(struct cache *c)
{
    pthread_mutex_lock(&c->lock);
    cache_show_due(c);
    while (!cancel_raised(c->stop) && c->wanted == c->done &&
           c->clock->monotonic_ms(c->clock) < c->pace.due_ms)
        clock_cond_wait(c->clock, &c->changed, &c->lock, c->pace.due_ms);
    pthread_mutex_unlock(&c->lock);
}

void *refresher_main(void *arg)
{
    struct cache *c = arg;

    if (!early_load(c))
        early_read_names(c);
    while (!cancel_raised(c->stop)) {
        refresh_once(c);
        wait_for_turn(c);
    }
    return NULL;
}
