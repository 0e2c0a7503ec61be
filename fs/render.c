/*
 * What files say. A render function appends the whole content, reads memory only, and is called for
 * stat as well as for open: the sizes that stat shows are exact.
 */
#include "fs/render.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cache/name.h"
#include "fs/changed.h"

static const char readme[] =
    "svcfs: the services of this AWS account, as files\n"
    "\n"
    "  ls families/                      the families; a service belongs to one\n"
    "  cat families/F/services.tsv       its services: id, status, resources, url\n"
    "  mkdir families/F/ID               provisions a service (where F has a blueprint.json)\n"
    "  mkdir families/F/$(cat families/F/next-id)   the same with a fresh id\n"
    "  cat families/F/ID/wait            blocks until it is done; fails if it failed\n"
    "  cat families/F/ID/status          creating ready degraded failed deleting unmanaged "
    "unknown\n"
    "  tail -f families/F/ID/events      what is being done\n"
    "  cat families/F/ID/error           why it failed, and what to do next\n"
    "  ls families/F/ID/outputs/         url, dns, database, ...: one value a file\n"
    "  ls families/F/ID/resources/       what it consists of: links into resources/\n"
    "  ln -s x families/F/ID/depends-on/OTHER   it needs OTHER; rm takes that back\n"
    "  rmdir families/F/ID               tears it down; it stands in deleting/ until it is gone\n"
    "  cat deleting/F/ID/wait            blocks until it is gone\n"
    "\n"
    "  services/ID                       every service, whatever its family\n"
    "  by-status/failed/                 the services of one status; a directory for each word\n"
    "  by-type/ec2.security-group/       the resources of one type\n"
    "  untagged/                         what has one of the two tags alone (shared things, too)\n"
    "  groups/                           the account's resource groups\n"
    "  resources/SERVICE/TYPE/ID/        every resource: arn, properties.json, tags/\n"
    "    services/, impact.tsv           who would break if it changed, and why\n"
    "  graph.dot                         all of it for Graphviz; also in a family, in a service\n"
    "  echo V > resources/.../tags/K     tags it; rm untags; service-id moves it into a service\n"
    "  .svcfs/                           this mount: health, freshness, metrics, errors\n"
    "\n"
    "Other rm, rm -rf, find -delete and cp into this tree are refused (EPERM), no harm done; a\n"
    "process that was refused a removal may not rmdir for a minute. What svcfs did not\n"
    "provision (status unmanaged) is shown and never deleted. An errno too short to understand\n"
    "is explained in .svcfs/errors, newest last. See svcfs(1).\n";

static int line(struct buf *out, const char *text)
{
    return buf_printf(out, "%s\n", text);
}

int render_readme(struct place *p _unused_, struct buf *out, struct fault *f _unused_)
{
    return buf_puts(out, readme);
}

int render_blueprint(struct place *p, struct buf *out, struct fault *f _unused_)
{
    char *text _cleanup_free_ = NULL;
    int64_t mtime;
    size_t len;
    int r;

    text = provision_blueprint(p->fs->provision, p->family->id, &mtime);
    if (!text)
        return -ENOENT;
    len = strlen(text);
    r = buf_append(out, text, len);
    return r || (len && text[len - 1] == '\n') ? r : buf_putc(out, '\n');
}

int render_next_id(struct place *p, struct buf *out, struct fault *f)
{
    char id[64];
    int r = p->snap->whole ? 0 : PARK; /* it may be in use */

    r = r ? r : provision_next_id(p->fs->provision, p->family->id, id, f);
    return r ? r : line(out, id);
}

static int time_column(struct buf *out, int64_t wall_ms)
{
    char text[CLOCK_TIME_SIZE];

    return buf_printf(out, "\t%s", wall_ms ? clock_format(wall_ms, text) : "-");
}

/* A field must not break the table: whatever could is shown as a space. */
static int text_column(struct buf *out, const char *text)
{
    int r = buf_putc(out, '\t');

    if (!text || !*text)
        text = "-";
    for (; *text && r == 0; text++)
        r = buf_putc(out, (unsigned char)*text < 0x20 ? ' ' : *text);
    return r;
}

