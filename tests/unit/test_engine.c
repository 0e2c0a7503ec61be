/*
 * One service from mkdir to nothing, with every answer late, lost or refused once.
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "tests/unit/engine_scene.h"

/* --- creation --- */

static void test_mkdir_to_ready(void **state)
{
    struct scene *s = scene_start(state, 1);

    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    WAIT(s, &s->d[0], ready, "a1");
    assert_true(fake_thing_there(s->ssm, "a1-Box"));
    assert_true(fake_thing_there(s->ssm, "a1-Pin"));
    assert_int_equal(fake_ssm_sent(s->ssm, 0, "FakeCreate", "a1-Box"), 1);
    assert_int_equal(fake_ssm_sent(s->ssm, 0, "FakeCreate", "a1-Pin"), 1);
    assert_true(released(s, beneath(s, "a1", "owner-1")));
    assert_int_equal(fake_ssm_count(s->ssm, "/svcfs/a1/"), 1);
    assert_int_equal(make(&s->d[0], "fam", "a1"), -EEXIST);
    assert_int_equal(make(&s->d[0], "fam", "A"), -EINVAL);
    assert_int_equal(make(&s->d[0], "none", "a2"), -EPERM);

    assert_int_equal(take_away(&s->d[0], "fam", "a1"), 0);
    assert_gone(s, &s->d[0], "a1");
    assert_int_equal(fake_ssm_sent(s->ssm, 0, "FakeDelete", "a1-Pin"), 1);
}

static bool renewed_twice(struct scene *s, _unused_ struct daemon *d, const char *owner)
{
    return fake_ssm_sent(s->ssm, 0, "PutParameter", owner) >= 3;
}

static bool renewed_often(struct scene *s, _unused_ struct daemon *d, const char *owner)
{
    return fake_ssm_sent(s->ssm, 0, "PutParameter", owner) >= 6;
}

static unsigned told_before;

static bool is_told(_unused_ struct scene *s, struct daemon *d, _unused_ const char *arg)
{
    return d->told > told_before;
}

/* Renewals, looks at what is not usable yet, sweeps, readings of the parameters beneath. */
static void test_nothing_new_is_told_to_nobody(void **state)
{
    struct scene *s = scene_start(state, 2);

    fake_thing_slow(s->ssm, "-Box");
    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    WAIT(s, NULL, renewed_twice, "/owner-1");
    WAIT(s, &s->d[1], known, "a1");
    unsigned own = s->d[0].told;
    told_before = s->d[1].told;
    WAIT(s, NULL, renewed_often, "/owner-1");
    assert_int_equal(s->d[0].told, own);
    assert_int_equal(s->d[1].told, told_before);
    fake_thing_slow(s->ssm, NULL);
    WAIT(s, &s->d[1], ready, "a1");
    WAIT(s, &s->d[1], is_told, "");
}

/* An index that an earlier daemon saved says neither EEXIST nor that an id is free. */
static void test_saved_index(void **state)
{
    struct scene *s = scene_start(state, 1);

    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    WAIT(s, &s->d[0], ready, "a1");
    cache_flush(s->d[0].cache);
    _cleanup_snapshot_ const struct snapshot *now = cache_snapshot(s->d[0].cache);
    ((struct snapshot *)now)->swept = false;
    assert_int_equal(make(&s->d[0], "fam", "a2"), -EAGAIN);
    assert_int_equal(make(&s->d[0], "fam", "a1"), -EAGAIN);
    assert_int_equal(fake_ssm_sent(s->ssm, -1, "PutParameter", "/svcfs/a2"), 0);
    ((struct snapshot *)now)->swept = true;
    assert_int_equal(make(&s->d[0], "fam", "a1"), -EEXIST);
}

static void test_lost_race(void **state)
{
    struct scene *s = scene_start(state, 2);

    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    assert_int_equal(make(&s->d[1], "fam", "a1"), -EEXIST);
    assert_true(known(s, &s->d[1], "a1"));
    WAIT(s, &s->d[1], ready, "a1");
    assert_int_equal(fake_ssm_sent(s->ssm, 1, "FakeCreate", ""), 0);
}

static void claim_unclear(void **state, enum fate fate, int expected)
{
    struct scene *s = scene_start(state, 1);

    fake_ssm_fault(s->ssm, 0, "PutParameter", "/svcfs/a1", 1, fate);
    assert_int_equal(make(&s->d[0], "fam", "a1"), expected);
    if (expected == 0) {
        WAIT(s, &s->d[0], ready, "a1");
        return;
    }
    assert_false(known(s, &s->d[0], "a1"));
    assert_int_equal(fake_ssm_count(s->ssm, "/svcfs/"), 0);
    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    WAIT(s, &s->d[0], ready, "a1");
}

