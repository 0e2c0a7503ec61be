/*
 * The engine as engine.md has it: one or two daemons on an account in memory (fake_ssm), which
 * checks every write against the protocol. Real clock, short times; nothing sleeps, everything
 * waits for what is to happen.
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "cache/cache.h"
#include "provision/internal.h"
#include "tests/unit/fake_ssm.h"

enum { LEASE_MS = 500, BOUND_MS = 20000 };

static const struct timing quick = {
    .call_ms = 150,
    .claim_ms = 150,
    .settle_ms = 30,
    .children_ms = 30,
    .vanished_ms = 300,
    .leftover_ms = 300,
    .delete_ms = 15000,
    .appear_ms = 500,
    .poll_ms = 20,
    .turn_ms = 20,
    .retry_ms = 20,
    .stop_ms = 200,
    .look_ms = 5,
};

struct daemon {
    struct aws_client *aws;
    struct cache *cache;
    struct provision *p;
};

struct scene {
    struct fake_ssm *ssm;
    struct aws_config config;
    struct daemon d[2];
    char dir[64];
    struct timing timing; /* of the daemons that are started from now on */
    int64_t lease_ms;
};

static const struct provision_requester somebody = {1000, "somebody"};

#define BOX "\"Box\": {\"Type\": \"Fake::Box\"}"
#define PIN "\"Pin\": {\"Type\": \"Fake::Pin\", \"Properties\": {\"Box\": {\"Ref\": \"Box\"}}}"
#define FAMILY(settings, resources)                                                                \
    "{\"Metadata\": {\"svcfs\": {\"DeleteGrace\": 0, \"MaxDeletesPerMinute\": 50, "                \
    "\"ServiceIdPattern\": \"[a-z][a-z0-9]{1,23}\"" settings "}}, "                                \
    "\"Resources\": {" resources "}}"

static const char *const families[][2] = {
    {"fam", FAMILY("", BOX ", " PIN)},
    {"kept", FAMILY(", \"Protected\": true", BOX)},
    {"back", FAMILY(", \"OnFailure\": \"ROLLBACK\"", BOX ", " PIN)},
    {"short", FAMILY(", \"CreateTimeout\": 1", BOX)},
};

static void write_families(struct scene *s)
{
    char path[128];

    strcpy(s->dir, "/tmp/svcfs-engine-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        snprintf(path, sizeof(path), "%s/%s.json", s->dir, families[i][0]);
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        assert_true(fputs(families[i][1], f) >= 0);
        assert_int_equal(fclose(f), 0);
    }
}

static void happened(void *arg, _unused_ const char *family, _unused_ const char *id)
{
    fake_ssm_happened(arg);
}

static void published(void *arg, _unused_ const struct snapshot *old,
                      _unused_ const struct snapshot *new)
{
    fake_ssm_happened(arg);
}

/* --- waiting --- */

typedef bool (*condition)(struct scene *s, struct daemon *d, const char *arg);

static void wait_for(struct scene *s, struct daemon *d, condition is, const char *arg,
                     const char *what, int line)
{
    struct clock *c = clock_system();
    int64_t end = c->monotonic_ms(c) + BOUND_MS;
    unsigned long seen = fake_ssm_wait(s->ssm, (unsigned long)-1);

    while (!is(s, d, arg)) {
        if (c->monotonic_ms(c) > end)
            fail_msg("line %d: waited in vain for %s %s", line, what, arg);
        seen = fake_ssm_wait(s->ssm, seen);
    }
}
#define WAIT(scene, daemon, is, arg) wait_for(scene, daemon, is, arg, #is, __LINE__)

static bool has_snapshot(_unused_ struct scene *s, struct daemon *d, _unused_ const char *arg)
{
    _cleanup_snapshot_ const struct snapshot *snapshot = cache_snapshot(d->cache);

    pthread_mutex_lock(&d->p->lock);
    bool swept = d->p->swept;
    pthread_mutex_unlock(&d->p->lock);
    return snapshot && swept;
}

static bool in_phase(struct daemon *d, const char *id, enum record_phase phase)
{
    struct life *l = life_get(d->p, id);
    bool is = false;

    if (!l)
        return false;
    pthread_mutex_lock(&d->p->lock);
    is = l->record->phase == phase && !life_has_work(l) && !l->engaged;
    pthread_mutex_unlock(&d->p->lock);
    life_unref(d->p, l);
    return is;
}

