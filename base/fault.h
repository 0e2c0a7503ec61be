/*
 * The details of a failure. Functions that can fail return 0 or a negative errno; whoever wants to
 * know more passes a fault, which is written on failure only. A plain value: copy it with =, no
 * destructor. No secret may be put into one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macro.h"

struct fault {
    int err;         /* negative errno, the same as was returned */
    int http_status; /* 0 where no answer came */
    bool unclear;    /* a write was sent and nobody knows whether it was done (engine.md 1) */
    int64_t unclear_until_ms; /* where unclear: monotonic deadline of that sending; until then
                                 neither send nor look */
    char call[80];            /* "ssm:PutParameter", or "" */
    char code[96];            /* AWS error code, or "" */
    char request_id[80];      /* or "" */
    char message[512];        /* one line for a person: what, where */
    char next[160];           /* what to do next, or "" */
};

#define FAULT_INIT ((struct fault){0})

/* Fills f (may be NULL): everything but err and message becomes empty. Control characters in the
 * text become spaces. Gives err, so that `return fault_set(f, -EINVAL, "…")` works. Any thread. */
int fault_set(struct fault *f, int err, const char *fmt, ...) _printf_(3, 4);

/* As fault_set, but keeps call, code, request id of what f has and puts the text, ": " before its
 * message. Gives f->err, or err where f is NULL. */
int fault_prefix(struct fault *f, int err, const char *fmt, ...) _printf_(3, 4);

/* *to = *from where both are given. Gives from->err. */
int fault_copy(struct fault *to, const struct fault *from);

/* "EACCES" for EACCES or -EACCES; "E?" for what is not known. Static storage. */
const char *fault_errno_name(int err);
