/*
 * The blueprints of one directory. A scan looks at names and at mtime, size and inode of each
 * F.json and F.parameters.json; what changed is read and loaded anew and takes the old one's place
 * as a whole. There is no last good one: a family whose file is broken refuses mkdir until it is
 * mended, since nobody could tell from the tree which of two texts is in force.
 *
 * The stat is taken before the file is read: a change in between is seen as one by the next scan.
 * Scans exclude each other by `scanning`; `lock` guards the table alone and is never held while a
 * file is read or a function of the caller runs.
 */
#include "provision/blueprint.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/map.h"
#include "base/str.h"
#include "cache/name.h"

enum { FILE_BYTES_MAX = 1024 * 1024, FAMILY_MAX = 256 };

static const char blueprint_suffix[] = ".json";
static const char parameters_suffix[] = ".parameters.json";

struct stamp {
    bool exists;
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec mtime;
};

struct entry {
    struct stamp text_stamp, parameters_stamp;
    char *text;                  /* NULL: could not be read */
    struct blueprint *blueprint; /* NULL: broken, fault tells */
    struct fault fault;
};

struct catalog {
    char *dir;
    char *region, *account, *partition, *family_tag, *service_tag;
    struct blueprint_env env;
    pthread_mutex_t scanning;
    pthread_mutex_t lock;
    struct map *entries; /* family → struct entry */
    char **strays;       /* lines, NULL-ended, or NULL */
    char **changed;      /* families, NULL-ended, or NULL: for catalog_take_changed */
    size_t n_changed;
};

static void entry_free(struct entry *e)
{
    if (!e)
        return;
    free(e->text);
    blueprint_unref(e->blueprint);
    free(e);
}

static void entry_free_value(void *e)
{
    entry_free(e);
}

void catalog_names_free(char **names)
{
    for (size_t i = 0; names && names[i]; i++)
        free(names[i]);
    free(names);
}
DEFINE_CLEANUP(char **, catalog_names_free)

void catalog_free(struct catalog *c)
{
    if (!c)
        return;
    if (c->entries)
        map_free_with(c->entries, entry_free_value);
    catalog_names_free(c->strays);
    catalog_names_free(c->changed);
    pthread_mutex_destroy(&c->scanning);
    pthread_mutex_destroy(&c->lock);
    free(c->dir);
    free(c->region);
    free(c->account);
    free(c->partition);
    free(c->family_tag);
    free(c->service_tag);
    free(c);
}

int catalog_new(struct catalog **ret, const char *dir, const struct blueprint_env *env,
                struct fault *f)
{
    struct catalog *c = calloc(1, sizeof(*c));

    if (!c)
        return fault_set(f, -ENOMEM, "no memory");
    pthread_mutex_init(&c->scanning, NULL);
    pthread_mutex_init(&c->lock, NULL);
    c->entries = map_new();
    c->dir = strdup(dir);
    c->env.region = c->region = strdup(env->region);
    c->env.account = c->account = strdup(env->account);
    c->env.partition = c->partition = strdup(env->partition);
    c->env.family_tag = c->family_tag = strdup(env->family_tag);
    c->env.service_tag = c->service_tag = strdup(env->service_tag);
    if (!c->entries || !c->dir || !c->region || !c->account || !c->partition || !c->family_tag ||
        !c->service_tag) {
        catalog_free(c);
        return fault_set(f, -ENOMEM, "no memory");
    }
    *ret = c;
    return 0;
}

static struct stamp stamp_of(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return (struct stamp){0};
    return (struct stamp){true, st.st_dev, st.st_ino, st.st_size, st.st_mtim};
}

static bool stamp_equal(const struct stamp *a, const struct stamp *b)
{
    return a->exists == b->exists && a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
           a->mtime.tv_sec == b->mtime.tv_sec && a->mtime.tv_nsec == b->mtime.tv_nsec;
}

/* Reads a file of the directory; a NUL in it would hide what follows. */
static int read_text(const char *path, char **ret, struct fault *f)
{
    _cleanup_free_ char *text = NULL;
    size_t len;
    int r = str_read_file(path, FILE_BYTES_MAX, &text, &len);

    if (r == -EFBIG)
        return fault_set(f, r, "%s: has more than %d bytes", path, FILE_BYTES_MAX);
    if (r < 0)
        return fault_set(f, r, "%s: cannot be read: %s", path, strerror(-r));
    if (strlen(text) != len)
        return fault_set(f, -EINVAL, "%s: has a NUL byte", path);
    *ret = steal_ptr(text);
    return 0;
}

