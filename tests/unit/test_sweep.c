/* Sweeps: whole or not at all. A chain of pages that breaks begins anew from page one. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "cache/sweep.h"
#include "tests/unit/fake_transport.h"
#include "tests/unit/world.h"

#define ENTRY(arn, tags) "{\"ResourceARN\": \"" arn "\", \"Tags\": [" tags "]}"
#define TAG(k, v) "{\"Key\": \"" k "\", \"Value\": \"" v "\"}"
#define PAGE(entries, token)                                                                       \
    {                                                                                              \
        .status = 200,                                                                             \
        .body = "{\"ResourceTagMappingList\": [" entries "], \"PaginationToken\": \"" token "\"}"  \
    }
#define DOWN                                                                                       \
    {                                                                                              \
        .status = 503, .body = "{}"                                                                \
    }
#define PAGE_TO(who, entries, token)                                                               \
    {                                                                                              \
        .status = 200, .to = who,                                                                  \
        .body = "{\"ResourceTagMappingList\": [" entries "], \"PaginationToken\": \"" token "\"}"  \
    }
#define REFUSED(code)                                                                              \
    {                                                                                              \
        .status = 400, .body = "{\"__type\": \"" code "\", \"message\": \"no\"}"                   \
    }

static struct sweep_env env_of(struct fake_transport *t, struct cancel *cancel)
{
    return (struct sweep_env){t->client, "service-family", "service-id", cancel, NULL};
}

static int sweep_all(const struct sweep_env *e, struct raw_resources **ret, struct fault *f)
{
    struct chain census = {.kind = CHAIN_CENSUS};
    const struct chains one = {&census, 1};

    return sweep_resources(e, &one, NULL, ret, f);
}

/* The second chain looks for what has an id and no family, and for nothing else. */
static void test_strays(void **state)
{
    static const struct fake_answer answers[] = {
        PAGE(ENTRY("a", TAG("service-id", "n1") "," TAG("service-family", "wp")) "," ENTRY("b", ""),
             ""),
        PAGE(ENTRY("new", TAG("service-id", "n1") "," TAG("service-family", "wp")) "," ENTRY(
                 "c", TAG("service-id", "n2")),
             "")};
    static struct chain two[] = {{.kind = CHAIN_CENSUS}, {.kind = CHAIN_STRAYS}};
    const struct chains chains = {two, 2};
    _cleanup_fake_ struct fake_transport *t = fake_new(answers, 2);
    struct sweep_env env = env_of(t, NULL);
    _cleanup_(raw_resources_unrefp) struct raw_resources *all = NULL;
    (void)state;

    assert_int_equal(sweep_resources(&env, &chains, NULL, &all, NULL), 0);
    assert_int_equal(map_size(all->by_key), 3);
    assert_int_equal(all->begun_ms, 1000000);
    const struct raw_resource *a = map_get(all->by_key, "a");
    assert_int_equal(a->n_tags, 2);
    assert_string_equal(a->tags[0].key, "service-family"); /* sorted */
    assert_string_equal(a->tags[1].value, "n1");
    assert_non_null(map_get(all->by_key, "c"));
    assert_null(map_get(all->by_key, "new"));
    assert_non_null(strstr(t->sent[0].body, "[{\"Key\":\"service-family\"}]"));
    assert_non_null(strstr(t->sent[1].body, "[{\"Key\":\"service-id\"}]"));
}

static void test_many_tags(void **state)
{
    _cleanup_buf_ struct buf body = BUF_INIT(100000);
    (void)state;

    buf_puts(&body, "{\"ResourceTagMappingList\": [{\"ResourceARN\": \"a\", \"Tags\": [");
    for (int i = 0; i < 90; i++)
        buf_printf(&body, TAG("aws:t%d", "x") ",", i);
    buf_puts(&body, TAG("service-family", "wp") "]}]}");
    const struct fake_answer answers[] = {{.status = 200, .body = buf_str(&body)}};
    _cleanup_fake_ struct fake_transport *t = fake_new(answers, 1);
    struct sweep_env env = env_of(t, NULL);
    _cleanup_(raw_resources_unrefp) struct raw_resources *all = NULL;

    assert_int_equal(sweep_all(&env, &all, NULL), 0);
    const struct raw_resource *a = map_get(all->by_key, "a");
    assert_int_equal(a->n_tags, 91);
    assert_string_equal(a->tags[90].key, "service-family");
}

