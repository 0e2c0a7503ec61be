/*
 * Pages. One loop for all services, because each of them ends its chain differently: a token that
 * is absent, null or empty. Reads may be repeated by the client within a page; a chain that breaks
 * for good gives no list at all, since a part of a list is what makes a teardown believe that
 * something is gone.
 */
#include "awsapi/page.h"

#include <errno.h>
#include <stdarg.h>

#include "awsapi/xml.h"
#include "base/str.h"

enum { PAGES_MAX = 10000 };

int aws_no_memory(struct fault *f)
{
    return fault_set(f, -ENOMEM, "no memory");
}

json_t *aws_strings(const char *name, ...)
{
    json_t *o = json_object();
    va_list ap;

    va_start(ap, name);
    while (o && name) {
        const char *value = va_arg(ap, const char *);
        if (value && json_object_set_new(o, name, json_string(value)) < 0) {
            json_decref(o);
            o = NULL;
        }
        name = va_arg(ap, const char *);
    }
    va_end(ap);
    return o;
}

static int take_items(json_t *answer, const struct aws_paging *p, json_t *all, struct fault *f)
{
    _cleanup_json_ json_t *items = xml_list(answer, p->list, p->item);

    if (!items || json_array_extend(all, items) < 0)
        return aws_no_memory(f);
    return 0;
}

/* Puts the next page's token into the request. 1: there is one; 0: that was the last page. */
static int next_page(json_t *answer, const struct aws_action *a, const struct aws_paging *p,
                     json_t *request, struct fault *f)
{
    const char *token = json_string_value(json_object_get(answer, p->out));
    const char *before = json_string_value(json_object_get(request, p->in));

    if (!token || !*token)
        return 0;
    if (before && streq(token, before))
        return fault_set(f, -EPROTO, "%s gives the same page again and again", a->name);
    if (json_object_set_new(request, p->in, json_string(token)) < 0)
        return aws_no_memory(f);
    return 1;
}

int aws_pages(struct aws_client *c, const struct aws_action *a, const struct aws_ctx *ctx,
              json_t *request, const struct aws_paging *p, json_t **ret, struct fault *f)
{
    _cleanup_json_ json_t *own = request ? json_copy(request) : json_object();
    _cleanup_json_ json_t *all = json_array();

    if (!own || !all)
        return aws_no_memory(f);
    for (unsigned i = 0; i < PAGES_MAX; i++) {
        _cleanup_json_ json_t *answer = NULL;
        int r = aws_call(c, a, ctx, own, &answer, f);
        if (r < 0)
            return r;
        r = take_items(answer, p, all, f);
        if (r < 0)
            return r;
        r = next_page(answer, a, p, own, f);
        if (r < 0)
            return r;
        if (r == 0) {
            *ret = steal_ptr(all);
            return 0;
        }
    }
    return fault_set(f, -EPROTO, "%s gives more than %d pages", a->name, PAGES_MAX);
}

int aws_first(json_t *answer, const struct aws_action *a, const char *list, const char *item,
              json_t **ret, struct fault *f)
{
    _cleanup_json_ json_t *items = xml_list(answer, list, item);

    if (!items)
        return aws_no_memory(f);
    json_t *first = json_array_get(items, 0);
    if (!json_is_object(first))
        return fault_set(f, -EPROTO, "the answer to %s holds no %s", a->name, list);
    *ret = json_incref(first);
    return 0;
}

static json_t *either(json_t *tag, const char *upper, const char *lower)
{
    json_t *value = json_object_get(tag, upper);

    return value ? value : json_object_get(tag, lower);
}

int aws_tags_object(json_t *list, const struct aws_action *a, json_t **ret, struct fault *f)
{
    _cleanup_json_ json_t *tags = json_object();
    size_t i;
    json_t *tag;

    if (!tags)
        return aws_no_memory(f);
    json_array_foreach(list, i, tag)
    {
        const char *key = json_string_value(either(tag, "Key", "key"));
        json_t *value = either(tag, "Value", "value");
        json_t *text = json_is_string(value) ? json_incref(value) : json_string("");

        if (!key) {
            json_decref(text);
            return fault_set(f, -EPROTO, "the answer to %s holds a tag without a key", a->name);
        }
        if (json_object_set_new(tags, key, text) < 0)
            return aws_no_memory(f);
    }
    *ret = steal_ptr(tags);
    return 0;
}
