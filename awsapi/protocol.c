/*
 * The four protocols. json and rest-json carry the request as it is; query and ec2 flatten it:
 *
 *     {"A": {"B": 1}, "L": ["x", {"K": true}]}   →   A.B=1&L.member.1=x&L.member.2.K=true   (query)
 *                                                    A.B=1&L.1=x&L.2.K=true                 (ec2)
 *
 * RDS names the items of its lists (Filters.Filter.1); a name that ends in a dot and the item's
 * name, {"Filters.Filter": […]}, says so. The models that would know are not shipped:
 * the few calls we make are written with names as they go onto the wire.
 */
#include "awsapi/protocol.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "awsapi/uri.h"
#include "awsapi/xml.h"
#include "base/str.h"

enum { BODY_MAX = 4 * 1024 * 1024, PATH_MAX_ = 8 * 1024, QUERY_MAX = 64 * 1024, NEST_MAX = 16 };

void encoded_done(struct encoded *e)
{
    buf_done(&e->path);
    buf_done(&e->query);
    buf_wipe(&e->body);
}

/* The text of a scalar: *ret points to value's own text or to scratch. */
static int scalar_text(json_t *value, char *scratch, size_t size, const char **ret, size_t *ret_len)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        *ret = json_string_value(value);
        *ret_len = json_string_length(value);
        return 0;
    case JSON_TRUE:
    case JSON_FALSE:
        (void)snprintf(scratch, size, "%s", json_is_true(value) ? "true" : "false");
        break;
    case JSON_INTEGER:
        (void)snprintf(scratch, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        (void)snprintf(scratch, size, "%.17g", json_real_value(value));
        break;
    default:
        return -EINVAL;
    }
    *ret = scratch;
    *ret_len = strlen(scratch);
    return 0;
}

static int put_scalar(struct buf *out, json_t *value)
{
    char scratch[64];
    const char *text;
    size_t len;
    int r = scalar_text(value, scratch, sizeof(scratch), &text, &len);

    return r < 0 ? r : uri_encode(out, text, len, "");
}

static int put_pair(struct buf *out, const char *name, json_t *value)
{
    int r = out->len > 0 ? buf_putc(out, '&') : 0;

    if (r == 0)
        r = uri_encode(out, name, strlen(name), "");
    if (r == 0)
        r = buf_putc(out, '=');
    if (r == 0 && value != NULL)
        r = put_scalar(out, value);
    return r;
}

static int flatten(struct buf *out, const char *name, json_t *value, bool named, bool ec2,
                   int depth);

/* named: the items' name stands in the list's: name.N, not name.member.N */
static int flatten_list(struct buf *out, const char *name, json_t *list, bool named, bool ec2,
                        int depth)
{
    size_t i;
    json_t *item;
    int r = 0;

    if (json_array_size(list) == 0)
        return ec2 ? 0 : put_pair(out, name, NULL);
    json_array_foreach(list, i, item)
    {
        _cleanup_free_ char *path = str_printf(named ? "%s.%zu" : "%s.member.%zu", name, i + 1);

        r = path == NULL ? -ENOMEM : flatten(out, path, item, ec2, ec2, depth + 1);
        if (r < 0)
            break;
    }
    return r;
}

/* "Filters.Filter" is a list whose items have a name. */
static bool names_items(const char *key, bool ec2)
{
    return ec2 || strchr(key, '.') != NULL;
}

static int flatten(struct buf *out, const char *name, json_t *value, bool named, bool ec2,
                   int depth)
{
    const char *key;
    json_t *child;
    int r = 0;

    if (depth > NEST_MAX)
        return -EINVAL;
    if (json_is_null(value))
        return 0;
    if (json_is_array(value))
        return flatten_list(out, name, value, named, ec2, depth);
    if (!json_is_object(value))
        return put_pair(out, name, value);
    json_object_foreach(value, key, child)
    {
        _cleanup_free_ char *path = str_printf("%s.%s", name, key);

        r = path == NULL ? -ENOMEM
                         : flatten(out, path, child, names_items(key, ec2), ec2, depth + 1);
        if (r < 0)
            break;
    }
    return r;
}

