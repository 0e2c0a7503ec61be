/* How keys are resolved, and what directories hold; rows of kind.c name these. */
#pragma once

#include "fs/kind.h"

int resolve_none(struct place *p);
int resolve_family(struct place *p);
int resolve_deleting_family(struct place *p);
int resolve_service(struct place *p);
int resolve_owner(struct place *p);
int resolve_owner_deleting(struct place *p);
int resolve_group(struct place *p);
int resolve_resource_service(struct place *p);
int resolve_resource_type(struct place *p);
int resolve_resource(struct place *p);
int resolve_standing(struct place *p);

bool exists_blueprint(struct place *p);
bool exists_next_id(struct place *p);
bool exists_error(struct place *p);
bool exists_group_query(struct place *p);
bool exists_arn(struct place *p);
bool exists_tags(struct place *p);
bool exists_properties(struct place *p);
bool exists_no_properties(struct place *p);
bool writable_tag(struct place *p);

/* The directories whose entries have names of their own: find and list for each. */
#define TREE_DIRECTORY(x)                                                                          \
    int find_##x(struct place *dir, const char *name, struct key *ret);                            \
    int list_##x(struct place *dir, list_fn emit, void *arg);
TREE_DIRECTORY(families)
TREE_DIRECTORY(family)
TREE_DIRECTORY(family_resources)
TREE_DIRECTORY(outputs)
TREE_DIRECTORY(service_resources)
TREE_DIRECTORY(depends_on)
TREE_DIRECTORY(dependents)
TREE_DIRECTORY(services)
TREE_DIRECTORY(groups)
TREE_DIRECTORY(group_resources)
TREE_DIRECTORY(resources)
TREE_DIRECTORY(resource_service)
TREE_DIRECTORY(resource_type)
TREE_DIRECTORY(tags)
TREE_DIRECTORY(owners)
TREE_DIRECTORY(deleting)
TREE_DIRECTORY(deleting_family)
TREE_DIRECTORY(by_status)
TREE_DIRECTORY(standing)
TREE_DIRECTORY(by_type)
TREE_DIRECTORY(untagged)
#undef TREE_DIRECTORY

/* The tag's key that a name in tags/ stands for: one that r has, or one that it could get. -EINVAL:
 * none. */
enum { TREE_TAG_KEY_SIZE = 1024 };
int tree_tag_key(const struct index_resource *r, const char *name, char *out, size_t size);

/* Each entry of depends-on/: its name, and the service that it leads to, or NULL: there is none
 * with that id. Non-zero ends it with that result. */
typedef int (*tree_need_fn)(void *arg, const char *name, const char *id,
                            const struct index_service *to);
int tree_needs(const struct snapshot *snap, const struct index_service *s, tree_need_fn fn,
               void *arg);
/* The id behind the name of such an entry: borrowed; NULL: there is none. */
const char *tree_need_id(const struct snapshot *snap, const struct index_service *s,
                         const char *name);

/* Where a link of a list that is sorted by link stands, or NULL. */
const struct index_resource *tree_link(const struct index_resource *const *list, size_t n,
                                       const char *link);
/* find and list of a directory that has such a list as links of that kind. */
int tree_find_link(struct place *dir, const struct index_resource *const *list, size_t n,
                   enum kind_id kind, const char *name, struct key *ret);
int tree_list_links(struct place *dir, const struct index_resource *const *list, size_t n,
                    enum kind_id kind, list_fn emit, void *arg);
/* The key of the directory of a service, in families/ or deleting/; borrows from it. */
struct key tree_service_key(const struct index_service *s);
/* The type with that name in by-type/, or NULL; and the service that it is of. */
const struct index_type *tree_type(const struct snapshot *s, const char *name,
                                   const struct index_kind **ret_kind);
const struct index_resource *tree_untagged(const struct snapshot *s, const char *link);
