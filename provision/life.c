/*
 * The table of lives. One lock, short sections, no call under it: whoever changes a life collects
 * under the lock what the cache and the observer must hear, and tells them after. Both hear of
 * changes only: the cache of what it was not told before, since it builds a snapshot then; the
 * observer of what a view shows.
 *
 * A life ends when its record is seen to be gone. It is then out of the table at once, but engine
 * threads and views may still hold it; `gone` tells them. A new record of the same id is a new
 * life, with new events.
 *
 * The cache is told from a copy made under the lock. Two tellers of one life may overtake each
 * other between lock and cache, so telling is serialised by `telling`, a lock of its own that
 * nothing else takes.
 */
#include "provision/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"

enum { EVENTS_MAX = 256 * 1024, KEYS_MAX = 64, TOLD_MAX = 64 * 1024 };

static pthread_mutex_t telling = PTHREAD_MUTEX_INITIALIZER;

bool life_is_going(const struct life *l)
{
    return l->record->phase == PHASE_DELETING || l->intent > l->record->spent;
}

bool life_has_work(const struct life *l)
{
    return l->record->phase == PHASE_CREATING || life_is_going(l);
}

static void life_free(struct life *l)
{
    record_free(l->record);
    buf_done(&l->events);
    buf_done(&l->told);
    for (size_t i = 0; i < l->n_keys; i++)
        free(l->keys[i]);
    free(l->keys);
    free(l->id);
    free(l->family);
    free(l);
}

static void life_unref_locked(struct life *l)
{
    if (l && --l->refs == 0)
        life_free(l);
}

struct life *life_ref(struct provision *p, struct life *l)
{
    pthread_mutex_lock(&p->lock);
    l->refs++;
    pthread_mutex_unlock(&p->lock);
    return l;
}

void life_unref(struct provision *p, struct life *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&p->lock);
    life_unref_locked(l);
    pthread_mutex_unlock(&p->lock);
}

struct life *life_get(struct provision *p, const char *id)
{
    pthread_mutex_lock(&p->lock);
    struct life *l = map_get(p->lives, id);
    if (l)
        l->refs++;
    pthread_mutex_unlock(&p->lock);
    return l;
}

/* --- telling the cache and the observer --- */

/* The keys of things without an ARN: as steps found them, else as the record names them (another
 * machine made them). Each ends with a NUL. Locked. */
static int describe_keys(const struct life *l, struct buf *out)
{
    const struct record *r = l->record;
    int e = 0;

    for (size_t i = 0; e == 0 && i < l->n_keys; i++)
        e = buf_append(out, l->keys[i], strlen(l->keys[i]) + 1);
    for (size_t i = 0; e == 0 && l->n_keys == 0 && i < r->n_steps; i++) {
        const struct record_step *s = &r->steps[i];
        if (s->type && s->type->key_prefix && s->short_id)
            e = buf_printf(out, "%s%s%c", s->type->key_prefix, s->short_id, 0);
    }
    return e;
}

/* All that the cache is told, as one text: GOING or STAYING, the phase, the keys. A life that is
 * over has none of it. Locked. */
enum { GOING = '-', STAYING = '+' };

static int describe(const struct life *l, struct buf *out)
{
    if (l->gone)
        return 0;
    int e = buf_printf(out, "%c%s%c", life_is_going(l) ? GOING : STAYING,
                       record_phase_name(l->record->phase), 0);
    return e < 0 ? e : describe_keys(l, out);
}

static int tell_cache(struct provision *p, const struct life *l, const struct buf *text)
{
    const char *keys[KEYS_MAX], *phase = text->data + 1, *end = text->data + text->len;
    struct cache_record r = {.id = l->id, .family = l->family, .claim = l->claim, .phase = phase};

    for (const char *key = phase + strlen(phase) + 1; key < end && r.n_keys < KEYS_MAX;
         key += strlen(key) + 1)
        keys[r.n_keys++] = key;
    r.keys = keys;
    r.deleting = *text->data == GOING;
    return cache_put_record(p->cache, &r);
}

void life_tell(struct provision *p, struct life *l)
{
    struct buf text = BUF_INIT(TOLD_MAX);

    pthread_mutex_lock(&telling);
    pthread_mutex_lock(&p->lock);
    int e = describe(l, &text);
    pthread_mutex_unlock(&p->lock);
    bool news = !l->was_told || text.len != l->told.len ||
                (text.len > 0 && memcmp(text.data, l->told.data, text.len) != 0);
    if (e == 0 && news) {
        e = text.len > 0 ? tell_cache(p, l, &text) : cache_remove_record(p->cache, l->id, l->claim);
        l->was_told = e == 0;
        buf_done(&l->told);
        l->told = text;
        text = BUF_INIT(TOLD_MAX);
    }
    pthread_mutex_unlock(&telling);
    buf_done(&text);
}

static void life_news(struct provision *p, struct life *l)
{
    life_tell(p, l);
    provision_notify(p, l->family, l->id, PROVISION_VIEW);
}

/* --- the table --- */

