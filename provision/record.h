/*
 * The record of a service, /svcfs/ID: what was claimed, what will be made, how it ended
 * (engine.md). This is the format alone: reading and printing, no network. At most RECORD_MAX
 * bytes; `{{` never stands in it.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "provision/plan.h"

enum { RECORD_MAX = 4000, RECORD_ERROR_MAX = 700 };

enum record_phase { PHASE_CREATING, PHASE_READY, PHASE_FAILED, PHASE_DELETING };
const char *record_phase_name(enum record_phase p);

struct record_step {
    char *logical;
    const struct resource_type *type; /* NULL: a code that this version does not know */
    char *unknown_code;               /* then: the code */
    char *identity; /* an object of strings, as text until a step needs it: Jansson's objects of
                       ten thousand records are 50 MB */
    char *short_id; /* or NULL: not known (yet) */
    bool retain;
};

struct record {
    char *id, *family;
    char claim[CLAIM_SIZE];
    enum record_phase phase;
    unsigned spent;   /* highest delete-K that was carried out or refused */
    char *who, *host; /* who asked, and where */
    int64_t created_wall_ms;
    int64_t changed_wall_ms; /* of the phase */
    int64_t lease_ms;        /* of the claim's maker */
    int64_t delete_grace_ms;
    unsigned max_deletes_per_minute;
    char blueprint_hash[17];
    struct record_step *steps; /* in order of making */
    size_t n_steps;
    json_t *outputs; /* object of strings, or NULL */
    char *error;     /* lines of the file `error`, or NULL */
};

/* The record with the claim: phase creating, spent 0. */
int record_new(const struct plan *p, const char *who, const char *host, int64_t now_wall_ms,
               int64_t lease_ms, struct record **ret, struct fault *f);
int record_copy(const struct record *r, struct record **ret);
void record_free(struct record *r);
DEFINE_CLEANUP(struct record *, record_free)

/* The text, malloc'ed. -EFBIG where it would pass RECORD_MAX: first the error, then outputs, then
 * short ids are shortened or left out before that is said. */
int record_print(const struct record *r, char **ret, struct fault *f);
/* -EPROTO: not a record, or of a later format (f says which). */
int record_parse(const char *id, const char *text, struct record **ret, struct fault *f);
/* Whether records of this blueprint could pass RECORD_MAX (longest id, every short id at its
 * maximum, an error of RECORD_ERROR_MAX / 2): for the check at load. */
int record_check_size(const struct plan *longest, struct fault *f);

/* `step: call: code: request-id: message: next:` lines. malloc'ed, at most RECORD_ERROR_MAX bytes;
 * NULL: no memory. */
char *record_error_text(const char *step, const struct fault *f);

/* What stands beneath a record: /svcfs/ID/CLAIM/WORD[-N]. */
struct record_child {
    char id[64];
    char claim[CLAIM_SIZE];
    enum { CHILD_OWNER, CHILD_DELETE, CHILD_CANCEL, CHILD_PROTECT } word;
    unsigned n;
};
/* 0: name is a record's (ret_child->claim empty) or a child's; -EINVAL: neither. */
int record_parse_name(const char *name, struct record_child *ret);

/* Content of owner-N: {"nonce": …, "lease": ms, "host": …, "released": bool, "beat": n}. */
struct record_owner {
    char nonce[CLAIM_SIZE];
    int64_t lease_ms;
    unsigned long beat; /* grows with each renewal, so that others see a change */
    bool released;
    char host[64]; /* for people; may be empty */
};
int record_owner_print(const struct record_owner *o, char **ret);
int record_owner_parse(const char *text, struct record_owner *ret);
