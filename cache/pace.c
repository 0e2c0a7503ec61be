#include "cache/pace.h"

#include "base/macro.h"

enum { BACKOFF_FIRST_MS = 1000, PAUSE_MAX = 4 };

void pace_init(struct pace *p, int64_t refresh_ms)
{
    *p = (struct pace){
        .refresh_ms = refresh_ms, .pause_ms = refresh_ms, .backoff_ms = BACKOFF_FIRST_MS};
}

void pace_begin(struct pace *p)
{
    p->wrote = false;
}

void pace_succeeded(struct pace *p, int64_t now_ms, bool changed)
{
    p->pause_ms =
        changed || p->wrote ? p->refresh_ms : MIN(p->pause_ms * 2, p->refresh_ms * PAUSE_MAX);
    p->backoff_ms = BACKOFF_FIRST_MS;
    p->ended_ms = now_ms;
    p->due_ms = now_ms + p->pause_ms;
}

void pace_failed(struct pace *p, int64_t now_ms)
{
    p->ended_ms = now_ms;
    p->due_ms = now_ms + MIN(p->backoff_ms, p->refresh_ms);
    p->backoff_ms = MIN(p->backoff_ms * 2, p->refresh_ms);
}

/* Not at once: a service that is being made writes many times, and the index lags anyway. */
void pace_wrote(struct pace *p)
{
    p->wrote = true;
    p->pause_ms = p->refresh_ms;
    if (p->ended_ms != 0)
        p->due_ms = MIN(p->due_ms, p->ended_ms + p->refresh_ms);
}
