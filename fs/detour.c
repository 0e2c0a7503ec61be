/*
 * A trip is an errand with its caller's thread, directory and name. States: under way, done; it
 * leaves the list when its second request has taken it, or when nobody did for a while (a caller
 * that was killed in between), or when the mount ends.
 *
 * While a trip is known the last name on the path is answered to its own thread as it was before:
 * absent for a mkdir, there for a rmdir. Otherwise the kernel would answer EEXIST or ENOENT by
 * itself, for the service is in the tree, or out of it, before the caller knows.
 *
 * A thread of another pid namespace has the number 0: it gets no detour.
 */
#include "fs/detour.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "fs/node.h"
#include "fs/proc.h"
#include "fs/work.h"

enum { FORGOTTEN_MS = 30000 };

struct trip {
    struct errand errand;
    const struct operation *op;
    int (*plain)(struct request *r); /* of the LOOKUP that is held */
    uint64_t start;                  /* of the caller's process, since numbers come again */
    uint64_t dir;                    /* its node is referenced for as long as the errand runs */
    char name[NAME_SIZE];
    uint64_t up; /* the directory of the directory, and its name there */
    char dir_name[NAME_SIZE];
    bool done, listed;
    int result;
    int64_t done_ms;
    unsigned refs;
    struct trip *next; /* in the list; it has a reference */
    struct detour *detour;
    struct node *node, *victim; /* references, so that the kernel may forget them meanwhile */
};

struct detour {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct trip *first;
    atomic_uint n; /* in the list */
};

int detour_new(struct detour **ret)
{
    struct detour *d = calloc(1, sizeof(*d));

    if (!d)
        return -ENOMEM;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->changed, NULL);
    *ret = d;
    return 0;
}

static void errand_done(const struct errand *e)
{
    free(e->family);
    free(e->of);
    free(e->what);
}

static void unref_locked(struct trip *t)
{
    if (--t->refs)
        return;
    node_put(t->errand.fs->nodes, t->node);
    node_put(t->errand.fs->nodes, t->victim);
    cancel_unref(t->errand.cancel);
    errand_done(&t->errand);
    free(t);
}

static void unref(struct trip *t)
{
    struct detour *d = t->detour;

    pthread_mutex_lock(&d->lock);
    unref_locked(t);
    pthread_mutex_unlock(&d->lock);
}

static void unlist_locked(struct detour *d, struct trip *t)
{
    struct trip **at = &d->first;

    if (!t->listed)
        return;
    t->listed = false;
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    atomic_fetch_sub(&d->n, 1);
    unref_locked(t);
}

