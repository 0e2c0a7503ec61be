/* Growing lists of pointers, and the sorted arrays of a snapshot that are made of them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

struct list {
    const void **items;
    size_t n, cap;
};

/* As strcmp, of two items; 0 only for the same thing, or two lives of it. */
typedef int (*order_fn)(const void *x, const void *y);

int list_add(struct list *l, const void *item); /* 0 or -ENOMEM */
void list_done(struct list *l);
void list_sort(struct list *l, order_fn order);
/* The same for very many items, whose order begins with that of the string at `offset` in each. 0
 * or -ENOMEM. */
int list_sort_texts(struct list *l, size_t offset, order_fn order);
/* The first place in the sorted array whose item does not stand before what. */
size_t list_place(const void *const *items, size_t n, const void *what, order_fn order);

/* A difference between two sorted arrays: each item of gone stands in the old one. */
struct edit {
    struct list gone, come;
};
void edit_done(struct edit *e);
/* The array of n items at before, edited, in the arena; sorts the two lists. NULL: no memory. What
 * stands between two edits is copied as it is, without a look at it. */
const void *edit_apply(struct edit *e, struct arena *a, const void *before, size_t n,
                       order_fn order, size_t *ret_n);

/* A sorted array: of pointers to structs, or (stride not 0) of structs. */
struct row {
    const void *items;
    size_t n, stride;
};
/* What stands in one of two arrays or in both, by the string at `offset` of each struct, in order:
 * old or now is NULL where there is none. Passes over what is the same pointer in both. */
typedef void (*pair_fn)(void *arg, const void *old, const void *now);
void row_pairs(struct row old, struct row now, size_t offset, pair_fn pair, void *arg);
/* Whether both have the same strings. */
bool row_same(struct row old, struct row now, size_t offset);

#define ROW(array, n) ((struct row){(array), (n), 0})
#define ROW_STRUCTS(array, n) ((struct row){(array), (n), sizeof(*(array))})
