/*
 * Groups and their members. A query that asks for our two tags alone is answered from the index
 * itself: the same that GetResources would say, and what this daemon made a moment ago is in it.
 *
 * Thousands of groups times all resources would be quadratic. So each group stands under its words
 * (things.h), and a resource is tried only on the groups that stand under one of its own. A patch
 * thus tries what it touches, and the members of a group change where it stands; for a group that
 * it defines anew the services that are asked for are looked up, or all resources tried once.
 */
#include "cache/draft.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

/* One filter of a tag query: key with one of the values (any, where there are none). */
struct filter {
    const char *key;
    const char **values;
    size_t n_values;
};
struct group_query {
    struct filter *filters; /* none: it finds nothing */
    size_t n;
};

int order_words(const void *x, const void *y)
{
    const struct group_word *a = x, *b = y;
    int order = strcmp(a->word, b->word);

    return order ? order : strcmp(a->group, b->group);
}

static int order_groups(const void *x, const void *y)
{
    return strcmp(((const struct index_group *)x)->name, ((const struct index_group *)y)->name);
}

/* --- queries --- */

static bool is_value(const struct filter *f, const char *text)
{
    bool found = false;

    for (size_t i = 0; !found && i < f->n_values; i++)
        found = streq(f->values[i], text);
    return found;
}

static int read_filter(struct arena *a, json_t *from, struct filter *f)
{
    const char *key = json_string_value(json_object_get(from, "Key"));
    json_t *values = json_object_get(from, "Values"), *v;
    size_t i;

    f->key = arena_strdup(a, key ? key : "");
    f->values = arena_array(a, json_array_size(values), sizeof(*f->values));
    if (!f->key || !f->values)
        return -ENOMEM;
    json_array_foreach(values, i, v)
    {
        const char *text = arena_strdup(a, json_is_string(v) ? json_string_value(v) : "");
        if (!text)
            return -ENOMEM;
        if (!is_value(f, text)) /* one may be named twice */
            f->values[f->n_values++] = text;
    }
    return 0;
}

/* In scratch. What cannot be read finds nothing. NULL: no memory. */
static struct group_query *read_query(struct build *b, const char *query)
{
    _cleanup_json_ json_t *outer = query ? json_loads(query, 0, NULL) : NULL;
    const char *text = json_string_value(json_object_get(outer, "Query"));
    _cleanup_json_ json_t *inner = text ? json_loads(text, 0, NULL) : NULL;
    json_t *filters = json_object_get(inner, "TagFilters"), *filter;
    struct group_query *q = arena_alloc(b->scratch, sizeof(*q));
    size_t i;

    if (!q)
        return NULL;
    q->filters = arena_array(b->scratch, json_array_size(filters), sizeof(*q->filters));
    if (!q->filters)
        return NULL;
    json_array_foreach(filters, i, filter)
    {
        if (read_filter(b->scratch, filter, &q->filters[q->n++]) < 0)
            return NULL;
    }
    return q;
}

static bool filter_matches(const struct filter *f, const struct index_resource *r)
{
    const char *has = index_tag(r, f->key);

    return has && (f->n_values == 0 || is_value(f, has));
}

static bool query_matches(const struct group_query *q, const struct index_resource *r)
{
    bool all = q->n > 0 && r->has_arn;

    for (size_t i = 0; all && i < q->n; i++)
        all = filter_matches(&q->filters[i], r);
    return all;
}

/* The filter on our tag that says most: its values are the words. Or NULL. */
static const struct filter *telling_filter(const struct build *b, const struct group_query *q)
{
    const char *const keys[] = {b->in->service_tag, b->in->family_tag};

    for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
        for (size_t i = 0; i < q->n; i++)
            if (streq(q->filters[i].key, keys[k]) && q->filters[i].n_values > 0)
                return &q->filters[i];
    return NULL;
}

/* --- words --- */

/* Strings that the snapshot keeps. */
static int add_word(struct build *b, const char *word, const char *group)
{
    struct group_word *w = arena_alloc(b->things, sizeof(*w));

    if (!w)
        return -ENOMEM;
    *w = (struct group_word){word, group};
    return list_add(&b->group_words.come, w);
}

static int add_query_words(struct build *b, const struct group_draft *g)
{
    const struct filter *f = telling_filter(b, g->query);
    int e = 0;

    if (!f)
        return g->query->n > 0 ? add_word(b, "", g->group.name) : 0;
    for (size_t i = 0; e == 0 && i < f->n_values; i++) {
        const char *word = arena_strdup(b->things, f->values[i]);
        e = word ? add_word(b, word, g->group.name) : -ENOMEM;
    }
    return e;
}

static int words_gone(struct build *b, const char *group)
{
    const struct snapshot_private *p = b->base->private_;
    int e = 0;

    for (size_t i = 0; e == 0 && i < p->n_words; i++)
        if (streq(p->words[i]->group, group))
            e = list_add(&b->group_words.gone, p->words[i]);
    return e;
}

