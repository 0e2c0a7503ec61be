/*
 * The format: a line that names it and its version, the owner's strings, begin and number of
 * resources, the resources, and SipHash of all that. Numbers are little-endian; a string is its
 * length and its bytes, without a zero among them. The hash finds what a disk or a crash broke;
 * what somebody wrote on purpose has a right hash, too, so every length is checked all the same.
 *
 * The new content is written beside the old one, reaches the disk, and takes its place: a crash
 * leaves one or the other. What a crash leaves beside it is taken away by the next who saves, a
 * minute later: until then it may be a second daemon's work.
 *
 * Rejected: JSON, which took five times as long to read (0.1 s for a hundred thousand resources
 * here), and one file for all accounts.
 */
#include "cache/saved.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/str.h"

enum { IMAGE_MAX = 512 * 1024 * 1024, LEFT_OVER_S = 60 };

static const char magic[] = "svcfs index 1\n";

/* --- out --- */

/* Counts while at is NULL, then writes. */
struct writer {
    char *at;
    size_t len;
};

static void put(struct writer *w, const void *data, size_t n)
{
    if (w->at)
        memcpy(w->at + w->len, data, n);
    w->len += n;
}

static void put_32(struct writer *w, uint32_t value)
{
    value = htole32(value);
    put(w, &value, sizeof(value));
}

static void put_64(struct writer *w, uint64_t value)
{
    value = htole64(value);
    put(w, &value, sizeof(value));
}

static void put_string(struct writer *w, const char *s)
{
    size_t n = strlen(s);

    put_32(w, (uint32_t)n);
    put(w, s, n);
}

static bool is_saved(const struct saved_owner *o, const struct index_resource *r)
{
    return r->has_arn && (index_tag(r, o->family_tag) || index_tag(r, o->service_tag));
}

static void put_resource(struct writer *w, const struct index_resource *r)
{
    put_string(w, r->key);
    put_32(w, (uint32_t)r->n_tags);
    for (size_t i = 0; i < r->n_tags; i++) {
        put_string(w, r->tags[i].key);
        put_string(w, r->tags[i].value);
    }
}

static void put_all(struct writer *w, const struct saved_owner *o, const struct snapshot *s,
                    int64_t begun_wall_ms)
{
    const char *const strings[] = {o->account,  o->region,     o->partition,
                                   o->endpoint, o->family_tag, o->service_tag};
    uint32_t n = 0;

    put(w, magic, strlen(magic));
    for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
        put_string(w, strings[i]);
    put_64(w, (uint64_t)begun_wall_ms);
    for (size_t i = 0; i < s->n_resources; i++)
        n += is_saved(o, s->resources[i]);
    put_32(w, n);
    for (size_t i = 0; i < s->n_resources; i++)
        if (is_saved(o, s->resources[i]))
            put_resource(w, s->resources[i]);
}

int saved_image(const struct saved_owner *o, const struct snapshot *s, int64_t begun_wall_ms,
                char **ret, size_t *ret_len)
{
    struct writer w = {0};

    put_all(&w, o, s, begun_wall_ms);
    if (w.len > IMAGE_MAX - sizeof(uint64_t))
        return -EFBIG;
    w.at = malloc(w.len + sizeof(uint64_t));
    if (!w.at)
        return -ENOMEM;
    w.len = 0;
    put_all(&w, o, s, begun_wall_ms);
    put_64(&w, hash_stable(w.at, w.len));
    *ret = w.at;
    *ret_len = w.len;
    return 0;
}

/* --- and back --- */

struct reader {
    const char *at;
    size_t left;
    bool bad; /* too short, or no string; then all that follows is empty */
    struct arena *arena;
    bool no_memory;
};

static const void *take(struct reader *r, size_t n)
{
    const char *at = r->at;

    if (r->bad || n > r->left) {
        r->bad = true;
        return NULL;
    }
    r->at += n;
    r->left -= n;
    return at;
}

