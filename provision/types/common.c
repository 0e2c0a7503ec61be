/*
 * What the types share. A type is a look and a create in the terms of its service; everything that
 * would be written eleven times stands here.
 */
#include "provision/types/common.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "awsapi/xml.h"
#include "base/str.h"

enum { HINTS = 4096 };

int type_no_memory(struct fault *f)
{
    return fault_set(f, -ENOMEM, "no memory");
}

const char *type_text(json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

json_int_t type_number(json_t *object, const char *name, json_int_t otherwise)
{
    json_t *v = json_object_get(object, name);
    const char *s = json_string_value(v);
    char *end;

    if (json_is_number(v))
        return (json_int_t)json_number_value(v);
    if (!s || !*s)
        return otherwise;
    long long n = strtoll(s, &end, 10);
    return *end ? otherwise : n;
}

json_t *type_list(json_t *object, const char *name)
{
    return xml_list(object, name, NULL);
}

/* --- identities --- */

const char *type_reference(json_t *v)
{
    json_t *attribute = json_object_get(v, "Fn::GetAtt");

    if (json_object_size(v) != 1)
        return NULL;
    if (json_is_array(attribute))
        return json_string_value(json_array_get(attribute, 0));
    return type_text(v, "Ref");
}

int type_plain(json_t *properties, const char *name, const char **ret, struct fault *f)
{
    json_t *v = json_object_get(properties, name);

    if (v && !json_is_string(v))
        return fault_set(f, -EINVAL,
                         "%s: it is part of the identity, so a text must stand here that is known "
                         "before anything is made",
                         name);
    *ret = json_string_value(v);
    return 0;
}

int type_plain_required(json_t *properties, const char *name, const char **ret, struct fault *f)
{
    int r = type_plain(properties, name, ret, f);

    if (r == 0 && (!*ret || !**ret))
        return fault_set(f, -EINVAL, "%s: is missing or empty", name);
    return r;
}

int type_plain_or_step(json_t *properties, const char *name, char *out, size_t size,
                       struct fault *f)
{
    const char *logical = type_reference(json_object_get(properties, name));
    const char *text = NULL;

    if (logical && str_format(out, size, "!%s", logical) == 0)
        return 0;
    int r = type_plain_required(properties, name, &text, f);
    if (r < 0)
        return r;
    /* A value cannot begin like a reference: no id, ARN or name of AWS's does. */
    if (*text == '!' || str_format(out, size, "%s", text) < 0)
        return fault_set(f, -EINVAL, "%s: is no identifier", name);
    return 0;
}

int type_identity(json_t **ret, struct fault *f, ...)
{
    _cleanup_json_ json_t *o = json_object();
    const char *key;
    va_list ap;
    int r = o ? 0 : -1;

    va_start(ap, f);
    while (r == 0 && (key = va_arg(ap, const char *)))
        r = json_object_set_new(o, key, json_string(va_arg(ap, const char *)));
    va_end(ap);
    if (r < 0)
        return type_no_memory(f);
    *ret = steal_ptr(o);
    return 0;
}

const char *type_id(const struct step_ctx *s, const char *key)
{
    const char *text = type_text(s->identity, key);

    return text ? text : "";
}

int type_id_resolve(struct step_ctx *s, const char *key, char *out, size_t size,
                    enum step_found *ret_found, struct fault *f)
{
    const char *text = type_id(s, key);
    struct step_state st = {0};

    if (*text != '!') {
        if (ret_found)
            *ret_found = FOUND_OURS;
        return !*text || str_format(out, size, "%s", text) < 0
                   ? fault_set(f, -EPROTO, "the record's identity of %s lacks %s", s->logical, key)
                   : 0;
    }
    int r = s->other(s, text + 1, &st, f);
    if (r < 0)
        return r;
    enum step_found found = st.found;
    r = str_format(out, size, "%s", st.physical);
    step_state_done(&st);
    if (r < 0)
        return fault_set(f, -EPROTO, "%s: its id is too long", text + 1);
    if (ret_found)
        *ret_found = found;
    else if (found != FOUND_OURS && found != FOUND_GOING)
        return fault_set(f, -ENOENT, "%s is not there", text + 1);
    return 0;
}

/* --- tags --- */

static int append_tag(json_t *list, const char *key_name, const char *key, const char *value_name,
                      const char *value)
{
    return json_array_append_new(list, json_pack("{s:s, s:s}", key_name, key, value_name, value));
}

static int append_object(json_t *list, json_t *object, const char *key_name, const char *value_name)
{
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value) if (append_tag(list, key_name, key, value_name,
                                                           json_string_value(value)) < 0) return -1;
    return 0;
}

