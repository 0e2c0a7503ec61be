/*
 * Who uses what, as a table: to be read from the left, "a security group uses, by VpcId, a VPC".
 * A change to what stands on the right touches what stands on the left.
 *
 * Which way an edge points is a question of who breaks, not of who names whom. A target group names
 * its load balancer, and uses it: its traffic comes from there. A mount target names its file
 * system, but whoever mounts that file system goes through the mount target, its interface and its
 * security groups: so both use each other (the second edge is a BACK one, and stands with the file
 * system, too: that is how mount targets are known where no record names them, since they have
 * neither ARN nor tags). The instances of a
 * database cluster likewise. Databases and their server are told by name: mariadb/database uses
 * mariadb/server/HOST:PORT, which uses the RDS instance (or cluster) whose endpoint that is.
 */
#include "cache/edges.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "base/str.h"

enum { TARGET_SIZE = 2200 };

/* One resource, while its edges are emitted. */
struct reading {
    const char *arn;
    json_t *description;
    edge_fn emit;
    void *arg;
};

struct row;
typedef int (*read_fn)(const struct reading *r, const struct row *row, json_t *value);

struct row {
    const char *source; /* SERVICE/TYPE */
    const char *path;   /* in the description: a.b[].c, [] for all of an array */
    const char *label;
    const char *to; /* SERVICE/TYPE that an id there is of; NULL: it is an ARN (or nothing) */
    read_fn read;   /* for what is neither; NULL: one of the two */
};

static int emit_id(const struct reading *r, const char *label, const char *to, const char *id)
{
    char target[TARGET_SIZE];

    return str_format(target, sizeof(target), "%s/%s", to, id) < 0 ? 0
                                                                   : r->emit(r->arg, label, target);
}

/* --- what is neither an id nor an ARN as it is --- */

static size_t count_char(const char *s, char c)
{
    size_t n = 0;

    for (; *s; s++)
        n += *s == c;
    return n;
}

/* Up to the nth colon. */
static int emit_cut(const struct reading *r, const char *label, const char *arn, size_t colons)
{
    char target[TARGET_SIZE];
    size_t n = 0;

    for (; arn[n] && (arn[n] != ':' || colons > 0); n++)
        colons -= arn[n] == ':';
    return str_format(target, sizeof(target), "%.*s", (int)n, arn) < 0
               ? 0
               : r->emit(r->arg, label, target);
}

/* arn:P:secretsmanager:R:A:secret:NAME-SUFFIX, then maybe :KEY:STAGE:VERSION; a parameter's ARN; or
 * a parameter's name. */
static int read_secret(const struct reading *r, const struct row *row, json_t *value)
{
    const char *from = json_string_value(value);

    if (!from || !*from)
        return 0;
    if (!str_starts(from, "arn:"))
        return emit_id(r, "parameter", "ssm/parameter", from + (*from == '/'));
    if (strstr(from, ":ssm:"))
        return r->emit(r->arg, "parameter", from);
    return emit_cut(r, row->label, from, 6);
}

static int arn_part(const char *arn, size_t colons, size_t *ret_len)
{
    size_t at = 0;

    for (; arn[at] && colons > 0; at++)
        colons -= arn[at] == ':';
    *ret_len = strcspn(arn + at, ":");
    return (int)at;
}

/* ACCOUNT.dkr.ecr.REGION.amazonaws.com[.cn]/REPOSITORY[:TAG][@DIGEST], where the registry is this
 * account's. */
