/*
 * A service is known by its path, FAMILY/NAME, since a link changes its owner where ids are not
 * unique: `ID` of one family becomes `ID@FAMILY` and may be another's `ID` in the same moment.
 * Until both have been looked at the later one has it.
 */
#include "fs/standing.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/map.h"
#include "base/str.h"
#include "cache/name.h"

struct stand {
    TAILQ_ENTRY(stand) peers; /* of the same status */
    int status;
    bool deleting;
    const char *link; /* behind the path */
    char path[];
};
TAILQ_HEAD(stand_list, stand);

struct standings {
    pthread_mutex_t lock;
    int known;           /* as standings_known */
    struct map *by_path; /* lent keys: those of the stands */
    struct map *by_link;
    struct stand_list lists[STANDINGS];
    int64_t changed_ms[STANDINGS];
    int64_t now_ms;   /* of the present begin */
    unsigned stamped; /* bits of the lists that have that time */
};

int standings_new(struct standings **ret)
{
    struct standings *s = calloc(1, sizeof(*s));

    if (!s)
        return -ENOMEM;
    pthread_mutex_init(&s->lock, NULL);
    s->known = -EAGAIN;
    s->by_path = map_new_lent();
    s->by_link = map_new_lent();
    for (int i = 0; i < STANDINGS; i++)
        TAILQ_INIT(&s->lists[i]);
    if (!s->by_path || !s->by_link) {
        standings_free(s);
        return -ENOMEM;
    }
    *ret = s;
    return 0;
}

void standings_free(struct standings *s)
{
    if (!s)
        return;
    map_free(s->by_link);
    map_free_with(s->by_path, free);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

int standing_status(const char *name)
{
    for (int i = 0; i < STANDINGS; i++)
        if (streq(service_status_name(i), name))
            return i;
    return STANDING_NONE;
}

void standings_begin(struct standings *s, int64_t wall_ms)
{
    pthread_mutex_lock(&s->lock);
    s->now_ms = wall_ms;
    s->stamped = 0;
}

void standings_end(struct standings *s)
{
    pthread_mutex_unlock(&s->lock);
}

/* --- changing --- */

static void stamp(struct standings *s, int status)
{
    if (s->known == -EAGAIN || s->stamped & 1U << status)
        return;
    s->stamped |= 1U << status;
    s->changed_ms[status] = MAX(s->now_ms, s->changed_ms[status] + 1);
}

static struct stand *stand_new(const char *path, const struct standing *now)
{
    size_t len = strlen(path) + 1;
    struct stand *t = malloc(sizeof(*t) + len + strlen(now->link) + 1);

    if (!t)
        return NULL;
    t->status = now->status;
    t->deleting = now->deleting;
    memcpy(t->path, path, len);
    t->link = strcpy(t->path + len, now->link);
    return t;
}

static void take_out(struct standings *s, struct stand *t)
{
    map_remove(s->by_path, t->path);
    if (map_get(s->by_link, t->link) == t)
        map_remove(s->by_link, t->link);
    TAILQ_REMOVE(&s->lists[t->status], t, peers);
    free(t);
}

/* The maps keep the keys that they are given first: those of the one who had the link before. */
static int put_in(struct standings *s, struct stand *t)
{
    map_remove(s->by_link, t->link);
    if (map_put(s->by_link, t->link, t, NULL) < 0)
        return -ENOMEM;
    if (map_put(s->by_path, t->path, t, NULL) < 0) {
        map_remove(s->by_link, t->link);
        return -ENOMEM;
    }
    TAILQ_INSERT_TAIL(&s->lists[t->status], t, peers);
    return 0;
}

/* Without memory: the one case in which the kernel is left with what was. */
static void note(struct list *moves, const char *link, int from, int to)
{
    struct standing_move *m = moves ? malloc(sizeof(*m) + strlen(link) + 1) : NULL;

    if (!m)
        return;
    m->from = from;
    m->to = to;
    strcpy(m->link, link);
    if (list_add(moves, m) < 0)
        free(m);
}

/* Either may be NULL. */
static void note_all(struct list *moves, const struct stand *old, const struct stand *now)
{
    if (old && now && streq(old->link, now->link)) {
        note(moves, now->link, old->status, now->status);
        return;
    }
    if (old)
        note(moves, old->link, old->status, STANDING_NONE);
    if (now)
        note(moves, now->link, STANDING_NONE, now->status);
}

static bool same(const struct stand *t, const struct standing *now)
{
    return t->status == now->status && t->deleting == now->deleting && streq(t->link, now->link);
}

static void stamp_all(struct standings *s, const struct stand *old, const struct stand *now)
{
    if (old && now && old->status == now->status && streq(old->link, now->link))
        return;
    if (old)
        stamp(s, old->status);
    if (now)
        stamp(s, now->status);
}

int standings_set(struct standings *s, const struct standing *now, struct list *moves)
{
    bool there = now->status != STANDING_NONE;
    char path[2 * NAME_SIZE];
    struct stand *old, *fresh = NULL;

    snprintf(path, sizeof(path), "%s/%s", now->family, now->name);
    old = map_get(s->by_path, path);
    if (old ? there && same(old, now) : !there)
        return 0;
    if (there && !(fresh = stand_new(path, now)))
        return s->known = -ENOMEM;
    note_all(moves, old, fresh);
    stamp_all(s, old, fresh);
    if (old)
        take_out(s, old);
    if (fresh && put_in(s, fresh) < 0) {
        free(fresh);
        return s->known = -ENOMEM;
    }
    return 0;
}

void standings_complete(struct standings *s)
{
    s->known = 0;
}

/* --- asking --- */

int standings_known(struct standings *s)
{
    int r;

    pthread_mutex_lock(&s->lock);
    r = s->known;
    pthread_mutex_unlock(&s->lock);
    return r;
}

int standings_find(struct standings *s, int status, const char *link, struct buf *target)
{
    const struct stand *t;
    int r = -ENOENT;

    pthread_mutex_lock(&s->lock);
    t = map_get(s->by_link, link);
    if (t && t->status == status)
        r = target
                ? buf_printf(target, "../../%s/%s", t->deleting ? "deleting" : "families", t->path)
                : 0;
    pthread_mutex_unlock(&s->lock);
    return r;
}

int standings_each(struct standings *s, int status, int (*emit)(void *arg, const char *link),
                   void *arg)
{
    const struct stand *t;
    int r = 0;

    pthread_mutex_lock(&s->lock);
    TAILQ_FOREACH(t, &s->lists[status], peers)
    if (map_get(s->by_link, t->link) == t && (r = emit(arg, t->link)))
        break;
    pthread_mutex_unlock(&s->lock);
    return r;
}

int64_t standings_changed(struct standings *s, int status)
{
    int64_t ms;

    pthread_mutex_lock(&s->lock);
    ms = s->changed_ms[status];
    pthread_mutex_unlock(&s->lock);
    return ms;
}
