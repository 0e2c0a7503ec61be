/*
 * What can be shown before the first sweep has ended, which takes minutes in a large account.
 *
 * With a saved index: all of it, as it was; snapshot.swept says that this daemon did not read it,
 * so nothing is decided by it. Without: a sketch. One GetTagValues gives the families' names; the
 * resources of a family are read as soon as somebody waits for them, on a thread of their own. Both
 * end with the first whole sweep, and none of it is needed for that.
 *
 * The index is saved behind the sweeps and at the end, as it is shown: with own writes that AWS
 * does not show yet, which a user would miss after a restart. The refresher makes the file's
 * content, a job writes it, so that neither a reader nor a sweep waits for the disk.
 */
#include "cache/private.h"

#include <errno.h>
#include <string.h>

#include "awsapi/tagging.h"
#include "base/log.h"

/* NAMES_MS: the first sweep waits for the names. */
enum { NAMES_MS = 3000, SAVE_PAUSE_MS = 60 * 1000 };

/* --- sketches --- */

static int on_name(void *arg, const char *value)
{
    struct sketch_family *f = sketch_family(arg, value);

    if (!f)
        return -ENOMEM;
    f->named = true;
    return 0;
}

void early_read_names(struct cache *c)
{
    const struct aws_ctx ctx = {.timeout_ms = NAMES_MS, .cancel = c->stop, .no_retry = true};
    struct sketch k;
    int r = sketch_init(&k);

    if (r == 0)
        r = tagging_get_values(c->aws, &ctx, c->family_tag, on_name, &k, NULL);
    if (r < 0) {
        log_debug("no names of families before the first sweep: %s", fault_errno_name(r));
        sketch_done(&k);
        return;
    }
    k.named = true;
    pthread_mutex_lock(&c->lock);
    sketch_done(&c->sketch);
    c->sketch = k;
    cache_touch(c);
    pthread_mutex_unlock(&c->lock);
}

struct reading {
    struct cache *cache;
    char family[];
};

/* Whatever the result, who waits is told. Takes resources over. Locked. */
static void end_reading(struct cache *c, const char *family, struct raw_resources *resources,
                        const struct fault *f)
{
    struct sketch_family *k = map_get(c->sketch.families, family);

    if (!k) { /* the first sweep was faster */
        raw_resources_unref(resources);
        return;
    }
    k->reading = false;
    k->resources = resources;
    k->fault = *f;
    k->ended_ms = c->clock->monotonic_ms(c->clock);
    if (resources)
        cache_touch(c);
    c->failed |= !resources;
    pthread_cond_broadcast(&c->changed);
}

static void read_family(void *arg)
{
    struct reading *reading = arg;
    struct cache *c = reading->cache;
    const struct sweep_env e = cache_sweep_env(c);
    struct raw_resources *resources = NULL;
    struct fault f = FAULT_INIT;

    (void)sweep_family(&e, reading->family, &resources, &f);
    pthread_mutex_lock(&c->lock);
    end_reading(c, reading->family, resources, &f);
    pthread_mutex_unlock(&c->lock);
    free(reading);
}

/* Locked. */
static int begin_reading(struct cache *c, const char *family)
{
    struct reading *reading = malloc(sizeof(*reading) + strlen(family) + 1);

    if (!reading)
        return -ENOMEM;
    reading->cache = c;
    strcpy(reading->family, family);
    int r = jobs_add(c->side_jobs, read_family, reading);
    if (r < 0)
        free(reading);
    return r;
}

int cache_want_family(struct cache *c, const char *family, int64_t since_ms, struct fault *f)
{
    struct fault fault = FAULT_INIT;
    int r = 0;

    pthread_mutex_lock(&c->lock);
    struct sketch_family *k = c->sketch.named ? sketch_family(&c->sketch, family) : NULL;
    if (k && k->fault.err && k->ended_ms > since_ms) {
        r = fault_copy(f, &k->fault);
    } else if (k && !k->reading && !k->resources) {
        k->reading = true;
        int begun = begin_reading(c, family);
        if (begun < 0) {
            fault_set(&fault, begun, "the family cannot be read: %s", fault_errno_name(begun));
            end_reading(c, family, NULL, &fault);
            r = fault_copy(f, &fault);
        }
    }
    pthread_mutex_unlock(&c->lock);
    return r;
}

