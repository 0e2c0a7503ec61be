/*
 * The operations that read. All answer from memory: each takes the newest snapshot, resolves the
 * node's key in it, and renders. Nothing here waits; what is not there yet is parked.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/str.h"
#include "fs/access.h"
#include "fs/handle.h"
#include "fs/ops.h"
#include "fs/render.h"

int ops_entry(struct fs *fs, const struct key *key, struct fuse_entry_param *ret, struct fault *f)
{
    const struct kind *row = kind_row(key->kind);
    struct place p _cleanup_place_ = {0};
    struct fuse_entry_param e = {.attr_timeout = row->timeout_s, .entry_timeout = row->timeout_s};
    uint64_t ino;
    int r = place_open(fs, key, &p, f);

    r = r ? r : node_lookup(fs->nodes, key, &ino);
    if (r)
        return r;
    r = kind_attr(&p, ino, &e.attr, f);
    if (r) {
        node_forget(fs->nodes, ino, 1);
        return r;
    }
    e.ino = ino;
    *ret = e;
    return 0;
}

static void reply_entry(struct request *r, const struct fuse_entry_param *e)
{
    if (fuse_reply_entry(r->req, e) == -ENOENT)
        node_forget(r->fs->nodes, e->ino, 1); /* the request was interrupted: nobody got it */
}

static int run_lookup(struct request *r)
{
    struct place dir _cleanup_place_ = {0};
    struct fuse_entry_param e;
    struct key key;
    int rc = place_open(r->fs, &r->node->key, &dir, &r->fault);

    rc = rc ? rc : kind_find(&dir, r->name, &key);
    rc = rc ? rc : ops_entry(r->fs, &key, &e, &r->fault);
    if (rc == 0)
        reply_entry(r, &e);
    return rc;
}

void ops_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    static const struct operation op = {"lookup", run_lookup, true};

    request_begin(req, &op, parent, name, 0, 0, NULL);
}

void ops_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
    struct fs *fs = fuse_req_userdata(req);

    node_forget(fs->nodes, ino, nlookup);
    fuse_reply_none(req);
}

void ops_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    struct fs *fs = fuse_req_userdata(req);

    for (size_t i = 0; i < count; i++)
        node_forget(fs->nodes, forgets[i].ino, forgets[i].nlookup);
    fuse_reply_none(req);
}

static int run_getattr(struct request *r)
{
    struct place p _cleanup_place_ = {0};
    struct stat st;
    int rc = place_open(r->fs, &r->node->key, &p, &r->fault);

    rc = rc ? rc : kind_present(&p);
    rc = rc ? rc : kind_attr(&p, r->node->ino, &st, &r->fault);
    if (rc == 0)
        fuse_reply_attr(r->req, &st, kind_row(r->node->key.kind)->timeout_s);
    return rc;
}

void ops_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi _unused_)
{
    static const struct operation op = {"getattr", run_getattr, true};

    request_begin(req, &op, ino, NULL, 0, 0, NULL);
}

static int run_readlink(struct request *r)
{
    struct place p _cleanup_place_ = {0};
    struct buf target _cleanup_buf_ = BUF_INIT(PATH_MAX);
    int rc = place_open(r->fs, &r->node->key, &p, &r->fault);

    rc = rc ? rc : kind_row(p.key->kind)->render(&p, &target, &r->fault);
    if (rc == 0)
        fuse_reply_readlink(r->req, buf_str(&target));
    return rc;
}

void ops_readlink(fuse_req_t req, fuse_ino_t ino)
{
    static const struct operation op = {"readlink", run_readlink, true};

    request_begin(req, &op, ino, NULL, 0, 0, NULL);
}

