/* A hash map from strings to pointers. Keys are copied; values stay the caller's. Not thread-safe.
 * Hash: SipHash-2-4 with a key drawn per process, since keys come from tags that anybody writes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

struct map;

struct map *map_new(void); /* NULL: no memory */
/* One that does not copy its keys: each must stay as it is for as long as it is in the map. */
struct map *map_new_lent(void);
void map_free(struct map *m);
void map_free_with(struct map *m, void (*free_value)(void *));
DEFINE_CLEANUP(struct map *, map_free)

void *map_get(const struct map *m, const char *key); /* NULL: not there; m may be NULL */
/* Sets key to value (not NULL); ret_old (may be NULL) gets what was there or NULL. 0, -ENOMEM. */
int map_put(struct map *m, const char *key, void *value, void **ret_old);
void *map_remove(struct map *m, const char *key); /* gives the value, or NULL */
size_t map_size(const struct map *m);

/* Goes over all, in no order: `struct map_iter it = {0}; while (map_next(m, &it, &key, &value))`.
 * The entry just given may be removed; nothing may be added meanwhile. */
struct map_iter {
    size_t slot;
};
bool map_next(const struct map *m, struct map_iter *it, const char **ret_key, void **ret_value);
