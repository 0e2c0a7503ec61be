/*
 * Health: whether all that a ready service's record names is there, and runs. One service at a
 * time, the one that was looked at longest ago, at a third of the APIs' rates; on a worker, so that
 * the watcher is not held up.
 */
#include "provision/run.h"

#include <errno.h>
#include <stdio.h>

#include "base/str.h"

enum { HEALTH_INTERVAL_MS = 5 * 60 * 1000 };

static const double background = 0.33;

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

static void health_job(void *arg)
{
    struct run *r = arg;
    struct provision *p = r->p;
    char trouble[200];
    bool degraded;

    r->rate = background;
    int e = look_at(r, &degraded, trouble, sizeof(trouble));
    pthread_mutex_lock(&p->lock);
    bool still = r->life->record->phase == PHASE_READY && !life_has_work(r->life) && !r->life->gone;
    r->life->checked_ms = now_ms(p);
    p->health_busy = false;
    pthread_mutex_unlock(&p->lock);
    if (e == 0 && still)
        life_set_health(p, r->life, degraded, degraded ? trouble : "");
    run_free(r);
}

/* The ready service that was looked at longest ago, referenced, if it is due. */
static struct life *next_due(struct provision *p)
{
    struct map_iter it = {0};
    struct life *best = NULL;
    const char *key;
    void *value;

    pthread_mutex_lock(&p->lock);
    while (!p->health_busy && map_next(p->lives, &it, &key, &value)) {
        struct life *l = value;
        bool due = l->record->phase == PHASE_READY && !life_has_work(l) && !l->engaged &&
                   (l->checked_ms == 0 || now_ms(p) - l->checked_ms > HEALTH_INTERVAL_MS);
        if (due && (!best || l->checked_ms < best->checked_ms))
            best = l;
    }
    if (best) {
        best->refs++;
        p->health_busy = true;
    }
    pthread_mutex_unlock(&p->lock);
    return best;
}

void health_turn(struct provision *p)
{
    struct life *l = next_due(p);

    if (!l)
        return;
    struct run *r = run_new(p, l);
    if (r) { /* a look ends at once when the daemon stops */
        cancel_unref(r->hard);
        r->hard = cancel_ref(p->stop);
    }
    if (!r || jobs_add(p->steps, health_job, r) < 0) {
        run_free(r);
        pthread_mutex_lock(&p->lock);
        p->health_busy = false;
        pthread_mutex_unlock(&p->lock);
    }
    life_unref(p, l);
}
