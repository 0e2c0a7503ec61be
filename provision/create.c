/*
 * From the claim to ready, or failed. Every step whose needs are done runs on a worker of its own;
 * the first failure, the time limit or an intent to delete stops the rest. What was made stays, and
 * the record lists it: `retry` or rmdir go on from there.
 *
 * Creation goes on only with the blueprint that the record was made from (same hash): otherwise
 * steps and identities would not fit, so the service is failed and says so.
 */
#include "provision/run.h"

#include <errno.h>
#include <inttypes.h>

#include "awsapi/ssm.h"
#include "base/str.h"

static int load_plan(struct run *r, struct fault *f)
{
    _cleanup_(blueprint_unrefp) struct blueprint *b = NULL;
    int e = -ENOENT;

    if (r->p->catalog)
        e = catalog_get(r->p->catalog, r->life->family, &b, f);
    if (e < 0)
        return fault_set(f, -EPERM,
                         "the blueprint of %s is not there or broken (see .svcfs/errors)",
                         r->life->family);
    if (!streq(blueprint_hash(b), r->record->blueprint_hash)) {
        fault_set(f, -EPERM, "the blueprint of %s changed since this service was claimed",
                  r->life->family);
        if (f)
            snprintf(f->next, sizeof(f->next), "rmdir it and make it anew");
        return -EPERM;
    }
    plan_free(r->plan);
    r->plan = NULL;
    e = plan_new(b, r->life->id, r->life->claim, &r->plan, f);
    if (e < 0)
        return e;
    e = run_steps_from_record(r, f);
    if (e == 0 && r->n_steps != r->plan->n_steps)
        e = fault_set(f, -EPROTO, "the record does not list the steps of its blueprint");
    for (size_t i = 0; e == 0 && i < r->n_steps; i++) {
        r->steps[i].fresh = r->fresh;
        if (!streq(r->steps[i].logical, r->plan->steps[i].logical))
            e = fault_set(f, -EPROTO, "the record does not list the steps of its blueprint");
    }
    r->give_up_ms = now_ms(r->p) + blueprint_settings(b)->create_timeout_ms;
    return e;
}

/* A family whose services are protected from the start: before ready, so that nobody sees it
 * without. */
static int protect(struct run *r, struct fault *f)
{
    char name[128];

    if (r->is_protected || !blueprint_settings(r->plan->blueprint)->is_protected)
        return 0;
    naming_beneath(r->life->id, r->life->claim, "protect", 0, name, sizeof(name));
    return run_put_beneath(r, name, r->p->host, f);
}

/* --- the loop --- */

static bool needs_done(const struct run *r, size_t i)
{
    const struct plan_step *s = &r->plan->steps[i];

    for (size_t k = 0; k < s->n_needs; k++)
        if (r->steps[s->needs[k]].status != STEP_DONE)
            return false;
    return true;
}

/* Starts what can be started. *ret_done: all are done; *ret_failed: one that failed, or NULL. */
static int dispatch(struct run *r, bool *ret_done, struct step_run **ret_failed)
{
    bool start[256] = {false};
    size_t done = 0;
    struct step_run *failed = NULL;

    pthread_mutex_lock(&r->p->lock);
    r->seen = r->changes; /* what ends from here on wakes run_wait */
    for (size_t i = 0; i < r->n_steps && i < ARRAY_SIZE(start); i++) {
        done += r->steps[i].status == STEP_DONE;
        if (r->steps[i].status == STEP_FAILED && !failed)
            failed = &r->steps[i];
        start[i] = r->steps[i].status == STEP_PENDING && needs_done(r, i);
    }
    pthread_mutex_unlock(&r->p->lock);
    *ret_done = done == r->n_steps;
    *ret_failed = failed;
    for (size_t i = 0; !failed && i < r->n_steps; i++) {
        int e = start[i] ? run_start_step(r, &r->steps[i], STEP_MAKE) : 0;
        if (e < 0)
            return e;
    }
    return 0;
}

