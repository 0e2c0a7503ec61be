/*
 * What a resource uses, as its ARN and its description tell. Pure: no network, no state; any
 * thread.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* A label says what for, "security-group". Two marks may stand before it: */
enum edge_mark {
    /* it is the target that uses this resource: the file system its mount target */
    EDGE_BACK = '<',
    /* this resource alone uses the target: who uses this resource does not do so thereby (the rules
     * of a listener do not need the target group of its default action) */
    EDGE_LAST = '!',
};

/* target: an ARN, or "SERVICE/TYPE/ID" as below resources/ (the id as it is, not as a name). Both
 * are lent for the call. Not 0: ends edges_of, which gives it. */
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

/* Whose ids are meant where a description names a thing by its id alone. */
struct edge_account {
    const char *partition, *region, *account;
};
/* The key of a target: its ARN, made where it is a "SERVICE/TYPE/ID" that has one, else that. 0, or
 * -EINVAL: it is none, or too long. */
int edges_key(const struct edge_account *a, const char *target, char *out, size_t size);
