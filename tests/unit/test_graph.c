/* Who is touched: circles, chains, what is shared, dependencies; what is known only by its use; and
 * that changes in place come to the same as a graph made anew. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cache/graph.h"
#include "cache/name.h"
#include "tests/unit/world.h"

#define ARN(service, rest) "arn:aws:" service ":eu-central-1:123456789012:" rest
#define ECS(id) ARN("ecs", "service/main/" id)
#define CLUSTER ARN("ecs", "cluster/main")

struct scene {
    struct world *w;
    struct graph *g;
    struct map *texts; /* key → description */
    const struct snapshot *s;
    struct buf told;
};

static int described(void *arg, const char *key, edge_fn emit, void *emit_arg)
{
    const struct scene *sc = arg;
    const char *text = map_get(sc->texts, key);
    struct name_path p;

    if (!text)
        return 1;
    json_t *d = json_loads(text, 0, NULL);
    assert_non_null(d);
    if (name_path_from_arn(key, &p) < 0)
        assert_int_equal(name_path_from_key(key, &p), 0);
    int e = edges_of(p.service, p.type, key, d, emit, emit_arg);
    json_decref(d);
    return e;
}

static struct graph *new_graph(struct scene *sc)
{
    const struct graph_options o = {{"aws", "eu-central-1", "123456789012"}, described, sc};
    struct graph *g = NULL;

    assert_int_equal(graph_new(&g, &o), 0);
    return g;
}

static void begin(struct scene *sc)
{
    *sc = (struct scene){.w = world_new(), .texts = map_new(), .told = BUF_INIT(1 << 20)};
    sc->w->in.used = sc->w->overlay.used;
    sc->w->in.dependency_tag = "service-dependency";
    sc->g = new_graph(sc);
}

static void end(struct scene *sc)
{
    graph_free(sc->g);
    snapshot_unref(sc->s);
    map_free(sc->texts);
    world_free(sc->w);
    buf_done(&sc->told);
}

static void use(void *arg, const char *key, bool come)
{
    struct scene *sc = arg;

    assert_int_equal(overlay_use(&sc->w->overlay, key, come), 0);
}

/* Builds and follows until nothing more is wanted. */
static void follow(struct scene *sc)
{
    do {
        changes_done(&sc->w->overlay.changes);
        sc->w->in.before = sc->s;
        sc->w->in.generation++;
        sc->w->in.wall_ms += 1000;
        const struct snapshot *now = world_build(sc->w);
        assert_int_equal(graph_follow(sc->g, now), 0);
        snapshot_unref(sc->s);
        sc->s = now;
        graph_wanted(sc->g, use, sc);
    } while (changes_any(&sc->w->overlay.changes));
}

static void describe(struct scene *sc, const char *key, const char *text)
{
    if (text)
        assert_int_equal(map_put(sc->texts, key, (void *)text, NULL), 0);
    else
        map_remove(sc->texts, key);
    assert_int_equal(graph_described(sc->g, key, 0), 0);
    graph_wanted(sc->g, use, sc);
    if (changes_any(&sc->w->overlay.changes))
        follow(sc);
}

static void write_impact(struct graph *g, const struct index_resource *r, bool paths,
                         struct buf *out)
{
    const struct impact *i = NULL;

    assert_int_equal(paths ? graph_impact_paths(g, r, &i) : graph_impact(g, r, &i), 0);
    for (size_t k = 0; k < i->n; k++) {
        assert_ptr_equal(impact_find(i, i->entries[k].service->link), &i->entries[k]);
        if (paths)
            assert_int_equal(buf_printf(out, "%u %s\n", i->entries[k].distance, i->entries[k].path),
                             0);
        else
            assert_int_equal(buf_printf(out, "%s ", i->entries[k].service->link), 0);
    }
    impact_unref(i);
}

static const struct index_resource *resource(const struct scene *sc, const char *key)
{
    const struct index_resource *r = snapshot_resource_by_key(sc->s, key);

    if (!r)
        fail_msg("no %s", key);
    return r;
}

static void on_impact(void *arg, const struct index_resource *r, const struct impact *old,
                      const struct impact *now)
{
    assert_int_equal(buf_printf(&((struct scene *)arg)->told, "%s:%zu>%zu ", r->id, old->n, now->n),
                     0);
}

static void on_drawing(void *arg, const char *family, const struct graph_face *service)
{
    assert_int_equal(buf_printf(&((struct scene *)arg)->told, "%s/%s ", family ? family : "all",
                                service ? service->name : ""),
                     0);
}

