/*
 * A lease runs from before the sending of the put that was answered, never from its answer: others
 * may have seen the new content at any moment after it was sent. Whether owner-N is ours is told by
 * the random number in it, since an unclear put may have been anybody's.
 *
 * Rejected: renewing by a thread of its own. The engine thread does it between its looks, so an
 * engine that hangs loses its lease, as it should.
 */
#include "provision/lease.h"

#include <errno.h>

#include "awsapi/ssm.h"
#include "base/str.h"

static int owner_name(const struct lease *l, char *out, size_t size)
{
    return naming_beneath(l->id, l->claim, "owner", l->n, out, size);
}

static int owner_put(struct lease *l, bool overwrite, int64_t timeout_ms, struct cancel *cancel,
                     struct fault *f)
{
    struct aws_ctx ctx = {.timeout_ms = timeout_ms, .not_after_ms = &l->end_ms, .cancel = cancel};
    _cleanup_free_ char *text = NULL;
    char name[128];

    int r = owner_name(l, name, sizeof(name));
    if (r == 0)
        r = record_owner_print(&l->owner, &text);
    if (r < 0)
        return fault_set(f, r, "cannot print owner-%u of %s", l->n, l->id);
    return ssm_put_parameter(l->p->aws, &ctx, name, text, overwrite, NULL, 0, f);
}

/* After an unclear put: whose is it? */
static int owner_verify(struct lease *l, const struct fault *put, struct cancel *cancel,
                        struct fault *f)
{
    struct aws_ctx ctx = {.not_after_ms = &l->end_ms, .cancel = cancel};
    _cleanup_free_ char *text = NULL;
    struct record_owner found;
    char name[128];

    int r = l->p->clock->sleep_until(l->p->clock, put->unclear_until_ms, cancel);
    if (r == 0)
        r = owner_name(l, name, sizeof(name));
    if (r == 0)
        r = ssm_get_parameter(l->p->aws, &ctx, name, &text, f);
    if (r < 0)
        return r;
    if (record_owner_parse(text, &found) < 0 || !streq(found.nonce, l->owner.nonce))
        return -EALREADY;
    return lease_over(l) ? -ESTALE : 0;
}

int lease_take(struct lease *l, unsigned n, int64_t bound_ms, struct cancel *cancel,
               struct fault *f)
{
    int64_t sent = now_ms(l->p);
    struct fault put = FAULT_INIT;

    l->n = n;
    l->owner = (struct record_owner){.lease_ms = l->length_ms, .beat = 1};
    atomic_store(&l->end_ms, bound_ms ? bound_ms : sent + l->length_ms);
    if (lease_over(l))
        return -ESTALE;
    int r = naming_claim(l->owner.nonce, f);
    if (r < 0)
        return r;
    r = owner_put(l, false, MIN(l->p->timing.call_ms, l->length_ms), cancel, &put);
    if (r == -EEXIST)
        return -EALREADY;
    if (r < 0 && put.unclear)
        r = owner_verify(l, &put, cancel, &put);
    if (r < 0)
        return fault_copy(f, &put), r;
    if (lease_over(l)) /* what was bound by the old end has stopped */
        return -ESTALE;
    atomic_store(&l->end_ms, sent + l->length_ms);
    l->renew_ms = sent + l->length_ms / 3;
    return 0;
}

int lease_renew(struct lease *l, struct cancel *cancel, struct fault *f)
{
    int64_t sent = now_ms(l->p), timeout = MIN(l->p->timing.call_ms, MAX(1000, l->length_ms / 3));
    struct fault put = FAULT_INIT;

    l->owner.beat++;
    int r = owner_put(l, true, timeout, cancel, &put);
    if (r == 0 && lease_over(l)) /* a lease that ended has ended: workers may have stopped by it */
        return fault_set(f, -ESTALE, "the lease was over before its renewal was answered");
    if (r == 0) {
        atomic_store(&l->end_ms, sent + l->length_ms);
        l->renew_ms = sent + l->length_ms / 3;
        return 0;
    }
    /* An unclear one may still arrive: the next is not sent before it cannot. */
    l->renew_ms = put.unclear ? put.unclear_until_ms : now_ms(l->p) + 500;
    return fault_copy(f, &put), r;
}

bool lease_over(const struct lease *l)
{
    return now_ms(l->p) >= atomic_load(&l->end_ms);
}

int lease_release(struct lease *l)
{
    if (lease_over(l))
        return -ESTALE;
    l->owner.released = true;
    l->owner.beat++;
    return owner_put(l, true, MIN(3000, l->length_ms), NULL, NULL);
}

void lease_undo(struct lease *l)
{
    struct aws_ctx ctx = {.not_after_ms = &l->end_ms};
    char name[128];

    if (!lease_over(l) && owner_name(l, name, sizeof(name)) == 0)
        ssm_delete_parameter(l->p->aws, &ctx, name, NULL);
}
