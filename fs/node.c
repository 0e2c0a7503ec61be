/*
 * A chained hash table by node id. A node knows its directory's node and its own name, so that a
 * million of them cost some 80 bytes each; a key is put together by walking up. Invariants: the
 * root is there for ever; a node holds a reference to its directory's; every node but the root
 * lives while the kernel's lookups or references are left; no two living nodes that are not dead
 * have the same directory and key. Node ids that collide are told apart by counting on. Rejected:
 * one table by path and one by node id, since the path gives the node id.
 */
#include "fs/node.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "fs/kind.h"

enum { FIRST_SLOTS = 1024, PROBES = 64 };

struct node {
    uint64_t ino;
    struct node *next, *dir; /* dir: a reference; NULL for the root */
    uint64_t nlookup;
    int64_t changed_ms;
    /* Of a file: its own; of a directory: of its first versioned file, last looked up. Where it has
     * two, the other's stands behind the text. */
    uint64_t version;
    uint32_t refs;
    uint8_t kind;
    bool dead, moved;
    char text[]; /* where the row has no name: the own one; then, of a service, the life */
};

struct node_table {
    pthread_mutex_t lock;
    struct node **slots;
    size_t n_slots, n_nodes; /* n_slots is a power of two */
    size_t n_moved;          /* nodes that did not get their first number */
};

static struct node **slot_of(struct node_table *t, uint64_t ino)
{
    return &t->slots[ino & (t->n_slots - 1)];
}

static struct node *find_ino(struct node_table *t, uint64_t ino)
{
    struct node *n = *slot_of(t, ino);

    while (n && n->ino != ino)
        n = n->next;
    return n;
}

static void grow(struct node_table *t)
{
    size_t n_old = t->n_slots;
    struct node **old = t->slots;
    struct node **slots = calloc(n_old * 2, sizeof(*slots));

    if (!slots)
        return; /* longer chains are no error */
    t->slots = slots;
    t->n_slots = n_old * 2;
    for (size_t i = 0; i < n_old; i++) {
        for (struct node *n = old[i], *next; n; n = next) {
            struct node **slot = slot_of(t, n->ino);

            next = n->next;
            n->next = *slot;
            *slot = n;
        }
    }
    free(old);
}

/* "" where the row has the name. */
static const char *own_name(const struct key *key)
{
    return kind_row(key->kind)->name ? "" : key_name(key);
}

static const char *own_life(const struct key *key)
{
    return key->kind == KIND_SERVICE ? key->life : "";
}

static const char *life_in(const struct node *n)
{
    return n->text + strlen(n->text) + 1;
}

/* Which of its directory's files with versions, 0 or 1; as many as there are for KINDS. */
static unsigned version_place(enum kind_id dir, enum kind_id file)
{
    unsigned n = 0;

    for (int i = 0; i < (int)file; i++)
        n += kind_row(i)->parent == dir && kind_row(i)->flags & KIND_F_VERSION;
    return n;
}

static size_t aligned(size_t size)
{
    return (size + sizeof(uint64_t) - 1) & ~(sizeof(uint64_t) - 1);
}

static uint64_t *version_of(struct node *dir, enum kind_id file)
{
    const char *end = dir->text;

    if (version_place(dir->kind, file) == 0)
        return &dir->version;
    if (!kind_row(dir->kind)->name)
        end += strlen(end) + 1;
    if (dir->kind == KIND_SERVICE)
        end += strlen(end) + 1;
    return (uint64_t *)(void *)((char *)dir + aligned((size_t)(end - (char *)dir)));
}

static struct node *node_new(struct node *dir, const struct key *key, uint64_t ino)
{
    const char *name = own_name(key), *life = own_life(key);
    size_t len = strlen(name) + 1;
    bool lives = key->kind == KIND_SERVICE, named = !kind_row(key->kind)->name;
    size_t size = offsetof(struct node, text) + (named ? len : 0) + (lives ? strlen(life) + 1 : 0);
    bool two = S_ISDIR(kind_row(key->kind)->mode) && version_place(key->kind, KINDS) > 1;
    struct node *n = calloc(1, MAX(sizeof(*n), two ? aligned(size) + sizeof(uint64_t) : size));

    if (!n)
        return NULL;
    if (named)
        memcpy(n->text, name, len);
    if (lives)
        strcpy(n->text + len, life);
    n->ino = ino;
    n->kind = (uint8_t)key->kind;
    n->version = key->version;
    n->dir = dir;
    if (dir)
        dir->refs++;
    return n;
}

