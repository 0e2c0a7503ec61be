/*
 * A patched snapshot is the built one. Thousands of random changes; after each the snapshot is
 * patched, built whole from the same inputs, and both are compared in everything that they tell,
 * times included. What a patch refuses is counted: it must be the exception.
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cache/diff.h"
#include "cache/same.h"
#include "cache/things.h"
#include "tests/unit/world.h"

/* --- equality of all that a snapshot tells --- */

static void same_text(const char *a, const char *b)
{
    if (a && b)
        assert_string_equal(a, b);
    else
        assert_ptr_equal(a, b);
}

static void equal_label(const struct index_label *a, const struct index_label *b)
{
    assert_true(!a == !b);
    if (a && b) {
        assert_string_equal(a->id, b->id);
        assert_string_equal(a->name, b->name);
    }
}

static void equal_resource(const struct index_resource *a, const struct index_resource *b)
{
    assert_true(same_resource(a, b) && same_place(a, b) && same_owner(a, b));
    assert_int_equal(a->has_arn, b->has_arn);
    equal_label(a->family, b->family);
    assert_true(!a->owner || same_identity(a->owner, b->owner));
    assert_int_equal(a->changed_ms, b->changed_ms);
    assert_int_equal(a->owner_ms, b->owner_ms);
}

static void equal_list(const struct index_resource *const *a, size_t n_a,
                       const struct index_resource *const *b, size_t n_b)
{
    assert_int_equal(n_a, n_b);
    for (size_t i = 0; i < n_a; i++)
        equal_resource(a[i], b[i]);
}

static void equal_services(const struct index_service *const *a, size_t n_a,
                           const struct index_service *const *b, size_t n_b)
{
    assert_int_equal(n_a, n_b);
    for (size_t i = 0; i < n_a; i++) {
        assert_true(same_service(a[i], b[i]));
        assert_string_equal(a[i]->name, b[i]->name);
        equal_label(a[i]->family, b[i]->family);
        equal_list(a[i]->resources, a[i]->n_resources, b[i]->resources, b[i]->n_resources);
        assert_int_equal(a[i]->changed_ms, b[i]->changed_ms);
        assert_int_equal(a[i]->resources_ms, b[i]->resources_ms);
        assert_true(same_depends(a[i], b[i]));
        assert_int_equal(a[i]->depends_ms, b[i]->depends_ms);
    }
}

static void equal_family(const struct index_family *a, const struct index_family *b)
{
    assert_string_equal(a->id, b->id);
    assert_string_equal(a->name, b->name);
    equal_label(a->label, b->label);
    assert_int_equal(a->has_blueprint, b->has_blueprint);
    assert_true(a->known && b->known);
    equal_services(a->services, a->n_services, b->services, b->n_services);
    equal_services(a->deleting, a->n_deleting, b->deleting, b->n_deleting);
    equal_list(a->shared, a->n_shared, b->shared, b->n_shared);
    assert_int_equal(a->changed_ms, b->changed_ms);
    assert_int_equal(a->services_ms, b->services_ms);
    assert_int_equal(a->deleting_ms, b->deleting_ms);
    assert_int_equal(a->shared_ms, b->shared_ms);
}

static void equal_kind(const struct index_kind *a, const struct index_kind *b)
{
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->listed_ms, b->listed_ms);
    assert_int_equal(a->n_types, b->n_types);
    for (size_t i = 0; i < a->n_types; i++) {
        assert_string_equal(a->types[i].name, b->types[i].name);
        assert_int_equal(a->types[i].listed_ms, b->types[i].listed_ms);
        equal_list(a->types[i].resources, a->types[i].n_resources, b->types[i].resources,
                   b->types[i].n_resources);
    }
}

static void equal_group(const struct index_group *a, const struct index_group *b)
{
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->arn, b->arn);
    same_text(a->query, b->query);
    equal_list(a->resources, a->n_resources, b->resources, b->n_resources);
    assert_int_equal(a->changed_ms, b->changed_ms);
    assert_int_equal(a->resources_ms, b->resources_ms);
}

