/*
 * States of a request: running (on a session worker, or again on the park's thread), parked (park.c
 * has it), at work (work.c has it), answered. It leaves each by exactly one way, and only whoever
 * has it may answer it.
 */
#include "fs/request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fs/kind.h"
#include "fs/notify.h"
#include "fs/park.h"
#include "fs/report.h"

/* How long an answer waits for what a first sweep has not brought, and for what is being fetched.
 */
enum { GROUPS_WAIT_MS = 15000, FETCH_WAIT_MS = 30000 };

static void path_of(const struct request *r, char *out, size_t size)
{
    char dir[KEY_PATH_SIZE] = "?";

    if (r->node)
        key_path(&r->key, dir);
    snprintf(out, size, "/%s%s%s", dir, r->name[0] && dir[0] ? "/" : "", r->name);
}

void request_fail(struct request *r, int err)
{
    char path[KEY_PATH_SIZE + NAME_SIZE + 2];
    bool ordinary = ((err == -ENOENT || err == -ESTALE) && r->op->flags & OP_ABSENT_IS_ORDINARY) ||
                    err == -EINTR;

    if (!ordinary) {
        path_of(r, path, sizeof(path));
        report_fault(r->fs->report, r->op->name, path, err, &r->fault);
    }
    fuse_reply_err(r->req, -err);
}

/* There is a snapshot, but not all in it is known: a bounded wait. */
static bool waited_enough(struct request *r)
{
    const struct snapshot *s _cleanup_snapshot_ = NULL;
    const struct kind *row = kind_row(r->key.kind);

    if (row->flags & (KIND_F_WAIT | KIND_F_FETCHED) ||
        fs_now_ms(r->fs) - r->begun_ms < GROUPS_WAIT_MS)
        return false;
    s = cache_snapshot(r->fs->cache);
    return s && s->swept;
}

/* The same for what is fetched from AWS when it is asked for. */
static bool fetched_too_long(struct request *r)
{
    return kind_row(r->key.kind)->flags & KIND_F_FETCHED && !r->name[0] &&
           fs_now_ms(r->fs) - r->begun_ms >= FETCH_WAIT_MS;
}

void request_waits(struct request *r)
{
    if (r->holding || !(r->op->flags & OP_LOCKS_DIRECTORY))
        return;
    notify_hold(r->fs->notify, r->ino);
    r->holding = true;
}

void request_waited(struct request *r)
{
    if (r->holding)
        notify_release(r->fs->notify, r->ino);
    r->holding = false;
}

void request_run(struct request *r)
{
    uint64_t seen = park_seen(r->fs->park);
    int rc;

    r->fault = FAULT_INIT;
    r->epoch = notify_epoch(r->fs->notify);
    rc = r->op->run(r);
    if (rc == PARK && fetched_too_long(r))
        rc = fault_set(&r->fault, -ETIMEDOUT, "not described within %d s; the call goes on",
                       FETCH_WAIT_MS / 1000);
    if (rc == PARK && waited_enough(r))
        rc = fault_set(&r->fault, -EAGAIN, "not known yet: the first sweep has not brought it");
    if (rc == PARK) {
        request_waits(r);
        rc = park_add(r->fs->park, r, seen);
        if (rc == 0)
            return;
    }
    if (rc < 0)
        request_fail(r, rc);
    request_waited(r);
    node_put(r->fs->nodes, r->node);
}

static void begin(fuse_req_t req, const struct request *what, const char *name,
                  const struct fuse_file_info *fi)
{
    struct fs *fs = fuse_req_userdata(req);
    struct request r = *what;

    r.fs = fs;
    r.req = req;
    r.begun_ms = fs_now_ms(fs);
    if (fi)
        r.fi = *fi;
    if (name && strlen(name) >= NAME_SIZE) {
        fuse_reply_err(req, ENAMETOOLONG);
        return;
    }
    if (name)
        strcpy(r.name, name);
    r.node = node_get(fs->nodes, r.ino);
    if (!r.node) {
        request_fail(&r, -ESTALE);
        return;
    }
    node_key(r.node, &r.key);
    request_run(&r);
}

void request_begin(fuse_req_t req, const struct operation *op, fuse_ino_t ino, const char *name,
                   size_t size, off_t off, const struct fuse_file_info *fi)
{
    const struct request r = {.op = op, .ino = ino, .size = size, .off = off};

    begin(req, &r, name, fi);
}

void request_begin_write(fuse_req_t req, const struct operation *op, fuse_ino_t ino,
                         const char *data, size_t size, off_t off, const struct fuse_file_info *fi)
{
    const struct request r = {.op = op, .ino = ino, .data = data, .size = size, .off = off};

    begin(req, &r, NULL, fi);
}
