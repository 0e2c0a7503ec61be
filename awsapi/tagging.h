/* The Resource Groups Tagging API. */
#pragma once

#include "awsapi/client.h"

/* Called for each resource of a page, in order; tags: object of strings (borrowed). Non-zero ends
 * the chain with that result. */
typedef int (*tagging_resource_fn)(void *arg, const char *arn, json_t *tags);

enum { TAGGING_LOOKUP_MAX = 100 };

struct tagging_query {
    const char *tag_key;               /* or NULL: no tag filter */
    const char *tag_value;             /* or NULL: any */
    const char *const *resource_types; /* e.g. "ecs:service"; n_types of them */
    size_t n_types;
    const char *const *arns; /* these alone (then neither filters nor pages); n_arns of them, at
                                most TAGGING_LOOKUP_MAX */
    size_t n_arns;
    json_t *tag_filters; /* instead of tag_key: TagFilters as the API has them; or NULL */
    unsigned *ret_pages; /* counts the pages that came, empty ones too, also of a chain that breaks;
                            or NULL */
};

/* All pages of GetResources, 100 a page. A page that fails after its retries ends the whole chain
 * with its error: whoever wants the list begins anew (a retried token may give a short list). Only
 * the first page is ever retried by the client; for further ones each attempt is one. */
int tagging_get_resources(struct aws_client *c, const struct aws_ctx *ctx,
                          const struct tagging_query *q, tagging_resource_fn fn, void *arg,
                          struct fault *f);

/* All values that the key has, in order; a value that is no text is -EPROTO. Pages as above. */
typedef int (*tagging_value_fn)(void *arg, const char *value);
int tagging_get_values(struct aws_client *c, const struct aws_ctx *ctx, const char *key,
                       tagging_value_fn fn, void *arg, struct fault *f);

/* The resources of one TagResources or UntagResources. */
enum { TAGGING_ARNS_MAX = 20 };
/* Called for each resource of an answer 200 that was not tagged all the same, with its fault. */
typedef void (*tagging_failed_fn)(void *arg, const char *arn, const struct fault *f);

/* Sets tags (object of strings) on, or takes keys (list of strings) from, at most TAGGING_ARNS_MAX
 * resources. 0: the call went through, and each resource that fn was not called for was changed. */
int tagging_tag(struct aws_client *c, const struct aws_ctx *ctx, const char *const *arns, size_t n,
                json_t *tags, tagging_failed_fn fn, void *arg, struct fault *f);
int tagging_untag(struct aws_client *c, const struct aws_ctx *ctx, const char *const *arns,
                  size_t n, json_t *keys, tagging_failed_fn fn, void *arg, struct fault *f);
