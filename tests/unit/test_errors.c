/* AWS's codes to errno, and where each protocol puts them. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

#include "awsapi/errors.h"
#include "base/macro.h"

static void test_table(void **state)
{
    static const struct {
        const char *code;
        int status, err;
        enum error_kind kind;
    } cases[] = {
        {"ThrottledException", 400, EAGAIN, ERROR_THROTTLED},
        {"RequestLimitExceeded", 503, EAGAIN, ERROR_THROTTLED},
        {"SomethingNew", 429, EAGAIN, ERROR_THROTTLED},
        {"LimitExceededException", 400, EDQUOT, ERROR_FINAL},
        {"TooManyRules", 400, EDQUOT, ERROR_FINAL},
        {"AccessPointLimitExceeded", 403, EDQUOT, ERROR_FINAL},
        {"RulesPerSecurityGroupLimitExceeded", 400, EDQUOT, ERROR_FINAL},
        {"ServiceQuotaExceededException", 402, EDQUOT, ERROR_FINAL},
        {"ParameterNotFound", 400, ENOENT, ERROR_FINAL},
        {"InvalidGroup.NotFound", 400, ENOENT, ERROR_FINAL},
        {"TargetGroupNotFound", 400, ENOENT, ERROR_FINAL},
        {"DBInstanceNotFound", 404, ENOENT, ERROR_FINAL},
        {"ClusterNotFoundException", 400, ENOENT, ERROR_FINAL},
        {"InvalidGroup.Duplicate", 400, EEXIST, ERROR_FINAL},
        {"DuplicateTargetGroupName", 400, EEXIST, ERROR_FINAL},
        {"DuplicateTagKeys", 400, EINVAL, ERROR_FINAL},
        {"FileSystemAlreadyExists", 409, EEXIST, ERROR_FINAL},
        {"ResourceExistsException", 400, EEXIST, ERROR_FINAL},
        {"DependencyViolation", 400, EBUSY, ERROR_FINAL},
        {"InvalidGroup.InUse", 400, EBUSY, ERROR_FINAL},
        {"PriorityInUse", 400, EBUSY, ERROR_FINAL},
        {"FileSystemInUse", 409, EBUSY, ERROR_FINAL},
        {"AccessDeniedException", 400, EACCES, ERROR_FINAL},
        {"UnauthorizedOperation", 403, EACCES, ERROR_FINAL},
        {"ExpiredTokenException", 400, EKEYEXPIRED, ERROR_FINAL},
        {"InvalidClientTokenId", 403, EKEYREJECTED, ERROR_FINAL},
        {"UnrecognizedClientException", 400, EKEYREJECTED, ERROR_FINAL},
        {"SignatureDoesNotMatch", 403, EKEYREJECTED, ERROR_CLOCK_SKEW},
        {"AuthFailure", 401, EKEYREJECTED, ERROR_CLOCK_SKEW},
        {"InvalidParameterValue", 400, EINVAL, ERROR_FINAL},
        {"InvalidGroupId.Malformed", 400, EINVAL, ERROR_FINAL},
        {"ServerException", 500, EREMOTEIO, ERROR_TRANSIENT},
        {"InternalFailure", 500, EREMOTEIO, ERROR_TRANSIENT},
        {"", 502, EREMOTEIO, ERROR_TRANSIENT},
        {"", 403, EACCES, ERROR_FINAL},
        {"Unheard", 404, ENOENT, ERROR_FINAL},
        {"", 404, EPROTO, ERROR_FINAL},
        {"", 400, EINVAL, ERROR_FINAL},
        {"", 302, EPROTO, ERROR_FINAL},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error_class c = error_classify(AWS_SSM, cases[i].code, cases[i].status);

        if (c.err != -cases[i].err || c.kind != cases[i].kind)
            fail_msg("%s %d: %s, kind %d", cases[i].code, cases[i].status, fault_errno_name(c.err),
                     c.kind);
    }
}

static void parse(enum aws_service s, int status, const char *headers, const char *body,
                  struct fault *f)
{
    struct http_response r = {
        .status = status, .body = BUF_INIT(10000), .headers = BUF_INIT(10000)};

    *f = FAULT_INIT;
    assert_int_equal(buf_puts(&r.body, body), 0);
    assert_int_equal(buf_puts(&r.headers, headers), 0);
    error_parse(s, &r, f);
    assert_int_equal(f->http_status, status);
    http_response_done(&r);
}

static void test_parse(void **state)
{
    struct fault f;
    (void)state;

    parse(AWS_SSM, 400, "x-amzn-requestid: r1\n",
          "{\"__type\": \"com.amazonaws.ssm#ParameterNotFound\", \"message\": \"gone\"}", &f);
    assert_string_equal(f.code, "ParameterNotFound");
    assert_string_equal(f.request_id, "r1");
    assert_string_equal(f.message, "gone");
    parse(AWS_EFS, 409, "x-amzn-errortype: FileSystemAlreadyExists:http://internal/\n",
          "{\"ErrorCode\": \"Other\", \"Message\": \"there\"}", &f);
    assert_string_equal(f.code, "FileSystemAlreadyExists");
    assert_string_equal(f.message, "there");
    parse(AWS_EFS, 409, "", "{\"ErrorCode\": \"MountTargetConflict\"}", &f);
    assert_string_equal(f.code, "MountTargetConflict");
    parse(AWS_ELBV2, 400, "",
          "<ErrorResponse><Error><Type>Sender</Type><Code>PriorityInUse</Code>"
          "<Message>used</Message></Error><RequestId>r2</RequestId></ErrorResponse>",
          &f);
    assert_string_equal(f.code, "PriorityInUse");
    assert_string_equal(f.message, "used");
    assert_string_equal(f.request_id, "r2");
    parse(AWS_EC2, 400, "",
          "<Response><Errors><Error><Code>DependencyViolation</Code><Message>m</Message></Error>"
          "</Errors><RequestID>r3</RequestID></Response>",
          &f);
    assert_string_equal(f.code, "DependencyViolation");
    assert_string_equal(f.request_id, "r3");
    parse(AWS_SSM, 500, "", "<!doctype html><title>500</title>", &f);
    assert_string_equal(f.code, "");
    assert_string_equal(f.message, "HTTP status 500 without a text");
    parse(AWS_SSM, 400, "", "[1]", &f);
    assert_string_equal(f.code, "");
}

static void test_no_secrets(void **state)
{
    struct fault f;
    (void)state;

    parse(AWS_STS, 403, "",
          "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>The request signature "
          "does not match. The Canonical String should have been\n'POST\n/\n"
          "x-amz-security-token:SESAME'</Message></Error></ErrorResponse>",
          &f);
    assert_null(strstr(f.message, "SESAME"));
    assert_string_equal(f.message, "The request signature does not match");
    parse(
        AWS_SECRETSMANAGER, 400, "",
        "{\"__type\": \"ValidationException\", \"message\": \"Value 'SESAME' at 'secretString'\"}",
        &f);
    assert_null(strstr(f.message, "SESAME"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_no_secrets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
