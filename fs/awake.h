/*
 * How the reader waits for the next request. Waking a processor that sleeps takes longer than an
 * answer does, and that twice a request: the reader's, then the caller's. So while requests follow
 * each other closely, processors are kept from sleeping. An idle mount costs nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum awake_way {
    AWAKE_NOT,  /* only one processor, or power is to be saved */
    AWAKE_LOOK, /* the reader looks again and again: its processor stays awake */
    AWAKE_HOLD, /* the kernel's idle loops look: all do, while /dev/cpu_dma_latency holds 0 */
};

/* The reader's own. */
struct awake {
    enum awake_way way;
    bool brisk;               /* the last request came at once */
    int fd;                   /* requests come from */
    int latency_fd, timer_fd; /* AWAKE_HOLD's; fd does not block then */
    bool held, quiet;         /* quiet: no request came since the timer's last tick */
};

/* Finds the best way that there is to wait for fd. save_power: none. */
void awake_open(struct awake *a, int fd, bool save_power);
/* Nothing is kept awake from now on. Of one that is all zero, too. */
void awake_close(struct awake *a);

/* read(2) of the next request. */
ssize_t awake_read(struct awake *a, void *data, size_t size);