static void equal_private(const struct snapshot *a, const struct snapshot *b)
{
    const struct snapshot_private *p = a->private_, *q = b->private_;

    equal_services(p->ids, p->n_ids, q->ids, q->n_ids);
    equal_list(p->untagged, p->n_untagged, q->untagged, q->n_untagged);
    assert_int_equal(p->untagged_ms, q->untagged_ms);
    assert_int_equal(p->contested, q->contested);
    assert_int_equal(p->n_needs, q->n_needs);
    for (size_t i = 0; i < p->n_needs; i++) {
        assert_string_equal(p->needs[i]->id, q->needs[i]->id);
        assert_string_equal(p->needs[i]->by->link, q->needs[i]->by->link);
        assert_true(same_service(p->needs[i]->by, q->needs[i]->by));
    }
    assert_int_equal(p->n_words, q->n_words);
    for (size_t i = 0; i < p->n_words; i++) {
        assert_string_equal(p->words[i]->word, q->words[i]->word);
        assert_string_equal(p->words[i]->group, q->words[i]->group);
    }
}

static void no_difference(_unused_ void *arg, const struct diff *d)
{
    fail_msg("a difference of kind %d", (int)d->kind);
}

static void equal(const struct snapshot *a, const struct snapshot *b)
{
    diff_snapshots(a, b, no_difference, NULL);
    diff_snapshots(b, a, no_difference, NULL);
    assert_int_equal(a->built_wall_ms, b->built_wall_ms);
    assert_int_equal(a->n_families, b->n_families);
    for (size_t i = 0; i < a->n_families; i++)
        equal_family(a->families[i], b->families[i]);
    equal_services(a->services, a->n_services, b->services, b->n_services);
    equal_list(a->resources, a->n_resources, b->resources, b->n_resources);
    assert_int_equal(a->n_kinds, b->n_kinds);
    for (size_t i = 0; i < a->n_kinds; i++)
        equal_kind(&a->kinds[i], &b->kinds[i]);
    assert_int_equal(a->n_groups, b->n_groups);
    for (size_t i = 0; i < a->n_groups; i++)
        equal_group(&a->groups[i], &b->groups[i]);
    assert_int_equal(a->families_ms, b->families_ms);
    assert_int_equal(a->services_ms, b->services_ms);
    assert_int_equal(a->deleting_ms, b->deleting_ms);
    assert_int_equal(a->kinds_ms, b->kinds_ms);
    assert_int_equal(a->groups_ms, b->groups_ms);
    assert_int_equal(a->needs_ms, b->needs_ms);
    equal_private(a, b);
}

/* --- what index.h promises of pointers and times --- */

/* The links of all that carry one of the two tags alone, as their tags tell. */
static void check_untagged(const struct snapshot *s)
{
    size_t n_listed, n = 0;
    const struct index_resource *const *list = snapshot_untagged(s, &n_listed);

    for (size_t i = 0; i < s->n_resources; i++) {
        const struct index_resource *r = s->resources[i];
        n += !index_tag(r, "service-family") != !index_tag(r, "service-id");
    }
    assert_int_equal(n_listed, n);
    for (size_t i = 0; i < n; i++) {
        assert_true(!index_tag(list[i], "service-family") != !index_tag(list[i], "service-id"));
        assert_ptr_equal(list[i], snapshot_resource_by_key(s, list[i]->key));
        assert_true(i == 0 || strcmp(list[i - 1]->link, list[i]->link) < 0);
    }
}

