/*
 * The cache's threads. What is waited for are events: an observer's call, a request's arrival.
 * Nothing sleeps; the clock stands unless a test moves it.
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "tests/unit/cache_scene.h"

enum { READERS = 3, CALLERS = 4, ROUNDS = 30 };

/* Starts it and waits until the first snapshot with the groups is there. */
static void start(struct aws *a)
{
    assert_null(cache_snapshot(a->cache));
    assert_int_equal(cache_start(a->cache, NULL), 0);
    WAIT(a, a->published >= 2);
    _cleanup_snapshot_ const struct snapshot *s = cache_snapshot(a->cache);
    assert_true(s->groups_known);
}

static void test_first(void **state)
{
    _cleanup_aws_ struct aws *a = aws_new(NULL);
    struct cache_freshness fresh;
    (void)state;

    cache_freshness(a->cache, &fresh);
    assert_int_equal(fresh.begun_wall_ms, 0);
    set(a, &a->refuse_groups, true);
    assert_int_equal(cache_start(a->cache, NULL), 0);
    WAIT(a, a->published >= 2); /* the first, then the same with what its groups said */
    _cleanup_snapshot_ const struct snapshot *s = cache_snapshot(a->cache);
    assert_non_null(snapshot_any_service(s, "n1"));
    assert_false(s->groups_known);
    assert_int_equal(s->n_problems, 1);
    assert_non_null(strstr(s->problems[0], "AccessDenied"));
    assert_in_range(s->generation, 2, 3); /* a sketch may have been the first */
    cache_freshness(a->cache, &fresh);
    assert_int_equal(fresh.begun_wall_ms, 1000000);
    assert_int_equal(fresh.last.err, 0);
    set(a, &a->refuse_groups, false);
    assert_int_equal(cache_refresh(a->cache, NULL, NULL), 0);
    WAIT(a, a->published >= 3);
    _cleanup_snapshot_ const struct snapshot *t = cache_snapshot(a->cache);
    assert_true(t->groups_known);
    assert_int_equal(t->n_problems, 0);
}

static void test_failed(void **state)
{
    _cleanup_aws_ struct aws *a = aws_new(NULL);
    struct cache_freshness fresh;
    struct fault f = FAULT_INIT;
    (void)state;

    start(a);
    _cleanup_snapshot_ const struct snapshot *before = cache_snapshot(a->cache);
    set(a, &a->refuse, true);
    unsigned observed = count(a, &a->observed);
    assert_int_equal(cache_refresh(a->cache, NULL, &f), -EACCES);
    assert_string_equal(f.code, "AccessDeniedException");
    WAIT(a, a->observed > observed);
    assert_ptr_equal(a->last_old, before);
    assert_ptr_equal(a->last_now, before);
    cache_freshness(a->cache, &fresh);
    assert_int_equal(fresh.last.err, -EACCES);
    assert_int_equal(fresh.sweeps, 1);
    _cleanup_snapshot_ const struct snapshot *still = cache_snapshot(a->cache);
    assert_ptr_equal(still, before);

    observed = count(a, &a->observed);
    set(a, &a->refuse, false); /* and again the same: nothing to publish, but it is fresh */
    assert_int_equal(cache_refresh(a->cache, NULL, &f), 0);
    cache_freshness(a->cache, &fresh);
    assert_int_equal(fresh.last.err, 0);
    assert_int_equal(fresh.sweeps, 2);
    _cleanup_snapshot_ const struct snapshot *same = cache_snapshot(a->cache);
    assert_ptr_not_equal(same, before); /* which would keep the old sweep */
    assert_int_equal(same->generation, before->generation);
    assert_int_equal(same->built_wall_ms, before->built_wall_ms);
    assert_int_equal(count(a, &a->observed), observed);

    set_text(a, &a->resources, ENTRY(SG("sg-1"), "wp", "n2"));
    assert_int_equal(cache_refresh(a->cache, NULL, &f), 0);
    assert_true(has_service(a, "n2"));
    assert_false(has_service(a, "n1"));
    assert_non_null(snapshot_any_service(before, "n1")); /* who holds the old one keeps it */
}

