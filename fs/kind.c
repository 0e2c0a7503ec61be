/*
 * The table of kinds, and what every operation does with a row: find an entry, list them, say what
 * stat shows. A directory holds the rows that name it as parent, then what its own find and list
 * know. Timeouts are data here: 0 for what changes or comes and goes by itself, 1 s elsewhere;
 * nothing is cached that is not there.
 */
#include "fs/kind.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/macro.h"
#include "base/str.h"
#include "fs/notify.h"
#include "fs/render.h"
#include "fs/tree.h"

enum {
    DIR = S_IFDIR | 0555,
    DIR_W = S_IFDIR | 0775, /* mkdir and rmdir mean something in it */
    REG = S_IFREG | 0444,
    LNK = S_IFLNK | 0777,
    D = KIND_F_DIRECT,
    A = KIND_F_ALWAYS
};

#define TREE(x) .find = find_##x, .list = list_##x

static const struct kind kinds[KINDS] = {
    [KIND_ROOT] = {KIND_ROOT, "", DIR, A, 1, .resolve = resolve_none},
    [KIND_README] = {KIND_ROOT, "README", REG, A, 1, .render = render_readme},
    [KIND_FAMILIES] = {KIND_ROOT, "families", DIR, A, 1, TREE(families)},
    [KIND_FAMILY] = {KIND_FAMILIES, NULL, DIR_W, 0, 1, .resolve = resolve_family, TREE(family)},
    [KIND_BLUEPRINT] = {KIND_FAMILY, "blueprint.json", REG, D, 0, .exists = exists_blueprint,
                        .render = render_blueprint},
    [KIND_NEXT_ID] = {KIND_FAMILY, "next-id", REG, D, 0, .exists = exists_next_id,
                      .render = render_next_id},
    [KIND_SERVICES_TSV] = {KIND_FAMILY, "services.tsv", REG, D, 0, .render = render_services_tsv},
    [KIND_FAMILY_RESOURCES] = {KIND_FAMILY, "resources", DIR, 0, 1, TREE(family_resources)},
    [KIND_FAMILY_LINK] = {KIND_FAMILY_RESOURCES, NULL, LNK, 0, 1, .render = render_resource_link},
    [KIND_SERVICE] = {KIND_FAMILY, NULL, DIR_W, 0, 0, .resolve = resolve_service},
    [KIND_STATUS] = {KIND_SERVICE, "status", REG, D, 0, .render = render_status},
    [KIND_EVENTS] = {KIND_SERVICE, "events", REG, D | KIND_F_FOLLOW, 0, .render = render_events},
    [KIND_ERROR] = {KIND_SERVICE, "error", REG, D, 0, .exists = exists_error,
                    .render = render_error},
    [KIND_SERVICE_JSON] = {KIND_SERVICE, "service.json", REG, D, 0, .render = render_service_json},
    [KIND_WAIT] = {KIND_SERVICE, "wait", REG, D | KIND_F_HIDDEN | KIND_F_WAIT, 0,
                   .render = render_wait},
    [KIND_OUTPUTS] = {KIND_SERVICE, "outputs", DIR, 0, 0, TREE(outputs)},
    [KIND_OUTPUT] = {KIND_OUTPUTS, NULL, REG, D, 0, .render = render_output},
    [KIND_SERVICE_RESOURCES] = {KIND_SERVICE, "resources", DIR, 0, 0, TREE(service_resources)},
    [KIND_SERVICE_LINK] = {KIND_SERVICE_RESOURCES, NULL, LNK, 0, 0, .render = render_resource_link},
    [KIND_SERVICES] = {KIND_ROOT, "services", DIR, A, 0, TREE(services)},
    [KIND_SERVICES_LINK] = {KIND_SERVICES, NULL, LNK, 0, 0, .render = render_services_link},
    [KIND_GROUPS] = {KIND_ROOT, "groups", DIR, A, 0, TREE(groups)},
    [KIND_GROUP] = {KIND_GROUPS, NULL, DIR, 0, 0, .resolve = resolve_group},
    [KIND_GROUP_ARN] = {KIND_GROUP, "arn", REG, 0, 1, .render = render_group_arn},
    [KIND_GROUP_QUERY] = {KIND_GROUP, "query.json", REG, D, 0, .exists = exists_group_query,
                          .render = render_group_query},
    [KIND_GROUP_RESOURCES] = {KIND_GROUP, "resources", DIR, 0, 1, TREE(group_resources)},
    [KIND_GROUP_LINK] = {KIND_GROUP_RESOURCES, NULL, LNK, 0, 1, .render = render_resource_link},
    [KIND_RESOURCES] = {KIND_ROOT, "resources", DIR, A, 1, TREE(resources)},
    [KIND_RESOURCE_SERVICE] = {KIND_RESOURCES, NULL, DIR, 0, 1, .resolve = resolve_resource_service,
                               TREE(resource_service)},
    [KIND_RESOURCE_TYPE] = {KIND_RESOURCE_SERVICE, NULL, DIR, 0, 1,
                            .resolve = resolve_resource_type, TREE(resource_type)},
    [KIND_RESOURCE] = {KIND_RESOURCE_TYPE, NULL, DIR, 0, 1, .resolve = resolve_resource},
    [KIND_RESOURCE_ARN] = {KIND_RESOURCE, "arn", REG, 0, 1, .exists = exists_arn,
                           .render = render_resource_arn},
    [KIND_TAGS] = {KIND_RESOURCE, "tags", DIR, 0, 1, .exists = exists_arn, TREE(tags)},
    [KIND_TAG] = {KIND_TAGS, NULL, REG, D, 0, .render = render_tag},
    [KIND_RESOURCE_OWNERS] = {KIND_RESOURCE, "services", DIR, 0, 0, .exists = exists_owners,
                              TREE(owners)},
    [KIND_RESOURCE_OWNER] = {KIND_RESOURCE_OWNERS, NULL, LNK, 0, 0, .render = render_owner_link},
    [KIND_DELETING] = {KIND_ROOT, "deleting", DIR, A, 0, TREE(deleting)},
    [KIND_DELETING_FAMILY] = {KIND_DELETING, NULL, DIR, 0, 0, .resolve = resolve_deleting_family,
                              TREE(deleting_family)},
    [KIND_SVCFS] = {KIND_ROOT, ".svcfs", DIR, A, 1, .resolve = resolve_none},
    [KIND_HEALTH] = {KIND_SVCFS, "health", REG, A | D, 0, .render = render_health},
    [KIND_IDENTITY] = {KIND_SVCFS, "identity", REG, A, 1, .render = render_identity},
    [KIND_CONFIG] = {KIND_SVCFS, "config.json", REG, A, 1, .render = render_config},
    [KIND_FRESHNESS] = {KIND_SVCFS, "freshness", REG, A | D, 0, .render = render_freshness},
    [KIND_ERRORS] = {KIND_SVCFS, "errors", REG, A | D, 0, .render = render_errors},
    [KIND_REFRESH] = {KIND_SVCFS, "refresh", S_IFREG | 0666, A | D | KIND_F_WRITE, 0,
                      .render = render_refresh},
    [KIND_VERSION] = {KIND_SVCFS, "version", REG, A, 1, .render = render_version},
};

