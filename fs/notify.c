/*
 * The node table says whether the kernel knows a node: what it never looked up need not be
 * forgotten.
 *
 * One gap is the kernel's: it may have got an answer that makes a node known, and not have made its
 * inode yet when that is to be forgotten; then it says ENOENT. As long as the table says that the
 * node is known this is tried again, a few times in a second. (Attributes of an inode that there
 * is, and names, have no such gap: the kernel drops answers to older requests, and holds the
 * directory's lock.)
 */
#include "fs/notify.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fs/fs.h"
#include "fs/handle.h"
#include "fs/kind.h"
#include "fs/node.h"

enum { RETRY_FIRST_MS = 1, RETRY_FACTOR = 4, RETRY_LAST_MS = 1024, SETTLE_MS = 150 };

/* A directory whose lock the kernel holds for requests that nobody can answer yet, and the names
 * that wait for them. */
struct hold {
    struct hold *next;
    uint64_t ino;
    unsigned n; /* requests */
    struct task *first, **last;
};

/* One thing for the lane: a name in the directory, or, where name is "", the inode again. */
struct task {
    struct task *next;
    uint64_t ino;
    int64_t due_ms, pause_ms; /* of a retry */
    bool held_back;           /* once */
    char name[];
};

struct notify {
    struct fs *fs;
    atomic_uint_least64_t epoch;
    pthread_mutex_t lock; /* guards what follows */
    bool closed;
    unsigned sending; /* how many send something just now */
    pthread_cond_t queued;
    struct task *first, **last;
    struct hold *holds;        /* few: one a directory */
    uint64_t queued_n, sent_n; /* names, ever; what is held back counts as sent */
    pthread_cond_t sent;
    struct task *later; /* retries, in no order: there are hardly ever any */
    bool started;
    pthread_t thread;
};

int notify_new(struct notify **ret, struct fs *fs)
{
    struct notify *n = calloc(1, sizeof(*n));

    if (!n)
        return -ENOMEM;
    n->fs = fs;
    n->last = &n->first;
    atomic_init(&n->epoch, 1);
    pthread_mutex_init(&n->lock, NULL);
    pthread_cond_init(&n->queued, NULL);
    pthread_cond_init(&n->sent, NULL);
    *ret = n;
    return 0;
}

static void free_tasks(struct task *t)
{
    for (struct task *next; t; t = next) {
        next = t->next;
        free(t);
    }
}

void notify_free(struct notify *n)
{
    if (!n)
        return;
    for (struct hold *h = n->holds, *next; h; h = next) {
        next = h->next;
        free_tasks(h->first);
        free(h);
    }
    free_tasks(n->first);
    free_tasks(n->later);
    pthread_cond_destroy(&n->queued);
    pthread_cond_destroy(&n->sent);
    pthread_mutex_destroy(&n->lock);
    free(n);
}

uint64_t notify_epoch(struct notify *n)
{
    return atomic_load(&n->epoch);
}

void notify_next_epoch(struct notify *n)
{
    atomic_fetch_add(&n->epoch, 1);
}

static struct task *task_new(uint64_t ino, const char *name)
{
    struct task *t = malloc(sizeof(*t) + strlen(name) + 1);

    if (!t)
        return NULL; /* no memory: the one case in which the kernel is left with what was */
    *t = (struct task){.ino = ino};
    strcpy(t->name, name);
    return t;
}

/* --- the lane of inodes --- */

static void retry_later(struct notify *n, uint64_t ino, int64_t pause_ms)
{
    struct task *t = task_new(ino, "");

    if (!t)
        return;
    t->pause_ms = pause_ms;
    t->due_ms = fs_now_ms(n->fs) + pause_ms;
    pthread_mutex_lock(&n->lock);
    t->next = n->later;
    n->later = t;
    pthread_cond_signal(&n->queued);
    pthread_mutex_unlock(&n->lock);
}

static bool begin_sending(struct notify *n)
{
    bool open;

    pthread_mutex_lock(&n->lock);
    open = !n->closed;
    n->sending += open;
    pthread_mutex_unlock(&n->lock);
    return open;
}

static void end_sending(struct notify *n)
{
    pthread_mutex_lock(&n->lock);
    n->sending--;
    pthread_mutex_unlock(&n->lock);
}

/* Whether the kernel had the inode (or the session ends). */
static bool send_inode(struct notify *n, uint64_t ino)
{
    int r;

    if (!begin_sending(n))
        return true;
    r = fuse_lowlevel_notify_inval_inode(n->fs->session, ino, 0, 0);
    end_sending(n);
    return r != -ENOENT;
}

static void inval_inode(struct notify *n, uint64_t ino)
{
    if (!send_inode(n, ino))
        retry_later(n, ino, RETRY_FIRST_MS);
}

void notify_inode(struct notify *n, const struct key *key)
{
    /* A millisecond ahead: the index's times are this one's at most. */
    uint64_t ino = node_touch(n->fs->nodes, key, fs_wall_ms(n->fs) + 1);

    if (ino)
        inval_inode(n, ino);
}

void notify_poll(struct notify *n)
{
    if (!begin_sending(n))
        return;
    handle_poll_wake();
    end_sending(n);
}

/* --- the lane of names --- */

void notify_entry(struct notify *n, const struct key *dir, const char *name)
{
    uint64_t parent = node_find(n->fs->nodes, dir);
    struct task *t = parent ? task_new(parent, name) : NULL;

    if (!t)
        return;
    pthread_mutex_lock(&n->lock);
    *n->last = t;
    n->last = &t->next;
    n->queued_n++;
    pthread_cond_signal(&n->queued);
    pthread_mutex_unlock(&n->lock);
}

