/* The cache from inside: what its files share (cache.c tells of the threads and locks). */
#pragma once

#include <pthread.h>

#include "base/jobs.h"
#include "cache/cache.h"
#include "cache/overlay.h"
#include "cache/pace.h"
#include "cache/saved.h"
#include "cache/sketch.h"
#include "cache/sweep.h"

enum { OBSERVERS_MAX = 4 };

struct observer {
    cache_observer fn;
    void *arg;
};

struct cache {
    struct aws_client *aws;
    struct clock *clock;
    char *family_tag, *service_tag, *dependency_tag, *account, *region, *partition, *endpoint;
    char *save_path; /* or NULL */
    struct cancel *stop;
    pthread_t refresher, grouper, publisher;
    bool refreshing, grouping, publishing; /* threads exist; the last one under the lock */
    struct jobs *chain_jobs;               /* helpers of a sweep */
    struct jobs *side_jobs;                /* families that somebody waits for; saving */
    struct observer observers[OBSERVERS_MAX];
    size_t n_observers;

    /* The refresher's own. */
    unsigned sweeps_without_strays;
    int64_t saved_ms; /* monotonic, when saving was tried last; 0: never */

    pthread_mutex_t lock;
    pthread_cond_t changed; /* anything below */
    struct overlay overlay;
    struct raw_resources *resources; /* NULL before the first sweep, where none was saved */
    struct sketch sketch;            /* until then */
    struct raw_groups *groups;
    char *groups_problem;
    uint64_t changes, built;
    int build_error;         /* of the last build */
    bool groups_due;         /* there was a sweep since the groups were swept */
    uint64_t wanted, done;   /* sweeps asked for; begun after that many were asked for, and ended */
    bool failed;             /* a sweep or a family's reading failed: observers are to be told */
    bool used_all, used_new; /* tags to be read */
    bool used_reading;       /* a job is at it */
    bool saving;             /* a job is at it */
    uint64_t saved_generation; /* of the snapshot that is saved; 0: none */
    int64_t saved_wall_ms;     /* begin of its sweep */
    struct pace pace;

    pthread_mutex_t newest_lock;
    struct cache_freshness freshness;
    const struct snapshot *newest; /* a sketch before the first whole one */
    uint64_t generation;
};

/* cache.c */
void cache_touch(struct cache *c);    /* an input has changed; locked */
void cache_noted(struct cache *c);    /* what the overlay has noted, if anything; locked */
void cache_show_due(struct cache *c); /* into the freshness; locked */
struct sweep_env cache_sweep_env(struct cache *c);

/* refresh.c */
void *refresher_main(void *cache);
void *grouper_main(void *cache);
/* Takes r over, puts it into force, and waits until it is. */
int refresh_take(struct cache *c, struct raw_resources *r, struct fault *f);

/* used.c. Locked. The tags of what is used are to be read: of all, or of what has come. */
void used_due(struct cache *c, bool all);

/* early.c */
bool early_load(struct cache *c);       /* the saved index; whether there was a good one */
void early_read_names(struct cache *c); /* the first sketch */
void early_save(struct cache *c);       /* by the refresher, behind a sweep, if it is time */
void early_save_last(struct cache *c);  /* at the end, when all threads are gone */