static int read_image(const struct reading *r, const struct row *row, json_t *value)
{
    const char *image = json_string_value(value), *rest = image ? strstr(image, ".dkr.ecr.") : NULL;
    size_t n_account, n_partition;
    char target[TARGET_SIZE];
    int account = arn_part(r->arn, 4, &n_account), partition = arn_part(r->arn, 1, &n_partition);

    if (!rest || !str_starts(r->arn, "arn:") || (size_t)(rest - image) != n_account ||
        strncmp(image, r->arn + account, n_account) != 0)
        return 0;
    const char *region = rest + strlen(".dkr.ecr."), *name = strchr(region, '/');
    if (!name)
        return 0;
    name++;
    if (str_format(target, sizeof(target), "arn:%.*s:ecr:%.*s:%.*s:repository/%.*s",
                   (int)n_partition, r->arn + partition, (int)strcspn(region, "."), region,
                   (int)n_account, image, (int)strcspn(name, ":@"), name) < 0)
        return 0;
    return r->emit(r->arg, row->label, target);
}

/* An object in a bucket: the bucket. */
static int read_object(const struct reading *r, const struct row *row, json_t *value)
{
    const char *arn = json_string_value(value);
    char target[TARGET_SIZE];

    if (!arn || !str_starts(arn, "arn:") ||
        str_format(target, sizeof(target), "%.*s", (int)strcspn(arn, "/"), arn) < 0)
        return 0;
    return r->emit(r->arg, row->label, target);
}

/* An ARN, or else the id of `to`. */
static int read_either(const struct reading *r, const struct row *row, json_t *value)
{
    const char *text = json_string_value(value);

    if (!text || !*text)
        return 0;
    return str_starts(text, "arn:") ? r->emit(r->arg, row->label, text)
                                    : emit_id(r, row->label, row->to, text);
}

/* A log group's, without the ":*" that is for policies. */
static int read_log_group(const struct reading *r, const struct row *row, json_t *value)
{
    const char *text = json_string_value(value);

    if (!text || !*text)
        return 0;
    return str_starts(text, "arn:") ? emit_cut(r, row->label, text, 6)
                                    : emit_id(r, row->label, row->to, text);
}

/* Made by RDS and not to be changed. */
static int read_not_default(const struct reading *r, const struct row *row, json_t *value)
{
    const char *text = json_string_value(value);

    return !text || !*text || str_starts(text, "default.") || str_starts(text, "default:")
               ? 0
               : emit_id(r, row->label, row->to, text);
}

/* {"name": "subnetId", "value": …} of a task's attachment: the name is the row's label. */
static int read_detail(const struct reading *r, const struct row *row, json_t *value)
{
    static const struct {
        const char *name, *label, *to;
    } details[] = {
        {"networkInterfaceId", "network-interface", "ec2/network-interface"},
        {"subnetId", "subnet", "ec2/subnet"},
    };
    const char *name = json_string_value(json_object_get(value, "name"));
    const char *id = json_string_value(json_object_get(value, "value"));
    (void)row;

    for (size_t i = 0; name && id && i < ARRAY_SIZE(details); i++)
        if (streq(details[i].name, name))
            return emit_id(r, details[i].label, details[i].to, id);
    return 0;
}

/* {"Address": …, "Port": …} of an instance; of a cluster a name, and the port beside it. */
static int read_endpoint(const struct reading *r, const struct row *row, json_t *value)
{
    json_t *port = json_object_get(json_is_object(value) ? value : r->description, "Port");
    const char *host = json_is_object(value) ? json_string_value(json_object_get(value, "Address"))
                                             : json_string_value(value);
    char server[TARGET_SIZE];

    if (!host || !json_is_integer(port) ||
        str_format(server, sizeof(server), "%s:%d", host, (int)json_integer_value(port)) < 0)
        return 0;
    return emit_id(r, row->label, row->to, server);
}

/* --- the table --- */