static void check_up(const struct snapshot *s)
{
    check_untagged(s);
    for (size_t i = 0; i < s->private_->n_needs; i++) {
        const struct index_need *need = s->private_->needs[i];
        const struct index_family *f = snapshot_family_by_id(s, need->by->family->id);
        assert_ptr_equal(snapshot_service_by_id(f, need->by->id), need->by);
    }
    for (size_t i = 0; i < s->n_families; i++) {
        const struct index_family *f = s->families[i];
        for (size_t k = 0; k < f->n_services; k++) {
            const struct index_service *life = f->services[k];
            assert_string_equal(life->family->id, f->id);
            for (size_t r = 0; r < life->n_resources; r++)
                assert_true(same_identity(life->resources[r]->owner, life));
        }
    }
}

/* Whatever differs has the time of now, and only that. */
static void check_time(void *arg, const struct diff *d)
{
    int64_t now_ms = *(int64_t *)arg;

    if (d->kind == DIFF_SERVICE && d->how != DIFF_REMOVED)
        assert_int_equal(d->service->changed_ms, now_ms);
    if (d->kind == DIFF_FAMILY && d->how != DIFF_REMOVED)
        assert_int_equal(d->family->changed_ms, now_ms);
    if (d->kind == DIFF_RESOURCE && d->how != DIFF_REMOVED)
        assert_true(d->resource->changed_ms == now_ms || d->resource->owner_ms == now_ms);
    if (d->kind == DIFF_SHARED)
        assert_int_equal(d->family->shared_ms, now_ms);
    if (d->kind == DIFF_GROUP && d->how != DIFF_REMOVED)
        assert_true(d->group->changed_ms == now_ms || d->group->resources_ms == now_ms);
}

static void count_difference(void *arg, _unused_ const struct diff *d)
{
    ++*(size_t *)arg;
}

static void check_times(const struct snapshot *old, const struct snapshot *now)
{
    int64_t now_ms = now->built_wall_ms;
    size_t stamped = 0, resources = 0;

    assert_true(now->built_wall_ms > old->built_wall_ms);
    diff_snapshots(old, now, check_time, &now_ms);
    for (size_t i = 0; i < now->n_resources; i++)
        stamped += now->resources[i]->changed_ms == now_ms || now->resources[i]->owner_ms == now_ms;
    diff_snapshots(old, now, count_difference, &resources);
    assert_true(stamped <= resources);
}

/* --- random changes --- */

/* Longer than a name may be. */
#define TEN "0123456789"
#define LONG TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
static const char *const families[] = {"wp", "db", "a@b", "plan", "long" LONG LONG};
static const char *const ids[] = {"n1",           "n2",  "n3", "n4",          "n5",
                                  "services.tsv", "x/y", "n8", "id" LONG LONG};
static const char *const claims[] = {"c1", "c2", "c3", "c4", "c5", "c6"};
static const char *const needed[] = {"n1", "n2 n5", "n3 n1 n1", "", "no=20such x/y"};
static const char *const phases[] = {"creating", "ready", "failed", "deleting"};
static const char *const keys[] = {
    SG("sg-1"),
    SG("sg-2"),
    SG("sg-3"),
    SG("sg-4"),
    SG("sg-5"),
    SG("sg-6"),
    SG("sg-6/a"),
    "arn:aws:ecs:eu-central-1:123456789012:service/c/s1",
    "arn:aws:ecs:eu-central-1:123456789012:service/c/s2",
    "arn:aws:s3:::bucket",
    "arn:aws:sns:eu-central-1:123456789012:topic",
    RECORD("n1"),
    RECORD("n2"),
    RECORD("n3"),
    "arn:aws:s3:::member1",
    "arn:aws:s3:::member2",
    "no-arn",
};
/* Now and then, what makes a patch refuse. */
static const char *const odd_keys[] = {"arn:aws:ec2:a:1:security-group/sg-1",
                                       "arn:aws:ec2:b:1:security-group/sg-1",
                                       "arn:aws:ec2:a:1:security-group/sg-2"};
static const char *const things[] = {"mariadb/database/h:1+%s", "mariadb/user/h:1+%s",
                                     "elasticfilesystem/mount-target/fsmt-%s"};
