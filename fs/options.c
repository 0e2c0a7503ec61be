/*
 * libfuse's habits (`-o a=b,c`, `-f`, `-d`) with libfuse's own parser, but no option is passed on
 * unread: libfuse would tell of an unknown one after the mount was prepared. Relative paths are
 * resolved here, before the daemon leaves the directory.
 */
#include "fs/options.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

const char options_usage[] =
    "usage: svcfs [-o OPTION[,OPTION...]] [-f] [-d] MOUNTPOINT\n"
    "\n"
    "    -f                  stay in the foreground, log to standard error\n"
    "    -d                  the same, and tell everything\n"
    "    --help, --version   print and end\n"
    "\n"
    "    -o profile=NAME     of the AWS configuration (default: AWS_PROFILE, else default)\n"
    "    -o region=NAME      (default: as the AWS configuration has it)\n"
    "    -o endpoint_url=URL of all AWS services\n"
    "    -o blueprints=DIR   what mkdir builds: FAMILY.json (default: none, nothing is built)\n"
    "    -o service_tag=KEY  (default: service-id)\n"
    "    -o family_tag=KEY   (default: service-family)\n"
    "    -o dependency_tag=KEY (default: service-dependency; continued in KEY-2, KEY-3, ...)\n"
    "    -o refresh=SECONDS  between reads of the account (default: 60); up to four times that\n"
    "                        while nothing changes\n"
    "    -o describe=SECONDS between descriptions of what others depend on (default: 900); 0: "
    "only\n"
    "                        what is read is described\n"
    "    -o cache_dir=DIR    where the index is saved, or none (default: ~/.cache/svcfs)\n"
    "    -o lease=SECONDS    after which another daemon takes over what one left (default: 60)\n"
    "    -o rate_share=X     share of AWS's request rates that is used (default: 0.67)\n"
    "    -o db_ca=FILE       certificates that MariaDB servers are checked with\n"
    "    -o log_level=WORD   error, warning, info (default), debug\n"
    "    -o save_power       processors may sleep while the kernel asks us one thing after the\n"
    "                        other; what it has not kept yet is shown half as fast then\n"
    "    -o ro               shows, provisions nothing\n"
    "    -o allow_other      other users may use the mount; the modes decide\n"
    "    -o nodev,nosuid,noexec,noatime,auto_unmount,...  as mount(8) and fuse(8) have them\n";

struct parsing {
    struct options *o;
    char *refresh, *describe, *lease, *rate_share, *log_level;
    char *message;
    size_t size;
    int err;
    int ro, allow_other, save_power, foreground, debug, help, version;
};

enum { KEY_PASSED_ON = 1 };

#define AT(member) offsetof(struct parsing, member)
#define FLAG(text, member)                                                                         \
    {                                                                                              \
        text, AT(member), 1                                                                        \
    }

static const struct fuse_opt flags[] = {FLAG("ro", ro),
                                        FLAG("allow_other", allow_other),
                                        FLAG("save_power", save_power),
                                        FLAG("-f", foreground),
                                        FLAG("-d", debug),
                                        FLAG("debug", debug),
                                        FLAG("-h", help),
                                        FLAG("--help", help),
                                        FLAG("-V", version),
                                        FLAG("--version", version),
                                        {"refresh=%s", AT(refresh), 0},
                                        {"describe=%s", AT(describe), 0},
                                        {"lease=%s", AT(lease), 0},
                                        {"rate_share=%s", AT(rate_share), 0},
                                        {"log_level=%s", AT(log_level), 0},
                                        FUSE_OPT_KEY("rw", KEY_PASSED_ON),
                                        FUSE_OPT_KEY("dev", KEY_PASSED_ON),
                                        FUSE_OPT_KEY("nodev", KEY_PASSED_ON),
                                        FUSE_OPT_KEY("suid", KEY_PASSED_ON),
                                        FUSE_OPT_KEY("nosuid", KEY_PASSED_ON),
                                        FUSE_OPT_KEY("exec", KEY_PASSED_ON),
                                        FUSE_OPT_KEY("noexec", KEY_PASSED_ON),
                                        FUSE_OPT_KEY("atime", KEY_PASSED_ON),
                                        FUSE_OPT_KEY("noatime", KEY_PASSED_ON),
                                        FUSE_OPT_KEY("auto_unmount", KEY_PASSED_ON),
                                        FUSE_OPT_END};

