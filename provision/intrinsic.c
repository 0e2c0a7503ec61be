/*
 * Two passes over one function: when a plan is made only parameters are known, when a step is
 * carried out also what it refers to. The first pass leaves what it cannot know in a normal form
 * that the second reads again; a Fn::Sub becomes a Fn::Join of its parts, so that text which a
 * parameter brought in is never looked at for `${…}`.
 *
 * All checks stand here and nowhere else: a blueprint is checked by resolving it once with a sample
 * service. Deferred functions give a string, only Fn::Split gives a list; that is enough to see a
 * list in the place of a string before anything has been made.
 */
#include "provision/intrinsic.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/str.h"
#include "awsapi/client.h"

enum { DEPTH_MAX = 60, STRING_MAX = 64 * 1024 };

#define FUNCTIONS "Ref, Fn::GetAtt, Fn::Sub, Fn::Join, Fn::Select, Fn::Split"
#define PSEUDO "AWS::Region, AWS::AccountId, AWS::Partition, AWS::NoValue"

typedef int (*function_fn)(const struct intrinsic_env *env, const struct json_place *at,
                           json_t *arg, json_t **ret, struct fault *f);

static int no_memory(struct fault *f)
{
    return fault_set(f, -ENOMEM, "no memory");
}

/* Hands v over, NULL being a failed allocation. */
static int give(json_t *v, json_t **ret, struct fault *f)
{
    if (!v)
        return no_memory(f);
    *ret = v;
    return 0;
}

const char *intrinsic_function(json_t *v)
{
    const char *key;
    json_t *e;

    if (!json_is_object(v))
        return NULL;
    json_object_foreach(v, key, e) if (streq(key, "Ref") || str_starts(key, "Fn::")) return key;
    return NULL;
}

static bool is_deferred_list(json_t *v)
{
    const char *name = intrinsic_function(v);
    return name && streq(name, "Fn::Split");
}

static int check_string(const struct intrinsic_env *env, const struct json_place *at, const char *s,
                        struct fault *f)
{
    if (strstr(s, "{{resolve:"))
        return json_source_fault(env->source, at, f,
                                 "{{resolve:}} is not supported; name the secret by its ARN");
    return 0;
}

/* Text of a scalar appended. */
static int scalar_append(json_t *v, struct buf *out)
{
    if (json_is_string(v))
        return buf_puts(out, json_string_value(v));
    if (json_is_boolean(v))
        return buf_puts(out, json_is_true(v) ? "true" : "false");
    if (json_is_integer(v))
        return buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
    return buf_printf(out, "%.15g", json_real_value(v));
}

/* v resolved, as what stands for one string: a scalar, or a deferred function. */
static int resolve_scalar(const struct intrinsic_env *env, const struct json_place *at, json_t *v,
                          json_t **ret, struct fault *f)
{
    _cleanup_json_ json_t *out = NULL;
    int r = intrinsic_resolve(env, at, v, &out, f);

    if (r < 0)
        return r;
    if (!out)
        return json_source_fault(env->source, at, f, "AWS::NoValue cannot stand here");
    if (json_is_array(out) || is_deferred_list(out))
        return json_source_fault(env->source, at, f, "is a list, where a string is needed");
    if (json_is_object(out) && !intrinsic_function(out))
        return json_source_fault(env->source, at, f, "is an object, where a string is needed");
    *ret = steal_ptr(out);
    return 0;
}

/* v resolved, as a list whose elements are strings or deferred, or as a deferred Fn::Split. */
static int resolve_list(const struct intrinsic_env *env, const struct json_place *at, json_t *v,
                        json_t **ret, struct fault *f)
{
    _cleanup_json_ json_t *out = NULL;
    json_t *e;
    size_t i;
    int r = intrinsic_resolve(env, at, v, &out, f);

    if (r < 0)
        return r;
    if (out && is_deferred_list(out)) {
        *ret = steal_ptr(out);
        return 0;
    }
    if (!json_is_array(out))
        return json_source_fault(env->source, at, f, "must be a list");
    json_array_foreach(out, i, e)
    {
        struct json_place place = {at, NULL, i};
        if (json_is_array(e) || is_deferred_list(e) ||
            (json_is_object(e) && !intrinsic_function(e)))
            return json_source_fault(env->source, &place, f, "must be a string");
    }
    *ret = steal_ptr(out);
    return 0;
}