/* What the broken chain had given is thrown away: "gone" was deleted in between. */
static void check_anew(const struct fake_answer *broken)
{
    const struct fake_answer answers[] = {PAGE(ENTRY("gone", ""), "t1"), *broken,
                                          PAGE(ENTRY("a", ""), "t2"), PAGE(ENTRY("b", ""), "")};
    _cleanup_fake_ struct fake_transport *t = fake_new(answers, 4);
    struct sweep_env env = env_of(t, NULL);
    _cleanup_(raw_resources_unrefp) struct raw_resources *all = NULL;

    assert_int_equal(sweep_all(&env, &all, NULL), 0);
    assert_int_equal(map_size(all->by_key), 2);
    assert_null(map_get(all->by_key, "gone"));
    assert_non_null(strstr(t->sent[1].body, "\"PaginationToken\":\"t1\""));
    assert_null(strstr(t->sent[2].body, "PaginationToken"));
    assert_non_null(strstr(t->sent[2].body, "service-family"));
    assert_non_null(strstr(t->sent[3].body, "\"PaginationToken\":\"t2\""));
    assert_true(t->sent[2].at_ms > t->sent[1].at_ms); /* not at once */
    assert_int_equal(all->begun_ms, t->sent[2].at_ms);
}

static void test_anew(void **state)
{
    const struct fake_answer down = DOWN, expired = REFUSED("PaginationTokenExpiredException"),
                             throttled = REFUSED("ThrottlingException"),
                             silent = {.err = -ETIMEDOUT, .sent = true},
                             circle = PAGE(ENTRY("gone2", ""), "t1");
    (void)state;

    check_anew(&down);
    check_anew(&expired);
    check_anew(&throttled);
    check_anew(&silent);
    check_anew(&circle);
}

static void test_gives_up(void **state)
{
    static const struct fake_answer broken[] = {PAGE("", "t"), DOWN,          PAGE("", "t"),
                                                DOWN,          PAGE("", "t"), DOWN};
    static const struct fake_answer denied[] = {REFUSED("AccessDeniedException")};
    _cleanup_fake_ struct fake_transport *t = fake_new(broken, 6), *u = fake_new(denied, 1);
    struct sweep_env env = env_of(t, NULL), other = env_of(u, NULL);
    struct raw_resources *all = NULL;
    struct fault f = FAULT_INIT;
    (void)state;

    assert_int_equal(sweep_all(&env, &all, &f), -EREMOTEIO);
    assert_int_equal(f.err, -EREMOTEIO);
    assert_null(all);
    assert_int_equal(sweep_all(&other, &all, &f), -EACCES); /* begun but once */
    assert_string_equal(f.code, "AccessDeniedException");
    assert_null(all);
}

/* No page came: the client has tried often enough, and whoever waits is to be told. */
static void test_silent(void **state)
{
    static const struct fake_answer answers[] = {
        {.err = -EHOSTUNREACH}, {.err = -EHOSTUNREACH}, {.err = -EHOSTUNREACH}};
    _cleanup_fake_ struct fake_transport *t = fake_new(answers, 3);
    struct sweep_env env = env_of(t, NULL);
    struct raw_resources *all = NULL;
    (void)state;

    assert_int_equal(sweep_all(&env, &all, NULL), -EHOSTUNREACH);
    assert_null(all);
}

static void test_cancelled(void **state)
{
    static const struct fake_answer answers[] = {{.err = -ECANCELED}};
    _cleanup_cancel_ struct cancel *cancel = cancel_new();
    _cleanup_fake_ struct fake_transport *t = fake_new(answers, 1);
    struct sweep_env env = env_of(t, cancel);
    struct raw_resources *all = NULL;
    (void)state;

    assert_int_equal(sweep_all(&env, &all, NULL), -ECANCELED);
    assert_null(all);
}

/* --- several chains --- */

#define OF(type) "ResourceTypeFilters\":[\"" type "\"]"
#define ARN(rest) "arn:aws:" rest
#define TASKS ARN("ecs:r:1:service/c/web")
#define WP TAG("service-family", "wp")

