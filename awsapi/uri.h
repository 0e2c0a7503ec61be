/* Percent-encoding as AWS wants it: everything but A-Z a-z 0-9 - _ . ~ as %XX, upper-case. */
#pragma once

#include <stddef.h>

#include "base/buf.h"

/* safe: further characters that stay as they are, or "". 0, -ENOMEM, -EFBIG. */
int uri_encode(struct buf *out, const char *s, size_t len, const char *safe);
/* %XX become bytes, all else stays ("+" too). 0, -ENOMEM, -EFBIG, -EINVAL (bad %XX, or %00). */
int uri_decode(struct buf *out, const char *s, size_t len);
