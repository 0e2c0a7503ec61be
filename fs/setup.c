/*
 * In the order in which a user would want to be told what is wrong: configuration, then who we are
 * (which tells a wrong endpoint and refused credentials at once), then blueprints. Freed in the
 * reverse order.
 */
#include "fs/setup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "awsapi/http.h"
#include "base/hash.h"
#include "base/str.h"
#include "fs/tell.h"
#include "fs/content.h"
#include "fs/detour.h"
#include "fs/guard.h"
#include "fs/listing.h"
#include "fs/metrics.h"
#include "fs/node.h"
#include "fs/notify.h"
#include "fs/park.h"
#include "fs/report.h"
#include "fs/standing.h"

enum { IDENTITY_MS = 3000, MAX_JOBS = 128 }; /* a read may take three times its deadline */

static int connect_aws(struct setup *s, const struct options *o, struct fault *f)
{
    struct aws_config_options config = {
        .profile = o->profile, .region = o->region, .endpoint_url = o->endpoint_url};
    struct aws_client_options client = {.clock = clock_system(), .rate_share = o->rate_share};
    struct aws_ctx ctx = {.timeout_ms = IDENTITY_MS};
    int r = aws_config_load(&config, &s->config, f);

    if (r)
        return r;
    client.config = s->config;
    r = http_new(&client.transport, client.clock, s->config->ca_bundle, f);
    if (r)
        return r;
    r = aws_client_new(&client, &s->client, f);
    if (r)
        return r;
    r = sts_get_caller_identity(s->client, &ctx, &s->identity, f);
    if (r)
        return fault_prefix(f, r, "AWS does not tell who we are (sts:GetCallerIdentity)");
    return 0;
}

/* "aws-cn" of "arn:aws-cn:sts:…" */
static void find_partition(struct setup *s)
{
    const char *arn = str_after(s->identity.arn, "arn:");
    size_t n = arn ? strcspn(arn, ":") : 0;

    if (n == 0 || n >= sizeof(s->partition))
        snprintf(s->partition, sizeof(s->partition), "aws");
    else
        snprintf(s->partition, sizeof(s->partition), "%.*s", (int)n, arn);
}

/* The saved index of this account, seen through these options: each has a file of its own. NULL:
 * no memory. */
static char *save_path(const struct setup *s, const struct options *o, const char *endpoint)
{
    char *whose _cleanup_free_ =
        str_printf("%s\n%s\n%s\n%s\n%s\n%s", s->identity.account, s->config->region, s->partition,
                   endpoint ? endpoint : "", o->family_tag, o->service_tag);

    return whose ? str_printf("%s/%016" PRIx64 ".index", o->cache_dir,
                              hash_stable(whose, strlen(whose)))
                 : NULL;
}

static int make_cache(struct setup *s, const struct options *o, struct fault *f)
{
    const char *endpoint = s->config->endpoint_urls[AWS_TAGGING]
                               ? s->config->endpoint_urls[AWS_TAGGING]
                               : s->config->endpoint_url;
    char *path _cleanup_free_ = o->cache_dir ? save_path(s, o, endpoint) : NULL;
    struct cache_options options = {
        .aws = s->client,
        .family_tag = o->family_tag,
        .service_tag = o->service_tag,
        .dependency_tag = o->dependency_tag,
        .account = s->identity.account,
        .region = s->config->region,
        .partition = s->partition,
        .refresh_ms = (int64_t)(o->refresh_s * 1000),
        .save_path = path,
        .endpoint = endpoint,
    };

    if (o->cache_dir && !path)
        return fault_set(f, -ENOMEM, "no memory");
    return cache_new(&s->cache, &options, f);
}

static int make_describe(struct setup *s, const struct options *o, struct fault *f)
{
    struct describe_options options = {
        .aws = s->client,
        .cache = s->cache,
        .every_ms = (int64_t)(o->describe_s * 1000),
        .ttl_ms = (int64_t)(o->refresh_s * 1000),
    };

    return describe_new(&s->describe, &options, f);
}

static int make_impacts(struct setup *s, struct fault *f)
{
    struct impacts_options options = {
        .cache = s->cache,
        .describe = s->describe,
        .account = s->identity.account,
        .region = s->config->region,
        .partition = s->partition,
    };

    return impacts_new(&s->impacts, &options, f);
}

