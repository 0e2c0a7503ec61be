/*
 * Custom::MariaDBDatabase and Custom::MariaDBUser, on the server itself. Their identities hold what
 * a teardown needs to reach it: the instance and the administrator's secret, since a deletion has
 * nothing but the record.
 *
 * A database is ours by the claim in its comment. A user has no place for a claim: it is ours when
 * the password in our secret logs in as it and the database it is for is ours. Without that proof
 * (the secret is gone, the password was changed) it is left and named. A server that cannot be
 * reached is an error, never "gone".
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "awsapi/rds.h"
#include "awsapi/secretsmanager.h"
#include "base/str.h"
#include "provision/mariadb.h"
#include "provision/mariadb_sql.h"
#include "provision/types/common.h"

#define DATABASE_KEY "mariadb/database/"
#define USER_KEY "mariadb/user/"

enum { TIMEOUT_MS = 10000, PORT = 3306, KEY_MAX = 180 };

static const struct property database_properties[] = {
    {"ServiceToken", PROPERTY_STRING, NULL, true},  {"Instance", PROPERTY_STRING, NULL, true},
    {"AdminSecret", PROPERTY_STRING, NULL, true},   {"Name", PROPERTY_STRING, NULL, true},
    {"CharacterSet", PROPERTY_STRING, NULL, false}, {NULL, PROPERTY_STRING, NULL, false},
};

static const struct property user_properties[] = {
    {"ServiceToken", PROPERTY_STRING, NULL, true},
    {"Instance", PROPERTY_STRING, NULL, true},
    {"AdminSecret", PROPERTY_STRING, NULL, true},
    {"Name", PROPERTY_STRING, NULL, true},
    {"PasswordSecret", PROPERTY_STRING, NULL, true},
    {"Database", PROPERTY_STRING, NULL, true},
    {"Privileges", PROPERTY_JSON, NULL, false}, /* a text as in GRANT, or a list */
    {NULL, PROPERTY_STRING, NULL, false},
};

static const char *const attributes[] = {"Host", "Port", NULL};

/* --- the server --- */

/* The server of an identity, with its administrator. */
struct server {
    struct rds_endpoint at;
    char *secret;  /* the administrator's, as it came */
    json_t *login; /* parsed; user and password point into it */
    struct mariadb_server s;
};

static void server_done(struct server *v)
{
    secret_free(v->secret);
    secret_wipe(v->login);
    json_decref(v->login);
}

/* "host:port", "[v6]:port" or, without a colon, an RDS identifier. 0: parsed; 1: an identifier. */
static int parse_instance(const char *text, struct rds_endpoint *ret, struct fault *f)
{
    const char *colon = strrchr(text, ':');
    char *end;

    if (!colon)
        return 1;
    const char *host = text;
    size_t n = (size_t)(colon - text);
    if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
        host++;
        n -= 2;
    } else if (memchr(host, ':', n)) {
        return fault_set(f, -EINVAL, "Instance: an IPv6 address stands in brackets: [::1]:3306");
    }
    long port = strtol(colon + 1, &end, 10);
    if (n == 0 || n >= sizeof(ret->host) || *end || end == colon + 1 || port < 1 || port > 65535)
        return fault_set(f, -EINVAL, "Instance: must be an RDS identifier or host:port");
    snprintf(ret->host, sizeof(ret->host), "%.*s", (int)n, host);
    ret->port = (unsigned)port;
    return 0;
}

/* What is left of the lease bounds a statement too. */
static int64_t time_left(struct step_ctx *s)
{
    int64_t wanted = s->call->timeout_ms ? s->call->timeout_ms : TIMEOUT_MS;

    if (!s->call->not_after_ms)
        return wanted;
    int64_t left = atomic_load(s->call->not_after_ms) - s->clock->monotonic_ms(s->clock);
    return MIN(left, wanted);
}

