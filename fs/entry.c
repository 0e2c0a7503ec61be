/* See entry.h. */
#include "fs/entry.h"

#include <errno.h>

#include "fs/node.h"
#include "fs/notify.h"

double entry_keep(struct fs *fs, uint64_t epoch, double seconds)
{
    return notify_epoch(fs->notify) == epoch ? seconds : 0;
}

int entry_make(struct place *dir, struct node *dir_node, struct key *key,
               struct fuse_entry_param *ret, struct fault *f)
{
    struct fuse_entry_param e = {.entry_timeout = KIND_FOR_EVER};
    struct place p _cleanup_place_child_ = {0};
    int r = place_child(dir, key, &p);

    r = r ? r : kind_version(&p, &key->version, f);
    r = r ? r : node_lookup(dir->fs->nodes, dir_node, key, &p.node);
    if (r)
        return r;
    e.ino = node_ino(p.node);
    r = kind_attr(&p, e.ino, &e.attr, f);
    node_put(dir->fs->nodes, p.node);
    if (r) {
        node_forget(dir->fs->nodes, e.ino, 1);
        return r;
    }
    e.attr_timeout = p.unknown ? 0 : kind_attr_timeout(key->kind);
    *ret = e;
    return 0;
}

void entry_settle(const struct request *r, struct fuse_entry_param *e)
{
    e->attr_timeout = entry_keep(r->fs, r->epoch, e->attr_timeout);
    e->entry_timeout = entry_keep(r->fs, r->epoch, e->entry_timeout);
}

void entry_reply(struct request *r, struct fuse_entry_param *e)
{
    entry_settle(r, e);
    if (fuse_reply_entry(r->req, e) == -ENOENT)
        node_forget(r->fs->nodes, e->ino, 1); /* the request was interrupted: nobody got it */
}

int entry_reply_absent(struct request *r, const struct place *dir)
{
    struct fuse_entry_param none = {.entry_timeout = KIND_FOR_EVER};

    if (!(kind_row(dir->key->kind)->flags & KIND_F_NEGATIVE))
        return -ENOENT;
    entry_settle(r, &none);
    if (none.entry_timeout <= 0)
        return -ENOENT;
    fuse_reply_entry(r->req, &none);
    return 0;
}
