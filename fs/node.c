/*
 * A chained hash table by node id. Invariants: the root is there for ever; every other node lives
 * while the kernel's lookups or references of requests at work are left; no two living nodes have
 * the same key. Rejected: one table by key and one by node id, since the key gives the node id.
 */
#include "fs/node.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 1024 };

struct node_table {
    pthread_mutex_t lock;
    struct node **slots;
    size_t n_slots, n_nodes; /* n_slots is a power of two */
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

static struct node *node_new(const struct key *key, uint64_t ino)
{
    size_t size = strlen(key->life) + 1;
    struct node *n = calloc(1, sizeof(*n));
    char *at;

    for (unsigned i = 0; i < key->n_args; i++)
        size += strlen(key->args[i]) + 1;
    if (!n || !(n->memory = malloc(size))) {
        free(n);
        return NULL;
    }
    at = n->memory;
    n->key = *key;
    n->key.life = strcpy(at, key->life);
    at += strlen(at) + 1;
    for (unsigned i = 0; i < key->n_args; i++) {
        n->key.args[i] = strcpy(at, key->args[i]);
        at += strlen(at) + 1;
    }
    n->ino = ino;
    return n;
}

static void node_free(struct node *n)
{
    free(n->memory);
    free(n);
}

static void drop_if_unused(struct node_table *t, struct node *n)
{
    struct node **at = slot_of(t, n->ino);

    if (n->nlookup || n->refs || n->ino == 1)
        return;
    while (*at != n)
        at = &(*at)->next;
    *at = n->next;
    t->n_nodes--;
    node_free(n);
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
    n = node_new(&root, 1);
    if (!t->slots || !n) {
        free(t->slots);
        if (n)
            node_free(n);
        free(t);
        return -ENOMEM;
    }
    pthread_mutex_init(&t->lock, NULL);
    *slot_of(t, 1) = n;
    t->n_nodes = 1;
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
            node_free(n);
        }
    }
    free(t->slots);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

/* The living node of key, or NULL and in *ret_ino the first number that is free for it. */
static struct node *find_key(struct node_table *t, const struct key *key, uint64_t *ret_ino)
{
    uint64_t ino = key_inode(key);
    struct node *n;

    while ((n = find_ino(t, ino))) {
        if (!n->dead && key_equal(&n->key, key))
            return n;
        ino++;
    }
    *ret_ino = ino;
    return NULL;
}

int node_lookup(struct node_table *t, const struct key *key, uint64_t *ret_ino)
{
    struct node *n;
    uint64_t ino = 0;
    int r = 0;

    pthread_mutex_lock(&t->lock);
    n = find_key(t, key, &ino);
    if (!n) {
        if (t->n_nodes > t->n_slots)
            grow(t);
        n = node_new(key, ino);
        if (n) {
            struct node **slot = slot_of(t, ino);

            n->next = *slot;
            *slot = n;
            t->n_nodes++;
        }
    }
    if (n) {
        n->nlookup++;
        *ret_ino = n->ino;
    } else {
        r = -ENOMEM;
    }
    pthread_mutex_unlock(&t->lock);
    return r;
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

uint64_t node_find(struct node_table *t, const struct key *key)
{
    uint64_t unused;
    struct node *n;
    uint64_t ino = 0;

    pthread_mutex_lock(&t->lock);
    n = find_key(t, key, &unused);
    if (n && (n->nlookup || n->ino == 1))
        ino = n->ino;
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
