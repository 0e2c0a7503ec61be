/* Faults of requests: one line in the log each, and the last hundred of them for .svcfs/errors.
 * Thread-safe. */
#pragma once

#include "base/buf.h"
#include "base/clock.h"
#include "base/fault.h"

struct report;

int report_new(struct report **ret, struct clock *clock);
void report_free(struct report *r);
DEFINE_CLEANUP(struct report *, report_free)

/* path: below the mount point. f may have less than err in it. */
void report_fault(struct report *r, const char *operation, const char *path, int err,
                  const struct fault *f);
int report_render(struct report *r, struct buf *out); /* oldest first */
