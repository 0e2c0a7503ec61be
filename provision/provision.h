/*
 * What fs/ sees of provisioning: mkdir, rmdir, and the state of services. All functions are
 * thread-safe. provision_mkdir, provision_rmdir wait for AWS and belong on a job worker; everything
 * else answers at once from memory.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "awsapi/client.h"
#include "base/buf.h"
#include "base/cancel.h"
#include "base/fault.h"
#include "cache/cache.h"

struct provision;

struct provision_options {
    struct aws_client *aws;
    struct cache *cache;
    const char *account, *region, *partition;
    const char *family_tag, *service_tag, *dependency_tag;
    const char *blueprints; /* directory, or NULL: no family can be provisioned */
    int64_t refresh_ms;     /* between sweeps of the records */
    int64_t lease_ms;
    const char *db_ca; /* file, or NULL */
    bool read_only;    /* looks, but takes no work up */
};
/* Before cache_start: tells the cache which families have blueprints. */
int provision_new(struct provision **ret, const struct provision_options *o, struct fault *f);
int provision_start(struct provision *p, struct fault *f);
/* Stops taking work up, lets each engine thread reach a point where the record tells all, marks
 * what it owns released where that can be done at once. Another daemon, or this one started again,
 * goes on. */
void provision_stop(struct provision *p);
void provision_free(struct provision *p);
DEFINE_CLEANUP(struct provision *, provision_free)

/* Called, without any lock, whenever the view or the events (what: PROVISION_*, or'ed) of a service
 * have changed, and only then; id NULL: the blueprint of the family changed. One observer; register
 * before provision_start. */
enum { PROVISION_VIEW = 1, PROVISION_EVENTS = 2 };
typedef void (*provision_observer)(void *arg, const char *family, const char *id, unsigned what);
void provision_observe(struct provision *p, provision_observer fn, void *arg);

/* The text of F.json as it is in force, malloc'ed, and when it was changed; NULL: none. */
char *provision_blueprint(struct provision *p, const char *family, int64_t *ret_mtime_ms);
/* A fresh, unused, valid id. -EPERM where the family has no (good) blueprint. out: 64 bytes; always
 * the same length for one family. */
int provision_next_id(struct provision *p, const char *family, char out[64], struct fault *f);
/* Appends lines about broken blueprints, unreadable records, … for .svcfs/errors. */
int provision_problems(struct provision *p, struct buf *out);

struct provision_requester {
    uid_t uid;
    const char *user; /* name or number */
};
/* mkdir families/F/ID as tree.md has it: returns when the claim is decided and the service is in
 * the cache's newest snapshot (also before -EEXIST). cancel ends the wait, not the work:
 * -ECANCELED. */
int provision_mkdir(struct provision *p, const char *family, const char *id,
                    const struct provision_requester *who, struct cancel *cancel, struct fault *f);
/* rmdir families/F/ID: returns when the intent is written and the service has moved to deleting/.
 */
int provision_rmdir(struct provision *p, const char *family, const char *id,
                    const struct provision_requester *who, struct cancel *cancel, struct fault *f);

enum service_status {
    STATUS_CREATING,
    STATUS_READY,
    STATUS_DEGRADED,
    STATUS_FAILED,
    STATUS_DELETING,
    STATUS_UNMANAGED,
    STATUS_UNKNOWN
};
const char *service_status_name(enum service_status s);

struct service_output {
    const char *name, *value;
};

/* A service as it is at one moment: immutable, of its own memory. */
struct service_view {
    enum service_status status;
    bool working;            /* an operation is running here or elsewhere, or the record is about to
                                be read for the first time: wait blocks */
    int64_t created_wall_ms; /* 0: not known */
    int64_t checked_wall_ms; /* when its health was looked at; 0: never */
    int64_t changed_wall_ms; /* when the status last changed as far as known; 0: not known */
    const char *error;       /* content of the file `error` (lines), or NULL */
    const struct service_output *outputs; /* sorted by name */
    size_t n_outputs;
    const char *url; /* output `url`, or NULL */
};
/* The view of a service of a snapshot. 0, -ENOMEM. Free with service_view_free. */
int provision_view(struct provision *p, const struct snapshot *s,
                   const struct index_service *service, struct service_view **ret);
void service_view_free(struct service_view *v);
DEFINE_CLEANUP(struct service_view *, service_view_free)
/* Appends the content of service.json. 0, -ENOMEM, -EFBIG. */
int provision_document(struct provision *p, const struct index_service *service, struct buf *out);

/* What a line of services.tsv and a stat need: cheap, no allocation. */
struct service_row {
    enum service_status status;
    bool has_error; /* the file `error` is there */
    int64_t created_wall_ms, checked_wall_ms;
    int64_t changed_wall_ms; /* as in service_view */
    int64_t events_wall_ms;  /* of the last event of this daemon's life; 0: none */
    size_t events_len;       /* what provision_events would append */
    char url[256];           /* "" where there is none */
};
void provision_row(struct provision *p, const struct index_service *service,
                   struct service_row *ret);

/* Appends the events of a service of this daemon's life (whole lines). id of a service that never
 * did anything: nothing. */
int provision_events(struct provision *p, const char *family, const char *id, struct buf *out);
