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

bool exists_blueprint(struct place *p);
bool exists_next_id(struct place *p);
bool exists_error(struct place *p);
bool exists_group_query(struct place *p);
bool exists_arn(struct place *p);
bool exists_properties(struct place *p);
bool exists_no_properties(struct place *p);
bool exists_owners(struct place *p);

/* The directories whose entries have names of their own: find and list for each. */
#define TREE_DIRECTORY(x)                                                                          \
    int find_##x(struct place *dir, const char *name, struct key *ret);                            \
    int list_##x(struct place *dir, list_fn emit, void *arg);
TREE_DIRECTORY(families)
TREE_DIRECTORY(family)
TREE_DIRECTORY(family_resources)
TREE_DIRECTORY(outputs)
TREE_DIRECTORY(service_resources)
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
#undef TREE_DIRECTORY

/* Where a link of a list that is sorted by link stands, or NULL. */
const struct index_resource *tree_link(const struct index_resource *const *list, size_t n,
                                       const char *link);
