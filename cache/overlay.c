/*
 * An entry leaves the overlay when a sweep that began after it says the same: the new tags are
 * shown and those taken away are not, or the key is no longer listed. What was put is believed for
 * an hour at most, since somebody else may have deleted it; a tag taken away, or put on what was
 * listed before, for ten minutes, since somebody else may have undone it. And what is listed with a
 * value that is neither the new one nor any older one that was known here was written by somebody
 * else afterwards: then the index knows more. What is gone is kept as long as the index lists it,
 * and ten minutes more, since pages come from replicas that do not agree; unless what is listed
 * carries another claim: names come again, and then it is the next life. Where claims do not tell
 * the lives apart, a day ends it: no ghost is known to last so long, and what lives must show.
 */
#include "cache/overlay.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"

enum { PUT_MAX_MS = 60 * 60 * 1000, DROPPED_MAX_MS = 10 * 60 * 1000 };
enum { PAST_MAX = 256 };
#define ABSENT "\n" /* stands for the value of what was not there: no tag's value */
enum { GONE_MIN_MS = 10 * 60 * 1000, GONE_MAX_MS = 24 * 60 * 60 * 1000 };

int overlay_init(struct overlay *o)
{
    *o = (struct overlay){.entries = map_new(),
                          .groups = map_new(),
                          .records = map_new(),
                          .dead_claims = map_new(),
                          .used = map_new()};
    return o->entries && o->groups && o->records && o->dead_claims && o->used ? 0 : -ENOMEM;
}

/* In each of these, refs counts the overlays beyond the first. */
static void entry_free(void *value)
{
    struct overlay_entry *e = value;

    if (e && e->refs-- == 0)
        free(e);
}

static void group_free(void *value)
{
    struct overlay_group *g = value;

    if (!g || g->refs-- > 0)
        return;
    free(g->arn);
    free(g->query);
    free(g);
}

static void record_entry_free(void *value)
{
    struct overlay_record *r = value;

    if (!r || r->refs-- > 0)
        return;
    for (size_t i = 0; r->keys && i < r->n_keys; i++)
        free(r->keys[i]);
    free(r->keys);
    free(r->id);
    free(r->family);
    free(r->claim);
    free(r->phase);
    free(r);
}

static void free_names(char **names)
{
    for (char **n = names; n && *n; n++)
        free(*n);
    free(names);
}

static size_t count_names(char *const *names)
{
    size_t n = 0;

    while (names && names[n])
        n++;
    return n;
}

/* NULL: no memory. */
static char **copy_names(const char *const *names, size_t n)
{
    char **copy = calloc(n + 1, sizeof(*copy));

    for (size_t i = 0; copy && i < n; i++) {
        copy[i] = strdup(names[i]);
        if (!copy[i]) {
            free_names(copy);
            return NULL;
        }
    }
    return copy;
}

void overlay_done(struct overlay *o)
{
    map_free_with(o->entries, entry_free);
    map_free_with(o->groups, group_free);
    map_free_with(o->records, record_entry_free);
    map_free(o->dead_claims);
    map_free_with(o->used, entry_free);
    free_names(o->blueprints);
    changes_done(&o->changes);
}

/* refs: where an entry has its count; none where that is not its own. */
static int copy_map(const struct map *from, struct map *to, size_t refs)
{
    struct map_iter it = {0};
    const char *key;
    void *value;

    while (map_next(from, &it, &key, &value)) {
        if (map_put(to, key, value, NULL) < 0)
            return -ENOMEM;
        if (refs)
            ++*(unsigned *)((char *)value + refs);
    }
    return 0;
}

int overlay_copy(const struct overlay *o, struct overlay *ret)
{
    struct overlay copy;
    int e = overlay_init(&copy);

    if (e == 0)
        e = copy_map(o->entries, copy.entries, offsetof(struct overlay_entry, refs));
    if (e == 0)
        e = copy_map(o->groups, copy.groups, offsetof(struct overlay_group, refs));
    if (e == 0)
        e = copy_map(o->records, copy.records, offsetof(struct overlay_record, refs));
    if (e == 0)
        e = copy_map(o->dead_claims, copy.dead_claims, 0);
    if (e == 0)
        e = copy_map(o->used, copy.used, offsetof(struct overlay_entry, refs));
    if (e == 0 && o->blueprints) {
        copy.blueprints =
            copy_names((const char *const *)o->blueprints, count_names(o->blueprints));
        e = copy.blueprints ? 0 : -ENOMEM;
    }
    if (e < 0)
        overlay_done(&copy);
    else
        *ret = copy;
    return e;
}

