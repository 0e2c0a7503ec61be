/*
 * The driver of one step: engine.md «A step» and «Deleting» for all types alike. A type looks or
 * sends; here it is decided when.
 *
 * Making:   [look] → absent: create (once) → look → ours: settle until done.
 * Removing: look → ours: remove (once) → look until absent; in use: later again.
 *
 * A fresh claim's step begins with create, everything else with a look. After an unclear answer the
 * service is quiet until its deadline has passed and reads can be trusted again; then comes a look.
 * A clear refusal because of load or state is followed by another try, with growing pauses, until
 * the run gives up.
 */
#include "provision/run.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

enum {
    POLL_MAX_MS = 5000,
};

struct pace {
    int64_t wait_ms;
};

void step_state_done(struct step_state *s)
{
    json_decref(s->attributes);
    *s = (struct step_state){0};
}

/* --- what the types get --- */

static int state_copy(const struct step_state *from, struct step_state *to)
{
    *to = *from;
    to->attributes = from->attributes ? json_deep_copy(from->attributes) : NULL;
    return from->attributes && !to->attributes ? -ENOMEM : 0;
}

static void step_set_state(struct step_run *s, struct step_state *state)
{
    pthread_mutex_lock(&s->run->p->lock);
    step_state_done(&s->state);
    s->state = *state;
    s->has_state = true;
    pthread_mutex_unlock(&s->run->p->lock);
    *state = (struct step_state){0};
}

static int look_once(struct step_run *s, const struct step_state *known, struct step_state *ret,
                     struct fault *f);

static int ctx_other(struct step_ctx *ctx, const char *logical, struct step_state *ret,
                     struct fault *f)
{
    struct step_run *s = ctx->driver;
    struct run *r = s->run;
    struct step_run *other = NULL;

    for (size_t i = 0; i < r->n_steps; i++)
        if (streq(r->steps[i].logical, logical))
            other = &r->steps[i];
    if (!other)
        return fault_set(f, -EINVAL, "step %s names %s, which the record does not have",
                         ctx->logical, logical);
    pthread_mutex_lock(&r->p->lock);
    bool known = other->has_state && other->state.found == FOUND_OURS;
    int e = known ? state_copy(&other->state, ret) : 0;
    pthread_mutex_unlock(&r->p->lock);
    if (known)
        return e;

    e = look_once(other, NULL, ret, f); /* its own state is its worker's */
    if (e == 0 && ret->found == FOUND_ABSENT) {
        step_state_done(ret);
        return fault_set(f, -ENOENT, "%s is not there", logical);
    }
    return e;
}

static void ctx_event(struct step_ctx *ctx, const char *action, const char *physical,
                      const char *text)
{
    struct step_run *s = ctx->driver;

    life_event(s->run->p, s->run->life, s->logical, action, physical, "%s", text);
}

void step_ctx_init(struct step_run *s, struct step_ctx *ctx, struct aws_ctx *call)
{
    struct run *r = s->run;
    struct provision *p = r->p;

    *call = (struct aws_ctx){.timeout_ms = r->p->timing.call_ms,
                             .not_after_ms = &r->lease.end_ms,
                             .cancel = r->hard,
                             .rate = r->rate};
    *ctx = (struct step_ctx){.aws = p->aws,
                             .call = call,
                             .clock = p->clock,
                             .service_id = r->life->id,
                             .family = r->life->family,
                             .claim = r->life->claim,
                             .region = p->region,
                             .account = p->account,
                             .partition = p->partition,
                             .db_ca = p->db_ca,
                             .logical = s->logical,
                             .token = s->token,
                             .identity = s->identity,
                             .short_id = s->short_id,
                             .tags = r->tags,
                             .known = s->has_state ? &s->state : NULL,
                             .other = ctx_other,
                             .event = ctx_event,
                             .driver = s};
}

static int look_once(struct step_run *s, const struct step_state *known, struct step_state *ret,
                     struct fault *f)
{
    struct aws_ctx call;
    struct step_ctx ctx;
    struct step_state state = {0};

    step_ctx_init(s, &ctx, &call);
    ctx.known = known;
    int r = s->type->look(&ctx, &state, f);
    if (r < 0) {
        step_state_done(&state);
        return r;
    }
    *ret = state;
    return 0;
}

int step_look(struct step_run *s, struct step_state *ret, struct fault *f)
{
    return look_once(s, s->has_state ? &s->state : NULL, ret, f);
}

