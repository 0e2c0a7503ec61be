/*
 * Listings of directories for READDIR, which here has no OPENDIR before it and so no handle. An
 * offset is a cookie that says which entry comes next whatever else came or went since: entries
 * stand in the order of their cookies, and a cookie is made of the name alone. A listing belongs to
 * nobody and never changes. Thread-safe.
 */
#pragma once

#include <sys/types.h>

#include "base/macro.h"
#include "fs/kind.h"

struct listing_entry {
    off_t cookie; /* an entry comes after all that have a smaller one; 0 is the beginning */
    const char *name, *life;
    uint64_t ino; /* 0 where it depends on the content */
    enum kind_id kind;
};

struct listing {
    const struct listing_entry *entries; /* sorted by cookie; without `.` and `..` */
    size_t n;
};

enum { COOKIE_DOT = 1, COOKIE_DOTDOT = 2 };

/* The listing of dir; large ones are kept for a while. 0, negative errno, PARK. */
int listing_get(struct place *dir, const struct listing **ret);
void listing_put(const struct listing *l);
static inline void listing_putp(const struct listing **l)
{
    listing_put(*l);
}
/* The index of the first entry behind that with the cookie. */
size_t listing_after(const struct listing *l, off_t cookie);
/* The key of an entry; borrows. */
struct key listing_key(const struct key *dir, const struct listing_entry *e);

struct listing_memo;
int listing_memo_new(struct listing_memo **ret);
void listing_memo_free(struct listing_memo *m);
DEFINE_CLEANUP(struct listing_memo *, listing_memo_free)
