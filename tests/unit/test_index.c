/* What the builder makes of sweeps, overlay and records; and how the overlay settles. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/str.h"
#include "tests/unit/world.h"

#define CLAIM "svcfs:claim="
#define MODE "management-mode=automatic"
#define PHASE "svcfs:phase="

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE };

static const struct index_resource *at(const struct snapshot *s, const char *service,
                                       const char *type, const char *id)
{
    const struct index_kind *k = snapshot_kind(s, service);
    const struct index_type *t = k ? snapshot_type(k, type) : NULL;

    return t ? snapshot_resource(t, id) : NULL;
}

static const struct index_service *service(const struct snapshot *s, const char *family,
                                           const char *id)
{
    const struct index_family *f = snapshot_family_by_id(s, family);

    return f ? snapshot_service_by_id(f, id) : NULL;
}

static void put_record(struct world *w, const char *id, const char *claim, const char *phase,
                       const char *key)
{
    const struct cache_record r = {.id = id,
                                   .family = "wp",
                                   .claim = claim,
                                   .phase = phase,
                                   .deleting = streq(phase, "deleting"),
                                   .keys = &key,
                                   .n_keys = key != NULL};

    assert_int_equal(overlay_put_record(&w->overlay, &r), 0);
}

static void test_empty(void **state)
{
    _cleanup_world_ struct world *w = world_new();
    _cleanup_snapshot_ const struct snapshot *s = world_build(w);
    (void)state;

    assert_int_equal(s->n_families + s->n_services + s->n_resources + s->n_kinds + s->n_groups +
                         s->n_problems,
                     0);
    assert_false(s->groups_known);
    assert_null(snapshot_family(s, "wp"));
    assert_null(snapshot_kind(s, "ec2"));
    assert_null(snapshot_resource_by_key(s, SG("sg-1")));
    assert_null(snapshot_any_service(s, "n1"));
}

static void test_families(void **state)
{
    _cleanup_world_ struct world *w = world_new();
    char *blueprints[] = {(char *)"wp", (char *)"empty", NULL};
    (void)state;

    world_add(w, SG("sg-2"), SERVICE("n1"), FAMILY("wp"), "Name=b");
    world_add(w, SG("sg-1"), FAMILY("wp"), SERVICE("n1"));
    world_add(w, SG("sg-3"), FAMILY("wp"));
    world_add(w, SG("sg-4"), FAMILY("a/b"), SERVICE("plan"));
    w->in.blueprints = blueprints;
    _cleanup_snapshot_ const struct snapshot *s = world_build(w);
    const struct index_family *f = snapshot_family(s, "wp");
    const struct index_service *n1 = snapshot_link(s, "n1");

    assert_int_equal(s->n_families, 3);
    assert_int_equal(f->n_services, 1);
    assert_int_equal(f->n_shared, 1);
    assert_string_equal(f->shared[0]->link, "ec2.security-group.sg-3");
    assert_ptr_equal(f->shared[0]->family, f->label);
    assert_null(f->shared[0]->owner);
    assert_true(f->has_blueprint);
    assert_ptr_equal(n1, snapshot_service(f, "n1"));
    assert_ptr_equal(n1, snapshot_any_service(s, "n1"));
    assert_int_equal(n1->n_resources, 2);
    assert_string_equal(n1->resources[0]->link, "ec2.security-group.sg-1");
    assert_string_equal(index_tag(n1->resources[1], "Name"), "b");
    assert_null(index_tag(n1->resources[1], "Nam"));
    assert_false(n1->managed);
    assert_true(snapshot_family(s, "empty")->has_blueprint);
    assert_int_equal(snapshot_family(s, "empty")->n_services, 0);
    assert_false(snapshot_family(s, "a%2Fb")->has_blueprint);
    assert_non_null(snapshot_service(snapshot_family(s, "a%2Fb"), "%70lan"));
    assert_non_null(snapshot_link(s, "plan"));
    assert_ptr_equal(at(s, "ec2", "security-group", "sg-1"),
                     snapshot_resource_by_key(s, SG("sg-1")));
    assert_int_equal(s->n_resources, 4);
}

static void test_two_families(void **state)
{
    _cleanup_world_ struct world *w = world_new();
    char text[8], id_tag[256], family_tag[256];
    (void)state;

    world_add(w, SG("sg-1"), FAMILY("a"), SERVICE("x"));
    world_add(w, SG("sg-2"), FAMILY("b@c"), SERVICE("x"));
    world_add(w, SG("sg-3"), FAMILY("a"), SERVICE("y@b"));
    memset(id_tag, 'i', sizeof(id_tag));
    memcpy(id_tag, "service-id=", 11);
    for (char c = '1'; c <= '2'; c++) /* long ids that differ at their end, both in two families */
        for (char f = '1'; f <= '2'; f++) {
            snprintf(text, sizeof(text), "l%c%c", c, f);
            snprintf(family_tag, sizeof(family_tag), "service-family=f%c", f);
            id_tag[254] = c, id_tag[255] = 0;
            char arn[128];
            snprintf(arn, sizeof(arn), SG("%s"), text);
            world_add(w, arn, id_tag, family_tag);
        }
    _cleanup_snapshot_ const struct snapshot *s = world_build(w);

    assert_null(snapshot_link(s, "x"));
    assert_string_equal(snapshot_link(s, "x@a")->family->id, "a");
    assert_string_equal(snapshot_link(s, "x@b%40c")->family->id, "b@c");
    assert_string_equal(snapshot_link(s, "y%40b")->name, "y@b");
    assert_string_equal(snapshot_any_service(s, "x")->family->id, "a");
    assert_int_equal(s->n_services, 7);
    for (size_t i = 1; i < s->n_services; i++)
        assert_true(strcmp(s->services[i - 1]->link, s->services[i]->link) < 0);
}

