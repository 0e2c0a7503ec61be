/* A cache on a transport that plays AWS: it can be made to refuse, and to hold answers back. */
#pragma once

#include <pthread.h>

#include "cache/cache.h"
#include "tests/unit/world.h"

enum { REFRESH_MS = 600000 };

struct aws {
    struct http_transport transport; /* first */
    struct clock_fake clock;
    struct aws_config config;
    struct aws_client *client;
    struct cache *cache;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    const char *resources; /* entries of GetResources by family, of whatever type */
    const char *family;    /* the same where one family is asked for */
    const char *names;     /* values of GetTagValues */
    const char *looked_up; /* entries of GetResources by ARN */
    bool refuse, refuse_groups, refuse_names, refuse_family, refuse_lookups;
    bool hold, hold_sweeps; /* all answers; those to chains of a sweep */
    /* Begun: sweeps (of whatever chains), and those by types; requests for one family; for names;
     * answers held back at this moment. */
    unsigned sweeps, typed, families, named, held;
    unsigned lookups;    /* by ARN */
    char asked_for[500]; /* by the last of them */

    unsigned observed, published, sketched; /* calls; with a new whole snapshot, with a sketch */
    const struct snapshot *last_old, *last_now; /* of the last call; only compared */
};

#define ENTRY(arn, family, id)                                                                     \
    "{\"ResourceARN\": \"" arn "\", \"Tags\": [{\"Key\": \"service-family\", \"Value\": \"" family \
    "\"}, {\"Key\": \"service-id\", \"Value\": \"" id "\"}]}"

/* save_path may be NULL. */
struct aws *aws_new(const char *save_path);
void aws_free(struct aws *a); /* stops the cache, too */
DEFINE_CLEANUP(struct aws *, aws_free)
#define _cleanup_aws_ _cleanup_(aws_freep)

/* Waits under a's lock until the condition holds. */
#define WAIT(a, condition)                                                                         \
    do {                                                                                           \
        pthread_mutex_lock(&(a)->lock);                                                            \
        while (!(condition))                                                                       \
            pthread_cond_wait(&(a)->changed, &(a)->lock);                                          \
        pthread_mutex_unlock(&(a)->lock);                                                          \
    } while (0)

void set(struct aws *a, bool *what, bool value);
void set_text(struct aws *a, const char **what, const char *text);
unsigned count(struct aws *a, const unsigned *what);
bool has_service(struct aws *a, const char *id); /* in the newest whole snapshot */
