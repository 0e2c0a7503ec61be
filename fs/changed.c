/*
 * Times of contents and listings. What AWS holds has the index's times, what provisioning knows its
 * own; a node that the kernel knows adds when it was told of a change (kind_mtime).
 */
#include "fs/changed.h"

#include <stdlib.h>

#include "cache/lookup.h"
#include "fs/standing.h"

#define OF(name, object, member)                                                                   \
    int64_t changed_##name(struct place *p)                                                        \
    {                                                                                              \
        return p->object ? p->object->member : 0;                                                  \
    }
OF(families, snap, families_ms)
OF(family_resources, family, shared_ms)
OF(service_resources, service, resources_ms)
OF(services, snap, services_ms)
OF(groups, snap, groups_ms)
OF(group, group, changed_ms)
OF(group_resources, group, resources_ms)
OF(resources, snap, kinds_ms)
OF(resource_service, rkind, listed_ms)
OF(resource_type, rtype, listed_ms)
OF(tags, resource, changed_ms)
OF(deleting, snap, deleting_ms)
OF(deleting_family, family, deleting_ms)

OF(dependents, snap, needs_ms)

/* Names hang on whom they name as well. */
int64_t changed_depends_on(struct place *p)
{
    const struct index_service *s = p->service;

    return s->n_depends > 0 ? MAX(s->depends_ms, p->snap->services_ms) : s->depends_ms;
}

int64_t changed_family(struct place *p)
{
    return MAX(p->family->services_ms, p->family->changed_ms);
}

int64_t changed_blueprint(struct place *p)
{
    int64_t ms = 0;

    free(provision_blueprint(p->fs->provision, p->family->id, &ms));
    return ms;
}

static int64_t row_ms(const struct service_row *row)
{
    return MAX(row->created_wall_ms, row->changed_wall_ms);
}

int64_t changed_service(struct place *p)
{
    return row_ms(place_row(p));
}

int64_t changed_events(struct place *p)
{
    const struct service_row *row = place_row(p);

    return row->events_wall_ms ? row->events_wall_ms : row->created_wall_ms;
}

int64_t changed_whole_row(const struct index_service *s, const struct service_row *row)
{
    return MAX(s->changed_ms, MAX(row_ms(row), row->checked_wall_ms));
}

int64_t changed_service_json(struct place *p)
{
    return changed_whole_row(p->service, place_row(p));
}

/* Of what nobody has asked for it is not worked out: what was not seen did not change. */
int64_t changed_impact(struct place *p)
{
    const struct impact *told _cleanup_(impact_unrefp) = impacts_told(p->fs->impacts, p->resource);

    return told ? told->changed_ms : p->resource->owner_ms;
}

/* Asked for when it has been rendered, as the next. */
int64_t changed_graph(struct place *p)
{
    return p->rows_ms;
}

/* Asked for when it has been rendered, and only then (content.c): the rows are looked at once. */
int64_t changed_services_tsv(struct place *p)
{
    return MAX(p->family->services_ms, p->rows_ms);
}

/* All words, always. */
int64_t changed_by_status(struct place *p _unused_)
{
    return 0;
}

int64_t changed_standing(struct place *p)
{
    return standings_changed(p->fs->standings, standing_status(p->key->args[0]));
}

int64_t changed_by_type(struct place *p)
{
    return p->snap ? snapshot_types_ms(p->snap) : 0;
}

int64_t changed_untagged(struct place *p)
{
    return p->snap ? snapshot_untagged_ms(p->snap) : 0;
}

int64_t changed_sweep(struct place *p)
{
    struct cache_freshness fresh;

    cache_freshness(p->fs->cache, &fresh);
    return fresh.ended_wall_ms;
}
