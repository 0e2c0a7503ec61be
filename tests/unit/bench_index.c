/*
 * What an index of 10,000 services and 100,000 resources costs: a build, a build after a sweep that
 * changed little, patches, a difference; and the bytes a resource takes. Times are medians, as
 * ratios to a whole build, since machines differ. Run by hand.
 */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cache/diff.h"
#include "tests/unit/world.h"

enum { SERVICES = 10000, EACH = 10, GROUPS = 100, ROUNDS = 5, PATCHES = 100 };

static const char *const types[EACH] = {
    "ec2:eu-central-1:123456789012:security-group/sg-%08x%d",
    "ecs:eu-central-1:123456789012:service/wordpress/n%d-%08x",
    "ecs:eu-central-1:123456789012:task-definition/n%d-%08x:1",
    "elasticfilesystem:eu-central-1:123456789012:file-system/fs-%08x%d",
    "elasticfilesystem:eu-central-1:123456789012:access-point/fsap-%08x%d",
    "elasticloadbalancing:eu-central-1:123456789012:targetgroup/n%d/%08x",
    "elasticloadbalancing:eu-central-1:123456789012:listener-rule/app/wp/29b5/b08/%08x%d",
    "secretsmanager:eu-central-1:123456789012:secret:wp/n%d/Secret-%06x",
    "logs:eu-central-1:123456789012:log-group:/ecs/wp/n%d-%x",
    "s3:::uploads-n%d-%x",
};

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int order_doubles(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;

    return (a > b) - (a < b);
}

static double median(double *all, size_t n)
{
    qsort(all, n, sizeof(*all), order_doubles);
    return all[n / 2];
}

static void add_service(struct world *w, int i)
{
    char arn[240], rest[200], id[40], claim[60];

    snprintf(id, sizeof(id), "service-id=n%d", i);
    snprintf(claim, sizeof(claim), "svcfs:claim=claim%021d", i);
    for (int k = 0; k < EACH; k++) {
        _Pragma("GCC diagnostic ignored \"-Wformat-nonliteral\"");
        snprintf(rest, sizeof(rest), types[k], i, i * 7919);
        snprintf(arn, sizeof(arn), "arn:aws:%s", rest);
        if (k % 2)
            world_add(w, arn, i % 2 ? FAMILY("wp-containers") : FAMILY("shops"), id, claim);
        else
            world_add(w, arn, i % 2 ? FAMILY("wp-containers") : FAMILY("shops"), id, claim,
                      "management-mode=automatic", "Name=one of many things");
    }
}

static struct world *account(void)
{
    struct world *w = world_new();

    for (int i = 0; i < SERVICES; i++)
        add_service(w, i);
    world_group(w, "wp-containers", QUERY("service-family", "wp-containers"), NULL);
    for (int i = 0; i < GROUPS; i++) {
        char name[40], query[400];
        snprintf(name, sizeof(name), "wp-containers_n%d", i);
        snprintf(query, sizeof(query),
                 "{\"Type\":\"TAG_FILTERS_1_0\",\"Query\":\"{\\\"TagFilters\\\":[{\\\"Key\\\":"
                 "\\\"service-id\\\",\\\"Values\\\":[\\\"n%d\\\"]}]}\"}",
                 i);
        world_group(w, name, query, NULL);
    }
    return w;
}

/* What their records say, as a daemon has it soon after its start. */
static void add_records(struct world *w)
{
    char id[40], claim[60], keys[2][80];
    const char *const named[] = {keys[0], keys[1]};
    const struct cache_record r = {
        .id = id, .claim = claim, .phase = "ready", .keys = named, .n_keys = 2};

    for (int i = 0; i < SERVICES; i++) {
        struct cache_record one = r;
        snprintf(id, sizeof(id), "n%d", i);
        snprintf(claim, sizeof(claim), "claim%021d", i);
        snprintf(keys[0], sizeof(keys[0]), "mariadb/database/db.example.edu:3306+n%d", i);
        snprintf(keys[1], sizeof(keys[1]), "mariadb/user/db.example.edu:3306+n%d", i);
        one.family = i % 2 ? "wp-containers" : "shops";
        assert_int_equal(overlay_put_record(&w->overlay, &one), 0);
    }
}

