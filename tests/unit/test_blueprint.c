/*
 * Loading of blueprints: what is accepted, and that everything else is refused with file, line and
 * key. A wrong blueprint is written here with its message beside it; single quotes stand for double
 * ones.
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "provision/plan.h"
#include "tests/unit/fake_types.h"

static char *quotes(const char *s)
{
    char *out = strdup(s);

    for (char *p = out; *p; p++)
        if (*p == '\'')
            *p = '"';
    return out;
}

static struct blueprint *loads_with(const char *text, const char *parameters)
{
    char *t = quotes(text), *p = parameters ? quotes(parameters) : NULL;
    struct blueprint *b = NULL;
    struct fault f = FAULT_INIT;

    if (fake_load(t, p, &b, &f) != 0)
        fail_msg("%s\n%s", t, f.message);
    free(t);
    free(p);
    return b;
}

static void loads(const char *text)
{
    blueprint_unref(loads_with(text, NULL));
}

/* Refused; the message begins with `begin` and has `part` in it. */
static void refuses_with(const char *text, const char *parameters, const char *begin,
                         const char *part)
{
    char *t = quotes(text), *p = parameters ? quotes(parameters) : NULL;
    struct blueprint *b = NULL;
    struct fault f = FAULT_INIT;

    if (fake_load(t, p, &b, &f) != -EINVAL)
        fail_msg("not refused: %s", t);
    assert_null(b);
    if (!str_starts(f.message, begin) || !strstr(f.message, part))
        fail_msg("%s\nis \"%s\",\nnot \"%s\" … \"%s\"", t, f.message, begin, part);
    free(t);
    free(p);
}

static void refuses(const char *text, const char *begin, const char *part)
{
    refuses_with(text, NULL, begin, part);
}

#define R1(properties)                                                                             \
    "{'Resources': {'A': {'Type': 'Custom::Thing',\n 'Properties': {" properties "}}}}"
#define META(settings)                                                                             \
    "{'Metadata': {'svcfs': {\n" settings "}},\n'Resources': {'A': {'Type': 'Custom::Thing'}}}"
#define PARAM(param)                                                                               \
    "{'Parameters': {'P': {\n" param "}},\n'Resources': {'A': {'Type': 'Custom::Thing'}}}"

static void test_accepts(void **state)
{
    (void)state;
    loads("{'Resources': {'A': {'Type': 'Custom::Thing'}}}");
    loads("{'AWSTemplateFormatVersion': '2010-09-09', 'Description': 'd',"
          " 'Metadata': {'cfn-lint': {'config': {}}, 'svcfs': {}},"
          " 'Resources': {'A': {'Type': 'Custom::Thing', 'DeletionPolicy': 'Retain',"
          " 'UpdateReplacePolicy': 'Delete', 'Metadata': {'x': 1}, 'DependsOn': 'B'},"
          " 'B': {'Type': 'Custom::Thing', 'DependsOn': []}},"
          " 'Outputs': {'Url': {'Value': 'x', 'Description': 'y'}}}");
    loads(R1("'Name': {'Fn::Sub': '${AWS::Region}-${!literal}'}, 'Size': '7'"));
    loads(R1("'Size': {'Ref': 'AWS::NoValue'}"));
    loads(R1("'Tags': [{'Key': 'owner', 'Value': 'x'}]"));
}

static void test_sections(void **state)
{
    (void)state;
    refuses("{'Resources': {'A': {'Type': 'Custom::Thing'}},\n\n'Conditions': {}}",
            "wp.json:3: Conditions: ", "is not a section");
    refuses("{'Transform': 'x', 'Resources': {}}", "wp.json:1: Transform: ", "Outputs");
    refuses("{\n\"Resources\": {}}", "wp.json:2: Resources: ", "1 to 100");
    refuses("{'Description': 'x'}", "wp.json:1:", "Resources is missing");
    refuses("{'AWSTemplateFormatVersion': '2011-01-01'}",
            "wp.json:1: AWSTemplateFormatVersion: ", "2010-09-09");
    refuses("[1]", "wp.json:1:", "must be an object");
    refuses("{\n'Resources': {\n]}", "wp.json:3: not JSON", "");
    refuses("{'Resources': {'A': {'Type': 'Custom::Thing'},\n 'A': {'Type': 'Custom::Thing'}}}",
            "wp.json:2: not JSON: duplicate object key", "A");
    refuses("{'Metadata': {'Other': 1}}", "wp.json:1: Metadata.Other: ", "svcfs, cfn-lint");
}

