/*
 * The table that libfuse is given. What is not in it is answered ENOSYS once and never asked for
 * again: extended attributes (two requests an entry of every `ls -l`, fuse-facts.md 9), locks,
 * fsync, lseek, fallocate.
 */
#include "fs/ops.h"

static void ops_init(void *userdata, struct fuse_conn_info *conn)
{
    /* PARALLEL_DIROPS: channel.c */
    const unsigned wanted = FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO |
                            FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_CACHE_SYMLINKS |
                            FUSE_CAP_ASYNC_READ;
    struct fs *fs = userdata;

    conn->want |= wanted & conn->capable;
    /* Caches are invalidated by name (notify.c), never by comparing times at each read. Not
     * EXPLICIT_INVAL_DATA: an answer with another size, before the notifier has come, would cut the
     * old content to it. */
    conn->want &= ~(unsigned)(FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_EXPLICIT_INVAL_DATA);
    /* The kernel's own splice gains nothing for files of some hundred bytes. */
    conn->want &= ~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
    if (fs->ready)
        fs->ready(fs);
}

const struct fuse_lowlevel_ops fs_operations = {
    .init = ops_init,
    .lookup = ops_lookup,
    .forget = ops_forget,
    .forget_multi = ops_forget_multi,
    .getattr = ops_getattr,
    .setattr = ops_setattr,
    .readlink = ops_readlink,
    .mknod = ops_mknod,
    .mkdir = ops_mkdir,
    .unlink = ops_unlink,
    .rmdir = ops_rmdir,
    .symlink = ops_symlink,
    .rename = ops_rename,
    .link = ops_link,
    .open = ops_open,
    .read = ops_read,
    .write = ops_write,
    .flush = ops_flush,
    .release = ops_release,
    .opendir = ops_opendir,
    .readdir = ops_readdir,
    .readdirplus = ops_readdirplus,
    .statfs = ops_statfs,
    .access = ops_access,
    .create = ops_create,
    .poll = ops_poll,
};
