/*
 * The parts of fs/ that need no mount: the command line, the guard, /proc, access, names of nodes.
 * The tree itself is tested where it is used, by the integration tests.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "fs/access.h"
#include "fs/guard.h"
#include "fs/kind.h"
#include "fs/metrics.h"
#include "fs/node.h"
#include "fs/options.h"
#include "fs/proc.h"
#include "fs/report.h"
#include "fs/session.h"

static int parse(struct options **ret, char *message, const char *args)
{
    char *copy = strdup(args), *argv[16] = {(char *)"svcfs"}, *at = NULL;
    int argc = 1, r;

    for (char *word = strtok_r(copy, " ", &at); word; word = strtok_r(NULL, " ", &at))
        argv[argc++] = word;
    r = options_parse(argc, argv, ret, message, 512);
    free(copy);
    return r;
}

static void test_options_good(void **state _unused_)
{
    struct options *o;
    char message[512];

    assert_int_equal(
        parse(&o, message, "-o profile=p,region=r,refresh=2.5 -o lease=7,ro,save_power,nodev -f /"),
        0);
    assert_string_equal(o->profile, "p");
    assert_string_equal(o->region, "r");
    assert_true(o->refresh_s > 2.49 && o->refresh_s < 2.51);
    assert_true(o->lease_s > 6.9 && o->lease_s < 7.1);
    assert_true(o->ro);
    assert_true(o->save_power);
    assert_true(o->foreground);
    assert_false(o->allow_other);
    assert_string_equal(o->fuse_options, "nodev");
    assert_string_equal(o->mountpoint, "/");
    assert_string_equal(o->service_tag, "service-id");
    assert_string_equal(o->family_tag, "service-family");
    options_free(o);
}

static void test_options_last_wins_and_debug(void **state _unused_)
{
    struct options *o;
    char message[512];

    assert_int_equal(parse(&o, message, "-o region=a -o region=b,log_level=error -d /"), 0);
    assert_string_equal(o->region, "b");
    assert_true(o->foreground);
    assert_int_equal(o->log_level, LOG_LEVEL_DEBUG);
    options_free(o);
    assert_int_equal(parse(&o, message, "--help"), 0);
    assert_true(o->help);
    options_free(o);
    assert_int_equal(parse(&o, message, "--version"), 0);
    assert_true(o->version);
    options_free(o);
}

static void test_options_bad(void **state _unused_)
{
    static const struct {
        const char *args, *names;
    } cases[] = {
        {"", "mount point"},
        {"-o nonsense=1 /", "nonsense=1"},
        {"--nonsense /", "--nonsense"},
        {"-x /", "-x"},
        {"/ /tmp", "/tmp"},
        {"-o refresh=soon /", "refresh"},
        {"-o refresh=0 /", "refresh"},
        {"-o describe=-1 /", "describe"},
        {"-o lease=1e99 /", "lease"},
        {"-o rate_share=-1 /", "rate_share"},
        {"-o rate_share=nan /", "rate_share"},
        {"-o log_level=loud /", "loud"},
        {"-o region= /", "region="},
        {"-o service_tag=x,family_tag=x /", "same"},
        {"-o blueprints=/does/not/exist /", "/does/not/exist"},
        {"/does/not/exist", "/does/not/exist"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct options *o = NULL;
        char message[512] = "";

        assert_true(parse(&o, message, cases[i].args) < 0);
        assert_null(o);
        if (!strstr(message, cases[i].names))
            fail_msg("'%s' gives '%s'", cases[i].args, message);
        assert_null(strchr(message, '\n'));
    }
}

static const char status_text[] = "Name:\tTgid: 7\nUmask:\t0022\nState:\tS (sleeping)\n"
                                  "Tgid:\t4711\nNgid:\t0\nPid:\t4712\n";

static void test_proc_parse(void **state _unused_)
{
    uint64_t start;
    pid_t tgid;

    assert_int_equal(proc_parse_tgid(status_text, &tgid), 0);
    assert_int_equal(tgid, 4711);
    assert_int_equal(proc_parse_tgid("Name:\tx\n", &tgid), -EINVAL);
    assert_int_equal(
        proc_parse_start("42 (a) b (c) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 "
                         "987654 1000 10",
                         &start),
        0);
    assert_int_equal(start, 987654);
    assert_int_equal(proc_parse_start("42 (short) S 1", &start), -EINVAL);
    assert_int_equal(proc_parse_start("nothing", &start), -EINVAL);
}

static bool dying(const char *pending, const char *shared, const char *blocked, const char *ignored,
                  const char *caught)
{
    char text[512];

    snprintf(text, sizeof(text),
             "SigPnd:\t%s\nShdPnd:\t%s\nSigBlk:\t%s\nSigIgn:\t%s\nSigCgt:\t%s\n", pending, shared,
             blocked, ignored, caught);
    return proc_parse_dying(text);
}

static void test_proc_dying(void **state _unused_)
{
    const char *none = "0000000000000000", *kill9 = "0000000000000100", *term = "0000000000004000",
               *child = "0000000000010000", *alarm14 = "0000000000002000",
               *stop = "0000000000040000", *urgent = "0000000000400000";

    assert_false(dying(none, none, none, none, none));
    assert_true(dying(kill9, none, none, none, none));
    assert_true(dying(none, kill9, none, none, none));
    assert_true(dying(none, kill9, kill9, kill9, kill9));
    assert_true(dying(none, term, none, none, none));
    assert_false(dying(none, term, none, none, term));
    assert_false(dying(none, term, none, term, none));
    assert_false(dying(none, term, term, none, none));
    assert_true(dying(none, alarm14, none, none, none));
    assert_false(dying(none, alarm14, none, none, alarm14));
    assert_false(dying(none, child, none, none, none));
    assert_false(dying(stop, none, none, none, none));
    assert_false(dying(none, urgent, none, none, none));
}

static void test_proc_self(void **state _unused_)
{
    struct proc_group g;

    assert_int_equal(proc_group(getpid(), &g), 0);
    assert_int_equal(g.tgid, getpid());
    assert_true(g.start > 0);
    assert_false(proc_dying(getpid()));
}

/* Threads 10 and 11 are of one group; 20 began twice; the rest /proc does not show. */
static uint64_t start_of_20 = 1;

