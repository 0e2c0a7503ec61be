/*
 * One message is one line and one write, so that lines of several threads never mix. Before
 * log_open, and in the foreground, messages go to standard error with their level; afterwards to
 * syslog, where the level is a field of its own. Control characters become spaces: what comes from
 * tags must not forge lines.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

static const struct {
    const char *name;
    int priority;
} levels[] = {
    [LOG_LEVEL_ERROR] = {"error", LOG_ERR},
    [LOG_LEVEL_WARNING] = {"warning", LOG_WARNING},
    [LOG_LEVEL_INFO] = {"info", LOG_INFO},
    [LOG_LEVEL_DEBUG] = {"debug", LOG_DEBUG},
};

static atomic_int current_level = LOG_LEVEL_INFO;
static atomic_bool use_syslog;
static char ident_text[32] = "svcfs";

void log_open(const char *ident, int to_syslog)
{
    (void)snprintf(ident_text, sizeof(ident_text), "%s", ident);
    if (to_syslog)
        openlog(ident_text, LOG_PID | LOG_NDELAY, LOG_DAEMON);
    atomic_store(&use_syslog, to_syslog != 0);
}

void log_set_level(enum log_level level)
{
    atomic_store(&current_level, (int)level);
}

enum log_level log_get_level(void)
{
    return (enum log_level)atomic_load(&current_level);
}

int log_level_parse(const char *word, enum log_level *ret)
{
    for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
        if (strcmp(levels[i].name, word) == 0) {
            *ret = (enum log_level)i;
            return 0;
        }
    }
    return -EINVAL;
}

const char *log_level_name(enum log_level level)
{
    return (size_t)level < ARRAY_SIZE(levels) ? levels[level].name : "?";
}

static void write_stderr(const char *line, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, line, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        line += n;
        len -= (size_t)n;
    }
}

void log_write(enum log_level level, const char *fmt, ...)
{
    char text[2048], line[2176];
    int saved_errno = errno, len;
    va_list ap;

    if (level > log_get_level())
        return;
    va_start(ap, fmt);
    if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
        text[0] = '\0';
    va_end(ap);
    for (char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    }
    if (atomic_load(&use_syslog)) {
        syslog(levels[level].priority, "%s", text);
    } else {
        len = snprintf(line, sizeof(line), "%s: %s: %s\n", ident_text, levels[level].name, text);
        if (len > 0)
            write_stderr(line, MIN((size_t)len, sizeof(line) - 1));
    }
    errno = saved_errno;
}
