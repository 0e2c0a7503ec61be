/*
 * An account in memory behind struct http_transport: parameters, things of two fake types, and just
 * enough of the tag index and of the resource groups. Each daemon has a transport of its own.
 * Everything that is written is checked against engine.md when it is sent and when it arrives; what
 * is against it is counted, and told by fake_ssm_verify.
 */
#pragma once

#include "awsapi/http.h"
#include "provision/type.h"

struct fake_ssm;
struct fake_ssm *fake_ssm_new(void);
void fake_ssm_free(struct fake_ssm *s);
/* Fails the test where anything was written that engine.md does not allow. */
void fake_ssm_verify(struct fake_ssm *s);

struct http_transport *fake_ssm_transport(struct fake_ssm *s, int daemon);

/* What becomes of a request. */
enum fate {
    FATE_LOST,        /* nothing is done and no answer comes: unclear */
    FATE_DONE,        /* done, no answer: unclear */
    FATE_LATE,        /* done right before its deadline, no answer: unclear */
    FATE_REFUSED,     /* throttled: clear */
    FATE_DENIED,      /* by IAM: clear */
    FATE_UNREACHABLE, /* nothing was sent: clear */
};
/* The next `times` requests of daemon (-1: any) with that operation whose name ends in name_end. */
void fake_ssm_fault(struct fake_ssm *s, int daemon, const char *operation, const char *name_end,
                    unsigned times, enum fate fate);
/* SIGSTOP and SIGCONT: requests do not get out meanwhile. */
void fake_ssm_pause(struct fake_ssm *s, int daemon, bool paused);
/* SIGKILL, as far as AWS can see: nothing gets out any more. */
void fake_ssm_kill(struct fake_ssm *s, int daemon);

/* malloc'ed, or NULL. */
char *fake_ssm_get(struct fake_ssm *s, const char *name);
void fake_ssm_put(struct fake_ssm *s, const char *name, const char *value);
void fake_ssm_remove(struct fake_ssm *s, const char *name);
size_t fake_ssm_count(struct fake_ssm *s, const char *prefix);
/* How many such requests were sent, by whomever. */
unsigned fake_ssm_sent(struct fake_ssm *s, int daemon, const char *operation, const char *name_end);

/* Things. claim NULL: a stranger's. */
void fake_thing_put(struct fake_ssm *s, const char *name, const char *claim);
bool fake_thing_there(struct fake_ssm *s, const char *name);
size_t fake_thing_count(struct fake_ssm *s);
/* Deleting it is refused as long as it is in use. */
void fake_thing_busy(struct fake_ssm *s, const char *name, bool busy);
/* It is not usable before this is taken back; for every thing whose name ends so. NULL: all are. */
void fake_thing_slow(struct fake_ssm *s, const char *name_end);

/* Waits for anything to happen after `seen`, 50 ms at most; gives the number for the next time. */
unsigned long fake_ssm_wait(struct fake_ssm *s, unsigned long seen);
void fake_ssm_happened(struct fake_ssm *s);