static int encode_query(const struct aws_action *a, json_t *request, struct encoded *e)
{
    const struct aws_service_info *info = aws_service_info(a->service);
    bool ec2 = info->protocol == AWS_EC2_QUERY;
    const char *key;
    json_t *value;
    int r = buf_printf(&e->body, "Action=%s&Version=%s", a->name, info->api_version);

    json_object_foreach(request, key, value)
    {
        if (r < 0)
            break;
        r = flatten(&e->body, key, value, names_items(key, ec2), ec2, 0);
    }
    if (r == 0)
        r = buf_putc(&e->path, '/');
    e->method = "POST";
    (void)snprintf(e->content_type, sizeof(e->content_type),
                   "application/x-www-form-urlencoded; charset=utf-8");
    return r;
}

static int put_json(struct buf *out, json_t *value)
{
    size_t size = json_dumpb(value, NULL, 0, JSON_COMPACT);
    char *text;
    int r;

    if (size == 0)
        return -EINVAL;
    text = malloc(size);
    if (text == NULL)
        return -ENOMEM;
    r = json_dumpb(value, text, size, JSON_COMPACT) == size ? buf_append(out, text, size) : -EINVAL;
    explicit_bzero(text, size);
    free(text);
    return r;
}

static int encode_json(const struct aws_action *a, json_t *request, struct encoded *e)
{
    const struct aws_service_info *info = aws_service_info(a->service);
    int r = request != NULL ? put_json(&e->body, request) : buf_puts(&e->body, "{}");

    if (r == 0)
        r = buf_putc(&e->path, '/');
    e->method = "POST";
    (void)snprintf(e->content_type, sizeof(e->content_type), "application/x-amz-json-%s",
                   info->json_version);
    (void)snprintf(e->target, sizeof(e->target), "%s%s", info->target_prefix, a->name);
    return r;
}

/* Puts the template's path, taking {X} out of rest. */
static int put_path(const struct aws_action *a, json_t *rest, struct buf *out, struct fault *f)
{
    const char *p = a->path;
    int r = 0;

    while (r == 0 && *p != '\0') {
        size_t len = strcspn(p, "{");
        char name[64];

        r = buf_append(out, p, len);
        p += len;
        if (r < 0 || *p == '\0')
            break;
        len = strcspn(++p, "}");
        if (p[len] != '}' || str_format(name, sizeof(name), "%.*s", (int)len, p) < 0)
            return fault_set(f, -EINVAL, "%s: bad path template", a->name);
        p += len + 1;
        len = out->len;
        r = json_object_get(rest, name) != NULL ? put_scalar(out, json_object_get(rest, name))
                                                : -EINVAL;
        /* An empty segment would address the collection instead of one thing in it, and "." and
         * ".." something else altogether. */
        if (r == -EINVAL || out->len == len || streq(buf_str(out) + len, ".") ||
            streq(buf_str(out) + len, ".."))
            return fault_set(f, -EINVAL, "%s: %s is missing or cannot be part of a path", a->name,
                             name);
        (void)json_object_del(rest, name);
    }
    return r;
}

static int put_query_member(struct buf *out, const char *name, json_t *value)
{
    size_t i;
    json_t *item;
    int r = 0;

    if (!json_is_array(value))
        return json_is_null(value) ? 0 : put_pair(out, name, value);
    json_array_foreach(value, i, item)
    {
        r = put_pair(out, name, item);
        if (r < 0)
            break;
    }
    return r;
}

