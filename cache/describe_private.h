/* The store of descriptions from inside: what its files share (describe.c tells of the locks). */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "awsapi/describe.h"
#include "base/jobs.h"
#include "base/map.h"
#include "cache/describe.h"
#include "cache/description.h"
#include "cache/lookup.h"

enum {
    DESCRIBE_OBSERVERS = 4,
    DESCRIBE_ERROR_MS = 10 * 1000,    /* so long a failure is the answer to who reads */
    DESCRIBE_AGAIN_MS = 60 * 1000,    /* so long a round leaves it alone */
    DESCRIBE_OLD_MS = 15 * 60 * 1000, /* older than this, and refused: it is not shown any more */
};

/* A failure, shared by all that it met. */
struct describe_failure {
    struct fault fault;
    atomic_uint refs;
};

/* One resource. */
struct describe_entry {
    const struct describe_row *row;
    const struct description *what;   /* or NULL */
    struct describe_failure *failure; /* of the last look, or NULL */
    int64_t fetched_ms;               /* when what was asked for, monotonic */
    int64_t fetched_wall_ms;
    int64_t looked_ms; /* end of the last look, also of one that failed; 0: none */
    bool fetching;
    bool partial; /* for a reader: the next round makes it whole */
    bool slowly;  /* call after call, in a round: who reads does not wait for that */
    struct describe_entry *newer, *older; /* of those with a text, by when it was read last */
    char key[];
};

struct describe {
    struct aws_client *aws;
    struct cache *cache;
    struct clock *clock;
    int64_t every_ms, ttl_ms;
    size_t text_max;
    struct cancel *stop;
    struct jobs *jobs;   /* what somebody waits for */
    struct jobs *behind; /* what was given though it is old */
    struct jobs *passes; /* of the rounds */
    struct {
        describe_observer fn;
        void *arg;
    } observers[DESCRIBE_OBSERVERS];
    size_t n_observers;
    pthread_t thread; /* the rounds' */
    bool running;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct map *entries;                    /* of struct describe_entry; lent keys */
    struct describe_entry *newest, *oldest; /* texts */
    size_t text_bytes;
    bool published; /* a snapshot, since the last round began */
    unsigned running_passes;
    uint64_t rounds; /* that are over */
};

/* For whom a batch is. */
enum describe_for {
    FOR_READER,
    FOR_NEXT_READER, /* an old one was given */
    FOR_ROUND,
};

/* What one call is to describe: marked as being fetched, until describe_fetch has ended. */
struct describe_batch {
    const struct describe_row *row;
    char **keys;
    size_t n;
    enum describe_for whom;
};

/* describe.c; all with the lock */
struct describe_entry *describe_entry_get(struct describe *d, const char *key);
/* Made where there is none; NULL: no memory. */
struct describe_entry *describe_entry_make(struct describe *d, const struct describe_row *row,
                                           const char *key);
void describe_entry_drop(struct describe *d, struct describe_entry *e);
bool describe_entry_gone(const struct describe_entry *e); /* as describe_gone; of NULL: false */
/* Takes what over (NULL: none). Whether it is another one than before. */
bool describe_entry_set(struct describe *d, struct describe_entry *e,
                        const struct description *what);
/* After a batch: the texts that were read longest ago go until all fit, but never the one that was
 * asked for. */
void describe_make_room(struct describe *d, const char *first);
void describe_entry_fail(struct describe_entry *e, struct describe_failure *failure);
void describe_entry_read(struct describe *d, struct describe_entry *e);
struct describe_failure *describe_failure_new(const struct fault *f);
void describe_failure_unref(struct describe_failure *f);

/* describe_fetch.c */
/* Locked. The batch that describes r: with those of its type that need it, its family's first. 0,
 * -ENOMEM. need says which; r itself is in it. */
typedef bool (*describe_need)(struct describe *d, const struct index_resource *r,
                              const struct describe_entry *e);
int describe_batch_make(struct describe *d, const struct snapshot *s,
                        const struct index_resource *r, describe_need need, enum describe_for whom,
                        struct describe_batch *ret);
/* Locked. It will not be fetched. */
void describe_batch_drop(struct describe *d, struct describe_batch *b);
/* Asks AWS, keeps what comes, tells the observers, frees what the batch holds. Not locked. The
 * error of the call where all failed by one that is not theirs. */
int describe_fetch(struct describe *d, struct describe_batch *b, struct fault *f);
void describe_tell(struct describe *d, const char *const *keys, size_t n);

/* describe_round.c */
void *describe_rounds(void *describe);