const struct kind *kind_row(enum kind_id id)
{
    return &kinds[id];
}

enum kind_id kind_parent(const struct key *key)
{
    return key->kind == KIND_SERVICE && key->deleting ? KIND_DELETING_FAMILY
                                                      : kinds[key->kind].parent;
}

struct key key_child(const struct key *dir, enum kind_id kind, const char *name)
{
    struct key k = *dir;

    k.kind = kind;
    if (name && k.n_args < KEY_ARGS)
        k.args[k.n_args++] = name;
    return k;
}

void key_path(const struct key *key, char out[KEY_PATH_SIZE])
{
    const char *parts[8];
    unsigned n = 0, n_args = key->n_args;
    struct key k = *key;
    size_t len = 0;

    for (; k.kind != KIND_ROOT && n < ARRAY_SIZE(parts); k.kind = kind_parent(&k)) {
        const char *name = kinds[k.kind].name;

        parts[n++] = name ? name : n_args ? k.args[--n_args] : "";
    }
    out[0] = '\0';
    while (n-- && len < KEY_PATH_SIZE) {
        size_t left = KEY_PATH_SIZE - len;
        int r = snprintf(out + len, left, "%s%s", len ? "/" : "", parts[n]);

        len += r > 0 ? (size_t)r : 0;
    }
}

bool key_equal(const struct key *a, const struct key *b)
{
    if (a->kind != b->kind || a->deleting != b->deleting || a->n_args != b->n_args ||
        !streq(a->life, b->life))
        return false;
    for (unsigned i = 0; i < a->n_args; i++)
        if (!streq(a->args[i], b->args[i]))
            return false;
    return true;
}

uint64_t key_inode(const struct key *key)
{
    char path[KEY_PATH_SIZE], text[KEY_PATH_SIZE + 128];
    uint64_t ino;
    int len;

    if (key->kind == KIND_ROOT)
        return 1;
    key_path(key, path);
    len = snprintf(text, sizeof(text), "%s\n%.100s", path, key->life);
    ino = hash_stable(text, MIN((size_t)len, sizeof(text) - 1)) >> 1;
    return ino > 1 ? ino : ino + 2;
}

mode_t kind_mode(const struct fs *fs, enum kind_id id)
{
    mode_t mode = kinds[id].mode;

    /* reading is free, whatever the umask: only what may be written is narrowed */
    return S_ISLNK(mode) ? mode : mode & ~(fs->umask & 0222);
}

