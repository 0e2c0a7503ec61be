/*
 * The transport against a small server of our own on 127.0.0.1. The path says what the server does:
 * /ok, /big, /stall (no answer), /cut (half a body), /drop (closes after the request), /status/N.
 */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "awsapi/http.h"
#include "base/str.h"

enum { CONNECTIONS_MAX = 128 };

static struct server {
    int fd;
    int port;
    pthread_t thread;
    pthread_t workers[CONNECTIONS_MAX];
    int fds[CONNECTIONS_MAX];
    atomic_int connections, requests;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char last[4096]; /* head of the last request */
} server = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* Reads one request into head (and its body away); false: the other side has gone. */
static bool read_request(int fd, char *head, size_t size)
{
    size_t len = 0, body = 0;
    char *end = NULL, *length;

    while (end == NULL) {
        ssize_t n = recv(fd, head + len, size - 1 - len, 0);

        if (n <= 0)
            return false;
        len += (size_t)n;
        head[len] = '\0';
        end = strstr(head, "\r\n\r\n");
    }
    length = strcasestr(head, "\r\nContent-Length: ");
    if (length != NULL)
        body = strtoul(length + 18, NULL, 10);
    for (size_t have = len - (size_t)(end + 4 - head); have < body;) {
        char rest[4096];
        ssize_t n = recv(fd, rest, MIN(sizeof(rest), body - have), 0);

        if (n <= 0)
            return false;
        have += (size_t)n;
    }
    pthread_mutex_lock(&server.lock);
    memcpy(server.last, head, len + 1);
    atomic_fetch_add(&server.requests, 1);
    pthread_cond_broadcast(&server.changed);
    pthread_mutex_unlock(&server.lock);
    return true;
}

static bool send_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static bool answer(int fd, const char *head)
{
    char text[256], waste[16];
    const char *path = strchr(head, ' ') + 1;

    if (str_starts(path, "/stall"))
        return recv(fd, waste, sizeof(waste), 0) > 0;
    if (str_starts(path, "/drop"))
        return false;
    if (str_starts(path, "/cut")) {
        (void)snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        (void)send_all(fd, text, strlen(text));
        return false;
    }
    if (str_starts(path, "/big")) {
        static char zeros[1 << 20];

        (void)snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n",
                       40 << 20);
        bool going = send_all(fd, text, strlen(text));
        for (int i = 0; i < 40 && going; i++)
            going = send_all(fd, zeros, sizeof(zeros));
        return going;
    }
    (void)snprintf(text, sizeof(text),
                   "HTTP/1.1 100 Continue\r\nX-Old: 1\r\n\r\n"
                   "HTTP/1.1 %d Text\r\nContent-Length: 5\r\nX-Amzn-RequestId:  r-1 \r\n"
                   "Location: /elsewhere\r\n\r\nhello",
                   str_starts(path, "/status/") ? atoi(path + 8) : 200);
    return send_all(fd, text, strlen(text));
}

static void *serve(void *arg)
{
    int fd = *(int *)arg;
    char head[4096];

    while (read_request(fd, head, sizeof(head)) && answer(fd, head))
        ;
    shutdown(fd, SHUT_RDWR);
    return NULL;
}

static void *accept_all(_unused_ void *arg)
{
    for (;;) {
        int fd = accept(server.fd, NULL, NULL), n;

        if (fd < 0)
            return NULL;
        n = atomic_load(&server.connections);
        if (n == CONNECTIONS_MAX)
            abort();
        server.fds[n] = fd;
        atomic_fetch_add(&server.connections, 1); /* before its first answer can be seen */
        if (pthread_create(&server.workers[n], NULL, serve, &server.fds[n]) != 0)
            abort();
    }
}

static int start_server(void **state)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    (void)state;

    server.fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server.fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(server.fd, 64) < 0 ||
        getsockname(server.fd, (struct sockaddr *)&a, &len) < 0)
        return -1;
    server.port = ntohs(a.sin_port);
    return pthread_create(&server.thread, NULL, accept_all, NULL);
}

static int stop_server(void **state)
{
    (void)state;
    shutdown(server.fd, SHUT_RDWR);
    pthread_join(server.thread, NULL);
    for (int i = 0; i < server.connections; i++) {
        shutdown(server.fds[i], SHUT_RDWR);
        pthread_join(server.workers[i], NULL);
        close(server.fds[i]);
    }
    return close(server.fd);
}

static int set_up(void **state)
{
    return http_new((struct http_transport **)state, clock_system(), NULL, NULL);
}

