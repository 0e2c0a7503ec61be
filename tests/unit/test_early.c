/* What is shown before the first sweep has ended: the names of the families, a family that somebody
 * waits for, the index that was saved. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/cache_scene.h"

#define WP ENTRY(SG("sg-1"), "wp", "n1")
#define SHOP ENTRY(SG("sg-2"), "shops", "s1")

static const struct index_family *family(const struct snapshot *s, const char *name)
{
    const struct index_family *f = snapshot_family(s, name);

    assert_non_null(f);
    return f;
}

static void test_names(void **state)
{
    static const char *const blueprints[] = {"new"};
    _cleanup_aws_ struct aws *a = aws_new(NULL);
    (void)state;

    a->names = "\"wp\", \"shops\"";
    set(a, &a->hold_sweeps, true);
    cache_set_blueprints(a->cache, blueprints, 1);
    assert_int_equal(cache_start(a->cache, NULL), 0);
    WAIT(a, a->sketched == 1);
    assert_null(cache_snapshot(a->cache));
    _cleanup_snapshot_ const struct snapshot *s = cache_sketch(a->cache);
    assert_false(s->whole);
    assert_int_equal(s->n_families, 3);
    assert_false(family(s, "wp")->known);
    assert_false(family(s, "wp")->has_blueprint);
    assert_true(family(s, "new")->has_blueprint);
    WAIT(a, a->sweeps == 1);
    assert_int_equal(count(a, &a->named), 1);
    cache_flush(a->cache); /* does not wait for a whole one */

    set(a, &a->hold_sweeps, false);
    WAIT(a, a->published >= 1);
    _cleanup_snapshot_ const struct snapshot *t = cache_snapshot(a->cache);
    assert_true(t->whole && t->swept);
    assert_true(family(t, "wp")->known);
    assert_null(snapshot_family(t, "shops")); /* a value that nothing has any more */
    _cleanup_snapshot_ const struct snapshot *u = cache_sketch(a->cache);
    assert_true(u->whole);
    cache_want_family(a->cache, "wp", 0, NULL); /* there is nothing to be read */
    assert_int_equal(count(a, &a->families), 0);
}

static void test_family(void **state)
{
    _cleanup_aws_ struct aws *a = aws_new(NULL);
    (void)state;

    a->names = "\"wp\", \"shops\", \"gone\"";
    a->resources = WP "," SHOP;
    set(a, &a->hold_sweeps, true);
    cache_want_family(a->cache, "wp", 0, NULL); /* too early: nothing happens */
    assert_int_equal(cache_start(a->cache, NULL), 0);
    WAIT(a, a->sketched == 1);
    cache_want_family(a->cache, "wp", 0, NULL);
    WAIT(a, a->sketched == 2);
    cache_want_family(a->cache, "wp", 0, NULL);
    _cleanup_snapshot_ const struct snapshot *s = cache_sketch(a->cache);
    assert_true(family(s, "wp")->known);
    assert_false(family(s, "shops")->known);
    assert_non_null(snapshot_service(family(s, "wp"), "n1"));
    assert_int_equal(family(s, "shops")->n_services, 0);
    assert_int_equal(count(a, &a->families), 1);

    set_text(a, &a->family, "");
    cache_want_family(a->cache, "gone", 0, NULL);
    WAIT(a, a->sketched == 3);
    _cleanup_snapshot_ const struct snapshot *t = cache_sketch(a->cache);
    assert_null(snapshot_family(t, "gone"));
    set(a, &a->hold_sweeps, false);
    WAIT(a, a->published >= 1);
    assert_true(has_service(a, "n1") && has_service(a, "s1"));
}

/* The first sweep began before the family was read, and was answered from before. */
static void test_family_is_newer(void **state)
{
    _cleanup_aws_ struct aws *a = aws_new(NULL);
    (void)state;

    a->names = "\"wp\", \"shops\"";
    a->resources = SHOP;
    a->family = WP;
    set(a, &a->hold_sweeps, true);
    assert_int_equal(cache_start(a->cache, NULL), 0);
    WAIT(a, a->sketched == 1);
    cache_want_family(a->cache, "wp", 0, NULL);
    WAIT(a, a->sketched == 2);
    set(a, &a->hold_sweeps, false);
    WAIT(a, a->published >= 1);
    assert_true(has_service(a, "n1") && has_service(a, "s1"));
    assert_int_equal(cache_refresh(a->cache, NULL, NULL), 0);
    assert_true(!has_service(a, "n1") && has_service(a, "s1"));
}