static bool ready(_unused_ struct scene *s, struct daemon *d, const char *id)
{
    return in_phase(d, id, PHASE_READY);
}

static bool failed(_unused_ struct scene *s, struct daemon *d, const char *id)
{
    return in_phase(d, id, PHASE_FAILED);
}

static bool known(_unused_ struct scene *s, struct daemon *d, const char *id)
{
    struct life *l = life_get(d->p, id);

    life_unref(d->p, l);
    return l != NULL;
}

static bool unknown(struct scene *s, struct daemon *d, const char *id)
{
    return !known(s, d, id);
}

static bool idle(_unused_ struct scene *s, struct daemon *d, const char *id)
{
    struct life *l = life_get(d->p, id);

    if (!l)
        return true;
    pthread_mutex_lock(&d->p->lock);
    bool is = !l->engaged;
    pthread_mutex_unlock(&d->p->lock);
    life_unref(d->p, l);
    return is;
}

static bool empty(struct scene *s, _unused_ struct daemon *d, const char *prefix)
{
    return fake_ssm_count(s->ssm, prefix) == 0;
}

static bool there(struct scene *s, _unused_ struct daemon *d, const char *thing)
{
    return fake_thing_there(s->ssm, thing);
}

static bool tried_to_delete(struct scene *s, _unused_ struct daemon *d, const char *thing)
{
    return fake_ssm_sent(s->ssm, -1, "FakeDelete", thing) >= 3;
}

static bool tried_to_create(struct scene *s, _unused_ struct daemon *d, const char *thing)
{
    return fake_ssm_sent(s->ssm, -1, "FakeCreate", thing) >= 1;
}

static bool says_unclear(_unused_ struct scene *s, struct daemon *d, const char *id)
{
    _cleanup_buf_ struct buf text = BUF_INIT(1 << 20);

    provision_events(d->p, "fam", id, &text);
    return strstr(buf_str(&text), "\tunclear\t") != NULL;
}

/* --- the scene --- */

static void daemon_start(struct scene *s, int i)
{
    struct daemon *d = &s->d[i];
    const struct aws_client_options aws = {&s->config, fake_ssm_transport(s->ssm, i),
                                           clock_system(), 1000};
    struct fault f = FAULT_INIT;

    assert_int_equal(aws_client_new(&aws, &d->aws, &f), 0);
    const struct cache_options cache = {.aws = d->aws,
                                        .family_tag = "service-family",
                                        .service_tag = "service-id",
                                        .account = "123456789012",
                                        .region = "eu-central-1",
                                        .partition = "aws",
                                        .refresh_ms = 60000};
    assert_int_equal(cache_new(&d->cache, &cache, &f), 0);
    const struct provision_options o = {.aws = d->aws,
                                        .cache = d->cache,
                                        .account = "123456789012",
                                        .region = "eu-central-1",
                                        .partition = "aws",
                                        .family_tag = "service-family",
                                        .service_tag = "service-id",
                                        .blueprints = s->dir,
                                        .refresh_ms = 100,
                                        .lease_ms = s->lease_ms};
    assert_int_equal(provision_new(&d->p, &o, &f), 0);
    d->p->timing = s->timing;
    provision_observe(d->p, happened, s->ssm);
    cache_observe(d->cache, published, s->ssm);
    assert_int_equal(cache_start(d->cache, &f), 0);
    if (provision_start(d->p, &f) != 0)
        fail_msg("%s", f.message);
    WAIT(s, d, has_snapshot, "");
}

static void daemon_stop(struct scene *s, int i)
{
    struct daemon *d = &s->d[i];

    if (!d->p)
        return;
    provision_stop(d->p);
    cache_stop(d->cache);
    provision_free(d->p);
    cache_free(d->cache);
    aws_client_free(d->aws);
    *d = (struct daemon){0};
}

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));

    assert_non_null(s);
    s->ssm = fake_ssm_new();
    s->config = (struct aws_config){.region = (char *)"eu-central-1",
                                    .endpoint_url = (char *)"http://127.0.0.1:1",
                                    .access_key_id = (char *)"AKIDEXAMPLE",
                                    .secret_access_key = (char *)"secret"};
    s->timing = quick;
    s->lease_ms = LEASE_MS;
    write_families(s);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    char path[128];

    for (int i = 0; i < 2; i++) {
        fake_ssm_pause(s->ssm, i, false);
        daemon_stop(s, i);
    }
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        snprintf(path, sizeof(path), "%s/%s.json", s->dir, families[i][0]);
        unlink(path);
    }
    rmdir(s->dir);
    fake_ssm_verify(s->ssm);
    fake_ssm_free(s->ssm);
    free(s);
    return 0;
}

