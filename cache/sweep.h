/* Sweeps: what AWS says, gathered whole or not at all. They block; any thread. */
#pragma once

#include "base/jobs.h"
#include "cache/chains.h"

struct sweep_env {
    struct aws_client *aws;
    const char *family_tag, *service_tag;
    struct cancel *cancel;
    struct jobs *jobs; /* helpers for chains side by side; NULL: one after the other */
};

/* The resources by these chains. last (may be NULL): the sweep before, whose strays stay where the
 * chains do not ask for them. */
int sweep_resources(const struct sweep_env *e, const struct chains *chains,
                    const struct raw_resources *last, struct raw_resources **ret, struct fault *f);
/* One family's alone. */
int sweep_family(const struct sweep_env *e, const char *family, struct raw_resources **ret,
                 struct fault *f);
/* All groups; old (may be NULL): the sweep before, whose queries are kept for a while. */
int sweep_groups(const struct sweep_env *e, const struct raw_groups *old, struct raw_groups **ret,
                 struct fault *f);
