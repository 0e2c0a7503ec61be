/* The files of .svcfs/: what the mount says of itself. None of them needs AWS, or waits. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fs/metrics.h"
#include "fs/node.h"
#include "fs/render.h"
#include "fs/report.h"

static int age_text(struct buf *out, int64_t ms)
{
    int64_t s = MAX(ms, 0) / 1000;

    if (s < 120)
        return buf_printf(out, "%lld s ago", (long long)s);
    if (s < 7200)
        return buf_printf(out, "%lld min ago", (long long)s / 60);
    return buf_printf(out, "%lld h ago", (long long)s / 3600);
}

static int fault_text(struct buf *out, const struct fault *f)
{
    int r = buf_puts(out, fault_errno_name(f->err));

    if (r == 0 && f->code[0])
        r = buf_printf(out, " %s", f->code);
    if (r == 0 && f->message[0])
        r = buf_printf(out, " %s", f->message);
    return r;
}

/* Where what is shown comes from, and how old it is. */
static int shown_text(struct place *p, const struct cache_freshness *fresh, struct buf *out)
{
    int r = buf_printf(out, "what is shown was %s ", fresh->saved ? "saved" : "read");

    return r ? r : age_text(out, fs_wall_ms(p->fs) - fresh->begun_wall_ms);
}

int render_health(struct place *p, struct buf *out, struct fault *f _unused_)
{
    struct cache_freshness fresh;
    int r;

    cache_freshness(p->fs->cache, &fresh);
    if (!fresh.last.err && !fresh.saved)
        return buf_puts(out,
                        fresh.begun_wall_ms ? "ok\n" : "starting: the first refresh is running\n");
    if (!fresh.last.err) {
        r = buf_puts(out, "starting: ");
        r = r ? r : shown_text(p, &fresh, out);
        return r ? r : buf_puts(out, "; the first refresh is running\n");
    }
    if (!fresh.begun_wall_ms) {
        r = buf_puts(out, "failed: no refresh has succeeded yet: ");
    } else {
        r = buf_puts(out, "degraded: the last refresh failed; ");
        r = r ? r : shown_text(p, &fresh, out);
        r = r ? r : buf_puts(out, ": ");
    }
    r = r ? r : fault_text(out, &fresh.last);
    return r ? r : buf_putc(out, '\n');
}

int render_identity(struct place *p, struct buf *out, struct fault *f _unused_)
{
    struct fs *fs = p->fs;

    return buf_printf(out, "account\t%s\nregion\t%s\narn\t%s\nprofile\t%s\n", fs->account,
                      fs->region, fs->arn, fs->profile);
}

static int quoted(struct buf *out, const char *s)
{
    int r;

    if (!s)
        return buf_puts(out, "null");
    r = buf_putc(out, '"');
    for (; *s && r == 0; s++) {
        if (*s == '"' || *s == '\\')
            r = buf_printf(out, "\\%c", *s);
        else if ((unsigned char)*s < 0x20)
            r = buf_printf(out, "\\u%04x", (unsigned char)*s);
        else
            r = buf_putc(out, *s);
    }
    return r ? r : buf_putc(out, '"');
}

static int member(struct buf *out, const char *name, const char *value)
{
    int r = buf_printf(out, "  \"%s\": ", name);

    r = r ? r : quoted(out, value);
    return r ? r : buf_puts(out, ",\n");
}

int render_config(struct place *p, struct buf *out, struct fault *f _unused_)
{
    const struct options *o = p->fs->options;
    int r = buf_puts(out, "{\n");

    r = r ? r : member(out, "profile", p->fs->profile);
    r = r ? r : member(out, "region", p->fs->region);
    r = r ? r : member(out, "endpoint_url", o->endpoint_url);
    r = r ? r : member(out, "blueprints", o->blueprints);
    r = r ? r : member(out, "service_tag", o->service_tag);
    r = r ? r : member(out, "family_tag", o->family_tag);
    r = r ? r : member(out, "dependency_tag", o->dependency_tag);
    r = r ? r : member(out, "db_ca", o->db_ca);
    r = r ? r : member(out, "cache_dir", o->cache_dir);
    r = r ? r : member(out, "log_level", log_level_name(log_get_level()));
    return r ? r
             : buf_printf(out,
                          "  \"refresh\": %g,\n  \"describe\": %g,\n  \"lease\": %g,\n  "
                          "\"rate_share\": %g,\n"
                          "  \"ro\": %s,\n  \"allow_other\": %s,\n  \"save_power\": %s\n}\n",
                          o->refresh_s, o->describe_s, o->lease_s, o->rate_share,
                          o->ro ? "true" : "false", o->allow_other ? "true" : "false",
                          o->save_power ? "true" : "false");
}