static int service_line(struct place *p, const struct index_service *s, struct buf *out)
{
    struct service_row row = {0};
    int r;

    provision_row(p->fs->provision, s, &row);
    p->rows_ms = MAX(p->rows_ms, changed_whole_row(s, &row));
    r = buf_printf(out, "%s\t%s", s->name, service_status_name(row.status));
    r = r ? r : time_column(out, row.checked_wall_ms);
    r = r ? r : time_column(out, row.created_wall_ms);
    r = r ? r : buf_printf(out, "\t%zu", s->n_resources);
    r = r ? r : text_column(out, row.url);
    return r ? r : buf_putc(out, '\n');
}

int render_services_tsv(struct place *p, struct buf *out, struct fault *f _unused_)
{
    int r = place_family(p);

    r = r ? r : line(out, "id\tstatus\tchecked\tcreated\tresources\turl");

    for (size_t i = 0; r == 0 && i < p->family->n_services; i++)
        r = service_line(p, p->family->services[i], out);
    return r;
}

int render_status(struct place *p, struct buf *out, struct fault *f _unused_)
{
    return line(out, service_status_name(place_row(p)->status));
}

int render_events(struct place *p, struct buf *out, struct fault *f _unused_)
{
    return provision_events(p->fs->provision, p->service->family->id, p->service->id, out);
}

int size_events(struct place *p, size_t *ret)
{
    *ret = place_row(p)->events_len;
    return 0;
}

int render_error(struct place *p, struct buf *out, struct fault *f _unused_)
{
    int r = place_view(p);

    if (r)
        return r;
    if (!p->view->error)
        return -ENOENT;
    r = buf_puts(out, p->view->error);
    return r || str_ends(p->view->error, "\n") ? r : buf_putc(out, '\n');
}

int render_service_json(struct place *p, struct buf *out, struct fault *f _unused_)
{
    return provision_document(p->fs->provision, p->service, out);
}

/* How a finished operation ended. PARK while it runs. */
int render_wait(struct place *p, struct buf *out, struct fault *f)
{
    int r = place_view(p);

    if (r)
        return r;
    if (p->view->working)
        return PARK;
    switch (p->view->status) {
    case STATUS_READY:
    case STATUS_DEGRADED:
    case STATUS_UNMANAGED:
        return line(out, service_status_name(p->view->status));
    case STATUS_FAILED:
        return fault_set(f, -ECANCELED, "the operation failed: see the file error");
    case STATUS_CREATING:
    case STATUS_DELETING:
        return PARK; /* somebody will take it up; the next sweep of the records tells */
    case STATUS_UNKNOWN:
        break;
    }
    return fault_set(f, -EREMOTEIO, "the record of the service cannot be read: see the file error");
}

int render_output(struct place *p, struct buf *out, struct fault *f _unused_)
{
    int r = place_view(p);

    if (r)
        return r;
    for (size_t i = 0; i < p->view->n_outputs; i++)
        if (streq(p->view->outputs[i].name, p->key->args[2]))
            return line(out, p->view->outputs[i].value);
    return -ENOENT;
}

int render_group_arn(struct place *p, struct buf *out, struct fault *f _unused_)
{
    return line(out, p->group->arn);
}

int render_group_query(struct place *p, struct buf *out, struct fault *f _unused_)
{
    return p->group->query ? line(out, p->group->query) : -ENOENT;
}

int render_resource_arn(struct place *p, struct buf *out, struct fault *f _unused_)
{
    return p->resource->has_arn ? line(out, p->resource->key) : -ENOENT;
}

int render_tag(struct place *p, struct buf *out, struct fault *f _unused_)
{
    char shown[NAME_SIZE];

    for (size_t i = 0; i < p->resource->n_tags; i++) {
        name_from_value(p->resource->tags[i].key, NULL, false, shown);
        if (streq(shown, p->key->args[3]))
            return line(out, p->resource->tags[i].value);
    }
    return -ENOENT;
}
