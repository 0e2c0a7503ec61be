/* What AWS answered, before anything is made of it: one sweep of resources, one of groups.
 * Immutable once swept, and shared: the snapshots that are built of it keep its strings. */
#pragma once

#include <stdatomic.h>

#include "awsapi/client.h"
#include "base/arena.h"
#include "base/map.h"
#include "cache/index.h"

struct raw_resource {
    const char *key;              /* ARN */
    const struct index_tag *tags; /* sorted by key */
    size_t n_tags;
};

struct raw_resources {
    struct arena *arena;
    struct map *by_key; /* → struct raw_resource *, whose keys it has lent */
    int64_t begun_ms;   /* monotonic; what changed in AWS before it is in here */
    int64_t begun_wall_ms;
    bool saved;   /* by an earlier daemon */
    bool untyped; /* the filters by type contradict the whole list: not to be used for a while */
    bool news;    /* records came: who made them may have used types that nobody knows here */
    atomic_uint more_refs; /* beside the first */
};
struct raw_resources *raw_resources_new(void);                    /* NULL: no memory */
struct raw_resources *raw_resources_ref(struct raw_resources *r); /* of NULL: NULL */
void raw_resources_unref(struct raw_resources *r);
DEFINE_CLEANUP(struct raw_resources *, raw_resources_unref)

struct raw_group {
    const char *name, *arn;
    const char *query;                  /* ResourceQuery as JSON text, or NULL */
    bool by_our_tags;                   /* members are to be found in the index itself */
    const struct raw_resource *members; /* else */
    size_t n_members;
    unsigned age;        /* sweeps since the query was read */
    const char *problem; /* a line, where its query or members cannot be read: then it is not shown;
                            or NULL */
};

struct raw_groups {
    struct arena *arena;
    struct map *by_name; /* → struct raw_group * */
    int64_t begun_ms;
    atomic_uint more_refs;
};
struct raw_groups *raw_groups_ref(struct raw_groups *g); /* of NULL: NULL */
void raw_groups_unref(struct raw_groups *g);
DEFINE_CLEANUP(struct raw_groups *, raw_groups_unref)

/* Sorted copies in the arena; NULL: no memory. */
const struct index_tag *raw_tags(struct arena *a, const struct index_tag *tags, size_t n);
const struct index_tag *raw_tags_from_json(struct arena *a, json_t *object, size_t *ret_n);
/* A copy of r in to, in place of none. 0, -ENOMEM. */
int raw_copy(struct raw_resources *to, const struct raw_resource *r);
