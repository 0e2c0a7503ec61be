/*
 * READDIR and READDIRPLUS. OPENDIR is answered ENOSYS: the kernel then keeps listings in its page
 * cache, and asks neither OPENDIR nor RELEASEDIR again. What a directory holds at the moment of
 * each request is what it gives; the cookies make the pieces fit (listing.h).
 */
#include <errno.h>
#include <stdlib.h>

#include "base/str.h"
#include "fs/content.h"
#include "fs/entry.h"
#include "fs/listing.h"
#include "fs/node.h"
#include "fs/ops.h"

void ops_opendir(fuse_req_t req, fuse_ino_t ino _unused_, struct fuse_file_info *fi _unused_)
{
    fuse_reply_err(req, ENOSYS);
}

enum { MANY = 512, PAGE_BYTES = 64 * 1024 };

/* One answer in the making. */
struct page {
    struct request *request;
    struct place *dir;
    bool plus;
    bool bare; /* plus, but without nodes */
    char *data;
    size_t len, size;
    uint64_t *counted; /* nodes that a READDIRPLUS counts a lookup of */
    size_t n_counted, max_counted;
};

static bool add_plain(struct page *p, const char *name, const struct stat *st, off_t cookie)
{
    size_t left = p->size - p->len;
    size_t n = fuse_add_direntry(p->request->req, p->data + p->len, left, name, st, cookie);

    if (n > left)
        return false;
    p->len += n;
    return true;
}

static bool add_plus(struct page *p, const char *name, const struct fuse_entry_param *e,
                     off_t cookie)
{
    size_t left = p->size - p->len;
    size_t n = fuse_add_direntry_plus(p->request->req, p->data + p->len, left, name, e, cookie);

    if (n > left)
        return false;
    p->len += n;
    return true;
}

static bool add_dots(struct page *p, const char *name, uint64_t ino, off_t cookie)
{
    struct fuse_entry_param e = {.attr = {.st_ino = ino, .st_mode = S_IFDIR}};

    return p->plus ? add_plus(p, name, &e, cookie) : add_plain(p, name, &e.attr, cookie);
}

static int count(struct page *p, uint64_t ino)
{
    size_t max = p->max_counted ? p->max_counted * 2 : 64;
    uint64_t *more;

    if (p->n_counted == p->max_counted) {
        more = reallocarray(p->counted, max, sizeof(*more));
        if (!more)
            return -ENOMEM;
        p->counted = more;
        p->max_counted = max;
    }
    p->counted[p->n_counted++] = ino;
    return 0;
}

/* Whether a place can be described without holding up everybody: a long file is rendered when it is
 * looked up. */
static bool is_at_hand(struct place *p)
{
    return !(kind_row(p->key->kind)->flags & KIND_F_LONG) || content_kept(p);
}

/* The inode number that a look-up would show; where that takes a rendering, one without a version.
 */
static uint64_t shown_ino(struct page *p, const struct listing_entry *entry)
{
    struct place child _cleanup_place_child_ = {0};
    struct key key;

    if (entry->ino)
        return entry->ino;
    key = listing_key(p->dir->key, entry);
    if (place_child(p->dir, &key, &child) == 0 && is_at_hand(&child))
        kind_version(&child, &key.version, NULL);
    return key_inode(p->request->ino, &key);
}

/* Whether the entry goes out with its node, counted. */
static bool describe(struct page *p, const struct listing_entry *entry,
                     struct fuse_entry_param *ret)
{
    struct key key = listing_key(p->dir->key, entry);
    struct place long_one _cleanup_place_child_ = {0};

    if (kind_row(key.kind)->flags & KIND_F_LONG &&
        (place_child(p->dir, &key, &long_one) || !is_at_hand(&long_one)))
        return false;
    if (entry_make(p->dir, p->request->node, &key, ret, NULL))
        return false;
    if (count(p, ret->ino)) {
        node_forget(p->request->fs->nodes, ret->ino, 1);
        return false;
    }
    entry_settle(p->request, ret);
    return true;
}

static bool add_entry_plus(struct page *p, const struct listing_entry *entry)
{
    struct fuse_entry_param e;
    size_t size =
        fuse_add_direntry_plus(p->request->req, NULL, 0, entry->name, NULL, entry->cookie);

    if (size > p->size - p->len)
        return false;
    /* Where no node goes with it the kernel looks it up when it is asked for, and that may wait. */
    if (p->bare || !describe(p, entry, &e))
        e = (struct fuse_entry_param){
            .attr = {.st_ino = shown_ino(p, entry), .st_mode = kind_row(entry->kind)->mode}};
    return add_plus(p, entry->name, &e, entry->cookie);
}

static bool add_entry(struct page *p, const struct listing_entry *entry)
{
    struct stat st = {.st_mode = kind_row(entry->kind)->mode};

    if (p->plus)
        return add_entry_plus(p, entry);
    st.st_ino = shown_ino(p, entry);
    return add_plain(p, entry->name, &st, entry->cookie);
}

static void fill(struct page *p, const struct listing *l, uint64_t parent)
{
    off_t from = p->request->off;
    bool room = true;

    if (from < COOKIE_DOT)
        room = add_dots(p, ".", p->request->ino, COOKIE_DOT);
    if (room && from < COOKIE_DOTDOT)
        room = add_dots(p, "..", parent, COOKIE_DOTDOT);
    for (size_t i = listing_after(l, from); room && i < l->n; i++)
        room = add_entry(p, &l->entries[i]);
}

static int read_directory(struct request *r, bool plus)
{
    const struct listing *l _cleanup_(listing_putp) = NULL;
    struct place dir _cleanup_place_ = {0};
    char data[PAGE_BYTES];
    struct page p = {
        .request = r, .dir = &dir, .plus = plus, .data = data, .size = MIN(r->size, sizeof(data))};
    struct key up = key_parent(&r->key);
    int rc = place_open(r, &dir);

    rc = rc ? rc : kind_present(&dir);
    rc = rc ? rc : listing_get(&dir, &l);
    if (rc)
        return rc;
    /* The kernel begins every listing with READDIRPLUS, also of who wants names alone; who looks at
     * the first entries as well lets it ask so for the rest. */
    p.bare = plus && r->off == 0 && l->n > MANY;
    fill(&p, l, node_find(r->fs->nodes, &up));
    if (fuse_reply_buf(r->req, data, p.len) == -ENOENT)
        for (size_t i = 0; i < p.n_counted; i++) /* interrupted: nobody got them */
            node_forget(r->fs->nodes, p.counted[i], 1);
    free(p.counted);
    return 0;
}

static int run_readdir(struct request *r)
{
    return read_directory(r, false);
}

static int run_readdirplus(struct request *r)
{
    return read_directory(r, true);
}

void ops_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
    static const struct operation op = {"readdir", run_readdir,
                                        OP_ABSENT_IS_ORDINARY | OP_LOCKS_DIRECTORY};

    request_begin(req, &op, ino, NULL, size, off, fi);
}

void ops_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                     struct fuse_file_info *fi)
{
    static const struct operation op = {"readdir", run_readdirplus,
                                        OP_ABSENT_IS_ORDINARY | OP_LOCKS_DIRECTORY};

    request_begin(req, &op, ino, NULL, size, off, fi);
}
