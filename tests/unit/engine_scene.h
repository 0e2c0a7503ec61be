/*
 * A scene for tests of the engine: one or two daemons on an account in memory (fake_ssm), with
 * short times and the real clock. Nothing sleeps: tests wait for what is to happen. scene_teardown
 * fails a test that wrote against engine.md.
 */
#pragma once

#include <stdatomic.h>

#include "cache/cache.h"
#include "provision/internal.h"
#include "tests/unit/fake_ssm.h"

enum { LEASE_MS = 500, BOUND_MS = 20000 /* of one WAIT */ };

struct daemon {
    struct fake_ssm *ssm;
    atomic_uint told; /* calls of its observer */
    struct aws_client *aws;
    struct cache *cache;
    struct provision *p;
};

struct scene {
    struct fake_ssm *ssm;
    struct aws_config config;
    struct daemon d[2];
    char dir[64];
    struct timing timing; /* of the daemons that are started from now on */
    int64_t lease_ms;
};

int scene_setup(void **state);
int scene_teardown(void **state);
/* Tests may change timing and lease_ms of *state before. */
struct scene *scene_start(void **state, int daemons);
void daemon_stop(struct scene *s, int i);

/* Families: fam (Box, Pin), kept (protected Box), back (Box, Pin, rolled back), short (Box within a
 * second). */
int make(struct daemon *d, const char *family, const char *id);
int take_away(struct daemon *d, const char *family, const char *id);

typedef bool (*condition)(struct scene *s, struct daemon *d, const char *arg);
void wait_for(struct scene *s, struct daemon *d, condition is, const char *arg, const char *what,
              int line);
#define WAIT(scene, daemon, is, arg) wait_for(scene, daemon, is, arg, #is, __LINE__)

/* Conditions of one service, as that daemon sees it: the phase, and nobody of it at work. */
bool ready(struct scene *s, struct daemon *d, const char *id);
bool failed(struct scene *s, struct daemon *d, const char *id);
bool known(struct scene *s, struct daemon *d, const char *id);
bool unknown(struct scene *s, struct daemon *d, const char *id);
bool idle(struct scene *s, struct daemon *d, const char *id);
bool says_unclear(struct scene *s, struct daemon *d, const char *id);
/* Of the account. */
bool empty(struct scene *s, struct daemon *d, const char *prefix);
bool there(struct scene *s, struct daemon *d, const char *thing);
bool tried_to_delete(struct scene *s, struct daemon *d, const char *thing);
bool tried_to_create(struct scene *s, struct daemon *d, const char *thing);

/* The record as it stands, or NULL; the caller's. */
struct record *record_now(struct scene *s, const char *id);
/* Names beneath it; static storage. */
const char *beneath(struct scene *s, const char *id, const char *word);
const char *beneath_claim(const struct record *r);
bool has(struct scene *s, const char *name);
bool released(struct scene *s, const char *name);
/* The record says so, with text in its error. */
void assert_failed(struct scene *s, const char *id, unsigned spent, const char *text);
/* Nothing is left of it, in the account and in the daemon's picture. */
void assert_gone(struct scene *s, struct daemon *d, const char *id);
