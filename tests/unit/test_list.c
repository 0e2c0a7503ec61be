/* Lists: sorting, editing and comparing, each against the plain way to do it. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "cache/list.h"

struct thing {
    int number;
    const char *text;
};

static int order(const void *x, const void *y)
{
    const struct thing *a = x, *b = y;
    int o = strcmp(a->text, b->text);

    return o ? o : a->number - b->number;
}

/* Texts that begin alike, end early, have bytes above 127, and come twice. */
static const char *random_text(struct arena *a)
{
    static const char *const parts[] = {"arn:aws:", "ec2:", "eu-central-1:", "x",
                                        "",         "\xff", "1234567"};
    char text[64] = "";

    for (int n = rand() % 5; n > 0; n--)
        strcat(text, parts[(size_t)rand() % ARRAY_SIZE(parts)]);
    return arena_strdup(a, text);
}

static struct thing *random_things(struct arena *a, size_t n)
{
    struct thing *things = arena_array(a, n, sizeof(*things));

    for (size_t i = 0; i < n; i++)
        things[i] = (struct thing){(int)i, random_text(a)};
    return things;
}

static void test_sort(void **state)
{
    _cleanup_(arena_freep) struct arena *a = arena_new();
    (void)state;

    for (size_t round = 0; round < 200; round++) {
        size_t n = (size_t)rand() % 100;
        struct thing *things = random_things(a, n);
        struct list plain = {0}, texts = {0};
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(list_add(&plain, &things[i]), 0);
            assert_int_equal(list_add(&texts, &things[n - 1 - i]), 0);
        }
        list_sort(&plain, order);
        assert_int_equal(list_sort_texts(&texts, offsetof(struct thing, text), order), 0);
        for (size_t i = 1; i < n; i++)
            assert_true(order(plain.items[i - 1], plain.items[i]) <= 0);
        for (size_t i = 0; i < n; i++)
            assert_ptr_equal(plain.items[i], texts.items[i]);
        list_done(&plain);
        list_done(&texts);
    }
}

/* Some go, some come, some are replaced by another life of theirs. */
static void test_edit(void **state)
{
    _cleanup_(arena_freep) struct arena *a = arena_new();
    (void)state;

    for (size_t round = 0; round < 500; round++) {
        struct list before = {0}, after = {0};
        struct edit e = {0};
        size_t n;
        for (int i = 0; i < 40; i++) {
            struct thing *old = arena_alloc(a, sizeof(*old)), *new = arena_alloc(a, sizeof(*new));
            *old = *new = (struct thing){i, arena_printf(a, "%02d", i)};
            int what = rand() % 8;
            if (what < 6)
                assert_int_equal(list_add(&before, old), 0);
            if (what == 0 || what == 1)
                assert_int_equal(list_add(&e.gone, old), 0);
            if (what == 1 || what == 6)
                assert_int_equal(list_add(&e.come, new), 0);
            if (what > 0 && what < 7)
                assert_int_equal(list_add(&after, what == 1 || what == 6 ? new : old), 0);
        }
        const void *const *now = edit_apply(&e, a, before.items, before.n, order, &n);
        assert_int_equal(n, after.n);
        for (size_t i = 0; i < n; i++)
            assert_ptr_equal(now[i], after.items[i]);
        edit_done(&e);
        list_done(&before);
        list_done(&after);
    }
}

static void write_pair(void *arg, const void *x, const void *y)
{
    const struct thing *old = x, *now = y;

    assert_int_equal(buf_printf(arg, "%s%s ", old ? old->text : "-", now ? now->text : "-"), 0);
}

static void test_pairs(void **state)
{
    static const struct thing a = {0, "a"}, b = {0, "b"}, c = {0, "c"}, d = {0, "d"}, c2 = {1, "c"};
    const struct thing *const old[] = {&a, &b, &c}, *const now[] = {&b, &c2, &d};
    const struct thing old_structs[] = {a, b}, now_structs[] = {b, d};
    const size_t offset = offsetof(struct thing, text);
    _cleanup_buf_ struct buf out = BUF_INIT(1000);
    (void)state;

    row_pairs(ROW(old, 3), ROW(now, 3), offset, write_pair, &out);
    assert_string_equal(buf_str(&out), "a- cc -d "); /* b is the same pointer */
    row_pairs(ROW_STRUCTS(old_structs, 2), ROW_STRUCTS(now_structs, 2), offset, write_pair, &out);
    assert_string_equal(buf_str(&out), "a- cc -d a- bb -d ");
    row_pairs(ROW(NULL, 0), ROW(now, 1), offset, write_pair, &out);
    assert_true(str_ends(buf_str(&out), " -b "));
    assert_true(row_same(ROW(&old[2], 1), ROW(&now[1], 1), offset)); /* c and its other life */
    assert_false(row_same(ROW(old, 3), ROW(now, 3), offset));
    assert_false(row_same(ROW(old, 1), ROW(old, 2), offset));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sort),
        cmocka_unit_test(test_edit),
        cmocka_unit_test(test_pairs),
    };

    srand(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
