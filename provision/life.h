/*
 * A life: what this daemon knows of one record, from the claim to the record's end. The table of
 * lives is the daemon's picture of all below /svcfs; engine threads write what they do into it, the
 * watcher what others do. Everything here is thread-safe by the table's one lock, which is never
 * held across a call, a callback or a wait.
 */
#pragma once

#include <sys/queue.h>

#include "base/buf.h"
#include "provision/record.h"

struct provision;

struct life {
    /* Constant over the life. */
    char *id, *family;
    char claim[CLAIM_SIZE];

    /* Under the lock. */
    unsigned refs;
    struct record *record; /* last known; never NULL, replaced as a whole */
    uint64_t digest;       /* of the text that record was read from or written as */
    bool is_protected;
    unsigned intent;   /* highest delete-K that was seen, 0: none */
    int64_t intent_ms; /* monotonic: when it was first seen here; DeleteGrace counts from it */
    unsigned owner_n;  /* highest owner-N that was seen, 0: none */
    struct record_owner owner;
    int64_t owner_since_ms; /* monotonic: when owner-N or its content last changed; without an
                               owner, when the record was first seen so */
    int64_t owner_seen_ms;  /* monotonic: when the last read was begun that showed owner-N so. Only
                               reads tell that  an owner is silent: our own silence, a network that
                               was down, does not */
    int64_t written_ms;  /* monotonic: when this daemon wrote the record last, or first knew of it:
                            reads that  were begun before are too old to be believed */
    int64_t polled_ms;   /* monotonic: when it was last read by itself */
    bool suspect;        /* something else says that record is not the newest */
    uint64_t tagged;     /* digest of claim and phase as the tag index last had them */
    bool engaged;        /* an engine thread of this daemon works on it */
    unsigned tries;      /* how often this daemon has worked on it */
    int64_t next_try_ms; /* monotonic: not taken up again before it */
    bool kicked;         /* the engine is to read the parameters beneath at once */
    bool gone;           /* its record is gone: the table has dropped it */
    uint64_t sweep;      /* the last sweep of the records that saw it */
    struct buf events;
    int64_t events_wall_ms; /* of the last line; 0: none */
    bool degraded;
    char trouble[200]; /* why it is degraded */
    int64_t checked_wall_ms;
    int64_t checked_ms; /* monotonic; 0: never */
    char **keys;        /* of the things without an ARN, as steps found them; n_keys */
    size_t n_keys;
    TAILQ_ENTRY(life) due, resting; /* due.c; on_due, on_resting: whether it is on the list */
    bool on_due, on_resting;
    int64_t looked_ms; /* monotonic: when it last was due; 0: not since it is on the list */

    /* life_tell's own. */
    struct buf told; /* to the cache */
    bool was_told;
};

/* Whether there is work (engine.md 5), and whether it is a teardown. Locked. */
bool life_has_work(const struct life *l);
bool life_is_going(const struct life *l);

/* A reference to the life of this id, or NULL. */
struct life *life_get(struct provision *p, const char *id);
struct life *life_ref(struct provision *p, struct life *l);
void life_unref(struct provision *p, struct life *l);

/* The life of this record: made, or brought up to date, from record (taken over), which a read
 * begun at monotonic begun_ms gave as text (INT64_MAX: just claimed). Another claim than the one
 * known: the old life is gone first. ret_untold: whether there is news that the caller has to give
 * to life_tell; NULL: it is done. NULL: no memory, or the record was seen to vanish since. */
struct life *life_learn(struct provision *p, struct record *record, const char *text,
                        int64_t begun_ms, bool *ret_untold);
/* Tells the cache what it has not been told. */
void life_tell(struct provision *p, struct life *l);
/* Own overwrite of the record with text was answered, or it was read by its owner. Takes record. */
void life_set_record(struct provision *p, struct life *l, struct record *record, const char *text);
/* The record is seen to be gone: tells the cache, notes the time for `EBUSY for 30 s`. */
void life_vanished(struct provision *p, struct life *l);
/* The same, by a reader: nothing where an engine works on it or where it is newer than the read. */
void life_not_found(struct provision *p, const char *id, int64_t begun_ms);
/* Intent K was made by this daemon: the service moves to deleting/. */
void life_set_intent(struct provision *p, struct life *l, unsigned intent);
/* A thing without an ARN was made (or is gone again). */
void life_set_key(struct provision *p, struct life *l, const char *key, bool there);
void life_set_health(struct provision *p, struct life *l, bool degraded, const char *trouble);

/* One line of `events`: time, logical id, action, physical id, text; "" and NULL become "-". */
void life_event(struct provision *p, struct life *l, const char *logical, const char *action,
                const char *physical, const char *fmt, ...) _printf_(6, 7);

/* The same with "what: call: code: message" of f as the text, without what is empty. */
void life_event_fault(struct provision *p, struct life *l, const char *logical, const char *action,
                      const char *physical, const char *what, const struct fault *f);

/* Copies of what is under the lock. record: a copy, *ret NULL without memory. */
struct record *life_record(struct provision *p, struct life *l);

/* All lives, referenced; *ret malloc'ed, each to be unref'ed. */
int life_list(struct provision *p, struct life ***ret, size_t *ret_n);
/* Whether any other life than l is of this family. */
bool life_family_has_others(struct provision *p, const struct life *l);

/* Milliseconds since a record of this id was seen to vanish; -1: never (or long ago). */
int64_t life_since_vanished(struct provision *p, const char *id);
/* Nothing that was read before monotonic before_ms will be learnt any more. */
void life_forget_vanished(struct provision *p, int64_t before_ms);
