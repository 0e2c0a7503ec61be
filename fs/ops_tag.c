/*
 * Tags as files. The WRITE is the operation: one, at offset 0, with the whole value; shells look at
 * its result and at no other (fuse-facts.md 32). So opening, truncating and closing ask for
 * nothing. Files are open with direct_io where they may be written: a WRITE that went through the
 * page cache would hold the page's lock, and telling the kernel that the content is another one now
 * waits for it.
 *
 * CREATE makes a file that only who has it open knows of: nobody finds it by name before it was
 * written. Names and modes of editors' temporary files are refused (fuse-facts.md 35).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "fs/detour.h"
#include "fs/entry.h"
#include "fs/guard.h"
#include "fs/handle.h"
#include "fs/notify.h"
#include "fs/ops.h"
#include "fs/ops_change.h"
#include "fs/tree.h"
#include "fs/work.h"
#include "provision/tagging.h"

enum { TEMPORARY_MODE = 0600, VALUE_MAX = 4096 };

/* --- removing --- */

static int untag(struct errand *e)
{
    int rc = provision_tag(e->fs->provision, e->of, e->what, NULL, e->cancel, &e->fault);

    if (rc == -EPERM)
        guard_refuse(e->fs->guard, e->tid);
    if (rc == 0)
        notify_settle(e->fs->notify);
    return rc;
}

int tag_unlink(struct request *r)
{
    struct errand e = {.run = untag, .answer = ops_answer_removed};
    struct place dir _cleanup_place_ = {0};
    char key[TREE_TAG_KEY_SIZE];
    int rc = ops_may_write(r);

    rc = rc ? rc : place_open(r, &dir);
    rc = rc ? rc : ops_victim(r, &dir, &e.victim);
    if (rc)
        return rc;
    if (tree_tag_key(dir.resource, r->name, key, sizeof(key)) < 0)
        return -ENOENT;
    if (provision_tag_check(r->fs->provision, dir.resource, key, NULL, &r->fault) == -EPERM) {
        struct fault why = r->fault;

        return ops_refuse_removal(r, why.message);
    }
    e.of = strdup(dir.resource->key);
    e.what = strdup(key);
    if (!e.of || !e.what) {
        free(e.of);
        free(e.what);
        return -ENOMEM;
    }
    return detour_begin(r, &e);
}

/* --- opening --- */

static int check_flags(struct request *r)
{
    return r->fi.flags & O_APPEND
               ? fault_set(&r->fault, -EINVAL, "a tag has one value: nothing is appended to it")
               : 0;
}

static int tag_key(struct request *r, const struct index_resource *of, const char *name,
                   char key[TREE_TAG_KEY_SIZE])
{
    return tree_tag_key(of, name, key, TREE_TAG_KEY_SIZE) < 0
               ? fault_set(&r->fault, -EINVAL, "no tag can have this name")
               : 0;
}

int tag_check_open(struct request *r, const struct place *p)
{
    char key[TREE_TAG_KEY_SIZE];
    int rc = check_flags(r);

    if (rc)
        return rc;
    rc = tag_key(r, p->resource, key_name(p->key), key);
    return rc ? rc : provision_tag_check(r->fs->provision, p->resource, key, NULL, &r->fault);
}

static struct stat fresh_attr(struct request *r, uint64_t ino)
{
    int64_t ms = fs_wall_ms(r->fs);
    struct stat st = {.st_ino = ino,
                      .st_nlink = 1,
                      .st_blksize = 4096,
                      .st_mode = kind_mode(r->fs, KIND_TAG),
                      .st_uid = r->fs->uid,
                      .st_gid = r->fs->gid,
                      .st_mtim = {.tv_sec = ms / 1000}};

    st.st_ctim = st.st_atim = st.st_mtim;
    return st;
}

int tag_reply_fresh(struct request *r)
{
    struct stat st = fresh_attr(r, r->ino);

    fuse_reply_attr(r->req, &st, 0);
    return 0;
}

/* Whether a tag with that name may come; what it will be is not known yet. */
static int check_new(struct request *r, const struct place *dir, mode_t mode)
{
    char key[TREE_TAG_KEY_SIZE];
    int rc;

    if (r->name[0] == '.' || mode == TEMPORARY_MODE)
        return fault_set(&r->fault, -EPERM, "this looks like the temporary file of an editor");
    rc = tag_key(r, dir->resource, r->name, key);
    return rc ? rc
              : provision_tag_check(r->fs->provision, dir->resource, key,
                                    index_tag(dir->resource, key) ? NULL : "-", &r->fault);
}

