/*
 * The node table: node id ↔ key, for as long as the kernel (or a request at work) knows the node.
 * The node id is the inode number: a stable hash of the path and of the service's life; two that
 * collide are told apart by counting on. Thread-safe.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macro.h"
#include "fs/key.h"

struct node {
    struct key key; /* of the node's own memory; immutable */
    uint64_t ino;
    /* private */
    uint64_t nlookup;
    unsigned refs;
    bool dead;
    struct node *next;
    char *memory;
};

struct node_table;

int node_table_new(struct node_table **ret);
void node_table_free(struct node_table *t); /* also what the kernel never forgot */
DEFINE_CLEANUP(struct node_table *, node_table_free)

/* The node of a key, made where there is none, counted as one lookup by the kernel. 0, -ENOMEM. */
int node_lookup(struct node_table *t, const struct key *key, uint64_t *ret_ino);
void node_forget(struct node_table *t, uint64_t ino, uint64_t nlookup);
/* A reference for a request at work; NULL: the kernel named a node that it has forgotten. */
struct node *node_get(struct node_table *t, uint64_t ino);
struct node *node_ref(struct node_table *t, struct node *n);
void node_put(struct node_table *t, struct node *n);
/* The node id of a key where the kernel knows it, else 0. */
uint64_t node_find(struct node_table *t, const struct key *key);
/* The directory was removed with success: the kernel shows nothing in this node any more, so that
 * the same key, if it comes back, must be another node (fuse-facts.md 18). */
void node_kill(struct node_table *t, uint64_t ino);