static int replace(struct map *m, const char *key, void *value, void (*destroy)(void *))
{
    void *old = NULL;
    int r = value ? map_put(m, key, value, &old) : -ENOMEM;

    if (r < 0)
        destroy(value);
    else
        destroy(old);
    return r;
}

/* What replace gave; where it replaced, name is noted as changed. */
static int noted(struct overlay *o, int r, struct map **set, const char *name)
{
    if (r == 0)
        changes_note(&o->changes, set, name);
    return r;
}

struct past {
    uint64_t hashes[PAST_MAX];
    size_t n;
};

static uint64_t hash_tag(const char *key, const char *value)
{
    uint64_t halves[2] = {hash_stable(key, strlen(key)), hash_stable(value, strlen(value))};

    return hash_stable(halves, sizeof(halves));
}

static bool is_past(const uint64_t *past, size_t n, uint64_t hash)
{
    for (size_t i = 0; i < n; i++)
        if (past[i] == hash)
            return true;
    return false;
}

/* The oldest make room. */
static void add_past(struct past *p, uint64_t hash)
{
    if (is_past(p->hashes, p->n, hash))
        return;
    if (p->n == PAST_MAX)
        memmove(p->hashes, p->hashes + 1, --p->n * sizeof(p->hashes[0]));
    p->hashes[p->n++] = hash;
}

/* What tags were told before now is put in their place: also that keys of now were not there. */
static void add_past_tags(struct past *p, const struct index_tag *tags, size_t n,
                          const struct index_tag *now, size_t n_now)
{
    for (size_t i = 0; i < n; i++)
        add_past(p, hash_tag(tags[i].key, tags[i].value));
    for (size_t i = 0; i < n_now; i++)
        if (!tag_value(tags, n, now[i].key))
            add_past(p, hash_tag(now[i].key, ABSENT));
}

/* Tags, then keys without a value, then the past (may be NULL), all copied into one allocation.
 * NULL: no memory. */
static struct overlay_entry *entry_new(const struct index_tag *all, size_t n, size_t n_dropped,
                                       const struct past *past, int64_t now_ms)
{
    const size_t n_past = past ? past->n : 0;
    size_t size = sizeof(struct overlay_entry) + (n + n_dropped) * sizeof(*all) +
                  n_past * sizeof(past->hashes[0]);

    for (size_t i = 0; i < n + n_dropped; i++)
        size += strlen(all[i].key) + 1 + (i < n ? strlen(all[i].value) + 1 : 0);
    struct overlay_entry *e = calloc(1, size);
    if (!e)
        return NULL;
    *e = (struct overlay_entry){.tags = (struct index_tag *)(e + 1),
                                .n_tags = n,
                                .n_dropped = n_dropped,
                                .n_past = n_past,
                                .put_ms = now_ms};
    uint64_t *hashes = (uint64_t *)(e->tags + n + n_dropped);
    if (n_past > 0)
        memcpy(hashes, past->hashes, n_past * sizeof(*hashes));
    e->past = hashes;
    char *text = (char *)(hashes + n_past);
    for (size_t i = 0; i < n + n_dropped; i++) {
        e->tags[i].key = text;
        text = stpcpy(text, all[i].key) + 1;
        if (i >= n)
            continue;
        e->tags[i].value = text;
        text = stpcpy(text, all[i].value) + 1;
    }
    return e;
}

/* Adds the keys of from that put does not have and that are not there yet. AWS's own tags are never
 * put by us. */
static size_t add_dropped(struct index_tag *all, size_t n, const struct index_tag *from,
                          size_t n_from)
{
    for (size_t i = 0; i < n_from; i++) {
        bool there = str_starts(from[i].key, "aws:");
        for (size_t k = 0; k < n && !there; k++)
            there = streq(all[k].key, from[i].key);
        if (!there)
            all[n++] = (struct index_tag){from[i].key, NULL};
    }
    return n;
}

