/*
 * The sweep of the records: all of them and what stands beneath them, in one chain of pages, ten
 * parameters each. Ten thousand services are two thousand pages, which take 75 s at the rate that
 * the limiter grants. So:
 *
 *   A sweep is read a page a turn, in the background, and each page's records are learnt at once.
 *   A record whose text is known already costs a hash of it, and nothing else.
 *   After a sweep comes a rest: the refresh interval, or as long as the sweep took where that is
 *   longer; on average that is a third of SSM's rate (a background caller may take up to what the
 *   limiter grants, two thirds). Ten thousand services are read every 150 s.
 *   The cache is told of what is new when the sweep ends, or TELL_MS after the first news: each
 *   time it is told of something it builds a snapshot.
 *
 * What cannot wait so long comes another way: creation and teardown show in the tag index, which
 * makes them read by themselves (tags.c). What waits for the sweep is what leaves no mark there: an
 * intent to delete whose maker died before it could take it up, `protect`, a record that somebody
 * removed by hand, and leftovers.
 *
 * A record that a sweep does not show is looked up by itself before it counts as gone: pages may
 * skip one while others are deleted.
 */
#include "provision/internal.h"

#include <errno.h>

#include "base/hash.h"
#include "base/str.h"

enum { TELL_MS = 5000, BACKOFF_FIRST_MS = 1000 };

/* --- records that cannot be read --- */

struct bad_record {
    uint64_t sweep; /* the last one that saw it, or in whose time it was read by itself */
    char line[];
};

/* Its view is another one now. */
static void notify_id(struct provision *p, const char *id)
{
    struct life *l = life_get(p, id);
    _cleanup_snapshot_ const struct snapshot *s = l ? NULL : cache_snapshot(p->cache);
    const struct index_service *service = s ? snapshot_any_service(s, id) : NULL;

    if (l || service)
        provision_notify(p, l ? l->family : service->family->id, id, PROVISION_VIEW);
    life_unref(p, l);
}

static struct bad_record *bad_new(const char *id, const struct fault *f, uint64_t sweep)
{
    _cleanup_free_ char *line = str_printf("/svcfs/%s: %s", id, f->message);
    struct bad_record *b = line ? malloc(sizeof(*b) + strlen(line) + 1) : NULL;

    if (b) {
        b->sweep = sweep;
        strcpy(b->line, line);
    }
    return b;
}

void records_set_bad(struct provision *p, const char *id, const struct fault *f)
{
    void *old = NULL;

    pthread_mutex_lock(&p->lock);
    struct bad_record *b = f ? bad_new(id, f, p->sweep) : NULL;
    if (!b)
        old = map_remove(p->bad_records, id);
    else if (map_put(p->bad_records, id, b, &old) < 0)
        free(steal_ptr(b));
    const struct bad_record *was = old;
    bool news = b ? !was || !streq(b->line, was->line) : was != NULL;
    pthread_mutex_unlock(&p->lock);
    free(old);
    if (news)
        notify_id(p, id);
}

const char *records_bad(struct provision *p, const char *id)
{
    const struct bad_record *b = map_get(p->bad_records, id);

    return b ? b->line : NULL;
}

void records_problems(struct provision *p, struct buf *out)
{
    struct map_iter it = {0};
    const char *id;
    void *b;

    pthread_mutex_lock(&p->lock);
    if (p->records_fault.err)
        buf_printf(out, "the records cannot be read: %s: %s: %s\n", p->records_fault.call,
                   p->records_fault.code, p->records_fault.message);
    while (map_next(p->bad_records, &it, &id, &b))
        buf_printf(out, "%s\n", ((const struct bad_record *)b)->line);
    pthread_mutex_unlock(&p->lock);
}

/* Those that this sweep has not seen any more. */
static void forget_bad(struct provision *p)
{
    for (;;) {
        struct map_iter it = {0};
        _cleanup_free_ char *gone = NULL;
        const char *id;
        void *b;

        pthread_mutex_lock(&p->lock);
        while (!gone && map_next(p->bad_records, &it, &id, &b))
            if (((const struct bad_record *)b)->sweep != p->sweep)
                gone = strdup(id);
        pthread_mutex_unlock(&p->lock);
        if (!gone)
            return;
        records_set_bad(p, gone, NULL);
    }
}

/* --- telling the cache --- */

static void tell_untold(struct provision *p)
{
    struct watch *w = &p->watch;

    for (size_t i = 0; i < w->n_untold; i++) {
        life_tell(p, w->untold[i]);
        life_unref(p, w->untold[i]);
    }
    free(w->untold);
    w->untold = NULL;
    w->n_untold = 0;
}

/* Takes a reference over. */
static void add_untold(struct provision *p, struct life *l)
{
    struct watch *w = &p->watch;
    struct life **more =
        w->n_untold % 64 ? w->untold : reallocarray(w->untold, w->n_untold + 64, sizeof(*more));

    if (!more) {
        life_tell(p, l);
        life_unref(p, l);
        return;
    }
    if (w->n_untold == 0)
        w->untold_ms = now_ms(p);
    w->untold = more;
    w->untold[w->n_untold++] = l;
}

