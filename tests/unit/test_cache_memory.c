/*
 * Every nth allocation fails: the builder and the overlay must say -ENOMEM, lose nothing (the
 * sanitizer looks) and be as they were. The linker leads allocations through here (--wrap).
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>

#include "cache/chains.h"
#include "cache/graph.h"
#include "cache/saved.h"
#include "cache/sketch.h"
#include "tests/unit/world.h"

static long left = -1; /* allocations until one fails; negative: none does */

static bool fails(void)
{
    return left >= 0 && left-- == 0;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
char *__real_strdup(const char *s);

void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
    return fails() ? NULL : __real_reallocarray(p, n, size);
}

char *__wrap_strdup(const char *s);
char *__wrap_strdup(const char *s)
{
    return fails() ? NULL : __real_strdup(s);
}

static const struct index_tag tags[] = {{"service-family", "wp"}, {"service-id", "n7"}};

static int put_all(struct overlay *o)
{
    const char *key = "mariadb/database/h:1+n1";
    const struct cache_record record = {
        .id = "n1", .family = "wp", .claim = "c1", .phase = "ready", .keys = &key, .n_keys = 1};
    int r = overlay_put(o, SG("sg-7"), tags, 2, NULL, 0);

    if (r == 0)
        r = overlay_gone(o, SG("sg-7"), NULL, 0);
    if (r == 0)
        r = overlay_put(o, SG("sg-8"), tags, 2, NULL, 0);
    if (r == 0)
        r = overlay_put_group(o, "own", "arn", QUERY("service-id", "n7"), 0);
    if (r == 0)
        r = overlay_put_record(o, &record);
    return r == 0 ? overlay_remove_record(o, "other", "c9") : r;
}

static void test_overlay(void **state)
{
    bool all = true;
    long n = 0;
    int r = -ENOMEM;
    (void)state;

    for (; r != 0 || all; n++) { /* what cannot be noted is no error, but a build */
        struct overlay o;

        left = n;
        r = overlay_init(&o);
        if (r == 0)
            r = put_all(&o);
        left = -1;
        assert_true(r == 0 || r == -ENOMEM);
        all = o.changes.all;
        overlay_done(&o);
    }
    assert_in_range(n, 15, 200);
}

/* An account with a bit of everything. blueprints: as in build_input. */
static struct world *full_world(char **blueprints)
{
    static const char *const members[] = {"arn:aws:s3:::b", NULL};
    struct world *w = world_new();

    for (int i = 0; i < 40; i++) {
        char arn[100], id[40];
        snprintf(arn, sizeof(arn), SG("sg-%d"), i);
        snprintf(id, sizeof(id), "service-id=n%d", i / 2);
        world_add(w, arn, id, i / 2 % 3 ? FAMILY("wp") : FAMILY("db"));
    }
    world_add(w, "arn:aws:ec2:a:1:security-group/sg-1", FAMILY("wp"));
    world_add(w, SG("sg-lost"), SERVICE("lost"));
    world_group(w, "stack", NULL, members);
    world_group(w, "wp", QUERY("service-family", "wp"), NULL);
    assert_int_equal(put_all(&w->overlay), 0);
    w->in.blueprints = blueprints;
    w->in.groups_problem = "none";
    return w;
}

static void test_build(void **state)
{
    char *blueprints[] = {(char *)"empty", NULL};
    _cleanup_world_ struct world *w = full_world(blueprints);
    const struct snapshot *s = NULL;
    long n = 0;
    int r = -ENOMEM;
    (void)state;

    for (; r != 0; n++) {
        left = n;
        r = build_snapshot(&w->in, &s);
        left = -1;
        assert_true(r == -ENOMEM ? !s : r == 0);
    }
    assert_in_range(n, 100, 10000);
    assert_int_equal(s->n_groups, 3);
    snapshot_unref(s);
}

