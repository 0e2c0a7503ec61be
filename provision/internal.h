/* What the files of provisioning share. Not for other rooms. */
#pragma once

#include <pthread.h>

#include "base/clock.h"
#include "base/jobs.h"
#include "base/map.h"
#include "provision/blueprint.h"
#include "provision/life.h"
#include "provision/provision.h"
#include "provision/record.h"

/* Times of the protocol. provision_new sets them; tests make them shorter before anything runs. */
struct timing {
    int64_t call_ms;     /* the longest deadline of one sending (engine.md 6) */
    int64_t claim_ms;    /* the deadline of claims and intents (engine.md 2) */
    int64_t settle_ms;   /* engine.md 14: looks after an unclear answer come this much later */
    int64_t children_ms; /* engine.md 7 */
    int64_t vanished_ms; /* engine.md 2 */
    int64_t leftover_ms; /* engine.md 11: at least, and no less than a lease */
    int64_t delete_ms;   /* of one teardown, an owner's; a security group alone may take 20 min */
    int64_t appear_ms;   /* how long what was clearly created may stay unseen (aws-facts.md 4) */
    int64_t poll_ms, turn_ms; /* the watcher's: between reads of one service, between its turns */
    int64_t retry_ms;         /* before this daemon takes the same work up again; doubles */
    int64_t stop_ms;          /* how long provision_stop lets calls under way go on */
    int64_t look_ms;          /* first pause between two looks of a step; grows */
};

struct provision {
    struct aws_client *aws;
    struct cache *cache;
    struct clock *clock;
    struct catalog *catalog; /* NULL: no blueprints */
    char *account, *region, *partition, *family_tag, *service_tag, *db_ca;
    char host[256];
    int64_t refresh_ms, lease_ms;
    struct timing timing;
    bool read_only;

    struct jobs *engines; /* one job an owned life */
    struct jobs *steps;   /* one job a step at work */
    struct cancel *stop;  /* raised by provision_stop */
    bool watching;
    pthread_t watcher;

    provision_observer observer;
    void *observer_arg;

    pthread_mutex_t lock;   /* guards all below, and every life */
    pthread_cond_t changed; /* a life was kicked; engine threads and the watcher wait for it */
    struct map *lives;      /* id → struct life * */
    struct map *vanished;   /* id → malloc'ed int64_t, monotonic */
    int64_t deletes_ms[64]; /* monotonic times of the last teardowns begun by this mount, a ring */
    unsigned deletes_at;
    bool swept; /* the records were read once */
    uint64_t sweep;
    struct fault records_fault; /* err 0: the last sweep of the records succeeded */
    struct map *bad_records;    /* id → malloc'ed line: records that cannot be read */
    bool health_busy;           /* a look at a service's health is under way */

    /* The watcher's own. */
    struct map *leftovers; /* parameter → malloc'ed int64_t: since when seen beneath a dead claim */
};

/* engine.c: a life's engine thread; by the claim's maker or by take-over. Takes a reference to l.
 */
enum engine_start { ENGINE_CLAIMED, ENGINE_TAKE_OVER };
int engine_start(struct provision *p, struct life *l, enum engine_start how, int64_t claim_sent_ms);

/* children.c: what stands beneath a record, for one claim. */
struct children {
    unsigned intent; /* highest delete-K, 0: none */
    bool is_protected;
    unsigned owner_n; /* highest owner-N, 0: none */
    struct record_owner owner;
};
/* What a read that ended well and was begun at monotonic begun_ms has shown. */
void life_set_children(struct provision *p, struct life *l, const struct children *c,
                       int64_t begun_ms);
/* Takes one parameter into c, where it belongs to id and claim. */
void children_add(struct children *c, const char *id, const char *claim, const char *name,
                  const char *value);
int children_read(struct provision *p, const char *id, const char *claim, const struct aws_ctx *ctx,
                  struct children *ret, struct fault *f);

/* watch.c */
int watch_start(struct provision *p);
void watch_stop(struct provision *p);
/* Reads one record and what stands beneath it into its life. -ENOENT: there is no record. */
int watch_read(struct provision *p, const char *id, const struct aws_ctx *ctx, struct life **ret,
               struct fault *f);
/* Takes the work of l up where engine.md 6 allows it now. */
void watch_consider(struct provision *p, struct life *l);

/* health.c: looks at the next service in rotation, where one is due. */
void health_turn(struct provision *p);

/* provision.c: tell the observer, without any lock. */
void provision_notify(struct provision *p, const char *family, const char *id, unsigned what);
void provision_notify_all(struct provision *p);
/* The catalogue changed: tells cache and observer. */
void provision_blueprints_changed(struct provision *p);
/* Remembers why the record of id cannot be read; f NULL: it can. */
void provision_set_bad_record(struct provision *p, const char *id, const struct fault *f);
bool provision_is_bad_record(struct provision *p, const char *id);
/* Forgets those that are not in all (names of parameters). */
struct ssm_parameters;
void provision_keep_bad_records(struct provision *p, const struct ssm_parameters *all);

static inline int64_t now_ms(struct provision *p)
{
    return p->clock->monotonic_ms(p->clock);
}
static inline int64_t wall_ms(struct provision *p)
{
    return p->clock->wall_ms(p->clock);
}
