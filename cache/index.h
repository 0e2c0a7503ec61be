/*
 * The index: what the account holds, as one immutable snapshot in one arena. Any thread may read a
 * snapshot that it holds a reference to; nothing in it changes. All strings belong to it. Every
 * array is sorted by name, by byte, and is searched by bisection. A deleting service stands in its
 * family's deleting list, not in services.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

/* Times are wall ms of the snapshot in which something was last seen to change, 0 where it stands
 * as in the first one. They grow strictly from snapshot to snapshot. */

struct index_tag {
    const char *key, *value;
};

struct index_resource {
    const char *key; /* its ARN, or "SERVICE/TYPE/ID" where it has none */
    bool has_arn;
    const char *service, *type, *id; /* path below resources/ */
    const char *link;                /* SERVICE.TYPE.ID */
    const struct index_tag *tags;    /* sorted by key */
    size_t n_tags;
    const struct index_service *owner; /* or NULL */
    const struct index_family *family; /* or NULL */
    int64_t changed_ms;                /* it came, or its tags changed */
    int64_t owner_ms;                  /* what services/ shows changed */
};

struct index_service {
    const char *id;   /* the tag's value */
    const char *name; /* in its family's directory */
    const char *link; /* in services/: ID, or ID@FAMILY where ids are not unique */
    const struct index_family *family;
    const struct index_resource *const
        *resources; /* sorted by link; the record itself is one of them */
    size_t n_resources;
    bool managed;         /* has a record */
    bool deleting;        /* stands in deleting/ */
    const char *phase;    /* of the record: "creating" "ready" "failed" "deleting", or "" */
    const char *claim;    /* of the record where it is known, or "" */
    int64_t changed_ms;   /* anything above changed, tags of its resources too */
    int64_t resources_ms; /* links came or went */
};

struct index_family {
    const char *id, *name;
    bool has_blueprint; /* as provision told (broken ones too) */
    bool known;         /* false: a name alone so far; its lists are not (snapshot.whole) */
    const struct index_service *const *services;
    size_t n_services;
    const struct index_service *const *deleting;
    size_t n_deleting;
    const struct index_resource *const *shared; /* family tag, no service tag; sorted by link */
    size_t n_shared;
    int64_t changed_ms;  /* it came, or got or lost its blueprint */
    int64_t services_ms; /* names came or went */
    int64_t deleting_ms;
    int64_t shared_ms;
};

struct index_group {
    const char *name, *arn;
    const char *query;                             /* ResourceQuery as JSON text, or NULL */
    const struct index_resource *const *resources; /* sorted by link */
    size_t n_resources;
    int64_t changed_ms;   /* it came, or its ARN or query changed */
    int64_t resources_ms; /* links came or went */
};

/* resources/SERVICE, and resources/SERVICE/TYPE below it */
struct index_type {
    const char *name;
    const struct index_resource *const *resources; /* sorted by id */
    size_t n_resources;
    int64_t listed_ms; /* names came or went */
};
struct index_kind {
    const char *name;
    const struct index_type *types;
    size_t n_types;
    int64_t listed_ms;
};

struct snapshot {
    uint64_t generation;   /* grows with every publish */
    int64_t built_wall_ms; /* greater than that of the snapshot before */
    bool whole; /* false: a sketch of the time before the first sweep has ended: the families'
                   names, and all of those that are `known`; nothing else */
    bool swept; /* read from AWS by this daemon; false: as it was saved by an earlier one */
    const struct index_family *const *families;
    size_t n_families;
    const struct index_service *const *services; /* not those deleting; sorted by link */
    size_t n_services;
    const struct index_resource *const *resources; /* all; sorted by key */
    size_t n_resources;
    const struct index_kind *kinds;
    size_t n_kinds;
    const struct index_group *groups;
    size_t n_groups;
    int64_t families_ms, services_ms, deleting_ms, kinds_ms, groups_ms; /* names came or went */
    bool groups_known;           /* false until the first sweep of the groups ended well */
    const char *const *problems; /* lines for .svcfs/errors: an id without a family, … */
    size_t n_problems;
    struct snapshot_private *private_;
};

const struct snapshot *snapshot_ref(const struct snapshot *s);
void snapshot_unref(const struct snapshot *s);
static inline void snapshot_unrefp(const struct snapshot **s)
{
    snapshot_unref(*s);
}
#define _cleanup_snapshot_ _cleanup_(snapshot_unrefp)

/* Each gives NULL where there is none. name: as in the directory; id: the tag's value. */
const struct index_family *snapshot_family(const struct snapshot *s, const char *name);
const struct index_family *snapshot_family_by_id(const struct snapshot *s, const char *id);
const struct index_service *snapshot_service(const struct index_family *f, const char *name);
const struct index_service *snapshot_deleting(const struct index_family *f, const char *name);
const struct index_service *snapshot_service_by_id(const struct index_family *f,
                                                   const char *id); /* deleting too */
/* Any service with this id, in whatever family, deleting or not. */
const struct index_service *snapshot_any_service(const struct snapshot *s, const char *id);
const struct index_service *snapshot_link(const struct snapshot *s, const char *link);
const struct index_kind *snapshot_kind(const struct snapshot *s, const char *name);
const struct index_type *snapshot_type(const struct index_kind *k, const char *name);
const struct index_resource *snapshot_resource(const struct index_type *t, const char *id);
const struct index_resource *snapshot_resource_by_key(const struct snapshot *s, const char *key);
const struct index_group *snapshot_group(const struct snapshot *s, const char *name);
const char *index_tag(const struct index_resource *r, const char *key); /* value or NULL */
