/*
 * Loading a blueprint: everything that mkdir could stumble over is found here, once, with file and
 * line, and not half-way through somebody's service. A blueprint that loads has a plan for every id
 * it allows.
 *
 * The document itself is kept and never changed; resources and outputs borrow from it. Properties
 * are checked as they are for a sample service: parameters and pseudo parameters put in, references
 * to other resources standing. The same resolution tells what needs what, so that the order cannot
 * disagree with the references.
 *
 * States: built up by one thread (blueprint_load), then immutable and shared by references.
 */
#include "provision/blueprint_private.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "awsapi/digest.h"
#include "base/buf.h"
#include "base/str.h"
#include "provision/plan.h"
#include "provision/property.h"
#include "provision/record.h"

static const char sample_claim[] = "00000000000000000000000000";

static int no_memory(struct fault *f)
{
    return fault_set(f, -ENOMEM, "no memory");
}

struct blueprint *blueprint_ref(struct blueprint *b)
{
    atomic_fetch_add(&b->refs, 1);
    return b;
}

void blueprint_unref(struct blueprint *b)
{
    if (!b || atomic_fetch_sub(&b->refs, 1) != 1)
        return;
    for (size_t i = 0; i < b->n_resources; i++)
        free(b->resources[i].needs);
    for (size_t i = 0; i < b->n_outputs; i++)
        free(b->outputs[i].name);
    free(b->resources);
    free(b->outputs);
    pattern_done(&b->id_pattern);
    params_free(b->params);
    json_decref(b->root);
    free(b->family);
    free(b->path);
    free(b->region);
    free(b->account);
    free(b->partition);
    free(b->family_tag);
    free(b->service_tag);
    free(b);
}

const char *blueprint_family(const struct blueprint *b)
{
    return b->family;
}

const char *blueprint_hash(const struct blueprint *b)
{
    return b->hash;
}

const struct blueprint_settings *blueprint_settings(const struct blueprint *b)
{
    return &b->settings;
}

int blueprint_values(const struct blueprint *b, const char *id, const char *claim, json_t **ret,
                     struct fault *f)
{
    _cleanup_json_ json_t *values = NULL;
    int r = params_values(b->params, id, b->family, claim, &values, f);

    if (r < 0)
        return r;
    if (json_object_set_new(values, "AWS::Region", json_string(b->region)) < 0 ||
        json_object_set_new(values, "AWS::AccountId", json_string(b->account)) < 0 ||
        json_object_set_new(values, "AWS::Partition", json_string(b->partition)) < 0)
        return no_memory(f);
    *ret = steal_ptr(values);
    return 0;
}

static int resource_find(const struct blueprint *b, const char *logical, size_t *ret)
{
    for (size_t i = 0; i < b->n_resources; i++)
        if (streq(b->resources[i].logical, logical)) {
            *ret = i;
            return 0;
        }
    return -ENOENT;
}

struct resolving {
    const struct blueprint *b;
    bool *needs;
};

/* Nothing is known of any resource yet: checks the names, notes the need. */
static int resolve_unmade(void *arg, const char *logical, const char *attribute, json_t **ret,
                          struct fault *f)
{
    struct resolving *x = arg;
    size_t i;

    if (resource_find(x->b, logical, &i) < 0)
        return -ENOENT;
    if (attribute) {
        const char *const *a = x->b->resources[i].type->attributes;
        while (a && *a && !streq(*a, attribute))
            a++;
        if (!a || !*a)
            return fault_set(f, -EINVAL, "%s has no attribute \"%s\"",
                             x->b->resources[i].type->name, attribute);
    }
    if (x->needs)
        x->needs[i] = true;
    *ret = NULL;
    return 0;
}

int blueprint_resolve(const struct blueprint *b, const json_t *values, const struct json_place *at,
                      json_t *v, bool *needs, json_t **ret, struct fault *f)
{
    struct resolving x = {b, needs};
    struct intrinsic_env env = {&b->source, values, resolve_unmade, &x};

    return intrinsic_resolve(&env, at, v, ret, f);
}

