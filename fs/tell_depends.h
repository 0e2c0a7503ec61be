/* What the kernel is told of depends-on/ and dependents/ when a service came, went or changed. */
#pragma once

#include "cache/diff.h"

struct notify;

/* old and now are the snapshots; d: of kind DIFF_SERVICE. */
void tell_depends(struct notify *n, const struct snapshot *old, const struct snapshot *now,
                  const struct diff *d);