/* --- a page --- */

/* Whether the life is known by this very text. */
static bool is_known(struct provision *p, const char *id, const char *text)
{
    uint64_t digest = hash_stable(text, strlen(text));

    pthread_mutex_lock(&p->lock);
    struct life *l = map_get(p->lives, id);
    bool known = l && l->digest == digest;
    if (known)
        l->sweep = p->sweep;
    pthread_mutex_unlock(&p->lock);
    return known;
}

static void learn(struct provision *p, const char *id, const char *text, int64_t begun_ms)
{
    struct record *record = NULL;
    struct fault f = FAULT_INIT;
    bool untold = false;

    int r = is_known(p, id, text) ? 0 : record_parse(id, text, &record, &f);
    records_set_bad(p, id, r < 0 ? &f : NULL);
    if (!record)
        return;
    struct life *l = life_learn(p, record, text, begun_ms, &untold);
    if (!l)
        return;
    pthread_mutex_lock(&p->lock);
    l->sweep = p->sweep;
    pthread_mutex_unlock(&p->lock);
    if (untold)
        add_untold(p, l);
    else
        life_unref(p, l);
}

/* Moves q to those that are judged when the sweep has ended. */
static int keep(struct watch *w, struct ssm_parameter *q)
{
    struct ssm_parameters *to = &w->beneath;
    struct ssm_parameter *more =
        to->n % 64 ? to->items : reallocarray(to->items, to->n + 64, sizeof(*more));

    if (!more)
        return -ENOMEM;
    to->items = more;
    to->items[to->n++] = *q;
    *q = (struct ssm_parameter){0};
    return 0;
}

/* 1: that was the last page; 0: there are more. */
static int read_page(struct provision *p, struct fault *f)
{
    struct aws_ctx ctx = {.cancel = p->stop, .rate = WATCH_RATE};
    _cleanup_ssm_ struct ssm_parameters page = {0};
    int64_t begun = now_ms(p);

    int r = ssm_get_parameters_page(p->aws, &ctx, "/svcfs", &p->watch.token, &page, f);
    for (size_t i = 0; r == 0 && i < page.n; i++) {
        struct record_child name;
        if (record_parse_name(page.items[i].name, &name) < 0)
            continue;
        if (name.claim[0])
            r = keep(&p->watch, &page.items[i]);
        else
            learn(p, name.id, page.items[i].value, begun);
    }
    if (r == -ENOMEM)
        return fault_set(f, r, "no memory");
    return r < 0 ? r : p->watch.token == NULL;
}

/* --- the end of a sweep --- */

/* id → struct children of the life that the sweep has seen. */
static struct map *sort_beneath(struct provision *p)
{
    const struct ssm_parameters *all = &p->watch.beneath;
    struct map *found = map_new();

    for (size_t i = 0; found && i < all->n; i++) {
        struct record_child name;
        if (record_parse_name(all->items[i].name, &name) < 0)
            continue;
        struct children *c = map_get(found, name.id);
        struct life *l = life_get(p, name.id);
        if (l && !c && (c = calloc(1, sizeof(*c))) && map_put(found, name.id, c, NULL) < 0)
            free(steal_ptr(c));
        if (l && c)
            children_add(c, name.id, l->claim, all->items[i].name, all->items[i].value);
        life_unref(p, l);
    }
    return found;
}

/* What stands beneath the lives that the sweep has seen; the others are to be read by themselves.
 */
static void learn_beneath(struct provision *p)
{
    static const struct children none = {0};
    struct map *found = sort_beneath(p);
    struct life **lives = NULL;
    size_t n = 0;

    if (found && life_list(p, &lives, &n) < 0)
        n = 0;
    for (size_t i = 0; i < n; i++) {
        struct life *l = lives[i];
        const struct children *c = map_get(found, l->id);

        pthread_mutex_lock(&p->lock);
        bool seen = l->sweep == p->sweep, ours = l->engaged;
        if (!seen && !ours && l->written_ms < p->watch.begun_ms) {
            l->suspect = true;
            due_place(p, l);
        }
        pthread_mutex_unlock(&p->lock);
        if (seen && !ours)
            life_set_children(p, l, c ? c : &none, p->watch.begun_ms);
        life_unref(p, l);
    }
    free(lives);
    map_free_with(found, free);
}

/* Only a record's own absence counts before anything beneath it is deleted. */
static bool is_dead_claim(struct provision *p, const struct record_child *child,
                          const struct aws_ctx *ctx)
{
    _cleanup_(record_freep) struct record *record = NULL;
    int r = watch_read_record(p, child->id, ctx, &record, NULL, NULL);

    return r == -ENOENT || (r == 0 && !streq(record->claim, child->claim));
}