static void test_failed_first(void **state)
{
    _cleanup_aws_ struct aws *a = aws_new(NULL);
    (void)state;

    set(a, &a->refuse, true);
    assert_int_equal(cache_start(a->cache, NULL), 0);
    WAIT(a, a->observed >= 1);
    assert_null(a->last_old);
    assert_null(a->last_now);
    assert_null(cache_snapshot(a->cache));
    assert_int_equal(cache_put(a->cache, SG("sg-7"), NULL, 0), 0);
    cache_flush(a->cache); /* returns although nothing is there */
    set(a, &a->refuse, false);
    assert_int_equal(cache_refresh(a->cache, NULL, NULL), 0);
    assert_true(has_service(a, "n1"));
}

/* --- refresh by several --- */

struct caller {
    pthread_t thread;
    struct cache *cache;
    struct cancel *cancel;
    int result;
};

static void *call_refresh(void *arg)
{
    struct caller *c = arg;

    c->result = cache_refresh(c->cache, c->cancel, NULL);
    return NULL;
}

static void begin(struct caller *c, struct aws *a, struct cancel *cancel)
{
    struct cache_freshness fresh;

    cache_freshness(a->cache, &fresh);
    uint64_t asked = fresh.asked;
    *c = (struct caller){.cache = a->cache, .cancel = cancel, .result = 1};
    assert_int_equal(pthread_create(&c->thread, NULL, call_refresh, c), 0);
    for (; fresh.asked == asked; cache_freshness(a->cache, &fresh))
        sched_yield();
}

static int end(struct caller *c)
{
    pthread_join(c->thread, NULL);
    return c->result;
}

static void test_shared(void **state)
{
    _cleanup_aws_ struct aws *a = aws_new(NULL);
    struct caller first, more[CALLERS];
    (void)state;

    start(a);
    set(a, &a->hold, true);
    begin(&first, a, NULL);
    WAIT(a, a->sweeps == 2);
    for (size_t i = 0; i < CALLERS; i++) /* too late for this sweep, so they share the next */
        begin(&more[i], a, NULL);
    set_text(a, &a->resources, ENTRY(SG("sg-1"), "wp", "n2"));
    set(a, &a->hold, false);
    assert_int_equal(end(&first), 0);
    for (size_t i = 0; i < CALLERS; i++)
        assert_int_equal(end(&more[i]), 0);
    assert_int_equal(count(a, &a->sweeps), 3);
    assert_true(has_service(a, "n2"));
}

static void test_cancelled(void **state)
{
    _cleanup_aws_ struct aws *a = aws_new(NULL);
    _cleanup_cancel_ struct cancel *cancel = cancel_new();
    struct cache_freshness fresh;
    struct caller given_up, patient;
    (void)state;

    start(a);
    set(a, &a->hold, true);
    begin(&given_up, a, cancel);
    WAIT(a, a->sweeps == 2);
    begin(&patient, a, NULL);
    cancel_raise(cancel);
    assert_int_equal(end(&given_up), -ECANCELED);
    cache_freshness(a->cache, &fresh);
    assert_true(fresh.sweeping); /* only the wait has ended */
    assert_int_equal(cache_refresh(a->cache, cancel, NULL), -ECANCELED);
    set(a, &a->hold, false);
    assert_int_equal(end(&patient), 0);
    cache_freshness(a->cache, &fresh);
    assert_int_equal(fresh.sweeps, 3);
}

static void test_stopped(void **state)
{
    _cleanup_aws_ struct aws *a = aws_new(NULL);
    struct caller c;
    (void)state;

    start(a);
    set(a, &a->hold, true);
    begin(&c, a, NULL);
    WAIT(a, a->held >= 1);
    cache_stop(a->cache);
    assert_int_equal(end(&c), -ECANCELED);
    assert_int_equal(cache_refresh(a->cache, NULL, NULL), -ECANCELED);
    assert_int_equal(cache_put(a->cache, SG("sg-7"), NULL, 0), 0);
    cache_flush(a->cache); /* nobody builds any more, so it does not wait */
    cache_stop(a->cache);
}

/* Waits until the refresher has set itself another time than the last; gives how long that is from
 * now. */
static int64_t pause_after(struct aws *a, int64_t *last_ms)
{
    struct cache_freshness fresh;

    do {
        sched_yield();
        cache_freshness(a->cache, &fresh);
    } while (fresh.next_ms == *last_ms);
    *last_ms = fresh.next_ms;
    return fresh.next_ms - __atomic_load_n(&a->clock.now_ms, __ATOMIC_SEQ_CST);
}

