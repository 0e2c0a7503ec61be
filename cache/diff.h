/* What differs between two snapshots, exactly: for the kernel's invalidation. Pure. */
#pragma once

#include "cache/index.h"

enum diff_kind {
    DIFF_FAMILY,   /* family appeared or went, or whether it has a blueprint or is known changed */
    DIFF_SERVICE,  /* service appeared, went, moved between families/ and deleting/, or changed */
    DIFF_SHARED,   /* the names of the family's shared resources changed */
    DIFF_RESOURCE, /* appeared, went, or its tags or what is said of its owner changed */
    DIFF_GROUP,    /* appeared, went, or its members' names, its ARN or its query changed */
    DIFF_GROUPS_KNOWN, /* whether the groups are known changed; nothing else is said */
    DIFF_UNTAGGED,     /* the names of what is not tagged changed; nothing else is said */
    DIFF_PROBLEMS      /* the problems changed; nothing else is said */
};
enum diff_how { DIFF_ADDED, DIFF_REMOVED, DIFF_CHANGED };

struct diff {
    enum diff_kind kind;
    enum diff_how how;
    /* Of the snapshot that has it (the new one where both). */
    const struct index_family *family;
    const struct index_service *service;
    const struct index_resource *resource;
    const struct index_group *group;
    /* CHANGED: the same in the old snapshot, for who must know what exactly changed. */
    const struct index_family *old_family;
    const struct index_service *old_service;
    const struct index_resource *old_resource;
    const struct index_group *old_group;
};
typedef void (*diff_fn)(void *arg, const struct diff *d);
/* old may be NULL. A service that went from services to deleting, whose link in services/ changed,
 * or which has another claim (another life, and another node) is REMOVED (old one) and ADDED (new
 * one); so is a resource that has another place now, since its path was another ARN's. */
void diff_snapshots(const struct snapshot *old, const struct snapshot *now, diff_fn fn, void *arg);