static void test_unclear_claim_done(void **state)
{
    claim_unclear(state, FATE_DONE, 0);
}

static void test_unclear_claim_late(void **state)
{
    claim_unclear(state, FATE_LATE, 0);
}

static void test_unclear_claim_lost(void **state)
{
    claim_unclear(state, FATE_LOST, -ETIMEDOUT);
}

struct maker {
    struct daemon *d;
    int result;
};

static void *maker_main(void *arg)
{
    struct maker *m = arg;

    m->result = make(m->d, "fam", "a1");
    return NULL;
}

static bool sent_claim(struct scene *s, _unused_ struct daemon *d, const char *name)
{
    return fake_ssm_sent(s->ssm, 0, "PutParameter", name) == 1;
}

static void test_unclear_claim_others(void **state)
{
    struct scene *s = scene_start(state, 2);
    struct maker m = {&s->d[0], 1};
    pthread_t thread;

    fake_ssm_fault(s->ssm, 0, "PutParameter", "/svcfs/a1", 1, FATE_LOST);
    assert_int_equal(pthread_create(&thread, NULL, maker_main, &m), 0);
    WAIT(s, NULL, sent_claim, "/svcfs/a1");
    assert_int_equal(make(&s->d[1], "fam", "a1"), 0);
    pthread_join(thread, NULL);
    assert_int_equal(m.result, -EEXIST);
    assert_true(known(s, &s->d[0], "a1"));
    WAIT(s, &s->d[0], ready, "a1");
}

static void test_refused_owner_again(void **state)
{
    struct scene *s = *state;

    s->lease_ms = 10 * 60 * 1000; /* nobody comes to help within the test */
    scene_start(state, 1);
    fake_ssm_fault(s->ssm, 0, "PutParameter", "/owner-1", 1, FATE_REFUSED);
    fake_ssm_fault(s->ssm, 0, "PutParameter", "/svcfs/a2", 1, FATE_DENIED);
    assert_int_equal(make(&s->d[0], "fam", "a2"), -EACCES);
    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    WAIT(s, &s->d[0], ready, "a1");
}

static void test_failing_step(void **state)
{
    struct scene *s = scene_start(state, 1);

    fake_ssm_fault(s->ssm, 0, "FakeCreate", "-Pin", 1, FATE_DENIED);
    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    WAIT(s, &s->d[0], failed, "a1");
    assert_failed(s, "a1", 0, "AccessDenied");
    assert_failed(s, "a1", 0, "step: Pin");
    assert_true(fake_thing_there(s->ssm, "a1-Box"));
    assert_int_equal(take_away(&s->d[0], "fam", "a1"), 0);
    assert_gone(s, &s->d[0], "a1");
}

static void test_rollback(void **state)
{
    struct scene *s = scene_start(state, 1);

    fake_ssm_fault(s->ssm, 0, "FakeCreate", "-Pin", 1, FATE_DENIED);
    fake_ssm_fault(s->ssm, 0, "PutParameter", "/delete-1", 1, FATE_LOST);
    assert_int_equal(make(&s->d[0], "back", "a1"), 0);
    assert_gone(s, &s->d[0], "a1");
    assert_int_equal(fake_ssm_sent(s->ssm, 0, "PutParameter", "/delete-1"), 2);
}

static void test_create_timeout(void **state)
{
    struct scene *s = scene_start(state, 1);

    fake_thing_slow(s->ssm, "-Box");
    assert_int_equal(make(&s->d[0], "short", "a1"), 0);
    WAIT(s, &s->d[0], failed, "a1");
    assert_failed(s, "a1", 0, "message: ");
    assert_true(fake_thing_there(s->ssm, "a1-Box"));
}

static void create_unclear(void **state, enum fate fate, unsigned sent)
{
    struct scene *s = scene_start(state, 1);

    fake_ssm_fault(s->ssm, 0, "FakeCreate", "-Box", 1, fate);
    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    WAIT(s, &s->d[0], ready, "a1");
    assert_int_equal(fake_ssm_sent(s->ssm, 0, "FakeCreate", "a1-Box"), sent);
    assert_int_equal(fake_thing_count(s->ssm), 2);
}

static void test_unclear_create_done(void **state)
{
    create_unclear(state, FATE_DONE, 1);
}

static void test_unclear_create_late(void **state)
{
    create_unclear(state, FATE_LATE, 1);
}

