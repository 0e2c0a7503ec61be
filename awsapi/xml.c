/*
 * XML answers as JSON. The query protocols use XML as a notation for records and lists, without
 * attributes or mixed text that would mean something; so an element is an object (it has children),
 * a list (its children are called member or item), or a string. Whether a name that came once is a
 * list cannot be seen: callers that expect one use xml_list.
 *
 * expat reports elements; open ones stand on a stack of frames. The parser stops at a doctype (that
 * ends entity attacks before they begin), at a depth of 64, and where memory ends. Text of an
 * element that has children is white space of the layout, and dropped.
 */
#include "awsapi/xml.h"

#include <errno.h>
#include <expat.h>
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"

enum { DEPTH_MAX = 64, XML_MAX = 32 * 1024 * 1024 };

struct frame {
    char *name;
    json_t *object;   /* children by name, or NULL */
    json_t *list;     /* children called member or item, or NULL */
    json_t *repeated; /* names in object whose value is a list of ours, or NULL */
    const char *list_name;
    struct buf text;
};

struct parse {
    XML_Parser parser;
    struct frame stack[DEPTH_MAX];
    int depth;
    json_t *root;
    int err;
};

static void stop(struct parse *p, int err)
{
    if (p->err == 0)
        p->err = err;
    XML_StopParser(p->parser, XML_FALSE);
}

static void frame_done(struct frame *f)
{
    free(f->name);
    json_decref(f->object);
    json_decref(f->list);
    json_decref(f->repeated);
    buf_wipe(&f->text);
    *f = (struct frame){0};
}

static void on_start(void *arg, const XML_Char *name, _unused_ const XML_Char **attributes)
{
    struct parse *p = arg;
    struct frame *f;

    if (p->err != 0)
        return;
    if (p->depth == DEPTH_MAX) {
        stop(p, -EPROTO);
        return;
    }
    f = &p->stack[p->depth++];
    *f = (struct frame){.name = strdup(name), .text = BUF_INIT(XML_MAX)};
    if (f->name == NULL)
        stop(p, -ENOMEM);
}

static void on_text(void *arg, const XML_Char *s, int len)
{
    struct parse *p = arg;

    if (p->err == 0 && p->depth > 0 && buf_append(&p->stack[p->depth - 1].text, s, (size_t)len) < 0)
        stop(p, -ENOMEM);
}

static void on_doctype(void *arg, _unused_ const XML_Char *name, _unused_ const XML_Char *sysid,
                       _unused_ const XML_Char *pubid, _unused_ int has_internal_subset)
{
    stop(arg, -EPROTO);
}

/* The value of a finished element: new reference or NULL (no memory). */
static json_t *frame_value(struct frame *f)
{
    if (f->list != NULL && f->object != NULL) {
        if (json_object_set(f->object, f->list_name, f->list) < 0)
            return NULL;
        return json_incref(f->object);
    }
    if (f->list != NULL)
        return json_incref(f->list);
    if (f->object != NULL)
        return json_incref(f->object);
    return json_stringn(buf_str(&f->text), f->text.len);
}

/* Takes over value. */
static int add_to_list(struct frame *parent, const char *name, json_t *value)
{
    if (parent->list == NULL) {
        parent->list = json_array();
        parent->list_name = streq(name, "item") ? "item" : "member";
    }
    return json_array_append_new(parent->list, value);
}

static int add_named(struct frame *parent, const char *name, json_t *value)
{
    json_t *there, *list;

    if (parent->object == NULL)
        parent->object = json_object();
    there = json_object_get(parent->object, name);
    if (there == NULL)
        return json_object_set_new(parent->object, name, value);
    if (json_object_get(parent->repeated, name) != NULL)
        return json_array_append_new(there, value);
    list = json_pack("[o, o]", json_incref(there), value);
    if (list == NULL || json_object_set_new(parent->object, name, list) < 0)
        return -1;
    if (parent->repeated == NULL)
        parent->repeated = json_object();
    return json_object_set_new(parent->repeated, name, json_true());
}

static void on_end(void *arg, const XML_Char *name)
{
    struct parse *p = arg;
    struct frame *f;
    json_t *value;
    int r;

    if (p->err != 0)
        return;
    f = &p->stack[--p->depth];
    value = frame_value(f);
    frame_done(f);
    if (value == NULL)
        r = -1;
    else if (p->depth == 0)
        r = (p->root = json_pack("{s: o}", name, value)) != NULL ? 0 : -1;
    else if (streq(name, "member") || streq(name, "item"))
        r = add_to_list(&p->stack[p->depth - 1], name, value);
    else
        r = add_named(&p->stack[p->depth - 1], name, value);
    if (r < 0)
        stop(p, -ENOMEM);
}

int xml_to_json(const char *data, size_t len, json_t **ret)
{
    struct parse *p;
    int r;

    if (len > XML_MAX)
        return -EPROTO;
    p = calloc(1, sizeof(*p));
    if (p == NULL)
        return -ENOMEM;
    p->parser = XML_ParserCreate(NULL);
    if (p->parser == NULL) {
        free(p);
        return -ENOMEM;
    }
    XML_SetUserData(p->parser, p);
    XML_SetElementHandler(p->parser, on_start, on_end);
    XML_SetCharacterDataHandler(p->parser, on_text);
    XML_SetStartDoctypeDeclHandler(p->parser, on_doctype);
    if (XML_Parse(p->parser, data, (int)len, 1) == XML_STATUS_OK && p->err == 0 && p->root != NULL)
        r = 0;
    else if (p->err != 0)
        r = p->err;
    else
        r = XML_GetErrorCode(p->parser) == XML_ERROR_NO_MEMORY ? -ENOMEM : -EPROTO;
    if (r == 0)
        *ret = p->root;
    else
        json_decref(p->root);
    while (p->depth > 0)
        frame_done(&p->stack[--p->depth]);
    XML_ParserFree(p->parser);
    free(p);
    return r;
}

static bool blank(const char *s)
{
    return s[strspn(s, " \t\r\n")] == '\0';
}

json_t *xml_list(json_t *object, const char *key, const char *item_name)
{
    json_t *value = json_object_get(object, key), *item;

    if (json_is_array(value))
        return json_incref(value);
    if (value == NULL || json_is_null(value) ||
        (json_is_string(value) && blank(json_string_value(value))))
        return json_array();
    item = item_name != NULL ? json_object_get(value, item_name) : NULL;
    if (json_is_array(item))
        return json_incref(item);
    return json_pack("[O]", item != NULL ? item : value);
}
