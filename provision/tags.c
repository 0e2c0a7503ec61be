/*
 * What the tag index tells of the records, for nothing: each record is tagged with its claim and
 * its phase (svcfs:phase), so a sweep of the index, a call for a hundred records, shows what other
 * machines begin and end long before a sweep of the records comes by. The tags lag behind, and
 * tagging may fail; so they are only ever a reason to read the record, and only where they say
 * something new: a claim and phase that were looked into once are not looked into again.
 *
 * Where the tags show parts of a service and not its record, either the record is not in the index
 * yet or it is no more. One read tells, and one more whenever the service changes.
 */
#include "provision/internal.h"

#include <errno.h>

#include "base/hash.h"
#include "base/str.h"

/* Links are sorted, and ssm.parameter is among the last. */
const struct index_resource *record_of(const struct index_service *s)
{
    for (size_t i = s->n_resources; i-- > 0;) {
        const struct index_resource *r = s->resources[i];
        const char *id = str_after(r->id, "svcfs+");
        if (id && streq(id, s->id) && streq(r->type, "parameter") && streq(r->service, "ssm"))
            return r;
    }
    return NULL;
}

/* Of somebody else's claim there is no life yet. Before the first sweep has come by that is so for
 * all, and only what is at work is worth a call. */
static void ask(struct provision *p, const char *id, bool soon, uint64_t tagged)
{
    struct watch *w = &p->watch;
    void *mark = (void *)(uintptr_t)tagged;

    w->again |= !p->swept && !soon;
    if ((!p->swept && !soon) || map_get(w->asked, id) == mark)
        return;
    char **more = reallocarray(w->unread, w->n_unread + 1, sizeof(*more));
    if (!more)
        return;
    w->unread = more;
    more[w->n_unread] = strdup(id);
    if (more[w->n_unread] && map_put(w->asked, id, mark, NULL) == 0)
        w->n_unread++;
    else
        free(more[w->n_unread]);
}

static void look_at_parts(struct provision *p, const struct index_service *s)
{
    uint64_t mark = (uint64_t)s->changed_ms | 1;

    pthread_mutex_lock(&p->lock);
    if (!map_get(p->lives, s->id) && !records_bad(p, s->id) &&
        map_get(p->recordless, s->id) != (void *)(uintptr_t)mark)
        ask(p, s->id, true, mark);
    pthread_mutex_unlock(&p->lock);
}

static void look_at(struct provision *p, const struct index_service *s)
{
    const struct index_resource *r = s->managed ? record_of(s) : NULL;
    const char *phase = r ? index_tag(r, TAG_PHASE) : NULL,
               *claim = r ? index_tag(r, TAG_CLAIM) : NULL;
    char text[CLAIM_SIZE + 32];

    if (!s->managed && s->claimed)
        look_at_parts(p, s);
    if (!phase || !claim || str_format(text, sizeof(text), "%s %s", claim, phase) < 0)
        return;
    uint64_t tagged = hash_stable(text, strlen(text)) | 1; /* 0 is: never */
    pthread_mutex_lock(&p->lock);
    struct life *l = map_get(p->lives, s->id);
    if (l && l->tagged != tagged) {
        l->tagged = tagged;
        l->suspect =
            l->suspect || (!l->engaged && !(streq(claim, l->claim) &&
                                            streq(phase, record_phase_name(l->record->phase))));
        due_place(p, l);
    } else if (!l && !records_bad(p, s->id)) {
        ask(p, s->id, streq(phase, "creating") || streq(phase, "deleting"), tagged);
    }
    pthread_mutex_unlock(&p->lock);
}

/* mark NULL: it has a record, or is no more. */
static void set_recordless(struct provision *p, const char *id, void *mark)
{
    void *old = NULL;

    pthread_mutex_lock(&p->lock);
    if (!mark)
        old = map_remove(p->recordless, id);
    else if (map_put(p->recordless, id, mark, &old) < 0)
        mark = old;
    pthread_mutex_unlock(&p->lock);
    if (!old != !mark)
        records_notify_id(p, id);
}

/* An id that comes back begins anew. */
static void forget_recordless(struct provision *p, const struct snapshot *s)
{
    for (;;) {
        struct map_iter it = {0};
        _cleanup_free_ char *gone = NULL;
        const char *id;
        void *mark;

        pthread_mutex_lock(&p->lock);
        while (!gone && map_next(p->recordless, &it, &id, &mark))
            if (!snapshot_any_service(s, id))
                gone = strdup(id);
        pthread_mutex_unlock(&p->lock);
        if (!gone)
            return;
        set_recordless(p, gone, NULL);
    }
}

static void read_one(struct provision *p)
{
    struct aws_ctx ctx = {.cancel = p->stop, .rate = WATCH_RATE};
    struct watch *w = &p->watch;
    _cleanup_free_ char *id = w->unread[--w->n_unread];
    struct life *l = NULL;

    int r = watch_read(p, id, &ctx, &l, NULL);
    if (r == 0 || r == -ENOENT) {
        set_recordless(p, id, r < 0 ? map_get(w->asked, id) : NULL);
    } else if (r != -EPROTO) {
        map_remove(w->asked, id);
        w->again = true;
    }
    life_unref(p, l);
}

/* Own writes may publish many times a second; ten thousand services are some milliseconds. */
static void look_at_all(struct provision *p, const struct snapshot *s)
{
    for (size_t i = 0; i < s->n_families; i++) {
        const struct index_family *f = s->families[i];
        for (size_t k = 0; k < f->n_services; k++)
            look_at(p, f->services[k]);
        for (size_t k = 0; k < f->n_deleting; k++)
            look_at(p, f->deleting[k]);
    }
    forget_recordless(p, s);
    p->watch.generation = s->generation;
    p->watch.tags_ms = now_ms(p) + p->timing.turn_ms;
}

void tags_turn(struct provision *p, int64_t *next)
{
    struct watch *w = &p->watch;
    _cleanup_snapshot_ const struct snapshot *s = cache_snapshot(p->cache);

    if (s && s->generation != w->generation && now_ms(p) >= w->tags_ms)
        look_at_all(p, s);
    else if (s && s->generation != w->generation)
        *next = MIN(*next, w->tags_ms);
    if (w->n_unread > 0) {
        read_one(p);
        *next = 0;
    }
}

void tags_asked(struct provision *p)
{
    struct map *none = map_new();

    if (!none)
        return;
    map_free(p->watch.asked);
    p->watch.asked = none;
    if (p->watch.again)
        p->watch.generation = 0;
    p->watch.again = false;
}
