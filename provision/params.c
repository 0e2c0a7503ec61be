/*
 * Parameters are the one place where values of an installation enter a blueprint. All values but
 * the service's own three are known when the blueprint is loaded, and are checked then.
 *
 * Every value is kept as a string or a list of strings, also a Number: CloudFormation hands them on
 * as text, and property_convert gives a scalar the API's type. The `…::Id` types are text here:
 * whether such a thing exists only its service knows.
 *
 * AllowedPattern is a POSIX extended expression here, a Java one in CloudFormation. Those that both
 * read alike are accepted; `\d` and its like would mean something else without a word, so they are
 * refused.
 */
#include "provision/params.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "awsapi/client.h"
#include "base/str.h"

enum { NAME_BYTES_MAX = 255, VALUE_BYTES_MAX = 4096, PARAMS_MAX = 200 };

struct param {
    char *name;
    bool filled; /* by svcfs, for each service */
    bool list, number;
    struct pattern pattern;
    json_t *allowed;                  /* list of strings, or NULL */
    long long min_length, max_length; /* -1: none */
    bool has_min, has_max;
    double min_value, max_value;
    json_t *value; /* string or list; NULL where filled */
};

struct params {
    struct param *list;
    size_t n;
};

static const char *const id_types[] = {
    "AWS::EC2::Image::Id",          "AWS::EC2::Instance::Id", "AWS::EC2::SecurityGroup::Id",
    "AWS::EC2::Subnet::Id",         "AWS::EC2::VPC::Id",      "AWS::EC2::Volume::Id",
    "AWS::Route53::HostedZone::Id",
};

static int no_memory(struct fault *f)
{
    return fault_set(f, -ENOMEM, "no memory");
}

int pattern_init(struct pattern *p, const char *text, struct fault *f)
{
    _cleanup_free_ char *anchored = NULL, *copy = NULL;
    char why[128];
    int r;

    for (const char *c = strchr(text, '\\'); c; c = strchr(c + 2, '\\'))
        if (!c[1] || isalnum((unsigned char)c[1]))
            return fault_set(f, -EINVAL, "\\%c is not POSIX; write a bracket such as [0-9]",
                             c[1] ? c[1] : ' ');
    copy = strdup(text);
    anchored = str_printf("^(%s)$", text);
    if (!copy || !anchored)
        return no_memory(f);
    /* Alone first: "a)|(b" is well-formed only between our parentheses. */
    r = regcomp(&p->regex, text, REG_EXTENDED | REG_NOSUB);
    if (r == 0) {
        regfree(&p->regex);
        r = regcomp(&p->regex, anchored, REG_EXTENDED | REG_NOSUB);
    }
    if (r) {
        regerror(r, &p->regex, why, sizeof(why));
        return fault_set(f, -EINVAL, "is not a POSIX extended regular expression: %s", why);
    }
    p->text = steal_ptr(copy);
    return 0;
}

void pattern_done(struct pattern *p)
{
    if (p->text)
        regfree(&p->regex);
    free(p->text);
    p->text = NULL;
}

bool pattern_matches(const struct pattern *p, const char *value)
{
    return !p->text || regexec(&p->regex, value, 0, NULL, 0) == 0;
}

static bool is_filled(const char *name)
{
    return streq(name, PARAM_ID) || streq(name, PARAM_FAMILY) || streq(name, PARAM_CLAIM);
}

static int load_type(struct param *p, const char *type, struct fault *f)
{
    char inner[128];
    size_t n = type ? strlen(type) : 0;

    if (!type)
        return fault_set(f, -EINVAL, "must be a string");
    p->list = n > 6 && str_starts(type, "List<") && type[n - 1] == '>';
    snprintf(inner, sizeof(inner), "%.*s", p->list ? (int)(n - 6) : (int)n,
             p->list ? type + 5 : type);
    for (size_t i = 0; i < ARRAY_SIZE(id_types); i++)
        if (streq(inner, id_types[i]))
            return 0;
    p->number = streq(type, "Number");
    p->list = streq(type, "CommaDelimitedList");
    if (p->list || p->number || streq(type, "String"))
        return 0;
    return fault_set(f, -EINVAL,
                     "\"%.100s\" is not a parameter type of svcfs: String, Number, "
                     "CommaDelimitedList, AWS::EC2::{Image,Instance,SecurityGroup,Subnet,VPC,"
                     "Volume}::Id, AWS::Route53::HostedZone::Id, List<…> of these Ids",
                     type);
}

