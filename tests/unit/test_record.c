/* The record's format: round trips, limits, and that nothing which is not exactly a record is read
 * as one. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "provision/record.h"
#include "provision/record_text.h"
#include "tests/unit/fake_types.h"

static struct record *sample(void)
{
    struct blueprint *b = NULL;
    struct plan *p = NULL;
    struct record *r = NULL;
    struct fault f = FAULT_INIT;

    if (fake_load("{\"Resources\": {\"A\": {\"Type\": \"Custom::Thing\", \"Properties\": "
                  "{\"Name\": \"a\"}},"
                  "\"B\": {\"Type\": \"Custom::Thing\", \"DeletionPolicy\": \"Retain\","
                  " \"Properties\": {\"Name\": \"b\"}}}}",
                  NULL, &b, &f) ||
        plan_new(b, "n91bet54", SAMPLE_CLAIM, &p, &f) ||
        record_new(p, "alice", "host1", 1700000000123, 60000, &r, &f))
        fail_msg("%s", f.message);
    plan_free(p);
    blueprint_unref(b);
    return r;
}

static char *text_of(const struct record *r)
{
    struct fault f = FAULT_INIT;
    char *text = NULL;

    if (record_print(r, &text, &f) != 0)
        fail_msg("%s", f.message);
    assert_true(strlen(text) <= RECORD_MAX);
    assert_null(strstr(text, "{{"));
    return text;
}

static struct record *parse(const char *text)
{
    struct fault f = FAULT_INIT;
    struct record *r = NULL;

    if (record_parse("n91bet54", text, &r, &f) != 0)
        fail_msg("%s: %s", text, f.message);
    return r;
}

static void test_fresh(void **state)
{
    struct record *r = sample();
    char *text = text_of(r), expected[600];
    (void)state;

    snprintf(expected, sizeof(expected),
             "{\"v\":1,\"c\":\"" SAMPLE_CLAIM
             "\",\"f\":\"wp\",\"p\":\"c\",\"n\":0,\"w\":\"alice\",\"h\":\"host1\","
             "\"t\":1700000000123,\"u\":1700000000123,\"l\":60000,\"g\":10000,\"m\":5,\"b\":\"%s\","
             "\"s\":[[\"A\",\"th\",{\"n\":\"a\"}],[\"B\",\"th\",{\"n\":\"b\"},\"\",1]]}",
             r->blueprint_hash);
    assert_string_equal(text, expected);
    free(text);
    record_free(r);
}

static void test_round_trip(void **state)
{
    struct record *r = sample(), *back, *copy = NULL;
    char *text, *again, *copied;
    (void)state;

    r->phase = PHASE_FAILED;
    r->spent = 3;
    r->steps[0].short_id = strdup("fs-1");
    r->outputs = json_pack("{s:s,s:s}", "url", "https://ä/", "x", "{{{{a}}{{");
    r->error = strdup("step: A\nmessage: \"quoted\" {{x}}\n");
    text = text_of(r);
    back = parse(text);
    again = text_of(back);
    assert_string_equal(text, again);
    assert_string_equal(back->id, "n91bet54");
    assert_string_equal(back->family, "wp");
    assert_string_equal(back->claim, SAMPLE_CLAIM);
    assert_string_equal(back->error, r->error);
    assert_true(json_equal(back->outputs, r->outputs));
    assert_int_equal(back->phase, PHASE_FAILED);
    assert_int_equal(back->spent, 3);
    assert_int_equal(back->n_steps, 2);
    assert_string_equal(back->steps[0].short_id, "fs-1");
    assert_null(back->steps[1].short_id);
    assert_false(back->steps[0].retain);
    assert_true(back->steps[1].retain);
    assert_ptr_equal(back->steps[0].type, type_by_code("th"));
    assert_int_equal(record_copy(back, &copy), 0);
    record_free(back);
    copied = text_of(copy);
    assert_string_equal(text, copied);
    free(copied);
    free(again);
    free(text);
    record_free(copy);
    record_free(r);
}

/* A random string of troublesome characters, of n bytes at most. */
static char *noise(unsigned *seed, size_t n)
{
    static const char *const pieces[] = {"{", "{{", "}", "\"", "\\", "\n",  "ä",
                                         "€", "😀",  "x", " ",  "/",  "\x01"};
    char *out = malloc(n + 5);
    size_t at = 0;

    while (at < n) {
        const char *piece;
        *seed = *seed * 1103515245 + 12345;
        piece = pieces[(*seed >> 16) % ARRAY_SIZE(pieces)];
        memcpy(out + at, piece, strlen(piece));
        at += strlen(piece);
    }
    out[at] = '\0';
    return out;
}

