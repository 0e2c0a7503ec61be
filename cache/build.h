/*
 * The builder: raw sweeps, overlay and records in, a snapshot out. Pure, but for the memory. Takes
 * nothing over: every string is copied into the snapshot's arena.
 */
#pragma once

#include <stdatomic.h>

#include "base/arena.h"
#include "base/map.h"
#include "cache/index.h"
#include "cache/name.h"
#include "cache/raw.h"

struct snapshot_private {
    struct arena *arena;
    atomic_uint refs;
    struct map *families_by_id, *services_by_id;
};
void snapshot_free(const struct snapshot *s);

/* Names that a family's directory has for itself (tree.md). */
extern const char *const index_reserved[];

/* The overlay's word on one resource. */
struct overlay_entry {
    struct index_tag *tags; /* strings in one allocation behind it; where gone, what it had */
    size_t n_tags;
    size_t n_dropped; /* further ones behind tags, without a value: keys that it had, but has no
                         more */
    bool gone;
    int64_t put_ms; /* monotonic */
};
struct overlay_group {
    char *arn, *query; /* query NULL: gone */
    int64_t put_ms;
};
struct overlay_record {
    char *id, *family, *claim, *phase;
    bool deleting;
    char **keys;
    size_t n_keys;
};

struct build_input {
    const char *family_tag, *service_tag, *account, *region, *partition;
    const struct raw_resources *resources; /* never NULL */
    const struct raw_groups *groups;       /* or NULL: not known */
    const struct map *overlay;             /* key → struct overlay_entry * */
    const struct map *overlay_groups;      /* name → struct overlay_group * */
    const struct map *records;             /* id → struct overlay_record * */
    const struct map *dead_claims;         /* claim → anything */
    char *const *blueprints;               /* families that have one, NULL-ended, or NULL */
    const char *groups_problem;            /* line for .svcfs/errors, or NULL */
    uint64_t generation;
    int64_t wall_ms;
};
/* 0 or -ENOMEM. */
int build_snapshot(const struct build_input *in, const struct snapshot **ret);
