/*
 * The tag `service-dependency` (an option): the ids of the services that a service needs, separated
 * by one space; in an id a space is `=20` and `=` is `=3D`. What does not fit into 256 characters
 * goes on in `service-dependency-2`, -3, … Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { TAG_KEY_CHARS = 128, TAG_VALUE_CHARS = 256 }; /* aws-facts.md 5 */

/* Whether key is the tag or one of its continuations. */
bool depends_is_key(const char *tag, const char *key);
/* The key of the value with that index: malloc'ed; NULL: no memory. */
char *depends_key(const char *tag, size_t index);

/* Each id of one value, in order; non-zero ends it with that result. */
typedef int (*depends_fn)(void *arg, const char *id);
int depends_read(const char *value, depends_fn fn, void *arg);

/* What the tag and its continuations are to hold for these ids: *ret, malloc'ed strings in a
 * malloc'ed array. 0, -ENOMEM, -EINVAL: an id that fits into no tag. */
int depends_write(const char *const *ids, size_t n, char ***ret, size_t *ret_n);
void depends_free(char **values, size_t n);
