/*
 * The four protocols: a call and its JSON request become path, query and body; the answer's body
 * becomes JSON. Pure. Private to awsapi/.
 */
#pragma once

#include <jansson.h>

#include "awsapi/client.h"

struct encoded {
    struct buf path;  /* percent-encoded, begins with "/" */
    struct buf query; /* without "?" */
    struct buf body;
    const char *method;
    char content_type[64]; /* "" where there is no body */
    char target[96];       /* X-Amz-Target, or "" */
};

void encoded_done(struct encoded *e); /* wipes the body: it may hold a secret */

/* 0, -ENOMEM, -EFBIG, -EINVAL: the request lacks a member of the path, or has a value that the
 * protocol cannot carry. */
int protocol_encode(const struct aws_action *a, json_t *request, struct encoded *ret,
                    struct fault *f);
/* The body of a 2xx answer. *ret: an object. -EPROTO where it cannot be read. */
int protocol_decode(const struct aws_action *a, const struct http_response *r, json_t **ret,
                    struct fault *f);
