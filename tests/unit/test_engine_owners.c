/*
 * Owners: two daemons, crashes, pauses, stops; and what stands beneath claims that are no more.
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "tests/unit/engine_scene.h"

/* --- two daemons, crashes --- */

static void test_crash_while_creating(void **state)
{
    struct scene *s = scene_start(state, 2);

    fake_thing_slow(s->ssm, "-Box");
    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    WAIT(s, NULL, there, "a1-Box");
    fake_ssm_kill(s->ssm, 0);
    fake_thing_slow(s->ssm, NULL);
    WAIT(s, &s->d[1], ready, "a1");
    assert_true(has(s, beneath(s, "a1", "owner-2")));
    assert_int_equal(fake_ssm_sent(s->ssm, -1, "FakeCreate", "a1-Box"), 1);
    assert_int_equal(fake_ssm_sent(s->ssm, 1, "FakeCreate", "a1-Pin"), 1);
}

static void test_crash_before_owner(void **state)
{
    struct scene *s = scene_start(state, 2);

    fake_ssm_fault(s->ssm, 0, "PutParameter", "/owner-1", 1000, FATE_UNREACHABLE);
    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    fake_ssm_kill(s->ssm, 0);
    WAIT(s, &s->d[1], ready, "a1");
    assert_int_equal(fake_thing_count(s->ssm), 2);
}

static void test_crash_over_unclear_create(void **state)
{
    struct scene *s = scene_start(state, 2);

    fake_ssm_fault(s->ssm, 0, "FakeCreate", "-Box", 1, FATE_LATE);
    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    WAIT(s, NULL, tried_to_create, "a1-Box");
    fake_ssm_kill(s->ssm, 0);
    WAIT(s, &s->d[1], ready, "a1");
    assert_int_equal(fake_ssm_sent(s->ssm, -1, "FakeCreate", "a1-Box"), 1);
}

static void test_crash_while_deleting(void **state)
{
    struct scene *s = scene_start(state, 2);

    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    WAIT(s, &s->d[0], ready, "a1");
    fake_thing_busy(s->ssm, "a1-Box", true);
    assert_int_equal(take_away(&s->d[0], "fam", "a1"), 0);
    WAIT(s, NULL, tried_to_delete, "a1-Box");
    fake_ssm_kill(s->ssm, 0);
    fake_thing_busy(s->ssm, "a1-Box", false);
    assert_gone(s, &s->d[1], "a1");
}

/* Stopping releases: the other need not wait for the lease. */
static void test_stop_releases(void **state)
{
    struct scene *s = *state;

    s->lease_ms = 10 * 60 * 1000;
    scene_start(state, 2);
    fake_thing_slow(s->ssm, "-Box");
    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    WAIT(s, NULL, there, "a1-Box");
    daemon_stop(s, 0);
    assert_true(released(s, beneath(s, "a1", "owner-1")));
    fake_thing_slow(s->ssm, NULL);
    WAIT(s, &s->d[1], ready, "a1");
    assert_int_equal(fake_ssm_sent(s->ssm, -1, "FakeCreate", "a1-Box"), 1);
}

/* … but not while a write may still arrive. */
static void test_stop_over_unclear(void **state)
{
    struct scene *s = *state;

    s->timing.call_ms = LEASE_MS - 100;
    scene_start(state, 2);
    fake_ssm_fault(s->ssm, 0, "FakeCreate", "-Box", 1, FATE_LATE);
    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    WAIT(s, &s->d[0], says_unclear, "a1");
    daemon_stop(s, 0);
    assert_false(released(s, beneath(s, "a1", "owner-1")));
    WAIT(s, &s->d[1], ready, "a1");
    assert_int_equal(fake_ssm_sent(s->ssm, -1, "FakeCreate", "a1-Box"), 1);
}

/* An overwrite of the record without an answer, and the daemon stops: the same. */
static void test_stop_over_unclear_outcome(void **state)
{
    struct scene *s = *state;

    s->timing.call_ms = LEASE_MS - 100;
    scene_start(state, 2);
    fake_thing_slow(s->ssm, "-Pin");
    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    WAIT(s, NULL, there, "a1-Pin");
    fake_ssm_fault(s->ssm, 0, "PutParameter", "/svcfs/a1", 1, FATE_LATE);
    unsigned before = fake_ssm_sent(s->ssm, 0, "PutParameter", "/svcfs/a1");
    fake_thing_slow(s->ssm, NULL);
    for (unsigned long seen = 0; fake_ssm_sent(s->ssm, 0, "PutParameter", "/svcfs/a1") == before;)
        seen = fake_ssm_wait(s->ssm, seen);
    daemon_stop(s, 0);
    assert_false(released(s, beneath(s, "a1", "owner-1")));
    WAIT(s, &s->d[1], ready, "a1");
}

/* SIGSTOP until the lease is over and another has finished: the first wakes up and writes nothing
 * more. */