static int finish_words(struct build *b)
{
    static const struct snapshot_private none;
    const struct snapshot_private *old = b->base ? b->base->private_ : &none;
    struct snapshot_private *now = b->s->private_;

    now->words = old->words;
    now->n_words = old->n_words;
    now->key_words |= old->key_words;
    if (b->base && b->group_words.gone.n + b->group_words.come.n == 0)
        return 0;
    now->words = edit_apply(&b->group_words, b->things, old->words, old->n_words, order_words,
                            &now->n_words);
    return now->words ? 0 : -ENOMEM;
}

/* --- drafts --- */

static struct group_draft *draft_group(struct build *b, const char *name, const char *query)
{
    struct group_draft *g = arena_alloc(b->scratch, sizeof(*g));

    if (!g)
        return NULL;
    g->query = read_query(b, query);
    return g->query && map_put(b->groups, name, g, NULL) == 0 ? g : NULL;
}

static int define_swept(struct build *b, const struct raw_group *raw)
{
    struct group_draft *g = draft_group(b, raw->name, raw->by_our_tags ? raw->query : NULL);
    int e = g ? 0 : -ENOMEM;

    if (e < 0)
        return e;
    g->group = (struct index_group){.name = raw->name, .arn = raw->arn, .query = raw->query};
    g->by_key = !raw->by_our_tags;
    for (size_t i = 0; e == 0 && i < raw->n_members; i++)
        e = add_word(b, raw->members[i].key, raw->name);
    b->s->private_->key_words |= raw->n_members > 0;
    return e == 0 ? add_query_words(b, g) : e;
}

static int define_own(struct build *b, const char *name, const struct overlay_group *o)
{
    struct group_draft *g = draft_group(b, name, o->query);

    if (!g)
        return -ENOMEM;
    g->group = (struct index_group){.name = arena_strdup(b->things, name),
                                    .arn = arena_strdup(b->things, o->arn),
                                    .query = arena_strdup(b->things, o->query)};
    return g->group.name && g->group.arn && g->group.query ? add_query_words(b, g) : -ENOMEM;
}

static int define(struct build *b, const char *name)
{
    const struct overlay_group *own = map_get(b->in->overlay_groups, name);
    const struct raw_group *swept = b->in->groups ? map_get(b->in->groups->by_name, name) : NULL;

    if (own)
        return own->query ? define_own(b, name, own) : 0;
    if (swept && swept->problem)
        return problem_come(b, arena_strdup(b->scratch, swept->problem));
    return swept ? define_swept(b, swept) : 0;
}

static int define_all(struct build *b)
{
    struct map_iter it = {0};
    const char *name;
    int e = 0;

    while (e == 0 && b->in->groups && map_next(b->in->groups->by_name, &it, &name, NULL))
        e = define(b, name);
    it = (struct map_iter){0};
    while (e == 0 && map_next(b->in->overlay_groups, &it, &name, NULL))
        if (!b->in->groups || !map_get(b->in->groups->by_name, name))
            e = define(b, name);
    return e;
}

/* Members that were swept with a group make a difference to what there is, so they are a build's
 * matter. */
static int define_changed(struct build *b)
{
    struct map_iter it = {0};
    const char *name;
    int e = 0;

    while (e == 0 && map_next(b->changes->groups, &it, &name, NULL)) {
        const struct raw_group *raw = b->in->groups ? map_get(b->in->groups->by_name, name) : NULL;
        if (raw && (raw->n_members > 0 || raw->problem))
            return -EOPNOTSUPP;
        e = words_gone(b, name);
        if (e == 0)
            e = define(b, name);
    }
    return e;
}

/* --- members --- */

/* The group as it stands, in a draft of its own once it is touched. *ret NULL: it is hidden, or
 * defined anew. */
static int touch(struct build *b, const char *name, struct group_draft **ret)
{
    struct group_draft *g = map_get(b->groups, name);

    if (!g && b->base && !map_get(b->changes->groups, name)) {
        const struct index_group *old = snapshot_group(b->base, name);
        const struct raw_group *raw = b->in->groups ? map_get(b->in->groups->by_name, name) : NULL;
        if (old) {
            bool swept = raw && !map_get(b->in->overlay_groups, name);
            g = draft_group(b, name, swept && !raw->by_our_tags ? NULL : old->query);
            if (!g)
                return -ENOMEM;
            g->group = *old;
            g->old = old;
            g->by_key = swept && !raw->by_our_tags;
        }
    }
    *ret = g;
    return 0;
}

static bool is_in(const struct index_group *g, const struct index_resource *r)
{
    size_t i = list_place((const void *const *)g->resources, g->n_resources, r, order_by_link);

    return i < g->n_resources && g->resources[i] == r;
}

/* A resource may stand under two words of one group: it comes or goes once. */
static int add_once(struct list *l, const struct index_resource *r)
{
    return l->n > 0 && l->items[l->n - 1] == r ? 0 : list_add(l, r);
}

