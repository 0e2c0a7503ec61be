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
    case DIFF_UNTAGGED:
        kind = "untagged", name = "";
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
    step(w, &s, "-service:n2 ~shared:wp ~resource:sg-1 ~untagged: ");
    map_remove(w->swept->by_key, SG("sg-1"));
    step(w, &s, "~shared:wp -resource:sg-1 ~untagged: ");
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
    step(w, &s, "+family:wp +resource:sg-1 ~untagged: ");
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
    step(
        w, &s,
        "-service:x@a +service:x -service:x@b ~shared:b ~resource:sg-1 ~resource:sg-2 ~untagged: ");
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
    step(w, &s, "+family:wp +resource:sg-1 +group:g ~groups:known ~untagged: ");
    world_add(w, SG("sg-2"), FAMILY("wp"));
    step(w, &s, "~shared:wp +resource:sg-2 ~group:g ~untagged: ");
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

/* Another claim is another life: its node must not be taken for the old one's. */
static void test_lives(void **state)
{
    _cleanup_world_ struct world *w = world_new();
    _cleanup_snapshot_ const struct snapshot *s = NULL;
    (void)state;

    put_record(w, "n1", "ready", NULL);
    step(w, &s, "+family:wp +service:n1 +resource:svcfs+n1 ");
    const struct cache_record next = {
        .id = "n1", .family = "wp", .claim = "c2", .phase = "ready", .keys = NULL};
    assert_int_equal(overlay_put_record(&w->overlay, &next), 0);
    step(w, &s, "-service:n1 +service:n1 ~resource:svcfs+n1 ");
}

/* Who must know what exactly changed gets both sides. */
static void check_sides(void *arg, const struct diff *d)
{
    const struct snapshot *const *sides = arg;

    if (d->how != DIFF_CHANGED) {
        assert_true(!d->old_family && !d->old_service && !d->old_resource && !d->old_group);
        return;
    }
    switch (d->kind) {
    case DIFF_FAMILY:
    case DIFF_SHARED:
        assert_ptr_equal(d->old_family, snapshot_family(sides[0], "wp"));
        assert_ptr_equal(d->family, snapshot_family(sides[1], "wp"));
        break;
    case DIFF_SERVICE:
        assert_ptr_equal(d->old_service, snapshot_link(sides[0], "n1"));
        assert_ptr_equal(d->service, snapshot_link(sides[1], "n1"));
        assert_ptr_equal(d->family, snapshot_family(sides[1], "wp"));
        break;
    case DIFF_RESOURCE:
        assert_ptr_equal(d->old_resource, snapshot_resource_by_key(sides[0], SG("sg-1")));
        assert_ptr_equal(d->resource, snapshot_resource_by_key(sides[1], SG("sg-1")));
        break;
    case DIFF_GROUP:
        assert_ptr_equal(d->old_group, snapshot_group(sides[0], "g"));
        assert_ptr_equal(d->group, snapshot_group(sides[1], "g"));
        break;
    case DIFF_UNTAGGED: /* said of the snapshots */
        break;
    case DIFF_GROUPS_KNOWN:
    case DIFF_PROBLEMS:
        fail();
    }
}

static void test_sides(void **state)
{
    char *blueprints[] = {(char *)"wp", NULL};
    _cleanup_world_ struct world *w = world_new();
    (void)state;

    world_add(w, SG("sg-1"), FAMILY("wp"), SERVICE("n1"));
    world_group(w, "g", QUERY("service-family", "wp"), NULL);
    _cleanup_snapshot_ const struct snapshot *old = world_build(w);
    world_add(w, SG("sg-1"), FAMILY("wp"), SERVICE("n1"), "Name=x");
    world_add(w, SG("sg-2"), FAMILY("wp"));
    w->in.blueprints = blueprints;
    _cleanup_snapshot_ const struct snapshot *now = world_build(w);
    const struct snapshot *sides[] = {old, now};
    diff_snapshots(old, now, check_sides, sides);
    check(old, now,
          "~family:wp ~service:n1 ~shared:wp ~resource:sg-1 +resource:sg-2 ~group:g ~untagged: ");
}