static struct scene *scene_start(void **state, int daemons)
{
    for (int i = 0; i < daemons; i++)
        daemon_start(*state, i);
    return *state;
}

/* --- what users do and see --- */

static int make(struct daemon *d, const char *family, const char *id)
{
    struct fault f = FAULT_INIT;
    int r = provision_mkdir(d->p, family, id, &somebody, NULL, &f);

    if (r < 0)
        print_message("mkdir %s/%s: %s: %s\n", family, id, fault_errno_name(r), f.message);
    return r;
}

static int take_away(struct daemon *d, const char *family, const char *id)
{
    struct fault f = FAULT_INIT;
    int r = provision_rmdir(d->p, family, id, &somebody, NULL, &f);

    if (r < 0)
        print_message("rmdir %s/%s: %s: %s\n", family, id, fault_errno_name(r), f.message);
    return r;
}

static struct record *record_now(struct scene *s, const char *id)
{
    _cleanup_free_ char *name = str_printf("/svcfs/%s", id);
    _cleanup_free_ char *text = fake_ssm_get(s->ssm, name);
    struct record *r = NULL;

    if (text)
        assert_int_equal(record_parse(id, text, &r, NULL), 0);
    return r;
}

/* beneath(…, "owner-1"): its name; static. */
static const char *beneath(struct scene *s, const char *id, const char *word)
{
    static char name[160];
    struct record *r = record_now(s, id);

    assert_non_null(r);
    snprintf(name, sizeof(name), "/svcfs/%s/%s/%s", id, r->claim, word);
    record_free(r);
    return name;
}

static const char *beneath_claim(const struct record *r)
{
    static char name[100];

    snprintf(name, sizeof(name), "/svcfs/%s/%s/", r->id, r->claim);
    return name;
}

static bool has(struct scene *s, const char *name)
{
    _cleanup_free_ char *text = fake_ssm_get(s->ssm, name);

    return text != NULL;
}

static bool released(struct scene *s, const char *name)
{
    _cleanup_free_ char *text = fake_ssm_get(s->ssm, name);
    struct record_owner o;

    return text && record_owner_parse(text, &o) == 0 && o.released;
}

static void assert_failed(struct scene *s, const char *id, unsigned spent, const char *text)
{
    struct record *r = record_now(s, id);

    assert_non_null(r);
    assert_int_equal(r->phase, PHASE_FAILED);
    assert_int_equal(r->spent, spent);
    if (!r->error || !strstr(r->error, text))
        fail_msg("error is %s, not %s", r->error ? r->error : "NULL", text);
    record_free(r);
}

/* Nothing is left of it, in the account and in the tree. */
static void assert_gone(struct scene *s, struct daemon *d, const char *id)
{
    _cleanup_free_ char *prefix = str_printf("/svcfs/%s", id);

    WAIT(s, d, empty, prefix);
    WAIT(s, d, unknown, id);
    assert_int_equal(fake_thing_count(s->ssm), 0);
}

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

static void test_refused_claim_again(void **state)
{
    struct scene *s = scene_start(state, 1);

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

static void test_reads_fail(void **state)
{
    struct scene *s = scene_start(state, 1);

    fake_thing_slow(s->ssm, "-Box");
    assert_int_equal(make(&s->d[0], "fam", "a1"), 0);
    WAIT(s, NULL, there, "a1-Box");
    fake_ssm_fault(s->ssm, 0, "GetParametersByPath", "", 6, FATE_UNREACHABLE);
    fake_thing_slow(s->ssm, NULL);
    WAIT(s, &s->d[0], ready, "a1");
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
    return provision_is_bad_record(d->p, id);
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

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(mkdir_to_ready),
        TEST(lost_race),
        TEST(unclear_claim_done),
        TEST(unclear_claim_late),
        TEST(unclear_claim_lost),
        TEST(unclear_claim_others),
        TEST(refused_claim_again),
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