static const struct row rows[] = {
    {"ec2/security-group", "VpcId", "vpc", "ec2/vpc", NULL},
    {"ec2/security-group", "IpPermissions[].UserIdGroupPairs[].GroupId", "allows-from",
     "ec2/security-group", NULL},
    {"ec2/security-group", "IpPermissionsEgress[].UserIdGroupPairs[].GroupId", "allows-to",
     "ec2/security-group", NULL},
    {"ec2/network-interface", "Groups[].GroupId", "security-group", "ec2/security-group", NULL},
    {"ec2/network-interface", "SubnetId", "subnet", "ec2/subnet", NULL},
    {"ec2/network-interface", "VpcId", "vpc", "ec2/vpc", NULL},
    {"ec2/network-interface", "Attachment.InstanceId", "instance", "ec2/instance", NULL},
    {"ec2/instance", "SecurityGroups[].GroupId", "security-group", "ec2/security-group", NULL},
    {"ec2/instance", "SubnetId", "subnet", "ec2/subnet", NULL},
    {"ec2/instance", "VpcId", "vpc", "ec2/vpc", NULL},
    {"ec2/instance", "BlockDeviceMappings[].Ebs.VolumeId", "volume", "ec2/volume", NULL},
    {"ec2/instance", "NetworkInterfaces[].NetworkInterfaceId", "network-interface",
     "ec2/network-interface", NULL},
    {"ec2/instance", "IamInstanceProfile.Arn", "instance-profile", NULL, NULL},
    {"ec2/volume", "Attachments[].InstanceId", "!attached-to", "ec2/instance", NULL},
    {"ec2/volume", "KmsKeyId", "key", NULL, NULL},
    {"ec2/subnet", "VpcId", "vpc", "ec2/vpc", NULL},

    {"ecs/service", "clusterArn", "cluster", NULL, NULL},
    {"ecs/service", "taskDefinition", "task-definition", NULL, NULL},
    {"ecs/service", "deployments[].taskDefinition", "task-definition", NULL, NULL},
    {"ecs/service", "loadBalancers[].targetGroupArn", "target-group", NULL, NULL},
    {"ecs/service", "networkConfiguration.awsvpcConfiguration.securityGroups[]", "security-group",
     "ec2/security-group", NULL},
    {"ecs/service", "networkConfiguration.awsvpcConfiguration.subnets[]", "subnet", "ec2/subnet",
     NULL},
    {"ecs/service", "serviceRegistries[].registryArn", "registry", NULL, NULL},
    {"ecs/task", "clusterArn", "cluster", NULL, NULL},
    {"ecs/task", "taskDefinitionArn", "task-definition", NULL, NULL},
    {"ecs/task", "attachments[].details[]", "network-interface", NULL, read_detail},
    {"ecs/task-definition", "containerDefinitions[].image", "image", NULL, read_image},
    {"ecs/task-definition", "containerDefinitions[].secrets[].valueFrom", "secret", NULL,
     read_secret},
    {"ecs/task-definition", "containerDefinitions[].repositoryCredentials.credentialsParameter",
     "secret", NULL, read_secret},
    {"ecs/task-definition", "containerDefinitions[].environmentFiles[].value", "bucket", NULL,
     read_object},
    {"ecs/task-definition", "containerDefinitions[].logConfiguration.options.awslogs-group",
     "log-group", "logs/log-group", read_log_group},
    {"ecs/task-definition", "containerDefinitions[].logConfiguration.secretOptions[].valueFrom",
     "secret", NULL, read_secret},
    {"ecs/task-definition", "volumes[].efsVolumeConfiguration.fileSystemId", "file-system",
     "elasticfilesystem/file-system", NULL},
    {"ecs/task-definition", "volumes[].efsVolumeConfiguration.authorizationConfig.accessPointId",
     "access-point", "elasticfilesystem/access-point", NULL},
    {"ecs/task-definition", "executionRoleArn", "execution-role", "iam/role", read_either},
    {"ecs/task-definition", "taskRoleArn", "task-role", "iam/role", read_either},

    {"elasticloadbalancing/loadbalancer", "SecurityGroups[]", "security-group",
     "ec2/security-group", NULL},
    {"elasticloadbalancing/loadbalancer", "AvailabilityZones[].SubnetId", "subnet", "ec2/subnet",
     NULL},
    {"elasticloadbalancing/loadbalancer", "VpcId", "vpc", "ec2/vpc", NULL},
    {"elasticloadbalancing/listener", "LoadBalancerArn", "load-balancer", NULL, NULL},
    {"elasticloadbalancing/listener", "Certificates[].CertificateArn", "certificate", NULL, NULL},
    {"elasticloadbalancing/listener", "DefaultActions[].TargetGroupArn", "!forwards-to", NULL,
     NULL},
    {"elasticloadbalancing/listener",
     "DefaultActions[].ForwardConfig.TargetGroups[].TargetGroupArn", "!forwards-to", NULL, NULL},
    {"elasticloadbalancing/listener", "DefaultActions[].TargetGroupArn", "<listener", NULL, NULL},
    {"elasticloadbalancing/listener",
     "DefaultActions[].ForwardConfig.TargetGroups[].TargetGroupArn", "<listener", NULL, NULL},
    {"elasticloadbalancing/listener-rule", "Actions[].TargetGroupArn", "forwards-to", NULL, NULL},
    {"elasticloadbalancing/listener-rule", "Actions[].ForwardConfig.TargetGroups[].TargetGroupArn",
     "forwards-to", NULL, NULL},
    {"elasticloadbalancing/targetgroup", "LoadBalancerArns[]", "load-balancer", NULL, NULL},
    {"elasticloadbalancing/targetgroup", "VpcId", "vpc", "ec2/vpc", NULL},

    {"elasticfilesystem/file-system", "KmsKeyId", "key", NULL, NULL},
    {"elasticfilesystem/file-system", "MountTargets[]", "mount-target",
     "elasticfilesystem/mount-target", NULL},
    {"elasticfilesystem/mount-target", "FileSystemId", "file-system",
     "elasticfilesystem/file-system", NULL},
    {"elasticfilesystem/mount-target", "FileSystemId", "<mount-target",
     "elasticfilesystem/file-system", NULL},
    {"elasticfilesystem/mount-target", "SubnetId", "subnet", "ec2/subnet", NULL},
    {"elasticfilesystem/mount-target", "VpcId", "vpc", "ec2/vpc", NULL},
    {"elasticfilesystem/mount-target", "NetworkInterfaceId", "network-interface",
     "ec2/network-interface", NULL},
    {"elasticfilesystem/access-point", "FileSystemId", "file-system",
     "elasticfilesystem/file-system", NULL},

    {"rds/db", "DBClusterIdentifier", "cluster", "rds/cluster", NULL},
    {"rds/db", "VpcSecurityGroups[].VpcSecurityGroupId", "security-group", "ec2/security-group",
     NULL},
    {"rds/db", "DBSubnetGroup.DBSubnetGroupName", "subnet-group", "rds/subgrp", NULL},
    {"rds/db", "DBSubnetGroup.Subnets[].SubnetIdentifier", "subnet", "ec2/subnet", NULL},
    {"rds/db", "DBSubnetGroup.VpcId", "vpc", "ec2/vpc", NULL},
    {"rds/db", "DBParameterGroups[].DBParameterGroupName", "parameter-group", "rds/pg",
     read_not_default},
    {"rds/db", "OptionGroupMemberships[].OptionGroupName", "option-group", "rds/og",
     read_not_default},
    {"rds/db", "ReadReplicaSourceDBInstanceIdentifier", "source", "rds/db", read_either},
    {"rds/db", "MasterUserSecret.SecretArn", "secret", NULL, read_secret},
    {"rds/db", "KmsKeyId", "key", NULL, NULL},
    {"rds/db", "MonitoringRoleArn", "monitoring-role", NULL, NULL},
    {"rds/db", "Endpoint", "<server-of", "mariadb/server", read_endpoint},
    {"rds/cluster", "DBClusterMembers[].DBInstanceIdentifier", "instance", "rds/db", NULL},
    {"rds/cluster", "VpcSecurityGroups[].VpcSecurityGroupId", "security-group",
     "ec2/security-group", NULL},
    {"rds/cluster", "DBSubnetGroup", "subnet-group", "rds/subgrp", NULL},
    {"rds/cluster", "DBClusterParameterGroup", "parameter-group", "rds/cluster-pg",
     read_not_default},
    {"rds/cluster", "MasterUserSecret.SecretArn", "secret", NULL, read_secret},
    {"rds/cluster", "KmsKeyId", "key", NULL, NULL},
    {"rds/cluster", "Endpoint", "<server-of", "mariadb/server", read_endpoint},
    {"rds/cluster", "ReaderEndpoint", "<server-of", "mariadb/server", read_endpoint},

    {"lambda/function", "Role", "role", NULL, NULL},
    {"lambda/function", "VpcConfig.SecurityGroupIds[]", "security-group", "ec2/security-group",
     NULL},
    {"lambda/function", "VpcConfig.SubnetIds[]", "subnet", "ec2/subnet", NULL},
    {"lambda/function", "VpcConfig.VpcId", "vpc", "ec2/vpc", NULL},
    {"lambda/function", "FileSystemConfigs[].Arn", "access-point", NULL, NULL},
    {"lambda/function", "DeadLetterConfig.TargetArn", "dead-letters", NULL, NULL},
    {"lambda/function", "LoggingConfig.LogGroup", "log-group", "logs/log-group", read_log_group},
    {"lambda/function", "Code.ImageUri", "image", NULL, read_image},
    {"lambda/function", "ImageUri", "image", NULL, read_image},
    {"lambda/function", "KMSKeyArn", "key", NULL, NULL},

    {"secretsmanager/secret", "KmsKeyId", "key", NULL, NULL},
    {"secretsmanager/secret", "RotationLambdaARN", "rotated-by", NULL, NULL},
    {"logs/log-group", "kmsKeyId", "key", NULL, NULL},
    {"ecr/repository", "encryptionConfiguration.kmsKey", "key", NULL, NULL},
};

