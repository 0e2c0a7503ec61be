/*
 * mkdir and rmdir up to their answer (engine.md 2 and 9): the claim, and the intent. Both are one
 * PutParameter with Overwrite=false, so SSM decides who was first. What can be known without AWS is
 * checked before, so that a bad name costs nothing.
 *
 * An unclear answer is decided by one read after the sending's deadline: mkdir must be decided 5 s
 * after it was sent (tree.md), which leaves no time for the later look that engine.md 14 wishes
 * for.
 */
#include "provision/internal.h"

#include <errno.h>
#include <stdio.h>

#include "awsapi/ssm.h"
#include "base/str.h"

/* --- mkdir --- */

static int check_unused(struct provision *p, const char *family, const char *id, struct fault *f)
{
    _cleanup_snapshot_ const struct snapshot *s = cache_snapshot(p->cache);
    const struct index_service *there = s ? snapshot_any_service(s, id) : NULL;
    struct life *l = life_get(p, id);
    int r = 0;

    if (!s || !s->swept) { /* a saved index knows neither what came nor what went since */
        life_unref(p, l);
        return fault_set(f, -EAGAIN, "the account has not been read yet");
    }
    if (l) {
        pthread_mutex_lock(&p->lock);
        bool deleting = life_is_going(l);
        pthread_mutex_unlock(&p->lock);
        r = deleting ? -EBUSY : -EEXIST;
    } else if (life_since_vanished(p, id) >= 0) { /* the snapshot may not know of it yet */
        return fault_set(f, -EBUSY, "%s was deleted less than 30 s ago; try again then", id);
    } else if (there) {
        r = there->deleting ? -EBUSY : -EEXIST;
    }
    life_unref(p, l);
    if (r == -EBUSY)
        return fault_set(f, r, "%s is being torn down", id);
    if (r == -EEXIST)
        return fault_set(f, r,
                         "there is a service %s already (ids are unique in the account, not "
                         "only in %s)",
                         id, family);
    return 0;
}

static int find_blueprint(struct provision *p, const char *family, struct blueprint **ret,
                          struct fault *f)
{
    bool changed = false;

    if (!p->catalog)
        return fault_set(f, -EPERM, "no blueprints: mount with -o blueprints=DIR");
    catalog_scan(p->catalog, &changed, NULL); /* a file that was just saved counts */
    if (changed)
        provision_blueprints_changed(p);
    int r = catalog_get(p->catalog, family, ret, f);
    if (r == -ENOENT)
        return fault_set(f, -EPERM, "family %s has no blueprint", family);
    return r;
}

/* After ParameterAlreadyExists: learns whose it is, so that it stands in the tree before the
 * answer. */
static int learn_other(struct provision *p, const char *id, struct fault *f)
{
    struct aws_ctx ctx = {.timeout_ms = p->timing.claim_ms};
    struct life *l = NULL;
    struct fault look = FAULT_INIT;

    int r = watch_read(p, id, &ctx, &l, &look);
    bool deleting = false;
    if (l) {
        pthread_mutex_lock(&p->lock);
        deleting = life_is_going(l);
        pthread_mutex_unlock(&p->lock);
    }
    life_unref(p, l);
    cache_flush(p->cache);
    if (r == -ENOENT || deleting)
        return fault_set(f, -EBUSY, "%s is being torn down", id);
    return fault_set(f, -EEXIST, "another mkdir of %s was first", id);
}

/* After an unclear put: 0 ours; else the errno for mkdir. */
static int decide_claim(struct provision *p, const char *id, const char *claim,
                        const struct fault *put, struct fault *f)
{
    atomic_int_least64_t end = put->unclear_until_ms + 1900;
    struct aws_ctx ctx = {.timeout_ms = 1800, .no_retry = true, .not_after_ms = &end};
    _cleanup_free_ char *text = NULL;
    _cleanup_(record_freep) struct record *found = NULL;
    char name[128];

    bool stopped = p->clock->sleep_until(p->clock, put->unclear_until_ms, p->stop) < 0;
    naming_record(id, name, sizeof(name));
    int r = ssm_get_parameter(p->aws, &ctx, name, &text, NULL);
    while (r < 0 && r != -ENOENT && now_ms(p) + 200 < atomic_load(&end) && !stopped) {
        stopped = p->clock->sleep_until(p->clock, now_ms(p) + 200, p->stop) < 0;
        r = ssm_get_parameter(p->aws, &ctx, name, &text, NULL);
    }
    if (r == 0 && record_parse(id, text, &found, NULL) == 0 && streq(found->claim, claim))
        return 0;
    if (r == 0)
        return learn_other(p, id, f);
    return fault_set(f, -ETIMEDOUT, "the claim of %s was not answered (%s); %s", id, put->message,
                     r == -ENOENT && !stopped ? "nothing is there now"
                                              : "whether it was made is not known");
}

