/* base/: what the rest takes for granted. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/hash.h"
#include "base/jobs.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"

static void test_buf_bounds(void **state)
{
    _cleanup_buf_ struct buf b = BUF_INIT(5);
    _cleanup_free_ char *s = NULL;
    (void)state;

    assert_string_equal(buf_str(&b), "");
    assert_int_equal(buf_append(&b, "abcde", 5), 0);
    assert_int_equal(buf_putc(&b, 'f'), -EFBIG);
    assert_int_equal(buf_printf(&b, "%d", 1), -EFBIG);
    assert_string_equal(buf_str(&b), "abcde");
    buf_truncate(&b, 2);
    assert_int_equal(buf_printf(&b, "%d", 123), 0);
    assert_string_equal(buf_str(&b), "ab123");
    s = buf_steal(&b);
    assert_string_equal(s, "ab123");
    assert_int_equal(b.len, 0);
    assert_int_equal(buf_puts(&b, "again"), 0);
}

static void test_buf_grows(void **state)
{
    _cleanup_buf_ struct buf b = BUF_INIT(100000);
    (void)state;

    for (int i = 0; i < 10000; i++)
        assert_int_equal(buf_printf(&b, "%04d ", i), 0);
    assert_int_equal(b.len, 50000);
    assert_memory_equal(b.data + 49995, "9999 ", 6);
}

static void test_arena_join(void **state)
{
    _cleanup_(arena_freep) struct arena *a = arena_new();
    struct arena *b = arena_new(), *empty = arena_new();
    size_t size = arena_size(a) + arena_size(b);
    (void)state;

    const char *before = arena_strdup(a, "before"), *text = arena_intern(b, "moved");
    char *large = arena_alloc(b, 1 << 20);
    large[0] = 'x';
    arena_join(a, b);
    arena_join(a, empty);
    assert_string_equal(text, "moved");
    assert_string_equal(before, "before");
    assert_int_equal(large[0], 'x');
    assert_true(arena_size(a) > size + (1 << 20));
    assert_non_null(arena_alloc(a, 5000));
    struct arena *c = arena_new();
    arena_join(c, steal_ptr(a)); /* into an empty one */
    a = c;
    assert_string_equal(text, "moved");
    assert_string_equal(arena_strdup(a, "after"), "after");
}

static void test_arena(void **state)
{
    _cleanup_(arena_freep) struct arena *a = arena_new();
    char *texts[1000];
    (void)state;

    assert_non_null(a);
    for (int i = 0; i < 1000; i++) {
        texts[i] = arena_printf(a, "text %d", i);
        assert_non_null(texts[i]);
        assert_int_equal((uintptr_t)arena_alloc(a, 3) % _Alignof(max_align_t), 0);
    }
    char *large = arena_array(a, 1 << 20, 3);
    assert_non_null(large);
    memset(large, 'x', 3 << 20);
    assert_non_null(arena_alloc(a, 0));
    assert_null(arena_array(a, SIZE_MAX / 2, 3));
    assert_null(arena_alloc(a, SIZE_MAX));
    for (int i = 0; i < 1000; i++) {
        char want[32];

        (void)snprintf(want, sizeof(want), "text %d", i);
        assert_string_equal(texts[i], want);
    }
    assert_string_equal(arena_strndup(a, "abcdef", 3), "abc");
    assert_true(arena_size(a) > 3 << 20);
}

/* Texts and aligned things share a chunk from its two ends and never meet. */
static void test_arena_texts(void **state)
{
    _cleanup_(arena_freep) struct arena *a = arena_new();
    unsigned char *things[2000];
    char *texts[2000];
    char name[16];
    (void)state;

    for (unsigned i = 0; i < ARRAY_SIZE(texts); i++) {
        snprintf(name, sizeof(name), "%u", i * 7919);
        texts[i] = arena_strdup(a, name);
        things[i] = arena_alloc(a, 24);
        assert_int_equal(things[i][0] | things[i][23], 0);
        memset(things[i], 0xff, 24);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(texts); i++) {
        snprintf(name, sizeof(name), "%u", i * 7919);
        assert_string_equal(texts[i], name);
        assert_int_equal(things[i][0], 0xff);
    }
    const char *one = arena_intern(a, "one");
    assert_ptr_equal(arena_intern(a, "one"), one);
    for (unsigned i = 0; i < 10000; i++) { /* some of which take its place */
        snprintf(name, sizeof(name), "%u", i);
        assert_string_equal(arena_intern(a, name), name);
    }
    assert_string_equal(one, "one");
    assert_string_equal(arena_intern(a, "one"), "one");
}

