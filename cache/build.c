/*
 * A whole build: from the sweeps to a snapshot, in passes (draft.h). Collect what there is, name
 * it, hang it on its service and family, sort every listing, and date what differs from the
 * snapshot before.
 */
#include "cache/draft.h"

#include <errno.h>

const char *const index_reserved[] = {
    "blueprint.json", "next-id", "services.tsv", "resources", "plan", "graph.dot", NULL};

static void family_done(struct family_draft *f)
{
    struct map_iter it = {0};
    void *service;

    while (map_next(f->services, &it, NULL, &service))
        list_done(&((struct service_draft *)service)->resources);
    map_free(f->services);
    edit_done(&f->here);
    edit_done(&f->going);
    edit_done(&f->shared);
}

static void drafts_done(struct build *b)
{
    struct map_iter it = {0};
    void *value;

    while (map_next(b->families, &it, NULL, &value))
        family_done(value);
    it = (struct map_iter){0};
    while (map_next(b->types, &it, NULL, &value))
        edit_done(&((struct type_draft *)value)->resources);
    it = (struct map_iter){0};
    while (map_next(b->groups, &it, NULL, &value))
        edit_done(&((struct group_draft *)value)->members);
}

static void build_done(struct build *b)
{
    struct map *const maps[] = {b->keys, b->families, b->family_count, b->types, b->groups};
    struct edit *const edits[] = {&b->resources, &b->links,    &b->ids,        &b->needs,
                                  &b->problems,  &b->untagged, &b->group_words};

    drafts_done(b);
    for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
        map_free(maps[i]);
    for (size_t i = 0; i < ARRAY_SIZE(edits); i++)
        edit_done(edits[i]);
    list_done(&b->candidates);
    list_done(&b->drafts);
    arena_free(b->scratch);
}

static int build_init(struct build *b, struct things *t)
{
    t->resources = raw_resources_ref(b->in->resources);
    t->groups = raw_groups_ref(b->in->groups);
    b->things = t->arena;
    b->s = snapshot_new(t);
    b->scratch = arena_new();
    b->keys = map_new();
    b->families = map_new();
    b->family_count = map_new();
    b->types = map_new();
    b->groups = map_new();
    if (!b->s || !b->scratch || !b->keys || !b->families || !b->family_count || !b->types ||
        !b->groups)
        return -ENOMEM;
    b->lists = b->s->private_->lists;
    b->s->swept = !b->in->resources->saved;
    b->s->swept_wall_ms = b->in->resources->begun_wall_ms;
    return 0;
}

int build_run(struct build *b, const build_pass *passes, size_t n, const struct snapshot **ret)
{
    _cleanup_(things_unrefp) struct things *t =
        things_new(b->base ? b->base->private_->things : NULL);
    int e = t ? build_init(b, t) : -ENOMEM;

    for (size_t i = 0; e == 0 && i < n; i++)
        e = passes[i](b);
    if (e == 0) {
        b->s->generation = b->in->generation;
        b->s->bytes = arena_size(b->lists) + arena_size(b->things);
        *ret = b->s;
    } else if (b->s) {
        snapshot_free(b->s);
    }
    build_done(b);
    return e;
}

int build_snapshot(const struct build_input *in, const struct snapshot **ret)
{
    static const build_pass passes[] = {
        collect_all,     collect_resolve, finish_namesakes, hang_all,
        hang_blueprints, finish_services, finish_kinds,     finish_families,
        finish_listings, groups_pass,     finish_problems,  stamp_pass,
    };
    struct build b = {.in = in};

    return build_run(&b, passes, ARRAY_SIZE(passes), ret);
}
