/*
 * The eleven resource types against a transport that answers from a script: what each look makes of
 * an answer, what is sent, and what is never sent.
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "awsapi/client.h"
#include "base/clock.h"
#include "base/str.h"
#include "provision/property.h"
#include "provision/type.h"
#include "provision/types/common.h"
#include "provision/types/priority.h"

#define CLAIM "abcdefghijklmnopqrstuvwxyz"
#define ARN "arn:aws:elasticloadbalancing:eu-central-1:123456789012:"
#define TG ARN "targetgroup/site-0123/73e2d6bc24d8a067"
#define LISTENER(n) ARN "listener/app/wp/50dc6c495c0c9188/" n

/* --- the scripted AWS --- */

struct answer {
    const char *match;     /* text of url, X-Amz-Target or body */
    const char *match_too; /* further text of the body, or NULL */
    int status;
    const char *body;
    int times; /* 0: always */
    int used;
};

struct lab {
    struct http_transport transport;
    struct clock_fake clock;
    struct aws_client *aws;
    struct aws_config config;
    struct answer *script;
    size_t n_script;
    char log[65536]; /* one line a request: its body */
    struct aws_ctx call;
    json_t *identity, *tags;
    struct step_state others; /* what ctx->other gives for any step */
    int other_err;
    char events[1024];
};

static const struct answer *find_answer(struct lab *l, const struct http_request *r,
                                        const char *body)
{
    for (size_t i = 0; i < l->n_script; i++) {
        struct answer *a = &l->script[i];
        bool found = strstr(r->url, a->match) || strstr(body, a->match);
        for (size_t h = 0; h < r->n_headers; h++)
            found |= strstr(r->headers[h], a->match) != NULL;
        if (!found || (a->match_too && !strstr(body, a->match_too)) ||
            (a->times && a->used >= a->times))
            continue;
        a->used++;
        return a;
    }
    return NULL;
}

static int fake_send(struct http_transport *t, const struct http_request *r,
                     struct cancel *cancel _unused_, struct http_response *ret, struct fault *f)
{
    struct lab *l = (struct lab *)t;
    _cleanup_free_ char *body = strndup(r->body ? r->body : "", r->body_len);
    const struct answer *a = find_answer(l, r, body);

    size_t n = strlen(l->log);
    snprintf(l->log + n, sizeof(l->log) - n, "%s %s %s\n", r->method, r->url, body);
    if (!a) {
        print_error("no answer for %s %s\n", r->url, body);
        return fault_set(f, -EHOSTUNREACH, "the script has no answer");
    }
    *ret = (struct http_response){
        .status = a->status, .body = BUF_INIT(1 << 20), .headers = BUF_INIT(1 << 16)};
    buf_puts(&ret->body, a->body);
    buf_puts(&ret->headers, "x-amzn-requestid: 1\n");
    return 0;
}

static void fake_free(struct http_transport *t _unused_)
{
}

static int fake_other(struct step_ctx *s, const char *logical _unused_, struct step_state *ret,
                      struct fault *f)
{
    struct lab *l = s->driver;

    if (l->other_err)
        return fault_set(f, l->other_err, "not there");
    *ret = l->others;
    return 0;
}

static void fake_event(struct step_ctx *s, const char *action, const char *physical _unused_,
                       const char *text)
{
    struct lab *l = s->driver;
    size_t n = strlen(l->events);

    snprintf(l->events + n, sizeof(l->events) - n, "%s: %s\n", action, text);
}

static struct step_ctx begin(struct lab *l, struct answer *script, size_t n, const char *token,
                             json_t *identity)
{
    *l = (struct lab){.transport = {.send = fake_send, .free = fake_free},
                      .script = script,
                      .n_script = n,
                      .identity = identity,
                      .config = {.profile = (char *)"default",
                                 .region = (char *)"eu-central-1",
                                 .access_key_id = (char *)"AK",
                                 .secret_access_key = (char *)"SK"}};
    clock_fake_init(&l->clock, 1000000, 1700000000000);
    struct aws_client_options o = {.config = &l->config,
                                   .transport = &l->transport,
                                   .clock = &l->clock.clock,
                                   .rate_share = 100};
    assert_int_equal(aws_client_new(&o, &l->aws, NULL), 0);
    l->tags = json_pack("{s:s, s:s}", TAG_MODE, MODE_AUTOMATIC, TAG_CLAIM, CLAIM);
    return (struct step_ctx){.aws = l->aws,
                             .call = &l->call,
                             .clock = &l->clock.clock,
                             .service_id = "site",
                             .family = "wp",
                             .claim = CLAIM,
                             .region = "eu-central-1",
                             .account = "123456789012",
                             .partition = "aws",
                             .logical = "Step",
                             .token = token,
                             .identity = identity,
                             .tags = l->tags,
                             .other = fake_other,
                             .event = fake_event,
                             .driver = l};
}

static void end(struct lab *l)
{
    aws_client_free(l->aws);
    json_decref(l->tags);
    json_decref(l->identity);
}

static size_t sent(const struct lab *l, const char *text)
{
    size_t n = 0;

    for (const char *p = l->log; (p = strstr(p, text)); p += strlen(text))
        n++;
    return n;
}

static json_t *parse(const char *text)
{
    json_error_t e;
    json_t *j = json_loads(text, 0, &e);

    if (!j)
        print_error("%s: %s\n", e.text, text);
    assert_non_null(j);
    return j;
}

/* --- the table --- */