static uint32_t take_32(struct reader *r)
{
    const void *at = take(r, sizeof(uint32_t));
    uint32_t value = 0;

    if (at)
        memcpy(&value, at, sizeof(value));
    return le32toh(value);
}

static uint64_t take_64(struct reader *r)
{
    const void *at = take(r, sizeof(uint64_t));
    uint64_t value = 0;

    if (at)
        memcpy(&value, at, sizeof(value));
    return le64toh(value);
}

/* In the arena; "" where it is bad or there is no memory. */
static const char *take_string(struct reader *r)
{
    size_t n = take_32(r);
    const char *at = take(r, n), *copy;

    if (!at || memchr(at, 0, n)) {
        r->bad = true;
        return "";
    }
    copy = arena_strndup(r->arena, at, n);
    r->no_memory |= !copy;
    return copy ? copy : "";
}

static bool take_owner(struct reader *r, const struct saved_owner *o)
{
    const char *const strings[] = {o->account,  o->region,     o->partition,
                                   o->endpoint, o->family_tag, o->service_tag};
    bool same = true;

    for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
        same &= streq(take_string(r), strings[i]);
    return same;
}

/* Tags are sorted, as raw.h has them. */
static const struct index_tag *take_tags(struct reader *r, size_t *ret_n)
{
    size_t n = take_32(r);
    struct index_tag *tags;

    if (n > r->left / (2 * sizeof(uint32_t))) { /* before memory is taken for them */
        r->bad = true;
        return NULL;
    }
    tags = arena_array(r->arena, n, sizeof(*tags));
    r->no_memory |= !tags;
    for (size_t i = 0; tags && i < n && !r->bad; i++) {
        tags[i].key = take_string(r);
        tags[i].value = take_string(r);
        r->bad |= i > 0 && strcmp(tags[i - 1].key, tags[i].key) >= 0;
    }
    *ret_n = n;
    return tags;
}

static void take_resource(struct reader *r, struct raw_resources *all)
{
    struct raw_resource *one = arena_alloc(r->arena, sizeof(*one));

    r->no_memory |= !one;
    if (!one)
        return;
    one->key = take_string(r);
    one->tags = take_tags(r, &one->n_tags);
    r->bad |= !*one->key || map_get(all->by_key, one->key);
    if (!r->bad && !r->no_memory && map_put(all->by_key, one->key, one, NULL) < 0)
        r->no_memory = true;
}

int saved_parse(const struct saved_owner *o, const char *data, size_t len,
                struct raw_resources **ret, struct fault *f)
{
    _cleanup_(raw_resources_unrefp) struct raw_resources *all = raw_resources_new();
    struct reader r = {.at = data, .left = len, .arena = all ? all->arena : NULL};
    size_t n = strlen(magic);

    if (!all)
        return fault_set(f, -ENOMEM, "no memory");
    if (len < n + sizeof(uint64_t) || memcmp(data, magic, n) != 0)
        return fault_set(f, -EPROTO, "not a saved index of this version");
    struct reader end = {.at = data + len - sizeof(uint64_t), .left = sizeof(uint64_t)};
    if (take_64(&end) != hash_stable(data, len - sizeof(uint64_t)))
        return fault_set(f, -EPROTO, "its checksum is wrong");
    r.left -= sizeof(uint64_t);
    (void)take(&r, n);
    if (!take_owner(&r, o) && !r.no_memory)
        return fault_set(f, -EPROTO, "of another account, region, endpoint or tag");
    all->begun_wall_ms = (int64_t)take_64(&r);
    all->saved = true;
    for (uint32_t i = take_32(&r); i > 0 && !r.bad && !r.no_memory; i--)
        take_resource(&r, all);
    if (r.no_memory)
        return fault_set(f, -ENOMEM, "no memory");
    if (r.bad || r.left > 0 || all->begun_wall_ms <= 0)
        return fault_set(f, -EPROTO, "its content cannot be read");
    *ret = steal_ptr(all);
    return 0;
}