#define ANY_ID                                                                                     \
    "{\"Type\":\"TAG_FILTERS_1_0\",\"Query\":\"{\\\"TagFilters\\\":[{\\\"Key\\\":"                 \
    "\\\"service-id\\\"}]}\"}"
static const char *const queries[] = {
    QUERY("service-family", "wp"),
    QUERY("service-id", "n1"),
    QUERY("service-id", "n2"),
    QUERY("service-family", "db"),
    QUERY("service-family", ""),
    "no query",
    ANY_ID,
};
static const char *const groups[] = {"wp", "wp_n1", "own", "swept", "stack"};

#define PICK(from) (from)[(size_t)rand() % ARRAY_SIZE(from)]

static bool chance(int percent)
{
    return rand() % 100 < percent;
}

/* Mostly an id has its family: ids in two families make a patch refuse. */
static const char *random_id(const char *family)
{
    static const size_t first[] = {0, 4, 6, 7, 8}, n[] = {4, 2, 1, 1, 1}; /* of ids, by family */

    if (!family || chance(2))
        return PICK(ids);
    for (size_t i = 0; i < ARRAY_SIZE(families); i++)
        if (streq(families[i], family))
            return ids[first[i] + (size_t)rand() % n[i]];
    return NULL;
}

/* No tag of a service that its carrier does not belong to: groups are then filled another way. */
static bool tidy;

static size_t random_tags(struct index_tag *tags)
{
    const char *family = tidy || chance(85) ? PICK(families) : NULL;
    size_t n = 0;

    if (family)
        tags[n++] = (struct index_tag){"service-family", family};
    if (chance(75))
        tags[n++] = (struct index_tag){"service-id", random_id(family)};
    if (chance(30))
        tags[n++] = (struct index_tag){"svcfs:claim", PICK(claims)};
    if (chance(20))
        tags[n++] = (struct index_tag){"management-mode", "automatic"};
    if (chance(20))
        tags[n++] = (struct index_tag){"svcfs:phase", PICK(phases)};
    if (chance(30))
        tags[n++] = (struct index_tag){"service-dependency", PICK(needed)};
    if (chance(20))
        tags[n++] = (struct index_tag){"service-dependency-2", PICK(needed)};
    if (chance(20))
        tags[n++] = (struct index_tag){"Name", chance(50) ? "x" : "y"};
    return n;
}

static const char *random_key(void)
{
    const char *key = chance(2) ? PICK(odd_keys) : PICK(keys);

    return tidy && strstr(key, "/svcfs/") ? keys[0] : key;
}

static void random_swept(struct world *w)
{
    const char *key = random_key();
    struct index_tag tags[12];
    struct raw_resource *r = arena_alloc(w->swept->arena, sizeof(*r));
    size_t n = random_tags(tags);

    *r = (struct raw_resource){arena_strdup(w->swept->arena, key),
                               raw_tags(w->swept->arena, tags, n), n};
    assert_int_equal(map_put(w->swept->by_key, r->key, r, NULL), 0);
}

static void put(struct world *w)
{
    struct index_tag tags[12];
    size_t n = random_tags(tags);

    assert_int_equal(overlay_put(&w->overlay, random_key(), tags, n, w->swept, 0), 0);
}

static void gone(struct world *w)
{
    assert_int_equal(overlay_gone(&w->overlay, random_key(), w->swept, 0), 0);
}

static void put_record(struct world *w)
{
    const char *id = ids[rand() % 4], *phase = PICK(phases);
    char text[3][80];
    const char *named[] = {text[0], text[1], text[2]};
    size_t n = (size_t)rand() % 4;

    for (size_t i = 0; i < n; i++)
        snprintf(text[i], sizeof(text[i]), things[i], chance(1) ? PICK(ids) : id);
    if (n > 0 && chance(3))
        named[0] = chance(10) ? "unplaced" : PICK(keys);
    const struct cache_record r = {.id = id,
                                   .family = chance(97) ? "wp" : PICK(families),
                                   .claim = PICK(claims),
                                   .phase = phase,
                                   .deleting = streq(phase, "deleting") || chance(10),
                                   .keys = named,
                                   .n_keys = n};
    assert_int_equal(overlay_put_record(&w->overlay, &r), 0);
}

