/*
 * What an open file or directory holds: content or listing, rendered once per open, so that who
 * reads sees one state. Belongs to fi->fh between open and release; the kernel keeps its operations
 * from overlapping the release.
 */
#pragma once

#include <pthread.h>

#include "base/arena.h"
#include "base/buf.h"
#include "fs/kind.h"

struct handle_entry {
    const char *name;
    struct key key; /* strings in the handle's arena */
};

struct handle {
    pthread_mutex_t lock;
    struct buf content;  /* of a file */
    bool ended;          /* of `wait`: content is the answer */
    struct arena *arena; /* of a directory: all that follows */
    struct handle_entry *entries;
    size_t n_entries;
    bool read;                    /* a listing was begun: reading from the start renders it anew */
    struct fuse_pollhandle *poll; /* of `events`: who waits for growth */
    size_t end;                   /* how far a reader has come */
    struct fs *fs;
    struct handle *prev, *next; /* of all handles */
};

struct handle *handle_new(struct fs *fs); /* NULL: no memory */
void handle_free(struct handle *h);
DEFINE_CLEANUP(struct handle *, handle_free)

/* Renders the listing of dir (first or anew). 0, negative errno, PARK; on failure the old listing
 * stands. */
int handle_list(struct handle *h, struct place *dir);

/* Keeps ph (taken over) until the next handle_poll_wake. */
void handle_poll_set(struct handle *h, struct fuse_pollhandle *ph);
void handle_free_all(void);  /* what was still open when the session ended */
void handle_poll_wake(void); /* whoever polls looks again */
