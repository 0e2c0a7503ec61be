/* The mount: from a wired struct fs to the end of its life. */
#pragma once

#include "fs/fs.h"

/* Whether something can be mounted on path: a directory, on which no svcfs stands. */
int session_check(const char *path, struct fault *f);
/* Mounts, starts cache and provisioning, serves until unmounted or told to end by a signal, stops
 * all in order. */
int session_run(struct fs *fs, struct fault *f);
