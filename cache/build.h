/*
 * The builder: raw sweeps, overlay and records in, a snapshot out. Pure, but for the memory. Two
 * ways to the same snapshot: build_snapshot makes all of it, build_patch only what a few changes
 * touch, and shares the rest with the snapshot before.
 */
#pragma once

#include "base/map.h"
#include "cache/changes.h"
#include "cache/lookup.h"
#include "cache/raw.h"

/* Names that a family's directory has for itself (tree.md). */
extern const char *const index_reserved[];

/* The overlay's word on one resource. */
struct overlay_entry {
    struct index_tag *tags; /* strings in one allocation behind it; where gone, what it had */
    size_t n_tags;
    size_t n_dropped;     /* further ones behind tags, without a value: keys that it had, but has no
                             more */
    const uint64_t *past; /* hashes of keys with values that it had before: older news */
    size_t n_past;
    bool gone;
    bool listed;    /* when it was put, the index listed the resource already; of what is used: its
                       tags were read */
    int64_t put_ms; /* monotonic */
    unsigned refs;  /* of this and the next two: overlays that have it */
};
struct overlay_group {
    char *arn, *query; /* query NULL: gone */
    int64_t put_ms;
    unsigned refs;
};
struct overlay_record {
    char *id, *family, *claim, *phase;
    bool deleting;
    char **keys;
    size_t n_keys;
    unsigned refs;
};

struct build_input {
    const char *family_tag, *service_tag, *dependency_tag, *account, *region, *partition;
    struct raw_resources *resources;  /* never NULL; the snapshot keeps a reference */
    struct raw_groups *groups;        /* or NULL: not known; a reference as well */
    const struct map *overlay;        /* key → struct overlay_entry * */
    const struct map *overlay_groups; /* name → struct overlay_group * */
    const struct map *records;        /* id → struct overlay_record * */
    const struct map *dead_claims;    /* claim → anything */
    const struct map *used;           /* keys of what something uses → struct overlay_entry * */
    char *const *blueprints;          /* families that have one, NULL-ended, or NULL */
    const char *groups_problem;       /* line for .svcfs/errors, or NULL */
    const struct snapshot *before;    /* whose times go on where nothing differs, or NULL */
    uint64_t generation;
    int64_t wall_ms;
};
/* 0 or -ENOMEM. */
int build_snapshot(const struct build_input *in, const struct snapshot **ret);
/* in->before with the changes: all that the overlay, the records and the blueprints say now and did
 * not when it was made. 0, -ENOMEM, or -EOPNOTSUPP: that needs a whole build, since more depends on
 * the change than itself (patch.c says what). */
int build_patch(const struct build_input *in, const struct changes *changes,
                const struct snapshot **ret);