/* Ref to name, or GetAtt of it, as a value or deferred. */
static int resolve_step(const struct intrinsic_env *env, const struct json_place *at,
                        const char *name, const char *attribute, json_t **ret, struct fault *f)
{
    struct fault local = FAULT_INIT;
    json_t *v = NULL;
    int r = env->step(env->arg, name, attribute, &v, &local);

    if (r == -ENOENT && str_starts(name, "AWS::"))
        return json_source_fault(env->source, at, f,
                                 "%s is not a pseudo parameter of svcfs: " PSEUDO, name);
    if (r == -ENOENT && attribute)
        return json_source_fault(env->source, at, f, "there is no resource \"%s\"", name);
    if (r == -ENOENT)
        return json_source_fault(env->source, at, f, "there is no parameter and no resource \"%s\"",
                                 name);
    if (r == -EINVAL)
        return json_source_fault(env->source, at, f, "%s", local.message);
    if (r < 0)
        return fault_copy(f, &local);
    if (v)
        return give(v, ret, f);
    if (!attribute)
        return give(json_pack("{s:s}", "Ref", name), ret, f);
    return give(json_pack("{s:[s,s]}", "Fn::GetAtt", name, attribute), ret, f);
}

static int fn_ref(const struct intrinsic_env *env, const struct json_place *at, json_t *arg,
                  json_t **ret, struct fault *f)
{
    const char *name = json_string_value(arg);
    json_t *v;

    if (!name)
        return json_source_fault(env->source, at, f, "must be a name");
    if (streq(name, "AWS::NoValue")) {
        *ret = NULL;
        return 0;
    }
    v = json_object_get(env->values, name);
    if (v)
        return give(json_deep_copy(v), ret, f);
    return resolve_step(env, at, name, NULL, ret, f);
}

static int fn_getatt(const struct intrinsic_env *env, const struct json_place *at, json_t *arg,
                     json_t **ret, struct fault *f)
{
    _cleanup_free_ char *name = NULL;
    const char *attribute = NULL, *dot;

    if (json_is_array(arg) && json_array_size(arg) == 2 && json_is_string(json_array_get(arg, 0)) &&
        json_is_string(json_array_get(arg, 1))) {
        name = strdup(json_string_value(json_array_get(arg, 0)));
        attribute = json_string_value(json_array_get(arg, 1));
    } else if (json_is_string(arg) && (dot = strchr(json_string_value(arg), '.'))) {
        name = strndup(json_string_value(arg), (size_t)(dot - json_string_value(arg)));
        attribute = dot + 1;
    } else {
        return json_source_fault(env->source, at, f,
                                 "must be [\"RESOURCE\", \"ATTRIBUTE\"] or \"RESOURCE.ATTRIBUTE\"");
    }
    if (!name)
        return no_memory(f);
    return resolve_step(env, at, name, attribute, ret, f);
}

/* list: of scalars and deferred ones, with nothing deferred a string, else a Fn::Join. */
static int join(const struct intrinsic_env *env, const struct json_place *at, const char *delimiter,
                json_t *list, json_t **ret, struct fault *f)
{
    _cleanup_buf_ struct buf out = BUF_INIT(STRING_MAX);
    json_t *e;
    size_t i;
    int r = 0;

    if (json_is_object(list))
        return give(json_pack("{s:[s,O]}", "Fn::Join", delimiter, list), ret, f);
    json_array_foreach(list, i, e)
    {
        if (json_is_object(e))
            return give(json_pack("{s:[s,O]}", "Fn::Join", delimiter, list), ret, f);
        if (i > 0 && r == 0)
            r = buf_puts(&out, delimiter);
        if (r == 0)
            r = scalar_append(e, &out);
    }
    if (r == -EFBIG)
        return json_source_fault(env->source, at, f, "gives more than %d bytes", STRING_MAX);
    if (r < 0)
        return no_memory(f);
    r = check_string(env, at, buf_str(&out), f);
    return r < 0 ? r : give(json_string(buf_str(&out)), ret, f);
}

static int fn_join(const struct intrinsic_env *env, const struct json_place *at, json_t *arg,
                   json_t **ret, struct fault *f)
{
    struct json_place second = {at, NULL, 1};
    _cleanup_json_ json_t *list = NULL;
    int r;

    if (!json_is_array(arg) || json_array_size(arg) != 2 || !json_is_string(json_array_get(arg, 0)))
        return json_source_fault(env->source, at, f, "must be [\"DELIMITER\", LIST]");
    r = resolve_list(env, &second, json_array_get(arg, 1), &list, f);
    if (r < 0)
        return r;
    return join(env, at, json_string_value(json_array_get(arg, 0)), list, ret, f);
}

/* Cuts s at each delimiter (not empty) into a new list. */
static json_t *split(const char *s, const char *delimiter)
{
    json_t *list = json_array();

    while (list) {
        const char *next = strstr(s, delimiter);
        size_t n = next ? (size_t)(next - s) : strlen(s);
        if (json_array_append_new(list, json_stringn(s, n)) < 0) {
            json_decref(list);
            return NULL;
        }
        if (!next)
            break;
        s = next + strlen(delimiter);
    }
    return list;
}

