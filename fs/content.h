/*
 * Contents of files that are another node with each new content. A node id promises one content,
 * so all that has been opened under it is served from here. Thread-safe.
 */
#pragma once

#include <stdatomic.h>

#include "base/buf.h"
#include "base/macro.h"
#include "fs/place.h"

struct content {
    struct buf text;
    uint64_t version; /* a hash of it; never 0 */
    int64_t changed_ms;
    atomic_uint refs; /* private */
};

struct content *content_ref(struct content *c);
void content_unref(struct content *c);
DEFINE_CLEANUP(struct content *, content_unref)

/* p->content as it is now. What is KIND_F_LONG is kept until something changes. 0, -errno, PARK. */
int content_get(struct place *p, struct fault *f);
/* The same if it need not be rendered for that: true, and p->content. */
bool content_kept(struct place *p);

struct content_memo;
int content_memo_new(struct content_memo **ret);
void content_memo_free(struct content_memo *m);
DEFINE_CLEANUP(struct content_memo *, content_memo_free)
