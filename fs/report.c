/*
 * A ring of whole lines: what was logged is what .svcfs/errors shows, so that whoever has only an
 * errno finds the rest without access to the log. Control characters of paths are shown as spaces:
 * a line stays a line.
 */
#include "fs/report.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"

enum { KEPT = 100 };

struct report {
    pthread_mutex_t lock;
    struct clock *clock;
    char *lines[KEPT];
    size_t next;
};

int report_new(struct report **ret, struct clock *clock)
{
    struct report *r = calloc(1, sizeof(*r));

    if (!r)
        return -ENOMEM;
    r->clock = clock;
    pthread_mutex_init(&r->lock, NULL);
    *ret = r;
    return 0;
}

void report_free(struct report *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < KEPT; i++)
        free(r->lines[i]);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static void keep(struct report *r, char *line)
{
    pthread_mutex_lock(&r->lock);
    free(r->lines[r->next % KEPT]);
    r->lines[r->next % KEPT] = line;
    r->next++;
    pthread_mutex_unlock(&r->lock);
}

void report_fault(struct report *r, const char *operation, const char *path, int err,
                  const struct fault *f)
{
    char time[CLOCK_TIME_SIZE];
    char *line _cleanup_free_ = NULL, *stamped = NULL;
    bool aws = f && f->err && (f->call[0] || f->code[0]);

    if (f && f->err && (f->message[0] || aws))
        line = str_printf("%s %s: %s%s%s%s%s%s%s: %s", operation, path, fault_errno_name(err),
                          aws ? ": " : "", f->call, f->code[0] ? " " : "", f->code,
                          f->request_id[0] ? " request-id " : "", f->request_id, f->message);
    else
        line = str_printf("%s %s: %s", operation, path, fault_errno_name(err));
    if (!line)
        return;
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < 0x20)
            *c = ' ';
    log_warning("%s", line);
    stamped = str_printf("%s %s\n", clock_format(r->clock->wall_ms(r->clock), time), line);
    if (stamped)
        keep(r, stamped);
}

int report_render(struct report *r, struct buf *out)
{
    int err = 0;

    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < KEPT && err == 0; i++) {
        const char *line = r->lines[(r->next + i) % KEPT];

        if (line)
            err = buf_puts(out, line);
    }
    pthread_mutex_unlock(&r->lock);
    return err;
}
