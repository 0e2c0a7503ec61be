/* What counts as a change: one answer for the differences and for the times. Of two things of one
 * key. */
#pragma once

#include "cache/index.h"

/* Also its place; not its owner. */
bool same_resource(const struct index_resource *a, const struct index_resource *b);
bool same_place(const struct index_resource *a, const struct index_resource *b);
/* What is shown of the owners: which services a change to the resource would touch. */
bool same_owner(const struct index_resource *a, const struct index_resource *b);
/* What a resource's owner is good for: see index.h. */
bool same_identity(const struct index_service *a, const struct index_service *b);
bool same_depends(const struct index_service *a, const struct index_service *b);
/* All that service.json and its directory show of the index. */
bool same_service(const struct index_service *a, const struct index_service *b);
/* ARN and query; not the members. */
bool same_group(const struct index_group *a, const struct index_group *b);
/* Whether two listings of links show the same; nothing of what is behind the links. */
bool same_links(const struct index_resource *const *a, size_t n_a,
                const struct index_resource *const *b, size_t n_b);