static void test_problems(void **state)
{
    _cleanup_world_ struct world *w = world_new();
    (void)state;

    world_add(w, SG("sg-1"), SERVICE("lost\nid"));
    world_add(w, "no-arn", FAMILY("wp"));
    w->in.groups_problem = "the groups";
    _cleanup_snapshot_ const struct snapshot *s = world_build(w);

    assert_int_equal(s->n_problems, 3);
    assert_non_null(strstr(s->problems[0], SG("sg-1")));
    assert_non_null(strstr(s->problems[0], "lost id"));
    assert_non_null(strstr(s->problems[1], "no-arn"));
    assert_string_equal(s->problems[2], "the groups");
    assert_int_equal(s->n_services, 0);
    assert_int_equal(s->n_families, 0);
    assert_non_null(at(s, "ec2", "security-group", "sg-1"));
}

/* The links, each followed by a space. */
static void check_untagged(struct world *w, const char *expected)
{
    _cleanup_snapshot_ const struct snapshot *s = world_build(w);
    _cleanup_buf_ struct buf out = BUF_INIT(10000);
    size_t n;
    const struct index_resource *const *list = snapshot_untagged(s, &n);

    for (size_t i = 0; i < n; i++)
        assert_int_equal(buf_printf(&out, "%s ", list[i]->link), 0);
    assert_string_equal(buf_str(&out), expected);
}

