/*
 * The operations that change something, and those that are refused. Order of the checks: who asks,
 * the guard, where, the name; then provisioning decides. Refused removals are noted: whoever was
 * refused one must not succeed with the next (rm -rf, find -delete, rmdir *).
 */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "cache/lookup.h"
#include "fs/access.h"
#include "fs/detour.h"
#include "fs/entry.h"
#include "fs/guard.h"
#include "fs/handle.h"
#include "fs/ops.h"
#include "fs/ops_change.h"
#include "fs/proc.h"
#include "fs/work.h"

static pid_t caller(const struct request *r)
{
    return fuse_req_ctx(r->req)->pid;
}

int ops_may_write(struct request *r)
{
    int rc = access_check(r, W_OK | X_OK);

    if (rc)
        return fault_set(&r->fault, rc, "the caller may not write into this directory");
    return r->fs->options->ro ? -EROFS : 0;
}

int ops_refuse_removal(struct request *r, const char *why)
{
    guard_refuse(r->fs->guard, caller(r));
    return fault_set(&r->fault, -EPERM, "%s", why);
}

/* The user's name for tags and events; asked for on a worker, since it may wait for a directory
 * service. */
static struct provision_requester requester(uid_t uid, char *name, size_t size)
{
    struct passwd pw, *found = NULL;
    char text[4096];

    if (getpwuid_r(uid, &pw, text, sizeof(text), &found) == 0 && found)
        snprintf(name, size, "%s", pw.pw_name);
    else
        snprintf(name, size, "%lu", (unsigned long)uid);
    return (struct provision_requester){.uid = uid, .user = name};
}

/* The family that a directory of services stands for, as the tag's value: malloc'ed. 0, PARK,
 * negative errno. */
static int family_of(struct request *r, char **ret)
{
    struct place p _cleanup_place_ = {0};
    int rc = place_open(r, &p);

    rc = rc ? rc : place_swept(&p);
    if (rc == 0 && !(*ret = strdup(p.family->id)))
        rc = -ENOMEM;
    return rc;
}

static int make_service(struct errand *e)
{
    char user[256];
    struct provision_requester who = requester(e->uid, user, sizeof(user));

    return provision_mkdir(e->fs->provision, e->family, e->id, &who, e->cancel, &e->fault);
}

/* It is in the snapshot by now (provision.h); unless it went again as fast. */
void ops_answer_made(struct request *r, const struct errand *done _unused_)
{
    struct place dir _cleanup_place_ = {0};
    struct fuse_entry_param e;
    struct key key;
    int rc = place_open(r, &dir);

    r->epoch = dir.epoch;
    rc = rc ? rc : kind_find(&dir, r->name, &key);
    rc = rc ? rc : entry_make(&dir, r->node, &key, &e, &r->fault);
    if (rc)
        request_fail(r, rc < 0 ? rc : -EIO);
    else
        entry_reply(r, &e);
}

void ops_answer_removed(struct request *r, const struct errand *done _unused_)
{
    fuse_reply_err(r->req, 0);
}

static int run_mkdir(struct request *r)
{
    struct errand e = {.run = make_service, .answer = ops_answer_made};
    int rc;

    if (detour_continue(r))
        return 0;
    if (r->key.kind != KIND_FAMILY)
        return fault_set(&r->fault, -EPERM, "only a service, in its family, is made by mkdir");
    rc = ops_may_write(r);
    if (rc)
        return rc;
    rc = name_to_value(r->name, kind_reserved(), e.id, sizeof(e.id));
    if (rc)
        return fault_set(&r->fault, -EINVAL, "no service id can have this name");
    rc = family_of(r, &e.family);
    return rc ? rc : detour_begin(r, &e);
}

void ops_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode _unused_)
{
    static const struct operation op = {"mkdir", run_mkdir, OP_LOCKS_DIRECTORY};

    request_begin(req, &op, parent, name, 0, 0, NULL);
}

static int delete_service(struct errand *e)
{
    char user[256];
    struct provision_requester who = requester(e->uid, user, sizeof(user));
    int rc = provision_rmdir(e->fs->provision, e->family, e->id, &who, e->cancel, &e->fault);

    if (rc == -EPERM)
        guard_refuse(e->fs->guard, e->tid);
    return rc;
}

