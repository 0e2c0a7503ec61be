/* Plans: order, needs, both passes of resolution, outputs. Single quotes stand for double ones. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "provision/plan.h"
#include "tests/unit/fake_types.h"

static struct plan *plan_of(const char *text, const char *id)
{
    char *t = strdup(text);
    struct blueprint *b = NULL;
    struct plan *p = NULL;
    struct fault f = FAULT_INIT;

    for (char *c = t; *c; c++)
        if (*c == '\'')
            *c = '"';
    if (fake_load(t, NULL, &b, &f) != 0 || plan_new(b, id, SAMPLE_CLAIM, &p, &f) != 0)
        fail_msg("%s", f.message);
    blueprint_unref(b);
    free(t);
    return p;
}

static void assert_json(json_t *v, const char *expected)
{
    char *t = strdup(expected);
    char *got = json_dumps(v, JSON_COMPACT);

    for (char *c = t; *c; c++)
        if (*c == '\'')
            *c = '"';
    assert_string_equal(got, t);
    free(got);
    free(t);
}

static const char *order_of(struct plan *p)
{
    static char out[200];

    *out = '\0';
    for (size_t i = 0; i < p->n_steps; i++)
        snprintf(out + strlen(out), sizeof(out) - strlen(out), "%s%s", i ? " " : "",
                 p->steps[i].logical);
    return out;
}

#define THING(name, rest) "'" name "': {'Type': 'Custom::Thing'" rest "}"

static void test_order(void **state)
{
    struct plan *p = plan_of(
        "{'Resources': {" THING("D", ", 'DependsOn': ['C', 'A']") "," THING("C", "") "," THING(
            "B", ", 'Properties': {'Name': 'x', 'Parent': {'Fn::Sub': "
                 "'${C.Arn}'}}") "," THING("A", ", 'Properties': {'Labels': "
                                                "{'k': {'Ref': 'C'}}}") "}}",
        "n91bet54");
    (void)state;

    assert_string_equal(order_of(p), "C B A D");
    assert_int_equal(p->steps[0].n_needs, 0);
    assert_int_equal(p->steps[1].n_needs, 1);
    assert_int_equal(p->steps[1].needs[0], 0);
    assert_int_equal(p->steps[3].n_needs, 2);
    assert_int_equal(p->steps[3].needs[0], 0);
    assert_int_equal(p->steps[3].needs[1], 2);
    plan_free(p);
    /* Without needs: as they stand. */
    p = plan_of("{'Resources': {" THING("Z", "") "," THING("A", "") "," THING("M", "") "}}",
                "n91bet54");
    assert_string_equal(order_of(p), "Z A M");
    plan_free(p);
}

static const char parameters[] =
    "{'Parameters': {'ServiceId': {'Type': 'String'}, 'ServiceFamily': {'Type': 'String'},"
    " 'ServiceClaim': {'Type': 'String'}, 'N': {'Type': 'Number', 'Default': 80},"
    " 'L': {'Type': 'CommaDelimitedList', 'Default': 'a, b ,c'},"
    " 'S': {'Type': 'String', 'Default': '${ServiceId}'}},";

static void test_parameters(void **state)
{
    char text[2048];
    struct plan *p;
    (void)state;

    snprintf(
        text, sizeof(text), "%s'Resources': {%s}}", parameters,
        THING(
            "A",
            ", 'Properties': {'Name': {'Fn::Sub': '${ServiceFamily}/${ServiceId}-${ServiceClaim}'},"
            " 'Size': {'Ref': 'N'}, 'Subnets': {'Ref': 'L'},"
            " 'Parent': {'Fn::Sub': ['${x}${!y}${S}', {'x': {'Fn::Select': ['1', {'Ref': 'L'}]}}]},"
            " 'Encrypted': {'Ref': 'AWS::NoValue'},"
            " 'Rules': [{'Ref': 'AWS::NoValue'}, {'Port': {'Ref': 'N'}, 'Peer':"
            " {'Fn::Join': ['|', [{'Ref': 'AWS::Region'}, {'Ref': 'AWS::AccountId'}, {'Ref': "
            "'AWS::Partition'},"
            " {'Ref': 'AWS::NoValue'}, 1, true]]}}],"
            " 'Labels': {'j': {'Fn::Join': ['+', {'Fn::Split': ['-', 'x-y']}]}}}"));
    p = plan_of(text, "n91bet54");
    /* The text that a parameter brings in is not looked at for ${…} again. */
    assert_json(p->steps[0].properties,
                "{'Name':'wp/n91bet54-" SAMPLE_CLAIM "','Size':'80','Subnets':['a','b','c'],"
                "'Parent':'b${y}${ServiceId}',"
                "'Rules':[{'Port':'80','Peer':'eu-central-1|123456789012|aws|1|true'}],"
                "'Labels':{'j':'x+y'}}");
    assert_json(p->steps[0].identity, "{'n':'wp/n91bet54-" SAMPLE_CLAIM "'}");
    plan_free(p);
}

struct states {
    struct step_state st[4];
    bool made[4];
};

static const struct step_state *state_of(void *arg, size_t step)
{
    struct states *s = arg;
    return s->made[step] ? &s->st[step] : NULL;
}