json_t *type_tag_list(json_t *object, const char *key_name, const char *value_name)
{
    _cleanup_json_ json_t *list = json_array();

    if (!list || append_object(list, object, key_name, value_name) < 0)
        return NULL;
    return steal_ptr(list);
}

json_t *type_tags(const struct step_ctx *s, json_t *own, const char *key_name,
                  const char *value_name)
{
    _cleanup_json_ json_t *list = json_array();
    size_t i;
    json_t *tag;

    if (!list)
        return NULL;
    json_array_foreach(own, i, tag)
    {
        const char *key = type_text(tag, "Key"), *value = type_text(tag, "Value");
        if (key && append_tag(list, key_name, key, value_name, value ? value : "") < 0)
            return NULL;
    }
    if (append_object(list, s->tags, key_name, value_name) < 0)
        return NULL;
    return steal_ptr(list);
}

const char *type_tag(json_t *tags, const char *key_name, const char *value_name, const char *key)
{
    size_t i;
    json_t *tag;

    json_array_foreach(tags, i, tag)
    {
        const char *name = type_text(tag, key_name);
        if (name && streq(name, key)) {
            const char *value = type_text(tag, value_name);
            return value ? value : "";
        }
    }
    return NULL;
}

bool type_claimed(const struct step_ctx *s, json_t *tags, const char *key_name,
                  const char *value_name)
{
    const char *claim = type_tag(tags, key_name, value_name, TAG_CLAIM);

    return claim && *s->claim && streq(claim, s->claim);
}

/* --- states --- */

int type_attribute(struct step_state *st, const char *name, const char *value)
{
    if (!value)
        return 0;
    if (!st->attributes && !(st->attributes = json_object()))
        return -ENOMEM;
    return json_object_set_new(st->attributes, name, json_string(value)) < 0 ? -ENOMEM : 0;
}

const char *type_attribute_of(const struct step_state *st, const char *name)
{
    return st ? type_text(st->attributes, name) : NULL;
}

void type_detail(struct step_state *st, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(st->detail, sizeof(st->detail), fmt, ap);
    va_end(ap);
}

int type_set_ids(struct step_state *st, const char *physical, const char *short_id, const char *key,
                 struct fault *f)
{
    short_id = short_id ? short_id : physical;
    if (!physical || !key || !*physical ||
        str_format(st->physical, sizeof(st->physical), "%s", physical) < 0 ||
        str_format(st->short_id, sizeof(st->short_id), "%s", short_id) < 0 ||
        str_format(st->key, sizeof(st->key), "%s", key) < 0)
        return fault_set(f, -EPROTO,
                         "AWS describes it without an id, or with one that is too long");
    return 0;
}

/* --- hints --- */

static struct {
    pthread_mutex_t lock;
    struct hint {
        char token[TOKEN_SIZE];
        char id[256];
    } slots[HINTS];
} hints = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* A token is hex digits of a hash: its first ones spread it. */
static struct hint *slot_of(const char *token)
{
    char first[6];

    str_format(first, sizeof(first), "%s", token);
    return &hints.slots[strtoul(first, NULL, 16) % HINTS];
}

void type_hint_put(const char *token, const char *id)
{
    struct hint *h = slot_of(token);

    if (strlen(token) >= sizeof(h->token) || strlen(id) >= sizeof(h->id))
        return;
    pthread_mutex_lock(&hints.lock);
    strcpy(h->token, token);
    strcpy(h->id, id);
    pthread_mutex_unlock(&hints.lock);
}

bool type_hint_get(const char *token, char *out, size_t size)
{
    struct hint *h = slot_of(token);

    pthread_mutex_lock(&hints.lock);
    bool found = *token && streq(h->token, token) && str_format(out, size, "%s", h->id) == 0;
    pthread_mutex_unlock(&hints.lock);
    return found;
}