static void table(void **state)
{
    (void)state;
    static const char *const codes[] = {"secret", "sg", "fs",  "mt", "ap",  "tg",
                                        "rule",   "td", "svc", "db", "user"};
    size_t n = 0;

    for (; type_at(n); n++) {
        const struct resource_type *t = type_at(n);
        assert_ptr_equal(type_by_name(t->name), t);
        assert_ptr_equal(type_by_code(t->code), t);
        assert_true(t->identity && t->look && t->create && t->remove && t->properties);
        assert_true(t->short_id_max > 0 && t->short_id_max < 256);
        for (const struct property *p = t->properties; p->path; p++)
            for (const struct property *q = p + 1; q->path; q++)
                assert_string_not_equal(p->path, q->path);
    }
    assert_int_equal(n, ARRAY_SIZE(codes));
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
        assert_non_null(type_by_code(codes[i]));
    assert_null(type_by_name("AWS::S3::Bucket"));
    assert_null(type_by_code("s3"));
}

/* --- identities and checks --- */

static const struct {
    const char *code, *properties, *identity; /* identity NULL: refused */
} identities[] = {
    {"secret", "{}", "{\"n\":\"wp/site/Step\"}"},
    {"secret", "{\"Name\":\"x\"}", "{\"n\":\"x\"}"},
    {"secret", "{\"Name\":{\"Ref\":\"A\"}}", NULL},
    {"sg", "{\"VpcId\":\"vpc-1\"}", "{\"n\":\"site-01234567\",\"v\":\"vpc-1\"}"},
    {"sg", "{\"VpcId\":{\"Ref\":\"A\"}}", NULL},
    {"sg", "{}", NULL},
    {"fs", "{}", "{}"},
    {"mt", "{\"FileSystemId\":{\"Ref\":\"Fs\"},\"SubnetId\":\"subnet-1\"}",
     "{\"f\":\"!Fs\",\"s\":\"subnet-1\"}"},
    {"mt", "{\"FileSystemId\":{\"Fn::GetAtt\":[\"Fs\",\"FileSystemId\"]},\"SubnetId\":\"s\"}",
     "{\"f\":\"!Fs\",\"s\":\"s\"}"},
    {"mt", "{\"FileSystemId\":\"fs-1\",\"SubnetId\":\"subnet-1\"}", NULL},
    {"mt", "{\"FileSystemId\":{\"Ref\":\"Fs\"},\"SubnetId\":{\"Ref\":\"B\"}}", NULL},
    {"ap", "{\"FileSystemId\":\"fs-1\"}", "{\"f\":\"fs-1\"}"},
    {"ap", "{\"FileSystemId\":{\"Ref\":\"Fs\"}}", "{\"f\":\"!Fs\"}"},
    {"ap", "{\"FileSystemId\":\"!Fs\"}", NULL},
    {"ap", "{}", NULL},
    {"tg", "{}", "{\"n\":\"site-01234567\"}"},
    {"tg", "{\"Name\":\"-a\"}", NULL},
    {"tg", "{\"Name\":\"abcdefghijklmnopqrstuvwxyzabcdefg\"}", NULL},
    {"tg", "{\"Name\":\"a_b\"}", NULL},
    {"rule", "{\"Actions\":[{\"Type\":\"forward\",\"TargetGroupArn\":{\"Ref\":\"Tg\"}}]}",
     "{\"t\":\"!Tg\"}"},
    {"rule", "{\"Actions\":[{\"Type\":\"forward\",\"TargetGroupArn\":\"" TG "\"}]}", NULL},
    {"rule", "{\"Actions\":[{\"Type\":\"redirect\"}]}", NULL},
    {"rule", "{\"Actions\":[]}", NULL},
    {"td", "{}", "{\"n\":\"site-01234567\"}"},
    {"td", "{\"Family\":\"a b\"}", NULL},
    {"svc", "{\"Cluster\":\"c\"}", "{\"c\":\"c\",\"n\":\"site-01234567\"}"},
    {"svc", "{}", NULL},
    {"db", "{\"Instance\":\"h:3306\",\"AdminSecret\":\"a\",\"Name\":\"site\"}",
     "{\"i\":\"h:3306\",\"a\":\"a\",\"n\":\"site\"}"},
    {"db", "{\"Instance\":\"wp-db\",\"AdminSecret\":\"a\",\"Name\":\"site\"}",
     "{\"i\":\"wp-db\",\"a\":\"a\",\"n\":\"site\"}"},
    {"db", "{\"Instance\":\"h:0\",\"AdminSecret\":\"a\",\"Name\":\"site\"}", NULL},
    {"db", "{\"Instance\":\"::1:3306\",\"AdminSecret\":\"a\",\"Name\":\"site\"}", NULL},
    {"db", "{\"Instance\":\"[::1]:3306\",\"AdminSecret\":\"a\",\"Name\":\"site\"}",
     "{\"i\":\"[::1]:3306\",\"a\":\"a\",\"n\":\"site\"}"},
    {"db", "{\"Instance\":\"h:1\",\"AdminSecret\":\"a\",\"Name\":\"x`y\"}", NULL},
    {"db", "{\"Instance\":\"h:1\",\"AdminSecret\":\"a\",\"Name\":\"mysql\"}", NULL},
    {"user",
     "{\"Instance\":\"h:1\",\"AdminSecret\":\"a\",\"Name\":\"u\",\"PasswordSecret\":{\"Ref\":\"S\"}"
     ","
     "\"Database\":{\"Ref\":\"D\"}}",
     "{\"i\":\"h:1\",\"a\":\"a\",\"n\":\"u\",\"p\":\"!S\",\"d\":\"!D\"}"},
    {"user", "{\"Instance\":\"h:1\",\"AdminSecret\":\"a\",\"Name\":\"u\"}", NULL},
};

