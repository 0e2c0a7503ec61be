#include "cache/lookup.h"

#include <string.h>

#include "base/str.h"
#include "cache/build.h"
#include "cache/list.h"
#include "cache/name.h"
#include "cache/things.h"

/* The element of a sorted array of n pointers (or of structs of `size` bytes, where not `pointers`)
 * whose string at `offset` is name. */
static const void *find(const void *array, size_t n, size_t size, bool pointers, size_t offset,
                        const char *name)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *at = (const char *)array + middle * size;
        const char *element = pointers ? *(const char *const *)at : at;
        const char *key = *(const char *const *)(element + offset);
        int order = strcmp(name, key);

        if (order == 0)
            return element;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

#define FIND_POINTER(array, n, type, member, name)                                                 \
    ((const type *)find((array), (n), sizeof(void *), true, offsetof(type, member), (name)))
#define FIND_STRUCT(array, n, type, member, name)                                                  \
    ((const type *)find((array), (n), sizeof(type), false, offsetof(type, member), (name)))

const struct index_family *snapshot_family(const struct snapshot *s, const char *name)
{
    return FIND_POINTER(s->families, s->n_families, struct index_family, name, name);
}

const struct index_family *snapshot_family_by_id(const struct snapshot *s, const char *id)
{
    char name[NAME_SIZE];

    name_from_value(id, NULL, false, name);
    return snapshot_family(s, name);
}

const struct index_service *snapshot_service(const struct index_family *f, const char *name)
{
    return FIND_POINTER(f->services, f->n_services, struct index_service, name, name);
}

const struct index_service *snapshot_deleting(const struct index_family *f, const char *name)
{
    return FIND_POINTER(f->deleting, f->n_deleting, struct index_service, name, name);
}

const struct index_service *snapshot_service_by_id(const struct index_family *f, const char *id)
{
    char name[NAME_SIZE];

    name_from_value(id, index_reserved, false, name);
    const struct index_service *s = snapshot_service(f, name);
    return s ? s : snapshot_deleting(f, name);
}

static int order_by_id_alone(const void *x, const void *y)
{
    return strcmp(((const struct index_service *)x)->id, y);
}

size_t snapshot_place_of_id(const struct snapshot *s, const char *id)
{
    return list_place((const void *const *)s->private_->ids, s->private_->n_ids, id,
                      order_by_id_alone);
}

const struct index_service *snapshot_any_service(const struct snapshot *s, const char *id)
{
    const struct snapshot_private *p = s->private_;
    size_t i = snapshot_place_of_id(s, id);

    return i < p->n_ids && streq(p->ids[i]->id, id) ? p->ids[i] : NULL;
}

const struct index_service *const *snapshot_services_by_id(const struct snapshot *s, const char *id,
                                                           size_t *ret_n)
{
    const struct snapshot_private *p = s->private_;
    size_t first = snapshot_place_of_id(s, id), end = first;

    while (end < p->n_ids && streq(p->ids[end]->id, id))
        end++;
    *ret_n = end - first;
    return p->ids + first;
}

static int order_need_by_id(const void *x, const void *id)
{
    return strcmp(((const struct index_need *)x)->id, id);
}

const struct index_need *const *snapshot_dependents(const struct snapshot *s, const char *id,
                                                    size_t *ret_n)
{
    const struct snapshot_private *p = s->private_;
    size_t first = list_place((const void *const *)p->needs, p->n_needs, id, order_need_by_id);
    size_t end = first;

    while (end < p->n_needs && streq(p->needs[end]->id, id))
        end++;
    *ret_n = end - first;
    return p->needs + first;
}

const struct index_service *snapshot_link(const struct snapshot *s, const char *link)
{
    return FIND_POINTER(s->services, s->n_services, struct index_service, link, link);
}

const struct index_kind *snapshot_kind(const struct snapshot *s, const char *name)
{
    return FIND_STRUCT(s->kinds, s->n_kinds, struct index_kind, name, name);
}

const struct index_type *snapshot_type(const struct index_kind *k, const char *name)
{
    return FIND_STRUCT(k->types, k->n_types, struct index_type, name, name);
}

const struct index_resource *snapshot_resource(const struct index_type *t, const char *id)
{
    return FIND_POINTER(t->resources, t->n_resources, struct index_resource, id, id);
}

const struct index_resource *snapshot_resource_by_key(const struct snapshot *s, const char *key)
{
    return FIND_POINTER(s->resources, s->n_resources, struct index_resource, key, key);
}

const struct index_group *snapshot_group(const struct snapshot *s, const char *name)
{
    return FIND_STRUCT(s->groups, s->n_groups, struct index_group, name, name);
}

const struct index_resource *const *snapshot_untagged(const struct snapshot *s, size_t *ret_n)
{
    *ret_n = s->private_->n_untagged;
    return s->private_->untagged;
}

int64_t snapshot_untagged_ms(const struct snapshot *s)
{
    return s->private_->untagged_ms;
}

int64_t snapshot_types_ms(const struct snapshot *s)
{
    int64_t ms = s->kinds_ms;

    for (size_t i = 0; i < s->n_kinds; i++)
        ms = MAX(ms, s->kinds[i].listed_ms);
    return ms;
}

/* From the front: they are few, and most differ in their first byte. */
const char *tag_value(const struct index_tag *tags, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (tags[i].key[0] == key[0] && streq(tags[i].key, key))
            return tags[i].value;
    return NULL;
}

const char *index_tag(const struct index_resource *r, const char *key)
{
    return tag_value(r->tags, r->n_tags, key);
}
