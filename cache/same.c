#include "cache/same.h"

#include "base/str.h"
#include "cache/list.h"

bool same_place(const struct index_resource *a, const struct index_resource *b)
{
    return streq(a->service, b->service) && streq(a->type, b->type) && streq(a->id, b->id);
}

bool same_resource(const struct index_resource *a, const struct index_resource *b)
{
    if (a == b)
        return true;
    /* The link follows from key and id. */
    if (a->unread != b->unread || a->n_tags != b->n_tags || !streq(a->key, b->key) ||
        !streq(a->id, b->id))
        return false;
    for (size_t i = 0; a->tags != b->tags && i < a->n_tags; i++)
        if (!streq(a->tags[i].key, b->tags[i].key) || !streq(a->tags[i].value, b->tags[i].value))
            return false;
    return true;
}

bool same_owner(const struct index_resource *a, const struct index_resource *b)
{
    const struct index_service *x = a->owner, *y = b->owner;

    if (!x || !y || x == y)
        return x == y;
    return streq(x->id, y->id) && streq(x->link, y->link) && x->deleting == y->deleting &&
           streq(x->family->id, y->family->id);
}

bool same_identity(const struct index_service *a, const struct index_service *b)
{
    return streq(a->id, b->id) && streq(a->link, b->link) && streq(a->family->id, b->family->id) &&
           a->managed == b->managed && a->deleting == b->deleting && streq(a->claim, b->claim);
}

bool same_depends(const struct index_service *a, const struct index_service *b)
{
    bool same = a->n_depends == b->n_depends;

    for (size_t i = 0; same && i < a->n_depends; i++)
        same = streq(a->depends[i], b->depends[i]);
    return same;
}

bool same_service(const struct index_service *a, const struct index_service *b)
{
    if (a == b)
        return true;
    if (!same_identity(a, b) || !streq(a->phase, b->phase) || a->n_resources != b->n_resources)
        return false;
    for (size_t i = 0; i < a->n_resources; i++)
        if (!same_resource(a->resources[i], b->resources[i]))
            return false;
    return true;
}

bool same_group(const struct index_group *a, const struct index_group *b)
{
    return streq(a->arn, b->arn) &&
           (a->query && b->query ? streq(a->query, b->query) : a->query == b->query);
}

bool same_links(const struct index_resource *const *a, size_t n_a,
                const struct index_resource *const *b, size_t n_b)
{
    return row_same(ROW(a, n_a), ROW(b, n_b), offsetof(struct index_resource, link));
}
