/*
 * The kinds of nodes, one row each: a new file in the tree is one row and one render function. A
 * place is a key resolved against one snapshot, for the time of one operation.
 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fault.h"
#include "cache/lookup.h"
#include "fs/fs.h"
#include "fs/key.h"

/* Not an errno: the answer is not there yet, ask again when the park was woken. */
enum { PARK = 1 };

enum kind_flags {
    KIND_F_DIRECT = 1, /* changes by itself: content is not cached by the kernel */
    KIND_F_HIDDEN = 2, /* found, but not listed */
    KIND_F_ALWAYS = 4, /* answers before there is a snapshot */
    KIND_F_FOLLOW = 8, /* READ gives what there is then, not what there was at open */
    KIND_F_WAIT = 16,  /* READ waits */
    KIND_F_WRITE = 32, /* may be opened for writing */
};

struct place {
    struct fs *fs;
    const struct snapshot *snap; /* a reference; NULL where there is none yet */
    const struct key *key;
    const struct index_family *family;
    const struct index_service *service;
    const struct index_group *group;
    const struct index_kind *rkind;
    const struct index_type *rtype;
    const struct index_resource *resource;
    struct service_view *view; /* place_view fills it */
    struct fault *fault;       /* of the operation */
};

typedef int (*list_fn)(void *arg, const struct key *key, const char *name);

struct kind {
    enum kind_id parent;
    const char *name; /* NULL: an entry with a name of its own, found by the parent's find */
    mode_t mode;      /* type and permissions, before the umask */
    unsigned flags;
    double timeout_s; /* of the entry and of its attributes */
    /* All return 0 or a negative errno; or PARK. */
    int (*resolve)(struct place *p); /* inherited by what is below */
    bool (*exists)(struct place *p); /* NULL: wherever its directory is */
    int (*render)(struct place *p, struct buf *out, struct fault *f);  /* content, or target */
    int (*find)(struct place *dir, const char *name, struct key *ret); /* ret borrows */
    int (*list)(struct place *dir, list_fn emit, void *arg);
};

const struct kind *kind_row(enum kind_id id);
enum kind_id kind_parent(const struct key *key); /* of the node's directory */

/* 0, PARK (no snapshot yet), the errno of the last sweep (no snapshot, and the sweep failed),
 * -ENOENT (gone). */
int place_open(struct fs *fs, const struct key *key, struct place *ret, struct fault *f);
void place_done(struct place *p);
#define _cleanup_place_ _cleanup_(place_done)
int place_snapshot(const struct place *p); /* 0 where there is one, else as place_open */
int place_view(struct place *p);           /* fills p->view; 0, -ENOMEM */

/* Whether a node that place_open found has content now: -ENOENT for an entry that is not there (any
 * more). */
int kind_present(struct place *p);
int kind_find(struct place *dir, const char *name,
              struct key *ret); /* -ENOENT; ret borrows from dir, name and snapshot */
int kind_list(struct place *dir, list_fn emit, void *arg); /* files first */
int kind_attr(struct place *p, uint64_t ino, struct stat *ret, struct fault *f);
const char *const *kind_reserved(void); /* names that no service has; as the cache has them */
mode_t kind_mode(const struct fs *fs, enum kind_id id);