static struct life *life_new(const struct record *r, int64_t now)
{
    struct life *l = calloc(1, sizeof(*l));

    if (!l)
        return NULL;
    l->refs = 1;
    l->events = BUF_INIT(EVENTS_MAX);
    l->id = strdup(r->id);
    l->family = strdup(r->family);
    memcpy(l->claim, r->claim, sizeof(l->claim));
    l->owner_since_ms = l->written_ms = now;
    if (!l->id || !l->family) {
        life_free(l);
        return NULL;
    }
    return l;
}

/* Takes l out of the table and gives the table's reference to the caller. */
static void life_drop_locked(struct provision *p, struct life *l)
{
    int64_t *when = malloc(sizeof(*when));
    void *old = NULL;

    l->gone = true;
    due_place(p, l);
    map_remove(p->lives, l->id);
    if (when) {
        *when = now_ms(p);
        if (map_put(p->vanished, l->id, when, &old) < 0)
            free(when);
        free(old);
    }
    pthread_cond_broadcast(&p->changed);
}

/* A sweep takes long: what it read at its beginning must neither revive a life that ended meanwhile
 * nor set back one that went on. */
static bool is_old_news(struct provision *p, const struct record *record, int64_t begun_ms)
{
    const struct life *known = map_get(p->lives, record->id);
    const int64_t *vanished = map_get(p->vanished, record->id);

    if (known)
        return known->written_ms >= begun_ms;
    return vanished && *vanished >= begun_ms;
}

/* The life that record belongs to, referenced; *ret_old one that it replaces; *ret_news whether
 * anything is new. NULL: no memory; record stays the caller's then. */
static struct life *learn_locked(struct provision *p, struct record *record, uint64_t digest,
                                 struct life **ret_old, bool *ret_news)
{
    struct life *l = map_get(p->lives, record->id);

    if (l && !streq(l->claim, record->claim)) {
        life_drop_locked(p, l);
        *ret_old = l;
        l = NULL;
    }
    *ret_news = !l || l->digest != digest;
    if (!l) {
        l = life_new(record, now_ms(p));
        if (!l || map_put(p->lives, l->id, l, NULL) < 0) {
            if (l)
                life_free(l);
            return NULL;
        }
    }
    record_free(l->record);
    l->record = record;
    l->digest = digest;
    l->refs++;
    due_place(p, l);
    return l;
}

struct life *life_learn(struct provision *p, struct record *record, const char *text,
                        int64_t begun_ms, bool *ret_untold)
{
    struct life *old = NULL;
    bool news = false;

    pthread_mutex_lock(&p->lock);
    struct life *known = map_get(p->lives, record->id);
    struct life *l = NULL;
    bool ignore = (known && known->engaged && streq(known->claim, record->claim)) ||
                  is_old_news(p, record, begun_ms); /* an engine knows better than a reader */
    if (ignore && known) {
        l = known;
        l->refs++;
    } else if (!ignore) {
        l = learn_locked(p, record, hash_stable(text, strlen(text)), &old, &news);
    }
    pthread_mutex_unlock(&p->lock);
    if (ignore || !l)
        record_free(record);
    if (old) {
        life_news(p, old);
        life_unref(p, old);
    }
    if (ret_untold)
        *ret_untold = l && news;
    else if (l)
        life_tell(p, l); /* old news, too: who learnt it may not have told it yet */
    if (l && news)
        provision_notify(p, l->family, l->id, PROVISION_VIEW);
    return l;
}

void life_set_record(struct provision *p, struct life *l, struct record *record, const char *text)
{
    uint64_t digest = hash_stable(text, strlen(text));

    pthread_mutex_lock(&p->lock);
    bool news = l->digest != digest;
    record_free(l->record);
    l->record = record;
    l->digest = digest;
    l->written_ms = now_ms(p);
    due_place(p, l);
    pthread_mutex_unlock(&p->lock);
    if (news)
        life_news(p, l);
}

void life_not_found(struct provision *p, const char *id, int64_t begun_ms)
{
    pthread_mutex_lock(&p->lock);
    struct life *l = map_get(p->lives, id);
    if (l && (l->engaged || l->written_ms >= begun_ms))
        l = NULL;
    if (l)
        l->refs++;
    pthread_mutex_unlock(&p->lock);
    if (!l)
        return;
    life_vanished(p, l);
    life_unref(p, l);
}

void life_vanished(struct provision *p, struct life *l)
{
    pthread_mutex_lock(&p->lock);
    bool was_listed = map_get(p->lives, l->id) == l;
    if (was_listed)
        life_drop_locked(p, l);
    pthread_mutex_unlock(&p->lock);
    if (!was_listed)
        return;
    life_news(p, l);
    life_unref(p, l); /* the table's */
}

/* Locked. A new intent is work of its own: nothing puts it off, and its grace begins. Whether the
 * service is going by it. */
static bool note_intent(struct provision *p, struct life *l, unsigned intent)
{
    bool was_going = life_is_going(l);

    if (intent <= l->intent)
        return false;
    l->intent = intent;
    l->intent_ms = now_ms(p);
    l->next_try_ms = 0;
    due_place(p, l);
    return life_is_going(l) != was_going;
}