static void settle(struct scene *sc)
{
    const struct graph_news n = {on_impact, on_drawing, sc};

    while (graph_news(sc->g, 1, &n))
        ;
}

/* As it was told last. */
static void asked(struct scene *sc, const char *key, const char *expected)
{
    _cleanup_buf_ struct buf out = BUF_INIT(10000);

    write_impact(sc->g, resource(sc, key), false, &out);
    assert_string_equal(buf_str(&out), expected);
}

static void touched(struct scene *sc, const char *key, const char *expected)
{
    settle(sc);
    asked(sc, key, expected);
}

static void chains(struct scene *sc, const char *key, const char *expected)
{
    _cleanup_buf_ struct buf out = BUF_INIT(10000);

    write_impact(sc->g, resource(sc, key), true, &out);
    assert_string_equal(buf_str(&out), expected);
}

static int order_words(const void *x, const void *y)
{
    return strcmp(*(char *const *)x, *(char *const *)y);
}

/* In the order of bytes. */
static void news(struct scene *sc, const char *expected)
{
    const struct graph_news n = {on_impact, on_drawing, sc};
    _cleanup_buf_ struct buf sorted = BUF_INIT(10000);
    char *words[100], *at = NULL;
    size_t count = 0;

    buf_truncate(&sc->told, 0);
    assert_int_equal(buf_puts(&sc->told, ""), 0);
    assert_false(graph_news(sc->g, 1000000, &n));
    _cleanup_free_ char *text = strdup(buf_str(&sc->told));
    for (char *w = strtok_r(text, " ", &at); w; w = strtok_r(NULL, " ", &at))
        words[count++] = w;
    qsort(words, count, sizeof(*words), order_words);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(buf_printf(&sorted, "%s ", words[i]), 0);
    assert_string_equal(buf_str(&sorted), expected);
}

/* --- sets and chains --- */

static void test_shared(void **state)
{
    struct scene sc;
    (void)state;

    begin(&sc);
    world_add(sc.w, ECS("n1"), FAMILY("wp"), SERVICE("n1"));
    world_add(sc.w, ECS("n2"), FAMILY("wp"), SERVICE("n2"));
    world_add(sc.w, SG("sg-1"), FAMILY("wp"), SERVICE("n1"));
    world_add(sc.w, SG("sg-9"), FAMILY("wp"));
    follow(&sc);
    touched(&sc, CLUSTER, "n1 n2 ");
    chains(&sc, CLUSTER,
           "1 ecs/cluster/main < ecs/service/main+n1 < n1\n"
           "1 ecs/cluster/main < ecs/service/main+n2 < n2\n");
    chains(&sc, SG("sg-1"), "0 ec2/security-group/sg-1 < n1\n");
    touched(&sc, SG("sg-9"), "");
    describe(&sc, ECS("n2"),
             "{\"networkConfiguration\": {\"awsvpcConfiguration\": {\"securityGroups\": "
             "[\"sg-1\", \"sg-9\"], \"subnets\": [\"subnet-1\"]}}}");
    describe(&sc, SG("sg-1"), "{\"VpcId\": \"vpc-1\"}");
    describe(&sc, ARN("ec2", "subnet/subnet-1"), "{\"VpcId\": \"vpc-1\"}");
    touched(&sc, SG("sg-1"), "n1 n2 ");
    touched(&sc, SG("sg-9"), "n2 ");
    chains(&sc, ARN("ec2", "vpc/vpc-1"),
           "1 ec2/vpc/vpc-1 < ec2/security-group/sg-1 < n1\n"
           "2 ec2/vpc/vpc-1 < ec2/security-group/sg-1 < ecs/service/main+n2 < n2\n");
    touched(&sc, ECS("n1"), "n1 ");
    end(&sc);
}