/* The clock alone brings the next sweep: after failures ever later, then after the refresh time. */
static void test_timer(void **state)
{
    static const int64_t pauses[] = {1000,       2000,       4000,      8000,   16000,
                                     32000,      64000,      128000,    256000, 512000,
                                     REFRESH_MS, REFRESH_MS, REFRESH_MS};
    _cleanup_aws_ struct aws *a = aws_new(NULL);
    int64_t next_ms = 0;
    (void)state;

    set(a, &a->refuse, true);
    assert_int_equal(cache_start(a->cache, NULL), 0);
    for (unsigned n = 0; n < ARRAY_SIZE(pauses); n++) {
        WAIT(a, a->sweeps == n + 1);
        assert_int_equal(pause_after(a, &next_ms), pauses[n]);
        set(a, &a->refuse, n + 2 < ARRAY_SIZE(pauses));
        __atomic_store_n(&a->clock.now_ms, next_ms, __ATOMIC_SEQ_CST);
        cache_set_blueprints(a->cache, NULL, 0); /* so that it looks at the clock */
    }
    WAIT(a, a->published >= 1);
    assert_true(has_service(a, "n1"));
}

/* Moves the clock to when the next sweep is due, and waits until the one after it is set. */
static int64_t next_pause(struct aws *a, int64_t *last_ms)
{
    __atomic_store_n(&a->clock.now_ms, *last_ms, __ATOMIC_SEQ_CST);
    cache_set_blueprints(a->cache, NULL, 0); /* so that it looks at the clock */
    return pause_after(a, last_ms);
}

/* Ever rarer while nothing changes; by types, until it is time for all of it. A write of our own
 * brings the next one near; a record that is read again does not. */
static void test_pace(void **state)
{
    static const struct index_tag tags[] = {{"service-family", "wp"}, {"service-id", "n7"}};
    const struct cache_record record = {
        .id = "n8", .family = "wp", .claim = "c8", .phase = "ready"};
    _cleanup_aws_ struct aws *a = aws_new(NULL);
    struct cache_freshness fresh;
    int64_t next_ms = 0;
    (void)state;

    start(a);
    assert_int_equal(pause_after(a, &next_ms), REFRESH_MS);
    assert_int_equal(next_pause(a, &next_ms), 2 * REFRESH_MS);
    assert_int_equal(next_pause(a, &next_ms), 4 * REFRESH_MS);
    int64_t ended = next_ms - 4 * REFRESH_MS;
    assert_int_equal(count(a, &a->typed), 2);
    assert_int_equal(cache_put_record(a->cache, &record), 0);
    cache_flush(a->cache); /* else its publication could count as the sweep's */
    cache_freshness(a->cache, &fresh);
    assert_int_equal(fresh.next_ms, ended + REFRESH_MS);
    next_ms = fresh.next_ms;
    assert_int_equal(next_pause(a, &next_ms), 2 * REFRESH_MS);
    assert_int_equal(cache_put_record(a->cache, &record), 0);
    cache_freshness(a->cache, &fresh);
    assert_int_equal(fresh.next_ms, next_ms);
    set_text(a, &a->resources, ENTRY(SG("sg-1"), "wp", "n2"));
    assert_int_equal(next_pause(a, &next_ms), REFRESH_MS);
    assert_true(has_service(a, "n2"));
    assert_int_equal(next_pause(a, &next_ms), 2 * REFRESH_MS);
    assert_int_equal(cache_put(a->cache, SG("sg-7"), tags, 2), 0);
    cache_freshness(a->cache, &fresh);
    assert_int_equal(fresh.next_ms, next_ms - REFRESH_MS);
}

/* --- own writes --- */

/* They show while AWS does not answer at all. */
static void test_flush(void **state)
{
    static const struct index_tag tags[] = {{"service-family", "wp"}, {"service-id", "n7"}};
    static const char *const families[] = {"wp", "new"};
    const struct cache_record record = {
        .id = "n8", .family = "wp", .claim = "c8", .phase = "creating"};
    _cleanup_aws_ struct aws *a = aws_new(NULL);
    struct caller c;
    (void)state;

    start(a);
    set(a, &a->hold, true);
    begin(&c, a, NULL);
    WAIT(a, a->held >= 1);
    assert_int_equal(cache_put(a->cache, SG("sg-7"), tags, 2), 0);
    cache_flush(a->cache);
    assert_true(has_service(a, "n7"));
    assert_int_equal(cache_gone(a->cache, SG("sg-7")), 0);
    assert_int_equal(cache_put_record(a->cache, &record), 0);
    assert_int_equal(cache_set_blueprints(a->cache, families, 2), 0);
    assert_int_equal(cache_put_group(a->cache, "wp", "arn:g", QUERY("service-family", "wp")), 0);
    cache_flush(a->cache);
    assert_false(has_service(a, "n7"));
    assert_true(has_service(a, "n8"));
    _cleanup_snapshot_ const struct snapshot *s = cache_snapshot(a->cache);
    assert_true(snapshot_family(s, "new")->has_blueprint);
    assert_int_equal(snapshot_group(s, "wp")->n_resources, 2);
    assert_int_equal(cache_remove_record(a->cache, "n8", "c8"), 0);
    assert_int_equal(cache_gone_group(a->cache, "wp"), 0);
    cache_flush(a->cache);
    assert_false(has_service(a, "n8"));
    set(a, &a->hold, false);
    assert_int_equal(end(&c), 0);
    assert_false(has_service(a, "n8"));
}