static void test_untagged(void **state)
{
    _cleanup_world_ struct world *w = world_new();
    (void)state;

    world_add(w, SG("sg-1"), FAMILY("wp"), SERVICE("n1"));
    world_add(w, SG("sg-0"), "Name=neither");
    put_record(w, "n1", "c1", "ready", SG("sg-5"));
    check_untagged(w, "");
    world_add(w, SG("sg-4"), SERVICE("n1"));
    world_add(w, "arn:aws:s3:::a", SERVICE(""));
    check_untagged(w, "ec2.security-group.sg-4 s3.bucket.a ");
    world_add(w, SG("sg-2"), FAMILY("wp")); /* shared */
    world_add(w, SG("sg-3"), FAMILY("lonely"));
    check_untagged(w, "ec2.security-group.sg-2 ec2.security-group.sg-3 ec2.security-group.sg-4 "
                      "s3.bucket.a ");
    world_add(w, SG("sg-2"), FAMILY("wp"), SERVICE("n2"));
    world_add(w, SG("sg-3"), "Name=neither");
    world_add(w, SG("sg-4"), SERVICE("n1"), FAMILY("wp"));
    check_untagged(w, "s3.bucket.a ");
    world_add(w, SG("sg-5"), SERVICE("n1")); /* the record's, and so its service's */
    check_untagged(w, "ec2.security-group.sg-5 s3.bucket.a ");
    world_add(w, SG("sg-5"), FAMILY("wp"));
    check_untagged(w, "ec2.security-group.sg-5 s3.bucket.a ");
}

static void test_namesakes(void **state)
{
    _cleanup_world_ struct world *w = world_new();
    (void)state;

    world_add(w, "arn:aws:ec2:r1:1:security-group/sg-1", FAMILY("wp"));
    world_add(w, "arn:aws:ec2:r2:1:security-group/sg-1", FAMILY("wp"));
    world_add(w, "arn:aws:ec2:r0:1:security-group/sg-1", FAMILY("wp"));
    _cleanup_snapshot_ const struct snapshot *s = world_build(w);
    const struct index_type *t = snapshot_type(snapshot_kind(s, "ec2"), "security-group");
    const struct index_family *f = snapshot_family(s, "wp");

    assert_int_equal(t->n_resources, 3);
    assert_string_equal(snapshot_resource(t, "sg-1")->key, "arn:aws:ec2:r0:1:security-group/sg-1");
    for (size_t i = 1; i < 3; i++) {
        assert_true(strcmp(t->resources[i - 1]->id, t->resources[i]->id) < 0);
        assert_true(strcmp(f->shared[i - 1]->link, f->shared[i]->link) < 0);
        assert_true(str_starts(t->resources[i]->id, "sg-1%~"));
    }
}

static void test_records(void **state)
{
    _cleanup_world_ struct world *w = world_new();
    (void)state;

    world_add(w, RECORD("n1"), FAMILY("wp"), SERVICE("n1"), MODE, CLAIM "c1", PHASE "creating");
    world_add(w, RECORD("n2"), FAMILY("wp"), SERVICE("n2"), MODE, CLAIM "c2", PHASE "deleting");
    world_add(w, RECORD("n3"), FAMILY("wp"), SERVICE("n3"), CLAIM "c3", PHASE "ready");
    world_add(w, RECORD("other"), FAMILY("wp"), SERVICE("n4"), MODE, PHASE "ready");
    world_add(w, "arn:aws:evil:r:1:parameter/svcfs/n5", FAMILY("wp"), SERVICE("n5"), MODE);
    put_record(w, "n1", "c1", "ready", "elasticfilesystem/mount-target/fsmt-1");
    put_record(w, "new", "c6", "creating", NULL);
    _cleanup_snapshot_ const struct snapshot *s = world_build(w);
    const struct index_service *n1 = service(s, "wp", "n1"), *made = service(s, "wp", "new");

    assert_true(n1->managed && !n1->deleting);
    assert_string_equal(n1->phase, "ready"); /* the record outranks the tag */
    assert_string_equal(n1->claim, "c1");
    assert_int_equal(n1->n_resources, 2);
    const struct index_resource *target = at(s, "elasticfilesystem", "mount-target", "fsmt-1");
    assert_ptr_equal(target, n1->resources[0]);
    assert_false(target->has_arn);
    assert_int_equal(target->n_tags, 0);
    assert_ptr_equal(target->owner, n1);
    assert_ptr_equal(target->family, n1->family);

    const struct index_service *n2 = service(s, "wp", "n2");
    assert_true(n2->managed && n2->deleting);
    assert_string_equal(n2->claim, "c2");
    assert_ptr_equal(snapshot_deleting(snapshot_family_by_id(s, "wp"), "n2"), n2);
    assert_null(snapshot_service(snapshot_family_by_id(s, "wp"), "n2"));
    assert_null(snapshot_link(s, "n2"));
    assert_false(service(s, "wp", "n3")->managed);
    assert_false(service(s, "wp", "n4")->managed);
    assert_false(service(s, "wp", "n5")->managed);

    assert_true(made->managed);
    assert_int_equal(made->n_resources, 1);
    assert_string_equal(made->resources[0]->key, RECORD("new"));
    assert_string_equal(index_tag(made->resources[0], "svcfs:claim"), "c6");
}

