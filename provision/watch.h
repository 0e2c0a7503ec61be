/*
 * The watcher: what this daemon learns of the work of others, and what it looks after by itself.
 * One thread that takes turns; a turn does a little of what is due and lowers *next to the
 * (monotonic) time when it is to be called again.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "awsapi/ssm.h"
#include "base/buf.h"

struct life;
struct map;
struct provision;
struct record;
struct unread;

/* A third of a limiter's size is what calls in the background may take at once (limit.h); over time
 * they keep to a third of AWS's rate by resting as long as they worked. */
#define WATCH_RATE 0.33

/* due.c: lists instead of a look at every life. All under the lock. */
struct due {
    TAILQ_HEAD(, life) work;    /* with work that nobody here does, or suspect; next one first */
    TAILQ_HEAD(, life) resting; /* ready; whose health was looked at longest ago first */
    bool woken;                 /* something became due that the watcher does not know of */
};
/* Puts l where it belongs. To be called after whatever decides that has changed. */
void due_place(struct provision *p, struct life *l);
/* l's health was looked at, or cannot be: the others come first now. */
void due_checked(struct provision *p, struct life *l);

/* A sweep of the records, and what is kept from one to the next. */
struct watch {
    int64_t scan_ms; /* when the blueprints are looked at again */

    bool sweeping;
    int64_t sweep_ms, backoff_ms;  /* when the next one begins; after a failure */
    int64_t begun_ms;              /* this one */
    char *token;                   /* of the next page; NULL: the first */
    struct ssm_parameters beneath; /* what stands beneath records, as far as read */
    struct life **untold;          /* the cache is to be told of them */
    size_t n_untold;
    int64_t untold_ms;     /* since when */
    struct map *leftovers; /* parameter → malloc'ed int64_t: since when seen beneath a dead claim */

    uint64_t generation;   /* of the snapshot whose tags were looked at */
    int64_t tags_ms;       /* not again before */
    struct map *asked;     /* links without a life that were read in this sweep: what was tagged */
    bool again;            /* some could not be read, or not yet: to be looked at after the sweep */
    struct unread *unread; /* to be read */
    size_t n_unread;
};

/* watch.c */
int watch_start(struct provision *p);
void watch_stop(struct provision *p);
/* All turns, once; gives when the next is due. */
int64_t watch_turn(struct provision *p);
/* Reads one record and what stands beneath it into its life. -ENOENT: there is no record. */
int watch_read(struct provision *p, const char *id, const struct aws_ctx *ctx, struct life **ret,
               struct fault *f);
/* The record alone; ret_text (may be NULL) gets what it was read from. */
int watch_read_record(struct provision *p, const char *id, const struct aws_ctx *ctx,
                      struct record **ret, char **ret_text, struct fault *f);
/* Takes the work of l up where engine.md 6 allows it now. */
void watch_consider(struct provision *p, struct life *l);

/* The turns: records.c, tags.c, health.c. */
void records_turn(struct provision *p, int64_t *next);
void tags_turn(struct provision *p, int64_t *next);
void health_turn(struct provision *p, int64_t *next);
void tags_asked(struct provision *p); /* a sweep ended: what was asked for may be asked for again */
void watch_done(struct provision *p); /* frees what the turns keep; tags_done: their part of it */
void tags_done(struct provision *p);

/* records.c: records that cannot be read. f NULL: it can. Tells the observer. */
void records_set_bad(struct provision *p, const char *id, const struct fault *f);
/* Why it cannot be read, or NULL. Locked. */
const char *records_bad(struct provision *p, const char *id);
void records_problems(struct provision *p, struct buf *out);
