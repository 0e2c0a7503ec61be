/*
 * The memo holds the long ones that were asked for last: one of 10,000 lines takes
 * milliseconds to write, and is looked at more often than it changes. What was rendered while
 * something changed is not kept: its epoch is older than the present one.
 */
#include "fs/content.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"
#include "fs/kind.h"
#include "fs/notify.h"

enum { MAX_CONTENT = 64 << 20, MEMOS = 32 };

struct memo {
    char *path;
    uint64_t epoch;
    struct content *content;
};

struct content_memo {
    pthread_mutex_t lock;
    struct memo tables[MEMOS]; /* by path */
    size_t next;               /* to be replaced */
};

struct content *content_ref(struct content *c)
{
    atomic_fetch_add(&c->refs, 1);
    return c;
}

void content_unref(struct content *c)
{
    if (!c || atomic_fetch_sub(&c->refs, 1) > 1)
        return;
    buf_done(&c->text);
    free(c);
}

static void memo_done(struct memo *m)
{
    free(m->path);
    content_unref(m->content);
}

int content_memo_new(struct content_memo **ret)
{
    struct content_memo *m = calloc(1, sizeof(*m));

    if (!m)
        return -ENOMEM;
    pthread_mutex_init(&m->lock, NULL);
    *ret = m;
    return 0;
}

void content_memo_free(struct content_memo *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < MEMOS; i++)
        memo_done(&m->tables[i]);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static int render(struct place *p, struct content **ret, struct fault *f)
{
    const struct kind *row = kind_row(p->key->kind);
    _cleanup_(content_unrefp) struct content *c = calloc(1, sizeof(*c));
    int r;

    if (!c)
        return -ENOMEM;
    atomic_init(&c->refs, 1);
    c->text = BUF_INIT(MAX_CONTENT);
    r = row->render(p, &c->text, f);
    if (r)
        return r;
    c->version = hash_stable(buf_str(&c->text), c->text.len) | 1;
    c->changed_ms = row->changed(p);
    *ret = steal_ptr(c);
    return 0;
}

static struct memo *find_locked(struct content_memo *m, const char *path)
{
    for (size_t i = 0; i < MEMOS; i++)
        if (m->tables[i].path && streq(m->tables[i].path, path))
            return &m->tables[i];
    return NULL;
}

/* A reference, or NULL. */
static struct content *memo_get(struct content_memo *m, const char *path, uint64_t epoch)
{
    struct content *c = NULL;
    const struct memo *kept;

    pthread_mutex_lock(&m->lock);
    kept = find_locked(m, path);
    if (kept && kept->epoch == epoch)
        c = content_ref(kept->content);
    pthread_mutex_unlock(&m->lock);
    return c;
}

/* Without memory nothing is kept. */
static void memo_put(struct content_memo *m, const char *path, uint64_t epoch, struct content *c)
{
    struct memo fresh = {strdup(path), epoch, NULL}, old, *at;

    if (!fresh.path)
        return;
    fresh.content = content_ref(c);
    pthread_mutex_lock(&m->lock);
    at = find_locked(m, path);
    if (!at)
        at = &m->tables[m->next++ % MEMOS];
    old = *at;
    *at = fresh;
    pthread_mutex_unlock(&m->lock);
    memo_done(&old);
}

bool content_kept(struct place *p)
{
    bool is_long = kind_row(p->key->kind)->flags & KIND_F_LONG;
    char path[KEY_PATH_SIZE];

    /* A place that is older than the present epoch may hold what is outdated: it is not the one to
     * remember, nor to be answered from memory. */
    if (!p->content && is_long && p->epoch == notify_epoch(p->fs->notify)) {
        key_path(p->key, path);
        p->content = memo_get(p->fs->contents, path, p->epoch);
    }
    return p->content;
}

int content_get(struct place *p, struct fault *f)
{
    bool is_long = kind_row(p->key->kind)->flags & KIND_F_LONG;
    char path[KEY_PATH_SIZE];
    int r;

    if (content_kept(p))
        return 0;
    r = render(p, &p->content, f);
    if (r == 0 && is_long && p->epoch == notify_epoch(p->fs->notify)) {
        key_path(p->key, path);
        memo_put(p->fs->contents, path, p->epoch, p->content);
    }
    return r;
}
