/* Descriptions: what is asked, what of the answers is shown, and what is not. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

#include "awsapi/describe.h"
#include "awsapi/describe_private.h"
#include "base/str.h"
#include "tests/unit/fake_transport.h"

#define ARN(service, rest) "arn:aws:" service ":eu-central-1:123456789012:" rest

enum { MAX = 8 };

struct got {
    json_t *properties[MAX];
    struct fault faults[MAX];
    unsigned calls[MAX];
};

static void on_described(void *arg, size_t i, json_t *properties, const struct fault *f)
{
    struct got *g = arg;

    g->calls[i]++;
    g->properties[i] = json_deep_copy(properties);
    if (!properties)
        g->faults[i] = *f;
}

static void got_done(struct got *g)
{
    for (size_t i = 0; i < MAX; i++)
        json_decref(g->properties[i]);
}

static void ask(struct fake_transport *t, const char *service, const char *type,
                const char *const *keys, size_t n, struct got *g)
{
    const struct describe_row *row = aws_describe_row(service, type, keys[0]);

    assert_non_null(row);
    aws_describe(t->client, NULL, row, keys, n, true, on_described, g);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(g->calls[i], 1);
}

static void check(json_t *shown, const char *expected)
{
    _cleanup_json_ json_t *wanted = json_loads(expected, 0, NULL);
    _cleanup_free_ char *text = shown ? json_dumps(shown, JSON_SORT_KEYS) : NULL;

    assert_non_null(wanted);
    if (!json_equal(shown, wanted))
        fail_msg("shown: %s", text ? text : "nothing");
}

/* --- the table --- */

static void test_rows(void **state)
{
    static const struct {
        const char *service, *type, *key, *action; /* NULL: none */
    } cases[] = {
        {"ec2", "vpc", ARN("ec2", "vpc/vpc-1"), "DescribeVpcs"},
        {"ec2", "vpc", "ec2/vpc/vpc-1", "DescribeVpcs"},
        {"elasticloadbalancing", "loadbalancer",
         ARN("elasticloadbalancing", "loadbalancer/app/n/1"), "DescribeLoadBalancers"},
        {"elasticloadbalancing", "loadbalancer", ARN("elasticloadbalancing", "loadbalancer/n"),
         NULL},
        {"elasticfilesystem", "mount-target", "elasticfilesystem/mount-target/fsmt-1",
         "DescribeMountTargets"},
        {"ecs", "cluster", "ecs/cluster/c", NULL}, /* by ARN alone */
        {"s3", "bucket", "arn:aws:s3:::b", "GetResource"},
        {"mariadb", "database", "mariadb/database/h:1+d", NULL},
        {"quantum", "cat", ARN("quantum", "cat/1"), NULL},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct describe_row *row =
            aws_describe_row(cases[i].service, cases[i].type, cases[i].key);

        assert_int_equal(row != NULL, cases[i].action != NULL);
        if (row)
            assert_string_equal(row->action.name, cases[i].action);
    }
    for (size_t i = 0; i < describe_n_rows; i++) {
        assert_false(describe_rows[i].action.write);
        assert_true(describe_rows[i].batch >= 1);
        for (size_t k = 0; k < i; k++)
            assert_false(streq(describe_rows[i].service, describe_rows[k].service) &&
                         streq(describe_rows[i].type, describe_rows[k].type));
    }
}

static void test_clusters(void **state)
{
    const char *a = ARN("ecs", "service/one/a"), *b = ARN("ecs", "service/one/b"),
               *c = ARN("ecs", "service/two/c"), *old = ARN("ecs", "service/d");
    const struct describe_row *row = aws_describe_row("ecs", "service", a);
    static const struct fake_answer answers[] = {
        {.status = 400, .body = "{\"__type\": \"ClusterNotFoundException\", \"message\": \"no\"}"}};
    _cleanup_fake_ struct fake_transport *t = fake_new(answers, 1);
    struct got g = {0};
    (void)state;

    assert_true(aws_describe_together(row, a, b));
    assert_false(aws_describe_together(row, a, c));
    assert_true(aws_describe_together(row, ARN("ecs", "service/default/x"), old));
    ask(t, "ecs", "service", (const char *const[]){a, b}, 2, &g);
    assert_non_null(strstr(t->sent[0].body, "\"cluster\":\"one\""));
    assert_int_equal(g.faults[0].err, -ENOENT);
    assert_int_equal(g.faults[1].err, -ENOENT);
    got_done(&g);
}

