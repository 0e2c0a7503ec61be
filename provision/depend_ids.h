/* Sorted sets of ids, and the tags that they make. Plain; 0 or -ENOMEM unless said otherwise. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/macro.h"
#include "cache/index.h"
#include "cache/list.h"

struct ids {
    struct list list; /* of malloc'ed strings */
};
void ids_done(struct ids *s);
#define _cleanup_ids_ _cleanup_(ids_done)

bool ids_have(const struct ids *s, const char *id);
const char *ids_kept(const struct ids *s, const char *id); /* its own copy; the id is there */
int ids_add(struct ids *s, const char *id);
bool ids_same(const struct ids *a, const struct ids *b);
void ids_remove(struct ids *s, const char *id);
int ids_copy(const struct ids *from, struct ids *to); /* to is empty */
/* Adds those in the dependency tags of a resource, or in tags as AWS tells them (an object). */
int ids_add_tags(struct ids *s, const char *tag, const struct index_resource *r);
int ids_add_json(struct ids *s, const char *tag, json_t *tags);

/* *ret: object of the tags that hold these ids. -EINVAL: an id fits into no tag. */
int ids_tags(const struct ids *s, const char *tag, json_t **ret);
