/*
 * The graph at work: it follows the cache's snapshots and the descriptions, tells the cache what is
 * known only by its use, and its observer what differs. All functions are thread-safe; none waits
 * for AWS.
 */
#pragma once

#include "cache/cache.h"
#include "cache/describe.h"
#include "cache/graph.h"

struct impacts;

struct impacts_options {
    struct cache *cache;
    struct describe *describe;
    const char *account, *region, *partition;
};
/* Registers with both: before cache_start and describe_start, and before whoever wants to be told
 * by the cache after it. */
int impacts_new(struct impacts **ret, const struct impacts_options *o, struct fault *f);
void impacts_stop(struct impacts *i); /* after cache_stop and describe_stop */
void impacts_free(struct impacts *i);
DEFINE_CLEANUP(struct impacts *, impacts_free)

/* As graph_impact, graph_impact_paths, graph_impact_told. */
int impacts_get(struct impacts *i, const struct index_resource *r, const struct impact **ret);
int impacts_get_paths(struct impacts *i, const struct index_resource *r, const struct impact **ret);
const struct impact *impacts_told(struct impacts *i, const struct index_resource *r);
/* As graph_draw. */
int impacts_draw(struct impacts *i, const char *family, const char *service, struct buf *out,
                 int64_t *ret_changed_ms);
/* Whether what it says is all: a first round of descriptions is over (or none is made). */
bool impacts_whole(struct impacts *i);

struct impact_change {
    const struct index_resource *resource;
    const struct impact *old, *now;
};
struct drawing_change {
    const char *family;               /* directory; NULL: the drawing of all */
    const struct graph_face *service; /* NULL: that of the family */
};
struct impact_news {
    const struct impact_change *impacts;
    size_t n_impacts;
    const struct drawing_change *drawings;
    size_t n_drawings;
};
/* Called on a thread of the cache or of the descriptions, or its own, without any lock. One;
 * register before cache_start. */
typedef void (*impacts_observer)(void *arg, const struct impact_news *news);
void impacts_observe(struct impacts *i, impacts_observer fn, void *arg);
