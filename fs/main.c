/*
 * svcfs: parse, go into the background, wire up, serve. Everything that can be wrong at the start
 * is one line on standard error and status 1.
 */
#include <stdio.h>
#include <string.h>

#include "fs/daemon.h"
#include "fs/session.h"
#include "fs/setup.h"

static int complain(const char *message)
{
    fprintf(stderr, "svcfs: %s\n", message);
    return 1;
}

static int complain_fault(const struct fault *f)
{
    fprintf(stderr, "svcfs: %s%s%s%s\n", f->message[0] ? f->message : fault_errno_name(f->err),
            f->code[0] ? " (" : "", f->code, f->code[0] ? ")" : "");
    return 1;
}

static void on_ready(struct fs *fs)
{
    log_info("%s: mounted, account %s, region %s", fs->options->mountpoint, fs->account,
             fs->region);
    daemon_ready();
}

static int run(const struct options *o)
{
    struct setup s = {0};
    struct fault f = FAULT_INIT;
    int r = setup_make(&s, o, &f);

    if (r == 0) {
        s.fs.ready = on_ready;
        r = session_run(&s.fs, &f);
    }
    if (r) {
        complain_fault(&f);
        if (!o->foreground)
            log_error("%s", f.message); /* else the log is where the line above went */
    } else {
        log_info("%s: unmounted", o->mountpoint);
    }
    setup_done(&s);
    return r ? 1 : 0;
}

int main(int argc, char *argv[])
{
    struct options *o _cleanup_(options_freep) = NULL;
    struct fault f = FAULT_INIT;
    char message[512];
    int r = options_parse(argc, argv, &o, message, sizeof(message));

    if (r)
        return complain(message);
    if (o->help || o->version) {
        fputs(o->help ? options_usage : "svcfs " SVCFS_VERSION "\n", stdout);
        return 0;
    }
    if (session_check(o->mountpoint, &f))
        return complain_fault(&f);
    if (!o->foreground && (r = daemon_begin())) {
        snprintf(message, sizeof(message), "cannot go into the background: %s", strerror(-r));
        return complain(message);
    }
    log_set_level(o->log_level);
    log_open("svcfs", !o->foreground);
    return run(o);
}