static void test_pause(void **state)
{
    struct scene *s = scene_start(state, 2);

    fake_thing_slow(s->ssm, "-Box");
    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    WAIT(s, NULL, there, "a1-Box");
    fake_ssm_pause(s->ssm, 0, true);
    fake_thing_slow(s->ssm, NULL);
    WAIT(s, &s->d[1], ready, "a1");
    unsigned puts = fake_ssm_sent(s->ssm, 0, "PutParameter", "");
    fake_ssm_pause(s->ssm, 0, false);
    WAIT(s, &s->d[0], idle, "a1");
    WAIT(s, &s->d[0], ready, "a1");
    assert_int_equal(fake_ssm_sent(s->ssm, 0, "FakeCreate", "a1-Pin"), 0);
    assert_int_equal(fake_ssm_sent(s->ssm, 0, "PutParameter", ""), puts);
}

/* Our own network is down for long while the owner lives: that is no silence of the owner's. */
static void test_own_outage(void **state)
{
    struct scene *s = scene_start(state, 2);

    fake_thing_slow(s->ssm, "-Box");
    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    WAIT(s, &s->d[1], known, "a1");
    fake_ssm_pause(s->ssm, 1, true);
    struct clock *c = clock_system();
    int64_t until = c->monotonic_ms(c) + 3 * LEASE_MS;
    for (unsigned long seen = 0; c->monotonic_ms(c) < until;)
        seen = fake_ssm_wait(s->ssm, seen);
    fake_ssm_fault(s->ssm, 1, "GetParameter", "/svcfs/a1", 20, FATE_UNREACHABLE);
    fake_ssm_pause(s->ssm, 1, false);
    fake_thing_slow(s->ssm, NULL);
    WAIT(s, &s->d[1], ready, "a1");
    assert_int_equal(fake_ssm_sent(s->ssm, 1, "PutParameter", ""), 0);
}

/* --- what stands beneath dead claims, records that cannot be read --- */

static void test_leftovers(void **state)
{
    struct scene *s = *state;
    static const char dead[] = "abcdefghijklmnopqrstuvwxyz";
    char name[100];

    snprintf(name, sizeof(name), "/svcfs/a1/%s/owner-1", dead);
    fake_ssm_put(s->ssm, name, "{}");
    snprintf(name, sizeof(name), "/svcfs/a2/%s/protect", dead);
    fake_ssm_put(s->ssm, name, "x");
    scene_start(state, 1);
    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    WAIT(s, &s->d[0], ready, "a1");
    WAIT(s, NULL, empty, "/svcfs/a2");
    snprintf(name, sizeof(name), "/svcfs/a1/%s/", dead);
    WAIT(s, NULL, empty, name);
    assert_true(has(s, beneath(s, "a1", "owner-1")));
}

static bool bad(_unused_ struct scene *s, struct daemon *d, const char *id)
{
    pthread_mutex_lock(&d->p->lock);
    bool is = records_bad(d->p, id) != NULL;
    pthread_mutex_unlock(&d->p->lock);
    return is;
}

static bool good(struct scene *s, struct daemon *d, const char *id)
{
    return !bad(s, d, id);
}

static void test_bad_record(void **state)
{
    struct scene *s = *state;

    fake_ssm_put(s->ssm, "/svcfs/b1", "{\"a later format\": 9}");
    fake_ssm_put(s->ssm, "/svcfs/b1/abcdefghijklmnopqrstuvwxyz/protect", "x");
    scene_start(state, 1);
    WAIT(s, &s->d[0], bad, "b1");
    assert_int_equal(take_away(&s->d[0], "fam", "b1"), -EPROTO);
    assert_int_equal(make(&s->d[0], "fam", "b1"), -EEXIST);
    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    WAIT(s, &s->d[0], ready, "a1");
    assert_true(has(s, "/svcfs/b1/abcdefghijklmnopqrstuvwxyz/protect"));
    fake_ssm_remove(s->ssm, "/svcfs/b1");
    WAIT(s, &s->d[0], good, "b1");
    WAIT(s, NULL, empty, "/svcfs/b1");
}

static void test_record_taken_away(void **state)
{
    struct scene *s = scene_start(state, 1);

    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    WAIT(s, &s->d[0], ready, "a1");
    fake_ssm_remove(s->ssm, "/svcfs/a1");
    WAIT(s, &s->d[0], unknown, "a1");
    WAIT(s, NULL, empty, "/svcfs/a1/");
    assert_int_equal(fake_thing_count(s->ssm), 2);
    assert_int_equal(take_away(&s->d[0], "fam", "a1"), -EPERM);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, scene_setup, scene_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(crash_while_creating),
        TEST(crash_before_owner),
        TEST(crash_over_unclear_create),
        TEST(crash_while_deleting),
        TEST(stop_releases),
        TEST(stop_over_unclear),
        TEST(stop_over_unclear_outcome),
        TEST(pause),
        TEST(own_outage),
        TEST(leftovers),
        TEST(bad_record),
        TEST(record_taken_away),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
