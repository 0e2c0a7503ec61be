/*
 * Who is touched by a change: what uses what (edges.h), whose it is (the snapshot), which service
 * needs which. Changed in place, so that each change costs what it reaches and no more. Pure, but
 * for the memory; whoever owns it locks (impacts.h).
 *
 * A service is touched by a change to a resource if it owns the resource, or anything from which
 * the resource can be reached along edges; or if it needs (tag service-dependency) a touched
 * service. What else uses another resource of a touched service is not touched.
 */
#pragma once

#include <stdatomic.h>

#include "base/buf.h"
#include "cache/edges.h"
#include "cache/lookup.h"

struct graph;

struct graph_options {
    struct edge_account account;
    /* Emits the edges of the resource's description; 1: there is none. Else as edges_of. */
    int (*described)(void *arg, const char *key, edge_fn emit, void *emit_arg);
    void *arg;
};
/* o's strings are copied. */
int graph_new(struct graph **ret, const struct graph_options *o);
void graph_free(struct graph *g);
DEFINE_CLEANUP(struct graph *, graph_free)

/* --- what changes it; 0 or -ENOMEM: then something is missing in it until the next change --- */

/* Goes by this snapshot from now on, and keeps a reference. */
int graph_follow(struct graph *g, const struct snapshot *now);
/* The resource has another description now, or none any more. */
int graph_described(struct graph *g, const char *key, int64_t wall_ms);

const struct snapshot *graph_snapshot(const struct graph *g); /* by which it goes; borrowed */

/* Keys that are used by something that there is, and so are to be shown: come, or no longer (come
 * false), since the last call. */
typedef void (*graph_wanted_fn)(void *arg, const char *key, bool come);
void graph_wanted(struct graph *g, graph_wanted_fn fn, void *arg);

/* --- who is touched --- */

/* A service, as it is shown. Immutable, shared by reference. */
struct graph_face {
    const char *link;          /* in services/ */
    const char *name, *family; /* directories */
    bool deleting;
    atomic_uint refs; /* private */
};

const struct graph_face *graph_face_ref(const struct graph_face *f);
void graph_face_unref(const struct graph_face *f);

struct impact_entry {
    const struct graph_face *service;
    unsigned distance; /* edges and dependencies on the way; 0: its own */
    uint64_t path_hash;
    const char *path; /* "ec2/security-group/sg-1 < ecs/service/main+n91 < n91"; or NULL */
};

/* Immutable, shared by reference. */
struct impact {
    const struct impact_entry *entries; /* by link */
    size_t n;
    int64_t changed_ms; /* when it became that, wall; 0: as far as known it always was */
    struct impact_private *private_;
};
const struct impact *impact_ref(const struct impact *i);
void impact_unref(const struct impact *i);
DEFINE_CLEANUP(const struct impact *, impact_unref)
const struct impact_entry *impact_find(const struct impact *i, const char *link); /* or NULL */

/* Whether both say the same. */
bool impact_same(const struct impact *a, const struct impact *b);
/* A size that somebody notes with it; 0: nobody has. Any thread. */
void impact_keep_size(const struct impact *i, size_t size);
size_t impact_kept_size(const struct impact *i);

/* Of a resource of any snapshot, without paths: as it was told last (graph_news); from now on its
 * changes are told. 0 or -ENOMEM. */
int graph_impact(struct graph *g, const struct index_resource *r, const struct impact **ret);
/* As it is now, with the paths: the shortest chain each. -EAGAIN: the graph does not have it (yet).
 */
int graph_impact_paths(struct graph *g, const struct index_resource *r, const struct impact **ret);
/* What graph_impact gave before, or NULL: nobody has asked. */
const struct impact *graph_impact_told(struct graph *g, const struct index_resource *r);

/* --- what changed thereby --- */

struct graph_news {
    /* Resources whose impact differs, of those that were asked for. */
    void (*impact)(void *arg, const struct index_resource *r, const struct impact *old,
                   const struct impact *now);
    /* The drawing of this service, or of the family, differs. */
    void (*drawing)(void *arg, const char *family, const struct graph_face *service);
    void *arg;
};
/* All that has changed since the last call; looks at `effort` resources or a few more. True: there
 * is more. */
bool graph_news(struct graph *g, size_t effort, const struct graph_news *news);

/* --- drawings --- */

/* Appends what Graphviz draws: of the family (tag's value) with all that its services use, of one
 * of its services, of all (both NULL). The same graph gives the same text. *ret_changed_ms: when it
 * last became another one, wall; 0: not since somebody looks. */
int graph_draw(struct graph *g, const char *family, const char *service, struct buf *out,
               int64_t *ret_changed_ms);
