/*
 * Names: the way there and back for whatever a tag may hold, and no two values with one name. The
 * random strings come from a small generator with a fixed seed, rich in what is escaped, so that a
 * failure can be repeated.
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "base/str.h"
#include "cache/build.h"
#include "cache/name.h"

enum { RANDOM_VALUES = 20000 };

static uint64_t random_state = 0x9E3779B97F4A7C15;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static const char *const special[] = {
    "/",
    "%",
    "+",
    "@",
    ".",
    "~",
    "\n",
    "\t",
    "\x01",
    "\x7f",
    "\xc3\xa4",
    "\xe2\x82\xac",
    "\xf0\x9f\x90\xa7",
    "%2F",
    "%~",
    "plan",
    "resources",
    " ",
    ":",
    "=",
    "-",
    "_",
    "40",
    "2B",
    "%25",
    "a",
    "Z",
    "0",
};

static void random_value(char *out, size_t max_parts)
{
    size_t n = next_random() % (max_parts + 1);

    *out = 0;
    for (size_t i = 0; i < n; i++)
        out = stpcpy(out, special[next_random() % ARRAY_SIZE(special)]);
}

static void check_name(const char *name)
{
    assert_in_range(strlen(name), 1, 255);
    assert_null(strchr(name, '/'));
    assert_true(*name != '.');
    assert_true(str_utf8_valid(name, strlen(name)));
    for (const char *s = name; *s; s++)
        assert_true((unsigned char)*s >= 0x20 && *s != 0x7f);
}

static void test_table(void **state)
{
    static const struct {
        const char *value, *name;
    } rows[] = {
        {"n91bet54", "n91bet54"},
        {"Wp-Containers", "Wp-Containers"},
        {"a/b", "a%2Fb"},
        {"100%", "100%25"},
        {"%2F", "%252F"},
        {"", "%"},
        {"%", "%25"},
        {".", "%2E"},
        {"..", "%2E."},
        {".git", "%2Egit"},
        {"a.b.", "a.b."},
        {"a\nb\x7f", "a%0Ab%7F"},
        {"a@b", "a@b"},
        {"a+b", "a+b"},
        {"\xc3\xa4rger", "\xc3\xa4rger"},
        {"plan", "%70lan"},
        {"Plan", "Plan"},
        {"plans", "plans"},
        {"%70lan", "%2570lan"},
        {"blueprint.json", "%62lueprint.json"},
        {"next-id", "%6Eext-id"},
        {"services.tsv", "%73ervices.tsv"},
        {"resources", "%72esources"},
        {"graph.dot", "%67raph.dot"},
    };
    char name[NAME_SIZE], value[1024];
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        name_from_value(rows[i].value, index_reserved, false, name);
        assert_string_equal(name, rows[i].name);
        assert_int_equal(name_to_value(name, index_reserved, value, sizeof(value)), 0);
        assert_string_equal(value, rows[i].value);
    }
    name_from_value("plan", NULL, false, name);
    assert_string_equal(name, "plan");
    name_from_value("a@b", NULL, true, name);
    assert_string_equal(name, "a%40b");
}

/* A second name for one value would let mkdir make what is there already. */
static void test_refused(void **state)
{
    static const char *const never[] = {"",      "a%2fb", "%41",  "a%",   "a%4",   "%00",
                                        "a%2",   ".git",  "plan", "a/b",  "a%20b", "%%",
                                        "a%40b", "%2e",   "a\nb", "%25%", "%zz",   "%70laN"};
    char value[1024];
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(never); i++) {
        strcpy(value, "untouched");
        assert_int_equal(name_to_value(never[i], index_reserved, value, sizeof(value)), -EINVAL);
    }
    assert_int_equal(name_to_value("abc%~0123456789abcdef", NULL, value, sizeof(value)), -ENODATA);
    assert_int_equal(name_to_value("abc", NULL, value, 3), -EINVAL);
    assert_int_equal(name_to_value("abc", NULL, value, 4), 0);
    assert_int_equal(name_to_value("abc", NULL, value, 0), -EINVAL);
}

/* Puts name → value into seen; the same name of another value fails. */
static void check_unique(struct map *seen, const char *name, const char *value)
{
    const char *other = map_get(seen, name);

    if (other) {
        assert_string_equal(other, value);
        return;
    }
    assert_int_equal(map_put(seen, name, strdup(value), NULL), 0);
}