/* Whoever may tag the parameter cannot move its service. */
static void test_record_retagged(void **state)
{
    _cleanup_world_ struct world *w = world_new();
    (void)state;

    world_add(w, RECORD("n1"), FAMILY("other"), SERVICE("n9"), MODE, CLAIM "c1");
    world_add(w, RECORD("n2"), "Name=x");
    put_record(w, "n1", "c1", "ready", NULL);
    put_record(w, "n2", "c2", "ready", NULL);
    _cleanup_snapshot_ const struct snapshot *s = world_build(w);

    assert_null(snapshot_any_service(s, "n9"));
    assert_null(snapshot_family(s, "other"));
    assert_string_equal(service(s, "wp", "n1")->resources[0]->key, RECORD("n1"));
    assert_string_equal(service(s, "wp", "n2")->resources[0]->key, RECORD("n2"));
    assert_int_equal(s->n_problems, 0);
}

static void test_ghosts(void **state)
{
    _cleanup_world_ struct world *w = world_new();
    (void)state;

    world_add(w, RECORD("n1"), FAMILY("wp"), SERVICE("n1"), MODE, CLAIM "c1");
    world_add(w, SG("sg-1"), FAMILY("wp"), SERVICE("n1"), CLAIM "c1");
    world_add(w, SG("sg-2"), FAMILY("wp"), SERVICE("n2"), CLAIM "c2");
    put_record(w, "n1", "c1", "deleting", "mariadb/database/h:3306+n1");
    assert_int_equal(overlay_remove_record(&w->overlay, "n1", "c1"), 0);
    _cleanup_snapshot_ const struct snapshot *s = world_build(w);
    assert_null(snapshot_any_service(s, "n1"));
    assert_null(snapshot_kind(s, "mariadb"));
    assert_int_equal(s->n_resources, 1);

    put_record(w, "n1", "c1", "ready", NULL); /* read before the end, told after it */
    _cleanup_snapshot_ const struct snapshot *still = world_build(w);
    assert_null(snapshot_any_service(still, "n1"));

    put_record(w, "n1", "c9", "creating", NULL); /* the next life, while the index shows the last */
    _cleanup_snapshot_ const struct snapshot *next = world_build(w);
    const struct index_service *n1 = service(next, "wp", "n1");
    assert_int_equal(n1->n_resources, 1);
    assert_string_equal(index_tag(n1->resources[0], "svcfs:claim"), "c9");
    assert_int_equal(overlay_remove_record(&w->overlay, "n1", "c1"), 0); /* the old one, again */
    _cleanup_snapshot_ const struct snapshot *again = world_build(w);
    assert_non_null(service(again, "wp", "n1"));
}

/* --- the overlay --- */

static const struct index_tag ours[] = {{"service-family", "wp"}, {"service-id", "n1"}};

static void settle(struct world *w, int64_t begun_ms)
{
    w->swept->begun_ms = begun_ms;
    overlay_settle(&w->overlay, w->swept);
}