static int put_claim(struct provision *p, const struct record *rec, const char *text,
                     int64_t *ret_sent_ms, struct cancel *cancel, struct fault *f)
{
    const struct ssm_tag tags[] = {{p->service_tag, rec->id},
                                   {p->family_tag, rec->family},
                                   {TAG_MODE, MODE_AUTOMATIC},
                                   {TAG_CLAIM, rec->claim},
                                   {TAG_PHASE, record_phase_name(rec->phase)}};
    struct aws_ctx ctx = {.timeout_ms = p->timing.claim_ms, .cancel = cancel};
    int64_t give_up = now_ms(p) + p->timing.claim_ms;
    struct fault put;
    char name[128];
    int r;

    naming_record(rec->id, name, sizeof(name));
    for (int64_t pause = 200;; pause *= 2) {
        put = FAULT_INIT;
        *ret_sent_ms = now_ms(p);
        r = ssm_put_parameter(p->aws, &ctx, name, text, false, tags, ARRAY_SIZE(tags), &put);
        if (r != -EAGAIN || put.unclear || now_ms(p) + pause > give_up)
            break;
        p->clock->sleep_until(p->clock, now_ms(p) + pause, cancel);
    }
    if (r == 0)
        return 0;
    if (put.unclear)
        return decide_claim(p, rec->id, rec->claim, &put, f);
    if (r == -EEXIST)
        return learn_other(p, rec->id, f);
    return fault_copy(f, &put);
}

static int make_record(struct provision *p, const char *family, const char *id,
                       const struct provision_requester *who, struct record **ret, struct fault *f)
{
    _cleanup_(blueprint_unrefp) struct blueprint *b = NULL;
    _cleanup_(plan_freep) struct plan *plan = NULL;
    char claim[CLAIM_SIZE];

    int r = find_blueprint(p, family, &b, f);
    if (r == 0)
        r = blueprint_check_id(b, id, f);
    if (r == 0)
        r = check_unused(p, family, id, f);
    if (r == 0)
        r = naming_claim(claim, f);
    if (r == 0)
        r = plan_new(b, id, claim, &plan, f);
    if (r == 0)
        r = record_new(plan, who->user, p->host, wall_ms(p), p->lease_ms, ret, f);
    return r;
}

int provision_mkdir(struct provision *p, const char *family, const char *id,
                    const struct provision_requester *who, struct cancel *cancel, struct fault *f)
{
    _cleanup_(record_freep) struct record *rec = NULL;
    _cleanup_free_ char *text = NULL;
    int64_t sent = 0;

    if (p->read_only)
        return fault_set(f, -EROFS, "mounted read-only");
    int r = make_record(p, family, id, who, &rec, f);
    if (r == 0)
        r = record_print(rec, &text, f);
    if (r == 0)
        r = put_claim(p, rec, text, &sent, cancel, f);
    if (r < 0)
        return r;
    struct life *l = life_learn(p, steal_ptr(rec), text, INT64_MAX, NULL);
    if (!l)
        return fault_set(f, -ENOMEM, "no memory; %s is claimed and will be taken up again", id);
    life_event(p, l, NULL, "claimed", NULL, "by %s on %s", who->user, p->host);
    engine_start(p, l, ENGINE_CLAIMED,
                 sent); /* where it cannot be, the work is found later (engine.md 5) */
    life_unref(p, l);
    cache_flush(p->cache);
    return 0;
}

/* --- rmdir --- */

/* Of this mount, in the last minute. */
static int check_pace(struct provision *p, unsigned max, struct fault *f)
{
    int64_t now = now_ms(p);
    unsigned recent = 0;

    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < ARRAY_SIZE(p->deletes_ms); i++)
        recent += p->deletes_ms[i] && now - p->deletes_ms[i] < 60000;
    if (recent < max && recent < ARRAY_SIZE(p->deletes_ms))
        p->deletes_ms[p->deletes_at++ % ARRAY_SIZE(p->deletes_ms)] = now;
    else
        max = 0;
    pthread_mutex_unlock(&p->lock);
    if (max > 0)
        return 0;
    return fault_set(f, -EAGAIN,
                     "%u teardowns within a minute; the family allows no more "
                     "(MaxDeletesPerMinute)",
                     recent);
}

