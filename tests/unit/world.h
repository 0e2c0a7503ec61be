/* An account in a test's hands: what the sweeps say, what the overlay says, and the snapshot built
 * from both. */
#pragma once

#include "cache/overlay.h"

struct world {
    struct raw_resources *swept;
    struct raw_groups *groups;
    struct overlay overlay;
    struct build_input in;
};

struct world *world_new(void);
void world_free(struct world *w);
DEFINE_CLEANUP(struct world *, world_free)
#define _cleanup_world_ _cleanup_(world_freep)

/* tags: "key=value", …, ended by NULL: a resource in the sweep, in place of what was there. */
#define world_add(w, arn, ...) world_add_tags((w), (arn), (const char *const[]){__VA_ARGS__, NULL})
void world_add_tags(struct world *w, const char *arn, const char *const *tags);
/* A group in the sweep; members: ARNs without tags, ended by NULL, or NULL: found by our tags. */
void world_group(struct world *w, const char *name, const char *query, const char *const *members);
const struct snapshot *world_build(struct world *w);

/* A ResourceQuery on one tag; key and value without quotes. */
#define QUERY(key, value)                                                                          \
    "{\"Type\":\"TAG_FILTERS_1_0\",\"Query\":\"{\\\"ResourceTypeFilters\\\":[\\\"AWS::"            \
    "AllSupported\\\"],\\\"TagFilters\\\":[{\\\"Key\\\":\\\"" key                                  \
    "\\\",\\\"Values\\\":[\\\"" value "\\\"]}]}\"}"

#define SG(id) "arn:aws:ec2:eu-central-1:123456789012:security-group/" id
#define RECORD(id) "arn:aws:ssm:eu-central-1:123456789012:parameter/svcfs/" id
#define FAMILY(f) "service-family=" f
#define SERVICE(s) "service-id=" s
