/*
 * The record's text. It must say all that a stranger needs to go on or to delete, in 4,000 bytes:
 * hence JSON with short keys and steps as lists, physical ids short and only with the outcome,
 * errors cut.
 *
 *   {"v":1,"c":CLAIM,"f":FAMILY,"p":"c|r|f|d","n":SPENT,"w":WHO,"h":HOST,"t":CREATED,"u":CHANGED,"l":LEASE,
 *    "g":DELETE-GRACE,"m":MAX-DELETES,"b":BLUEPRINT-HASH,"s":[[LOGICAL,CODE,IDENTITY,SHORT-ID,RETAIN],…],
 *    "o":OUTPUTS,"e":ERROR}          times in ms; SHORT-ID and RETAIN, o and e only where there is
 * one
 *
 * The same record gives the same text, always: engine.md 8 compares. Reading is strict: a key that
 * this version does not know would be lost with the next overwrite, so it is refused like a later
 * version; but a type's code that is not known is kept, for deleting needs only that it is seen.
 *
 * SSM refuses `{{` in a value. JSON can hold that only inside of a string, where \u007b is the same
 * character.
 */
#include "provision/record.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "provision/record_text.h"

enum { VERSION = 1, WHO_MAX = 64, HOST_MAX = 64 };

static const struct {
    const char *name, *code;
} phases[] = {
    [PHASE_CREATING] = {"creating", "c"},
    [PHASE_READY] = {"ready", "r"},
    [PHASE_FAILED] = {"failed", "f"},
    [PHASE_DELETING] = {"deleting", "d"},
};

const char *record_phase_name(enum record_phase p)
{
    return phases[p].name;
}

static int no_memory(struct fault *f)
{
    return fault_set(f, -ENOMEM, "no memory");
}

void record_free(struct record *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n_steps; i++) {
        free(r->steps[i].logical);
        free(r->steps[i].unknown_code);
        free(r->steps[i].short_id);
        free(r->steps[i].identity);
    }
    free(r->steps);
    free(r->id);
    free(r->family);
    free(r->who);
    free(r->host);
    free(r->error);
    json_decref(r->outputs);
    free(r);
}

int record_new(const struct plan *p, const char *who, const char *host, int64_t now_wall_ms,
               int64_t lease_ms, struct record **ret, struct fault *f)
{
    _cleanup_(record_freep) struct record *r = calloc(1, sizeof(*r));
    const struct blueprint_settings *settings = blueprint_settings(p->blueprint);

    if (!r)
        return no_memory(f);
    r->id = strdup(p->service_id);
    r->family = strdup(blueprint_family(p->blueprint));
    r->who = record_text_clean(who, WHO_MAX);
    r->host = record_text_clean(host, HOST_MAX);
    r->steps = calloc(p->n_steps + 1, sizeof(*r->steps));
    if (!r->id || !r->family || !r->who || !r->host || !r->steps)
        return no_memory(f);
    snprintf(r->claim, sizeof(r->claim), "%s", p->claim);
    snprintf(r->blueprint_hash, sizeof(r->blueprint_hash), "%s", blueprint_hash(p->blueprint));
    r->phase = PHASE_CREATING;
    r->created_wall_ms = r->changed_wall_ms = now_wall_ms;
    r->lease_ms = lease_ms;
    r->delete_grace_ms = settings->delete_grace_ms;
    r->max_deletes_per_minute = settings->max_deletes_per_minute;
    for (size_t i = 0; i < p->n_steps; i++) {
        struct record_step *step = &r->steps[r->n_steps++];
        step->logical = strdup(p->steps[i].logical);
        step->type = p->steps[i].type;
        step->identity = json_dumps(p->steps[i].identity, JSON_COMPACT);
        step->retain = p->steps[i].retain;
        if (!step->logical || !step->identity)
            return no_memory(f);
    }
    *ret = steal_ptr(r);
    return 0;
}

/* strdup that gives NULL for NULL; *ok becomes false where memory is out. */
static char *copy_text(const char *s, bool *ok)
{
    char *out = s ? strdup(s) : NULL;

    if (s && !out)
        *ok = false;
    return out;
}

static json_t *copy_json(const json_t *v, bool *ok)
{
    json_t *out = v ? json_deep_copy(v) : NULL;

    if (v && !out)
        *ok = false;
    return out;
}

