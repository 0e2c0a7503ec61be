/* Differences: each change gives exactly the entries that it should, as text, and equal snapshots
 * none. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "cache/diff.h"
#include "tests/unit/world.h"

/* One word a difference: sign, kind, name. The snapshot that has what is named must be the right
 * one. */
static void write_one(void *arg, const struct diff *d)
{
    static const char signs[] = {[DIFF_ADDED] = '+', [DIFF_REMOVED] = '-', [DIFF_CHANGED] = '~'};
    const char *name = NULL, *kind = NULL;

    switch (d->kind) {
    case DIFF_FAMILY:
        assert_null(d->service);
        kind = "family", name = d->family->name;
        break;
    case DIFF_SERVICE:
        assert_string_equal(d->family->id, d->service->family->id);
        kind = d->service->deleting ? "deleting" : "service", name = d->service->link;
        break;
    case DIFF_SHARED:
        kind = "shared", name = d->family->name;
        break;
    case DIFF_RESOURCE:
        kind = "resource", name = d->resource->id;
        break;
    case DIFF_GROUP:
        kind = "group", name = d->group->name;
        break;
    case DIFF_GROUPS_KNOWN:
        kind = "groups", name = "known";
        break;
    case DIFF_PROBLEMS:
        kind = "problems", name = "";
        break;
    }
    assert_int_equal(buf_printf(arg, "%c%s:%s ", signs[d->how], kind, name), 0);
}

static void check(const struct snapshot *old, const struct snapshot *now, const char *expected)
{
    _cleanup_buf_ struct buf out = BUF_INIT(10000);

    diff_snapshots(old, now, write_one, &out);
    assert_string_equal(buf_str(&out), expected);
}

/* Builds anew, compares with *last and there and back, and keeps it in *last. */
static void step(struct world *w, const struct snapshot **last, const char *expected)
{
    const struct snapshot *now = world_build(w);

    check(*last, now, expected);
    check(now, now, "");
    snapshot_unref(*last);
    *last = now;
}

static void put_record(struct world *w, const char *id, const char *phase, const char *key)
{
    const struct cache_record r = {.id = id,
                                   .family = "wp",
                                   .claim = "c1",
                                   .phase = phase,
                                   .deleting = streq(phase, "deleting"),
                                   .keys = &key,
                                   .n_keys = key != NULL};

    assert_int_equal(overlay_put_record(&w->overlay, &r), 0);
}

static void test_nothing(void **state)
{
    _cleanup_world_ struct world *w = world_new();
    _cleanup_snapshot_ const struct snapshot *empty = world_build(w);
    (void)state;

    check(NULL, empty, "");
    check(empty, empty, "");
    world_add(w, SG("sg-1"), FAMILY("wp"), SERVICE("n1"));
    put_record(w, "n2", "ready", "mariadb/database/h:1+x");
    _cleanup_snapshot_ const struct snapshot *a = world_build(w);
    w->in.generation = 2;
    w->in.wall_ms++;
    _cleanup_snapshot_ const struct snapshot *b = world_build(w);
    check(a, b, "");
}

static void test_resources(void **state)
{
    _cleanup_world_ struct world *w = world_new();
    _cleanup_snapshot_ const struct snapshot *s = NULL;
    (void)state;

    world_add(w, SG("sg-1"), FAMILY("wp"), SERVICE("n1"));
    step(w, &s, "+family:wp +service:n1 +resource:sg-1 ");
    world_add(w, SG("sg-0"), FAMILY("wp"), SERVICE("n1"));
    step(w, &s, "~service:n1 +resource:sg-0 ");
    world_add(w, SG("sg-1"), FAMILY("wp"), SERVICE("n1"), "Name=x");
    step(w, &s, "~service:n1 ~resource:sg-1 ");
    world_add(w, SG("sg-1"), FAMILY("wp"), SERVICE("n1"), "Name=y");
    step(w, &s, "~service:n1 ~resource:sg-1 ");
    world_add(w, SG("sg-1"), FAMILY("wp"), SERVICE("n2"), "Name=y");
    step(w, &s, "~service:n1 +service:n2 ~resource:sg-1 ");
    world_add(w, SG("sg-1"), FAMILY("wp"));
    step(w, &s, "-service:n2 ~shared:wp ~resource:sg-1 ");
    map_remove(w->swept->by_key, SG("sg-1"));
    step(w, &s, "~shared:wp -resource:sg-1 ");
    map_remove(w->swept->by_key, SG("sg-0"));
    step(w, &s, "-family:wp -service:n1 -resource:sg-0 ");
}

