/*
 * Listings are arrays in an arena: an offset is an index, which stays right because a listing never
 * changes; a rewind makes a new one. All handles stand in one list for the process (a mount is a
 * process): for who polls, and because a mount that is detached while files are open never sees
 * their release.
 */
#include "fs/handle.h"

#include <errno.h>
#include <stdlib.h>

enum { MAX_CONTENT = 64 << 20 };

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct handle *first;

struct handle *handle_new(struct fs *fs)
{
    struct handle *h = calloc(1, sizeof(*h));

    if (!h)
        return NULL;
    pthread_mutex_init(&h->lock, NULL);
    h->content = BUF_INIT(MAX_CONTENT);
    h->fs = fs;
    pthread_mutex_lock(&list_lock);
    h->next = first;
    if (first)
        first->prev = h;
    first = h;
    pthread_mutex_unlock(&list_lock);
    return h;
}

static void unlist(struct handle *h)
{
    pthread_mutex_lock(&list_lock);
    if (h->next)
        h->next->prev = h->prev;
    if (h->prev)
        h->prev->next = h->next;
    else
        first = h->next;
    pthread_mutex_unlock(&list_lock);
}

void handle_free(struct handle *h)
{
    if (!h)
        return;
    unlist(h);
    if (h->poll)
        fuse_pollhandle_destroy(h->poll);
    buf_done(&h->content);
    arena_free(h->arena);
    pthread_mutex_destroy(&h->lock);
    free(h);
}

void handle_free_all(void)
{
    while (first)
        handle_free(first);
}

struct listing {
    struct arena *arena;
    struct handle_entry *entries;
    size_t n, max;
};

static int listing_grow(struct listing *l)
{
    size_t max = l->max ? l->max * 2 : 32;
    struct handle_entry *more = arena_array(l->arena, max, sizeof(*more));

    if (!more)
        return -ENOMEM;
    for (size_t i = 0; i < l->n; i++)
        more[i] = l->entries[i];
    l->entries = more;
    l->max = max;
    return 0;
}

static int listing_add(void *arg, const struct key *key, const char *name)
{
    struct listing *l = arg;
    struct handle_entry *e;

    if (l->n == l->max && listing_grow(l))
        return -ENOMEM;
    e = &l->entries[l->n];
    e->key = *key;
    e->name = arena_strdup(l->arena, name);
    e->key.life = arena_strdup(l->arena, key->life);
    for (unsigned i = 0; i < key->n_args; i++)
        if (!(e->key.args[i] = arena_strdup(l->arena, key->args[i])))
            return -ENOMEM;
    if (!e->name || !e->key.life)
        return -ENOMEM;
    l->n++;
    return 0;
}

int handle_list(struct handle *h, struct place *dir)
{
    struct listing l = {.arena = arena_new()};
    int r;

    if (!l.arena)
        return -ENOMEM;
    r = kind_list(dir, listing_add, &l);
    if (r) {
        arena_free(l.arena);
        return r;
    }
    arena_free(h->arena);
    h->arena = l.arena;
    h->entries = l.entries;
    h->n_entries = l.n;
    return 0;
}

void handle_poll_set(struct handle *h, struct fuse_pollhandle *ph)
{
    struct fuse_pollhandle *old;

    pthread_mutex_lock(&list_lock);
    old = h->poll;
    h->poll = ph;
    pthread_mutex_unlock(&list_lock);
    if (old)
        fuse_pollhandle_destroy(old);
}

void handle_poll_wake(void)
{
    pthread_mutex_lock(&list_lock);
    for (struct handle *h = first; h; h = h->next) {
        if (!h->poll)
            continue;
        /* waits for nothing: the kernel wakes its poll queue, which asks again by POLL */
        fuse_lowlevel_notify_poll(h->poll);
        fuse_pollhandle_destroy(h->poll);
        h->poll = NULL;
    }
    pthread_mutex_unlock(&list_lock);
}