static void test_circles_and_depth(void **state)
{
    struct scene sc;
    static char texts[200][200];
    (void)state;

    begin(&sc);
    world_add(sc.w, ECS("n1"), FAMILY("wp"), SERVICE("n1"));
    for (int i = 0; i < 200; i++) {
        char arn[100];
        snprintf(arn, sizeof(arn), SG("sg-%03d"), i);
        snprintf(texts[i], sizeof(texts[i]),
                 "{\"IpPermissions\": [{\"UserIdGroupPairs\": [{\"GroupId\": \"sg-%03d\"}, "
                 "{\"GroupId\": \"sg-%03d\"}]}]}",
                 (i + 1) % 200, i);
        world_add(sc.w, arn, FAMILY("wp"));
        assert_int_equal(map_put(sc.texts, arn, texts[i], NULL), 0);
    }
    describe(&sc, ECS("n1"),
             "{\"networkConfiguration\": {\"awsvpcConfiguration\": {\"securityGroups\": "
             "[\"sg-000\"]}}}");
    follow(&sc);
    touched(&sc, SG("sg-000"), "n1 ");
    touched(&sc, SG("sg-199"), "n1 ");
    const struct impact *i = NULL;
    assert_int_equal(graph_impact_paths(sc.g, resource(&sc, SG("sg-199")), &i), 0);
    assert_int_equal(i->n, 1);
    assert_int_equal(i->entries[0].distance, 200);
    assert_true(str_starts(i->entries[0].path, "ec2/security-group/sg-199 < ec2/security-group/"
                                               "sg-198 < "));
    impact_unref(i);
    end(&sc);
}

static void test_dependencies(void **state)
{
    struct scene sc;
    (void)state;

    begin(&sc);
    world_add(sc.w, SG("sg-1"), FAMILY("wp"), SERVICE("n1"));
    world_add(sc.w, SG("sg-2"), FAMILY("wp"), SERVICE("n2"), "service-dependency=n1");
    world_add(sc.w, SG("sg-3"), FAMILY("other"), SERVICE("n3"), "service-dependency=n2 n9");
    world_add(sc.w, SG("sg-4"), FAMILY("other"), SERVICE("n4"));
    follow(&sc);
    chains(&sc, SG("sg-1"),
           "0 ec2/security-group/sg-1 < n1\n"
           "1 ec2/security-group/sg-1 < n1 < n2\n"
           "2 ec2/security-group/sg-1 < n1 < n2 < n3\n");
    touched(&sc, SG("sg-1"), "n1 n2 n3 ");
    touched(&sc, SG("sg-2"), "n2 n3 ");
    touched(&sc, SG("sg-3"), "n3 ");
    touched(&sc, SG("sg-4"), "n4 ");
    /* n2 uses sg-1 as well: that is as near as the dependency, and is said first */
    describe(&sc, SG("sg-2"),
             "{\"IpPermissions\": [{\"UserIdGroupPairs\": [{\"GroupId\": \"sg-1\"}]}]}");
    chains(&sc, SG("sg-1"),
           "0 ec2/security-group/sg-1 < n1\n"
           "1 ec2/security-group/sg-1 < ec2/security-group/sg-2 < n2\n"
           "2 ec2/security-group/sg-1 < ec2/security-group/sg-2 < n2 < n3\n");
    news(&sc, "sg-1:3>3 ");
    /* a circle by hand, and one that goes */
    world_add(sc.w, SG("sg-1"), FAMILY("wp"), SERVICE("n1"), "service-dependency=n3");
    world_add(sc.w, SG("sg-4"), FAMILY("other"), SERVICE("n4"), "service-dependency=n3");
    follow(&sc);
    news(&sc, "sg-1:3>4 sg-2:2>4 sg-3:1>4 ");
    touched(&sc, SG("sg-3"), "n1 n2 n3 n4 ");
    map_remove(sc.w->swept->by_key, SG("sg-4"));
    follow(&sc);
    touched(&sc, SG("sg-3"), "n1 n2 n3 ");
    end(&sc);
}

/* A target group of a listener's default action: the listener's owner needs it, who has a rule
 * there does not. */
static void test_last(void **state)
{
    struct scene sc;
    const char *listener = ARN("elasticloadbalancing", "listener/app/lb/1/2");
    const char *group = ARN("elasticloadbalancing", "targetgroup/main/3");
    (void)state;

    begin(&sc);
    world_add(sc.w, group, FAMILY("wp"), SERVICE("main"));
    world_add(sc.w, listener, FAMILY("it"), SERVICE("front"));
    world_add(sc.w, ARN("elasticloadbalancing", "listener-rule/app/lb/1/2/9"), FAMILY("wp"),
              SERVICE("n1"));
    follow(&sc);
    describe(&sc, listener,
             "{\"DefaultActions\": [{\"TargetGroupArn\": "
             "\"arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/main/3\"}]}");
    touched(&sc, group, "front main ");
    touched(&sc, listener, "front main n1 ");
    touched(&sc, ARN("elasticloadbalancing", "loadbalancer/app/lb/1"), "front main n1 ");
    end(&sc);
}

