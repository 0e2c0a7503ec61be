/* What stands beneath a record: owners, intents, protection; read as one (engine.md «The record and
 * its parameters»). */
#include "provision/internal.h"

#include "awsapi/ssm.h"
#include "base/str.h"

enum { UNKNOWN_LEASE_MS = 10 * 60 * 1000 };

void children_add(struct children *c, const char *id, const char *claim, const char *name,
                  const char *value)
{
    struct record_child child;

    if (record_parse_name(name, &child) < 0 || !streq(child.id, id) || !streq(child.claim, claim))
        return;
    switch (child.word) {
    case CHILD_OWNER:
        if (child.n <= c->owner_n)
            break;
        c->owner_n = child.n;
        if (record_owner_parse(value, &c->owner) <
            0) /* it is there all the same; nobody knows for how long */
            c->owner = (struct record_owner){.lease_ms = UNKNOWN_LEASE_MS};
        break;
    case CHILD_DELETE:
        c->intent = MAX(c->intent, child.n);
        break;
    case CHILD_PROTECT:
        c->is_protected = true;
        break;
    case CHILD_CANCEL:
        break;
    }
}

int children_read(struct provision *p, const char *id, const char *claim, const struct aws_ctx *ctx,
                  struct children *ret, struct fault *f)
{
    _cleanup_ssm_ struct ssm_parameters all = {0};
    struct children c = {0};
    char path[128];

    int r = str_format(path, sizeof(path), "/svcfs/%s/%s", id, claim);
    if (r < 0)
        return fault_set(f, r, "the id %s is too long", id);
    r = ssm_get_parameters_by_path(p->aws, ctx, path, &all, f);
    if (r < 0)
        return r;
    for (size_t i = 0; i < all.n; i++)
        children_add(&c, id, claim, all.items[i].name, all.items[i].value);
    *ret = c;
    return 0;
}