/* What the index says of it, by the sweep or, of what is used alone, by a look of its own; or NULL.
 */
static const struct raw_resource *known_of(const struct overlay *o,
                                           const struct raw_resources *swept, const char *key,
                                           struct raw_resource *space)
{
    const struct raw_resource *r = swept ? map_get(swept->by_key, key) : NULL;
    const struct overlay_entry *used = r ? NULL : map_get(o->used, key);

    if (!used || !used->listed)
        return r;
    *space = (struct raw_resource){key, used->tags, used->n_tags};
    return space;
}

int overlay_put(struct overlay *o, const char *key, const struct index_tag *tags, size_t n_tags,
                const struct raw_resources *swept, int64_t now_ms)
{
    const struct overlay_entry *before = map_get(o->entries, key);
    struct raw_resource space;
    const struct raw_resource *known = known_of(o, swept, key, &space);
    size_t n_before = before && !before->gone ? before->n_tags + before->n_dropped : 0;
    size_t n = n_tags + n_before + (known ? known->n_tags : 0);
    _cleanup_free_ struct index_tag *all = calloc(n + 1, sizeof(*all));

    if (!all)
        return -ENOMEM;
    if (n_tags > 0)
        memcpy(all, tags, n_tags * sizeof(*all));
    n = n_tags;
    if (n_before > 0)
        n = add_dropped(all, n, before->tags, n_before);
    if (known && !(before && before->gone)) /* else it is another life's */
        n = add_dropped(all, n, known->tags, known->n_tags);
    struct past past;
    past.n = before && !before->gone ? MIN(before->n_past, (size_t)PAST_MAX) : 0;
    if (past.n > 0)
        memcpy(past.hashes, before->past, past.n * sizeof(past.hashes[0]));
    if (before && !before->gone)
        add_past_tags(&past, before->tags, before->n_tags, tags, n_tags);
    if (known)
        add_past_tags(&past, known->tags, known->n_tags, tags, n_tags);
    struct overlay_entry *e = entry_new(all, n_tags, n - n_tags, &past, now_ms);
    if (e)
        e->listed = known && !(before && before->gone);
    return noted(o, replace(o->entries, key, e, entry_free), &o->changes.keys, key);
}

static const struct index_tag *change_of(const struct index_tag *changes, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (streq(changes[i].key, key))
            return &changes[i];
    return NULL;
}

int overlay_retag(struct overlay *o, const char *key, const struct index_tag *changes, size_t n,
                  const struct index_tag *base, size_t n_base, const struct raw_resources *swept,
                  int64_t now_ms)
{
    const struct overlay_entry *before = map_get(o->entries, key);
    struct raw_resource space;
    const struct raw_resource *known = known_of(o, swept, key, &space);
    size_t n_all = 0;

    if (before && before->gone)
        return 0;
    if (before || known) {
        base = before ? before->tags : known->tags;
        n_base = before ? before->n_tags : known->n_tags;
    }
    _cleanup_free_ struct index_tag *all = calloc(n_base + n + 1, sizeof(*all));
    if (!all)
        return -ENOMEM;
    for (size_t i = 0; i < n_base; i++)
        if (!change_of(changes, n, base[i].key))
            all[n_all++] = base[i];
    for (size_t i = 0; i < n; i++)
        if (changes[i].value)
            all[n_all++] = changes[i];
    return overlay_put(o, key, all, n_all, swept, now_ms);
}

int overlay_gone(struct overlay *o, const char *key, const struct raw_resources *swept,
                 int64_t now_ms)
{
    const struct overlay_entry *before = map_get(o->entries, key);
    const struct raw_resource *known = swept ? map_get(swept->by_key, key) : NULL;
    struct overlay_entry *e;

    if (before)
        e = entry_new(before->tags, before->n_tags, 0, NULL, now_ms);
    else
        e = entry_new(known ? known->tags : NULL, known ? known->n_tags : 0, 0, NULL, now_ms);
    if (e)
        e->gone = true;
    return noted(o, replace(o->entries, key, e, entry_free), &o->changes.keys, key);
}