static struct chain types[] = {{CHAIN_TYPE, "ec2:security-group", true},
                               {CHAIN_TYPE, "ecs:service", true},
                               {CHAIN_TYPE, "rds:db", false}};
static const struct chains by_types = {types, 3};

static size_t sent_with(const struct fake_transport *t, const char *text)
{
    size_t n = 0;

    for (size_t i = 0; i < t->n_sent; i++)
        n += strstr(t->sent[i].body, text) != NULL;
    return n;
}

/* Side by side; the one that breaks begins again, the others do not. What nobody looked for is
 * kept. */
static void test_types(void **state)
{
    static const struct fake_answer answers[] = {
        PAGE_TO(OF("ec2:security-group"), ENTRY(SG("sg-1"), WP), ""),
        PAGE_TO(OF("ecs:service"), ENTRY("gone", WP), "t1"),
        {.status = 503, .body = "{}", .to = "\"PaginationToken\":\"t1\""},
        PAGE_TO(OF("ecs:service"), ENTRY(TASKS, WP), ""),
        PAGE_TO(OF("rds:db"), "", "")};
    static const struct fake_answer before[] = {
        PAGE(ENTRY("old", WP) "," ENTRY("stray", TAG("service-id", "n9")), "")};
    _cleanup_fake_ struct fake_transport *t = fake_new(answers, 5), *u = fake_new(before, 1);
    _cleanup_(jobs_freep) struct jobs *jobs = NULL;
    struct sweep_env env = env_of(t, NULL), env_before = env_of(u, NULL);
    _cleanup_(raw_resources_unrefp) struct raw_resources *all = NULL, *last = NULL;
    (void)state;

    assert_int_equal(sweep_all(&env_before, &last, NULL), 0);
    assert_int_equal(jobs_new(&jobs, "test", 7), 0);
    env.jobs = jobs;
    assert_int_equal(sweep_resources(&env, &by_types, last, &all, NULL), 0);
    assert_int_equal(map_size(all->by_key), 3);
    assert_non_null(map_get(all->by_key, SG("sg-1")));
    assert_non_null(map_get(all->by_key, TASKS));
    const struct raw_resource *stray = map_get(all->by_key, "stray");
    assert_string_equal(tag_value(stray->tags, stray->n_tags, "service-id"), "n9");
    assert_false(all->untyped);
    assert_int_equal(sent_with(t, OF("ec2:security-group")), 1);
    assert_int_equal(sent_with(t, OF("ecs:service")), 3);
    assert_int_equal(sent_with(t, "service-family"), 5);
}

/* Records that were not there before are news: the next sweep has to look for their types. */
static void test_news(void **state)
{
    static const struct fake_answer one[] = {PAGE(ENTRY(RECORD("n1"), WP), "")},
                                    two[] = {PAGE(
                                        ENTRY(RECORD("n1"), WP) "," ENTRY(RECORD("n2"), WP), "")};
    static struct chain census = {.kind = CHAIN_CENSUS};
    static const struct chains chains = {&census, 1};
    const struct fake_answer *const answers[] = {one, one, two, two};
    const bool news[] = {false, false, true, false};
    struct raw_resources *last = NULL;
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        _cleanup_fake_ struct fake_transport *t = fake_new(answers[i], 1);
        struct sweep_env env = env_of(t, NULL);
        struct raw_resources *all = NULL;
        assert_int_equal(sweep_resources(&env, &chains, last, &all, NULL), 0);
        assert_int_equal(all->news, news[i]);
        raw_resources_unref(last);
        last = all;
    }
    raw_resources_unref(last);
}

/* One that fails for good ends the sweep: no further chain is begun. */
static void test_types_fail(void **state)
{
    static const struct fake_answer answers[] = {PAGE(ENTRY(SG("sg-1"), WP), ""),
                                                 REFUSED("AccessDeniedException")};
    _cleanup_fake_ struct fake_transport *t = fake_new(answers, 2);
    struct sweep_env env = env_of(t, NULL);
    struct raw_resources *all = NULL;
    struct fault f = FAULT_INIT;
    (void)state;

    assert_int_equal(sweep_resources(&env, &by_types, NULL, &all, &f), -EACCES);
    assert_string_equal(f.code, "AccessDeniedException");
    assert_null(all);
}