static void identity(void **state)
{
    (void)state;
    struct step_ctx s = {.service_id = "site",
                         .family = "wp",
                         .claim = CLAIM,
                         .logical = "Step",
                         .token = "0123456789abcdef0123456789abcdef"};

    for (size_t i = 0; i < ARRAY_SIZE(identities); i++) {
        _cleanup_json_ json_t *props = parse(identities[i].properties);
        _cleanup_json_ json_t *id = NULL;
        struct fault f = FAULT_INIT;
        int r = type_by_code(identities[i].code)->identity(&s, props, &id, &f);
        if (!identities[i].identity) {
            assert_int_equal(r, -EINVAL);
            assert_true(*f.message);
            continue;
        }
        assert_int_equal(r, 0);
        _cleanup_json_ json_t *wanted = parse(identities[i].identity);
        assert_true(json_equal(id, wanted));
    }
}

static void group_named_like_an_id(void **state)
{
    (void)state;
    struct step_ctx s = {.service_id = "sg-x",
                         .family = "wp",
                         .claim = CLAIM,
                         .logical = "Step",
                         .token = "0123456789abcdef0123456789abcdef"};
    _cleanup_json_ json_t *props = parse("{\"VpcId\":\"vpc-1\"}"), *id = NULL;

    assert_int_equal(type_security_group.identity(&s, props, &id, NULL), 0);
    assert_string_equal(type_text(id, "n"), "sg_x-01234567");
}

static const struct {
    const char *code, *properties;
    int err;
} checks[] = {
    {"sg", "{\"SecurityGroupIngress\":[{\"IpProtocol\":\"tcp\",\"CidrIp\":\"0.0.0.0/0\"}]}", 0},
    {"sg", "{\"SecurityGroupIngress\":[{\"IpProtocol\":\"tcp\"}]}", -EINVAL},
    {"sg",
     "{\"SecurityGroupEgress\":[{\"IpProtocol\":\"tcp\",\"CidrIp\":\"0.0.0.0/0\","
     "\"DestinationSecurityGroupId\":\"sg-1\"}]}",
     -EINVAL},
    {"secret", "{\"GenerateSecretString\":{\"GenerateStringKey\":\"p\"}}", -EINVAL},
    {"secret",
     "{\"GenerateSecretString\":{\"GenerateStringKey\":\"p\",\"SecretStringTemplate\":\"[]\"}}",
     -EINVAL},
    {"secret",
     "{\"GenerateSecretString\":{\"GenerateStringKey\":\"p\",\"SecretStringTemplate\":\"{}\"}}", 0},
    {"rule", "{\"Conditions\":[{}],\"Priority\":50001}", -EINVAL},
    {"rule", "{\"Conditions\":[]}", -EINVAL},
    {"td", "{\"ContainerDefinitions\":[]}", -EINVAL},
    {"db", "{\"CharacterSet\":\"utf8mb4'\"}", -EINVAL},
    {"user", "{\"Privileges\":\"SUPER\"}", -EINVAL},
    {"user", "{\"Privileges\":[\"SELECT\",\"INSERT\"]}", 0},
    {"user", "{}", 0},
};

static void check(void **state)
{
    (void)state;
    struct step_ctx s = {.service_id = "site"};

    for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
        _cleanup_json_ json_t *props = parse(checks[i].properties);
        assert_int_equal(type_by_code(checks[i].code)->check(&s, props, NULL), checks[i].err);
    }
}

static void task_definition_names(void **state)
{
    (void)state;
    _cleanup_json_ json_t *props = parse(
        "{\"Cpu\":256,\"ContainerDefinitions\":[{\"Name\":\"w\",\"Image\":\"i\",\"DockerLabels\":"
        "{\"Com.X\":\"Y\"},\"PortMappings\":[{\"ContainerPort\":\"80\"}]}],\"Volumes\":[{\"Name\":"
        "\"v\","
        "\"EFSVolumeConfiguration\":{\"FilesystemId\":\"fs-1\",\"AuthorizationConfig\":{\"IAM\":"
        "\"ENABLED\"}}}]}");
    _cleanup_json_ json_t *wanted = parse(
        "{\"cpu\":\"256\",\"containerDefinitions\":[{\"name\":\"w\",\"image\":\"i\","
        "\"dockerLabels\":"
        "{\"Com.X\":\"Y\"},\"portMappings\":[{\"containerPort\":80}]}],\"volumes\":[{\"name\":"
        "\"v\","
        "\"efsVolumeConfiguration\":{\"fileSystemId\":\"fs-1\",\"authorizationConfig\":{\"iam\":"
        "\"ENABLED\"}}}]}");
    _cleanup_json_ json_t *got = NULL;

    assert_int_equal(property_check(type_task_definition.properties, props, NULL, NULL), 0);
    assert_int_equal(
        property_convert(type_task_definition.properties, PROPERTY_LOWER_FIRST, props, &got, NULL),
        0);
    assert_true(json_equal(got, wanted));
}

/* --- target group --- */

#define TG_FOUND                                                                                   \
    {                                                                                              \
        "Action=DescribeTargetGroups", NULL, 200,                                                  \
            "<DescribeTargetGroupsResponse><DescribeTargetGroupsResult><TargetGroups><member>"     \
            "<TargetGroupArn>" TG "</TargetGroupArn><TargetGroupName>site-0123</TargetGroupName>"  \
            "<LoadBalancerArns><member>" ARN "loadbalancer/app/wp/50dc6c495c0c9188</member>"       \
            "</LoadBalancerArns></member></TargetGroups></DescribeTargetGroupsResult>"             \
            "</DescribeTargetGroupsResponse>",                                                     \
            0, 0                                                                                   \
    }
