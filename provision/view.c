/*
 * Views: a service as the tree shows it, put together at one moment from the snapshot (tags), the
 * life (record, intents, health) and the catalogue. Nothing is asked for; what is not known yet is
 * `unknown` or left out.
 */
#include "provision/internal.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"

static const char *const status_names[] = {
    [STATUS_CREATING] = "creating", [STATUS_READY] = "ready",
    [STATUS_DEGRADED] = "degraded", [STATUS_FAILED] = "failed",
    [STATUS_DELETING] = "deleting", [STATUS_UNMANAGED] = "unmanaged",
    [STATUS_UNKNOWN] = "unknown",
};

const char *service_status_name(enum service_status s)
{
    return status_names[s];
}

/* Locked. */
static enum service_status status_of_life(const struct life *l)
{
    if (life_is_going(l))
        return STATUS_DELETING;
    if (l->record->phase == PHASE_CREATING)
        return STATUS_CREATING;
    if (l->record->phase == PHASE_FAILED)
        return STATUS_FAILED;
    return l->degraded ? STATUS_DEGRADED : STATUS_READY;
}

/* Else what is unknown will be known as soon as the record was read. Locked. */
static bool is_unreadable(struct provision *p, const char *id)
{
    return p->records_fault.err || records_bad(p, id);
}

/* Without a life: the tag index says that there is a record; its phase is good enough until the
 * record was read. Where it shows parts alone it may lag behind (their record was tagged before
 * them): that there is no record is believed when a read has said so. Locked. */
static enum service_status status_of_tags(struct provision *p, const struct index_service *s)
{
    static const struct {
        const char *phase;
        enum service_status status;
    } table[] = {{"creating", STATUS_CREATING},
                 {"ready", STATUS_READY},
                 {"failed", STATUS_FAILED},
                 {"deleting", STATUS_DELETING}};

    if (!s->managed && (s->claims == 0 || tags_recordless(p, s)))
        return STATUS_UNMANAGED;
    if (is_unreadable(p, s->id))
        return STATUS_UNKNOWN;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        if (streq(table[i].phase, s->phase))
            return table[i].status;
    return STATUS_UNKNOWN;
}

/* The life of this very service, as long as its record can be read. Locked. */
static struct life *life_of(struct provision *p, const struct index_service *s)
{
    struct life *l = map_get(p->lives, s->id);

    bool good = l && s->managed && streq(l->family, s->family->id) && !records_bad(p, s->id);

    return good ? l : NULL;
}

/* Whether error_text has something to say. Locked. */
static bool has_error(const struct life *l, enum service_status status)
{
    return status == STATUS_DEGRADED || status == STATUS_UNKNOWN ||
           (status == STATUS_FAILED && (!l || l->record->error));
}

void provision_row(struct provision *p, const struct index_service *service,
                   struct service_row *ret)
{
    *ret = (struct service_row){0};
    pthread_mutex_lock(&p->lock);
    struct life *l = life_of(p, service);
    ret->status = l ? status_of_life(l) : status_of_tags(p, service);
    ret->has_error = has_error(l, ret->status);
    if (l) {
        const char *url = json_string_value(json_object_get(l->record->outputs, "url"));
        ret->created_wall_ms = l->record->created_wall_ms;
        ret->checked_wall_ms = l->checked_wall_ms;
        ret->changed_wall_ms = l->record->changed_wall_ms;
        ret->events_wall_ms = l->events_wall_ms;
        ret->events_len = l->events.len;
        str_format(ret->url, sizeof(ret->url), "%s", url ? url : "");
    }
    pthread_mutex_unlock(&p->lock);
}

/* --- the whole view --- */

struct view {
    struct service_view view;
    struct arena *arena;
};