static void test_resources(void **state)
{
    (void)state;
    refuses("{'Resources': {\n'A': {\n'Type': 'AWS::S3::Bucket'}}}",
            "wp.json:3: Resources.A.Type: ",
            "\"AWS::S3::Bucket\" is not a type of svcfs: Custom::Thing");
    refuses("{'Resources': {\n'A': {}}}", "wp.json:2: Resources.A: ", "Type is missing");
    refuses("{'Resources': {'A': {'Type': 'Custom::Thing',\n'CreationPolicy': {}}}}",
            "wp.json:2: Resources.A.CreationPolicy: ", "is not an attribute");
    refuses("{'Resources': {'A': {'Type': 'Custom::Thing',\n'Condition': 'x'}}}",
            "wp.json:2: Resources.A.Condition: ", "is not an attribute");
    refuses("{'Resources': {'A-b': {'Type': 'Custom::Thing'}}}",
            "wp.json:1: Resources.A-b: ", "letters and digits");
    refuses("{'Resources': {'A': {'Type': 'Custom::Thing', 'DeletionPolicy': 'Snapshot'}}}",
            "wp.json:1: Resources.A.DeletionPolicy: ", "Delete or Retain");
    refuses("{'Resources': {'A': {'Type': 'Custom::Thing', 'DependsOn': ['B']}}}",
            "wp.json:1: Resources.A.DependsOn[0]: ", "no resource \"B\"");
    refuses("{'Parameters': {'A': {'Type': 'String', 'Default': 'x'}},\n"
            "'Resources': {'A': {'Type': 'Custom::Thing'}}}",
            "wp.json:2: Resources.A: ", "a parameter has this name");
    refuses("{'Resources': {'T': {'Type': 'Custom::Thing'},\n"
            "'R': {'Type': 'AWS::ElasticLoadBalancingV2::ListenerRule', 'DeletionPolicy': 'Retain',"
            " 'Properties': {'Host': 'h', 'Target': {'Ref': 'T'}}}}}",
            "wp.json:2: Resources.R.DeletionPolicy: ", "cannot be retained");
    refuses("{'Resources': {'A': {'Type': 'Custom::Thing',\n'DependsOn': 'B'},\n"
            "'B': {'Type': 'Custom::Thing', 'Properties': {'Parent': {'Ref': 'A'}}}}}",
            "wp.json:1: Resources.A: a circle: A needs B needs A", "");
    refuses(R1("'Parent': {'Ref': 'A'}"), "wp.json:1: Resources.A: a circle: A needs A", "");
}