static void test_unclear_create_lost(void **state)
{
    create_unclear(state, FATE_LOST, 2);
}

static void test_refused_create_again(void **state)
{
    create_unclear(state, FATE_REFUSED, 2);
}

/* The outcome: clearly or unclearly not written, or written. */
static void outcome(void **state, enum fate fate)
{
    struct scene *s = scene_start(state, 1);

    fake_thing_slow(s->ssm, "-Box");
    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    fake_ssm_fault(s->ssm, 0, "PutParameter", "/svcfs/a1", 1, fate);
    fake_thing_slow(s->ssm, NULL);
    WAIT(s, &s->d[0], ready, "a1");
    WAIT(s, &s->d[0], idle, "a1");
    struct record *r = record_now(s, "a1");
    assert_int_equal(r->phase, PHASE_READY);
    record_free(r);
    assert_true(released(s, beneath(s, "a1", "owner-1")));
}

static void test_outcome_done(void **state)
{
    outcome(state, FATE_DONE);
}

static void test_outcome_late(void **state)
{
    outcome(state, FATE_LATE);
}

static void test_outcome_lost(void **state)
{
    outcome(state, FATE_LOST);
}

static void test_outcome_refused(void **state)
{
    outcome(state, FATE_REFUSED);
}

static void test_outcome_unreachable(void **state)
{
    outcome(state, FATE_UNREACHABLE);
}

/* The intents cannot be read for a while: that is no reason to fail. */
static void test_reads_fail(void **state)
{
    struct scene *s = scene_start(state, 1);

    fake_thing_slow(s->ssm, "-Box");
    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    WAIT(s, NULL, there, "a1-Box");
    struct record *r = record_now(s, "a1");
    _cleanup_free_ char *path = str_printf("/svcfs/a1/%s", r->claim);
    record_free(r);
    unsigned before = fake_ssm_sent(s->ssm, 0, "GetParametersByPath", path);
    /* A refused read is followed by another only a second later, but for one that is kicked. */
    fake_ssm_fault(s->ssm, 0, "GetParametersByPath", path, 1, FATE_REFUSED);
    for (unsigned long seen = 0;
         fake_ssm_sent(s->ssm, 0, "GetParametersByPath", path) < before + 1;)
        seen = fake_ssm_wait(s->ssm, seen);
    fake_ssm_fault(s->ssm, 0, "GetParametersByPath", path, 1, FATE_REFUSED);
    fake_thing_slow(s->ssm, NULL);
    WAIT(s, &s->d[0], ready, "a1");
    assert_false(has(s, beneath(s, "a1", "owner-2")));
}

/* A step that ends while the engine thread is about to wait must wake it: it would wait for minutes
 * here. */
static void test_no_lost_wake_up(void **state)
{
    struct scene *s = *state;
    char id[16];

    s->lease_ms = 10 * 60 * 1000;
    s->timing.children_ms = 60 * 1000;
    scene_start(state, 1);
    for (int i = 0; i < 40; i++) {
        snprintf(id, sizeof(id), "n%d", i);
        assert_int_equal(make(&s->d[0], "fam", id), 0);
    }
    for (int i = 0; i < 40; i++) {
        snprintf(id, sizeof(id), "n%d", i);
        WAIT(s, &s->d[0], ready, id);
    }
}

static void test_stranger(void **state)
{
    struct scene *s = scene_start(state, 1);

    fake_thing_put(s->ssm, "a1-Pin", NULL);
    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    WAIT(s, &s->d[0], failed, "a1");
    assert_failed(s, "a1", 0, "not ours");
    assert_int_equal(take_away(&s->d[0], "fam", "a1"), 0);
    WAIT(s, NULL, empty, "/svcfs/a1");
    assert_true(fake_thing_there(s->ssm, "a1-Pin"));
    assert_int_equal(fake_thing_count(s->ssm), 1);
    assert_int_equal(fake_ssm_sent(s->ssm, -1, "FakeDelete", "a1-Pin"), 0);
}

/* --- teardown --- */

static void test_rmdir_while_creating(void **state)
{
    struct scene *s = scene_start(state, 1);

    fake_thing_slow(s->ssm, "-Box");
    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    WAIT(s, NULL, there, "a1-Box");
    assert_int_equal(take_away(&s->d[0], "fam", "a1"), 0);
    assert_int_equal(take_away(&s->d[0], "fam", "a1"), -EPERM);
    assert_int_equal(make(&s->d[0], "fam", "a1"), -EBUSY);
    assert_gone(s, &s->d[0], "a1");
    assert_int_equal(fake_ssm_sent(s->ssm, 0, "FakeCreate", "a1-Pin"), 0);
    assert_int_equal(fake_ssm_sent(s->ssm, 0, "PutParameter", "/owner-2"), 0);
}

