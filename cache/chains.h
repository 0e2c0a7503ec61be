/* Which chains of GetResources make a sweep. Pure. */
#pragma once

#include "cache/build.h"

enum chain_kind {
    CHAIN_CENSUS, /* all that has a family */
    CHAIN_TYPE,   /* of that, one type */
    CHAIN_STRAYS, /* all that has an id; news in it is what has no family */
    CHAIN_FAMILY, /* all of one family */
};

enum { CHAIN_TYPE_SIZE = 128, CENSUS_EVERY = 10 };

struct chain {
    enum chain_kind kind;
    char what[CHAIN_TYPE_SIZE]; /* CHAIN_TYPE: the type, as ResourceTypeFilters has it */
    bool expected; /* the sweep before had something of it: that there is nothing is not believed */
};

struct chains {
    struct chain *all;
    size_t n;
};

struct chains_input {
    const struct raw_resources *last; /* the sweep in force, a saved one too, or NULL */
    const struct map *overlay;        /* key → struct overlay_entry *: own writes */
    const char *family_tag;
    bool asked;      /* somebody waits for the account to be read whole */
    unsigned sweeps; /* by the timer since strays were last looked for */
};

/* 0 or -ENOMEM; to be freed with chains_done. */
int chains_choose(const struct chains_input *in, struct chains *ret);
void chains_done(struct chains *c);

/* The filter for the type of an ARN: "ecs:service", or "s3" where a service is filtered as a whole.
 * 0, -EINVAL: no ARN, or too long. */
int chain_type(const char *arn, char out[CHAIN_TYPE_SIZE]);