static int run_opendir(struct request *r)
{
    struct place dir _cleanup_place_ = {0};
    struct handle *h _cleanup_(handle_freep) = handle_new(r->fs);
    int rc = h ? place_open(r->fs, &r->node->key, &dir, &r->fault) : -ENOMEM;

    rc = rc ? rc : kind_present(&dir);
    rc = rc ? rc : handle_list(h, &dir);
    if (rc)
        return rc;
    r->fi.fh = (uintptr_t)h;
    if (fuse_reply_open(r->req, &r->fi) == 0)
        steal_ptr(h); /* else nobody has it open */
    return 0;
}

void ops_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    static const struct operation op = {"opendir", run_opendir, true};

    request_begin(req, &op, ino, NULL, 0, 0, fi);
}

/* Adds one entry to out; 0, the bytes that it took, or -ENOSPC: it does not fit. */
static ssize_t add_plain(struct request *r, char *out, size_t left, const char *name,
                         const struct key *key, off_t next)
{
    struct stat st = {.st_ino = key_inode(key), .st_mode = kind_row(key->kind)->mode};
    size_t n = fuse_add_direntry(r->req, out, left, name, &st, next);

    return n > left ? -ENOSPC : (ssize_t)n;
}

static ssize_t add_plus(struct request *r, char *out, size_t left, const char *name,
                        const struct key *key, off_t next)
{
    struct fuse_entry_param e;
    bool counted = !streq(name, ".") && !streq(name, "..");
    size_t n = fuse_add_direntry_plus(r->req, NULL, 0, name, NULL, next);

    if (n > left)
        return -ENOSPC;
    if (!counted || ops_entry(r->fs, key, &e, NULL)) {
        /* No node goes with it (or it is gone meanwhile): the kernel looks it up when it is asked
         * for. */
        e = (struct fuse_entry_param){
            .attr = {.st_ino = key_inode(key), .st_mode = kind_row(key->kind)->mode}};
    }
    fuse_add_direntry_plus(r->req, out, left, name, &e, next);
    return (ssize_t)n;
}

typedef ssize_t (*add_fn)(struct request *r, char *out, size_t left, const char *name,
                          const struct key *key, off_t next);

/* Offsets 0 and 1 are `.` and `..`; entry i has i + 2; what goes with an entry is the offset of the
 * next. */
static ssize_t add_at(struct request *r, add_fn add, char *out, size_t left, off_t at)
{
    struct handle *h = request_handle(r);
    struct key dots = r->node->key;

    if (at == 0)
        return add(r, out, left, ".", &dots, 1);
    if (at == 1) {
        dots.kind = kind_parent(&dots);
        if (dots.n_args && !kind_row(r->node->key.kind)->name)
            dots.n_args--;
        return add(r, out, left, "..", &dots, 2);
    }
    return add(r, out, left, h->entries[at - 2].name, &h->entries[at - 2].key, at + 1);
}

static int rewind_listing(struct request *r)
{
    struct place dir _cleanup_place_ = {0};
    struct handle *h = request_handle(r);
    int rc = 0;

    if (r->off == 0 && h->read) {
        rc = place_open(r->fs, &r->node->key, &dir, &r->fault);
        rc = rc ? rc : handle_list(h, &dir);
    }
    h->read = true;
    return rc;
}

static int read_listing(struct request *r, add_fn add)
{
    struct handle *h = request_handle(r);
    char *out _cleanup_free_ = malloc(r->size);
    size_t len = 0;
    int rc;

    if (!out)
        return -ENOMEM;
    pthread_mutex_lock(&h->lock);
    rc = rewind_listing(r);
    for (off_t at = r->off; rc == 0 && at >= 0 && (size_t)at < h->n_entries + 2; at++) {
        ssize_t n = add_at(r, add, out + len, r->size - len, at);

        if (n < 0)
            break;
        len += (size_t)n;
    }
    pthread_mutex_unlock(&h->lock);
    if (rc == 0)
        fuse_reply_buf(r->req, out, len);
    return rc;
}

static int run_readdir(struct request *r)
{
    return read_listing(r, add_plain);
}

static int run_readdirplus(struct request *r)
{
    return read_listing(r, add_plus);
}

