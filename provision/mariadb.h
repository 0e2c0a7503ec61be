/*
 * MariaDB through libmariadb: databases and users on a server (engine.md «MariaDB»). Verified TLS
 * unless the host is loopback. Blocking, with deadlines; one connection a call. No statement that
 * holds a clear password is ever sent.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"

struct mariadb_server {
    const char *host;
    unsigned port;
    const char *user, *password; /* of the administrator */
    const char *ca;              /* PEM file, or NULL: the system's */
    int64_t timeout_ms;
};

/* *ret_claim (27 bytes): the claim in the schema's comment, "" where it has none of ours. -ENOENT:
 * no such database. */
int mariadb_look_database(const struct mariadb_server *s, const char *name, char ret_claim[27],
                          struct fault *f);
/* -EEXIST: it is there (whosesoever). */
int mariadb_create_database(const struct mariadb_server *s, const char *name, const char *charset,
                            const char *claim, struct fault *f);
int mariadb_drop_database(const struct mariadb_server *s, const char *name, struct fault *f);

/* 0: there is NAME@%; -ENOENT. */
int mariadb_look_user(const struct mariadb_server *s, const char *name, struct fault *f);
int mariadb_create_user(const struct mariadb_server *s, const char *name, const char *password,
                        struct fault *f);
/* Privileges: a list as in GRANT ("ALL PRIVILEGES", "SELECT, INSERT"), checked against those of a
 * database. Idempotent. */
int mariadb_grant(const struct mariadb_server *s, const char *name, const char *database,
                  const char *privileges, struct fault *f);
int mariadb_drop_user(const struct mariadb_server *s, const char *name, struct fault *f);
/* Whether name and password log in: 0, -EACCES, or another error (unreachable is not a no). */
int mariadb_login(const struct mariadb_server *s, const char *name, const char *password,
                  struct fault *f);
