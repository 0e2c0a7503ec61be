/*
 * Configuration as `aws configure` leaves it: environment, ~/.aws/config, ~/.aws/credentials
 * (AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE), in the order of AWS CLI v2 (aws-facts.md 7).
 */
#pragma once

#include "base/fault.h"
#include "awsapi/service.h"

struct aws_config {
    char *profile; /* "default" where none was named */
    char *region;
    char *endpoint_url;                /* for all services, or NULL */
    char *endpoint_urls[AWS_SERVICES]; /* for one service (AWS_ENDPOINT_URL_X, services section), or
                                          NULL */
    char *ca_bundle;                   /* or NULL */
    char *access_key_id, *secret_access_key, *session_token; /* token may be NULL */
    bool use_fips, use_dualstack;
};

/* Options given on the command line win; each may be NULL. Errors: -ENOENT unknown profile (a
 * profile that was named and is nowhere), -EINVAL no region or a malformed file (file and line in
 * the message) or endpoint, -ENOKEY no credentials (message says where was looked). *ret is the
 * caller's. */
struct aws_config_options {
    const char *profile, *region, *endpoint_url;
};
int aws_config_load(const struct aws_config_options *o, struct aws_config **ret, struct fault *f);
void aws_config_free(struct aws_config *c); /* wipes the secrets */
DEFINE_CLEANUP(struct aws_config *, aws_config_free)
