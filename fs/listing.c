/*
 * Cookies: fixed names have small ones, files before directories, in the order of the table; the
 * others a hash of the name, as ext4's have (two names with one hash: the second gets the next
 * number). Sorted by name was rejected: a place within it is an index, or a name that has gone.
 *
 * Large listings take a millisecond to sort and are read in some fifteen pieces. A few are kept;
 * one is known by when its names last changed, by the index's time and by the node's (which knows
 * what provisioning adds). Both only grow, so an outdated listing is never taken for a newer one;
 * and none is kept that was made while something changed.
 */
#include "fs/listing.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/str.h"
#include "fs/node.h"
#include "fs/notify.h"

enum { KEPT = 32, LARGE = 64, FIRST_DIRECTORY = 256, FIRST_NAME = 1024 };
_Static_assert((int)COOKIE_DOTDOT + 1 + KINDS < (int)FIRST_DIRECTORY &&
                   (int)FIRST_DIRECTORY + KINDS < (int)FIRST_NAME,
               "fixed names need room below the hashes");

struct shared {
    struct listing listing; /* first: callers see only this */
    struct arena *arena;    /* all of it */
    atomic_uint refs;
};

struct kept {
    uint64_t ino;
    int64_t changed_ms, seen_ms;
    struct shared *listing;
};

struct listing_memo {
    pthread_mutex_t lock;
    struct kept kept[KEPT]; /* large ones */
    size_t next;            /* to be replaced */
    struct kept last;       /* whatever it is: the next request asks for what comes behind it */
};

int listing_memo_new(struct listing_memo **ret)
{
    struct listing_memo *m = calloc(1, sizeof(*m));

    if (!m)
        return -ENOMEM;
    pthread_mutex_init(&m->lock, NULL);
    *ret = m;
    return 0;
}

static void put(struct shared *s)
{
    if (s && atomic_fetch_sub(&s->refs, 1) == 1)
        arena_free(s->arena); /* s lies in it */
}

void listing_put(const struct listing *l)
{
    put((struct shared *)l);
}

void listing_memo_free(struct listing_memo *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < KEPT; i++)
        put(m->kept[i].listing);
    put(m->last.listing);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

/* --- making one --- */

struct making {
    const struct node *dir;
    struct arena *arena; /* of names as they come */
    struct listing_entry *entries;
    size_t n, max;
};

static int room(struct making *m)
{
    size_t max = m->max ? m->max * 2 : 16;
    struct listing_entry *more = reallocarray(m->entries, max, sizeof(*more));

    if (!more)
        return -ENOMEM;
    m->entries = more;
    m->max = max;
    return 0;
}

static off_t cookie_of(const struct key *key, const char *name)
{
    const struct kind *row = kind_row(key->kind);
    uint64_t hash;

    if (row->name)
        return (S_ISDIR(row->mode) ? FIRST_DIRECTORY : COOKIE_DOTDOT + 1) + (off_t)key->kind;
    hash = hash_stable(name, strlen(name)) >> 2; /* 62 bits: room to count on */
    return (off_t)MAX(hash, (uint64_t)FIRST_NAME);
}

static int add(void *arg, const struct key *key, const char *name)
{
    struct making *m = arg;
    struct listing_entry *e;

    if (m->n == m->max && room(m))
        return -ENOMEM;
    e = &m->entries[m->n];
    *e = (struct listing_entry){
        .cookie = cookie_of(key, name),
        .kind = key->kind,
        .ino = kind_row(key->kind)->flags & KIND_F_VERSION ? 0 : node_entry_ino(m->dir, key),
        .name =
            kind_row(key->kind)->name ? kind_row(key->kind)->name : arena_strdup(m->arena, name),
        .life = key->kind == KIND_SERVICE && key->life[0] ? arena_strdup(m->arena, key->life) : "",
    };
    if (!e->name || !e->life)
        return -ENOMEM;
    m->n++;
    return 0;
}