static int identify(pid_t tid, struct proc_group *ret)
{
    if (tid == 10 || tid == 11)
        *ret = (struct proc_group){.tgid = 10, .start = 5};
    else if (tid == 20)
        *ret = (struct proc_group){.tgid = 20, .start = start_of_20};
    else
        return -ENOENT;
    return 0;
}

static void test_guard(void **state _unused_)
{
    struct clock_fake clock;
    struct guard *g;

    clock_fake_init(&clock, 1000000, 0);
    assert_int_equal(guard_new(&g, &clock.clock, identify), 0);
    assert_false(guard_refused(g, 10));
    guard_refuse(g, 10);
    assert_true(guard_refused(g, 10));
    assert_true(guard_refused(g, 11));
    assert_false(guard_refused(g, 20));
    clock.now_ms += GUARD_MS - 1;
    assert_true(guard_refused(g, 11)); /* and renews it */
    clock.now_ms += GUARD_MS - 1;
    assert_true(guard_refused(g, 10));
    clock.now_ms += GUARD_MS;
    assert_false(guard_refused(g, 10));
    guard_refuse(g, 20);
    assert_true(guard_refused(g, 20));
    start_of_20 = 2; /* ended, and the number came again */
    assert_false(guard_refused(g, 20));
    guard_refuse(g, 0);
    assert_true(guard_refused(g, 0));
    guard_free(g);
}

/* Thousands of processes: the newest refusals are kept, and nothing breaks. */
static int identify_any(pid_t tid, struct proc_group *ret)
{
    *ret = (struct proc_group){.tgid = tid, .start = 1};
    return 0;
}

static void test_guard_full(void **state _unused_)
{
    struct clock_fake clock;
    struct guard *g;

    clock_fake_init(&clock, 1000000, 0);
    assert_int_equal(guard_new(&g, &clock.clock, identify_any), 0);
    for (pid_t tid = 1; tid <= 3000; tid++) {
        clock.now_ms++;
        guard_refuse(g, tid);
    }
    assert_true(guard_refused(g, 3000));
    assert_true(guard_refused(g, 2900));
    assert_false(guard_refused(g, 1));
    guard_free(g);
}

