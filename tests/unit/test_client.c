/* aws_call: what is sent, what is retried, and what makes a write unclear. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "tests/unit/fake_transport.h"

static const struct aws_action read_action = {
    .service = AWS_SSM, .name = "GetParameter", .bucket = BUCKET_SSM_READ};
static const struct aws_action write_action = {
    .service = AWS_SSM, .name = "PutParameter", .bucket = BUCKET_SSM_WRITE, .write = true};

#define OK                                                                                         \
    {                                                                                              \
        .status = 200, .body = "{\"a\": 1}"                                                        \
    }
#define THROTTLED                                                                                  \
    {                                                                                              \
        .status = 400, .body = "{\"__type\": \"ThrottlingException\", \"message\": \"slow\"}"      \
    }
#define DOWN                                                                                       \
    {                                                                                              \
        .status = 503, .body = "{}"                                                                \
    }

static int call(struct fake_transport *t, const struct aws_action *a, const struct aws_ctx *ctx,
                struct fault *f)
{
    _cleanup_json_ json_t *answer = NULL;
    int r = aws_call(t->client, a, ctx, NULL, &answer, f);

    assert_int_equal(r == 0, answer != NULL);
    return r;
}

static void test_request(void **state)
{
    static const struct fake_answer answers[] = {OK};
    _cleanup_fake_ struct fake_transport *t = fake_new(answers, 1);
    _cleanup_json_ json_t *request = json_pack("{s: s}", "Name", "/svcfs/x");
    struct fault f = FAULT_INIT;
    (void)state;

    assert_int_equal(aws_call(t->client, &read_action, NULL, request, NULL, &f), 0);
    assert_string_equal(t->sent[0].url, "https://ssm.eu-central-1.amazonaws.com/");
    assert_string_equal(t->sent[0].body, "{\"Name\":\"/svcfs/x\"}");
    assert_non_null(strstr(t->sent[0].headers, "Host: ssm.eu-central-1.amazonaws.com\n"));
    assert_non_null(strstr(t->sent[0].headers, "X-Amz-Target: AmazonSSM.GetParameter\n"));
    assert_non_null(strstr(t->sent[0].headers, "X-Amz-Date: 20261122T120000Z\n"));
    assert_non_null(strstr(t->sent[0].headers, "X-Amz-Security-Token: the-token\n"));
    assert_non_null(strstr(t->sent[0].headers,
                           "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;"
                           "x-amz-target, Signature="));
    assert_false(t->sent[0].once);
    assert_int_equal(t->sent[0].deadline_ms, 1010000);
}

static void test_read_retries(void **state)
{
    static const struct fake_answer down[] = {DOWN, {.err = -EREMOTEIO, .sent = true}, OK};
    static const struct fake_answer never[] = {DOWN, DOWN, DOWN};
    static const struct fake_answer garbage[] = {{.status = 200, .body = "{\"cut"}, OK};
    static const struct fake_answer final[] = {
        {.status = 400, .body = "{\"__type\": \"ParameterNotFound\"}"}};
    struct fault f = FAULT_INIT;
    (void)state;

    {
        _cleanup_fake_ struct fake_transport *t = fake_new(down, 3);
        assert_int_equal(call(t, &read_action, NULL, &f), 0);
    }
    {
        _cleanup_fake_ struct fake_transport *t = fake_new(never, 3);
        assert_int_equal(call(t, &read_action, NULL, &f), -EREMOTEIO);
        assert_false(f.unclear);
        assert_int_equal(f.http_status, 503);
        assert_string_equal(f.call, "ssm:GetParameter");
    }
    {
        _cleanup_fake_ struct fake_transport *t = fake_new(garbage, 2);
        assert_int_equal(call(t, &read_action, NULL, &f), 0);
    }
    {
        _cleanup_fake_ struct fake_transport *t = fake_new(final, 1);
        assert_int_equal(call(t, &read_action, NULL, &f), -ENOENT);
        assert_string_equal(f.code, "ParameterNotFound");
    }
    {
        struct aws_ctx ctx = {.no_retry = true};
        _cleanup_fake_ struct fake_transport *t = fake_new(never, 1);
        assert_int_equal(call(t, &read_action, &ctx, &f), -EREMOTEIO);
    }
}

static void test_retry_after(void **state)
{
    static const struct fake_answer plain[] = {{.status = 503, .headers = "retry-after: 3\n"}, OK};
    static const struct fake_answer amz[] = {
        {.status = 503, .headers = "x-amz-retry-after: 2500\nretry-after: 9\n"}, OK};
    (void)state;

    {
        _cleanup_fake_ struct fake_transport *t = fake_new(plain, 2);
        assert_int_equal(call(t, &read_action, NULL, NULL), 0);
        assert_true(t->sent[1].at_ms >= 1003000);
    }
    {
        _cleanup_fake_ struct fake_transport *t = fake_new(amz, 2);
        assert_int_equal(call(t, &read_action, NULL, NULL), 0);
        assert_in_range(t->sent[1].at_ms, 1002500, 1002600);
    }
}

/* Three sendings of 10 s are all that a read gets, and a lease's end comes before that. */
static void test_bounds(void **state)
{
    static const struct fake_answer slow[] = {{.err = -ETIMEDOUT, .sent = true, .takes_ms = 10000},
                                              {.err = -ETIMEDOUT, .sent = true, .takes_ms = 10000},
                                              {.err = -ETIMEDOUT, .sent = true, .takes_ms = 10000}};
    struct fault f = FAULT_INIT;
    (void)state;

    {
        _cleanup_fake_ struct fake_transport *t = fake_new(slow, 3);
        assert_int_equal(call(t, &read_action, NULL, &f), -ETIMEDOUT);
        assert_true(t->sent[2].deadline_ms <= 1030000);
        assert_false(f.unclear);
    }
    {
        atomic_int_least64_t end = 1004000;
        struct aws_ctx ctx = {.not_after_ms = &end};
        _cleanup_fake_ struct fake_transport *t = fake_new(slow, 1);
        assert_int_equal(call(t, &read_action, &ctx, &f), -ETIMEDOUT);
        assert_int_equal(t->sent[0].deadline_ms, 1004000);
        atomic_store(&end, 1000000);
        assert_int_equal(call(t, &write_action, &ctx, &f), -ETIMEDOUT);
        assert_false(f.unclear);
    }
}

