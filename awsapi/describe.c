/*
 * From ids to descriptions, by a row of the table. A call that takes several ids either leaves out
 * what is not there, or fails as a whole; then it is split, half by half, until those that fail
 * stand alone. That costs 2 log2(n) calls for one in n, and nothing where all are there, which is
 * the rule.
 */
#include "awsapi/describe.h"

#include <errno.h>
#include <string.h>

#include "awsapi/describe_private.h"
#include "awsapi/xml.h"
#include "base/str.h"

enum { PARTS = 6, ID_SIZE = 2048 };

static unsigned count_slashes(const char *key)
{
    unsigned n = 0;

    while ((key = strchr(key, '/'))) {
        key++;
        n++;
    }
    return n;
}

const struct describe_row *aws_describe_row(const char *service, const char *type, const char *key)
{
    for (size_t i = 0; i < describe_n_rows; i++) {
        const struct describe_row *row = &describe_rows[i];

        if (streq(row->service, service) && streq(row->type, type) &&
            count_slashes(key) >= row->slashes &&
            (row->id != DESCRIBE_ID_ARN || str_starts(key, "arn:")))
            return row;
    }
    return NULL;
}

/* --- ids --- */

/* The parts of an ARN; the last one is all that is left. false: it is none. */
static bool split(const char *arn, const char *parts[PARTS], size_t sizes[PARTS])
{
    for (size_t i = 0; i < PARTS; i++) {
        const char *end = i + 1 < PARTS ? strchr(arn, ':') : arn + strlen(arn);

        if (!end)
            return false;
        parts[i] = arn;
        sizes[i] = (size_t)(end - arn);
        arn = end + 1;
    }
    return true;
}

/* What stands behind the type; S3's and other buckets have none. */
static const char *name_of(const char *key)
{
    const char *parts[PARTS], *name;
    size_t sizes[PARTS];

    if (!str_starts(key, "arn:")) {
        name = strchr(key, '/');
        name = name ? strchr(name + 1, '/') : NULL;
        return name ? name + 1 : key;
    }
    if (!split(key, parts, sizes))
        return key;
    name = parts[5] + (parts[5][0] == '/');
    name = strpbrk(name, "/:");
    return name ? name + 1 : parts[5];
}

static int queue_url(const char *key, char out[ID_SIZE])
{
    const char *parts[PARTS];
    size_t sizes[PARTS];

    if (!str_starts(key, "arn:") || !split(key, parts, sizes))
        return -EINVAL;
    return str_format(out, ID_SIZE, "https://sqs.%.*s.amazonaws.com%s/%.*s/%s", (int)sizes[3],
                      parts[3], str_starts(parts[1], "aws-cn") ? ".cn" : "", (int)sizes[4],
                      parts[4], parts[5]);
}

static int id_of(const struct describe_row *row, const char *key, char out[ID_SIZE])
{
    const char *name = name_of(key), *last = name;

    switch (row->id) {
    case DESCRIBE_ID_ARN:
        return str_format(out, ID_SIZE, "%s", key);
    case DESCRIBE_ID_QUEUE:
        return queue_url(key, out);
    case DESCRIBE_ID_LAST:
        while ((name = strpbrk(last, "/:")))
            last = name + 1;
        return str_format(out, ID_SIZE, "%s", last);
    default:
        /* Log groups' ARNs are also written with what selects all their streams. */
        return str_format(out, ID_SIZE, "%.*s",
                          (int)(strlen(name) - (str_ends(name, ":*") ? 2 : 0)), name);
    }
}

/* "CLUSTER" of "arn:…:service/CLUSTER/NAME"; the old form has none: the default one. */
static void cluster_of(const char *key, char out[ID_SIZE])
{
    const char *name = name_of(key), *end = strchr(name, '/');

    (void)str_format(out, ID_SIZE, "%.*s", end ? (int)(end - name) : 7, end ? name : "default");
}

bool aws_describe_together(const struct describe_row *row, const char *key, const char *other)
{
    char a[ID_SIZE], b[ID_SIZE];

    if (row->put != DESCRIBE_OF_CLUSTER)
        return true;
    cluster_of(key, a);
    cluster_of(other, b);
    return streq(a, b);
}

/* --- one call --- */

struct asking {
    struct aws_client *client;
    const struct aws_ctx *ctx;
    const struct describe_row *row;
    const char *const *keys;
    char (*ids)[ID_SIZE];
    bool whole;
    aws_described_fn fn;
    void *arg;
};

/* A parameter "/a" has the same ARN as "a": both are asked for. */
static json_t *parameter_names(const struct asking *k, size_t from, size_t n)
{
    json_t *names = json_array();

    for (size_t i = from; names && i < from + n; i++) {
        if (!strchr(k->ids[i], '/'))
            json_array_append_new(names, json_string(k->ids[i]));
        json_array_append_new(names, json_sprintf("/%s", k->ids[i]));
    }
    return names;
}

