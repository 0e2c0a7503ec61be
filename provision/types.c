/*
 * The table of resource types. One row a type; its file has the rest. The order here is that of
 * listings, nothing else: what is made when follows from a blueprint's references.
 */
#include "provision/type.h"

#include "base/str.h"
#include "provision/types/common.h"

static const struct resource_type *const types[] = {
    &type_secret,       &type_security_group,   &type_file_system,   &type_mount_target,
    &type_access_point, &type_target_group,     &type_listener_rule, &type_task_definition,
    &type_ecs_service,  &type_mariadb_database, &type_mariadb_user,
};

const struct resource_type *type_at(size_t i)
{
    return i < ARRAY_SIZE(types) ? types[i] : NULL;
}

const struct resource_type *type_by_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (streq(types[i]->name, name))
            return types[i];
    return NULL;
}

const struct resource_type *type_by_code(const char *code)
{
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (streq(types[i]->code, code))
            return types[i];
    return NULL;
}
