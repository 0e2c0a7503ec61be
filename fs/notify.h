/*
 * What the kernel must forget, and when directories changed. Two lanes (fuse-facts.md 30):
 * inval_inode waits for nothing and is sent by whoever publishes, before it wakes or answers
 * anybody; inval_entry waits for the locks of directories and has a thread of its own that nobody
 * waits for. Thread-safe.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macro.h"
#include "cache/lookup.h"
#include "fs/key.h"

struct fs;
struct notify;

int notify_new(struct notify **ret, struct fs *fs);
int notify_start(struct notify *n);
void notify_close(
    struct notify *n); /* before the session is unmounted: begins to send nothing afterwards */
/* After notify_close: whether the lane for names has come to rest. What it sent last may wait for a
 * directory that a request holds which nobody has answered yet: keep answering until this is true.
 */
bool notify_ended(struct notify *n);
void notify_join(struct notify *n);
void notify_free(struct notify *n);
DEFINE_CLEANUP(struct notify *, notify_free)

/* The cache published; old may be NULL, or the same (a failed sweep). */
void notify_published(struct notify *n, const struct snapshot *old, const struct snapshot *now);
/* The view or the events of a service may have changed; id NULL: the family's blueprint. Values of
 * tags, not names. */
void notify_service(struct notify *n, const char *family, const char *id);

/* When what key stands for was last seen to change, wall ms; 0: not since the mount. Grows
 * strictly. */
int64_t notify_changed(struct notify *n, const struct key *key);
