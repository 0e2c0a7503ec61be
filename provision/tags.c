/*
 * What the tag index tells of the records, for nothing: each record is tagged with its claim and
 * its phase (svcfs:phase), so a sweep of the index, a call for a hundred records, shows what other
 * machines begin and end long before a sweep of the records comes by. The tags lag behind, and
 * tagging may fail; so they are only ever a reason to read the record, and only where they say
 * something new: a claim and phase that were looked into once are not looked into again.
 *
 * Where the tags show parts of a service and not its record, either the record is not in the index
 * yet or it is no more. One read tells, and one more when they show other claims.
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

struct unread {
    char *id, *link;
    void *claims; /* where only parts are seen: theirs; else NULL */
};

static void unread_done(struct unread *u)
{
    free(u->id);
    free(u->link);
}

/* Of somebody else's claim there is no life yet. Before the first sweep has come by that is so for
 * all, and only what is at work is worth a call. */
static void ask(struct provision *p, const struct index_service *s, bool soon, uint64_t tagged)
{
    struct watch *w = &p->watch;
    void *mark = (void *)(uintptr_t)tagged;

    w->again |= !p->swept && !soon;
    if ((!p->swept && !soon) || map_get(w->asked, s->link) == mark)
        return;
    struct unread *more = reallocarray(w->unread, w->n_unread + 1, sizeof(*more));
    if (!more)
        return;
    w->unread = more;
    struct unread *u = &more[w->n_unread];
    *u = (struct unread){strdup(s->id), strdup(s->link), s->managed ? NULL : mark};
    if (u->id && u->link && map_put(w->asked, s->link, mark, NULL) == 0)
        w->n_unread++;
    else
        unread_done(u);
}

/* A record belongs to one family: what has its id in another one has none. */
bool tags_recordless(struct provision *p, const struct index_service *s)
{
    const struct life *l = map_get(p->lives, s->id);

    return l ? !streq(l->family, s->family->id)
             : map_get(p->recordless, s->link) == (void *)(uintptr_t)s->claims;
}

static void look_at_parts(struct provision *p, const struct index_service *s)
{
    pthread_mutex_lock(&p->lock);
    if (!map_get(p->lives, s->id) && !records_bad(p, s->id) && !tags_recordless(p, s))
        ask(p, s, true, s->claims);
    pthread_mutex_unlock(&p->lock);
}

static void look_at(struct provision *p, const struct index_service *s)
{
    const struct index_resource *r = s->managed ? record_of(s) : NULL;
    const char *phase = r ? index_tag(r, TAG_PHASE) : NULL,
               *claim = r ? index_tag(r, TAG_CLAIM) : NULL;
    char text[CLAIM_SIZE + 32];

    if (!s->managed && s->claims != 0)
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
        ask(p, s, streq(phase, "creating") || streq(phase, "deleting"), tagged);
    }
    pthread_mutex_unlock(&p->lock);
}

/* All that have the id: a record that was found makes clear whose it is not. Its own family's was
 * told when it was learnt. */
static void notify_all(struct provision *p, const char *id, const struct life *learnt)
{
    _cleanup_snapshot_ const struct snapshot *s = cache_snapshot(p->cache);
    size_t n = 0;
    const struct index_service *const *services = s ? snapshot_services_by_id(s, id, &n) : NULL;

    for (size_t i = 0; i < n; i++)
        if (!learnt || !streq(learnt->family, services[i]->family->id))
            provision_notify(p, services[i]->family->id, id, PROVISION_VIEW);
}

/* What stands for a link that is no more says nothing of the next one of that name. */
static void forget_recordless(struct provision *p, const struct snapshot *s)
{
    struct map_iter it;
    const char *link;
    void *claims;
    bool gone = true;

    pthread_mutex_lock(&p->lock);
    while (gone) {
        gone = false;
        it = (struct map_iter){0};
        while (!gone && map_next(p->recordless, &it, &link, &claims))
            gone = !snapshot_link(s, link);
        if (gone)
            map_remove(p->recordless, link);
    }
    pthread_mutex_unlock(&p->lock);
}

static void note_parts(struct provision *p, const struct unread *u, int r, const struct life *l,
                       const struct fault *f)
{
    if (r == -ENOENT) {
        pthread_mutex_lock(&p->lock);
        map_put(p->recordless, u->link, u->claims, NULL);
        pthread_mutex_unlock(&p->lock);
    } else if (r < 0 && r != -EPROTO && !cancel_raised(p->stop)) {
        records_set_bad(p, u->id, f); /* until the next sweep, which lets it be tried again */
    }
    notify_all(p, u->id, l);
}

static void read_one(struct provision *p)
{
    struct aws_ctx ctx = {.cancel = p->stop, .rate = WATCH_RATE};
    struct watch *w = &p->watch;
    _cleanup_(unread_done) struct unread u = w->unread[--w->n_unread];
    struct fault f = FAULT_INIT;
    struct life *l = NULL;

    int r = watch_read(p, u.id, &ctx, &l, &f);
    if (r < 0 && r != -ENOENT && r != -EPROTO) {
        map_remove(w->asked, u.link);
        w->again = true;
    }
    if (u.claims)
        note_parts(p, &u, r, l, &f);
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

void tags_done(struct provision *p)
{
    struct watch *w = &p->watch;

    for (size_t i = 0; i < w->n_unread; i++)
        unread_done(&w->unread[i]);
    free(w->unread);
    map_free(w->asked);
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