static int by_cookie(const void *x, const void *y)
{
    const struct listing_entry *a = x, *b = y;

    if (a->cookie != b->cookie)
        return a->cookie < b->cookie ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* Entries and names in the order in which they are read: in that of their making a large listing
 * takes a third longer to read. */
static int copy_sorted(struct arena *to, const struct making *m, struct listing_entry *ret)
{
    for (size_t i = 0; i < m->n; i++) {
        ret[i] = m->entries[i];
        if (i > 0)
            ret[i].cookie = MAX(ret[i].cookie, ret[i - 1].cookie + 1);
        if (!kind_row(ret[i].kind)->name)
            ret[i].name = arena_strdup(to, ret[i].name);
        if (ret[i].life[0])
            ret[i].life = arena_strdup(to, ret[i].life);
        if (!ret[i].name || !ret[i].life)
            return -ENOMEM;
    }
    return 0;
}

static struct shared *finish(struct making *m)
{
    struct arena *arena = arena_new();
    struct shared *s = arena ? arena_alloc(arena, sizeof(*s)) : NULL;
    struct listing_entry *entries = s ? arena_array(arena, m->n, sizeof(*entries)) : NULL;

    if (m->n > 0)
        qsort(m->entries, m->n, sizeof(*entries), by_cookie);
    if (!entries || copy_sorted(arena, m, entries) < 0) {
        arena_free(arena);
        return NULL;
    }
    *s = (struct shared){.listing = {entries, m->n}, .arena = arena};
    atomic_init(&s->refs, 1);
    return s;
}

static int make(struct place *dir, struct shared **ret)
{
    struct making m = {.dir = dir->node, .arena = arena_new()};
    struct shared *s = NULL;
    int r = m.arena ? kind_list(dir, add, &m) : -ENOMEM;

    if (r == 0 && !(s = finish(&m)))
        r = -ENOMEM;
    free(m.entries);
    arena_free(m.arena);
    if (r == 0)
        *ret = s;
    return r;
}

/* --- keeping some --- */

static bool same(const struct kept *a, const struct kept *b)
{
    return a->ino == b->ino && a->changed_ms == b->changed_ms && a->seen_ms == b->seen_ms;
}

static struct shared *find(struct listing_memo *m, const struct kept *wanted)
{
    const struct kept *found = NULL;

    pthread_mutex_lock(&m->lock);
    if (m->last.listing && same(&m->last, wanted))
        found = &m->last;
    for (size_t i = 0; i < KEPT && !found; i++)
        if (m->kept[i].listing && same(&m->kept[i], wanted))
            found = &m->kept[i];
    struct shared *s = found ? found->listing : NULL;
    if (s)
        atomic_fetch_add(&s->refs, 1);
    pthread_mutex_unlock(&m->lock);
    return s;
}

/* Where a listing is to be kept. Locked. */
static struct kept *place_for(struct listing_memo *m, const struct kept *what)
{
    if (what->listing->listing.n < LARGE)
        return &m->last;
    for (size_t i = 0; i < KEPT; i++)
        if (m->kept[i].ino == what->ino)
            return &m->kept[i];
    return &m->kept[m->next++ % KEPT];
}

static void keep(struct listing_memo *m, const struct kept *what)
{
    struct shared *old;
    struct kept *at;

    atomic_fetch_add(&what->listing->refs, 1);
    pthread_mutex_lock(&m->lock);
    at = place_for(m, what);
    old = at->listing;
    *at = *what;
    pthread_mutex_unlock(&m->lock);
    put(old);
}

int listing_get(struct place *dir, const struct listing **ret)
{
    const struct kind *row = kind_row(dir->key->kind);
    struct kept k = {.ino = node_ino(dir->node),
                     .changed_ms = row->changed ? row->changed(dir) : 0,
                     .seen_ms = node_changed(dir->fs->nodes, dir->node)};
    int r = 0;

    k.listing = find(dir->fs->listings, &k);
    if (!k.listing) {
        r = make(dir, &k.listing);
        if (r == 0 && notify_epoch(dir->fs->notify) == dir->epoch)
            keep(dir->fs->listings, &k);
    }
    if (r == 0)
        *ret = &k.listing->listing;
    return r;
}

size_t listing_after(const struct listing *l, off_t cookie)
{
    size_t low = 0, high = l->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (l->entries[middle].cookie <= cookie)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct key listing_key(const struct key *dir, const struct listing_entry *e)
{
    struct key key = key_child(dir, e->kind, kind_row(e->kind)->name ? NULL : e->name);

    if (e->kind == KIND_SERVICE) {
        key.life = e->life;
        key.deleting = dir->kind == KIND_DELETING_FAMILY;
    }
    return key;
}
