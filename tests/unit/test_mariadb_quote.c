/* The texts of MariaDB's statements: what a name or a password can and cannot bring into them. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

#include "provision/mariadb.h"
#include "provision/mariadb_sql.h"

static void names(void **state)
{
    (void)state;
    struct fault f = FAULT_INIT;
    char long_name[82];

    assert_int_equal(sql_check_name("n", "site_1-a$", 64, NULL), 0);
    static const char *const bad[] = {"",     "a b", "a`b", "a'b",         "a\"b", "a;b",
                                      "a\\b", "a%b", "a.b", "caf\xc3\xa9", "a\nb", "a@b"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(sql_check_name("n", bad[i], 64, &f), -EINVAL);
    memset(long_name, 'a', sizeof(long_name));
    long_name[64] = '\0';
    assert_int_equal(sql_check_name("n", long_name, 64, NULL), 0);
    assert_int_equal(sql_check_name("n", long_name, 63, NULL), -EINVAL);
    assert_int_equal(sql_check_database("mysql", &f), -EINVAL);
    assert_int_equal(sql_check_database("Information_Schema", &f), -EINVAL);
    assert_int_equal(sql_check_database("mysql2", NULL), 0);
}

static void charset(void **state)
{
    (void)state;
    assert_int_equal(sql_check_charset("utf8mb4", NULL), 0);
    assert_int_equal(sql_check_charset("utf8 COMMENT 'x'", NULL), -EINVAL);
    assert_int_equal(sql_check_charset("", NULL), -EINVAL);
}

static void privilege_list(const char *in, const char *out)
{
    struct buf b = BUF_INIT(SQL_MAX);

    assert_int_equal(sql_privileges(in, &b, NULL), 0);
    assert_string_equal(buf_str(&b), out);
    buf_done(&b);
}

static void privileges(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "SUPER",
                                      "SELECT,",
                                      "FILE",
                                      "GRANT OPTION",
                                      "SELECT ON *.* TO x",
                                      "SELECT;",
                                      "SELECT, DROP TABLE",
                                      "ALL PRIVILEGES -- ",
                                      "SELECT,,INSERT"};
    privilege_list("ALL PRIVILEGES", "ALL PRIVILEGES");
    privilege_list("select,\n  create   temporary tables ,update",
                   "SELECT, CREATE TEMPORARY TABLES, UPDATE");
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct buf b = BUF_INIT(SQL_MAX);
        assert_int_equal(sql_privileges(bad[i], &b, NULL), -EINVAL);
        buf_done(&b);
    }
}

static void quoting(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(SQL_MAX);

    assert_int_equal(sql_put_identifier(&b, "a`b_%"), 0);
    assert_string_equal(buf_str(&b), "`a``b_%`");
    buf_truncate(&b, 0);
    assert_int_equal(sql_put_pattern(&b, "a`b_c%d\\"), 0);
    assert_string_equal(buf_str(&b), "`a``b\\_c\\%d\\\\`");
    buf_truncate(&b, 0);
    assert_int_equal(sql_put_string(&b, "it's \\ over"), 0);
    assert_string_equal(buf_str(&b), "'it''s \\\\ over'");
    buf_done(&b);
}

static void small_buffer(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(4);

    assert_int_equal(sql_put_identifier(&b, "abcdef"), -EFBIG);
    buf_done(&b);
}

/* As the server's PASSWORD('password') gives it. */
static void password(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(SQL_MAX);

    assert_int_equal(sql_put_password(&b, "password"), 0);
    assert_string_equal(buf_str(&b), "'*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19'");
    buf_done(&b);
}

/* Nothing listens on port 1: names are refused before that shows. */
static void refused_before_sending(void **state)
{
    (void)state;
    struct mariadb_server s = {"127.0.0.1", 1, "admin", "x", NULL, 2000};
    struct fault f = FAULT_INIT;
    char claim[27];

    assert_int_equal(mariadb_create_database(&s, "a`; DROP", NULL, "c", &f), -EINVAL);
    assert_int_equal(mariadb_drop_database(&s, "mysql", &f), -EINVAL);
    assert_int_equal(mariadb_create_user(&s, "a'b", "p", &f), -EINVAL);
    assert_int_equal(mariadb_create_user(&s, "a", "", &f), -EINVAL);
    assert_int_equal(mariadb_grant(&s, "a", "b", "SUPER", &f), -EINVAL);
    assert_int_equal(mariadb_look_database(&s, "ab", claim, &f), -EHOSTUNREACH);
    assert_string_equal(f.call, "mariadb:SELECT SCHEMATA");
    assert_false(f.unclear);
    assert_int_equal(mariadb_create_database(&s, "ab", NULL, "abcdefghijklmnopqrstuvwxyz", &f),
                     -EHOSTUNREACH);
    assert_false(f.unclear);
    assert_null(strstr(f.message, "admin"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(charset),
        cmocka_unit_test(privileges),
        cmocka_unit_test(quoting),
        cmocka_unit_test(small_buffer),
        cmocka_unit_test(password),
        cmocka_unit_test(refused_before_sending),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
