/*
 * What a snapshot holds. `things` (services, resources, labels, their strings) are shared by all
 * snapshots that have something of them: each patch adds its few to a chain, which a whole build
 * ends. `lists` (families, and every array that grows with the account) are one snapshot's own,
 * else a hundred patches would keep a hundred copies.
 */
#pragma once

#include <stdatomic.h>

#include "cache/lookup.h"
#include "cache/raw.h"

/* What one build or patch made. */
struct things {
    atomic_uint refs;
    struct arena *arena;
    struct things *before;           /* of the patch's base, or NULL */
    unsigned patches;                /* since the build that began the chain */
    struct raw_resources *resources; /* their strings are shared too */
    struct raw_groups *groups;
};

/* A word that brings a resource into a group: a value of one of our tags that its query asks for,
 * the key of a member that was swept with it; "" for what asks for more. */
struct group_word {
    const char *word, *group;
};

struct snapshot_private {
    struct arena *lists; /* the snapshot itself is in it */
    struct things *things;
    atomic_uint refs;
    const struct index_service *const *ids; /* all services, by id; with one id what lives first */
    size_t n_ids;
    const struct index_need *const *needs; /* of all services; sorted by id, then by->link */
    size_t n_needs;
    const struct group_word *const *words; /* sorted by word, then group */
    size_t n_words;
    const struct index_resource *const *untagged; /* sorted by link; lookup.h */
    size_t n_untagged;
    int64_t untagged_ms; /* links came or went */
    bool key_words;      /* some are keys of members */
    bool unplaced;  /* there are keys without a place, of which nothing but a problem is kept */
    bool strays;    /* some resources carry the id of a service that they do not belong to */
    bool contested; /* two records name one key, or somebody's tags another service than a record */
};

struct things *things_new(struct things *before); /* NULL: no memory */
void things_unref(struct things *t);
DEFINE_CLEANUP(struct things *, things_unref)

/* Holds a reference to t. NULL: no memory. */
struct snapshot *snapshot_new(struct things *t);
/* s, which nobody has yet, differs in nothing from old: it takes its generation and time. */
void snapshot_stands_for(struct snapshot *s, const struct snapshot *old);
void snapshot_free(const struct snapshot *s);
/* Where the services with this id begin in ids. */
size_t snapshot_place_of_id(const struct snapshot *s, const char *id);