static void test_put(void **state)
{
    _cleanup_world_ struct world *w = world_new();
    (void)state;

    assert_int_equal(overlay_put(&w->overlay, SG("sg-1"), ours, 2, w->swept, 1000), 0);
    _cleanup_snapshot_ const struct snapshot *s = world_build(w);
    assert_int_equal(service(s, "wp", "n1")->n_resources, 1);
    settle(w, 1000 + HOUR); /* not listed yet */
    assert_int_equal(map_size(w->overlay.entries), 1);
    world_add(w, SG("sg-1"), FAMILY("wp"));
    settle(w, 2000); /* listed, without all of its tags */
    assert_int_equal(map_size(w->overlay.entries), 1);
    world_add(w, SG("sg-1"), FAMILY("wp"), SERVICE("n1"), "aws:x=y");
    settle(w, 999); /* begun before */
    assert_int_equal(map_size(w->overlay.entries), 1);
    settle(w, 2000);
    assert_int_equal(map_size(w->overlay.entries), 0);

    assert_int_equal(overlay_put(&w->overlay, SG("sg-9"), ours, 2, w->swept, 1000), 0);
    settle(w, 1001 + HOUR); /* never came */
    assert_int_equal(map_size(w->overlay.entries), 0);
}

static bool retagged(struct world *w, const char *key, const char *value)
{
    const struct index_tag change = {key, value};

    return overlay_retag(&w->overlay, SG("sg-1"), &change, 1, NULL, 0, w->swept, 1000) == 0;
}

/* Single tags: over what the overlay has, else over what was swept, else over the base. */
static void test_retag(void **state)
{
    static const struct index_tag base[] = {{"Name", "x"}}, change[] = {{"a", "b"}, {"Name", NULL}};
    _cleanup_world_ struct world *w = world_new();
    (void)state;

    assert_int_equal(overlay_retag(&w->overlay, SG("sg-2"), change, 1, base, 1, w->swept, 1000), 0);
    assert_int_equal(overlay_retag(&w->overlay, SG("sg-3"), change, 2, base, 1, w->swept, 1000), 0);
    world_add(w, SG("sg-1"), FAMILY("wp"), SERVICE("n1"), "Name=x");
    assert_true(retagged(w, "a", "1") && retagged(w, "b", "2") && retagged(w, "Name", NULL));
    _cleanup_snapshot_ const struct snapshot *s = world_build(w);
    const struct index_resource *r = at(s, "ec2", "security-group", "sg-1");
    assert_string_equal(index_tag(r, "a"), "1");
    assert_string_equal(index_tag(r, "b"), "2");
    assert_string_equal(index_tag(r, "service-id"), "n1");
    assert_null(index_tag(r, "Name"));
    assert_string_equal(index_tag(at(s, "ec2", "security-group", "sg-2"), "Name"), "x");
    assert_int_equal(at(s, "ec2", "security-group", "sg-3")->n_tags, 1);
    assert_int_equal(overlay_gone(&w->overlay, SG("sg-1"), w->swept, 1000), 0);
    assert_true(retagged(w, "a", "3")); /* it stays gone */
    _cleanup_snapshot_ const struct snapshot *gone = world_build(w);
    assert_null(at(gone, "ec2", "security-group", "sg-1"));
}

/* What a sweep shows of a tag that was a, and on which b and then c were put; and whether the
 * overlay then gives way. */
static void test_written_by_others(void **state)
{
    static const struct {
        const char *shown;
        bool settled;
    } cases[] = {{"k=a", false}, {"k=b", false}, {"k=c", true}, {"k=d", true}, {"x=y", true}};
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_world_ struct world *w = world_new();
        world_add(w, SG("sg-1"), FAMILY("wp"), "k=a");
        assert_true(retagged(w, "k", "b") && retagged(w, "k", "c"));
        world_add(w, SG("sg-1"), FAMILY("wp"), cases[i].shown);
        settle(w, 2000);
        assert_int_equal(map_size(w->overlay.entries), cases[i].settled ? 0 : 1);
    }
    /* one that was not there before: that it is not there yet says nothing, for a while */
    _cleanup_world_ struct world *w = world_new();
    world_add(w, SG("sg-1"), FAMILY("wp"));
    assert_true(retagged(w, "k", "b"));
    settle(w, 2000);
    assert_int_equal(map_size(w->overlay.entries), 1);
    settle(w, 1001 + 10 * MINUTE);
    assert_int_equal(map_size(w->overlay.entries), 0);
}