/* Whatever stands in it: the text fits, has no `{{`, and reads back to the same text; only where
 * the record was small also to the same content. */
static void test_any_content(void **state)
{
    unsigned seed = 4711;
    (void)state;

    for (unsigned i = 0; i < 400; i++) {
        struct record *r = sample(), *back;
        char *text, *again, *value;
        size_t size = i < 200 ? i : 10 * i;
        r->phase = (enum record_phase)(i % 4);
        r->error = noise(&seed, size);
        value = noise(&seed, i);
        r->outputs = json_pack("{s:s,s:s}", "a", value, "b", "x");
        r->steps[1].short_id = noise(&seed, i % 90);
        text = text_of(r);
        back = parse(text);
        again = text_of(back);
        assert_string_equal(text, again);
        if (i < 200) {
            assert_string_equal(back->error ? back->error : "", r->error);
            assert_true(json_equal(back->outputs, r->outputs));
        }
        free(again);
        free(text);
        free(value);
        record_free(back);
        record_free(r);
    }
}

/* The error goes first, then outputs, then short ids; and what cannot fit is said. */
static void test_shrinks(void **state)
{
    struct record *r = sample(), *back;
    struct fault f = FAULT_INIT;
    char *text, big[5001];
    (void)state;

    memset(big, 'e', 5000);
    big[5000] = '\0';
    r->error = strdup(big);
    r->outputs = json_pack("{s:s,s:s}", "url", "u", "dns", "d");
    r->steps[0].short_id = strdup("fs-1");
    text = text_of(r);
    assert_true(strlen(text) > RECORD_MAX - 20);
    back = parse(text);
    assert_int_equal(json_object_size(back->outputs), 2);
    assert_true(str_ends(back->error, "e..."));
    assert_string_equal(back->steps[0].short_id, "fs-1");
    record_free(back);
    free(text);

    json_object_set_new(r->outputs, "url", json_string(big));
    text = text_of(r);
    back = parse(text);
    assert_null(back->error);
    assert_string_equal(json_string_value(json_object_get(back->outputs, "dns")), "d");
    assert_null(json_object_get(back->outputs, "url"));
    assert_string_equal(back->steps[0].short_id, "fs-1");
    record_free(back);
    free(text);

    free(r->steps[1].short_id);
    r->steps[1].short_id = strdup(big);
    text = text_of(r);
    back = parse(text);
    assert_null(back->outputs);
    assert_string_equal(back->steps[0].short_id, "fs-1");
    assert_null(back->steps[1].short_id);
    assert_true(back->steps[1].retain);
    record_free(back);
    free(text);

    free(r->family);
    r->family = strdup(big);
    text = NULL;
    assert_int_equal(record_print(r, &text, &f), -EFBIG);
    assert_null(text);
    record_free(r);
}

static void refuses(const char *text)
{
    struct record *r = NULL;
    struct fault f = FAULT_INIT;

    if (record_parse("n91bet54", text, &r, &f) != -EPROTO)
        fail_msg("read as a record: %s", text);
    assert_null(r);
    assert_non_null(strstr(f.message, "/svcfs/n91bet54"));
}