const struct step_state *step_state_of(void *run, size_t step)
{
    struct run *r = run;

    return r->steps[step].has_state ? &r->steps[step].state : NULL;
}

/* --- pacing --- */

static int step_sleep(struct step_run *s, int64_t until_ms)
{
    return s->run->p->clock->sleep_until(s->run->p->clock, until_ms, s->run->soft);
}

/* Before each call: the service may have to be quiet, or the run may be over. */
static int step_ready(struct step_run *s, struct fault *f)
{
    struct run *r = s->run;
    int64_t quiet = atomic_load(&r->quiet_ms);

    if (quiet > now_ms(r->p) && step_sleep(s, quiet) < 0)
        return fault_set(f, -ECANCELED, "stopped");
    if (cancel_raised(r->soft) || cancel_raised(r->hard) || lease_over(&r->lease))
        return fault_set(f, -ECANCELED, "stopped");
    return 0;
}

static int step_again(struct step_run *s, struct pace *pace, struct fault *f)
{
    struct run *r = s->run;
    int64_t until = now_ms(r->p) + pace->wait_ms;

    if (until > r->give_up_ms)
        return f->err ? f->err : fault_set(f, -ETIMEDOUT, "it took too long");
    pace->wait_ms = MIN(pace->wait_ms * 3 / 2, POLL_MAX_MS);
    if (step_sleep(s, until) < 0)
        return fault_set(f, -ECANCELED, "stopped");
    return 0;
}

/* A write whose end is not known: the service keeps quiet until it is past (engine.md 1, 14). */
static void step_unclear(struct step_run *s, const struct fault *f)
{
    struct run *r = s->run;

    run_unclear(r, f);
    life_event_fault(r->p, r->life, s->logical, "unclear", NULL, "to be looked at again", f);
}

/* --- making --- */

static int fail_stranger(const struct step_state *st, struct fault *f)
{
    fault_set(f, -EEXIST, "exists, not ours: %s", st->detail[0] ? st->detail : st->physical);
    snprintf(
        f->next, sizeof(f->next),
        "svcfs leaves it alone; rename or remove it, or rmdir this service and choose another id");
    return f->err;
}

static void tell_cache(struct step_run *s, const struct step_state *st, bool there)
{
    struct run *r = s->run;
    struct index_tag tags[16];
    const char *key;
    json_t *value;
    size_t n = 0;

    if (!st->key[0])
        return;
    if (s->type->key_prefix) {
        life_set_key(r->p, r->life, st->key, there);
        return;
    }
    if (!there) {
        cache_gone(r->p->cache, st->key);
        return;
    }
    json_object_foreach(r->tags, key, value)
    {
        if (n < ARRAY_SIZE(tags))
            tags[n++] = (struct index_tag){key, json_string_value(value)};
    }
    cache_put(r->p->cache, st->key, tags, n);
}

/* The one create. 0: sent, or may have been; 1: clearly not done, try again later; negative:
 * failed. */
static int step_create(struct step_run *s, json_t *properties, bool *ret_done, struct fault *f)
{
    struct aws_ctx call;
    struct step_ctx ctx;

    int r = step_ready(s, f);
    if (r < 0)
        return r;
    step_ctx_init(s, &ctx, &call);
    life_event(s->run->p, s->run->life, s->logical, "create", NULL, "%s", s->type->name);
    *f = FAULT_INIT;
    s->fresh = false; /* whatever comes of it: from here on it may be there */
    r = s->type->create(&ctx, properties, f);
    if (r == 0) {
        *ret_done = true;
        /* A teardown of this run must not take "does not show yet" for "is gone". */
        atomic_store(&s->run->appear_ms, now_ms(s->run->p) + s->run->p->timing.settle_ms);
        return 0;
    }
    if (f->unclear) {
        step_unclear(s, f);
        return 0;
    }
    if (r == -EEXIST)
        return 0; /* the look says whose it is */
    return run_passing(r) || r == -EBUSY ? 1 : r;
}

static int step_settle(struct step_run *s, json_t *properties, struct step_state *st,
                       struct fault *f)
{
    struct aws_ctx call;
    struct step_ctx ctx;

    if (!s->type->settle)
        return 0;
    int r = step_ready(s, f);
    if (r < 0)
        return r;
    step_ctx_init(s, &ctx, &call);
    *f = FAULT_INIT;
    r = s->type->settle(&ctx, properties, st, f);
    if (r < 0 && f->unclear) {
        step_unclear(s, f);
        return 1;
    }
    return r < 0 && (run_passing(r) || r == -EBUSY) ? 1 : r;
}

