/*
 * Health: whether all that a ready service's record names is there, and runs. One service at a
 * time, the one that was looked at longest ago, in the background; on a worker, so that the watcher
 * is not held up. After each look comes a rest as long as the look took, so that a round keeps to a
 * third of the APIs' rates on average, and no call of a user's waits for it: background calls take
 * from the limiter only what leaves it two thirds full.
 *
 * A look is a call or two a step, half a second for a dozen of them; so a hundred services have
 * their round within the interval, ten thousand in about three hours.
 */
#include "provision/run.h"

#include <errno.h>
#include <stdio.h>

#include "base/str.h"

enum { HEALTH_INTERVAL_MS = 5 * 60 * 1000 };

/* The first thing that is wrong; 0 looked at all, negative: could not look. */
static int look_at(struct run *r, bool *ret_degraded, char *trouble, size_t size)
{
    struct fault f = FAULT_INIT;

    *ret_degraded = false;
    trouble[0] = 0;
    int e = run_steps_from_record(r, &f);
    for (size_t i = 0; e == 0 && i < r->n_steps && !*ret_degraded; i++) {
        if (cancel_raised(r->hard))
            return -ECANCELED;
        struct step_run *s = &r->steps[i];
        struct step_state st = {0};

        e = step_look(s, &st, &f);
        if (e == 0 || e == -ENOENT) {
            *ret_degraded = e == -ENOENT || st.found != FOUND_OURS || st.degraded;
            snprintf(trouble, size, "%s: %s", s->logical,
                     st.degraded ? "runs less than it should" : "is gone, or not ours any more");
            e = 0;
        }
        step_state_done(&st);
    }
    return e;
}

/* The look at l that was begun then is over. */
static void rest(struct provision *p, struct life *l, int64_t begun_ms)
{
    pthread_mutex_lock(&p->lock);
    due_checked(p, l);
    p->health_busy = false;
    p->health_ms = 2 * now_ms(p) - begun_ms;
    p->due.woken = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

static void health_job(void *arg)
{
    struct run *r = arg;
    struct provision *p = r->p;
    int64_t begun = now_ms(p);
    char trouble[200];
    bool degraded;

    r->rate = WATCH_RATE;
    int e = look_at(r, &degraded, trouble, sizeof(trouble));
    pthread_mutex_lock(&p->lock);
    bool still = r->life->record->phase == PHASE_READY && !life_has_work(r->life) && !r->life->gone;
    pthread_mutex_unlock(&p->lock);
    if (e == 0 && still)
        life_set_health(p, r->life, degraded, degraded ? trouble : "");
    rest(p, r->life, begun);
    run_free(r);
}

/* The ready service that was looked at longest ago, referenced, if it is due. */
static struct life *take_due(struct provision *p, int64_t *next)
{
    int64_t at = INT64_MAX;

    pthread_mutex_lock(&p->lock);
    struct life *l = p->health_busy ? NULL : TAILQ_FIRST(&p->due.resting);
    if (l)
        at = MAX(p->health_ms, l->checked_ms ? l->checked_ms + HEALTH_INTERVAL_MS : 0);
    if (at <= now_ms(p)) {
        l->refs++;
        p->health_busy = true;
    } else {
        *next = MIN(*next, at);
        l = NULL;
    }
    pthread_mutex_unlock(&p->lock);
    return l;
}

void health_turn(struct provision *p, int64_t *next)
{
    struct life *l = take_due(p, next);

    if (!l)
        return;
    struct run *r = run_new(p, l);
    if (r) { /* a look ends at once when the daemon stops */
        cancel_unref(r->hard);
        r->hard = cancel_ref(p->stop);
    }
    if (!r || jobs_add(p->steps, health_job, r) < 0) {
        run_free(r);
        rest(p, l, now_ms(p));
    }
    life_unref(p, l);
}