int record_copy(const struct record *r, struct record **ret)
{
    _cleanup_(record_freep) struct record *c = malloc(sizeof(*c));
    bool ok = true;

    if (!c)
        return -ENOMEM;
    *c = *r;
    c->steps = NULL;
    c->n_steps = 0;
    c->id = copy_text(r->id, &ok);
    c->family = copy_text(r->family, &ok);
    c->who = copy_text(r->who, &ok);
    c->host = copy_text(r->host, &ok);
    c->error = copy_text(r->error, &ok);
    c->outputs = copy_json(r->outputs, &ok);
    c->steps = calloc(r->n_steps + 1, sizeof(*c->steps));
    for (size_t i = 0; c->steps && i < r->n_steps; i++) {
        struct record_step *step = &c->steps[c->n_steps++];
        *step = r->steps[i];
        step->logical = copy_text(r->steps[i].logical, &ok);
        step->unknown_code = copy_text(r->steps[i].unknown_code, &ok);
        step->short_id = copy_text(r->steps[i].short_id, &ok);
        step->identity = copy_text(r->steps[i].identity, &ok);
    }
    if (!ok || !c->steps)
        return -ENOMEM;
    *ret = steal_ptr(c);
    return 0;
}

static int step_json(const struct record_step *s, json_t *list)
{
    json_t *out = json_pack("[s,s,o]", s->logical, s->type ? s->type->code : s->unknown_code,
                            json_loads(s->identity, 0, NULL));
    bool short_id = s->short_id && *s->short_id;

    if (out && (short_id || s->retain) &&
        json_array_append_new(out, json_string(short_id ? s->short_id : "")) < 0) {
        json_decref(out);
        return -ENOMEM;
    }
    if (out && s->retain && json_array_append_new(out, json_integer(1)) < 0) {
        json_decref(out);
        return -ENOMEM;
    }
    return json_array_append_new(list, out) < 0 ? -ENOMEM : 0;
}

static json_t *record_json(const struct record *r)
{
    json_t *steps = json_array();
    json_t *root =
        json_pack("{s:i,s:s,s:s,s:s,s:I,s:s,s:s}", "v", VERSION, "c", r->claim, "f", r->family, "p",
                  phases[r->phase].code, "n", (json_int_t)r->spent, "w", r->who, "h", r->host);
    int bad = !root || !steps;

    for (size_t i = 0; !bad && i < r->n_steps; i++)
        bad = step_json(&r->steps[i], steps) < 0;
    if (!bad)
        bad = json_object_set_new(root, "t", json_integer(r->created_wall_ms)) < 0 ||
              json_object_set_new(root, "u", json_integer(r->changed_wall_ms)) < 0 ||
              json_object_set_new(root, "l", json_integer(r->lease_ms)) < 0 ||
              json_object_set_new(root, "g", json_integer(r->delete_grace_ms)) < 0 ||
              json_object_set_new(root, "m", json_integer(r->max_deletes_per_minute)) < 0 ||
              json_object_set_new(root, "b", json_string(r->blueprint_hash)) < 0 ||
              json_object_set(root, "s", steps) < 0 ||
              (r->outputs && json_object_size(r->outputs) &&
               json_object_set_new(root, "o", json_deep_copy(r->outputs)) < 0) ||
              (r->error && *r->error && json_object_set_new(root, "e", json_string(r->error)) < 0);
    json_decref(steps);
    if (!bad)
        return root;
    json_decref(root);
    return NULL;
}

static void remove_longest_output(json_t *root)
{
    json_t *outputs = json_object_get(root, "o"), *v;
    const char *key, *longest = NULL;
    size_t most = 0;

    json_object_foreach(outputs, key, v) if (!longest || json_string_length(v) > most)
    {
        longest = key;
        most = json_string_length(v);
    }
    if (longest && json_object_size(outputs) > 1)
        json_object_del(outputs, longest);
    else
        json_object_del(root, "o");
}

/* Takes the longest short id out; false where there is none any more. */
static bool remove_longest_short_id(json_t *root)
{
    json_t *step, *longest = NULL;
    size_t i, most = 0;

    json_array_foreach(json_object_get(root, "s"), i, step)
    {
        size_t n = json_string_length(json_array_get(step, 3));
        if (n > most) {
            longest = step;
            most = n;
        }
    }
    if (!longest)
        return false;
    if (json_array_size(longest) > 4)
        return json_array_set_new(longest, 3, json_string("")) == 0;
    return json_array_remove(longest, 3) == 0;
}

