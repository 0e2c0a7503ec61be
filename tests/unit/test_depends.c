/* The tag that says which services a service needs: its text, and what the index makes of it. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cache/depends.h"
#include "cache/name.h"
#include "tests/unit/world.h"

#define TAG "service-dependency"

static void test_keys(void **state)
{
    static const char *const good[] = {TAG, TAG "-2", TAG "-9", TAG "-10", TAG "-123"};
    static const char *const bad[] = {"service-dep", TAG "-",  TAG "-1", TAG "-0", TAG "-02",
                                      TAG "-2x",     TAG "-x", TAG "2",  TAG "s",  ("x" TAG)};
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        assert_true(depends_is_key(TAG, good[i]));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(depends_is_key(TAG, bad[i]));
    for (size_t i = 0; i < 3; i++) {
        char *key _cleanup_free_ = depends_key(TAG, i);
        assert_string_equal(key, i == 0 ? TAG : i == 1 ? TAG "-2" : TAG "-3");
        assert_true(depends_is_key(TAG, key));
    }
}

static int join(void *arg, const char *id)
{
    char *all = arg;

    strcat(strcat(all, id), "|");
    return 0;
}

static void test_read(void **state)
{
    static const char *const cases[][2] = {
        {"", ""},
        {" ", ""},
        {"a", "a|"},
        {"a b", "a|b|"},
        {"  a  b ", "a|b|"},
        {"a=20b c=3Dd", "a b|c=d|"},
        {"a=2 b=", "a=2|b=|"},
        {"a=00", "a=00|"},
        {"a=3d", "a=3d|"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char all[256] = "";
        assert_int_equal(depends_read(cases[i][0], join, all), 0);
        assert_string_equal(all, cases[i][1]);
    }
}

/* What was written is read back, whatever is in it, and each value has 256 characters at most. */
static void check_round(const char *const *ids, size_t n, size_t n_values)
{
    char **values, *want _cleanup_free_ = calloc(1, 1 << 20),
                         *got _cleanup_free_ = calloc(1, 1 << 20);
    size_t count;

    assert_int_equal(depends_write(ids, n, &values, &count), 0);
    assert_int_equal(count, n_values);
    for (size_t i = 0; i < count; i++) {
        assert_true(strlen(values[i]) > 0);
        assert_true(strspn(values[i], "\xc3\xa9") > 0 || strlen(values[i]) <= TAG_VALUE_CHARS);
        assert_int_equal(depends_read(values[i], join, got), 0);
    }
    for (size_t i = 0; i < n; i++)
        join(want, ids[i]);
    assert_string_equal(got, want);
    depends_free(values, count);
}

static void test_write(void **state)
{
    static const char *const odd[] = {"a b", "a=b", "=20", "\xc3\xa9", "x,y", "%", "a\tb"};
    char many[300][16], whole[TAG_VALUE_CHARS + 2], *accents = calloc(1, 2 * TAG_VALUE_CHARS + 1);
    const char *ids[300], *one[] = {whole}, *wide[] = {accents};
    char **values;
    size_t n;
    (void)state;

    check_round(NULL, 0, 0);
    check_round(odd, ARRAY_SIZE(odd), 1);
    for (size_t i = 0; i < ARRAY_SIZE(many); i++) {
        snprintf(many[i], sizeof(many[i]), "svc%05zu", i);
        ids[i] = many[i];
    }
    check_round(ids, ARRAY_SIZE(many), 11); /* 28 ids of 8 characters a value */
    memset(whole, 'x', sizeof(whole) - 1);
    whole[TAG_VALUE_CHARS] = '\0';
    check_round(one, 1, 1);
    strcat(whole, "x");
    assert_int_equal(depends_write(one, 1, &values, &n), -EINVAL);
    whole[0] = '\0';
    assert_int_equal(depends_write(one, 1, &values, &n), -EINVAL);
    for (size_t i = 0; i < TAG_VALUE_CHARS; i++) /* characters, not bytes */
        strcat(accents, "\xc3\xa9");
    check_round(wide, 1, 1);
    free(accents);
}

