/*
 * The stamps are a map from path and life to a wall time: a directory's mtime is its stamp, and
 * each change makes it at least a millisecond later than the one before. Only what changed since
 * the mount has one. The node table says whether the kernel knows a node: what it never looked up
 * need not be forgotten.
 */
#include "fs/notify.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/str.h"
#include "cache/diff.h"
#include "fs/fs.h"
#include "fs/handle.h"
#include "fs/node.h"

struct entry {
    struct entry *next;
    uint64_t parent;
    char name[];
};

struct notify {
    struct fs *fs;
    pthread_rwlock_t
        open; /* held for reading while something is sent, so that stop can wait for it */
    bool closed;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t queued;
    struct entry *first, **last;
    struct map *stamps; /* path and life → malloc'ed int64_t */
    bool started, stopping;
    pthread_t thread;
};

int notify_new(struct notify **ret, struct fs *fs)
{
    struct notify *n = calloc(1, sizeof(*n));

    if (!n || !(n->stamps = map_new())) {
        free(n);
        return -ENOMEM;
    }
    n->fs = fs;
    n->last = &n->first;
    pthread_rwlock_init(&n->open, NULL);
    pthread_mutex_init(&n->lock, NULL);
    pthread_cond_init(&n->queued, NULL);
    *ret = n;
    return 0;
}

void notify_free(struct notify *n)
{
    if (!n)
        return;
    for (struct entry *e = n->first, *next; e; e = next) {
        next = e->next;
        free(e);
    }
    map_free_with(n->stamps, free);
    pthread_cond_destroy(&n->queued);
    pthread_mutex_destroy(&n->lock);
    pthread_rwlock_destroy(&n->open);
    free(n);
}

static void stamp_name(const struct key *key, char *out, size_t size)
{
    char path[KEY_PATH_SIZE];

    key_path(key, path);
    snprintf(out, size, "%s\n%s", path, key->life);
}

static void stamp(struct notify *n, const struct key *key)
{
    char name[KEY_PATH_SIZE + 128];
    int64_t now = fs_wall_ms(n->fs), *at;

    stamp_name(key, name, sizeof(name));
    pthread_mutex_lock(&n->lock);
    at = map_get(n->stamps, name);
    if (at) {
        *at = MAX(now, *at + 1);
    } else {
        at = malloc(sizeof(*at));
        if (at) {
            *at = MAX(now, n->fs->start_ms + 1);
            if (map_put(n->stamps, name, at, NULL))
                free(at);
        }
    }
    pthread_mutex_unlock(&n->lock);
}

int64_t notify_changed(struct notify *n, const struct key *key)
{
    char name[KEY_PATH_SIZE + 128];
    int64_t *at, ms = 0;

    stamp_name(key, name, sizeof(name));
    pthread_mutex_lock(&n->lock);
    at = map_get(n->stamps, name);
    if (at)
        ms = *at;
    pthread_mutex_unlock(&n->lock);
    return ms;
}

static void inval_inode(struct notify *n, const struct key *key)
{
    uint64_t ino = node_find(n->fs->nodes, key);

    if (!ino)
        return;
    pthread_rwlock_rdlock(&n->open);
    if (!n->closed)
        fuse_lowlevel_notify_inval_inode(n->fs->session, ino, 0, 0);
    pthread_rwlock_unlock(&n->open);
}

static void inval_entry(struct notify *n, const struct key *dir, const char *name)
{
    uint64_t parent = node_find(n->fs->nodes, dir);
    struct entry *e;

    if (!parent)
        return;
    e = malloc(sizeof(*e) + strlen(name) + 1);
    if (!e)
        return; /* the timeouts are short */
    e->parent = parent;
    e->next = NULL;
    strcpy(e->name, name);
    pthread_mutex_lock(&n->lock);
    *n->last = e;
    n->last = &e->next;
    pthread_cond_signal(&n->queued);
    pthread_mutex_unlock(&n->lock);
}