static void test_services(void **state)
{
    char *blueprints[] = {(char *)"wp", NULL};
    _cleanup_world_ struct world *w = world_new();
    _cleanup_snapshot_ const struct snapshot *s = NULL;
    (void)state;

    w->in.blueprints = blueprints;
    step(w, &s, "+family:wp ");
    put_record(w, "n1", "creating", NULL);
    step(w, &s, "+service:n1 +resource:svcfs+n1 ");
    put_record(w, "n1", "creating", "mariadb/database/h:1+n1");
    step(w, &s, "~service:n1 +resource:h:1+n1 ");
    /* The record's own resource shows its phase, since the index knows nothing of it yet. */
    put_record(w, "n1", "ready", "mariadb/database/h:1+n1");
    step(w, &s, "~service:n1 ~resource:svcfs+n1 ");
    put_record(w, "n1", "deleting", "mariadb/database/h:1+n1");
    step(w, &s, "-service:n1 +deleting:n1 ~resource:svcfs+n1 ~resource:h:1+n1 ");
    assert_int_equal(overlay_remove_record(&w->overlay, "n1", "c1"), 0);
    step(w, &s, "-deleting:n1 -resource:svcfs+n1 -resource:h:1+n1 ");
    w->in.blueprints = NULL;
    step(w, &s, "-family:wp ");
    world_add(w, SG("sg-1"), FAMILY("wp"));
    step(w, &s, "+family:wp +resource:sg-1 ");
    w->in.blueprints = blueprints;
    step(w, &s, "~family:wp ");
}

/* What changes its name has gone and come: the old name must be forgotten. */
static void test_renamed(void **state)
{
    _cleanup_world_ struct world *w = world_new();
    _cleanup_snapshot_ const struct snapshot *s = NULL;
    _cleanup_buf_ struct buf out = BUF_INIT(10000);
    (void)state;

    world_add(w, SG("sg-1"), FAMILY("a"), SERVICE("x"));
    step(w, &s, "+family:a +service:x +resource:sg-1 ");
    world_add(w, SG("sg-2"), FAMILY("b"), SERVICE("x"));
    step(w, &s, "-service:x +service:x@a +family:b +service:x@b ~resource:sg-1 +resource:sg-2 ");
    world_add(w, SG("sg-2"), FAMILY("b"));
    step(w, &s, "-service:x@a +service:x -service:x@b ~shared:b ~resource:sg-1 ~resource:sg-2 ");
    /* An ARN that comes before sg-1's takes its path. */
    world_add(w, "arn:aws:ec2:a:1:security-group/sg-1", FAMILY("b"));
    _cleanup_snapshot_ const struct snapshot *now = world_build(w);
    diff_snapshots(s, now, write_one, &out);
    assert_non_null(strstr(buf_str(&out), "+resource:sg-1 "));
    assert_non_null(strstr(buf_str(&out), "-resource:sg-1 "));
    assert_non_null(strstr(buf_str(&out), "+resource:sg-1%~"));
    assert_non_null(strstr(buf_str(&out), "~service:x "));
}

static void test_groups(void **state)
{
    static const char *const members[] = {"arn:aws:s3:::b", NULL};
    _cleanup_world_ struct world *w = world_new();
    _cleanup_snapshot_ const struct snapshot *s = NULL;
    (void)state;

    world_add(w, SG("sg-1"), FAMILY("wp"));
    world_group(w, "g", QUERY("service-family", "wp"), NULL);
    step(w, &s, "+family:wp +resource:sg-1 +group:g ~groups:known ");
    world_add(w, SG("sg-2"), FAMILY("wp"));
    step(w, &s, "~shared:wp +resource:sg-2 ~group:g ");
    world_group(w, "g", QUERY("service-family", "w"), NULL);
    step(w, &s, "~group:g ");
    world_group(w, "f", NULL, members);
    step(w, &s, "+resource:b +group:f ");
    world_group(w, "h", NULL, members);
    map_remove(w->groups->by_name, "g");
    step(w, &s, "-group:g +group:h ");
    map_remove(w->groups->by_name, "f");
    map_remove(w->groups->by_name, "h");
    step(w, &s, "-resource:b -group:f -group:h ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),  cmocka_unit_test(test_resources),
        cmocka_unit_test(test_services), cmocka_unit_test(test_renamed),
        cmocka_unit_test(test_groups),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
