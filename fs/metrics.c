/*
 * Requests and notifications are counted where they pass (channel.c), so that nothing is missed
 * that libfuse answers by itself. Actions are rows of static tables, told apart by their addresses.
 */
#include "fs/metrics.h"

#include <errno.h>
#include <linux/fuse.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { OPCODES = 64, CODES = 16, ACTIONS = 256 };

static const char *const opcode_names[OPCODES] = {
    [FUSE_LOOKUP] = "LOOKUP",
    [FUSE_FORGET] = "FORGET",
    [FUSE_GETATTR] = "GETATTR",
    [FUSE_SETATTR] = "SETATTR",
    [FUSE_READLINK] = "READLINK",
    [FUSE_SYMLINK] = "SYMLINK",
    [FUSE_MKNOD] = "MKNOD",
    [FUSE_MKDIR] = "MKDIR",
    [FUSE_UNLINK] = "UNLINK",
    [FUSE_RMDIR] = "RMDIR",
    [FUSE_RENAME] = "RENAME",
    [FUSE_LINK] = "LINK",
    [FUSE_OPEN] = "OPEN",
    [FUSE_READ] = "READ",
    [FUSE_WRITE] = "WRITE",
    [FUSE_STATFS] = "STATFS",
    [FUSE_RELEASE] = "RELEASE",
    [FUSE_FSYNC] = "FSYNC",
    [FUSE_SETXATTR] = "SETXATTR",
    [FUSE_GETXATTR] = "GETXATTR",
    [FUSE_LISTXATTR] = "LISTXATTR",
    [FUSE_REMOVEXATTR] = "REMOVEXATTR",
    [FUSE_FLUSH] = "FLUSH",
    [FUSE_INIT] = "INIT",
    [FUSE_OPENDIR] = "OPENDIR",
    [FUSE_READDIR] = "READDIR",
    [FUSE_RELEASEDIR] = "RELEASEDIR",
    [FUSE_FSYNCDIR] = "FSYNCDIR",
    [FUSE_GETLK] = "GETLK",
    [FUSE_SETLK] = "SETLK",
    [FUSE_SETLKW] = "SETLKW",
    [FUSE_ACCESS] = "ACCESS",
    [FUSE_CREATE] = "CREATE",
    [FUSE_INTERRUPT] = "INTERRUPT",
    [FUSE_DESTROY] = "DESTROY",
    [FUSE_IOCTL] = "IOCTL",
    [FUSE_POLL] = "POLL",
    [FUSE_BATCH_FORGET] = "BATCH_FORGET",
    [FUSE_FALLOCATE] = "FALLOCATE",
    [FUSE_READDIRPLUS] = "READDIRPLUS",
    [FUSE_RENAME2] = "RENAME2",
    [FUSE_LSEEK] = "LSEEK",
};

static const char *const code_names[CODES] = {
    [FUSE_NOTIFY_POLL] = "poll",
    [FUSE_NOTIFY_INVAL_INODE] = "inval_inode",
    [FUSE_NOTIFY_INVAL_ENTRY] = "inval_entry",
};

struct action_count {
    _Atomic(const struct aws_action *) action;
    atomic_uint_least64_t calls, errors;
};

/* What has no name of its own is counted under index 0, "other". */
struct metrics {
    atomic_uint_least64_t requests[OPCODES], notifications[CODES];
    struct action_count actions[ACTIONS];
};

int metrics_new(struct metrics **ret)
{
    struct metrics *m = calloc(1, sizeof(*m));

    if (!m)
        return -ENOMEM;
    *ret = m;
    return 0;
}

void metrics_free(struct metrics *m)
{
    free(m);
}

static void count(atomic_uint_least64_t *counters, const char *const *names, size_t n, size_t i)
{
    atomic_fetch_add_explicit(&counters[i < n && names[i] ? i : 0], 1, memory_order_relaxed);
}

void metrics_request(struct metrics *m, uint32_t opcode)
{
    count(m->requests, opcode_names, OPCODES, opcode);
}

void metrics_notification(struct metrics *m, int32_t code)
{
    count(m->notifications, code_names, CODES, (size_t)code);
}

/* The row of an action, taken where it has none yet; NULL: all are taken. */
static struct action_count *row_of(struct metrics *m, const struct aws_action *a)
{
    for (size_t i = 0; i < ACTIONS; i++) {
        const struct aws_action *there = NULL;

        if (atomic_load(&m->actions[i].action) == a ||
            atomic_compare_exchange_strong(&m->actions[i].action, &there, a) || there == a)
            return &m->actions[i];
    }
    return NULL;
}

void metrics_call(void *arg, const struct aws_action *a, int err, const struct fault *f _unused_)
{
    struct action_count *row = row_of(arg, a);

    if (!row)
        return;
    atomic_fetch_add_explicit(&row->calls, 1, memory_order_relaxed);
    if (err < 0)
        atomic_fetch_add_explicit(&row->errors, 1, memory_order_relaxed);
}

static int render_named(struct buf *out, const char *what, const char *label,
                        const char *const *names, atomic_uint_least64_t *counters, size_t n)
{
    int r = buf_printf(out, "# TYPE %s counter\n", what);

    for (size_t i = 0; r == 0 && i < n; i++) {
        uint64_t value = atomic_load(&counters[i]);

        if (value > 0)
            r = buf_printf(out, "%s{%s=\"%s\"} %llu\n", what, label,
                           i && names[i] ? names[i] : "other", (unsigned long long)value);
    }
    return r;
}

static int render_actions(struct metrics *m, struct buf *out, const char *what, bool errors)
{
    int r = buf_printf(out, "# TYPE %s counter\n", what);

    for (size_t i = 0; r == 0 && i < ACTIONS; i++) {
        struct action_count *c = &m->actions[i];
        const struct aws_action *a = atomic_load(&c->action);
        uint64_t value = atomic_load(errors ? &c->errors : &c->calls);

        if (a && value > 0)
            r = buf_printf(out, "%s{service=\"%s\",action=\"%s\"} %llu\n", what,
                           aws_service_info(a->service)->signing_name, a->name,
                           (unsigned long long)value);
    }
    return r;
}

int metrics_render(struct metrics *m, struct buf *out)
{
    int r =
        render_named(out, "svcfs_fuse_requests_total", "op", opcode_names, m->requests, OPCODES);

    r = r ? r
          : render_named(out, "svcfs_fuse_notifications_total", "kind", code_names,
                         m->notifications, CODES);
    r = r ? r : render_actions(m, out, "svcfs_aws_calls_total", false);
    return r ? r : render_actions(m, out, "svcfs_aws_errors_total", true);
}
