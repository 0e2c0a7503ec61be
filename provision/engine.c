/*
 * The engine thread of a life that this daemon owns: takes the lease, carries out what the record
 * and the intents ask for, writes the outcome, says `released`. engine.md's protocol clauses 3 to
 * 10 in their order.
 *
 * A run ends in one of three ways: the outcome is written and the lease released; the lease is
 * lost, then nothing is touched any more; the daemon stops, then the lease is released unless a
 * write may still arrive that nobody knows of.
 */
#include "provision/run.h"

#include <errno.h>

#include "awsapi/ssm.h"
#include "base/log.h"
#include "base/str.h"

/* A taker reads the record anew, later, and stops where it is another life's or none (engine.md 6,
 * 14). */
static int take_record(struct run *r)
{
    struct aws_ctx ctx = {.not_after_ms = &r->lease.end_ms, .cancel = r->hard};
    _cleanup_free_ char *text = NULL;
    struct record *found = NULL;
    struct fault f = FAULT_INIT;
    char name[128];
    int e = run_sleep(r, now_ms(r->p) + r->p->timing.settle_ms);

    naming_record(r->life->id, name, sizeof(name));
    while (e == 0) {
        free(steal_ptr(text));
        e = ssm_get_parameter(r->p->aws, &ctx, name, &text, &f);
        if (e == -ENOENT) {
            lease_undo(&r->lease);
            life_vanished(r->p, r->life);
            return -ESTALE;
        }
        if (e == 0) {
            e = record_parse(r->life->id, text, &found, &f);
            if (e < 0)
                records_set_bad(r->p, r->life->id, &f);
            break;
        }
        e = run_sleep(r, now_ms(r->p) + 1000);
    }
    if (e < 0)
        return e;
    if (!streq(found->claim, r->life->claim)) {
        lease_undo(&r->lease);
        record_free(found);
        return -ESTALE;
    }
    record_free(r->record);
    r->record = found;
    struct record *copy = NULL;
    if (record_copy(found, &copy) == 0)
        life_set_record(r->p, r->life, copy, text);
    return 0;
}

/* A refusal of the claim's maker's owner-1 because of load would leave the service to whoever waits
 * long enough. */
static int take_claimed(struct run *r, int64_t bound_ms, struct fault *f)
{
    for (;;) {
        *f = FAULT_INIT;
        int e = lease_take(&r->lease, 1, bound_ms, r->hard, f);
        if (!run_passing(e) || f->unclear || now_ms(r->p) + 1000 >= bound_ms)
            return e;
        if (r->p->clock->sleep_until(r->p->clock, now_ms(r->p) + 500, r->p->stop) < 0)
            return -ECANCELED;
    }
}

static int run_own(struct run *r, enum engine_start how, int64_t claim_sent_ms)
{
    struct provision *p = r->p;
    struct fault f = FAULT_INIT;
    int e;

    if (cancel_raised(p->stop))
        return -ECANCELED; /* it waited for a thread; owning nothing, there is nothing to end */
    if (how == ENGINE_CLAIMED) {
        e = take_claimed(r, claim_sent_ms + r->record->lease_ms, &f);
    } else {
        pthread_mutex_lock(&p->lock);
        unsigned n = r->life->owner_n + 1;
        pthread_mutex_unlock(&p->lock);
        e = lease_take(&r->lease, n, 0, r->hard, &f);
        if (e == 0) {
            e = take_record(r);
            if (e == -ECANCELED) /* nothing was done yet: others need not wait */
                lease_release(&r->lease);
        }
        if (e == 0)
            life_event(p, r->life, NULL, "taken-over", NULL, "%s goes on, as owner %u", p->host, n);
    }
    if (e < 0 && e != -EALREADY)
        log_debug("%s: not its owner: %s", r->life->id, f.message);
    return e;
}

/* Work until there is none. 0: none is left; 1: the record is gone; negative: as run_keep. */
static int run_work(struct run *r)
{
    for (;;) {
        int e = run_keep(r, true);
        if (e < 0)
            return e;
        if (r->record->phase == PHASE_DELETING || r->intent > r->record->spent)
            e = run_teardown(r);
        else if (r->record->phase == PHASE_CREATING)
            e = run_create(r);
        else
            return 0;
        if (e != 0)
            return e;
    }
}

struct engine_job {
    struct provision *p;
    struct life *life;
    enum engine_start how;
    int64_t claim_sent_ms;
};

static void engine_end(struct provision *p, struct life *l, bool good, bool released)
{
    pthread_mutex_lock(&p->lock);
    l->engaged = false;
    l->owner_since_ms = now_ms(p);
    if (released)
        l->owner.released = true; /* spares a read */
    l->tries = good ? 0 : l->tries + 1;
    l->next_try_ms = good ? 0 : now_ms(p) + (p->timing.retry_ms << MIN(l->tries - 1, 6u));
    due_place(p, l);
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    life_unref(p, l);
}

static void engine_main(void *arg)
{
    struct engine_job *job = arg;
    struct provision *p = job->p;
    struct run *r = run_new(p, job->life);

    bool released = false;
    int e = -ENOMEM;

    if (r) {
        r->fresh = job->how == ENGINE_CLAIMED;
        e = run_own(r, job->how, job->claim_sent_ms);
    }
    if (e == 0) {
        e = run_work(r);
        if (e != 1) {
            run_stop_steps(r);
            if (e != -ESTALE && now_ms(p) >= atomic_load(&r->tainted_ms))
                released = lease_release(&r->lease) == 0;
        }
    }
    run_free(r);
    engine_end(p, job->life, e >= 0, released);
    free(job);
}

int engine_start(struct provision *p, struct life *l, enum engine_start how, int64_t claim_sent_ms)
{
    struct engine_job *job = calloc(1, sizeof(*job));

    if (!job)
        return -ENOMEM;
    *job = (struct engine_job){p, l, how, claim_sent_ms};
    pthread_mutex_lock(&p->lock);
    bool mine = !l->engaged && !l->gone;
    if (mine) {
        l->engaged = true;
        l->refs++;
        due_place(p, l);
    }
    pthread_mutex_unlock(&p->lock);
    int e = mine ? jobs_add(p->engines, engine_main, job) : -EALREADY;
    if (e < 0) {
        free(job);
        if (mine)
            engine_end(p, l, false, false);
    }
    return e;
}