/* Told by the ARN alone: `keep` parts of its resource lead to what it uses. */
static const struct by_arn {
    const char *source, *type; /* SERVICE/TYPE, and the other's TYPE */
    unsigned least, keep; /* parts behind the type, by "/": that it has, that are the other's */
    const char *label;
} by_arn[] = {
    {"elasticloadbalancing/listener-rule", "listener", 5, 4, "listener"},
    {"elasticloadbalancing/listener", "loadbalancer", 4, 3, "load-balancer"},
    {"ecs/service", "cluster", 2, 1, "cluster"},
    {"ecs/task", "cluster", 2, 1, "cluster"},
    {"ecs/container-instance", "cluster", 2, 1, "cluster"},
    {"ecs/task-set", "service", 3, 2, "service"},
};

/* Things that have an ARN, and how it is made of their id: whether it names the region, and what
 * stands between type and id. */
static const struct {
    const char *what; /* SERVICE/TYPE, or SERVICE/ for all of its types */
    bool global;
    char between;
} with_arn[] = {
    {"ec2/", false, '/'},
    {"ecs/cluster", false, '/'},
    {"ecr/repository", false, '/'},
    {"elasticfilesystem/file-system", false, '/'},
    {"elasticfilesystem/access-point", false, '/'},
    {"iam/role", true, '/'},
    {"logs/log-group", false, ':'},
    {"rds/db", false, ':'},
    {"rds/cluster", false, ':'},
    {"rds/cluster-pg", false, ':'},
    {"rds/og", false, ':'},
    {"rds/pg", false, ':'},
    {"rds/subgrp", false, ':'},
    {"ssm/parameter", false, '/'},
};