int overlay_put_group(struct overlay *o, const char *name, const char *arn, const char *query,
                      int64_t now_ms)
{
    struct overlay_group *g = calloc(1, sizeof(*g));

    if (!g)
        return -ENOMEM;
    g->arn = strdup(arn);
    g->query = query ? strdup(query) : NULL;
    g->put_ms = now_ms;
    if (!g->arn || (query && !g->query)) {
        group_free(g);
        return -ENOMEM;
    }
    return noted(o, replace(o->groups, name, g, group_free), &o->changes.groups, name);
}

/* r (may be NULL) comes or goes: what it names, and the record itself. */
static void note_record(struct overlay *o, const struct overlay_record *r)
{
    if (!r)
        return;
    changes_note(&o->changes, &o->changes.records, r->id);
    for (size_t i = 0; i < r->n_keys; i++)
        changes_note(&o->changes, &o->changes.keys, r->keys[i]);
}

int overlay_put_record(struct overlay *o, const struct cache_record *from)
{
    struct overlay_record *r;

    if (map_get(o->dead_claims, from->claim))
        return 0;
    r = calloc(1, sizeof(*r));
    if (!r)
        return -ENOMEM;
    r->id = strdup(from->id);
    r->family = strdup(from->family);
    r->claim = strdup(from->claim);
    r->phase = strdup(from->phase);
    r->deleting = from->deleting;
    r->keys = calloc(from->n_keys + 1, sizeof(*r->keys));
    bool good = r->id && r->family && r->claim && r->phase && r->keys;
    for (size_t i = 0; good && i < from->n_keys; i++) {
        r->keys[i] = strdup(from->keys[i]);
        good = r->keys[i] != NULL;
        r->n_keys += good;
    }
    if (!good) {
        record_entry_free(r);
        return -ENOMEM;
    }
    note_record(o, map_get(o->records, from->id));
    note_record(o, r);
    return replace(o->records, from->id, r, record_entry_free);
}

bool overlay_has_record(const struct overlay *o, const struct cache_record *r)
{
    const struct overlay_record *old = map_get(o->records, r->id);
    bool same = old && streq(old->family, r->family) && streq(old->claim, r->claim) &&
                streq(old->phase, r->phase) && old->deleting == r->deleting &&
                old->n_keys == r->n_keys;

    for (size_t i = 0; same && i < r->n_keys; i++)
        same = streq(old->keys[i], r->keys[i]);
    return same;
}

int overlay_remove_record(struct overlay *o, const char *id, const char *claim)
{
    struct overlay_record *r = map_get(o->records, id);
    bool news = !map_get(o->dead_claims, claim);
    int e = map_put(o->dead_claims, claim, o, NULL);

    if (e == 0 && news)
        changes_note(&o->changes, &o->changes.claims, claim);
    if (e == 0 && r && streq(r->claim, claim)) {
        note_record(o, r);
        map_remove(o->records, id);
        record_entry_free(r);
    }
    return e;
}

static int put_used(struct overlay *o, const char *key, const struct index_tag *tags, size_t n,
                    bool read)
{
    struct overlay_entry *e = entry_new(tags, n, 0, NULL, 0);

    if (e)
        e->listed = read;
    return replace(o->used, key, e, entry_free);
}

int overlay_use(struct overlay *o, const char *key, bool used)
{
    bool was = map_get(o->used, key);

    if (was == used)
        return 0;
    if (!used)
        entry_free(map_remove(o->used, key));
    return noted(o, used ? put_used(o, key, NULL, 0, false) : 0, &o->changes.keys, key);
}

int overlay_tags_forget(struct overlay *o, const char *key)
{
    const struct overlay_entry *used = map_get(o->used, key);

    return used && used->listed ? put_used(o, key, NULL, 0, false) : 0;
}

int overlay_set_blueprints(struct overlay *o, const char *const *families, size_t n)
{
    char **copy = copy_names(families, n);

    if (!copy)
        return -ENOMEM;
    free_names(o->blueprints);
    o->blueprints = copy;
    o->changes.blueprints = true;
    return 0;
}