/* A tag that was taken away must not come back with a sweep that has not heard of it. */
static void test_untag(void **state)
{
    _cleanup_world_ struct world *w = world_new();
    (void)state;

    world_add(w, SG("sg-1"), FAMILY("wp"), SERVICE("n1"), "aws:x=y");
    assert_int_equal(overlay_put(&w->overlay, SG("sg-1"), ours, 1, w->swept, 1000), 0);
    settle(w, 2000);
    _cleanup_snapshot_ const struct snapshot *s = world_build(w);
    assert_null(service(s, "wp", "n1"));
    assert_int_equal(snapshot_family(s, "wp")->n_shared, 1);
    /* A second change in between does not forget the first. */
    const struct index_tag more[] = {ours[0], {"Name", "x"}};
    assert_int_equal(overlay_put(&w->overlay, SG("sg-1"), more, 2, NULL, 3000), 0);
    world_add(w, SG("sg-1"), FAMILY("wp"), SERVICE("n1"), "Name=x");
    settle(w, 4000);
    assert_int_equal(map_size(w->overlay.entries), 1);
    world_add(w, SG("sg-1"), FAMILY("wp"), "Name=x");
    settle(w, 5000);
    assert_int_equal(map_size(w->overlay.entries), 0);

    world_add(w, SG("sg-1"), FAMILY("wp"), SERVICE("n1"));
    assert_int_equal(overlay_put(&w->overlay, SG("sg-1"), ours, 1, w->swept, 6000), 0);
    settle(w, 6000 + 10 * MINUTE);
    assert_int_equal(map_size(w->overlay.entries), 1);
    settle(w, 6001 + 10 * MINUTE); /* somebody put it there again */
    assert_int_equal(map_size(w->overlay.entries), 0);
}

static void test_gone(void **state)
{
    _cleanup_world_ struct world *w = world_new();
    (void)state;

    world_add(w, SG("sg-1"), FAMILY("wp"), SERVICE("n1"), CLAIM "c1");
    world_add(w, SG("sg-2"), FAMILY("wp"), SERVICE("n1"), CLAIM "c1");
    assert_int_equal(overlay_gone(&w->overlay, SG("sg-1"), w->swept, 1000), 0);
    _cleanup_snapshot_ const struct snapshot *s = world_build(w);
    assert_int_equal(service(s, "wp", "n1")->n_resources, 1);
    assert_null(at(s, "ec2", "security-group", "sg-1"));
    settle(w, 1000 + 24 * HOUR); /* the index remembers for long */
    assert_int_equal(map_size(w->overlay.entries), 1);
    map_remove(w->swept->by_key, SG("sg-1"));
    settle(w, 1000 + 10 * MINUTE); /* another replica may list it still */
    assert_int_equal(map_size(w->overlay.entries), 1);
    settle(w, 1001 + 10 * MINUTE);
    assert_int_equal(map_size(w->overlay.entries), 0);

    assert_int_equal(overlay_gone(&w->overlay, SG("sg-2"), w->swept, 1000), 0);
    world_add(w, SG("sg-2"), FAMILY("wp"), SERVICE("n1"), CLAIM "c2");
    settle(w, 2000); /* the name came again, made by somebody else */
    assert_int_equal(map_size(w->overlay.entries), 0);

    assert_int_equal(overlay_gone(&w->overlay, SG("sg-2"), w->swept, 1000), 0);
    settle(w, 1001 + 24 * HOUR); /* too long for a ghost */
    assert_int_equal(map_size(w->overlay.entries), 0);

    assert_int_equal(overlay_gone(&w->overlay, SG("sg-2"), w->swept, 1000), 0);
    assert_int_equal(overlay_put(&w->overlay, SG("sg-2"), ours, 2, w->swept, 1000), 0);
    _cleanup_snapshot_ const struct snapshot *back = world_build(w);
    assert_non_null(at(back, "ec2", "security-group", "sg-2"));
}

