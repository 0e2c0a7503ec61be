/* Which chains a sweep has, and when the next is due: both pure. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "cache/chains.h"
#include "cache/pace.h"
#include "tests/unit/world.h"

static void check_type(const char *arn, const char *type)
{
    char out[CHAIN_TYPE_SIZE];

    assert_int_equal(chain_type(arn, out), 0);
    assert_string_equal(out, type);
}

static void test_filters(void **state)
{
    char out[CHAIN_TYPE_SIZE], longer[300] = "arn:aws:ec2:r:1:";
    (void)state;

    check_type(SG("sg-1"), "ec2:security-group");
    check_type("arn:aws:ecs:r:1:service/c/web", "ecs:service");
    check_type("arn:aws:secretsmanager:r:1:secret:a/b", "secretsmanager:secret");
    check_type("arn:aws-cn:rds:r:1:db:x", "rds:db");
    check_type("arn:aws:elasticloadbalancing:r:1:listener-rule/app/l/1/2/3",
               "elasticloadbalancing");
    check_type("arn:aws:s3:::bucket", "s3");
    check_type("arn:aws:sqs:r:1:queue", "sqs");
    check_type("arn:aws:apigateway:r::/restapis/a", "apigateway");
    check_type("arn:aws:other:r:1:name", "other"); /* a name alone is no type */
    assert_int_equal(chain_type("mariadb/user/h:1+n1", out), -EINVAL);
    assert_int_equal(chain_type("arn:aws:ec2", out), -EINVAL);
    assert_int_equal(chain_type("arn:aws::r:1:x/y", out), -EINVAL);
    assert_int_equal(chain_type("urn:aws:ec2:r:1:x/y", out), -EINVAL);
    memset(longer + strlen(longer), 'x', 200);
    strcat(longer, "/1");
    assert_int_equal(chain_type(longer, out), -EINVAL);
}

static int by_text(const void *x, const void *y)
{
    return strcmp(x, y);
}

/* The chains as text, sorted; `!`: expected. */
static void check_chains(const struct chains_input *in, const char *text)
{
    char words[8][CHAIN_TYPE_SIZE + 1];
    _cleanup_buf_ struct buf out = BUF_INIT(2000);
    struct chains c = {0};

    assert_int_equal(chains_choose(in, &c), 0);
    assert_in_range(c.n, 1, ARRAY_SIZE(words));
    for (size_t i = 0; i < c.n; i++)
        snprintf(words[i], sizeof(words[i]), "%s%s",
                 c.all[i].kind == CHAIN_CENSUS   ? "census"
                 : c.all[i].kind == CHAIN_STRAYS ? "strays"
                                                 : c.all[i].what,
                 c.all[i].expected ? "!" : "");
    qsort(words, c.n, sizeof(words[0]), by_text);
    for (size_t i = 0; i < c.n; i++)
        buf_printf(&out, "%s%s", i ? " " : "", words[i]);
    chains_done(&c);
    assert_string_equal(buf_str(&out), text);
}

static void test_choice(void **state)
{
    static const struct index_tag tags[] = {{"service-family", "wp"}};
    _cleanup_world_ struct world *w = world_new();
    struct chains_input in = {.overlay = w->overlay.entries, .family_tag = "service-family"};
    (void)state;

    check_chains(&in, "census");
    in.asked = true;
    check_chains(&in, "census strays");
    in.asked = false;
    in.last = w->swept;
    check_chains(&in, "census"); /* nothing is known */

    world_add(w, SG("sg-1"), FAMILY("wp"));
    world_add(w, SG("sg-2"), FAMILY("wp"));
    world_add(w, "arn:aws:sns:r:1:stray", SERVICE("n1"));
    check_chains(&in, "ec2:security-group! ssm:parameter");
    in.asked = true;
    check_chains(&in, "census strays");
    in.asked = false;
    in.sweeps = CENSUS_EVERY - 2;
    check_chains(&in, "ec2:security-group! ssm:parameter");
    in.sweeps = CENSUS_EVERY - 1;
    check_chains(&in, "census strays");
    in.sweeps = 0;
    w->swept->untyped = true;
    check_chains(&in, "census");
    w->swept->untyped = false;
    w->swept->news = true;
    check_chains(&in, "census");
    w->swept->news = false;

    /* Own writes bring types, of which nothing need be there yet; and take them. */
    overlay_put(&w->overlay, "arn:aws:ecs:r:1:service/c/web", tags, 1, NULL, 0);
    overlay_put(&w->overlay, "mariadb/user/h:1+n1", tags, 0, NULL, 0);
    check_chains(&in, "ec2:security-group! ecs:service ssm:parameter");
    overlay_gone(&w->overlay, SG("sg-1"), w->swept, 0);
    check_chains(&in, "ec2:security-group! ecs:service ssm:parameter");
    overlay_gone(&w->overlay, SG("sg-2"), w->swept, 0);
    check_chains(&in, "ec2:security-group ecs:service ssm:parameter");
}

static void test_pauses(void **state)
{
    struct pace p;
    (void)state;

    pace_init(&p, 60000);
    pace_begin(&p);
    pace_succeeded(&p, 100000, true);
    assert_int_equal(p.due_ms, 160000);
    static const int64_t pauses[] = {120000, 240000, 240000};
    for (size_t i = 0; i < ARRAY_SIZE(pauses); i++) {
        pace_begin(&p);
        pace_succeeded(&p, 1000000, false);
        assert_int_equal(p.due_ms, 1000000 + pauses[i]);
    }
    pace_begin(&p);
    pace_succeeded(&p, 2000000, true);
    assert_int_equal(p.due_ms, 2060000);
}

static void test_writes(void **state)
{
    struct pace p;
    (void)state;

    pace_init(&p, 60000);
    pace_wrote(&p); /* before the first sweep: it comes anyway */
    assert_int_equal(p.due_ms, 0);
    pace_begin(&p);
    pace_succeeded(&p, 100000, false);
    pace_begin(&p);
    pace_succeeded(&p, 1000000, false);
    assert_int_equal(p.due_ms, 1240000);
    pace_wrote(&p);
    assert_int_equal(p.due_ms, 1060000);
    pace_begin(&p);
    pace_wrote(&p); /* while it is swept: the sweep may not show it */
    pace_succeeded(&p, 1060000, false);
    assert_int_equal(p.due_ms, 1120000);
    pace_begin(&p);
    pace_succeeded(&p, 1120000, false);
    assert_int_equal(p.due_ms, 1240000);
}

static void test_failures(void **state)
{
    static const int64_t pauses[] = {1000, 2000, 4000, 8000, 10000, 10000};
    struct pace p;
    (void)state;

    pace_init(&p, 10000);
    for (size_t i = 0; i < ARRAY_SIZE(pauses); i++) {
        pace_begin(&p);
        pace_failed(&p, 50000);
        assert_int_equal(p.due_ms, 50000 + pauses[i]);
    }
    pace_wrote(&p); /* no sooner */
    assert_int_equal(p.due_ms, 60000);
    pace_begin(&p);
    pace_succeeded(&p, 60000, true);
    pace_begin(&p);
    pace_failed(&p, 70000);
    assert_int_equal(p.due_ms, 71000);
    pace_wrote(&p);
    assert_int_equal(p.due_ms, 71000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filters),  cmocka_unit_test(test_choice),
        cmocka_unit_test(test_pauses),   cmocka_unit_test(test_writes),
        cmocka_unit_test(test_failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