static void answer_rmdir(struct request *r, const struct errand *done)
{
    node_kill(r->fs->nodes, done->victim.ino);
    fuse_reply_err(r->req, 0);
}

int ops_victim(struct request *r, struct place *dir, struct fuse_entry_param *ret)
{
    struct key key;
    int rc = kind_find(dir, r->name, &key);

    if (rc)
        return rc;
    ret->ino = node_find(r->fs->nodes, &key);
    if (!ret->ino)
        return 0;
    rc = entry_make(dir, r->node, &key, ret, &r->fault);
    if (rc == 0)
        node_forget(r->fs->nodes, ret->ino, 1); /* nobody is told now */
    return rc;
}

/* rmdir families/F/ID. */
static int remove_service(struct request *r, struct place *dir)
{
    struct errand e = {.run = delete_service, .answer = answer_rmdir};
    const struct index_service *s;
    int rc = place_family(dir);

    if (rc)
        return rc;
    s = snapshot_service(dir->family, r->name);
    if (!s) {
        struct key key;

        return kind_find(dir, r->name, &key)
                   ? -ENOENT
                   : ops_refuse_removal(r, "this directory is not a service");
    }
    if (strlen(s->id) >= sizeof(e.id))
        return ops_refuse_removal(r, "svcfs did not make a service with so long an id");
    rc = ops_victim(r, dir, &e.victim);
    if (rc)
        return rc;
    strcpy(e.id, s->id);
    e.family = strdup(dir->family->id);
    return e.family ? detour_begin(r, &e) : -ENOMEM;
}

static int remove_family(struct request *r, struct place *dir)
{
    const struct index_family *f = snapshot_family(dir->snap, r->name);

    if (!f)
        return -ENOENT;
    if (f->n_services || f->n_deleting)
        return fault_set(&r->fault, -ENOTEMPTY, "the family has services");
    return ops_refuse_removal(r, "a family is derived from tags and blueprints");
}

static int run_rmdir(struct request *r)
{
    struct place dir _cleanup_place_ = {0};
    int rc;

    if (detour_continue(r))
        return 0;
    if (guard_refused(r->fs->guard, caller(r)))
        return fault_set(&r->fault, -EPERM,
                         "this process was refused a removal less than a minute ago");
    rc = access_check(r, W_OK | X_OK);
    if (rc && r->key.kind == KIND_FAMILY)
        return fault_set(&r->fault, rc, "the caller may not write into this directory");
    rc = place_open(r, &dir);
    if (rc == 0 && (r->key.kind == KIND_FAMILIES || r->key.kind == KIND_FAMILY))
        rc = place_swept(&dir);
    if (rc)
        return rc;
    if (r->key.kind == KIND_FAMILIES)
        return remove_family(r, &dir);
    if (r->key.kind == KIND_FAMILY)
        return remove_service(r, &dir);
    return ops_refuse_removal(r, "only a service, in its family, is removed by rmdir");
}

void ops_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    static const struct operation op = {"rmdir", run_rmdir, OP_LOCKS_DIRECTORY};

    request_begin(req, &op, parent, name, 0, 0, NULL);
}

/* Who has a directory on the way open is walking the tree, and would remove all that it meets: in
 * whatever order it goes, it gets nothing. (What /proc does not show is left to the order of the
 * listings, see kind.c.) */
static bool is_walking(struct request *r)
{
    uint64_t inos[KEY_ARGS + 2];
    size_t n = 0;

    for (struct key key = r->key; key.kind != KIND_ROOT && n < ARRAY_SIZE(inos);
         key = key_parent(&key)) {
        uint64_t ino = node_find(r->fs->nodes, &key);

        if (ino)
            inos[n++] = ino;
    }
    return proc_has_open(caller(r), inos, n);
}

static int run_unlink(struct request *r)
{
    int (*const remove)(struct request *) = r->key.kind == KIND_TAGS         ? tag_unlink
                                            : r->key.kind == KIND_DEPENDS_ON ? depend_unlink
                                                                             : NULL;

    if (detour_continue(r))
        return 0;
    if (!remove)
        return ops_refuse_removal(r, "files here are views: they cannot be removed");
    if (guard_refused(r->fs->guard, caller(r)))
        return fault_set(&r->fault, -EPERM,
                         "this process was refused a removal less than a minute ago");
    if (is_walking(r))
        return ops_refuse_removal(r, "a tag or a dependency is removed by name, never with its "
                                     "directory (this process has that open)");
    return remove(r);
}

