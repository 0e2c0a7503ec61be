/*
 * A snapshot while it is being made; private to the builder's files.
 *
 * A build and a patch run the same passes. A patch has a base, looks only at the keys that may have
 * changed, and edits the base's lists where a build makes them from nothing. Memory is of three
 * kinds: things and lists (things.h), which the snapshot keeps, and scratch, which ends with the
 * build.
 */
#pragma once

#include "cache/build.h"
#include "cache/list.h"
#include "cache/name.h"
#include "cache/things.h"

struct resource_draft {
    struct index_resource *resource;
    const struct overlay_record *record; /* whose ARN it is, or NULL */
    const struct overlay_record *named;  /* the record that names its key, or NULL */
};
struct service_draft {
    struct index_service *service;
    const struct index_service *old;     /* the base's, or NULL */
    const struct overlay_record *record; /* its own, or NULL; then the tags of it do not count */
    struct list resources;               /* new ones and the base's */
};
struct family_draft {
    const struct index_label *label;
    const struct index_family *old; /* the base's, or NULL */
    bool has_blueprint;
    struct map *services; /* id → struct service_draft * */
    struct edit here, going, shared;
};
struct type_draft {
    const char *service, *type;
    const struct index_type *old; /* the base's, or NULL */
    struct edit resources;
};
struct group_draft {
    struct index_group group;
    const struct index_group *old; /* the base's, where its query is the same, or NULL */
    bool by_key;                   /* its members were swept with it, and are its words */
    struct group_query *query;
    struct edit members;
};

struct build {
    const struct build_input *in;
    const struct snapshot *base; /* what is patched; NULL: a build */
    const struct changes *changes;
    struct snapshot *s;
    struct arena *things, *lists, *scratch;
    struct list candidates; /* struct candidate *, see build_collect.c */
    size_t before_at;       /* how far the look for the same key in in->before has come */
    struct map *keys;       /* patch: the keys that are looked at */
    struct list drafts;     /* struct resource_draft * */
    struct edit resources;
    struct map *families;     /* id → struct family_draft * */
    struct map *family_count; /* service id → number of families, as a pointer */
    struct map *types;        /* "SERVICE/TYPE" → struct type_draft * */
    struct map *groups;       /* name → struct group_draft * */
    struct edit links, ids, needs, problems, group_words, untagged;
    bool unplaced, strays, contested; /* as in struct snapshot_private */
};

int order_by_link(const void *x, const void *y); /* of struct index_resource */
int order_words(const void *x, const void *y);   /* of struct group_word */

/* build.c. Runs the passes; takes nothing over. */
typedef int (*build_pass)(struct build *b);
int build_run(struct build *b, const build_pass *passes, size_t n, const struct snapshot **ret);

/* build_collect.c: what there is. A candidate is what one source says of one key. */
enum source { FROM_OVERLAY, FROM_SWEEP, FROM_RECORD, NAMED_BY_RECORD, FROM_MEMBER, FROM_USE };
int collect_candidate(struct build *b, const char *key, enum source source, const void *from);
uint32_t hash_claim(const char *claim);                  /* never 0 */
const char *record_arn(struct build *b, const char *id); /* in scratch; NULL: no memory */
int collect_record(struct build *b, const struct overlay_record *rec);
int collect_all(struct build *b);     /* all candidates; a pass */
int collect_resolve(struct build *b); /* candidates to drafts; a pass */

/* build_hang.c: whose it is. */
struct family_draft *draft_family(struct build *b, const char *id);
struct service_draft *draft_service(struct build *b, struct family_draft *f, const char *id);
int hang_all(struct build *b);        /* a pass */
int hang_blueprints(struct build *b); /* a pass */
/* What .svcfs/errors says of a key. NULL: no memory. */
char *problem_unplaced(struct build *b, const char *key);
char *problem_homeless(struct build *b, const struct index_resource *r);
/* A line for .svcfs/errors that came, or that went if it was there. Takes what arena_printf gave.
 */
int problem_come(struct build *b, char *line);
int problem_gone(struct build *b, char *line);

/* build_finish.c: the listings; passes, in this order, with groups_pass before the last. */
int finish_namesakes(struct build *b); /* builds only, before anything is hung */
int finish_services(struct build *b);
int finish_kinds(struct build *b);
int finish_families(struct build *b);
int finish_listings(struct build *b);
int finish_problems(struct build *b);

/* build_depends.c: what a service needs, by the tags of its resources; in finish_services. */
int depends_collect(struct build *b, struct index_service *s, const struct list *resources);
int depends_list(struct build *b, const struct index_service *s, bool come);
int order_needs(const void *x, const void *y); /* of struct index_need */

int groups_pass(struct build *b); /* build_groups.c */
int stamp_pass(struct build *b);  /* stamp.c: the times */
