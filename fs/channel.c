/*
 * libfuse 3.14 takes FUSE_CAP_PARALLEL_DIROPS, and never tells the kernel (mended in 3.17): one
 * slow look-up would then hold up every other one in its directory. So the answer to INIT, the
 * first that is ever written, gets the flag here; where libfuse sets it itself this changes
 * nothing.
 */
#include "fs/channel.h"

#include <linux/fuse.h>
#include <sys/uio.h>

#include "fs/fs.h"
#include "fs/metrics.h"

static ssize_t channel_read(int fd _unused_, void *data, size_t size, void *userdata)
{
    struct fs *fs = userdata;
    const struct fuse_in_header *in = data;
    ssize_t n = awake_read(&fs->awake, data, size);

    if (n < (ssize_t)sizeof(*in))
        return n;
    if (in->opcode == FUSE_INIT)
        fs->init_unique = in->unique;
    metrics_request(fs->metrics, in->opcode);
    return n;
}

static void set_parallel_dirops(struct iovec *iov, int count)
{
    struct fuse_init_out *init = count > 1 ? iov[1].iov_base : NULL;

    if (init && iov[1].iov_len >= offsetof(struct fuse_init_out, flags) + sizeof(init->flags))
        init->flags |= FUSE_PARALLEL_DIROPS;
}

static ssize_t channel_writev(int fd, struct iovec *iov, int count, void *userdata)
{
    struct fs *fs = userdata;
    const struct fuse_out_header *out = iov[0].iov_base;

    if (!out->unique)
        metrics_notification(fs->metrics, out->error); /* the header has no other place for it */
    else if (out->unique == fs->init_unique && !out->error)
        set_parallel_dirops(iov, count);
    return writev(fd, iov, count);
}

int channel_open(struct fs *fs, struct fault *f)
{
    static const struct fuse_custom_io io = {.read = channel_read, .writev = channel_writev};
    int fd = fuse_session_fd(fs->session);
    int r = fuse_session_custom_io(fs->session, &io, fd);

    awake_open(&fs->awake, fd, fs->options->save_power);
    return r < 0 ? fault_set(f, r, "libfuse does not take our input and output") : 0;
}