static struct key make_key(enum kind_id kind, const char *a, const char *b, const char *c)
{
    struct key key = {.kind = kind, .args = {a, b, c}, .life = ""};

    while (key.n_args < 3 && key.args[key.n_args])
        key.n_args++;
    return key;
}

static void touch(struct notify *n, enum kind_id kind, const char *a, const char *b, const char *c)
{
    struct key key = make_key(kind, a, b, c);

    stamp(n, &key);
    inval_inode(n, &key);
}

static void forget(struct notify *n, enum kind_id dir, const char *a, const char *b,
                   const char *name)
{
    struct key key = make_key(dir, a, b, NULL);

    inval_entry(n, &key, name);
}

/* Everything in a service's directory that says something of it. */
static void touch_service(struct notify *n, const struct index_service *s)
{
    static const enum kind_id files[] = {
        KIND_STATUS,
        KIND_EVENTS,
        KIND_ERROR,
        KIND_SERVICE_JSON,
        KIND_OUTPUTS,
        KIND_WAIT,
        KIND_SERVICE_RESOURCES,
        KIND_SERVICE,
    };
    struct key key = make_key(KIND_SERVICE, s->family->name, s->name, NULL);

    key.deleting = s->deleting;
    key.life = s->claim;
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        key.kind = files[i];
        stamp(n, &key);
        inval_inode(n, &key);
    }
    inval_entry(n, &key, "error");
}

static void on_service(struct notify *n, const struct diff *d)
{
    const struct index_service *s = d->service;
    const char *family = s->family->name;

    touch(n, KIND_SERVICES_TSV, family, NULL, NULL);
    touch_service(n, s);
    if (d->how == DIFF_CHANGED)
        return;
    if (s->deleting) {
        touch(n, KIND_DELETING, NULL, NULL, NULL);
        touch(n, KIND_DELETING_FAMILY, family, NULL, NULL);
        forget(n, KIND_DELETING, NULL, NULL, family);
        forget(n, KIND_DELETING_FAMILY, family, NULL, s->name);
        return;
    }
    touch(n, KIND_FAMILY, family, NULL, NULL);
    touch(n, KIND_SERVICES, NULL, NULL, NULL);
    forget(n, KIND_FAMILY, family, NULL, s->name);
    forget(n, KIND_SERVICES, NULL, NULL, s->link);
}

static void on_resource(struct notify *n, const struct diff *d)
{
    const struct index_resource *r = d->resource;

    touch(n, KIND_RESOURCE, r->service, r->type, r->id);
    touch(n, KIND_TAGS, r->service, r->type, r->id);
    touch(n, KIND_RESOURCE_OWNERS, r->service, r->type, r->id);
    if (d->how == DIFF_CHANGED)
        return;
    touch(n, KIND_RESOURCES, NULL, NULL, NULL);
    touch(n, KIND_RESOURCE_SERVICE, r->service, NULL, NULL);
    touch(n, KIND_RESOURCE_TYPE, r->service, r->type, NULL);
    forget(n, KIND_RESOURCE_TYPE, r->service, r->type, r->id);
}

static void on_diff(void *arg, const struct diff *d)
{
    struct notify *n = arg;

    switch (d->kind) {
    case DIFF_FAMILY:
        touch(n, KIND_FAMILIES, NULL, NULL, NULL);
        touch(n, KIND_FAMILY, d->family->name, NULL, NULL);
        forget(n, KIND_FAMILIES, NULL, NULL, d->family->name);
        break;
    case DIFF_SERVICE:
        on_service(n, d);
        break;
    case DIFF_SHARED:
        touch(n, KIND_FAMILY_RESOURCES, d->family->name, NULL, NULL);
        break;
    case DIFF_RESOURCE:
        on_resource(n, d);
        break;
    case DIFF_GROUP:
        touch(n, KIND_GROUPS, NULL, NULL, NULL);
        touch(n, KIND_GROUP, d->group->name, NULL, NULL);
        touch(n, KIND_GROUP_RESOURCES, d->group->name, NULL, NULL);
        forget(n, KIND_GROUPS, NULL, NULL, d->group->name);
        break;
    case DIFF_GROUPS_KNOWN: /* rendered at each open */
    case DIFF_PROBLEMS:
        break;
    }
}