static void insert(struct node_table *t, struct node *n)
{
    struct node **slot;

    if (t->n_nodes > t->n_slots)
        grow(t);
    slot = slot_of(t, n->ino);
    n->next = *slot;
    *slot = n;
    t->n_nodes++;
}

static void drop_if_unused(struct node_table *t, struct node *n)
{
    while (n && !n->nlookup && !n->refs && n->dir) {
        struct node *dir = n->dir, **at = slot_of(t, n->ino);

        while (*at != n)
            at = &(*at)->next;
        *at = n->next;
        t->n_nodes--;
        t->n_moved -= n->moved;
        free(n);
        dir->refs--;
        n = dir;
    }
}

int node_table_new(struct node_table **ret)
{
    struct node_table *t = calloc(1, sizeof(*t));
    struct key root = {.kind = KIND_ROOT, .life = ""};
    struct node *n;

    if (!t)
        return -ENOMEM;
    t->n_slots = FIRST_SLOTS;
    t->slots = calloc(t->n_slots, sizeof(struct node *));
    n = node_new(NULL, &root, 1);
    if (!t->slots || !n) {
        free(t->slots);
        free(n);
        free(t);
        return -ENOMEM;
    }
    pthread_mutex_init(&t->lock, NULL);
    insert(t, n);
    *ret = t;
    return 0;
}

void node_table_free(struct node_table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n_slots; i++) {
        for (struct node *n = t->slots[i], *next; n; n = next) {
            next = n->next;
            free(n);
        }
    }
    free(t->slots);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

size_t node_count(struct node_table *t)
{
    size_t n;

    pthread_mutex_lock(&t->lock);
    n = t->n_nodes;
    pthread_mutex_unlock(&t->lock);
    return n;
}

static bool matches(const struct node *n, const struct node *dir, const struct key *key)
{
    const struct kind *row = kind_row(key->kind);

    if (n->dir != dir || n->kind != key->kind || n->dead)
        return false;
    if (row->flags & KIND_F_VERSION && n->version != key->version)
        return false;
    if (row->name)
        return true;
    return streq(n->text, key_name(key)) &&
           (key->kind != KIND_SERVICE || streq(life_in(n), key->life));
}

/* The node below which that of an entry of dir hangs. What is read never changes. */
static const struct node *home(const struct node *dir, const struct key *key)
{
    while (kind_row(key->kind)->flags & KIND_F_SHARED && dir->kind != kind_row(key->kind)->parent)
        dir = dir->dir;
    return dir;
}

uint64_t node_entry_ino(const struct node *dir, const struct key *key)
{
    return key_inode(home(dir, key)->ino, key);
}

/* The node of an entry of dir, or NULL and in *ret_ino the first number that is free for it. A node
 * may stand behind a number that has become free since: as long as any node was moved on, some
 * further ones are looked at. */
static struct node *find_in(struct node_table *t, const struct node *dir, const struct key *key,
                            uint64_t *ret_ino)
{
    uint64_t ino = key_inode(dir->ino, key), least = t->n_moved ? PROBES : 1;

    *ret_ino = 0;
    for (uint64_t i = 0; i < least || !*ret_ino; i++) {
        struct node *n = find_ino(t, ino + i);

        if (n && matches(n, dir, key))
            return n;
        if (!n && !*ret_ino)
            *ret_ino = ino + i;
    }
    return NULL;
}

/* The node of a key, or NULL: without its directory's it has none. */
static struct node *find_key(struct node_table *t, const struct key *key)
{
    struct node *dir;
    struct key up;
    uint64_t unused;

    if (key->kind == KIND_ROOT)
        return find_ino(t, 1);
    up = key_parent(key);
    dir = find_key(t, &up);
    return dir ? find_in(t, dir, key, &unused) : NULL;
}

int node_lookup(struct node_table *t, struct node *dir, const struct key *key, struct node **ret)
{
    struct node *n;
    uint64_t ino = 0;
    int r = 0;

    dir = (struct node *)home(dir, key);
    pthread_mutex_lock(&t->lock);
    n = find_in(t, dir, key, &ino);
    if (!n) {
        n = node_new(dir, key, ino);
        if (n) {
            n->moved = ino != key_inode(dir->ino, key);
            t->n_moved += n->moved;
            insert(t, n);
        }
    }
    if (n) {
        n->nlookup++;
        n->refs++;
        if (kind_row(key->kind)->flags & KIND_F_VERSION)
            *version_of(dir, key->kind) = key->version;
        *ret = n;
    } else {
        r = -ENOMEM;
    }
    pthread_mutex_unlock(&t->lock);
    return r;
}