/* --- EC2 --- */

static void test_security_groups(void **state)
{
    static const struct fake_answer answers[] = {
        {.status = 200,
         .body =
             "<DescribeSecurityGroupsResponse><securityGroupInfo><item><groupId>sg-2</groupId>"
             "<groupDescription>d</groupDescription><ownerId>123456789012</ownerId>"
             "<ipPermissions><item><ipProtocol>tcp</ipProtocol><fromPort>443</fromPort>"
             "<toPort>443</toPort><groups><item><groupId>sg-9</groupId></item></groups>"
             "<ipRanges/></item></ipPermissions><ipPermissionsEgress/><tagSet><item><key>a</key>"
             "<value>true</value></item></tagSet></item></securityGroupInfo>"
             "<nextToken>more</nextToken></DescribeSecurityGroupsResponse>"},
        {.status = 200,
         .body = "<DescribeSecurityGroupsResponse><securityGroupInfo><item><groupId>sg-1</groupId>"
                 "</item></securityGroupInfo></DescribeSecurityGroupsResponse>"},
    };
    const char *const keys[] = {ARN("ec2", "security-group/sg-1"),
                                ARN("ec2", "security-group/sg-2"),
                                ARN("ec2", "security-group/sg-3")};
    _cleanup_fake_ struct fake_transport *t = fake_new(answers, 2);
    struct got g = {0};
    (void)state;

    ask(t, "ec2", "security-group", keys, 3, &g);
    assert_non_null(strstr(t->sent[0].body, "&MaxResults=1000&Filter.1.Name=group-id"
                                            "&Filter.1.Value.1=sg-1&Filter.1.Value.2=sg-2"
                                            "&Filter.1.Value.3=sg-3"));
    assert_non_null(strstr(t->sent[1].body, "NextToken=more"));
    check(g.properties[0], "{\"GroupId\": \"sg-1\"}");
    check(g.properties[1],
          "{\"GroupId\": \"sg-2\", \"Description\": \"d\", \"OwnerId\": \"123456789012\","
          " \"IpPermissions\": [{\"IpProtocol\": \"tcp\", \"FromPort\": 443, \"ToPort\": 443,"
          " \"UserIdGroupPairs\": [{\"GroupId\": \"sg-9\"}], \"IpRanges\": []}],"
          " \"IpPermissionsEgress\": [], \"Tags\": [{\"Key\": \"a\", \"Value\": \"true\"}]}");
    assert_int_equal(g.faults[2].err, -ENOENT);
    assert_string_equal(g.faults[2].call, "ec2:DescribeSecurityGroups");
    got_done(&g);
}

static void test_instances(void **state)
{
    static const struct fake_answer answers[] = {
        {.status = 200,
         .body =
             "<DescribeInstancesResponse><reservationSet><item><groupSet/><instancesSet><item>"
             "<instanceId>i-1</instanceId><instanceState><code>16</code><name>running</name>"
             "</instanceState><dnsName/><groupSet><item><groupId>sg-1</groupId></item></groupSet>"
             "<stateReason><code>Server.InternalError</code></stateReason><ebsOptimized>false"
             "</ebsOptimized><networkInterfaceSet><item><groupSet><item><groupId>sg-1</groupId>"
             "</item></groupSet></item></networkInterfaceSet></item></instancesSet></item>"
             "</reservationSet></DescribeInstancesResponse>"},
    };
    const char *const keys[] = {ARN("ec2", "instance/i-1")};
    _cleanup_fake_ struct fake_transport *t = fake_new(answers, 1);
    struct got g = {0};
    (void)state;

    ask(t, "ec2", "instance", keys, 1, &g);
    check(g.properties[0],
          "{\"InstanceId\": \"i-1\", \"State\": {\"Code\": 16, \"Name\": \"running\"},"
          " \"PublicDnsName\": \"\", \"SecurityGroups\": [{\"GroupId\": \"sg-1\"}],"
          " \"StateReason\": {\"Code\": \"Server.InternalError\"}, \"EbsOptimized\": false,"
          " \"NetworkInterfaces\": [{\"Groups\": [{\"GroupId\": \"sg-1\"}]}]}");
    got_done(&g);
}

