/*
 * The store of descriptions: what the owning services' Describe calls say of resources, fetched in
 * batches, kept with a time to live. An old one is served while the new one is fetched behind.
 * Never changes anything in AWS. All functions are thread-safe; none but describe_get waits.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "awsapi/client.h"
#include "base/cancel.h"
#include "base/fault.h"
#include "cache/cache.h"

struct describe;

struct describe_options {
    struct aws_client *aws;
    struct cache *cache; /* borrowed for the store's life */
    int64_t every_ms;    /* between rounds over everything that has edges; 0: only what is read */
    int64_t ttl_ms;      /* what is read when it is older is fetched anew */
    size_t text_max;     /* bytes of texts that are kept; 0: 64 MiB */
};
/* Registers with the cache: before cache_start. */
int describe_new(struct describe **ret, const struct describe_options *o, struct fault *f);
int describe_start(struct describe *d, struct fault *f); /* the rounds, and what is read */
/* Ends all fetching; nobody is called afterwards. Before cache_stop. */
void describe_stop(struct describe *d);
void describe_free(struct describe *d); /* after cache_stop */
DEFINE_CLEANUP(struct describe *, describe_free)

/* What it uses, as edges.h tells of its description. */
struct description_edge {
    const char *label, *target;
};

/* Immutable, shared by reference. */
struct description {
    const char *text; /* of properties.json: JSON and a newline, nothing secret in it; NULL where it
                         had to make room for others: describe_want fetches it again */
    size_t len;
    const struct description_edge *edges; /* what the ARN alone tells is among them */
    size_t n_edges;
    int64_t changed_wall_ms; /* when it was first seen like this; 0: as long as known */
};
const struct description *description_ref(const struct description *d);
void description_unref(const struct description *d);
static inline void description_unrefp(const struct description **d)
{
    description_unref(*d);
}
#define _cleanup_description_ _cleanup_(description_unrefp)

/* What is known of a resource (its key) now, a reference; NULL: nothing. No call is made. */
const struct description *describe_peek(struct describe *d, const char *key);

/*
 * The description of r, which stands in s, a reference; fetched, together with its neighbours,
 * where there is none yet, or an outdated one, which is given at once. 0; 1: it is being fetched,
 * and the observers will be called when that has ended; ask again then. -ENOENT: the owning service
 * does not have it; -EOPNOTSUPP: no call describes it (describe_can); or the error of the call,
 * which is given for some seconds. Does not wait.
 */
int describe_want(struct describe *d, const struct snapshot *s, const struct index_resource *r,
                  const struct description **ret, struct fault *f);
/* Whether there is a call that describes it. */
bool describe_can(const struct index_resource *r);
/* Whether the owning service was asked, and does not have it. */
bool describe_gone(struct describe *d, const char *key);

/* How far the descriptions behind the sweeps are. */
struct describe_progress {
    size_t done;       /* of those: described, or known not to be (gone, refused) */
    size_t of;         /* resources of the newest snapshot whose descriptions can have edges */
    size_t failed;     /* of those done: the last call for them failed */
    struct fault last; /* the latest of these failures */
    size_t bytes;      /* of texts that are kept, of whatever */
    bool rounds;       /* there are rounds: every_ms is not 0 */
    bool complete;     /* a round is over, and nothing has come since that it did not look at */
};
void describe_progress(struct describe *d, struct describe_progress *ret);

/* Called on the fetching thread, without any lock, before who waits is answered: these keys have
 * another description now, or none (any more). n 0: a round, or a fetch without news, has ended. At
 * most 4; register before describe_start. */
typedef void (*describe_observer)(void *arg, const char *const *keys, size_t n);
void describe_observe(struct describe *d, describe_observer fn, void *arg);

/* Goes over all that is described, in no order, under the store's lock: fn must not call it. Not 0:
 * ends, and is given. */
typedef int (*describe_fn)(void *arg, const char *key, const struct description *what);
int describe_each(struct describe *d, describe_fn fn, void *arg);
