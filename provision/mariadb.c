/*
 * MariaDB: one connection a call, because calls are rare (some a service's life) and an idle
 * administrator's connection is one too many on a server whose connections are counted.
 *
 * Deadlines stand on both sides: the client gives up after timeout_ms, and the session's
 * max_statement_time and lock_wait_timeout end a statement on the server before that, so that a
 * write whose answer was lost is certainly over at unclear_until_ms (engine.md 1). Without them a
 * CREATE DATABASE that waits for a lock could be carried out long after.
 *
 * TLS: MYSQL_OPT_SSL_VERIFY_SERVER_CERT is what refuses a server that has none; enforcing alone
 * does not. On loopback there is nobody to be protected from, and test servers have no certificate.
 * Sockets are not used: "localhost" is a TCP host here, as it is for the services that will log in.
 */
#include "provision/mariadb.h"

#include <arpa/inet.h>
#include <errno.h>
#include <mysql.h>
#include <errmsg.h>
#include <mysqld_error.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "provision/mariadb_sql.h"
#include "provision/naming.h"

#define COMMENT_CLAIM "svcfs:claim="

struct connection {
    MYSQL *mysql;
    const struct mariadb_server *server;
    const char *call; /* for faults: "mariadb:CREATE DATABASE" */
    int64_t until_ms;
};

/* --- the library --- */

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static int library_failed;

static void library_start(void)
{
    library_failed = mysql_library_init(0, NULL, NULL);
}

/* --- errors --- */

static const struct {
    unsigned code;
    int err;
} errors[] = {
    {ER_DB_CREATE_EXISTS, -EEXIST},
    {ER_DB_DROP_EXISTS, -ENOENT},
    {ER_BAD_DB_ERROR, -ENOENT},
    {ER_NONEXISTING_GRANT, -ENOENT},
    {ER_PASSWORD_NO_MATCH, -ENOENT},           /* GRANT to a user who is not there */
    {ER_CANT_CREATE_USER_WITH_GRANT, -ENOENT}, /* the same */
    {ER_ACCESS_DENIED_ERROR, -EACCES},
    {ER_ACCESS_DENIED_NO_PASSWORD_ERROR, -EACCES},
    {ER_DBACCESS_DENIED_ERROR, -EACCES},
    {ER_TABLEACCESS_DENIED_ERROR, -EACCES},
    {ER_SPECIFIC_ACCESS_DENIED_ERROR, -EACCES},
    {ER_HOST_NOT_PRIVILEGED, -EACCES},
    {ER_HOST_IS_BLOCKED, -EACCES},
    {ER_CON_COUNT_ERROR, -EAGAIN},
    {ER_TOO_MANY_USER_CONNECTIONS, -EAGAIN},
    {ER_USER_LIMIT_REACHED, -EAGAIN},
    {ER_LOCK_WAIT_TIMEOUT, -EAGAIN},
    {ER_LOCK_DEADLOCK, -EAGAIN},
    {ER_OPTION_PREVENTS_STATEMENT, -EAGAIN}, /* read_only: a failover is under way */
    {ER_SERVER_SHUTDOWN, -EAGAIN},
    {ER_STATEMENT_TIMEOUT, -ETIMEDOUT},
    {CR_CONNECTION_ERROR, -EHOSTUNREACH},
    {CR_CONN_HOST_ERROR, -EHOSTUNREACH},
    {CR_UNKNOWN_HOST, -EHOSTUNREACH},
    {CR_SSL_CONNECTION_ERROR, -EHOSTUNREACH},
    {CR_OUT_OF_MEMORY, -ENOMEM},
};

static bool is_lost(unsigned code)
{
    return code == CR_SERVER_LOST || code == CR_SERVER_GONE_ERROR ||
           code == CR_SERVER_LOST_EXTENDED;
}

static int errno_of(unsigned code, const char *text)
{
    if (is_lost(code))
        return -ETIMEDOUT;
    if (code == CR_CONN_HOST_ERROR && strstr(text, "(110)"))
        return -ETIMEDOUT;
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
        if (errors[i].code == code)
            return errors[i].err;
    return -EINVAL;
}

/* The fault of the connection's last error. The server's text names users and hosts, never a
 * password. */
