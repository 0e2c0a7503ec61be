/* Configuration as `aws configure` leaves it. Each test has a HOME of its own. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "awsapi/config.h"
#include "awsapi/ini.h"
#include "base/str.h"

static const char *const variables[] = {"AWS_PROFILE",
                                        "AWS_DEFAULT_PROFILE",
                                        "AWS_REGION",
                                        "AWS_DEFAULT_REGION",
                                        "AWS_ACCESS_KEY_ID",
                                        "AWS_SECRET_ACCESS_KEY",
                                        "AWS_SESSION_TOKEN",
                                        "AWS_ENDPOINT_URL",
                                        "AWS_ENDPOINT_URL_SSM",
                                        "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2",
                                        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
                                        "AWS_CONFIG_FILE",
                                        "AWS_SHARED_CREDENTIALS_FILE",
                                        "AWS_CA_BUNDLE",
                                        "AWS_USE_FIPS_ENDPOINT",
                                        "AWS_USE_DUALSTACK_ENDPOINT",
                                        "AWS_WEB_IDENTITY_TOKEN_FILE"};

static char home[64];

static void write_file(const char *name, const char *text)
{
    char path[128];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/.aws/%s", home, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    char path[80];
    (void)state;

    (void)snprintf(home, sizeof(home), "/tmp/svcfs-config-XXXXXX");
    if (mkdtemp(home) == NULL)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/.aws", home);
    for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
        unsetenv(variables[i]);
    setenv("HOME", home, 1);
    return mkdir(path, 0700);
}

static int tear_down(void **state)
{
    char path[128];
    (void)state;

    (void)snprintf(path, sizeof(path), "%s/.aws/config", home);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/.aws/credentials", home);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/.aws", home);
    (void)rmdir(path);
    return rmdir(home);
}

static struct aws_config *load(const struct aws_config_options *o)
{
    static const struct aws_config_options none = {0};
    struct aws_config *c = NULL;
    struct fault f = FAULT_INIT;
    int r = aws_config_load(o != NULL ? o : &none, &c, &f);

    if (r < 0)
        fail_msg("%s", f.message);
    return c;
}

static void refused(const struct aws_config_options *o, int err, const char *part)
{
    static const struct aws_config_options none = {0};
    struct aws_config *c = NULL;
    struct fault f = FAULT_INIT;

    assert_int_equal(aws_config_load(o != NULL ? o : &none, &c, &f), err);
    assert_null(c);
    if (strstr(f.message, part) == NULL)
        fail_msg("'%s' does not say '%s'", f.message, part);
}

#define CREDENTIALS                                                                                \
    "[default]\naws_access_key_id = AKDEFAULT\naws_secret_access_key = s1\n"                       \
    "# a comment\n[work]\naws_access_key_id=AKWORK\r\naws_secret_access_key = s=2/+\n"             \
    "aws_session_token = tok\n"

static void test_files(void **state)
{
    (void)state;
    write_file("credentials", CREDENTIALS);
    write_file("config", "[default]\nregion = eu-central-1\n[profile work]\nregion = eu-west-1\n"
                         "ca_bundle = /ca.pem\nuse_fips_endpoint = true\n");

    _cleanup_(aws_config_freep) struct aws_config *c = load(NULL);
    assert_string_equal(c->profile, "default");
    assert_string_equal(c->region, "eu-central-1");
    assert_string_equal(c->access_key_id, "AKDEFAULT");
    assert_null(c->session_token);
    assert_null(c->endpoint_url);
    assert_false(c->use_fips);

    _cleanup_(aws_config_freep) struct aws_config *work =
        load(&(struct aws_config_options){.profile = "work"});
    assert_string_equal(work->region, "eu-west-1");
    assert_string_equal(work->access_key_id, "AKWORK");
    assert_string_equal(work->secret_access_key, "s=2/+");
    assert_string_equal(work->session_token, "tok");
    assert_string_equal(work->ca_bundle, "/ca.pem");
    assert_true(work->use_fips);
}

static void test_environment(void **state)
{
    (void)state;
    write_file("credentials", CREDENTIALS);
    setenv("AWS_DEFAULT_REGION", "us-west-2", 1);
    setenv("AWS_DEFAULT_PROFILE", "work", 1);
    setenv("AWS_REGION", "", 1); /* empty is unset */
    {
        _cleanup_(aws_config_freep) struct aws_config *c = load(NULL);
        assert_string_equal(c->region, "us-west-2");
        assert_string_equal(c->access_key_id, "AKWORK");
    }
    setenv("AWS_REGION", "us-east-1", 1);
    setenv("AWS_PROFILE", "default", 1);
    setenv("AWS_ACCESS_KEY_ID", "AKENV", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "s3", 1);
    {
        _cleanup_(aws_config_freep) struct aws_config *c = load(NULL);
        assert_string_equal(c->region, "us-east-1");
        assert_string_equal(c->profile, "default");
        assert_string_equal(c->access_key_id, "AKENV");
    }
    {
        /* A profile that was asked for by option is not overruled by keys of the environment. */
        _cleanup_(aws_config_freep) struct aws_config *c =
            load(&(struct aws_config_options){.profile = "work", .region = "eu-north-1"});
        assert_string_equal(c->region, "eu-north-1");
        assert_string_equal(c->access_key_id, "AKWORK");
    }
    unsetenv("AWS_SECRET_ACCESS_KEY");
    refused(NULL, -ENOKEY, "without its secret");
}

