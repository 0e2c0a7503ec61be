/*
 * The cache: keeps the newest snapshot, swept from the tagging API by a refresher thread, with what
 * this daemon did and what the records say laid over it. A snapshot is published only when whole; a
 * failed sweep leaves the last good one in force. Never changes anything in AWS. All functions are
 * thread-safe; none but cache_refresh and cache_flush waits.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "awsapi/client.h"
#include "base/cancel.h"
#include "base/fault.h"
#include "cache/lookup.h"

struct cache;

struct cache_options {
    struct aws_client *aws;
    const char *family_tag, *service_tag; /* "service-family", "service-id" */
    const char *dependency_tag;           /* "service-dependency" */
    const char *account, *region, *partition;
    int64_t refresh_ms;    /* between sweeps while something changes; up to four times that else */
    const char *save_path; /* file of the saved index, or NULL: none is read or written */
    const char *endpoint;  /* not AWS's own, or NULL: whose index it is */
};
int cache_new(struct cache **ret, const struct cache_options *o, struct fault *f);
int cache_start(struct cache *c, struct fault *f); /* starts the refresher with a first sweep */
void cache_stop(struct cache *c);                  /* ends it; nobody is called afterwards */
void cache_free(struct cache *c);
DEFINE_CLEANUP(struct cache *, cache_free)

/* A reference to the newest whole snapshot; NULL before the first sweep has succeeded (and none was
 * saved). */
const struct snapshot *cache_snapshot(struct cache *c);
/* The same, or before that the newest sketch (snapshot.whole), or NULL. */
const struct snapshot *cache_sketch(struct cache *c);
/* Somebody waits, since monotonic since_ms, for the lists of this family (a tag's value) while
 * there is a sketch: its pages are read, beside the sweep; the observers are called when that has
 * ended. 0: it comes; or the error with which a reading ended since then. Returns at once. */
int cache_want_family(struct cache *c, const char *family, int64_t since_ms, struct fault *f);

/* A sweep that begins after the call; returns when its snapshot is in force, and what the observers
 * found used by it (cache_use) before they returned; or with its error, or -ECANCELED. */
int cache_refresh(struct cache *c, struct cancel *cancel, struct fault *f);
/* Returns when all that was laid over before the call stands in the newest snapshot (at once
 * where there is none yet). */
void cache_flush(struct cache *c);

struct cache_freshness {
    int64_t begun_wall_ms; /* of the sweep that is in force; 0: none yet */
    int64_t ended_wall_ms; /* 0 where it is not known: saved */
    uint64_t sweeps;       /* that succeeded */
    uint64_t asked;        /* calls of cache_refresh so far */
    int64_t next_ms; /* when the next begins by itself, monotonic; 0 before the first has ended */
    bool sweeping;
    bool saved; /* what is in force was saved by an earlier daemon; begun_wall_ms: of its sweep */
    struct fault last; /* err 0: the last sweep succeeded */
};
void cache_freshness(struct cache *c, struct cache_freshness *ret);

/* Overlay of own writes: stays until the tag index shows the same (an hour at most). key: as in
 * index_resource. Tags replace all that the index knows of it. */
int cache_put(struct cache *c, const char *key, const struct index_tag *tags, size_t n_tags);
/* The same for single tags of a resource of a snapshot (value NULL: taken away). */
int cache_retag(struct cache *c, const struct index_resource *r, const struct index_tag *changes,
                size_t n);
int cache_gone(struct cache *c, const char *key); /* hides what the owning service says is gone */

/* The same for resource groups: they stand in groups/ at once. query: a ResourceQuery as JSON text.
 */
int cache_put_group(struct cache *c, const char *name, const char *arn, const char *query);
int cache_gone_group(struct cache *c, const char *name);

/* What a record says of its service; it outranks the tags of the record (which lag). */
struct cache_record {
    const char *id, *family, *claim;
    const char *phase;       /* "creating" "ready" "failed" "deleting" */
    bool deleting;           /* phase deleting, or an unspent intent to delete */
    const char *const *keys; /* things without an ARN that belong to it, as "SERVICE/TYPE/ID" */
    size_t n_keys;
};
int cache_put_record(struct cache *c, const struct cache_record *r);
/* The record is gone: whatever carries this claim is a ghost of the tag index from now on, in this
 * cache. */
int cache_remove_record(struct cache *c, const char *id, const char *claim);

/* Keys of things that something uses, or does not any more: what is known only thereby is shown,
 * too, and its tags are looked up behind. */
int cache_use(struct cache *c, const char *const *keys, const bool *used, size_t n);

/* Families that have a blueprint, also those without any resource. */
int cache_set_blueprints(struct cache *c, const char *const *families, size_t n);

/* Called on the publishing thread after each publish (of sketches too), without any lock; old is
 * NULL at first. Also called with now == old when a sweep, or the reading of a family, ended in an
 * error (so that who waits can be answered). At most 4; register before cache_start. */
typedef void (*cache_observer)(void *arg, const struct snapshot *old, const struct snapshot *now);
void cache_observe(struct cache *c, cache_observer fn, void *arg);