static json_t *request_of(const struct asking *k, size_t from, size_t n)
{
    const struct describe_row *row = k->row;
    const char *in = row->in, *one = k->ids[from];
    char cluster[ID_SIZE];
    _cleanup_json_ json_t *ids = json_array();

    for (size_t i = from; ids && i < from + n; i++)
        if (json_array_append_new(ids, json_string(k->ids[i])) < 0)
            return NULL;
    switch (row->put) {
    case DESCRIBE_FILTER:
        return json_pack("{s:i, s:[{s:s, s:O}]}", "MaxResults", 1000, "Filter", "Name", in, "Value",
                         ids);
    case DESCRIBE_RDS_FILTER:
        return json_pack("{s:i, s:[{s:s, s:O}]}", "MaxRecords", 100, "Filters.Filter", "Name", in,
                         "Values.Value", ids);
    case DESCRIBE_OF_CLUSTER:
        cluster_of(k->keys[from], cluster);
        return json_pack("{s:s, s:O}", "cluster", cluster, in, ids);
    case DESCRIBE_PARAMETERS:
        return json_pack("{s:i, s:[{s:s, s:s, s:o}]}", "MaxResults", 50, "ParameterFilters", "Key",
                         in, "Option", "Equals", "Values", parameter_names(k, from, n));
    case DESCRIBE_CLOUDCONTROL:
        return json_pack("{s:s, s:s}", "TypeName", in, "Identifier", one);
    case DESCRIBE_LIST:
        return json_pack("{s:O}", in, ids);
    case DESCRIBE_ONE_OR_ALL:
        if (n > 1)
            return json_pack("{s:i}", row->paging.in[0] == 'M' ? "MaxItems" : "MaxResults",
                             (int)row->batch);
        break;
    case DESCRIBE_ONE:
        break;
    }
    return json_pack("{s:s}", in, one);
}

/* *ret: a new array of the items of all pages. */
static int ask(const struct asking *k, size_t from, size_t n, json_t **ret, struct fault *f)
{
    const struct describe_row *row = k->row;
    _cleanup_json_ json_t *request = request_of(k, from, n), *answer = NULL;

    if (!request)
        return aws_no_memory(f);
    if (row->paging.list)
        return aws_pages(k->client, &row->action, k->ctx, request, &row->paging, ret, f);
    int r = aws_call(k->client, &row->action, k->ctx, request, &answer, f);
    if (r < 0)
        return r;
    *ret = json_pack("[O]", answer);
    return *ret ? 0 : aws_no_memory(f);
}

/* Cloud Control's document is a text within its answer. */
static json_t *document_of(json_t *item)
{
    json_t *text = json_object_get(item, "Properties");

    return json_loadb(json_string_value(text), json_string_length(text), 0, NULL);
}

/* --- results --- */