static int fn_split(const struct intrinsic_env *env, const struct json_place *at, json_t *arg,
                    json_t **ret, struct fault *f)
{
    struct json_place second = {at, NULL, 1};
    _cleanup_json_ json_t *v = NULL;
    _cleanup_buf_ struct buf text = BUF_INIT(STRING_MAX);
    const char *delimiter;
    int r;

    if (!json_is_array(arg) || json_array_size(arg) != 2 ||
        !(delimiter = json_string_value(json_array_get(arg, 0))) || !*delimiter)
        return json_source_fault(env->source, at, f, "must be [\"DELIMITER\", STRING]");
    r = resolve_scalar(env, &second, json_array_get(arg, 1), &v, f);
    if (r < 0)
        return r;
    if (json_is_object(v))
        return give(json_pack("{s:[s,O]}", "Fn::Split", delimiter, v), ret, f);
    if (scalar_append(v, &text) < 0)
        return no_memory(f);
    return give(split(buf_str(&text), delimiter), ret, f);
}

/* Index of a Fn::Select: a number, or a parameter that is one. */
static int select_index(const struct intrinsic_env *env, const struct json_place *at, json_t *v,
                        size_t *ret, struct fault *f)
{
    struct json_place first = {at, NULL, 0};
    _cleanup_json_ json_t *index = NULL;
    _cleanup_buf_ struct buf text = BUF_INIT(64);
    char *end;
    int r = resolve_scalar(env, &first, v, &index, f);

    if (r < 0)
        return r;
    if (json_is_object(index) || scalar_append(index, &text) < 0 || text.len == 0 ||
        text.data[0] < '0' || text.data[0] > '9')
        return json_source_fault(env->source, &first, f, "must be an index, from 0");
    errno = 0;
    *ret = strtoul(text.data, &end, 10);
    if (errno || *end)
        return json_source_fault(env->source, &first, f, "must be an index, from 0");
    return 0;
}

static int fn_select(const struct intrinsic_env *env, const struct json_place *at, json_t *arg,
                     json_t **ret, struct fault *f)
{
    struct json_place second = {at, NULL, 1};
    _cleanup_json_ json_t *list = NULL;
    size_t i = 0;
    int r;

    if (!json_is_array(arg) || json_array_size(arg) != 2)
        return json_source_fault(env->source, at, f, "must be [INDEX, LIST]");
    r = select_index(env, at, json_array_get(arg, 0), &i, f);
    if (r == 0)
        r = resolve_list(env, &second, json_array_get(arg, 1), &list, f);
    if (r < 0)
        return r;
    if (json_is_object(list))
        return give(json_pack("{s:[I,O]}", "Fn::Select", (json_int_t)i, list), ret, f);
    if (i >= json_array_size(list))
        return json_source_fault(env->source, at, f, "there is no element %zu in a list of %zu", i,
                                 json_array_size(list));
    return give(json_incref(json_array_get(list, i)), ret, f);
}

/* One ${NAME} of a Fn::Sub: from its own map, else as Ref or GetAtt. used: keys of the map that
 * were used. */
static int sub_variable(const struct intrinsic_env *env, const struct json_place *at, json_t *map,
                        json_t *used, const char *name, json_t **ret, struct fault *f)
{
    json_t *v = json_object_get(map, name);
    _cleanup_json_ json_t *call = NULL;

    if (v) {
        struct json_place second = {at, NULL, 1}, key = {&second, name, 0};
        if (json_object_set_new(used, name, json_true()) < 0)
            return no_memory(f);
        return resolve_scalar(env, &key, v, ret, f);
    }
    if (strchr(name, '.'))
        call = json_pack("{s:s}", "Fn::GetAtt", name);
    else
        call = json_pack("{s:s}", "Ref", name);
    return call ? resolve_scalar(env, at, call, ret, f) : no_memory(f);
}

static int append_text(json_t *parts, const char *s, size_t n, struct fault *f)
{
    if (n && json_array_append_new(parts, json_stringn(s, n)) < 0)
        return no_memory(f);
    return 0;
}

/* text cut at its ${…} into parts. */
static int sub_parts(const struct intrinsic_env *env, const struct json_place *at, const char *text,
                     json_t *map, json_t *used, json_t *parts, struct fault *f)
{
    for (;;) {
        const char *open = strstr(text, "${"), *close;
        _cleanup_json_ json_t *v = NULL;
        _cleanup_free_ char *name = NULL;
        int r = append_text(parts, text, open ? (size_t)(open - text) : strlen(text), f);

        if (r < 0 || !open)
            return r;
        close = strchr(open, '}');
        if (!close || close == open + 2)
            return json_source_fault(env->source, at, f, "a ${ without a name and }");
        text = close + 1;
        if (open[2] == '!') { /* ${!X} is the literal ${X} */
            r = append_text(parts, "${", 2, f);
            if (r == 0)
                r = append_text(parts, open + 3, (size_t)(close + 1 - open - 3), f);
            if (r < 0)
                return r;
            continue;
        }
        name = strndup(open + 2, (size_t)(close - open - 2));
        if (!name)
            return no_memory(f);
        r = sub_variable(env, at, map, used, name, &v, f);
        if (r < 0)
            return r;
        if (json_array_append(parts, v) < 0)
            return no_memory(f);
    }
}

