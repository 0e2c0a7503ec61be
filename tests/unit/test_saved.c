/* The saved index: what is written comes back; what is not this user's own file, whole and for this
 * very mount, does not. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/str.h"
#include "cache/saved.h"
#include "tests/unit/world.h"

static const struct saved_owner owner = {"123456789012", "eu-central-1",   "aws",
                                         "http://h:1",   "service-family", "service-id"};

static char directory[64], path[96];

static int make_directory(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/svcfs-saved-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof(path), "%s/index", directory);
    return 0;
}

static int remove_directory(void **state)
{
    char other[128];
    (void)state;

    (void)chmod(directory, 0700);
    (void)unlink(path);
    snprintf(other, sizeof(other), "%s.new", path);
    (void)unlink(other);
    snprintf(other, sizeof(other), "%s.real", path);
    (void)unlink(other);
    return rmdir(directory);
}

static void image(char **ret, size_t *ret_len)
{
    _cleanup_world_ struct world *w = world_new();

    world_add(w, SG("sg-1"), FAMILY("wp"), SERVICE("n1"), "Name=");
    world_add(w, SG("sg-2"), SERVICE("stray"));
    world_add_tags(w, "arn:aws:s3:::none", (const char *const[]){NULL});
    overlay_put(&w->overlay, SG("sg-3"), (const struct index_tag[]){{"service-family", "new"}}, 1,
                NULL, 0);
    _cleanup_snapshot_ const struct snapshot *s = world_build(w);
    assert_int_equal(saved_image(&owner, s, 1795348800000, ret, ret_len), 0);
}

static void check_there(const struct raw_resources *r)
{
    assert_int_equal(map_size(r->by_key), 3);
    assert_true(r->saved);
    assert_int_equal(r->begun_wall_ms, 1795348800000);
    const struct raw_resource *one = map_get(r->by_key, SG("sg-1"));
    assert_int_equal(one->n_tags, 3);
    assert_string_equal(one->tags[0].key, "Name");
    assert_string_equal(one->tags[0].value, "");
    assert_string_equal(tag_value(one->tags, one->n_tags, "service-id"), "n1");
    assert_null(map_get(r->by_key, "arn:aws:s3:::none")); /* it has neither tag */
    assert_non_null(map_get(r->by_key, SG("sg-3")));      /* an own write */
}

static void test_round(void **state)
{
    _cleanup_(raw_resources_unrefp) struct raw_resources *r = NULL;
    _cleanup_free_ char *data = NULL;
    size_t len;
    (void)state;

    image(&data, &len);
    assert_int_equal(saved_parse(&owner, data, len, &r, NULL), 0);
    check_there(r);
}

/* Each end, and each changed byte, is seen: by the checksum, and by the lengths where that is made
 * right again. */
static void test_broken(void **state)
{
    struct raw_resources *r = NULL;
    _cleanup_free_ char *data = NULL;
    size_t len;
    (void)state;

    image(&data, &len);
    for (size_t n = 0; n < len; n++)
        assert_int_equal(saved_parse(&owner, data, n, &r, NULL), -EPROTO);
    for (size_t i = 0; i < len; i++) {
        data[i] ^= 0x40;
        assert_int_equal(saved_parse(&owner, data, len, &r, NULL), -EPROTO);
        data[i] ^= 0x40;
    }
    for (size_t n = 8; n < len; n++) {
        _cleanup_free_ char *copy = malloc(n);
        memcpy(copy, data, n - 8);
        uint64_t sum = hash_stable(copy, n - 8);
        memcpy(copy + n - 8, &sum, 8);
        assert_int_equal(saved_parse(&owner, copy, n, &r, NULL), -EPROTO);
    }
    assert_null(r);
}

static void test_foreign(void **state)
{
    const char *const *members = &owner.account;
    struct raw_resources *r = NULL;
    _cleanup_free_ char *data = NULL;
    struct fault f = FAULT_INIT;
    size_t len;
    (void)state;

    image(&data, &len);
    for (size_t i = 0; i < sizeof(owner) / sizeof(*members); i++) {
        struct saved_owner other = owner;
        (&other.account)[i] = "other";
        assert_int_equal(saved_parse(&other, data, len, &r, &f), -EPROTO);
        assert_non_null(strstr(f.message, "another account"));
    }
    assert_null(r);
}

static void write_image(void)
{
    _cleanup_free_ char *data = NULL;
    size_t len;

    image(&data, &len);
    assert_int_equal(saved_write(path, data, len, NULL), 0);
}

static int read_image(void)
{
    _cleanup_(raw_resources_unrefp) struct raw_resources *r = NULL;
    int e = saved_read(path, &owner, &r, NULL);

    if (e == 0)
        check_there(r);
    return e;
}

static void test_file(void **state)
{
    struct stat st;
    (void)state;

    assert_int_equal(read_image(), -ENOENT);
    write_image();
    write_image(); /* over the first */
    assert_int_equal(read_image(), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(read_image(), -EPERM);
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(read_image(), -EPROTO);
}

static void test_no_file(void **state)
{
    char real[128];
    (void)state;

    snprintf(real, sizeof(real), "%s.real", path);
    write_image();
    assert_int_equal(rename(path, real), 0);
    assert_int_equal(symlink(real, path), 0);
    assert_int_equal(read_image(), -ELOOP);
    write_image(); /* takes the link's place, and leaves alone what it points to */
    assert_int_equal(read_image(), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(read_image(), -EPERM);
}

/* Who else may write there could put another file in its place. */
static void test_open_directory(void **state)
{
    _cleanup_free_ char *data = NULL;
    size_t len;
    (void)state;

    image(&data, &len);
    assert_int_equal(chmod(directory, 0770), 0);
    assert_int_equal(saved_write(path, data, len, NULL), -EPERM);
    assert_int_equal(access(path, F_OK), -1);
}

/* A new one in the making is another daemon's, unless it is old. */
static void test_left_over(void **state)
{
    static const struct timespec long_ago[2] = {{1, 0}, {1, 0}};
    _cleanup_free_ char *data = NULL;
    char beside[128];
    size_t len;
    (void)state;

    image(&data, &len);
    snprintf(beside, sizeof(beside), "%s.new", path);
    close(open(beside, O_WRONLY | O_CREAT, 0600));
    assert_int_equal(saved_write(path, data, len, NULL), -EEXIST);
    assert_int_equal(utimensat(AT_FDCWD, beside, long_ago, 0), 0);
    assert_int_equal(saved_write(path, data, len, NULL), 0);
    assert_int_equal(read_image(), 0);
}

#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round),   cmocka_unit_test(test_broken),
        cmocka_unit_test(test_foreign), IN_DIRECTORY(test_file),
        IN_DIRECTORY(test_no_file),     IN_DIRECTORY(test_open_directory),
        IN_DIRECTORY(test_left_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