#define TAGS(arn, claim)                                                                           \
    "<DescribeTagsResponse><DescribeTagsResult><TagDescriptions><member><ResourceArn>" arn         \
    "</ResourceArn><Tags><member><Key>svcfs:claim</Key><Value>" claim                              \
    "</Value></member></Tags></member></TagDescriptions></DescribeTagsResult>"                     \
    "</DescribeTagsResponse>"

static void target_group_of_claim(const char *tags, enum step_found wanted)
{
    struct answer script[] = {TG_FOUND, {"Action=DescribeTags", NULL, 200, tags, 0, 0}};
    struct lab l;
    struct step_ctx s = begin(&l, script, ARRAY_SIZE(script), "10", parse("{\"n\":\"site-0123\"}"));
    struct step_state st = {0};

    assert_int_equal(type_target_group.look(&s, &st, NULL), 0);
    assert_int_equal(st.found, wanted);
    assert_string_equal(st.short_id, "73e2d6bc24d8a067");
    if (wanted == FOUND_STRANGER)
        assert_string_equal(st.detail, "target group " TG);
    assert_string_equal(type_attribute_of(&st, "TargetGroupFullName"),
                        "targetgroup/site-0123/73e2d6bc24d8a067");
    step_state_done(&st);
    end(&l);
}

static void target_group(void **state)
{
    (void)state;
    target_group_of_claim(TAGS(TG, CLAIM), FOUND_OURS);
    target_group_of_claim(TAGS(TG, "zzzzzzzzzzzzzzzzzzzzzzzzzz"), FOUND_STRANGER);
    target_group_of_claim(TAGS(TG, ""), FOUND_STRANGER);
}

static void target_group_missing(void **state)
{
    (void)state;
    struct answer script[] = {
        {"Action=DescribeTargetGroups", NULL, 400,
         "<ErrorResponse><Error><Code>TargetGroupNotFound</Code><Message>m</Message></Error>"
         "</ErrorResponse>",
         0, 0}};
    struct lab l;
    struct step_ctx s = begin(&l, script, 1, "11", parse("{\"n\":\"x\"}"));
    struct step_state st = {0};

    assert_int_equal(type_target_group.look(&s, &st, NULL), 0);
    assert_int_equal(st.found, FOUND_ABSENT);
    end(&l);
}

/* --- listener rule --- */

#define RULES(rules)                                                                               \
    "<DescribeRulesResponse><DescribeRulesResult><Rules>" rules "<member><RuleArn>" ARN            \
    "listener-rule/d</RuleArn><Priority>default</Priority></member>"                               \
    "</Rules></DescribeRulesResult></DescribeRulesResponse>"
#define RULE(arn, priority, host)                                                                  \
    "<member><RuleArn>" arn "</RuleArn><Priority>" priority "</Priority><Conditions><member>"      \
    "<Field>host-header</Field><Values><member>" host "</member></Values></member></Conditions>"   \
    "</member>"
#define OTHER_RULE ARN "listener-rule/app/wp/50dc6c495c0c9188/a/1"
#define NEW_RULE ARN "listener-rule/app/wp/50dc6c495c0c9188/a/9"
#define CREATED                                                                                    \
    "<CreateRuleResponse><CreateRuleResult><Rules><member><RuleArn>" NEW_RULE                      \
    "</RuleArn></member></Rules></CreateRuleResult></CreateRuleResponse>"
#define REFUSED(code)                                                                              \
    "<ErrorResponse><Error><Code>" code "</Code><Message>m</Message></Error></ErrorResponse>"

static json_t *rule_properties(const char *listeners, const char *range)
{
    return json_pack("{s:s, s:s, s:[{s:s, s:{s:[s]}}], s:[{s:s, s:s}]}", "ListenerArn", listeners,
                     "svcfs:PriorityRange", range, "Conditions", "Field", "host-header",
                     "HostHeaderConfig", "Values", "site.ou.example.edu", "Actions", "Type",
                     "forward", "TargetGroupArn", TG);
}

/* Somebody was faster; the rules are read again and the next free one is taken. */
static void rule_priority_in_use(void **state)
{
    (void)state;
    struct answer script[] = {
        {"Action=DescribeRules", NULL, 200, RULES(RULE(OTHER_RULE, "10", "other.example.edu")), 0,
         0},
        {"Action=CreateRule", "Priority=11", 400, REFUSED("PriorityInUse"), 0, 0},
        {"Action=CreateRule", "Priority=12", 200, CREATED, 0, 0},
    };
    struct lab l;
    struct step_ctx s = begin(&l, script, ARRAY_SIZE(script), "20", parse("{\"t\":\"!Tg\"}"));
    _cleanup_json_ json_t *props = rule_properties(LISTENER("p1"), "10-20");

    assert_int_equal(type_listener_rule.create(&s, props, NULL), 0);
    assert_int_equal(sent(&l, "Action=CreateRule"), 2);
    assert_string_equal(l.events, "priority: priority 12\n");
    end(&l);
}

static void rule_listener_full(void **state)
{
    (void)state;
    struct answer script[] = {
        {"Action=DescribeRules", NULL, 200, RULES(""), 0, 0},
        {"Action=CreateRule", "%2Ff1&", 400, REFUSED("TooManyRules"), 0, 0},
        {"Action=CreateRule", "%2Ff2&", 200, CREATED, 0, 0},
    };
    struct lab l;
    struct step_ctx s = begin(&l, script, ARRAY_SIZE(script), "21", parse("{\"t\":\"!Tg\"}"));
    _cleanup_json_ json_t *props = rule_properties(LISTENER("f1") ", " LISTENER("f2"), "1-50000");

    assert_int_equal(type_listener_rule.create(&s, props, NULL), 0);
    assert_int_equal(sent(&l, "Action=CreateRule"), 2);
    end(&l);
}

