/*
 * What tags may be: AWS's limits (aws-facts.md 5), all of them checked before AWS is asked, and
 * which tags are not the user's to change. Pure.
 */
#pragma once

#include "base/fault.h"
#include "cache/index.h"

struct tag_rules {
    const char *family_tag, *service_tag;
};

/* Whether the tag with that key may be set on r, or taken from it: -EPERM, -EINVAL. */
int tag_check_key(const struct tag_rules *rules, const struct index_resource *r, const char *key,
                  struct fault *f);
/* -EINVAL */
int tag_check_value(const struct index_resource *r, const char *value, struct fault *f);
/* Whether r has room for these (value NULL: taken away): -ENOSPC. */
int tag_check_room(const struct index_resource *r, const struct index_tag *changes, size_t n,
                   struct fault *f);