/* Who mounts a file system goes through its mount targets. */
static void test_back(void **state)
{
    struct scene sc;
    const char *target = "elasticfilesystem/mount-target/fsmt-1";
    const struct cache_record r = {
        .id = "n1", .family = "wp", .claim = "c", .phase = "ready", .keys = &target, .n_keys = 1};
    (void)state;

    begin(&sc);
    assert_int_equal(overlay_put_record(&sc.w->overlay, &r), 0);
    world_add(sc.w, ARN("ecs", "task-definition/n2:1"), FAMILY("wp"), SERVICE("n2"));
    follow(&sc);
    describe(&sc, ARN("ecs", "task-definition/n2:1"),
             "{\"volumes\": [{\"efsVolumeConfiguration\": {\"fileSystemId\": \"fs-1\"}}]}");
    describe(&sc, target, "{\"FileSystemId\": \"fs-1\", \"NetworkInterfaceId\": \"eni-1\"}");
    describe(&sc, ARN("ec2", "network-interface/eni-1"), "{\"Groups\": [{\"GroupId\": \"sg-1\"}]}");
    touched(&sc, ARN("elasticfilesystem", "file-system/fs-1"), "n1 n2 ");
    touched(&sc, SG("sg-1"), "n1 n2 ");
    /* the mount target goes with its record; nothing that it led to is left */
    assert_int_equal(overlay_remove_record(&sc.w->overlay, "n1", "c"), 0);
    describe(&sc, target, NULL);
    follow(&sc);
    assert_null(snapshot_resource_by_key(sc.s, SG("sg-1")));
    touched(&sc, ARN("elasticfilesystem", "file-system/fs-1"), "n2 ");
    end(&sc);
}

/* --- known only by its use --- */

static void test_inferred(void **state)
{
    struct scene sc;
    (void)state;

    begin(&sc);
    world_add(sc.w, ECS("n1"), FAMILY("wp"), SERVICE("n1"));
    follow(&sc);
    assert_true(resource(&sc, CLUSTER)->inferred);
    assert_true(resource(&sc, CLUSTER)->has_arn);
    assert_int_equal(resource(&sc, CLUSTER)->n_tags, 0);
    /* two groups that use each other are not there for their own sake */
    describe(&sc, ECS("n1"),
             "{\"networkConfiguration\": {\"awsvpcConfiguration\": {\"securityGroups\": "
             "[\"sg-1\"]}}}");
    describe(&sc, SG("sg-1"),
             "{\"IpPermissions\": [{\"UserIdGroupPairs\": [{\"GroupId\": \"sg-2\"}]}]}");
    describe(&sc, SG("sg-2"),
             "{\"VpcId\": \"vpc-1\", \"IpPermissions\": [{\"UserIdGroupPairs\": [{\"GroupId\": "
             "\"sg-1\"}]}]}");
    assert_true(resource(&sc, SG("sg-2"))->inferred);
    touched(&sc, ARN("ec2", "vpc/vpc-1"), "n1 ");
    describe(&sc, ECS("n1"), "{}");
    assert_null(snapshot_resource_by_key(sc.s, SG("sg-1")));
    assert_null(snapshot_resource_by_key(sc.s, SG("sg-2")));
    assert_null(snapshot_resource_by_key(sc.s, ARN("ec2", "vpc/vpc-1")));
    assert_true(resource(&sc, CLUSTER)->inferred);
    /* it has a tag now; then its last user goes */
    world_add(sc.w, CLUSTER, FAMILY("wp"));
    follow(&sc);
    assert_false(resource(&sc, CLUSTER)->inferred);
    map_remove(sc.w->swept->by_key, ECS("n1"));
    follow(&sc);
    assert_false(resource(&sc, CLUSTER)->inferred);
    map_remove(sc.w->swept->by_key, CLUSTER);
    follow(&sc);
    assert_null(snapshot_resource_by_key(sc.s, CLUSTER));
    assert_int_equal(sc.s->n_resources, 0);
    end(&sc);
}

/* --- telling --- */

