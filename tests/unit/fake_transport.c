/* Answers come in the order given, or to whom they are meant for; a request without one fails the
 * test. */
#include "tests/unit/fake_transport.h"

#include "tests/unit/unit.h"

#include <string.h>

/* Locked. */
static const struct fake_answer *answer_to(struct fake_transport *t, const char *body)
{
    for (size_t i = 0; i < t->n_answers; i++) {
        const char *to = t->answers[i].to;
        if (t->given[i] || (to != NULL && strstr(body, to) == NULL))
            continue;
        t->given[i] = true;
        return &t->answers[i];
    }
    fail_msg("no answer to %s", body);
    return NULL;
}

static int64_t now(struct fake_transport *t)
{
    return t->clock.clock.monotonic_ms(&t->clock.clock);
}

static const struct fake_answer *record(struct fake_transport *t, const struct http_request *r)
{
    struct buf headers = BUF_INIT(65536);

    for (size_t h = 0; h < r->n_headers; h++)
        assert_int_equal(buf_printf(&headers, "%s\n", r->headers[h]), 0);
    pthread_mutex_lock(&t->lock);
    size_t i = t->n_sent++;
    assert_in_range(i, 0, FAKE_SENT_MAX - 1);
    t->sent[i].url = strdup(r->url);
    t->sent[i].body = strndup(r->body_len > 0 ? r->body : "", r->body_len);
    t->sent[i].headers = buf_steal(&headers);
    t->sent[i].once = r->once;
    t->sent[i].at_ms = now(t);
    t->sent[i].deadline_ms = r->deadline_ms;
    const struct fake_answer *a = answer_to(t, t->sent[i].body);
    pthread_mutex_unlock(&t->lock);
    return a;
}

static int fake_send(struct http_transport *transport, const struct http_request *r,
                     _unused_ struct cancel *cancel, struct http_response *ret, struct fault *f)
{
    struct fake_transport *t = (struct fake_transport *)transport;
    const struct fake_answer *a = record(t, r);

    (void)t->clock.clock.sleep_until(&t->clock.clock, now(t) + a->takes_ms, NULL);
    if (a->err != 0) {
        (void)fault_set(f, a->err, "prepared failure");
        f->unclear = a->sent;
        f->unclear_until_ms = a->sent ? r->deadline_ms : 0;
        return a->err;
    }
    *ret = (struct http_response){
        .status = a->status, .body = BUF_INIT(1 << 20), .headers = BUF_INIT(65536)};
    assert_int_equal(buf_puts(&ret->body, a->body != NULL ? a->body : ""), 0);
    assert_int_equal(buf_puts(&ret->headers, a->headers != NULL ? a->headers : ""), 0);
    return 0;
}

static void fake_transport_free(_unused_ struct http_transport *t)
{
}

struct fake_transport *fake_new(const struct fake_answer *answers, size_t n)
{
    struct fake_transport *t = calloc(1, sizeof(*t));
    struct aws_client_options o;

    assert_non_null(t);
    t->transport = (struct http_transport){fake_send, fake_transport_free};
    clock_fake_init(&t->clock, 1000000, 1795348800000 - 1000000);
    pthread_mutex_init(&t->lock, NULL);
    t->given = calloc(n + 1, sizeof(*t->given));
    assert_non_null(t->given);
    t->answers = answers;
    t->n_answers = n;
    t->config = (struct aws_config){.region = (char *)"eu-central-1",
                                    .access_key_id = (char *)"AKIDEXAMPLE",
                                    .secret_access_key = (char *)"secret",
                                    .session_token = (char *)"the-token"};
    o = (struct aws_client_options){&t->config, &t->transport, &t->clock.clock, 0};
    assert_int_equal(aws_client_new(&o, &t->client, NULL), 0);
    return t;
}

void fake_free(struct fake_transport *t)
{
    size_t n_sent = t->n_sent, n_answers = t->n_answers;

    aws_client_free(t->client);
    for (size_t i = 0; i < t->n_sent; i++) {
        free(t->sent[i].url);
        free(t->sent[i].body);
        free(t->sent[i].headers);
    }
    free(t->given);
    pthread_mutex_destroy(&t->lock);
    free(t);
    assert_int_equal(n_sent, n_answers);
}