static void test_random(void **state)
{
    struct map *seen[3] = {map_new(), map_new(), map_new()};
    char value[2048], name[NAME_SIZE], back[2048];
    size_t cut = 0;
    (void)state;

    for (int i = 0; i < RANDOM_VALUES; i++) {
        random_value(value, i % 10 ? 6 : 200);
        name_from_value(value, index_reserved, false, name);
        check_name(name);
        check_unique(seen[0], name, value);
        int r = name_to_value(name, index_reserved, back, sizeof(back));
        if (r == -ENODATA) {
            cut++;
            assert_true(strlen(name) > 255 - 12 && strlen(value) > 237 / 3);
        } else {
            assert_int_equal(r, 0);
            assert_string_equal(back, value);
        }
        name_from_value(value, NULL, true, name);
        check_name(name);
        assert_null(strchr(name, '@'));
        check_unique(seen[1], name, value);
        struct name_path path;
        char arn[4096];
        snprintf(arn, sizeof(arn), "arn:aws:x:r:1:t/%s", value);
        assert_int_equal(name_path_from_arn(arn, &path), 0);
        check_name(path.id);
        check_unique(seen[2], path.id, value);
    }
    assert_in_range(cut, 100, RANDOM_VALUES / 10);
    for (size_t i = 0; i < ARRAY_SIZE(seen); i++)
        map_free_with(seen[i], free);
}

/* Every name that is taken back gives itself again: so no name but these is accepted. */
static void test_random_names(void **state)
{
    char name[2048], value[2048], again[NAME_SIZE];
    int accepted = 0;
    (void)state;

    for (int i = 0; i < RANDOM_VALUES; i++) {
        random_value(name, 5);
        if (name_to_value(name, index_reserved, value, sizeof(value)) < 0)
            continue;
        accepted++;
        name_from_value(value, index_reserved, false, again);
        assert_string_equal(again, name);
    }
    assert_in_range(accepted, 1000, RANDOM_VALUES);
}

static void test_cut(void **state)
{
    char value[600], name[NAME_SIZE], other[NAME_SIZE], back[1024];
    (void)state;

    memset(value, 'x', sizeof(value));
    value[255] = 0;
    name_from_value(value, NULL, false, name);
    assert_string_equal(name, value);
    value[255] = 'x', value[256] = 0;
    name_from_value(value, NULL, false, name);
    assert_int_equal(strlen(name), 255);
    assert_memory_equal(name + 237, "%~", 2);
    assert_int_equal(strspn(name + 239, "0123456789abcdef"), 16);
    assert_int_equal(name_to_value(name, NULL, back, sizeof(back)), -ENODATA);
    value[255] = 'y'; /* differs only in what is cut off */
    name_from_value(value, NULL, false, other);
    assert_memory_equal(name, other, 239);
    assert_string_not_equal(name, other);
    for (size_t lead = 0; lead < 4; lead++) { /* never within a character or an escape */
        memset(value, 'x', lead);
        value[lead] = 0;
        for (size_t i = 0; i < 100; i++)
            strcat(value, "\xe2\x82\xac");
        name_from_value(value, NULL, false, name);
        check_name(name);
        memset(value + lead, '/', 100);
        value[lead + 100] = 0;
        name_from_value(value, NULL, false, name);
        check_name(name);
        assert_int_equal((strlen(name) - 18 - lead) % 3, 0);
    }
}

