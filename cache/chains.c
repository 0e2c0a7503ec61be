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

    for (size_t i = 1; i < ARRAY_SIZE(part); i++) {
        const char *colon = strchr(part[i - 1], ':');
        if (!colon)
            return -EINVAL;
        part[i] = colon + 1;
    }
    size_t service = (size_t)(part[3] - part[2] - 1), type = strcspn(part[5], ":/");
    if (!str_starts(arn, "arn:") || service == 0)
        return -EINVAL;
    if (!part[5][type] || is_whole(part[2], service))
        type = 0;
    if (service + 1 + type >= CHAIN_TYPE_SIZE)
        return -EINVAL;
    char *end = mempcpy(out, part[2], service); /* not by printf: it is done for every resource */
    if (type > 0) {
        *end++ = ':';
        end = mempcpy(end, part[5], type);
    }
    *end = 0;
    return 0;
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
static struct chain *find_type(const struct chains *c, const char *type)
{
    for (size_t i = 0; i < c->n; i++)
        if (streq(c->all[i].what, type))
            return &c->all[i];
    return NULL;
}

static int add_type(struct chains *c, const char *type, bool expected)
{
    struct chain *chain = find_type(c, type);

    if (!chain) {
        chain = add(c, CHAIN_TYPE);
        if (!chain)
            return -ENOMEM;
        strcpy(chain->what, type);
    }
    chain->expected |= expected;
    return 0;
}

static int add_swept(struct chains *c, const struct chains_input *in, const struct raw_resource *r)
{
    char type[CHAIN_TYPE_SIZE];

    if (!tag_value(r->tags, r->n_tags, in->family_tag) || chain_type(r->key, type) < 0)
        return 0;
    const struct chain *chain = find_type(c, type);
    if (chain && chain->expected)
        return 0;
    const struct overlay_entry *o = map_get(in->overlay, r->key);
    return add_type(c, type, !(o && o->gone));
}

static int add_types(struct chains *c, const struct chains_input *in)
{
    struct map_iter it = {0};
    char type[CHAIN_TYPE_SIZE];
    const char *key;
    void *value;
    int e = 0;

    while (e == 0 && map_next(in->last->by_key, &it, &key, &value))
        e = add_swept(c, in, value);
    it = (struct map_iter){0};
    while (e == 0 && map_next(in->overlay, &it, &key, &value)) {
        const struct overlay_entry *o = value;
        if (!o->gone && chain_type(key, type) == 0) /* what has no ARN is not in the tag index */
            e = add_type(c, type, false);
    }
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