/* Keys are taken as they are, and looked up by what stands in them. */
static void test_map_lent(void **state)
{
    _cleanup_(map_freep) struct map *m = map_new_lent();
    struct map_iter it = {0};
    char keys[100][8];
    const char *key;
    void *value;
    (void)state;

    for (unsigned i = 0; i < ARRAY_SIZE(keys); i++) {
        snprintf(keys[i], sizeof(keys[i]), "k%u", i);
        assert_int_equal(map_put(m, keys[i], keys[i], NULL), 0);
    }
    assert_ptr_equal(map_get(m, "k7"), keys[7]);
    assert_ptr_equal(map_remove(m, "k7"), keys[7]);
    assert_null(map_get(m, "k7"));
    while (map_next(m, &it, &key, &value))
        assert_ptr_equal(key, value);
    assert_int_equal(map_size(m), 99);
}

static void test_map(void **state)
{
    _cleanup_(map_freep) struct map *m = map_new();
    struct map_iter it = {0};
    const char *key;
    void *value, *old;
    size_t seen = 0;
    char name[32];
    (void)state;

    assert_null(map_get(NULL, "x"));
    for (uintptr_t i = 1; i <= 5000; i++) {
        (void)snprintf(name, sizeof(name), "key-%u", (unsigned)i);
        assert_int_equal(map_put(m, name, (void *)i, &old), 0);
        assert_null(old);
    }
    assert_int_equal(map_put(m, "key-7", (void *)8, &old), 0);
    assert_ptr_equal(old, (void *)7);
    /* Every entry is seen once, although each second one is removed on the way. */
    while (map_next(m, &it, &key, &value)) {
        seen++;
        if ((uintptr_t)value % 2 == 0) {
            (void)snprintf(name, sizeof(name), "%s", key);
            assert_ptr_equal(map_remove(m, name), value);
        }
    }
    assert_int_equal(seen, 5000);
    assert_int_equal(map_size(m), 2499);
    assert_null(map_get(m, "key-7"));
    assert_ptr_equal(map_get(m, "key-9"), (void *)9);
    assert_null(map_remove(m, "key-8"));
}

/* Tombstones must not fill the table up: a lookup has to end. */
static void test_map_churn(void **state)
{
    _cleanup_(map_freep) struct map *m = map_new();
    char name[32];
    (void)state;

    for (unsigned i = 0; i < 100000; i++) {
        (void)snprintf(name, sizeof(name), "%u", i);
        assert_int_equal(map_put(m, name, name, NULL), 0);
        assert_non_null(map_remove(m, name));
    }
    assert_int_equal(map_size(m), 0);
    assert_null(map_get(m, "0"));
}

static void test_hash(void **state)
{
    uint8_t key[16], data[15];
    (void)state;

    for (uint8_t i = 0; i < 16; i++)
        key[i] = i;
    for (uint8_t i = 0; i < 15; i++)
        data[i] = i;
    /* The example of the SipHash paper, appendix A. */
    assert_true(hash_sip(key, data, 15) == 0xa129ca6149be45e5);
    /* Its first reference vector (no input). */
    assert_true(hash_sip(key, data, 0) == 0x726fdb47dd0e0e31);
    /* Inode numbers must not change between versions. */
    assert_true(hash_stable("a", 1) == hash_stable("a", 1));
    assert_true(hash_stable("a", 1) != hash_stable("b", 1));
}

static void test_strings(void **state)
{
    char out[8];
    char *text = NULL;
    size_t len = 0;
    (void)state;

    assert_string_equal(str_after("/svcfs/x", "/svcfs/"), "x");
    assert_null(str_after("/svc", "/svcfs/"));
    assert_true(str_ends("abc", "bc"));
    assert_false(str_ends("c", "bc"));
    assert_int_equal(str_format(out, sizeof(out), "%s", "1234567"), 0);
    assert_int_equal(str_format(out, sizeof(out), "%s", "12345678"), -ENAMETOOLONG);
    assert_string_equal(out, "1234567");
    assert_int_equal(str_read_file("/nonexistent/file", 10, &text, &len), -ENOENT);
    assert_int_equal(str_read_file("/proc/self/status", 10, &text, &len), -EFBIG);
    assert_int_equal(str_read_file("/proc/self/status", 1 << 20, &text, &len), 0);
    assert_int_equal(strlen(text), len);
    free(text);
}

