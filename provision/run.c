/*
 * What an owner does besides its work: keeps the lease, reads the parameters beneath, overwrites
 * the record, gives steps to workers and waits for them (engine.md 3, 4, 7, 8).
 *
 * The engine thread alone calls this. Whatever blocks here is bounded by the lease, since every
 * call's deadline is. Steps run on workers and tell it through provision's condition: `changes`
 * counts what ended, `seen` what the thread knows of, so that nothing that ends between two waits
 * is missed.
 */
#include "provision/run.h"

#include <errno.h>

#include "awsapi/ssm.h"
#include "base/str.h"

enum { READ_PATIENCE_MS = 60000 };

bool run_passing(int err)
{
    return err == -EAGAIN || err == -EREMOTEIO || err == -ETIMEDOUT || err == -EHOSTUNREACH ||
           err == -EKEYEXPIRED || err == -ENOKEY;
}

static void atomic_max(atomic_int_least64_t *a, int64_t v)
{
    int64_t old = atomic_load(a);

    while (old < v && !atomic_compare_exchange_weak(a, &old, v))
        ;
}

void run_unclear(struct run *r, const struct fault *f)
{
    atomic_max(&r->quiet_ms, f->unclear_until_ms + r->p->timing.settle_ms);
    atomic_max(&r->tainted_ms, f->unclear_until_ms);
}

/* --- keeping the lease --- */

static int read_children(struct run *r)
{
    struct aws_ctx ctx = {.timeout_ms =
                              MIN(r->p->timing.call_ms, MAX(1000, r->lease.length_ms / 3)),
                          .no_retry = true,
                          .not_after_ms = &r->lease.end_ms,
                          .cancel = r->hard};
    int64_t begun = now_ms(r->p);
    struct children c;

    int e = children_read(r->p, r->life->id, r->life->claim, &ctx, &c, NULL);
    if (e < 0)
        return e;
    r->intent = MAX(r->intent, c.intent);
    r->is_protected = c.is_protected;
    life_set_children(r->p, r->life, &c, begun);
    bool other = c.owner_n > r->lease.n ||
                 (c.owner_n == r->lease.n && !streq(c.owner.nonce, r->lease.owner.nonce));
    return other ? -ESTALE : 0;
}

static bool take_kick(struct run *r)
{
    pthread_mutex_lock(&r->p->lock);
    bool kicked = r->life->kicked;
    r->life->kicked = false;
    if (kicked)
        r->intent = MAX(r->intent, r->life->intent);
    pthread_mutex_unlock(&r->p->lock);
    return kicked;
}

static int keep_once(struct run *r, bool read_now)
{
    struct provision *p = r->p;

    if (cancel_raised(p->stop))
        return -ECANCELED;
    if (lease_over(&r->lease))
        return -ESTALE;
    if (now_ms(p) >= r->lease.renew_ms)
        lease_renew(&r->lease, r->hard, NULL);
    bool kicked = take_kick(r);
    if (read_now || kicked || now_ms(p) >= r->children_ms) {
        int e = read_children(r);
        r->children_ms = now_ms(p) + (e == 0 ? p->timing.children_ms : 1000);
        if (e == -ESTALE || (read_now && e < 0))
            return e;
    }
    return lease_over(&r->lease) ? -ESTALE : 0;
}

int run_keep(struct run *r, bool read_now)
{
    int64_t give_up = now_ms(r->p) + READ_PATIENCE_MS;
    int e = keep_once(r, read_now);

    /* An outcome must not hang on one read that failed. */
    while (read_now && e < 0 && run_passing(e) && now_ms(r->p) < give_up) {
        run_wait(r, now_ms(r->p) + 1000);
        e = keep_once(r, true);
    }
    return e;
}

