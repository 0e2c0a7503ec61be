/*
 * From an intent to delete to nothing, or to failed (engine.md 10, 11). It needs the record alone:
 * steps in the reverse of the order in which they were made; neighbours of one type side by side,
 * since none of these types refers to its like but security groups, and those AWS refuses until
 * they can go.
 *
 * The record goes before the parameters beneath it: the other way round, a slow taker would find a
 * record without an owner and begin anew.
 */
#include "provision/run.h"

#include <errno.h>

#include "awsapi/ssm.h"
#include "base/str.h"

static int write_failed(struct run *r, const char *step, const struct fault *why)
{
    r->record->spent = MAX(r->intent, r->record->spent);
    return run_fail(r, step, "teardown", why);
}

/* Writes `deleting`, unless that is written. 0; 1: protected, outcome written; negative as
 * run_keep. */
static int begin(struct run *r)
{
    struct fault f = FAULT_INIT;

    if (r->record->phase == PHASE_DELETING)
        return 0;
    int e = run_keep(r, true);
    if (e < 0)
        return e;
    if (r->is_protected) {
        fault_set(&f, -EPERM, "protected");
        snprintf(f.next, sizeof(f.next), "nothing was deleted; chmod u+w it first");
        e = write_failed(r, "", &f);
        return e < 0 ? e : 1;
    }
    free(r->record->error);
    r->record->error = NULL;
    r->record->phase = PHASE_DELETING;
    e = run_write_record(r, &f);
    if (e == 0)
        life_event(r->p, r->life, NULL, "deleting", NULL, "teardown %u begins", r->intent);
    return e;
}

/* Gives steps [from, to) to workers and waits for all. 0; 1: *ret_failed failed; negative as
 * run_keep. */
static int work_on(struct run *r, size_t from, size_t to, enum step_work work,
                   struct step_run **ret_failed)
{
    for (size_t i = from; i < to; i++) {
        int e = run_start_step(r, &r->steps[i], work);
        if (e < 0) {
            fault_set(&r->steps[i].fault, -EAGAIN, "no worker could be started");
            *ret_failed = &r->steps[i];
        }
    }
    int kept = run_drain(r);
    if (kept < 0)
        return kept;
    for (size_t i = from; i < to && !*ret_failed; i++)
        if (r->steps[i].status == STEP_FAILED)
            *ret_failed = &r->steps[i];
    for (size_t i = from; i < to && !*ret_failed; i++)
        if (r->steps[i].status != STEP_DONE)
            return -ESTALE; /* it stopped, so the lease was over for it: what it had to do is not
                               done */
    return *ret_failed ? 1 : 0;
}

/* The time for second thoughts runs from the intent: a taker's wait for its reading counts. */
static int grace(struct run *r)
{
    struct step_run *failed = NULL;

    pthread_mutex_lock(&r->p->lock);
    int64_t until = r->life->intent_ms + r->record->delete_grace_ms;
    pthread_mutex_unlock(&r->p->lock);
    if (r->record->delete_grace_ms == 0)
        return 0;
    int e = work_on(r, 0, r->n_steps, STEP_PAUSE, &failed);
    return e < 0 ? e : run_sleep(r, until);
}

static int remove_all(struct run *r, struct step_run **ret_failed)
{
    size_t end = r->n_steps;

    while (end > 0) {
        size_t begin_at = end - 1;
        while (begin_at > 0 && r->steps[begin_at - 1].type == r->steps[end - 1].type)
            begin_at--;
        int e = work_on(r, begin_at, end, STEP_UNMAKE, ret_failed);
        if (e != 0)
            return e;
        end = begin_at;
    }
    return 0;
}

/* --- the end of the record --- */

/* Whether an unclear delete of the record was done. 0: gone; 1: still there; negative as run_keep.
 */
static int record_gone(struct run *r, const char *name, int64_t unclear_until_ms)
{
    struct aws_ctx ctx = {.not_after_ms = &r->lease.end_ms, .cancel = r->hard};
    int e = run_sleep(r, unclear_until_ms + r->p->timing.settle_ms);

    while (e == 0) {
        _cleanup_free_ char *text = NULL;
        _cleanup_(record_freep) struct record *found = NULL;
        e = ssm_get_parameter(r->p->aws, &ctx, name, &text, NULL);
        if (e == -ENOENT)
            return 0;
        if (e == 0 && record_parse(r->life->id, text, &found, NULL) < 0)
            return -ESTALE; /* not ours to delete */
        if (e == 0)         /* another claim: the next life is there already, and must stay */
            return streq(found->claim, r->life->claim) ? 1 : 0;
        e = run_sleep(r, now_ms(r->p) + 1000);
    }
    return e;
}

static int delete_record(struct run *r, struct fault *f)
{
    struct aws_ctx ctx = {
        .timeout_ms = r->p->timing.call_ms, .not_after_ms = &r->lease.end_ms, .cancel = r->hard};
    char name[128];

    naming_record(r->life->id, name, sizeof(name));
    for (;;) {
        struct fault gone = FAULT_INIT;
        int e = ssm_delete_parameter(r->p->aws, &ctx, name, &gone);
        if (e == 0 || e == -ENOENT)
            return 0;
        if (gone.unclear) {
            run_unclear(r, &gone);
            e = record_gone(r, name, gone.unclear_until_ms);
        } else if (run_passing(e)) {
            e = run_sleep(r, now_ms(r->p) + 1000);
            e = e < 0 ? e : 1;
        } else {
            return fault_copy(f, &gone), e;
        }
        if (e <= 0)
            return e;
    }
}

/* Best effort: what stays is found by any daemon's sweep and deleted there (engine.md 11). */
static void delete_children(struct run *r)
{
    struct aws_ctx ctx = {.timeout_ms = r->p->timing.call_ms, .cancel = r->p->stop};
    _cleanup_ssm_ struct ssm_parameters all = {0};
    char path[128];

    if (str_format(path, sizeof(path), "/svcfs/%s/%s", r->life->id, r->life->claim) < 0 ||
        ssm_get_parameters_by_path(r->p->aws, &ctx, path, &all, NULL) < 0)
        return;
    for (size_t i = 0; i < all.n; i++)
        ssm_delete_parameter(r->p->aws, &ctx, all.items[i].name, NULL);
}

int run_teardown(struct run *r)
{
    struct step_run *failed = NULL;
    struct fault why = FAULT_INIT;
    int e = begin(r);

    if (e != 0)
        return e == 1 ? 0 : e;
    r->give_up_ms = now_ms(r->p) + r->record->delete_grace_ms + r->p->timing.delete_ms;
    e = run_steps_from_record(r, &why);
    if (e < 0)
        return write_failed(r, "", &why);
    e = grace(r);
    if (e == 0)
        e = remove_all(r, &failed);
    if (e == 1)
        return write_failed(r, failed->logical, &failed->fault);
    if (e == 0) {
        run_aside(r, run_groups_remove);
        e = run_drain(r);
    }
    if (e == 0) /* the record outlives whatever of ours may still arrive */
        e = run_sleep(r, atomic_load(&r->tainted_ms));
    if (e < 0)
        return e;
    e = delete_record(r, &why);
    if (e == -ESTALE || e == -ECANCELED)
        return e;
    if (e < 0)
        return write_failed(r, "", &why);
    life_event(r->p, r->life, NULL, "deleted", NULL, "nothing is left");
    life_vanished(r->p, r->life);
    run_groups_remove_family(r);
    delete_children(r);
    return 1;
}