static void test_random(void **state)
{
    unsigned counts[3] = {0};
    char out[30001];
    (void)state;

    assert_int_equal(str_random(out, 30000, "abc"), 0);
    assert_int_equal(strlen(out), 30000);
    for (size_t i = 0; i < 30000; i++)
        counts[out[i] - 'a']++;
    /* 10,000 each; ten standard deviations are 816. */
    for (int i = 0; i < 3; i++)
        assert_in_range(counts[i], 9184, 10816);
    assert_int_equal(str_random(out, 4, ""), -EIO);
}

static void test_utf8(void **state)
{
    static const struct {
        const char *text;
        bool valid;
    } cases[] = {
        {"", true},
        {"plain", true},
        {"\xc3\xa4", true},
        {"\xe2\x82\xac", true},
        {"\xf0\x9f\x98\x80", true},
        {"\xf4\x8f\xbf\xbf", true},
        {"\xc3", false},             /* cut */
        {"\xc0\xaf", false},         /* overlong */
        {"\xe0\x80\xaf", false},     /* overlong */
        {"\xed\xa0\x80", false},     /* surrogate */
        {"\xf4\x90\x80\x80", false}, /* beyond U+10FFFF */
        {"\x80", false},
        {"a\xff", false},
        {"\xf0\x9f\x98", false},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(str_utf8_valid(cases[i].text, strlen(cases[i].text)), cases[i].valid);
}

static void test_fault(void **state)
{
    struct fault f = FAULT_INIT, copy = FAULT_INIT;
    char text[600];
    (void)state;

    assert_int_equal(fault_set(NULL, -EIO, "x"), -EIO);
    assert_int_equal(fault_set(&f, -ENOENT, "no %s\nhere\x1b", "thing"), -ENOENT);
    assert_string_equal(f.message, "no thing here ");
    (void)snprintf(f.code, sizeof(f.code), "NotFound");
    f.unclear = true;
    assert_int_equal(fault_prefix(&f, -ENOENT, "step %d", 3), -ENOENT);
    assert_string_equal(f.message, "step 3: no thing here ");
    assert_string_equal(f.code, "NotFound");
    assert_true(f.unclear);
    assert_int_equal(fault_copy(&copy, &f), -ENOENT);
    assert_string_equal(copy.message, f.message);
    assert_int_equal(fault_set(&f, -EIO, "[%s]", f.message), -EIO);
    assert_string_equal(f.message, "[step 3: no thing here ]");
    assert_string_equal(f.code, "");
    /* Cut between characters: 511 bytes would end within the last one. */
    memset(text, 'x', sizeof(text));
    memcpy(text + 510, "\xc3\xa4", 2);
    text[520] = '\0';
    (void)fault_set(&f, -EIO, "%s", text);
    assert_int_equal(strlen(f.message), 510);
    assert_string_equal(fault_errno_name(-EKEYEXPIRED), "EKEYEXPIRED");
    assert_string_equal(fault_errno_name(EACCES), "EACCES");
    assert_string_equal(fault_errno_name(99999), "E?");
}

struct wakes {
    atomic_int n;
};

static void count_wake(void *arg)
{
    atomic_fetch_add(&((struct wakes *)arg)->n, 1);
}

static void test_cancel(void **state)
{
    _cleanup_cancel_ struct cancel *c = cancel_new();
    struct wakes w = {0};
    struct cancel_waiter a = {.wake = count_wake, .arg = &w}, b = a, late = a;
    (void)state;

    cancel_add(NULL, &a);
    cancel_remove(NULL, &a);
    assert_false(cancel_raised(NULL));
    cancel_add(c, &a);
    cancel_add(c, &b);
    cancel_remove(c, &a);
    assert_false(cancel_raised(c));
    cancel_raise(c);
    assert_int_equal(w.n, 1);
    assert_true(cancel_raised(c));
    cancel_add(c, &late);
    assert_int_equal(w.n, 2);
    cancel_raise(c);
    assert_int_equal(w.n, 2);
    cancel_remove(c, &b);
    cancel_remove(c, &late);
}

static void *raise_it(void *arg)
{
    cancel_raise(arg);
    return NULL;
}

/* Waiters on stacks come and go while another thread raises: TSan and ASan watch. */
static void test_cancel_race(void **state)
{
    (void)state;

    for (int round = 0; round < 200; round++) {
        _cleanup_cancel_ struct cancel *c = cancel_new();
        pthread_t t;

        assert_int_equal(pthread_create(&t, NULL, raise_it, c), 0);
        while (!cancel_raised(c)) {
            struct wakes w = {0};
            struct cancel_waiter waiter = {.wake = count_wake, .arg = &w};

            cancel_add(c, &waiter);
            cancel_remove(c, &waiter);
        }
        pthread_join(t, NULL);
    }
}

static void test_sleep_cancelled(void **state)
{
    struct clock *c = clock_system();
    _cleanup_cancel_ struct cancel *cancel = cancel_new();
    int64_t begin = c->monotonic_ms(c);
    pthread_t t;
    (void)state;

    assert_int_equal(c->sleep_until(c, begin - 1, NULL), 0);
    assert_int_equal(c->sleep_until(c, begin + 20, NULL), 0);
    assert_true(c->monotonic_ms(c) >= begin + 20);
    assert_int_equal(pthread_create(&t, NULL, raise_it, cancel), 0);
    assert_int_equal(c->sleep_until(c, begin + 60000, cancel), -ECANCELED);
    pthread_join(t, NULL);
    assert_true(c->monotonic_ms(c) < begin + 30000);
}

static void test_clock_fake(void **state)
{
    struct clock_fake f;
    char out[CLOCK_TIME_SIZE];
    (void)state;

    clock_fake_init(&f, 1000, 500);
    assert_int_equal(f.clock.sleep_until(&f.clock, 4000, NULL), 0);
    assert_int_equal(f.clock.monotonic_ms(&f.clock), 4000);
    assert_int_equal(f.clock.sleep_until(&f.clock, 3000, NULL), 0);
    assert_int_equal(f.clock.wall_ms(&f.clock), 4500);
    assert_string_equal(clock_format(1795348800999, out), "2026-11-22T12:00:00Z");
}

struct work {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned running, most, done, open;
};

static void one_job(void *arg)
{
    struct work *w = arg;

    pthread_mutex_lock(&w->lock);
    w->running++;
    w->most = MAX(w->most, w->running);
    pthread_cond_broadcast(&w->changed);
    while (!w->open)
        pthread_cond_wait(&w->changed, &w->lock);
    w->running--;
    w->done++;
    pthread_mutex_unlock(&w->lock);
}

static void test_jobs(void **state)
{
    struct work w = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct jobs *j;
    (void)state;

    assert_int_equal(jobs_new(&j, "test", 4), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(jobs_add(j, one_job, &w), 0);
    pthread_mutex_lock(&w.lock);
    while (w.running < 4)
        pthread_cond_wait(&w.changed, &w.lock);
    w.open = 1;
    pthread_cond_broadcast(&w.changed);
    pthread_mutex_unlock(&w.lock);
    jobs_drain(j);
    assert_int_equal(w.done, 20);
    assert_int_equal(w.most, 4);
    assert_int_equal(jobs_add(j, one_job, &w), -ESHUTDOWN);
    jobs_free(j);
    jobs_free(NULL);
}

static void test_log(void **state)
{
    char text[256] = "";
    int pipes[2], saved;
    ssize_t n;
    (void)state;

    assert_int_equal(pipe(pipes), 0);
    saved = dup(STDERR_FILENO);
    dup2(pipes[1], STDERR_FILENO);
    log_open("svcfs", 0);
    log_set_level(LOG_LEVEL_WARNING);
    log_info("not shown");
    log_warning("tag %s", "a\nforged: line");
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(pipes[1]);
    n = read(pipes[0], text, sizeof(text) - 1);
    close(pipes[0]);
    assert_true(n > 0);
    assert_string_equal(text, "svcfs: warning: tag a forged: line\n");
    enum log_level level;
    assert_int_equal(log_level_parse("debug", &level), 0);
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_int_equal(log_level_parse("loud", &level), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf_bounds),
        cmocka_unit_test(test_buf_grows),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_arena_join),
        cmocka_unit_test(test_map),
        cmocka_unit_test(test_map_churn),
        cmocka_unit_test(test_arena_texts),
        cmocka_unit_test(test_map_lent),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_fault),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_cancel_race),
        cmocka_unit_test(test_sleep_cancelled),
        cmocka_unit_test(test_clock_fake),
        cmocka_unit_test(test_jobs),
        cmocka_unit_test(test_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
