/*
 * Resource groups: a view for the AWS console, Systems Manager and CloudWatch, never a source of
 * truth. So nothing fails because of them; a quota or a namesake is one line in `events`.
 *
 * The family's group goes after the last record of the family is gone from this daemon's table: of
 * two services torn down together, the later one sees that it is the last.
 */
#include "provision/run.h"

#include <errno.h>

#include "awsapi/resource_groups.h"
#include "base/str.h"

enum { GROUP_NAME_SIZE = 129 };

/* Makes one group and lays it over the cache. */
static void make_one(struct run *r, const char *name, json_t *query, json_t *tags)
{
    struct aws_ctx ctx = {.not_after_ms = &r->lease.end_ms, .cancel = r->hard};
    _cleanup_free_ char *arn = NULL;
    struct fault f = FAULT_INIT;

    if (!query || !tags)
        return;
    int e = groups_create(r->p->aws, &ctx, name, query, tags, &arn, &f);
    if (e == -EEXIST)
        return;
    if (e < 0 && f.unclear)
        run_unclear(r, &f);
    if (e < 0) {
        life_event_fault(r->p, r->life, NULL, "no-group", name, NULL, &f);
        return;
    }
    _cleanup_free_ char *text = json_dumps(query, JSON_COMPACT);
    if (text)
        cache_put_group(r->p->cache, name, arn, text);
    life_event(r->p, r->life, NULL, "group", name, "resource group");
}

void run_groups_make(struct run *r)
{
    struct provision *p = r->p;
    struct life *l = r->life;
    const char *const of_family[][2] = {{p->family_tag, l->family}};
    const char *const of_service[][2] = {{p->family_tag, l->family}, {p->service_tag, l->id}};
    char name[GROUP_NAME_SIZE];

    _cleanup_snapshot_ const struct snapshot *s = cache_snapshot(p->cache);
    bool known = s && s->swept && s->groups_known; /* a saved index may name what is gone */
    if (naming_group(l->family, NULL, name, sizeof(name)) == 0 &&
        !(known && snapshot_group(s, name))) {
        _cleanup_json_ json_t *query = groups_tag_query(of_family, 1);
        _cleanup_json_ json_t *tags =
            json_pack("{s:s, s:s}", TAG_MODE, MODE_AUTOMATIC, p->family_tag, l->family);
        make_one(r, name, query, tags);
    }
    if (naming_group(l->family, l->id, name, sizeof(name)) == 0) {
        _cleanup_json_ json_t *query = groups_tag_query(of_service, 2);
        make_one(r, name, query, r->tags);
    }
}

static bool has_tag(json_t *tags, const char *key, const char *value)
{
    const char *v = json_string_value(json_object_get(tags, key));

    return v && streq(v, value);
}

/* Deletes the group if it has our mode tag and also key=value. */
static void remove_one(struct run *r, const char *name, const char *key, const char *value)
{
    struct aws_ctx ctx = {.not_after_ms = &r->lease.end_ms, .cancel = r->hard};
    _cleanup_free_ char *arn = str_printf("arn:%s:resource-groups:%s:%s:group/%s", r->p->partition,
                                          r->p->region, r->p->account, name);
    _cleanup_json_ json_t *tags = NULL;
    struct fault f = FAULT_INIT;

    if (!arn)
        return;
    int e = groups_get_tags(r->p->aws, &ctx, arn, &tags, &f);
    if (e == 0 && !(has_tag(tags, TAG_MODE, MODE_AUTOMATIC) && has_tag(tags, key, value)))
        return;
    if (e == 0)
        e = groups_delete(r->p->aws, &ctx, name, &f);
    if (e < 0 && f.unclear) /* a late one would take the group of the next life */
        run_unclear(r, &f);
    if (e < 0 && e != -ENOENT)
        life_event_fault(r->p, r->life, NULL, "group-left", name, NULL, &f);
    else
        cache_gone_group(r->p->cache, name);
}

void run_groups_remove(struct run *r)
{
    char name[GROUP_NAME_SIZE];

    if (naming_group(r->life->family, r->life->id, name, sizeof(name)) == 0)
        remove_one(r, name, TAG_CLAIM, r->life->claim);
}

void run_groups_remove_family(struct run *r)
{
    char name[GROUP_NAME_SIZE];

    if (!life_family_has_others(r->p, r->life) &&
        naming_group(r->life->family, NULL, name, sizeof(name)) == 0)
        remove_one(r, name, r->p->family_tag, r->life->family);
}
