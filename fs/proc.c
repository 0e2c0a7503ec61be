/*
 * The kernel raises an INTERRUPT for any signal, also for one that the process handles and goes on
 * after (SIGALRM, SIGCHLD, Go's SIGURG): only /proc tells which (fuse-facts.md 39). A fatal one
 * without a core dump shows as pending SIGKILL of every thread; one that dumps core as itself.
 */
#include "fs/proc.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "base/str.h"

static int read_proc(pid_t tid, const char *file, char **ret)
{
    char path[128];

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)tid, file);
    return str_read_file(path, 65536, ret, NULL);
}

/* The text behind "\nNAME:\t", or NULL. */
static const char *field(const char *status, const char *name)
{
    size_t n = strlen(name);

    for (const char *line = status; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, n) == 0 && line[n] == ':')
            return line + n + 1 + strspn(line + n + 1, " \t");
    }
    return NULL;
}

int proc_parse_tgid(const char *status, pid_t *ret)
{
    const char *text = field(status, "Tgid");
    char *end;
    long value;

    if (!text)
        return -EINVAL;
    value = strtol(text, &end, 10);
    if (end == text || value <= 0)
        return -EINVAL;
    *ret = (pid_t)value;
    return 0;
}

int proc_parse_start(const char *stat, uint64_t *ret)
{
    /* The second field is the command in parentheses, which may hold anything. */
    const char *at = strrchr(stat, ')');

    for (int i = 2; at && i < 22; i++) {
        at = strchr(at, ' ');
        at += at != NULL;
    }
    if (!at || *at < '0' || *at > '9')
        return -EINVAL;
    *ret = strtoull(at, NULL, 10);
    return 0;
}

static uint64_t mask(const char *status, const char *name)
{
    const char *text = field(status, name);

    return text ? strtoull(text, NULL, 16) : 0;
}

static uint64_t bit(int signal)
{
    return 1ULL << (signal - 1);
}

bool proc_parse_dying(const char *status)
{
    const uint64_t harmless = bit(SIGCHLD) | bit(SIGURG) | bit(SIGWINCH) | bit(SIGCONT) |
                              bit(SIGSTOP) | bit(SIGTSTP) | bit(SIGTTIN) | bit(SIGTTOU);
    uint64_t pending = mask(status, "SigPnd") | mask(status, "ShdPnd");
    uint64_t survived = mask(status, "SigCgt") | mask(status, "SigIgn") | mask(status, "SigBlk");

    if (pending & bit(SIGKILL))
        return true;
    return pending & ~survived & ~harmless;
}

int proc_group(pid_t tid, struct proc_group *ret)
{
    char *status _cleanup_free_ = NULL, *stat _cleanup_free_ = NULL;
    struct proc_group g;
    int r = read_proc(tid, "status", &status);

    r = r ? r : proc_parse_tgid(status, &g.tgid);
    r = r ? r : read_proc(g.tgid, "stat", &stat);
    r = r ? r : proc_parse_start(stat, &g.start);
    if (r == 0)
        *ret = g;
    return r;
}

bool proc_dying(pid_t tid)
{
    char *status _cleanup_free_ = NULL;

    if (read_proc(tid, "status", &status))
        return true;
    return proc_parse_dying(status);
}

/* "ino:\t123" of a file in fdinfo; 0: none. By its text, since a stat of the file itself might ask
 * us. */
static uint64_t ino_of(pid_t tid, const char *fd)
{
    char *text _cleanup_free_ = NULL, file[64];
    const char *ino;

    if (str_format(file, sizeof(file), "fdinfo/%s", fd) < 0 || read_proc(tid, file, &text))
        return 0;
    ino = field(text, "ino");
    return ino ? strtoull(ino, NULL, 10) : 0;
}

bool proc_has_open(pid_t tid, const uint64_t *inos, size_t n)
{
    const struct dirent *entry;
    char path[64];
    bool found = false;
    DIR *dir;

    if (tid <= 0)
        return false;
    snprintf(path, sizeof(path), "/proc/%d/fdinfo", (int)tid);
    dir = opendir(path);
    while (dir && !found && (entry = readdir(dir))) {
        uint64_t ino = entry->d_name[0] == '.' ? 0 : ino_of(tid, entry->d_name);

        for (size_t i = 0; ino && i < n && !found; i++)
            found = inos[i] == ino;
    }
    if (dir)
        closedir(dir);
    return found;
}
