/*
 * Reading what stands below /svcfs/. Whoever may write there commands svcfs, but a text that is
 * half right must never be half obeyed: anything that is not exactly a record of this version is
 * -EPROTO, and a life without readable record is `unknown`.
 */
#include "provision/record.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define BASE36 "0123456789abcdefghijklmnopqrstuvwxyz"

static bool is_claim(const char *s)
{
    return strlen(s) == CLAIM_LENGTH && strspn(s, BASE36) == CLAIM_LENGTH;
}

static bool is_id(const char *s, size_t n)
{
    return n >= 2 && n <= NAMING_ID_MAX && *s >= 'a' && *s <= 'z' && s[n - 1] != '-' &&
           strspn(s, BASE36 "-") >= n;
}

static int unreadable(const char *id, struct fault *f, const char *what)
{
    return fault_set(f, -EPROTO, "/svcfs/%s is not a record of svcfs: %s", id, what);
}

/* Reads the members of root one by one; each take_ notes that its key was there. */
struct reading {
    json_t *root;
    size_t taken;
    bool bad;
    bool no_memory;
};

static json_t *take(struct reading *x, const char *key, bool required)
{
    json_t *v = json_object_get(x->root, key);

    x->taken += v != NULL;
    x->bad |= required && !v;
    return v;
}

static const char *take_string(struct reading *x, const char *key, bool required)
{
    json_t *v = take(x, key, required);

    x->bad |= v && !json_is_string(v);
    return json_is_string(v) ? json_string_value(v) : NULL;
}

static char *take_text(struct reading *x, const char *key, bool required)
{
    const char *s = take_string(x, key, required);
    char *out = s ? strdup(s) : NULL;

    x->no_memory |= s && !out;
    return out;
}

static int64_t take_number(struct reading *x, const char *key, int64_t max)
{
    json_t *v = take(x, key, true);
    int64_t n = json_integer_value(v);

    x->bad |= !json_is_integer(v) || n < 0 || n > max;
    return n;
}

static bool is_object_of_strings(json_t *v)
{
    const char *key;
    json_t *e;

    if (!json_is_object(v))
        return false;
    json_object_foreach(v, key, e) if (!json_is_string(e)) return false;
    return true;
}

static void parse_step(struct reading *x, json_t *v, struct record_step *s)
{
    size_t n = json_is_array(v) ? json_array_size(v) : 0;
    const char *logical = json_string_value(json_array_get(v, 0));
    const char *code = json_string_value(json_array_get(v, 1));
    json_t *short_id = json_array_get(v, 3), *retain = json_array_get(v, 4);

    if (n < 3 || n > 5 || !logical || !*logical || !code || !*code ||
        !is_object_of_strings(json_array_get(v, 2)) || (n > 3 && !json_is_string(short_id)) ||
        (n > 4 && (!json_is_integer(retain) || json_integer_value(retain) != 1))) {
        x->bad = true;
        return;
    }
    s->logical = strdup(logical);
    s->type = type_by_code(code);
    if (!s->type)
        s->unknown_code = strdup(code);
    s->identity = json_dumps(json_array_get(v, 2), JSON_COMPACT);
    if (json_string_length(short_id) > 0)
        s->short_id = strdup(json_string_value(short_id));
    s->retain = n > 4;
    x->no_memory |= !s->logical || !s->identity || (!s->type && !s->unknown_code) ||
                    (json_string_length(short_id) > 0 && !s->short_id);
}

static void parse_steps(struct reading *x, struct record *r)
{
    json_t *list = take(x, "s", true), *v;
    size_t i;

    if (!json_is_array(list)) {
        x->bad = true;
        return;
    }
    r->steps = calloc(json_array_size(list) + 1, sizeof(*r->steps));
    if (!r->steps) {
        x->no_memory = true;
        return;
    }
    json_array_foreach(list, i, v)
    {
        parse_step(x, v, &r->steps[i]);
        r->n_steps++;
        for (size_t k = 0; !x->bad && !x->no_memory && k < i; k++)
            x->bad = streq(r->steps[k].logical, r->steps[i].logical);
    }
}

static void parse_phase(struct reading *x, struct record *r)
{
    static const char codes[] = "crfd"; /* in the order of enum record_phase */
    const char *s = take_string(x, "p", true);
    const char *at = s && *s && !s[1] ? strchr(codes, *s) : NULL;

    if (at)
        r->phase = (enum record_phase)(at - codes);
    else
        x->bad = true;
}

static void parse_members(struct reading *x, struct record *r)
{
    const char *claim = take_string(x, "c", true), *hash;
    json_t *outputs;

    if (claim && is_claim(claim))
        memcpy(r->claim, claim, CLAIM_SIZE);
    else
        x->bad = true;
    r->family = take_text(x, "f", true);
    parse_phase(x, r);
    r->spent = (unsigned)take_number(x, "n", INT_MAX);
    r->who = take_text(x, "w", true);
    r->host = take_text(x, "h", true);
    r->created_wall_ms = take_number(x, "t", INT64_MAX);
    r->changed_wall_ms = take_number(x, "u", INT64_MAX);
    r->lease_ms = take_number(x, "l", INT64_C(24) * 3600 * 1000);
    r->delete_grace_ms = take_number(x, "g", INT64_C(24) * 3600 * 1000);
    r->max_deletes_per_minute = (unsigned)take_number(x, "m", INT_MAX);
    hash = take_string(x, "b", true);
    if (hash && strlen(hash) == 16 && strspn(hash, "0123456789abcdef") == 16)
        memcpy(r->blueprint_hash, hash, 17);
    else
        x->bad = true;
    parse_steps(x, r);
    outputs = take(x, "o", false);
    if (outputs && !is_object_of_strings(outputs))
        x->bad = true;
    else if (outputs && !(r->outputs = json_deep_copy(outputs)))
        x->no_memory = true;
    r->error = take_text(x, "e", false);
}