/* Fills e from the two files; a broken blueprint is no failure of this. -ENOMEM. */
static int entry_load(struct catalog *c, struct entry *e, const char *family, const char *path,
                      const char *parameters_path)
{
    _cleanup_free_ char *parameters = NULL;
    int r = read_text(path, &e->text, &e->fault);

    if (r == 0 && e->parameters_stamp.exists)
        r = read_text(parameters_path, &parameters, &e->fault);
    if (r == 0)
        r = blueprint_load(family, path, e->text, parameters_path, parameters, &c->env,
                           &e->blueprint, &e->fault);
    return r == -ENOMEM ? r : 0;
}

struct scan {
    struct catalog *c;
    struct map *seen; /* family → anything */
    char **strays;
    size_t n_strays;
    bool changed;
};

static int add_line(char ***list, size_t *n, const char *line)
{
    char **grown = realloc(*list, (*n + 2) * sizeof(**list));

    if (!grown)
        return -ENOMEM;
    *list = grown;
    grown[*n] = strdup(line);
    if (!grown[*n])
        return -ENOMEM;
    grown[++*n] = NULL;
    return 0;
}

static int stray(struct scan *s, const char *name, const char *why)
{
    _cleanup_free_ char *line = str_printf("%s/%s: %s", s->c->dir, name, why);

    return line ? add_line(&s->strays, &s->n_strays, line) : -ENOMEM;
}

/* One F.json: loads it where it is new or has changed. */
static int scan_family(struct scan *s, const char *name, const char *family)
{
    struct catalog *c = s->c;
    int stem = (int)(strlen(name) - strlen(blueprint_suffix));
    _cleanup_free_ char *path = str_printf("%s/%s", c->dir, name);
    _cleanup_free_ char *parameters =
        str_printf("%s/%.*s%s", c->dir, stem, name, parameters_suffix);
    struct entry *e, *old, *known;
    void *replaced = NULL;
    int r;

    if (!path || !parameters || !(e = calloc(1, sizeof(*e))))
        return -ENOMEM;
    e->text_stamp = stamp_of(path);
    e->parameters_stamp = stamp_of(parameters);
    /* Only scans write the table, and this is the only scan: reading without the lock is safe. */
    known = map_get(c->entries, family);
    if (!e->text_stamp.exists || (known && stamp_equal(&known->text_stamp, &e->text_stamp) &&
                                  stamp_equal(&known->parameters_stamp, &e->parameters_stamp))) {
        r = e->text_stamp.exists ? map_put(s->seen, family, s, NULL) : 0;
        entry_free(e);
        return r;
    }
    r = entry_load(c, e, family, path, parameters);
    if (r == 0)
        r = map_put(s->seen, family, s, NULL);
    if (r == 0) {
        pthread_mutex_lock(&c->lock);
        r = map_put(c->entries, family, e, &replaced);
        if (r == 0)
            add_line(&c->changed, &c->n_changed, family);
        pthread_mutex_unlock(&c->lock);
    }
    if (r < 0) {
        entry_free(e);
        return r;
    }
    old = replaced;
    entry_free(old);
    s->changed = true;
    return 0;
}

/* What a family may be called: a tag's value that AWS takes. */
static bool is_family(const char *s)
{
    size_t n = strlen(s);

    if (n == 0 || n > FAMILY_MAX || !str_utf8_valid(s, n) || strncasecmp(s, "aws:", 4) == 0)
        return false;
    for (; *s; s++)
        if ((unsigned char)*s < 0x80 && !strchr(" _.:/=+-@", *s) && !(*s >= '0' && *s <= '9') &&
            !(*s >= 'a' && *s <= 'z') && !(*s >= 'A' && *s <= 'Z'))
            return false;
    return true;
}

static int scan_name(struct scan *s, const char *name)
{
    char stem[NAME_SIZE + 32], family[1024];
    size_t n = strlen(name);

    if (*name == '.' || !str_ends(name, blueprint_suffix) || n >= sizeof(stem))
        return 0; /* an editor's, a README: nobody's business */
    if (str_ends(name, parameters_suffix)) {
        _cleanup_free_ char *path = str_printf(
            "%s/%.*s%s", s->c->dir, (int)(n - strlen(parameters_suffix)), name, blueprint_suffix);
        if (!path)
            return -ENOMEM;
        return stamp_of(path).exists
                   ? 0
                   : stray(s, name, "parameters of a blueprint that is not there");
    }
    snprintf(stem, sizeof(stem), "%.*s", (int)(n - strlen(blueprint_suffix)), name);
    if (name_to_value(stem, NULL, family, sizeof(family)) < 0 || !is_family(family))
        return stray(s, name, "not the name of a possible family");
    return scan_family(s, name, family);
}

/* Families whose file is gone leave the table. */
static void drop_unseen(struct scan *s)
{
    struct map_iter it = {0};
    const char *family;
    void *e;

    pthread_mutex_lock(&s->c->lock);
    while (map_next(s->c->entries, &it, &family, &e))
        if (!map_get(s->seen, family)) {
            add_line(&s->c->changed, &s->c->n_changed, family);
            map_remove(s->c->entries, family);
            entry_free(e);
            s->changed = true;
        }
    pthread_mutex_unlock(&s->c->lock);
}

