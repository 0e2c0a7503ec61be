/* The table of edges: each row reads what AWS's documents show. */
#include "tests/unit/unit.h"

#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "cache/edges.h"

#define ARN(service, rest) "arn:aws:" service ":eu-central-1:123456789012:" rest

static int write_one(void *arg, const char *label, const char *target)
{
    return buf_printf(arg, "%s=%s ", label, target);
}

static void check(const char *service, const char *type, const char *arn, const char *description,
                  const char *expected)
{
    _cleanup_buf_ struct buf out = BUF_INIT(10000);
    json_t *d = description ? json_loads(description, 0, NULL) : NULL;

    assert_true(!description || d);
    assert_int_equal(edges_of(service, type, arn, d, write_one, &out), 0);
    assert_string_equal(buf_str(&out), expected);
    json_decref(d);
}

static void test_arns(void **state)
{
    (void)state;
    check("elasticloadbalancing", "listener-rule",
          ARN("elasticloadbalancing", "listener-rule/app/wp/29b5/b08/77"), NULL,
          "listener=" ARN("elasticloadbalancing", "listener/app/wp/29b5/b08") " ");
    check("elasticloadbalancing", "listener",
          ARN("elasticloadbalancing", "listener/app/wp/29b5/b08"), NULL,
          "load-balancer=" ARN("elasticloadbalancing", "loadbalancer/app/wp/29b5") " ");
    check("ecs", "service", ARN("ecs", "service/main/n1"), NULL,
          "cluster=" ARN("ecs", "cluster/main") " ");
    check("ecs", "service", ARN("ecs", "service/old-form"), NULL, "");
    check("ecs", "task", ARN("ecs", "task/main/0123"), NULL,
          "cluster=" ARN("ecs", "cluster/main") " ");
    check("mariadb", "database", "mariadb/database/db.example.edu:3306+n1+x", NULL,
          "server=mariadb/server/db.example.edu:3306 ");
    check("mariadb", "server", "mariadb/server/db.example.edu:3306", NULL, "");
    check("ec2", "security-group", ARN("ec2", "security-group/sg-1"), NULL, "");
    check("elasticloadbalancing", "listener-rule", "nonsense", NULL, "");
}

static void test_ec2(void **state)
{
    (void)state;
    check(
        "ec2", "security-group", ARN("ec2", "security-group/sg-1"),
        "{\"GroupId\": \"sg-1\", \"VpcId\": \"vpc-1\", \"IpPermissions\": [{\"UserIdGroupPairs\": "
        "[{\"GroupId\": \"sg-2\"}, {\"GroupId\": \"sg-3\"}]}, {\"UserIdGroupPairs\": []}, {}], "
        "\"IpPermissionsEgress\": [{\"UserIdGroupPairs\": [{\"GroupId\": \"sg-4\"}]}]}",
        "vpc=ec2/vpc/vpc-1 allows-from=ec2/security-group/sg-2 "
        "allows-from=ec2/security-group/sg-3 allows-to=ec2/security-group/sg-4 ");
    check("ec2", "network-interface", ARN("ec2", "network-interface/eni-1"),
          "{\"Groups\": [{\"GroupId\": \"sg-1\"}], \"SubnetId\": \"subnet-1\", \"Attachment\": "
          "{\"InstanceOwnerId\": \"amazon\"}}",
          "security-group=ec2/security-group/sg-1 subnet=ec2/subnet/subnet-1 ");
    check("ec2", "instance", ARN("ec2", "instance/i-1"),
          "{\"BlockDeviceMappings\": [{\"Ebs\": {\"VolumeId\": \"vol-1\"}}], \"SubnetId\": null, "
          "\"VpcId\": 7, \"SecurityGroups\": \"no list\"}",
          "volume=ec2/volume/vol-1 ");
    check("ec2", "volume", ARN("ec2", "volume/vol-1"),
          "{\"Attachments\": [{\"InstanceId\": \"i-1\"}]}", "!attached-to=ec2/instance/i-1 ");
}

/* A file system and its mount targets use each other; either tells of both ways. */
static void test_file_systems(void **state)
{
    (void)state;
    check("elasticfilesystem", "file-system", ARN("elasticfilesystem", "file-system/fs-1"),
          "{\"FileSystemId\": \"fs-1\", \"MountTargets\": [\"fsmt-1\", \"fsmt-2\"]}",
          "mount-target=elasticfilesystem/mount-target/fsmt-1 "
          "mount-target=elasticfilesystem/mount-target/fsmt-2 ");
    check("elasticfilesystem", "file-system", ARN("elasticfilesystem", "file-system/fs-1"),
          "{\"FileSystemId\": \"fs-1\", \"MountTargets\": []}", "");
    check("elasticfilesystem", "mount-target", "elasticfilesystem/mount-target/fsmt-1",
          "{\"FileSystemId\": \"fs-1\", \"SubnetId\": \"subnet-1\"}",
          "file-system=elasticfilesystem/file-system/fs-1 "
          "<mount-target=elasticfilesystem/file-system/fs-1 subnet=ec2/subnet/subnet-1 ");
}