static const char *error_text(struct provision *p, struct arena *a, const struct index_service *s,
                              const struct life *l, enum service_status status)
{
    struct fault f = FAULT_INIT;

    if (l && status == STATUS_FAILED && l->record->error)
        return arena_strdup(a, l->record->error);
    if (l && status == STATUS_DEGRADED) {
        fault_set(&f, -EIO, "%s", l->trouble);
        snprintf(f.next, sizeof(f.next),
                 "look at resources/ and at the owning service; svcfs repairs nothing by itself");
    } else if (status == STATUS_UNKNOWN && p->records_fault.err) {
        f = p->records_fault;
    } else if (status == STATUS_UNKNOWN || (status == STATUS_FAILED && !l)) {
        const char *why = records_bad(p, s->id);
        fault_set(&f, -EPROTO, "%s", why ? why : "the record has not been read yet");
    } else {
        return NULL;
    }
    _cleanup_free_ char *text = record_error_text("", &f);
    return text ? arena_strdup(a, text) : NULL;
}

static int copy_outputs(struct view *v, json_t *outputs)
{
    size_t n = 0;
    const char *key;
    json_t *value;
    struct service_output *list =
        arena_array(v->arena, json_object_size(outputs) + 1, sizeof(*list));

    if (!list)
        return -ENOMEM;
    json_object_foreach(outputs, key, value)
    {
        list[n].name = arena_strdup(v->arena, key);
        list[n].value = arena_strdup(v->arena, json_string_value(value));
        if (!list[n].name || !list[n].value)
            return -ENOMEM;
        if (streq(key, "url"))
            v->view.url = list[n].value;
        n++;
    }
    for (size_t i = 1; i < n; i++) /* few, and nearly sorted */
        for (size_t k = i; k > 0 && strcmp(list[k - 1].name, list[k].name) > 0; k--) {
            struct service_output t = list[k];
            list[k] = list[k - 1];
            list[k - 1] = t;
        }
    v->view.outputs = list;
    v->view.n_outputs = n;
    return 0;
}

static json_t *time_json(int64_t ms)
{
    char text[CLOCK_TIME_SIZE];

    return ms ? json_string(clock_format(ms, text)) : json_null();
}

static json_t *resources_json(const struct index_service *s)
{
    json_t *list = json_array();

    for (size_t i = 0; i < s->n_resources; i++) {
        const struct index_resource *r = s->resources[i];
        json_t *tags = json_object();
        for (size_t k = 0; k < r->n_tags; k++)
            json_object_set_new(tags, r->tags[k].key, json_string(r->tags[k].value));
        json_array_append_new(list,
                              json_pack("{s:o, s:s, s:s, s:s, s:o}", "arn",
                                        r->has_arn ? json_string(r->key) : json_null(), "service",
                                        r->service, "type", r->type, "id", r->id, "tags", tags));
    }
    return list;
}

static json_t *record_json(struct provision *p, const struct life *l)
{
    const struct record *rec = l->record;
    json_t *steps = json_array();
    _cleanup_(blueprint_unrefp) struct blueprint *b = NULL;
    const char *made_from = "older";

    if (p->catalog && catalog_get(p->catalog, l->family, &b, NULL) == 0 &&
        streq(blueprint_hash(b), rec->blueprint_hash))
        made_from = "current";
    for (size_t i = 0; i < rec->n_steps; i++) {
        const struct record_step *s = &rec->steps[i];
        json_array_append_new(steps, json_pack("{s:s, s:s, s:s?, s:b}", "logicalId", s->logical,
                                               "type", s->type ? s->type->name : "unknown", "id",
                                               s->short_id, "retain", s->retain));
    }
    return json_pack("{s:s, s:s, s:s?, s:s?, s:s, s:s, s:b, s:o}", "claim", l->claim, "phase",
                     record_phase_name(rec->phase), "requestedBy", rec->who, "requestedOn",
                     rec->host, "blueprint", made_from, "blueprintHash", rec->blueprint_hash,
                     "protected", l->is_protected, "steps", steps);
}