static void test_news(void **state)
{
    struct scene sc;
    (void)state;

    begin(&sc);
    world_add(sc.w, ECS("n1"), FAMILY("wp"), SERVICE("n1"));
    world_add(sc.w, ECS("n2"), FAMILY("wp"), SERVICE("n2"));
    world_add(sc.w, SG("sg-1"), FAMILY("wp"));
    world_add(sc.w, SG("sg-2"), FAMILY("wp"));
    follow(&sc);
    news(&sc, "");
    asked(&sc, CLUSTER, "n1 n2 ");
    asked(&sc, SG("sg-1"), "");
    /* nothing differs, nobody is told */
    sc.w->in.before = NULL;
    follow(&sc);
    news(&sc, "");
    describe(&sc, SG("sg-1"), "{\"VpcId\": \"vpc-1\"}");
    news(&sc, "");
    describe(&sc, ECS("n1"),
             "{\"networkConfiguration\": {\"awsvpcConfiguration\": {\"securityGroups\": "
             "[\"sg-1\", \"sg-2\"]}}}");
    asked(&sc, SG("sg-1"), ""); /* as it was told last */
    news(&sc, "sg-1:0>1 ");
    asked(&sc, SG("sg-1"), "n1 ");
    news(&sc, "");
    /* an owner that moves touches what it uses */
    world_add(sc.w, ECS("n1"), FAMILY("wp"), SERVICE("n2"));
    follow(&sc);
    news(&sc, "main:2>1 sg-1:1>1 ");
    asked(&sc, SG("sg-1"), "n2 ");
    map_remove(sc.w->swept->by_key, ECS("n1"));
    follow(&sc);
    news(&sc, "main:1>1 sg-1:1>0 ");
    end(&sc);
}

/* --- drawings --- */

static void drawn(struct scene *sc, const char *family, const char *service, const char *expected)
{
    _cleanup_buf_ struct buf out = BUF_INIT(100000);
    int64_t ms = -1;

    assert_int_equal(graph_draw(sc->g, family, service, &out, &ms), 0);
    assert_string_equal(buf_str(&out), expected);
    assert_true(ms >= 0);
}

#define HEAD "digraph svcfs {\n  rankdir=LR;\n  node [shape=box, style=filled];\n"
#define BOX(family, id)                                                                            \
    "    subgraph \"cluster " family "/" id "\" {\n      label=\"\";\n      \"families/" family    \
    "/" id "\" [shape=component, style=\"filled,bold\", fillcolor=white, label=\"" id "\"];\n"
#define CLUSTER_LINE "\"ecs/cluster/main\" [label=\"cluster\\nmain\", fillcolor=\"#f5c596\"];\n"
#define TOPIC                                                                                      \
    "      \"sns/topic/a\\\"b\\\\c\" [label=\"topic\\na\\\"b\\\\c\", fillcolor=\"#dddddd\"];\n"

static void test_drawings(void **state)
{
    struct scene sc;
    (void)state;

    begin(&sc);
    world_add(sc.w, ECS("n1"), FAMILY("wp"), SERVICE("n1"), "service-dependency=n2");
    world_add(sc.w, ARN("sns", "a\"b\\c"), FAMILY("other"), SERVICE("n2"));
    follow(&sc);
    const char one[] = HEAD "  subgraph \"cluster other\" {\n    label=\"other\";\n" BOX(
        "other",
        "n2") "    }\n  }\n"
              "  subgraph \"cluster wp\" {\n    label=\"wp\";\n" BOX(
                  "wp",
                  "n1") "      \"ecs/service/main+n1\" [label=\"service\\nmain+n1\", "
                        "fillcolor=\"#f5c596\"];\n"
                        "    }\n  }\n  " CLUSTER_LINE
                        "  \"ecs/service/main+n1\" -> \"ecs/cluster/main\" [label=\"cluster\"];\n"
                        "  \"families/wp/n1\" -> \"families/other/n2\" [label=\"depends on\", "
                        "style=dashed];\n}\n";
    drawn(&sc, "wp", "n1", one);
    drawn(&sc, "wp", NULL, one);
    drawn(&sc, "other", "n2",
          HEAD "  subgraph \"cluster other\" {\n    label=\"other\";\n" BOX("other", "n2") TOPIC
          "    }\n  }\n"
          "  subgraph \"cluster wp\" {\n    label=\"wp\";\n" BOX(
              "wp", "n1") "    }\n  }\n"
                          "  \"families/wp/n1\" -> \"families/other/n2\" [label=\"depends on\", "
                          "style=dashed];\n}\n");
    drawn(&sc, "nobody", NULL, HEAD "}\n");
    /* what is drawn is told: of who uses what changes, and of nobody else */
    news(&sc, "");
    describe(&sc, CLUSTER, "{}");
    news(&sc, "");
    world_add(sc.w, ECS("n1"), FAMILY("wp"), SERVICE("n1"));
    follow(&sc);
    news(&sc, "all/ other/ other/n2 wp/ wp/n1 ");
    world_add(sc.w, SG("sg-7"), FAMILY("other"), SERVICE("n2"));
    follow(&sc);
    news(&sc, "all/ other/ other/n2 ");
    world_add(sc.w, SG("sg-7"), FAMILY("other"), SERVICE("n2"), "Name=x");
    follow(&sc);
    news(&sc, "");
    end(&sc);
}

