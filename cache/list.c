/* Sorting and merging without a look at what a list holds, but for the string that orders it. */
#include "cache/list.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static const char *text(const void *thing, size_t offset)
{
    return *(const char *const *)((const char *)thing + offset);
}

int list_add(struct list *l, const void *item)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 16;
        const void **items = reallocarray(l->items, cap, sizeof(*items));
        if (!items)
            return -ENOMEM;
        l->items = items;
        l->cap = cap;
    }
    l->items[l->n++] = item;
    return 0;
}

void list_done(struct list *l)
{
    free(l->items);
    *l = (struct list){0};
}

static int by_order(const void *x, const void *y, void *arg)
{
    return (*(const order_fn *)arg)(*(const void *const *)x, *(const void *const *)y);
}

void list_sort(struct list *l, order_fn order)
{
    size_t i = 1;

    while (i < l->n && order(l->items[i - 1], l->items[i]) <= 0)
        i++;
    if (i < l->n) /* most lists come sorted, since what they are made of is */
        qsort_r(l->items, l->n, sizeof(*l->items), by_order, &order);
}

/* ARNs begin alike, and comparing them from their first byte again and again was half of a build.
 * So they are sorted by eight bytes at a time: those that have the same eight go by the next. */
struct keyed {
    uint64_t head; /* as a number that orders like the bytes; the last byte 0: the string ends */
    const void *item;
};

static uint64_t head_of(const char *s)
{
    uint64_t head = 0;
    size_t i = 0;

    for (; i < sizeof(head) && s[i]; i++)
        head = head << 8 | (unsigned char)s[i];
    return i ? head << 8 * (sizeof(head) - i) : 0;
}

static int by_head(const void *x, const void *y)
{
    uint64_t a = ((const struct keyed *)x)->head, b = ((const struct keyed *)y)->head;

    return (a > b) - (a < b);
}

static void sort_from(struct keyed *k, size_t n, size_t offset, size_t depth)
{
    bool sorted = true;

    for (size_t i = 0; i < n; i++) {
        k[i].head = head_of(text(k[i].item, offset) + depth);
        sorted = sorted && (i == 0 || k[i - 1].head <= k[i].head);
    }
    if (!sorted)
        qsort(k, n, sizeof(*k), by_head);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && k[end].head == k[i].head;)
            end++;
        if (end - i > 1 && (k[i].head & 0xff))
            sort_from(k + i, end - i, offset, depth + sizeof(k->head));
    }
}

int list_sort_texts(struct list *l, size_t offset, order_fn order)
{
    _cleanup_free_ struct keyed *k = calloc(l->n + 1, sizeof(*k));

    if (!k)
        return -ENOMEM;
    for (size_t i = 0; i < l->n; i++)
        k[i].item = l->items[i];
    sort_from(k, l->n, offset, 0);
    for (size_t i = 0; i < l->n; i++)
        l->items[i] = k[i].item;
    list_sort(l, order); /* those with one string */
    return 0;
}

size_t list_place(const void *const *items, size_t n, const void *what, order_fn order)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (order(items[middle], what) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void edit_done(struct edit *e)
{
    list_done(&e->gone);
    list_done(&e->come);
}

const void *edit_apply(struct edit *e, struct arena *a, const void *before, size_t n,
                       order_fn order, size_t *ret_n)
{
    const void *const *old = before;
    struct list *gone = &e->gone, *come = &e->come;
    size_t at = 0, to = 0, g = 0, c = 0;

    assert(gone->n <= n);
    const void **out = arena_array(a, n - gone->n + come->n, sizeof(*out));
    if (!out)
        return NULL;
    list_sort(gone, order);
    list_sort(come, order);
    while (g < gone->n || c < come->n) {
        int first = g == gone->n ? 1 : c == come->n ? -1 : order(gone->items[g], come->items[c]);
        const void *next = first <= 0 ? gone->items[g] : come->items[c];
        size_t same = list_place(old + at, n - at, next, order);
        if (same > 0)
            memcpy(out + to, old + at, same * sizeof(*out));
        at += same;
        to += same;
        if (first <= 0) {
            assert(at < n && old[at] == next);
            at++, g++;
        }
        if (first >= 0)
            out[to++] = come->items[c++];
    }
    if (at < n)
        memcpy(out + to, old + at, (n - at) * sizeof(*out));
    *ret_n = n - gone->n + come->n;
    return out;
}

/* --- pairs --- */

static const void *item(const struct row *r, size_t i)
{
    return r->stride ? (const char *)r->items + i * r->stride : ((const void *const *)r->items)[i];
}

void row_pairs(struct row old, struct row now, size_t offset, pair_fn pair, void *arg)
{
    size_t i = 0, k = 0;

    while (i < old.n || k < now.n) {
        const void *a = i < old.n ? item(&old, i) : NULL;
        const void *b = k < now.n ? item(&now, k) : NULL;
        int order = !a ? 1 : !b ? -1 : a == b ? 0 : strcmp(text(a, offset), text(b, offset));

        i += order <= 0;
        k += order >= 0;
        if (a != b)
            pair(arg, order <= 0 ? a : NULL, order >= 0 ? b : NULL);
    }
}

bool row_same(struct row old, struct row now, size_t offset)
{
    if (old.n != now.n)
        return false;
    for (size_t i = 0; i < now.n; i++) {
        const void *a = item(&old, i), *b = item(&now, i);
        if (a != b && !streq(text(a, offset), text(b, offset)))
            return false;
    }
    return true;
}