/* A type that has vanished, or is refused: the census decides. It stays untyped where that finds
 * what the filter did not. */
static void check_doubt(const struct fake_answer *typed, const char *census, bool untyped)
{
    const struct fake_answer answers[] = {
        PAGE_TO(OF("ec2:security-group"), ENTRY(SG("sg-1"), WP), ""),
        *typed,
        {.status = 200, .body = census},
    };
    _cleanup_fake_ struct fake_transport *t = fake_new(answers, 3);
    struct sweep_env env = env_of(t, NULL);
    _cleanup_(raw_resources_unrefp) struct raw_resources *all = NULL;

    assert_int_equal(sweep_resources(&env, &by_types, NULL, &all, NULL), 0);
    assert_int_equal(all->untyped, untyped);
    assert_null(strstr(t->sent[2].body, "ResourceTypeFilters"));
    assert_int_equal(map_get(all->by_key, TASKS) != NULL, untyped);
}

static void test_doubt(void **state)
{
    static const struct fake_answer none = PAGE_TO(OF("ecs:service"), "", ""),
                                    refused = REFUSED("InvalidParameterException");
    static const char with[] = "{\"ResourceTagMappingList\": [" ENTRY(TASKS, WP) "]}",
                      without[] = "{\"ResourceTagMappingList\": [" ENTRY(SG("sg-1"), WP) "]}";
    (void)state;

    check_doubt(&none, with, true);
    check_doubt(&none, without, false);
    check_doubt(&refused, with, true);
}

static void test_family(void **state)
{
    static const struct fake_answer answers[] = {PAGE(ENTRY(SG("sg-1"), WP), "")};
    _cleanup_fake_ struct fake_transport *t = fake_new(answers, 1);
    struct sweep_env env = env_of(t, NULL);
    _cleanup_(raw_resources_unrefp) struct raw_resources *all = NULL;
    (void)state;

    assert_int_equal(sweep_family(&env, "wp", &all, NULL), 0);
    assert_non_null(map_get(all->by_key, SG("sg-1")));
    assert_non_null(strstr(t->sent[0].body, "[{\"Key\":\"service-family\",\"Values\":[\"wp\"]}]"));
}

/* --- groups --- */

#define GROUPS(list)                                                                               \
    {                                                                                              \
        .status = 200, .body = "{\"GroupIdentifiers\": [" list "]}"                                \
    }
#define GROUP(name) "{\"GroupName\": \"" name "\", \"GroupArn\": \"arn:g/" name "\"}"
#define GROUP_QUERY(query)                                                                         \
    {                                                                                              \
        .status = 200, .body = "{\"GroupQuery\": {\"ResourceQuery\": " query "}}"                  \
    }
#define MEMBERS                                                                                    \
    {                                                                                              \
        .status = 200,                                                                             \
        .body = "{\"Resources\": [{\"Identifier\": {\"ResourceArn\": \"arn:aws:s3:::b\"}}]}"       \
    }
#define ONE_TYPE                                                                                   \
    "{\"Type\":\"TAG_FILTERS_1_0\",\"Query\":\"{\\\"ResourceTypeFilters\\\":[\\\"AWS::S3::"        \
    "Bucket\\\"],\\\"TagFilters\\\":[{\\\"Key\\\":\\\"service-id\\\"}]}\"}"

/* Sweeps an account with one group. */
static struct raw_groups *sweep(const struct fake_answer *answers, size_t n,
                                const struct raw_groups *old)
{
    _cleanup_fake_ struct fake_transport *t = fake_new(answers, n);
    struct sweep_env env = env_of(t, NULL);
    struct raw_groups *all = NULL;

    assert_int_equal(sweep_groups(&env, old, &all, NULL), 0);
    return all;
}

