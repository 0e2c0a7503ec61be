/*
 * The kinds of nodes, one row each: a new file in the tree is one row and one render function.
 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fault.h"
#include "fs/key.h"
#include "fs/place.h"

/* The kernel keeps what it was told until it is told otherwise (notify.h). */
#define KIND_FOR_EVER (365 * 24 * 3600.0)

enum kind_flags {
    KIND_F_DIRECT = 1,     /* content is not cached by the kernel: it changes by itself, or waits */
    KIND_F_VOLATILE = 2,   /* nor are the attributes */
    KIND_F_VERSION = 4,    /* another node with each new content: one open sees one content */
    KIND_F_HIDDEN = 8,     /* found, but not listed */
    KIND_F_ALWAYS = 16,    /* answers before there is a snapshot */
    KIND_F_FOLLOW = 32,    /* grows; can be polled */
    KIND_F_WAIT = 64,      /* READ waits */
    KIND_F_WRITE = 128,    /* may be opened for writing */
    KIND_F_NEGATIVE = 256, /* a directory: that a name is not in it is cached, too */
    KIND_F_LONG = 512,     /* of thousands of lines: not written only because it is listed; kept */
    KIND_F_FETCHED = 1024, /* LOOKUP and READDIRPLUS answer without it; GETATTR, OPEN, READ wait */
    KIND_F_SHARED = 2048,  /* one node that stands in many directories below its parent, under the
                              same name: links that say the same, so that one READLINK is enough */
};

typedef int (*list_fn)(void *arg, const struct key *key, const char *name);

struct kind {
    enum kind_id parent;
    const char *name; /* NULL: an entry with a name of its own, found by the parent's find */
    mode_t mode;      /* type and permissions, before the umask */
    unsigned flags;
    /* All but exists and changed return 0 or a negative errno; or PARK. */
    int (*resolve)(struct place *p); /* inherited by what is below */
    bool (*exists)(struct place *p); /* NULL: wherever its directory is */
    int (*render)(struct place *p, struct buf *out, struct fault *f);  /* content, or target */
    int (*find)(struct place *dir, const char *name, struct key *ret); /* ret borrows */
    int (*list)(struct place *dir, list_fn emit, void *arg);
    int64_t (*changed)(struct place *p); /* when content or listing became what it is, wall ms; 0,
                                            or NULL: as far as known it always was */
    int (*size)(struct place *p, size_t *ret); /* NULL: render tells */
    bool (*writable)(struct place *p);         /* NULL: as the mode says */
};

const struct kind *kind_row(enum kind_id id);
enum kind_id kind_parent(const struct key *key); /* of the node's directory */
double kind_attr_timeout(enum kind_id id);
bool kind_is_early(const struct key *key); /* can be answered from a sketch (cache.h) */

/* Whether a node that place_open found has content now: -ENOENT for an entry that is not there (any
 * more), -ESTALE where it has another content, or another life, now. */
int kind_present(struct place *p);
/* -ENOENT; ret borrows from dir, name and snapshot; without a version. */
int kind_find(struct place *dir, const char *name, struct key *ret);
int kind_list(struct place *dir, list_fn emit, void *arg); /* files first; keys as kind_find's */
/* The version that the key of what p stands for should have; 0 where it has none. */
int kind_version(struct place *p, uint64_t *ret, struct fault *f);
int kind_attr(struct place *p, uint64_t ino, struct stat *ret, struct fault *f);
int64_t kind_mtime(struct place *p);    /* wall ms; of a directory it grows with each new listing */
const char *const *kind_reserved(void); /* names that no service has; as the cache has them */
mode_t kind_mode(const struct fs *fs, enum kind_id id);
