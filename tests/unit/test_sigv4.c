/* Signatures: each stage as botocore computes it (data/make_sigv4.py made data/sigv4.json). */
#include "tests/unit/unit.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "awsapi/digest.h"
#include "awsapi/sigv4.h"
#include "awsapi/uri.h"

static const char *text_of(json_t *c, const char *name)
{
    const char *s = json_string_value(json_object_get(c, name));

    assert_non_null(s);
    return s;
}

static void check_case(json_t *c)
{
    _cleanup_buf_ struct buf canonical = BUF_INIT(65536), to_sign = BUF_INIT(65536),
                             authorization = BUF_INIT(65536);
    struct sigv4_header headers[16];
    json_t *list = json_object_get(c, "headers"), *pair;
    size_t i;
    struct sigv4_request q = {
        .method = text_of(c, "method"),
        .path = text_of(c, "path"),
        .query = text_of(c, "query"),
        .headers = headers,
        .n_headers = json_array_size(list),
        .body = text_of(c, "body"),
        .body_len = strlen(text_of(c, "body")),
        .amz_date = text_of(c, "date"),
        .region = text_of(c, "region"),
        .signing_name = text_of(c, "service"),
        .access_key_id = text_of(c, "key_id"),
        .secret_access_key = text_of(c, "secret"),
    };

    assert_in_range(q.n_headers, 1, 16);
    json_array_foreach(list, i, pair)
    {
        headers[i].name = json_string_value(json_array_get(pair, 0));
        headers[i].value = json_string_value(json_array_get(pair, 1));
    }
    print_message("  %s\n", text_of(c, "name"));
    assert_int_equal(sigv4_canonical_request(&q, &canonical), 0);
    assert_string_equal(buf_str(&canonical), text_of(c, "canonical_request"));
    assert_int_equal(sigv4_string_to_sign(&q, buf_str(&canonical), &to_sign), 0);
    assert_string_equal(buf_str(&to_sign), text_of(c, "string_to_sign"));
    assert_int_equal(sigv4_authorization(&q, buf_str(&to_sign), &authorization), 0);
    assert_string_equal(buf_str(&authorization), text_of(c, "authorization"));
}

static void test_botocore(void **state)
{
    json_t *cases = json_load_file(TEST_DATA "/sigv4.json", 0, NULL), *c;
    size_t i;
    (void)state;

    assert_true(json_array_size(cases) >= 13);
    json_array_foreach(cases, i, c)
    {
        check_case(c);
    }
    json_decref(cases);
}

/* AWS's own suite, get-vanilla: key, date and region as published in its documentation. */
static void test_get_vanilla(void **state)
{
    static const struct sigv4_header headers[] = {{"Host", "example.amazonaws.com"},
                                                  {"X-Amz-Date", "20150830T123600Z"}};
    _cleanup_buf_ struct buf canonical = BUF_INIT(4096), to_sign = BUF_INIT(4096),
                             out = BUF_INIT(4096);
    struct sigv4_request q = {
        .method = "GET",
        .path = "/",
        .query = "",
        .headers = headers,
        .n_headers = 2,
        .amz_date = "20150830T123600Z",
        .region = "us-east-1",
        .signing_name = "service",
        .access_key_id = "AKIDEXAMPLE",
        .secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    };
    (void)state;

    assert_int_equal(sigv4_canonical_request(&q, &canonical), 0);
    assert_int_equal(sigv4_string_to_sign(&q, buf_str(&canonical), &to_sign), 0);
    assert_int_equal(sigv4_authorization(&q, buf_str(&to_sign), &out), 0);
    assert_string_equal(
        buf_str(&out),
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, "
        "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
}

static void test_bounds(void **state)
{
    struct sigv4_header many[33];
    _cleanup_buf_ struct buf out = BUF_INIT(65536), small = BUF_INIT(10);
    struct sigv4_request q = {
        .method = "GET", .path = "/", .query = "", .headers = many, .n_headers = 33};
    (void)state;

    for (size_t i = 0; i < 33; i++)
        many[i] = (struct sigv4_header){"x", "y"};
    assert_int_equal(sigv4_canonical_request(&q, &out), -EINVAL);
    q.n_headers = 1;
    assert_int_equal(sigv4_canonical_request(&q, &small), -EFBIG);
    q.query = "a=%zz";
    assert_int_equal(sigv4_canonical_request(&q, &out), -EINVAL);
}

static void test_uri(void **state)
{
    _cleanup_buf_ struct buf out = BUF_INIT(1000), back = BUF_INIT(1000);
    (void)state;

    assert_int_equal(uri_encode(&out, "a b:/~\xc3\xa4+%", 10, "/"), 0);
    assert_string_equal(buf_str(&out), "a%20b%3A/~%C3%A4%2B%25");
    assert_int_equal(uri_decode(&back, buf_str(&out), out.len), 0);
    assert_string_equal(buf_str(&back), "a b:/~\xc3\xa4+%");
    buf_truncate(&back, 0);
    assert_int_equal(uri_decode(&back, "%4", 2), -EINVAL);
    assert_int_equal(uri_decode(&back, "%00", 3), -EINVAL);
    buf_truncate(&back, 0);
    assert_int_equal(uri_decode(&back, "%41", 3), 0);
    assert_string_equal(buf_str(&back), "A");
}

static void test_digest(void **state)
{
    char hex[DIGEST_HEX_SIZE];
    unsigned char sha1[20];
    (void)state;

    assert_int_equal(digest_sha256_hex("abc", 3, hex), 0);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(digest_sha256_hex(NULL, 0, hex), 0);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_int_equal(digest_sha1("abc", 3, sha1), 0);
    assert_memory_equal(sha1,
                        "\xa9\x99\x3e\x36\x47\x06\x81\x6a\xba\x3e\x25\x71\x78\x50\xc2\x6c"
                        "\x9c\xd0\xd8\x9d",
                        20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_botocore), cmocka_unit_test(test_get_vanilla),
        cmocka_unit_test(test_bounds),   cmocka_unit_test(test_uri),
        cmocka_unit_test(test_digest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
