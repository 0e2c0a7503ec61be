/*
 * The tagging API takes twenty resources a call, and says of each whether it worked. Setting a tag
 * to a value, or taking it away, is the same whether it is done once or twice: so whatever answer
 * says that it failed, the owning service may be asked right away. Where no answer came, it is not.
 */
#include "provision/tag_write.h"

#include <errno.h>

#include "awsapi/tagging.h"
#include "awsapi/tags.h"
#include "base/str.h"

enum { TRIES = 4, FIRST_PAUSE_MS = 200 };

struct batch {
    struct aws_client *c;
    const struct aws_ctx *ctx;
    struct tag_target *targets;
    size_t n;
    json_t *set, *unset; /* one of them */
};

static void on_failed(void *arg, const char *arn, const struct fault *f)
{
    struct batch *b = arg;

    for (size_t i = 0; i < b->n; i++)
        if (streq(b->targets[i].arn, arn) && !b->targets[i].fault.err)
            b->targets[i].fault = *f;
}

/* Whether the failure is one that the owning service may not share. */
static bool is_answer(const struct fault *f)
{
    return f->http_status != 0 && f->err != -EKEYEXPIRED && f->err != -EKEYREJECTED;
}

/* Throttled is clear, and likely while others tag as well. */
static bool try_again(const struct batch *b, int r, int tries)
{
    struct clock *clock = aws_client_clock(b->c);
    int64_t pause = FIRST_PAUSE_MS << tries;

    return r == -EAGAIN && tries < TRIES - 1 &&
           clock->sleep_until(clock, clock->monotonic_ms(clock) + pause, b->ctx->cancel) == 0;
}

static void ask_owner(const struct batch *b, struct tag_target *t)
{
    struct fault f = FAULT_INIT;
    int r = 0;

    for (int tries = 0; tries == 0 || try_again(b, r, tries - 1); tries++)
        r = b->set ? tags_add(b->c, b->ctx, t->arn, b->set, &f)
                   : tags_remove(b->c, b->ctx, t->arn, b->unset, &f);

    if (r == 0)
        t->fault = FAULT_INIT;
    else if (r != -EOPNOTSUPP)
        t->fault = f;
}

static int ask_tagging(struct batch *b, const char *const *arns, struct fault *f)
{
    int r = 0;

    for (int tries = 0; tries == 0 || try_again(b, r, tries - 1); tries++)
        r = b->set ? tagging_tag(b->c, b->ctx, arns, b->n, b->set, on_failed, b, f)
                   : tagging_untag(b->c, b->ctx, arns, b->n, b->unset, on_failed, b, f);
    return r;
}

static int run_batch(struct batch *b)
{
    const char *arns[TAGGING_ARNS_MAX];
    struct fault f = FAULT_INIT;
    int r = 0;

    for (size_t i = 0; i < b->n; i++)
        arns[i] = b->targets[i].arn;
    r = ask_tagging(b, arns, &f);
    for (size_t i = 0; i < b->n; i++) {
        struct tag_target *t = &b->targets[i];
        if (r < 0)
            t->fault = f;
        if (t->fault.err && is_answer(&t->fault))
            ask_owner(b, t);
    }
    return r;
}

/* One of set and unset, on those that have not failed yet. */
static void run_all(struct aws_client *c, const struct aws_ctx *ctx, struct tag_target *targets,
                    size_t n, json_t *set, json_t *unset)
{
    for (size_t i = 0; i < n;) {
        struct batch b = {c, ctx, targets + i, 0, set, unset};
        while (i < n && b.n < TAGGING_ARNS_MAX && !targets[i].fault.err) {
            b.n++;
            i++;
        }
        if (b.n > 0)
            run_batch(&b);
        else
            i++;
    }
}

/* A refusal (4xx) is clear; after everything else it may have been done. */
static void note_changed(struct tag_target *targets, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct fault *f = &targets[i].fault;
        targets[i].changed |= !f->err || f->http_status < 400 || f->http_status >= 500;
    }
}

int tag_write(struct aws_client *c, const struct aws_ctx *ctx, struct tag_target *targets, size_t n,
              json_t *set, json_t *unset, struct fault *f)
{
    int r = 0;

    for (size_t i = 0; i < n; i++) {
        targets[i].changed = targets[i].done = false;
        targets[i].fault = FAULT_INIT;
    }
    if (json_object_size(set) > 0) {
        run_all(c, ctx, targets, n, set, NULL);
        note_changed(targets, n);
    }
    if (json_array_size(unset) > 0) {
        run_all(c, ctx, targets, n, NULL, unset);
        note_changed(targets, n);
    }
    for (size_t i = 0; i < n; i++) {
        targets[i].done = !targets[i].fault.err;
        if (!targets[i].done && r == 0)
            r = fault_copy(f, &targets[i].fault);
    }
    return r;
}

int tag_write_owner(struct aws_client *c, const struct aws_ctx *ctx, struct tag_target *target,
                    json_t *set, json_t *unset, struct fault *f)
{
    struct batch b = {c, ctx, target, 1, set, NULL};

    target->changed = false;
    target->fault = FAULT_INIT;
    if (json_object_size(set) > 0)
        ask_owner(&b, target);
    b.set = NULL;
    b.unset = unset;
    if (!target->fault.err && json_array_size(unset) > 0)
        ask_owner(&b, target);
    note_changed(target, 1);
    target->done = !target->fault.err;
    return target->done ? 0 : fault_copy(f, &target->fault);
}
