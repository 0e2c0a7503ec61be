/*
 * A run: one engine thread of this daemon that owns the work on one service, and the steps it has
 * given to workers. What is shared with the workers is guarded by provision's lock; the rest is the
 * engine thread's own.
 */
#pragma once

#include "provision/lease.h"

enum step_work { STEP_MAKE, STEP_PAUSE, STEP_UNMAKE };
enum step_status { STEP_PENDING, STEP_RUNNING, STEP_DONE, STEP_FAILED };

struct run;

struct step_run {
    struct run *run;
    size_t index;
    const char *logical;
    const struct resource_type *type;
    json_t *identity;
    const char *short_id; /* as the record had it, or NULL */
    bool retain;
    char token[TOKEN_SIZE];
    bool fresh; /* nobody can have made it before: create without a look */
    enum step_work work;

    enum step_status status; /* under the lock */
    struct step_state state; /* under the lock; of the last look */
    bool has_state;
    struct fault fault; /* where FAILED */
};

struct run {
    struct provision *p;
    struct life *life;
    struct record *record; /* the engine thread's own; overwritten in AWS only by it */
    struct plan *plan;     /* while creating */
    struct lease lease;
    struct cancel *hard; /* ends calls: the lease is over, or the daemon must end now */
    struct cancel *soft; /* ends what waits between two calls */
    struct step_run *steps;
    size_t n_steps;
    size_t running;     /* under the lock */
    json_t *tags;       /* the four */
    int64_t give_up_ms; /* monotonic */
    atomic_int_least64_t
        quiet_ms; /* monotonic: before it nothing is sent or looked up (engine.md 1) */
    atomic_int_least64_t tainted_ms; /* until then a write that nobody knows of may still arrive */
    atomic_int_least64_t appear_ms;  /* before it looks may not show yet what was just created */
    size_t changes,
        seen; /* under the lock: workers that ended, and how many the engine thread knows of */
    int64_t children_ms; /* when the parameters beneath are to be read next */
    unsigned intent;     /* as last read */
    bool is_protected;
    double rate; /* share of the limiters that its calls may take, as in struct aws_ctx */
    bool fresh;  /* by the claim's maker, who knows that nothing was made yet */
};

/* run.c: what create.c and teardown.c stand on. */

/* Renews, reads the parameters beneath where it is due (or now). 0; -ESTALE: no longer the owner;
 * -ECANCELED: the daemon stops. */
int run_keep(struct run *r, bool read_now);
/* Waits for a step to end, a kick, or monotonic until_ms at the latest, and for no longer than
 * run_keep may be put off. */
void run_wait(struct run *r, int64_t until_ms);
/* Keeps the lease until then. As run_keep. */
int run_sleep(struct run *r, int64_t until_ms);
/* Overwrites the record with r->record and tells life and cache. 0, -ESTALE, -ECANCELED, or why AWS
 * refused. */
int run_write_record(struct run *r, struct fault *f);
/* The outcome `failed`: step (or "") and why stand in the record. As run_write_record. */
int run_fail(struct run *r, const char *step, const char *what, const struct fault *why);
/* A write of this run may or may not have been done: the service is quiet until that is over
 * (engine.md 1, 14). */
void run_unclear(struct run *r, const struct fault *f);
/* Makes a parameter beneath with Overwrite=false, once or after clear refusals again. 0: it is
 * there, whoever made it; else as run_keep, or why AWS refused. */
int run_put_beneath(struct run *r, const char *name, const char *text, struct fault *f);
/* Whether a clear failure of a write is worth sending it again later. */
bool run_passing(int err);
/* Gives step s to a worker. */
int run_start_step(struct run *r, struct step_run *s, enum step_work work);
/* Ends the waits of running steps and keeps the lease until all have ended. */
int run_stop_steps(struct run *r);
void run_free_steps(struct run *r);
/* Steps from the record, none with a state. */
int run_steps_from_record(struct run *r, struct fault *f);

/* A run without a lease, for looks alone: rate as in struct aws_ctx. NULL: no memory. */
struct run *run_new(struct provision *p, struct life *l);
void run_free(struct run *r);
DEFINE_CLEANUP(struct run *, run_free)

/* create.c: from phase creating to ready, failed, or to the intent to delete (then 0 and phase as
 * it was). */
int run_create(struct run *r);
/* teardown.c: from an unspent intent, or phase deleting, to nothing (1) or failed (0). */
int run_teardown(struct run *r);

/* step.c: on a worker. 0 or negative errno with s->fault. */
int step_make(struct step_run *s);
int step_unmake(struct step_run *s);
int step_pause(struct step_run *s); /* stops what runs, deletes nothing */
void step_ctx_init(struct step_run *s, struct step_ctx *ctx, struct aws_ctx *call);
const struct step_state *step_state_of(void *run, size_t step);
/* One look outside a run's work, for health. */
int step_look(struct step_run *s, struct step_state *ret, struct fault *f);

/* groups.c: resource groups, best effort, told in events. On a worker. */
void run_groups_make(struct run *r);          /* of the family and of the service */
void run_groups_remove(struct run *r);        /* of the service */
void run_groups_remove_family(struct run *r); /* of the family, where this was its last record */
/* Waits until workers have nothing of r any more, and keeps the lease. As run_keep. */
int run_drain(struct run *r);
/* Gives fn(r) to a worker. */
int run_aside(struct run *r, void (*fn)(struct run *r));