void notify_published(struct notify *n, const struct snapshot *old, const struct snapshot *now)
{
    static const enum kind_id top[] = {KIND_FAMILIES, KIND_SERVICES, KIND_GROUPS, KIND_RESOURCES,
                                       KIND_DELETING};

    if (old == now)
        return;
    if (old) {
        diff_snapshots(old, now, on_diff, n);
        return;
    }
    /* The first one: the kernel cannot know more than the top. */
    for (size_t i = 0; i < ARRAY_SIZE(top); i++)
        touch(n, top[i], NULL, NULL, NULL);
}

static void wake_pollers(struct notify *n)
{
    pthread_rwlock_rdlock(&n->open);
    if (!n->closed)
        handle_poll_wake();
    pthread_rwlock_unlock(&n->open);
}

void notify_service(struct notify *n, const char *family, const char *id)
{
    const struct snapshot *snap _cleanup_snapshot_ = cache_snapshot(n->fs->cache);
    const struct index_family *f = snap ? snapshot_family_by_id(snap, family) : NULL;
    const struct index_service *s = f && id ? snapshot_service_by_id(f, id) : NULL;

    if (s) {
        touch_service(n, s);
        touch(n, KIND_SERVICES_TSV, f->name, NULL, NULL);
        wake_pollers(n);
    } else if (f && !id) {
        touch(n, KIND_BLUEPRINT, f->name, NULL, NULL);
        forget(n, KIND_FAMILY, f->name, NULL, "blueprint.json");
        forget(n, KIND_FAMILY, f->name, NULL, "next-id");
    }
}

static void send_entry(struct notify *n, const struct entry *e)
{
    bool closed;

    /* Not sent under `open`: it may wait for a directory's lock, which notify_close must not wait
     * for. */
    pthread_rwlock_rdlock(&n->open);
    closed = n->closed;
    pthread_rwlock_unlock(&n->open);
    if (!closed)
        fuse_lowlevel_notify_inval_entry(n->fs->session, e->parent, e->name, strlen(e->name));
}

static void *entry_main(void *arg)
{
    struct notify *n = arg;

    pthread_mutex_lock(&n->lock);
    for (;;) {
        struct entry *e = n->first;

        if (n->stopping)
            break;
        if (!e) {
            pthread_cond_wait(&n->queued, &n->lock);
            continue;
        }
        n->first = e->next;
        if (!n->first)
            n->last = &n->first;
        pthread_mutex_unlock(&n->lock);
        send_entry(n, e);
        free(e);
        pthread_mutex_lock(&n->lock);
    }
    pthread_mutex_unlock(&n->lock);
    return NULL;
}

int notify_start(struct notify *n)
{
    int r = pthread_create(&n->thread, NULL, entry_main, n);

    n->started = r == 0;
    return -r;
}

void notify_close(struct notify *n)
{
    pthread_rwlock_wrlock(&n->open);
    n->closed = true;
    pthread_rwlock_unlock(&n->open);
    pthread_mutex_lock(&n->lock);
    n->stopping = true;
    pthread_cond_signal(&n->queued);
    pthread_mutex_unlock(&n->lock);
}

bool notify_ended(struct notify *n)
{
    if (n->started && pthread_tryjoin_np(n->thread, NULL) == 0)
        n->started = false;
    return !n->started;
}

void notify_join(struct notify *n)
{
    if (n->started)
        pthread_join(n->thread, NULL);
    n->started = false;
}