static void test_task_definition(void **state)
{
    (void)state;
    check("ecs", "task-definition", ARN("ecs", "task-definition/n1:3"),
          "{\"containerDefinitions\": [{\"image\": "
          "\"123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/wordpress:6.8@sha256:12\", "
          "\"secrets\": [{\"name\": \"A\", \"valueFrom\": \"" ARN(
              "secretsmanager",
              "secret:n1/db-AbCdEf:password::") "\"}, {\"name\": \"B\", "
                                                "\"valueFrom\": \"" ARN(
                                                    "ssm",
                                                    "parameter/n1/key") "\"}, {\"name\": \"C\", "
                                                                        "\"valueFrom\": "
                                                                        "\"/n1/other\"}], "
                                                                        "\"logConfiguration\": "
                                                                        "{\"logDriver\": "
                                                                        "\"awslogs\", \"options\": "
                                                                        "{\"awslogs-group\": "
                                                                        "\"/ecs/n1\"}}, "
                                                                        "\"environmentFiles\": "
                                                                        "[{\"value\": "
                                                                        "\"arn:aws:s3:::settings/"
                                                                        "n1.env\"}]}, {\"image\": "
                                                                        "\"nginx:1\"}, {\"image\": "
                                                                        "\"999999999999.dkr.ecr.eu-"
                                                                        "west-1.amazonaws.com/"
                                                                        "theirs\"}], \"volumes\": "
                                                                        "[{"
                                                                        "\"efsVolumeConfiguration\""
                                                                        ": {\"fileSystemId\": "
                                                                        "\"fs-1\", "
                                                                        "\"authorizationConfig\": "
                                                                        "{\"accessPointId\": "
                                                                        "\"fsap-1\"}}}], "
                                                                        "\"taskRoleArn\": "
                                                                        "\"arn:aws:iam::"
                                                                        "123456789012:role/x/wp\", "
                                                                        "\"executionRoleArn\": "
                                                                        "\"short\"}",
          "image=arn:aws:ecr:eu-west-1:123456789012:repository/team/wordpress "
          "secret=" ARN(
              "secretsmanager",
              "secret:n1/db-AbCdEf") " "
                                     "parameter=" ARN(
                                         "ssm",
                                         "parameter/n1/key") " parameter=ssm/parameter/n1/other "
                                                             "bucket=arn:aws:s3:::settings "
                                                             "log-group=logs/log-group//ecs/n1 "
                                                             "file-system=elasticfilesystem/"
                                                             "file-system/fs-1 "
                                                             "access-point=elasticfilesystem/"
                                                             "access-point/fsap-1 "
                                                             "execution-role=iam/role/short "
                                                             "task-role=arn:aws:iam::123456789012:"
                                                             "role/x/wp ");
}

static void test_databases(void **state)
{
    (void)state;
    check("rds", "db", ARN("rds", "db:wp"),
          "{\"DBClusterIdentifier\": \"c\", \"DBParameterGroups\": [{\"DBParameterGroupName\": "
          "\"default.mariadb10\"}, {\"DBParameterGroupName\": \"own\"}], \"Endpoint\": "
          "{\"Address\": \"wp.x.rds.amazonaws.com\", \"Port\": 3306}}",
          "cluster=rds/cluster/c parameter-group=rds/pg/own "
          "<server-of=mariadb/server/wp.x.rds.amazonaws.com:3306 ");
    check("rds", "cluster", ARN("rds", "cluster:c"),
          "{\"DBClusterMembers\": [{\"DBInstanceIdentifier\": \"wp\"}], \"Endpoint\": \"c.x\", "
          "\"Port\": 3306}",
          "instance=rds/db/wp <server-of=mariadb/server/c.x:3306 ");
}

static void key(const char *target, const char *expected)
{
    const struct edge_account a = {"aws", "eu-central-1", "123456789012"};
    char out[200] = "";

    assert_int_equal(edges_key(&a, target, out, sizeof(out)), expected ? 0 : -22);
    if (expected)
        assert_string_equal(out, expected);
}

static void test_keys(void **state)
{
    (void)state;
    key("ec2/subnet/subnet-1", ARN("ec2", "subnet/subnet-1"));
    key("rds/db/wp", ARN("rds", "db:wp"));
    key("logs/log-group//ecs/n1", ARN("logs", "log-group:/ecs/n1"));
    key("iam/role/wp", "arn:aws:iam::123456789012:role/wp");
    key("ssm/parameter/a/b", ARN("ssm", "parameter/a/b"));
    key("elasticfilesystem/mount-target/fsmt-1", "elasticfilesystem/mount-target/fsmt-1");
    key("mariadb/server/h:1", "mariadb/server/h:1");
    key(ARN("ecs", "cluster/x"), ARN("ecs", "cluster/x"));
    key("ec2/subnet", NULL);
    key("ec2/subnet/", NULL);
    key("x", NULL);
    assert_true(edges_described("ec2", "security-group"));
    assert_false(edges_described("ec2", "vpc"));
    assert_false(edges_described("ec2", "security-grou"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arns),         cmocka_unit_test(test_ec2),
        cmocka_unit_test(test_file_systems), cmocka_unit_test(test_task_definition),
        cmocka_unit_test(test_databases),    cmocka_unit_test(test_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