/* --- settling: with a new sweep, and so before a build; nothing is noted --- */

/* Whether r shows what e says; it may have tags of its own besides. */
static bool shows(const struct raw_resource *r, const struct overlay_entry *e, int64_t age_ms)
{
    for (size_t i = 0; i < e->n_tags; i++) {
        const char *value = tag_value(r->tags, r->n_tags, e->tags[i].key);
        if (!value || !streq(value, e->tags[i].value))
            return false;
    }
    for (size_t i = 0; i < e->n_dropped && age_ms <= DROPPED_MAX_MS; i++)
        if (tag_value(r->tags, r->n_tags, e->tags[e->n_tags + i].key))
            return false;
    return true;
}

/* Whether r has a value that was written after e by somebody else, or lacks what was there before
 * as well. */
static bool knows_more(const struct raw_resource *r, const struct overlay_entry *e)
{
    for (size_t i = 0; i < e->n_tags + e->n_dropped; i++) {
        const char *value = tag_value(r->tags, r->n_tags, e->tags[i].key);
        const char *own = i < e->n_tags ? e->tags[i].value : NULL;
        bool other = value ? !own || !streq(own, value) : own && e->listed;
        if (other && !is_past(e->past, e->n_past, hash_tag(e->tags[i].key, value ? value : ABSENT)))
            return true;
    }
    return false;
}

/* Whether r is not what went, but its successor. */
static bool other_life(const struct raw_resource *r, const struct overlay_entry *e)
{
    const char *had = tag_value(e->tags, e->n_tags, "svcfs:claim");
    const char *has = tag_value(r->tags, r->n_tags, "svcfs:claim");

    return had && has && !streq(had, has);
}

static bool same_tags(const struct raw_resource *r, const struct overlay_entry *e)
{
    bool same = r->n_tags == e->n_tags;

    for (size_t i = 0; same && i < r->n_tags; i++)
        same = streq(r->tags[i].key, e->tags[i].key) && streq(r->tags[i].value, e->tags[i].value);
    return same;
}

int overlay_tags_read(struct overlay *o, const struct raw_resource *r, int64_t begun_ms)
{
    const struct overlay_entry *used = map_get(o->used, r->key), *put = map_get(o->entries, r->key);
    int64_t age = put && !put->gone ? begun_ms - put->put_ms : -1;

    if (!used)
        return 0;
    if (age >= 0 && (shows(r, put, age) || knows_more(r, put))) {
        entry_free(map_remove(o->entries, r->key));
        changes_note(&o->changes, &o->changes.keys, r->key);
    }
    if (used->listed && same_tags(r, used))
        return 0;
    return noted(o, put_used(o, r->key, r->tags, r->n_tags, true), &o->changes.keys, r->key);
}

void overlay_settle(struct overlay *o, const struct raw_resources *r)
{
    struct map_iter it = {0};
    const char *key;
    void *value;

    while (map_next(o->entries, &it, &key, &value)) {
        struct overlay_entry *e = value;
        const struct raw_resource *swept = map_get(r->by_key, key);
        int64_t age = r->begun_ms - e->put_ms;
        bool settled;

        if (e->gone)
            settled =
                swept ? age > GONE_MAX_MS || (age >= 0 && other_life(swept, e)) : age > GONE_MIN_MS;
        else
            settled = age >= 0 && ((swept && (shows(swept, e, age) || knows_more(swept, e))) ||
                                   age > (e->listed ? DROPPED_MAX_MS : PUT_MAX_MS));
        if (settled)
            entry_free(map_remove(o->entries, key));
    }
}

void overlay_settle_groups(struct overlay *o, const struct raw_groups *g)
{
    struct map_iter it = {0};
    const char *name;
    void *value;

    while (map_next(o->groups, &it, &name, &value)) {
        struct overlay_group *e = value;
        bool there = map_get(g->by_name, name) != NULL;
        int64_t age = g->begun_ms - e->put_ms;

        if (age >= 0 && ((e->query != NULL) == there || age > PUT_MAX_MS))
            group_free(map_remove(o->groups, name));
    }
}