static void check_depends(const struct index_service *s, const char *want)
{
    char all[256] = "";

    assert_non_null(s);
    for (size_t i = 0; i < s->n_depends; i++)
        join(all, s->depends[i]);
    assert_string_equal(all, want);
}

static const struct index_service *service(const struct snapshot *s, const char *id)
{
    const struct index_service *found = snapshot_any_service(s, id);

    assert_non_null(found);
    return found;
}

static void check_dependents(const struct snapshot *s, const char *id, const char *want)
{
    char all[256] = "";
    size_t n;
    const struct index_need *const *needs = snapshot_dependents(s, id, &n);

    for (size_t i = 0; i < n; i++)
        join(all, needs[i]->by->link);
    assert_string_equal(all, want);
}

/* Over the record and all resources; unknown ids too. */
static void test_index(void **state)
{
    _cleanup_world_ struct world *w = world_new();
    (void)state;

    world_add(w, SG("sg-1"), FAMILY("wp"), SERVICE("n1"), TAG "=n3 n2");
    world_add(w, SG("sg-2"), FAMILY("wp"), SERVICE("n1"), TAG "-2=n4 n2", TAG "-x=n9");
    world_add(w, RECORD("n1"), FAMILY("wp"), SERVICE("n1"), TAG "=no=20such");
    world_add(w, SG("sg-3"), FAMILY("db"), SERVICE("n2"));
    world_add(w, SG("sg-4"), FAMILY("db"), SERVICE("n3"), TAG "=n2");
    world_add(w, SG("sg-5"), FAMILY("wp"), TAG "=n2");
    _cleanup_snapshot_ const struct snapshot *s = world_build(w);
    check_depends(service(s, "n1"), "n2|n3|n4|no such|");
    check_depends(service(s, "n2"), "");
    check_depends(service(s, "n3"), "n2|");
    check_dependents(s, "n2", "n1|n3|");
    check_dependents(s, "n4", "n1|");
    check_dependents(s, "n9", "");
}

/* Ids that two families have: both are needed, and both are named apart. */
static void test_shared_id(void **state)
{
    _cleanup_world_ struct world *w = world_new();
    size_t n;
    (void)state;

    world_add(w, SG("sg-1"), FAMILY("a"), SERVICE("n1"));
    world_add(w, SG("sg-2"), FAMILY("b"), SERVICE("n1"), TAG "=n2");
    world_add(w, SG("sg-3"), FAMILY("a"), SERVICE("n2"), TAG "=n1");
    _cleanup_snapshot_ const struct snapshot *s = world_build(w);
    const struct index_service *const *both = snapshot_services_by_id(s, "n1", &n);
    assert_int_equal(n, 2);
    assert_string_equal(both[0]->link, "n1@a");
    assert_string_equal(both[1]->link, "n1@b");
    check_dependents(s, "n2", "n1@b|");
    snapshot_services_by_id(s, "n5", &n);
    assert_int_equal(n, 0);
}

/* depends_ms is the time of that list alone. */
static void test_time(void **state)
{
    _cleanup_world_ struct world *w = world_new();
    static const char *const changes[][2] = {
        {"Name=x", "other"}, {TAG "=n2", "depends"}, {TAG "=n2 n2", "same"}};
    (void)state;

    world_add(w, SG("sg-1"), FAMILY("wp"), SERVICE("n1"));
    const struct snapshot *s = world_build(w);
    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        int64_t before = service(s, "n1")->depends_ms;
        world_add(w, SG("sg-1"), FAMILY("wp"), SERVICE("n1"), changes[i][0]);
        w->in.before = s;
        w->in.wall_ms += 1000;
        const struct snapshot *next = world_build(w);
        bool moved = service(next, "n1")->depends_ms != before;
        assert_int_equal(moved, streq(changes[i][1], "depends"));
        snapshot_unref(s);
        s = next;
    }
    snapshot_unref(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),      cmocka_unit_test(test_read),
        cmocka_unit_test(test_write),     cmocka_unit_test(test_index),
        cmocka_unit_test(test_shared_id), cmocka_unit_test(test_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