/* Strings, by hand: a repeated option replaces the first. */
static const struct {
    const char *name;
    size_t offset;
} strings[] = {
    {"profile=", offsetof(struct options, profile)},
    {"region=", offsetof(struct options, region)},
    {"endpoint_url=", offsetof(struct options, endpoint_url)},
    {"blueprints=", offsetof(struct options, blueprints)},
    {"db_ca=", offsetof(struct options, db_ca)},
    {"cache_dir=", offsetof(struct options, cache_dir)},
    {"service_tag=", offsetof(struct options, service_tag)},
    {"family_tag=", offsetof(struct options, family_tag)},
    {"dependency_tag=", offsetof(struct options, dependency_tag)},
};

static int fail(struct parsing *p, int err, const char *fmt, ...) _printf_(3, 4);
static int fail(struct parsing *p, int err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    if (!p->err)
        vsnprintf(p->message, p->size, fmt, ap);
    va_end(ap);
    p->err = p->err ? p->err : err;
    return -1;
}

static int set_string(struct parsing *p, const char *arg, char **at, const char *value)
{
    char *copy;

    if (!*value)
        return fail(p, -EINVAL, "an empty value: %s", *arg ? arg : "the mount point");
    copy = strdup(value);
    if (!copy)
        return fail(p, -ENOMEM, "no memory");
    free(*at);
    *at = copy;
    return 0;
}

static int pass_on(struct parsing *p, const char *arg)
{
    char **at = &p->o->fuse_options;
    char *more = str_printf("%s%s%s", *at ? *at : "", *at ? "," : "", arg);

    if (!more)
        return fail(p, -ENOMEM, "no memory");
    free(*at);
    *at = more;
    return 0;
}

/* libfuse calls it for what the table does not have. 0: taken; -1: error. */
static int on_option(void *data, const char *arg, int key, struct fuse_args *out _unused_)
{
    struct parsing *p = data;

    if (key == KEY_PASSED_ON)
        return pass_on(p, arg);
    if (key == FUSE_OPT_KEY_NONOPT) {
        if (p->o->mountpoint)
            return fail(p, -EINVAL, "more than one mount point: %s", arg);
        return set_string(p, arg, &p->o->mountpoint, arg);
    }
    for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
        const char *value = str_after(arg, strings[i].name);

        if (value)
            return set_string(p, arg, (char **)((char *)p->o + strings[i].offset), value);
    }
    return fail(p, -EINVAL, "unknown option: %s (svcfs --help tells them)", arg);
}

static int parse_number(struct parsing *p, const char *name, const char *text, double min,
                        double max, double *ret)
{
    char *end;
    double value;

    if (!text)
        return 0;
    value = strtod(text, &end);
    if (end == text || *end || !isfinite(value) || value < min || value > max)
        return fail(p, -EINVAL, "option %s: not a number from %g to %g: %s", name, min, max, text);
    *ret = value;
    return 0;
}

static int make_absolute(struct parsing *p, const char *name, char **path)
{
    char *whole;

    if (!*path)
        return 0;
    whole = realpath(*path, NULL);
    if (!whole) {
        int err = errno;

        return fail(p, -err, "%s%s%s: %s", name, *name ? "=" : "", *path, strerror(err));
    }
    free(*path);
    *path = whole;
    return 0;
}

/* $NAME/below, where the variable is an absolute path (of several the first). NULL: it is not, or
 * no memory. */
static char *below_variable(const char *name, const char *below)
{
    const char *value = getenv(name);

    if (!value || *value != '/')
        return NULL;
    return str_printf("%.*s%s", (int)strcspn(value, ":"), value, below);
}