/* --- one that is gone --- */

#define GROUP(n) ARN("elasticloadbalancing", "targetgroup/" n)
#define GROUP_ITEM(n)                                                                              \
    "<member><TargetGroupArn>" GROUP(n) "</TargetGroupArn><Port>80</Port></member>"
#define GROUPS_ANSWER(items)                                                                       \
    "<DescribeTargetGroupsResponse><DescribeTargetGroupsResult><TargetGroups>" items               \
    "</TargetGroups></DescribeTargetGroupsResult></DescribeTargetGroupsResponse>"
#define GONE                                                                                       \
    {                                                                                              \
        .status = 400, .body = "<ErrorResponse><Error><Code>TargetGroupNotFound</Code><Message>"   \
                               "one is not there</Message></Error></ErrorResponse>"                \
    }

static void test_split(void **state)
{
    static const struct fake_answer answers[] = {
        GONE, /* a b c d */
        {.status = 200, .body = GROUPS_ANSWER(GROUP_ITEM("a") GROUP_ITEM("b"))},
        GONE, /* c d */
        GONE, /* c */
        {.status = 200, .body = GROUPS_ANSWER(GROUP_ITEM("d"))},
    };
    const char *const keys[] = {GROUP("a"), GROUP("b"), GROUP("c"), GROUP("d")};
    _cleanup_fake_ struct fake_transport *t = fake_new(answers, ARRAY_SIZE(answers));
    struct got g = {0};
    (void)state;

    ask(t, "elasticloadbalancing", "targetgroup", keys, 4, &g);
    for (size_t i = 0; i < 4; i++) {
        if (i == 2) {
            assert_int_equal(g.faults[i].err, -ENOENT);
            continue;
        }
        assert_int_equal(json_integer_value(json_object_get(g.properties[i], "Port")), 80);
    }
    got_done(&g);
}

static void test_refused(void **state)
{
    static const struct fake_answer answers[] = {
        {.status = 403,
         .body = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no"
                 "</Message></Error></ErrorResponse>"},
    };
    const char *const keys[] = {GROUP("a"), GROUP("b")};
    _cleanup_fake_ struct fake_transport *t = fake_new(answers, 1);
    struct got g = {0};
    (void)state;

    ask(t, "elasticloadbalancing", "targetgroup", keys, 2, &g);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(g.faults[i].err, -EACCES);
        assert_string_equal(g.faults[i].call, "elasticloadbalancing:DescribeTargetGroups");
    }
    got_done(&g);
}

/* --- others --- */

