/*
 * A resource type: one row in types.c, one file. The driver (step.c) calls these functions in the
 * order that engine.md «A step» and «Deleting» prescribe; they never wait for a state and never
 * send a write twice: they look, or send, and return. All run on a worker thread of the service's
 * engine.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "awsapi/client.h"
#include "base/fault.h"
#include "provision/naming.h"
#include "provision/property.h"

/* Found at the owning service. */
enum step_found {
    FOUND_ABSENT,
    FOUND_OURS,
    FOUND_STRANGER, /* exists under our identity without our claim */
    FOUND_GOING     /* ours, and its deletion is under way */
};

struct step_state {
    enum step_found found;
    char physical[256]; /* what Ref gives: id, name or ARN as CloudFormation documents */
    char short_id[256]; /* what the record keeps: short, no ARN; enough, with the identity, for
                           nothing but speed and display */
    char key[640];      /* of the index: the ARN, or "SERVICE/TYPE/ID" */
    char detail[256];   /* of a stranger: what it is, for the error */
    json_t *attributes; /* what Fn::GetAtt gives: object of strings, or NULL */
    bool degraded;      /* there, but runs less than it should (ECS) */
};
void step_state_done(struct step_state *s);

struct step_ctx {
    struct aws_client *aws;
    const struct aws_ctx *call; /* for each call; its deadline ends with the lease */
    struct clock *clock;
    const char *service_id, *family, *claim;
    const char *region, *account, *partition;
    const char *db_ca;   /* or NULL */
    const char *logical; /* id of this step */
    const char *token;   /* of this step, 32 hex digits */
    json_t *identity;    /* as type->identity made it; from the record */
    json_t *tags;        /* the four tags: object of strings; never NULL while creating */
    const struct step_state *known; /* last look, or NULL */
    const char *short_id; /* as the record has it, or NULL: spares a search, proves nothing */
    /* The physical id (Ref) / the ARN or key / an attribute of another step of this service; looks
     * it up where it is not known yet. -ENOENT: that one is not there. */
    int (*other)(struct step_ctx *s, const char *logical, struct step_state *ret, struct fault *f);
    /* One line for `events` (ECS's own events, a chosen priority); action: one word. */
    void (*event)(struct step_ctx *s, const char *action, const char *physical, const char *text);
    void *driver;
};

struct resource_type {
    const char *name; /* "AWS::EFS::FileSystem" */
    const char *code; /* in records: "fs"; never changes its meaning */
    const struct property *properties;
    const char *const *attributes; /* of Fn::GetAtt; NULL-ended */
    size_t short_id_max;           /* greatest length of short_id, for the record's size */
    const char *key_prefix;        /* of a thing without an ARN: its key is this and its short_id
                                      ("elasticfilesystem/mount-target/"); else NULL */

    /* The identity (engine.md's table), a small object of strings with one-letter keys, from the
     * properties in which parameters are resolved and references to other steps still stand as
     * {"Ref": …} / {"Fn::GetAtt": …}. A reference where a plain value is needed: -EINVAL. A
     * reference to a step is kept as {"…": "!LOGICAL"}. s has ids, claim, logical and token only.
     */
    int (*identity)(const struct step_ctx *s, json_t *properties, json_t **ret, struct fault *f);
    /* Further checks at load that the table cannot say, or NULL. */
    int (*check)(const struct step_ctx *s, json_t *properties, struct fault *f);

    /* Reads only. *ret written on 0. Absent is 0 with FOUND_ABSENT, never -ENOENT. */
    int (*look)(struct step_ctx *s, struct step_state *ret, struct fault *f);
    /* Sends the one create, with tags. properties: all resolved, CloudFormation's names. Its answer
     * proves nothing; the driver looks. -EAGAIN where clear and worth trying again; -EEXIST: the
     * driver looks who it is. */
    int (*create)(struct step_ctx *s, json_t *properties, struct fault *f);
    /* Makes each further setting hold ("already there" is success) and tells whether it is usable.
     * 0: done; 1: not yet, ask again (f may then say what is waited for); < 0: failed. st: of the
     * look before; may be filled further. NULL: usable at once. */
    int (*settle)(struct step_ctx *s, json_t *properties, struct step_state *st, struct fault *f);
    /* Sends the delete of what st says is ours. 0: sent or nothing to send any more; -EBUSY: in
     * use, ask again later (f names by what). */
    int (*remove)(struct step_ctx *s, const struct step_state *st, struct fault *f);
    /* Stops what runs, deletes nothing: for the time of DeleteGrace. May be called again. NULL:
     * nothing runs. */
    int (*pause)(struct step_ctx *s, const struct step_state *st, struct fault *f);
    /* DeletionPolicy Retain at teardown: set / unset tags of what is ours. NULL: type cannot be
     * retained (an error at load). */
    int (*retag)(struct step_ctx *s, const struct step_state *st, json_t *set, json_t *unset,
                 struct fault *f);
};

/* NULL where there is none. */
const struct resource_type *type_by_name(const char *name);
const struct resource_type *type_by_code(const char *code);
const struct resource_type *type_at(size_t i); /* all, in order; NULL behind the last */

/* Help for identities: whether v is a reference to a step; gives its logical id (borrowed) or NULL.
 */
const char *type_reference(json_t *v);
