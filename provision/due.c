/*
 * What the watcher has to look at, kept as lists, so that ten thousand services at rest cost
 * nothing: a life is put onto a list, or taken off, when it changes, and not looked for. Both lists
 * have one interval for all that stand on them; who was looked at goes to the end, so the first one
 * is the next one.
 */
#include "provision/internal.h"

static bool has_rest(const struct life *l)
{
    return !l->gone && !l->engaged && l->record->phase == PHASE_READY && !life_has_work(l);
}

static bool is_due(const struct life *l)
{
    return !l->gone && !l->engaged && (l->suspect || life_has_work(l));
}

void due_place(struct provision *p, struct life *l)
{
    struct due *d = &p->due;

    if (l->on_due != is_due(l)) {
        l->on_due = !l->on_due;
        if (l->on_due) { /* at once */
            TAILQ_INSERT_HEAD(&d->work, l, due);
            l->looked_ms = 0;
            d->woken = true;
            pthread_cond_broadcast(&p->changed);
        } else {
            TAILQ_REMOVE(&d->work, l, due);
        }
    }
    if (l->on_resting != has_rest(l)) {
        l->on_resting = !l->on_resting;
        if (!l->on_resting)
            TAILQ_REMOVE(&d->resting, l, resting);
        else if (l->checked_ms == 0)
            TAILQ_INSERT_HEAD(&d->resting, l, resting);
        else
            TAILQ_INSERT_TAIL(&d->resting, l, resting);
    }
}

void due_checked(struct provision *p, struct life *l)
{
    l->checked_ms = now_ms(p);
    if (!l->on_resting)
        return;
    TAILQ_REMOVE(&p->due.resting, l, resting);
    TAILQ_INSERT_TAIL(&p->due.resting, l, resting);
}
