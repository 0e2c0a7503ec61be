/*
 * One thread reads (session.c). Waking a processor that sleeps takes longer than an answer does: so
 * as long as requests follow each other within AWAKE_NS the reader looks for the next one before it
 * goes to sleep, which makes a first `ls -lR` half as long again faster. The scheduler may have put
 * the caller on the reader's own processor, so it yields between two looks. It never does this
 * where there is only one processor, and an idle mount costs nothing.
 *
 * libfuse 3.14 takes FUSE_CAP_PARALLEL_DIROPS, and never tells the kernel (mended in 3.17): one
 * slow look-up would then hold up every other one in its directory. So the answer to INIT, the
 * first that is ever written, gets the flag here; where libfuse sets it itself this changes
 * nothing.
 */
#include "fs/channel.h"

#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "fs/fs.h"
#include "fs/metrics.h"

enum { AWAKE_NS = 200 * 1000 };

/* The reader's own. */
static bool may_stay_awake, brisk; /* brisk: the last request came within AWAKE_NS */

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void stay_awake(int fd, int64_t until_ns)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    while (poll(&p, 1, 0) == 0 && now_ns() < until_ns)
        sched_yield();
}

static ssize_t read_request(int fd, void *data, size_t size)
{
    int64_t begun_ns = now_ns();
    ssize_t n;

    if (brisk)
        stay_awake(fd, begun_ns + AWAKE_NS);
    n = read(fd, data, size);
    brisk = may_stay_awake && now_ns() - begun_ns < AWAKE_NS;
    return n;
}

static ssize_t channel_read(int fd, void *data, size_t size, void *userdata)
{
    struct fs *fs = userdata;
    const struct fuse_in_header *in = data;
    ssize_t n = read_request(fd, data, size);

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
    cpu_set_t processors;
    int r;

    may_stay_awake =
        sched_getaffinity(0, sizeof(processors), &processors) == 0 && CPU_COUNT(&processors) > 1;
    r = fuse_session_custom_io(fs->session, &io, fuse_session_fd(fs->session));

    return r < 0 ? fault_set(f, r, "libfuse does not take our input and output") : 0;
}
