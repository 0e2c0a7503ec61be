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
#include "cache/lookup.h"
#include "fs/access.h"
#include "fs/content.h"
#include "fs/detour.h"
#include "fs/entry.h"
#include "fs/handle.h"
#include "fs/ops.h"
#include "fs/ops_change.h"
#include "fs/render.h"

static int run_plain_lookup(struct request *r)
{
    struct place dir _cleanup_place_ = {0};
    struct fuse_entry_param e;
    struct key key;
    int rc = place_open(r, &dir);

    if (rc)
        return rc; /* ESTALE: another life has the directory's name; the kernel walks the path again
                    */
    rc = kind_find(&dir, r->name, &key);
    rc = rc ? rc : entry_make(&dir, r->node, &key, &e, &r->fault);
    if (rc == 0)
        entry_reply(r, &e);
    return rc == -ENOENT ? entry_reply_absent(r, &dir) : rc;
}

static int run_lookup(struct request *r)
{
    return detour_lookup(r, run_plain_lookup) ? 0 : run_plain_lookup(r);
}

void ops_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    static const struct operation op = {"lookup", run_lookup,
                                        OP_ABSENT_IS_ORDINARY | OP_LOCKS_DIRECTORY};

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

/*
 * The file has another content than the node promises, or is another life's. Who has it open still
 * sees its size (GETATTR never says by which handle it asks); others see what is true, at the
 * moment.
 */
static int outdated(struct request *r, struct place *p, double *keep)
{
    struct content *c = handle_content(r->ino);

    if (c) {
        content_unref(p->content);
        p->content = c;
    } else {
        *keep = 0;
    }
    return p->content ? 0 : -ESTALE;
}

static int run_getattr(struct request *r)
{
    struct place p _cleanup_place_ = {0};
    double keep = kind_attr_timeout(r->key.kind);
    struct stat st;
    int rc = place_open(r, &p);

    rc = rc ? rc : kind_present(&p);
    if (rc == -ESTALE && p.snap)
        rc = outdated(r, &p, &keep);
    rc = rc ? rc : kind_attr(&p, r->ino, &st, &r->fault);
    if (rc == -ENOENT && handle_is_fresh(r->ino))
        return tag_reply_fresh(r);
    if (rc == 0)
        fuse_reply_attr(r->req, &st, entry_keep(r->fs, r->epoch, keep));
    return rc;
}

void ops_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi _unused_)
{
    static const struct operation op = {"getattr", run_getattr, OP_ABSENT_IS_ORDINARY};

    request_begin(req, &op, ino, NULL, 0, 0, NULL);
}

static int run_readlink(struct request *r)
{
    struct place p _cleanup_place_ = {0};
    struct buf target _cleanup_buf_ = BUF_INIT(PATH_MAX);
    int rc = place_open(r, &p);

    rc = rc ? rc : kind_row(p.key->kind)->render(&p, &target, &r->fault);
    if (rc == 0)
        fuse_reply_readlink(r->req, buf_str(&target));
    return rc;
}

void ops_readlink(fuse_req_t req, fuse_ino_t ino)
{
    static const struct operation op = {"readlink", run_readlink, OP_ABSENT_IS_ORDINARY};

    request_begin(req, &op, ino, NULL, 0, 0, NULL);
}

void ops_release(fuse_req_t req, fuse_ino_t ino _unused_, struct fuse_file_info *fi)
{
    handle_free((struct handle *)(uintptr_t)fi->fh);
    fuse_reply_err(req, 0);
}

/* What needs a handle: a content that is the same for as long as the file is open, or a reader
 * whose place matters. */
static bool needs_handle(const struct kind *row)
{
    return row->flags & (KIND_F_DIRECT | KIND_F_VERSION | KIND_F_FOLLOW);
}

static bool is_for_writing(const struct request *r)
{
    return (r->fi.flags & O_ACCMODE) != O_RDONLY || r->fi.flags & O_TRUNC;
}

/*
 * A file whose content changes faster than a path is walked: the name was looked up, and by now the
 * node has another content than it promises. The kernel walks the path once more, and no more, so
 * that is no reason to fail: this one open gets what is true, and the kernel keeps none of it.
 */
static int open_file(struct request *r, struct handle **ret)
{
    const struct kind *row = kind_row(r->key.kind);
    struct handle *h _cleanup_(handle_freep) = NULL;
    struct place p _cleanup_place_ = {0};
    int rc = place_open(r, &p);
    bool late = false;
    size_t size;

    rc = rc ? rc : kind_present(&p);
    if (rc == -ESTALE && p.content) {
        late = true;
        rc = 0;
    }
    if (rc == 0 && row->flags & KIND_F_FETCHED)
        rc = row->size(&p, &size); /* what cannot be had is told here: not all look at read */
    if (rc == 0 && r->key.kind == KIND_TAG && is_for_writing(r))
        rc = tag_check_open(r, &p);
    if (rc || !needs_handle(row))
        return rc;
    h = handle_new(r->ino);
    if (!h)
        return -ENOMEM;
    h->late = late;
    if (row->flags & KIND_F_VERSION)
        h->version = content_ref(p.content);
    else if (!(row->flags & (KIND_F_WAIT | KIND_F_FOLLOW)))
        rc = row->render(&p, &h->content, &r->fault);
    if (rc == 0)
        *ret = steal_ptr(h);
    return rc;
}

