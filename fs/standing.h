/*
 * by-status/: which service stands below which status. What is there was shown, or may have been:
 * so a look at a service that finds another status than before knows exactly which two names, and
 * which two listings, the kernel is to be told of. A look costs a search in a map, a listing what
 * it lists; neither walks over the services.
 *
 * Thread-safe. Whoever looks at a status does so between begin and end: then who looks last is the
 * one who is believed.
 */
#pragma once

#include "base/buf.h"
#include "cache/list.h"
#include "provision/provision.h"

enum { STANDINGS = STATUS_UNKNOWN + 1, STANDING_NONE = -1 };

struct standings;

struct standing {
    const char *family, *name; /* in families/ or deleting/ */
    const char *link;          /* as in services/ */
    bool deleting;
    int status; /* enum service_status; STANDING_NONE: there is no such service; then only family
                   and name count */
};

/* The link went from one status to another, or from or to none; from == to: it leads elsewhere. */
struct standing_move {
    int from, to;
    char link[];
};

int standings_new(struct standings **ret);
void standings_free(struct standings *s);

/* -1 where no status has that name. */
int standing_status(const char *name);

/* Takes the lock; wall_ms: the time of what is going to change. */
void standings_begin(struct standings *s, int64_t wall_ms);
void standings_end(struct standings *s);
/* What a service is now. moves (may be NULL, at first) gets what that changes: struct standing_move
 * *, each to be freed. 0, -ENOMEM: it is as it was, and standings_known says so. Between begin and
 * end. */
int standings_set(struct standings *s, const struct standing *now, struct list *moves);
/* All services there are have been set. Between begin and end. */
void standings_complete(struct standings *s);

/* 0; -EAGAIN: the services were not looked at yet; -ENOMEM: there was no memory for one of them. In
 * the last two cases standings_complete is due. */
int standings_known(struct standings *s);
/* -ENOENT; the target of the link is appended to target (may be NULL). */
int standings_find(struct standings *s, int status, const char *link, struct buf *target);
/* Calls emit, under the lock, for each until one gives something else than 0, and gives that. */
int standings_each(struct standings *s, int status, int (*emit)(void *arg, const char *link),
                   void *arg);
/* When the listing became what it is, wall ms; grows with every change; 0: as it was at first. */
int64_t standings_changed(struct standings *s, int status);
