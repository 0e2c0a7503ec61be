/*
 * What a resource uses, as its ARN and its description tell. Pure: no network, no state; any
 * thread.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

/* label: what for, "security-group"; target: an ARN, or "SERVICE/TYPE/ID" as below resources/ (the
 * id as it is, not as a name). Both are lent for the call. Not 0: ends edges_of, which gives it. */
typedef int (*edge_fn)(void *arg, const char *label, const char *target);

/*
 * All edges of one resource. service, type: of its path below resources/; arn: its ARN, or its key
 * "SERVICE/TYPE/ID" where it has none; description: an object as properties.json shows it (lent,
 * not changed), or NULL: what the ARN alone tells. An edge may come more than once. 0, or what emit
 * gave.
 */
int edges_of(const char *service, const char *type, const char *arn, json_t *description,
             edge_fn emit, void *arg);

/* Whether descriptions of this type can have edges: then it is described behind the sweeps. */
bool edges_described(const char *service, const char *type);