static int exists(struct place *dir, const struct kind *row)
{
    int r;

    if (!row->exists)
        return 0;
    r = place_snapshot(dir);
    return r ? r : row->exists(dir) ? 0 : -ENOENT;
}

int kind_present(struct place *p)
{
    const struct kind *row = kind_row(p->key->kind);
    struct key found, dir;
    struct place parent;
    int r;

    if (row->name)
        return exists(p, row);
    if (row->resolve)
        return 0; /* resolving was the question */
    /* An entry that only its directory knows: ask as a LOOKUP would. */
    dir = *p->key;
    dir.kind = kind_parent(p->key);
    dir.n_args--;
    parent = *p;
    parent.key = &dir;
    r = kinds[dir.kind].find(&parent, p->key->args[dir.n_args], &found);
    p->view = parent.view;
    return r;
}

int kind_find(struct place *dir, const char *name, struct key *ret)
{
    enum kind_id id = dir->key->kind;
    int r;

    for (int i = 1; i < KINDS; i++) {
        const struct kind *row = &kinds[i];

        if (!row->name || !streq(row->name, name))
            continue;
        if (row->parent != id)
            continue;
        r = exists(dir, row);
        if (r == 0)
            *ret = key_child(dir->key, i, NULL);
        return r;
    }
    if (!kinds[id].find)
        return -ENOENT;
    r = place_snapshot(dir);
    return r ? r : kinds[id].find(dir, name, ret);
}

static int list_rows(struct place *dir, bool directories, list_fn emit, void *arg)
{
    for (int i = 1; i < KINDS; i++) {
        const struct kind *row = &kinds[i];
        struct key key;
        int r;

        if (row->parent != dir->key->kind || !row->name || row->flags & KIND_F_HIDDEN ||
            S_ISDIR(row->mode) != directories)
            continue;
        r = exists(dir, row);
        if (r == -ENOENT)
            continue;
        key = key_child(dir->key, i, NULL);
        if (r == 0)
            r = emit(arg, &key, row->name);
        if (r)
            return r;
    }
    return 0;
}

int kind_list(struct place *dir, list_fn emit, void *arg)
{
    const struct kind *row = kind_row(dir->key->kind);
    int r = row->list ? place_snapshot(dir) : 0;

    if (r == 0)
        r = list_rows(dir, false, emit, arg);
    if (r == 0)
        r = list_rows(dir, true, emit, arg);
    if (r == 0 && row->list)
        r = row->list(dir, emit, arg);
    return r;
}

const char *const *kind_reserved(void)
{
    static const char *const reserved[] = {
        "blueprint.json", "next-id", "services.tsv", "resources", "plan", "graph.dot", NULL};

    return reserved;
}

/* When the content last changed, as far as known, in ms. */
static int64_t mtime_of(struct place *p)
{
    struct fs *fs = p->fs;
    int64_t at = MAX(fs->start_ms, notify_changed(fs->notify, p->key)), known = 0;

    if (p->service && p->key->kind == KIND_SERVICE) {
        struct service_row row;

        provision_row(fs->provision, p->service, &row);
        known = row.created_wall_ms;
    } else if (p->service && place_view(p) == 0) {
        known = MAX(p->view->created_wall_ms, p->view->changed_wall_ms);
    } else if (p->key->kind == KIND_BLUEPRINT) {
        free(provision_blueprint(fs->provision, p->family->id, &known));
        at = 0;
    } else if (p->key->kind == KIND_HEALTH || p->key->kind == KIND_FRESHNESS) {
        struct cache_freshness fresh;

        cache_freshness(fs->cache, &fresh);
        known = fresh.ended_wall_ms;
    }
    /* What was made before this mount began and did not change since keeps its own time. */
    if (known && at == fs->start_ms && known < at)
        at = 0;
    return MAX(at, known);
}

int kind_attr(struct place *p, uint64_t ino, struct stat *ret, struct fault *f)
{
    const struct kind *row = kind_row(p->key->kind);
    struct buf text _cleanup_buf_ = BUF_INIT(64 << 20);
    struct stat st = {.st_ino = ino, .st_nlink = 1, .st_blksize = 4096};
    int64_t ms;

    if (row->render && !(row->flags & KIND_F_WAIT)) {
        int r = row->render(p, &text, f);

        if (r)
            return r;
    }
    ms = mtime_of(p);
    st.st_mode = kind_mode(p->fs, p->key->kind);
    st.st_uid = p->fs->uid;
    st.st_gid = p->fs->gid;
    st.st_size = (off_t)text.len;
    st.st_blocks = (off_t)(text.len + 511) / 512;
    st.st_mtim.tv_sec = ms / 1000;
    st.st_mtim.tv_nsec = ms % 1000 * 1000000;
    st.st_ctim = st.st_atim = st.st_mtim;
    *ret = st;
    return 0;
}
