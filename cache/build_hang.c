/*
 * Whose each resource is. Families and services are growing drafts here; a patch has drafts of
 * those alone that its keys touch, and a draft of a service begins with what the base has of it
 * beside these keys.
 *
 * A record belongs to the service that it names, whatever somebody made of its tags; what a record
 * names belongs to its service unless its tags say another one.
 */
#include "cache/draft.h"

#include <errno.h>

#include "base/str.h"

/* --- problems --- */

char *problem_unplaced(struct build *b, const char *key)
{
    return arena_printf(b->scratch, "%s: not an ARN that svcfs can place", key);
}

char *problem_homeless(struct build *b, const struct index_resource *r)
{
    return arena_printf(b->scratch,
                        "%s: has %s=%s but no %s, so it belongs to no service; add the tag or "
                        "remove it",
                        r->key, b->in->service_tag, index_tag(r, b->in->service_tag),
                        b->in->family_tag);
}

/* One line whatever stands in a tag. */
static void make_one_line(char *line)
{
    for (char *s = line; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            *s = ' ';
}

int problem_come(struct build *b, char *line)
{
    if (!line)
        return -ENOMEM;
    make_one_line(line);
    const char *kept = arena_strdup(b->things, line);
    return kept ? list_add(&b->problems.come, kept) : -ENOMEM;
}

int problem_gone(struct build *b, char *line)
{
    if (!line)
        return -ENOMEM;
    make_one_line(line);
    for (size_t i = 0; i < b->base->n_problems; i++)
        if (streq(b->base->problems[i], line))
            return list_add(&b->problems.gone, b->base->problems[i]);
    return 0;
}

/* --- drafts --- */

static const struct index_label *label_new(struct build *b, const char *id)
{
    struct index_label *label = arena_alloc(b->things, sizeof(*label));
    char name[NAME_SIZE];

    if (!label)
        return NULL;
    name_from_value(id, NULL, false, name);
    label->id = arena_strdup(b->things, id);
    label->name = arena_strdup(b->things, name);
    return label->id && label->name ? label : NULL;
}

struct family_draft *draft_family(struct build *b, const char *id)
{
    struct family_draft *f = map_get(b->families, id);

    if (f)
        return f;
    f = arena_alloc(b->scratch, sizeof(*f));
    if (!f)
        return NULL;
    f->old = b->base ? snapshot_family_by_id(b->base, id) : NULL;
    f->has_blueprint = f->old && f->old->has_blueprint && !b->changes->blueprints;
    f->label = f->old ? f->old->label : label_new(b, id);
    f->services = map_new();
    if (!f->label || !f->services || map_put(b->families, id, f, NULL) < 0) {
        map_free(f->services);
        return NULL;
    }
    return f;
}

static int keep_resources(struct build *b, struct service_draft *d)
{
    int e = 0;

    for (size_t i = 0; e == 0 && d->old && i < d->old->n_resources; i++)
        if (!map_get(b->keys, d->old->resources[i]->key))
            e = list_add(&d->resources, d->old->resources[i]);
    return e;
}

/* id and name of the draft: strings of the old one, or new ones. */
static int name_service(struct build *b, struct service_draft *d, const char *id)
{
    char name[NAME_SIZE];

    if (d->old) {
        d->service->id = d->old->id;
        d->service->name = d->old->name;
        return 0;
    }
    name_from_value(id, index_reserved, false, name);
    d->service->id = arena_strdup(b->things, id);
    d->service->name = streq(name, id) ? d->service->id : arena_strdup(b->things, name);
    return d->service->id && d->service->name ? 0 : -ENOMEM;
}

struct service_draft *draft_service(struct build *b, struct family_draft *f, const char *id)
{
    struct service_draft *d = map_get(f->services, id);

    if (d)
        return d;
    uintptr_t count = (uintptr_t)map_get(b->family_count, id) + 1;
    d = arena_alloc(b->scratch, sizeof(*d));
    struct index_service *s = arena_alloc(b->things, sizeof(*s));
    if (!d || !s || map_put(f->services, id, d, NULL) < 0 ||
        map_put(b->family_count, id, (void *)count, NULL) < 0)
        return NULL;
    s->family = f->label;
    d->service = s;
    d->old = f->old ? snapshot_service_by_id(f->old, id) : NULL;
    d->record = map_get(b->in->records, id);
    if (d->record && !streq(d->record->family, f->label->id))
        d->record = NULL;
    return name_service(b, d, id) < 0 || keep_resources(b, d) < 0 ? NULL : d;
}

/* --- the pass --- */

static int hang(struct build *b, const struct resource_draft *d)
{
    struct index_resource *r = d->resource;
    const char *family = index_tag(r, b->in->family_tag), *tag = index_tag(r, b->in->service_tag);
    const struct overlay_record *rec = d->record ? d->record : d->named;
    const char *id = tag;

    if (rec && (d->record || !family || !id)) {
        family = rec->family;
        id = rec->id;
    }
    b->strays |= tag && (!family || !streq(tag, id));
    if (!family)
        return id ? problem_come(b, problem_homeless(b, r)) : 0;
    struct family_draft *f = draft_family(b, family);
    if (!f)
        return -ENOMEM;
    r->family = f->label;
    if (!id)
        return list_add(&f->shared.come, r);
    struct service_draft *s = draft_service(b, f, id);
    if (!s)
        return -ENOMEM;
    r->owner = s->service;
    b->contested |= d->named && d->named != s->record;
    return list_add(&s->resources, r);
}

int hang_all(struct build *b)
{
    int e = 0;

    for (size_t i = 0; e == 0 && i < b->drafts.n; i++)
        e = hang(b, b->drafts.items[i]);
    return e;
}

int hang_blueprints(struct build *b)
{
    int e = 0;

    if (b->base && !b->changes->blueprints)
        return 0;
    for (size_t i = 0; e == 0 && b->base && i < b->base->n_families; i++)
        if (b->base->families[i]->has_blueprint)
            e = draft_family(b, b->base->families[i]->id) ? 0 : -ENOMEM;
    for (char *const *name = b->in->blueprints; e == 0 && name && *name; name++) {
        struct family_draft *f = draft_family(b, *name);
        if (f)
            f->has_blueprint = true;
        e = f ? 0 : -ENOMEM;
    }
    return e;
}