int record_parse(const char *id, const char *text, struct record **ret, struct fault *f)
{
    _cleanup_(json_decrefp) json_t *root = NULL;
    _cleanup_(record_freep) struct record *r = NULL;
    json_error_t e;
    struct reading x = {0};
    json_int_t version;

    root = json_loads(text, JSON_REJECT_DUPLICATES, &e);
    if (!root)
        return unreadable(id, f, e.text);
    version = json_integer_value(json_object_get(root, "v"));
    if (version < 1)
        return unreadable(id, f, "it has no version");
    if (version > 1)
        return fault_set(f, -EPROTO,
                         "/svcfs/%s has format %" JSON_INTEGER_FORMAT
                         ", of a later svcfs; this one knows format 1",
                         id, version);
    r = calloc(1, sizeof(*r));
    if (!r || !(r->id = strdup(id)))
        return fault_set(f, -ENOMEM, "no memory");
    x.root = root;
    take(&x, "v", true);
    parse_members(&x, r);
    if (x.no_memory)
        return fault_set(f, -ENOMEM, "no memory");
    if (x.bad)
        return unreadable(id, f, "a member is missing or of another kind");
    if (x.taken != json_object_size(root))
        return unreadable(id, f, "it has members that format 1 does not");
    *ret = steal_ptr(r);
    return 0;
}

/* WORD or WORD-N behind the claim. */
static int parse_word(const char *s, struct record_child *c)
{
    static const struct {
        const char *word;
        int value;
        bool numbered;
    } words[] = {
        {"owner", CHILD_OWNER, true},
        {"delete", CHILD_DELETE, true},
        {"cancel", CHILD_CANCEL, true},
        {"protect", CHILD_PROTECT, false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        const char *rest = str_after(s, words[i].word);
        unsigned long n = 0;
        char *end;
        if (!rest || (*rest && *rest != '-'))
            continue;
        if (words[i].numbered) {
            /* One way to write each number: else two names would mean one owner. */
            if (*rest != '-' || rest[1] < '1' || rest[1] > '9')
                return -EINVAL;
            errno = 0;
            n = strtoul(rest + 1, &end, 10);
            if (errno || *end || n > INT_MAX)
                return -EINVAL;
        } else if (*rest) {
            return -EINVAL;
        }
        c->word = words[i].value;
        c->n = (unsigned)n;
        return 0;
    }
    return -EINVAL;
}

int record_parse_name(const char *name, struct record_child *ret)
{
    const char *id = str_after(name, "/svcfs/"), *claim;
    struct record_child c = {0};
    size_t n = id ? strcspn(id, "/") : 0;

    if (!id || !is_id(id, n))
        return -EINVAL;
    memcpy(c.id, id, n);
    if (id[n] == '/') {
        claim = id + n + 1;
        if (strlen(claim) <= CLAIM_LENGTH || claim[CLAIM_LENGTH] != '/')
            return -EINVAL;
        memcpy(c.claim, claim, CLAIM_LENGTH);
        if (!is_claim(c.claim) || parse_word(claim + CLAIM_SIZE, &c) < 0)
            return -EINVAL;
    }
    *ret = c;
    return 0;
}

int record_owner_print(const struct record_owner *o, char **ret)
{
    _cleanup_(json_decrefp) json_t *root =
        json_pack("{s:s,s:I,s:b,s:I}", "nonce", o->nonce, "lease", (json_int_t)o->lease_ms,
                  "released", o->released, "beat", (json_int_t)o->beat);
    char *text;

    if (!root || (*o->host && json_object_set_new(root, "host", json_string(o->host)) < 0))
        return -ENOMEM;
    text = json_dumps(root, JSON_COMPACT);
    if (!text)
        return -ENOMEM;
    *ret = text;
    return 0;
}

int record_owner_parse(const char *text, struct record_owner *ret)
{
    _cleanup_(json_decrefp) json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    struct record_owner o = {0};
    const char *nonce, *host;
    json_t *released, *lease, *beat;

    nonce = json_string_value(json_object_get(root, "nonce"));
    host = json_string_value(json_object_get(root, "host"));
    lease = json_object_get(root, "lease");
    beat = json_object_get(root, "beat");
    released = json_object_get(root, "released");
    if (!nonce || !is_claim(nonce) || !json_is_integer(lease) || json_integer_value(lease) < 0 ||
        json_integer_value(lease) > INT64_C(24) * 3600 * 1000 || !json_is_integer(beat) ||
        json_integer_value(beat) < 0 || !json_is_boolean(released))
        return -EPROTO;
    memcpy(o.nonce, nonce, CLAIM_SIZE);
    o.lease_ms = json_integer_value(lease);
    o.beat = (unsigned long)json_integer_value(beat);
    o.released = json_is_true(released);
    snprintf(o.host, sizeof(o.host), "%s", host ? host : "");
    *ret = o;
    return 0;
}