static int fill(struct provision *p, struct view *v, const struct index_service *s,
                const struct life *l)
{
    struct service_view *out = &v->view;
    int r = 0;

    out->status = l ? status_of_life(l) : status_of_tags(p, s);
    out->working = l ? life_has_work(l)
                     : out->status == STATUS_CREATING || out->status == STATUS_DELETING ||
                           (out->status == STATUS_UNKNOWN && !is_unreadable(p, s->id));
    if (l) {
        out->created_wall_ms = l->record->created_wall_ms;
        out->changed_wall_ms = l->record->changed_wall_ms;
        out->checked_wall_ms = l->checked_wall_ms;
        r = copy_outputs(v, l->record->outputs);
    }
    out->error = error_text(p, v->arena, s, l, out->status);
    return r < 0 ? -ENOMEM : 0;
}

/* ret_record (may be NULL) gets what the document says of the record at the same moment: a new
 * reference. */
static int view_new(struct provision *p, const struct index_service *service,
                    struct service_view **ret, json_t **ret_record)
{
    struct view *v = calloc(1, sizeof(*v));

    if (!v)
        return -ENOMEM;
    v->arena = arena_new();
    int r = v->arena ? 0 : -ENOMEM;
    if (r == 0) {
        pthread_mutex_lock(&p->lock);
        const struct life *l = life_of(p, service);
        r = fill(p, v, service, l);
        if (r == 0 && ret_record)
            *ret_record = l ? record_json(p, l) : json_null();
        pthread_mutex_unlock(&p->lock);
    }
    if (r < 0) {
        service_view_free(&v->view);
        return r;
    }
    *ret = &v->view;
    return 0;
}

int provision_view(struct provision *p, _unused_ const struct snapshot *snapshot,
                   const struct index_service *service, struct service_view **ret)
{
    return view_new(p, service, ret, NULL);
}

static int append_text(const char *text, size_t size, void *out)
{
    return buf_append(out, text, size) < 0 ? -1 : 0;
}

/* Takes record; NULL: no memory. Without the lock: most of it is the snapshot's. */
static json_t *document(const struct service_view *v, const struct index_service *s, json_t *record)
{
    json_t *outputs = json_object(), *depends = json_array();

    for (size_t i = 0; i < s->n_depends; i++)
        json_array_append_new(depends, json_string(s->depends[i]));
    for (size_t i = 0; i < v->n_outputs; i++)
        json_object_set_new(outputs, v->outputs[i].name, json_string(v->outputs[i].value));
    return json_pack("{s:s, s:s, s:s, s:b, s:o, s:o, s:o, s:s?, s:o, s:o, s:o, s:o}", "id", s->id,
                     "family", s->family->id, "status", service_status_name(v->status), "managed",
                     !json_is_null(record) || s->managed, "created", time_json(v->created_wall_ms),
                     "changed", time_json(v->changed_wall_ms), "checked",
                     time_json(v->checked_wall_ms), "error", v->error, "outputs", outputs,
                     "dependsOn", depends, "record", record, "resources", resources_json(s));
}

int provision_document(struct provision *p, const struct index_service *service, struct buf *out)
{
    _cleanup_(service_view_freep) struct service_view *v = NULL;
    json_t *record = NULL;
    int r = view_new(p, service, &v, &record);

    if (r < 0)
        return r;
    _cleanup_json_ json_t *doc = document(v, service, record);
    return json_dump_callback(doc, append_text, out, JSON_INDENT(2)) < 0 ? -ENOMEM
                                                                         : buf_putc(out, '\n');
}

void service_view_free(struct service_view *view)
{
    struct view *v = (struct view *)view; /* its first member */

    if (!v)
        return;
    arena_free(v->arena);
    free(v);
}

int provision_events(struct provision *p, const char *family, const char *id, struct buf *out)
{
    int r = 0;

    pthread_mutex_lock(&p->lock);
    struct life *l = map_get(p->lives, id);
    if (l && streq(l->family, family) && l->events.len > 0)
        r = buf_append(out, l->events.data, l->events.len);
    pthread_mutex_unlock(&p->lock);
    return r;
}
