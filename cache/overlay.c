/*
 * An entry leaves the overlay when a sweep that began after it says the same: the new tags are shown, or the key is no longer
 * listed. What was put is believed for an hour at most, since somebody else may have deleted it; what is gone is
 * kept as long as the index lists it, and ten minutes more, since pages come from replicas that do not agree.
 */
#include "cache/overlay.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

enum { PUT_MAX_MS = 60 * 60 * 1000, GONE_MIN_MS = 10 * 60 * 1000 };

int overlay_init(struct overlay *o)
{
    *o = (struct overlay){map_new(), map_new(), map_new(), map_new()};
    return o->entries && o->groups && o->records && o->dead_claims ? 0 : -ENOMEM;
}

static void group_free(void *value)
{
    struct overlay_group *g = value;

    if (!g)
        return;
    free(g->arn);
    free(g->query);
    free(g);
}

static void record_entry_free(void *value)
{
    struct overlay_record *r = value;

    if (!r)
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

void overlay_done(struct overlay *o)
{
    map_free_with(o->entries, free);
    map_free_with(o->groups, group_free);
    map_free_with(o->records, record_entry_free);
    map_free(o->dead_claims);
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

int overlay_put(struct overlay *o, const char *key, const struct index_tag *tags, size_t n_tags,
                int64_t now_ms)
{
    size_t size = sizeof(struct overlay_entry) + n_tags * sizeof(*tags);

    for (size_t i = 0; i < n_tags; i++)
        size += strlen(tags[i].key) + strlen(tags[i].value) + 2;
    struct overlay_entry *e = calloc(1, size);
    if (!e)
        return -ENOMEM;
    e->tags = (struct index_tag *)(e + 1);
    e->n_tags = n_tags;
    e->put_ms = now_ms;
    char *text = (char *)(e->tags + n_tags);
    for (size_t i = 0; i < n_tags; i++) {
        e->tags[i].key = text;
        text = stpcpy(text, tags[i].key) + 1;
        e->tags[i].value = text;
        text = stpcpy(text, tags[i].value) + 1;
    }
    return replace(o->entries, key, e, free);
}

int overlay_gone(struct overlay *o, const char *key, int64_t now_ms)
{
    struct overlay_entry *e = calloc(1, sizeof(*e));

    if (e)
        *e = (struct overlay_entry){.gone = true, .put_ms = now_ms};
    return replace(o->entries, key, e, free);
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
    return replace(o->groups, name, g, group_free);
}

int overlay_put_record(struct overlay *o, const struct cache_record *from)
{
    struct overlay_record *r = calloc(1, sizeof(*r));

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
    return replace(o->records, from->id, r, record_entry_free);
}

int overlay_remove_record(struct overlay *o, const char *id, const char *claim)
{
    struct overlay_record *r = map_get(o->records, id);
    int e = map_put(o->dead_claims, claim, o, NULL);

    if (e == 0 && r && streq(r->claim, claim)) {
        map_remove(o->records, id);
        record_entry_free(r);
    }
    return e;
}

/* --- settling --- */

/* Whether r shows all that e says (it may have tags of its own besides). */
static bool shows(const struct raw_resource *r, const struct overlay_entry *e)
{
    size_t found = 0;

    for (size_t i = 0; i < e->n_tags; i++)
        for (size_t k = 0; k < r->n_tags; k++)
            found += streq(e->tags[i].key, r->tags[k].key) &&
                     streq(e->tags[i].value, r->tags[k].value);
    return found == e->n_tags;
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
            settled = !swept && age > GONE_MIN_MS;
        else
            settled = age >= 0 && ((swept && shows(swept, e)) || age > PUT_MAX_MS);
        if (settled)
            free(map_remove(o->entries, key));
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
