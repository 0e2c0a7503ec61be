/* What the files of dependencies share: depend.c writes them, depend_read.c reads. */
#pragma once

#include "provision/depend_ids.h"
#include "provision/internal.h"
#include "provision/tagging.h"

struct depend {
    struct provision *p;
    const struct provision_need *need;
    struct aws_ctx ctx;
    const struct snapshot *snap;
    const struct index_service *s;
    struct fault *f;
    struct ids refused; /* keys of resources on which nothing was written */
};

/* Where a service's dependencies stand, and what they are there now. */
struct anchor {
    const struct index_resource *resource;
    json_t *tags;
    struct ids ids; /* of the service: its own, and what only others have */
};

void anchor_done(struct anchor *a);
#define _cleanup_anchor_ _cleanup_(anchor_done)

int depend_no_memory(struct depend *d);
/* The anchor with its tags as they are now; its ids are left empty. -ENOENT: there is none. */
int depend_find_anchor(struct depend *d, const struct index_service *s, struct anchor *ret);
int depend_read_anchor(struct depend *d, const struct index_service *s, struct anchor *ret);
/* -ELOOP: from the needed service the needing one can be reached, as AWS has it now. */
int depend_check_circle(struct depend *d);