static int read_login(struct step_ctx *s, struct server *v, struct fault *f)
{
    int r = secretsmanager_get_value(s->aws, s->call, type_id(s, "a"), &v->secret, f);

    if (r == -ENOENT) /* would read as "the database is not there" */
        return fault_prefix(f, -ENOKEY, "AdminSecret");
    if (r < 0)
        return fault_prefix(f, r, "AdminSecret");
    v->login = json_loads(v->secret, 0, NULL);
    v->s.user = type_text(v->login, "username");
    v->s.password = type_text(v->login, "password");
    if (!v->s.user || !v->s.password)
        return fault_set(f, -EINVAL, "AdminSecret: must be JSON with username and password");
    return 0;
}

static int server_open(struct step_ctx *s, struct server *v, struct fault *f)
{
    const char *instance = type_id(s, "i");

    int r = parse_instance(instance, &v->at, f);
    if (r == 1)
        r = rds_describe_endpoint(s->aws, s->call, instance, &v->at, f);
    if (r == -ENOENT)
        return fault_prefix(f, -EHOSTUNREACH, "Instance %s", instance);
    if (r == 0)
        r = read_login(s, v, f);
    if (r < 0)
        return r;
    v->s.host = v->at.host;
    v->s.port = v->at.port ? v->at.port : PORT;
    v->s.ca = s->db_ca;
    v->s.timeout_ms = time_left(s);
    if (v->s.timeout_ms < 1000)
        return fault_set(f, -ETIMEDOUT, "no time is left for a statement");
    return 0;
}

/* Ids of a thing on the server: Ref is the name, the key has host and port. */
static int set_ids(struct step_state *st, const struct server *v, const char *prefix,
                   const char *name, struct fault *f)
{
    char key[640], port[16];

    if (str_format(key, sizeof(key), "%s%s:%u+%s", prefix, v->s.host, v->s.port, name) < 0 ||
        strlen(key) - strlen(prefix) > KEY_MAX)
        return fault_set(f, -ENAMETOOLONG, "host and name are longer than %d characters", KEY_MAX);
    int r = type_set_ids(st, name, key + strlen(prefix), key, f);
    if (r < 0)
        return r;
    snprintf(port, sizeof(port), "%u", v->s.port);
    if (type_attribute(st, "Host", v->s.host) < 0 || type_attribute(st, "Port", port) < 0)
        return type_no_memory(f);
    return 0;
}

static int server_identity(json_t *props, const char **instance, const char **secret,
                           const char **name, struct fault *f)
{
    struct rds_endpoint unused;

    int r = type_plain_required(props, "Instance", instance, f);
    if (r == 0)
        r = parse_instance(*instance, &unused, f);
    if (r >= 0)
        r = type_plain_required(props, "AdminSecret", secret, f);
    if (r >= 0)
        r = type_plain_required(props, "Name", name, f);
    return r < 0 ? r : 0;
}

/* --- database --- */

static int database_identity(const struct step_ctx *s _unused_, json_t *props, json_t **ret,
                             struct fault *f)
{
    const char *instance, *secret, *name;

    int r = server_identity(props, &instance, &secret, &name, f);
    if (r == 0)
        r = sql_check_database(name, f);
    return r < 0 ? r : type_identity(ret, f, "i", instance, "a", secret, "n", name, NULL);
}

static int database_check(const struct step_ctx *s _unused_, json_t *props, struct fault *f)
{
    const char *charset = type_text(props, "CharacterSet");

    return charset ? sql_check_charset(charset, f) : 0;
}

static int database_look(struct step_ctx *s, struct step_state *ret, struct fault *f)
{
    _cleanup_(server_done) struct server v = {0};
    char claim[CLAIM_SIZE];

    int r = server_open(s, &v, f);
    if (r < 0)
        return r;
    r = mariadb_look_database(&v.s, type_id(s, "n"), claim, f);
    if (r == -ENOENT)
        return 0;
    if (r == 0)
        r = set_ids(ret, &v, DATABASE_KEY, type_id(s, "n"), f);
    if (r < 0)
        return r;
    ret->found = *claim && streq(claim, s->claim) ? FOUND_OURS : FOUND_STRANGER;
    if (ret->found == FOUND_STRANGER)
        type_detail(ret, "database %s on %s:%u", type_id(s, "n"), v.s.host, v.s.port);
    return 0;
}

