/*
 * The rule of POSIX: the owner's bits for the owner, else the group's for who is in the group, else
 * the others'. Nothing in the tree may be executed, so that root needs no special case for X.
 */
#include "fs/access.h"

#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/macro.h"
#include "fs/kind.h"

enum { MAX_GROUPS = 1024 };

static bool in_group(const struct access_caller *who, gid_t gid)
{
    if (who->gid == gid)
        return true;
    for (size_t i = 0; i < who->n_groups; i++)
        if (who->groups[i] == gid)
            return true;
    return false;
}

int access_mode(const struct access_caller *who, uid_t uid, gid_t gid, mode_t mode, int mask)
{
    mode_t bits;

    if (who->uid == 0)
        return mask & X_OK && !(mode & 0111) ? -EACCES : 0;
    if (who->uid == uid)
        bits = mode >> 6;
    else if (in_group(who, gid))
        bits = mode >> 3;
    else
        bits = mode;
    return (bits & 7 & (mode_t)mask) == (mode_t)mask ? 0 : -EACCES;
}

int access_check(const struct request *r, int mask)
{
    const struct fuse_ctx *ctx = fuse_req_ctx(r->req);
    struct access_caller who = {.uid = ctx->uid, .gid = ctx->gid};
    mode_t mode = kind_mode(r->fs, r->key.kind);
    gid_t groups[MAX_GROUPS];
    int n;

    if (access_mode(&who, r->fs->uid, r->fs->gid, mode, mask) == 0)
        return 0;
    /* Only where it decides: this reads /proc. */
    n = fuse_req_getgroups(r->req, ARRAY_SIZE(groups), groups);
    who.groups = groups;
    who.n_groups = n > 0 ? MIN((size_t)n, ARRAY_SIZE(groups)) : 0;
    return access_mode(&who, r->fs->uid, r->fs->gid, mode, mask);
}
