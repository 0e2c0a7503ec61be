/*
 * The guard of tree.md: a thread group that was refused an unlink or rmdir with EPERM is refused
 * every further one, until it ends or 60 s have passed since the last refusal. Thread-safe.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/macro.h"
#include "fs/proc.h"

enum { GUARD_MS = 60000 };

struct guard;

typedef int (*guard_identify)(pid_t tid, struct proc_group *ret); /* proc_group; a table in tests */

int guard_new(struct guard **ret, struct clock *clock, guard_identify identify);
void guard_free(struct guard *g);
DEFINE_CLEANUP(struct guard *, guard_free)

void guard_refuse(struct guard *g, pid_t tid);  /* this thread's group was refused just now */
bool guard_refused(struct guard *g, pid_t tid); /* and true renews it */
