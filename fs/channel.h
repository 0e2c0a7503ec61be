/*
 * The file /dev/fuse between libfuse and the kernel: everything that passes is counted, and one
 * flag is put right that Debian 12's libfuse drops.
 */
#pragma once

#include "base/fault.h"

struct fs;

/* For a session that is mounted and does not serve yet; its userdata is fs. */
int channel_open(struct fs *fs, struct fault *f);