/* Takes the least needed part out of what is `over` bytes too long. false: nothing can go. */
static bool shrink(json_t *root, size_t over)
{
    const char *error = json_string_value(json_object_get(root, "e"));
    size_t n = error ? strlen(error) : 0;

    if (error && n > over + 16) {
        _cleanup_free_ char *cut = record_text_cut(error, n - over - 1);
        return cut && json_object_set_new(root, "e", json_string(cut)) == 0;
    }
    if (error)
        return json_object_del(root, "e") == 0;
    if (json_object_get(root, "o")) {
        remove_longest_output(root);
        return true;
    }
    return remove_longest_short_id(root);
}

static int print(json_t *root, char **ret, struct fault *f)
{
    _cleanup_free_ char *text = json_dumps(root, JSON_COMPACT);
    char *out = text ? record_text_braces(text) : NULL;

    if (!out)
        return no_memory(f);
    *ret = out;
    return 0;
}

int record_print(const struct record *r, char **ret, struct fault *f)
{
    _cleanup_(json_decrefp) json_t *root = record_json(r);
    _cleanup_free_ char *text = NULL;
    int err;

    if (!root)
        return no_memory(f);
    for (;;) {
        freep(&text);
        text = NULL;
        err = print(root, &text, f);
        if (err < 0)
            return err;
        if (strlen(text) <= RECORD_MAX)
            break;
        if (!shrink(root, strlen(text) - RECORD_MAX))
            return fault_set(f, -EFBIG, "the record of %s would have %zu bytes, more than %d",
                             r->id, strlen(text), RECORD_MAX);
    }
    *ret = steal_ptr(text);
    return 0;
}

/* Sets the parts that come later to the longest that they may reasonably become. */
static int fill_longest(struct record *r, const struct plan *p)
{
    char text[256];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (size_t i = 0; i < r->n_steps; i++) {
        size_t n = p->steps[i].type->short_id_max;
        r->steps[i].short_id = strndup(text, MIN(n, sizeof(text) - 1));
        if (!r->steps[i].short_id)
            return -ENOMEM;
    }
    r->spent = 9999;
    r->error = malloc(RECORD_ERROR_MAX / 2 + 1);
    if (!r->error)
        return -ENOMEM;
    memset(r->error, 'x', RECORD_ERROR_MAX / 2);
    r->error[RECORD_ERROR_MAX / 2] = '\0';
    return 0;
}

int record_check_size(const struct plan *longest, struct fault *f)
{
    _cleanup_(record_freep) struct record *r = NULL;
    _cleanup_(json_decrefp) json_t *root = NULL;
    _cleanup_free_ char *text = NULL;
    char who[WHO_MAX + 1], host[HOST_MAX + 1];
    int err;

    memset(who, 'x', WHO_MAX);
    memset(host, 'x', HOST_MAX);
    who[WHO_MAX] = host[HOST_MAX] = '\0';
    err = record_new(longest, who, host, INT64_C(9999999999999), 3600 * 1000, &r, f);
    if (err < 0)
        return err;
    if (fill_longest(r, longest) < 0 || !(root = record_json(r)))
        return no_memory(f);
    err = print(root, &text, f);
    if (err < 0)
        return err;
    if (strlen(text) > RECORD_MAX)
        return fault_set(
            f, -EFBIG,
            "a service's record could have %zu bytes, more than %d: fewer resources or "
            "shorter names",
            strlen(text), RECORD_MAX);
    return 0;
}

char *record_error_text(const char *step, const struct fault *f)
{
    _cleanup_buf_ struct buf out = BUF_INIT(4096);
    _cleanup_free_ char *clean = NULL;
    const char *code = *f->code ? f->code : fault_errno_name(f->err);
    char *text;

    if (buf_printf(&out, "step: %s\ncall: %s\ncode: %s\nrequest-id: %s\n",
                   step && *step ? step : "-", *f->call ? f->call : "-", code,
                   *f->request_id ? f->request_id : "-") < 0)
        return NULL;
    /* What to do next must survive: the message gives way. */
    size_t next = strlen("message: \nnext: \n") + MAX(strlen(f->next), (size_t)1);
    size_t room = out.len + next < RECORD_ERROR_MAX ? RECORD_ERROR_MAX - out.len - next : 0;
    clean = record_text_clean(*f->message ? f->message : "-", SIZE_MAX);
    if (!clean)
        return NULL;
    text = record_text_cut(clean, room);
    if (!text)
        return NULL;
    int r = buf_printf(&out, "message: %s\nnext: %s\n", text, *f->next ? f->next : "-");
    free(text);
    if (r < 0)
        return NULL;
    free(steal_ptr(clean));
    clean = record_text_lines(buf_str(&out));
    return clean ? record_text_cut(clean, RECORD_ERROR_MAX) : NULL;
}
