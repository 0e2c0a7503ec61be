/*
 * AWS Signature Version 4 in its three visible stages (aws-facts.md 8): canonical request, string
 * to sign, authorization. Pure: no clock, no network. All strings are NUL-terminated.
 */
#pragma once

#include <stddef.h>

#include "base/buf.h"

struct sigv4_header {
    const char *name, *value;
};

struct sigv4_request {
    const char *method;
    const char *path;  /* as on the wire, each segment percent-encoded once; "/" at least */
    const char *query; /* as on the wire without "?", or "" */
    const struct sigv4_header *headers; /* those to be signed, host and x-amz-date among them */
    size_t n_headers;
    const void *body;
    size_t body_len;
    const char *amz_date; /* "20261122T120000Z" */
    const char *region, *signing_name;
    const char *access_key_id, *secret_access_key;
};

/* Each appends its text to out. 0, -ENOMEM, -EFBIG, -EINVAL. */
int sigv4_canonical_request(const struct sigv4_request *r, struct buf *out);
int sigv4_string_to_sign(const struct sigv4_request *r, const char *canonical_request,
                         struct buf *out);
/* The value of the Authorization header. The derived key is wiped. */
int sigv4_authorization(const struct sigv4_request *r, const char *string_to_sign, struct buf *out);