static void test_rds(void **state)
{
    static const struct fake_answer answers[] = {
        {.status = 200,
         .body = "<DescribeDBInstancesResponse><DescribeDBInstancesResult><DBInstances><DBInstance>"
                 "<DBInstanceIdentifier>d</DBInstanceIdentifier><MultiAZ>false</MultiAZ>"
                 "<Endpoint><Port>3306</Port></Endpoint><VpcSecurityGroups>"
                 "<VpcSecurityGroupMembership><VpcSecurityGroupId>sg-1</VpcSecurityGroupId>"
                 "</VpcSecurityGroupMembership></VpcSecurityGroups><DBSecurityGroups/>"
                 "<DBSubnetGroup><Subnets><Subnet><SubnetStatus>a</SubnetStatus></Subnet><Subnet>"
                 "<SubnetStatus>b</SubnetStatus></Subnet></Subnets></DBSubnetGroup>"
                 "<PendingModifiedValues><MasterUserPassword>hunter2</MasterUserPassword>"
                 "</PendingModifiedValues></DBInstance></DBInstances></DescribeDBInstancesResult>"
                 "</DescribeDBInstancesResponse>"},
    };
    const char *const keys[] = {ARN("rds", "db:d")};
    _cleanup_fake_ struct fake_transport *t = fake_new(answers, 1);
    struct got g = {0};
    (void)state;

    ask(t, "rds", "db", keys, 1, &g);
    assert_non_null(strstr(t->sent[0].body, "&Filters.Filter.1.Name=db-instance-id"
                                            "&Filters.Filter.1.Values.Value.1=d"));
    check(
        g.properties[0],
        "{\"DBInstanceIdentifier\": \"d\", \"MultiAZ\": false, \"Endpoint\": {\"Port\": 3306},"
        " \"VpcSecurityGroups\": [{\"VpcSecurityGroupId\": \"sg-1\"}], \"DBSecurityGroups\": [],"
        " \"DBSubnetGroup\": {\"Subnets\": [{\"SubnetStatus\": \"a\"}, {\"SubnetStatus\": \"b\"}]},"
        " \"PendingModifiedValues\": {\"MasterUserPassword\": \"***\"}}");
    got_done(&g);
}

static void test_json(void **state)
{
    static const struct fake_answer answers[] = {
        {.status = 200,
         .body = "{\"ARN\": \"x\", \"CreatedDate\": 1795348800.5, \"KmsKeyId\": null}"},
        {.status = 200, .body = "{\"Parameters\": [{\"Name\": \"/a/b\"}, {\"Name\": \"c\"}]}"},
        {.status = 200,
         .body = "{\"AccessPoints\": [{\"AccessPointId\": \"p-2\"}], \"NextToken\": \"m\"}"},
        {.status = 200, .body = "{\"AccessPoints\": [{\"AccessPointId\": \"p-1\"}]}"},
    };
    _cleanup_fake_ struct fake_transport *t = fake_new(answers, ARRAY_SIZE(answers));
    struct got g = {0};
    (void)state;

    ask(t, "secretsmanager", "secret", (const char *const[]){ARN("secretsmanager", "secret:x-1")},
        1, &g);
    check(g.properties[0], "{\"ARN\": \"x\", \"CreatedDate\": \"2026-11-22T12:00:00Z\"}");
    got_done(&g);
    g = (struct got){0};
    ask(t, "ssm", "parameter",
        (const char *const[]){ARN("ssm", "parameter/a/b"), ARN("ssm", "parameter/c")}, 2, &g);
    assert_non_null(strstr(t->sent[1].body, "\"Values\":[\"/a/b\",\"c\",\"/c\"]"));
    check(g.properties[0], "{\"Name\": \"/a/b\"}");
    check(g.properties[1], "{\"Name\": \"c\"}");
    got_done(&g);
    g = (struct got){0};
    ask(t, "elasticfilesystem", "access-point",
        (const char *const[]){ARN("elasticfilesystem", "access-point/p-1"),
                              ARN("elasticfilesystem", "access-point/p-2")},
        2, &g);
    assert_non_null(strstr(t->sent[2].url, "?MaxResults=1000"));
    assert_non_null(strstr(t->sent[3].url, "NextToken=m"));
    check(g.properties[0], "{\"AccessPointId\": \"p-1\"}");
    check(g.properties[1], "{\"AccessPointId\": \"p-2\"}");
    got_done(&g);
}

#define FS(n) ARN("elasticfilesystem", "file-system/fs-" #n)
#define HAS(n, number) "{\"FileSystemId\": \"fs-" #n "\", \"NumberOfMountTargets\": " #number "}"