/* --- the saved index --- */

static struct saved_owner owner(const struct cache *c)
{
    return (struct saved_owner){c->account,  c->region,     c->partition,
                                c->endpoint, c->family_tag, c->service_tag};
}

bool early_load(struct cache *c)
{
    const struct saved_owner own = owner(c);
    struct raw_resources *r = NULL;
    struct fault f = FAULT_INIT;

    if (!c->save_path)
        return false;
    if (saved_read(c->save_path, &own, &r, &f) < 0) {
        log_debug("no saved index: %s", f.message);
        return false;
    }
    return refresh_take(c, r, NULL) == 0;
}

struct saving {
    struct cache *cache;
    uint64_t generation;
    int64_t begun_wall_ms;
    char *data;
    size_t len;
};

static void saving_free(struct saving *s)
{
    if (!s)
        return;
    free(s->data);
    free(s);
}
DEFINE_CLEANUP(struct saving *, saving_free)

/* NULL: no memory, or too large. */
static struct saving *saving_new(struct cache *c, const struct snapshot *s)
{
    const struct saved_owner own = owner(c);
    _cleanup_(saving_freep) struct saving *saving = calloc(1, sizeof(*saving));

    if (!saving)
        return NULL;
    *saving = (struct saving){
        .cache = c, .generation = s->generation, .begun_wall_ms = c->resources->begun_wall_ms};
    if (saved_image(&own, s, saving->begun_wall_ms, &saving->data, &saving->len) < 0)
        return NULL;
    return steal_ptr(saving);
}

static void write_behind(void *arg)
{
    _cleanup_(saving_freep) struct saving *s = arg;
    struct cache *c = s->cache;
    struct fault f = FAULT_INIT;
    int r = saved_write(c->save_path, s->data, s->len, &f);

    if (r < 0)
        log_debug("the index is not saved: %s", f.message); /* the next one may be */
    pthread_mutex_lock(&c->lock);
    c->saving = false;
    if (r == 0) {
        c->saved_generation = s->generation;
        c->saved_wall_ms = s->begun_wall_ms;
    }
    pthread_mutex_unlock(&c->lock);
}

/* Only what this daemon has read itself is worth it. */
static const struct snapshot *worth_saving(struct cache *c)
{
    const struct snapshot *s = c->save_path ? cache_snapshot(c) : NULL;

    if (s && !s->swept) {
        snapshot_unref(s);
        return NULL;
    }
    return s;
}

void early_save(struct cache *c)
{
    _cleanup_snapshot_ const struct snapshot *s = worth_saving(c);
    int64_t now = c->clock->monotonic_ms(c->clock);

    if (!s || (c->saved_ms && now < c->saved_ms + SAVE_PAUSE_MS))
        return;
    pthread_mutex_lock(&c->lock);
    bool begin = s->generation != c->saved_generation && !c->saving;
    c->saving |= begin;
    pthread_mutex_unlock(&c->lock);
    if (!begin)
        return;
    c->saved_ms = now;
    struct saving *saving = saving_new(c, s);
    if (saving && jobs_add(c->side_jobs, write_behind, saving) == 0)
        return;
    saving_free(saving);
    pthread_mutex_lock(&c->lock);
    c->saving = false;
    pthread_mutex_unlock(&c->lock);
}

/* Also where nothing has changed: then its age is news. */
void early_save_last(struct cache *c)
{
    _cleanup_snapshot_ const struct snapshot *s = worth_saving(c);

    if (!s ||
        (s->generation == c->saved_generation && c->resources->begun_wall_ms == c->saved_wall_ms))
        return;
    struct saving *saving = saving_new(c, s);
    if (saving)
        write_behind(saving);
}
