/* XML answers as JSON. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

#include "awsapi/xml.h"
#include "base/buf.h"

static void check(const char *xml, const char *json)
{
    json_t *got = NULL, *want = json_loads(json, 0, NULL);

    assert_non_null(want);
    assert_int_equal(xml_to_json(xml, strlen(xml), &got), 0);
    if (!json_equal(got, want)) {
        char *text = json_dumps(got, 0);

        fail_msg("%s gives %s", xml, text);
    }
    json_decref(got);
    json_decref(want);
}

static void test_forms(void **state)
{
    (void)state;

    check("<A/>", "{\"A\": \"\"}");
    check("<A>x &amp; y&#228;</A>", "{\"A\": \"x & y\\u00e4\"}");
    check("<?xml version='1.0'?><A xmlns='x' q='1'>\n <B>1</B>\n <C/>\n</A>",
          "{\"A\": {\"B\": \"1\", \"C\": \"\"}}");
    check("<A><item>1</item></A>", "{\"A\": [\"1\"]}");
    check("<A><member><K>1</K></member><member/></A>", "{\"A\": [{\"K\": \"1\"}, \"\"]}");
    check("<A><B>1</B><B>2</B><B>3</B></A>", "{\"A\": {\"B\": [\"1\", \"2\", \"3\"]}}");
    check("<A><B><item>1</item></B><B><item>2</item></B></A>",
          "{\"A\": {\"B\": [[\"1\"], [\"2\"]]}}");
    check("<A><item>1</item><B>2</B></A>", "{\"A\": {\"item\": [\"1\"], \"B\": \"2\"}}");
}

static void refuse(const char *xml)
{
    json_t *got = NULL;

    assert_int_equal(xml_to_json(xml, strlen(xml), &got), -EPROTO);
    assert_null(got);
}

static void test_refused(void **state)
{
    _cleanup_buf_ struct buf deep = BUF_INIT(100000);
    (void)state;

    refuse("");
    refuse("<A>");
    refuse("<A></B>");
    refuse("<A/><B/>");
    refuse("{}");
    refuse("<A>\xff</A>");
    refuse("<!DOCTYPE a [<!ENTITY x 'y'>]><A>&x;</A>");
    refuse("<!DOCTYPE html><html/>");
    refuse("<A>&unknown;</A>");
    for (int i = 0; i < 65; i++)
        assert_int_equal(buf_puts(&deep, "<A>"), 0);
    for (int i = 0; i < 65; i++)
        assert_int_equal(buf_puts(&deep, "</A>"), 0);
    refuse(buf_str(&deep));
}

static size_t list_size(const char *json, const char *item)
{
    json_t *object = json_loads(json, 0, NULL), *list;
    size_t n;

    assert_non_null(object);
    list = xml_list(object, "L", item);
    assert_true(json_is_array(list));
    n = json_array_size(list);
    json_decref(list);
    json_decref(object);
    return n;
}

static void test_list(void **state)
{
    (void)state;

    assert_int_equal(list_size("{}", NULL), 0);
    assert_int_equal(list_size("{\"L\": \"\"}", NULL), 0);
    assert_int_equal(list_size("{\"L\": \"\\n  \"}", NULL), 0);
    assert_int_equal(list_size("{\"L\": null}", NULL), 0);
    assert_int_equal(list_size("{\"L\": [1, 2]}", NULL), 2);
    assert_int_equal(list_size("{\"L\": {\"DBInstance\": {\"a\": 1}}}", "DBInstance"), 1);
    assert_int_equal(list_size("{\"L\": {\"DBInstance\": [1, 2, 3]}}", "DBInstance"), 3);
    assert_int_equal(list_size("{\"L\": {\"a\": 1}}", NULL), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
