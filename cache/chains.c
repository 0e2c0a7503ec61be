/*
 * The choice. A token's pages come one after the other, so a large account is read by one chain a
 * type, side by side: sum over the types of ceil(n/100) calls. The first sweep is one chain over
 * everything, the census: nobody knows the types yet, and it costs the fewest calls. It comes again
 * with every tenth sweep, since a type that somebody else used for the first time is seen by it
 * alone; and behind a sweep that brought records, which is what another daemon's mkdir looks like.
 * Records are looked for in any case: without them a managed service is shown as unmanaged.
 *
 * Strays, which have an id and no family, can only be found by reading all that has an id, which is
 * the whole account a second time; so that goes with the census of an explicit refresh and with
 * every tenth sweep, and between them the strays stay as they were seen last.
 *
 * Rejected: several types in one filter. Pages of small types would be shared, but a chain that
 * breaks would begin anew for all of them, and a filter that AWS does not know would spoil the
 * others.
 */
#include "cache/chains.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/* Filtered as a whole: their ARNs have no type, or one that is in doubt as a filter (a listener
 * rule's ARN, an API's path, a scaling group's uuid). */
static const char *const whole_services[] = {
    "apigateway", "autoscaling", "cloudwatch", "elasticloadbalancing", "events", "s3", "sns", "sqs",
};

static bool is_whole(const char *service, size_t n)
{
    for (size_t i = 0; i < ARRAY_SIZE(whole_services); i++)
        if (strlen(whole_services[i]) == n && memcmp(whole_services[i], service, n) == 0)
            return true;
    return false;
}

int chain_type(const char *arn, char out[CHAIN_TYPE_SIZE])
{
    const char *part[6] = {arn}; /* arn, partition, service, region, account, the rest */
    int n;

    for (size_t i = 1; i < ARRAY_SIZE(part); i++) {
        const char *colon = strchr(part[i - 1], ':');
        if (!colon)
            return -EINVAL;
        part[i] = colon + 1;
    }
    int service = (int)(part[3] - part[2] - 1);
    size_t type = strcspn(part[5], ":/");
    if (!str_starts(arn, "arn:") || service == 0)
        return -EINVAL;
    if (type == 0 || !part[5][type] || is_whole(part[2], (size_t)service))
        n = snprintf(out, CHAIN_TYPE_SIZE, "%.*s", service, part[2]);
    else
        n = snprintf(out, CHAIN_TYPE_SIZE, "%.*s:%.*s", service, part[2], (int)type, part[5]);
    return n < CHAIN_TYPE_SIZE ? 0 : -EINVAL;
}

static struct chain *add(struct chains *c, enum chain_kind kind)
{
    struct chain *all = reallocarray(c->all, c->n + 1, sizeof(*all));

    if (!all)
        return NULL;
    c->all = all;
    all[c->n] = (struct chain){.kind = kind};
    return &all[c->n++];
}

/* There are some dozens of types at most: a search from the front is as good as a map. */
static int add_type(struct chains *c, const char *type, bool expected)
{
    for (size_t i = 0; i < c->n; i++)
        if (streq(c->all[i].what, type)) {
            c->all[i].expected |= expected;
            return 0;
        }
    struct chain *chain = add(c, CHAIN_TYPE);
    if (!chain)
        return -ENOMEM;
    snprintf(chain->what, sizeof(chain->what), "%s", type);
    chain->expected = expected;
    return 0;
}

static int add_type_of(struct chains *c, const char *key, bool expected)
{
    char type[CHAIN_TYPE_SIZE];

    /* A thing without an ARN is not in the tag index. */
    return chain_type(key, type) < 0 ? 0 : add_type(c, type, expected);
}

static int add_types(struct chains *c, const struct chains_input *in)
{
    struct map_iter it = {0};
    const char *key;
    void *value;
    int e = 0;

    while (e == 0 && map_next(in->last->by_key, &it, &key, &value)) {
        const struct overlay_entry *o = map_get(in->overlay, key);
        if (raw_tag(value, in->family_tag))
            e = add_type_of(c, key, !(o && o->gone));
    }
    it = (struct map_iter){0};
    while (e == 0 && map_next(in->overlay, &it, &key, &value))
        if (!((const struct overlay_entry *)value)->gone)
            e = add_type_of(c, key, false);
    return e == 0 && c->n > 0 ? add_type(c, "ssm:parameter", false) : e;
}

int chains_choose(const struct chains_input *in, struct chains *ret)
{
    bool strays = in->asked || in->sweeps + 1 >= CENSUS_EVERY;
    struct chains c = {0};
    int e = 0;

    if (in->last && !in->last->untyped && !in->last->news && !strays)
        e = add_types(&c, in);
    if (e == 0 && c.n == 0 && !add(&c, CHAIN_CENSUS))
        e = -ENOMEM;
    if (e == 0 && strays && !add(&c, CHAIN_STRAYS))
        e = -ENOMEM;
    if (e < 0)
        chains_done(&c);
    else
        *ret = c;
    return e;
}

void chains_done(struct chains *c)
{
    free(c->all);
    *c = (struct chains){0};
}