static void test_access(void **state _unused_)
{
    const gid_t groups[] = {7, 8};
    struct access_caller root = {0, 0, NULL, 0}, owner = {5, 50, NULL, 0}, other = {6, 60, NULL, 0},
                         member = {6, 60, groups, 2};

    assert_int_equal(access_mode(&root, 5, 8, 0555, W_OK), 0);
    assert_int_equal(access_mode(&root, 5, 8, 0444, X_OK), -EACCES);
    assert_int_equal(access_mode(&owner, 5, 8, 0755, W_OK | X_OK), 0);
    assert_int_equal(access_mode(&owner, 5, 8, 0575, W_OK), -EACCES);
    assert_int_equal(access_mode(&other, 5, 8, 0775, W_OK), -EACCES);
    assert_int_equal(access_mode(&other, 5, 8, 0775, R_OK | X_OK), 0);
    assert_int_equal(access_mode(&member, 5, 8, 0775, W_OK | X_OK), 0);
    assert_int_equal(access_mode(&member, 5, 9, 0775, W_OK), -EACCES);
    assert_int_equal(access_mode(&other, 5, 60, 0755, W_OK), -EACCES);
}

static struct key service_key(const char *family, const char *id, const char *life, bool deleting)
{
    return (struct key){.kind = KIND_SERVICE,
                        .args = {family, id},
                        .n_args = 2,
                        .life = life,
                        .deleting = deleting};
}

static void test_key_path(void **state _unused_)
{
    struct key service = service_key("wp", "n1", "c", false),
               gone = service_key("wp", "n1", "c", true);
    struct key tag = {
        .kind = KIND_TAG, .args = {"ec2", "vpc", "vpc-1", "Name"}, .n_args = 4, .life = ""};
    struct key file, root = {.kind = KIND_ROOT, .life = ""};
    char path[KEY_PATH_SIZE];

    key_path(&root, path);
    assert_string_equal(path, "");
    key_path(&service, path);
    assert_string_equal(path, "families/wp/n1");
    key_path(&gone, path);
    assert_string_equal(path, "deleting/wp/n1");
    file = key_child(&gone, KIND_STATUS, NULL);
    key_path(&file, path);
    assert_string_equal(path, "deleting/wp/n1/status");
    file = key_child(&service, KIND_OUTPUTS, NULL);
    file = key_child(&file, KIND_OUTPUT, "url");
    key_path(&file, path);
    assert_string_equal(path, "families/wp/n1/outputs/url");
    key_path(&tag, path);
    assert_string_equal(path, "resources/ec2/vpc/vpc-1/tags/Name");
}

static void test_key_parent(void **state _unused_)
{
    struct key gone = service_key("wp", "n1", "c", true), up;
    struct key tag = {
        .kind = KIND_TAG, .args = {"ec2", "vpc", "vpc-1", "Name"}, .n_args = 4, .life = ""};

    up = key_parent(&gone);
    assert_int_equal(up.kind, KIND_DELETING_FAMILY);
    assert_int_equal(up.n_args, 1);
    assert_false(up.deleting);
    assert_string_equal(up.life, "");
    up = key_parent(&up);
    assert_int_equal(up.kind, KIND_DELETING);
    up = key_parent(&up);
    assert_int_equal(up.kind, KIND_ROOT);
    up = key_parent(&up);
    assert_int_equal(up.kind, KIND_ROOT);
    up = key_parent(&tag);
    assert_int_equal(up.kind, KIND_TAGS);
    assert_int_equal(up.n_args, 3);
    up = key_parent(&up);
    assert_int_equal(up.kind, KIND_RESOURCE);
    assert_int_equal(up.n_args, 3);
}

