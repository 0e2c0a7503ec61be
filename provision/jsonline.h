/* Where in a JSON text something stands, for messages "FILE:LINE: KEY: what is wrong". Pure. */
#pragma once

#include <jansson.h>

#include "base/fault.h"

/* A place in a document: a chain from the leaf up, made on the stack while walking down. key NULL:
 * an element of a list. NULL is the document itself. */
struct json_place {
    const struct json_place *up;
    const char *key;
    size_t index;
};

struct json_source {
    const char *path; /* of the file */
    const char *text; /* valid JSON, or NULL: messages without line */
};

/* Line (from 1) of the key or element, or of the nearest one above it that the text has. */
unsigned jsonline_find(const char *text, const struct json_place *at);
/* The same for a path as text: "Resources.Web.Properties.Tags[0].Key". */
unsigned jsonline_find_path(const char *text, const char *path);

/* -EINVAL, f "FILE:LINE: KEY: text". */
int json_source_fault(const struct json_source *s, const struct json_place *at, struct fault *f,
                      const char *fmt, ...) _printf_(4, 5);
int json_source_fault_path(const struct json_source *s, const char *path, struct fault *f,
                           const char *fmt, ...) _printf_(4, 5);

/* Parses a whole file, an object or a list, no key twice. -EINVAL with file and line. */
int json_source_parse(const struct json_source *s, json_t **ret, struct fault *f);
