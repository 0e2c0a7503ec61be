/* The one table that maps AWS error codes to errno (tree.md), and what the four protocols call an
 * error. */
#pragma once

#include <stdbool.h>

#include "awsapi/http.h"
#include "awsapi/service.h"

enum error_kind { ERROR_FINAL, ERROR_THROTTLED, ERROR_TRANSIENT, ERROR_CLOCK_SKEW };

struct error_class {
    int err; /* negative errno */
    enum error_kind kind;
};

/* What a code and an HTTP status mean; call may decide (LimitExceededException is a quota). */
struct error_class error_classify(enum aws_service s, const char *code, int http_status);

/* Fills code, message, request id of f from an answer with a status >= 300 (or an error body). */
void error_parse(enum aws_service s, const struct http_response *r, struct fault *f);
