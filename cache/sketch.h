/*
 * What is known before the first sweep has ended: the families' names, by one GetTagValues, and the
 * resources of those families that somebody waits for, each by its own pages. Plain; whoever owns
 * it locks.
 */
#pragma once

#include "base/fault.h"
#include "cache/build.h"

struct sketch_family {
    bool named;                      /* the tag index has the value */
    bool reading;                    /* its pages are being read */
    struct raw_resources *resources; /* once they are read, or NULL */
    struct fault fault;              /* with which the last reading ended */
    int64_t ended_ms;                /* monotonic */
};

struct sketch {
    struct map *families; /* value → struct sketch_family * */
    bool named;           /* the names are there: it may be shown */
};

int sketch_init(struct sketch *k); /* 0, -ENOMEM */
void sketch_done(struct sketch *k);
/* Adds to the first sweep, which nobody else has yet, what families had that were read after it had
 * begun: what was shown stays. 0, -ENOMEM. */
int sketch_hand_over(const struct sketch *k, struct raw_resources *sweep);
/* The family, made where it is not there; NULL: no memory. */
struct sketch_family *sketch_family(struct sketch *k, const char *family);
/* in->resources and in->groups are left aside. 0, -ENOMEM. */
int sketch_build(const struct sketch *k, const struct build_input *in, const struct snapshot **ret);