static int connection_fault(struct connection *c, bool write, struct fault *f)
{
    unsigned code = mysql_errno(c->mysql);
    const char *text = mysql_error(c->mysql);
    int err = errno_of(code, text);

    fault_set(f, err, "%s:%u: %s", c->server->host, c->server->port, text);
    if (!f)
        return err;
    str_format(f->call, sizeof(f->call), "%s", c->call);
    str_format(f->code, sizeof(f->code), "%u", code);
    f->unclear = write && is_lost(code);
    f->unclear_until_ms = f->unclear ? c->until_ms : 0;
    if (code == CR_SSL_CONNECTION_ERROR)
        str_format(f->next, sizeof(f->next),
                   "give the server's CA with -o db_ca=FILE (for RDS: the region's bundle)");
    return err;
}

static int no_memory(struct fault *f)
{
    return fault_set(f, -ENOMEM, "no memory");
}

/* --- connecting --- */

static bool is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (streq(host, "localhost"))
        return true;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static void set_options(MYSQL *m, const struct mariadb_server *s)
{
    unsigned seconds = (unsigned)MAX((s->timeout_ms + 999) / 1000, 1);
    unsigned tcp = MYSQL_PROTOCOL_TCP;
    my_bool yes = 1;

    mysql_optionsv(m, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
    mysql_optionsv(m, MYSQL_OPT_READ_TIMEOUT, &seconds);
    mysql_optionsv(m, MYSQL_OPT_WRITE_TIMEOUT, &seconds);
    mysql_optionsv(m, MYSQL_OPT_PROTOCOL, &tcp);
    mysql_optionsv(m, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (is_loopback(s->host))
        return;
    mysql_optionsv(m, MYSQL_OPT_SSL_ENFORCE, &yes);
    mysql_optionsv(m, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
    if (s->ca)
        mysql_optionsv(m, MYSQL_OPT_SSL_CA, s->ca);
}

static void connection_close(struct connection *c)
{
    if (!c->server)
        return;
    if (c->mysql)
        mysql_close(c->mysql);
    mysql_thread_end();
}
#define _cleanup_connection_ _cleanup_(connection_close)

static int run(struct connection *c, const char *sql, bool write, struct fault *f)
{
    if (mysql_real_query(c->mysql, sql, strlen(sql)) != 0)
        return connection_fault(c, write, f);
    return 0;
}

/* The server ends a statement a second before the client gives up. */
static int limit_session(struct connection *c, struct fault *f)
{
    char sql[160];
    int64_t seconds = MAX(c->server->timeout_ms / 1000 - 1, 1);

    snprintf(sql, sizeof(sql),
             "SET SESSION max_statement_time=%lld, lock_wait_timeout=%lld, sql_mode=''",
             (long long)seconds, (long long)seconds);
    return run(c, sql, false, f);
}

static int connection_open(struct connection *c, const struct mariadb_server *s, const char *call,
                           struct fault *f)
{
    pthread_once(&library_once, library_start);
    if (library_failed || mysql_thread_init())
        return fault_set(f, -ENOMEM, "libmariadb cannot be started");
    c->server = s;
    c->call = call;
    c->mysql = mysql_init(NULL);
    if (!c->mysql)
        return no_memory(f);
    set_options(c->mysql, s);
    if (!mysql_real_connect(c->mysql, s->host, s->user, s->password, NULL, s->port, NULL, 0))
        return connection_fault(c, false, f);
    return 0;
}

static int admin_open(struct connection *c, const struct mariadb_server *s, const char *call,
                      struct fault *f)
{
    int r = connection_open(c, s, call, f);

    return r < 0 ? r : limit_session(c, f);
}

/* Sends the one write of a call. */
static int send_write(struct connection *c, struct buf *sql, int built, struct fault *f)
{
    struct clock *clock = clock_system();

    if (built < 0)
        return fault_set(f, built, "%s: the statement cannot be built", c->call);
    c->until_ms = clock->monotonic_ms(clock) + c->server->timeout_ms + 1000;
    return run(c, buf_str(sql), true, f);
}

/* Runs a query and hands its first row (or NULL) to take. */
static int query_row(struct connection *c, struct buf *sql, int built,
                     int (*take)(void *arg, MYSQL_ROW row, struct fault *f), void *arg,
                     struct fault *f)
{
    if (built < 0)
        return fault_set(f, built, "%s: the statement cannot be built", c->call);
    int r = run(c, buf_str(sql), false, f);
    if (r < 0)
        return r;
    MYSQL_RES *result = mysql_store_result(c->mysql);
    if (!result)
        return connection_fault(c, false, f);
    r = take(arg, mysql_fetch_row(result), f);
    mysql_free_result(result);
    return r;
}

/* --- databases --- */

static void take_claim(const char *comment, char out[CLAIM_SIZE])
{
    const char *claim = comment ? strstr(comment, COMMENT_CLAIM) : NULL;

    out[0] = '\0';
    if (!claim)
        return;
    claim += strlen(COMMENT_CLAIM);
    size_t n = strspn(claim, "0123456789abcdefghijklmnopqrstuvwxyz");
    if (n == CLAIM_LENGTH)
        snprintf(out, CLAIM_SIZE, "%.*s", CLAIM_LENGTH, claim);
}

static int take_database(void *arg, MYSQL_ROW row, struct fault *f)
{
    if (!row)
        return fault_set(f, -ENOENT, "no such database");
    take_claim(row[0], arg);
    return 0;
}

int mariadb_look_database(const struct mariadb_server *s, const char *name, char ret_claim[27],
                          struct fault *f)
{
    _cleanup_connection_ struct connection c = {0};
    _cleanup_buf_ struct buf sql = BUF_INIT(SQL_MAX);
    char claim[CLAIM_SIZE];

    int r = sql_check_name("name of a database", name, SQL_DATABASE_MAX, f);
    if (r == 0)
        r = admin_open(&c, s, "mariadb:SELECT SCHEMATA", f);
    if (r < 0)
        return r;
    int built = buf_puts(&sql, "SELECT SCHEMA_COMMENT FROM information_schema.SCHEMATA"
                               " WHERE SCHEMA_NAME = ");
    if (built == 0)
        built = sql_put_string(&sql, name);
    r = query_row(&c, &sql, built, take_database, claim, f);
    if (r == 0)
        memcpy(ret_claim, claim, sizeof(claim));
    return r;
}

static int build_create_database(struct buf *sql, const char *name, const char *charset,
                                 const char *claim)
{
    int r = buf_puts(sql, "CREATE DATABASE ");

    if (r == 0)
        r = sql_put_identifier(sql, name);
    if (r == 0 && charset)
        r = buf_printf(sql, " CHARACTER SET %s", charset);
    if (r == 0)
        r = buf_printf(sql, " COMMENT '" COMMENT_CLAIM "%s'", claim);
    return r;
}

int mariadb_create_database(const struct mariadb_server *s, const char *name, const char *charset,
                            const char *claim, struct fault *f)
{
    _cleanup_connection_ struct connection c = {0};
    _cleanup_buf_ struct buf sql = BUF_INIT(SQL_MAX);

    int r = sql_check_database(name, f);
    if (r == 0 && charset)
        r = sql_check_charset(charset, f);
    if (r == 0)
        r = sql_check_name("claim", claim, CLAIM_LENGTH, f);
    if (r == 0)
        r = admin_open(&c, s, "mariadb:CREATE DATABASE", f);
    if (r < 0)
        return r;
    return send_write(&c, &sql, build_create_database(&sql, name, charset, claim), f);
}

int mariadb_drop_database(const struct mariadb_server *s, const char *name, struct fault *f)
{
    _cleanup_connection_ struct connection c = {0};
    _cleanup_buf_ struct buf sql = BUF_INIT(SQL_MAX);

    int r = sql_check_database(name, f);
    if (r == 0)
        r = admin_open(&c, s, "mariadb:DROP DATABASE", f);
    if (r < 0)
        return r;
    int built = buf_puts(&sql, "DROP DATABASE ");
    if (built == 0)
        built = sql_put_identifier(&sql, name);
    return send_write(&c, &sql, built, f);
}

/* --- users --- */

static int put_account(struct buf *sql, const char *name)
{
    int r = sql_put_string(sql, name);

    return r < 0 ? r : buf_puts(sql, "@'%'");
}

static int take_user(void *arg _unused_, MYSQL_ROW row, struct fault *f)
{
    return row ? 0 : fault_set(f, -ENOENT, "no such user");
}

int mariadb_look_user(const struct mariadb_server *s, const char *name, struct fault *f)
{
    _cleanup_connection_ struct connection c = {0};
    _cleanup_buf_ struct buf sql = BUF_INIT(SQL_MAX);

    int r = sql_check_name("name of a user", name, SQL_USER_MAX, f);
    if (r == 0)
        r = admin_open(&c, s, "mariadb:SELECT user", f);
    if (r < 0)
        return r;
    int built = buf_puts(&sql, "SELECT 1 FROM mysql.user WHERE Host = '%' AND User = ");
    if (built == 0)
        built = sql_put_string(&sql, name);
    return query_row(&c, &sql, built, take_user, NULL, f);
}

static int build_create_user(struct buf *sql, const char *name, const char *password)
{
    int r = buf_puts(sql, "CREATE USER ");

    if (r == 0)
        r = put_account(sql, name);
    if (r == 0)
        r = buf_puts(sql, " IDENTIFIED VIA mysql_native_password USING ");
    return r < 0 ? r : sql_put_password(sql, password);
}

int mariadb_create_user(const struct mariadb_server *s, const char *name, const char *password,
                        struct fault *f)
{
    _cleanup_connection_ struct connection c = {0};
    _cleanup_(buf_wipe) struct buf sql = BUF_INIT(SQL_MAX);
    struct fault own = FAULT_INIT;

    int r = sql_check_name("name of a user", name, SQL_USER_MAX, f);
    if (r < 0)
        return r;
    if (!*password)
        return fault_set(f, -EINVAL, "the password of user %s is empty", name);
    r = admin_open(&c, s, "mariadb:CREATE USER", f);
    if (r < 0)
        return r;
    r = send_write(&c, &sql, build_create_user(&sql, name, password), &own);
    if (r == 0)
        return 0;
    if (mysql_errno(c.mysql) == ER_CANNOT_USER)
        own.err = -EEXIST;
    return fault_copy(f, &own);
}

int mariadb_grant(const struct mariadb_server *s, const char *name, const char *database,
                  const char *privileges, struct fault *f)
{
    _cleanup_connection_ struct connection c = {0};
    _cleanup_buf_ struct buf sql = BUF_INIT(SQL_MAX);

    int r = sql_check_name("name of a user", name, SQL_USER_MAX, f);
    if (r == 0)
        r = sql_check_database(database, f);
    if (r == 0)
        r = buf_puts(&sql, "GRANT ");
    if (r == 0)
        r = sql_privileges(privileges, &sql, f);
    if (r == 0)
        r = admin_open(&c, s, "mariadb:GRANT", f);
    if (r < 0)
        return r;
    int built = buf_puts(&sql, " ON ");
    if (built == 0)
        built = sql_put_pattern(&sql, database);
    if (built == 0)
        built = buf_puts(&sql, ".* TO ");
    if (built == 0)
        built = put_account(&sql, name);
    return send_write(&c, &sql, built, f);
}

int mariadb_drop_user(const struct mariadb_server *s, const char *name, struct fault *f)
{
    _cleanup_connection_ struct connection c = {0};
    _cleanup_buf_ struct buf sql = BUF_INIT(SQL_MAX);
    struct fault own = FAULT_INIT;

    int r = sql_check_name("name of a user", name, SQL_USER_MAX, f);
    if (r == 0)
        r = admin_open(&c, s, "mariadb:DROP USER", f);
    if (r < 0)
        return r;
    int built = buf_puts(&sql, "DROP USER ");
    if (built == 0)
        built = put_account(&sql, name);
    r = send_write(&c, &sql, built, &own);
    if (r == 0)
        return 0;
    if (mysql_errno(c.mysql) == ER_CANNOT_USER)
        own.err = -ENOENT;
    return fault_copy(f, &own);
}

static int take_account(void *arg, MYSQL_ROW row, struct fault *f)
{
    _cleanup_free_ char *wanted = str_printf("%s@%%", (const char *)arg);

    if (!wanted)
        return no_memory(f);
    if (row && row[0] && streq(row[0], wanted))
        return 0;
    return fault_set(f, -EACCES, "the password logs in as %s, not as %s",
                     row && row[0] ? row[0] : "nobody", wanted);
}

/* Another account may have taken the login: NAME@host goes before NAME@%. */
int mariadb_login(const struct mariadb_server *s, const char *name, const char *password,
                  struct fault *f)
{
    struct mariadb_server own = *s;
    _cleanup_connection_ struct connection c = {0};
    _cleanup_buf_ struct buf sql = BUF_INIT(SQL_MAX);

    own.user = name;
    own.password = password;
    int r = connection_open(&c, &own, "mariadb:login", f);
    if (r < 0)
        return r;
    return query_row(&c, &sql, buf_puts(&sql, "SELECT CURRENT_USER()"), take_account,
                     (void *)(uintptr_t)name, f);
}
