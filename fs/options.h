/* The command line, parsed and checked; nothing of AWS is looked at yet. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"
#include "base/macro.h"

struct options {
    char *profile, *region, *endpoint_url; /* NULL: as the AWS configuration has them */
    char *blueprints, *db_ca;              /* absolute paths; NULL: none */
    char *cache_dir;                       /* the same; it need not be there yet */
    char *service_tag, *family_tag, *dependency_tag;
    double refresh_s, describe_s, lease_s, rate_share; /* rate_share 0: the client's default */
    enum log_level log_level;
    bool ro, allow_other, save_power, foreground, debug, help, version;
    char *fuse_options; /* what goes on to the kernel: "nodev,noexec", or NULL */
    char *mountpoint;   /* absolute; NULL only with help or version */
};

/* 0 and *ret; or negative errno and in message one line (without "svcfs: ") that names what is
 * wrong. */
int options_parse(int argc, char *argv[], struct options **ret, char *message, size_t size);
void options_free(struct options *o);
DEFINE_CLEANUP(struct options *, options_free)

extern const char options_usage[];