static void remove_record(struct world *w)
{
    const char *id = ids[rand() % 4];
    const struct overlay_record *r = map_get(w->overlay.records, id);

    assert_int_equal(overlay_remove_record(&w->overlay, id, r ? r->claim : "c0"), 0);
}

static void put_group(struct world *w)
{
    assert_int_equal(overlay_put_group(&w->overlay, PICK(groups), chance(50) ? "arn:1" : "arn:2",
                                       chance(70) ? PICK(queries) : NULL, 0),
                     0);
}

static void set_blueprints(struct world *w)
{
    static char *some[ARRAY_SIZE(families) + 2];
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(families); i++)
        if (chance(50))
            some[n++] = (char *)families[i];
    some[n++] = chance(50) ? (char *)"empty" : NULL;
    some[n] = NULL;
    w->in.blueprints = some;
    w->overlay.changes.blueprints = true;
}

/* The next sweep: a patch cannot follow, since nobody knows what changed. */
static void sweep(struct world *w)
{
    for (int i = 0; i < 5; i++) {
        random_swept(w);
        map_remove(w->swept->by_key, random_key());
    }
    struct map_iter it = {0};
    const char *claim;
    while (map_next(w->overlay.dead_claims, &it, &claim, NULL)) /* so that there are lives again */
        map_remove(w->overlay.dead_claims, claim);
    w->overlay.changes.all = true;
}

static const struct {
    int weight;
    void (*change)(struct world *w);
} operations[] = {{30, put},       {12, gone},          {30, put_record}, {12, remove_record},
                  {12, put_group}, {3, set_blueprints}, {1, sweep}};

static void change_something(struct world *w)
{
    int at = rand() % 100;

    for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
        at -= operations[i].weight;
        if (at < 0) {
            operations[i].change(w);
            return;
        }
    }
}

static struct world *random_world(unsigned seed)
{
    static const char *const members[] = {"arn:aws:s3:::member1", "arn:aws:s3:::member2",
                                          SG("sg-3"), NULL};
    struct world *w = world_new();

    srand(seed);
    for (int i = 0; i < 12; i++)
        random_swept(w);
    world_group(w, "swept", QUERY("service-family", "wp"), NULL);
    world_group(w, "any", ANY_ID, NULL);
    world_group(w, "stack", NULL, members);
    world_group(w, "other", NULL, members);
    return w;
}

static void test_random(void **state)
{
    enum { WORLDS = 40, STEPS = 150 };
    size_t patched = 0, refused = 0;
    (void)state;

    for (unsigned seed = 1; seed <= WORLDS; seed++) {
        tidy = seed % 2;
        _cleanup_world_ struct world *w = random_world(seed);
        _cleanup_snapshot_ const struct snapshot *last = world_build(w);
        for (int i = 0; i < STEPS; i++) {
            for (int n = chance(70) ? 1 : 3; n > 0; n--)
                change_something(w);
            w->in.before = last;
            w->in.generation++;
            w->in.wall_ms += rand() % 3;
            const struct snapshot *whole = world_build(w), *now = NULL;
            int r = build_patch(&w->in, &w->overlay.changes, &now);
            assert_true(r == 0 || r == -EOPNOTSUPP);
            if (r == 0)
                equal(now, whole);
            patched += r == 0;
            refused += r < 0;
            check_up(r == 0 ? now : whole);
            check_times(last, r == 0 ? now : whole);
            changes_done(&w->overlay.changes);
            snapshot_unref(last);
            last = r == 0 ? now : snapshot_ref(whole);
            snapshot_unref(whole);
        }
    }
    print_message("%zu patched, %zu refused\n", patched, refused);
    assert_true(patched > 2 * refused);
}

