/* Names, tokens and parameter names of a life (engine.md «Names and tokens»). */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "provision/naming.h"

static void test_claim(void **state)
{
    char a[CLAIM_SIZE], b[CLAIM_SIZE];
    (void)state;

    assert_int_equal(naming_claim(a, NULL), 0);
    assert_int_equal(naming_claim(b, NULL), 0);
    assert_int_equal(strlen(a), 26);
    assert_int_equal(strspn(a, "0123456789abcdefghijklmnopqrstuvwxyz"), 26);
    assert_string_not_equal(a, b);
}

static void test_token(void **state)
{
    char token[TOKEN_SIZE];
    (void)state;

    /* printf 'abcdefghijklmnopqrstuvwxyz/FileSystem' | sha256sum */
    assert_int_equal(naming_token("abcdefghijklmnopqrstuvwxyz", "FileSystem", token), 0);
    assert_string_equal(token, "79041c9e91f81500673a8ff1ae082625");
}

static void test_default_name(void **state)
{
    char out[65];
    (void)state;

    assert_int_equal(naming_default("n91bet54", "0123456789abcdef", 32, out), 0);
    assert_string_equal(out, "n91bet54-01234567");
    assert_int_equal(naming_default("x.y_z", "0123456789abcdef", 32, out), 0);
    assert_string_equal(out, "x-y-z-01234567");
    assert_int_equal(naming_default("abcdefghijklmnopqrstuvwxyzabcdef", "0123456789", 32, out), 0);
    assert_string_equal(out, "abcdefghijklmnopqrstuvw-01234567");
    assert_int_equal(strlen(out), 32);
    assert_int_equal(naming_default("a", "0123456789", 9, out), -ENAMETOOLONG);
}

static void test_secret_name(void **state)
{
    char out[600];
    (void)state;

    assert_int_equal(naming_secret("wp", "n91bet54", "Secret", out, sizeof(out)), 0);
    assert_string_equal(out, "wp/n91bet54/Secret");
    assert_int_equal(naming_secret("w p:1", "n91", "S", out, sizeof(out)), 0);
    assert_string_equal(out, "w-p-1/n91/S");
    assert_int_equal(naming_secret("wp", "n91", "my-Secret", out, sizeof(out)), 0);
    assert_string_equal(out, "wp/n91/my-Secret_");
    assert_int_equal(naming_secret("wp", "n91", "my-Secrets", out, sizeof(out)), 0);
    assert_string_equal(out, "wp/n91/my-Secrets");
    assert_int_equal(naming_secret("wp", "n91", "S", out, 8), -ENAMETOOLONG);
}

static void test_group_name(void **state)
{
    char out[200], other[200], longest[400];
    (void)state;

    assert_int_equal(naming_group("wp-containers", NULL, out, sizeof(out)), 0);
    assert_string_equal(out, "wp-containers");
    assert_int_equal(naming_group("wp-containers", "n91", out, sizeof(out)), 0);
    assert_string_equal(out, "wp-containers.n91");
    /* Two families that look alike once cleaned stay apart. */
    assert_int_equal(naming_group("a b", NULL, out, sizeof(out)), 0);
    assert_int_equal(naming_group("a:b", NULL, other, sizeof(other)), 0);
    assert_memory_equal(out, "a_b_", 4);
    assert_int_equal(strlen(out), 4 + 8);
    assert_string_not_equal(out, other);
    assert_int_equal(naming_group("AWSfoo", NULL, out, sizeof(out)), 0);
    assert_memory_equal(out, "_foo_", 5);
    memset(longest, 'f', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(naming_group(longest, "n91", out, sizeof(out)), 0);
    assert_int_equal(strlen(out), 128);
    assert_int_equal(naming_group(longest, "n92", other, sizeof(other)), 0);
    assert_string_not_equal(out, other);
}

static void test_parameter_names(void **state)
{
    char out[128];
    (void)state;

    assert_int_equal(naming_record("n91", out, sizeof(out)), 0);
    assert_string_equal(out, "/svcfs/n91");
    assert_int_equal(naming_beneath("n91", "abc", "owner", 3, out, sizeof(out)), 0);
    assert_string_equal(out, "/svcfs/n91/abc/owner-3");
    assert_int_equal(naming_beneath("n91", "abc", "protect", 0, out, sizeof(out)), 0);
    assert_string_equal(out, "/svcfs/n91/abc/protect");
    assert_int_equal(naming_beneath("n91", "abc", "protect", 0, out, 10), -ENAMETOOLONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_claim),        cmocka_unit_test(test_token),
        cmocka_unit_test(test_default_name), cmocka_unit_test(test_secret_name),
        cmocka_unit_test(test_group_name),   cmocka_unit_test(test_parameter_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