/* Open, for who may have it only as long as that. */
static int create_file(struct request *r, struct place *dir)
{
    struct key key = key_child(dir->key, KIND_TAG, r->name), there;
    bool fresh = kind_find(dir, r->name, &there) == -ENOENT;
    struct handle *h _cleanup_(handle_freep) = NULL;
    struct fuse_entry_param e = {0};
    struct node *node;
    int rc = node_lookup(r->fs->nodes, r->node, &key, &node);

    if (rc)
        return rc;
    e.ino = node_ino(node);
    node_put(r->fs->nodes, node);
    h = handle_new(e.ino);
    if (!h) {
        node_forget(r->fs->nodes, e.ino, 1);
        return -ENOMEM;
    }
    h->fresh = fresh;
    e.attr = fresh_attr(r, e.ino);
    r->fi.fh = (uintptr_t)h;
    r->fi.direct_io = 1;
    if (fuse_reply_create(r->req, &e, &r->fi) == 0)
        steal_ptr(h);
    else
        node_forget(r->fs->nodes, e.ino, 1); /* nobody got it */
    return 0;
}

static int run_create(struct request *r)
{
    struct place dir _cleanup_place_ = {0};
    int rc;

    if (r->key.kind != KIND_TAGS)
        return fault_set(&r->fault, -EPERM, "only tags are files that can be made");
    rc = ops_may_write(r);
    rc = rc ? rc : check_flags(r);
    rc = rc ? rc : place_open(r, &dir);
    rc = rc ? rc : kind_present(&dir);
    rc = rc ? rc : check_new(r, &dir, (mode_t)r->size);
    return rc ? rc : create_file(r, &dir);
}

void ops_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                struct fuse_file_info *fi)
{
    static const struct operation op = {"create", run_create, OP_LOCKS_DIRECTORY};

    request_begin(req, &op, parent, name, mode & 07777, 0, fi);
}

/* --- writing --- */

struct value {
    char *resource, *key;
    char text[];
};

static void value_free(void *arg)
{
    struct value *v = arg;

    free(v->resource);
    free(v->key);
    free(v);
}

/* What is written, without the newline that a shell puts behind it. */
static int take_value(struct request *r, struct value **ret)
{
    size_t n = r->size;
    struct value *v;

    if (r->off != 0)
        return fault_set(&r->fault, -EINVAL, "a tag is written by one write, at its beginning");
    if (n > VALUE_MAX || memchr(r->data, '\0', n))
        return fault_set(&r->fault, -EINVAL, "no tag can have this value");
    n -= n > 0 && r->data[n - 1] == '\n';
    v = calloc(1, sizeof(*v) + n + 1);
    if (!v)
        return -ENOMEM;
    memcpy(v->text, r->data, n);
    *ret = v;
    return 0;
}

static int write_value(struct work *w)
{
    struct request *r = &w->request;
    struct value *v = w->arg;
    int rc = provision_tag(r->fs->provision, v->resource, v->key, v->text, w->cancel, &r->fault);

    if (rc == 0)
        notify_settle(r->fs->notify);
    return rc;
}

static void reply_written(struct work *w)
{
    struct handle *h = request_handle(&w->request);

    if (h)
        h->fresh = false; /* the kernel does not release it before this answer */
    fuse_reply_write(w->request.req, w->request.size);
}

int tag_write_file(struct request *r)
{
    struct work_args args = {.run = write_value, .reply = reply_written, .arg_free = value_free};
    struct place p _cleanup_place_ = {0};
    char key[TREE_TAG_KEY_SIZE];
    struct value *v = NULL;
    int rc = place_open(r, &p);

    if (rc) /* what is written is gone when this has returned */
        return rc < 0 ? rc : fault_set(&r->fault, -EAGAIN, "the account has not been read yet");
    rc = tag_key(r, p.resource, key_name(&r->key), key);
    rc = rc ? rc : take_value(r, &v);
    if (rc)
        return rc;
    rc = provision_tag_check(r->fs->provision, p.resource, key, v->text, &r->fault);
    v->resource = strdup(p.resource->key);
    v->key = strdup(key);
    if (rc || !v->resource || !v->key) {
        value_free(v);
        return rc ? rc : -ENOMEM;
    }
    r->data = NULL;
    args.arg = v;
    return work_start(r, &args);
}