static void rule_all_full(void **state)
{
    (void)state;
    struct answer script[] = {{"Action=DescribeRules", NULL, 200,
                               RULES(RULE(OTHER_RULE, "1", "other.example.edu")), 0, 0}};
    struct lab l;
    struct step_ctx s = begin(&l, script, ARRAY_SIZE(script), "22", parse("{\"t\":\"!Tg\"}"));
    _cleanup_json_ json_t *props = rule_properties(LISTENER("g1"), "1-1");
    struct fault f = FAULT_INIT;

    assert_int_equal(type_listener_rule.create(&s, props, &f), -EDQUOT);
    assert_int_equal(sent(&l, "Action=CreateRule"), 0);
    end(&l);
}

/* The host has a rule of somebody else's, on the second listener even: nothing is sent. */
static void rule_host_taken(void **state)
{
    (void)state;
    struct answer script[] = {
        {"Action=DescribeRules", "%2Fh2", 200, RULES(RULE(OTHER_RULE, "1", "SITE.ou.example.edu")),
         0, 0},
        {"Action=DescribeRules", NULL, 200, RULES(""), 0, 0},
        {"Action=DescribeTags", NULL, 200, TAGS(OTHER_RULE, "nobody"), 0, 0},
    };
    struct lab l;
    struct step_ctx s = begin(&l, script, ARRAY_SIZE(script), "23", parse("{\"t\":\"!Tg\"}"));
    _cleanup_json_ json_t *props = rule_properties(LISTENER("h1") "," LISTENER("h2"), "1-50000");
    struct fault f = FAULT_INIT;

    assert_int_equal(type_listener_rule.create(&s, props, &f), -EEXIST);
    assert_non_null(strstr(f.message, OTHER_RULE));
    assert_int_equal(sent(&l, "Action=CreateRule"), 0);
    end(&l);
}

/* An unclear answer is not followed by a second rule. */
static void rule_unclear(void **state)
{
    (void)state;
    struct answer script[] = {{"Action=DescribeRules", NULL, 200, RULES(""), 0, 0},
                              {"Action=CreateRule", NULL, 500, "", 0, 0}};
    struct lab l;
    struct step_ctx s = begin(&l, script, ARRAY_SIZE(script), "24", parse("{\"t\":\"!Tg\"}"));
    _cleanup_json_ json_t *props = rule_properties(LISTENER("u1") "," LISTENER("u2"), "1-50000");
    struct fault f = FAULT_INIT;

    assert_true(type_listener_rule.create(&s, props, &f) < 0);
    assert_true(f.unclear);
    assert_int_equal(sent(&l, "Action=CreateRule"), 1);
    end(&l);
}

/* Found over the target group's load balancer; its DNS name is told. */
static void rule_look(void **state)
{
    (void)state;
    struct answer script[] = {
        TG_FOUND,
        {"Action=DescribeListeners", NULL, 200,
         "<DescribeListenersResponse><DescribeListenersResult><Listeners><member><"
         "ListenerArn>" LISTENER(
             "l1") "</ListenerArn></member></Listeners></DescribeListenersResult>"
                   "</DescribeListenersResponse>",
         0, 0},
        {"Action=DescribeRules", NULL, 200,
         RULES("<member><RuleArn>" NEW_RULE "</RuleArn><Priority>3</Priority><Actions><member>"
               "<Type>forward</Type><TargetGroupArn>" TG "</TargetGroupArn></member></Actions>"
               "</member>"),
         0, 0},
        {"Action=DescribeTags", NULL, 200, TAGS(NEW_RULE, CLAIM), 0, 0},
        {"Action=DescribeLoadBalancers", "loadbalancer%2Fapp%2Fwp%2F50dc6c495c0c9188", 200,
         "<DescribeLoadBalancersResponse><DescribeLoadBalancersResult><LoadBalancers><member>"
         "<DNSName>wp-1.example</DNSName></member></LoadBalancers></DescribeLoadBalancersResult>"
         "</DescribeLoadBalancersResponse>",
         0, 0},
    };
    struct lab l;
    struct step_ctx s = begin(&l, script, ARRAY_SIZE(script), "25", parse("{\"t\":\"!Tg\"}"));
    struct step_state st = {0};

    l.others.found = FOUND_OURS;
    strcpy(l.others.physical, TG);
    assert_int_equal(type_listener_rule.look(&s, &st, NULL), 0);
    assert_int_equal(st.found, FOUND_OURS);
    assert_string_equal(st.physical, NEW_RULE);
    assert_string_equal(type_attribute_of(&st, "LoadBalancerDNSName"), "wp-1.example");
    step_state_done(&st);
    l.others.found = FOUND_STRANGER; /* then no rule to it is ours */
    assert_int_equal(type_listener_rule.look(&s, &st, NULL), 0);
    assert_int_equal(st.found, FOUND_ABSENT);
    end(&l);
}

static void priorities(void **state)
{
    (void)state;
    struct priority_set set = {{0}};

    priority_use(&set, 1);
    priority_use(&set, 0);
    priority_use(&set, 60000);
    assert_int_equal(priority_reserve("x", &set, 1, 3, 100, 200), 2);
    assert_int_equal(priority_reserve("x", &set, 1, 3, 100, 200), 3);
    assert_int_equal(priority_reserve("x", &set, 1, 3, 100, 200), 0);
    assert_int_equal(priority_reserve("y", &set, 1, 3, 100, 200), 2);
    priority_release("x", 3);
    assert_int_equal(priority_reserve("x", &set, 1, 3, 100, 200), 3);
    assert_int_equal(priority_reserve("x", &set, 1, 3, 200, 300), 2); /* both have expired */
    assert_int_equal(priority_reserve("z", &set, 50000, 60000, 0, 1), 50000);
}

/* --- ECS service --- */