static int make_provision(struct setup *s, const struct options *o, struct fault *f)
{
    struct provision_options options = {
        .aws = s->client,
        .cache = s->cache,
        .account = s->identity.account,
        .region = s->config->region,
        .partition = s->partition,
        .family_tag = o->family_tag,
        .service_tag = o->service_tag,
        .dependency_tag = o->dependency_tag,
        .blueprints = o->blueprints,
        .refresh_ms = (int64_t)(o->refresh_s * 1000),
        .lease_ms = (int64_t)(o->lease_s * 1000),
        .db_ca = o->db_ca,
        .read_only = o->ro,
    };

    return provision_new(&s->provision, &options, f);
}

/* First the kernel is told, then whoever waits: nobody reads old content after an answer. */
static void on_published(void *arg, const struct snapshot *old, const struct snapshot *now)
{
    struct fs *fs = arg;

    tell_published(fs, old, now);
    park_wake(fs->park);
}

static void on_described(void *arg, const char *const *keys, size_t n)
{
    struct fs *fs = arg;

    tell_described(fs, keys, n);
    park_wake(fs->park);
}

static void on_impacts(void *arg, const struct impact_news *news)
{
    struct fs *fs = arg;

    tell_impacts(fs, news);
    park_wake(fs->park);
}

static void on_service(void *arg, const char *family, const char *id, unsigned what)
{
    struct fs *fs = arg;

    tell_service(fs, family, id, what);
    park_wake(fs->park);
}

static int make_fs(struct setup *s, const struct options *o, struct fault *f)
{
    struct fs *fs = &s->fs;
    int r;

    *fs = (struct fs){.options = o,
                      .clock = clock_system(),
                      .cache = s->cache,
                      .describe = s->describe,
                      .impacts = s->impacts,
                      .provision = s->provision,
                      .account = s->identity.account,
                      .region = s->config->region,
                      .arn = s->identity.arn,
                      .profile = s->config->profile,
                      .uid = getuid(),
                      .gid = getgid()};
    fs->umask = umask(0);
    umask(fs->umask);
    fs->start_ms = fs_wall_ms(fs);
    r = jobs_new(&fs->jobs, "svcfs-job", MAX_JOBS);
    r = r ? r : node_table_new(&fs->nodes);
    r = r ? r : park_new(&fs->park);
    r = r ? r : guard_new(&fs->guard, fs->clock, proc_group);
    r = r ? r : notify_new(&fs->notify, fs);
    r = r ? r : report_new(&fs->report, fs->clock);
    r = r ? r : detour_new(&fs->detour);
    r = r ? r : content_memo_new(&fs->contents);
    r = r ? r : listing_memo_new(&fs->listings);
    r = r ? r : metrics_new(&fs->metrics);
    r = r ? r : standings_new(&fs->standings);
    if (r)
        return fault_set(f, r, "no memory");
    cache_observe(s->cache, on_published, fs);
    describe_observe(s->describe, on_described, fs);
    impacts_observe(s->impacts, on_impacts, fs);
    provision_observe(s->provision, on_service, fs);
    aws_client_observe(s->client, metrics_call, fs->metrics);
    return 0;
}

int setup_make(struct setup *s, const struct options *o, struct fault *f)
{
    int r = connect_aws(s, o, f);

    if (r)
        return r;
    find_partition(s);
    r = make_cache(s, o, f);
    r = r ? r : make_describe(s, o, f);
    r = r ? r : make_impacts(s, f);
    r = r ? r : make_provision(s, o, f);
    return r ? r : make_fs(s, o, f);
}

void setup_done(struct setup *s)
{
    jobs_free(s->fs.jobs);
    provision_free(s->provision);
    impacts_free(s->impacts);
    describe_free(s->describe);
    cache_free(s->cache);
    content_memo_free(s->fs.contents);
    listing_memo_free(s->fs.listings);
    detour_free(s->fs.detour);
    report_free(s->fs.report);
    notify_free(s->fs.notify);
    guard_free(s->fs.guard);
    park_free(s->fs.park);
    node_table_free(s->fs.nodes);
    aws_client_free(s->client);
    metrics_free(s->fs.metrics);
    standings_free(s->fs.standings);
    aws_config_free(s->config);
}