static void test_rmdir_by_another(void **state)
{
    struct scene *s = scene_start(state, 2);

    fake_thing_slow(s->ssm, "-Box");
    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    WAIT(s, NULL, there, "a1-Box");
    assert_int_equal(take_away(&s->d[1], "fam", "a1"), 0);
    assert_gone(s, &s->d[1], "a1");
    assert_int_equal(fake_ssm_sent(s->ssm, 1, "FakeDelete", ""), 0);
}

/* An unclear create stands when the intent comes: the teardown must see it. */
static void test_rmdir_over_unclear_create(void **state)
{
    struct scene *s = scene_start(state, 1);

    fake_ssm_fault(s->ssm, 0, "FakeCreate", "-Box", 1, FATE_LATE);
    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    WAIT(s, NULL, tried_to_create, "a1-Box");
    assert_int_equal(take_away(&s->d[0], "fam", "a1"), 0);
    assert_gone(s, &s->d[0], "a1");
}

static void intent_unclear(void **state, enum fate fate, int expected)
{
    struct scene *s = scene_start(state, 1);

    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    WAIT(s, &s->d[0], ready, "a1");
    fake_ssm_fault(s->ssm, 0, "PutParameter", "/delete-1", 1, fate);
    assert_int_equal(take_away(&s->d[0], "fam", "a1"), expected);
    if (expected < 0)
        assert_int_equal(take_away(&s->d[0], "fam", "a1"), 0);
    assert_gone(s, &s->d[0], "a1");
}

static void test_unclear_intent_done(void **state)
{
    intent_unclear(state, FATE_DONE, 0);
}

static void test_unclear_intent_lost(void **state)
{
    intent_unclear(state, FATE_LOST, -ETIMEDOUT);
}

static void test_busy(void **state)
{
    struct scene *s = scene_start(state, 1);

    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    WAIT(s, &s->d[0], ready, "a1");
    fake_thing_busy(s->ssm, "a1-Box", true);
    assert_int_equal(take_away(&s->d[0], "fam", "a1"), 0);
    WAIT(s, NULL, tried_to_delete, "a1-Box");
    assert_false(fake_thing_there(s->ssm, "a1-Pin"));
    fake_thing_busy(s->ssm, "a1-Box", false);
    assert_gone(s, &s->d[0], "a1");
}

static void test_teardown_fails(void **state)
{
    struct scene *s = scene_start(state, 1);

    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    WAIT(s, &s->d[0], ready, "a1");
    for (unsigned k = 1; k <= 2; k++) {
        fake_ssm_fault(s->ssm, 0, "FakeDelete", "-Box", 1, FATE_DENIED);
        assert_int_equal(take_away(&s->d[0], "fam", "a1"), 0);
        WAIT(s, &s->d[0], failed, "a1");
        assert_failed(s, "a1", k, "step: Box");
    }
    assert_int_equal(take_away(&s->d[0], "fam", "a1"), 0);
    assert_gone(s, &s->d[0], "a1");
    assert_int_equal(fake_ssm_sent(s->ssm, 0, "PutParameter", "/delete-3"), 1);
}

static void delete_unclear(void **state, const char *operation, const char *name_end,
                           enum fate fate)
{
    struct scene *s = scene_start(state, 1);

    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    WAIT(s, &s->d[0], ready, "a1");
    fake_ssm_fault(s->ssm, 0, operation, name_end, 1, fate);
    assert_int_equal(take_away(&s->d[0], "fam", "a1"), 0);
    assert_gone(s, &s->d[0], "a1");
}

static void test_unclear_deleting(void **state)
{
    delete_unclear(state, "PutParameter", "/svcfs/a1", FATE_LATE);
}

static void test_unclear_delete_late(void **state)
{
    delete_unclear(state, "FakeDelete", "-Pin", FATE_LATE);
}

static void test_unclear_delete_lost(void **state)
{
    delete_unclear(state, "FakeDelete", "-Pin", FATE_LOST);
}

static void test_unclear_end_done(void **state)
{
    delete_unclear(state, "DeleteParameter", "/svcfs/a1", FATE_DONE);
}

static void test_unclear_end_late(void **state)
{
    delete_unclear(state, "DeleteParameter", "/svcfs/a1", FATE_LATE);
}

static void test_unclear_end_lost(void **state)
{
    delete_unclear(state, "DeleteParameter", "/svcfs/a1", FATE_LOST);
}

