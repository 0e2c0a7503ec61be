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
#include "provision/watch.h"

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
    int64_t poll_ms, turn_ms; /* the watcher's: between reads of one life, between looks at it */
    int64_t retry_ms;         /* before this daemon takes the same work up again; doubles */
    int64_t stop_ms;          /* how long provision_stop lets calls under way go on */
    int64_t look_ms;          /* first pause between two looks of a step; grows */
    int64_t depend_ms;        /* what was written as dependencies is read again after so long */
};

struct provision {
    struct aws_client *aws;
    struct cache *cache;
    struct clock *clock;
    struct catalog *catalog; /* NULL: no blueprints */
    char *account, *region, *partition, *family_tag, *service_tag, *dependency_tag, *db_ca;
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
    struct due due;             /* lives that the watcher has to look at */
    bool swept;                 /* the records were read once */
    uint64_t sweep;             /* number of the last sweep of the records that began */
    struct fault records_fault; /* err 0: the last sweep of the records succeeded */
    struct map *bad_records;    /* id → struct bad_record: records that cannot be read */
    struct map *recordless;     /* link → claims of its parts, of which a read found no record */
    struct map *depending;      /* id → itself: services whose dependencies are being written */
    bool health_busy;           /* a look at a service's health is under way */
    int64_t health_ms;          /* monotonic: the next one begins no sooner */

    struct watch watch; /* the watcher's own */
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

/* tag.c: a snapshot that this daemon has read itself; waits for the first one. */
int swept_snapshot(struct provision *p, struct cancel *cancel, const struct snapshot **ret,
                   struct fault *f);
/* depend.c: -EBUSY with who needs the service. */
int depend_check_unused(struct provision *p, const char *id, struct fault *f);
/* tags.c: whether it has been looked up that there is no record for its parts. Locked. */
bool tags_recordless(struct provision *p, const struct index_service *s);
/* tags.c: the record among a service's resources, or NULL. */
const struct index_resource *record_of(const struct index_service *s);

/* provision.c: tell the observer, without any lock. */
void provision_notify(struct provision *p, const char *family, const char *id, unsigned what);
/* The catalogue changed: tells cache and observer. */
void provision_blueprints_changed(struct provision *p);
static inline int64_t now_ms(struct provision *p)
{
    return p->clock->monotonic_ms(p->clock);
}
static inline int64_t wall_ms(struct provision *p)
{
    return p->clock->wall_ms(p->clock);
}