static bool among(const char *key, const char *const *names)
{
    for (; *names; names++)
        if (streq(*names, key))
            return true;
    return false;
}

int blueprint_check_keys(const struct blueprint *b, const struct json_place *at, json_t *object,
                         const char *const *names, const char *what, struct fault *f)
{
    char allowed[300] = "";
    const char *key;
    json_t *v;

    if (!json_is_object(object))
        return json_source_fault(&b->source, at, f, "must be an object");
    for (const char *const *n = names; *n; n++)
        snprintf(allowed + strlen(allowed), sizeof(allowed) - strlen(allowed), "%s%s",
                 n == names ? "" : ", ", *n);
    json_object_foreach(object, key, v)
    {
        struct json_place place = {at, key, 0};
        if (!among(key, names))
            return json_source_fault(&b->source, &place, f, "is not %s that svcfs knows: %s", what,
                                     allowed);
    }
    return 0;
}

bool blueprint_is_name(const char *s, size_t max)
{
    size_t n = 0;

    while (isalnum((unsigned char)s[n]))
        n++;
    return n > 0 && n <= max && !s[n];
}

static int check_sections(const struct blueprint *b, struct fault *f)
{
    static const char *const names[] = {"AWSTemplateFormatVersion",
                                        "Description",
                                        "Metadata",
                                        "Parameters",
                                        "Resources",
                                        "Outputs",
                                        NULL};
    json_t *version = json_object_get(b->root, names[0]);
    json_t *description = json_object_get(b->root, names[1]);
    struct json_place place = {NULL, names[0], 0}, about = {NULL, names[1], 0};
    int r = blueprint_check_keys(b, NULL, b->root, names, "a section", f);

    if (r < 0)
        return r;
    if (version && (!json_is_string(version) || !streq(json_string_value(version), "2010-09-09")))
        return json_source_fault(&b->source, &place, f, "must be \"2010-09-09\"");
    if (description && !json_is_string(description))
        return json_source_fault(&b->source, &about, f, "must be a string");
    return 0;
}

static int load_metadata(struct blueprint *b, struct fault *f)
{
    static const char *const names[] = {"svcfs", "cfn-lint", NULL};
    struct json_place at = {NULL, "Metadata", 0}, settings = {&at, "svcfs", 0};
    json_t *metadata = json_object_get(b->root, "Metadata");
    int r = metadata ? blueprint_check_keys(b, &at, metadata, names, "metadata", f) : 0;

    return r < 0 ? r : blueprint_load_settings(b, json_object_get(metadata, "svcfs"), &settings, f);
}

static int load_policy(const struct blueprint *b, struct blueprint_resource *res,
                       const struct json_place *at, json_t *spec, struct fault *f)
{
    static const char *const keys[] = {"DeletionPolicy", "UpdateReplacePolicy"};

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        json_t *v = json_object_get(spec, keys[i]);
        struct json_place place = {at, keys[i], 0};
        const char *s = json_string_value(v);
        if (!v)
            continue;
        if (!s || (!streq(s, "Delete") && !streq(s, "Retain")))
            return json_source_fault(&b->source, &place, f, "must be Delete or Retain");
        if (i > 0 || streq(s, "Delete"))
            continue;
        if (!res->type->retag)
            return json_source_fault(&b->source, &place, f, "%s cannot be retained",
                                     res->type->name);
        res->retain = true;
    }
    return 0;
}

static int load_type(const struct blueprint *b, struct blueprint_resource *res,
                     const struct json_place *at, json_t *spec, struct fault *f)
{
    struct json_place place = {at, "Type", 0};
    const char *name = json_string_value(json_object_get(spec, "Type"));
    char allowed[400] = "";

    if (!name)
        return json_source_fault(&b->source, at, f, "Type is missing");
    res->type = type_by_name(name);
    if (res->type)
        return 0;
    for (size_t i = 0; type_at(i); i++)
        snprintf(allowed + strlen(allowed), sizeof(allowed) - strlen(allowed), "%s%s",
                 i ? ", " : "", type_at(i)->name);
    return json_source_fault(&b->source, &place, f, "\"%.80s\" is not a type of svcfs: %s", name,
                             allowed);
}