/* One look of making. 0: ours; 1: absent; 2: on its way out, ask later; negative: failed. */
static int make_look(struct step_run *s, struct step_state *st, struct pace *pace, struct fault *f)
{
    for (;;) {
        int r = step_ready(s, f);
        if (r < 0)
            return r;
        struct fault look = FAULT_INIT;
        r = step_look(s, st, &look);
        if (r == -ENOENT)
            return 1; /* what it hangs on is not there, so neither is it */
        if (r < 0 && !run_passing(r))
            return fault_copy(f, &look), r;
        if (r < 0) {
            *f = look;
            r = step_again(s, pace, f);
            if (r < 0)
                return r;
            continue;
        }
        switch (st->found) {
        case FOUND_OURS:
            return 0;
        case FOUND_STRANGER:
            return fail_stranger(st, f);
        case FOUND_GOING:
            return 2;
        case FOUND_ABSENT:
            break;
        }
        return 1;
    }
}

/* Ours: settings, states, until usable. */
static int make_usable(struct step_run *s, json_t *properties, struct step_state *st,
                       struct pace *pace, struct fault *f)
{
    for (;;) {
        int r = step_settle(s, properties, st, f);
        if (r < 0)
            return r;
        if (st->key[0])
            tell_cache(s, st, true);
        struct step_state keep = {0};
        if (state_copy(st, &keep) == 0)
            step_set_state(s, &keep);
        if (r == 0)
            return 0;
        r = step_again(s, pace, f);
        if (r < 0)
            return r;
        step_state_done(st);
        r = make_look(s, st, pace, f);
        if (r != 0)
            return r < 0 ? r : fault_set(f, -ENOENT, "it went away while it was being set up");
    }
}

static int make_found(struct step_run *s, json_t *properties, struct step_state *st,
                      struct fault *f)
{
    struct pace pace = {s->run->p->timing.look_ms};
    bool look_first = !s->fresh, created = false;
    int64_t appear = 0;
    int r;

    for (;;) {
        if (look_first) {
            r = make_look(s, st, &pace, f);
            if (r <= 0)
                return r;
            bool pending = r == 2 || (created && now_ms(s->run->p) < appear);
            if (pending) {
                step_state_done(st);
                r = step_again(s, &pace, f);
                if (r < 0)
                    return r;
                continue;
            }
            if (f->err == -EEXIST)
                return f->err; /* refused as existing, yet nothing that we can see */
            if (created)       /* a second one could be a second thing: a human must look */
                return fault_set(f, -EIO, "it was created, but does not show");
        }
        bool done = false;
        r = step_create(s, properties, &done, f);
        if (r < 0)
            return r;
        if (r == 1) {
            r = step_again(s, &pace, f);
            if (r < 0)
                return r;
            continue;
        }
        created = created || done;
        appear = now_ms(s->run->p) + s->run->p->timing.appear_ms;
        look_first = true;
    }
}

int step_make(struct step_run *s)
{
    struct run *r = s->run;
    struct fault *f = &s->fault;
    struct step_state st = {0};
    _cleanup_json_ json_t *properties = NULL;
    struct pace pace = {s->run->p->timing.look_ms};

    pthread_mutex_lock(&r->p->lock);
    int e = plan_resolve(r->plan, s->index, step_state_of, r, &properties, f);
    pthread_mutex_unlock(&r->p->lock);
    if (e == 0)
        e = make_found(s, properties, &st, f);
    if (e == 0)
        e = make_usable(s, properties, &st, &pace, f);
    if (e == 0)
        life_event(r->p, r->life, s->logical, "done", st.short_id, "%s", s->type->name);
    else if (e != -ECANCELED)
        life_event_fault(r->p, r->life, s->logical, "failed", NULL, NULL, f);
    step_state_done(&st);
    return e;
}

/* --- removing --- */

static int unmake_send(struct step_run *s, const struct step_state *st, struct pace *pace,
                       struct fault *f)
{
    struct run *r = s->run;
    struct aws_ctx call;
    struct step_ctx ctx;

    step_ctx_init(s, &ctx, &call);
    *f = FAULT_INIT;
    int e = s->type->remove(&ctx, st, f);
    if (e < 0 && f->unclear) {
        step_unclear(s, f);
        return 0;
    }
    if (e == 0 || e == -ENOENT)
        return 0;
    if (e != -EBUSY && !run_passing(e))
        return e;
    if (pace->wait_ms <= r->p->timing.look_ms)
        life_event_fault(r->p, r->life, s->logical, "waits", st->short_id, NULL, f);
    return 0;
}

