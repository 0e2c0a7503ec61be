/*
 * One call of one AWS API: encode, limit, sign, send, read the error, retry. Requests and answers
 * are JSON values for all four protocols: query and ec2 requests are flattened (lists become
 * .member.N or .N; a top-level "Filters.Filter" names its items itself: .N), XML answers become
 * objects (see xml.h for how lists are told).
 */
#pragma once

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/fault.h"
#include "awsapi/config.h"
#include "awsapi/http.h"
#include "awsapi/limit.h"
#include "awsapi/service.h"

/* A row of a call table: each awsapi/SERVICE.c has its own. */
struct aws_action {
    enum aws_service service;
    const char *name;       /* "PutParameter" */
    enum aws_bucket bucket; /* which rate limiter */
    bool write;             /* sent once, never retried by the client */
    const char *method;     /* rest-json only: "POST" */
    const char *path; /* rest-json only: "/2015-02-01/file-systems/{FileSystemId}": {X} takes the
                         member X out of the request, percent-encoded as one segment */
    const char
        *query; /* rest-json only: "MaxItems,Marker": members that go into the query string */
};

/* Under which circumstances a call is made. Zeroed is valid: default timeout, no cancel. */
struct aws_ctx {
    int64_t timeout_ms; /* 0: 10 s for one sending; reads may retry within 3 x of it. Counted once
                           the rate limiter has let the call through */
    const atomic_int_least64_t *not_after_ms; /* no deadline passes this (monotonic; a lease's end,
                                                 which renewals move), or NULL */
    struct cancel *cancel;                    /* or NULL */
    bool no_retry;                            /* reads too are sent once */
    double rate; /* share of the bucket that this caller may use; 0: all (background work: 0.33) */
};

struct aws_client;

struct aws_client_options {
    const struct aws_config *config;  /* borrowed for the client's life */
    struct http_transport *transport; /* taken over, also on failure */
    struct clock *clock;
    double rate_share; /* of the published rates; 0: 0.67, the rest is left to others */
};
int aws_client_new(const struct aws_client_options *o, struct aws_client **ret, struct fault *f);
void aws_client_free(struct aws_client *c);
DEFINE_CLEANUP(struct aws_client *, aws_client_free)

struct clock *aws_client_clock(struct aws_client *c);
const char *aws_client_region(const struct aws_client *c);

/*
 * Makes the call. request: an object (borrowed, may be NULL: empty; never changed). ret (may be
 * NULL) gets the answer, an object of its own. Blocks; any thread. Errors: the table of tree.md
 * «AWS to errno». Reads: up to 3 attempts on transient and throttling errors, with full jitter and
 * a token bucket (aws-facts.md 3). Writes: one sending. A refusal (4xx, throttled) is clear; a 5xx,
 * a broken connection and a timeout are unclear (fault.h). EAGAIN of a write: throttled, clear, the
 * caller may try again. Clock skew: learned from the Date header, then one more try (reads, and
 * writes that were refused for it).
 */
int aws_call(struct aws_client *c, const struct aws_action *a, const struct aws_ctx *ctx,
             json_t *request, json_t **ret, struct fault *f);

/* Called with every 0/failed call, for metrics and health; one function, set before the first call.
 */
typedef void (*aws_call_observer)(void *arg, const struct aws_action *a, int err,
                                  const struct fault *f);
void aws_client_observe(struct aws_client *c, aws_call_observer fn, void *arg);

/* json_decrefp is Jansson's. */
#define _cleanup_json_ _cleanup_(json_decrefp)
