/* Into the background, and what the one who waits in the foreground is told. */
#pragma once

/* In the child: 0. The parent does not return: it ends with 0 when the child says ready, with 1
 * when it ends before. Negative errno: no child could be made. To be called before any thread is
 * started. */
int daemon_begin(void);
/* The mount can be used: lets go of the terminal. Once; any thread. Nothing where daemon_begin was
 * not called. */
void daemon_ready(void);