/* Whether it belongs to a life, or to what cannot be read. */
static bool is_living(struct provision *p, const struct record_child *child)
{
    pthread_mutex_lock(&p->lock);
    const struct life *l = map_get(p->lives, child->id);
    bool living = l ? streq(l->claim, child->claim) : records_bad(p, child->id) != NULL;
    pthread_mutex_unlock(&p->lock);
    return living;
}

/* Parameters beneath a claim that is not the record's, seen twice a lease apart (engine.md 11). */
static void clear_leftovers(struct provision *p)
{
    struct watch *w = &p->watch;
    struct aws_ctx ctx = {.cancel = p->stop, .rate = WATCH_RATE};
    struct map *still = map_new();

    for (size_t i = 0; still && i < w->beneath.n; i++) {
        const char *name = w->beneath.items[i].name;
        struct record_child child;

        if (record_parse_name(name, &child) < 0 || is_living(p, &child))
            continue;
        int64_t *since = map_remove(w->leftovers, name);
        if (!since) {
            since = malloc(sizeof(*since));
            if (!since)
                continue;
            *since = now_ms(p);
        }
        if (w->begun_ms - *since > MAX(p->lease_ms, p->timing.leftover_ms) && !p->read_only &&
            is_dead_claim(p, &child, &ctx))
            ssm_delete_parameter(p->aws, &ctx, name, NULL);
        if (map_put(still, name, since, NULL) < 0)
            free(since);
    }
    if (!still)
        return;
    map_free_with(w->leftovers, free);
    w->leftovers = still;
}

/* What has no life is `unknown` while the records cannot be read. */
static void notify_lifeless(struct provision *p, const struct index_service *const *services,
                            size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool may_have_one = services[i]->managed || services[i]->claims != 0;
        struct life *l = may_have_one ? life_get(p, services[i]->id) : NULL;
        if (may_have_one && !l)
            provision_notify(p, services[i]->family->id, services[i]->id, PROVISION_VIEW);
        life_unref(p, l);
    }
}

/* Of failures of one kind the first one stands: their texts differ in the request id alone. */
static void note_result(struct provision *p, int r, const struct fault *f)
{
    pthread_mutex_lock(&p->lock);
    bool news = p->records_fault.err != r || (r < 0 && !streq(p->records_fault.code, f->code));
    p->swept = p->swept || r == 0;
    if (news)
        p->records_fault = r < 0 ? *f : FAULT_INIT;
    pthread_mutex_unlock(&p->lock);
    _cleanup_snapshot_ const struct snapshot *s = news ? cache_snapshot(p->cache) : NULL;
    for (size_t i = 0; s && i < s->n_families; i++) {
        notify_lifeless(p, s->families[i]->services, s->families[i]->n_services);
        notify_lifeless(p, s->families[i]->deleting, s->families[i]->n_deleting);
    }
}

static void end(struct provision *p, int r, const struct fault *f)
{
    struct watch *w = &p->watch;

    tell_untold(p);
    if (r == 0) {
        learn_beneath(p);
        clear_leftovers(p);
        forget_bad(p);
        life_forget_vanished(p, w->begun_ms);
        tags_asked(p);
    }
    ssm_parameters_done(&w->beneath);
    free(steal_ptr(w->token));
    w->sweeping = false;
    if (!cancel_raised(p->stop))
        note_result(p, r, f);
    int64_t now = now_ms(p);
    if (r == 0) {
        w->backoff_ms = BACKOFF_FIRST_MS;
        w->sweep_ms = now + MAX(p->refresh_ms, now - w->begun_ms);
    } else {
        w->sweep_ms = now + w->backoff_ms;
        w->backoff_ms = MIN(w->backoff_ms * 2, p->refresh_ms);
    }
}

static void begin(struct provision *p)
{
    struct watch *w = &p->watch;

    w->sweeping = true;
    w->begun_ms = now_ms(p);
    w->backoff_ms = MAX(w->backoff_ms, BACKOFF_FIRST_MS);
    pthread_mutex_lock(&p->lock);
    p->sweep++;
    pthread_mutex_unlock(&p->lock);
}

void records_turn(struct provision *p, int64_t *next)
{
    struct watch *w = &p->watch;
    struct fault f = FAULT_INIT;

    if (!w->sweeping && now_ms(p) < w->sweep_ms) {
        *next = MIN(*next, w->sweep_ms);
        return;
    }
    if (!w->sweeping)
        begin(p);
    int r = read_page(p, &f);
    if (r == 0 && w->n_untold > 0 && now_ms(p) - w->untold_ms >= TELL_MS)
        tell_untold(p);
    if (r != 0)
        end(p, MIN(r, 0), &f);
    *next = 0;
}

void watch_done(struct provision *p)
{
    struct watch *w = &p->watch;

    for (size_t i = 0; i < w->n_untold; i++)
        life_unref(p, w->untold[i]);
    free(w->untold);
    free(w->token);
    ssm_parameters_done(&w->beneath);
    map_free_with(w->leftovers, free);
    tags_done(p);
}
