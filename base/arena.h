/* Memory that is freed all at once. Allocation is not thread-safe; reading what was allocated is.
 */
#pragma once

#include <stddef.h>

#include "base/macro.h"

struct arena;

struct arena *arena_new(void); /* NULL: no memory */
void arena_free(struct arena *a);
DEFINE_CLEANUP(struct arena *, arena_free)

/* Zeroed, aligned for any type; NULL: no memory. size 0 gives a valid pointer. */
void *arena_alloc(struct arena *a, size_t size);
void *arena_array(struct arena *a, size_t n, size_t size); /* overflow checked */
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n);
/* As arena_strdup, or the same string again if it was asked for not long ago: for what repeats. */
const char *arena_intern(struct arena *a, const char *s);
char *arena_printf(struct arena *a, const char *fmt, ...) _printf_(2, 3);
/* Moves all that from holds into a, where it stays as it is, and frees from. */
void arena_join(struct arena *a, struct arena *from);
size_t arena_size(const struct arena *a); /* bytes taken from the system */
