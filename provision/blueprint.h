/*
 * A blueprint: F.json in CloudFormation's dialect, checked as a whole when loaded (blueprint.md).
 * Immutable and reference-counted afterwards.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "provision/type.h"

struct blueprint;

struct blueprint_env {
    const char *region, *account, *partition;
    const char *family_tag, *service_tag; /* a blueprint's Tags must not hold ours */
};

/* text: of the file, parameters: of F.parameters.json or NULL. path, parameters_path: for messages.
 * -EINVAL: f->message is "FILE:LINE: KEY: what is wrong". */
int blueprint_load(const char *family, const char *path, const char *text,
                   const char *parameters_path, const char *parameters,
                   const struct blueprint_env *env, struct blueprint **ret, struct fault *f);
struct blueprint *blueprint_ref(struct blueprint *b);
void blueprint_unref(struct blueprint *b);
DEFINE_CLEANUP(struct blueprint *, blueprint_unref)

const char *blueprint_family(const struct blueprint *b);
/* Hex SHA-256 of everything that decides what is built (text and parameters), first 16 digits. */
const char *blueprint_hash(const struct blueprint *b);

struct blueprint_settings {
    int64_t create_timeout_ms;       /* CreateTimeout, default 20 min */
    unsigned max_deletes_per_minute; /* 5 */
    bool is_protected;
    int64_t delete_grace_ms; /* 10 s */
    bool rollback;           /* OnFailure */
};
const struct blueprint_settings *blueprint_settings(const struct blueprint *b);

/* 0 or -EINVAL, with the pattern in f. */
int blueprint_check_id(const struct blueprint *b, const char *id, struct fault *f);
/* A random id after NextId that matches the pattern; whether it is unused is the caller's to see.
 */
int blueprint_next_id(const struct blueprint *b, char out[64], struct fault *f);

/* The blueprint of one directory, kept up to date: a changed file is taken up at the next
 * catalog_scan. Thread-safe. */
struct catalog;
int catalog_new(struct catalog **ret, const char *dir, const struct blueprint_env *env,
                struct fault *f);
void catalog_free(struct catalog *c);
/* Reads what changed (mtime, size, inode); *ret_changed: whether anything did. A directory that
 * cannot be read: error, last state stays. */
int catalog_scan(struct catalog *c, bool *ret_changed, struct fault *f);
/* Families whose files were read anew or went away since this was last asked for. NULL-ended, free
 * with catalog_names_free; NULL: none. */
char **catalog_take_changed(struct catalog *c);
/* Families with a file F.json, good or not. *ret: NULL-ended, malloc'ed with its strings (free with
 * catalog_names_free). */
int catalog_names(struct catalog *c, char ***ret, size_t *ret_n);
void catalog_names_free(char **names);
/* 0 and a reference; -ENOENT no file; -EPERM a broken one, f has its error. */
int catalog_get(struct catalog *c, const char *family, struct blueprint **ret, struct fault *f);
/* Text of the file as in force (malloc'ed) also of a broken one; NULL: none. */
char *catalog_text(struct catalog *c, const char *family, int64_t *ret_mtime_ms);
/* Calls fn with each error line (broken blueprint, stray file). */
void catalog_problems(struct catalog *c, void (*fn)(void *arg, const char *line), void *arg);
