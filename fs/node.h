/*
 * The node table: node id ↔ key, for as long as the kernel (or a request at work) knows the node.
 * The node id is the inode number. Thread-safe.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macro.h"
#include "fs/key.h"

struct node; /* private but for these */
struct node_table;

int node_table_new(struct node_table **ret);
void node_table_free(struct node_table *t); /* also what the kernel never forgot */
DEFINE_CLEANUP(struct node_table *, node_table_free)
size_t node_count(struct node_table *t);

/* A reference for a request at work; NULL: the kernel named a node that it has forgotten. */
struct node *node_get(struct node_table *t, uint64_t ino);
struct node *node_ref(struct node_table *t, struct node *n);
void node_put(struct node_table *t, struct node *n);
uint64_t node_ino(const struct node *n);
/* Borrows from n, as long as it is referenced. */
void node_key(const struct node *n, struct key *ret);

/* The number that an entry of the directory has, unless it must be moved on. */
uint64_t node_entry_ino(const struct node *dir, const struct key *key);
/* A reference to the node of a key that is an entry of dir, made where there is none, and counted
 * as one lookup by the kernel. 0, -ENOMEM. */
int node_lookup(struct node_table *t, struct node *dir, const struct key *key, struct node **ret);
/* The same for a node that is there; false: it is not. */
bool node_lookup_again(struct node_table *t, uint64_t ino);
void node_forget(struct node_table *t, uint64_t ino, uint64_t nlookup);

bool node_known(struct node_table *t, uint64_t ino); /* to the kernel */
/* The node id of a key where the kernel knows it, else 0. */
uint64_t node_find(struct node_table *t, const struct key *key);
/* The version that was last looked up of the file of that kind in the directory dir, or 0; and it
 * counts as not looked up afterwards. */
uint64_t node_take_version(struct node_table *t, const struct key *dir, enum kind_id file);
/* When what it stands for was seen to change, wall ms; 0: not since the kernel knows it. */
int64_t node_changed(struct node_table *t, struct node *n);
/* Sets that to now_ms, or more, so that it grows strictly; the node id, or 0: the kernel does not
 * know it. */
uint64_t node_touch(struct node_table *t, const struct key *key, int64_t now_ms);
/* The directory was removed with success: the kernel shows nothing in this node any more, so that
 * the same key, if it comes back, must be another node (fuse-facts.md 18). */
void node_kill(struct node_table *t, uint64_t ino);