/* --- reading --- */

static int read_value(const struct reading *r, const struct row *row, json_t *value)
{
    const char *text = json_string_value(value);

    if (row->read)
        return row->read(r, row, value);
    if (!text || !*text)
        return 0;
    if (row->to)
        return emit_id(r, row->label, row->to, text);
    return str_starts(text, "arn:") ? r->emit(r->arg, row->label, text) : 0;
}

static int walk(const struct reading *r, const struct row *row, const char *path, json_t *at)
{
    size_t n = strcspn(path, ".["), i;
    char name[64];
    json_t *item;
    int e = 0;

    snprintf(name, sizeof(name), "%.*s", (int)n, path);
    at = json_object_get(at, name);
    path += n;
    if (!at)
        return 0;
    if (str_starts(path, "[]")) {
        path += 2 + (path[2] == '.');
        json_array_foreach(at, i, item)
        {
            e = *path ? walk(r, row, path, item) : read_value(r, row, item);
            if (e)
                return e;
        }
        return 0;
    }
    return *path ? walk(r, row, path + 1, at) : read_value(r, row, at);
}

static bool is_source(const char *source, const char *service, const char *type)
{
    const char *rest = str_after(source, service);

    return rest && *rest == '/' && streq(rest + 1, type);
}

static int emit_by_arn(const struct reading *r, const struct by_arn *b)
{
    size_t n_part, kept = 0;
    int at = arn_part(r->arn, 5, &n_part);
    const char *parts = strchr(r->arn + at, '/');
    char target[TARGET_SIZE];

    if (!str_starts(r->arn, "arn:") || !parts || count_char(parts, '/') < b->least)
        return 0;
    for (unsigned slashes = 0; parts[kept]; kept++)
        if (parts[kept] == '/' && ++slashes > b->keep)
            break;
    if (str_format(target, sizeof(target), "%.*s%s%.*s", at, r->arn, b->type, (int)kept, parts) < 0)
        return 0;
    return r->emit(r->arg, b->label, target);
}

