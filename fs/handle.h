/*
 * What an open file holds where it needs a handle: a content that stays the same while it is open,
 * or how far its reader has come. Belongs to fi->fh between open and release; the kernel keeps its
 * operations from overlapping the release.
 */
#pragma once

#include <pthread.h>

#include "base/buf.h"
#include "fs/content.h"

struct handle {
    pthread_mutex_t lock;
    uint64_t ino;
    struct buf content;           /* rendered at open */
    struct content *version;      /* or this, of a file with versions */
    bool late;                    /* which is a newer one than the node promises */
    bool ended;                   /* of `wait`: content is the answer */
    bool fresh;                   /* made by CREATE: there is no such tag yet */
    struct fuse_pollhandle *poll; /* who waits for growth, or for the end of a wait */
    size_t end;                   /* how far a reader has come, or was told to come */
    struct handle *prev, *next;   /* of all handles */
};

struct handle *handle_new(uint64_t ino); /* NULL: no memory */
void handle_free(struct handle *h);
DEFINE_CLEANUP(struct handle *, handle_free)

/* The reader has come, or is told to come, as far as end; whether that is further than before. */
bool handle_seen(struct handle *h, size_t end);
/* The content under which somebody has this node open, referenced; NULL: nobody has. The one that
 * the node promises before a newer one. */
struct content *handle_content(uint64_t ino);

/* Whether somebody has this node open that CREATE has made. */
bool handle_is_fresh(uint64_t ino);

/* Keeps ph (taken over) until the next handle_poll_wake. */
void handle_poll_set(struct handle *h, struct fuse_pollhandle *ph);
void handle_free_all(void);  /* what was still open when the session ended */
void handle_poll_wake(void); /* whoever polls looks again */
