/* The AWS APIs that svcfs speaks, one row each (aws-facts.md 1). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum aws_service {
    AWS_TAGGING,
    AWS_RESOURCE_GROUPS,
    AWS_SSM,
    AWS_STS,
    AWS_EC2,
    AWS_ELBV2,
    AWS_EFS,
    AWS_ECS,
    AWS_SECRETSMANAGER,
    AWS_RDS,
    AWS_ECR,
    AWS_LAMBDA,
    AWS_LOGS,
    AWS_CLOUDCONTROL,
    AWS_SERVICES
};

enum aws_protocol { AWS_JSON, AWS_QUERY, AWS_EC2_QUERY, AWS_REST_JSON };

struct aws_service_info {
    const char *name; /* as faults and IAM show it: "ssm", "elasticloadbalancing" */
    const char *signing_name;
    const char *host_prefix; /* of PREFIX.REGION.amazonaws.com */
    const char *env_suffix;  /* of AWS_ENDPOINT_URL_ */
    const char *config_key;  /* in a services section: "resource_groups" */
    enum aws_protocol protocol;
    const char *target_prefix; /* AWS_JSON: of X-Amz-Target, with the dot */
    const char *json_version;  /* "1.1" */
    const char *api_version;   /* query protocols: Version= */
    bool gov_fips_plain;       /* in us-gov-* the plain host is the FIPS one */
    const char *other_prefix;  /* of FIPS and dual-stack hosts, where it differs */
};

const struct aws_service_info *aws_service_info(enum aws_service s);

/* "https://HOST" of the service in that region. 0 or -ENAMETOOLONG. */
int aws_service_url(enum aws_service s, const char *region, bool fips, bool dualstack, char *out,
                    size_t size);
