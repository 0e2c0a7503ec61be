/* What /proc tells of the process behind a request. All cheap, none waits. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A thread group: its id, and when it was started (clock ticks since boot), since ids come again.
 */
struct proc_group {
    pid_t tgid;
    uint64_t start;
};
/* 0, -ENOENT (ended), -EINVAL. */
int proc_group(pid_t tid, struct proc_group *ret);
/* Whether a file or directory with one of these inode numbers is open in the thread's process, as
 * far as /proc lets us see: false where it does not. Asks no file system but /proc. */
bool proc_has_open(pid_t tid, const uint64_t *inos, size_t n);
/* Whether a thread has a signal pending that will end its process; true where it is gone already.
 */
bool proc_dying(pid_t tid);

/* Pure, for the above and tests: text is that of /proc/TID/status, of /proc/PID/stat. */
int proc_parse_tgid(const char *status, pid_t *ret);
int proc_parse_start(const char *stat, uint64_t *ret);
bool proc_parse_dying(const char *status);