/* How far the descriptions are that are made behind the sweeps, or were asked for. */
static int described_text(struct place *p, struct buf *out)
{
    struct describe_progress done;
    int r;

    describe_progress(p->fs->describe, &done);
    r = buf_printf(out, "described\t%zu of %zu\ndescribe-error\t", done.done, done.of);
    r = r ? r : done.failed ? fault_text(out, &done.last) : buf_putc(out, '-');
    return r ? r : buf_putc(out, '\n');
}

int render_freshness(struct place *p, struct buf *out, struct fault *f _unused_)
{
    char begun[CLOCK_TIME_SIZE], ended[CLOCK_TIME_SIZE];
    struct cache_freshness fresh;
    int r;

    cache_freshness(p->fs->cache, &fresh);
    if (fresh.begun_wall_ms)
        r = buf_printf(out, "begun\t%s\nended\t%s\nage\t%lld\n",
                       clock_format(fresh.begun_wall_ms, begun),
                       fresh.ended_wall_ms ? clock_format(fresh.ended_wall_ms, ended) : "-",
                       (long long)(fs_wall_ms(p->fs) - fresh.begun_wall_ms) / 1000);
    else
        r = buf_puts(out, "begun\t-\nended\t-\nage\t-\n");
    r = r ? r
          : buf_printf(out, "saved\t%s\nsweeps\t%llu\nsweeping\t%s\nlast-error\t",
                       fresh.saved ? "yes" : "no", (unsigned long long)fresh.sweeps,
                       fresh.sweeping ? "yes" : "no");
    r = r ? r : fresh.last.err ? fault_text(out, &fresh.last) : buf_putc(out, '-');
    r = r ? r : buf_putc(out, '\n');
    return r ? r : described_text(p, out);
}

static unsigned long long resident_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    unsigned long long pages = 0;

    if (f && fscanf(f, "%*u %llu", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    return pages * (unsigned long long)sysconf(_SC_PAGESIZE);
}

int render_metrics(struct place *p, struct buf *out, struct fault *f _unused_)
{
    struct cache_freshness fresh;
    struct describe_progress done;

    describe_progress(p->fs->describe, &done);
    const struct {
        const char *name, *type;
        unsigned long long value;
    } rows[] = {
        {"svcfs_snapshot_generation", "gauge", p->snap ? p->snap->generation : 0},
        {"svcfs_snapshot_resources", "gauge", p->snap ? p->snap->n_resources : 0},
        {"svcfs_snapshot_services", "gauge", p->snap ? p->snap->n_services : 0},
        {"svcfs_described", "gauge", done.done},
        {"svcfs_describable", "gauge", done.of},
        {"svcfs_description_bytes", "gauge", done.bytes},
        {"svcfs_nodes", "gauge", node_count(p->fs->nodes)},
        {"svcfs_process_resident_memory_bytes", "gauge", resident_bytes()},
    };
    int r = metrics_render(p->fs->metrics, out);

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(rows); i++)
        r = buf_printf(out, "# TYPE %s %s\n%s %llu\n", rows[i].name, rows[i].type, rows[i].name,
                       rows[i].value);
    cache_freshness(p->fs->cache, &fresh);
    return r ? r
             : buf_printf(out, "# TYPE svcfs_sweeps_total counter\nsvcfs_sweeps_total %llu\n",
                          (unsigned long long)fresh.sweeps);
}

int render_errors(struct place *p, struct buf *out, struct fault *f _unused_)
{
    struct cache_freshness fresh;
    int r = report_render(p->fs->report, out);

    for (size_t i = 0; r == 0 && p->snap && i < p->snap->n_problems; i++)
        r = buf_printf(out, "index: %s\n", p->snap->problems[i]);
    r = r ? r : provision_problems(p->fs->provision, out);
    cache_freshness(p->fs->cache, &fresh);
    if (r || !fresh.last.err)
        return r;
    r = buf_puts(out, "refresh: ");
    r = r ? r : fault_text(out, &fresh.last);
    return r ? r : buf_putc(out, '\n');
}

int render_refresh(struct place *p _unused_, struct buf *out, struct fault *f _unused_)
{
    return buf_puts(out, "write anything: reads the account anew, returns when that is in force\n");
}

int render_version(struct place *p _unused_, struct buf *out, struct fault *f _unused_)
{
    return buf_puts(out, "svcfs " SVCFS_VERSION "\n");
}
