/*
 * When the next sweep is due. Where nothing changes the pauses double, up to four times the refresh
 * time; a change, or a write of our own, sets them back. After a failure it is tried again soon,
 * then ever later, up to the refresh time. Pure; whoever owns one locks.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct pace {
    int64_t refresh_ms;
    int64_t pause_ms;   /* after the last sweep that succeeded */
    int64_t backoff_ms; /* after the next failure */
    int64_t ended_ms;   /* of the last sweep, 0: none */
    int64_t due_ms;     /* monotonic, like all of them */
    bool wrote;         /* since the last sweep began: that one may not show it */
};

void pace_init(struct pace *p, int64_t refresh_ms);
void pace_begin(struct pace *p);
void pace_succeeded(struct pace *p, int64_t now_ms, bool changed);
void pace_failed(struct pace *p, int64_t now_ms);
void pace_wrote(struct pace *p);