static void test_properties(void **state)
{
    (void)state;
    refuses(R1("\n'Nmae': 'x'"), "wp.json:3: Resources.A.Properties.Nmae: ", "there are: Name");
    refuses(R1("'Rules': [{'Port': 1},\n{'Prot': 1}]"),
            "wp.json:3: Resources.A.Properties.Rules[1].Prot: ", "there are: Port");
    refuses(R1("'Size': [1]"), "wp.json:2: Resources.A.Properties.Size: ", "a whole number");
    refuses(R1("\n'Size': 13"), "wp.json:3: Resources.A.Properties.Size: ", "13 is not a size");
    refuses(R1("'Size': null"), "wp.json:2: Resources.A.Properties.Size: ", "null");
    refuses("{'Resources': {'A': {'Type': 'Custom::Thing', 'Properties': {'Name': {'Ref': 'B'}}},"
            "'B': {'Type': 'Custom::Thing'}}}",
            "wp.json:1: Resources.A.Properties.Name: ", "must be known before");
    refuses(R1("'Tags': [{'Key': 'service-id', 'Value': 'x'}]"),
            "wp.json:2: Resources.A.Properties.Tags[0]: ", "set by svcfs");
    refuses(R1("'Tags': [{'Key': {'Fn::Join': ['', ['management-', 'mode']]}, 'Value': 'x'}]"),
            "wp.json:2: Resources.A.Properties.Tags[0]: ", "\"management-mode\"");
    refuses(R1("'Tags': [{'Key': 'svcfs:claim', 'Value': 'x'}]"), "wp.json:2: ", "set by svcfs");
    refuses("{'Resources': {'B': {'Type': 'Custom::Thing'}, 'A': {'Type': 'Custom::Thing',\n"
            "'Properties': {'Tags': [{'Key': {'Ref': 'B'}, 'Value': 'x'}]}}}}",
            "wp.json:2: Resources.A.Properties.Tags[0]: ", "needs no other resource");
    refuses(R1("'svcfs:PriorityRange': '1-2'"), "wp.json:2: ", "is not a property");
}

static void test_functions(void **state)
{
    (void)state;
    refuses(R1("\n'Name': {'Fn::If': ['a', 'b', 'c']}"),
            "wp.json:3: Resources.A.Properties.Name.Fn::If: ", "Ref, Fn::GetAtt, Fn::Sub");
    refuses(R1("'Name': {'Fn::ImportValue': 'x'}"), "wp.json:2: ", "is not a function");
    refuses(R1("'Name': {'Ref': 'Nobody'}"), "wp.json:2: Resources.A.Properties.Name.Ref: ",
            "no parameter and no resource \"Nobody\"");
    refuses(R1("'Name': {'Ref': 'AWS::StackName'}"), "wp.json:2: ", "AWS::Region, AWS::AccountId");
    refuses(R1("'Name': {'Ref': 'A', 'x': 1}"), "wp.json:2: ", "the only key");
    refuses(R1("'Name': {'Ref': ['A']}"), "wp.json:2: ", "must be a name");
    refuses(R1("'Parent': {'Fn::GetAtt': ['A', 'Color']}"),
            "wp.json:2: ", "Custom::Thing has no attribute \"Color\"");
    refuses(R1("'Parent': {'Fn::GetAtt': 'Nobody.Arn'}"), "wp.json:2: ", "no resource \"Nobody\"");
    refuses(R1("'Parent': {'Fn::GetAtt': 'Nobody'}"), "wp.json:2: ", "RESOURCE.ATTRIBUTE");
    refuses(R1("'Name': {'Fn::Sub': 'x${Nobody}'}"), "wp.json:2: ", "\"Nobody\"");
    refuses(R1("'Name': {'Fn::Sub': 'x${'}"), "wp.json:2: ", "${ without");
    refuses(R1("'Name': {'Fn::Sub': ['x', {'Unused': 'y'}]}"),
            "wp.json:2: ", "\"Unused\" is not used");
    refuses(R1("'Name': {'Fn::Join': ['-', 'x']}"), "wp.json:2: ", "must be a list");
    refuses(R1("'Name': {'Fn::Join': ['-', [['x']]]}"), "wp.json:2: ", "must be a string");
    refuses(R1("'Name': {'Fn::Select': [2, ['a', 'b']]}"),
            "wp.json:2: ", "no element 2 in a list of 2");
    refuses(R1("'Name': {'Fn::Select': ['x', ['a', 'b']]}"), "wp.json:2: ", "an index");
    refuses(R1("'Name': {'Fn::Split': [',', 'a,b']}"),
            "wp.json:2: Resources.A.Properties.Name: ", "must be a string");
    refuses(R1("'Subnets': {'Fn::Split': ['', 'a,b']}"), "wp.json:2: ", "DELIMITER");
    refuses(R1("'Name': '{{resolve:ssm:x}}'"),
            "wp.json:2: Resources.A.Properties.Name: ", "{{resolve:}} is not supported");
    refuses(R1("'Name': {'Fn::Join': ['', ['{{res', 'olve:x}}']]}"), "wp.json:2: ", "{{resolve:}}");
    refuses(R1("'Policy': {'a': {'b': ['{{resolve:x}}']}}"), "wp.json:2: ", "{{resolve:}}");
}

