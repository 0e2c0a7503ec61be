/* Chains of pages: all of it or an error; only the first page is tried again. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

#include "awsapi/tagging.h"
#include "base/str.h"
#include "tests/unit/fake_transport.h"

#define PAGE(arn, token)                                                                           \
    {                                                                                              \
        .status = 200, .body = "{\"ResourceTagMappingList\": [{\"ResourceARN\": \"" arn            \
                               "\", \"Tags\": "                                                    \
                               "[{\"Key\": \"service-id\", \"Value\": \"n1\"}]}]" token "}"        \
    }
#define TOKEN(t) ", \"PaginationToken\": \"" t "\""
#define DOWN                                                                                       \
    {                                                                                              \
        .status = 503, .body = "{}"                                                                \
    }

static int collect(void *arg, const char *arn, json_t *tags)
{
    assert_string_equal(json_string_value(json_object_get(tags, "service-id")), "n1");
    return buf_printf(arg, "%s ", arn);
}

static int get(const struct fake_answer *answers, size_t n, struct buf *out)
{
    _cleanup_fake_ struct fake_transport *t = fake_new(answers, n);
    const struct tagging_query q = {.tag_key = "service-id"};

    return tagging_get_resources(t->client, NULL, &q, collect, out, NULL);
}

static void test_ends(void **state)
{
    static const struct fake_answer empty[] = {PAGE("a", TOKEN("t1")), PAGE("b", TOKEN(""))};
    static const struct fake_answer null[] = {PAGE("a", TOKEN("t1")),
                                              PAGE("b", ", \"PaginationToken\": null")};
    static const struct fake_answer absent[] = {PAGE("a", TOKEN("t1")), PAGE("b", "")};
    _cleanup_buf_ struct buf out = BUF_INIT(1000);
    (void)state;

    assert_int_equal(get(empty, 2, &out), 0);
    assert_int_equal(get(null, 2, &out), 0);
    assert_int_equal(get(absent, 2, &out), 0);
    assert_string_equal(buf_str(&out), "a b a b a b ");
}

static void test_breaks(void **state)
{
    static const struct fake_answer first[] = {DOWN, PAGE("a", "")};
    static const struct fake_answer later[] = {PAGE("a", TOKEN("t1")), DOWN};
    static const struct fake_answer circle[] = {PAGE("a", TOKEN("t1")), PAGE("b", TOKEN("t1"))};
    static const struct fake_answer no_arn[] = {
        {.status = 200, .body = "{\"ResourceTagMappingList\": [{\"Tags\": []}]}"}};
    _cleanup_buf_ struct buf out = BUF_INIT(1000);
    (void)state;

    assert_int_equal(get(first, 2, &out), 0);
    assert_string_equal(buf_str(&out), "a ");
    assert_int_equal(get(later, 2, &out), -EREMOTEIO);
    assert_int_equal(get(circle, 2, &out), -EPROTO);
    assert_int_equal(get(no_arn, 1, &out), -EPROTO);
}

static void test_request(void **state)
{
    static const struct fake_answer answers[] = {PAGE("a", TOKEN("t1")), PAGE("b", "")};
    static const char *const types[] = {"ecs:service"};
    _cleanup_fake_ struct fake_transport *t = fake_new(answers, 2);
    _cleanup_buf_ struct buf out = BUF_INIT(1000);
    const struct tagging_query q = {
        .tag_key = "k", .tag_value = "v", .resource_types = types, .n_types = 1};
    (void)state;

    assert_int_equal(tagging_get_resources(t->client, NULL, &q, collect, &out, NULL), 0);
    assert_string_equal(t->sent[0].body,
                        "{\"ResourcesPerPage\":100,\"TagFilters\":[{\"Key\":\"k\",\"Values\":"
                        "[\"v\"]}],\"ResourceTypeFilters\":[\"ecs:service\"]}");
    assert_non_null(strstr(t->sent[1].body, "\"PaginationToken\":\"t1\""));
}

static int collect_value(void *arg, const char *value)
{
    return buf_printf(arg, "%s ", value);
}

static void test_values(void **state)
{
    static const struct fake_answer good[] = {
        {.status = 200, .body = "{\"TagValues\": [\"wp\", \"\"]" TOKEN("t1") "}"},
        {.status = 200, .body = "{\"TagValues\": [\"shops\"]" TOKEN("") "}"}};
    static const struct fake_answer bad[] = {{.status = 200, .body = "{\"TagValues\": [1]}"}};
    _cleanup_fake_ struct fake_transport *t = fake_new(good, 2), *u = fake_new(bad, 1);
    _cleanup_buf_ struct buf out = BUF_INIT(1000);
    (void)state;

    assert_int_equal(tagging_get_values(t->client, NULL, "k", collect_value, &out, NULL), 0);
    assert_string_equal(buf_str(&out), "wp  shops ");
    assert_string_equal(t->sent[0].body, "{\"Key\":\"k\"}");
    assert_non_null(strstr(t->sent[0].headers, "GetTagValues"));
    assert_non_null(strstr(t->sent[1].body, "\"PaginationToken\":\"t1\""));
    assert_int_equal(tagging_get_values(u->client, NULL, "k", collect_value, &out, NULL), -EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_breaks),
        cmocka_unit_test(test_request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
