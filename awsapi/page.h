/*
 * Calls whose answer comes in pages: all of them, or an error. Private to awsapi/.
 */
#pragma once

#include "awsapi/client.h"

struct aws_paging {
    const char *in;   /* member of the request that takes the token: "Marker" */
    const char *out;  /* member of the answer that has the next one: "NextMarker" */
    const char *list; /* member of the answer with the items */
    const char *item; /* XML's name of one item, or NULL (xml_list) */
};

/* *ret: a new array of all items of all pages. request as in aws_call. A token that comes twice in
 * a row, or a chain longer than anything AWS holds, is -EPROTO: never an endless loop, never a
 * short list. */
int aws_pages(struct aws_client *c, const struct aws_action *a, const struct aws_ctx *ctx,
              json_t *request, const struct aws_paging *p, json_t **ret, struct fault *f);

/* *ret: the first item of the answer's list (new reference). -EPROTO where it has none. */
int aws_first(json_t *answer, const struct aws_action *a, const char *list, const char *item,
              json_t **ret, struct fault *f);

/* The request {name: value, …} of strings, ended by a NULL name; a NULL value is left out. NULL: no
 * memory. */
json_t *aws_strings(const char *name, ...) __attribute__((sentinel));

/* *ret: object of strings, from a list of {"Key", "Value"} or {"key", "value"} (NULL: none).
 * -EPROTO where it is something else. */
int aws_tags_object(json_t *list, const struct aws_action *a, json_t **ret, struct fault *f);

/* -ENOMEM with its text. */
int aws_no_memory(struct fault *f);
