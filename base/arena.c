/*
 * An arena is a list of chunks; each allocation is cut off the free space of the newest one: what
 * needs alignment from the front, strings from the back, so that they stand close. Chunks double
 * in size up to a megabyte, so that a small snapshot costs little and a large one few mallocs. What
 * is larger than a quarter of a chunk gets a chunk of its own, which is put behind the newest, so
 * that the newest one's rest is not lost. A free list was left out: snapshots are never changed,
 * they are dropped whole.
 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { CHUNK_FIRST = 4096, CHUNK_LAST = 1 << 20, RECENT = 1024 };

struct chunk {
    struct chunk *next;
    size_t used, size;
    alignas(max_align_t) unsigned char data[];
};

struct arena {
    struct chunk *newest;
    const char **recent; /* strings of this arena by a hash, the newest one each; or NULL */
    size_t next_size;
    size_t total;
};

struct arena *arena_new(void)
{
    struct arena *a = calloc(1, sizeof(*a));

    if (a != NULL)
        a->next_size = CHUNK_FIRST;
    return a;
}

void arena_free(struct arena *a)
{
    if (a == NULL)
        return;
    for (struct chunk *c = a->newest, *next; c != NULL; c = next) {
        next = c->next;
        free(c);
    }
    free(a->recent);
    free(a);
}

static struct chunk *chunk_new(struct arena *a, size_t size)
{
    struct chunk *c;

    if (size > SIZE_MAX / 2)
        return NULL;
    c = calloc(1, sizeof(*c) + size);
    if (c == NULL)
        return NULL;
    c->size = size;
    a->total += sizeof(*c) + size;
    return c;
}

static void *alloc_own_chunk(struct arena *a, size_t size)
{
    struct chunk *c = chunk_new(a, size);

    if (c == NULL)
        return NULL;
    c->used = size;
    if (a->newest == NULL) {
        a->newest = c;
    } else {
        c->next = a->newest->next;
        a->newest->next = c;
    }
    return c->data;
}

void *arena_alloc(struct arena *a, size_t size)
{
    const size_t align = alignof(max_align_t);
    struct chunk *c = a->newest;
    void *p;

    if (size > SIZE_MAX - align)
        return NULL;
    size = (MAX(size, (size_t)1) + align - 1) / align * align;
    if (c == NULL || c->size - c->used < size) {
        if (size > a->next_size / 4)
            return alloc_own_chunk(a, size);
        c = chunk_new(a, a->next_size);
        if (c == NULL)
            return NULL;
        c->next = a->newest;
        a->newest = c;
        a->next_size = MIN(a->next_size * 2, (size_t)CHUNK_LAST);
    }
    p = c->data + c->used;
    c->used += size;
    return p;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(n, size, &total))
        return NULL;
    return arena_alloc(a, total);
}

/* size bytes without alignment. */
static char *alloc_text(struct arena *a, size_t size)
{
    struct chunk *c = a->newest;

    if (c == NULL || c->size - c->used < size)
        return arena_alloc(a, size);
    c->size -= size;
    return (char *)c->data + c->size;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
    char *copy = n == SIZE_MAX ? NULL : alloc_text(a, n + 1);

    if (copy != NULL) {
        memcpy(copy, s, n);
        copy[n] = '\0';
    }
    return copy;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_strndup(a, s, strlen(s));
}

/* A table of the recent ones alone: what does not repeat must not cost memory for being looked for.
 */
const char *arena_intern(struct arena *a, const char *s)
{
    uint32_t hash = 2166136261u; /* FNV-1a: a clash costs a copy, no more */

    if (a->recent == NULL)
        a->recent = calloc(RECENT, sizeof(*a->recent));
    if (a->recent == NULL)
        return NULL;
    for (const char *c = s; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    const char **slot = &a->recent[(hash ^ hash >> 16) % RECENT];
    if (*slot == NULL || strcmp(*slot, s) != 0) {
        const char *copy = arena_strdup(a, s);
        if (copy == NULL)
            return NULL;
        *slot = copy;
    }
    return *slot;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap, again;
    char *text = NULL;
    int len;

    va_start(ap, fmt);
    va_copy(again, ap);
    len = vsnprintf(NULL, 0, fmt, ap);
    if (len >= 0)
        text = arena_alloc(a, (size_t)len + 1);
    if (text != NULL)
        (void)vsnprintf(text, (size_t)len + 1, fmt, again);
    va_end(again);
    va_end(ap);
    return text;
}

/* Behind the newest chunk, whose rest goes on to be used. */
void arena_join(struct arena *a, struct arena *from)
{
    struct chunk **end = a->newest != NULL ? &a->newest->next : &a->newest;
    struct chunk *rest = *end;

    *end = from->newest;
    while (*end != NULL)
        end = &(*end)->next;
    *end = rest;
    a->total += from->total;
    free(from->recent);
    free(from);
}

size_t arena_size(const struct arena *a)
{
    return a->total + sizeof(*a);
}
