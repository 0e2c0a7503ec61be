/*
 * A place is a key resolved against one snapshot, for the time of one operation.
 */
#pragma once

#include "base/macro.h"
#include "cache/index.h"
#include "fs/fs.h"
#include "fs/key.h"

/* Not an errno: the answer is not there yet, ask again when the park was woken. */
enum { PARK = 1 };

struct content;
struct node;
struct request;

struct place {
    struct fs *fs;
    const struct snapshot *snap; /* a reference (borrowed by place_child); NULL: none yet */
    uint64_t epoch;              /* from before snap was taken (notify.h) */
    const struct key *key;
    struct node *node; /* borrowed; NULL where the kernel has none (yet) */
    const struct index_family *family;
    const struct index_service *service;
    const struct index_group *group;
    const struct index_kind *rkind;
    const struct index_type *rtype;
    const struct index_resource *resource;
    struct service_view *view; /* place_view fills it */
    struct service_row row;    /* place_row fills it */
    bool has_row;
    int64_t rows_ms;         /* of a table that was rendered: the latest time of its rows */
    bool glance;             /* from its directory: what has to be fetched is not waited for */
    bool unknown;            /* and was not known: its size says nothing */
    struct content *content; /* of a file with versions, once it was asked for */
    int64_t since_ms;        /* when the request came, monotonic */
    struct fault *fault;     /* of it */
};

/* The place of the request's node. 0, PARK (no snapshot yet), the errno of the last sweep (no
 * snapshot, and the sweep failed), -ENOENT (gone), -ESTALE (another life has the name). */
int place_open(struct request *r, struct place *ret);
/* The place of an entry of dir in the same snapshot; borrows it: end it before dir. As place_open.
 */
int place_child(const struct place *dir, const struct key *key, struct place *ret);
void place_done(struct place *p);
void place_child_done(struct place *p);
#define _cleanup_place_ _cleanup_(place_done)
#define _cleanup_place_child_ _cleanup_(place_child_done)

int place_snapshot(const struct place *p); /* 0 where there is a whole one, else as place_open */
int place_whole(const struct place *p);    /* the same, and no sketch will do */
/* The same where it was read by this daemon: for what changes AWS. */
int place_swept(const struct place *p);
/* For a name that the snapshot does not have: -ENOENT, if it is one that can tell. */
int place_absent(const struct place *p);
/* As place_snapshot, for the lists of p's family, of which a sketch may know the name alone. */
int place_family(const struct place *p);
int place_view(struct place *p); /* fills p->view; 0, -ENOMEM */
const struct service_row *place_row(struct place *p);
