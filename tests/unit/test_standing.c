/* Who stands where in by-status/: each change gives exactly the moves, the listings and the times
 * that it should. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "fs/standing.h"

#define SET(s, at_ms, moves, ...) set((s), (at_ms), (moves), &(struct standing){__VA_ARGS__})

/* Sets one, and checks its moves: "LINK:FROM>TO " each, "-" for none. */
static void set(struct standings *s, int64_t at_ms, const char *expected,
                const struct standing *now)
{
    _cleanup_buf_ struct buf out = BUF_INIT(1000);
    struct list moves = {0};

    standings_begin(s, at_ms);
    assert_int_equal(standings_set(s, now, &moves), 0);
    standings_end(s);
    for (size_t i = 0; i < moves.n; i++) {
        const struct standing_move *m = moves.items[i];

        buf_printf(&out, "%s:%s>%s ", m->link,
                   m->from == STANDING_NONE ? "-" : service_status_name(m->from),
                   m->to == STANDING_NONE ? "-" : service_status_name(m->to));
        free((void *)moves.items[i]);
    }
    list_done(&moves);
    assert_string_equal(buf_str(&out), expected);
}

static int emit(void *arg, const char *link)
{
    return buf_printf(arg, "%s ", link);
}

static void lists(struct standings *s, int status, const char *expected)
{
    _cleanup_buf_ struct buf out = BUF_INIT(1000);

    assert_int_equal(standings_each(s, status, emit, &out), 0);
    assert_string_equal(buf_str(&out), expected);
}

static void leads(struct standings *s, int status, const char *link, const char *expected)
{
    _cleanup_buf_ struct buf out = BUF_INIT(1000);

    assert_int_equal(standings_find(s, status, link, &out), expected ? 0 : -ENOENT);
    assert_string_equal(buf_str(&out), expected ? expected : "");
}

/* One that has been looked at, with n1 in it. */
static struct standings *begin(void)
{
    struct standings *s;

    assert_int_equal(standings_new(&s), 0);
    assert_int_equal(standings_known(s), -EAGAIN);
    SET(s, 5, "n1:->ready ", "wp", "n1", "n1", false, STATUS_READY);
    standings_begin(s, 6);
    standings_complete(s);
    standings_end(s);
    assert_int_equal(standings_known(s), 0);
    assert_int_equal(standings_changed(s, STATUS_READY), 0);
    return s;
}

static void test_words(void **state _unused_)
{
    assert_int_equal(standing_status("ready"), STATUS_READY);
    assert_int_equal(standing_status("unknown"), STATUS_UNKNOWN);
    assert_int_equal(standing_status("Ready"), STANDING_NONE);
    assert_int_equal(standing_status(""), STANDING_NONE);
}

static void test_life(void **state _unused_)
{
    struct standings *s = begin();

    SET(s, 10, "", "wp", "n1", "n1", false, STATUS_READY);
    assert_int_equal(standings_changed(s, STATUS_READY), 0);
    leads(s, STATUS_READY, "n1", "../../families/wp/n1");
    leads(s, STATUS_FAILED, "n1", NULL);
    SET(s, 10, "n1:ready>degraded ", "wp", "n1", "n1", false, STATUS_DEGRADED);
    leads(s, STATUS_READY, "n1", NULL);
    leads(s, STATUS_DEGRADED, "n1", "../../families/wp/n1");
    lists(s, STATUS_READY, "");
    lists(s, STATUS_DEGRADED, "n1 ");
    assert_int_equal(standings_changed(s, STATUS_READY), 10);
    assert_int_equal(standings_changed(s, STATUS_DEGRADED), 10);
    assert_int_equal(standings_changed(s, STATUS_FAILED), 0);
    /* The clock may stand still; times do not. */
    SET(s, 10, "n1:degraded>deleting ", "wp", "n1", "n1", false, STATUS_DELETING);
    assert_int_equal(standings_changed(s, STATUS_DEGRADED), 11);
    assert_int_equal(standings_changed(s, STATUS_DELETING), 10);
    /* It stands elsewhere now: the listing is the same. */
    SET(s, 20, "n1:deleting>deleting ", "wp", "n1", "n1", true, STATUS_DELETING);
    leads(s, STATUS_DELETING, "n1", "../../deleting/wp/n1");
    assert_int_equal(standings_changed(s, STATUS_DELETING), 10);
    SET(s, 21, "n1:deleting>- ", "wp", "n1", .status = STANDING_NONE);
    SET(s, 22, "", "wp", "n1", .status = STANDING_NONE);
    lists(s, STATUS_DELETING, "");
    assert_int_equal(standings_changed(s, STATUS_DELETING), 21);
    standings_free(s);
}

/* Many at once are one change of a listing. */
static void test_one_time(void **state _unused_)
{
    struct standings *s = begin();
    const struct standing a = {"wp", "a", "a", false, STATUS_FAILED},
                          b = {"wp", "b", "b", false, STATUS_FAILED};

    standings_begin(s, 7);
    assert_int_equal(standings_set(s, &a, NULL), 0);
    assert_int_equal(standings_set(s, &b, NULL), 0);
    standings_end(s);
    assert_int_equal(standings_changed(s, STATUS_FAILED), 7);
    lists(s, STATUS_FAILED, "a b ");
    standings_free(s);
}

/* A link changes its owner; both orders end alike. */
static void test_shared_ids(void **state _unused_)
{
    for (int order = 0; order < 2; order++) {
        struct standings *s = begin();

        SET(s, 9, "n1:ready>- n1@wp:->ready ", "wp", "n1", "n1@wp", false, STATUS_READY);
        SET(s, 9, "n1@b:->failed ", "b", "n1", "n1@b", false, STATUS_FAILED);
        leads(s, STATUS_READY, "n1", NULL);
        if (order == 0)
            SET(s, 12, "n1@wp:ready>- ", "wp", "n1", .status = STANDING_NONE);
        SET(s, 12, "n1@b:failed>- n1:->failed ", "b", "n1", "n1", false, STATUS_FAILED);
        if (order == 1)
            SET(s, 12, "n1@wp:ready>- ", "wp", "n1", .status = STANDING_NONE);
        lists(s, STATUS_READY, "");
        leads(s, STATUS_FAILED, "n1", "../../families/b/n1");
        standings_free(s);
    }
}

/* It moves to another family, which is looked at before the one that it leaves. */
static void test_moved(void **state _unused_)
{
    struct standings *s = begin();

    SET(s, 9, "n1:->ready ", "b", "n1", "n1", false, STATUS_READY);
    lists(s, STATUS_READY, "n1 ");
    SET(s, 9, "n1:ready>- ", "wp", "n1", .status = STANDING_NONE);
    lists(s, STATUS_READY, "n1 ");
    leads(s, STATUS_READY, "n1", "../../families/b/n1");
    standings_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),    cmocka_unit_test(test_life),
        cmocka_unit_test(test_one_time), cmocka_unit_test(test_shared_ids),
        cmocka_unit_test(test_moved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
