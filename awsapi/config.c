/*
 * What `aws configure` leaves behind, looked up in the CLI's order: option, environment, profile.
 * An empty environment variable counts as unset, as in the CLI.
 *
 * The two files name profiles differently: [profile X] in config, but [default]; [X] in
 * credentials. Of the sources of credentials only those are here that are plain keys. A profile
 * that says it gets its keys elsewhere (a role, SSO, a process, …) is not taken for one without:
 * the message names what it needs and the command that brings it. A role together with keys is
 * refused as well: the keys would be those of somebody else than the role's.
 */
#include "awsapi/config.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "awsapi/ini.h"
#include "base/str.h"

struct sources {
    struct ini *config, *credentials;
    char *config_path, *credentials_path;
    const char *config_section;      /* of the profile: "default", "profile X"; NULL: it has none */
    const char *credentials_section; /* "X", or NULL */
    char section[256];
};

static void sources_done(struct sources *s)
{
    ini_free(s->config);
    ini_free(s->credentials);
    free(s->config_path);
    free(s->credentials_path);
}

static void wipe_string(char *s)
{
    if (s != NULL)
        explicit_bzero(s, strlen(s));
    free(s);
}

void aws_config_free(struct aws_config *c)
{
    if (c == NULL)
        return;
    free(c->profile);
    free(c->region);
    free(c->endpoint_url);
    for (size_t i = 0; i < AWS_SERVICES; i++)
        free(c->endpoint_urls[i]);
    free(c->ca_bundle);
    wipe_string(c->access_key_id);
    wipe_string(c->secret_access_key);
    wipe_string(c->session_token);
    free(c);
}