static int tear_down(void **state)
{
    struct http_transport *t = *state;

    t->free(t);
    return 0;
}

struct result {
    int err, status;
    struct fault f;
    struct http_response response;
    int64_t took_ms;
};

static struct result fetch(struct http_transport *t, const char *path, bool once,
                           int64_t timeout_ms, struct cancel *cancel)
{
    static const char *const headers[] = {"X-Mine: 1", "Content-Type: text/plain"};
    struct clock *clock = clock_system();
    int64_t begin = clock->monotonic_ms(clock);
    struct result result = {.response = {.body = BUF_INIT(0), .headers = BUF_INIT(0)}};
    _cleanup_free_ char *url = str_printf("http://127.0.0.1:%d%s", server.port, path);
    struct http_request r = {.method = "POST",
                             .url = url,
                             .headers = headers,
                             .n_headers = 2,
                             .body = "{}",
                             .body_len = 2,
                             .deadline_ms = begin + timeout_ms,
                             .once = once};

    assert_non_null(url);
    result.err = t->send(t, &r, cancel, &result.response, &result.f);
    result.took_ms = clock->monotonic_ms(clock) - begin;
    if (result.err == 0)
        result.status = result.response.status;
    return result;
}

static void test_answer(void **state)
{
    struct result r = fetch(*state, "/ok", false, 10000, NULL);
    _cleanup_free_ char *id = http_response_header(&r.response, "x-amzn-requestid");
    _cleanup_free_ char *old = http_response_header(&r.response, "x-old");

    assert_int_equal(r.err, 0);
    assert_int_equal(r.status, 200);
    assert_string_equal(buf_str(&r.response.body), "hello");
    assert_string_equal(id, "r-1");
    assert_null(old);
    http_response_done(&r.response);
    pthread_mutex_lock(&server.lock);
    assert_non_null(strstr(server.last, "POST /ok HTTP/1.1\r\n"));
    assert_non_null(strstr(server.last, "\r\nX-Mine: 1\r\n"));
    assert_non_null(strstr(server.last, "\r\nContent-Length: 2\r\n"));
    assert_non_null(strstr(server.last, "\r\nUser-Agent: svcfs/"));
    assert_null(strcasestr(server.last, "\r\nExpect"));
    assert_null(strcasestr(server.last, "\r\nAccept-Encoding"));
    pthread_mutex_unlock(&server.lock);
}

static void test_status(void **state)
{
    static const int statuses[] = {204, 302, 404, 503};

    for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
        char path[32];
        struct result r;

        (void)snprintf(path, sizeof(path), "/status/%d", statuses[i]);
        r = fetch(*state, path, true, 10000, NULL);
        assert_int_equal(r.err, 0);
        assert_int_equal(r.status, statuses[i]);
        http_response_done(&r.response);
    }
}

/* Reads share a connection; every write has a fresh one. */
static void test_keep_alive(void **state)
{
    int before = server.connections;

    for (int i = 0; i < 10; i++) {
        struct result r = fetch(*state, "/ok", false, 10000, NULL);

        assert_int_equal(r.err, 0);
        http_response_done(&r.response);
    }
    assert_int_equal(server.connections - before, 1);
    for (int i = 0; i < 5; i++) {
        struct result r = fetch(*state, "/ok", true, 10000, NULL);

        assert_int_equal(r.err, 0);
        http_response_done(&r.response);
    }
    assert_int_equal(server.connections - before, 6);
}

/* A write whose connection dies is not sent again by anybody. */
static void test_drop(void **state)
{
    int before = server.requests;
    struct result ok = fetch(*state, "/ok", false, 10000, NULL), r;

    http_response_done(&ok.response);
    r = fetch(*state, "/drop", true, 10000, NULL);
    assert_int_equal(r.err, -EREMOTEIO);
    assert_int_equal(r.f.err, -EREMOTEIO);
    assert_true(r.f.unclear);
    assert_true(r.f.unclear_until_ms > 0);
    assert_int_equal(server.requests - before, 2);
}

static void test_cut(void **state)
{
    struct result r = fetch(*state, "/cut", true, 10000, NULL);

    assert_int_equal(r.err, -EREMOTEIO);
    assert_true(r.f.unclear);
}

static void test_deadline(void **state)
{
    struct result r = fetch(*state, "/stall", true, 200, NULL);

    assert_int_equal(r.err, -ETIMEDOUT);
    assert_true(r.f.unclear);
    assert_in_range(r.took_ms, 190, 5000);
    r = fetch(*state, "/stall", true, 0, NULL);
    assert_int_equal(r.err, -ETIMEDOUT);
    assert_false(r.f.unclear);
}