/* Each member taken away, made another kind, and an unknown one added. */
static void test_strict(void **state)
{
    static const char *const keys[] = {"v", "c", "f", "p", "n", "w", "h",
                                       "t", "u", "l", "g", "m", "b", "s"};
    struct record *r = sample();
    char *text = text_of(r), *changed;
    json_t *root = json_loads(text, 0, NULL), *v;
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        v = json_incref(json_object_get(root, keys[i]));
        assert_non_null(v);
        json_object_del(root, keys[i]);
        changed = json_dumps(root, 0);
        refuses(changed);
        free(changed);
        json_object_set_new(root, keys[i], json_true());
        changed = json_dumps(root, 0);
        refuses(changed);
        free(changed);
        json_object_set_new(root, keys[i], v);
    }
    json_object_set_new(root, "zz", json_integer(1));
    changed = json_dumps(root, 0);
    refuses(changed);
    free(changed);
    json_object_del(root, "zz");
    json_object_set_new(root, "v", json_integer(2));
    changed = json_dumps(root, 0);
    refuses(changed);
    free(changed);
    refuses("");
    refuses("x");
    refuses("[]");
    refuses("{}");
    for (size_t n = 0; n < strlen(text); n++) {
        changed = strndup(text, n);
        refuses(changed);
        free(changed);
    }
    json_decref(root);
    free(text);
    record_free(r);
}

/* A type that this version does not know stays as it is. */
static void test_unknown_type(void **state)
{
    struct record *r = sample(), *back, *copy = NULL;
    char *text = text_of(r), *again, *at = strstr(text, "\"th\"");
    (void)state;

    memcpy(at, "\"zz\"", 4);
    back = parse(text);
    assert_null(back->steps[0].type);
    assert_string_equal(back->steps[0].unknown_code, "zz");
    assert_int_equal(record_copy(back, &copy), 0);
    again = text_of(copy);
    assert_string_equal(text, again);
    free(again);
    free(text);
    record_free(copy);
    record_free(back);
    record_free(r);
}

static void test_error_text(void **state)
{
    struct fault f = {.err = -EACCES,
                      .call = "ecs:CreateService",
                      .code = "AccessDenied",
                      .request_id = "req-1",
                      .message = "no",
                      .next = "ask"};
    char *text = record_error_text("Service", &f);
    (void)state;

    assert_string_equal(text, "step: Service\ncall: ecs:CreateService\ncode: AccessDenied\n"
                              "request-id: req-1\nmessage: no\nnext: ask\n");
    free(text);
    f = (struct fault){.err = -ETIMEDOUT};
    text = record_error_text(NULL, &f);
    assert_string_equal(text,
                        "step: -\ncall: -\ncode: ETIMEDOUT\nrequest-id: -\nmessage: -\nnext: -\n");
    free(text);
    /* The longest fault: what to do next survives, the message gives way. */
    memset(f.message, 'm', sizeof(f.message) - 1);
    memset(f.next, 'n', sizeof(f.next) - 1);
    memset(f.call, 'c', sizeof(f.call) - 1);
    memset(f.code, 'd', sizeof(f.code) - 1);
    memset(f.request_id, 'r', sizeof(f.request_id) - 1);
    text = record_error_text("Service", &f);
    assert_true(strlen(text) <= RECORD_ERROR_MAX);
    assert_non_null(strstr(text, "mm...\nnext: nnn"));
    assert_int_equal(text[strlen(text) - 1], '\n');
    free(text);
}

static void test_text(void **state)
{
    char *t;
    (void)state;

    t = record_text_clean("a\xff"
                          "b\x80\xc3",
                          100);
    assert_string_equal(t, "a?b??");
    free(t);
    t = record_text_clean("a\n\tä", 4);
    assert_string_equal(t, "a  ");
    free(t);
    t = record_text_lines("a\n\tä");
    assert_string_equal(t, "a\n ä");
    free(t);
    t = record_text_cut("ääää", 5);
    assert_string_equal(t, "ä...");
    free(t);
    t = record_text_braces("{{{{{");
    assert_string_equal(t, "{\\u007b{\\u007b{");
    free(t);
}

