/*
 * What the files of fs/ share: the mount as one value. Made by setup.c, immutable while the session
 * runs; what changes has its own lock in its own file.
 */
#pragma once

#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/jobs.h"
#include "cache/cache.h"
#include "cache/describe.h"
#include "cache/impacts.h"
#include "fs/awake.h"
#include "fs/options.h"
#include "provision/provision.h"

struct content_memo;
struct detour;
struct guard;
struct listing_memo;
struct metrics;
struct node_table;
struct notify;
struct park;
struct report;
struct standings;

struct fs {
    const struct options *options;
    struct clock *clock;
    struct cache *cache;       /* NULL only in unit tests */
    struct describe *describe; /* the same */
    struct impacts *impacts;   /* the same */
    struct provision *provision;
    const char *account, *region, *arn, *profile;
    struct fuse_session *session;

    struct jobs *jobs; /* what may wait for AWS: mkdir, rmdir, refresh */
    struct node_table *nodes;
    struct park *park;     /* requests that wait */
    struct guard *guard;   /* who was refused a removal */
    struct notify *notify; /* what the kernel must forget */
    struct detour *detour; /* mkdir and rmdir on their way around the directory's lock */
    struct content_memo *contents;
    struct listing_memo *listings;
    struct metrics *metrics;
    struct standings *standings; /* services by status */
    struct report *report;       /* the last faults */

    uid_t uid; /* whom the tree belongs to: who mounted it */
    gid_t gid;
    mode_t umask;
    int64_t start_ms;             /* wall time; the mtime of what never changed since */
    uint64_t init_unique;         /* of the kernel's first request (channel.c) */
    struct awake awake;           /* channel.c's */
    void (*ready)(struct fs *fs); /* called once, when the kernel has accepted the mount */
};

static inline int64_t fs_now_ms(struct fs *fs)
{
    return fs->clock->monotonic_ms(fs->clock);
}
static inline int64_t fs_wall_ms(struct fs *fs)
{
    return fs->clock->wall_ms(fs->clock);
}

/* The operations, for fuse_session_new. Userdata of the session is the struct fs. */
extern const struct fuse_lowlevel_ops fs_operations;
