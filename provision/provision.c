/*
 * The façade of provisioning: makes and ends the parts, and answers the small questions. Order of
 * ending: the stop token ends waits, the watcher ends, engines write what they can and release,
 * then the workers are gone.
 */
#include "provision/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

enum { ENGINES_MAX = 256, STEPS_MAX = 512 };

static const struct timing timing = {
    .call_ms = 10000,
    .claim_ms = 3000,
    .settle_ms = 10000,
    .children_ms = 5000,
    .vanished_ms = 30000,
    .leftover_ms = 60000,
    .delete_ms = 40 * 60 * 1000,
    .appear_ms = 90 * 1000,
    .poll_ms = 5000,
    .turn_ms = 1000,
    .retry_ms = 2000,
    .stop_ms = 3000,
    .look_ms = 250,
    .depend_ms = 200,
};

/* --- telling --- */

void provision_observe(struct provision *p, provision_observer fn, void *arg)
{
    p->observer = fn;
    p->observer_arg = arg;
}

void provision_notify(struct provision *p, const char *family, const char *id, unsigned what)
{
    if (p->observer)
        p->observer(p->observer_arg, family, id, what);
}

/* Views tell whether a service was made from the blueprint as it is now. */
static void notify_family(struct provision *p, const char *family)
{
    struct life **lives = NULL;
    size_t n = 0;

    provision_notify(p, family, NULL, 0);
    if (life_list(p, &lives, &n) < 0)
        return;
    for (size_t i = 0; i < n; i++) {
        if (streq(lives[i]->family, family))
            provision_notify(p, family, lives[i]->id, PROVISION_VIEW);
        life_unref(p, lives[i]);
    }
    free(lives);
}

void provision_blueprints_changed(struct provision *p)
{
    char **names = NULL, **changed = NULL;
    size_t n = 0;

    if (catalog_names(p->catalog, &names, &n) < 0)
        return;
    cache_set_blueprints(p->cache, (const char *const *)names, n);
    catalog_names_free(names);
    changed = catalog_take_changed(p->catalog);
    for (size_t i = 0; changed && changed[i]; i++)
        notify_family(p, changed[i]);
    catalog_names_free(changed);
}

char *provision_blueprint(struct provision *p, const char *family, int64_t *ret_mtime_ms)
{
    return p->catalog ? catalog_text(p->catalog, family, ret_mtime_ms) : NULL;
}

static bool id_used(struct provision *p, const char *id)
{
    _cleanup_snapshot_ const struct snapshot *s = cache_snapshot(p->cache);

    if (s && snapshot_any_service(s, id))
        return true;
    pthread_mutex_lock(&p->lock);
    bool used = map_get(p->lives, id) != NULL;
    pthread_mutex_unlock(&p->lock);
    return used || life_since_vanished(p, id) >= 0;
}

static void problem_line(void *arg, const char *line)
{
    buf_printf(arg, "%s\n", line);
}

int provision_problems(struct provision *p, struct buf *out)
{
    if (p->catalog)
        catalog_problems(p->catalog, problem_line, out);
    records_problems(p, out);
    return 0;
}

int provision_next_id(struct provision *p, const char *family, char out[64], struct fault *f)
{
    _cleanup_(blueprint_unrefp) struct blueprint *b = NULL;
    int r = p->catalog ? catalog_get(p->catalog, family, &b, f) : -ENOENT;

    if (r < 0)
        return r == -ENOENT ? fault_set(f, -EPERM, "family %s has no blueprint", family) : r;
    for (int tries = 0; tries < 1000; tries++) {
        r = blueprint_next_id(b, out, f);
        if (r < 0 || !id_used(p, out))
            return r;
    }
    return fault_set(f, -EAGAIN, "no unused id found for %s; its NextId leaves too few", family);
}

/* --- life and death --- */

