/*
 * What the types share: tags and claims, identities, attributes, hints. Private to
 * provision/types/.
 */
#pragma once

#include "provision/property.h"
#include "provision/type.h"

extern const struct resource_type type_secret, type_security_group, type_file_system,
    type_mount_target, type_access_point, type_target_group, type_listener_rule,
    type_task_definition, type_ecs_service, type_mariadb_database, type_mariadb_user;

int type_no_memory(struct fault *f);

/* Member of an object as a string; NULL where it is none. */
const char *type_text(json_t *object, const char *name);
/* Member of an object as a number, also where it is written as a string; otherwise where there is
 * none. */
json_int_t type_number(json_t *object, const char *name, json_int_t otherwise);
/* The list below, empty where it is missing or "". New reference; NULL: no memory. */
json_t *type_list(json_t *object, const char *name);

/* --- identities --- */

/* A property that must be plain text by now; *ret NULL where it is missing. -EINVAL: a reference
 * stands there. */
int type_plain(json_t *properties, const char *name, const char **ret, struct fault *f);
/* The same, and it must be there. */
int type_plain_required(json_t *properties, const char *name, const char **ret, struct fault *f);
/* Plain text, or "!LOGICAL" for a reference to a step, into out. */
int type_plain_or_step(json_t *properties, const char *name, char *out, size_t size,
                       struct fault *f);
/* {key: value, …} of strings, ended by a NULL key. */
int type_identity(json_t **ret, struct fault *f, ...) __attribute__((sentinel));
/* The text of an identity's member, "" where it is missing. */
const char *type_id(const struct step_ctx *s, const char *key);
/* Physical id of what an identity's member names: itself, or Ref of the step behind '!'. -ENOENT:
 * that one is not there (or not ours, unless ret_found is given, which then says). */
int type_id_resolve(struct step_ctx *s, const char *key, char *out, size_t size,
                    enum step_found *ret_found, struct fault *f);

/* --- tags --- */

/* The blueprint's own (list of {"Key", "Value"}, may be NULL) and the four, as list of {key_name,
 * value_name}. */
json_t *type_tags(const struct step_ctx *s, json_t *own, const char *key_name,
                  const char *value_name);
/* Value of a tag in such a list, or NULL. */
const char *type_tag(json_t *tags, const char *key_name, const char *value_name, const char *key);
/* Whether it shows this life's claim. */
bool type_claimed(const struct step_ctx *s, json_t *tags, const char *key_name,
                  const char *value_name);
/* An object of strings as list of {key_name, value_name}: for retag. */
json_t *type_tag_list(json_t *object, const char *key_name, const char *value_name);

/* --- states --- */

/* Sets what Fn::GetAtt gives. 0, -ENOMEM. value NULL: nothing. */
int type_attribute(struct step_state *st, const char *name, const char *value);
const char *type_attribute_of(const struct step_state *st, const char *name);
/* detail of a stranger. */
void type_detail(struct step_state *st, const char *fmt, ...) _printf_(2, 3);
/* The ids into their places; -EPROTO where one is missing or too long. short_id NULL: physical. */
int type_set_ids(struct step_state *st, const char *physical, const char *short_id, const char *key,
                 struct fault *f);

/* --- hints --- */

/*
 * The id in a create's answer proves nothing, but it spares the look a search. Kept by the step's
 * token, for this process's life, in a table of fixed size: what is pushed out is found the long
 * way.
 */
void type_hint_put(const char *token, const char *id);
bool type_hint_get(const char *token, char *out, size_t size);