static void test_parameters(void **state)
{
    (void)state;
    refuses(PARAM("'Type': 'String'"), "wp.json:1: Parameters.P: ", "no Default and no value");
    refuses(PARAM("'Type': 'String',\n'NoEcho': true"),
            "wp.json:3: Parameters.P.NoEcho: ", "Secrets Manager");
    refuses(PARAM("'Type': 'AWS::SSM::Parameter::Value<String>'"),
            "wp.json:2: Parameters.P.Type: ", "is not a parameter type");
    refuses(PARAM("'Type': 'List<Number>'"),
            "wp.json:2: Parameters.P.Type: ", "CommaDelimitedList");
    refuses(PARAM("'Default': 'x'"), "wp.json:1: Parameters.P: ", "Type is missing");
    refuses(PARAM("'Type': 'String', 'Colour': 1"),
            "wp.json:2: Parameters.P.Colour: ", "AllowedValues");
    refuses(PARAM("'Type': 'Number', 'Default': 'x'"),
            "wp.json:2: Parameters.P.Default: ", "not a number");
    refuses(PARAM("'Type': 'Number', 'Default': 7, 'MaxValue': 6"), "wp.json:2: ", "MaxValue");
    refuses(PARAM("'Type': 'String', 'Default': 'abc', 'MinLength': 4"),
            "wp.json:2: ", "MinLength");
    refuses(PARAM("'Type': 'String', 'Default': 'c', 'AllowedValues': ['a', 'b']"),
            "wp.json:2: ", "AllowedValues");
    /* The pattern holds for the whole value, and for each element. */
    refuses(PARAM("'Type': 'String', 'Default': 'abc', 'AllowedPattern': 'b'"),
            "wp.json:2: ", "AllowedPattern b");
    refuses(PARAM("'Type': 'CommaDelimitedList', 'Default': 'b,c', 'AllowedPattern': 'b'"),
            "wp.json:2: ", "\"c\" does not match");
    refuses(PARAM("'Type': 'String', 'Default': '1', 'AllowedPattern': '\\\\d'"),
            "wp.json:2: Parameters.P.AllowedPattern: ", "not POSIX");
    refuses(PARAM("'Type': 'String', 'Default': '1', 'AllowedPattern': 'a)|(b'"),
            "wp.json:2: Parameters.P.AllowedPattern: ", "regular expression");
    refuses(PARAM("'Type': 'String', 'Default': '{{resolve:ssm:x}}'"),
            "wp.json:2: ", "{{resolve:}}");
    refuses("{'Parameters': {'ServiceId': {'Type': 'Number'}}}",
            "wp.json:1: Parameters.ServiceId: ", "filled in by svcfs");
    refuses("{'Parameters': {'ServiceFamily': {'Type': 'String', 'AllowedPattern': 'other'}},"
            "'Resources': {'A': {'Type': 'Custom::Thing'}}}",
            "wp.json:1: ", "ServiceFamily: \"wp\" does not match");
}