static void test_group_kinds(void **state)
{
    static const struct fake_answer ours[] = {GROUPS(GROUP("g")),
                                              GROUP_QUERY(QUERY("service-family", "wp"))},
                                    others[] = {GROUPS(GROUP("g")), GROUP_QUERY(QUERY("Name", "x")),
                                                PAGE(ENTRY("arn:aws:s3:::b", TAG("Name", "x")),
                                                     "")},
                                    typed[] = {GROUPS(GROUP("g")), GROUP_QUERY(ONE_TYPE), MEMBERS},
                                    plain[] = {GROUPS(GROUP("g")), REFUSED("BadRequestException"),
                                               MEMBERS},
                                    gone[] = {GROUPS(GROUP("g")),
                                              {.status = 404,
                                               .headers = "x-amzn-errortype: NotFoundException\n",
                                               .body = "{\"Message\": \"no\"}"}};
    const struct raw_group *g;
    (void)state;

    _cleanup_(raw_groups_unrefp) struct raw_groups *a = sweep(ours, 2, NULL);
    g = map_get(a->by_name, "g");
    assert_true(g->by_our_tags);
    assert_int_equal(g->n_members, 0);
    assert_string_equal(g->arn, "arn:g/g");
    _cleanup_(raw_groups_unrefp) struct raw_groups *b = sweep(others, 3, NULL);
    g = map_get(b->by_name, "g");
    assert_false(g->by_our_tags);
    assert_int_equal(g->n_members, 1);
    assert_string_equal(g->members[0].tags[0].value, "x");
    _cleanup_(raw_groups_unrefp) struct raw_groups *c = sweep(typed, 3, NULL);
    g = map_get(c->by_name, "g");
    assert_false(g->by_our_tags);
    assert_string_equal(g->members[0].key, "arn:aws:s3:::b");
    _cleanup_(raw_groups_unrefp) struct raw_groups *d = sweep(plain, 3, NULL);
    g = map_get(d->by_name, "g");
    assert_null(g->query);
    assert_int_equal(g->n_members, 1);
    _cleanup_(raw_groups_unrefp) struct raw_groups *e = sweep(gone, 2, NULL);
    assert_int_equal(map_size(e->by_name), 0);
}

/* The query is read at first and then once in eleven sweeps; another group of that name has its
 * own. */
static void test_group_queries_kept(void **state)
{
    static const struct fake_answer first[] = {GROUPS(GROUP("g")),
                                               GROUP_QUERY(QUERY("service-family", "wp"))},
                                    list[] = {GROUPS(GROUP("g"))};
    struct raw_groups *last = sweep(first, 2, NULL);
    (void)state;

    for (int i = 0; i < 11; i++) {
        bool again = i == 10;
        struct raw_groups *now = sweep(again ? first : list, again ? 2 : 1, last);
        const struct raw_group *g = map_get(now->by_name, "g");
        assert_true(g->by_our_tags);
        assert_non_null(strstr(g->query, "service-family"));
        raw_groups_unref(last);
        last = now;
    }
    raw_groups_unref(last);
}

/* One group that cannot be read is a line, and does not hide the next. */
static void test_group_closed(void **state)
{
    static const struct fake_answer answers[] = {GROUPS(GROUP("g")), GROUP_QUERY(ONE_TYPE),
                                                 REFUSED("AccessDeniedException")};
    _cleanup_(raw_groups_unrefp) struct raw_groups *all = sweep(answers, 3, NULL);
    const struct raw_group *g = map_get(all->by_name, "g");
    (void)state;

    assert_non_null(strstr(g->problem, "AccessDeniedException"));
    assert_int_equal(g->n_members, 0);
}

static void test_groups_fail(void **state)
{
    static const struct fake_answer answers[] = {GROUPS(GROUP("g")),
                                                 REFUSED("AccessDeniedException")};
    _cleanup_fake_ struct fake_transport *t = fake_new(answers, 2);
    struct sweep_env env = env_of(t, NULL);
    struct raw_groups *all = NULL;
    (void)state;

    assert_int_equal(sweep_groups(&env, NULL, &all, NULL), -EACCES);
    assert_null(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strays),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_types_fail),
        cmocka_unit_test(test_news),
        cmocka_unit_test(test_doubt),
        cmocka_unit_test(test_family),
        cmocka_unit_test(test_many_tags),
        cmocka_unit_test(test_anew),
        cmocka_unit_test(test_gives_up),
        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_group_kinds),
        cmocka_unit_test(test_groups_fail),
        cmocka_unit_test(test_silent),
        cmocka_unit_test(test_group_closed),
        cmocka_unit_test(test_group_queries_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