static const char *env(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

static const char *home(void)
{
    const struct passwd *pw;

    if (env("HOME") != NULL)
        return env("HOME");
    pw = getpwuid(getuid());
    return pw != NULL ? pw->pw_dir : "/";
}

static char *file_path(const char *variable, const char *below_home)
{
    const char *named = env(variable);

    if (named == NULL)
        return str_printf("%s/%s", home(), below_home);
    if (str_starts(named, "~/"))
        return str_printf("%s/%s", home(), named + 2);
    return strdup(named);
}

static const char *key_of(const struct sources *s, bool in_credentials, const char *key)
{
    const char *section = in_credentials ? s->credentials_section : s->config_section;
    const char *value;

    if (section == NULL)
        return NULL;
    value = ini_get(in_credentials ? s->credentials : s->config, section, key, NULL);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* Of the profile, wherever it stands: the CLI takes a region from the credentials file, too. */
static const char *setting(const struct sources *s, const char *key)
{
    const char *value = key_of(s, true, key);

    return value != NULL ? value : key_of(s, false, key);
}

/* 0, -ENOMEM; value may be NULL. */
static int set(char **ret, const char *value)
{
    if (value == NULL)
        return 0;
    *ret = strdup(value);
    return *ret != NULL ? 0 : -ENOMEM;
}

static int load_files(const char *profile, bool named, struct sources *s, struct fault *f)
{
    int r;

    s->config_path = file_path("AWS_CONFIG_FILE", ".aws/config");
    s->credentials_path = file_path("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials");
    if (s->config_path == NULL || s->credentials_path == NULL)
        return fault_set(f, -ENOMEM, "no memory");
    r = ini_load(s->config_path, &s->config, f);
    if (r == 0)
        r = ini_load(s->credentials_path, &s->credentials, f);
    if (r < 0)
        return r;
    if (str_format(s->section, sizeof(s->section), "profile %s", profile) < 0)
        return fault_set(f, -EINVAL, "the profile's name is too long");
    if (ini_has_section(s->config, s->section))
        s->config_section = s->section;
    else if (streq(profile, "default") && ini_has_section(s->config, "default"))
        s->config_section = "default";
    if (ini_has_section(s->credentials, profile))
        s->credentials_section = profile;
    if (named && s->config_section == NULL && s->credentials_section == NULL)
        return fault_set(f, -ENOENT, "profile %s is neither in %s nor in %s", profile,
                         s->config_path, s->credentials_path);
    return 0;
}

static bool truth(const char *value)
{
    return value != NULL && strcasecmp(value, "true") == 0;
}

static int check_region(const char *region, struct fault *f)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    size_t len = strlen(region);

    /* It becomes part of a host name. */
    if (len > 63 || strspn(region, allowed) != len || region[0] == '-' || region[len - 1] == '-')
        return fault_set(f, -EINVAL, "'%s' is not a region", region);
    return 0;
}

static int load_region(const struct aws_config_options *o, const struct sources *s,
                       struct aws_config *c, struct fault *f)
{
    const char *region = o->region;

    if (region == NULL)
        region = env("AWS_REGION");
    if (region == NULL)
        region = env("AWS_DEFAULT_REGION");
    if (region == NULL)
        region = setting(s, "region");
    if (region == NULL)
        return fault_set(f, -EINVAL,
                         "no region: neither option region= nor AWS_REGION nor profile %s in %s "
                         "names one",
                         c->profile, s->config_path);
    if (check_region(region, f) < 0)
        return -EINVAL;
    return set(&c->region, region) < 0 ? fault_set(f, -ENOMEM, "no memory") : 0;
}

/* Takes one URL over into *ret, without a slash at its end. */
static int set_endpoint(char **ret, const char *url, const char *where, struct fault *f)
{
    const char *host = str_after(url, "http://");
    size_t len = strlen(url);

    if (host == NULL)
        host = str_after(url, "https://");
    if (host == NULL || strcspn(host, "/") == 0)
        return fault_set(f, -EINVAL, "%s: '%s' is not a URL like https://HOST", where, url);
    for (const char *p = url; *p != '\0'; p++) {
        if ((unsigned char)*p <= ' ' || *p == 0x7f || strchr("?#@\\", *p) != NULL)
            return fault_set(f, -EINVAL, "%s: the endpoint's URL may only have host, port and path",
                             where);
    }
    while (len > 0 && url[len - 1] == '/')
        len--;
    *ret = strndup(url, len);
    return *ret != NULL ? 0 : fault_set(f, -ENOMEM, "no memory");
}

static int load_service_endpoint(const struct sources *s, enum aws_service service,
                                 struct aws_config *c, struct fault *f)
{
    const struct aws_service_info *info = aws_service_info(service);
    const char *name = setting(s, "services"), *url;
    char text[256];

    if (str_format(text, sizeof(text), "AWS_ENDPOINT_URL_%s", info->env_suffix) < 0)
        return -EINVAL;
    url = env(text);
    if (url == NULL && name != NULL && env("AWS_ENDPOINT_URL") == NULL &&
        str_format(text, sizeof(text), "services %s", name) == 0)
        url = ini_get(s->config, text, info->config_key, "endpoint_url");
    if (url == NULL || url[0] == '\0')
        return 0;
    return set_endpoint(&c->endpoint_urls[service], url, text, f);
}

static int load_endpoints(const struct aws_config_options *o, const struct sources *s,
                          struct aws_config *c, struct fault *f)
{
    const char *ignore = env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");

    if (o->endpoint_url != NULL)
        return set_endpoint(&c->endpoint_url, o->endpoint_url, "option endpoint_url", f);
    if (truth(ignore != NULL ? ignore : setting(s, "ignore_configured_endpoint_urls")))
        return 0;
    for (size_t i = 0; i < AWS_SERVICES; i++) {
        int r = load_service_endpoint(s, (enum aws_service)i, c, f);

        if (r < 0)
            return r;
    }
    if (env("AWS_ENDPOINT_URL") != NULL)
        return set_endpoint(&c->endpoint_url, env("AWS_ENDPOINT_URL"), "AWS_ENDPOINT_URL", f);
    if (setting(s, "endpoint_url") != NULL)
        return set_endpoint(&c->endpoint_url, setting(s, "endpoint_url"), s->config_path, f);
    return 0;
}

/* 1: keys taken; 0: there are none. */
static int take_keys(struct aws_config *c, const char *id, const char *secret, const char *token,
                     const char *where, struct fault *f)
{
    if (id == NULL && secret == NULL)
        return 0;
    if (id == NULL || secret == NULL)
        return fault_set(f, -ENOKEY, "%s has %s without %s", where,
                         id != NULL ? "an access key id" : "a secret access key",
                         id != NULL ? "its secret access key" : "its access key id");
    if (set(&c->access_key_id, id) < 0 || set(&c->secret_access_key, secret) < 0 ||
        set(&c->session_token, token) < 0)
        return fault_set(f, -ENOMEM, "no memory");
    return 1;
}

/* What the profile would get its keys from, or NULL. */
static const char *other_source(const struct sources *s)
{
    static const struct {
        const char *key, *needs;
    } sources[] = {
        {"web_identity_token_file", "a web identity token exchanged for a role"},
        {"role_arn", "a role assumed"},
        {"sso_session", "a login by AWS SSO"},
        {"sso_start_url", "a login by AWS SSO"},
        {"login_session", "a login by `aws login`"},
        {"credential_process", "its credential_process run"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
        if (setting(s, sources[i].key) != NULL)
            return sources[i].needs;
    }
    return NULL;
}

static int refuse_other_source(const struct aws_config *c, const char *needs, struct fault *f)
{
    int r = fault_set(f, -ENOKEY, "profile %s needs %s, which svcfs does not do by itself",
                      c->profile, needs);

    if (f != NULL)
        (void)str_format(f->next, sizeof(f->next),
                         "eval \"$(aws configure export-credentials --profile %s --format env)\", "
                         "then mount without profile=",
                         c->profile);
    return r;
}

static int no_credentials(const struct sources *s, const struct aws_config *c, struct fault *f)
{
    bool elsewhere = env("AWS_WEB_IDENTITY_TOKEN_FILE") != NULL ||
                     env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") != NULL ||
                     env("AWS_CONTAINER_CREDENTIALS_FULL_URI") != NULL;

    if (other_source(s) != NULL)
        return refuse_other_source(c, other_source(s), f);
    (void)fault_set(
        f, -ENOKEY,
        "no credentials: neither AWS_ACCESS_KEY_ID nor profile %s in %s or %s has keys%s",
        c->profile, s->credentials_path, s->config_path,
        elsewhere ? " (web identity and container credentials are not read)" : "");
    if (f != NULL)
        (void)str_format(
            f->next, sizeof(f->next),
            "aws configure, or eval \"$(aws configure export-credentials --format env)\"");
    return -ENOKEY;
}

static int load_credentials(bool profile_by_option, const struct sources *s, struct aws_config *c,
                            struct fault *f)
{
    int r = 0;

    if (!profile_by_option)
        r = take_keys(c, env("AWS_ACCESS_KEY_ID"), env("AWS_SECRET_ACCESS_KEY"),
                      env("AWS_SESSION_TOKEN"), "the environment", f);
    if (r == 0 && setting(s, "role_arn") != NULL)
        return refuse_other_source(c, other_source(s), f);
    for (int in_credentials = 1; r == 0 && in_credentials >= 0; in_credentials--)
        r = take_keys(c, key_of(s, in_credentials, "aws_access_key_id"),
                      key_of(s, in_credentials, "aws_secret_access_key"),
                      key_of(s, in_credentials, "aws_session_token"),
                      in_credentials ? s->credentials_path : s->config_path, f);
    if (r == 0)
        return no_credentials(s, c, f);
    return r < 0 ? r : 0;
}

static bool switched_on(const struct sources *s, const char *variable, const char *key)
{
    return truth(env(variable) != NULL ? env(variable) : setting(s, key));
}

int aws_config_load(const struct aws_config_options *o, struct aws_config **ret, struct fault *f)
{
    _cleanup_(aws_config_freep) struct aws_config *c = calloc(1, sizeof(*c));
    _cleanup_(sources_done) struct sources s = {0};
    const char *profile = o->profile;
    int r;

    if (profile == NULL)
        profile = env("AWS_PROFILE");
    if (profile == NULL)
        profile = env("AWS_DEFAULT_PROFILE");
    if (c == NULL || set(&c->profile, profile != NULL ? profile : "default") < 0)
        return fault_set(f, -ENOMEM, "no memory");
    r = load_files(c->profile, profile != NULL, &s, f);
    if (r == 0)
        r = load_region(o, &s, c, f);
    if (r == 0)
        r = load_endpoints(o, &s, c, f);
    if (r == 0)
        r = load_credentials(o->profile != NULL, &s, c, f);
    if (r == 0 && set(&c->ca_bundle, env("AWS_CA_BUNDLE") != NULL ? env("AWS_CA_BUNDLE")
                                                                  : setting(&s, "ca_bundle")) < 0)
        r = fault_set(f, -ENOMEM, "no memory");
    if (r < 0)
        return r;
    c->use_fips = switched_on(&s, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint");
    c->use_dualstack = switched_on(&s, "AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint");
    *ret = steal_ptr(c);
    return 0;
}
