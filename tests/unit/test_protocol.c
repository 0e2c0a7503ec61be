/* The four protocols, there and back. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

#include "awsapi/protocol.h"

static int encode(const struct aws_action *a, const char *json, struct encoded *e)
{
    _cleanup_json_ json_t *request = json_loads(json, 0, NULL), *copy = json_deep_copy(request);
    struct fault f = FAULT_INIT;
    int r;

    assert_non_null(request);
    r = protocol_encode(a, request, e, &f);
    assert_true(json_equal(request, copy));
    assert_int_equal(f.err, r);
    return r;
}

static void test_query(void **state)
{
    static const struct aws_action elb = {.service = AWS_ELBV2, .name = "CreateRule"};
    static const struct aws_action rds = {.service = AWS_RDS, .name = "DescribeDBInstances"};
    struct encoded e;
    (void)state;

    assert_int_equal(
        encode(&elb,
               "{\"ListenerArn\": \"arn:x/y\", \"Priority\": 7, \"On\": true, "
               "\"Conditions\": [{\"Field\": \"host-header\", \"Values\": [\"a b\"]}], "
               "\"Empty\": [], \"Null\": null, \"A\": {\"B\": \"\\u00e4&\"}}",
               &e),
        0);
    assert_string_equal(buf_str(&e.body),
                        "Action=CreateRule&Version=2015-12-01&ListenerArn=arn%3Ax%2Fy&Priority=7"
                        "&On=true&Conditions.member.1.Field=host-header"
                        "&Conditions.member.1.Values.member.1=a%20b&Empty=&A.B=%C3%A4%26");
    assert_string_equal(e.method, "POST");
    assert_string_equal(buf_str(&e.path), "/");
    encoded_done(&e);
    assert_int_equal(
        encode(&rds, "{\"Filters.Filter\": [{\"Name\": \"n\", \"Values.Value\": [\"v\"]}]}", &e),
        0);
    assert_non_null(
        strstr(buf_str(&e.body), "&Filters.Filter.1.Name=n&Filters.Filter.1.Values.Value.1=v"));
    encoded_done(&e);
}

static void test_ec2(void **state)
{
    static const struct aws_action ec2 = {.service = AWS_EC2, .name = "DescribeSecurityGroups"};
    struct encoded e;
    (void)state;

    assert_int_equal(
        encode(&ec2,
               "{\"Filter\": [{\"Name\": \"vpc-id\", \"Value\": [\"v1\", \"v2\"]}], \"X\": []}",
               &e),
        0);
    assert_string_equal(buf_str(&e.body),
                        "Action=DescribeSecurityGroups&Version=2016-11-15&Filter.1.Name=vpc-id"
                        "&Filter.1.Value.1=v1&Filter.1.Value.2=v2");
    encoded_done(&e);
}

static void test_rest(void **state)
{
    static const struct aws_action tags = {.service = AWS_RESOURCE_GROUPS,
                                           .name = "Tag",
                                           .method = "PUT",
                                           .path = "/resources/{Arn}/tags"};
    static const struct aws_action untag = {.service = AWS_EFS,
                                            .name = "UntagResource",
                                            .method = "DELETE",
                                            .path = "/2015-02-01/resource-tags/{ResourceId}",
                                            .query = "tagKeys"};
    struct encoded e;
    (void)state;

    assert_int_equal(encode(&tags, "{\"Arn\": \"arn:a:b/c\", \"Tags\": {\"k\": \"v\"}}", &e), 0);
    assert_string_equal(buf_str(&e.path), "/resources/arn%3Aa%3Ab%2Fc/tags");
    assert_string_equal(buf_str(&e.body), "{\"Tags\":{\"k\":\"v\"}}");
    assert_string_equal(e.method, "PUT");
    encoded_done(&e);
    assert_int_equal(
        encode(&untag, "{\"ResourceId\": \"fs-1\", \"tagKeys\": [\"a/b\", \"c\"]}", &e), 0);
    assert_string_equal(buf_str(&e.path), "/2015-02-01/resource-tags/fs-1");
    assert_string_equal(buf_str(&e.query), "tagKeys=a%2Fb&tagKeys=c");
    assert_int_equal(e.body.len, 0);
    assert_string_equal(e.content_type, "");
    encoded_done(&e);
    /* A segment that is not there would address something else. */
    assert_int_equal(encode(&untag, "{}", &e), -EINVAL);
    assert_int_equal(encode(&untag, "{\"ResourceId\": \"\"}", &e), -EINVAL);
    assert_int_equal(encode(&untag, "{\"ResourceId\": \"..\"}", &e), -EINVAL);
    assert_int_equal(encode(&untag, "{\"ResourceId\": {}}", &e), -EINVAL);
    assert_int_equal(encode(&untag, "{\"ResourceId\": \"x\", \"Lost\": 1}", &e), -EINVAL);
}

static void decode(enum aws_service s, const char *name, const char *body, const char *want)
{
    const struct aws_action a = {.service = s, .name = name};
    struct http_response r = {.status = 200, .body = BUF_INIT(10000)};
    _cleanup_json_ json_t *got = NULL, *expected = want != NULL ? json_loads(want, 0, NULL) : NULL;

    assert_int_equal(buf_puts(&r.body, body), 0);
    assert_int_equal(protocol_decode(&a, &r, &got, NULL), want != NULL ? 0 : -EPROTO);
    if (want != NULL)
        assert_true(json_equal(got, expected));
    http_response_done(&r);
}

static void test_decode(void **state)
{
    (void)state;

    decode(AWS_SSM, "X", "{\"a\": [1]}", "{\"a\": [1]}");
    decode(AWS_EFS, "X", "", "{}");
    decode(AWS_SSM, "X", "[]", NULL);
    decode(AWS_SSM, "X", "{\"a\": ", NULL);
    decode(AWS_SSM, "X", "<html>", NULL);
    decode(AWS_STS, "X", "<XResponse><XResult><A>1</A></XResult></XResponse>", "{\"A\": \"1\"}");
    decode(AWS_STS, "X", "<XResponse><XResult/></XResponse>", "{}");
    decode(AWS_STS, "X", "<XResponse><ResponseMetadata/></XResponse>", "{}");
    decode(AWS_STS, "X", "<YResponse/>", NULL);
    decode(AWS_STS, "X", "", NULL);
    decode(AWS_EC2, "X", "<XResponse><s><item>1</item></s></XResponse>", "{\"s\": [\"1\"]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_ec2),
        cmocka_unit_test(test_rest),
        cmocka_unit_test(test_decode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
