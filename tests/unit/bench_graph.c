/*
 * What the graph of 10,000 services costs, with 100,000 resources and half a million edges: to
 * follow the first snapshot, a second one of which nothing is the same pointer, and to ask; for
 * what one service has and for what all of them share. Run by hand.
 */
#include "tests/unit/unit.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/str.h"
#include "cache/graph.h"
#include "cache/name.h"
#include "tests/unit/world.h"

enum { SERVICES = 10000, EACH = 10 };

#define ARN(service, rest) "arn:aws:" service ":eu-central-1:123456789012:" rest

static const char *const types[EACH] = {
    ARN("ec2", "security-group/sg-%05d"),
    ARN("ecs", "service/main/n%05d"),
    ARN("ecs", "task-definition/n%05d:1"),
    ARN("elasticfilesystem", "access-point/fsap-%05d"),
    ARN("elasticloadbalancing", "targetgroup/n%05d/1"),
    ARN("elasticloadbalancing", "listener-rule/app/wp/29b5/b08/%05d"),
    ARN("secretsmanager", "secret:wp/n%05d-AbCdEf"),
    ARN("logs", "log-group:/ecs/wp/n%05d"),
    ARN("ssm", "parameter/wp/n%05d"),
    "arn:aws:s3:::uploads-n%05d",
};

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

#define EMIT(...)                                                                                  \
    do {                                                                                           \
        snprintf(target, sizeof(target), __VA_ARGS__);                                             \
        e = e ? e : emit(arg, "x", target);                                                        \
    } while (0)

/* The number at the end of the id. */
static int described(_unused_ void *unused, const char *key, edge_fn emit, void *arg)
{
    const char *digits =
        strpbrk(strrchr(key, strstr(key, "log-group") ? '/' : '-') ?: key, "0123456789");
    char target[200];
    int e = 0, n = 0;

    if (strstr(key, "ecs") && strstr(key, "/n"))
        digits = strstr(key, "/n") + 2;
    n = digits ? atoi(digits) : 0;
    if (strstr(key, ":service/")) {
        EMIT(ARN("ecs", "cluster/main"));
        EMIT("ec2/security-group/sg-%05d", n);
        EMIT("ec2/subnet/subnet-1");
        EMIT("ec2/subnet/subnet-2");
        EMIT(ARN("ecs", "task-definition/n%05d:1"), n);
        EMIT(ARN("elasticloadbalancing", "targetgroup/n%05d/1"), n);
    } else if (strstr(key, ":task-definition/")) {
        EMIT(ARN("ecr", "repository/wordpress"));
        EMIT(ARN("secretsmanager", "secret:wp/n%05d-AbCdEf"), n);
        EMIT("elasticfilesystem/access-point/fsap-%05d", n);
        EMIT("elasticfilesystem/file-system/fs-1");
        EMIT("iam/role/wp-execution");
        EMIT("logs/log-group//ecs/wp/n%05d", n);
    } else if (strstr(key, ":security-group/")) {
        EMIT("ec2/vpc/vpc-1");
    } else if (strstr(key, ":targetgroup/")) {
        EMIT("ec2/vpc/vpc-1");
        EMIT(ARN("elasticloadbalancing", "loadbalancer/app/wp/29b5"));
    } else if (strstr(key, ":access-point/")) {
        EMIT("elasticfilesystem/file-system/fs-1");
    } else if (strstr(key, ":subnet/")) {
        EMIT("ec2/vpc/vpc-1");
    } else {
        return 1;
    }
    return e;
}

static void use(void *arg, const char *key, bool come)
{
    assert_int_equal(overlay_use(&((struct world *)arg)->overlay, key, come), 0);
}

static const struct snapshot *build(struct world *w, const struct snapshot *before)
{
    w->in.before = before;
    w->in.generation++;
    w->in.wall_ms += 1000;
    return world_build(w);
}

static void ask(struct graph *g, const struct snapshot *s, const char *key)
{
    const struct index_resource *r = snapshot_resource_by_key(s, key);
    const struct impact *i = NULL, *paths = NULL;
    double begin = now_ms(), end;

    assert_non_null(r);
    assert_int_equal(graph_impact(g, r, &i), 0);
    end = now_ms();
    assert_int_equal(graph_impact_paths(g, r, &paths), 0);
    print_message("%-60s %6zu services, %8.3f ms, with paths %8.3f ms\n", key, i->n, end - begin,
                  now_ms() - end);
    impact_unref(i);
    impact_unref(paths);
}