static double time_copy(struct world *w)
{
    double all[ROUNDS];

    for (int i = 0; i < ROUNDS; i++) {
        struct overlay copy;
        double begin = now_ms();
        assert_int_equal(overlay_copy(&w->overlay, &copy), 0);
        overlay_done(&copy);
        all[i] = now_ms() - begin;
    }
    return median(all, ROUNDS);
}

static double time_build(struct world *w, const struct snapshot *before)
{
    double all[ROUNDS];

    for (int i = 0; i < ROUNDS; i++) {
        w->in.before = before;
        double begin = now_ms();
        const struct snapshot *s = world_build(w);
        all[i] = now_ms() - begin;
        snapshot_unref(s);
    }
    return median(all, ROUNDS);
}

static void put_tag(struct world *w, int i)
{
    const struct index_tag tags[] = {
        {"Name", "new"}, {"service-family", "wp-containers"}, {"service-id", "n77"}};
    char arn[200];

    snprintf(arn, sizeof(arn), SG("sg-new%d"), i);
    assert_int_equal(overlay_put(&w->overlay, arn, tags, 3, NULL, 0), 0);
}

static void put_record(struct world *w, int i)
{
    char id[40], claim[40];
    const struct cache_record r = {
        .id = id, .family = "wp-containers", .claim = claim, .phase = "creating"};

    snprintf(id, sizeof(id), "new%d", i);
    snprintf(claim, sizeof(claim), "newclaim%d", i);
    assert_int_equal(overlay_put_record(&w->overlay, &r), 0);
}

static void remove_record(struct world *w, int i)
{
    char id[40], claim[40];

    snprintf(id, sizeof(id), "new%d", i);
    snprintf(claim, sizeof(claim), "newclaim%d", i);
    assert_int_equal(overlay_remove_record(&w->overlay, id, claim), 0);
}

static void put_group(struct world *w, int i)
{
    char name[40];

    snprintf(name, sizeof(name), "new%d", i);
    assert_int_equal(overlay_put_group(&w->overlay, name, "arn", QUERY("service-id", "n77"), 0), 0);
}

static void count(void *arg, _unused_ const struct diff *d)
{
    ++*(size_t *)arg;
}

static void time_patches(struct world *w, const struct snapshot **last, const char *what,
                         void (*change)(struct world *w, int i), double whole)
{
    double all[PATCHES], diffs[PATCHES];
    size_t differences = 0, bytes = 0;

    for (int i = 0; i < PATCHES; i++) {
        const struct snapshot *now = NULL;
        change(w, i);
        w->in.before = *last;
        double begin = now_ms();
        assert_int_equal(build_patch(&w->in, &w->overlay.changes, &now), 0);
        all[i] = now_ms() - begin;
        begin = now_ms();
        diff_snapshots(*last, now, count, &differences);
        diffs[i] = now_ms() - begin;
        changes_done(&w->overlay.changes);
        bytes = now->bytes;
        snapshot_unref(*last);
        *last = now;
    }
    double patch = median(all, PATCHES), diff = median(diffs, PATCHES);
    print_message("%-16s patch %6.2f ms = build/%-5.0f diff %6.2f ms, %.1f differences, %zu KB\n",
                  what, patch, whole / patch, diff, (double)differences / PATCHES, bytes / 1024);
}

static void bench(void **state)
{
    _cleanup_world_ struct world *w = account();
    size_t n = map_size(w->swept->by_key), raw = arena_size(w->swept->arena);
    (void)state;

    double cold = time_build(w, NULL);
    w->in.before = NULL;
    const struct snapshot *last = world_build(w);
    double warm = time_build(w, last);
    print_message("build: %.0f ms cold, %.0f ms after another; bytes a resource: %zu in the "
                  "snapshot, %zu in the sweep\n",
                  cold, warm, last->bytes / n, raw / n);
    add_records(w);
    w->in.before = last;
    const struct snapshot *told = world_build(w);
    changes_done(&w->overlay.changes);
    snapshot_unref(last);
    last = told;
    print_message("with all records: build %.0f ms, the copy of the overlay %.1f ms\n",
                  time_build(w, last), time_copy(w));
    time_patches(w, &last, "a tagged thing", put_tag, warm);
    time_patches(w, &last, "a new record", put_record, warm);
    time_patches(w, &last, "a record gone", remove_record, warm);
    time_patches(w, &last, "a new group", put_group, warm);
    snapshot_unref(last);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bench)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
