/*
 * The HTTP transport: one thread that owns curl_multi; keep-alive; every request has a deadline and
 * can be cancelled. Requests come from any thread and block their caller. curl is known only here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/fault.h"

struct http_request {
    const char *method;
    const char *url;
    const char *const *headers; /* "Name: value", n_headers of them */
    size_t n_headers;
    const void *body; /* borrowed until http_send returns */
    size_t body_len;
    int64_t deadline_ms; /* monotonic */
    bool once; /* a write: goes over a connection of its own, because curl silently sends again
                  when a reused connection turns out dead (engine.md 1) */
};

struct http_response {
    int status;
    struct buf body;    /* at most 32 MiB */
    struct buf headers; /* "name: value\n", names in lower case; at most 64 KiB */
};

void http_response_done(struct http_response *r);

/* A transport; tests put their own in its place. */
struct http_transport {
    /* 0: there is an answer, of whatever status, *ret is the caller's. Else -EHOSTUNREACH (name or
     * connect: nothing was sent), -ETIMEDOUT, -ECANCELED, -EREMOTEIO (connection broke), -EFBIG,
     * -ENOMEM; f->unclear and f->unclear_until_ms are set where bytes may have reached the other
     * side. */
    int (*send)(struct http_transport *t, const struct http_request *r, struct cancel *cancel,
                struct http_response *ret, struct fault *f);
    void (*free)(struct http_transport *t);
};

/* value of the header (name in lower case), malloc'ed, or NULL. */
char *http_response_header(const struct http_response *r, const char *name);

/* The real one. ca_bundle may be NULL. */
int http_new(struct http_transport **ret, struct clock *clock, const char *ca_bundle,
             struct fault *f);
