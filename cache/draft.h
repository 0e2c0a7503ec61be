/* A snapshot while it is being built; private to the builder's files. Everything but the lists lies
 * in the arena. */
#pragma once

#include "cache/build.h"

struct list {
    const void **items;
    size_t n, cap;
};

struct service_draft {
    struct index_service *service;
    struct list resources;
};

struct family_draft {
    struct index_family *family;
    struct map *services; /* id → struct service_draft * */
    struct list shared;
};

struct build {
    const struct build_input *in;
    struct arena *a;
    struct snapshot *s;
    struct list resources; /* struct index_resource * */
    struct map *by_key;
    struct map *records; /* ARN of a record that the overlay has → struct overlay_record * */
    /* Value of the family's, of the service's tag → struct list *: for the groups. */
    struct map *by_tag[2];
    struct map *families;     /* id → struct family_draft * */
    struct map *family_count; /* service id → number of families, as a pointer */
    struct list family_list, problems;
};

/* 0 or -ENOMEM. */
int list_add(struct list *l, const void *item);
/* Sorts, copies into the arena and frees the list's own memory, also where NULL (no memory) is
 * returned. */
const void *list_finish(struct build *b, struct list *l, int (*order)(const void *, const void *));
int order_by_link(const void *x, const void *y); /* of struct index_resource * */

/* The passes of build_collect.c and build_groups.c, in their order. All: 0 or -ENOMEM. */
int collect_swept(struct build *b);
int collect_records(struct build *b);
int collect_members(struct build *b);
int collect_part_namesakes(struct build *b);
int collect_kinds(struct build *b);
int draft_groups(struct build *b);
/* A line for .svcfs/errors; takes what arena_printf gave. */
int problem_add(struct build *b, char *line);