/* mariadb/database/HOST:PORT+NAME, or a user. */
static int emit_server(const struct reading *r, const char *type)
{
    const char *at = str_after(r->arn, "mariadb/");
    char server[TARGET_SIZE];

    if (!at || !(streq(type, "database") || streq(type, "user")))
        return 0;
    at = strchr(at, '/');
    if (!at || !strchr(at, '+') ||
        str_format(server, sizeof(server), "%.*s", (int)strcspn(at + 1, "+"), at + 1) < 0)
        return 0;
    return emit_id(r, "server", "mariadb/server", server);
}

int edges_of(const char *service, const char *type, const char *arn, json_t *description,
             edge_fn emit, void *arg)
{
    const struct reading r = {arn, description, emit, arg};
    int e = emit_server(&r, type);

    for (size_t i = 0; e == 0 && i < ARRAY_SIZE(by_arn); i++)
        if (is_source(by_arn[i].source, service, type))
            e = emit_by_arn(&r, &by_arn[i]);
    for (size_t i = 0; e == 0 && description && i < ARRAY_SIZE(rows); i++)
        if (is_source(rows[i].source, service, type))
            e = walk(&r, &rows[i], rows[i].path, description);
    return e;
}

bool edges_described(const char *service, const char *type)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (is_source(rows[i].source, service, type))
            return true;
    return false;
}

int edges_key(const struct edge_account *a, const char *target, char *out, size_t size)
{
    const char *type = strchr(target, '/'), *id = type ? strchr(type + 1, '/') : NULL;

    if (str_starts(target, "arn:"))
        return str_format(out, size, "%s", target) < 0 ? -EINVAL : 0;
    if (!id || !id[1])
        return -EINVAL;
    for (size_t i = 0; i < ARRAY_SIZE(with_arn); i++) {
        const char *what = with_arn[i].what;
        size_t n = strlen(what);
        if (strncmp(what, target, n) != 0 || (what[n - 1] != '/' && target + n != id))
            continue;
        return str_format(out, size, "arn:%s:%.*s:%s:%s:%.*s%c%s", a->partition,
                          (int)(type - target), target, with_arn[i].global ? "" : a->region,
                          a->account, (int)(id - type - 1), type + 1, with_arn[i].between,
                          id + 1) < 0
                   ? -EINVAL
                   : 0;
    }
    return str_format(out, size, "%s", target) < 0 ? -EINVAL : 0;
}