static void nothing(_unused_ void *arg, _unused_ const struct index_resource *r,
                    _unused_ const struct impact *old, _unused_ const struct impact *now)
{
}
static void no_drawing(_unused_ void *arg, _unused_ const char *family,
                       _unused_ const struct graph_face *service)
{
}

static void bench(void **state)
{
    const struct graph_options o = {{"aws", "eu-central-1", "123456789012"}, described, NULL};
    const struct graph_news news = {nothing, no_drawing, NULL};
    _cleanup_world_ struct world *w = world_new();
    struct graph *g = NULL;
    char arn[200], id[40];
    (void)state;

    w->in.used = w->overlay.used;
    for (int i = 0; i < SERVICES; i++) {
        snprintf(id, sizeof(id), "service-id=n%05d", i);
        for (int k = 0; k < EACH; k++) {
            _Pragma("GCC diagnostic ignored \"-Wformat-nonliteral\"");
            snprintf(arn, sizeof(arn), types[k], i);
            world_add(w, arn, i % 2 ? FAMILY("wp") : FAMILY("shops"), id);
        }
    }
    assert_int_equal(graph_new(&g, &o), 0);
    const struct snapshot *s = build(w, NULL), *next;
    size_t before = mallinfo2().uordblks;
    double begin = now_ms();
    assert_int_equal(graph_follow(g, s), 0);
    double first = now_ms() - begin;
    for (int i = 0; i < 3; i++) {
        graph_wanted(g, use, w);
        next = build(w, s);
        assert_int_equal(graph_follow(g, next), 0);
        snapshot_unref(s);
        s = next;
    }
    print_message("%zu resources: followed first in %.0f ms; %zu bytes a resource with snapshots\n",
                  s->n_resources, first, (mallinfo2().uordblks - before) / s->n_resources);
    next = build(w, s);
    begin = now_ms();
    assert_int_equal(graph_follow(g, next), 0);
    print_message("the same again, all pointers new: %.0f ms\n", now_ms() - begin);
    snapshot_unref(s);
    s = next;
    ask(g, s, SG("sg-00077"));
    ask(g, s, ARN("secretsmanager", "secret:wp/n00077-AbCdEf"));
    ask(g, s, ARN("ecs", "cluster/main"));
    ask(g, s, ARN("ec2", "vpc/vpc-1"));
    ask(g, s, ARN("elasticfilesystem", "file-system/fs-1"));
    begin = now_ms();
    for (size_t i = 0; i < s->n_resources; i++) {
        const struct impact *one = NULL;
        assert_int_equal(graph_impact(g, s->resources[i], &one), 0);
        impact_unref(one);
    }
    print_message("all asked once: %.0f ms\n", now_ms() - begin);
    begin = now_ms();
    assert_int_equal(graph_described(g, SG("sg-00077"), 0), 0);
    graph_news(g, SIZE_MAX / 2, &news);
    print_message("a description that did not change: %.3f ms\n", now_ms() - begin);
    world_add(w, SG("sg-00077"), FAMILY("wp"), "service-id=n00078");
    next = build(w, s);
    begin = now_ms();
    assert_int_equal(graph_follow(g, next), 0);
    double followed = now_ms() - begin;
    graph_news(g, SIZE_MAX / 2, &news);
    print_message("another owner: %.1f ms (all pointers new), and %.1f ms to see what differs\n",
                  followed, now_ms() - begin - followed);
    snapshot_unref(s);
    s = next;
    struct buf out = BUF_INIT(1 << 30);
    int64_t ms;
    begin = now_ms();
    assert_int_equal(graph_draw(g, NULL, NULL, &out, &ms), 0);
    print_message("the drawing of all: %.0f ms, %zu KB\n", now_ms() - begin, out.len / 1024);
    buf_done(&out);
    begin = now_ms();
    assert_int_equal(graph_draw(g, "wp", "n00077", &out, &ms), 0);
    print_message("of one service: %.3f ms, %zu bytes\n", now_ms() - begin, out.len);
    buf_done(&out);
    snapshot_unref(s);
    graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bench)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