static bool same_id(const struct asking *k, size_t i, const char *id)
{
    if (k->row->put == DESCRIBE_PARAMETERS && id[0] == '/')
        id++;
    return streq(k->ids[i], id);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A new array of the items' ids, in order: that of the answer is no property. NULL: no memory. */
static json_t *ordered_ids(const struct describe_more *more, json_t *items)
{
    const char **ids = calloc(json_array_size(items) + 1, sizeof(*ids));
    json_t *all = ids ? json_array() : NULL, *item;
    size_t i, n = 0;
    int r = 0;

    json_array_foreach(items, i, item)
    {
        const char *id = json_string_value(json_object_get(item, more->named));
        if (ids && id)
            ids[n++] = id;
    }
    if (ids)
        qsort(ids, n, sizeof(*ids), compare_texts);
    for (i = 0; all && r == 0 && i < n; i++)
        r = json_array_append_new(all, json_string(ids[i]));
    free(ids);
    if (r < 0)
        json_decref(all);
    return r < 0 ? NULL : all;
}

/* Adds what only another call tells. */
static int complete(const struct asking *k, size_t i, json_t *shown, struct fault *f)
{
    const struct describe_more *more = k->row->more;
    json_t *number = json_object_get(shown, more->number);
    _cleanup_json_ json_t *request = json_pack("{s:s}", k->row->in, k->ids[i]), *items = NULL;

    if (!request)
        return aws_no_memory(f);
    if (!json_is_integer(number) || json_integer_value(number) > 0) {
        int r = aws_pages(k->client, &more->action, k->ctx, request, &more->paging, &items, f);
        if (r < 0)
            return r;
    }
    return json_object_set_new(shown, more->shown, ordered_ids(more, items)) < 0 ? aws_no_memory(f)
                                                                                 : 0;
}

/* An error that may be this one's alone. */
static bool is_own(int err)
{
    return err == -ENOENT || err == -EACCES || err == -EINVAL || err == -EPROTO;
}

/* ret: the error, where the next ones would meet it, too. */
static void give(const struct asking *k, size_t i, json_t *item, struct fault *ret)
{
    const struct describe_row *row = k->row;
    struct fault f = FAULT_INIT;
    _cleanup_json_ json_t *shown =
        row->put == DESCRIBE_CLOUDCONTROL ? document_of(item) : describe_shape(row, item);

    if (!json_is_object(shown))
        fault_set(&f, -EPROTO, "the answer to %s cannot be read", row->action.name);
    else if (describe_redact(shown) < 0)
        aws_no_memory(&f);
    else if (row->more && k->whole)
        (void)complete(k, i, shown, &f);
    k->fn(k->arg, i, f.err ? NULL : shown, f.err ? &f : NULL);
    if (row->more && f.err && !is_own(f.err))
        *ret = f;
}

static void fail(const struct asking *k, size_t from, size_t n, const struct fault *f)
{
    for (size_t i = from; i < from + n; i++)
        k->fn(k->arg, i, NULL, f);
}

static void gone(const struct asking *k, size_t i)
{
    struct fault f = FAULT_INIT;

    fault_set(&f, -ENOENT, "%s does not have it", k->row->action.name);
    (void)str_format(f.call, sizeof(f.call), "%s:%s",
                     aws_service_info(k->row->action.service)->name, k->row->action.name);
    k->fn(k->arg, i, NULL, &f);
}

/* The items of a call for one id, which need no name, or by their names. */
static json_t *find_item(const struct asking *k, size_t i, json_t *items)
{
    const char *named = k->row->named;
    json_t *item;
    size_t at;

    if (!named)
        return json_array_get(items, 0);
    json_array_foreach(items, at, item)
    {
        const char *id = json_string_value(json_object_get(item, named));

        if (id && same_id(k, i, id))
            return item;
    }
    return NULL;
}

static void give_all(const struct asking *k, size_t from, size_t n, json_t *items)
{
    struct fault f = FAULT_INIT;

    for (size_t i = from; i < from + n; i++) {
        json_t *item = f.err ? NULL : find_item(k, i, items);

        if (f.err)
            fail(k, i, 1, &f);
        else if (json_is_object(item))
            give(k, i, item, &f);
        else
            gone(k, i);
    }
}

/* What the items hold, where that is one level deeper. */
static int unwrap(const struct describe_row *row, json_t **items)
{
    _cleanup_json_ json_t *outer = *items, *all = json_array();
    json_t *item;
    size_t i;

    *items = NULL;
    json_array_foreach(outer, i, item)
    {
        _cleanup_json_ json_t *list = xml_list(item, row->inner, "item");

        if (!all || !list || json_array_extend(all, list) < 0)
            return -ENOMEM;
    }
    *items = steal_ptr(all);
    return *items ? 0 : -ENOMEM;
}

/* What the code says of one thing, where the table of errors takes it for something else. */
static int judge(const struct describe_row *row, struct fault *f)
{
    if (row->gone && streq(f->code, row->gone))
        f->err = -ENOENT;
    if (row->put == DESCRIBE_CLOUDCONTROL &&
        (streq(f->code, "TypeNotFoundException") || streq(f->code, "UnsupportedActionException")))
        f->err = -EOPNOTSUPP;
    return f->err;
}

static void describe_some(const struct asking *k, size_t from, size_t n)
{
    const struct describe_row *row = k->row;
    _cleanup_json_ json_t *items = NULL;
    struct fault f = FAULT_INIT;
    int r = ask(k, from, n, &items, &f);

    if (r < 0)
        r = judge(row, &f);
    else if (row->inner && unwrap(row, &items) < 0)
        r = aws_no_memory(&f);
    if (r == 0) {
        give_all(k, from, n, items);
    } else if (n > 1 && (r == -ENOENT || r == -EINVAL) && row->put != DESCRIBE_OF_CLUSTER &&
               row->put != DESCRIBE_ONE_OR_ALL) {
        describe_some(k, from, n / 2);
        describe_some(k, from + n / 2, n - n / 2);
    } else {
        fail(k, from, n, &f);
    }
}

void aws_describe(struct aws_client *c, const struct aws_ctx *ctx, const struct describe_row *row,
                  const char *const *keys, size_t n, bool whole, aws_described_fn fn, void *arg)
{
    struct asking k = {c, ctx, row, keys, calloc(n, ID_SIZE), whole, fn, arg};
    struct fault f = FAULT_INIT;
    int r = k.ids ? 0 : -ENOMEM;

    for (size_t i = 0; r == 0 && i < n; i++)
        r = id_of(row, keys[i], k.ids[i]);
    if (r < 0) {
        fault_set(&f, r, "the id cannot be asked for: %s", fault_errno_name(r));
        fail(&k, 0, n, &f);
    } else {
        describe_some(&k, 0, n);
    }
    free(k.ids);
}