static int database_create(struct step_ctx *s, json_t *props, struct fault *f)
{
    _cleanup_(server_done) struct server v = {0};

    int r = server_open(s, &v, f);
    if (r < 0)
        return r;
    return mariadb_create_database(&v.s, type_id(s, "n"), type_text(props, "CharacterSet"),
                                   s->claim, f);
}

static int database_remove(struct step_ctx *s, const struct step_state *st _unused_,
                           struct fault *f)
{
    _cleanup_(server_done) struct server v = {0};

    int r = server_open(s, &v, f);
    return r < 0 ? r : mariadb_drop_database(&v.s, type_id(s, "n"), f);
}

const struct resource_type type_mariadb_database = {
    .name = "Custom::MariaDBDatabase",
    .code = "db",
    .properties = database_properties,
    .attributes = attributes,
    .short_id_max = KEY_MAX,
    .key_prefix = DATABASE_KEY,
    .identity = database_identity,
    .check = database_check,
    .look = database_look,
    .create = database_create,
    .remove = database_remove,
};

/* --- user --- */

static int user_identity(const struct step_ctx *s _unused_, json_t *props, json_t **ret,
                         struct fault *f)
{
    const char *instance, *secret, *name;
    char password[256], database[256];

    int r = server_identity(props, &instance, &secret, &name, f);
    if (r == 0)
        r = sql_check_name("Name", name, SQL_USER_MAX, f);
    if (r == 0)
        r = type_plain_or_step(props, "PasswordSecret", password, sizeof(password), f);
    if (r == 0)
        r = type_plain_or_step(props, "Database", database, sizeof(database), f);
    if (r < 0)
        return r;
    return type_identity(ret, f, "i", instance, "a", secret, "n", name, "p", password, "d",
                         database, NULL);
}

/* The privileges as one checked text; ALL PRIVILEGES where none are given. */
static int privileges_of(json_t *props, struct buf *out, struct fault *f)
{
    json_t *v = json_object_get(props, "Privileges"), *e;
    _cleanup_buf_ struct buf joined = BUF_INIT(1024);
    size_t i;

    if (!v)
        return sql_privileges("ALL PRIVILEGES", out, f);
    if (json_is_string(v))
        return sql_privileges(json_string_value(v), out, f);
    if (json_array_size(v) == 0)
        return fault_set(f, -EINVAL, "Privileges: must be a text as in GRANT, or a list");
    json_array_foreach(v, i, e)
    {
        if (!json_is_string(e) ||
            buf_printf(&joined, "%s%s", i ? "," : "", json_string_value(e)) < 0)
            return fault_set(f, -EINVAL, "Privileges: must be a list of texts");
    }
    return sql_privileges(buf_str(&joined), out, f);
}

static int user_check(const struct step_ctx *s _unused_, json_t *props, struct fault *f)
{
    _cleanup_buf_ struct buf unused = BUF_INIT(1024);

    return privileges_of(props, &unused, f);
}

/* The password: `password` of a JSON object, else the whole value. */
static int read_password(struct step_ctx *s, const char *secret, char **ret, struct fault *f)
{
    _cleanup_secret_ char *value = NULL;
    _cleanup_json_secret_ json_t *o = NULL;
    struct fault own = FAULT_INIT;

    int r = secretsmanager_get_value(s->aws, s->call, secret, &value, &own);
    if (r < 0 && streq(own.code, "InvalidRequestException"))
        own.err = -ENOENT; /* it is scheduled for deletion */
    if (r < 0)
        return fault_copy(f, &own);
    o = json_loads(value, 0, NULL);
    if (!json_is_object(o)) {
        *ret = steal_ptr(value);
        return 0;
    }
    const char *password = type_text(o, "password");
    if (!password || !*password)
        return fault_set(f, -EINVAL, "PasswordSecret: its JSON has no password");
    *ret = strdup(password);
    return *ret ? 0 : type_no_memory(f);
}