void ops_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
    static const struct operation op = {"readdir", run_readdir, true};

    request_begin(req, &op, ino, NULL, size, off, fi);
}

void ops_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                     struct fuse_file_info *fi)
{
    static const struct operation op = {"readdir", run_readdirplus, true};

    request_begin(req, &op, ino, NULL, size, off, fi);
}

void ops_release(fuse_req_t req, fuse_ino_t ino _unused_, struct fuse_file_info *fi)
{
    handle_free((struct handle *)(uintptr_t)fi->fh);
    fuse_reply_err(req, 0);
}

static int open_file(struct request *r, struct handle *h)
{
    const struct kind *row = kind_row(r->node->key.kind);
    struct place p _cleanup_place_ = {0};
    int rc = place_open(r->fs, &r->node->key, &p, &r->fault);

    rc = rc ? rc : kind_present(&p);
    if (rc || row->flags & (KIND_F_WAIT | KIND_F_FOLLOW))
        return rc;
    return row->render(&p, &h->content, &r->fault);
}

static int run_open(struct request *r)
{
    const struct kind *row = kind_row(r->node->key.kind);
    struct handle *h _cleanup_(handle_freep) = NULL;
    int rc;

    if ((r->fi.flags & O_ACCMODE) != O_RDONLY || r->fi.flags & O_TRUNC) {
        rc = row->flags & KIND_F_WRITE ? access_check(r, W_OK) : -EPERM;
        if (rc)
            return rc;
    }
    h = handle_new(r->fs);
    rc = h ? open_file(r, h) : -ENOMEM;
    if (rc)
        return rc;
    r->fi.fh = (uintptr_t)h;
    r->fi.direct_io = (row->flags & KIND_F_DIRECT) != 0;
    r->fi.noflush = (r->fi.flags & O_ACCMODE) == O_RDONLY;
    if (fuse_reply_open(r->req, &r->fi) == 0)
        steal_ptr(h);
    return 0;
}

void ops_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    static const struct operation op = {"open", run_open, true};

    request_begin(req, &op, ino, NULL, 0, 0, fi);
}

/* From a copy: the reader may close the file, and so free the handle, before the reply has
 * returned. */
static int reply_slice(struct request *r, const struct buf *b)
{
    size_t at = MIN((size_t)r->off, b->len), len = MIN(r->size, b->len - at);
    char *copy _cleanup_free_ = malloc(len + 1);

    if (!copy)
        return -ENOMEM;
    if (len)
        memcpy(copy, b->data + at, len);
    fuse_reply_buf(r->req, copy, len);
    return 0;
}

/* `events` as they are now, so that tail -f follows. */
static int read_follow(struct request *r, struct handle *h)
{
    struct buf text _cleanup_buf_ = BUF_INIT(64 << 20);
    struct place p _cleanup_place_ = {0};
    int rc = place_open(r->fs, &r->node->key, &p, &r->fault);

    rc = rc ? rc : kind_row(p.key->kind)->render(&p, &text, &r->fault);
    if (rc)
        return rc;
    pthread_mutex_lock(&h->lock);
    h->end = MAX(h->end, MIN((size_t)r->off + r->size, text.len));
    pthread_mutex_unlock(&h->lock);
    return reply_slice(r, &text);
}

/* The service is not where it was when `wait` was opened. */
static int wait_gone(struct request *r, struct buf *out)
{
    const struct snapshot *s _cleanup_snapshot_ = cache_snapshot(r->fs->cache);
    const struct key *key = &r->node->key;
    const struct index_family *f = s ? snapshot_family(s, key->args[0]) : NULL;
    const struct index_service *back = f ? snapshot_service(f, key->args[1]) : NULL;

    if (!key->deleting)
        return fault_set(&r->fault, -ECANCELED, "the service was removed meanwhile");
    if (back && (!key->life[0] || streq(back->claim, key->life)))
        return fault_set(&r->fault, -ECANCELED, "the teardown failed: see families/%s/%s/error",
                         key->args[0], key->args[1]);
    return buf_puts(out, "deleted\n");
}