/* --- what a patch shares --- */

enum { SERVICES = 1000 };

/* An account of SERVICES services with three resources each, in two families. */
static struct world *large_world(void)
{
    struct world *w = world_new();
    char arn[100], id[40];

    for (int i = 0; i < 3 * SERVICES; i++) {
        snprintf(arn, sizeof(arn), SG("sg-%04d"), i);
        snprintf(id, sizeof(id), "service-id=n%d", i / 3);
        world_add(w, arn, id, i / 3 % 2 ? FAMILY("wp") : FAMILY("db"));
    }
    return w;
}

static const struct snapshot *patched(struct world *w, const struct snapshot *base)
{
    const struct snapshot *now = NULL;

    w->in.before = base;
    assert_int_equal(build_patch(&w->in, &w->overlay.changes, &now), 0);
    changes_done(&w->overlay.changes);
    return now;
}

/* How many of now's services and resources are not base's. */
static void count_new(const struct snapshot *base, const struct snapshot *now, size_t *services,
                      size_t *resources)
{
    *services = *resources = 0;
    for (size_t i = 0; i < now->n_services; i++)
        *services += snapshot_link(base, now->services[i]->link) != now->services[i];
    for (size_t i = 0; i < now->n_resources; i++)
        *resources += snapshot_resource_by_key(base, now->resources[i]->key) != now->resources[i];
}

static void test_shares(void **state)
{
    static const struct index_tag tags[] = {{"service-family", "wp"}, {"service-id", "n7"}};
    const struct cache_record creating = {
        .id = "n7", .family = "wp", .claim = "c1", .phase = "creating"};
    const struct cache_record ready = {.id = "n7", .family = "wp", .claim = "c1", .phase = "ready"};
    _cleanup_world_ struct world *w = large_world();
    const struct snapshot *base = world_build(w), *now;
    size_t services, resources, whole = base->bytes;
    (void)state;

    assert_int_equal(overlay_put(&w->overlay, SG("sg-0021"), tags, 2, NULL, 0), 0);
    now = patched(w, base);
    count_new(base, now, &services, &resources);
    assert_int_equal(services, 1); /* n7 has it */
    assert_int_equal(resources, 1);
    assert_true(now->bytes < whole / 4); /* the arrays, and little else */
    snapshot_unref(base);                /* what it has in common with now lives on */
    base = now;

    assert_int_equal(overlay_put_record(&w->overlay, &creating), 0);
    now = patched(w, base);
    count_new(base, now, &services, &resources);
    assert_int_equal(services, 1);
    assert_int_equal(resources, 4); /* they lead to a managed service now */
    snapshot_unref(base);
    base = now;

    assert_int_equal(overlay_put_record(&w->overlay, &ready), 0);
    now = patched(w, base);
    count_new(base, now, &services, &resources);
    assert_int_equal(services, 1);
    assert_int_equal(resources, 1); /* the record: the phase is no matter of the others */
    assert_string_equal(now->resources[0]->owner->id, "n0");
    check_up(now);
    snapshot_unref(base);
    snapshot_unref(now);
}

/* A new group of services that stand in the base. */
static void test_new_group(void **state)
{
    static const char query[] =
        "{\"Type\":\"TAG_FILTERS_1_0\",\"Query\":\"{\\\"TagFilters\\\":[{\\\"Key\\\":"
        "\\\"service-id\\\",\\\"Values\\\":[\\\"n7\\\",\\\"n9\\\",\\\"n7\\\",\\\"n\\\"]}]}\"}";
    _cleanup_world_ struct world *w = large_world();
    _cleanup_snapshot_ const struct snapshot *base = world_build(w);
    (void)state;

    w->in.before = base;
    assert_int_equal(overlay_put_group(&w->overlay, "two", "arn", query, 0), 0);
    _cleanup_snapshot_ const struct snapshot *whole = world_build(w);
    _cleanup_snapshot_ const struct snapshot *now = patched(w, base);
    assert_false(now->private_->strays);
    assert_int_equal(snapshot_group(now, "two")->n_resources, 6);
    equal(now, whole);
}

