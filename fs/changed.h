/*
 * When what a row shows became what it is, wall ms; 0: as far as known it always was. Rows of
 * kind.c name these. Nothing here is the time of asking.
 */
#pragma once

#include <stdint.h>

#include "fs/place.h"

/* All that is shown of a service. */
int64_t changed_whole_row(const struct index_service *s, const struct service_row *row);

int64_t changed_families(struct place *p);
int64_t changed_family(struct place *p);
int64_t changed_blueprint(struct place *p);
int64_t changed_services_tsv(struct place *p);
int64_t changed_family_resources(struct place *p);
int64_t changed_service(struct place *p);
int64_t changed_events(struct place *p);
int64_t changed_service_json(struct place *p);
int64_t changed_service_resources(struct place *p);
int64_t changed_depends_on(struct place *p);
int64_t changed_dependents(struct place *p);
int64_t changed_services(struct place *p);
int64_t changed_groups(struct place *p);
int64_t changed_group(struct place *p);
int64_t changed_group_resources(struct place *p);
int64_t changed_resources(struct place *p);
int64_t changed_resource_service(struct place *p);
int64_t changed_resource_type(struct place *p);
int64_t changed_impact(struct place *p);
int64_t changed_graph(struct place *p);
int64_t changed_properties(struct place *p);
int64_t changed_tags(struct place *p);
int64_t changed_deleting(struct place *p);
int64_t changed_deleting_family(struct place *p);
int64_t changed_by_status(struct place *p);
int64_t changed_standing(struct place *p);
int64_t changed_by_type(struct place *p);
int64_t changed_untagged(struct place *p);
int64_t changed_sweep(struct place *p);