static int load_resource(struct blueprint *b, struct blueprint_resource *res,
                         const struct json_place *at, json_t *spec, struct fault *f)
{
    static const char *const names[] = {
        "Type",     "Properties", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy",
        "Metadata", NULL};
    struct json_place properties = {at, "Properties", 0}, metadata = {at, "Metadata", 0};
    json_t *about = json_object_get(spec, "Metadata");
    int r = blueprint_check_keys(b, at, spec, names, "an attribute of a resource", f);

    if (r < 0)
        return r;
    if (!blueprint_is_name(res->logical, BLUEPRINT_LOGICAL_MAX))
        return json_source_fault(&b->source, at, f,
                                 "a resource's name has letters and digits only, %d at most",
                                 BLUEPRINT_LOGICAL_MAX);
    if (params_has(b->params, res->logical))
        return json_source_fault(&b->source, at, f, "a parameter has this name too");
    res->properties = json_object_get(spec, "Properties");
    if (res->properties &&
        (!json_is_object(res->properties) || intrinsic_function(res->properties)))
        return json_source_fault(&b->source, &properties, f, "must be an object");
    if (about && !json_is_object(about))
        return json_source_fault(&b->source, &metadata, f, "must be an object");
    r = load_type(b, res, at, spec, f);
    return r < 0 ? r : load_policy(b, res, at, spec, f);
}

static int load_resources(struct blueprint *b, struct fault *f)
{
    struct json_place top = {NULL, "Resources", 0};
    json_t *section = json_object_get(b->root, "Resources"), *spec;
    const char *key;
    int r;

    if (!section)
        return json_source_fault(&b->source, NULL, f, "the section Resources is missing");
    if (!json_is_object(section) || json_object_size(section) == 0 ||
        json_object_size(section) > BLUEPRINT_RESOURCES_MAX)
        return json_source_fault(&b->source, &top, f, "must be an object of 1 to %d resources",
                                 BLUEPRINT_RESOURCES_MAX);
    b->resources = calloc(json_object_size(section), sizeof(*b->resources));
    if (!b->resources)
        return no_memory(f);
    json_object_foreach(section, key, spec)
    {
        struct json_place at = {&top, key, 0};
        struct blueprint_resource *res = &b->resources[b->n_resources++];
        res->logical = key;
        r = load_resource(b, res, &at, spec, f);
        if (r < 0)
            return r;
    }
    return 0;
}

static int need_named(const struct blueprint *b, const struct json_place *at, json_t *v,
                      bool *needs, struct fault *f)
{
    const char *name = json_string_value(v);
    size_t i;

    if (!name)
        return json_source_fault(&b->source, at, f,
                                 "must be the name of a resource, or a list of such");
    if (resource_find(b, name, &i) < 0)
        return json_source_fault(&b->source, at, f, "there is no resource \"%s\"", name);
    needs[i] = true;
    return 0;
}

static int load_depends_on(const struct blueprint *b, const struct json_place *at, json_t *v,
                           bool *needs, struct fault *f)
{
    struct json_place place = {at, "DependsOn", 0};
    size_t i;
    json_t *e;

    if (!v)
        return 0;
    if (!json_is_array(v))
        return need_named(b, &place, v, needs, f);
    json_array_foreach(v, i, e)
    {
        struct json_place element = {&place, NULL, i};
        int r = need_named(b, &element, e, needs, f);
        if (r < 0)
            return r;
    }
    return 0;
}

/* A tag of the blueprint must not be one that svcfs sets: whose resource it is would then be the
 * blueprint's to say. */
