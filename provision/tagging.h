/*
 * What fs/ sees of tags and dependencies. provision_tag and provision_depend wait for AWS and
 * belong on a job worker; the checks answer at once. Thread-safe.
 */
#pragma once

#include "provision/provision.h"

/* Whether the tag key may be changed on r at all (value NULL), or be set to value: what is known
 * without AWS. -EPERM, -EINVAL, -ENOSPC: a tag too many. */
int provision_tag_check(struct provision *p, const struct index_resource *r, const char *key,
                        const char *value, struct fault *f);
/* Sets a tag of the resource with this key (NULL: takes it away); it is in the newest snapshot when
 * this returns. cancel as in provision_mkdir. -ENOENT: no such resource, or no tag to take away. */
int provision_tag(struct provision *p, const char *resource, const char *key, const char *value,
                  struct cancel *cancel, struct fault *f);

/* That the service needs the service `other` (an id) from now on, or no more. Written to the record
 * and to all resources. -ENOENT: no such service, or it is not needed; -EEXIST: it is; -ELOOP: it
 * needs this one, by however many others; -ENOSPC: a tag too many. Two mounts may do so at once.
 * After an error all is as it was, or, where even that failed, as the fault's message says. */
struct provision_need {
    const char *family, *id, *other;
    bool add;
};
int provision_depend(struct provision *p, const struct provision_need *need, struct cancel *cancel,
                     struct fault *f);