void run_wait(struct run *r, int64_t until_ms)
{
    struct provision *p = r->p;
    int64_t until = MIN(until_ms, MIN(r->lease.renew_ms, r->children_ms));

    until = MIN(until, atomic_load(&r->lease.end_ms));
    pthread_mutex_lock(&p->lock);
    while (now_ms(p) < until && r->changes == r->seen && !r->life->kicked &&
           !cancel_raised(p->stop))
        clock_cond_wait(p->clock, &p->changed, &p->lock, until);
    r->seen = r->changes;
    pthread_mutex_unlock(&p->lock);
}

int run_sleep(struct run *r, int64_t until_ms)
{
    while (now_ms(r->p) < until_ms) {
        int e = run_keep(r, false);
        if (e < 0)
            return e;
        run_wait(r, until_ms);
    }
    return run_keep(r, false);
}

/* --- the record --- */

/* After an unclear overwrite. 0: it is there; 1: it is not; else as run_keep. */
static int record_arrived(struct run *r, const char *text, const struct fault *put)
{
    struct aws_ctx ctx = {.not_after_ms = &r->lease.end_ms, .cancel = r->hard};
    char name[128];

    run_unclear(r, put); /* a stop meanwhile must not give the service to another too early */
    int e = run_sleep(r, put->unclear_until_ms + r->p->timing.settle_ms);
    for (int64_t pause = 500; e == 0; pause *= 2) {
        _cleanup_free_ char *now = NULL;
        _cleanup_(record_freep) struct record *found = NULL;
        struct fault f = FAULT_INIT;

        naming_record(r->life->id, name, sizeof(name));
        e = ssm_get_parameter(r->p->aws, &ctx, name, &now, &f);
        if (e == 0 && streq(now, text))
            return 0;
        if (e == 0 && record_parse(r->life->id, now, &found, NULL) == 0 &&
            streq(found->claim, r->life->claim))
            return 1;
        if (e == 0 || e == -ENOENT)
            return -ESTALE; /* another life: ours has been ended by somebody */
        pause = MIN(pause, 5000);
        e = run_sleep(r, now_ms(r->p) + pause);
    }
    return e;
}

static void tag_phase(struct run *r)
{
    struct aws_ctx ctx = {.not_after_ms = &r->lease.end_ms, .cancel = r->hard};
    const struct ssm_tag tag = {TAG_PHASE, record_phase_name(r->record->phase)};
    struct fault f = FAULT_INIT;
    char name[128];

    naming_record(r->life->id, name, sizeof(name));
    if (ssm_add_tags(r->p->aws, &ctx, name, &tag, 1, &f) < 0)
        life_event_fault(r->p, r->life, NULL, "untagged", NULL, TAG_PHASE " of the record", &f);
}

/* 1: the pause is over; else as run_keep. */
static int again(struct run *r, int64_t pause_ms)
{
    int e = run_sleep(r, now_ms(r->p) + pause_ms);

    return e < 0 ? e : 1;
}

int run_put_beneath(struct run *r, const char *name, const char *text, struct fault *f)
{
    struct aws_ctx ctx = {
        .timeout_ms = r->p->timing.call_ms, .not_after_ms = &r->lease.end_ms, .cancel = r->hard};
    struct fault put;
    int e = 1;

    for (int64_t pause = 250; e == 1; pause = MIN(pause * 2, 5000)) {
        put = FAULT_INIT;
        e = ssm_put_parameter(r->p->aws, &ctx, name, text, false, NULL, 0, &put);
        if (e == 0 || e == -EEXIST)
            return 0;
        if (put.unclear) { /* once more is harmless then: it is there, or it is made */
            run_unclear(r, &put);
            e = run_sleep(r, put.unclear_until_ms);
            e = e < 0 ? e : 1;
        } else if (run_passing(e)) {
            e = again(r, pause);
        } else {
            fault_copy(f, &put);
        }
    }
    return e;
}