static void test_key_inode(void **state _unused_)
{
    struct key a = service_key("wp", "n1", "c1", false), b = service_key("wp", "n1", "c2", false),
               again = a, json = key_child(&a, KIND_SERVICE_JSON, NULL), newer = json;

    json.version = 1;
    newer.version = 2;
    assert_int_equal(key_inode(7, &a), key_inode(7, &again));
    assert_int_not_equal(key_inode(7, &a), key_inode(8, &a));
    assert_int_not_equal(key_inode(7, &a), key_inode(7, &b));
    assert_int_not_equal(key_inode(7, &json), key_inode(7, &newer));
    assert_true(key_inode(7, &a) > 1 && key_inode(7, &a) < (uint64_t)1 << 63);
    /* The same on every machine and in every version: what it was when this was written. */
    assert_int_equal(key_inode(1, &(struct key){.kind = KIND_FAMILIES, .life = ""}),
                     0x789870c400b07974);
}

/* Every row says enough to be shown: a name or a directory that finds it, a type, content if it is
 * a file. */
static void test_kinds(void **state _unused_)
{
    for (int i = 0; i < KINDS; i++) {
        const struct kind *row = kind_row(i), *parent = kind_row(row->parent);

        assert_true(S_ISDIR(row->mode) || S_ISREG(row->mode) || S_ISLNK(row->mode));
        assert_true(S_ISDIR(parent->mode));
        assert_int_equal(!row->find, !row->list);
        assert_int_equal(S_ISDIR(row->mode), !row->render);
        if (!row->name)
            assert_non_null(parent->find);
        if (row->exists)
            assert_non_null(row->name);
        if (row->flags & (KIND_F_WAIT | KIND_F_VOLATILE) && S_ISREG(row->mode))
            assert_true(row->flags & KIND_F_DIRECT);
        if (row->flags & KIND_F_FOLLOW)
            assert_non_null(row->size);
        if (row->flags & KIND_F_VERSION) {
            assert_non_null(row->name);
            assert_non_null(row->changed);
        }
        if (row->flags & KIND_F_NEGATIVE)
            assert_true(S_ISDIR(row->mode));
        /* A directory with many names says when they changed: kept listings are known by it. */
        if (row->list && i != KIND_OUTPUTS)
            assert_non_null(row->changed);
    }
}

/* The way down to a key, each node looked up once. */
static uint64_t look_up(struct node_table *t, const struct key *key)
{
    struct key up = key_parent(key);
    struct node *dir, *n;
    uint64_t ino;

    if (key->kind == KIND_ROOT)
        return 1;
    dir = node_get(t, look_up(t, &up));
    assert_int_equal(node_lookup(t, dir, key, &n), 0);
    ino = node_ino(n);
    node_put(t, n);
    node_put(t, dir);
    return ino;
}

/* And back up: forgets as often. */
static void forget(struct node_table *t, const struct key *key)
{
    struct key up = key_parent(key);

    if (key->kind == KIND_ROOT)
        return;
    node_forget(t, node_find(t, key), 1);
    forget(t, &up);
}

static void test_nodes(void **state _unused_)
{
    struct key service = service_key("wp", "n1", "c1", true),
               root = {.kind = KIND_ROOT, .life = ""},
               outputs = key_child(&service, KIND_OUTPUTS, NULL),
               url = key_child(&outputs, KIND_OUTPUT, "url"), found;
    struct node_table *t;
    struct node *n;
    uint64_t ino;

    assert_int_equal(node_table_new(&t), 0);
    assert_int_equal(node_find(t, &root), 1);
    assert_int_equal(node_find(t, &url), 0);
    ino = look_up(t, &url);
    assert_int_equal(look_up(t, &url), ino);
    assert_int_equal(node_find(t, &url), ino);
    assert_int_equal(node_count(t), 6);
    n = node_get(t, ino);
    node_key(n, &found);
    assert_int_equal(found.kind, KIND_OUTPUT);
    assert_true(found.deleting);
    assert_int_equal(found.n_args, 3);
    assert_string_equal(found.args[0], "wp");
    assert_string_equal(found.args[1], "n1");
    assert_string_equal(found.args[2], "url");
    assert_string_equal(found.life, "c1");
    forget(t, &url);
    assert_int_equal(node_find(t, &url), ino);
    forget(t, &url);
    assert_int_equal(node_find(t, &url), 0);
    assert_false(node_known(t, ino));
    assert_ptr_equal(node_get(t, ino), n); /* a request holds it, and it the way up */
    assert_int_equal(node_count(t), 6);
    node_put(t, n);
    node_put(t, n);
    assert_null(node_get(t, ino));
    assert_int_equal(node_count(t), 1);
    node_table_free(t);
}

