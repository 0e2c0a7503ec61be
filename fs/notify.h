/*
 * Telling the kernel what it must forget. It keeps names, attributes, listings, contents and
 * targets of links for ever, so what changes must be told, once, and nothing else. Two lanes
 * (fuse-facts.md 30): inval_inode waits for no more than a READ under way, which is answered from
 * memory, and is sent by whoever publishes, before it wakes or answers anybody; inval_entry waits
 * for the locks of directories and has a thread of its own that nobody waits for. Thread-safe.
 *
 * Epochs: whoever has changed something begins a new epoch, after that is in force and before the
 * kernel is told. An answer that was looked up in an older epoch than it is given in may be old,
 * and is given with no time to live (entry.h).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macro.h"
#include "fs/key.h"

struct fs;
struct notify;

int notify_new(struct notify **ret, struct fs *fs);
int notify_start(struct notify *n);
/* Before the session is unmounted: nothing is begun to be sent afterwards. */
void notify_close(struct notify *n);
/* After notify_close: whether both lanes have come to rest. What was sent last may wait for a
 * directory or a page that a request holds which nobody has answered yet: keep answering until this
 * is true. */
bool notify_ended(struct notify *n);
void notify_join(struct notify *n);
void notify_free(struct notify *n);
DEFINE_CLEANUP(struct notify *, notify_free)

uint64_t notify_epoch(struct notify *n);
void notify_next_epoch(struct notify *n);

/* Attributes and content, listing or target of key have changed; its mtime grows. */
void notify_inode(struct notify *n, const struct key *key);
/* What the name in the directory dir stands for has changed: it came, went, or is another node. */
void notify_entry(struct notify *n, const struct key *dir, const char *name);
/* The file with versions of that kind in the directory dir has another content. */
void notify_version(struct notify *n, const struct key *dir, enum kind_id kind);
/* Waits, not for long, until all names that were told of before the call are forgotten: for the
 * answer to a write, whose effects are to be seen by name at once. Under no lock of the kernel, or
 * only for so long. */
void notify_settle(struct notify *n);
/* A request that holds this directory's lock in the kernel has to wait for something: names in it
 * are held back until notify_release. The kernel would not come back from forgetting them,
 * meanwhile no other name would be forgotten, and a daemon that is killed then could not end: it
 * waits for the lock, the lock's owner for an answer, and the connection, which would give it one,
 * for the daemon to end. */
void notify_hold(struct notify *n, uint64_t dir);
void notify_release(struct notify *n, uint64_t dir);
/* Whoever polls looks again. */
void notify_poll(struct notify *n);