int run_write_record(struct run *r, struct fault *f)
{
    struct aws_ctx ctx = {
        .timeout_ms = r->p->timing.call_ms, .not_after_ms = &r->lease.end_ms, .cancel = r->hard};
    _cleanup_free_ char *text = NULL;
    _cleanup_(record_freep) struct record *copy = NULL;
    struct fault put = FAULT_INIT;
    char name[128];

    r->record->changed_wall_ms = wall_ms(r->p);
    naming_record(r->life->id, name, sizeof(name));
    int e = record_print(r->record, &text, f);
    if (e == 0 && record_copy(r->record, &copy) < 0)
        e = fault_set(f, -ENOMEM, "no memory");
    for (int64_t pause = 250; e == 0; pause = MIN(pause * 2, 5000)) {
        put = FAULT_INIT;
        e = ssm_put_parameter(r->p->aws, &ctx, name, text, true, NULL, 0, &put);
        if (e == 0)
            break;
        if (put.unclear)
            e = record_arrived(r, text, &put);
        else if (run_passing(
                     e)) /* the network's end or a throttle must not turn ready into failed */
            e = again(r, pause);
        else
            fault_copy(f, &put);
        if (e == 0)
            break;
        e = e == 1 ? 0 : e;
    }
    if (e < 0)
        return e;
    life_set_record(r->p, r->life, steal_ptr(copy),
                    text); /* who waits for it need not wait for the tag */
    tag_phase(r);
    return 0;
}

int run_fail(struct run *r, const char *step, const char *what, const struct fault *why)
{
    struct fault f = FAULT_INIT;

    free(r->record->error);
    r->record->error = record_error_text(step, why);
    r->record->phase = PHASE_FAILED;
    life_event_fault(r->p, r->life, step, "failed", NULL, what, why);
    int e = run_write_record(r, &f);
    if (e < 0 && e != -ESTALE && e != -ECANCELED)
        life_event_fault(r->p, r->life, NULL, "failed", NULL, "the record cannot be written", &f);
    return e;
}

/* --- steps --- */

static void step_job(void *arg)
{
    struct step_run *s = arg;
    struct run *r = s->run;

    static int (*const work[])(struct step_run *) = {
        [STEP_MAKE] = step_make, [STEP_PAUSE] = step_pause, [STEP_UNMAKE] = step_unmake};

    s->fault = FAULT_INIT;
    int e = work[s->work](s);
    pthread_mutex_lock(&r->p->lock);
    if (e < 0 && s->fault.err == 0)
        s->fault.err = e;
    if (e == -ECANCELED)
        s->status = STEP_PENDING;
    else
        s->status = e < 0 ? STEP_FAILED : STEP_DONE;
    r->running--;
    r->changes++;
    pthread_cond_broadcast(&r->p->changed);
    pthread_mutex_unlock(&r->p->lock);
}

int run_start_step(struct run *r, struct step_run *s, enum step_work work)
{
    pthread_mutex_lock(&r->p->lock);
    s->status = STEP_RUNNING;
    s->work = work;
    r->running++;
    pthread_mutex_unlock(&r->p->lock);
    int e = jobs_add(r->p->steps, step_job, s);
    if (e < 0) {
        pthread_mutex_lock(&r->p->lock);
        s->status = STEP_PENDING;
        r->running--;
        pthread_mutex_unlock(&r->p->lock);
    }
    return e;
}

/* Waits until no worker has anything of r. Its calls are cut off where the lease is lost, and soon
 * after the daemon was told to stop. */
static int wait_for_workers(struct run *r)
{
    struct provision *p = r->p;
    int64_t cut = 0;
    int kept = 0;

    for (;;) {
        pthread_mutex_lock(&p->lock);
        size_t running = r->running;
        r->seen = r->changes;
        if (running > 0 && kept < 0)
            clock_cond_wait(p->clock, &p->changed, &p->lock, now_ms(p) + 200);
        pthread_mutex_unlock(&p->lock);
        if (running == 0)
            return kept;
        if (kept == 0) {
            run_wait(r, now_ms(p) + 1000);
            kept = run_keep(r, false);
            cut = now_ms(p) + p->timing.stop_ms;
        }
        if (kept < 0)
            cancel_raise(r->soft);
        if (kept == -ESTALE || (kept < 0 && now_ms(p) >= cut))
            cancel_raise(r->hard);
    }
}