/* --- what is known only because something uses it --- */

#define VPC(account, id) "arn:aws:ec2:eu-central-1:" account ":vpc/" id
#define NAMED(arn, tags) "{\"ResourceARN\": \"" arn "\", \"Tags\": [" tags "]}"
#define TAG(key, value) "{\"Key\": \"" key "\", \"Value\": \"" value "\"}"

static const char *const used[] = {VPC("123456789012", "vpc-1"), VPC("210987654321", "vpc-2"),
                                   "arn:aws:iam::123456789012:role/r", "mariadb/server/h:1",
                                   SG("sg-1")};

/* tag NULL: it is known that it has none. */
static bool is_tagged(struct aws *a, const char *key, const char *tag, const char *value)
{
    _cleanup_snapshot_ const struct snapshot *s = cache_snapshot(a->cache);
    const struct index_resource *r = snapshot_resource_by_key(s, key);
    const char *now = tag ? index_tag(r, tag) : NULL;

    assert_non_null(r);
    return !r->unread && (tag ? now && streq(now, value) : r->n_tags == 0);
}

static void use(struct aws *a, bool come)
{
    const bool all[] = {come, come, come, come, come};

    assert_int_equal(cache_use(a->cache, used, all, ARRAY_SIZE(used)), 0);
    cache_flush(a->cache);
}

/* Until what was looked up behind is in force. */
static void refresh_twice(struct aws *a)
{
    unsigned lookups = count(a, &a->lookups);

    for (unsigned i = 1; i <= 2; i++) {
        assert_int_equal(cache_refresh(a->cache, NULL, NULL), 0);
        WAIT(a, a->lookups >= lookups + i);
    }
    cache_flush(a->cache);
}

static void test_used(void **state)
{
    static const struct index_tag b = {"Name", "b"};
    _cleanup_aws_ struct aws *a = aws_new(NULL);
    (void)state;

    start(a);
    assert_int_equal(cache_refresh(a->cache, NULL, NULL), 0);
    assert_int_equal(count(a, &a->lookups), 0);
    set(a, &a->refuse_lookups, true);
    use(a, true);
    WAIT(a, a->lookups >= 1);
    assert_false(is_tagged(a, used[0], NULL, NULL));
    set(a, &a->refuse_lookups, false);
    set_text(a, &a->looked_up, NAMED(VPC("123456789012", "vpc-1"), TAG("Name", "a")));
    assert_int_equal(cache_refresh(a->cache, NULL, NULL), 0);
    WAIT(a, is_tagged(a, used[0], "Name", "a"));
    assert_string_equal(a->asked_for,
                        "{\"ResourceARNList\":[\"" VPC("123456789012", "vpc-1") "\"]}");
    assert_false(is_tagged(a, used[1], NULL, NULL)); /* not ours to know */
    assert_false(is_tagged(a, used[2], NULL, NULL));
    /* an own write, which the index does not show yet */
    _cleanup_snapshot_ const struct snapshot *s = cache_snapshot(a->cache);
    assert_int_equal(cache_retag(a->cache, snapshot_resource_by_key(s, used[0]), &b, 1), 0);
    cache_flush(a->cache);
    assert_true(is_tagged(a, used[0], "Name", "b"));
    refresh_twice(a);
    assert_true(is_tagged(a, used[0], "Name", "b"));
    /* then it does, and others write as well */
    set_text(a, &a->looked_up,
             NAMED(VPC("123456789012", "vpc-1"), TAG("Name", "b") "," TAG("x", "y")));
    assert_int_equal(cache_refresh(a->cache, NULL, NULL), 0);
    WAIT(a, is_tagged(a, used[0], "x", "y"));
    set_text(a, &a->looked_up, NAMED(VPC("123456789012", "vpc-1"), TAG("service-id", "n1")));
    refresh_twice(a); /* whose it is the sweep says */
    assert_false(is_tagged(a, used[0], NULL, NULL));
    set_text(a, &a->looked_up, "");
    assert_int_equal(cache_refresh(a->cache, NULL, NULL), 0);
    WAIT(a, is_tagged(a, used[0], NULL, NULL));
    use(a, false);
    unsigned lookups = count(a, &a->lookups);
    assert_int_equal(cache_refresh(a->cache, NULL, NULL), 0);
    cache_stop(a->cache);
    assert_int_equal(count(a, &a->lookups), lookups);
}