/* --- groups --- */

static void test_groups(void **state)
{
    static const char *const members[] = {SG("sg-1"), SG("sg-9"), "arn:aws:s3:::b", NULL};
    _cleanup_world_ struct world *w = world_new();
    (void)state;

    world_add(w, SG("sg-1"), FAMILY("wp"), SERVICE("n1"));
    world_add(w, SG("sg-2"), FAMILY("wp"), SERVICE("n2"));
    world_add(w, SG("sg-3"), FAMILY("other"), SERVICE("n1"));
    put_record(w, "n1", "c1", "ready", "mariadb/database/h:1+n1");
    world_group(w, "by-family", QUERY("service-family", "wp"), NULL);
    world_group(w, "by-id", QUERY("service-id", "n1\\\",\\\"n1\\\",\\\"n2"), NULL);
    world_group(w, "any-id",
                "{\"Type\":\"TAG_FILTERS_1_0\",\"Query\":\"{\\\"TagFilters\\\":"
                "[{\\\"Key\\\":\\\"service-id\\\"}]}\"}",
                NULL);
    world_group(w, "others", QUERY("Name", "x"), members);
    world_group(w, "stack", NULL, members);
    world_group(w, "broken", "{\"Query\": \"no JSON\"}", NULL);
    _cleanup_snapshot_ const struct snapshot *s = world_build(w);

    assert_true(s->groups_known);
    assert_int_equal(s->n_groups, 6);
    const struct index_group *g = snapshot_group(s, "by-family");
    assert_int_equal(g->n_resources, 3);
    assert_string_equal(g->resources[0]->link, "ec2.security-group.sg-1");
    assert_string_equal(g->resources[2]->key, RECORD("n1"));
    assert_int_equal(snapshot_group(s, "by-id")->n_resources, 4);
    assert_int_equal(snapshot_group(s, "any-id")->n_resources, 4);
    assert_int_equal(snapshot_group(s, "broken")->n_resources, 0);
    assert_int_equal(snapshot_group(s, "others")->n_resources, 3);
    assert_null(snapshot_group(s, "stack")->query);
    assert_int_equal(snapshot_group(s, "stack")->n_resources, 3);
    const struct index_resource *b = at(s, "s3", "bucket", "b");
    assert_ptr_equal(snapshot_group(s, "stack")->resources[2], b);
    assert_null(b->owner);
    assert_null(b->family);
    assert_int_equal(overlay_gone(&w->overlay, SG("sg-9"), NULL, 1), 0);
    _cleanup_snapshot_ const struct snapshot *without = world_build(w);
    assert_int_equal(snapshot_group(without, "stack")->n_resources, 2);
}

static void test_group_overlay(void **state)
{
    static const char query[] = QUERY("service-family", "wp");
    _cleanup_world_ struct world *w = world_new();
    (void)state;

    world_add(w, SG("sg-1"), FAMILY("wp"));
    world_group(w, "old", query, NULL);
    assert_int_equal(overlay_put_group(&w->overlay, "new", "arn", query, 1000), 0);
    assert_int_equal(overlay_put_group(&w->overlay, "old", "", NULL, 1000), 0);
    _cleanup_snapshot_ const struct snapshot *s = world_build(w);
    assert_int_equal(s->n_groups, 1);
    assert_string_equal(s->groups[0].name, "new");
    assert_int_equal(s->groups[0].n_resources, 1);
    w->groups->begun_ms = 2000; /* this sweep shows neither yet */
    overlay_settle_groups(&w->overlay, w->groups);
    assert_int_equal(map_size(w->overlay.groups), 2);
    world_group(w, "new", query, NULL);
    map_remove(w->groups->by_name, "old");
    overlay_settle_groups(&w->overlay, w->groups);
    assert_int_equal(map_size(w->overlay.groups), 0);
}

