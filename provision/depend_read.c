/* Reading what services need, as AWS has it now; and circles. See depend.c. */
#include "provision/depend.h"

#include <errno.h>

#include "awsapi/tagging.h"
#include "awsapi/tags.h"
#include "base/str.h"

void anchor_done(struct anchor *a)
{
    json_decref(a->tags);
    ids_done(&a->ids);
    *a = (struct anchor){0};
}

int depend_no_memory(struct depend *d)
{
    return fault_set(d->f, -ENOMEM, "no memory");
}

/* --- reading --- */

static int take_tags(void *arg, _unused_ const char *arn, json_t *tags)
{
    json_t **ret = arg;

    json_decref(*ret);
    *ret = json_incref(tags);
    return 0;
}

static int read_tags(struct depend *d, const char *arn, json_t **ret, struct fault *f)
{
    const struct tagging_query query = {.arns = &arn, .n_arns = 1};

    *ret = NULL;
    if (tags_known(arn))
        return tags_read(d->p->aws, &d->ctx, arn, ret, f);
    int r = tagging_get_resources(d->p->aws, &d->ctx, &query, take_tags, ret, f);
    return r == 0 && !*ret ? -ENOENT : r;
}

/* Whether the resource still is the service's: EC2 tells nothing of what is gone. */
static bool is_of(const struct depend *d, json_t *tags, const struct index_service *s)
{
    const char *id = json_string_value(json_object_get(tags, d->p->service_tag));

    return id && streq(id, s->id);
}

/* -ENOENT: it is gone, or another's. */
static int try_anchor(struct depend *d, const struct index_service *s,
                      const struct index_resource *r, struct anchor *ret)
{
    struct fault f = FAULT_INIT;
    json_t *tags = NULL;
    int e = r->has_arn ? read_tags(d, r->key, &tags, &f) : -ENOENT;

    if (e == 0 && is_of(d, tags, s)) {
        *ret = (struct anchor){.resource = r, .tags = tags};
        return 0;
    }
    json_decref(tags);
    if (e == 0 || e == -ENOENT)
        return -ENOENT;
    return fault_copy(d->f, &f);
}

int depend_find_anchor(struct depend *d, const struct index_service *s, struct anchor *ret)
{
    const struct index_resource *record = s->managed ? record_of(s) : NULL;
    int e = record ? try_anchor(d, s, record, ret) : -ENOENT;

    for (int known = 1; e == -ENOENT && !record && known >= 0; known--)
        for (size_t i = 0; e == -ENOENT && i < s->n_resources; i++)
            if (tags_known(s->resources[i]->key) == (known == 1))
                e = try_anchor(d, s, s->resources[i], ret);
    return e == -ENOENT ? fault_set(d->f, e, "%s has nothing (any more) that takes tags", s->id)
                        : e;
}

/* What the other resources have, and the anchor had not. */
static int add_others(struct depend *d, const struct index_service *s, struct anchor *a)
{
    _cleanup_ids_ struct ids had = {0}, others = {0};
    const char *tag = d->p->dependency_tag;
    int e = ids_add_tags(&had, tag, a->resource);

    for (size_t i = 0; e == 0 && i < s->n_resources; i++)
        if (s->resources[i] != a->resource)
            e = ids_add_tags(&others, tag, s->resources[i]);
    for (size_t i = 0; e == 0 && i < others.list.n; i++)
        if (!ids_have(&had, others.list.items[i]))
            e = ids_add(&a->ids, others.list.items[i]);
    return e;
}

int depend_read_anchor(struct depend *d, const struct index_service *s, struct anchor *ret)
{
    int e = depend_find_anchor(d, s, ret);

    if (e < 0)
        return e;
    e = ids_add_json(&ret->ids, d->p->dependency_tag, ret->tags);
    if (e == 0)
        e = add_others(d, s, ret);
    if (e < 0)
        anchor_done(ret);
    return e < 0 ? depend_no_memory(d) : 0;
}

/* --- circles --- */

struct search {
    struct depend *d;
    struct ids seen;
    struct list due; /* borrowed from seen */
};

static int visit(struct search *q, const char *id)
{
    if (ids_have(&q->seen, id))
        return 0;
    int e = ids_add(&q->seen, id);
    return e == 0 ? list_add(&q->due, ids_kept(&q->seen, id)) : e;
}

static int visit_needs(struct search *q, const struct index_service *s)
{
    _cleanup_anchor_ struct anchor a = {0};
    struct fault f = FAULT_INIT;
    struct depend look = *q->d;
    look.f = &f;
    int e = depend_read_anchor(&look, s, &a);

    if (e == -ENOENT)
        return 0;
    if (e < 0)
        return fault_copy(q->d->f, &f);
    for (size_t i = 0; e == 0 && i < a.ids.list.n; i++)
        e = visit(q, a.ids.list.items[i]);
    return e < 0 ? depend_no_memory(q->d) : 0;
}

int depend_check_circle(struct depend *d)
{
    struct search q = {.d = d};
    int e = visit(&q, d->need->other);

    while (e == 0 && q.due.n > 0) {
        const char *id = q.due.items[--q.due.n];
        size_t n;
        const struct index_service *const *all = snapshot_services_by_id(d->snap, id, &n);
        if (streq(id, d->need->id))
            e = fault_set(d->f, -ELOOP, "%s needs %s already, by however many others",
                          d->need->other, id);
        for (size_t i = 0; e == 0 && i < n; i++)
            e = visit_needs(&q, all[i]);
    }
    list_done(&q.due);
    ids_done(&q.seen);
    return e == -ENOMEM ? depend_no_memory(d) : e;
}
