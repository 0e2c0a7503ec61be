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
    int64_t begun_ms;   /* monotonic */
    int64_t begun_wall_ms;
    atomic_uint more_refs; /* beside the first */
};
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

struct sweep_env {
    struct aws_client *aws;
    const char *family_tag, *service_tag;
    struct cancel *cancel;
};

/* All that carries one of the two tags. A chain of pages that breaks is begun anew, a few times;
 * never continued. */
int sweep_resources(const struct sweep_env *e, struct raw_resources **ret, struct fault *f);
/* All groups; old (may be NULL): the sweep before, whose queries are kept for a while. */
int sweep_groups(const struct sweep_env *e, const struct raw_groups *old, struct raw_groups **ret,
                 struct fault *f);

/* Sorted copies in the arena; NULL: no memory. */
const struct index_tag *raw_tags(struct arena *a, const struct index_tag *tags, size_t n);