static int put_query(const struct aws_action *a, json_t *rest, struct buf *out)
{
    const char *p = a->query != NULL ? a->query : "";
    int r = 0;

    while (r == 0 && *p != '\0') {
        size_t len = strcspn(p, ",");
        char name[64];

        if (str_format(name, sizeof(name), "%.*s", (int)len, p) < 0)
            return -EINVAL;
        if (json_object_get(rest, name) != NULL) {
            r = put_query_member(out, name, json_object_get(rest, name));
            (void)json_object_del(rest, name);
        }
        p += len;
        if (*p == ',')
            p++;
    }
    return r;
}

static int encode_rest(const struct aws_action *a, json_t *request, struct encoded *e,
                       struct fault *f)
{
    _cleanup_json_ json_t *rest = request != NULL ? json_copy(request) : json_object();
    bool bodiless = streq(a->method, "GET") || streq(a->method, "DELETE");
    int r;

    if (rest == NULL)
        return -ENOMEM;
    r = put_path(a, rest, &e->path, f);
    if (r == 0)
        r = put_query(a, rest, &e->query);
    if (r == 0 && bodiless && json_object_size(rest) > 0)
        return fault_set(f, -EINVAL, "%s: a member has no place in the request", a->name);
    e->method = a->method;
    if (r == 0 && !bodiless) {
        r = put_json(&e->body, rest);
        (void)snprintf(e->content_type, sizeof(e->content_type), "application/json");
    }
    return r;
}

int protocol_encode(const struct aws_action *a, json_t *request, struct encoded *ret,
                    struct fault *f)
{
    struct encoded e = {
        .path = BUF_INIT(PATH_MAX_), .query = BUF_INIT(QUERY_MAX), .body = BUF_INIT(BODY_MAX)};
    struct fault why = FAULT_INIT;
    int r;

    switch (aws_service_info(a->service)->protocol) {
    case AWS_JSON:
        r = encode_json(a, request, &e);
        break;
    case AWS_REST_JSON:
        r = encode_rest(a, request, &e, &why);
        break;
    default:
        r = encode_query(a, request, &e);
    }
    if (r == 0) {
        *ret = e;
        return 0;
    }
    encoded_done(&e);
    if (why.err != 0)
        return fault_set(f, r, "%s", why.message);
    return fault_set(f, r, "%s: the request cannot be encoded: %s", a->name, fault_errno_name(r));
}

static int decode_json(const struct http_response *r, json_t **ret)
{
    json_t *value;

    if (r->body.len == 0) {
        value = json_object();
        if (value == NULL)
            return -ENOMEM;
    } else {
        value = json_loadb(r->body.data, r->body.len, 0, NULL);
    }
    if (!json_is_object(value)) {
        json_decref(value);
        return -EPROTO;
    }
    *ret = value;
    return 0;
}

/* {"ActionResponse": {"ActionResult": {…}, …}}; ec2 has no ActionResult. */
static int decode_xml(const struct aws_action *a, const struct http_response *r, json_t **ret)
{
    _cleanup_json_ json_t *document = NULL;
    char name[128];
    json_t *value;
    int err = xml_to_json(buf_str(&r->body), r->body.len, &document);

    if (err < 0)
        return err;
    (void)snprintf(name, sizeof(name), "%sResponse", a->name);
    value = json_object_get(document, name);
    if (value == NULL)
        return -EPROTO;
    if (aws_service_info(a->service)->protocol == AWS_QUERY) {
        (void)snprintf(name, sizeof(name), "%sResult", a->name);
        value = json_object_get(value, name);
    }
    *ret = json_is_object(value) ? json_incref(value) : json_object();
    return *ret != NULL ? 0 : -ENOMEM;
}

int protocol_decode(const struct aws_action *a, const struct http_response *r, json_t **ret,
                    struct fault *f)
{
    enum aws_protocol p = aws_service_info(a->service)->protocol;
    int err = p == AWS_JSON || p == AWS_REST_JSON ? decode_json(r, ret) : decode_xml(a, r, ret);

    if (err < 0)
        return fault_set(f, err, "the answer to %s cannot be read (%zu bytes)", a->name,
                         r->body.len);
    return 0;
}