static void test_patch(void **state)
{
    char *blueprints[] = {(char *)"empty", NULL};
    _cleanup_world_ struct world *w = full_world(blueprints);
    _cleanup_snapshot_ const struct snapshot *base = world_build(w);
    const struct snapshot *s = NULL;
    long n = 0;
    int r = -ENOMEM;
    (void)state;

    changes_done(&w->overlay.changes);
    assert_int_equal(overlay_put(&w->overlay, SG("sg-30"), tags, 2, NULL, 0), 0);
    assert_int_equal(overlay_gone(&w->overlay, SG("sg-lost"), NULL, 0), 0);
    assert_int_equal(overlay_put_group(&w->overlay, "n8", "arn", QUERY("service-id", "n8"), 0), 0);
    assert_int_equal(overlay_remove_record(&w->overlay, "n1", "c1"), 0);
    w->in.before = base;
    for (; r != 0; n++) {
        left = n;
        r = build_patch(&w->in, &w->overlay.changes, &s);
        left = -1;
        assert_true(r == -ENOMEM ? !s : r == 0);
    }
    assert_in_range(n, 50, 2000);
    assert_int_equal(s->n_groups, 4);
    assert_int_equal(snapshot_group(s, "n8")->n_resources, 2);
    snapshot_unref(s);
}

static void test_copy(void **state)
{
    struct overlay o;
    int r = -ENOMEM;
    (void)state;

    assert_int_equal(overlay_init(&o), 0);
    assert_int_equal(put_all(&o), 0);
    for (long n = 0; r != 0; n++) {
        struct overlay copy;
        left = n;
        r = overlay_copy(&o, &copy);
        left = -1;
        if (r < 0)
            continue;
        /* What is replaced in the first lives on in the copy. */
        assert_int_equal(overlay_gone(&o, SG("sg-8"), NULL, 1), 0);
        assert_false(((struct overlay_entry *)map_get(copy.entries, SG("sg-8")))->gone);
        overlay_done(&copy);
    }
    overlay_done(&o);
}

/* Calls what until it does not fail any more; fails where that is not -ENOMEM. */
static void until_good(int (*what)(struct world *w), struct world *w, long least)
{
    long n = 0;
    int r = -ENOMEM;

    for (; r != 0; n++) {
        left = n;
        r = what(w);
        left = -1;
        assert_true(r == 0 || r == -ENOMEM);
    }
    assert_in_range(n, least, 1000);
}

static int choose(struct world *w)
{
    const struct chains_input in = {
        .last = w->swept, .overlay = w->overlay.entries, .family_tag = "service-family"};
    struct chains c = {0};
    int r = chains_choose(&in, &c);

    chains_done(&c);
    return r;
}

static int save_and_read(struct world *w)
{
    static const struct saved_owner owner = {"1", "r", "aws", "", "service-family", "service-id"};
    long rest = left;
    _cleanup_(raw_resources_unrefp) struct raw_resources *back = NULL;
    _cleanup_free_ char *image = NULL;
    size_t len;

    left = -1; /* the builder has a test of its own */
    _cleanup_snapshot_ const struct snapshot *s = world_build(w);
    left = rest;
    int r = saved_image(&owner, s, 1, &image, &len);
    return r < 0 ? r : saved_parse(&owner, image, len, &back, NULL);
}

static int sketch(struct world *w)
{
    const struct snapshot *s = NULL;
    struct sketch k;
    int r = sketch_init(&k);

    if (r == 0 && !sketch_family(&k, "named"))
        r = -ENOMEM;
    struct sketch_family *f = r == 0 ? sketch_family(&k, "wp") : NULL;
    if (f) {
        f->resources = w->swept; /* lent */
        r = sketch_build(&k, &w->in, &s);
        f->resources = NULL;
    } else {
        r = -ENOMEM;
    }
    snapshot_unref(s);
    sketch_done(&k);
    return r;
}

static void test_early(void **state)
{
    _cleanup_world_ struct world *w = world_new();
    (void)state;

    world_add(w, SG("sg-1"), FAMILY("wp"), SERVICE("n1"));
    world_add(w, "arn:aws:ecs:r:1:service/c/web", FAMILY("wp"), SERVICE("n1"));
    until_good(choose, w, 3);
    until_good(save_and_read, w, 6);
    until_good(sketch, w, 20);
}

