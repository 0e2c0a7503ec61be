/*
 * The texts of MariaDB's statements. Names are checked against a narrow pattern, and quoted all the
 * same: the pattern is what keeps surprises out (a look-alike, a name nobody can type), the quoting
 * is what keeps SQL out, and neither leans on the other.
 *
 * Passwords go into a statement only as mysql_native_password's hash, SHA1(SHA1(password)):
 * whatever logs the statement (general log, binary log, audit plugin, process list) has the hash,
 * not the password.
 */
#include "provision/mariadb_sql.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "awsapi/digest.h"
#include "base/str.h"

static const char *const database_privileges[] = {
    "ALL",
    "ALL PRIVILEGES",
    "ALTER",
    "ALTER ROUTINE",
    "CREATE",
    "CREATE ROUTINE",
    "CREATE TEMPORARY TABLES",
    "CREATE VIEW",
    "DELETE",
    "DELETE HISTORY",
    "DROP",
    "EVENT",
    "EXECUTE",
    "INDEX",
    "INSERT",
    "LOCK TABLES",
    "REFERENCES",
    "SELECT",
    "SHOW VIEW",
    "TRIGGER",
    "UPDATE",
};

static const char *const system_schemas[] = {"mysql", "information_schema", "performance_schema",
                                             "sys"};

int sql_check_name(const char *what, const char *name, size_t max, struct fault *f)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_$-";
    size_t n = strlen(name);

    if (n >= 1 && n <= max && strspn(name, allowed) == n)
        return 0;
    return fault_set(f, -EINVAL, "%s: 1 to %zu characters of A-Z a-z 0-9 _ $ - are allowed", what,
                     max);
}

int sql_check_database(const char *name, struct fault *f)
{
    int r = sql_check_name("name of a database", name, SQL_DATABASE_MAX, f);

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(system_schemas); i++)
        if (strcasecmp(name, system_schemas[i]) == 0)
            return fault_set(f, -EINVAL, "%s is a schema of the server's own", name);
    return r;
}

int sql_check_charset(const char *charset, struct fault *f)
{
    size_t n = strlen(charset);

    if (n >= 1 && n <= 32 && strspn(charset, "abcdefghijklmnopqrstuvwxyz0123456789_") == n)
        return 0;
    return fault_set(f, -EINVAL, "CharacterSet: a name of a-z 0-9 _ is allowed");
}

/* One privilege: from s to the comma or the end, in upper case, words parted by one space. */
static int take_privilege(const char *s, size_t len, char out[64])
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        if (isspace((unsigned char)s[i])) {
            if (n && out[n - 1] != ' ')
                out[n++] = ' ';
        } else {
            out[n++] = (char)toupper((unsigned char)s[i]);
        }
        if (n >= 63)
            return -EINVAL;
    }
    while (n && out[n - 1] == ' ')
        n--;
    out[n] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(database_privileges); i++)
        if (streq(out, database_privileges[i]))
            return 0;
    return -EINVAL;
}

int sql_privileges(const char *list, struct buf *out, struct fault *f)
{
    char one[64];

    for (const char *s = list;;) {
        size_t len = strcspn(s, ",");
        if (take_privilege(s, len, one) < 0)
            return fault_set(f, -EINVAL,
                             "Privileges: %.60s is none that can be granted on one database", s);
        int r = buf_printf(out, "%s%s", s == list ? "" : ", ", one);
        if (r < 0)
            return fault_set(f, r, "Privileges: too long");
        if (!s[len])
            return 0;
        s += len + 1;
    }
}

int sql_put_identifier(struct buf *b, const char *name)
{
    int r = buf_putc(b, '`');

    for (; r == 0 && *name; name++)
        r = *name == '`' ? buf_puts(b, "``") : buf_putc(b, *name);
    return r < 0 ? r : buf_putc(b, '`');
}

int sql_put_pattern(struct buf *b, const char *name)
{
    int r = buf_putc(b, '`');

    for (; r == 0 && *name; name++) {
        if (*name == '_' || *name == '%' || *name == '\\')
            r = buf_putc(b, '\\');
        if (r == 0)
            r = *name == '`' ? buf_puts(b, "``") : buf_putc(b, *name);
    }
    return r < 0 ? r : buf_putc(b, '`');
}

/* Doubling works in every sql_mode; a backslash is doubled too, which NO_BACKSLASH_ESCAPES would
 * show doubled: the session is set not to have it. */
int sql_put_string(struct buf *b, const char *text)
{
    int r = buf_putc(b, '\'');

    for (; r == 0 && *text; text++) {
        if (*text == '\'' || *text == '\\')
            r = buf_putc(b, *text);
        if (r == 0)
            r = buf_putc(b, *text);
    }
    return r < 0 ? r : buf_putc(b, '\'');
}

int sql_put_password(struct buf *b, const char *password)
{
    unsigned char once[20], twice[20];
    char hex[41];

    int r = digest_sha1(password, strlen(password), once);
    if (r == 0)
        r = digest_sha1(once, sizeof(once), twice);
    explicit_bzero(once, sizeof(once)); /* logs in as well as the password does */
    if (r < 0)
        return r;
    for (size_t i = 0; i < sizeof(twice); i++)
        snprintf(hex + 2 * i, 3, "%02X", twice[i]);
    return buf_printf(b, "'*%s'", hex);
}