static void test_endpoints(void **state)
{
    (void)state;
    write_file("credentials", CREDENTIALS);
    write_file("config", "[default]\nregion = eu-central-1\nendpoint_url = http://profile:1/\n"
                         "services = lab\n[services lab]\nssm =\n  endpoint_url = http://ssm:2\n"
                         "elastic_load_balancing_v2 =\n\tendpoint_url = http://elb:3/x/\n");
    {
        _cleanup_(aws_config_freep) struct aws_config *c = load(NULL);
        assert_string_equal(c->endpoint_url, "http://profile:1");
        assert_string_equal(c->endpoint_urls[AWS_SSM], "http://ssm:2");
        assert_string_equal(c->endpoint_urls[AWS_ELBV2], "http://elb:3/x");
        assert_null(c->endpoint_urls[AWS_EC2]);
    }
    setenv("AWS_ENDPOINT_URL_SSM", "https://env-ssm", 1);
    {
        _cleanup_(aws_config_freep) struct aws_config *c = load(NULL);
        assert_string_equal(c->endpoint_urls[AWS_SSM], "https://env-ssm");
        assert_string_equal(c->endpoint_urls[AWS_ELBV2], "http://elb:3/x");
    }
    setenv("AWS_ENDPOINT_URL", "http://env:4", 1);
    {
        _cleanup_(aws_config_freep) struct aws_config *c = load(NULL);
        assert_string_equal(c->endpoint_url, "http://env:4");
        assert_string_equal(c->endpoint_urls[AWS_SSM], "https://env-ssm");
        assert_null(c->endpoint_urls[AWS_ELBV2]);
    }
    {
        _cleanup_(aws_config_freep) struct aws_config *c =
            load(&(struct aws_config_options){.endpoint_url = "http://127.0.0.1:5000"});
        assert_string_equal(c->endpoint_url, "http://127.0.0.1:5000");
        assert_null(c->endpoint_urls[AWS_SSM]);
    }
    setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true", 1);
    {
        _cleanup_(aws_config_freep) struct aws_config *c = load(NULL);
        assert_null(c->endpoint_url);
        assert_null(c->endpoint_urls[AWS_SSM]);
    }
    refused(&(struct aws_config_options){.endpoint_url = "localhost:5000"}, -EINVAL, "not a URL");
    refused(&(struct aws_config_options){.endpoint_url = "http://u:p@h"}, -EINVAL, "may only have");
    refused(&(struct aws_config_options){.endpoint_url = "http://"}, -EINVAL, "not a URL");
}

static void test_refused(void **state)
{
    (void)state;

    refused(NULL, -EINVAL, "no region");
    refused(&(struct aws_config_options){.region = "eu/../x"}, -EINVAL, "not a region");
    refused(&(struct aws_config_options){.region = "eu-central-1"}, -ENOKEY, "no credentials");
    refused(&(struct aws_config_options){.profile = "nope"}, -ENOENT, "profile nope is neither");
    write_file("config", "[default]\nregion = x\n\nrubbish\n");
    refused(NULL, -EINVAL, "config:4: neither");
    write_file("config", "region = x\n");
    refused(NULL, -EINVAL, "config:1: neither");
}

