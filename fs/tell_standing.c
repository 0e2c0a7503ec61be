/* From another status of a service to what the kernel is told of by-status/. */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "cache/lookup.h"
#include "fs/fs.h"
#include "fs/notify.h"
#include "fs/standing.h"
#include "fs/tell.h"

/* What is true now, not what whoever asks for this look has seen. */
static int look(struct fs *fs, const struct snapshot *snap, const struct index_service *s,
                struct list *moves)
{
    const struct index_family *f = snapshot_family(snap, s->family->name);
    const struct index_service *now = f ? snapshot_service(f, s->name) : NULL;
    struct standing standing = {
        .family = s->family->name, .name = s->name, .status = STANDING_NONE};
    struct service_row row;

    if (f && !now)
        now = snapshot_deleting(f, s->name);
    if (now) {
        provision_row(fs->provision, now, &row);
        standing.status = (int)row.status;
        standing.link = now->link;
        standing.deleting = now->deleting;
    }
    return standings_set(fs->standings, &standing, moves);
}

static int look_at_list(struct fs *fs, const struct snapshot *snap,
                        const struct index_service *const *list, size_t n, struct list *moves)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < n; i++)
        r = look(fs, snap, list[i], moves);
    return r;
}

/* At first, when no listing was given yet, and where memory has failed. */
static int look_at_all(struct fs *fs, const struct snapshot *snap, struct list *moves)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < snap->n_families; i++) {
        const struct index_family *f = snap->families[i];

        r = look_at_list(fs, snap, f->services, f->n_services, moves);
        r = r ? r : look_at_list(fs, snap, f->deleting, f->n_deleting, moves);
    }
    if (r == 0)
        standings_complete(fs->standings);
    return r;
}

static struct key directory(int status)
{
    struct key root = {.kind = KIND_BY_STATUS, .life = ""};

    return key_child(&root, KIND_STANDING, service_status_name(status));
}

/* Also the old name's own node, which whoever waited must not find any more (notify.h: names take
 * their time). */
static void tell(struct fs *fs, const struct standing_move *m, unsigned *listings)
{
    struct key dir, link;

    if (m->from != STANDING_NONE) {
        dir = directory(m->from);
        link = key_child(&dir, KIND_STANDING_LINK, m->link);
        notify_inode(fs->notify, &link);
    }
    if (m->from == m->to)
        return;
    if (m->from != STANDING_NONE) {
        *listings |= 1U << m->from;
        notify_entry(fs->notify, &dir, m->link);
    }
    if (m->to != STANDING_NONE) {
        dir = directory(m->to);
        *listings |= 1U << m->to;
        notify_entry(fs->notify, &dir, m->link);
    }
}

static void tell_all(struct fs *fs, struct list *moves)
{
    unsigned listings = 0;

    if (moves->n > 0)
        notify_next_epoch(fs->notify);
    for (size_t i = 0; i < moves->n; i++) {
        tell(fs, moves->items[i], &listings);
        free((void *)moves->items[i]);
    }
    for (int i = 0; i < STANDINGS; i++) {
        struct key dir = directory(i);

        if (listings & 1U << i)
            notify_inode(fs->notify, &dir);
    }
    list_done(moves);
}

void tell_standings(struct fs *fs, const struct index_service *const *services, size_t n)
{
    int known = standings_known(fs->standings);
    struct list moves = {0}, *told = known == -EAGAIN ? NULL : &moves;

    standings_begin(fs->standings, fs_wall_ms(fs));
    const struct snapshot *snap _cleanup_snapshot_ = cache_snapshot(fs->cache);
    int r = !snap        ? 0
            : known == 0 ? look_at_list(fs, snap, services, n, told)
                         : look_at_all(fs, snap, told);
    standings_end(fs->standings);
    if (r < 0)
        log_warning("by-status/ cannot be shown: no memory");
    tell_all(fs, &moves);
}
