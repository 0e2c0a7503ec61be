/* AWS's limits of tags, each at its edge; and sets of ids with the tags that they make. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "provision/depend_ids.h"
#include "provision/tag_rules.h"

static const struct tag_rules rules = {"service-family", "service-id"};
static const struct index_tag claim[] = {{"svcfs:claim", "x"}};
static const struct index_resource group = {.key = "arn:g", .has_arn = true, .service = "ec2"};
static const struct index_resource database = {.key = "arn:d", .has_arn = true, .service = "rds"};
static const struct index_resource made = {
    .key = "arn:m", .has_arn = true, .service = "ecs", .tags = claim, .n_tags = 1};
static const struct index_resource nameless = {.key = "mariadb/user/x", .service = "mariadb"};

static char *repeat(const char *what, size_t n)
{
    char *s = calloc(n, strlen(what) + 1);

    assert_non_null(s);
    for (size_t i = 0; i < n; i++)
        strcat(s, what);
    return s;
}

static void test_keys(void **state)
{
    static const struct {
        const struct index_resource *r;
        const char *key;
        int err;
    } cases[] = {
        {&group, "Name", 0},
        {&group, "a b_c.d:e/f=g+h-i@j", 0},
        {&group,
         "Stra\xc3\x9f"
         "e \xe6\x97\xa5\xe6\x9c\xac",
         0},
        {&group, "", -EINVAL},
        {&group, "a,b", -EINVAL},
        {&group, "a\"b", -EINVAL},
        {&group, "a\tb", -EINVAL},
        {&group, "a\xe2\x82\xac", -EINVAL}, /* the euro sign is no letter */
        {&group, "a\xff", -EINVAL},
        {&group, "aws:x", -EPERM},
        {&group, "AwS:x", -EPERM},
        {&group, "awsx", 0},
        {&group, "svcfs:phase", -EPERM},
        {&group, "management-mode", -EPERM},
        {&group, "service-id", 0},
        {&made, "service-id", -EPERM},
        {&made, "service-family", -EPERM},
        {&made, "service-dependency", 0},
        {&group, "rds:x", 0},
        {&database, "rds:x", -EINVAL},
        {&nameless, "Name", -EPERM},
    };
    char *long_key _cleanup_free_ = repeat("\xc3\xa9", 128);
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(tag_check_key(&rules, cases[i].r, cases[i].key, NULL), cases[i].err);
    assert_int_equal(tag_check_key(&rules, &database, long_key, NULL), 0);
    assert_int_equal(tag_check_key(&rules, &group, long_key, NULL), -EINVAL);
    long_key[2 * 127] = '\0';
    assert_int_equal(tag_check_key(&rules, &group, long_key, NULL), 0);
}

static void test_values(void **state)
{
    char *longest _cleanup_free_ = repeat("\xf0\xa0\x80\x80", 257); /* four bytes, a letter */
    struct fault f = FAULT_INIT;
    (void)state;

    assert_int_equal(tag_check_value(&group, "", NULL), 0);
    assert_int_equal(tag_check_value(&database, "", NULL), -EINVAL);
    assert_int_equal(tag_check_value(&group, longest, &f), -EINVAL);
    assert_non_null(strstr(f.message, "256 characters, not 257"));
    longest[4 * 256] = '\0';
    assert_int_equal(tag_check_value(&group, longest, NULL), 0);
    assert_int_equal(tag_check_value(&group, "a\nb", NULL), -EINVAL);
}

static void test_room(void **state)
{
    static const struct index_tag more[] = {{"new", "x"}, {"k00", NULL}};
    char keys[52][8];
    struct index_tag tags[52];
    struct index_resource full = {.key = "arn:f", .has_arn = true, .service = "ec2", .tags = tags};
    (void)state;

    for (size_t i = 0; i < 50; i++) {
        snprintf(keys[i], sizeof(keys[i]), "k%02zu", i);
        tags[full.n_tags++] = (struct index_tag){keys[i], "x"};
    }
    tags[full.n_tags++] = (struct index_tag){"aws:x", "does not count"};
    const struct index_tag there = {"k07", "y"};
    assert_int_equal(tag_check_room(&full, &there, 1, NULL), 0);
    assert_int_equal(tag_check_room(&full, more, 1, NULL), -ENOSPC);
    assert_int_equal(tag_check_room(&full, more, 2, NULL), 0);
}

static void test_ids(void **state)
{
    static const struct index_tag tags[] = {
        {"needs", "n3 n1"}, {"needs-2", "n2 n1"}, {"needs-x", "n9"}};
    const struct index_resource r = {.tags = tags, .n_tags = ARRAY_SIZE(tags)};
    struct ids ids _cleanup_ids_ = {0}, copy _cleanup_ids_ = {0};
    json_t *made_of = NULL;
    (void)state;

    assert_int_equal(ids_add_tags(&ids, "needs", &r), 0);
    assert_int_equal(ids.list.n, 3);
    assert_true(ids_have(&ids, "n1") && ids_have(&ids, "n2") && !ids_have(&ids, "n9"));
    assert_string_equal(ids_kept(&ids, "n3"), "n3");
    assert_int_equal(ids_copy(&ids, &copy), 0);
    assert_true(ids_same(&ids, &copy));
    ids_remove(&ids, "n2");
    ids_remove(&ids, "n7");
    assert_false(ids_same(&ids, &copy));
    assert_int_equal(ids_tags(&ids, "needs", &made_of), 0);
    assert_int_equal(json_object_size(made_of), 1);
    assert_string_equal(json_string_value(json_object_get(made_of, "needs")), "n1 n3");
    assert_int_equal(ids_add_json(&copy, "needs", made_of), 0);
    assert_int_equal(copy.list.n, 3);
    json_decref(made_of);
    ids_remove(&ids, "n1");
    ids_remove(&ids, "n3");
    assert_int_equal(ids_tags(&ids, "needs", &made_of), 0);
    assert_int_equal(json_object_size(made_of), 0);
    json_decref(made_of);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