static int check_tags(const struct blueprint *b, const struct json_place *at, json_t *properties,
                      struct fault *f)
{
    static const char *const names[] = {"Tags", "FileSystemTags", "AccessPointTags"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        json_t *tags = json_object_get(properties, names[i]), *tag;
        struct json_place place = {at, names[i], 0};
        size_t k;
        json_array_foreach(tags, k, tag)
        {
            struct json_place element = {&place, NULL, k};
            json_t *v = json_object_get(tag, "Key");
            const char *key = json_string_value(v);
            if (!key)
                return json_source_fault(&b->source, &element, f,
                                         "Key must be a string that needs no other resource");
            if (streq(key, b->family_tag) || streq(key, b->service_tag) || streq(key, TAG_MODE) ||
                str_starts(key, "svcfs:") || strncasecmp(key, "aws:", 4) == 0)
                return json_source_fault(&b->source, &element, f,
                                         "the tag \"%s\" is set by svcfs or AWS alone", key);
        }
    }
    return 0;
}

static int check_properties(const struct blueprint *b, const struct blueprint_resource *res,
                            json_t *properties, struct fault *f)
{
    struct json_place top = {NULL, "Resources", 0}, at = {&top, res->logical, 0};
    struct json_place place = {&at, "Properties", 0};
    struct fault local = FAULT_INIT;
    char where[256] = "", path[400];
    const char *message = local.message;
    int r = property_check(res->type->properties, properties, where, &local);

    if (r == 0)
        return check_tags(b, &place, properties, f);
    if (r != -EINVAL)
        return fault_copy(f, &local);
    if (*where && str_starts(message, where))
        message += strlen(where) + 2;
    snprintf(path, sizeof(path), "Resources.%s.Properties%s%s", res->logical, *where ? "." : "",
             where);
    return json_source_fault_path(&b->source, path, f, "%s", message);
}

/* Resolves the properties for the sample, checks them, and notes what the resource needs. */
static int load_properties(struct blueprint *b, size_t index, const json_t *values, struct fault *f)
{
    struct blueprint_resource *res = &b->resources[index];
    struct json_place top = {NULL, "Resources", 0}, at = {&top, res->logical, 0};
    struct json_place place = {&at, "Properties", 0};
    json_t *spec = json_object_get(json_object_get(b->root, "Resources"), res->logical);
    _cleanup_free_ bool *needs = calloc(b->n_resources, sizeof(*needs));
    _cleanup_json_ json_t *empty = json_object(), *resolved = NULL;
    int r;

    res->needs = calloc(b->n_resources, sizeof(*res->needs));
    if (!needs || !empty || !res->needs)
        return no_memory(f);
    r = blueprint_resolve(b, values, &place, res->properties ? res->properties : empty, needs,
                          &resolved, f);
    if (r == 0)
        r = load_depends_on(b, &at, json_object_get(spec, "DependsOn"), needs, f);
    if (r == 0)
        r = check_properties(b, res, resolved, f);
    if (r < 0)
        return r;
    for (size_t i = 0; i < b->n_resources; i++)
        if (needs[i])
            res->needs[res->n_needs++] = i;
    return 0;
}

/* The longest id that is allowed, as far as a few guesses find it: no expression is turned around
 * for this. */
static void find_long_id(const struct blueprint *b, const char *id, char out[64])
{
    static const char fill[] = {'x', '1'};

    for (size_t n = NAMING_ID_MAX; n > strlen(id); n--)
        for (size_t i = 0; i < 2 * ARRAY_SIZE(fill); i++) {
            /* "xxxx…", or the sample going on with x's or 1's. */
            size_t keep = i < ARRAY_SIZE(fill) ? 1 : strlen(id);
            memcpy(out, id, keep);
            memset(out + keep, fill[i % ARRAY_SIZE(fill)], n - keep);
            out[n] = '\0';
            if (blueprint_check_id(b, out, NULL) == 0)
                return;
        }
    memcpy(out, id, strlen(id) + 1);
}

/* A plan for the sample (each identity, each type's own check), and the size of the longest record.
 */