#define SERVICE(status, running, rollout, claim)                                                   \
    "{\"services\":[{\"serviceArn\":\"arn:aws:ecs:r:a:service/c/n\",\"serviceName\":\"n\","        \
    "\"status\":\"" status "\",\"desiredCount\":1,\"runningCount\":" running                       \
    ",\"deployments\":[{\"status\":\"PRIMARY\",\"rolloutState\":\"" rollout                        \
    "\",\"failedTasks\":1}],\"events\":[{\"id\":\"e2\",\"createdAt\":1699999999,\"message\":"      \
    "\"second\"},{\"id\":\"e1\",\"createdAt\":1699999998,\"message\":\"first\"},{\"id\":\"e0\","   \
    "\"createdAt\":1600000000,\"message\":\"long ago\"}],\"tags\":[{\"key\":\"svcfs:claim\","      \
    "\"value\":\"" claim "\"}]}],\"failures\":[]}"
#define STOPPED_TASKS                                                                              \
    {"ListTasks", NULL, 200, "{\"taskArns\":[\"t1\"]}", 0, 0},                                     \
    {                                                                                              \
        "DescribeTasks", NULL, 200,                                                                \
            "{\"tasks\":[{\"stoppedReason\":\"Essential container in task "                        \
            "exited\",\"containers\":[{"                                                           \
            "\"name\":\"web\",\"reason\":\"CannotPullContainerError\",\"exitCode\":1}]}]}",        \
            0, 0                                                                                   \
    }

static struct step_ctx service_lab(struct lab *l, struct answer *script, size_t n,
                                   const char *token)
{
    return begin(l, script, n, token, parse("{\"c\":\"c\",\"n\":\"n\"}"));
}

static void service_runs(void **state)
{
    (void)state;
    struct answer script[] = {
        {"DescribeServices", NULL, 200, SERVICE("ACTIVE", "1", "COMPLETED", CLAIM), 0, 0}};
    struct lab l;
    struct step_ctx s = service_lab(&l, script, 1, "30");
    struct step_state st = {0};

    assert_int_equal(type_ecs_service.look(&s, &st, NULL), 0);
    assert_int_equal(st.found, FOUND_OURS);
    assert_false(st.degraded);
    assert_int_equal(type_ecs_service.settle(&s, NULL, &st, NULL), 0);
    assert_string_equal(l.events, "ecs: first\necs: second\n");
    step_state_done(&st);
    assert_int_equal(type_ecs_service.look(&s, &st, NULL), 0); /* nothing is told twice */
    assert_string_equal(l.events, "ecs: first\necs: second\n");
    step_state_done(&st);
    end(&l);
}

static void service_fails(void **state)
{
    (void)state;
    struct answer script[] = {
        {"DescribeServices", NULL, 200, SERVICE("ACTIVE", "0", "FAILED", CLAIM), 0, 0},
        STOPPED_TASKS};
    struct lab l;
    struct step_ctx s = service_lab(&l, script, ARRAY_SIZE(script), "31");
    struct step_state st = {0};
    struct fault f = FAULT_INIT;

    assert_int_equal(type_ecs_service.look(&s, &st, NULL), 0);
    assert_true(st.degraded);
    assert_int_equal(type_ecs_service.settle(&s, NULL, &st, &f), -EIO);
    assert_non_null(strstr(f.message, "Essential container in task exited; container web: "
                                      "CannotPullContainerError, exit code 1"));
    step_state_done(&st);
    end(&l);
}

static void service_waits(void **state)
{
    (void)state;
    struct answer script[] = {
        {"DescribeServices", NULL, 200, SERVICE("ACTIVE", "0", "IN_PROGRESS", CLAIM), 0, 0},
        STOPPED_TASKS};
    struct lab l;
    struct step_ctx s = service_lab(&l, script, ARRAY_SIZE(script), "32");
    struct step_state st = {0};
    struct fault f = FAULT_INIT;

    assert_int_equal(type_ecs_service.look(&s, &st, NULL), 0);
    assert_int_equal(type_ecs_service.settle(&s, NULL, &st, &f), 1);
    assert_non_null(strstr(f.message, "0 of 1 tasks run"));
    assert_non_null(strstr(f.message, "CannotPullContainerError"));
    step_state_done(&st);
    end(&l);
}

static void service_found(const char *body, enum step_found wanted)
{
    struct answer script[] = {{"DescribeServices", NULL, 200, body, 0, 0}};
    struct lab l;
    struct step_ctx s = service_lab(&l, script, 1, "33");
    struct step_state st = {0};

    assert_int_equal(type_ecs_service.look(&s, &st, NULL), 0);
    assert_int_equal(st.found, wanted);
    step_state_done(&st);
    end(&l);
}

static void service_states(void **state)
{
    (void)state;
    service_found(SERVICE("DRAINING", "1", "COMPLETED", CLAIM), FOUND_GOING);
    service_found(SERVICE("INACTIVE", "0", "COMPLETED", CLAIM), FOUND_ABSENT);
    service_found(SERVICE("ACTIVE", "1", "COMPLETED", "other"), FOUND_STRANGER);
    service_found("{\"services\":[],\"failures\":[{\"arn\":\"n\",\"reason\":\"MISSING\"}]}",
                  FOUND_ABSENT);
}

/* --- secret --- */

