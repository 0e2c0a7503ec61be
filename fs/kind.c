/*
 * The table of kinds, and what every operation does with a row: find an entry, list them, say what
 * stat shows. A directory holds the rows that name it as parent, then what its own find and list
 * know. What the kernel may keep is data here, too: everything, for ever, but for the flags DIRECT
 * and VOLATILE; and that a name is not there where a directory is NEGATIVE, since in the others
 * names come at once after somebody else's answer (fuse-facts.md 31).
 */
#include "fs/kind.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "fs/changed.h"
#include "fs/content.h"
#include "fs/node.h"
#include "fs/render.h"
#include "fs/tree.h"

enum {
    DIR = S_IFDIR | 0555,
    DIR_W = S_IFDIR | 0775, /* mkdir and rmdir mean something in it */
    REG = S_IFREG | 0444,
    LNK = S_IFLNK | 0777,
    D = KIND_F_DIRECT,
    V = KIND_F_VOLATILE,
    A = KIND_F_ALWAYS,
    N = KIND_F_NEGATIVE
};

#define TREE(x) .find = find_##x, .list = list_##x
#define SINCE(x) .changed = changed_##x

static const struct kind kinds[KINDS] = {
    [KIND_ROOT] = {KIND_ROOT, "", DIR, A | N, .resolve = resolve_none},
    [KIND_README] = {KIND_ROOT, "README", REG, A, .render = render_readme},
    [KIND_GRAPH] = {KIND_ROOT, "graph.dot", REG, KIND_F_VERSION | KIND_F_LONG,
                    .render = render_graph, SINCE(graph)},
    [KIND_FAMILIES] = {KIND_ROOT, "families", DIR, A | N, TREE(families), SINCE(families)},
    [KIND_FAMILY] = {KIND_FAMILIES, NULL, DIR_W, N, .resolve = resolve_family, TREE(family),
                     SINCE(family)},
    [KIND_BLUEPRINT] = {KIND_FAMILY, "blueprint.json", REG, 0, .exists = exists_blueprint,
                        .render = render_blueprint, SINCE(blueprint)},
    [KIND_NEXT_ID] = {KIND_FAMILY, "next-id", REG, D, .exists = exists_next_id,
                      .render = render_next_id},
    [KIND_SERVICES_TSV] = {KIND_FAMILY, "services.tsv", REG, KIND_F_VERSION | KIND_F_LONG,
                           .render = render_services_tsv, SINCE(services_tsv)},
    [KIND_FAMILY_GRAPH] = {KIND_FAMILY, "graph.dot", REG, KIND_F_VERSION | KIND_F_LONG,
                           .render = render_graph, SINCE(graph)},
    [KIND_FAMILY_RESOURCES] = {KIND_FAMILY, "resources", DIR, N, TREE(family_resources),
                               SINCE(family_resources)},
    [KIND_FAMILY_LINK] = {KIND_FAMILY_RESOURCES, NULL, LNK, 0, .render = render_resource_link},
    [KIND_SERVICE] = {KIND_FAMILY, NULL, DIR_W, 0, .resolve = resolve_service, SINCE(service)},
    [KIND_STATUS] = {KIND_SERVICE, "status", REG, 0, .render = render_status, SINCE(service)},
    [KIND_EVENTS] = {KIND_SERVICE, "events", REG, KIND_F_FOLLOW, .render = render_events,
                     SINCE(events), .size = size_events},
    [KIND_ERROR] = {KIND_SERVICE, "error", REG, 0, .exists = exists_error, .render = render_error,
                    SINCE(service)},
    [KIND_SERVICE_JSON] = {KIND_SERVICE, "service.json", REG, KIND_F_VERSION,
                           .render = render_service_json, SINCE(service_json)},
    [KIND_SERVICE_GRAPH] = {KIND_SERVICE, "graph.dot", REG, KIND_F_VERSION | KIND_F_LONG,
                            .render = render_graph, SINCE(graph)},
    [KIND_WAIT] = {KIND_SERVICE, "wait", REG, D | KIND_F_HIDDEN | KIND_F_WAIT,
                   .render = render_wait},
    [KIND_OUTPUTS] = {KIND_SERVICE, "outputs", DIR, 0, TREE(outputs), SINCE(service)},
    [KIND_OUTPUT] = {KIND_OUTPUTS, NULL, REG, 0, .render = render_output, SINCE(service)},
    [KIND_SERVICE_RESOURCES] = {KIND_SERVICE, "resources", DIR, N, TREE(service_resources),
                                SINCE(service_resources)},
    [KIND_SERVICE_LINK] = {KIND_SERVICE_RESOURCES, NULL, LNK, 0, .render = render_resource_link},
    /* Behind resources/, of which no service has none: what removes a tree is refused there first.
     */
    [KIND_DEPENDS_ON] = {KIND_SERVICE, "depends-on", DIR_W, 0, TREE(depends_on), SINCE(depends_on)},
    [KIND_DEPENDENCY] = {KIND_DEPENDS_ON, NULL, LNK, 0, .render = render_dependency_link},
    [KIND_DEPENDENTS] = {KIND_SERVICE, "dependents", DIR, 0, TREE(dependents), SINCE(dependents)},
    [KIND_DEPENDENT] = {KIND_DEPENDENTS, NULL, LNK, 0, .render = render_dependent_link},
    [KIND_SERVICES] = {KIND_ROOT, "services", DIR, A, TREE(services), SINCE(services)},
    [KIND_SERVICES_LINK] = {KIND_SERVICES, NULL, LNK, 0, .render = render_services_link},
    [KIND_GROUPS] = {KIND_ROOT, "groups", DIR, A, TREE(groups), SINCE(groups)},
    [KIND_GROUP] = {KIND_GROUPS, NULL, DIR, N, .resolve = resolve_group, SINCE(group)},
    [KIND_GROUP_ARN] = {KIND_GROUP, "arn", REG, 0, .render = render_group_arn, SINCE(group)},
    [KIND_GROUP_QUERY] = {KIND_GROUP, "query.json", REG, 0, .exists = exists_group_query,
                          .render = render_group_query, SINCE(group)},
    [KIND_GROUP_RESOURCES] = {KIND_GROUP, "resources", DIR, N, TREE(group_resources),
                              SINCE(group_resources)},
    [KIND_GROUP_LINK] = {KIND_GROUP_RESOURCES, NULL, LNK, 0, .render = render_resource_link},
    [KIND_RESOURCES] = {KIND_ROOT, "resources", DIR, A | N, TREE(resources), SINCE(resources)},
    [KIND_RESOURCE_SERVICE] = {KIND_RESOURCES, NULL, DIR, N, .resolve = resolve_resource_service,
                               TREE(resource_service), SINCE(resource_service)},
    [KIND_RESOURCE_TYPE] = {KIND_RESOURCE_SERVICE, NULL, DIR, N, .resolve = resolve_resource_type,
                            TREE(resource_type), SINCE(resource_type)},
    [KIND_RESOURCE] = {KIND_RESOURCE_TYPE, NULL, DIR, N, .resolve = resolve_resource},
    [KIND_RESOURCE_ARN] = {KIND_RESOURCE, "arn", REG, 0, .exists = exists_arn,
                           .render = render_resource_arn},
    [KIND_PROPERTIES] = {KIND_RESOURCE, "properties.json", REG, KIND_F_FETCHED,
                         .exists = exists_properties, .render = render_properties,
                         SINCE(properties), .size = size_properties},
    [KIND_NO_PROPERTIES] = {KIND_RESOURCE, "properties.json", REG, D | KIND_F_HIDDEN,
                            .exists = exists_no_properties, .render = render_properties,
                            .size = size_no_properties},
    [KIND_IMPACT] = {KIND_RESOURCE, "impact.tsv", REG, KIND_F_FETCHED, .render = render_impact,
                     SINCE(impact), .size = size_impact},
    [KIND_TAGS] = {KIND_RESOURCE, "tags", DIR_W, N, .exists = exists_tags, TREE(tags), SINCE(tags)},
    [KIND_TAG] = {KIND_TAGS, NULL, S_IFREG | 0664, KIND_F_WRITE, .render = render_tag, SINCE(tags),
                  .writable = writable_tag},
    [KIND_RESOURCE_OWNERS] = {KIND_RESOURCE, "services", DIR, N, TREE(owners), SINCE(impact)},
    [KIND_OWNER_LINK] = {KIND_RESOURCES, NULL, LNK, KIND_F_SHARED, .resolve = resolve_owner,
                         .render = render_owner_link},
    [KIND_OWNER_DELETING] = {KIND_RESOURCES, NULL, LNK, KIND_F_SHARED,
                             .resolve = resolve_owner_deleting, .render = render_owner_link},
    [KIND_DELETING] = {KIND_ROOT, "deleting", DIR, A, TREE(deleting), SINCE(deleting)},
    [KIND_DELETING_FAMILY] = {KIND_DELETING, NULL, DIR, 0, .resolve = resolve_deleting_family,
                              TREE(deleting_family), SINCE(deleting_family)},
    [KIND_BY_STATUS] = {KIND_ROOT, "by-status", DIR, A | N, TREE(by_status), SINCE(by_status)},
    [KIND_STANDING] = {KIND_BY_STATUS, NULL, DIR, 0, .resolve = resolve_standing, TREE(standing),
                       SINCE(standing)},
    [KIND_STANDING_LINK] = {KIND_STANDING, NULL, LNK, 0, .render = render_standing_link},
    [KIND_BY_TYPE] = {KIND_ROOT, "by-type", DIR, A | N, TREE(by_type), SINCE(by_type)},
    [KIND_TYPE_LINK] = {KIND_BY_TYPE, NULL, LNK, 0, .render = render_type_link},
    [KIND_UNTAGGED] = {KIND_ROOT, "untagged", DIR, A, TREE(untagged), SINCE(untagged)},
    [KIND_UNTAGGED_LINK] = {KIND_UNTAGGED, NULL, LNK, 0, .render = render_resource_link},
    [KIND_SVCFS] = {KIND_ROOT, ".svcfs", DIR, A | N, .resolve = resolve_none},
    [KIND_HEALTH] = {KIND_SVCFS, "health", REG, A | D | V, .render = render_health, SINCE(sweep)},
    [KIND_IDENTITY] = {KIND_SVCFS, "identity", REG, A, .render = render_identity},
    [KIND_CONFIG] = {KIND_SVCFS, "config.json", REG, A, .render = render_config},
    [KIND_FRESHNESS] = {KIND_SVCFS, "freshness", REG, A | D | V, .render = render_freshness,
                        SINCE(sweep)},
    [KIND_METRICS] = {KIND_SVCFS, "metrics", REG, A | D | V, .render = render_metrics},
    [KIND_ERRORS] = {KIND_SVCFS, "errors", REG, A | D | V, .render = render_errors},
    [KIND_REFRESH] = {KIND_SVCFS, "refresh", S_IFREG | 0666, A | D | KIND_F_WRITE,
                      .render = render_refresh},
    [KIND_VERSION] = {KIND_SVCFS, "version", REG, A, .render = render_version},
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

double kind_attr_timeout(enum kind_id id)
{
    return kinds[id].flags & KIND_F_VOLATILE ? 0 : KIND_FOR_EVER;
}

bool kind_is_early(const struct key *key)
{
    struct key up = *key;

    if (key->deleting)
        return false;
    while (up.kind != KIND_FAMILIES && up.kind != KIND_ROOT)
        up = key_parent(&up);
    return up.kind == KIND_FAMILIES || key->kind == KIND_ROOT;
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

static int same_version(struct place *p)
{
    uint64_t version;
    int r = kind_version(p, &version, p->fault);

    return r ? r : version == p->key->version ? 0 : -ESTALE;
}

int kind_present(struct place *p)
{
    const struct kind *row = kind_row(p->key->kind);
    struct key found, dir;
    struct place parent;
    int r;

    if (row->flags & KIND_F_VERSION)
        return same_version(p);
    if (row->name)
        return exists(p, row);
    if (row->resolve)
        return 0; /* resolving was the question */
    /* An entry that only its directory knows: ask as a LOOKUP would. */
    dir = key_parent(p->key);
    parent = *p;
    parent.key = &dir;
    r = kinds[dir.kind].find(&parent, key_name(p->key), &found);
    p->view = parent.view;
    return r;
}

int kind_version(struct place *p, uint64_t *ret, struct fault *f)
{
    int r = 0;

    *ret = 0;
    if (!(kinds[p->key->kind].flags & KIND_F_VERSION))
        return 0;
    if (!p->content)
        r = content_get(p, f);
    if (r == 0)
        *ret = p->content->version;
    return r;
}

int kind_find(struct place *dir, const char *name, struct key *ret)
{
    enum kind_id id = dir->key->kind;
    bool is_fixed = false;
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
        if (r != -ENOENT)
            return r;
        is_fixed = true; /* another row may have the name, but no value has */
    }
    if (is_fixed || !kinds[id].find ||
        name[0] == '.') /* no value's name begins with one (cache/name.h) */
        return -ENOENT;
    r = place_snapshot(dir);
    r = r ? r : kinds[id].find(dir, name, ret);
    /* What a sketch or a saved index does not have may be there all the same. */
    return r == -ENOENT ? place_absent(dir) : r;
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

int64_t kind_mtime(struct place *p)
{
    const struct kind *row = kind_row(p->key->kind);
    int64_t known = p->content ? p->content->changed_ms : row->changed ? row->changed(p) : 0;
    int64_t seen = p->node ? node_changed(p->fs->nodes, p->node) : 0;

    /* What was made before this mount began, and did not change since, keeps its own time. */
    return MAX(known ? known : p->fs->start_ms, seen);
}

static int size_of(struct place *p, size_t *ret, struct fault *f)
{
    const struct kind *row = kind_row(p->key->kind);
    struct buf text _cleanup_buf_ = BUF_INIT(64 << 20);
    int r = 0;

    *ret = 0;
    if (!row->render || row->flags & KIND_F_WAIT)
        return 0;
    if (row->size)
        return row->size(p, ret);
    if (row->flags & KIND_F_VERSION) {
        r = p->content ? 0 : content_get(p, f);
        if (r == 0)
            *ret = p->content->text.len;
        return r;
    }
    r = row->render(p, &text, f);
    if (r == 0)
        *ret = text.len;
    return r;
}

int kind_attr(struct place *p, uint64_t ino, struct stat *ret, struct fault *f)
{
    struct stat st = {.st_ino = ino, .st_nlink = 1, .st_blksize = 4096};
    size_t size;
    int64_t ms;
    int r = size_of(p, &size, f);

    if (r)
        return r;
    ms = kind_mtime(p);
    st.st_mode = kind_mode(p->fs, p->key->kind);
    if (kinds[p->key->kind].writable && !kinds[p->key->kind].writable(p))
        st.st_mode &= ~0222u;
    st.st_uid = p->fs->uid;
    st.st_gid = p->fs->gid;
    st.st_size = (off_t)size;
    st.st_blocks = (off_t)(size + 511) / 512;
    st.st_mtim.tv_sec = ms / 1000;
    st.st_mtim.tv_nsec = ms % 1000 * 1000000;
    st.st_ctim = st.st_atim = st.st_mtim;
    *ret = st;
    return 0;
}
