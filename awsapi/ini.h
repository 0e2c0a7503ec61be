/*
 * Files in the format of ~/.aws/config: sections, "key = value", and values that are nested one
 * level deep by indentation (services sections, s3 settings). Private to awsapi/.
 */
#pragma once

#include "base/fault.h"

struct ini;

/* An absent file is an empty one. -EINVAL malformed (file and line in the message), other errno of
 * reading. *ret is the caller's. */
int ini_load(const char *path, struct ini **ret, struct fault *f);
void ini_free(struct ini *i); /* wipes */
DEFINE_CLEANUP(struct ini *, ini_free)

bool ini_has_section(const struct ini *i, const char *section);
/* subkey may be NULL. The last one of several counts. NULL: not there. Borrowed. */
const char *ini_get(const struct ini *i, const char *section, const char *key, const char *subkey);
