/* What has changed in the inputs of a snapshot since it was made, by name. Plain; whoever owns it
 * locks. What cannot be noted (no memory) makes it `all`: nothing is ever lost. */
#pragma once

#include <stdbool.h>

#include "base/map.h"

struct changes {
    bool all;        /* more than can be said here */
    bool blueprints; /* families got or lost one */
    /* Each a set, or NULL while it is empty: keys of resources whose overlay entry changed or which
     * a record names or named; ids of records; claims that are dead; names of resource groups. */
    struct map *keys, *records, *claims, *groups;
};
void changes_note(struct changes *c, struct map **set, const char *name);
bool changes_any(const struct changes *c);
void changes_done(struct changes *c); /* and it is empty again */
