/* Tag values and ARNs as names in the tree (tree.md «Names»). Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { NAME_SIZE = 256 }; /* a name of 255 bytes and its terminator */

/* A tag value as a name. reserved (may be NULL): a NULL-ended list of names that are taken in that
 * directory; a value that equals one has its first character escaped. at_escaped: `@` becomes %40
 * (names in services/). */
void name_from_value(const char *value, const char *const *reserved, bool at_escaped,
                     char out[NAME_SIZE]);
/* The way back from a name whose `@` is not escaped; -EINVAL for what name_from_value never gives
 * (so a mkdir of it is refused), -ENODATA for a cut name, which only a look-up in the snapshot can
 * resolve. out has size bytes. */
int name_to_value(const char *name, const char *const *reserved, char *out, size_t size);

/* Where a thing stands below resources/. */
struct name_path {
    char service[NAME_SIZE], type[NAME_SIZE], id[NAME_SIZE];
};
/* -EINVAL where arn is no ARN. */
int name_path_from_arn(const char *arn, struct name_path *ret);
/* "elasticfilesystem/mount-target/fsmt-1" or "mariadb/database/HOST:PORT+NAME": a thing without an
 * ARN. The third part may hold anything. */
int name_path_from_key(const char *key, struct name_path *ret);
/* "SERVICE.TYPE.ID", the name of a link in a resources/ directory. */
void name_link(const struct name_path *p, char out[NAME_SIZE]);
/* "SERVICE.TYPE", with which the links of that type begin. */
void name_type(const char *service, const char *type, char out[NAME_SIZE]);
/* A name put together of names: cut where it is too long. */
void name_fit(const char *whole, char out[NAME_SIZE]);
/* The name, ended by `%~` and the hash of value: for one that is taken. */
void name_hashed(const char *name, const char *value, char out[NAME_SIZE]);