/* --- the graph: something may be missing in it, but it can be asked, followed on, and freed --- */

static int described(_unused_ void *arg, const char *key, edge_fn emit, void *to)
{
    static const char *const targets[] = {"ec2/vpc/vpc-1", "ec2/security-group/sg-2",
                                          "ec2/security-group/sg-3"};
    int e = 0;

    for (size_t i = 0; e == 0 && i < ARRAY_SIZE(targets); i++)
        e = emit(to, i ? "allows-from" : "vpc", targets[i]);
    (void)key;
    return e;
}

static void wanted(_unused_ void *arg, _unused_ const char *key, _unused_ bool come)
{
}

static void impact_news(_unused_ void *arg, _unused_ const struct index_resource *r,
                        _unused_ const struct impact *old, _unused_ const struct impact *now)
{
}

static void drawing_news(_unused_ void *arg, _unused_ const char *family,
                         _unused_ const struct graph_face *service)
{
}

static int ask_all(struct graph *g, const struct snapshot *s)
{
    int e = 0;

    for (size_t i = 0; e == 0 && i < s->n_resources; i++) {
        const struct impact *told = NULL, *paths = NULL;
        e = graph_impact(g, s->resources[i], &told);
        if (e == 0)
            e = graph_impact_paths(g, s->resources[i], &paths);
        impact_unref(told);
        impact_unref(paths);
        e = e == -EAGAIN ? -ENOMEM : e; /* it could not be made */
    }
    return e;
}

static int use_graph(const struct snapshot *first, const struct snapshot *second)
{
    const struct graph_options o = {{"aws", "eu-central-1", "123456789012"}, described, NULL};
    const struct graph_news news = {impact_news, drawing_news, NULL};
    struct buf out = BUF_INIT(1 << 20);
    struct graph *g = NULL;
    int64_t ms;
    int r = graph_new(&g, &o);

    if (r < 0)
        return r;
    r = graph_follow(g, first);
    r = r < 0 ? r : ask_all(g, first);
    r = r < 0 ? r : graph_draw(g, NULL, NULL, &out, &ms);
    int e = graph_follow(g, second); /* whatever happened */
    graph_wanted(g, wanted, NULL);
    graph_news(g, 1000, &news);
    r = r < 0 ? r : e;
    r = r < 0 ? r : graph_described(g, SG("sg-1"), 1);
    r = r < 0 ? r : ask_all(g, second);
    buf_done(&out);
    graph_free(g);
    return r;
}

static void test_graph(void **state)
{
    _cleanup_world_ struct world *w = world_new();
    _cleanup_snapshot_ const struct snapshot *first = NULL, *second = NULL;
    int r = -ENOMEM;
    (void)state;

    w->in.dependency_tag = "service-dependency";
    world_add(w, SG("sg-1"), FAMILY("wp"), SERVICE("n1"));
    world_add(w, SG("sg-2"), FAMILY("wp"), SERVICE("n2"), "service-dependency=n1");
    first = world_build(w);
    world_add(w, SG("sg-2"), FAMILY("wp"), SERVICE("n1"));
    world_add(w, SG("sg-3"), FAMILY("wp"), SERVICE("n3"), "service-dependency=n1");
    second = world_build(w);
    for (long n = 0; r != 0 && n < 100000; n++) {
        left = n;
        r = use_graph(first, second);
        bool failed = left < 0;
        left = -1;
        assert_true(r == 0 || (r == -ENOMEM && failed));
        r = failed ? -ENOMEM : r; /* some failures are no error */
    }
    assert_int_equal(r, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overlay), cmocka_unit_test(test_graph), cmocka_unit_test(test_build),
        cmocka_unit_test(test_patch),   cmocka_unit_test(test_copy),  cmocka_unit_test(test_early),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