/* All pages, in order; of none nothing is asked; an error is that one's alone, unless the next ones
 * would meet it, too. */
static void test_mount_targets(void **state)
{
    static const struct fake_answer answers[] = {
        {.status = 200,
         .body = "{\"FileSystems\": [" HAS(2, 0) "," HAS(1, 2) "], \"NextMarker\": \"m\"}"},
        {.status = 200,
         .body = "{\"FileSystems\": [" HAS(3, 1) "," HAS(4, 1) "," HAS(5, 1) "," HAS(6, 1) "]}"},
        {.status = 200,
         .body = "{\"MountTargets\": [{\"MountTargetId\": \"fsmt-2\"}], \"NextMarker\": \"n\"}"},
        {.status = 200, .body = "{\"MountTargets\": [{\"MountTargetId\": \"fsmt-1\"}]}"},
        {.status = 403, .body = "{\"ErrorCode\": \"AccessDeniedException\"}"},
        {.status = 404, .body = "{\"ErrorCode\": \"FileSystemNotFound\"}"},
        {.status = 403, .body = "{\"ErrorCode\": \"UnrecognizedClientException\"}"},
        {.status = 200, .body = "{\"FileSystems\": [{\"FileSystemId\": \"fs-1\"}]}"},
        {.status = 200, .body = "{\"MountTargets\": []}"},
    };
    static const int errors[] = {0, 0, -EACCES, -ENOENT, -EKEYREJECTED, -EKEYREJECTED};
    _cleanup_fake_ struct fake_transport *t = fake_new(answers, ARRAY_SIZE(answers));
    struct got g = {0};
    (void)state;

    ask(t, "elasticfilesystem", "file-system",
        (const char *const[]){FS(1), FS(2), FS(3), FS(4), FS(5), FS(6)}, 6, &g);
    assert_non_null(strstr(t->sent[0].url, "?MaxItems=100"));
    assert_non_null(strstr(t->sent[1].url, "Marker=m"));
    assert_non_null(strstr(t->sent[2].url, "/mount-targets?FileSystemId=fs-1"));
    assert_non_null(strstr(t->sent[3].url, "Marker=n"));
    check(g.properties[0], "{\"FileSystemId\": \"fs-1\", \"NumberOfMountTargets\": 2,"
                           " \"MountTargets\": [\"fsmt-1\", \"fsmt-2\"]}");
    check(g.properties[1], "{\"FileSystemId\": \"fs-2\", \"NumberOfMountTargets\": 0,"
                           " \"MountTargets\": []}");
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
        assert_int_equal(g.faults[i].err, errors[i]);
    got_done(&g);
    g = (struct got){0};
    ask(t, "elasticfilesystem", "file-system", (const char *const[]){FS(1)}, 1, &g);
    assert_int_equal(t->n_sent, ARRAY_SIZE(answers));
    check(g.properties[0], "{\"FileSystemId\": \"fs-1\", \"MountTargets\": []}");
    got_done(&g);
}

static void test_cloudcontrol(void **state)
{
    static const struct fake_answer answers[] = {
        {.status = 200,
         .body = "{\"ResourceDescription\": {\"Properties\": \"{\\\"QueueName\\\": \\\"q\\\"}\"}}"},
        {.status = 400,
         .body = "{\"__type\": \"UnsupportedActionException\", \"message\": \"no\"}"},
        {.status = 400, .body = "{\"__type\": \"ResourceNotFoundException\", \"message\": \"no\"}"},
        {.status = 200, .body = "{\"ResourceDescription\": {\"Properties\": \"{\"}}"},
    };
    const char *const queue[] = {ARN("sqs", "q")}, *const topic[] = {ARN("sns", "t")};
    _cleanup_fake_ struct fake_transport *t = fake_new(answers, ARRAY_SIZE(answers));
    static const int errors[] = {-EOPNOTSUPP, -ENOENT, -EPROTO};
    struct got g = {0};
    (void)state;

    ask(t, "sqs", "queue", queue, 1, &g);
    assert_non_null(
        strstr(t->sent[0].body, "https://sqs.eu-central-1.amazonaws.com/123456789012/q"));
    check(g.properties[0], "{\"QueueName\": \"q\"}");
    got_done(&g);
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
        g = (struct got){0};
        ask(t, "sns", "topic", topic, 1, &g);
        assert_int_equal(g.faults[0].err, errors[i]);
    }
}