/* The chain of patches ends; nothing that it made is lost on the way. */
static void test_chain(void **state)
{
    _cleanup_world_ struct world *w = large_world();
    const struct snapshot *base = world_build(w), *now = NULL;
    size_t n = 0;
    int r = 0;
    (void)state;

    while (r == 0) {
        const struct index_tag tags[] = {{"service-family", "wp"},
                                         {"service-id", n % 2 ? "n7" : "n9"}};
        assert_int_equal(overlay_put(&w->overlay, SG("sg-0021"), tags, 2, NULL, 0), 0);
        w->in.before = base;
        r = build_patch(&w->in, &w->overlay.changes, &now);
        if (r < 0)
            break;
        changes_done(&w->overlay.changes);
        snapshot_unref(base);
        base = now;
        n++;
    }
    assert_int_equal(r, -EOPNOTSUPP);
    assert_in_range(n, 1000, 5000);
    _cleanup_snapshot_ const struct snapshot *whole = world_build(w);
    assert_int_equal(base->n_resources, whole->n_resources);
    check_up(base);
    snapshot_unref(base);
}

/* --- what is refused --- */

static void shared_path(struct world *w)
{
    assert_int_equal(
        overlay_put(&w->overlay, "arn:aws:ec2:a:1:security-group/sg-0001", NULL, 0, NULL, 0), 0);
}

static void shared_id(struct world *w)
{
    static const struct index_tag tags[] = {{"service-family", "wp"}, {"service-id", "n0"}};

    assert_int_equal(overlay_put(&w->overlay, SG("sg-new"), tags, 2, NULL, 0), 0);
}

static void contested_key(struct world *w)
{
    const char *key = SG("sg-0001"); /* n0's by its tags */
    const struct cache_record r = {
        .id = "n9", .family = "wp", .claim = "c1", .phase = "ready", .keys = &key, .n_keys = 1};

    assert_int_equal(overlay_put_record(&w->overlay, &r), 0);
}

static void two_names(struct world *w)
{
    const char *key = "mariadb/database/h:1+x";
    const struct cache_record a = {
        .id = "n9", .family = "wp", .claim = "c1", .phase = "ready", .keys = &key, .n_keys = 1};
    const struct cache_record b = {
        .id = "n11", .family = "wp", .claim = "c2", .phase = "ready", .keys = &key, .n_keys = 1};

    assert_int_equal(overlay_put_record(&w->overlay, &a), 0);
    assert_int_equal(overlay_put_record(&w->overlay, &b), 0);
}

static void swept_members(struct world *w)
{
    assert_int_equal(overlay_put_group(&w->overlay, "stack", "", NULL, 0), 0);
}

static void unknown(struct world *w)
{
    w->overlay.changes.all = true;
}

static void test_refuses(void **state)
{
    void (*const cases[])(struct world * w) = {shared_path, shared_id,     contested_key,
                                               two_names,   swept_members, unknown};
    static const char *const members[] = {"arn:aws:s3:::b", NULL};
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_world_ struct world *w = large_world();
        world_group(w, "stack", NULL, members);
        _cleanup_snapshot_ const struct snapshot *base = world_build(w), *now = NULL;
        w->in.before = base;
        assert_int_equal(build_patch(&w->in, &w->overlay.changes, &now), 0); /* of nothing */
        snapshot_unref(now);
        now = NULL;
        cases[i](w);
        assert_int_equal(build_patch(&w->in, &w->overlay.changes, &now), -EOPNOTSUPP);
        assert_null(now);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),    cmocka_unit_test(test_shares),
        cmocka_unit_test(test_new_group), cmocka_unit_test(test_chain),
        cmocka_unit_test(test_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