static int create_blocked(const char *tags, struct fault *f)
{
    char describe[512];
    snprintf(describe, sizeof(describe),
             "{\"ARN\":\"arn:x-AbCdEf\",\"Name\":\"wp/site/S\",\"DeletedDate\":1.7e9,\"Tags\":%s}",
             tags);
    struct answer script[] = {
        {"GetRandomPassword", NULL, 200, "{\"RandomPassword\":\"hunter2hunter2\"}", 0, 0},
        {"CreateSecret", NULL, 400,
         "{\"__type\":\"InvalidRequestException\",\"message\":\"scheduled for deletion\"}", 0, 0},
        {"DescribeSecret", NULL, 200, describe, 0, 0}};
    struct lab l;
    struct step_ctx s = begin(&l, script, ARRAY_SIZE(script), "40", parse("{\"n\":\"wp/site/S\"}"));
    _cleanup_json_ json_t *props =
        parse("{\"GenerateSecretString\":{\"PasswordLength\":\"14\","
              "\"SecretStringTemplate\":\"{\\\"username\\\":\\\"u\\\"}\","
              "\"GenerateStringKey\":\"password\"}}");

    int r = type_secret.create(&s, props, f);
    assert_int_equal(sent(&l, "\"PasswordLength\":14"), 1);
    assert_int_equal(sent(&l, "\\\"password\\\":\\\"hunter2hunter2\\\""), 1);
    assert_null(strstr(f->message, "hunter2"));
    end(&l);
    return r;
}

static void secret_name_blocked(void **state)
{
    (void)state;
    struct fault f = FAULT_INIT;

    assert_int_equal(create_blocked("[{\"Key\":\"management-mode\",\"Value\":\"automatic\"},"
                                    "{\"Key\":\"svcfs:claim\",\"Value\":\"earlier\"}]",
                                    &f),
                     -EAGAIN);
    assert_int_equal(create_blocked("[]", &f), -EEXIST);
    assert_non_null(strstr(f.message, "scheduled for deletion"));
}

/* --- EFS --- */

static void access_point_by_record(void **state)
{
    (void)state;
    struct answer script[] = {
        {"AccessPointId=fsap-1", NULL, 200,
         "{\"AccessPoints\":[{\"ClientToken\":\"50\",\"AccessPointId\":\"fsap-1\","
         "\"AccessPointArn\":\"arn:ap\",\"LifeCycleState\":\"available\",\"Tags\":["
         "{\"Key\":\"svcfs:claim\",\"Value\":\"" CLAIM "\"}]}]}",
         0, 0}};
    struct lab l;
    struct step_ctx s = begin(&l, script, 1, "50", parse("{\"f\":\"fs-1\"}"));
    struct step_state st = {0};

    s.short_id = "fsap-1";
    assert_int_equal(type_access_point.look(&s, &st, NULL), 0);
    assert_int_equal(st.found, FOUND_OURS);
    assert_int_equal(type_access_point.settle(&s, NULL, &st, NULL), 0);
    step_state_done(&st);
    end(&l);
}

/* By file system: of many the one with our token, and a copied token without our claim is a
 * stranger's. */
static void access_point_by_list(void **state)
{
    (void)state;
    struct answer script[] = {
        {"FileSystemId=fs-1", NULL, 200,
         "{\"AccessPoints\":[{\"ClientToken\":\"x\",\"AccessPointId\":\"fsap-8\","
         "\"LifeCycleState\":"
         "\"available\"},"
         "{\"ClientToken\":\"51\",\"AccessPointId\":\"fsap-9\",\"AccessPointArn\":\"arn:9\","
         "\"LifeCycleState\":\"available\",\"Tags\":[]}]}",
         0, 0}};
    struct lab l;
    struct step_ctx s = begin(&l, script, 1, "51", parse("{\"f\":\"fs-1\"}"));
    struct step_state st = {0};

    assert_int_equal(type_access_point.look(&s, &st, NULL), 0);
    assert_int_equal(st.found, FOUND_STRANGER);
    assert_string_equal(st.physical, "fsap-9");
    step_state_done(&st);
    end(&l);
}

/* What hangs on a file system is gone with it. */
static void mount_target_of_nothing(void **state)
{
    (void)state;
    struct lab l;
    struct step_ctx s = begin(&l, NULL, 0, "52", parse("{\"f\":\"!Fs\",\"s\":\"subnet-1\"}"));
    struct step_state st = {0};

    l.other_err = -ENOENT;
    assert_int_equal(type_mount_target.look(&s, &st, NULL), 0);
    assert_int_equal(st.found, FOUND_ABSENT);
    end(&l);
}

/* --- security group --- */

#define GROUP(permissions)                                                                         \
    "<DescribeSecurityGroupsResponse><securityGroupInfo><item><groupId>sg-1</groupId>"             \
    "<groupName>n</groupName><vpcId>vpc-1</vpcId><ipPermissions>" permissions                      \
    "</ipPermissions><ipPermissionsEgress><item><ipProtocol>-1</ipProtocol><ipRanges><item>"       \
    "<cidrIp>0.0.0.0/0</cidrIp></item></ipRanges></item></ipPermissionsEgress><tagSet><item>"      \
    "<key>svcfs:claim</key><value>" CLAIM "</value></item></tagSet></item></securityGroupInfo>"    \
    "</DescribeSecurityGroupsResponse>"
#define NFS_PERMISSION                                                                             \
    "<item><ipProtocol>tcp</ipProtocol><fromPort>2049</fromPort><toPort>2049</toPort><groups>"     \
    "<item><groupId>sg-c</groupId></item></groups></item>"

static int settle_group(struct answer *script, size_t n, const char *properties, size_t authorized,
                        size_t revoked)
{
    struct lab l;
    struct step_ctx s = begin(&l, script, n, "60", parse("{\"n\":\"n\",\"v\":\"vpc-1\"}"));
    _cleanup_json_ json_t *props = parse(properties);
    struct step_state st = {0};

    assert_int_equal(type_security_group.look(&s, &st, NULL), 0);
    assert_int_equal(st.found, FOUND_OURS);
    int r = type_security_group.settle(&s, props, &st, NULL);
    assert_int_equal(sent(&l, "Action=AuthorizeSecurityGroupIngress"), authorized);
    assert_int_equal(sent(&l, "Action=RevokeSecurityGroupEgress"), revoked);
    if (authorized)
        assert_int_equal(sent(&l, "IpPermissions.1.Groups.1.GroupId=sg-c"), authorized);
    step_state_done(&st);
    end(&l);
    return r;
}

