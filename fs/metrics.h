/*
 * Counts of what goes on, exact: requests of the kernel by operation, notifications to it by kind,
 * calls of AWS by action. Shown by .svcfs/metrics in the text format of Prometheus. Thread-safe.
 */
#pragma once

#include <stdint.h>

#include "awsapi/client.h"
#include "base/buf.h"
#include "base/macro.h"

struct metrics;

int metrics_new(struct metrics **ret);
void metrics_free(struct metrics *m);
DEFINE_CLEANUP(struct metrics *, metrics_free)

void metrics_request(struct metrics *m, uint32_t opcode);   /* FUSE_LOOKUP, … */
void metrics_notification(struct metrics *m, int32_t code); /* FUSE_NOTIFY_POLL, … */
/* An aws_call_observer; arg is the struct metrics. */
void metrics_call(void *arg, const struct aws_action *a, int err, const struct fault *f);

/* Appends these; what else there is to tell is render_metrics's. */
int metrics_render(struct metrics *m, struct buf *out);
