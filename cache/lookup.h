/* Snapshots in use: references, and look-ups by bisection of the sorted arrays. */
#pragma once

#include "base/macro.h"
#include "cache/index.h"

const struct snapshot *snapshot_ref(const struct snapshot *s);
void snapshot_unref(const struct snapshot *s);
static inline void snapshot_unrefp(const struct snapshot **s)
{
    snapshot_unref(*s);
}
#define _cleanup_snapshot_ _cleanup_(snapshot_unrefp)

/* Each gives NULL where there is none. name: as in the directory; id: the tag's value. */
const struct index_family *snapshot_family(const struct snapshot *s, const char *name);
const struct index_family *snapshot_family_by_id(const struct snapshot *s, const char *id);
const struct index_service *snapshot_service(const struct index_family *f, const char *name);
const struct index_service *snapshot_deleting(const struct index_family *f, const char *name);
const struct index_service *snapshot_service_by_id(const struct index_family *f,
                                                   const char *id); /* deleting too */
/* Any service with this id, in whatever family, deleting or not. */
const struct index_service *snapshot_any_service(const struct snapshot *s, const char *id);
/* All services with this id, those that live first; a part of an array of the snapshot. */
const struct index_service *const *snapshot_services_by_id(const struct snapshot *s, const char *id,
                                                           size_t *ret_n);
/* Who needs the service with this id, by link; as above. */
const struct index_need *const *snapshot_dependents(const struct snapshot *s, const char *id,
                                                    size_t *ret_n);
const struct index_service *snapshot_link(const struct snapshot *s, const char *link);
const struct index_kind *snapshot_kind(const struct snapshot *s, const char *name);
const struct index_type *snapshot_type(const struct index_kind *k, const char *name);
const struct index_resource *snapshot_resource(const struct index_type *t, const char *id);
const struct index_resource *snapshot_resource_by_key(const struct snapshot *s, const char *key);
const struct index_group *snapshot_group(const struct snapshot *s, const char *name);
/* What carries exactly one of the two tags, sorted by link: a service's and no family's, or a
 * family's and no service's. The latter is what families share, too. A record may keep such a
 * resource with its service all the same. When links came or went, as the times of index.h. */
const struct index_resource *const *snapshot_untagged(const struct snapshot *s, size_t *ret_n);
int64_t snapshot_untagged_ms(const struct snapshot *s);
/* When a type of any service came or went. */
int64_t snapshot_types_ms(const struct snapshot *s);
/* The value of a tag, or NULL. */
const char *tag_value(const struct index_tag *tags, size_t n, const char *key);
const char *index_tag(const struct index_resource *r, const char *key);