void detour_free(struct detour *d)
{
    if (!d)
        return;
    while (d->first)
        unlist_locked(d, d->first);
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

static void wake(void *arg)
{
    struct detour *d = arg;

    pthread_mutex_lock(&d->lock);
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
}

void detour_stop(struct detour *d)
{
    pthread_mutex_lock(&d->lock);
    for (struct trip *t = d->first; t; t = t->next)
        cancel_raise(t->errand.cancel);
    pthread_mutex_unlock(&d->lock);
}

/* --- finding one's trip --- */

static bool is_forgotten(const struct trip *t)
{
    return t->done && fs_now_ms(t->errand.fs) - t->done_ms > FORGOTTEN_MS;
}

static uint64_t start_of(pid_t tid)
{
    struct proc_group g;

    return proc_group(tid, &g) == 0 ? g.start : 0;
}

/* A trip of the request's thread that fits, referenced; NULL: none. /proc is read only where one
 * may fit. */
static struct trip *find(struct request *r, bool (*fits)(const struct trip *t, struct request *r))
{
    struct detour *d = r->fs->detour;
    struct trip *found = NULL;
    pid_t tid;

    if (!atomic_load(&d->n))
        return NULL;
    tid = fuse_req_ctx(r->req)->pid;
    pthread_mutex_lock(&d->lock);
    for (struct trip *t = d->first; t && !found; t = t->next)
        if (t->errand.tid == tid && !is_forgotten(t) && fits(t, r))
            found = t;
    if (found)
        found->refs++;
    pthread_mutex_unlock(&d->lock);
    if (found && found->start != start_of(tid)) {
        unref(found);
        found = NULL;
    }
    return found;
}

static bool fits_name(const struct trip *t, struct request *r)
{
    return t->dir == r->ino && streq(t->name, r->name);
}

static bool fits_directory(const struct trip *t, struct request *r)
{
    return !t->done && t->up == r->ino && streq(t->dir_name, r->name);
}

/* --- the errand --- */

/* Nobody came for the outcome. Locked. */
static void drop_forgotten(struct detour *d)
{
    for (struct trip *t = d->first, *next; t; t = next) {
        next = t->next;
        if (is_forgotten(t))
            unlist_locked(d, t);
    }
}

static void run_trip(void *arg)
{
    struct trip *t = arg;
    struct detour *d = t->detour;
    int r = t->errand.run(&t->errand);

    pthread_mutex_lock(&d->lock);
    t->result = r == -ECANCELED ? -EINTR : r;
    t->done = true;
    t->done_ms = fs_now_ms(t->errand.fs);
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    unref(t);
}

static struct trip *trip_new(struct request *r, const struct errand *e)
{
    const struct fuse_ctx *ctx = fuse_req_ctx(r->req);
    struct trip *t = calloc(1, sizeof(*t));
    struct key up = key_parent(&r->key);

    if (!t || !(t->errand.cancel = cancel_new())) {
        free(t);
        return NULL;
    }
    struct cancel *cancel = t->errand.cancel;
    t->errand = *e;
    t->errand.cancel = cancel;
    t->errand.fs = r->fs;
    t->errand.uid = ctx->uid;
    t->errand.tid = ctx->pid;
    t->start = start_of(ctx->pid);
    t->op = r->op;
    t->dir = r->ino;
    t->up = node_find(r->fs->nodes, &up);
    strcpy(t->name, r->name);
    str_format(t->dir_name, sizeof(t->dir_name), "%s", key_name(&r->key));
    t->node = node_ref(r->fs->nodes, r->node);
    t->victim = e->victim.ino ? node_get(r->fs->nodes, e->victim.ino) : NULL;
    t->refs = 1;
    t->detour = r->fs->detour;
    return t;
}

static void list(struct detour *d, struct trip *t)
{
    pthread_mutex_lock(&d->lock);
    drop_forgotten(d);
    t->refs += 2; /* the list's, and the job's */
    t->listed = true;
    t->next = d->first;
    d->first = t;
    atomic_fetch_add(&d->n, 1);
    pthread_mutex_unlock(&d->lock);
}

/* --- who waits for the outcome --- */

static int wait_done(struct work *w)
{
    struct trip *t = w->arg;
    struct detour *d = t->detour;
    struct cancel_waiter waiter = {.wake = wake, .arg = d};
    bool done;

    cancel_add(w->cancel, &waiter);
    pthread_mutex_lock(&d->lock);
    while (!t->done && !cancel_raised(w->cancel))
        pthread_cond_wait(&d->changed, &d->lock);
    done = t->done;
    pthread_mutex_unlock(&d->lock);
    cancel_remove(w->cancel, &waiter);
    return done ? 0 : -ECANCELED;
}

/* Answers r, the caller's last request. t is done. */
static void answer(struct request *r, struct trip *t)
{
    struct detour *d = t->detour;

    pthread_mutex_lock(&d->lock);
    unlist_locked(d, t); /* the caller of this function has a reference, too */
    pthread_mutex_unlock(&d->lock);
    r->fault = t->errand.fault;
    if (t->result)
        request_fail(r, t->result);
    else
        t->errand.answer(r, &t->errand);
}

static void reply_outcome(struct work *w)
{
    answer(&w->request, w->arg);
}

static void reply_lookup(struct work *w)
{
    struct request *r = &w->request;
    struct trip *t = w->arg;
    int rc = t->plain(r);

    if (rc)
        request_fail(r, rc < 0 ? rc : -EAGAIN);
}

static void arg_unref(void *arg)
{
    unref(arg);
}

/* Takes over a reference to t. */
static int wait_for(struct request *r, struct trip *t, void (*reply)(struct work *w))
{
    struct work_args args = {.run = wait_done,
                             .reply = reply,
                             .unlocked = reply == reply_lookup,
                             .arg = t,
                             .arg_free = arg_unref};

    return work_start(r, &args);
}

int detour_begin(struct request *r, const struct errand *e)
{
    struct detour *d = r->fs->detour;
    struct trip *t = trip_new(r, e);
    int rc;

    if (!t) {
        errand_done(e);
        return -ENOMEM;
    }
    list(d, t);
    rc = jobs_add(r->fs->jobs, run_trip, t);
    if (rc) {
        pthread_mutex_lock(&d->lock);
        unref_locked(t);
        unlist_locked(d, t);
        pthread_mutex_unlock(&d->lock);
        unref(t);
        return rc;
    }
    if (!t->errand.tid)
        return wait_for(r, t, reply_outcome);
    unref(t);
    fuse_reply_err(r->req, ESTALE);
    return 0;
}

bool detour_continue(struct request *r)
{
    struct trip *t = find(r, fits_name);
    bool done;
    int rc;

    if (!t)
        return false;
    if (t->op != r->op) { /* two operations on one name by one thread: the first one is forgotten */
        unref(t);
        return false;
    }
    pthread_mutex_lock(&t->detour->lock);
    done = t->done;
    pthread_mutex_unlock(&t->detour->lock);
    if (done) {
        answer(r, t);
        unref(t);
        return true;
    }
    rc = wait_for(r, t, reply_outcome);
    if (rc)
        request_fail(r, rc);
    return true;
}

/* The last name on the path, to its own thread. */
static void answer_name(struct request *r, const struct trip *t)
{
    struct fuse_entry_param e = t->errand.victim;

    e.attr_timeout = e.entry_timeout = 0;
    if (!e.ino || !node_lookup_again(r->fs->nodes, e.ino))
        fuse_reply_err(r->req, ENOENT);
    else if (fuse_reply_entry(r->req, &e) == -ENOENT)
        node_forget(r->fs->nodes, e.ino, 1);
}

bool detour_lookup(struct request *r, int (*plain)(struct request *r))
{
    struct trip *t = find(r, fits_directory);
    int rc;

    if (t) {
        t->plain = plain;
        rc = wait_for(r, t, reply_lookup);
        if (rc)
            request_fail(r, rc);
        return true;
    }
    t = find(r, fits_name);
    if (!t)
        return false;
    answer_name(r, t);
    unref(t);
    return true;
}