static void test_too_big(void **state)
{
    struct result r = fetch(*state, "/big", false, 30000, NULL);

    assert_int_equal(r.err, -EFBIG);
}

static void test_refused(void **state)
{
    struct http_transport *t = *state;
    struct clock *clock = clock_system();
    struct http_request q = {.method = "POST",
                             .body = "{}",
                             .body_len = 2,
                             .once = true,
                             .deadline_ms = clock->monotonic_ms(clock) + 20000};
    struct http_response response;
    struct fault f = FAULT_INIT;

    q.url = "http://127.0.0.1:1/"; /* nobody listens */
    assert_int_equal(t->send(t, &q, NULL, &response, &f), -EHOSTUNREACH);
    assert_false(f.unclear);
    q.url = "http://name.invalid/";
    assert_int_equal(t->send(t, &q, NULL, &response, &f), -EHOSTUNREACH);
    assert_false(f.unclear);
    q.url = "file:///etc/passwd";
    assert_int_equal(t->send(t, &q, NULL, &response, &f), -EHOSTUNREACH);
}

struct background {
    struct http_transport *t;
    struct cancel *cancel;
    struct result r;
};

static void *fetch_stall(void *arg)
{
    struct background *b = arg;

    b->r = fetch(b->t, "/stall", true, 60000, b->cancel);
    return NULL;
}

static void test_cancel(void **state)
{
    struct background b = {.t = *state, .cancel = cancel_new()};
    int before = server.requests;
    pthread_t thread;
    struct result r;

    assert_int_equal(pthread_create(&thread, NULL, fetch_stall, &b), 0);
    pthread_mutex_lock(&server.lock);
    while (server.requests == before)
        pthread_cond_wait(&server.changed, &server.lock);
    pthread_mutex_unlock(&server.lock);
    cancel_raise(b.cancel);
    pthread_join(thread, NULL);
    assert_int_equal(b.r.err, -ECANCELED);
    assert_true(b.r.f.unclear);
    assert_true(b.r.took_ms < 30000);
    r = fetch(*state, "/ok", false, 10000, b.cancel);
    assert_int_equal(r.err, -ECANCELED);
    assert_false(r.f.unclear);
    cancel_unref(b.cancel);
}

struct load {
    struct http_transport *t;
    atomic_int ok;
};

static void *fetch_many(void *arg)
{
    struct load *l = arg;

    for (int i = 0; i < 25; i++) {
        struct result r = fetch(l->t, "/ok", false, 20000, NULL);

        if (r.err == 0 && r.response.body.len == 5)
            atomic_fetch_add(&l->ok, 1);
        http_response_done(&r.response);
    }
    return NULL;
}

static void test_many(void **state)
{
    struct load l = {.t = *state};
    pthread_t threads[16];

    for (int i = 0; i < 16; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, fetch_many, &l), 0);
    for (int i = 0; i < 16; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(l.ok, 16 * 25);
}

/* The machine was suspended, or the process stopped, between queueing and the first byte. */
struct late_clock {
    struct clock clock;
    atomic_int asked;
};

static int64_t late_monotonic(struct clock *c)
{
    /* The caller and the first look of the transport's thread see time left; then none is. */
    return atomic_fetch_add(&((struct late_clock *)c)->asked, 1) < 2 ? 1000 : 1000000;
}

static void test_not_sent_late(void **state)
{
    struct late_clock late = {.clock = {.monotonic_ms = late_monotonic}};
    struct http_transport *t;
    _cleanup_free_ char *url = str_printf("http://127.0.0.1:%d/ok", server.port);
    struct http_request q = {.method = "DELETE", .url = url, .deadline_ms = 21000, .once = true};
    struct http_response response;
    struct fault f = FAULT_INIT;
    int before = server.requests;
    (void)state;

    assert_int_equal(http_new(&t, &late.clock, NULL, NULL), 0);
    assert_int_equal(t->send(t, &q, NULL, &response, &f), -ETIMEDOUT);
    assert_false(f.unclear);
    t->free(t);
    assert_int_equal(server.requests, before);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_answer), TEST(test_status),   TEST(test_keep_alive),    TEST(test_drop),
        TEST(test_cut),    TEST(test_deadline), TEST(test_too_big),       TEST(test_refused),
        TEST(test_cancel), TEST(test_many),     TEST(test_not_sent_late),
    };

    unsetenv("http_proxy");
    unsetenv("all_proxy");
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
