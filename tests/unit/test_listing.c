/*
 * Listings are read in pieces, and change in between: whoever reads one gets every name that was
 * there all the time exactly once, and a kept listing is never an outdated one.
 */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "fs/listing.h"
#include "fs/node.h"
#include "fs/notify.h"
#include "tests/unit/world.h"

enum { NAMES = 300 };

struct scene {
    struct world *world;
    const struct snapshot *snap;
    struct fs fs;
    struct key key; /* services/ */
    struct node *node;
};

static void service_name(int i, char out[32])
{
    snprintf(out, 32, "n%03d", i);
}

static void add(struct scene *s, int i)
{
    char arn[128], id[64], name[32];

    service_name(i, name);
    snprintf(arn, sizeof(arn), SG("sg-%d"), i);
    snprintf(id, sizeof(id), "service-id=%s", name);
    world_add(s->world, arn, FAMILY("wp"), id);
}

static void build(struct scene *s)
{
    const struct snapshot *old = s->snap;

    s->world->in.before = old;
    s->world->in.wall_ms++;
    s->snap = world_build(s->world);
    snapshot_unref(old);
    notify_next_epoch(s->fs.notify);
}

static struct scene *scene_new(void)
{
    struct scene *s = calloc(1, sizeof(*s));
    struct key root = {.kind = KIND_ROOT, .life = ""};
    struct node *top;

    assert_non_null(s);
    s->world = world_new();
    s->fs.clock = clock_system();
    assert_int_equal(node_table_new(&s->fs.nodes), 0);
    assert_int_equal(listing_memo_new(&s->fs.listings), 0);
    assert_int_equal(notify_new(&s->fs.notify, &s->fs), 0);
    s->key = key_child(&root, KIND_SERVICES, NULL);
    top = node_get(s->fs.nodes, 1);
    assert_int_equal(node_lookup(s->fs.nodes, top, &s->key, &s->node), 0);
    node_put(s->fs.nodes, top);
    for (int i = 0; i < NAMES; i++)
        add(s, i);
    build(s);
    return s;
}

static void scene_free(struct scene *s)
{
    node_put(s->fs.nodes, s->node);
    notify_free(s->fs.notify);
    listing_memo_free(s->fs.listings);
    node_table_free(s->fs.nodes);
    snapshot_unref(s->snap);
    world_free(s->world);
    free(s);
}

static const struct listing *list(struct scene *s)
{
    struct place dir = {.fs = &s->fs,
                        .snap = s->snap,
                        .key = &s->key,
                        .node = s->node,
                        .epoch = notify_epoch(s->fs.notify)};
    const struct listing *l;

    assert_int_equal(listing_get(&dir, &l), 0);
    return l;
}

static bool has(const struct listing *l, const char *name)
{
    for (size_t i = 0; i < l->n; i++)
        if (streq(l->entries[i].name, name))
            return true;
    return false;
}

static void test_order(void **state _unused_)
{
    struct scene *s = scene_new();
    const struct listing *l = list(s);

    assert_int_equal(l->n, NAMES);
    assert_true(l->entries[0].cookie > COOKIE_DOTDOT);
    for (size_t i = 0; i < l->n; i++) {
        assert_true(i == 0 || l->entries[i].cookie > l->entries[i - 1].cookie);
        assert_int_equal(listing_after(l, l->entries[i].cookie), i + 1);
    }
    assert_int_equal(listing_after(l, COOKIE_DOTDOT), 0);
    assert_int_equal(listing_after(l, INT64_MAX), NAMES);
    listing_put(l);
    scene_free(s);
}

/* Ten entries a piece; before each, one name goes and another one comes. */
static void test_changes_between_pieces(void **state _unused_)
{
    struct scene *s = scene_new();
    unsigned seen[2 * NAMES] = {0};
    off_t at = COOKIE_DOTDOT;
    int step = 0;

    for (;; step++) {
        const struct listing *l = list(s);
        size_t i = listing_after(l, at), end = MIN(i + 10, l->n);
        char arn[128];

        if (i == l->n) {
            listing_put(l);
            break;
        }
        for (; i < end; i++) {
            seen[atoi(l->entries[i].name + 1)]++;
            at = l->entries[i].cookie;
        }
        listing_put(l);
        snprintf(arn, sizeof(arn), SG("sg-%d"), 3 * step);
        assert_non_null(map_remove(s->world->swept->by_key, arn));
        add(s, NAMES + step);
        build(s);
    }
    assert_true(step > NAMES / 10 - 5);
    for (int i = 0; i < NAMES; i++) {
        bool stayed = i % 3 != 0 || i / 3 >= step;

        assert_true(stayed ? seen[i] == 1 : seen[i] <= 1);
    }
    scene_free(s);
}

static void test_kept_until_it_changes(void **state _unused_)
{
    struct scene *s = scene_new();
    const struct listing *first = list(s), *again = list(s), *changed;
    char name[32];

    assert_ptr_equal(first, again); /* kept */
    listing_put(again);
    world_add(s->world, SG("sg-0"), FAMILY("wp"), SERVICE("n000"), "other=tag");
    build(s);
    again = list(s);
    assert_ptr_equal(first, again); /* no name has changed */
    listing_put(again);
    add(s, NAMES);
    build(s);
    changed = list(s);
    service_name(NAMES, name);
    assert_true(has(changed, name));
    assert_false(has(first, name)); /* who reads it still does */
    listing_put(changed);
    listing_put(first);
    scene_free(s);
}

/* The snapshot is older than the change that the kernel is being told of. */
static void test_outdated_is_not_kept(void **state _unused_)
{
    struct scene *s = scene_new();
    const struct snapshot *old = snapshot_ref(s->snap), *newest;
    const struct listing *l;
    struct place late = {.fs = &s->fs, .snap = old, .key = &s->key, .node = s->node, .epoch = 1};
    char name[32];

    add(s, NAMES);
    build(s);
    node_touch(s->fs.nodes, &s->key, 5);
    assert_int_equal(listing_get(&late, &l), 0);
    assert_int_equal(l->n, NAMES);
    listing_put(l);
    newest = s->snap;
    l = list(s);
    service_name(NAMES, name);
    assert_true(has(l, name));
    assert_ptr_equal(newest, s->snap);
    listing_put(l);
    snapshot_unref(old);
    scene_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_changes_between_pieces),
        cmocka_unit_test(test_kept_until_it_changes),
        cmocka_unit_test(test_outdated_is_not_kept),
    };

    return cmocka_run_group_tests_name("listing", tests, NULL, NULL);
}