/* --- changed in place is the same as made anew --- */

static uint32_t seed = 7;
static uint32_t dice(uint32_t n)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % n;
}

static void change_one(struct scene *sc, char texts[40][200])
{
    char arn[100], id[40], family[40], need[60];
    unsigned i = dice(40);

    snprintf(arn, sizeof(arn), SG("sg-%u"), i);
    snprintf(id, sizeof(id), "service-id=n%u", dice(8));
    snprintf(family, sizeof(family), "service-family=f%u", dice(2));
    snprintf(need, sizeof(need), "service-dependency=n%u", dice(8));
    switch (dice(6)) {
    case 0:
        map_remove(sc->w->swept->by_key, arn);
        break;
    case 1:
        world_add(sc->w, arn, family, id);
        break;
    case 2:
        world_add(sc->w, arn, family, id, need);
        break;
    case 3:
        world_add(sc->w, arn, family);
        break;
    default:
        snprintf(texts[i], sizeof(texts[i]),
                 "{\"VpcId\": \"vpc-%u\", \"IpPermissions\": [{\"UserIdGroupPairs\": "
                 "[{\"GroupId\": \"sg-%u\"}, {\"GroupId\": \"sg-%u\"}]}]}",
                 dice(3), dice(40), dice(40));
        describe(sc, arn, texts[i]);
        return;
    }
    follow(sc);
}

struct last {
    struct map *impacts; /* key → text as it was told last */
    struct scene *sc;
};

static char *impact_text(struct graph *g, const struct index_resource *r)
{
    struct buf out = BUF_INIT(100000);

    write_impact(g, r, true, &out);
    return buf_steal(&out);
}

static void keep_told(void *arg, const struct index_resource *r, _unused_ const struct impact *old,
                      _unused_ const struct impact *now)
{
    struct last *l = arg;
    void *was = NULL;

    assert_int_equal(map_put(l->impacts, r->key, impact_text(l->sc->g, r), &was), 0);
    free(was);
}

static void test_at_random(void **state)
{
    static char texts[40][200];
    struct scene sc;
    struct last l = {map_new(), &sc};
    const struct graph_news n = {keep_told, on_drawing, &l};
    (void)state;

    begin(&sc);
    follow(&sc);
    for (int round = 0; round < 600; round++) {
        change_one(&sc, texts);
        while (graph_news(sc.g, 1, &n))
            ;
        struct graph *anew = new_graph(&sc);
        assert_int_equal(graph_follow(anew, sc.s), 0);
        for (size_t i = 0; i < sc.s->n_resources; i++) {
            const struct index_resource *r = sc.s->resources[i];
            _cleanup_free_ char *a = impact_text(sc.g, r), *b = impact_text(anew, r);
            const struct impact *asked = NULL;
            assert_string_equal(a, b);
            /* who asked once has been told of each change */
            const char *told = map_get(l.impacts, r->key);
            assert_int_equal(graph_impact(sc.g, r, &asked), 0);
            impact_unref(asked);
            if (told)
                assert_string_equal(told, a);
            else
                assert_int_equal(map_put(l.impacts, r->key, strdup(a), NULL), 0);
        }
        /* what went is forgotten */
        struct map_iter it = {0};
        const char *key;
        void *text;
        while (map_next(l.impacts, &it, &key, &text))
            if (!snapshot_resource_by_key(sc.s, key)) {
                map_remove(l.impacts, key);
                free(text);
            }
        graph_free(anew);
    }
    map_free_with(l.impacts, free);
    end(&sc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared),       cmocka_unit_test(test_circles_and_depth),
        cmocka_unit_test(test_dependencies), cmocka_unit_test(test_last),
        cmocka_unit_test(test_back),         cmocka_unit_test(test_inferred),
        cmocka_unit_test(test_news),         cmocka_unit_test(test_drawings),
        cmocka_unit_test(test_at_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
