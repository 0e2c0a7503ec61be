/*
 * The index: what the account holds, as one immutable snapshot. Any thread may read a snapshot that
 * it holds a reference to; it never changes. Every array is sorted by name, by byte (lookup.h
 * bisects). A deleting service stands in its family's deleting list, not in services.
 *
 * Snapshots share services and resources: the same pointer in two of them tells the same. So that a
 * change does not make all that is below it new, what points upwards leads to less than it seems:
 *   resource->owner is the service as it was when its id, name, link, family, managed, deleting or
 *     claim last changed. These hold; for its lists and its phase look it up.
 *   ->family of a service or a resource is a label: id and name. For the rest look it up.
 *
 * Times are wall ms of the snapshot in which something was last seen to change, 0 where it stands
 * as in the first one. They grow strictly from snapshot to snapshot.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/index_service.h"

struct index_family {
    const char *id, *name;
    const struct index_label *label; /* the same two */
    bool has_blueprint;              /* as provision told (broken ones too) */
    bool known; /* false: a name alone so far; its lists are not (snapshot.whole) */
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
    bool whole; /* false: a sketch before the first sweep's end: families' names, what is `known` */
    int64_t swept_wall_ms; /* when the sweep began that it shows; 0: none */
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
    int64_t needs_ms;            /* who needs whom changed, anywhere */
    bool groups_known;           /* false until the first sweep of the groups ended well */
    const char *const *problems; /* lines for .svcfs/errors: an id without a family, … */
    size_t n_problems;
    size_t bytes; /* that it alone holds, and that it shares with those that were made of it */
    struct snapshot_private *private_;
};
