/* The blueprints of a directory: what is taken up, what is told, what a broken file does. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "tests/unit/fake_types.h"

static const char good[] = "{\"Resources\": {\"A\": {\"Type\": \"Custom::Thing\"}}}";
static const char with_parameter[] = "{\"Parameters\": {\"P\": {\"Type\": \"String\"}}, "
                                     "\"Resources\": {\"A\": {\"Type\": \"Custom::Thing\"}}}";
static const char value[] = "[{\"ParameterKey\": \"P\", \"ParameterValue\": \"x\"}]";

struct world {
    char dir[64];
    struct catalog *c;
};

static void put(struct world *w, const char *name, const char *text)
{
    char path[200], temporary[200];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", w->dir, name);
    snprintf(temporary, sizeof(temporary), "%s/.new", w->dir);
    file = fopen(temporary, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(temporary, path), 0);
}

static void take_away(struct world *w, const char *name)
{
    char path[200];

    snprintf(path, sizeof(path), "%s/%s", w->dir, name);
    assert_int_equal(unlink(path), 0);
}

static bool scan(struct world *w)
{
    struct fault f = FAULT_INIT;
    bool changed = false;

    if (catalog_scan(w->c, &changed, &f) != 0)
        fail_msg("%s", f.message);
    return changed;
}

static int get(struct world *w, const char *family, char hash[17], struct fault *f)
{
    struct blueprint *b = NULL;
    int r = catalog_get(w->c, family, &b, f);

    if (r == 0) {
        if (hash)
            strcpy(hash, blueprint_hash(b));
        blueprint_unref(b);
    }
    return r;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    strcpy(w->dir, "/tmp/svcfs-catalog-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    assert_int_equal(catalog_new(&w->c, w->dir, &fake_env, NULL), 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char *command = str_printf("rm -rf '%s'", w->dir);

    catalog_free(w->c);
    assert_int_equal(system(command), 0);
    free(command);
    free(w);
    return 0;
}

static void test_takes_up_changes(void **state)
{
    struct world *w = *state;
    char hash[17], other[17];
    struct fault f = FAULT_INIT;
    char **names;
    size_t n;

    assert_false(scan(w));
    assert_int_equal(get(w, "wp", NULL, &f), -ENOENT);
    put(w, "wp.json", good);
    put(w, "b.json", good);
    assert_true(scan(w));
    assert_false(scan(w));
    assert_int_equal(get(w, "wp", hash, &f), 0);
    assert_int_equal(catalog_names(w->c, &names, &n), 0);
    assert_int_equal(n, 2);
    assert_string_equal(names[0], "b");
    assert_string_equal(names[1], "wp");
    assert_null(names[2]);
    catalog_names_free(names);

    put(w, "wp.json", with_parameter);
    assert_true(scan(w));
    assert_int_equal(get(w, "wp", NULL, &f), -EPERM);
    assert_non_null(strstr(f.message, "wp.json:1: Parameters.P: "));
    put(w, "wp.parameters.json", value);
    assert_true(scan(w));
    assert_int_equal(get(w, "wp", other, &f), 0);
    assert_string_not_equal(hash, other);
    take_away(w, "wp.parameters.json");
    assert_true(scan(w));
    assert_int_equal(get(w, "wp", NULL, &f), -EPERM);
    take_away(w, "wp.json");
    assert_true(scan(w));
    assert_int_equal(get(w, "wp", NULL, &f), -ENOENT);
    assert_int_equal(get(w, "b", NULL, &f), 0);
}

/* The one family that changed since the last question; NULL: none. */
static void expect_changed(struct world *w, const char *family)
{
    char **names = catalog_take_changed(w->c);

    if (family) {
        assert_non_null(names);
        assert_string_equal(names[0], family);
        assert_null(names[1]);
    } else {
        assert_null(names);
    }
    catalog_names_free(names);
}