static int read_wait(struct request *r, struct handle *h)
{
    struct buf text _cleanup_buf_ = BUF_INIT(4096);
    struct place p _cleanup_place_ = {0};
    int rc = 0;

    pthread_mutex_lock(&h->lock);
    if (!h->ended) {
        rc = place_open(r->fs, &r->node->key, &p, &r->fault);
        if (rc == 0)
            rc = render_wait(&p, &text, &r->fault);
        else if (rc == -ENOENT)
            rc = wait_gone(r, &text);
        if (rc == 0) {
            h->content = text;
            text = BUF_INIT(0);
            h->ended = true;
        }
    }
    pthread_mutex_unlock(&h->lock);
    return rc ? rc : reply_slice(r, &h->content);
}

static int run_read(struct request *r)
{
    unsigned flags = kind_row(r->node->key.kind)->flags;
    struct handle *h = request_handle(r);

    if (flags & KIND_F_WAIT)
        return read_wait(r, h);
    if (flags & KIND_F_FOLLOW)
        return read_follow(r, h);
    return reply_slice(r, &h->content);
}

void ops_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
    static const struct operation op = {"read", run_read, false};

    request_begin(req, &op, ino, NULL, size, off, fi);
}

/* Never ENOSYS: that would hold for every file of the mount (fuse-facts.md 32). */
void ops_flush(fuse_req_t req, fuse_ino_t ino _unused_, struct fuse_file_info *fi _unused_)
{
    fuse_reply_err(req, 0);
}

void ops_statfs(fuse_req_t req, fuse_ino_t ino _unused_)
{
    struct fs *fs = fuse_req_userdata(req);
    const struct snapshot *s _cleanup_snapshot_ = cache_snapshot(fs->cache);
    struct statvfs st = {.f_bsize = 4096, .f_frsize = 4096, .f_namemax = NAME_SIZE - 1};

    st.f_files = s ? s->n_services : 0;
    fuse_reply_statfs(req, &st);
}

static int run_access(struct request *r)
{
    int rc = access_check(r, (int)r->size);

    if (rc == 0)
        fuse_reply_err(r->req, 0);
    return rc;
}

void ops_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
    static const struct operation op = {"access", run_access, true};

    request_begin(req, &op, ino, NULL, (size_t)(mask & (R_OK | W_OK | X_OK)), 0, NULL);
}

/* Whether a read would bring something that this handle has not brought yet. */
static int poll_ready(struct request *r, struct handle *h, unsigned *ret)
{
    const struct kind *row = kind_row(r->node->key.kind);
    struct buf text _cleanup_buf_ = BUF_INIT(64 << 20);
    struct place p _cleanup_place_ = {0};
    int rc = 0;

    *ret = POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;
    if (!(row->flags & (KIND_F_FOLLOW | KIND_F_WAIT)))
        return 0;
    rc = place_open(r->fs, &r->node->key, &p, &r->fault);
    rc = rc ? rc : row->render(&p, &text, &r->fault);
    if (rc == PARK || (rc == 0 && row->flags & KIND_F_FOLLOW && text.len <= h->end))
        *ret = POLLOUT | POLLWRNORM;
    return 0; /* an error is something to read */
}

static int run_poll(struct request *r)
{
    struct handle *h = request_handle(r);
    unsigned ready;
    int rc = poll_ready(r, h, &ready);

    if (rc == 0)
        fuse_reply_poll(r->req, ready);
    return rc;
}

void ops_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct fuse_pollhandle *ph)
{
    static const struct operation op = {"poll", run_poll, true};

    /* first announce, then look: no growth in between is lost */
    if (ph)
        handle_poll_set((struct handle *)(uintptr_t)fi->fh, ph);
    request_begin(req, &op, ino, NULL, 0, 0, fi);
}