static void test_names(void **state)
{
    static const char *const wrong[] = {
        "",
        "/svcfs",
        "/svcfs/",
        "/svcfs/N91",
        "/svcfs/a",
        "/svcfs/-ab",
        "/svcfs/ab-",
        "/other/n91bet54",
        "/svcfs/n91bet54/",
        "/svcfs/n91bet54/owner-1",
        "/svcfs/n91bet54/" SAMPLE_CLAIM,
        "/svcfs/n91bet54/" SAMPLE_CLAIM "/",
        "/svcfs/n91bet54/" SAMPLE_CLAIM "/owner",
        "/svcfs/n91bet54/" SAMPLE_CLAIM "/owner-",
        "/svcfs/n91bet54/" SAMPLE_CLAIM "/owner-0",
        "/svcfs/n91bet54/" SAMPLE_CLAIM "/owner-01",
        "/svcfs/n91bet54/" SAMPLE_CLAIM "/owner-1x",
        "/svcfs/n91bet54/" SAMPLE_CLAIM "/owner-99999999999",
        "/svcfs/n91bet54/" SAMPLE_CLAIM "/protect-1",
        "/svcfs/n91bet54/" SAMPLE_CLAIM "/protected",
        "/svcfs/n91bet54/" SAMPLE_CLAIM "/owner-1/x",
        "/svcfs/n91bet54/" SAMPLE_CLAIM "x/owner-1",
        "/svcfs/n91bet54/Abcdefghijklmnopqrstuvwxyz/owner-1",
        "/svcfs/abcdefghijklmnopqrstuvwxyzabcdefg",
    };
    struct record_child c;
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        if (record_parse_name(wrong[i], &c) != -EINVAL)
            fail_msg("taken for a name: %s", wrong[i]);
    assert_int_equal(record_parse_name("/svcfs/n91bet54", &c), 0);
    assert_string_equal(c.id, "n91bet54");
    assert_string_equal(c.claim, "");
    assert_int_equal(record_parse_name("/svcfs/n91bet54/" SAMPLE_CLAIM "/owner-12", &c), 0);
    assert_string_equal(c.claim, SAMPLE_CLAIM);
    assert_int_equal(c.word, CHILD_OWNER);
    assert_int_equal(c.n, 12);
    assert_int_equal(record_parse_name("/svcfs/n91bet54/" SAMPLE_CLAIM "/delete-1", &c), 0);
    assert_int_equal(c.word, CHILD_DELETE);
    assert_int_equal(record_parse_name("/svcfs/n91bet54/" SAMPLE_CLAIM "/cancel-1", &c), 0);
    assert_int_equal(c.word, CHILD_CANCEL);
    assert_int_equal(record_parse_name("/svcfs/n91bet54/" SAMPLE_CLAIM "/protect", &c), 0);
    assert_int_equal(c.word, CHILD_PROTECT);
    assert_int_equal(c.n, 0);
}

static void test_owner(void **state)
{
    struct record_owner o = {.nonce = SAMPLE_CLAIM, .lease_ms = 60000, .beat = 7, .released = true};
    struct record_owner back;
    char *text = NULL;
    (void)state;

    assert_int_equal(record_owner_print(&o, &text), 0);
    assert_string_equal(text, "{\"nonce\":\"" SAMPLE_CLAIM
                              "\",\"lease\":60000,\"released\":true,\"beat\":7}");
    assert_int_equal(record_owner_parse(text, &back), 0);
    assert_memory_equal(&back, &o, sizeof(o));
    free(text);
    assert_int_equal(record_owner_parse("", &back), -EPROTO);
    assert_int_equal(record_owner_parse("{}", &back), -EPROTO);
    assert_int_equal(
        record_owner_parse("{\"nonce\":\"x\",\"lease\":1,\"released\":true,\"beat\":7}", &back),
        -EPROTO);
    assert_int_equal(record_owner_parse("{\"nonce\":\"" SAMPLE_CLAIM
                                        "\",\"lease\":-1,\"released\":true,\"beat\":7}",
                                        &back),
                     -EPROTO);
}

static void test_phase_names(void **state)
{
    (void)state;
    assert_string_equal(record_phase_name(PHASE_CREATING), "creating");
    assert_string_equal(record_phase_name(PHASE_READY), "ready");
    assert_string_equal(record_phase_name(PHASE_FAILED), "failed");
    assert_string_equal(record_phase_name(PHASE_DELETING), "deleting");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fresh),       cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_any_content), cmocka_unit_test(test_shrinks),
        cmocka_unit_test(test_strict),      cmocka_unit_test(test_unknown_type),
        cmocka_unit_test(test_error_text),  cmocka_unit_test(test_text),
        cmocka_unit_test(test_names),       cmocka_unit_test(test_owner),
        cmocka_unit_test(test_phase_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