static int check_plan(struct blueprint *b, const char *id, struct fault *f)
{
    struct json_place top = {NULL, "Resources", 0};
    _cleanup_(plan_freep) struct plan *plan = NULL, *longest = NULL;
    char long_id[64];
    struct fault local = FAULT_INIT;
    int r = plan_new(b, id, sample_claim, &plan, f);

    if (r < 0)
        return r;
    find_long_id(b, id, long_id);
    r = plan_new(b, long_id, sample_claim, &longest, f);
    if (r < 0)
        return r;
    r = record_check_size(longest, &local);
    if (r == -EFBIG)
        return json_source_fault(&b->source, &top, f, "%s", local.message);
    return r < 0 ? fault_copy(f, &local) : 0;
}

static int load_document(struct blueprint *b, const struct json_source *file, struct fault *f)
{
    struct json_place at = {NULL, "Metadata", 0}, settings = {&at, "svcfs", 0};
    _cleanup_json_ json_t *values = NULL;
    struct fault local = FAULT_INIT;
    char id[64];
    int r = json_source_parse(&b->source, &b->root, f);

    if (r == 0)
        r = check_sections(b, f);
    if (r == 0)
        r = params_load(&b->source, json_object_get(b->root, "Parameters"), file, &b->params, f);
    if (r == 0)
        r = load_metadata(b, f);
    if (r < 0)
        return r;
    r = blueprint_next_id(b, id, &local);
    if (r == 0)
        r = params_check(b->params, PARAM_FAMILY, b->family, &local);
    if (r == -EINVAL)
        return json_source_fault(&b->source, &settings, f, "%s", local.message);
    if (r < 0)
        return fault_copy(f, &local);
    r = load_resources(b, f);
    if (r == 0)
        r = blueprint_values(b, id, sample_claim, &values, f);
    for (size_t i = 0; r == 0 && i < b->n_resources; i++)
        r = load_properties(b, i, values, f);
    if (r == 0)
        r = blueprint_load_outputs(b, values, f);
    if (r == 0)
        r = blueprint_order(b, f);
    return r < 0 ? r : check_plan(b, id, f);
}

/* Two texts, told apart by the terminator between them: no JSON holds one. */
static int hash_texts(struct blueprint *b, const char *text, const char *parameters)
{
    _cleanup_buf_ struct buf all = BUF_INIT(SIZE_MAX / 2);
    char hex[DIGEST_HEX_SIZE];
    int r = buf_append(&all, text, strlen(text) + 1);

    if (r == 0 && parameters)
        r = buf_puts(&all, parameters);
    if (r == 0)
        r = digest_sha256_hex(all.data, all.len, hex);
    if (r < 0)
        return r;
    snprintf(b->hash, sizeof(b->hash), "%.16s", hex);
    return 0;
}

static int copy_env(struct blueprint *b, const char *family, const char *path,
                    const struct blueprint_env *env)
{
    b->family = strdup(family);
    b->path = strdup(path);
    b->region = strdup(env->region);
    b->account = strdup(env->account);
    b->partition = strdup(env->partition);
    b->family_tag = strdup(env->family_tag);
    b->service_tag = strdup(env->service_tag);
    return b->family && b->path && b->region && b->account && b->partition && b->family_tag &&
                   b->service_tag
               ? 0
               : -ENOMEM;
}

int blueprint_load(const char *family, const char *path, const char *text,
                   const char *parameters_path, const char *parameters,
                   const struct blueprint_env *env, struct blueprint **ret, struct fault *f)
{
    _cleanup_(blueprint_unrefp) struct blueprint *b = calloc(1, sizeof(*b));
    struct json_source file = {parameters_path, parameters};
    int r;

    if (!b)
        return no_memory(f);
    atomic_init(&b->refs, 1);
    r = copy_env(b, family, path, env);
    if (r == 0)
        r = hash_texts(b, text, parameters);
    if (r < 0)
        return fault_set(f, r, "%s cannot be loaded", path);
    b->source = (struct json_source){b->path, text};
    r = load_document(b, &file, f);
    b->source.text = NULL;
    if (r < 0)
        return r;
    *ret = steal_ptr(b);
    return 0;
}