/* --- the file --- */

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
#define _cleanup_close_ _cleanup_(close_fd)

static int fail(struct fault *f, const char *path, const char *what)
{
    int err = errno;

    return fault_set(f, -err, "%s: %s: %s", path, what, strerror(err));
}

/* All directories above the file. */
static void make_directories(const char *path)
{
    char *copy _cleanup_free_ = strdup(path);

    for (char *slash = copy ? strchr(copy + 1, '/') : NULL; slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        (void)mkdir(copy, 0700); /* whether it is there is seen when it is opened */
        *slash = '/';
    }
}

/* The file's directory. Whoever else could write into it could put another file in place. */
static int open_directory(const char *path, int *ret, struct fault *f)
{
    char *directory _cleanup_free_ = strndup(path, (size_t)(strrchr(path, '/') - path));
    int fd _cleanup_close_ = -1;
    struct stat st;

    if (!directory)
        return fault_set(f, -ENOMEM, "no memory");
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return fail(f, directory, "cannot be opened");
    if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
        return fault_set(f, -EPERM, "%s: not this user's alone", directory);
    *ret = fd;
    fd = -1;
    return 0;
}

/* A name that is there already is another daemon's work, or was left by a crash. */
static int open_new(int directory, const char *name, struct fault *f)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(directory, name, flags, 0600);
    struct stat st;

    if (fd < 0 && errno == EEXIST && fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        time(NULL) - st.st_mtime > LEFT_OVER_S && unlinkat(directory, name, 0) == 0)
        fd = openat(directory, name, flags, 0600);
    return fd < 0 ? fail(f, name, "cannot be made") : fd;
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno != EINTR)
            return -1;
        data += MAX(n, 0);
        len -= (size_t)MAX(n, 0);
    }
    return fsync(fd);
}

int saved_write(const char *path, const char *data, size_t len, struct fault *f)
{
    const char *name = strrchr(path, '/') + 1;
    char *temporary _cleanup_free_ = str_printf("%s.new", name);
    int directory _cleanup_close_ = -1, fd _cleanup_close_ = -1;
    int r;

    if (!temporary)
        return fault_set(f, -ENOMEM, "no memory");
    make_directories(path);
    r = open_directory(path, &directory, f);
    if (r < 0)
        return r;
    fd = open_new(directory, temporary, f);
    if (fd < 0)
        return fd;
    if (write_all(fd, data, len) < 0 || renameat(directory, temporary, directory, name) < 0) {
        r = fail(f, path, "cannot be written");
        (void)unlinkat(directory, temporary, 0);
        return r;
    }
    return fsync(directory) < 0 ? fail(f, path, "cannot be written") : 0;
}

static int read_all(int fd, char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = read(fd, data, len);

        if (n == 0)
            errno = EIO; /* shorter than it was a moment ago */
        if (n == 0 || (n < 0 && errno != EINTR))
            return -1;
        data += MAX(n, 0);
        len -= (size_t)MAX(n, 0);
    }
    return 0;
}

int saved_read(const char *path, const struct saved_owner *o, struct raw_resources **ret,
               struct fault *f)
{
    /* O_NONBLOCK: a FIFO in its place must not hold us. */
    int fd _cleanup_close_ = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return fail(f, path, "cannot be opened");
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & (S_IRWXG | S_IRWXO)))
        return fault_set(f, -EPERM, "%s: not a file of this user's alone", path);
    if (st.st_size > IMAGE_MAX)
        return fault_set(f, -EFBIG, "%s: too large", path);
    size_t len = (size_t)st.st_size;
    char *data _cleanup_free_ = malloc(MAX(len, (size_t)1));
    if (!data)
        return fault_set(f, -ENOMEM, "no memory");
    if (read_all(fd, data, len) < 0)
        return fail(f, path, "cannot be read");
    int r = saved_parse(o, data, len, ret, f);
    return r < 0 ? fault_prefix(f, r, "%s", path) : 0;
}
