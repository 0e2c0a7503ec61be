/*
 * The log: one line a message, to standard error while in the foreground, else to syslog (which
 * journald keeps). Below fs/ only log_debug is used. No secret may be given to it. Thread-safe.
 */
#pragma once

#include "base/macro.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_open(const char *ident, int to_syslog);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
/* 0 and *ret, or -EINVAL: "error" "warning" "info" "debug". */
int log_level_parse(const char *word, enum log_level *ret);
const char *log_level_name(enum log_level level);

void log_write(enum log_level level, const char *fmt, ...) _printf_(2, 3);

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                                                             \
    do {                                                                                           \
        if (log_get_level() >= LOG_LEVEL_DEBUG)                                                    \
            log_write(LOG_LEVEL_DEBUG, __VA_ARGS__);                                               \
    } while (0)
