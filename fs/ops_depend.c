/* ln -s and rm in depends-on/: the name says which service, whatever the link was to lead to. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cache/lookup.h"
#include "fs/detour.h"
#include "fs/guard.h"
#include "fs/notify.h"
#include "fs/ops.h"
#include "fs/ops_change.h"
#include "fs/tree.h"
#include "provision/tagging.h"

static int depend(struct errand *e, bool add)
{
    const struct provision_need need = {
        .family = e->family, .id = e->of, .other = e->what, .add = add};
    int rc = provision_depend(e->fs->provision, &need, e->cancel, &e->fault);

    if (rc == 0)
        notify_settle(e->fs->notify);
    return rc;
}

static int add_need(struct errand *e)
{
    return depend(e, true);
}

static int remove_need(struct errand *e)
{
    int rc = depend(e, false);

    if (rc == -EPERM)
        guard_refuse(e->fs->guard, e->tid);
    return rc;
}

/* Strings of the errand; its directory is dir. */
static int name_errand(struct errand *e, const struct place *dir, const char *other)
{
    e->family = strdup(dir->family->id);
    e->of = strdup(dir->service->id);
    e->what = strdup(other);
    if (e->family && e->of && e->what)
        return 0;
    free(e->family);
    free(e->of);
    free(e->what);
    return -ENOMEM;
}

/* May the caller change the directory, and is it one that can be changed. */
static int check_directory(struct request *r, struct place *dir)
{
    int rc = ops_may_write(r);

    if (rc)
        return rc;
    if (r->key.deleting)
        return fault_set(&r->fault, -EPERM, "the service is being torn down");
    rc = place_open(r, dir);
    return rc ? rc : place_swept(dir);
}

static int run_symlink(struct request *r)
{
    struct errand e = {.run = add_need, .answer = ops_answer_made};
    struct place dir _cleanup_place_ = {0};
    const struct index_service *other;
    int rc;

    if (detour_continue(r))
        return 0;
    if (r->key.kind != KIND_DEPENDS_ON)
        return fault_set(&r->fault, -EPERM,
                         "a link is a dependency: it is made in depends-on/ of a service");
    rc = check_directory(r, &dir);
    if (rc)
        return rc;
    if (tree_need_id(dir.snap, dir.service, r->name))
        return -EEXIST;
    other = snapshot_link(dir.snap, r->name);
    if (!other)
        return fault_set(&r->fault, -ENOENT, "there is no such service (services/ has the names)");
    rc = name_errand(&e, &dir, other->id);
    return rc ? rc : detour_begin(r, &e);
}

void ops_symlink(fuse_req_t req, const char *target _unused_, fuse_ino_t parent, const char *name)
{
    static const struct operation op = {"symlink", run_symlink, OP_LOCKS_DIRECTORY};

    request_begin(req, &op, parent, name, 0, 0, NULL);
}

int depend_unlink(struct request *r)
{
    struct errand e = {.run = remove_need, .answer = ops_answer_removed};
    struct place dir _cleanup_place_ = {0};
    const char *other;
    int rc = r->key.deleting ? ops_refuse_removal(r, "the service is being torn down")
                             : check_directory(r, &dir);

    if (rc)
        return rc;
    other = tree_need_id(dir.snap, dir.service, r->name);
    rc = other ? ops_victim(r, &dir, &e.victim) : -ENOENT;
    rc = rc ? rc : name_errand(&e, &dir, other);
    return rc ? rc : detour_begin(r, &e);
}