static int try_word(struct build *b, const struct index_resource *r, const char *word, bool come)
{
    const struct snapshot_private *p = b->s->private_;
    const struct group_word from = {word, ""};
    size_t i = list_place((const void *const *)p->words, p->n_words, &from, order_words);
    int e = 0;

    for (; e == 0 && i < p->n_words && streq(p->words[i]->word, word); i++) {
        struct group_draft *g;
        e = touch(b, p->words[i]->group, &g);
        if (e < 0 || !g || (b->base && !g->old))
            continue;
        if (!come)
            e = is_in(g->old, r) ? add_once(&g->members.gone, r) : 0;
        else if (g->by_key ? streq(word, r->key) : query_matches(g->query, r))
            e = add_once(&g->members.come, r);
    }
    return e;
}

/* Each resource on all groups that stand under one of its words. */
static int try_words(struct build *b, const struct list *resources, bool come)
{
    const struct snapshot_private *p = b->s->private_;
    bool open = p->n_words > 0 && !*p->words[0]->word;
    int e = 0;

    for (size_t i = 0; e == 0 && p->n_words > 0 && i < resources->n; i++) {
        const struct index_resource *r = resources->items[i];
        const char *const words[] = {index_tag(r, b->in->family_tag),
                                     index_tag(r, b->in->service_tag), p->key_words ? r->key : NULL,
                                     open ? "" : NULL};
        for (size_t k = 0; e == 0 && k < ARRAY_SIZE(words); k++)
            if (words[k])
                e = try_word(b, r, words[k], come);
    }
    return e;
}

static int fill_from(struct group_draft *g, const struct index_resource *const *from, size_t n)
{
    int e = 0;

    for (size_t i = 0; e == 0 && i < n; i++)
        if (query_matches(g->query, from[i]))
            e = list_add(&g->members.come, from[i]);
    return e;
}

/* A group of all resources, or, where it asks for services, of theirs. */
static int fill(struct build *b, struct group_draft *g)
{
    const struct filter *f = telling_filter(b, g->query);
    const struct snapshot_private *p = b->s->private_;
    int e = 0;

    if (!f || !streq(f->key, b->in->service_tag) || p->strays)
        return fill_from(g, b->s->resources, b->s->n_resources);
    for (size_t v = 0; v < f->n_values; v++)
        for (size_t i = snapshot_place_of_id(b->s, f->values[v]);
             e == 0 && i < p->n_ids && streq(p->ids[i]->id, f->values[v]); i++)
            e = fill_from(g, p->ids[i]->resources, p->ids[i]->n_resources);
    return e;
}

/* What a patch defines anew. */
static int fill_new(struct build *b)
{
    struct map_iter it = {0};
    const char *name;
    int e = 0;

    while (e == 0 && map_next(b->changes->groups, &it, &name, NULL)) {
        struct group_draft *g = map_get(b->groups, name);
        e = g ? fill(b, g) : 0;
    }
    return e;
}

/* --- listing --- */

static int finish_group(struct build *b, const struct index_group *as, struct group_draft *g,
                        struct list *out)
{
    struct index_group *now = arena_alloc(b->scratch, sizeof(*now));
    const struct index_group *old = g ? g->old : as;
    struct edit none = {0};

    if (!now)
        return -ENOMEM;
    *now = *as;
    now->resources = edit_apply(g ? &g->members : &none, b->lists, old ? old->resources : NULL,
                                old ? old->n_resources : 0, order_by_link, &now->n_resources);
    return now->resources ? list_add(out, now) : -ENOMEM;
}

static int list_groups(struct build *b, struct list *out)
{
    struct map_iter it = {0};
    void *value;
    int e = 0;

    for (size_t i = 0; e == 0 && b->base && i < b->base->n_groups; i++) {
        const struct index_group *old = &b->base->groups[i];
        if (!map_get(b->groups, old->name) && !map_get(b->changes->groups, old->name))
            e = finish_group(b, old, NULL, out);
    }
    while (e == 0 && map_next(b->groups, &it, NULL, &value))
        e = finish_group(b, &((struct group_draft *)value)->group, value, out);
    list_sort(out, order_groups);
    return e;
}

static int finish_groups(struct build *b)
{
    struct list all = {0};
    int e = list_groups(b, &all);
    struct index_group *groups = arena_array(b->lists, all.n, sizeof(*groups));

    for (size_t i = 0; groups && i < all.n; i++)
        groups[i] = *(const struct index_group *)all.items[i];
    b->s->groups = groups;
    b->s->n_groups = all.n;
    b->s->groups_known = b->in->groups != NULL;
    list_done(&all);
    return e < 0 || !groups ? -ENOMEM : 0;
}

int groups_pass(struct build *b)
{
    int e = b->base ? define_changed(b) : define_all(b);

    if (e == 0)
        e = finish_words(b);
    if (e == 0)
        e = try_words(b, &b->resources.gone, false);
    if (e == 0)
        e = try_words(b, &b->resources.come, true);
    if (e == 0 && b->base)
        e = fill_new(b);
    return e == 0 ? finish_groups(b) : e;
}