static int copy_options(struct provision *p, const struct provision_options *o)
{
    p->aws = o->aws;
    p->cache = o->cache;
    p->clock = aws_client_clock(o->aws);
    p->refresh_ms = o->refresh_ms;
    p->lease_ms = o->lease_ms;
    p->timing = timing;
    p->read_only = o->read_only;
    p->account = strdup(o->account);
    p->region = strdup(o->region);
    p->partition = strdup(o->partition);
    p->family_tag = strdup(o->family_tag);
    p->service_tag = strdup(o->service_tag);
    p->dependency_tag = strdup(o->dependency_tag);
    p->db_ca = o->db_ca ? strdup(o->db_ca) : NULL;
    if (gethostname(p->host, sizeof(p->host) - 1) < 0)
        snprintf(p->host, sizeof(p->host), "unknown");
    return p->account && p->region && p->partition && p->family_tag && p->service_tag &&
                   p->dependency_tag && (p->db_ca || !o->db_ca)
               ? 0
               : -ENOMEM;
}

static int make_parts(struct provision *p, const struct provision_options *o, struct fault *f)
{
    const struct blueprint_env env = {.region = p->region,
                                      .account = p->account,
                                      .partition = p->partition,
                                      .family_tag = p->family_tag,
                                      .service_tag = p->service_tag};
    int r = 0;

    p->stop = cancel_new();
    p->lives = map_new();
    p->vanished = map_new();
    p->bad_records = map_new();
    p->recordless = map_new();
    p->depending = map_new();
    p->watch.leftovers = map_new();
    p->watch.asked = map_new();
    TAILQ_INIT(&p->due.work);
    TAILQ_INIT(&p->due.resting);
    if (!p->stop || !p->lives || !p->vanished || !p->bad_records || !p->recordless ||
        !p->depending || !p->watch.leftovers || !p->watch.asked)
        return fault_set(f, -ENOMEM, "no memory");
    r = jobs_new(&p->engines, "engine", ENGINES_MAX);
    if (r == 0)
        r = jobs_new(&p->steps, "step", STEPS_MAX);
    if (r < 0)
        return fault_set(f, r, "cannot make worker threads");
    return o->blueprints ? catalog_new(&p->catalog, o->blueprints, &env, f) : 0;
}

static int read_blueprints(struct provision *p, struct fault *f)
{
    bool changed;
    int r = p->catalog ? catalog_scan(p->catalog, &changed, f) : 0;

    if (r == 0 && p->catalog)
        provision_blueprints_changed(p);
    return r;
}

int provision_new(struct provision **ret, const struct provision_options *o, struct fault *f)
{
    struct provision *p = calloc(1, sizeof(*p));

    if (!p)
        return fault_set(f, -ENOMEM, "no memory");
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    int r = copy_options(p, o);
    if (r == 0)
        r = make_parts(p, o, f);
    else
        fault_set(f, r, "no memory");
    r = r ? r : read_blueprints(p, f);
    if (r < 0) {
        provision_free(p);
        return r;
    }
    *ret = p;
    return 0;
}

int provision_start(struct provision *p, struct fault *f)
{
    int r = watch_start(p);

    return r < 0 ? fault_set(f, r, "cannot start the watcher") : 0;
}

void provision_stop(struct provision *p)
{
    cancel_raise(p->stop);
    pthread_mutex_lock(&p->lock);
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    watch_stop(p);
    jobs_drain(p->engines);
    jobs_drain(p->steps);
}

static void free_lives(struct provision *p)
{
    struct map_iter it = {0};
    const char *key;
    void *value;

    while (p->lives && map_next(p->lives, &it, &key, &value))
        life_unref(p, value);
    map_free(p->lives);
}

void provision_free(struct provision *p)
{
    if (!p)
        return;
    jobs_free(p->engines);
    jobs_free(p->steps);
    catalog_free(p->catalog);
    watch_done(p);
    free_lives(p);
    map_free_with(p->vanished, free);
    map_free_with(p->bad_records, free);
    map_free(p->recordless);
    map_free(p->depending);
    cancel_unref(p->stop);
    free(p->account);
    free(p->region);
    free(p->partition);
    free(p->family_tag);
    free(p->service_tag);
    free(p->dependency_tag);
    free(p->db_ca);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