static bool lines_equal(char **a, char **b)
{
    for (; a && b && *a && *b; a++, b++)
        if (!streq(*a, *b))
            return false;
    return !(a && *a) && !(b && *b);
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* readdir's errors are told only by errno. */
static int scan_names(struct scan *s, DIR *d)
{
    struct dirent *entry;
    int r = 0;

    for (;;) {
        errno = 0;
        entry = readdir(d);
        if (!entry)
            return -errno;
        r = scan_name(s, entry->d_name);
        if (r < 0)
            return r;
    }
}

int catalog_scan(struct catalog *c, bool *ret_changed, struct fault *f)
{
    struct scan s = {.c = c, .seen = map_new()};
    char **old = NULL;
    DIR *d;
    int r;

    pthread_mutex_lock(&c->scanning);
    d = opendir(c->dir);
    r = !s.seen ? -ENOMEM : d ? scan_names(&s, d) : -errno;
    if (d)
        closedir(d);
    if (r == 0) {
        drop_unseen(&s);
        if (s.n_strays)
            qsort(s.strays, s.n_strays, sizeof(*s.strays), compare_lines);
        pthread_mutex_lock(&c->lock);
        s.changed |= !lines_equal(c->strays, s.strays);
        old = c->strays;
        c->strays = steal_ptr(s.strays);
        pthread_mutex_unlock(&c->lock);
    }
    pthread_mutex_unlock(&c->scanning);
    catalog_names_free(old);
    catalog_names_free(s.strays);
    map_free(s.seen);
    if (r < 0)
        return fault_set(f, r, "the blueprints in %s cannot be read: %s", c->dir, strerror(-r));
    *ret_changed = s.changed;
    return 0;
}

char **catalog_take_changed(struct catalog *c)
{
    pthread_mutex_lock(&c->lock);
    char **changed = steal_ptr(c->changed);
    c->n_changed = 0;
    pthread_mutex_unlock(&c->lock);
    return changed;
}

int catalog_names(struct catalog *c, char ***ret, size_t *ret_n)
{
    _cleanup_(catalog_names_freep) char **names = calloc(1, sizeof(*names));
    struct map_iter it = {0};
    const char *family;
    size_t n = 0;
    void *e;
    int r = names ? 0 : -ENOMEM;

    pthread_mutex_lock(&c->lock);
    while (r == 0 && map_next(c->entries, &it, &family, &e))
        r = add_line(&names, &n, family);
    pthread_mutex_unlock(&c->lock);
    if (r < 0)
        return r;
    qsort(names, n, sizeof(*names), compare_lines);
    *ret = steal_ptr(names);
    *ret_n = n;
    return 0;
}

int catalog_get(struct catalog *c, const char *family, struct blueprint **ret, struct fault *f)
{
    struct entry *e;
    int r = 0;

    pthread_mutex_lock(&c->lock);
    e = map_get(c->entries, family);
    if (!e)
        r = fault_set(f, -ENOENT, "there is no blueprint of %s in %s", family, c->dir);
    else if (!e->blueprint)
        r = fault_set(f, -EPERM, "%s", e->fault.message);
    else
        *ret = blueprint_ref(e->blueprint);
    pthread_mutex_unlock(&c->lock);
    return r;
}

char *catalog_text(struct catalog *c, const char *family, int64_t *ret_mtime_ms)
{
    struct entry *e;
    char *text = NULL;

    pthread_mutex_lock(&c->lock);
    e = map_get(c->entries, family);
    if (e && e->text && (text = strdup(e->text)))
        *ret_mtime_ms =
            (int64_t)e->text_stamp.mtime.tv_sec * 1000 + e->text_stamp.mtime.tv_nsec / 1000000;
    pthread_mutex_unlock(&c->lock);
    return text;
}

void catalog_problems(struct catalog *c, void (*fn)(void *arg, const char *line), void *arg)
{
    _cleanup_(catalog_names_freep) char **lines = NULL;
    struct map_iter it = {0};
    const char *family;
    size_t n = 0;
    void *value;

    pthread_mutex_lock(&c->lock);
    while (map_next(c->entries, &it, &family, &value)) {
        const struct entry *e = value;
        if (!e->blueprint)
            add_line(&lines, &n, e->fault.message);
    }
    for (size_t i = 0; c->strays && c->strays[i]; i++)
        add_line(&lines, &n, c->strays[i]);
    pthread_mutex_unlock(&c->lock);
    if (n)
        qsort(lines, n, sizeof(*lines), compare_lines);
    for (size_t i = 0; i < n; i++)
        fn(arg, lines[i]);
}