static void test_group_unreadable(void **state)
{
    _cleanup_world_ struct world *w = world_new();
    (void)state;

    world_add(w, SG("sg-1"), FAMILY("wp"));
    world_group(w, "good", QUERY("service-family", "wp"), NULL);
    world_group(w, "bad", QUERY("service-family", "wp"), NULL);
    ((struct raw_group *)map_get(w->groups->by_name, "bad"))->problem = "bad cannot be read";
    _cleanup_snapshot_ const struct snapshot *s = world_build(w);
    assert_true(s->groups_known);
    assert_null(snapshot_group(s, "bad"));
    assert_int_equal(snapshot_group(s, "good")->n_resources, 1);
    assert_string_equal(s->problems[0], "bad cannot be read");
}

/* A member that carries our tags comes from the resources' sweep or not at all: the groups' is
 * older. */
static void test_stale_member(void **state)
{
    static const char *const members[] = {SG("sg-1"), NULL};
    static const struct index_tag tags[] = {{"service-family", "wp"}};
    _cleanup_world_ struct world *w = world_new();
    (void)state;

    world_group(w, "g", NULL, members);
    struct raw_group *g = map_get(w->groups->by_name, "g");
    struct raw_resource *m = (struct raw_resource *)g->members;
    m->tags = raw_tags(w->groups->arena, tags, 1);
    m->n_tags = 1;
    _cleanup_snapshot_ const struct snapshot *s = world_build(w);
    assert_int_equal(s->n_resources, 0);
    assert_int_equal(s->n_families, 0);
    assert_int_equal(s->groups[0].n_resources, 0);
}

/* --- size --- */

static double build_seconds(size_t n)
{
    _cleanup_world_ struct world *w = world_new();
    char arn[128], id[64], family[64], query[512];
    struct timespec begin, end;

    for (size_t i = 0; i < n; i++) {
        snprintf(arn, sizeof(arn), SG("sg-%08zx"), i * 2654435761u % 4294967291u);
        snprintf(id, sizeof(id), "service-id=n%zu", i / 10);
        snprintf(family, sizeof(family), "service-family=f%zu", i / 1000);
        world_add(w, arn, id, family, MODE, CLAIM "0123456789abcdefghijklmnop", "Name=x", "env=p");
    }
    for (size_t i = 0; i < n / 50; i++) {
        snprintf(id, sizeof(id), "g%zu", i);
        snprintf(query, sizeof(query), QUERY("service-id", "n%zu"), i);
        world_group(w, id, query, NULL);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    _cleanup_snapshot_ const struct snapshot *s = world_build(w);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    assert_int_equal(s->n_resources, n);
    assert_int_equal(s->n_services, n / 10);
    assert_int_equal(s->n_groups, n / 50);
    assert_int_equal(s->groups[0].n_resources, 10);
    return (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
}

/* Eight times as much may take some more than eight times as long (caches, sorting), but nothing
 * like sixty-four. */
static void test_large(void **state)
{
    double small = build_seconds(12500), large = build_seconds(100000);
    (void)state;

    print_message("100000 resources, 2000 groups: %.0f ms of processor time\n", large * 1000);
    assert_true(large < 30 * small + 0.1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_two_families),
        cmocka_unit_test(test_problems),
        cmocka_unit_test(test_untagged),
        cmocka_unit_test(test_namesakes),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_ghosts),
        cmocka_unit_test(test_put),
        cmocka_unit_test(test_retag),
        cmocka_unit_test(test_written_by_others),
        cmocka_unit_test(test_untag),
        cmocka_unit_test(test_gone),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_group_overlay),
        cmocka_unit_test(test_stale_member),
        cmocka_unit_test(test_record_retagged),
        cmocka_unit_test(test_group_unreadable),
        cmocka_unit_test(test_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