static int run_open(struct request *r)
{
    const struct kind *row = kind_row(r->key.kind);
    struct handle *h _cleanup_(handle_freep) = NULL;
    int rc;

    if (is_for_writing(r)) {
        rc = row->flags & KIND_F_WRITE ? access_check(r, W_OK) : -EPERM;
        if (rc == 0 && r->fs->options->ro && r->key.kind == KIND_TAG)
            rc = -EROFS;
        if (rc)
            return rc;
    }
    rc = open_file(r, &h);
    if (rc)
        return rc;
    r->fi.fh = (uintptr_t)h;
    r->fi.direct_io = row->flags & KIND_F_DIRECT || (h && h->late) ||
                      (row->flags & KIND_F_WRITE && is_for_writing(r));
    r->fi.keep_cache = !r->fi.direct_io; /* the notifier says when it is old */
    r->fi.noflush = (r->fi.flags & O_ACCMODE) == O_RDONLY;
    if (fuse_reply_open(r->req, &r->fi) == 0)
        steal_ptr(h); /* else nobody has it open */
    return 0;
}

void ops_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    static const struct operation op = {"open", run_open, OP_ABSENT_IS_ORDINARY};

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

/*
 * The content as it is now, not as it was at open: the kernel keeps what it reads, and whoever
 * publishes a change waits for reads under way and drops their pages (inval_inode). What was
 * rendered before that, but sent after it, would stay for ever.
 */
static int read_now(struct request *r, struct handle *h)
{
    struct buf text _cleanup_buf_ = BUF_INIT(64 << 20);
    struct place p _cleanup_place_ = {0};
    int rc = place_open(r, &p);

    rc = rc ? rc : kind_row(p.key->kind)->render(&p, &text, &r->fault);
    if (rc == -ENOENT && h && h->fresh)
        rc = 0; /* nothing was written yet */
    if (rc)
        return rc;
    if (h)
        handle_seen(h, MIN((size_t)r->off + r->size, text.len));
    return reply_slice(r, &text);
}

/* The service is not where it was when `wait` was opened. */
static int wait_gone(struct request *r, struct buf *out)
{
    const struct snapshot *s _cleanup_snapshot_ = cache_snapshot(r->fs->cache);
    const struct key *key = &r->key;
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
        rc = place_open(r, &p);
        if (rc == 0)
            rc = render_wait(&p, &text, &r->fault);
        else if (rc == -ENOENT || rc == -ESTALE)
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
    unsigned flags = kind_row(r->key.kind)->flags;
    struct handle *h = request_handle(r);

    if (flags & KIND_F_WAIT)
        return read_wait(r, h);
    if (flags & KIND_F_VERSION)
        return reply_slice(r, &h->version->text);
    if (flags & KIND_F_DIRECT)
        return reply_slice(r, &h->content);
    return read_now(r, h);
}

void ops_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
    static const struct operation op = {"read", run_read, 0};

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
    static const struct operation op = {"access", run_access, OP_ABSENT_IS_ORDINARY};

    request_begin(req, &op, ino, NULL, (size_t)(mask & (R_OK | W_OK | X_OK)), 0, NULL);
}

/* Of what grows: whether it has grown since this handle was last told, or has read. A reader may
 * have got all of it from the kernel's pages, so that being told counts as having read. */
static bool poll_grown(struct request *r, struct handle *h)
{
    struct place p _cleanup_place_ = {0};
    size_t len;

    if (place_open(r, &p) || kind_row(r->key.kind)->size(&p, &len))
        return true; /* an error is something to read */
    return handle_seen(h, len);
}

static bool poll_waits(struct request *r)
{
    struct buf text _cleanup_buf_ = BUF_INIT(4096);
    struct place p _cleanup_place_ = {0};

    return place_open(r, &p) == 0 && kind_row(r->key.kind)->render(&p, &text, &r->fault) == PARK;
}

/* Whether a read would bring something that this handle has not brought yet. */
static unsigned poll_ready(struct request *r)
{
    const unsigned writable = POLLOUT | POLLWRNORM, readable = POLLIN | POLLRDNORM;
    unsigned flags = kind_row(r->key.kind)->flags;
    bool ready = true;

    if (flags & KIND_F_FOLLOW)
        ready = poll_grown(r, request_handle(r));
    else if (flags & KIND_F_WAIT)
        ready = !poll_waits(r);
    return writable | (ready ? readable : 0);
}

static int run_poll(struct request *r)
{
    fuse_reply_poll(r->req, poll_ready(r));
    return 0;
}

void ops_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct fuse_pollhandle *ph)
{
    static const struct operation op = {"poll", run_poll, OP_ABSENT_IS_ORDINARY};

    /* first announce, then look: no growth in between is lost */
    if (ph && fi->fh)
        handle_poll_set((struct handle *)(uintptr_t)fi->fh, ph);
    else if (ph)
        fuse_pollhandle_destroy(ph); /* what does not wait is always ready */
    request_begin(req, &op, ino, NULL, 0, 0, fi);
}