/* --- all at once --- */

struct worker {
    pthread_t thread;
    struct aws *aws;
    atomic_bool *stop;
    unsigned number;
};

static void *read_all(void *arg)
{
    struct worker *w = arg;
    uint64_t generation = 0;

    while (!atomic_load(w->stop)) {
        _cleanup_snapshot_ const struct snapshot *s = cache_snapshot(w->aws->cache);
        struct cache_freshness fresh;
        assert_true(s->generation >= generation);
        generation = s->generation;
        assert_non_null(snapshot_any_service(s, "n1"));
        for (size_t i = 0; i < s->n_resources; i++) {
            const struct index_resource *r = s->resources[i];
            const struct index_kind *k = snapshot_kind(s, r->service);
            assert_ptr_equal(snapshot_resource(snapshot_type(k, r->type), r->id), r);
        }
        cache_freshness(w->aws->cache, &fresh);
    }
    return NULL;
}

/* Each writer sees its own writes at once, whatever the others do. */
static void *write_all(void *arg)
{
    struct worker *w = arg;
    char id[16], claim[16], arn[128];

    for (unsigned i = 0; i < ROUNDS; i++) {
        snprintf(id, sizeof(id), "w%u", w->number);
        snprintf(claim, sizeof(claim), "c%u-%u", w->number, i);
        snprintf(arn, sizeof(arn), SG("sg-w%u"), w->number);
        const struct index_tag tags[] = {
            {"service-family", "wp"}, {"service-id", id}, {"svcfs:claim", claim}};
        const struct cache_record record = {
            .id = id, .family = "wp", .claim = claim, .phase = "creating"};
        cache_put_record(w->aws->cache, &record);
        cache_put(w->aws->cache, arn, tags, 3);
        cache_flush(w->aws->cache);
        assert_true(has_service(w->aws, id));
        cache_gone(w->aws->cache, arn);
        cache_remove_record(w->aws->cache, id, claim);
        cache_flush(w->aws->cache);
        assert_false(has_service(w->aws, id));
    }
    return NULL;
}

static void test_at_once(void **state)
{
    _cleanup_aws_ struct aws *a = aws_new(NULL);
    struct worker workers[READERS + 2];
    atomic_bool stop = false;
    (void)state;

    start(a);
    for (unsigned i = 0; i < ARRAY_SIZE(workers); i++) {
        workers[i] = (struct worker){.aws = a, .stop = &stop, .number = i};
        assert_int_equal(pthread_create(&workers[i].thread, NULL,
                                        i < READERS ? read_all : write_all, &workers[i]),
                         0);
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        set_text(a, &a->resources,
                 i % 2 ? ENTRY(SG("sg-1"), "wp", "n1")
                       : ENTRY(SG("sg-1"), "wp", "n1") "," ENTRY(SG("sg-2"), "wp", "n2"));
        assert_int_equal(cache_refresh(a->cache, NULL, NULL), 0);
        assert_int_equal(has_service(a, "n2"), i % 2 == 0);
    }
    for (unsigned i = READERS; i < ARRAY_SIZE(workers); i++)
        pthread_join(workers[i].thread, NULL);
    atomic_store(&stop, true);
    for (unsigned i = 0; i < READERS; i++)
        pthread_join(workers[i].thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first),     cmocka_unit_test(test_failed),
        cmocka_unit_test(test_shared),    cmocka_unit_test(test_failed_first),
        cmocka_unit_test(test_cancelled), cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_timer),     cmocka_unit_test(test_flush),
        cmocka_unit_test(test_at_once),   cmocka_unit_test(test_pace),
        cmocka_unit_test(test_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
