/* The log of a life, `events` in the tree: what this daemon did, and what its refreshes saw. */
#include "provision/internal.h"

#include "base/str.h"

static void event_field(struct buf *b, const char *s)
{
    if (!s || !*s)
        s = "-";
    buf_putc(b, '\t');
    for (; *s; s++)
        buf_putc(b, (unsigned char)*s < ' ' || *s == 0x7f ? ' ' : *s);
}

void life_event(struct provision *p, struct life *l, const char *logical, const char *action,
                const char *physical, const char *fmt, ...)
{
    _cleanup_buf_ struct buf text = BUF_INIT(2048), line = BUF_INIT(4096);
    char when[CLOCK_TIME_SIZE];
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    int64_t now = wall_ms(p);
    buf_puts(&line, clock_format(now, when));
    event_field(&line, logical);
    event_field(&line, action);
    event_field(&line, physical);
    event_field(&line, buf_str(&text));
    buf_putc(&line, '\n');

    pthread_mutex_lock(&p->lock);
    bool full = buf_append(&l->events, line.data, line.len) < 0; /* it keeps its beginning */
    if (!full)
        l->events_wall_ms = now;
    pthread_mutex_unlock(&p->lock);
    if (!full)
        provision_notify(p, l->family, l->id, PROVISION_EVENTS);
}

void life_event_fault(struct provision *p, struct life *l, const char *logical, const char *action,
                      const char *physical, const char *what, const struct fault *f)
{
    _cleanup_buf_ struct buf text = BUF_INIT(2048);
    const char *const parts[] = {what, f->call, f->code, f->message};

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        if (parts[i] && parts[i][0])
            buf_printf(&text, "%s%s", text.len ? ": " : "", parts[i]);
    life_event(p, l, logical, action, physical, "%s", buf_str(&text));
}
