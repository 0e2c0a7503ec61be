/*
 * The tags of what is known only because something uses it. It carries none of the tags that the
 * sweeps look for, so it is looked up by its ARN: when it comes, and behind each sweep. Nobody
 * waits for that; what was not read yet says so (index_resource.unread).
 *
 * Calls: one for a hundred, and none where nothing is used that the sweep has not found.
 *
 * The tagging API does not name what never had a tag. So what it does not name has none, but only
 * if it would name it at all: it must be of our account and region, and of a service that the API
 * knows all types of that anything uses (it knows no IAM roles).
 */
#include "cache/private.h"

#include <errno.h>
#include <string.h>

#include "awsapi/tagging.h"
#include "base/log.h"
#include "base/str.h"
#include "cache/list.h"

static const double background = 0.33;

static const char *const services[] = {
    "acm",    "ec2",  "ecr", "ecs", "elasticfilesystem", "elasticloadbalancing", "kms",
    "lambda", "logs", "rds", "s3",  "secretsmanager",    "servicediscovery",     "ssm",
};

/* --- which --- */

/* The next part of an ARN. */
static bool is_part(const char **at, const char *text)
{
    size_t n = strcspn(*at, ":");
    bool same = strlen(text) == n && memcmp(*at, text, n) == 0;

    *at += n + ((*at)[n] == ':');
    return same;
}

static bool can_look_up(const struct cache *c, const char *key)
{
    const char *at = key, *service;
    bool known = false;

    if (!is_part(&at, "arn") || !is_part(&at, c->partition))
        return false;
    for (size_t i = 0; !known && i < ARRAY_SIZE(services); i++) {
        service = at;
        known = is_part(&service, services[i]);
    }
    if (!known)
        return false;
    if (str_starts(service, "::")) /* a bucket's has neither */
        return true;
    return is_part(&service, c->region) && is_part(&service, c->account);
}

/* Locked. */
static int choose(struct cache *c, bool all, struct arena *a, struct list *ret)
{
    struct map_iter it = {0};
    struct list swept = {0};
    const char *key;
    void *value;
    int e = 0;

    while (e == 0 && map_next(c->overlay.used, &it, &key, &value)) {
        const struct overlay_entry *used = value;
        if (!all && used->listed)
            continue;
        if (map_get(c->resources->by_key, key)) {
            e = used->listed ? list_add(&swept, key) : 0;
        } else if (can_look_up(c, key)) {
            const char *copy = arena_strdup(a, key);
            e = copy ? list_add(ret, copy) : -ENOMEM;
        }
    }
    for (size_t i = 0; e == 0 && i < swept.n; i++)
        e = overlay_tags_forget(&c->overlay, swept.items[i]);
    list_done(&swept);
    return e;
}

/* --- reading --- */

struct looking {
    struct cache *c;
    struct arena *arena;
    struct map *found; /* → struct raw_resource *, of one call */
};

static int on_tags(void *arg, const char *arn, json_t *tags)
{
    struct looking *l = arg;
    struct raw_resource *r = arena_alloc(l->arena, sizeof(*r));

    if (!r)
        return -ENOMEM;
    r->key = arena_strdup(l->arena, arn);
    r->tags = raw_tags_from_json(l->arena, tags, &r->n_tags);
    return r->key && r->tags ? map_put(l->found, r->key, r, NULL) : -ENOMEM;
}

static int take(struct looking *l, const char *const *arns, size_t n, int64_t begun_ms)
{
    struct cache *c = l->c;
    int e = 0;

    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; e == 0 && i < n; i++) {
        const struct raw_resource none = {.key = arns[i]}, *r = map_get(l->found, arns[i]);
        e = overlay_tags_read(&c->overlay, r ? r : &none, begun_ms);
    }
    cache_noted(c);
    pthread_mutex_unlock(&c->lock);
    return e;
}

/* One that the API cannot read refuses all: it is looked for by halves. */
static int look_up(struct looking *l, const char *const *arns, size_t n, struct fault *f)
{
    const struct tagging_query q = {.arns = arns, .n_arns = n};
    const struct aws_ctx ctx = {.cancel = l->c->stop, .rate = background};
    int64_t begun_ms = l->c->clock->monotonic_ms(l->c->clock);

    map_free(l->found);
    l->found = map_new();
    int e = l->found ? tagging_get_resources(l->c->aws, &ctx, &q, on_tags, l, f) : -ENOMEM;
    if (e == 0)
        return take(l, arns, n, begun_ms);
    if (e != -EINVAL)
        return e;
    if (n == 1)
        return 0;
    e = look_up(l, arns, n / 2, f);
    return e < 0 ? e : look_up(l, arns + n / 2, n - n / 2, f);
}

static int look_up_all(struct cache *c, struct arena *a, const struct list *keys, struct fault *f)
{
    struct looking l = {.c = c, .arena = a};
    int e = 0;

    for (size_t i = 0; e == 0 && i < keys->n; i += TAGGING_LOOKUP_MAX)
        e = look_up(&l, (const char *const *)keys->items + i,
                    MIN(keys->n - i, (size_t)TAGGING_LOOKUP_MAX), f);
    map_free(l.found);
    return e;
}

static void read_tags(void *arg)
{
    struct cache *c = arg;

    pthread_mutex_lock(&c->lock);
    while ((c->used_all || c->used_new) && !cancel_raised(c->stop)) {
        struct arena *a = arena_new();
        struct list keys = {0};
        struct fault f = FAULT_INIT;
        int e = a ? choose(c, c->used_all, a, &keys) : -ENOMEM;
        c->used_all = c->used_new = false;
        pthread_mutex_unlock(&c->lock);
        if (e == 0)
            e = look_up_all(c, a, &keys, &f);
        if (e < 0 && e != -ECANCELED)
            log_debug("the tags of what is used are not known: %s: %s %s", fault_errno_name(e),
                      f.code, f.message);
        list_done(&keys);
        arena_free(a);
        pthread_mutex_lock(&c->lock);
    }
    c->used_reading = false;
    pthread_mutex_unlock(&c->lock);
}

void used_due(struct cache *c, bool all)
{
    bool swept = c->resources && !c->resources->saved; /* else the sweep goes first */

    if (!swept || map_size(c->overlay.used) == 0 || cancel_raised(c->stop))
        return;
    c->used_all |= all;
    c->used_new |= !all;
    if (!c->used_reading)
        c->used_reading = jobs_add(c->side_jobs, read_tags, c) == 0;
}
