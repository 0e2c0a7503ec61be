/*
 * A sketch is built by the builder of whole snapshots, from the resources of the families that are
 * known; the names of the others go in as if they were families with a blueprint, and are marked
 * afterwards. So there is one way only to make services and names of raw resources.
 */
#include "cache/sketch.h"

#include <errno.h>

#include "base/str.h"

int sketch_init(struct sketch *k)
{
    *k = (struct sketch){.families = map_new()};
    return k->families ? 0 : -ENOMEM;
}

static void family_free(void *value)
{
    struct sketch_family *f = value;

    raw_resources_unref(f->resources);
    free(f);
}

void sketch_done(struct sketch *k)
{
    map_free_with(k->families, family_free);
    *k = (struct sketch){0};
}

struct sketch_family *sketch_family(struct sketch *k, const char *family)
{
    struct sketch_family *f = map_get(k->families, family);

    if (f)
        return f;
    f = calloc(1, sizeof(*f));
    if (f && map_put(k->families, family, f, NULL) < 0) {
        free(f);
        f = NULL;
    }
    return f;
}

static int add_all(struct raw_resources *all, const struct raw_resources *more)
{
    struct map_iter it = {0};
    const char *key;
    void *value;

    while (map_next(more->by_key, &it, &key, &value))
        if (raw_copy(all, value) < 0)
            return -ENOMEM;
    return 0;
}

int sketch_hand_over(const struct sketch *k, struct raw_resources *sweep)
{
    struct map_iter it = {0};
    const char *key;
    void *value;
    int r = 0;

    while (r == 0 && k->families && map_next(k->families, &it, &key, &value)) {
        const struct sketch_family *f = value;
        if (f->resources && f->resources->begun_ms >= sweep->begun_ms)
            r = add_all(sweep, f->resources);
    }
    return r;
}

/* A value of the index whose last resource is gone is no family. */
static bool is_shown(const struct sketch_family *f)
{
    return f->resources ? map_size(f->resources->by_key) > 0 : f->named;
}

/* The resources of those that are known, and the names of all. */
static int gather(const struct sketch *k, struct raw_resources *all, char **names)
{
    struct map_iter it = {0};
    const char *key;
    void *value;

    while (map_next(k->families, &it, &key, &value)) {
        const struct sketch_family *f = value;
        if (f->resources && add_all(all, f->resources) < 0)
            return -ENOMEM;
        if (is_shown(f))
            *names++ = (char *)key;
    }
    return 0;
}

static bool is_among(char *const *names, const char *name)
{
    for (; names && *names; names++)
        if (streq(*names, name))
            return true;
    return false;
}

/* Nobody else has the snapshot yet, so it may still be changed. */
static void mark(struct snapshot *s, const struct sketch *k, char *const *blueprints)
{
    s->whole = false;
    for (size_t i = 0; i < s->n_families; i++) {
        struct index_family *f = (struct index_family *)s->families[i];
        const struct sketch_family *known = map_get(k->families, f->id);

        f->has_blueprint = is_among(blueprints, f->id);
        f->known = known && known->resources;
        if (!f->known) /* a part of a list is worse than none */
            f->n_services = f->n_deleting = f->n_shared = 0;
    }
}

int sketch_build(const struct sketch *k, const struct build_input *in, const struct snapshot **ret)
{
    _cleanup_(raw_resources_unrefp) struct raw_resources *all = raw_resources_new();
    struct build_input part = *in;
    size_t n = 0;

    while (in->blueprints && in->blueprints[n])
        n++;
    char **names _cleanup_free_ = calloc(n + map_size(k->families) + 1, sizeof(*names));
    if (!all || !names)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        names[i] = in->blueprints[i];
    if (gather(k, all, names + n) < 0)
        return -ENOMEM;
    part.resources = all;
    part.groups = NULL;
    part.blueprints = names;
    int r = build_snapshot(&part, ret);
    if (r == 0)
        mark((struct snapshot *)*ret, k, in->blueprints);
    return r;
}