/* The delete of the record was done without an answer, and another machine made the next life at
 * once. */
static void test_unclear_end_next_life(void **state)
{
    struct scene *s = *state;

    s->timing.call_ms = 1000;
    s->timing.vanished_ms = -1;
    s->lease_ms = 3000;
    scene_start(state, 2);
    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    WAIT(s, &s->d[0], ready, "a1");
    WAIT(s, &s->d[1], ready, "a1");
    struct record *first = record_now(s, "a1");
    fake_ssm_fault(s->ssm, 0, "DeleteParameter", "/svcfs/a1", 1, FATE_DONE);
    assert_int_equal(take_away(&s->d[0], "fam", "a1"), 0);
    WAIT(s, &s->d[1], unknown, "a1");
    assert_int_equal(make(&s->d[1], "fam", "a1"), 0);
    WAIT(s, &s->d[1], ready, "a1");
    WAIT(s, &s->d[0], ready, "a1");
    WAIT(s, NULL, empty, beneath_claim(first));
    struct record *next = record_now(s, "a1");
    assert_non_null(next);
    assert_string_not_equal(next->claim, first->claim);
    assert_int_equal(fake_ssm_sent(s->ssm, 0, "DeleteParameter", "/svcfs/a1"), 1);
    record_free(first);
    record_free(next);
}

static void test_protect(void **state)
{
    struct scene *s = scene_start(state, 1);

    fake_ssm_fault(s->ssm, 0, "PutParameter", "/protect", 1, FATE_LOST);
    assert_int_equal(make(&s->d[0], "kept", "a1"), 0);
    WAIT(s, &s->d[0], ready, "a1");
    assert_true(has(s, beneath(s, "a1", "protect")));
    assert_int_equal(take_away(&s->d[0], "kept", "a1"), -EPERM);
    /* An intent that came before the protection was seen. */
    fake_ssm_put(s->ssm, beneath(s, "a1", "delete-1"), "by somebody else");
    WAIT(s, &s->d[0], failed, "a1");
    assert_failed(s, "a1", 1, "protected");
    assert_true(fake_thing_there(s->ssm, "a1-Box"));
    assert_int_equal(fake_ssm_sent(s->ssm, 0, "FakeDelete", ""), 0);
    fake_ssm_remove(s->ssm, beneath(s, "a1", "protect"));
    assert_int_equal(take_away(&s->d[0], "kept", "a1"), 0);
    assert_gone(s, &s->d[0], "a1");
}

static void test_id_reuse(void **state)
{
    struct scene *s = *state;

    s->timing.vanished_ms = 60000;
    scene_start(state, 1);
    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    WAIT(s, &s->d[0], ready, "a1");
    assert_int_equal(take_away(&s->d[0], "fam", "a1"), 0);
    assert_gone(s, &s->d[0], "a1");
    assert_int_equal(make(&s->d[0], "fam", "a1"), -EBUSY);
    pthread_mutex_lock(&s->d[0].p->lock);
    s->d[0].p->timing.vanished_ms = -1;
    pthread_mutex_unlock(&s->d[0].p->lock);
    fake_ssm_wait(s->ssm, (unsigned long)-1);
    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    WAIT(s, &s->d[0], ready, "a1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, scene_setup, scene_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_new_is_told_to_nobody),
        TEST(saved_index),
        TEST(mkdir_to_ready),
        TEST(lost_race),
        TEST(unclear_claim_done),
        TEST(unclear_claim_late),
        TEST(unclear_claim_lost),
        TEST(unclear_claim_others),
        TEST(refused_owner_again),
        TEST(failing_step),
        TEST(rollback),
        TEST(create_timeout),
        TEST(unclear_create_done),
        TEST(unclear_create_late),
        TEST(unclear_create_lost),
        TEST(refused_create_again),
        TEST(outcome_done),
        TEST(outcome_late),
        TEST(outcome_lost),
        TEST(outcome_refused),
        TEST(outcome_unreachable),
        TEST(reads_fail),
        TEST(no_lost_wake_up),
        TEST(stranger),
        TEST(rmdir_while_creating),
        TEST(rmdir_by_another),
        TEST(rmdir_over_unclear_create),
        TEST(unclear_intent_done),
        TEST(unclear_intent_lost),
        TEST(busy),
        TEST(teardown_fails),
        TEST(unclear_deleting),
        TEST(unclear_delete_late),
        TEST(unclear_delete_lost),
        TEST(unclear_end_done),
        TEST(unclear_end_late),
        TEST(unclear_end_lost),
        TEST(unclear_end_next_life),
        TEST(protect),
        TEST(id_reuse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