static void test_arns(void **state)
{
    static const struct {
        const char *arn, *service, *type, *id;
    } rows[] = {
        {"arn:aws:ec2:eu-central-1:123456789012:security-group/sg-0a1b", "ec2", "security-group",
         "sg-0a1b"},
        {"arn:aws-cn:ecs:cn-north-1:1:service/cl/web", "ecs", "service", "cl+web"},
        {"arn:aws:ecs:r:1:task-definition/fam:3", "ecs", "task-definition", "fam:3"},
        {"arn:aws:secretsmanager:r:1:secret:wp/n1/Pass-a1B2c3", "secretsmanager", "secret",
         "wp+n1+Pass-a1B2c3"},
        {"arn:aws:rds:r:1:db:maria", "rds", "db", "maria"},
        {"arn:aws:elasticloadbalancing:r:1:loadbalancer/app/n/50dc", "elasticloadbalancing",
         "loadbalancer", "app+n+50dc"},
        {"arn:aws:elasticloadbalancing:r:1:listener-rule/app/n/1/2/3", "elasticloadbalancing",
         "listener-rule", "app+n+1+2+3"},
        {"arn:aws:elasticfilesystem:r:1:access-point/fsap-1", "elasticfilesystem", "access-point",
         "fsap-1"},
        {"arn:aws:s3:::my.bucket", "s3", "bucket", "my.bucket"},
        {"arn:aws:s3:::bucket/.key", "s3", "bucket", "bucket+.key"},
        {"arn:aws:s3:r:1:accesspoint/ap", "s3", "accesspoint", "ap"},
        {"arn:aws:sns:r:1:alarms", "sns", "topic", "alarms"},
        {"arn:aws:sqs:r:1:jobs.fifo", "sqs", "queue", "jobs.fifo"},
        {"arn:aws:ssm:r:1:parameter/svcfs/n1", "ssm", "parameter", "svcfs+n1"},
        {"arn:aws:logs:r:1:log-group:/a/b", "logs", "log-group", "+a+b"},
        {"arn:aws:logs:r:1:log-group:a+b", "logs", "log-group", "a%2Bb"},
        {"arn:aws:apigateway:r::/restapis/abc", "apigateway", "restapis", "abc"},
        {"arn:aws:codecommit:r:1:repo", "codecommit", "repository", "repo"},
        {"arn:aws:unheard:r:1:thing", "unheard", "resource", "thing"},
        {"arn:aws:x:r:1:t/.hidden%", "x", "t", "%2Ehidden%25"},
        {"arn:aws:x:r:1:t/", "x", "t", "%"},
        {"arn:aws:x:r:1:.t:id", "x", "%2Et", "id"},
    };
    static const char *const bad[] = {"",
                                      "arn",
                                      "arn:aws:ec2",
                                      "arn:aws:ec2:r:1",
                                      "arn:aws:ec2:r:1:",
                                      "arn:aws::r:1:t/i",
                                      "xrn:aws:ec2:r:1:t/i",
                                      "ARN:aws:ec2:r:1:t/i"};
    struct name_path path;
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(name_path_from_arn(rows[i].arn, &path), 0);
        assert_string_equal(path.service, rows[i].service);
        assert_string_equal(path.type, rows[i].type);
        assert_string_equal(path.id, rows[i].id);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(name_path_from_arn(bad[i], &path), -EINVAL);
}

static void test_keys(void **state)
{
    static const char *const bad[] = {"", "a", "a/b", "a/b/", "/b/c", "a//c", "arn:aws:x/b/c"};
    struct name_path path;
    char link[NAME_SIZE];
    (void)state;

    assert_int_equal(name_path_from_key("elasticfilesystem/mount-target/fsmt-1", &path), 0);
    assert_string_equal(path.service, "elasticfilesystem");
    assert_string_equal(path.type, "mount-target");
    assert_string_equal(path.id, "fsmt-1");
    name_link(&path, link);
    assert_string_equal(link, "elasticfilesystem.mount-target.fsmt-1");
    assert_int_equal(name_path_from_key("mariadb/database/db.example:3306+n1", &path), 0);
    assert_string_equal(path.id, "db.example:3306+n1");
    assert_int_equal(name_path_from_key("mariadb/user/h:1+a/b", &path), 0);
    assert_string_equal(path.id, "h:1+a%2Fb");
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(name_path_from_key(bad[i], &path), -EINVAL);
}

static void test_links(void **state)
{
    struct name_path a = {"a", "b.c", "d"}, b = {"a", "b", "c.d"}, longest;
    char link[NAME_SIZE], other[NAME_SIZE];
    (void)state;

    name_link(&a, link);
    name_link(&b, other);
    assert_string_equal(link, "a.b%2Ec.d");
    assert_string_equal(other, "a.b.c.d");
    name_type("a.b", "c+d", link);
    assert_string_equal(link, "a%2Eb.c+d");
    memset(&longest, 'x', sizeof(longest));
    longest.service[255] = longest.type[255] = longest.id[255] = 0;
    name_link(&longest, link);
    check_name(link);
    longest.id[254] = 'y';
    name_link(&longest, other);
    assert_string_not_equal(link, other);
    name_hashed("short", "v", link);
    assert_int_equal(strlen(link), 5 + 18);
    name_hashed(longest.id, "v", link);
    assert_int_equal(strlen(link), 255);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),  cmocka_unit_test(test_refused),
        cmocka_unit_test(test_random), cmocka_unit_test(test_random_names),
        cmocka_unit_test(test_cut),    cmocka_unit_test(test_arns),
        cmocka_unit_test(test_keys),   cmocka_unit_test(test_links),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
