/*
 * The store of descriptions: batches, who shares one, time, errors, what goes. A transport plays a
 * tag index and DescribeSecurityGroups, which answers all that is asked for.
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "cache/describe.h"
#include "tests/unit/world.h"

enum { GROUPS = 230, BATCH = 200, TTL_MS = 60000, REFRESH_MS = 600000 };

struct scene {
    struct http_transport transport; /* first */
    struct clock_fake clock;
    struct aws_config config;
    struct aws_client *client;
    struct cache *cache;
    struct describe *describe;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned n_groups;     /* in the index; odd ones are of one family, even ones of another */
    unsigned calls, asked; /* of DescribeSecurityGroups; ids in the last one */
    unsigned published, told, told_keys; /* calls of observers; keys */
    unsigned gone;                       /* the number of a group that is not described; 0: none */
    int version;                         /* of what is described */
    const char *refuse;                  /* an error code, or NULL */
    bool hold;
};

static void sweep_answer(struct scene *s, struct buf *body)
{
    buf_puts(body, "{\"ResourceTagMappingList\": [");
    for (unsigned i = 1; i <= s->n_groups; i++)
        buf_printf(
            body,
            "%s{\"ResourceARN\": \"" SG("sg-%05u") "\", \"Tags\": [{\"Key\": \"service-family\","
                                                   " \"Value\": \"%s\"}]}",
            i > 1 ? "," : "", i, i % 2 ? "odd" : "even");
    buf_puts(body, "]}");
}

/* Echoes the ids. */
static void describe_answer(struct scene *s, const struct http_request *r, struct buf *body)
{
    const char *at = r->body, *end = r->body + r->body_len;

    s->asked = 0;
    buf_puts(body, "<DescribeSecurityGroupsResponse><securityGroupInfo>");
    while ((at = memmem(at, (size_t)(end - at), "=sg-", 4))) {
        unsigned n = (unsigned)strtoul(at + 4, NULL, 10);

        s->asked++;
        if (n != s->gone)
            buf_printf(body, "<item><groupId>sg-%05u</groupId><groupName>%0*d</groupName></item>",
                       n, 900, s->version);
        at += 4;
    }
    buf_puts(body, "</securityGroupInfo></DescribeSecurityGroupsResponse>");
}