/* --- what is not shown --- */

static void test_secret_names(void **state)
{
    static const struct {
        const char *name, *value;
        bool secret;
    } cases[] = {
        {"WORDPRESS_DB_PASSWORD", "x", true},
        {"db_passwd", "x", true},
        {"apiKey", "x", true},
        {"GITHUB_TOKEN", "x", true},
        {"CREDENTIALS", "x", true},
        {"AUTH_SALT", "x", true},
        {"HOST", "db.example.edu", false},
        {"PASSWORD", "", false}, /* that there is none is no secret */
        {"SECRET_ARN", "arn:aws:secretsmanager:r:1:secret:x", false},
        {"DATABASE_URL", "mysql://u:p@h/d", true},
        {"URL", "https://example.edu:8080/a", false},
        {"X", "AKIAIOSFODNN7EXAMPLE", true},
        {"X", "-----BEGIN RSA PRIVATE KEY-----", true},
        {"X", "Server=h;Password=p", true},
        {"STAGE", "production", false},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (describe_is_secret(cases[i].name, cases[i].value) != cases[i].secret)
            fail_msg("%s=%s", cases[i].name, cases[i].value);
}

static void test_redacted(void **state)
{
    static const struct {
        const char *given, *shown;
    } cases[] = {
        {"{\"environment\": [{\"name\": \"PASSWORD\", \"value\": \"x\"}, {\"name\": \"A\", "
         "\"value\": \"b\"}]}",
         "{\"environment\": [{\"name\": \"PASSWORD\", \"value\": \"***\"}, {\"name\": \"A\", "
         "\"value\": \"b\"}]}"},
        {"{\"Environment\": {\"Variables\": {\"TOKEN\": \"x\", \"A\": \"b\"}}}",
         "{\"Environment\": {\"Variables\": {\"TOKEN\": \"***\", \"A\": \"b\"}}}"},
        {"{\"a\": [{\"overrides\": {\"environment\": [{\"Name\": \"K_KEY\", \"Value\": \"x\"}]}}]}",
         "{\"a\": [{\"overrides\": {\"environment\": [{\"Name\": \"K_KEY\", \"Value\": "
         "\"***\"}]}}]}"},
        /* Outside of variables the name of a member says more than a word in it. */
        {"{\"KmsKeyId\": \"k\", \"secrets\": [{\"name\": \"P\", \"valueFrom\": \"arn:x\"}]}",
         "{\"KmsKeyId\": \"k\", \"secrets\": [{\"name\": \"P\", \"valueFrom\": \"arn:x\"}]}"},
        {"{\"MasterUserPassword\": \"x\", \"b\": {\"SecretString\": \"x\", \"UserData\": \"x\"}}",
         "{\"MasterUserPassword\": \"***\", \"b\": {\"SecretString\": \"***\", \"UserData\": "
         "\"***\"}}"},
        {"{\"Tags\": [{\"Key\": \"token\", \"Value\": \"shown\"}]}",
         "{\"Tags\": [{\"Key\": \"token\", \"Value\": \"shown\"}]}"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_json_ json_t *given = json_loads(cases[i].given, 0, NULL);

        assert_int_equal(describe_redact(given), 0);
        check(given, cases[i].shown);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_clusters),
        cmocka_unit_test(test_security_groups),
        cmocka_unit_test(test_instances),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_rds),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_mount_targets),
        cmocka_unit_test(test_cloudcontrol),
        cmocka_unit_test(test_secret_names),
        cmocka_unit_test(test_redacted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