static int fn_sub(const struct intrinsic_env *env, const struct json_place *at, json_t *arg,
                  json_t **ret, struct fault *f)
{
    _cleanup_json_ json_t *parts = json_array(), *used = json_object();
    json_t *map = json_array_get(arg, 1), *v;
    const char *text = json_string_value(arg), *key;
    int r;

    if (json_is_array(arg) && json_array_size(arg) == 2 && json_is_object(map) &&
        !intrinsic_function(map))
        text = json_string_value(json_array_get(arg, 0));
    if (!text)
        return json_source_fault(env->source, at, f,
                                 "must be \"TEXT\" or [\"TEXT\", {\"NAME\": VALUE}]");
    if (!parts || !used)
        return no_memory(f);
    r = sub_parts(env, at, text, map, used, parts, f);
    if (r < 0)
        return r;
    json_object_foreach(map, key, v) if (!json_object_get(used, key)) return json_source_fault(
        env->source, at, f, "\"%s\" is not used in the text", key);
    return join(env, at, "", parts, ret, f);
}

static const struct {
    const char *name;
    function_fn fn;
} functions[] = {
    {"Ref", fn_ref},       {"Fn::GetAtt", fn_getatt}, {"Fn::Sub", fn_sub},
    {"Fn::Join", fn_join}, {"Fn::Select", fn_select}, {"Fn::Split", fn_split},
};

static int resolve_function(const struct intrinsic_env *env, const struct json_place *at,
                            const char *name, json_t *v, json_t **ret, struct fault *f)
{
    struct json_place place = {at, name, 0};

    if (json_object_size(v) != 1)
        return json_source_fault(env->source, &place, f,
                                 "a function must be the only key of its object");
    for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
        if (streq(functions[i].name, name))
            return functions[i].fn(env, &place, json_object_get(v, name), ret, f);
    return json_source_fault(env->source, &place, f, "is not a function of svcfs: " FUNCTIONS);
}

static int resolve_object(const struct intrinsic_env *env, const struct json_place *at, json_t *v,
                          json_t **ret, struct fault *f)
{
    _cleanup_json_ json_t *out = json_object();
    const char *key;
    json_t *e;

    if (!out)
        return no_memory(f);
    json_object_foreach(v, key, e)
    {
        struct json_place place = {at, key, 0};
        json_t *resolved = NULL;
        int r = intrinsic_resolve(env, &place, e, &resolved, f);
        if (r < 0)
            return r;
        if (resolved && json_object_set_new(out, key, resolved) < 0)
            return no_memory(f);
    }
    *ret = steal_ptr(out);
    return 0;
}

static int resolve_array(const struct intrinsic_env *env, const struct json_place *at, json_t *v,
                         json_t **ret, struct fault *f)
{
    _cleanup_json_ json_t *out = json_array();
    json_t *e;
    size_t i;

    if (!out)
        return no_memory(f);
    json_array_foreach(v, i, e)
    {
        struct json_place place = {at, NULL, i};
        json_t *resolved = NULL;
        int r = intrinsic_resolve(env, &place, e, &resolved, f);
        if (r < 0)
            return r;
        if (resolved && json_array_append_new(out, resolved) < 0)
            return no_memory(f);
    }
    *ret = steal_ptr(out);
    return 0;
}

int intrinsic_resolve(const struct intrinsic_env *env, const struct json_place *at, json_t *v,
                      json_t **ret, struct fault *f)
{
    const char *function;
    unsigned depth = 0;
    int r;

    for (const struct json_place *p = at; p; p = p->up)
        if (++depth > DEPTH_MAX)
            return json_source_fault(env->source, at, f, "is nested too deeply");
    switch (json_typeof(v)) {
    case JSON_NULL:
        return json_source_fault(env->source, at, f, "null is not a value");
    case JSON_ARRAY:
        return resolve_array(env, at, v, ret, f);
    case JSON_OBJECT:
        function = intrinsic_function(v);
        if (function)
            return resolve_function(env, at, function, v, ret, f);
        return resolve_object(env, at, v, ret, f);
    case JSON_STRING:
        r = check_string(env, at, json_string_value(v), f);
        if (r < 0)
            return r;
        break;
    default:
        break;
    }
    *ret = json_incref(v);
    return 0;
}
