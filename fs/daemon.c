/*
 * The fork comes first, before any thread, and the whole start happens in the child with the
 * terminal still in place: so its one line about what is wrong reaches the caller as it is, and the
 * parent only has to know which status to end with.
 */
#include "fs/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static int ready_fd = -1;

static void wait_for_child(int fd)
{
    char said;
    ssize_t n;

    do
        n = read(fd, &said, 1);
    while (n < 0 && errno == EINTR);
    _exit(n == 1 ? 0 : 1);
}

int daemon_begin(void)
{
    int fds[2];
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC))
        return -errno;
    pid = fork();
    if (pid < 0) {
        int err = errno;

        close(fds[0]);
        close(fds[1]);
        return -err;
    }
    if (pid > 0) {
        close(fds[1]);
        wait_for_child(fds[0]);
    }
    close(fds[0]);
    ready_fd = fds[1];
    setsid();
    return 0;
}

void daemon_ready(void)
{
    int null;

    if (ready_fd < 0)
        return;
    if (chdir("/"))
        return; /* cannot fail; and the parent would then say 1 */
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        if (null > 2)
            close(null);
    }
    while (write(ready_fd, "", 1) < 0 && errno == EINTR)
        ;
    close(ready_fd);
    ready_fd = -1;
}