static void test_names_what_changed(void **state)
{
    struct world *w = *state;

    expect_changed(w, NULL);
    put(w, "a.json", good);
    scan(w);
    expect_changed(w, "a");
    put(w, "b.json", good);
    scan(w);
    expect_changed(w, "b");
    scan(w);
    expect_changed(w, NULL);
    put(w, "a.parameters.json", value);
    scan(w);
    expect_changed(w, "a");
    take_away(w, "b.json");
    scan(w);
    expect_changed(w, "b");
}

/* Who holds a blueprint keeps it, whatever happens to the file. */
static void test_references_outlive_changes(void **state)
{
    struct world *w = *state;
    struct blueprint *b = NULL;

    put(w, "wp.json", good);
    scan(w);
    assert_int_equal(catalog_get(w->c, "wp", &b, NULL), 0);
    take_away(w, "wp.json");
    scan(w);
    assert_int_equal(blueprint_check_id(b, "n91bet54", NULL), 0);
    blueprint_unref(b);
}

static void collect(void *arg, const char *line)
{
    char *all = arg;

    strcat(all, line);
    strcat(all, "\n");
}

static void test_broken_and_strays(void **state)
{
    struct world *w = *state;
    char all[4096] = "", *text;
    struct fault f = FAULT_INIT;
    int64_t mtime = 0;

    put(w, "wp.json", good);
    scan(w);
    put(w, "wp.json", "{\"Resources\": {}, }");
    put(w, "x.parameters.json", value);
    put(w, "a,b.json", good);
    put(w, ".hidden.json", "{");
    put(w, "README", "x");
    put(w, "wp.json~", "x");
    assert_true(scan(w));
    assert_int_equal(get(w, "wp", NULL, &f), -EPERM);
    text = catalog_text(w->c, "wp", &mtime);
    assert_string_equal(text, "{\"Resources\": {}, }");
    assert_true(mtime > 1600000000000);
    free(text);
    catalog_problems(w->c, collect, all);
    assert_non_null(strstr(all, "wp.json:1: not JSON"));
    assert_non_null(strstr(all, "a,b.json: not the name of a possible family"));
    assert_non_null(strstr(all, "x.parameters.json: parameters of a blueprint that is not there"));
    assert_null(strstr(all, "hidden"));
    assert_null(strstr(all, "README"));
    put(w, "wp.json", good);
    assert_true(scan(w));
    assert_int_equal(get(w, "wp", NULL, &f), 0);
    assert_null(catalog_text(w->c, "other", &mtime));
}

static void test_unreadable_directory(void **state)
{
    struct world *w = *state;
    char *moved = str_printf("%s.moved", w->dir);
    struct fault f = FAULT_INIT;
    bool changed;

    put(w, "wp.json", good);
    scan(w);
    assert_int_equal(rename(w->dir, moved), 0);
    assert_int_equal(catalog_scan(w->c, &changed, &f), -ENOENT);
    assert_non_null(strstr(f.message, w->dir));
    /* The last state stays. */
    assert_int_equal(get(w, "wp", NULL, &f), 0);
    assert_int_equal(rename(moved, w->dir), 0);
    free(moved);
}

static void test_odd_files(void **state)
{
    struct world *w = *state;
    char path[200];
    struct fault f = FAULT_INIT;
    FILE *file;

    snprintf(path, sizeof(path), "%s/nul.json", w->dir);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite("{}\0{}", 1, 5, file), 5);
    fclose(file);
    snprintf(path, sizeof(path), "%s/big.json", w->dir);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(ftruncate(fileno(file), 2 * 1024 * 1024), 0);
    fclose(file);
    snprintf(path, sizeof(path), "%s/dir.json", w->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    scan(w);
    assert_int_equal(get(w, "nul", NULL, &f), -EPERM);
    assert_non_null(strstr(f.message, "NUL byte"));
    assert_int_equal(get(w, "big", NULL, &f), -EPERM);
    assert_int_equal(get(w, "dir", NULL, &f), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_takes_up_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_what_changed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_references_outlive_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_and_strays, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unreadable_directory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_odd_files, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