/* Where it stands in the list; *it is NULL where there is none. Locked. */
static struct hold **find_hold(struct notify *n, uint64_t ino)
{
    struct hold **at = &n->holds;

    while (*at && (*at)->ino != ino)
        at = &(*at)->next;
    return at;
}

void notify_hold(struct notify *n, uint64_t dir)
{
    struct hold **at, *h;

    pthread_mutex_lock(&n->lock);
    at = find_hold(n, dir);
    if (!*at &&
        (h = calloc(1, sizeof(*h)))) { /* without memory the lane waits, as the kernel does */
        h->ino = dir;
        h->last = &h->first;
        *at = h;
    }
    if (*at)
        (*at)->n++;
    pthread_mutex_unlock(&n->lock);
}

void notify_release(struct notify *n, uint64_t dir)
{
    struct hold **at, *h;

    pthread_mutex_lock(&n->lock);
    at = find_hold(n, dir);
    h = *at;
    if (h && --h->n == 0) {
        *at = h->next;
        if (h->first) {
            *n->last = h->first;
            n->last = h->last;
            pthread_cond_signal(&n->queued);
        }
        free(h);
    }
    pthread_mutex_unlock(&n->lock);
}

/* Whether its directory is held; then it waits there. Locked. */
static bool hold_back(struct notify *n, struct task *t)
{
    struct hold *h = t->name[0] && n->holds ? *find_hold(n, t->ino) : NULL;

    if (!h)
        return false;
    t->next = NULL;
    *h->last = t;
    h->last = &t->next;
    t->held_back = true;
    return true;
}

void notify_settle(struct notify *n)
{
    int64_t until_ms = fs_now_ms(n->fs) + SETTLE_MS;

    pthread_mutex_lock(&n->lock);
    uint64_t goal = n->queued_n;
    while (n->sent_n < goal && !n->closed && fs_now_ms(n->fs) < until_ms)
        clock_cond_wait(n->fs->clock, &n->sent, &n->lock, until_ms);
    pthread_mutex_unlock(&n->lock);
}

void notify_version(struct notify *n, const struct key *dir, enum kind_id kind)
{
    struct key old = key_child(dir, kind, NULL);
    uint64_t ino;

    old.version = node_take_version(n->fs->nodes, dir, kind);
    if (!old.version)
        return; /* nobody has looked since it was told last */
    /* Its attributes at once, so that whoever was waiting finds it outdated; then its name. */
    ino = node_find(n->fs->nodes, &old);
    if (ino)
        inval_inode(n, ino);
    notify_entry(n, dir, key_name(&old));
}

static void send(struct notify *n, const struct task *t)
{
    if (!t->name[0]) {
        if (!send_inode(n, t->ino) && t->pause_ms < RETRY_LAST_MS &&
            node_known(n->fs->nodes, t->ino))
            retry_later(n, t->ino, t->pause_ms * RETRY_FACTOR);
        return;
    }
    if (!begin_sending(n))
        return;
    fuse_lowlevel_notify_inval_entry(n->fs->session, t->ino, t->name, strlen(t->name));
    end_sending(n);
}

/* The next task that may be done now, or NULL and, where there is one, when. Locked. */
static struct task *take(struct notify *n, int64_t *ret_due_ms)
{
    struct task *t = n->first;

    *ret_due_ms = 0;
    if (t) {
        n->first = t->next;
        if (!n->first)
            n->last = &n->first;
        return t;
    }
    for (struct task **at = &n->later; *at; at = &(*at)->next) {
        t = *at;
        if (t->due_ms <= fs_now_ms(n->fs)) {
            *at = t->next;
            return t;
        }
        if (!*ret_due_ms || t->due_ms < *ret_due_ms)
            *ret_due_ms = t->due_ms;
    }
    return NULL;
}

static void rest(struct notify *n, int64_t due_ms)
{
    if (due_ms)
        clock_cond_wait(n->fs->clock, &n->queued, &n->lock, due_ms);
    else
        pthread_cond_wait(&n->queued, &n->lock);
}

static void *lane_main(void *arg)
{
    struct notify *n = arg;

    pthread_mutex_lock(&n->lock);
    while (!n->closed) {
        int64_t due_ms;
        struct task *t = take(n, &due_ms);
        bool first_name;

        if (!t) {
            rest(n, due_ms);
            continue;
        }
        first_name = t->name[0] && !t->held_back;
        if (!hold_back(n, t)) {
            pthread_mutex_unlock(&n->lock);
            send(n, t);
            free(t);
            pthread_mutex_lock(&n->lock);
        }
        n->sent_n += first_name;
        if (first_name)
            pthread_cond_broadcast(&n->sent);
    }
    pthread_mutex_unlock(&n->lock);
    return NULL;
}

int notify_start(struct notify *n)
{
    int r = pthread_create(&n->thread, NULL, lane_main, n);

    n->started = r == 0;
    return -r;
}

void notify_close(struct notify *n)
{
    pthread_mutex_lock(&n->lock);
    n->closed = true;
    pthread_cond_signal(&n->queued);
    pthread_cond_broadcast(&n->sent);
    pthread_mutex_unlock(&n->lock);
}

bool notify_ended(struct notify *n)
{
    bool sending;

    if (n->started && pthread_tryjoin_np(n->thread, NULL) == 0)
        n->started = false;
    pthread_mutex_lock(&n->lock);
    sending = n->sending > 0;
    pthread_mutex_unlock(&n->lock);
    return !n->started && !sending;
}

void notify_join(struct notify *n)
{
    if (n->started)
        pthread_join(n->thread, NULL);
    n->started = false;
}
