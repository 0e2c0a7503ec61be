/*
 * mkdir, rmdir, symlink and unlink without the directory's lock. The kernel holds it over the
 * request, and everybody else's `ls` would wait for AWS. So the first MKDIR starts the work and is
 * answered ESTALE; the kernel then walks the path again, from the same thread and under no lock,
 * and asks LOOKUP for the directory itself: that is held until the outcome is known, and the second
 * MKDIR, which follows, is answered at once. Where no such LOOKUP comes (a relative name in the
 * working directory, mkdirat) the second one waits under the lock. (do_mkdirat, do_rmdir,
 * do_symlinkat, do_unlinkat: retry_estale, since Linux 3.8.) Thread-safe.
 */
#pragma once

#include "fs/request.h"

struct detour;

int detour_new(struct detour **ret);
void detour_stop(
    struct detour *d); /* cancels what is under way; the jobs are the caller's to drain */
void detour_free(struct detour *d);
DEFINE_CLEANUP(struct detour *, detour_free)

/* What is to be done, on a worker. */
struct errand {
    int (*run)(struct errand *e); /* may wait for AWS; -ECANCELED: nobody waits any more */
    void (*answer)(struct request *r,
                   const struct errand *e); /* to the MKDIR or RMDIR; it went well */
    char id[NAME_SIZE];                     /* of a service, as the tag's value */
    char *family;                           /* the same; malloc'ed */
    char *of, *what;                        /* for others: what it is about, malloc'ed, or NULL */
    struct fuse_entry_param victim;         /* what goes; its ino is 0 where nothing does */
    /* filled by detour_begin */
    struct fs *fs;
    uid_t uid;
    pid_t tid;
    struct cancel *cancel;
    struct fault fault;
};

/* Takes e's strings over, also on failure. 0: the request will be answered. */
int detour_begin(struct request *r, const struct errand *e);
/* Whether r is the second request of a thread whose first one began an errand: then it will be
 * answered with the outcome. */
bool detour_continue(struct request *r);
/* The same for a LOOKUP on the way between the two; plain is run when it need not be held (any
 * more). */
bool detour_lookup(struct request *r, int (*plain)(struct request *r));
