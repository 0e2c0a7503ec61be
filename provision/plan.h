/* The plan: blueprint + service → ordered steps. Pure; immutable but for what plan_resolve gives.
 */
#pragma once

#include "provision/blueprint.h"

/* The one property that is not the blueprint's: of a ListenerRule, where the family has the
 * setting; "A-B". */
#define PLAN_PRIORITY_RANGE "svcfs:PriorityRange"

struct plan_step {
    const char *logical;
    const struct resource_type *type;
    json_t *
        properties; /* parameters and pseudo parameters resolved; references to steps still there */
    json_t *identity;
    const size_t *needs; /* indexes of steps that must be done before, all smaller than its own */
    size_t n_needs;
    bool retain;
};

struct plan {
    struct blueprint *blueprint;
    char *service_id, *claim;
    struct plan_step *steps; /* in an order in which they can be made one after the other */
    size_t n_steps;
};

int plan_new(struct blueprint *b, const char *service_id, const char *claim, struct plan **ret,
             struct fault *f);
void plan_free(struct plan *p);
DEFINE_CLEANUP(struct plan *, plan_free)

/* Gives the state of a step that is done (its physical id and attributes), or NULL. */
typedef const struct step_state *(*plan_state_fn)(void *arg, size_t step);

/* The step's properties with everything resolved (new reference). -EINVAL where an attribute is
 * missing. */
int plan_resolve(const struct plan *p, size_t step, plan_state_fn state, void *arg, json_t **ret,
                 struct fault *f);
/* Outputs: object name (lower case) → string, in a new reference. */
int plan_outputs(const struct plan *p, plan_state_fn state, void *arg, json_t **ret,
                 struct fault *f);
