/* A transport of prepared answers, and an aws_client on it with a fake clock. */
#pragma once

#include "awsapi/client.h"

struct fake_answer {
    int err;   /* not 0: no answer comes */
    bool sent; /* where err: bytes went out, so it is unclear */
    int status;
    const char *headers; /* "name: value\n" */
    const char *body;
    int64_t takes_ms; /* by the fake clock */
    const char
        *to; /* NULL: it is the next answer; else the next to requests with this in the body */
};

enum { FAKE_SENT_MAX = 64 };

struct fake_transport {
    struct http_transport transport; /* first */
    struct clock_fake clock;
    pthread_mutex_t lock;
    const struct fake_answer *answers;
    bool *given;
    size_t n_answers, n_sent;
    /* What was sent, in order. */
    struct {
        char *url, *body, *headers; /* headers: one a line */
        bool once;
        int64_t at_ms, deadline_ms;
    } sent[FAKE_SENT_MAX];
    struct aws_config config;
    struct aws_client *client;
};

/* The client's clock begins at 1,000,000 ms; wall time then is 2026-11-22T12:00:00Z. */
struct fake_transport *fake_new(const struct fake_answer *answers, size_t n);
void fake_free(struct fake_transport *t); /* fails the test where answers are left over */
DEFINE_CLEANUP(struct fake_transport *, fake_free)
#define _cleanup_fake_ _cleanup_(fake_freep)