int run_stop_steps(struct run *r)
{
    cancel_raise(r->soft);
    int kept = wait_for_workers(r);

    struct cancel *again_soft = cancel_new();
    if (!again_soft)
        return -ENOMEM; /* the raised one stays: nothing is started any more */
    cancel_unref(r->soft);
    r->soft = again_soft;
    return kept;
}

struct aside {
    struct run *run;
    void (*fn)(struct run *r);
};

static void aside_job(void *arg)
{
    struct aside *a = arg;
    struct run *r = a->run;

    a->fn(r);
    free(a);
    pthread_mutex_lock(&r->p->lock);
    r->running--;
    r->changes++;
    pthread_cond_broadcast(&r->p->changed);
    pthread_mutex_unlock(&r->p->lock);
}

int run_aside(struct run *r, void (*fn)(struct run *r))
{
    struct aside *a = malloc(sizeof(*a));

    if (!a)
        return -ENOMEM;
    *a = (struct aside){r, fn};
    pthread_mutex_lock(&r->p->lock);
    r->running++;
    pthread_mutex_unlock(&r->p->lock);
    int e = jobs_add(r->p->steps, aside_job, a);
    if (e < 0) {
        free(a);
        pthread_mutex_lock(&r->p->lock);
        r->running--;
        pthread_mutex_unlock(&r->p->lock);
        return e;
    }
    return 0;
}

int run_drain(struct run *r)
{
    return wait_for_workers(r);
}

void run_free_steps(struct run *r)
{
    for (size_t i = 0; i < r->n_steps; i++) {
        step_state_done(&r->steps[i].state);
        json_decref(r->steps[i].identity);
    }
    free(r->steps);
    r->steps = NULL;
    r->n_steps = 0;
}

int run_steps_from_record(struct run *r, struct fault *f)
{
    run_free_steps(r);
    r->steps = calloc(r->record->n_steps + 1, sizeof(*r->steps));
    if (!r->steps)
        return fault_set(f, -ENOMEM, "no memory");
    for (size_t i = 0; i < r->record->n_steps; i++) {
        struct record_step *from = &r->record->steps[i];
        struct step_run *s = &r->steps[i];

        if (!from->type)
            return fault_set(f, -EPROTO,
                             "the record has a step %s of a type that this version does not know",
                             from->logical);
        *s = (struct step_run){.run = r,
                               .index = i,
                               .logical = from->logical,
                               .type = from->type,
                               .identity = json_loads(from->identity, 0, NULL),
                               .short_id = from->short_id,
                               .retain = from->retain};
        r->n_steps++;
        if (!s->identity)
            return fault_set(f, -ENOMEM, "no memory");
        if (naming_token(r->life->claim, s->logical, s->token) < 0)
            return fault_set(f, -EIO, "cannot compute the token of %s", s->logical);
    }
    return 0;
}

/* --- beginning and end --- */

void run_free(struct run *r)
{
    if (!r)
        return;
    run_free_steps(r);
    plan_free(r->plan);
    record_free(r->record);
    cancel_unref(r->hard);
    cancel_unref(r->soft);
    json_decref(r->tags);
    life_unref(r->p, r->life);
    free(r);
}

struct run *run_new(struct provision *p, struct life *l)
{
    struct run *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->p = p;
    r->life = life_ref(p, l);
    r->hard = cancel_new();
    r->soft = cancel_new();
    r->record = life_record(p, l);
    r->tags = json_pack("{s:s, s:s, s:s, s:s}", p->service_tag, l->id, p->family_tag, l->family,
                        TAG_MODE, MODE_AUTOMATIC, TAG_CLAIM, l->claim);
    r->lease = (struct lease){.p = p, .id = l->id, .claim = l->claim, .length_ms = p->lease_ms};
    atomic_store(&r->lease.end_ms, INT64_MAX);
    r->give_up_ms = INT64_MAX;
    if (!r->hard || !r->soft || !r->record || !r->tags) {
        run_free(r);
        return NULL;
    }
    return r;
}