static void test_parameter_file(void **state)
{
    static const char good[] = PARAM("'Type': 'String'");
    (void)state;

    blueprint_unref(loads_with(good, "[{'ParameterKey': 'P', 'ParameterValue': 'x'}]"));
    refuses_with(good, "[\n{'ParameterKey': 'Q', 'ParameterValue': 'x'}]",
                 "wp.parameters.json:2: [0]: ", "no parameter \"Q\"");
    refuses_with(good, "[{'ParameterKey': 'P', 'ParameterValue': 'x', 'UsePreviousValue': true}]",
                 "wp.parameters.json:1: [0]: ", "nothing else");
    refuses_with(good, "{'Parameters': {'P': 'x'}}", "wp.parameters.json:1:", "must be a list");
    refuses_with(good,
                 "[{'ParameterKey': 'P', 'ParameterValue': 'x'},\n"
                 "{'ParameterKey': 'P', 'ParameterValue': 'x'}]",
                 "wp.parameters.json:2: [1]: ", "twice");
    refuses_with(good, "[{'ParameterKey': 'P',\n'ParameterValue': ['x']}]",
                 "wp.parameters.json:2: [0].ParameterValue: ", "must be a string");
    refuses_with("{'Parameters': {'ServiceId': {'Type': 'String'}},"
                 "'Resources': {'A': {'Type': 'Custom::Thing'}}}",
                 "[{'ParameterKey': 'ServiceId', 'ParameterValue': 'x'}]",
                 "wp.parameters.json:1: [0]: ", "filled in");
    refuses_with(good, "[", "wp.parameters.json:1: not JSON", "");
}

/* A list in the place of a string, and the reverse, is seen at load. */
static void test_lists_and_strings(void **state)
{
    (void)state;
#define WITH_LIST(properties)                                                                      \
    "{'Parameters': {'L': {'Type': 'List<AWS::EC2::Subnet::Id>', 'Default': 'a, b'},\n"            \
    "'S': {'Type': 'String', 'Default': 'x'}},\n"                                                  \
    "'Resources': {'A': {'Type': 'Custom::Thing', 'Properties': {" properties "}}}}"
    loads(WITH_LIST("'Subnets': {'Ref': 'L'}, 'Name': {'Fn::Select': [1, {'Ref': 'L'}]}"));
    loads(WITH_LIST("'Name': {'Fn::Join': ['-', {'Ref': 'L'}]}"));
    refuses(WITH_LIST("'Name': {'Ref': 'L'}"),
            "wp.json:3: Resources.A.Properties.Name: ", "a string");
    refuses(WITH_LIST("'Name': {'Fn::Sub': '${L}'}"), "wp.json:3: ", "is a list");
    refuses(WITH_LIST("'Name': {'Fn::Join': ['-', [{'Ref': 'L'}]]}"),
            "wp.json:3: ", "must be a string");
    refuses(WITH_LIST("'Subnets': {'Ref': 'S'}"),
            "wp.json:3: Resources.A.Properties.Subnets: ", "a list");
    refuses(WITH_LIST("'Subnets': [{'Ref': 'L'}]"), "wp.json:3: ", "a string");
}

static void test_outputs(void **state)
{
    (void)state;
#define OUT(outputs) "{'Resources': {'A': {'Type': 'Custom::Thing'}},\n'Outputs': {" outputs "}}"
    refuses(OUT("'Url': {'Value': 'x'},\n'URL': {'Value': 'y'}"),
            "wp.json:3: Outputs.URL: ", "equal to Url");
    refuses(OUT("'Url': {'Value': 'x', 'Export': {'Name': 'y'}}"),
            "wp.json:2: Outputs.Url.Export: ", "is not an attribute");
    refuses(OUT("'Url': {}"), "wp.json:2: Outputs.Url: ", "Value is missing");
    refuses(OUT("'Url': {'Value': ['x']}"), "wp.json:2: Outputs.Url.Value: ", "one string");
    refuses(OUT("'Url': {'Value': {'Fn::Split': [',', {'Ref': 'A'}]}}"),
            "wp.json:2: ", "one string");
    refuses(OUT("'U-l': {'Value': 'x'}"), "wp.json:2: Outputs.U-l: ", "letters and digits");
    refuses(OUT("'Url': {'Value': {'Ref': 'B'}}"), "wp.json:2: Outputs.Url.Value.Ref: ", "\"B\"");
}