/* 1: password and database prove that the user is ours; 0: they do not. */
static int user_is_ours(struct step_ctx *s, const struct mariadb_server *server, struct fault *f)
{
    _cleanup_secret_ char *password = NULL;
    char secret[256], database[256], claim[CLAIM_SIZE];
    enum step_found found;

    int r = type_id_resolve(s, "p", secret, sizeof(secret), &found, f);
    if (r == 0 && found == FOUND_STRANGER)
        return 0;
    if (r == 0)
        r = type_id_resolve(s, "d", database, sizeof(database), &found, f);
    if (r == 0 && found == FOUND_STRANGER)
        return 0;
    if (r == 0)
        r = mariadb_look_database(server, database, claim, f);
    if (r == 0 && !streq(claim, s->claim))
        return 0;
    if (r == 0)
        r = read_password(s, secret, &password, f);
    if (r == -ENOENT)
        return 0; /* no secret or no database: no proof */
    if (r < 0)
        return r;
    r = mariadb_login(server, type_id(s, "n"), password, f);
    if (r == -EACCES)
        return 0;
    return r < 0 ? r : 1;
}

static int user_look(struct step_ctx *s, struct step_state *ret, struct fault *f)
{
    _cleanup_(server_done) struct server v = {0};
    struct fault own = FAULT_INIT;

    int r = server_open(s, &v, f);
    if (r < 0)
        return r;
    r = mariadb_look_user(&v.s, type_id(s, "n"), f);
    if (r == -ENOENT)
        return 0;
    if (r == 0)
        r = set_ids(ret, &v, USER_KEY, type_id(s, "n"), f);
    if (r < 0)
        return r;
    r = user_is_ours(s, &v.s, &own);
    if (r < 0)
        return fault_copy(f, &own);
    ret->found = r ? FOUND_OURS : FOUND_STRANGER;
    if (ret->found == FOUND_STRANGER)
        type_detail(ret, "user %s@%% on %s:%u", type_id(s, "n"), v.s.host, v.s.port);
    return 0;
}

static int user_create(struct step_ctx *s, json_t *props, struct fault *f)
{
    _cleanup_(server_done) struct server v = {0};
    _cleanup_secret_ char *password = NULL;
    const char *secret = type_text(props, "PasswordSecret");

    if (!secret)
        return fault_set(f, -EINVAL, "PasswordSecret: is missing");
    int r = server_open(s, &v, f);
    if (r == 0)
        r = read_password(s, secret, &password, f);
    if (r == 0)
        r = mariadb_create_user(&v.s, type_id(s, "n"), password, f);
    return r;
}

/* GRANT may be repeated; what it gives is on this one database. */
static int user_settle(struct step_ctx *s, json_t *props, struct step_state *st _unused_,
                       struct fault *f)
{
    _cleanup_(server_done) struct server v = {0};
    _cleanup_buf_ struct buf privileges = BUF_INIT(1024);
    const char *database = type_text(props, "Database");

    if (!database)
        return fault_set(f, -EINVAL, "Database: is missing");
    int r = privileges_of(props, &privileges, f);
    if (r == 0)
        r = server_open(s, &v, f);
    if (r == 0)
        r = mariadb_grant(&v.s, type_id(s, "n"), database, buf_str(&privileges), f);
    return r;
}

static int user_remove(struct step_ctx *s, const struct step_state *st _unused_, struct fault *f)
{
    _cleanup_(server_done) struct server v = {0};

    int r = server_open(s, &v, f);
    return r < 0 ? r : mariadb_drop_user(&v.s, type_id(s, "n"), f);
}

const struct resource_type type_mariadb_user = {
    .name = "Custom::MariaDBUser",
    .code = "user",
    .properties = user_properties,
    .attributes = attributes,
    .short_id_max = KEY_MAX,
    .key_prefix = USER_KEY,
    .identity = user_identity,
    .check = user_check,
    .look = user_look,
    .create = user_create,
    .settle = user_settle,
    .remove = user_remove,
};
