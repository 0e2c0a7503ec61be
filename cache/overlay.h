/*
 * The overlay: what this daemon knows better than the tag index, which lags for minutes and
 * remembers the dead for an hour (aws-facts.md 4). Plain maps; whoever owns it locks.
 */
#pragma once

#include "cache/build.h"
#include "cache/cache.h"

struct overlay {
    struct map *entries;     /* key → struct overlay_entry * */
    struct map *groups;      /* name → struct overlay_group * */
    struct map *records;     /* id → struct overlay_record * */
    struct map *dead_claims; /* claim → itself */
    struct map *used;        /* keys of what something uses → struct overlay_entry * */
    char **blueprints;       /* families that have one, NULL-ended; or NULL */
    struct changes changes;  /* since who builds took them: by the functions below */
};

int overlay_init(struct overlay *o);
void overlay_done(struct overlay *o);
/* The same entries, shared, for who builds while others go on writing. 0 or -ENOMEM. A copy is read
 * only, and is done with under the lock of the first. */
int overlay_copy(const struct overlay *o, struct overlay *ret);

/* All: 0 or -ENOMEM (then nothing changed). */
/* swept (may be NULL): the sweep in force, which tells what the resource has had. */
int overlay_put(struct overlay *o, const char *key, const struct index_tag *tags, size_t n_tags,
                const struct raw_resources *swept, int64_t now_ms);
/* Single tags (value NULL: taken away) of a resource that has base where neither the overlay nor
 * swept knows it. What the overlay calls gone stays so. */
int overlay_retag(struct overlay *o, const char *key, const struct index_tag *changes, size_t n,
                  const struct index_tag *base, size_t n_base, const struct raw_resources *swept,
                  int64_t now_ms);
int overlay_gone(struct overlay *o, const char *key, const struct raw_resources *swept,
                 int64_t now_ms);
int overlay_put_group(struct overlay *o, const char *name, const char *arn, const char *query,
                      int64_t now_ms); /* query NULL: gone */
/* A claim that is dead stays dead: a record read before its end and told after it changes nothing.
 */
int overlay_put_record(struct overlay *o, const struct cache_record *r);
bool overlay_has_record(const struct overlay *o, const struct cache_record *r); /* just that */
int overlay_remove_record(struct overlay *o, const char *id, const char *claim);
int overlay_use(struct overlay *o, const char *key, bool used);
/* What is used has these tags, by a look that began then; it settles what was put before. What is
 * used no more is passed over. */
int overlay_tags_read(struct overlay *o, const struct raw_resource *r, int64_t begun_ms);
/* It is in the sweep, which tells its tags: what was read of it is not to come back. */
int overlay_tags_forget(struct overlay *o, const char *key);
int overlay_set_blueprints(struct overlay *o, const char *const *families, size_t n);

/* Drops what the sweep shows by now, and what is too old. */
void overlay_settle(struct overlay *o, const struct raw_resources *r);
void overlay_settle_groups(struct overlay *o, const struct raw_groups *g);
