/* The contents of files and the targets of links, one function a kind; rows of kind.c name them. */
#pragma once

#include "fs/kind.h"

/* render.c */
int render_readme(struct place *p, struct buf *out, struct fault *f);
int render_blueprint(struct place *p, struct buf *out, struct fault *f);
int render_next_id(struct place *p, struct buf *out, struct fault *f);
int render_services_tsv(struct place *p, struct buf *out, struct fault *f);
int render_status(struct place *p, struct buf *out, struct fault *f);
int render_events(struct place *p, struct buf *out, struct fault *f);
int size_events(struct place *p, size_t *ret); /* of what render_events appends */
int render_error(struct place *p, struct buf *out, struct fault *f);
int render_service_json(struct place *p, struct buf *out, struct fault *f);
int render_wait(struct place *p, struct buf *out, struct fault *f);
int render_output(struct place *p, struct buf *out, struct fault *f);
int render_group_arn(struct place *p, struct buf *out, struct fault *f);
int render_group_query(struct place *p, struct buf *out, struct fault *f);
int render_resource_arn(struct place *p, struct buf *out, struct fault *f);
int render_tag(struct place *p, struct buf *out, struct fault *f);

/* render_properties.c */
int render_properties(struct place *p, struct buf *out, struct fault *f);
int size_properties(struct place *p, size_t *ret);
int size_no_properties(struct place *p, size_t *ret);

/* render_impact.c */
int render_impact(struct place *p, struct buf *out, struct fault *f);
int size_impact(struct place *p, size_t *ret);
int render_graph(struct place *p, struct buf *out, struct fault *f);

/* render_link.c */
int render_resource_link(struct place *p, struct buf *out, struct fault *f);
int render_services_link(struct place *p, struct buf *out, struct fault *f);
int render_type_link(struct place *p, struct buf *out, struct fault *f);
int render_standing_link(struct place *p, struct buf *out, struct fault *f);
int render_dependency_link(struct place *p, struct buf *out, struct fault *f);
int render_dependent_link(struct place *p, struct buf *out, struct fault *f);
int render_owner_link(struct place *p, struct buf *out, struct fault *f);

/* render_svcfs.c: the mount itself; all of it answers without AWS */
int render_health(struct place *p, struct buf *out, struct fault *f);
int render_identity(struct place *p, struct buf *out, struct fault *f);
int render_config(struct place *p, struct buf *out, struct fault *f);
int render_metrics(struct place *p, struct buf *out, struct fault *f);
int render_freshness(struct place *p, struct buf *out, struct fault *f);
int render_errors(struct place *p, struct buf *out, struct fault *f);
int render_refresh(struct place *p, struct buf *out, struct fault *f);
int render_version(struct place *p, struct buf *out, struct fault *f);