#define NFS                                                                                        \
    "\"SecurityGroupIngress\":[{\"IpProtocol\":\"tcp\",\"FromPort\":2049,\"ToPort\":\"2049\","     \
    "\"SourceSecurityGroupId\":\"sg-c\"}]"

static void security_group_rules(void **state)
{
    (void)state;
    struct answer have[] = {{"Action=Describe", NULL, 200, GROUP(NFS_PERMISSION), 0, 0},
                            {"Action=RevokeSecurityGroupEgress", NULL, 200,
                             "<RevokeSecurityGroupEgressResponse/>", 0, 0}};
    struct answer lack[] = {
        {"Action=Describe", NULL, 200, GROUP(""), 0, 0},
        {"Action=Authorize", NULL, 200, "<AuthorizeSecurityGroupIngressResponse/>", 0, 0}};
    struct answer fresh[] = {
        {"Action=Describe", NULL, 200, GROUP(""), 0, 0},
        {"Action=Authorize", NULL, 400,
         "<Response><Errors><Error><Code>InvalidGroup.NotFound</Code><Message>m"
         "</Message></Error></Errors></Response>",
         0, 0}};
    struct answer twice[] = {{"Action=Describe", NULL, 200, GROUP(""), 0, 0},
                             {"Action=Authorize", NULL, 400,
                              "<Response><Errors><Error><Code>InvalidPermission.Duplicate</Code>"
                              "<Message>m</Message></Error></Errors></Response>",
                              0, 0}};

    assert_int_equal(settle_group(have, ARRAY_SIZE(have), "{" NFS "}", 0, 0), 0);
    assert_int_equal(settle_group(lack, ARRAY_SIZE(lack), "{" NFS "}", 1, 0), 0);
    assert_int_equal(settle_group(fresh, ARRAY_SIZE(fresh), "{" NFS "}", 1, 0), 1);
    assert_int_equal(settle_group(twice, ARRAY_SIZE(twice), "{" NFS "}", 1, 0), 0);
    assert_int_equal(settle_group(have, ARRAY_SIZE(have), "{\"SecurityGroupEgress\":[]}", 0, 1), 0);
}

/* --- task definition --- */

static void task_definition_revisions(void **state)
{
    (void)state;
    struct answer script[] = {
        {"ListTaskDefinitions", NULL, 200,
         "{\"taskDefinitionArns\":[\"arn:aws:ecs:r:a:task-definition/n:3\","
         "\"arn:aws:ecs:r:a:task-definition/n:2\",\"arn:aws:ecs:r:a:task-definition/n-other:9\","
         "\"arn:aws:ecs:r:a:task-definition/n:1\"]}",
         0, 0},
        {"DescribeTaskDefinition", "n:3", 200,
         "{\"taskDefinition\":{\"status\":\"ACTIVE\"},\"tags\":[]}", 0, 0},
        {"DescribeTaskDefinition", NULL, 200,
         "{\"taskDefinition\":{\"status\":\"ACTIVE\"},\"tags\":[{\"key\":\"svcfs:claim\","
         "\"value\":\"" CLAIM "\"}]}",
         0, 0},
        {"DeregisterTaskDefinition", NULL, 200, "{\"taskDefinition\":{}}", 0, 0},
        {"DeleteTaskDefinitions", NULL, 200, "{\"taskDefinitions\":[],\"failures\":[]}", 0, 0},
    };
    struct lab l;
    struct step_ctx s = begin(&l, script, ARRAY_SIZE(script), "70", parse("{\"n\":\"n\"}"));
    struct step_state st = {0};

    assert_int_equal(type_task_definition.look(&s, &st, NULL), 0);
    assert_int_equal(st.found, FOUND_OURS);
    assert_string_equal(st.short_id, "2");
    assert_int_equal(type_task_definition.remove(&s, &st, NULL), 0);
    assert_int_equal(script[3].used, 2); /* both of ours, not the stranger's, not the neighbour's */
    assert_int_equal(sent(&l, "{\"taskDefinitions\":[\"arn:aws:ecs:r:a:task-definition/n:2\","
                              "\"arn:aws:ecs:r:a:task-definition/n:1\"]}"),
                     1);
    step_state_done(&st);
    end(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(identity),
        cmocka_unit_test(group_named_like_an_id),
        cmocka_unit_test(check),
        cmocka_unit_test(task_definition_names),
        cmocka_unit_test(target_group),
        cmocka_unit_test(target_group_missing),
        cmocka_unit_test(rule_priority_in_use),
        cmocka_unit_test(rule_listener_full),
        cmocka_unit_test(rule_all_full),
        cmocka_unit_test(rule_host_taken),
        cmocka_unit_test(rule_unclear),
        cmocka_unit_test(rule_look),
        cmocka_unit_test(priorities),
        cmocka_unit_test(service_runs),
        cmocka_unit_test(service_fails),
        cmocka_unit_test(service_waits),
        cmocka_unit_test(service_states),
        cmocka_unit_test(secret_name_blocked),
        cmocka_unit_test(access_point_by_record),
        cmocka_unit_test(access_point_by_list),
        cmocka_unit_test(mount_target_of_nothing),
        cmocka_unit_test(security_group_rules),
        cmocka_unit_test(task_definition_revisions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
