/*
 * The end has an order: no more answers from waiting (park, work), nothing more to the kernel
 * (notify), unmount, then the jobs and provisioning. libfuse's loop stops reading when it is told
 * to end, but a request that it has not read may hold a directory's lock for which the notifier
 * waits: so the queue is answered until the notifier has come to rest.
 */
#include "fs/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "fs/channel.h"
#include "fs/detour.h"
#include "fs/handle.h"
#include "fs/notify.h"
#include "fs/park.h"
#include "fs/work.h"

enum { DRAIN_MS = 3000, DRAIN_LOOK_MS = 10 };

/* What libfuse had to say last, for our one line. Written before the session serves. */
static char fuse_said[256];
static bool serving;

static void on_fuse_log(enum fuse_log_level level, const char *fmt, va_list ap)
{
    char text[256];

    vsnprintf(text, sizeof(text), fmt, ap);
    text[strcspn(text, "\n")] = '\0';
    if (!serving)
        memcpy(fuse_said, text, sizeof(fuse_said));
    if (level >= FUSE_LOG_INFO)
        log_debug("%s", text);
    else if (serving)
        log_warning("%s", text);
}

/* "fuse.svcfs" is mounted there: fields 5 (mount point) and the one behind " - ". */
static bool is_mount_line(char *line, const char *path)
{
    char *type = strstr(line, " - "), *at = line, *end;
    char *out;

    for (int i = 0; i < 4 && at; i++) {
        at = strchr(at, ' ');
        at += at != NULL;
    }
    if (!type || !at || !(end = strchr(at, ' ')) || !str_starts(type + 3, "fuse.svcfs "))
        return false;
    *end = '\0';
    out = at;
    for (char *in = at; *in; in++) {
        if (in[0] == '\\' && in[1] && in[2] && in[3]) {
            *out++ = (char)((in[1] - '0') * 64 + (in[2] - '0') * 8 + (in[3] - '0'));
            in += 3;
        } else {
            *out++ = *in;
        }
    }
    *out = '\0';
    return streq(at, path);
}

int session_check(const char *path, struct fault *f)
{
    char *line _cleanup_free_ = NULL;
    bool used = false;
    struct stat st;
    size_t size = 0;
    FILE *mounts;

    if (stat(path, &st)) {
        int err = errno;

        return fault_set(f, -err, "%s: %s%s", path, strerror(err),
                         err == ENOTCONN ? ": a dead mount, to be removed by fusermount3 -uz" : "");
    }
    if (!S_ISDIR(st.st_mode))
        return fault_set(f, -ENOTDIR, "%s: not a directory", path);
    mounts = fopen("/proc/self/mountinfo", "re");
    while (mounts && !used && getline(&line, &size, mounts) > 0)
        used = is_mount_line(line, path);
    if (mounts)
        fclose(mounts);
    return used ? fault_set(f, -EBUSY, "%s: svcfs is mounted there already", path) : 0;
}

static int open_session(struct fs *fs, struct fault *f)
{
    const struct options *o = fs->options;
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    char *opts _cleanup_free_ =
        str_printf("-ofsname=svcfs:%s/%s,subtype=svcfs%s%s%s%s", fs->account, fs->region,
                   o->ro ? ",ro" : "", o->allow_other ? ",allow_other" : "",
                   o->fuse_options ? "," : "", o->fuse_options ? o->fuse_options : "");

    if (!opts || fuse_opt_add_arg(&args, "svcfs") || fuse_opt_add_arg(&args, opts) ||
        (o->debug && fuse_opt_add_arg(&args, "-d"))) {
        fuse_opt_free_args(&args);
        return fault_set(f, -ENOMEM, "no memory");
    }
    fuse_set_log_func(on_fuse_log);
    fs->session = fuse_session_new(&args, &fs_operations, sizeof(fs_operations), fs);
    fuse_opt_free_args(&args);
    if (!fs->session)
        return fault_set(f, -EINVAL, "no FUSE session: %s", fuse_said);
    /* A hang-up is no reason to end: the terminal of a mount made by hand goes, the mount stays. */
    signal(SIGHUP, SIG_IGN);
    if (fuse_set_signal_handlers(fs->session))
        return fault_set(f, -EIO, "no signal handlers: %s", fuse_said);
    if (fuse_session_mount(fs->session, o->mountpoint))
        return fault_set(f, -EIO, "cannot mount on %s: %s", o->mountpoint,
                         fuse_said[0] ? fuse_said : "fusermount3 has told why");
    return channel_open(fs, f);
}

static int start_threads(struct fs *fs, struct fault *f)
{
    int r = park_start(fs->park);

    r = r ? r : work_init();
    r = r ? r : notify_start(fs->notify);
    if (r)
        return fault_set(f, r, "no threads: %s", strerror(-r));
    r = cache_start(fs->cache, f);
    r = r ? r : describe_start(fs->describe, f);
    return r ? r : provision_start(fs->provision, f);
}

/* One thread answers: all of it comes from memory, and what waits is handed on. A second one made
 * nothing faster, since a request then wakes whichever sleeps longer. libfuse's loop for several
 * all the same: its other one hears of a signal only if it comes while it reads. */
static int serve(struct fs *fs, struct fault *f)
{
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    int r;

    if (!config)
        return fault_set(f, -ENOMEM, "no memory");
    fuse_loop_cfg_set_max_threads(config, 1);
    fuse_loop_cfg_set_idle_threads(config, 1);
    serving = true;
    r = fuse_session_loop_mt(fs->session, config);
    fuse_loop_cfg_destroy(config);
    return r < 0 ? fault_set(f, r, "the FUSE session broke: %s", strerror(-r)) : 0;
}

/* Answers what the kernel has queued, until the notifier rests. */
static void drain(struct fs *fs)
{
    struct fuse_buf buf = {0};
    int64_t until = fs_now_ms(fs) + DRAIN_MS;
    int fd = fuse_session_fd(fs->session);

    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    fuse_session_reset(fs->session);
    while (!notify_ended(fs->notify) && fs_now_ms(fs) < until) {
        struct pollfd queue = {.fd = fd, .events = POLLIN};
        int r = poll(&queue, 1, DRAIN_LOOK_MS) > 0 ? fuse_session_receive_buf(fs->session, &buf)
                                                   : -EAGAIN;

        if (r > 0)
            fuse_session_process_buf(fs->session, &buf);
        else if (r != -EAGAIN && r != -EINTR)
            break; /* unmounted: nothing holds a lock any more */
    }
    free(buf.mem);
}

static void stop(struct fs *fs)
{
    awake_close(&fs->awake);
    park_stop(fs->park);
    detour_stop(fs->detour);
    work_stop();
    notify_close(fs->notify);
    drain(fs);
    fuse_session_unmount(fs->session);
    jobs_drain(fs->jobs);
    provision_stop(fs->provision);
    describe_stop(fs->describe);
    cache_stop(fs->cache);
    impacts_stop(fs->impacts);
    notify_join(fs->notify);
}

int session_run(struct fs *fs, struct fault *f)
{
    int r = open_session(fs, f);

    if (r == 0) {
        r = start_threads(fs, f);
        r = r ? r : serve(fs, f);
        stop(fs);
    }
    if (fs->session) {
        fuse_remove_signal_handlers(fs->session);
        handle_free_all();
        fuse_session_destroy(fs->session);
    }
    return r;
}
