/* The texts of MariaDB's statements: names checked and quoted, nothing else gets in. Pure. Private
 * to provision/. */
#pragma once

#include "base/buf.h"
#include "base/fault.h"

enum { SQL_MAX = 4096, SQL_USER_MAX = 80, SQL_DATABASE_MAX = 64 };

/* [A-Za-z0-9_$-], 1 to max bytes. 0 or -EINVAL. */
int sql_check_name(const char *what, const char *name, size_t max, struct fault *f);
/* As sql_check_name, and not one of the server's own schemas. */
int sql_check_database(const char *name, struct fault *f);
int sql_check_charset(const char *charset, struct fault *f);
/* A list as in GRANT; upper-cased, single spaces, into out. -EINVAL: one that is not a privilege on
 * a database. */
int sql_privileges(const char *list, struct buf *out, struct fault *f);

/* Each appends; name is quoted whatever it holds. 0, -EFBIG, -ENOMEM. */
int sql_put_identifier(struct buf *b, const char *name);
/* Quoted for GRANT … ON x.*, where _ and % are wildcards. */
int sql_put_pattern(struct buf *b, const char *name);
/* A string literal. */
int sql_put_string(struct buf *b, const char *text);
/* '*' and 40 hex digits in quotes: mysql_native_password's hash. */
int sql_put_password(struct buf *b, const char *password);
