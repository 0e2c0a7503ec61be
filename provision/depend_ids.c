#include "provision/depend_ids.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cache/depends.h"

static int order(const void *x, const void *y)
{
    return strcmp(x, y);
}

static size_t place(const struct ids *s, const char *id, bool *ret_there)
{
    size_t i = list_place(s->list.items, s->list.n, id, order);

    *ret_there = i < s->list.n && streq(s->list.items[i], id);
    return i;
}

void ids_done(struct ids *s)
{
    for (size_t i = 0; i < s->list.n; i++)
        free((void *)s->list.items[i]);
    list_done(&s->list);
}

bool ids_have(const struct ids *s, const char *id)
{
    bool there;

    place(s, id, &there);
    return there;
}

bool ids_same(const struct ids *a, const struct ids *b)
{
    bool same = a->list.n == b->list.n;

    for (size_t i = 0; same && i < a->list.n; i++)
        same = streq(a->list.items[i], b->list.items[i]);
    return same;
}

const char *ids_kept(const struct ids *s, const char *id)
{
    bool there;

    return s->list.items[place(s, id, &there)];
}

int ids_add(struct ids *s, const char *id)
{
    bool there;
    size_t i = place(s, id, &there);
    char *copy = there ? NULL : strdup(id);

    if (there)
        return 0;
    if (!copy || list_add(&s->list, copy) < 0) {
        free(copy);
        return -ENOMEM;
    }
    memmove(s->list.items + i + 1, s->list.items + i, (s->list.n - 1 - i) * sizeof(void *));
    s->list.items[i] = copy;
    return 0;
}

void ids_remove(struct ids *s, const char *id)
{
    bool there;
    size_t i = place(s, id, &there);

    if (!there)
        return;
    free((void *)s->list.items[i]);
    s->list.n--;
    memmove(s->list.items + i, s->list.items + i + 1, (s->list.n - i) * sizeof(void *));
}

int ids_copy(const struct ids *from, struct ids *to)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < from->list.n; i++)
        r = ids_add(to, from->list.items[i]);
    return r;
}

static int add_id(void *arg, const char *id)
{
    return ids_add(arg, id);
}

int ids_add_tags(struct ids *s, const char *tag, const struct index_resource *r)
{
    int e = 0;

    for (size_t i = 0; e == 0 && i < r->n_tags; i++)
        if (depends_is_key(tag, r->tags[i].key))
            e = depends_read(r->tags[i].value, add_id, s);
    return e;
}

int ids_add_json(struct ids *s, const char *tag, json_t *tags)
{
    const char *key;
    json_t *value;
    int e = 0;

    json_object_foreach(tags, key, value)
    {
        if (depends_is_key(tag, key))
            e = depends_read(json_string_value(value), add_id, s);
        if (e < 0)
            return e;
    }
    return 0;
}

int ids_tags(const struct ids *s, const char *tag, json_t **ret)
{
    json_t *tags = json_object();
    char **values = NULL;
    size_t n = 0;
    int e =
        tags ? depends_write((const char *const *)s->list.items, s->list.n, &values, &n) : -ENOMEM;

    for (size_t i = 0; e == 0 && i < n; i++) {
        char *key _cleanup_free_ = depends_key(tag, i);

        if (!key || json_object_set_new(tags, key, json_string(values[i])) < 0)
            e = -ENOMEM;
    }
    depends_free(values, n);
    if (e < 0)
        json_decref(tags);
    else
        *ret = tags;
    return e;
}
