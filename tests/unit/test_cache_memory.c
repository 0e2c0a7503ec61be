/*
 * Every nth allocation fails: the builder and the overlay must say -ENOMEM, lose nothing (the
 * sanitizer looks) and be as they were. The linker leads allocations through here (--wrap).
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>

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

static void test_build(void **state)
{
    static const char *const members[] = {"arn:aws:s3:::b", NULL};
    char *blueprints[] = {(char *)"empty", NULL};
    _cleanup_world_ struct world *w = world_new();
    const struct snapshot *s = NULL;
    long n = 0;
    int r = -ENOMEM;
    (void)state;

    for (int i = 0; i < 40; i++) {
        char arn[100], id[40];
        snprintf(arn, sizeof(arn), SG("sg-%d"), i);
        snprintf(id, sizeof(id), "service-id=n%d", i / 2);
        world_add(w, arn, id, i % 3 ? FAMILY("wp") : FAMILY("db"));
    }
    world_add(w, "arn:aws:ec2:a:1:security-group/sg-1", FAMILY("wp"));
    world_add(w, SG("sg-lost"), SERVICE("lost"));
    world_group(w, "stack", NULL, members);
    world_group(w, "wp", QUERY("service-family", "wp"), NULL);
    assert_int_equal(put_all(&w->overlay), 0);
    w->in.blueprints = blueprints;
    w->in.groups_problem = "none";
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_overlay),
                                       cmocka_unit_test(test_build)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
