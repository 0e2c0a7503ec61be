/* The shipped blueprints against the real types: they load, in an order that can be made, and their
 * records are small enough. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "provision/plan.h"
#include "provision/record.h"
#include "tests/unit/fake_types.h"

#define BLUEPRINTS TEST_DATA "/../../../blueprints"

static struct blueprint *load(const char *family)
{
    char path[400], parameters_path[400];
    char *text = NULL, *parameters = NULL;
    struct blueprint *b = NULL;
    struct fault f = FAULT_INIT;

    snprintf(path, sizeof(path), BLUEPRINTS "/%s.json", family);
    snprintf(parameters_path, sizeof(parameters_path), BLUEPRINTS "/%s.parameters.json", family);
    assert_int_equal(str_read_file(path, 1024 * 1024, &text, NULL), 0);
    assert_int_equal(str_read_file(parameters_path, 1024 * 1024, &parameters, NULL), 0);
    if (blueprint_load(family, path, text, parameters_path, parameters, &fake_env, &b, &f) != 0)
        fail_msg("%s", f.message);
    free(text);
    free(parameters);
    return b;
}

/* Index of the step of this logical id; fails where there is none. */
static size_t at(const struct plan *p, const char *logical)
{
    for (size_t i = 0; i < p->n_steps; i++)
        if (streq(p->steps[i].logical, logical))
            return i;
    fail_msg("no step %s", logical);
    return 0;
}

static void check_common(struct plan *p)
{
    assert_true(at(p, "Secret") < at(p, "DatabaseUser"));
    assert_true(at(p, "Database") < at(p, "DatabaseUser"));
    assert_true(at(p, "TargetGroup") < at(p, "ListenerRule"));
    assert_true(at(p, "ListenerRule") < at(p, "Service"));
    assert_true(at(p, "AccessPoint") < at(p, "TaskDefinition"));
    assert_true(at(p, "TaskDefinition") < at(p, "Service"));
    for (size_t i = 0; i < p->n_steps; i++)
        for (size_t k = 0; k < p->steps[i].n_needs; k++)
            assert_true(p->steps[i].needs[k] < i);
}

static size_t record_size(struct plan *p)
{
    struct record *r = NULL, *back = NULL;
    struct fault f = FAULT_INIT;
    char *text = NULL;
    size_t n;

    assert_int_equal(record_new(p, "alice", "host.example.edu", 1700000000000, 60000, &r, &f), 0);
    assert_int_equal(record_print(r, &text, &f), 0);
    assert_int_equal(record_parse(p->service_id, text, &back, &f), 0);
    assert_int_equal(back->n_steps, p->n_steps);
    n = strlen(text);
    free(text);
    record_free(r);
    record_free(back);
    return n;
}

static void check(const char *family, size_t steps, bool own_file_system)
{
    struct blueprint *b = load(family);
    struct plan *p = NULL;
    struct fault f = FAULT_INIT;
    char id[64];
    size_t n;

    assert_int_equal(blueprint_next_id(b, id, NULL), 0);
    if (plan_new(b, "abcdefghijklmnopqrstuvwx", SAMPLE_CLAIM, &p, &f) != 0)
        fail_msg("%s", f.message);
    assert_int_equal(p->n_steps, steps);
    check_common(p);
    if (own_file_system) {
        assert_true(at(p, "FileSystem") < at(p, "MountTargetA"));
        assert_true(at(p, "FileSystemSecurityGroup") < at(p, "MountTargetB"));
        assert_true(at(p, "MountTargetB") < at(p, "Service"));
    }
    n = record_size(p);
    print_message("%s: a fresh record of the longest id has %zu bytes\n", family, n);
    assert_true(n < 2500);
    plan_free(p);
    blueprint_unref(b);
}

static void test_wp_containers(void **state)
{
    (void)state;
    check("wp-containers", 12, true);
}

static void test_wp_containers_shared(void **state)
{
    (void)state;
    check("wp-containers-shared", 8, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wp_containers),
        cmocka_unit_test(test_wp_containers_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
