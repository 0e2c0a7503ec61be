/*
 * The table of lives. One lock, short sections, no call under it: whoever changes a life collects
 * under the lock what the cache and the observer must hear, and tells them after.
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

#include "base/str.h"

enum { EVENTS_MAX = 256 * 1024 };

static pthread_mutex_t telling = PTHREAD_MUTEX_INITIALIZER;

bool life_has_work(const struct life *l)
{
    return l->record->phase == PHASE_CREATING || l->record->phase == PHASE_DELETING ||
           l->intent > l->record->spent;
}

static void life_free(struct life *l)
{
    record_free(l->record);
    buf_done(&l->events);
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

/* The keys of things without an ARN that the record itself names (another machine made them). */
static size_t record_keys(const struct record *r, char (*keys)[640], size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < r->n_steps && n < max; i++) {
        const struct record_step *s = &r->steps[i];

        if (s->type && s->type->key_prefix && s->short_id &&
            str_format(keys[n], sizeof(keys[n]), "%s%s", s->type->key_prefix, s->short_id) == 0)
            n++;
    }
    return n;
}

static void life_tell(struct provision *p, struct life *l)
{
    char(*keys)[640] = calloc(64, sizeof(*keys));
    const char *list[64];
    size_t n = 0;
    char phase[16];

    if (!keys)
        return;
    pthread_mutex_lock(&telling);
    pthread_mutex_lock(&p->lock);
    bool gone = l->gone;
    bool deleting = l->record->phase == PHASE_DELETING || l->intent > l->record->spent;
    snprintf(phase, sizeof(phase), "%s", record_phase_name(l->record->phase));
    if (l->n_keys > 0) {
        for (; n < l->n_keys && n < 64; n++)
            snprintf(keys[n], sizeof(keys[n]), "%s", l->keys[n]);
    } else {
        n = record_keys(l->record, keys, 64);
    }
    pthread_mutex_unlock(&p->lock);

    for (size_t i = 0; i < n; i++)
        list[i] = keys[i];
    if (gone)
        cache_remove_record(p->cache, l->id, l->claim);
    else
        cache_put_record(p->cache, &(struct cache_record){.id = l->id,
                                                          .family = l->family,
                                                          .claim = l->claim,
                                                          .phase = phase,
                                                          .deleting = deleting,
                                                          .keys = list,
                                                          .n_keys = n});
    pthread_mutex_unlock(&telling);
    free(keys);
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
    map_remove(p->lives, l->id);
    if (when) {
        *when = now_ms(p);
        if (map_put(p->vanished, l->id, when, &old) < 0)
            free(when);
        free(old);
    }
    pthread_cond_broadcast(&p->changed);
}

static bool record_same(const struct record *a, const struct record *b)
{
    _cleanup_free_ char *x = NULL, *y = NULL;

    return record_print(a, &x, NULL) == 0 && record_print(b, &y, NULL) == 0 && streq(x, y);
}

/* The life that record belongs to, referenced; *ret_old one that it replaces; *ret_news whether
 * anything is new. NULL: no memory; record stays the caller's then. */
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

static struct life *learn_locked(struct provision *p, struct record *record, struct life **ret_old,
                                 bool *ret_news)
{
    struct life *l = map_get(p->lives, record->id);

    if (l && !streq(l->claim, record->claim)) {
        life_drop_locked(p, l);
        *ret_old = l;
        l = NULL;
    }
    *ret_news = !l || !record_same(l->record, record);
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
    l->refs++;
    return l;
}

struct life *life_learn(struct provision *p, struct record *record, int64_t begun_ms)
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
        l = learn_locked(p, record, &old, &news);
    }
    pthread_mutex_unlock(&p->lock);
    if (ignore || !l)
        record_free(record);
    if (old) {
        life_tell(p, old);
        life_unref(p, old);
    }
    if (l && news)
        life_tell(p, l);
    return l;
}

void life_set_record(struct provision *p, struct life *l, struct record *record)
{
    pthread_mutex_lock(&p->lock);
    record_free(l->record);
    l->record = record;
    l->written_ms = now_ms(p);
    pthread_mutex_unlock(&p->lock);
    life_tell(p, l);
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
    life_tell(p, l);
    life_unref(p, l); /* the table's */
}

/* Locked. A new intent is work of its own: nothing puts it off, and its grace begins. */
static void note_intent(struct provision *p, struct life *l, unsigned intent)
{
    if (intent <= l->intent)
        return;
    l->intent = intent;
    l->intent_ms = now_ms(p);
    l->next_try_ms = 0;
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
    bool was_deleting = l->intent > l->record->spent;
    bool newly_protected = l->is_protected != c->is_protected;

    note_intent(p, l, c->intent);
    l->is_protected = c->is_protected;
    if (!same_owner) {
        l->owner_n = c->owner_n;
        l->owner = c->owner;
        l->owner_since_ms = now_ms(p);
    }
    l->owner_seen_ms = begun_ms;
    bool news = was_deleting != (l->intent > l->record->spent);
    pthread_mutex_unlock(&p->lock);
    if (news)
        life_tell(p, l);
    else if (newly_protected)
        provision_notify(p, l->family, l->id, PROVISION_VIEW);
}

void life_set_intent(struct provision *p, struct life *l, unsigned intent)
{
    pthread_mutex_lock(&p->lock);
    note_intent(p, l, intent);
    l->kicked = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    life_tell(p, l);
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
    l->checked_ms = now_ms(p);
    pthread_mutex_unlock(&p->lock);
    provision_notify(p, l->family, l->id, PROVISION_VIEW);
}

/* --- events --- */

static void event_field(struct buf *b, const char *s)
{
    if (!s || !*s)
        s = "-";
    buf_putc(b, '\t');
    for (; *s; s++)
        buf_putc(b, (unsigned char)*s < ' ' || *s == 0x7f ? ' ' : *s);
}

void life_event(struct provision *p, struct life *l, const char *logical, const char *action,
                const char *physical, const char *fmt, ...)
{
    _cleanup_buf_ struct buf text = BUF_INIT(2048), line = BUF_INIT(4096);
    char when[CLOCK_TIME_SIZE];
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    int64_t now = wall_ms(p);
    buf_puts(&line, clock_format(now, when));
    event_field(&line, logical);
    event_field(&line, action);
    event_field(&line, physical);
    event_field(&line, buf_str(&text));
    buf_putc(&line, '\n');

    pthread_mutex_lock(&p->lock);
    if (buf_append(&l->events, line.data, line.len) == 0) /* a full log keeps its beginning */
        l->events_wall_ms = now;
    pthread_mutex_unlock(&p->lock);
    provision_notify(p, l->family, l->id, PROVISION_EVENTS);
}

void life_event_fault(struct provision *p, struct life *l, const char *logical, const char *action,
                      const char *physical, const char *what, const struct fault *f)
{
    _cleanup_buf_ struct buf text = BUF_INIT(2048);
    const char *const parts[] = {what, f->call, f->code, f->message};

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        if (parts[i] && parts[i][0])
            buf_printf(&text, "%s%s", text.len ? ": " : "", parts[i]);
    life_event(p, l, logical, action, physical, "%s", buf_str(&text));
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
