/*
 * XML answers of the query protocols as JSON: an element with children becomes an object, text a
 * string; children named "member" or "item", and names that come more than once, become a list.
 * expat is known only in xml.c. Bounded: depth 64, 32 MiB. No DTD, no entities beyond XML's five
 * (expat is stopped at a doctype).
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

/* *ret: {"RootName": …}. -EPROTO where it is not well-formed. */
int xml_to_json(const char *data, size_t len, json_t **ret);

/* The list below: an empty one for null, "" or a missing key; a list as it is; the value of a
 * single named child (DBInstances/DBInstance) as a list. Borrowed from a new reference the caller
 * decrefs. */
json_t *xml_list(json_t *object, const char *key, const char *item_name);
