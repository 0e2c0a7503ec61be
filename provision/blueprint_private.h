/* The inside of a blueprint, for plan.c and the parts of its loading. */
#pragma once

#include <stdatomic.h>

#include "provision/blueprint.h"
#include "provision/intrinsic.h"
#include "provision/params.h"

enum { BLUEPRINT_RESOURCES_MAX = 100, BLUEPRINT_LOGICAL_MAX = 64, BLUEPRINT_OUTPUTS_MAX = 50 };

struct blueprint_resource {
    const char *logical; /* of root */
    const struct resource_type *type;
    json_t *properties; /* of root, or NULL: none */
    bool retain;
    size_t *needs; /* indexes, sorted; once ordered all smaller than its own */
    size_t n_needs;
};

struct blueprint_output {
    char *name;      /* lower case */
    const char *key; /* as written */
    json_t *value;   /* of root */
};

struct blueprint {
    atomic_uint refs;
    char *family, *path;
    char *region, *account, *partition, *family_tag, *service_tag;
    char hash[17];
    struct json_source source; /* text only while loading */
    json_t *root;
    struct params *params;
    struct blueprint_settings settings;
    struct pattern id_pattern;
    char next_id[NAMING_ID_MAX + 1];
    char priority_range[24];              /* "" or "a-b" */
    struct blueprint_resource *resources; /* in an order in which they can be made */
    size_t n_resources;
    struct blueprint_output *outputs;
    size_t n_outputs;
};

/* settings.c: Metadata.svcfs, section may be NULL. */
int blueprint_load_settings(struct blueprint *b, json_t *section, const struct json_place *at,
                            struct fault *f);

/* Every key of object is in the NULL-ended list; what: "a section", for the message. */
int blueprint_check_keys(const struct blueprint *b, const struct json_place *at, json_t *object,
                         const char *const *names, const char *what, struct fault *f);
/* Whether s is a logical id of at most max letters and digits. */
bool blueprint_is_name(const char *s, size_t max);
/* blueprint_outputs.c; values: of a sample service. */
int blueprint_load_outputs(struct blueprint *b, const json_t *values, struct fault *f);

/* Parameters and pseudo parameters of one service. */
int blueprint_values(const struct blueprint *b, const char *id, const char *claim, json_t **ret,
                     struct fault *f);
/* v resolved as far as values go. needs (may be NULL): n_resources flags, set for each resource
 * that v refers to. */
int blueprint_resolve(const struct blueprint *b, const json_t *values, const struct json_place *at,
                      json_t *v, bool *needs, json_t **ret, struct fault *f);
/* blueprint_order.c: sorts resources by their needs, stable; -EINVAL for a circle. */
int blueprint_order(struct blueprint *b, struct fault *f);