static const char linked[] = "{'Parameters': {'ServiceId': {'Type': 'String'}},"
                             "'Resources': {" THING("A", "") "," THING(
                                 "B", ", 'Properties': {"
                                      "'Parent': {'Ref': 'A'}, 'Labels': {'arn': {'Fn::GetAtt': "
                                      "['A', 'Arn']},"
                                      " 'sub': {'Fn::Sub': 'x-${ServiceId}-${A.Host}-${A}'},"
                                      " 'part': {'Fn::Select': [1, {'Fn::Split': [':', "
                                      "{'Fn::GetAtt': 'A.Arn'}]}]}},"
                                      " 'Subnets': {'Fn::Split': [':', {'Fn::GetAtt': "
                                      "'A.Arn'}]}}") "},"
                                                     "'Outputs': {'Url': {'Value': {'Fn::Sub': "
                                                     "'https://${ServiceId}.${A.Host}/'}},"
                                                     " 'Number': {'Value': 7}, 'Id': {'Value': "
                                                     "{'Ref': 'B'}}}}";

static void test_references(void **state)
{
    struct plan *p = plan_of(linked, "n91bet54");
    struct states s = {.made = {true, true}};
    struct fault f = FAULT_INIT;
    json_t *v = NULL;
    (void)state;

    assert_json(
        p->steps[1].properties,
        "{'Parent':{'Ref':'A'},'Labels':{'arn':{'Fn::GetAtt':['A','Arn']},"
        "'sub':{'Fn::Join':['',['x-','n91bet54','-',{'Fn::GetAtt':['A','Host']},'-',{'Ref':'A'}]]},"
        "'part':{'Fn::Select':[1,{'Fn::Split':[':',{'Fn::GetAtt':['A','Arn']}]}]}},"
        "'Subnets':{'Fn::Split':[':',{'Fn::GetAtt':['A','Arn']}]}}");
    strcpy(s.st[0].physical, "id-a");
    strcpy(s.st[1].physical, "id-b");
    s.st[0].attributes = json_pack("{s:s,s:s}", "Arn", "arn:aws:x", "Host", "h");
    assert_int_equal(plan_resolve(p, 1, state_of, &s, &v, &f), 0);
    assert_json(
        v, "{'Parent':'id-a','Labels':{'arn':'arn:aws:x','sub':'x-n91bet54-h-id-a','part':'aws'},"
           "'Subnets':['arn','aws','x']}");
    json_decref(v);
    assert_int_equal(plan_outputs(p, state_of, &s, &v, &f), 0);
    assert_json(v, "{'url':'https://n91bet54.h/','number':'7','id':'id-b'}");
    json_decref(v);

    /* What is missing is said, and nothing half resolved is given. */
    v = NULL;
    json_object_del(s.st[0].attributes, "Host");
    assert_int_equal(plan_resolve(p, 1, state_of, &s, &v, &f), -EINVAL);
    assert_non_null(strstr(f.message, "A gives no Host"));
    assert_int_equal(plan_outputs(p, state_of, &s, &v, &f), -EINVAL);
    s.made[0] = false;
    assert_int_equal(plan_resolve(p, 1, state_of, &s, &v, &f), -EINVAL);
    assert_non_null(strstr(f.message, "A is not made yet"));
    assert_null(v);
    json_decref(s.st[0].attributes);
    plan_free(p);
}

static void test_identity(void **state)
{
    struct plan *a = plan_of("{'Resources': {" THING("A", "") "}}", "n91bet54");
    struct plan *b = plan_of("{'Resources': {" THING("A", "") "}}", "n91bet54");
    struct plan *c = plan_of("{'Resources': {" THING("B", "") "}}", "n91bet54");
    char name[65], token[TOKEN_SIZE];
    (void)state;

    assert_int_equal(naming_token(SAMPLE_CLAIM, "A", token), 0);
    assert_int_equal(naming_default("n91bet54", token, 64, name), 0);
    assert_string_equal(json_string_value(json_object_get(a->steps[0].identity, "n")), name);
    assert_true(json_equal(a->steps[0].identity, b->steps[0].identity));
    assert_false(json_equal(a->steps[0].identity, c->steps[0].identity));
    plan_free(a);
    plan_free(b);
    plan_free(c);
}

static void test_priority_range(void **state)
{
    struct plan *p = plan_of(
        "{'Metadata': {'svcfs': {'PriorityRange': '100-200'}}, 'Resources': {" THING(
            "T", ", 'DeletionPolicy': 'Retain'") ","
                                                 "'R': {'Type': "
                                                 "'AWS::ElasticLoadBalancingV2::ListenerRule', "
                                                 "'Properties':"
                                                 " {'Host': 'h', 'Target': {'Ref': 'T'}}}}}",
        "n91bet54");
    struct states s = {.made = {true}};
    json_t *v = NULL;
    (void)state;

    assert_true(p->steps[0].retain);
    assert_false(p->steps[1].retain);
    assert_json(p->steps[1].identity, "{'t':'!T'}");
    assert_json(p->steps[0].properties, "{}");
    strcpy(s.st[0].physical, "tg");
    assert_int_equal(plan_resolve(p, 1, state_of, &s, &v, NULL), 0);
    assert_json(v, "{'Host':'h','Target':'tg','svcfs:PriorityRange':'100-200'}");
    json_decref(v);
    plan_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),          cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_references),     cmocka_unit_test(test_identity),
        cmocka_unit_test(test_priority_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