bool node_lookup_again(struct node_table *t, uint64_t ino)
{
    struct node *n;

    pthread_mutex_lock(&t->lock);
    n = find_ino(t, ino);
    if (n)
        n->nlookup++;
    pthread_mutex_unlock(&t->lock);
    return n;
}

void node_forget(struct node_table *t, uint64_t ino, uint64_t nlookup)
{
    struct node *n;

    pthread_mutex_lock(&t->lock);
    n = find_ino(t, ino);
    if (n) {
        n->nlookup -= nlookup < n->nlookup ? nlookup : n->nlookup;
        drop_if_unused(t, n);
    }
    pthread_mutex_unlock(&t->lock);
}

struct node *node_get(struct node_table *t, uint64_t ino)
{
    struct node *n;

    pthread_mutex_lock(&t->lock);
    n = find_ino(t, ino);
    if (n)
        n->refs++;
    pthread_mutex_unlock(&t->lock);
    return n;
}

struct node *node_ref(struct node_table *t, struct node *n)
{
    pthread_mutex_lock(&t->lock);
    n->refs++;
    pthread_mutex_unlock(&t->lock);
    return n;
}

void node_put(struct node_table *t, struct node *n)
{
    if (!n)
        return;
    pthread_mutex_lock(&t->lock);
    n->refs--;
    drop_if_unused(t, n);
    pthread_mutex_unlock(&t->lock);
}

uint64_t node_ino(const struct node *n)
{
    return n->ino;
}

/* Without the lock: what is read here never changes, and the way up is held. */
void node_key(const struct node *n, struct key *ret)
{
    struct key key = {.kind = n->kind, .life = ""};
    const char *names[KEY_ARGS];

    if (kind_row(key.kind)->flags & KIND_F_VERSION)
        key.version = n->version;
    for (; n; n = n->dir) {
        if (n->kind == KIND_SERVICE)
            key.life = life_in(n);
        if (n->kind == KIND_DELETING_FAMILY && key.kind != KIND_DELETING_FAMILY)
            key.deleting = true;
        if (!kind_row(n->kind)->name && key.n_args < KEY_ARGS)
            names[key.n_args++] = n->text;
    }
    for (unsigned i = 0; i < key.n_args; i++)
        key.args[i] = names[key.n_args - 1 - i];
    *ret = key;
}

static bool is_known(const struct node *n)
{
    return n && (n->nlookup || n->ino == 1);
}

bool node_known(struct node_table *t, uint64_t ino)
{
    bool known;

    pthread_mutex_lock(&t->lock);
    known = is_known(find_ino(t, ino));
    pthread_mutex_unlock(&t->lock);
    return known;
}

uint64_t node_find(struct node_table *t, const struct key *key)
{
    const struct node *n;
    uint64_t ino = 0;

    pthread_mutex_lock(&t->lock);
    n = find_key(t, key);
    if (is_known(n))
        ino = n->ino;
    pthread_mutex_unlock(&t->lock);
    return ino;
}

uint64_t node_take_version(struct node_table *t, const struct key *dir, enum kind_id file)
{
    uint64_t version = 0;
    struct node *n;

    pthread_mutex_lock(&t->lock);
    n = find_key(t, dir);
    if (n) {
        version = *version_of(n, file);
        *version_of(n, file) = 0;
    }
    pthread_mutex_unlock(&t->lock);
    return version;
}

int64_t node_changed(struct node_table *t, struct node *n)
{
    int64_t ms;

    pthread_mutex_lock(&t->lock);
    ms = n->changed_ms;
    pthread_mutex_unlock(&t->lock);
    return ms;
}

uint64_t node_touch(struct node_table *t, const struct key *key, int64_t now_ms)
{
    struct node *n;
    uint64_t ino = 0;

    pthread_mutex_lock(&t->lock);
    n = find_key(t, key);
    if (is_known(n)) {
        n->changed_ms = MAX(now_ms, n->changed_ms + 1);
        ino = n->ino;
    }
    pthread_mutex_unlock(&t->lock);
    return ino;
}

void node_kill(struct node_table *t, uint64_t ino)
{
    struct node *n;

    pthread_mutex_lock(&t->lock);
    n = find_ino(t, ino);
    if (n && n->ino != 1)
        n->dead = true;
    pthread_mutex_unlock(&t->lock);
}
