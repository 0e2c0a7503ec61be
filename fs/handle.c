/*
 * All handles stand in one list for the process (a mount is a process): for who polls, for the size
 * of what is open and has another content by now, and because a mount that is detached while files
 * are open never sees their release.
 */
#include "fs/handle.h"

#include <errno.h>
#include <stdlib.h>

enum { MAX_CONTENT = 64 << 20 };

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct handle *first;

struct handle *handle_new(uint64_t ino)
{
    struct handle *h = calloc(1, sizeof(*h));

    if (!h)
        return NULL;
    pthread_mutex_init(&h->lock, NULL);
    h->content = BUF_INIT(MAX_CONTENT);
    h->ino = ino;
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
    content_unref(h->version);
    pthread_mutex_destroy(&h->lock);
    free(h);
}

void handle_free_all(void)
{
    while (first)
        handle_free(first);
}

bool handle_seen(struct handle *h, size_t end)
{
    bool more;

    pthread_mutex_lock(&h->lock);
    more = end > h->end;
    h->end = MAX(h->end, end);
    pthread_mutex_unlock(&h->lock);
    return more;
}

struct content *handle_content(uint64_t ino)
{
    const struct handle *found = NULL;
    struct content *c;

    pthread_mutex_lock(&list_lock);
    for (struct handle *h = first; h && (!found || found->late); h = h->next)
        if (h->ino == ino && h->version && (!found || !h->late))
            found = h;
    c = found ? content_ref(found->version) : NULL;
    pthread_mutex_unlock(&list_lock);
    return c;
}

bool handle_is_fresh(uint64_t ino)
{
    bool fresh = false;

    pthread_mutex_lock(&list_lock);
    for (struct handle *h = first; h && !fresh; h = h->next)
        fresh = h->ino == ino && h->fresh;
    pthread_mutex_unlock(&list_lock);
    return fresh;
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
