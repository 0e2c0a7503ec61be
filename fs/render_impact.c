/*
 * Who breaks: impact.tsv, and the drawings. A look from its directory is answered at once; who asks
 * for impact.tsv itself is parked until a first round of descriptions is over, so that its answer
 * is whole.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/render.h"

static const char header[] = "service\tfamily\tdistance\tpath\n";

static int put_lines(const struct impact *touched, struct buf *out)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < touched->n; i++) {
        const struct impact_entry *e = &touched->entries[i];

        r = buf_printf(out, "%s\t%s\t%u\t%s\n", e->service->name, e->service->family, e->distance,
                       e->path);
    }
    return r;
}

static int order_lines(const void *x, const void *y)
{
    return strcmp(*(char *const *)x, *(char *const *)y);
}

/* By byte. They come by their links, which is nearly that. */
static int put_sorted(char *text, size_t n, struct buf *out)
{
    char **lines _cleanup_free_ = calloc(n + 1, sizeof(*lines)), *rest = text;
    int r = lines ? 0 : -ENOMEM;

    for (size_t i = 0; r == 0 && i < n; i++)
        lines[i] = strsep(&rest, "\n");
    if (r == 0)
        qsort(lines, n, sizeof(*lines), order_lines);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = buf_printf(out, "%s\n", lines[i]);
    return r;
}

/* What the graph does not have yet has its owner alone; it is told of soon. */
static int paths_of(struct place *p, const struct impact **ret)
{
    int r = impacts_get_paths(p->fs->impacts, p->resource, ret);

    return r == -EAGAIN ? PARK : r;
}

int render_impact(struct place *p, struct buf *out, struct fault *f _unused_)
{
    const struct impact *told _cleanup_(impact_unrefp) = NULL;
    const struct impact *touched _cleanup_(impact_unrefp) = NULL;
    struct buf lines _cleanup_buf_ = BUF_INIT(64 << 20);
    int r = impacts_whole(p->fs->impacts) ? 0 : PARK;

    r = r ? r : impacts_get(p->fs->impacts, p->resource, &told); /* from now on it is told */
    r = r ? r : paths_of(p, &touched);
    r = r ? r : put_lines(touched, &lines);
    r = r ? r : buf_puts(out, header);
    if (r == 0 && touched->n > 0)
        r = put_sorted(lines.data, touched->n, out);
    if (r == 0 && impact_same(told, touched))
        impact_keep_size(told, out->len);
    return r;
}

int size_impact(struct place *p, size_t *ret)
{
    const struct impact *told _cleanup_(impact_unrefp) = impacts_told(p->fs->impacts, p->resource);
    struct buf text _cleanup_buf_ = BUF_INIT(64 << 20);
    size_t kept = told ? impact_kept_size(told) : 0;
    int r = 0;

    if (kept == 0 && p->glance) {
        p->unknown = true;
    } else if (kept == 0) {
        r = render_impact(p, &text, p->fault);
        kept = text.len;
    }
    if (r == 0)
        *ret = kept;
    return r;
}

int render_graph(struct place *p, struct buf *out, struct fault *f _unused_)
{
    const char *family = p->key->kind == KIND_GRAPH ? NULL : p->family->id;
    const char *service = p->key->kind == KIND_SERVICE_GRAPH ? p->service->id : NULL;
    int r = place_snapshot(p);

    if (r == 0 && !p->snap->whole)
        r = PARK; /* a sketch has no resources */
    return r ? r : impacts_draw(p->fs->impacts, family, service, out, &p->rows_ms);
}