static void test_family_fails(void **state)
{
    _cleanup_aws_ struct aws *a = aws_new(NULL);
    struct fault f = FAULT_INIT;
    (void)state;

    set(a, &a->hold_sweeps, true);
    set(a, &a->refuse_family, true);
    assert_int_equal(cache_start(a->cache, NULL), 0);
    WAIT(a, a->sketched == 1);
    unsigned observed = count(a, &a->observed);
    int64_t since = a->clock.now_ms - 1;
    assert_int_equal(cache_want_family(a->cache, "wp", since, &f), 0);
    WAIT(a, a->observed > observed);
    assert_ptr_equal(a->last_old, a->last_now);
    assert_int_equal(cache_want_family(a->cache, "wp", since, &f), -EACCES);
    assert_string_equal(f.code, "AccessDeniedException");

    set(a, &a->refuse_family, false); /* who comes later is not told the old error */
    assert_int_equal(cache_want_family(a->cache, "wp", a->clock.now_ms, &f), 0);
    WAIT(a, a->sketched == 2);
    assert_int_equal(cache_want_family(a->cache, "wp", a->clock.now_ms, &f), 0);
    set(a, &a->hold, true); /* what is still read at the end ends with it */
    cache_want_family(a->cache, "shops", 0, NULL);
    WAIT(a, a->families == 3);
}

/* Without the names: the sweep decides alone. */
static void test_names_refused(void **state)
{
    _cleanup_aws_ struct aws *a = aws_new(NULL);
    (void)state;

    set(a, &a->hold_sweeps, true);
    set(a, &a->refuse_names, true);
    assert_int_equal(cache_start(a->cache, NULL), 0);
    WAIT(a, a->sweeps == 1);
    assert_null(cache_sketch(a->cache));
    cache_want_family(a->cache, "wp", 0, NULL);
    set(a, &a->hold_sweeps, false);
    WAIT(a, a->published >= 1);
    assert_int_equal(count(a, &a->sketched), 0);
    assert_int_equal(count(a, &a->families), 0);
}

/* --- the saved index --- */

static char directory[] = "/tmp/svcfs-early-XXXXXX", path[sizeof(directory) + 20];

static int make_directory(void **state)
{
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof(path), "%s/cache/index", directory);
    return 0;
}

static int remove_directory(void **state)
{
    char inner[sizeof(path)];
    (void)state;

    (void)unlink(path);
    snprintf(inner, sizeof(inner), "%s/cache", directory);
    (void)rmdir(inner);
    return rmdir(directory);
}

static void save(const char *resources)
{
    _cleanup_aws_ struct aws *a = aws_new(path);

    a->resources = resources;
    assert_int_equal(cache_start(a->cache, NULL), 0);
    WAIT(a, a->published >= 1);
}

static void test_saved(void **state)
{
    struct cache_freshness fresh;
    struct stat st;
    (void)state;

    save(WP "," SHOP);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);

    _cleanup_aws_ struct aws *a = aws_new(path);
    a->clock.wall_offset_ms = 5000;
    set(a, &a->hold, true);
    assert_int_equal(cache_start(a->cache, NULL), 0);
    WAIT(a, a->published == 1); /* while AWS does not answer */
    _cleanup_snapshot_ const struct snapshot *s = cache_snapshot(a->cache);
    assert_true(s->whole);
    assert_false(s->swept);
    assert_true(has_service(a, "n1") && has_service(a, "s1"));
    cache_freshness(a->cache, &fresh);
    assert_true(fresh.saved);
    assert_int_equal(fresh.begun_wall_ms, 1000000);
    assert_int_equal(fresh.sweeps, 0);
    WAIT(a, a->typed == 1); /* it knows the types already */
    assert_int_equal(count(a, &a->named), 0);

    set(a, &a->hold, false);
    WAIT(a, a->published >= 2);
    _cleanup_snapshot_ const struct snapshot *t = cache_snapshot(a->cache);
    assert_true(t->swept);
    assert_false(has_service(a, "s1"));
    cache_refresh(a->cache, NULL, NULL);
    cache_freshness(a->cache, &fresh);
    assert_false(fresh.saved);
    assert_int_equal(fresh.begun_wall_ms, 1005000);
}

/* The first sweep fails: what was saved goes on to be shown, as what it is. */
static void test_saved_then_failure(void **state)
{
    struct cache_freshness fresh;
    (void)state;

    save(WP);
    _cleanup_aws_ struct aws *a = aws_new(path);
    set(a, &a->refuse, true);
    assert_int_equal(cache_start(a->cache, NULL), 0);
    WAIT(a, a->observed > a->published && a->published == 1);
    cache_freshness(a->cache, &fresh);
    assert_true(fresh.saved);
    assert_int_equal(fresh.last.err, -EACCES);
    assert_true(has_service(a, "n1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_family),
        cmocka_unit_test(test_family_is_newer),
        cmocka_unit_test(test_family_fails),
        cmocka_unit_test(test_names_refused),
        cmocka_unit_test(test_saved),
        cmocka_unit_test(test_saved_then_failure),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