static void test_settings(void **state)
{
    struct blueprint *b;
    const struct blueprint_settings *s;
    (void)state;

    b = loads_with("{'Resources': {'A': {'Type': 'Custom::Thing'}}}", NULL);
    s = blueprint_settings(b);
    assert_int_equal(s->create_timeout_ms, 1200000);
    assert_int_equal(s->max_deletes_per_minute, 5);
    assert_int_equal(s->delete_grace_ms, 10000);
    assert_false(s->is_protected);
    assert_false(s->rollback);
    blueprint_unref(b);

    b = loads_with(META("'CreateTimeout': 60, 'MaxDeletesPerMinute': 9, 'Protected': true,"
                        "'DeleteGrace': 0, 'OnFailure': 'ROLLBACK'"),
                   NULL);
    s = blueprint_settings(b);
    assert_int_equal(s->create_timeout_ms, 60000);
    assert_int_equal(s->max_deletes_per_minute, 9);
    assert_int_equal(s->delete_grace_ms, 0);
    assert_true(s->is_protected);
    assert_true(s->rollback);
    blueprint_unref(b);

    refuses(META("'Colour': 1"), "wp.json:2: Metadata.svcfs.Colour: ", "ServiceIdPattern");
    refuses(META("'CreateTimeout': 0"),
            "wp.json:2: Metadata.svcfs.CreateTimeout: ", "from 1 to 86400");
    refuses(META("'CreateTimeout': '60'"), "wp.json:2: ", "whole number");
    refuses(META("'MaxDeletesPerMinute': -1"), "wp.json:2: ", "from 1 to 1000");
    refuses(META("'Protected': 'yes'"), "wp.json:2: ", "true or false");
    refuses(META("'OnFailure': 'DELETE'"), "wp.json:2: ", "KEEP or ROLLBACK");
    refuses(META("'PriorityRange': '9-3'"), "wp.json:2: ", "A <= B");
    refuses(META("'PriorityRange': '0-3'"), "wp.json:2: ", "1 <= A");
    refuses(META("'PriorityRange': '1-60000'"), "wp.json:2: ", "50000");
    refuses(META("'PriorityRange': '1-3x'"), "wp.json:2: ", "A-B");
    refuses(META("'ServiceIdPattern': '['"),
            "wp.json:2: Metadata.svcfs.ServiceIdPattern: ", "POSIX");
    refuses(META("'NextId': 'abc'"), "wp.json:2: ", "least one");
    refuses(META("'NextId': 'N?'"), "wp.json:2: ", "[a-z0-9-]");
    refuses(META("'ServiceIdPattern': 'x[0-9]{5}'"),
            "wp.json:1: Metadata.svcfs: ", "NextId n???????");
}

