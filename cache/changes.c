#include "cache/changes.h"

#include <stddef.h>

void changes_note(struct changes *c, struct map **set, const char *name)
{
    if (!*set)
        *set = map_new();
    if (!*set || map_put(*set, name, c, NULL) < 0)
        c->all = true;
}

bool changes_any(const struct changes *c)
{
    return c->all || c->blueprints || c->keys || c->records || c->claims || c->groups;
}

void changes_done(struct changes *c)
{
    map_free(c->keys);
    map_free(c->records);
    map_free(c->claims);
    map_free(c->groups);
    *c = (struct changes){0};
}