static void test_write_once(void **state)
{
    static const struct {
        struct fake_answer answer;
        int err;
        bool unclear;
    } cases[] = {
        {DOWN, -EREMOTEIO, true},
        {THROTTLED, -EAGAIN, false},
        {{.status = 503, .body = "{\"__type\": \"RequestLimitExceeded\"}"}, -EAGAIN, false},
        {{.err = -EREMOTEIO, .sent = true}, -EREMOTEIO, true},
        {{.err = -ETIMEDOUT, .sent = true}, -ETIMEDOUT, true},
        {{.err = -ECANCELED, .sent = true}, -ECANCELED, true},
        {{.err = -EHOSTUNREACH}, -EHOSTUNREACH, false},
        {{.status = 200, .body = "{\"cut"}, -EPROTO, true},
        {{.status = 400, .body = "{\"__type\": \"ParameterAlreadyExists\"}"}, -EEXIST, false},
        {{.status = 400, .body = "{\"__type\": \"LimitExceededException\"}"}, -EDQUOT, false},
        {{.status = 500, .body = "{\"__type\": \"InternalServerError\"}"}, -EREMOTEIO, true},
        {{.status = 307, .body = ""}, -EPROTO, false},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_fake_ struct fake_transport *t = fake_new(&cases[i].answer, 1);
        struct fault f = FAULT_INIT;

        assert_int_equal(call(t, &write_action, NULL, &f), cases[i].err);
        assert_int_equal(f.err, cases[i].err);
        assert_int_equal(f.unclear, cases[i].unclear);
        assert_int_equal(f.unclear_until_ms, cases[i].unclear ? 1010000 : 0);
        assert_true(t->sent[0].once);
    }
}

