/*
 * The saved index: what a snapshot shows, own writes too, in a file of the user's own, so that a
 * daemon that starts has something to show. A view and nothing else: it may be old, or missing.
 */
#pragma once

#include "base/fault.h"
#include "cache/lookup.h"
#include "cache/raw.h"

/* Whose index it is. All of it must be the same for a file to be taken. */
struct saved_owner {
    const char *account, *region, *partition, *endpoint, *family_tag, *service_tag;
};

/* The file's content, malloc'ed: all of s that has an ARN and one of the tags. begun_wall_ms: of
 * the sweep that it was built of. 0, -ENOMEM, -EFBIG. */
int saved_image(const struct saved_owner *o, const struct snapshot *s, int64_t begun_wall_ms,
                char **ret, size_t *ret_len);
/* The way back; the data may be anybody's. -EPROTO, -ENOMEM. */
int saved_parse(const struct saved_owner *o, const char *data, size_t len,
                struct raw_resources **ret, struct fault *f);

/* Puts the file in place as a whole or not at all; makes its directory. Refused where others may
 * write into that. */
int saved_write(const char *path, const char *data, size_t len, struct fault *f);
/* Takes only a regular file of this user that nobody else may read or write. */
int saved_read(const char *path, const struct saved_owner *o, struct raw_resources **ret,
               struct fault *f);