static void wake(void *arg)
{
    struct scene *s = arg;

    pthread_mutex_lock(&s->lock);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static int send_answer(struct http_transport *transport, const struct http_request *r,
                       struct cancel *cancel, struct http_response *ret, struct fault *f)
{
    struct scene *s = (struct scene *)transport;
    struct cancel_waiter w = {.wake = wake, .arg = s};
    struct buf body = BUF_INIT(10 << 20);
    bool describes = memmem(r->body, r->body_len, "DescribeSecurityGroups", 22), refused = false;

    cancel_add(cancel, &w);
    pthread_mutex_lock(&s->lock);
    if (describes) {
        s->calls++;
        pthread_cond_broadcast(&s->changed);
        while (s->hold && !cancel_raised(cancel))
            pthread_cond_wait(&s->changed, &s->lock);
        refused = s->refuse;
        if (refused)
            buf_printf(&body,
                       "<Response><Errors><Error><Code>%s</Code><Message>no</Message>"
                       "</Error></Errors></Response>",
                       s->refuse);
        else
            describe_answer(s, r, &body);
    } else if (strstr(r->url, "groups-list")) {
        buf_puts(&body, "{\"GroupIdentifiers\": []}");
    } else if (!memmem(r->body, r->body_len, "TagFilters", 10)) {
        buf_puts(&body, "{\"TagValues\": []}");
    } else {
        sweep_answer(s, &body);
    }
    pthread_mutex_unlock(&s->lock);
    cancel_remove(cancel, &w);
    if (cancel_raised(cancel)) {
        buf_done(&body);
        return fault_set(f, -ECANCELED, "cancelled");
    }
    *ret = (struct http_response){
        .status = refused ? 400 : 200, .body = body, .headers = BUF_INIT(64)};
    return 0;
}

static void free_nothing(_unused_ struct http_transport *t)
{
}

static void on_published(void *arg, _unused_ const struct snapshot *old,
                         _unused_ const struct snapshot *now)
{
    struct scene *s = arg;

    pthread_mutex_lock(&s->lock);
    s->published++;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void on_told(void *arg, _unused_ const char *const *keys, size_t n)
{
    struct scene *s = arg;

    pthread_mutex_lock(&s->lock);
    s->told++;
    s->told_keys += (unsigned)n;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

#define WAIT(s, condition)                                                                         \
    do {                                                                                           \
        pthread_mutex_lock(&(s)->lock);                                                            \
        while (!(condition))                                                                       \
            pthread_cond_wait(&(s)->changed, &(s)->lock);                                          \
        pthread_mutex_unlock(&(s)->lock);                                                          \
    } while (0)

#define SET(s, assignment)                                                                         \
    do {                                                                                           \
        pthread_mutex_lock(&(s)->lock);                                                            \
        assignment;                                                                                \
        pthread_cond_broadcast(&(s)->changed);                                                     \
        pthread_mutex_unlock(&(s)->lock);                                                          \
    } while (0)

static unsigned calls(struct scene *s)
{
    unsigned n;

    SET(s, n = s->calls);
    return n;
}

/* Time. */
static void pass(struct scene *s, int64_t ms)
{
    struct clock *c = &s->clock.clock;

    (void)c->sleep_until(c, c->monotonic_ms(c) + ms, NULL);
}

static struct scene *scene_new(int64_t every_ms, size_t text_max)
{
    struct scene *s = calloc(1, sizeof(*s));
    struct fault f = FAULT_INIT;

    assert_non_null(s);
    s->transport = (struct http_transport){send_answer, free_nothing};
    clock_fake_init(&s->clock, 1000000, 0);
    s->config = (struct aws_config){.region = (char *)"eu-central-1",
                                    .access_key_id = (char *)"AKIDEXAMPLE",
                                    .secret_access_key = (char *)"secret"};
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    s->n_groups = GROUPS;
    const struct aws_client_options client = {&s->config, &s->transport, &s->clock.clock, 1};
    assert_int_equal(aws_client_new(&client, &s->client, &f), 0);
    const struct cache_options o = {.aws = s->client,
                                    .family_tag = "service-family",
                                    .service_tag = "service-id",
                                    .dependency_tag = "service-dependency",
                                    .account = "123456789012",
                                    .region = "eu-central-1",
                                    .partition = "aws",
                                    .refresh_ms = REFRESH_MS};
    assert_int_equal(cache_new(&s->cache, &o, &f), 0);
    const struct describe_options d = {s->client, s->cache, every_ms, TTL_MS, text_max};
    assert_int_equal(describe_new(&s->describe, &d, &f), 0);
    cache_observe(s->cache, on_published, s);
    describe_observe(s->describe, on_told, s);
    assert_int_equal(cache_start(s->cache, &f), 0);
    assert_int_equal(describe_start(s->describe, &f), 0);
    WAIT(s, s->published >= 2);
    pass(s, 1000); /* the index's times are a bit ahead where the clock stands */
    return s;
}

static void scene_free(struct scene *s)
{
    describe_stop(s->describe);
    cache_stop(s->cache);
    describe_free(s->describe);
    cache_free(s->cache);
    aws_client_free(s->client);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
DEFINE_CLEANUP(struct scene *, scene_free)
#define _cleanup_scene_ _cleanup_(scene_freep)

/* As describe_want has it, of the group with that number. */
static int want(struct scene *s, unsigned n, const struct description **ret, struct fault *f)
{
    _cleanup_snapshot_ const struct snapshot *snap = cache_snapshot(s->cache);
    const struct index_resource *r;
    char key[100];

    snprintf(key, sizeof(key), SG("sg-%05u"), n);
    r = snapshot_resource_by_key(snap, key);
    assert_non_null(r);
    return describe_want(s->describe, snap, r, ret, f);
}

/* Waits for it. */
static int get(struct scene *s, unsigned n, const struct description **ret, struct fault *f)
{
    for (;;) {
        unsigned told;

        SET(s, told = s->told);
        int r = want(s, n, ret, f);
        if (r <= 0)
            return r;
        WAIT(s, s->told > told);
    }
}

static int get_only(struct scene *s, unsigned n)
{
    const struct description *d _cleanup_description_ = NULL;

    return get(s, n, &d, NULL);
}

static bool is_known(struct scene *s, unsigned n)
{
    char key[100];

    snprintf(key, sizeof(key), SG("sg-%05u"), n);
    const struct description *d _cleanup_description_ = describe_peek(s->describe, key);
    return d && d->text;
}

static void test_batches(void **state)
{
    _cleanup_scene_ struct scene *s = scene_new(0, 0);
    const struct description *d _cleanup_description_ = NULL;
    unsigned known = 0;
    (void)state;

    assert_int_equal(calls(s), 0);
    assert_int_equal(get(s, 7, &d, NULL), 0);
    assert_int_equal(calls(s), 1);
    assert_int_equal(s->asked, BATCH);
    assert_non_null(strstr(d->text, "\"GroupId\": \"sg-00007\""));
    assert_int_equal(d->len, strlen(d->text));
    assert_true(str_ends(d->text, "}\n"));
    assert_int_equal(d->changed_wall_ms, 0);
    /* All of its family, and of the others what has room. */
    for (unsigned i = 1; i <= GROUPS; i++) {
        known += is_known(s, i);
        if (i % 2)
            assert_true(is_known(s, i));
    }
    assert_int_equal(known, BATCH);
    for (unsigned i = 1; i <= GROUPS; i++)
        assert_int_equal(get_only(s, i), 0);
    assert_int_equal(calls(s), 2);
    assert_int_equal(s->asked, GROUPS - BATCH);
}

static void test_shared(void **state)
{
    _cleanup_scene_ struct scene *s = scene_new(0, 0);
    const struct description *d = NULL;
    (void)state;

    SET(s, s->hold = true);
    for (unsigned i = 1; i <= 199; i += 2)
        assert_int_equal(want(s, i, &d, NULL), 1);
    WAIT(s, s->calls > 0);
    SET(s, s->hold = false);
    assert_int_equal(get_only(s, 5), 0);
    assert_int_equal(calls(s), 1);
}

static void test_time(void **state)
{
    _cleanup_scene_ struct scene *s = scene_new(0, 0);
    const struct description *old _cleanup_description_ = NULL;
    unsigned told;
    (void)state;

    assert_int_equal(get_only(s, 1), 0);
    SET(s, s->version = 7);
    pass(s, TTL_MS - 1);
    assert_int_equal(get_only(s, 1), 0);
    assert_int_equal(calls(s), 1);
    pass(s, 1);
    SET(s, told = s->told);
    SET(s, s->told_keys = 0);
    assert_int_equal(want(s, 1, &old, NULL), 0); /* at once */
    assert_null(strstr(old->text, "007\""));
    WAIT(s, s->told > told);
    assert_int_equal(calls(s), 2);
    assert_int_equal(s->told_keys, BATCH); /* all that are old */
    const struct description *now _cleanup_description_ = NULL;
    assert_int_equal(want(s, 1, &now, NULL), 0);
    assert_non_null(strstr(now->text, "007\""));
    assert_true(now->changed_wall_ms > 0);
    /* The same again is no change. */
    pass(s, TTL_MS);
    SET(s, told = s->told);
    SET(s, s->told_keys = 0);
    assert_int_equal(get_only(s, 1), 0);
    WAIT(s, s->told > told);
    assert_int_equal(s->told_keys, 0);
    assert_int_equal(calls(s), 3);
}

static void test_gone(void **state)
{
    _cleanup_scene_ struct scene *s = scene_new(0, 0);
    struct fault f = FAULT_INIT;
    const struct description *d = NULL;
    (void)state;

    SET(s, s->gone = 3);
    assert_int_equal(get_only(s, 1), 0);
    assert_int_equal(get(s, 3, &d, &f), -ENOENT);
    assert_string_equal(f.call, "ec2:DescribeSecurityGroups");
    assert_int_equal(calls(s), 1);
    pass(s, 10000);
    SET(s, s->gone = 0);
    assert_int_equal(get_only(s, 3), 0);
    assert_int_equal(calls(s), 2);
    /* One that was there is not shown any more. */
    SET(s, s->gone = 1);
    pass(s, TTL_MS);
    unsigned told;
    SET(s, told = s->told);
    assert_int_equal(get_only(s, 1), 0);
    WAIT(s, s->told > told);
    assert_int_equal(want(s, 1, &d, &f), -ENOENT);
    assert_false(is_known(s, 1));
}

static void test_refused(void **state)
{
    _cleanup_scene_ struct scene *s = scene_new(0, 0);
    struct fault f = FAULT_INIT;
    const struct description *d = NULL;
    (void)state;

    SET(s, s->refuse = "UnauthorizedOperation");
    assert_int_equal(get(s, 1, &d, &f), -EACCES);
    assert_string_equal(f.code, "UnauthorizedOperation");
    assert_int_equal(get_only(s, 3), -EACCES);
    assert_int_equal(calls(s), 1); /* it was one of the same batch */
    pass(s, 10000);
    SET(s, s->refuse = NULL);
    assert_int_equal(get_only(s, 1), 0);
    assert_int_equal(calls(s), 2);
    /* What is known is shown for a while, but not for ever. */
    SET(s, s->refuse = "UnauthorizedOperation");
    pass(s, TTL_MS);
    unsigned told;
    SET(s, told = s->told);
    assert_int_equal(get_only(s, 1), 0);
    WAIT(s, s->told > told);
    assert_int_equal(get_only(s, 1), 0);
    pass(s, 15 * 60 * 1000);
    assert_int_equal(get_only(s, 1), -EACCES);
}

static int count_each(void *arg, _unused_ const char *key, const struct description *what)
{
    unsigned *n = arg;

    n[0]++;
    n[1] += what->text != NULL;
    return 0;
}

static void test_room(void **state)
{
    _cleanup_scene_ struct scene *s = scene_new(0, 20 * 1000); /* of texts of nearly 1,000 bytes */
    struct describe_progress p;
    unsigned n[2] = {0, 0}, told;
    (void)state;

    assert_int_equal(get_only(s, 199), 0);
    describe_progress(s->describe, &p);
    assert_in_range(p.bytes, 10 * 1000, 20 * 1000);
    assert_int_equal(describe_each(s->describe, count_each, n), 0);
    assert_int_equal(n[0], BATCH); /* the edges of all stay */
    assert_in_range(n[1], 10, 21);
    /* What had to go comes back when it is read, and that is no change. */
    unsigned lost = 1;
    while (is_known(s, lost))
        lost += 2;
    SET(s, told = s->told_keys);
    assert_int_equal(get_only(s, lost), 0);
    assert_int_equal(calls(s), 2);
    assert_in_range(s->told_keys - told, 0, GROUPS - BATCH); /* only those that were never seen */
}

/* Time passes, and there is another snapshot: a round. */
static void nudge(struct scene *s, unsigned i)
{
    static const char *const family[] = {"another"};

    pass(s, 2000);
    assert_int_equal(cache_set_blueprints(s->cache, family, i % 2), 0);
    cache_flush(s->cache);
    usleep(1000);
}

static void test_rounds(void **state)
{
    _cleanup_scene_ struct scene *s = scene_new(15 * 60 * 1000, 0);
    struct describe_progress p;
    unsigned n[2], i = 0;
    (void)state;

    for (describe_progress(s->describe, &p); !p.complete; describe_progress(s->describe, &p))
        nudge(s, ++i);
    assert_int_equal(p.of, GROUPS);
    assert_int_equal(p.done, GROUPS);
    assert_int_equal(p.failed, 0);
    assert_true(p.rounds);
    assert_int_equal(calls(s), 2);
    assert_int_equal(get_only(s, 230), 0);
    assert_int_equal(calls(s), 2);
    /* What is gone from the index is forgotten; what is new is looked at alone. */
    SET(s, s->n_groups = 100);
    assert_int_equal(cache_refresh(s->cache, NULL, NULL), 0);
    do {
        nudge(s, ++i);
        n[0] = n[1] = 0;
        assert_int_equal(describe_each(s->describe, count_each, n), 0);
    } while (n[0] != 100);
    describe_progress(s->describe, &p);
    assert_int_equal(p.of, 100);
    SET(s, s->n_groups = 101);
    assert_int_equal(cache_refresh(s->cache, NULL, NULL), 0);
    while (calls(s) < 3)
        nudge(s, ++i);
    assert_int_equal(s->asked, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches), cmocka_unit_test(test_shared),  cmocka_unit_test(test_time),
        cmocka_unit_test(test_gone),    cmocka_unit_test(test_refused), cmocka_unit_test(test_room),
        cmocka_unit_test(test_rounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