/* The rmdir that was counted did not happen after all. */
static void give_back_pace(struct provision *p)
{
    pthread_mutex_lock(&p->lock);
    if (p->deletes_at > 0)
        p->deletes_ms[--p->deletes_at % ARRAY_SIZE(p->deletes_ms)] = 0;
    pthread_mutex_unlock(&p->lock);
}

/* Reads record and parameters anew and says whether it may go. *ret_intent: the number to make. */
static int check_removable(struct provision *p, const char *family, const char *id,
                           struct life **ret, unsigned *ret_intent, unsigned *ret_max,
                           struct fault *f)
{
    struct aws_ctx ctx = {.timeout_ms = p->timing.call_ms};
    struct life *l = NULL;
    int r = watch_read(p, id, &ctx, &l, f);

    if (r == -ENOENT)
        return fault_set(f, -EPERM,
                         "%s has no record: svcfs did not make it and does not delete it", id);
    if (r < 0)
        return r;
    pthread_mutex_lock(&p->lock);
    bool deleting = life_is_going(l);
    bool is_protected = l->is_protected;
    *ret_intent = l->record->spent + 1;
    *ret_max = l->record->max_deletes_per_minute;
    pthread_mutex_unlock(&p->lock);
    if (!streq(l->family, family))
        r = fault_set(f, -EPERM, "the record of %s belongs to the family %s", id, l->family);
    else if (deleting)
        r = fault_set(f, -EPERM, "%s is being torn down already", id);
    else if (is_protected)
        r = fault_set(f, -EPERM, "%s is protected", id);
    if (r == 0)
        r = depend_check_unused(p, id, f);
    if (r < 0)
        life_unref(p, l);
    else
        *ret = l;
    return r;
}

static bool life_is_over(struct provision *p, struct life *l, const struct aws_ctx *ctx)
{
    struct life *now = NULL;
    int r = watch_read(p, l->id, ctx, &now, NULL);
    bool over = r == -ENOENT || (r == 0 && !streq(now->claim, l->claim));

    life_unref(p, now);
    return over;
}

static int put_intent(struct provision *p, struct life *l, unsigned k, const char *user,
                      struct fault *f)
{
    struct aws_ctx ctx = {.timeout_ms = p->timing.claim_ms};
    _cleanup_free_ char *text = str_printf("by %s on %s", user, p->host);
    _cleanup_free_ char *found = NULL;
    struct fault put = FAULT_INIT;
    char name[128];

    int r = naming_beneath(l->id, l->claim, "delete", k, name, sizeof(name));
    if (r < 0 || !text)
        return fault_set(f, -ENOMEM, "no memory");
    r = ssm_put_parameter(p->aws, &ctx, name, text, false, NULL, 0, &put);
    if (r < 0 && put.unclear) {
        p->clock->sleep_until(p->clock, put.unclear_until_ms, p->stop);
        r = ssm_get_parameter(p->aws, &ctx, name, &found, NULL);
        if (r == -ENOENT && life_is_over(p, l, &ctx))
            return 0; /* it was carried out meanwhile, to the end */
        if (r < 0)
            return fault_set(f, -ETIMEDOUT, "the intent was not answered (%s)", put.message);
        return 0;
    }
    if (r == -EEXIST) {
        life_set_intent(p, l, k);
        return fault_set(f, -EPERM, "%s is being torn down already", l->id);
    }
    return r < 0 ? fault_copy(f, &put) : 0;
}

int provision_rmdir(struct provision *p, const char *family, const char *id,
                    const struct provision_requester *who, _unused_ struct cancel *cancel,
                    struct fault *f)
{
    struct life *l = NULL;
    unsigned k = 0, max = 0;

    if (p->read_only)
        return fault_set(f, -EROFS, "mounted read-only");
    int r = check_removable(p, family, id, &l, &k, &max, f);
    if (r < 0)
        return r;
    r = check_pace(p, max, f);
    if (r == 0) {
        r = put_intent(p, l, k, who->user, f);
        if (r < 0)
            give_back_pace(p);
    }
    if (r == 0) {
        life_event(p, l, NULL, "rmdir", NULL, "by %s on %s", who->user, p->host);
        life_set_intent(p, l, k);
        watch_consider(p, l);
        cache_flush(p->cache);
    }
    life_unref(p, l);
    return r;
}
