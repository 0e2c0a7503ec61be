/*
 * properties.json: the one file whose content is fetched when it is asked for. A look from its
 * directory is answered with what there is; who asks for it is parked until its batch has ended.
 */
#include <errno.h>

#include "fs/changed.h"
#include "fs/render.h"
#include "fs/tree.h"

bool exists_properties(struct place *p)
{
    return describe_can(p->resource) && !describe_gone(p->fs->describe, p->resource->key);
}

/* So that a copy of the tree goes well, and who asks is told why. */
bool exists_no_properties(struct place *p)
{
    return p->resource->has_arn && !describe_can(p->resource);
}

static int want(struct place *p, const struct description **ret, struct fault *f)
{
    int r = describe_want(p->fs->describe, p->snap, p->resource, ret, f);

    return r > 0 ? PARK : r;
}

int render_properties(struct place *p, struct buf *out, struct fault *f)
{
    const struct description *d _cleanup_description_ = NULL;
    int r = want(p, &d, f);

    return r ? r : buf_append(out, d->text, d->len);
}

int size_properties(struct place *p, size_t *ret)
{
    const struct description *d _cleanup_description_ = NULL;
    int r = 0;

    if (p->glance) {
        d = describe_peek(p->fs->describe, p->resource->key);
        p->unknown = !d || !d->text;
    } else {
        r = want(p, &d, p->fault);
    }
    if (r == 0)
        *ret = d && d->text ? d->len : 0;
    return r;
}

int64_t changed_properties(struct place *p)
{
    const struct description *d _cleanup_description_ =
        describe_peek(p->fs->describe, p->resource->key);

    return d ? d->changed_wall_ms : 0;
}

int size_no_properties(struct place *p _unused_, size_t *ret)
{
    *ret = 0;
    return 0;
}