/* Not by realpath: it is made when there is something to save. */
static int find_cache_dir(struct parsing *p)
{
    char **at = &p->o->cache_dir;

    if (!*at) {
        *at = below_variable("CACHE_DIRECTORY", ""); /* systemd's */
        *at = *at ? *at : below_variable("XDG_CACHE_HOME", "/svcfs");
        *at = *at ? *at : below_variable("HOME", "/.cache/svcfs");
        return 0;
    }
    char *given _cleanup_free_ = steal_ptr(*at), *here _cleanup_free_ = NULL;
    if (streq(given, "none"))
        return 0;
    if (*given == '/') {
        *at = steal_ptr(given);
        return 0;
    }
    here = getcwd(NULL, 0);
    *at = here ? str_printf("%s/%s", here, given) : NULL;
    return *at ? 0 : fail(p, -EINVAL, "cache_dir=%s: not an absolute path", given);
}

static int defaults(struct parsing *p)
{
    struct options *o = p->o;

    o->refresh_s = 60;
    o->describe_s = 900;
    o->lease_s = 60;
    o->log_level = LOG_LEVEL_INFO;
    o->service_tag = strdup("service-id");
    o->family_tag = strdup("service-family");
    o->dependency_tag = strdup("service-dependency");
    return o->service_tag && o->family_tag && o->dependency_tag ? 0 : fail(p, -ENOMEM, "no memory");
}

static int check(struct parsing *p)
{
    struct options *o = p->o;

    o->ro = p->ro;
    o->allow_other = p->allow_other;
    o->save_power = p->save_power;
    o->foreground = p->foreground || p->debug;
    o->debug = p->debug;
    o->help = p->help;
    o->version = p->version;
    if (o->help || o->version)
        return 0;
    if (p->log_level && log_level_parse(p->log_level, &o->log_level))
        return fail(p, -EINVAL, "option log_level: not error, warning, info or debug: %s",
                    p->log_level);
    if (o->debug)
        o->log_level = LOG_LEVEL_DEBUG;
    if (parse_number(p, "refresh", p->refresh, 1, 86400, &o->refresh_s) ||
        parse_number(p, "describe", p->describe, 0, 7 * 86400, &o->describe_s) ||
        parse_number(p, "lease", p->lease, 1, 86400, &o->lease_s) ||
        parse_number(p, "rate_share", p->rate_share, 0.01, 1000, &o->rate_share))
        return -1;
    if (streq(o->service_tag, o->family_tag))
        return fail(p, -EINVAL, "service_tag and family_tag are the same: %s", o->service_tag);
    if (streq(o->dependency_tag, o->service_tag) || streq(o->dependency_tag, o->family_tag))
        return fail(p, -EINVAL, "dependency_tag is another tag, too: %s", o->dependency_tag);
    if (!o->mountpoint)
        return fail(p, -EINVAL, "no mount point given (svcfs --help tells more)");
    if (make_absolute(p, "", &o->mountpoint) || make_absolute(p, "blueprints", &o->blueprints))
        return -1;
    return make_absolute(p, "db_ca", &o->db_ca) ? -1 : find_cache_dir(p);
}

int options_parse(int argc, char *argv[], struct options **ret, char *message, size_t size)
{
    struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
    struct options *o _cleanup_(options_freep) = calloc(1, sizeof(*o));
    struct parsing p = {.o = o, .message = message, .size = size};

    if (!o) {
        fail(&p, -ENOMEM, "no memory");
        return p.err;
    }
    if (defaults(&p) == 0 && fuse_opt_parse(&args, &p, flags, on_option) == 0)
        check(&p);
    else if (!p.err)
        fail(&p, -EINVAL, "the options cannot be read");
    fuse_opt_free_args(&args);
    free(p.refresh);
    free(p.describe);
    free(p.lease);
    free(p.rate_share);
    free(p.log_level);
    if (p.err)
        return p.err;
    *ret = steal_ptr(o);
    return 0;
}

void options_free(struct options *o)
{
    if (!o)
        return;
    free(o->profile);
    free(o->region);
    free(o->endpoint_url);
    free(o->blueprints);
    free(o->db_ca);
    free(o->cache_dir);
    free(o->service_tag);
    free(o->family_tag);
    free(o->dependency_tag);
    free(o->fuse_options);
    free(o->mountpoint);
    free(o);
}
