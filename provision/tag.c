/* One tag of one resource. */
#include "provision/internal.h"

#include <errno.h>

#include "base/str.h"
#include "provision/tag_rules.h"
#include "provision/tag_write.h"
#include "provision/tagging.h"

static struct tag_rules rules_of(const struct provision *p)
{
    return (struct tag_rules){p->family_tag, p->service_tag};
}

int provision_tag_check(struct provision *p, const struct index_resource *r, const char *key,
                        const char *value, struct fault *f)
{
    const struct tag_rules rules = rules_of(p);
    const struct index_tag change = {key, value};
    int e = tag_check_key(&rules, r, key, f);

    if (e == 0 && value)
        e = tag_check_value(r, value, f);
    return e == 0 && value ? tag_check_room(r, &change, 1, f) : e;
}

int swept_snapshot(struct provision *p, struct cancel *cancel, const struct snapshot **ret,
                   struct fault *f)
{
    for (int tries = 0; tries < 2; tries++) {
        _cleanup_snapshot_ const struct snapshot *s = cache_snapshot(p->cache);
        int r = 0;

        if (s && s->swept) {
            *ret = steal_ptr(s);
            return 0;
        }
        r = cache_refresh(p->cache, cancel, f);
        if (r < 0)
            return r;
    }
    return fault_set(f, -EAGAIN, "the account has not been read yet");
}

static int check(struct provision *p, const struct index_resource *r, const char *key,
                 const char *value, struct fault *f)
{
    int e = provision_tag_check(p, r, key, value, f);

    if (e == 0 && !value && !index_tag(r, key))
        e = fault_set(f, -ENOENT, "there is no such tag");
    return e;
}

int provision_tag(struct provision *p, const char *resource, const char *key, const char *value,
                  struct cancel *cancel, struct fault *f)
{
    struct aws_ctx ctx = {.timeout_ms = p->timing.call_ms, .cancel = cancel};
    _cleanup_snapshot_ const struct snapshot *s = NULL;
    struct tag_target target = {.arn = resource};

    if (p->read_only)
        return fault_set(f, -EROFS, "mounted read-only");
    int e = swept_snapshot(p, cancel, &s, f);
    if (e < 0)
        return e;
    const struct index_resource *r = snapshot_resource_by_key(s, resource);
    if (!r)
        return fault_set(f, -ENOENT, "there is no such resource any more");
    e = check(p, r, key, value, f);
    if (e < 0)
        return e;
    _cleanup_json_ json_t *set = value ? json_pack("{s:s}", key, value) : NULL;
    _cleanup_json_ json_t *unset = value ? NULL : json_pack("[s]", key);
    if (!set && !unset)
        return fault_set(f, -ENOMEM, "no memory");
    e = tag_write(p->aws, &ctx, &target, 1, set, unset, f);
    if (e < 0)
        return e;
    const struct index_tag change = {key, value};
    e = cache_retag(p->cache, r, &change, 1);
    cache_flush(p->cache);
    return e < 0 ? fault_set(f, e, "no memory") : 0;
}
