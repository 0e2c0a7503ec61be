/*
 * The watcher's thread, and its reads of single records. It only reads, but for leftovers beneath
 * claims that are no more (engine.md 11).
 *
 * What must be known soon is read by itself: the work of others that users wait for (each poll_ms),
 * and what the tag index (tags.c) or a sweep makes doubtful. Everything else is learnt by sweeps of
 * all records (records.c), which take minutes where there are thousands: so a sweep is read a page
 * a turn, and no turn waits for more than one call's answer. An account at rest costs a wake-up in
 * five seconds, whatever its size: what is due stands on lists (due.c).
 */
#include "provision/internal.h"

#include <errno.h>

#include "base/str.h"

enum { SCAN_MS = 5000 };

/* --- one service --- */

int watch_read_record(struct provision *p, const char *id, const struct aws_ctx *ctx,
                      struct record **ret, char **ret_text, struct fault *f)
{
    _cleanup_free_ char *text = NULL;
    char name[128];

    int r = naming_record(id, name, sizeof(name));
    if (r < 0)
        return fault_set(f, -ENOENT, "no service can have the id %s", id);
    r = ssm_get_parameter(p->aws, ctx, name, &text, f);
    if (r == 0)
        r = record_parse(id, text, ret, f);
    if (r == 0 && ret_text)
        *ret_text = steal_ptr(text);
    return r;
}

int watch_read(struct provision *p, const char *id, const struct aws_ctx *ctx, struct life **ret,
               struct fault *f)
{
    struct record *record = NULL;
    _cleanup_free_ char *text = NULL;
    struct children c = {0};
    struct fault why = FAULT_INIT;
    char claim[CLAIM_SIZE];
    int64_t begun = now_ms(p);

    int r = watch_read_record(p, id, ctx, &record, &text, &why);
    if (r == 0 || r == -EPROTO)
        records_set_bad(p, id, r < 0 ? &why : NULL);
    if (r == -ENOENT)
        life_not_found(p, id, begun);
    if (r < 0)
        return fault_copy(f, &why), r;
    memcpy(claim, record->claim, sizeof(claim));
    r = children_read(p, id, claim, ctx, &c, f);
    if (r < 0) {
        record_free(record);
        return r;
    }
    struct life *l = life_learn(p, record, text, begun, NULL);
    if (!l && life_since_vanished(p, id) >= 0)
        return fault_set(f, -ENOENT, "the record of %s went away while it was read", id);
    if (!l)
        return fault_set(f, -ENOMEM, "no memory");
    if (streq(l->claim, claim))
        life_set_children(p, l, &c, begun);
    pthread_mutex_lock(&p->lock);
    l->polled_ms = now_ms(p);
    pthread_mutex_unlock(&p->lock);
    *ret = l;
    return 0;
}

void watch_consider(struct provision *p, struct life *l)
{
    pthread_mutex_lock(&p->lock);
    int64_t now = now_ms(p);
    int64_t lease = l->owner_n ? l->owner.lease_ms : l->record->lease_ms;
    int64_t patience = lease + MIN(lease, p->timing.call_ms);
    bool free_to_take =
        (l->owner_n && l->owner.released) || l->owner_seen_ms - l->owner_since_ms > patience;
    bool take = life_has_work(l) && !l->engaged && !l->gone && !p->read_only && free_to_take &&
                now >= l->next_try_ms && !cancel_raised(p->stop) && !records_bad(p, l->id);
    pthread_mutex_unlock(&p->lock);
    if (take)
        engine_start(p, l, ENGINE_TAKE_OVER, 0);
}

/* --- the turns --- */

static void scan_turn(struct provision *p, int64_t *next)
{
    bool changed = false;

    if (now_ms(p) >= p->watch.scan_ms) {
        if (p->catalog && catalog_scan(p->catalog, &changed, NULL) == 0 && changed)
            provision_blueprints_changed(p);
        p->watch.scan_ms = now_ms(p) + SCAN_MS;
    }
    *next = MIN(*next, p->watch.scan_ms);
}

/* The life whose turn it is, referenced, or NULL; *ret_read: whether it is to be read again. */
static struct life *take_due(struct provision *p, bool *ret_read, int64_t *next)
{
    int64_t now = now_ms(p);

    pthread_mutex_lock(&p->lock);
    struct life *l = TAILQ_FIRST(&p->due.work);
    if (l && l->looked_ms > 0 && now < l->looked_ms + p->timing.turn_ms) {
        *next = MIN(*next, l->looked_ms + p->timing.turn_ms);
        l = NULL;
    }
    if (l) {
        *ret_read = l->polled_ms == 0 || now - l->polled_ms >= p->timing.poll_ms;
        if (*ret_read)
            l->polled_ms = now;
        l->looked_ms = now;
        TAILQ_REMOVE(&p->due.work, l, due);
        TAILQ_INSERT_TAIL(&p->due.work, l, due);
        l->refs++;
        *next = 0;
    }
    pthread_mutex_unlock(&p->lock);
    return l;
}

static void look_turn(struct provision *p, int64_t *next)
{
    struct aws_ctx ctx = {.cancel = p->stop, .rate = WATCH_RATE};
    struct life *again = NULL;
    bool read = false;
    struct life *l = take_due(p, &read, next);

    if (!l)
        return;
    int r = read ? watch_read(p, l->id, &ctx, &again, NULL) : -EAGAIN;
    if (r == 0 || r == -EPROTO || r == -ENOENT) {
        pthread_mutex_lock(&p->lock);
        l->suspect = false;
        due_place(p, l);
        pthread_mutex_unlock(&p->lock);
    }
    watch_consider(p, again ? again : l);
    life_unref(p, again);
    life_unref(p, l);
}

/* --- the thread --- */

int64_t watch_turn(struct provision *p)
{
    static void (*const turns[])(struct provision *, int64_t *) = {
        scan_turn, tags_turn, look_turn, records_turn, health_turn,
    };
    int64_t next = INT64_MAX;

    pthread_mutex_lock(&p->lock);
    p->due.woken = false;
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < ARRAY_SIZE(turns); i++)
        turns[i](p, &next);
    return next;
}

static void *watch_main(void *arg)
{
    struct provision *p = arg;

    while (!cancel_raised(p->stop)) {
        int64_t next = watch_turn(p);

        pthread_mutex_lock(&p->lock);
        while (now_ms(p) < next && !p->due.woken && !cancel_raised(p->stop))
            clock_cond_wait(p->clock, &p->changed, &p->lock, next);
        pthread_mutex_unlock(&p->lock);
    }
    return NULL;
}

int watch_start(struct provision *p)
{
    int r = pthread_create(&p->watcher, NULL, watch_main, p);

    p->watching = r == 0;
    return -r;
}

void watch_stop(struct provision *p)
{
    if (!p->watching)
        return;
    pthread_join(p->watcher, NULL);
    p->watching = false;
}