/* 0: all done; 1: an intent to delete came; negative: as run_keep, or with f: failed. */
static int make_all(struct run *r, struct step_run **ret_failed, struct fault *f)
{
    struct step_run *failed = NULL;
    bool done = false;

    for (;;) {
        int e = run_keep(r, false);
        if (e < 0)
            return e;
        if (r->intent > r->record->spent)
            return 1;
        e = dispatch(r, &done, &failed);
        if (e < 0)
            return fault_set(f, -EAGAIN, "no worker could be started");
        if (done)
            return 0;
        if (failed) {
            *ret_failed = failed;
            return fault_copy(f, &failed->fault);
        }
        if (now_ms(r->p) > r->give_up_ms)
            return fault_set(f, -ETIMEDOUT, "not done within CreateTimeout");
        run_wait(r, r->give_up_ms);
    }
}

/* --- the outcome --- */

static int note_ids(struct run *r)
{
    for (size_t i = 0; i < r->n_steps; i++) {
        struct record_step *to = &r->record->steps[i];
        struct step_run *s = &r->steps[i];

        if (!s->has_state || s->state.found != FOUND_OURS || !s->state.short_id[0])
            continue;
        free(to->short_id);
        to->short_id = strdup(s->state.short_id);
        s->short_id = to->short_id;
        if (!to->short_id)
            return -ENOMEM;
    }
    return 0;
}

static int write_ready(struct run *r, struct fault *f)
{
    json_t *outputs = NULL;
    int e = plan_outputs(r->plan, step_state_of, r, &outputs, f);

    if (e < 0)
        return e;
    json_decref(r->record->outputs);
    r->record->outputs = outputs;
    free(r->record->error);
    r->record->error = NULL;
    r->record->phase = PHASE_READY;
    e = run_write_record(r, f);
    if (e < 0)
        return e;
    life_event(r->p, r->life, NULL, "ready", NULL, "all %zu steps are done", r->n_steps);
    life_set_health(r->p, r->life, false, "");
    return 0;
}

/* OnFailure ROLLBACK: the owner makes the intent that somebody's rmdir would make. */
static int roll_back(struct run *r)
{
    struct fault f = FAULT_INIT;
    char name[128];

    naming_beneath(r->life->id, r->life->claim, "delete", r->record->spent + 1, name, sizeof(name));
    int e = run_put_beneath(r, name, "OnFailure ROLLBACK", &f);
    if (e < 0 && f.err)
        life_event_fault(r->p, r->life, NULL, "failed", NULL, "cannot begin the roll-back", &f);
    return e == -ECANCELED || e == -ESTALE ? e : run_keep(r, true);
}

static bool run_ended(int e)
{
    return e == -ESTALE || e == -ECANCELED;
}

int run_create(struct run *r)
{
    struct fault why = FAULT_INIT;
    struct step_run *failed = NULL;
    int made = load_plan(r, &why);

    if (made == 0) {
        run_aside(r, run_groups_make);
        made = make_all(r, &failed, &why);
        int kept = made == 0 ? run_drain(r) : run_stop_steps(r);
        r->fresh = false;
        if (kept < 0)
            return kept;
    }
    if (made == 0)
        made = protect(r, &why);
    if (run_ended(made))
        return made;
    int e = run_keep(r, true);
    if (e < 0)
        return e;
    if (note_ids(r) < 0)
        return -ENOMEM;
    if (made == 1 || r->intent > r->record->spent)
        return 0; /* to be torn down */
    if (made == 0)
        made = write_ready(r, &why);
    if (made == 0 || run_ended(made))
        return made;
    e = run_fail(r, failed ? failed->logical : "", "creation", &why);
    if (e == 0 && r->plan && blueprint_settings(r->plan->blueprint)->rollback)
        e = roll_back(r);
    return e;
}