static void test_node_killed(void **state _unused_)
{
    struct key key = service_key("wp", "n1", "c1", false);
    struct node_table *t;
    uint64_t ino, second;

    assert_int_equal(node_table_new(&t), 0);
    ino = look_up(t, &key);
    node_kill(t, ino);
    assert_int_equal(node_find(t, &key), 0);
    assert_true(node_lookup_again(t, ino));
    second = look_up(t, &key);
    assert_int_not_equal(second, ino);
    node_forget(t, ino, 2);
    assert_false(node_lookup_again(t, ino));
    assert_int_equal(look_up(t, &key), second);
    node_table_free(t);
}

static void test_node_versions(void **state _unused_)
{
    struct key service = service_key("wp", "n1", "c1", false),
               json = key_child(&service, KIND_SERVICE_JSON, NULL);
    struct node_table *t;
    uint64_t first, second;

    assert_int_equal(node_table_new(&t), 0);
    json.version = 11;
    first = look_up(t, &json);
    json.version = 12;
    second = look_up(t, &json);
    assert_int_not_equal(first, second);
    assert_int_equal(node_take_version(t, &service, KIND_SERVICE_JSON), 12);
    assert_int_equal(node_take_version(t, &service, KIND_SERVICE_JSON), 0);
    assert_int_equal(node_find(t, &json), second);
    /* two files with versions in one directory */
    struct key graph = key_child(&service, KIND_SERVICE_GRAPH, NULL);
    json.version = 12;
    look_up(t, &json);
    graph.version = 21;
    look_up(t, &graph);
    assert_int_equal(node_take_version(t, &service, KIND_SERVICE_JSON), 12);
    assert_int_equal(node_take_version(t, &service, KIND_SERVICE_GRAPH), 21);
    assert_int_equal(node_take_version(t, &service, KIND_SERVICE_GRAPH), 0);
    json.version = 13;
    assert_int_equal(node_find(t, &json), 0);
    node_table_free(t);
}

static void test_node_times(void **state _unused_)
{
    struct key key = service_key("wp", "n1", "", false);
    struct node_table *t;
    struct node *n;
    uint64_t ino;

    assert_int_equal(node_table_new(&t), 0);
    assert_int_equal(node_touch(t, &key, 100), 0);
    ino = look_up(t, &key);
    n = node_get(t, ino);
    assert_int_equal(node_changed(t, n), 0);
    assert_int_equal(node_touch(t, &key, 100), ino);
    assert_int_equal(node_changed(t, n), 100);
    assert_int_equal(node_touch(t, &key, 50), ino); /* the clock was set back */
    assert_int_equal(node_changed(t, n), 101);
    node_put(t, n);
    node_table_free(t);
}

static void test_nodes_many(void **state _unused_)
{
    struct node_table *t;
    char name[32];

    assert_int_equal(node_table_new(&t), 0);
    for (int i = 0; i < 20000; i++) {
        struct key key = service_key("wp", name, "", false);

        snprintf(name, sizeof(name), "n%d", i);
        look_up(t, &key);
    }
    assert_int_equal(node_count(t), 20003);
    for (int i = 0; i < 20000; i += 2) {
        struct key key = service_key("wp", name, "", false);

        snprintf(name, sizeof(name), "n%d", i);
        assert_int_not_equal(node_find(t, &key), 0);
        forget(t, &key);
        assert_int_equal(node_find(t, &key), 0);
    }
    assert_int_equal(node_count(t), 10003);
    node_table_free(t);
}

