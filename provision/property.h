/* Properties by table: check at load, conversion to the API's names and types. Pure. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/fault.h"

enum property_kind {
    PROPERTY_STRING,
    PROPERTY_INTEGER,
    PROPERTY_BOOLEAN,
    PROPERTY_OBJECT,
    PROPERTY_LIST,
    PROPERTY_MAP /* of strings, keys stay as they are */,
    PROPERTY_JSON /* any value, passed as it is */
};

/* A property of CloudFormation's that the type takes. path: "SecurityGroupIngress[].IpProtocol".
 * api: the member's name in the API where no rule gives it, or NULL. Ends with a NULL path. */
struct property {
    const char *path;
    enum property_kind kind;
    const char *api;
    bool required;
};

/* Every key of properties (an object, references allowed anywhere) is in the table, of its kind,
 * and what is required is there. -EINVAL: f says the path; ret_path (may be NULL, 256 bytes) gets
 * it. */
int property_check(const struct property *table, json_t *properties, char *ret_path,
                   struct fault *f);

enum property_style { PROPERTY_AS_IS, PROPERTY_LOWER_FIRST };
/* Resolved properties as a request: names by `api` or the style, scalars of the kind's type ("80" →
 * 80, "true" → true). *ret new. */
int property_convert(const struct property *table, enum property_style style, json_t *properties,
                     json_t **ret, struct fault *f);