void life_set_children(struct provision *p, struct life *l, const struct children *c,
                       int64_t begun_ms)
{
    pthread_mutex_lock(&p->lock);
    if (begun_ms < l->owner_seen_ms) { /* a slow sweep; somebody has looked since */
        pthread_mutex_unlock(&p->lock);
        return;
    }
    bool same_owner = c->owner_n == l->owner_n &&
                      (c->owner_n == 0 ||
                       (streq(c->owner.nonce, l->owner.nonce) && c->owner.beat == l->owner.beat &&
                        c->owner.released == l->owner.released));
    bool news = l->is_protected != c->is_protected;

    news |= note_intent(p, l, c->intent);
    l->is_protected = c->is_protected;
    if (!same_owner) {
        l->owner_n = c->owner_n;
        l->owner = c->owner;
        l->owner_since_ms = now_ms(p);
    }
    l->owner_seen_ms = begun_ms;
    pthread_mutex_unlock(&p->lock);
    if (news)
        life_news(p, l);
}

void life_set_intent(struct provision *p, struct life *l, unsigned intent)
{
    pthread_mutex_lock(&p->lock);
    bool news = note_intent(p, l, intent);
    l->kicked = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    life_tell(p, l); /* whoever saw the intent first may not have told it yet */
    if (news)
        provision_notify(p, l->family, l->id, PROVISION_VIEW);
}

static int key_add(struct life *l, const char *key)
{
    char **keys = reallocarray(l->keys, l->n_keys + 1, sizeof(*keys));

    if (!keys)
        return -ENOMEM;
    l->keys = keys;
    keys[l->n_keys] = strdup(key);
    if (!keys[l->n_keys])
        return -ENOMEM;
    l->n_keys++;
    return 0;
}

void life_set_key(struct provision *p, struct life *l, const char *key, bool there)
{
    bool news = false;
    size_t i = 0;

    pthread_mutex_lock(&p->lock);
    while (i < l->n_keys && !streq(l->keys[i], key))
        i++;
    if (there && i == l->n_keys) {
        news = key_add(l, key) == 0;
    } else if (!there && i < l->n_keys) {
        free(l->keys[i]);
        l->keys[i] = l->keys[--l->n_keys];
        news = true;
    }
    pthread_mutex_unlock(&p->lock);
    if (news)
        life_tell(p, l);
}

void life_set_health(struct provision *p, struct life *l, bool degraded, const char *trouble)
{
    pthread_mutex_lock(&p->lock);
    l->degraded = degraded;
    snprintf(l->trouble, sizeof(l->trouble), "%s", trouble);
    l->checked_wall_ms = wall_ms(p);
    due_checked(p, l);
    pthread_mutex_unlock(&p->lock);
    provision_notify(p, l->family, l->id, PROVISION_VIEW); /* at least `checked` is new */
}

/* --- copies --- */

struct record *life_record(struct provision *p, struct life *l)
{
    struct record *copy = NULL;

    pthread_mutex_lock(&p->lock);
    if (record_copy(l->record, &copy) < 0)
        copy = NULL;
    pthread_mutex_unlock(&p->lock);
    return copy;
}

int life_list(struct provision *p, struct life ***ret, size_t *ret_n)
{
    struct map_iter it = {0};
    const char *key;
    void *value;
    size_t n = 0;

    pthread_mutex_lock(&p->lock);
    struct life **list = calloc(map_size(p->lives) + 1, sizeof(*list));
    while (list && map_next(p->lives, &it, &key, &value)) {
        list[n] = value;
        list[n++]->refs++;
    }
    pthread_mutex_unlock(&p->lock);
    if (!list)
        return -ENOMEM;
    *ret = list;
    *ret_n = n;
    return 0;
}

bool life_family_has_others(struct provision *p, const struct life *l)
{
    struct map_iter it = {0};
    const char *key;
    void *value;
    bool found = false;

    pthread_mutex_lock(&p->lock);
    while (!found && map_next(p->lives, &it, &key, &value))
        found = value != l && streq(((struct life *)value)->family, l->family);
    pthread_mutex_unlock(&p->lock);
    return found;
}

int64_t life_since_vanished(struct provision *p, const char *id)
{
    int64_t since = -1;

    pthread_mutex_lock(&p->lock);
    int64_t *when = map_get(p->vanished, id);
    if (when) {
        since = now_ms(p) - *when;
        if (since > p->timing.vanished_ms) {
            free(map_remove(p->vanished, id));
            since = -1;
        }
    }
    pthread_mutex_unlock(&p->lock);
    return since;
}

void life_forget_vanished(struct provision *p, int64_t before_ms)
{
    int64_t until = MIN(before_ms, now_ms(p) - p->timing.vanished_ms);
    struct map_iter it = {0};
    const char *id;
    void *when;

    pthread_mutex_lock(&p->lock);
    while (map_next(p->vanished, &it, &id, &when))
        if (*(int64_t *)when < until)
            free(map_remove(p->vanished, id));
    pthread_mutex_unlock(&p->lock);
}
