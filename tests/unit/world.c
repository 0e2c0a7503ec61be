#include "tests/unit/world.h"

#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    w->swept = calloc(1, sizeof(*w->swept));
    w->groups = calloc(1, sizeof(*w->groups));
    assert_true(w->swept && w->groups);
    w->swept->arena = arena_new();
    w->swept->by_key = map_new_lent();
    w->groups->arena = arena_new();
    w->groups->by_name = map_new();
    assert_int_equal(overlay_init(&w->overlay), 0);
    w->in = (struct build_input){
        .family_tag = "service-family",
        .service_tag = "service-id",
        .dependency_tag = "service-dependency",
        .account = "123456789012",
        .region = "eu-central-1",
        .partition = "aws",
        .resources = w->swept,
        .overlay = w->overlay.entries,
        .overlay_groups = w->overlay.groups,
        .records = w->overlay.records,
        .dead_claims = w->overlay.dead_claims,
        .generation = 1,
        .wall_ms = 1795348800000,
    };
    return w;
}

void world_free(struct world *w)
{
    if (!w)
        return;
    raw_resources_unref(w->swept);
    raw_groups_unref(w->groups);
    overlay_done(&w->overlay);
    free(w);
}

void world_add_tags(struct world *w, const char *arn, const char *const *tags)
{
    struct arena *a = w->swept->arena;
    struct raw_resource *r = arena_alloc(a, sizeof(*r));
    struct index_tag list[64];
    char keys[64][128];
    size_t n = 0;

    for (; tags[n]; n++) {
        size_t key = strcspn(tags[n], "=");
        snprintf(keys[n], sizeof(keys[n]), "%.*s", (int)key, tags[n]);
        list[n].key = keys[n];
        list[n].value = tags[n] + key + 1;
    }
    *r = (struct raw_resource){arena_strdup(a, arn), raw_tags(a, list, n), n};
    assert_int_equal(map_put(w->swept->by_key, r->key, r, NULL), 0);
}

void world_group(struct world *w, const char *name, const char *query, const char *const *members)
{
    struct arena *a = w->groups->arena;
    struct raw_group *g = arena_alloc(a, sizeof(*g));
    struct raw_resource *list = arena_array(a, 16, sizeof(*list));

    *g = (struct raw_group){.name = arena_strdup(a, name),
                            .arn = arena_printf(a, "arn:aws:resource-groups:r:1:group/%s", name),
                            .query = query ? arena_strdup(a, query) : NULL,
                            .by_our_tags = !members,
                            .members = list};
    for (; members && members[g->n_members]; g->n_members++)
        list[g->n_members] =
            (struct raw_resource){arena_strdup(a, members[g->n_members]), raw_tags(a, NULL, 0), 0};
    assert_int_equal(map_put(w->groups->by_name, name, g, NULL), 0);
    w->in.groups = w->groups;
}

const struct snapshot *world_build(struct world *w)
{
    const struct snapshot *s = NULL;

    assert_int_equal(build_snapshot(&w->in, &s), 0);
    assert_non_null(s);
    return s;
}
