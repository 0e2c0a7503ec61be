/* Who may do what: by the caller's uid and groups against the mode that is shown (the mount has no
 * default_permissions, so that refused removals are seen). */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "fs/request.h"

struct access_caller {
    uid_t uid;
    gid_t gid;
    const gid_t *groups;
    size_t n_groups;
};
/* Pure. mask: R_OK, W_OK, X_OK together. 0 or -EACCES. root may all. */
int access_mode(const struct access_caller *who, uid_t uid, gid_t gid, mode_t mode, int mask);
/* The same for the caller of a request and its node. */
int access_check(const struct request *r, int mask);