static int retain(struct step_run *s, const struct step_state *st, struct fault *f)
{
    struct run *r = s->run;
    struct aws_ctx call;
    struct step_ctx ctx;
    _cleanup_json_ json_t *set = json_pack("{s:s}", TAG_RETAINED, r->life->id);
    _cleanup_json_ json_t *unset = json_pack("[s,s,s]", TAG_MODE, r->p->service_tag, TAG_CLAIM);

    if (!set || !unset)
        return fault_set(f, -ENOMEM, "no memory");
    step_ctx_init(s, &ctx, &call);
    int e = s->type->retag(&ctx, st, set, unset, f);
    if (e < 0)
        return e;
    const struct index_tag tags[] = {{r->p->family_tag, r->life->family},
                                     {TAG_RETAINED, r->life->id}};
    cache_put(r->p->cache, st->key, tags, ARRAY_SIZE(tags));
    life_event(r->p, r->life, s->logical, "retained", st->short_id, "left in the account: %s",
               st->physical);
    return 0;
}

/* What is found decides. 0: nothing of ours is left; 1: look again later; negative: failed. */
static int unmake_found(struct step_run *s, struct step_state *st, bool *sent, struct pace *pace,
                        struct fault *f)
{
    struct run *r = s->run;
    int e;

    switch (st->found) {
    case FOUND_ABSENT:
        return 0;
    case FOUND_STRANGER:
        life_event(r->p, r->life, s->logical, "left", NULL, "not ours, left alone: %s", st->detail);
        return 0;
    case FOUND_GOING:
        return 1;
    case FOUND_OURS:
        break;
    }
    if (s->retain) {
        e = retain(s, st, f);
        if (e < 0 && f->unclear)
            step_unclear(s, f);
        else if (e < 0 && !run_passing(e))
            return e;
        return e == 0 ? 0 : 1;
    }
    if (!*sent)
        life_event(r->p, r->life, s->logical, "delete", st->short_id, "%s", s->type->name);
    *sent = true;
    e = unmake_send(s, st, pace, f);
    return e < 0 ? e : 1;
}

int step_unmake(struct step_run *s)
{
    struct run *r = s->run;
    struct fault *f = &s->fault;
    struct pace pace = {s->run->p->timing.look_ms};
    struct step_state seen = {0};
    bool sent = false;
    int e = step_sleep(s, atomic_load(&r->appear_ms));

    if (e < 0)
        return fault_set(f, e, "stopped");
    for (;;) {
        e = step_ready(s, f);
        if (e < 0)
            break;
        struct step_state st = {0};
        struct fault look = FAULT_INIT;
        e = step_look(s, &st, &look);
        if (e == -ENOENT) /* what it hangs on is gone, and it with that */
            e = 0, st.found = FOUND_ABSENT;
        if (e < 0) {
            *f = look;
            e = run_passing(e) ? 1 : e;
        } else {
            if (st.found == FOUND_OURS)
                seen = (struct step_state){0}, state_copy(&st, &seen), json_decref(seen.attributes),
                seen.attributes = NULL;
            e = unmake_found(s, &st, &sent, &pace, f);
        }
        step_state_done(&st);
        if (e <= 0)
            break;
        e = step_again(s, &pace, f);
        if (e < 0)
            break;
    }
    if (e == 0 && seen.key[0] && !s->retain)
        tell_cache(s, &seen, false);
    if (e == 0 && sent)
        life_event(r->p, r->life, s->logical, "deleted", seen.short_id, "%s", s->type->name);
    else if (e < 0 && e != -ECANCELED)
        life_event_fault(r->p, r->life, s->logical, "failed", seen.short_id, NULL, f);
    return e;
}

int step_pause(struct step_run *s)
{
    struct step_state st = {0};
    struct aws_ctx call;
    struct step_ctx ctx;

    if (!s->type->pause || s->retain || step_ready(s, &s->fault) < 0)
        return 0;
    int e = step_look(s, &st, &s->fault);
    if (e == 0 && st.found == FOUND_OURS) {
        step_ctx_init(s, &ctx, &call);
        e = s->type->pause(&ctx, &st, &s->fault);
        if (e == 0)
            life_event(s->run->p, s->run->life, s->logical, "stopped", st.short_id, "%s",
                       s->type->name);
        else if (s->fault.unclear)
            step_unclear(s, &s->fault);
    }
    step_state_done(&st);
    return e;
}