/* A string or number as text in buf, or NULL. */
static const char *scalar_text(json_t *v, char buf[64])
{
    if (json_is_string(v))
        return json_string_value(v);
    if (json_is_integer(v))
        snprintf(buf, 64, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
    else if (json_is_real(v))
        snprintf(buf, 64, "%.15g", json_real_value(v));
    else if (json_is_boolean(v))
        snprintf(buf, 64, "%s", json_is_true(v) ? "true" : "false");
    else
        return NULL;
    return buf;
}

static int load_allowed(struct param *p, json_t *v, struct fault *f)
{
    json_t *e;
    size_t i;

    if (!json_is_array(v) || json_array_size(v) == 0)
        return fault_set(f, -EINVAL, "must be a list of values");
    p->allowed = json_array();
    json_array_foreach(v, i, e)
    {
        char buf[64];
        const char *text = scalar_text(e, buf);
        if (!text)
            return fault_set(f, -EINVAL, "must be a list of strings or numbers");
        if (json_array_append_new(p->allowed, json_string(text)) < 0)
            return no_memory(f);
    }
    return 0;
}

static bool parse_number(const char *s, double *ret)
{
    char *end;
    double v;

    if (!*s || strspn(s, "0123456789.eE+-") != strlen(s))
        return false;
    v = strtod(s, &end);
    if (*end)
        return false;
    *ret = v;
    return true;
}

static int load_limit(json_t *v, double *ret, struct fault *f)
{
    char buf[64];
    const char *text = scalar_text(v, buf);

    return text && parse_number(text, ret) ? 0 : fault_set(f, -EINVAL, "must be a number");
}

static int load_length(json_t *v, long long *ret, struct fault *f)
{
    double n;
    int r = load_limit(v, &n, f);

    if (r < 0)
        return r;
    if (n < 0 || n > VALUE_BYTES_MAX)
        return fault_set(f, -EINVAL, "must be from 0 to %d", VALUE_BYTES_MAX);
    *ret = (long long)n;
    return 0;
}

/* One attribute of a parameter but its Default; f without place. */
static int load_attribute(struct param *p, const char *key, json_t *v, struct fault *f)
{
    if (streq(key, "Type"))
        return load_type(p, json_string_value(v), f);
    if (streq(key, "Default"))
        return 0;
    if (streq(key, "Description") || streq(key, "ConstraintDescription"))
        return json_is_string(v) ? 0 : fault_set(f, -EINVAL, "must be a string");
    if (streq(key, "AllowedPattern"))
        return json_is_string(v) ? pattern_init(&p->pattern, json_string_value(v), f)
                                 : fault_set(f, -EINVAL, "must be a string");
    if (streq(key, "AllowedValues"))
        return load_allowed(p, v, f);
    if (streq(key, "MinLength"))
        return load_length(v, &p->min_length, f);
    if (streq(key, "MaxLength"))
        return load_length(v, &p->max_length, f);
    if (streq(key, "MinValue")) {
        p->has_min = true;
        return load_limit(v, &p->min_value, f);
    }
    if (streq(key, "MaxValue")) {
        p->has_max = true;
        return load_limit(v, &p->max_value, f);
    }
    if (streq(key, "NoEcho"))
        return fault_set(f, -EINVAL, "is refused: secrets live in Secrets Manager, give its ARN");
    return fault_set(
        f, -EINVAL,
        "is not an attribute of a parameter: Type, Default, Description, AllowedValues, "
        "AllowedPattern, ConstraintDescription, MinLength, MaxLength, MinValue, MaxValue");
}

static bool allowed_has(json_t *allowed, const char *value)
{
    json_t *e;
    size_t i;

    json_array_foreach(allowed, i, e) if (streq(json_string_value(e), value)) return true;
    return false;
}

static int check_text(const struct param *p, const char *value, struct fault *f)
{
    long long n = (long long)strlen(value);
    double number = 0;

    if (n > VALUE_BYTES_MAX)
        return fault_set(f, -EINVAL, "is longer than %d bytes", VALUE_BYTES_MAX);
    if (strstr(value, "{{resolve:"))
        return fault_set(f, -EINVAL, "{{resolve:}} is not supported; give the secret's ARN");
    if (p->number && !parse_number(value, &number))
        return fault_set(f, -EINVAL, "\"%.100s\" is not a number", value);
    if (p->number &&
        ((p->has_min && number < p->min_value) || (p->has_max && number > p->max_value)))
        return fault_set(f, -EINVAL, "%.100s is outside of MinValue to MaxValue", value);
    if ((p->min_length >= 0 && n < p->min_length) || (p->max_length >= 0 && n > p->max_length))
        return fault_set(f, -EINVAL, "\"%.100s\" is outside of MinLength to MaxLength", value);
    if (p->allowed && !allowed_has(p->allowed, value))
        return fault_set(f, -EINVAL, "\"%.100s\" is not among AllowedValues", value);
    if (!pattern_matches(&p->pattern, value))
        return fault_set(f, -EINVAL, "\"%.100s\" does not match AllowedPattern %.200s", value,
                         p->pattern.text);
    return 0;
}

/* Comma-joined text as a list, spaces around an element taken off as CloudFormation does. */
static json_t *list_of(const char *text)
{
    json_t *list = json_array();

    while (list) {
        size_t n = strcspn(text, ","), from = strspn(text, " ");
        size_t len = n > from ? n - from : 0;
        while (len && text[from + len - 1] == ' ')
            len--;
        if (json_array_append_new(list, json_stringn(text + MIN(from, n), len)) < 0) {
            json_decref(list);
            return NULL;
        }
        if (!text[n])
            break;
        text += n + 1;
    }
    return list;
}

static int set_value(struct param *p, json_t *v, struct fault *f)
{
    char buf[64];
    const char *text = scalar_text(v, buf);
    json_t *value, *e;
    size_t i;
    int r = 0;

    if (!text)
        return fault_set(f, -EINVAL,
                         p->list ? "must be one string, elements joined by commas"
                                 : "must be a string");
    value = p->list ? list_of(text) : json_string(text);
    if (!value)
        return no_memory(f);
    if (!p->list)
        r = check_text(p, text, f);
    json_array_foreach(value, i, e) if (r == 0) r = check_text(p, json_string_value(e), f);
    if (r < 0) {
        json_decref(value);
        return r;
    }
    json_decref(p->value);
    p->value = value;
    return 0;
}

static int load_param(struct param *p, const struct json_source *source,
                      const struct json_place *at, json_t *spec, struct fault *f)
{
    struct fault local = FAULT_INIT;
    const char *key;
    json_t *v;
    int r;

    p->min_length = p->max_length = -1;
    p->filled = is_filled(p->name);
    if (!json_is_object(spec))
        return json_source_fault(source, at, f, "must be an object");
    for (const char *c = p->name; *c; c++)
        if (!isalnum((unsigned char)*c) || c - p->name >= NAME_BYTES_MAX)
            return json_source_fault(source, at, f,
                                     "a parameter's name has letters and digits only");
    json_object_foreach(spec, key, v)
    {
        struct json_place place = {at, key, 0};
        r = load_attribute(p, key, v, &local);
        if (r < 0)
            return r == -EINVAL ? json_source_fault(source, &place, f, "%s", local.message)
                                : fault_copy(f, &local);
    }
    if (!json_object_get(spec, "Type"))
        return json_source_fault(source, at, f, "Type is missing");
    if (p->filled && (p->list || p->number))
        return json_source_fault(source, at, f, "is filled in by svcfs and must be of Type String");
    return 0;
}

/* Values of the parameter file into the parameters. */
static int load_file(struct params *p, const struct json_source *file, struct fault *f)
{
    _cleanup_json_ json_t *root = NULL, *seen = json_object();
    json_t *e, *v;
    size_t i;
    int r = json_source_parse(file, &root, f);

    if (r < 0)
        return r;
    if (!json_is_array(root))
        return json_source_fault(file, NULL, f,
                                 "must be a list of {\"ParameterKey\": …, \"ParameterValue\": …}");
    json_array_foreach(root, i, e)
    {
        struct json_place element = {NULL, NULL, i}, value = {&element, "ParameterValue", 0};
        const char *name = json_string_value(json_object_get(e, "ParameterKey"));
        struct fault local = FAULT_INIT;
        struct param *found = NULL;

        v = json_object_get(e, "ParameterValue");
        if (!name || !v || json_object_size(e) != 2)
            return json_source_fault(file, &element, f,
                                     "must have ParameterKey and ParameterValue, nothing else");
        for (size_t k = 0; k < p->n; k++)
            if (streq(p->list[k].name, name))
                found = &p->list[k];
        if (!found)
            return json_source_fault(file, &element, f, "the blueprint has no parameter \"%s\"",
                                     name);
        if (found->filled)
            return json_source_fault(file, &element, f, "\"%s\" is filled in by svcfs", name);
        if (json_object_get(seen, name))
            return json_source_fault(file, &element, f, "\"%s\" stands there twice", name);
        if (json_object_set_new(seen, name, json_true()) < 0)
            return no_memory(f);
        r = set_value(found, v, &local);
        if (r < 0)
            return r == -EINVAL ? json_source_fault(file, &value, f, "%s: %s", name, local.message)
                                : fault_copy(f, &local);
    }
    return 0;
}

static int load_defaults(struct params *p, const struct json_source *source, json_t *section,
                         const struct json_source *file, struct fault *f)
{
    struct json_place top = {NULL, "Parameters", 0};

    for (size_t i = 0; i < p->n; i++) {
        struct param *param = &p->list[i];
        struct json_place at = {&top, param->name, 0}, place = {&at, "Default", 0};
        json_t *v = json_object_get(json_object_get(section, param->name), "Default");
        struct fault local = FAULT_INIT;
        int r;
        if (param->value || param->filled)
            continue;
        if (!v)
            return json_source_fault(source, &at, f, "has no Default and no value in %s",
                                     file->path ? file->path : "a parameter file");
        r = set_value(param, v, &local);
        if (r < 0)
            return r == -EINVAL ? json_source_fault(source, &place, f, "%s", local.message)
                                : fault_copy(f, &local);
    }
    return 0;
}

int params_load(const struct json_source *source, json_t *section, const struct json_source *file,
                struct params **ret, struct fault *f)
{
    struct json_place top = {NULL, "Parameters", 0};
    _cleanup_(params_freep) struct params *p = calloc(1, sizeof(*p));
    const char *name;
    json_t *spec;
    int r;

    if (!p)
        return no_memory(f);
    if (section && (!json_is_object(section) || json_object_size(section) > PARAMS_MAX))
        return json_source_fault(source, &top, f, "must be an object of at most %d parameters",
                                 PARAMS_MAX);
    p->list = calloc(json_object_size(section) + 1, sizeof(*p->list));
    if (!p->list)
        return no_memory(f);
    json_object_foreach(section, name, spec)
    {
        struct json_place at = {&top, name, 0};
        struct param *param = &p->list[p->n];
        param->name = strdup(name);
        if (!param->name)
            return no_memory(f);
        p->n++;
        r = load_param(param, source, &at, spec, f);
        if (r < 0)
            return r;
    }
    r = file->text ? load_file(p, file, f) : 0;
    if (r == 0)
        r = load_defaults(p, source, section, file, f);
    if (r < 0)
        return r;
    *ret = steal_ptr(p);
    return 0;
}

void params_free(struct params *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n; i++) {
        free(p->list[i].name);
        pattern_done(&p->list[i].pattern);
        json_decref(p->list[i].allowed);
        json_decref(p->list[i].value);
    }
    free(p->list);
    free(p);
}

static const struct param *param_find(const struct params *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++)
        if (streq(p->list[i].name, name))
            return &p->list[i];
    return NULL;
}

bool params_has(const struct params *p, const char *name)
{
    return param_find(p, name) != NULL;
}

int params_check(const struct params *p, const char *name, const char *value, struct fault *f)
{
    const struct param *param = param_find(p, name);
    struct fault local = FAULT_INIT;

    if (!param || check_text(param, value, &local) == 0)
        return 0;
    return fault_set(f, -EINVAL, "%s: %s", name, local.message);
}

int params_values(const struct params *p, const char *id, const char *family, const char *claim,
                  json_t **ret, struct fault *f)
{
    _cleanup_json_ json_t *values = json_object();

    if (!values)
        return no_memory(f);
    for (size_t i = 0; i < p->n; i++) {
        const struct param *param = &p->list[i];
        const char *text = streq(param->name, PARAM_ID)       ? id
                           : streq(param->name, PARAM_FAMILY) ? family
                                                              : claim;
        json_t *v = param->filled ? json_string(text) : json_incref(param->value);
        if (json_object_set_new(values, param->name, v) < 0)
            return no_memory(f);
    }
    *ret = steal_ptr(values);
    return 0;
}
