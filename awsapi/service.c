/*
 * One row a service, after AWS's models. Host names follow a few rules and many exceptions; the
 * rules are here (partition suffix, -fips, dual stack), the exceptions that touch our services
 * are columns, and for everything else there is endpoint_url. A rule engine like the SDKs' was
 * rejected: fourteen services do not pay for it.
 */
#include "awsapi/service.h"

#include <errno.h>
#include <stddef.h>

#include "base/macro.h"
#include "base/str.h"

#define JSON11(target) .protocol = AWS_JSON, .json_version = "1.1", .target_prefix = (target)

static const struct aws_service_info services[AWS_SERVICES] = {
    [AWS_TAGGING] = {"tag", "tagging", "tagging", "RESOURCE_GROUPS_TAGGING_API",
                     "resource_groups_tagging_api", JSON11("ResourceGroupsTaggingAPI_20170126.")},
    [AWS_RESOURCE_GROUPS] = {"resource-groups", "resource-groups", "resource-groups",
                             "RESOURCE_GROUPS", "resource_groups", .protocol = AWS_REST_JSON,
                             .gov_fips_plain = true},
    [AWS_SSM] = {"ssm", "ssm", "ssm", "SSM", "ssm", JSON11("AmazonSSM."), .gov_fips_plain = true},
    [AWS_STS] = {"sts", "sts", "sts", "STS", "sts", .protocol = AWS_QUERY,
                 .api_version = "2011-06-15", .gov_fips_plain = true},
    [AWS_EC2] = {"ec2", "ec2", "ec2", "EC2", "ec2", .protocol = AWS_EC2_QUERY,
                 .api_version = "2016-11-15", .gov_fips_plain = true},
    [AWS_ELBV2] = {"elasticloadbalancing", "elasticloadbalancing", "elasticloadbalancing",
                   "ELASTIC_LOAD_BALANCING_V2", "elastic_load_balancing_v2", .protocol = AWS_QUERY,
                   .api_version = "2015-12-01", .gov_fips_plain = true},
    [AWS_EFS] = {"elasticfilesystem", "elasticfilesystem", "elasticfilesystem", "EFS", "efs",
                 .protocol = AWS_REST_JSON},
    [AWS_ECS] = {"ecs", "ecs", "ecs", "ECS", "ecs", JSON11("AmazonEC2ContainerServiceV20141113."),
                 .gov_fips_plain = false},
    [AWS_SECRETSMANAGER] = {"secretsmanager", "secretsmanager", "secretsmanager", "SECRETS_MANAGER",
                            "secrets_manager", JSON11("secretsmanager.")},
    [AWS_RDS] = {"rds", "rds", "rds", "RDS", "rds", .protocol = AWS_QUERY,
                 .api_version = "2014-10-31", .gov_fips_plain = true},
    [AWS_ECR] = {"ecr", "ecr", "api.ecr", "ECR", "ecr",
                 JSON11("AmazonEC2ContainerRegistry_V20150921."), .other_prefix = "ecr"},
    [AWS_LAMBDA] = {"lambda", "lambda", "lambda", "LAMBDA", "lambda", .protocol = AWS_REST_JSON},
    [AWS_LOGS] = {"logs", "logs", "logs", "CLOUDWATCH_LOGS", "cloudwatch_logs",
                  JSON11("Logs_20140328.")},
    [AWS_CLOUDCONTROL] = {"cloudcontrol", "cloudcontrolapi", "cloudcontrolapi", "CLOUDCONTROL",
                          "cloudcontrol", .protocol = AWS_JSON, .json_version = "1.0",
                          .target_prefix = "CloudApiService."},
};

const struct aws_service_info *aws_service_info(enum aws_service s)
{
    return &services[s];
}

static const struct {
    const char *region_prefix, *suffix, *dualstack_suffix;
} partitions[] = {
    {"cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"},
    {"eusc-", "amazonaws.eu", "api.amazonwebservices.eu"},
    {"us-isob-", "sc2s.sgov.gov", "api.aws.scloud"},
    {"us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"},
    {"us-iso-", "c2s.ic.gov", "api.aws.ic.gov"},
    {"eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"},
    {"", "amazonaws.com", "api.aws"},
};

int aws_service_url(enum aws_service s, const char *region, bool fips, bool dualstack, char *out,
                    size_t size)
{
    const struct aws_service_info *info = aws_service_info(s);
    const char *suffix = NULL, *prefix = info->host_prefix;
    bool plain = info->gov_fips_plain && !dualstack && str_starts(region, "us-gov-");

    for (size_t i = 0; i < ARRAY_SIZE(partitions); i++) {
        if (!str_starts(region, partitions[i].region_prefix))
            continue;
        suffix = dualstack ? partitions[i].dualstack_suffix : partitions[i].suffix;
        break; /* the last prefix is empty: one always fits */
    }
    if (info->other_prefix && (fips || dualstack))
        prefix = info->other_prefix;
    return str_format(out, size, "https://%s%s.%s.%s", prefix, fips && !plain ? "-fips" : "",
                      region, suffix);
}
