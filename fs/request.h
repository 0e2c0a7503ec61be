/*
 * One request of the kernel, from its arrival to its one answer. An operation is a function that
 * may be run again: it answers (0), fails (negative errno, which becomes the answer and a line in
 * the log), or says PARK and is run again when something has changed.
 */
#pragma once

#include "base/fault.h"
#include "cache/name.h"
#include "fs/fs.h"
#include "fs/node.h"

struct request;

enum {
    OP_ABSENT_IS_ORDINARY = 1, /* ENOENT is no line in the log */
    OP_LOCKS_DIRECTORY = 2,    /* the kernel holds the lock of the directory, its node, meanwhile */
};

struct operation {
    const char *name;
    int (*run)(struct request *r);
    unsigned flags;
};

struct request {
    struct fs *fs;
    fuse_req_t req;
    const struct operation *op;
    struct node *node; /* a reference; the directory, where there is a name */
    uint64_t ino;      /* of it */
    struct key key;    /* of it; borrows from it */
    char name[NAME_SIZE];
    size_t size;
    off_t off;
    struct fuse_file_info fi;
    const char *data; /* of a WRITE: size bytes, as long as it is not handed on */
    int64_t begun_ms;
    uint64_t epoch; /* from before it looked at anything (notify.h) */
    bool holding;   /* names in its directory are held back (notify.h) */
    struct fault fault;
};

/* name and fi may be NULL. Answers, parks, or hands on. */
void request_begin(fuse_req_t req, const struct operation *op, fuse_ino_t ino, const char *name,
                   size_t size, off_t off, const struct fuse_file_info *fi);
/* The same of a WRITE. */
void request_begin_write(fuse_req_t req, const struct operation *op, fuse_ino_t ino,
                         const char *data, size_t size, off_t off, const struct fuse_file_info *fi);
void request_run(struct request *r); /* again; r is the caller's, its node reference is not */
void request_fail(struct request *r, int err); /* answers with err and logs; the node stays */
/* It will wait for something; it has been answered, and waits no more. */
void request_waits(struct request *r);
void request_waited(struct request *r);
struct handle;
static inline struct handle *request_handle(const struct request *r)
{
    return (struct handle *)(uintptr_t)r->fi.fh;
}
