/*
 * What a node stands for: a kind and the names on the way to it, never a pointer into a snapshot. A
 * key is resolved against the newest snapshot by every operation anew. Keys borrow their strings.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kind_id {
    KIND_ROOT,
    KIND_README,
    KIND_GRAPH,
    KIND_FAMILIES,
    KIND_FAMILY,
    KIND_BLUEPRINT,
    KIND_NEXT_ID,
    KIND_SERVICES_TSV,
    KIND_FAMILY_GRAPH,
    KIND_FAMILY_RESOURCES,
    KIND_FAMILY_LINK,
    KIND_SERVICE,
    KIND_STATUS,
    KIND_EVENTS,
    KIND_ERROR,
    KIND_SERVICE_JSON,
    KIND_SERVICE_GRAPH,
    KIND_WAIT,
    KIND_OUTPUTS,
    KIND_OUTPUT,
    KIND_SERVICE_RESOURCES,
    KIND_SERVICE_LINK,
    KIND_DEPENDS_ON,
    KIND_DEPENDENCY,
    KIND_DEPENDENTS,
    KIND_DEPENDENT,
    KIND_SERVICES,
    KIND_SERVICES_LINK,
    KIND_GROUPS,
    KIND_GROUP,
    KIND_GROUP_ARN,
    KIND_GROUP_QUERY,
    KIND_GROUP_RESOURCES,
    KIND_GROUP_LINK,
    KIND_RESOURCES,
    KIND_RESOURCE_SERVICE,
    KIND_RESOURCE_TYPE,
    KIND_RESOURCE,
    KIND_RESOURCE_ARN,
    KIND_PROPERTIES,
    KIND_NO_PROPERTIES,
    KIND_IMPACT,
    KIND_TAGS,
    KIND_TAG,
    KIND_RESOURCE_OWNERS,
    KIND_OWNER_LINK,
    KIND_OWNER_DELETING,
    KIND_DELETING,
    KIND_DELETING_FAMILY,
    KIND_BY_STATUS,
    KIND_STANDING,
    KIND_STANDING_LINK,
    KIND_BY_TYPE,
    KIND_TYPE_LINK,
    KIND_UNTAGGED,
    KIND_UNTAGGED_LINK,
    KIND_SVCFS,
    KIND_HEALTH,
    KIND_IDENTITY,
    KIND_CONFIG,
    KIND_FRESHNESS,
    KIND_METRICS,
    KIND_ERRORS,
    KIND_REFRESH,
    KIND_VERSION,
    KINDS
};

enum { KEY_ARGS = 4, KEY_PATH_SIZE = 2048 };

struct key {
    enum kind_id kind;
    bool deleting; /* a service, or what is in it, below deleting/ */
    unsigned n_args;
    const char *args[KEY_ARGS]; /* the names that the fixed ones on the path leave open */
    const char *life;           /* of a service: its claim, or "": a new life is another node */
    uint64_t
        version; /* of a file that is another node with each new content: a hash of it, else 0 */
};

/* The key of an entry of dir: of a fixed one (name NULL), or of one that has its own name. One that
 * is KIND_F_SHARED hangs further up: the same key for all directories that have it. */
struct key key_child(const struct key *dir, enum kind_id kind, const char *name);
/* The key of the directory; of the root, the root's. */
struct key key_parent(const struct key *key);
/* The name in its directory; "" of the root. */
const char *key_name(const struct key *key);
/* The path below the mount point, "" for the root; cut where it does not fit. */
void key_path(const struct key *key, char out[KEY_PATH_SIZE]);
/* The inode number of an entry of the directory with inode number parent: a hash of both, so stable
 * over remounts; never 0 or 1 (the root's). */
uint64_t key_inode(uint64_t parent, const struct key *key);