static void test_report(void **state _unused_)
{
    struct fault f = FAULT_INIT;
    struct clock_fake clock;
    struct buf out = BUF_INIT(1 << 20);
    struct report *r;
    size_t lines = 0;

    clock_fake_init(&clock, 0, 1700000000000);
    assert_int_equal(report_new(&r, &clock.clock), 0);
    for (int i = 0; i < 150; i++)
        report_fault(r, "mkdir", "/families/a\nb", -EPERM, NULL);
    fault_set(&f, -EACCES, "not allowed");
    snprintf(f.call, sizeof(f.call), "ssm:PutParameter");
    snprintf(f.code, sizeof(f.code), "AccessDeniedException");
    snprintf(f.request_id, sizeof(f.request_id), "r-1");
    report_fault(r, "mkdir", "/families/wp/n1", -EACCES, &f);
    assert_int_equal(report_render(r, &out), 0);
    for (size_t i = 0; i < out.len; i++)
        lines += out.data[i] == '\n';
    assert_int_equal(lines, 100);
    assert_true(str_ends(buf_str(&out),
                         "Z mkdir /families/wp/n1: EACCES: ssm:PutParameter AccessDeniedException "
                         "request-id r-1: not allowed\n"));
    buf_done(&out);
    report_free(r);
}

static void test_metrics(void **state _unused_)
{
    static const struct aws_action get = {.service = AWS_TAGGING, .name = "GetResources"},
                                   put = {.service = AWS_SSM, .name = "PutParameter"};
    struct buf out = BUF_INIT(1 << 20);
    struct metrics *m;

    assert_int_equal(metrics_new(&m), 0);
    metrics_request(m, 1); /* FUSE_LOOKUP */
    metrics_request(m, 1);
    metrics_request(m, 4095); /* of a kernel to come */
    metrics_notification(m, 2);
    metrics_notification(m, 3);
    metrics_call(m, &get, 0, NULL);
    metrics_call(m, &put, -EACCES, NULL);
    metrics_call(m, &get, 0, NULL);
    assert_int_equal(metrics_render(m, &out), 0);
    assert_string_equal(buf_str(&out),
                        "# TYPE svcfs_fuse_requests_total counter\n"
                        "svcfs_fuse_requests_total{op=\"other\"} 1\n"
                        "svcfs_fuse_requests_total{op=\"LOOKUP\"} 2\n"
                        "# TYPE svcfs_fuse_notifications_total counter\n"
                        "svcfs_fuse_notifications_total{kind=\"inval_inode\"} 1\n"
                        "svcfs_fuse_notifications_total{kind=\"inval_entry\"} 1\n"
                        "# TYPE svcfs_aws_calls_total counter\n"
                        "svcfs_aws_calls_total{service=\"tagging\",action=\"GetResources\"} 2\n"
                        "svcfs_aws_calls_total{service=\"ssm\",action=\"PutParameter\"} 1\n"
                        "# TYPE svcfs_aws_errors_total counter\n"
                        "svcfs_aws_errors_total{service=\"ssm\",action=\"PutParameter\"} 1\n");
    buf_done(&out);
    metrics_free(m);
}

static void test_mountpoint(void **state _unused_)
{
    struct fault f;

    assert_int_equal(session_check("/", &f), 0);
    assert_int_equal(session_check("/etc/passwd", &f), -ENOTDIR);
    assert_int_equal(session_check("/does/not/exist", &f), -ENOENT);
    assert_non_null(strstr(f.message, "/does/not/exist"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_good),  cmocka_unit_test(test_options_last_wins_and_debug),
        cmocka_unit_test(test_options_bad),   cmocka_unit_test(test_proc_parse),
        cmocka_unit_test(test_proc_dying),    cmocka_unit_test(test_proc_self),
        cmocka_unit_test(test_guard),         cmocka_unit_test(test_guard_full),
        cmocka_unit_test(test_access),        cmocka_unit_test(test_key_path),
        cmocka_unit_test(test_key_inode),     cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_nodes),         cmocka_unit_test(test_node_killed),
        cmocka_unit_test(test_nodes_many),    cmocka_unit_test(test_report),
        cmocka_unit_test(test_metrics),       cmocka_unit_test(test_key_parent),
        cmocka_unit_test(test_node_versions), cmocka_unit_test(test_node_times),
        cmocka_unit_test(test_mountpoint),
    };

    return cmocka_run_group_tests_name("fs", tests, NULL, NULL);
}