static void test_other_sources(void **state)
{
    static const struct aws_config_options sso = {.profile = "sso", .region = "eu-central-1"};
    static const struct aws_config_options role = {.profile = "a role", .region = "eu-central-1"};
    struct aws_config *c = NULL;
    struct fault f = FAULT_INIT;
    (void)state;

    write_file("config", "[profile sso]\nsso_session = s\n[profile \"a  role\"]\nrole_arn = arn:x\n"
                         "source_profile = default\naws_access_key_id = AK\n"
                         "aws_secret_access_key = s\n[profile 'a role']\nrole_arn = arn:x\n");
    refused(&sso, -ENOKEY, "AWS SSO");
    refused(&role, -ENOKEY, "role");
    assert_int_equal(aws_config_load(&sso, &c, &f), -ENOKEY);
    assert_non_null(strstr(f.next, "export-credentials --profile sso"));
    /* Keys that were exported into the credentials file do. */
    write_file("credentials", "[sso]\naws_access_key_id = AK\naws_secret_access_key = s\n");
    _cleanup_(aws_config_freep) struct aws_config *ok = load(&sso);
    assert_string_equal(ok->access_key_id, "AK");
}

static void test_paths(void **state)
{
    char path[128];
    (void)state;

    write_file("credentials", CREDENTIALS);
    (void)snprintf(path, sizeof(path), "%s/.aws/credentials", home);
    setenv("AWS_REGION", "eu-central-1", 1);
    setenv("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/elsewhere", 1);
    refused(NULL, -ENOKEY, "/.aws/elsewhere");
    setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
    _cleanup_(aws_config_freep) struct aws_config *c = load(NULL);
    assert_string_equal(c->access_key_id, "AKDEFAULT");
}

static void test_hosts(void **state)
{
    static const struct {
        enum aws_service service;
        const char *region;
        bool fips, dualstack;
        const char *url;
    } cases[] = {
        {AWS_TAGGING, "eu-central-1", false, false, "https://tagging.eu-central-1.amazonaws.com"},
        {AWS_EFS, "us-east-1", true, false,
         "https://elasticfilesystem-fips.us-east-1.amazonaws.com"},
        {AWS_SSM, "us-gov-west-1", true, false, "https://ssm.us-gov-west-1.amazonaws.com"},
        {AWS_SSM, "us-gov-west-1", true, true, "https://ssm-fips.us-gov-west-1.api.aws"},
        {AWS_ECS, "us-gov-west-1", true, false, "https://ecs-fips.us-gov-west-1.amazonaws.com"},
        {AWS_EC2, "cn-north-1", false, false, "https://ec2.cn-north-1.amazonaws.com.cn"},
        {AWS_RDS, "cn-north-1", false, true, "https://rds.cn-north-1.api.amazonwebservices.com.cn"},
        {AWS_STS, "eusc-de-east-1", false, false, "https://sts.eusc-de-east-1.amazonaws.eu"},
        {AWS_ELBV2, "us-isob-east-1", false, false,
         "https://elasticloadbalancing.us-isob-east-1.sc2s.sgov.gov"},
    };
    char out[256];
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(aws_service_url(cases[i].service, cases[i].region, cases[i].fips,
                                         cases[i].dualstack, out, sizeof(out)),
                         0);
        assert_string_equal(out, cases[i].url);
    }
    for (int s = 0; s < AWS_SERVICES; s++) {
        const struct aws_service_info *info = aws_service_info((enum aws_service)s);

        assert_non_null(info->name);
        assert_non_null(info->config_key);
        assert_int_equal(info->protocol == AWS_JSON, info->target_prefix != NULL);
        assert_int_equal(info->protocol == AWS_QUERY || info->protocol == AWS_EC2_QUERY,
                         info->api_version != NULL);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_files), TEST(test_environment),   TEST(test_endpoints), TEST(test_refused),
        TEST(test_paths), TEST(test_other_sources), TEST(test_hosts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