/* Our clock is 20 minutes late: one more try with AWS's time, for a write as well. */
static void test_clock_skew(void **state)
{
#define SKEWED(date)                                                                               \
    {                                                                                              \
        .status = 400, .headers = "date: " date "\n",                                              \
        .body = "{\"__type\": \"InvalidSignatureException\", \"message\": \"Signature expired\"}"  \
    }
    static const struct fake_answer answers[] = {SKEWED("Sun, 22 Nov 2026 12:20:00 GMT"), OK, OK};
    static const struct fake_answer right[] = {SKEWED("Sun, 22 Nov 2026 12:00:01 GMT")};
    static const struct fake_answer again[] = {SKEWED("Sun, 22 Nov 2026 12:20:00 GMT"),
                                               SKEWED("Sun, 22 Nov 2026 13:20:00 GMT")};
    (void)state;

    {
        _cleanup_fake_ struct fake_transport *t = fake_new(answers, 3);
        assert_int_equal(call(t, &write_action, NULL, NULL), 0);
        assert_non_null(strstr(t->sent[1].headers, "X-Amz-Date: 20261122T122000Z\n"));
        assert_int_equal(call(t, &read_action, NULL, NULL), 0);
        assert_non_null(strstr(t->sent[2].headers, "X-Amz-Date: 20261122T122000Z\n"));
    }
    {
        _cleanup_fake_ struct fake_transport *t = fake_new(right, 1);
        assert_int_equal(call(t, &read_action, NULL, NULL), -EKEYREJECTED);
    }
    {
        _cleanup_fake_ struct fake_transport *t = fake_new(again, 2);
        assert_int_equal(call(t, &read_action, NULL, NULL), -EKEYREJECTED);
    }
}

static void test_cancelled(void **state)
{
    _cleanup_fake_ struct fake_transport *t = fake_new(NULL, 0);
    _cleanup_cancel_ struct cancel *cancel = cancel_new();
    struct aws_ctx ctx = {.cancel = cancel};
    struct fault f = FAULT_INIT;
    (void)state;

    cancel_raise(cancel);
    assert_int_equal(call(t, &write_action, &ctx, &f), -ECANCELED);
    assert_false(f.unclear);
}

struct seen {
    int calls, last_err;
    char code[96];
};

static void observe(void *arg, const struct aws_action *a, int err, const struct fault *f)
{
    struct seen *s = arg;

    s->calls++;
    s->last_err = err;
    assert_ptr_equal(a, &read_action);
    assert_int_equal(f == NULL, err == 0);
    (void)str_format(s->code, sizeof(s->code), "%s", f != NULL ? f->code : "");
}

static void test_observer(void **state)
{
    static const struct fake_answer answers[] = {
        {.status = 400,
         .headers = "x-amzn-requestid: r-1\n",
         .body = "{\"__type\": \"ExpiredTokenException\", \"message\": \"old\"}"},
        OK};
    _cleanup_fake_ struct fake_transport *t = fake_new(answers, 2);
    struct seen seen = {0};
    struct fault f = FAULT_INIT;
    (void)state;

    aws_client_observe(t->client, observe, &seen);
    assert_int_equal(call(t, &read_action, NULL, &f), -EKEYEXPIRED);
    assert_string_equal(seen.code, "ExpiredTokenException");
    assert_string_equal(f.request_id, "r-1");
    assert_true(strlen(f.next) > 0);
    assert_int_equal(call(t, &read_action, NULL, NULL), 0);
    assert_int_equal(seen.calls, 2);
    assert_int_equal(seen.last_err, 0);
}

/* While AWS is down, the quota of retries is used up: later calls are sent once. */
static void test_retry_quota(void **state)
{
    static struct fake_answer answers[FAKE_SENT_MAX];
    struct fake_transport *t;
    unsigned calls = 0, sent = 0;
    (void)state;

    for (size_t i = 0; i < FAKE_SENT_MAX; i++)
        answers[i] = (struct fake_answer)DOWN;
    t = fake_new(answers, FAKE_SENT_MAX);
    while (calls < 30) {
        size_t before = t->n_sent;

        assert_int_equal(call(t, &read_action, NULL, NULL), -EREMOTEIO);
        calls++;
        sent = (unsigned)(t->n_sent - before);
        for (size_t i = 0; i < t->n_sent; i++) {
            free(t->sent[i].url);
            free(t->sent[i].body);
            free(t->sent[i].headers);
        }
        t->n_sent = 0;
        if (sent == 1)
            break;
    }
    /* 500 / 14 = 35 retries: 17 calls with two of them, one with one. */
    assert_int_equal(calls, 19);
    assert_int_equal(sent, 1);
    t->n_answers = 0;
    fake_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),     cmocka_unit_test(test_read_retries),
        cmocka_unit_test(test_retry_after), cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_write_once),  cmocka_unit_test(test_clock_skew),
        cmocka_unit_test(test_cancelled),   cmocka_unit_test(test_observer),
        cmocka_unit_test(test_retry_quota),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