/* A group and a family's resources/ show names; the tags behind them are the resource's matter. */
static void test_tags_of_members(void **state)
{
    _cleanup_world_ struct world *w = world_new();
    _cleanup_snapshot_ const struct snapshot *s = NULL;
    (void)state;

    world_add(w, SG("sg-1"), FAMILY("wp"));
    world_group(w, "g", QUERY("service-family", "wp"), NULL);
    step(w, &s, "+family:wp +resource:sg-1 +group:g ~groups:known ~untagged: ");
    world_add(w, SG("sg-1"), FAMILY("wp"), "Name=x");
    step(w, &s, "~resource:sg-1 ");
}

static void test_problems(void **state)
{
    _cleanup_world_ struct world *w = world_new();
    _cleanup_snapshot_ const struct snapshot *s = NULL;
    (void)state;

    world_add(w, SG("sg-1"), SERVICE("n1"));
    step(w, &s, "+resource:sg-1 ~untagged: ~problems: ");
    world_add(w, SG("sg-1"), SERVICE("n2"));
    step(w, &s, "~resource:sg-1 ~problems: ");
    world_add(w, SG("sg-1"), "Name=x");
    step(w, &s, "~resource:sg-1 ~untagged: ~problems: ");
    w->in.groups_problem = "no";
    step(w, &s, "~problems: ");
}

/* A time tells when something was last seen to change, and stays where it did not. */
static void test_times(void **state)
{
    _cleanup_world_ struct world *w = world_new();
    (void)state;

    world_add(w, SG("sg-1"), FAMILY("wp"), SERVICE("n1"));
    world_add(w, SG("sg-2"), FAMILY("wp"), SERVICE("n2"));
    _cleanup_snapshot_ const struct snapshot *first = world_build(w);
    assert_int_equal(first->built_wall_ms, w->in.wall_ms);
    assert_int_equal(first->families_ms | first->services_ms | first->families[0]->services_ms |
                         first->resources[0]->changed_ms | first->services[0]->changed_ms,
                     0);
    w->in.before = first; /* and the clock stands still */
    world_add(w, SG("sg-1"), FAMILY("wp"), SERVICE("n1"), "Name=x");
    world_add(w, SG("sg-3"), FAMILY("wp"), SERVICE("n1"));
    _cleanup_snapshot_ const struct snapshot *s = world_build(w);
    int64_t t = first->built_wall_ms + 1;
    const struct index_service *n1 = snapshot_link(s, "n1"), *n2 = snapshot_link(s, "n2");
    assert_int_equal(s->built_wall_ms, t);
    assert_int_equal(n1->changed_ms, t);
    assert_int_equal(n1->resources_ms, t);
    assert_int_equal(n2->changed_ms, 0);
    assert_int_equal(snapshot_resource_by_key(s, SG("sg-1"))->changed_ms, t);
    assert_int_equal(snapshot_resource_by_key(s, SG("sg-1"))->owner_ms, 0);
    assert_int_equal(snapshot_resource_by_key(s, SG("sg-3"))->owner_ms, t);
    assert_int_equal(s->kinds[0].types[0].listed_ms, t);
    assert_int_equal(s->kinds[0].listed_ms | s->kinds_ms | s->services_ms | s->families_ms, 0);
    w->in.before = s;
    w->in.wall_ms += 1000;
    put_record(w, "n3", "deleting", NULL);
    _cleanup_snapshot_ const struct snapshot *last = world_build(w);
    const struct index_family *f = last->families[0];
    assert_int_equal(f->deleting_ms, w->in.wall_ms);
    assert_int_equal(last->deleting_ms, w->in.wall_ms);
    assert_int_equal(f->deleting[0]->changed_ms, w->in.wall_ms);
    assert_int_equal(last->kinds_ms, w->in.wall_ms);
    assert_int_equal(snapshot_link(last, "n1")->changed_ms, t);
    assert_int_equal(f->services_ms | f->changed_ms | last->services_ms, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),  cmocka_unit_test(test_resources),
        cmocka_unit_test(test_services), cmocka_unit_test(test_renamed),
        cmocka_unit_test(test_groups),   cmocka_unit_test(test_lives),
        cmocka_unit_test(test_sides),    cmocka_unit_test(test_tags_of_members),
        cmocka_unit_test(test_problems), cmocka_unit_test(test_times),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
