/* Outputs of a blueprint, as they are loaded: their names become names of files, in lower case. */
#include "provision/blueprint_private.h"

#include <ctype.h>
#include <errno.h>

#include "base/str.h"

static int load_output(struct blueprint *b, const struct json_place *at, const char *key,
                       json_t *spec, const json_t *values, struct fault *f)
{
    static const char *const names[] = {"Value", "Description", NULL};
    struct json_place place = {at, "Value", 0};
    struct blueprint_output *o = &b->outputs[b->n_outputs];
    _cleanup_json_ json_t *resolved = NULL;
    int r = blueprint_check_keys(b, at, spec, names, "an attribute of an output", f);

    if (r < 0)
        return r;
    if (!blueprint_is_name(key, BLUEPRINT_LOGICAL_MAX))
        return json_source_fault(&b->source, at, f, "an output's name has letters and digits only");
    if (!json_object_get(spec, "Value"))
        return json_source_fault(&b->source, at, f, "Value is missing");
    o->key = key;
    o->value = json_object_get(spec, "Value");
    o->name = strdup(key);
    if (!o->name)
        return fault_set(f, -ENOMEM, "no memory");
    b->n_outputs++;
    for (char *c = o->name; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    for (size_t i = 0; i + 1 < b->n_outputs; i++)
        if (streq(b->outputs[i].name, o->name))
            return json_source_fault(&b->source, at, f, "is equal to %s in lower case",
                                     b->outputs[i].key);
    r = blueprint_resolve(b, values, &place, o->value, NULL, &resolved, f);
    if (r < 0)
        return r;
    if (!resolved || json_is_array(resolved) ||
        (json_is_object(resolved) &&
         (!intrinsic_function(resolved) || streq(intrinsic_function(resolved), "Fn::Split"))))
        return json_source_fault(&b->source, &place, f, "must be one string");
    return 0;
}

int blueprint_load_outputs(struct blueprint *b, const json_t *values, struct fault *f)
{
    struct json_place top = {NULL, "Outputs", 0};
    json_t *section = json_object_get(b->root, "Outputs"), *spec;
    const char *key;
    int r;

    if (!section)
        return 0;
    if (!json_is_object(section) || json_object_size(section) > BLUEPRINT_OUTPUTS_MAX)
        return json_source_fault(&b->source, &top, f, "must be an object of at most %d outputs",
                                 BLUEPRINT_OUTPUTS_MAX);
    b->outputs = calloc(json_object_size(section) + 1, sizeof(*b->outputs));
    if (!b->outputs)
        return fault_set(f, -ENOMEM, "no memory");
    json_object_foreach(section, key, spec)
    {
        struct json_place at = {&top, key, 0};
        r = load_output(b, &at, key, spec, values, f);
        if (r < 0)
            return r;
    }
    return 0;
}
