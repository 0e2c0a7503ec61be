/* Properties by table: check and conversion. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/fake_types.h"

static json_t *parse(const char *text)
{
    json_error_t e;
    json_t *v = json_loads(text, 0, &e);

    if (!v)
        fail_msg("%s: %s", text, e.text);
    return v;
}

static void accepts(const char *text)
{
    struct fault f = FAULT_INIT;
    json_t *v = parse(text);

    if (property_check(fake_thing_properties(), v, NULL, &f) != 0)
        fail_msg("%s: %s", text, f.message);
    json_decref(v);
}

/* Refused, at this path, with this in the message. */
static void refuses(const char *text, const char *path, const char *message)
{
    struct fault f = FAULT_INIT;
    char where[256];
    json_t *v = parse(text);

    assert_int_equal(property_check(fake_thing_properties(), v, where, &f), -EINVAL);
    assert_string_equal(where, path);
    if (!strstr(f.message, message))
        fail_msg("%s: \"%s\" is not in \"%s\"", text, message, f.message);
    json_decref(v);
}

static void test_accepts(void **state)
{
    (void)state;
    accepts("{}");
    accepts("{\"Name\": \"x\", \"Size\": 80, \"Encrypted\": true}");
    accepts("{\"Size\": \"80\", \"Encrypted\": \"false\", \"Name\": 12}");
    accepts("{\"Size\": {\"Ref\": \"X\"}, \"Name\": {\"Fn::Join\": [\"\", []]}}");
    accepts("{\"Subnets\": [\"a\", {\"Ref\": \"X\"}]}");
    accepts("{\"Subnets\": {\"Fn::Split\": [\",\", {\"Ref\": \"X\"}]}}");
    accepts("{\"Labels\": {\"com.example.a\": \"b\", \"Ref.\": {\"Ref\": \"X\"}}}");
    accepts("{\"Policy\": {\"any\": [1, {\"thing\": null}]}}");
    accepts("{\"Rules\": [{\"Port\": \"1\", \"Ids\": [1, \"2\"]}]}");
    accepts("{\"Box\": {\"Inner\": {\"Deep\": \"x\"}, \"IAM\": \"y\"}}");
}

static void test_refuses(void **state)
{
    (void)state;
    refuses("{\"Nmae\": \"x\"}", "Nmae", "Name, Size, Encrypted");
    refuses("{\"Size\": \"8x\"}", "Size", "a whole number");
    refuses("{\"Size\": \"\"}", "Size", "a whole number");
    refuses("{\"Size\": 1.5}", "Size", "a whole number");
    refuses("{\"Size\": \"99999999999999999999\"}", "Size", "a whole number");
    refuses("{\"Encrypted\": \"yes\"}", "Encrypted", "true or false");
    refuses("{\"Name\": [\"x\"]}", "Name", "a string");
    refuses("{\"Name\": {\"x\": 1}}", "Name", "a string");
    refuses("{\"Name\": {\"Fn::Split\": [\",\", \"x\"]}}", "Name", "a string");
    refuses("{\"Subnets\": \"a\"}", "Subnets", "a list");
    refuses("{\"Subnets\": {\"Ref\": \"X\"}}", "Subnets", "a list");
    refuses("{\"Subnets\": [\"a\", {\"b\": 1}]}", "Subnets[1]", "a string");
    refuses("{\"Labels\": {\"a\": [1]}}", "Labels.a", "a string");
    refuses("{\"Labels\": [1]}", "Labels", "a map of strings");
    refuses("{\"Rules\": [{\"Port\": 1}, {\"Peer\": \"x\"}]}", "Rules[1]", "Port is missing");
    refuses("{\"Rules\": [{\"Port\": 1, \"Prot\": 2}]}", "Rules[0].Prot", "Port, Peer, Ids");
    refuses("{\"Rules\": [{\"Port\": 1, \"Ids\": [1, \"x\"]}]}", "Rules[0].Ids[1]",
            "a whole number");
    refuses("{\"Rules\": {\"Fn::Split\": [\",\", \"x\"]}}", "Rules", "a list");
    refuses("{\"Box\": {\"IAM\": \"x\", \"Inner\": {}}}", "Box.Inner", "Deep is missing");
    refuses("{\"Box\": {\"Ref\": \"X\"}}", "Box", "an object");
    refuses("{\"Rules[]\": 1}", "Rules[]", "is not a property");
    refuses("{\"Box.IAM\": \"x\"}", "Box.IAM", "is not a property");
    refuses("[]", "", "an object");
}

static void test_converts(void **state)
{
    json_t *v = parse(
        "{\"Name\": 12, \"Size\": \"80\", \"Encrypted\": \"true\", \"Subnets\": [1, \"b\"],"
        " \"Labels\": {\"Some.Key\": true}, \"Policy\": {\"Keep\": 1},"
        " \"Rules\": [{\"Port\": \"22\", \"Ids\": [\"7\"]}],"
        " \"Box\": {\"Inner\": {\"Deep\": \"x\"}, \"IAM\": \"y\"}, \"svcfs:Private\": \"p\"}");
    json_t *expected = parse(
        "{\"name\": \"12\", \"theSize\": 80, \"encrypted\": true, \"subnets\": [\"1\", \"b\"],"
        " \"labels\": {\"Some.Key\": \"true\"}, \"policy\": {\"Keep\": 1},"
        " \"rules\": [{\"port\": 22, \"ids\": [7]}],"
        " \"box\": {\"inner\": {\"deep\": \"x\"}, \"iam\": \"y\"}}");
    json_t *out = NULL;
    (void)state;

    assert_int_equal(property_convert(fake_thing_properties(), PROPERTY_LOWER_FIRST, v, &out, NULL),
                     0);
    assert_true(json_equal(out, expected));
    json_decref(out);
    assert_int_equal(property_convert(fake_thing_properties(), PROPERTY_AS_IS, v, &out, NULL), 0);
    assert_int_equal(json_integer_value(json_object_get(out, "theSize")), 80);
    assert_string_equal(json_string_value(json_object_get(out, "Name")), "12");
    json_decref(out);
    json_decref(v);
    json_decref(expected);
}

/* What could not be resolved must never be sent. */
static void test_refuses_to_convert_a_reference(void **state)
{
    static const char *const texts[] = {
        "{\"Name\": {\"Ref\": \"X\"}}",
        "{\"Subnets\": {\"Fn::Split\": [\",\", \"x\"]}}",
        "{\"Labels\": {\"a\": {\"Ref\": \"X\"}}}",
        "{\"Unknown\": 1}",
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        json_t *v = parse(texts[i]), *out = NULL;
        assert_int_equal(property_convert(fake_thing_properties(), PROPERTY_AS_IS, v, &out, NULL),
                         -EINVAL);
        assert_null(out);
        json_decref(v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_converts),
        cmocka_unit_test(test_refuses_to_convert_a_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