void ops_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    static const struct operation op = {"unlink", run_unlink, OP_LOCKS_DIRECTORY};

    request_begin(req, &op, parent, name, 0, 0, NULL);
}

static int run_refused(struct request *r _unused_)
{
    return -EPERM;
}

void ops_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent _unused_,
                const char *newname _unused_, unsigned flags _unused_)
{
    static const struct operation op = {"rename", run_refused, OP_LOCKS_DIRECTORY};

    request_begin(req, &op, parent, name, 0, 0, NULL);
}

void ops_link(fuse_req_t req, fuse_ino_t ino _unused_, fuse_ino_t newparent, const char *newname)
{
    static const struct operation op = {"link", run_refused, OP_LOCKS_DIRECTORY};

    request_begin(req, &op, newparent, newname, 0, 0, NULL);
}

void ops_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode _unused_,
               dev_t rdev _unused_)
{
    static const struct operation op = {"mknod", run_refused, OP_LOCKS_DIRECTORY};

    request_begin(req, &op, parent, name, 0, 0, NULL);
}

/*
 * What a SETATTR asks for, in r->size (the mask) and r->off (the size, or the mode). mkdir -m and
 * install -d set the mode of what they made: accepted and ignored. A shell truncates `refresh`, or
 * a tag, before it writes: nothing to do. The rest is refused.
 */
static int check_setattr(struct request *r)
{
    const int harmless = FUSE_SET_ATTR_MODE;
    int set = (int)r->size;
    enum kind_id kind = r->key.kind;

    if (kind_row(kind)->flags & KIND_F_WRITE && (set & ~FUSE_SET_ATTR_SIZE) == 0)
        return set & FUSE_SET_ATTR_SIZE && r->off > 0 && kind == KIND_TAG ? -EPERM
                                                                          : access_check(r, W_OK);
    if (kind != KIND_SERVICE || set & ~harmless)
        return -EPERM;
    if (!((mode_t)r->off & 0200))
        return fault_set(&r->fault, -EPERM, "protecting a service by chmod u-w is not there yet");
    return access_check(r, W_OK);
}

static int run_setattr(struct request *r)
{
    struct place p _cleanup_place_ = {0};
    struct stat st;
    int rc = check_setattr(r);

    rc = rc ? rc : place_open(r, &p);
    rc = rc ? rc : kind_attr(&p, r->ino, &st, &r->fault);
    if (rc == -ENOENT && handle_is_fresh(r->ino))
        return tag_reply_fresh(r);
    if (rc == 0)
        fuse_reply_attr(r->req, &st, entry_keep(r->fs, r->epoch, kind_attr_timeout(r->key.kind)));
    return rc;
}

void ops_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
                 struct fuse_file_info *fi _unused_)
{
    static const struct operation op = {"setattr", run_setattr, 0};
    const int asked = FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID |
                      FUSE_SET_ATTR_SIZE | FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME |
                      FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME_NOW;

    off_t what = to_set & FUSE_SET_ATTR_SIZE ? attr->st_size : (off_t)attr->st_mode;

    request_begin(req, &op, ino, NULL, (size_t)(to_set & asked), what, NULL);
}

static int run_refresh(struct work *w)
{
    struct request *r = &w->request;

    return cache_refresh(r->fs->cache, w->cancel, &r->fault);
}

static void reply_written(struct work *w)
{
    fuse_reply_write(w->request.req, w->request.size);
}

/* A tag; or `refresh`: what is written does not matter. */
static int run_write(struct request *r)
{
    struct work_args args = {.run = run_refresh, .reply = reply_written, .any_signal = true};

    return r->key.kind == KIND_TAG ? tag_write_file(r) : work_start(r, &args);
}

void ops_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t off,
               struct fuse_file_info *fi)
{
    static const struct operation op = {"write", run_write, 0};

    request_begin_write(req, &op, ino, data, size, off, fi);
}