static void test_ids(void **state)
{
    struct blueprint *b;
    char id[64], other[64];
    (void)state;

    b = loads_with("{'Resources': {'A': {'Type': 'Custom::Thing'}}}", NULL);
    assert_int_equal(blueprint_check_id(b, "n91bet54", NULL), 0);
    assert_int_equal(blueprint_check_id(b, "abc", NULL), -EINVAL);
    assert_int_equal(blueprint_check_id(b, "N91bet54", NULL), -EINVAL);
    assert_int_equal(blueprint_check_id(b, "n91 bet54", NULL), -EINVAL);
    assert_int_equal(blueprint_check_id(b, "n91'bet54", NULL), -EINVAL);
    assert_int_equal(blueprint_check_id(b, "n91bet54\n", NULL), -EINVAL);
    assert_int_equal(blueprint_check_id(b, "abcdefghijklmnopqrstuvwxyzabcd", NULL), -EINVAL);
    assert_int_equal(blueprint_check_id(b, "plan", NULL), -EINVAL);
    assert_int_equal(blueprint_check_id(b, "resources", NULL), -EINVAL);
    assert_int_equal(blueprint_check_id(b, "", NULL), -EINVAL);
    assert_int_equal(blueprint_next_id(b, id, NULL), 0);
    assert_int_equal(strlen(id), 8);
    assert_int_equal(id[0], 'n');
    assert_int_equal(blueprint_next_id(b, other, NULL), 0);
    assert_string_not_equal(id, other);
    blueprint_unref(b);

    /* A pattern that allows everything still leaves the limits of a host name, and of each
     * alternative the whole. */
    b = loads_with(META("'ServiceIdPattern': '.*|x', 'NextId': 'wp-##?'"), NULL);
    assert_int_equal(blueprint_check_id(b, "a-", NULL), -EINVAL);
    assert_int_equal(blueprint_check_id(b, "a.b", NULL), -EINVAL);
    assert_int_equal(blueprint_check_id(b, "next-id", NULL), -EINVAL);
    assert_int_equal(blueprint_check_id(b, "a-b", NULL), 0);
    assert_int_equal(blueprint_check_id(b, "abcdefghijklmnopqrstuvwxyzabcdef", NULL), 0);
    assert_int_equal(blueprint_check_id(b, "abcdefghijklmnopqrstuvwxyzabcdefg", NULL), -EINVAL);
    assert_int_equal(blueprint_next_id(b, id, NULL), 0);
    assert_int_equal(strlen(id), 6);
    assert_int_equal(strspn(id + 3, "0123456789") >= 2, 1);
    blueprint_unref(b);

    b = loads_with("{'Parameters': {'ServiceId': {'Type': 'String', 'AllowedPattern': 'n.*'}},"
                   "'Resources': {'A': {'Type': 'Custom::Thing'}}}",
                   NULL);
    assert_int_equal(blueprint_check_id(b, "m91bet54", NULL), -EINVAL);
    assert_int_equal(blueprint_check_id(b, "n91bet54", NULL), 0);
    blueprint_unref(b);
}

static void test_hash(void **state)
{
    struct blueprint *a = loads_with(PARAM("'Type': 'String', 'Default': 'x'"), NULL);
    struct blueprint *b = loads_with(PARAM("'Type': 'String', 'Default': 'x'"), "[]");
    struct blueprint *c = loads_with(PARAM("'Type': 'String', 'Default': 'y'"), NULL);
    struct blueprint *d = loads_with(PARAM("'Type': 'String', 'Default': 'x'"), NULL);
    (void)state;

    assert_int_equal(strlen(blueprint_hash(a)), 16);
    assert_string_equal(blueprint_hash(a), blueprint_hash(d));
    assert_string_not_equal(blueprint_hash(a), blueprint_hash(b));
    assert_string_not_equal(blueprint_hash(a), blueprint_hash(c));
    assert_string_equal(blueprint_family(a), "wp");
    blueprint_unref(a);
    blueprint_unref(b);
    blueprint_unref(c);
    blueprint_unref(d);
}

/* So many resources that a service's record could pass 4,000 bytes. */
static void test_record_size(void **state)
{
    char text[16384] = "{'Resources': {";
    (void)state;

    for (unsigned i = 0; i < 40; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text),
                 "%s\n'AQuiteLongNameOfAResourceForTheRecord%u': {'Type': 'Custom::Thing'}",
                 i ? "," : "", i);
    strcat(text, "}}");
    refuses(text, "wp.json:1: Resources: ", "record could have");
}

/* Nesting that would need a deep stack is refused, and does not need one. */
static void test_depth(void **state)
{
    char text[8192] = "{'Resources': {'A': {'Type': 'Custom::Thing', 'Properties': {'Policy': ";
    (void)state;

    for (unsigned i = 0; i < 500; i++)
        strcat(text, "[");
    for (unsigned i = 0; i < 500; i++)
        strcat(text, "]");
    strcat(text, "}}}}");
    refuses(text, "wp.json:1: Resources.A.Properties.Policy[0]", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_sections),
        cmocka_unit_test(test_resources),
        cmocka_unit_test(test_properties),
        cmocka_unit_test(test_functions),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_parameter_file),
        cmocka_unit_test(test_lists_and_strings),
        cmocka_unit_test(test_outputs),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_record_size),
        cmocka_unit_test(test_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
