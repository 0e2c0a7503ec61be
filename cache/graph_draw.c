/*
 * Drawings for Graphviz: services are boxes, in clusters with their resources; what they use stands
 * beside them; arrows go from who uses to what is used. The same graph gives the same text, byte by
 * byte: everything is sorted.
 */
#include "cache/graph_private.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

struct drawing {
    struct graph *g;
    uint32_t mark;
    struct list nodes; /* drawn, and marked */
    struct list svcs;  /* the same */
    struct buf *out;
};

/* Fill colours, after those of AWS's own icons. */
static const struct {
    const char *service, *colour;
} colours[] = {
    {"ec2", "#f5c596"},
    {"ecs", "#f5c596"},
    {"ecr", "#f5c596"},
    {"lambda", "#f5c596"},
    {"elasticloadbalancing", "#d9c2f0"},
    {"elasticfilesystem", "#bfe3ae"},
    {"s3", "#bfe3ae"},
    {"rds", "#b3c7f5"},
    {"mariadb", "#b3c7f5"},
    {"secretsmanager", "#f5b5b5"},
    {"iam", "#f5b5b5"},
    {"kms", "#f5b5b5"},
    {"ssm", "#f5b5d5"},
    {"logs", "#f5b5d5"},
};

/* --- what is drawn --- */

static int add_svc(struct drawing *d, struct svc *v)
{
    if (!v || v->mark == d->mark)
        return 0;
    v->mark = d->mark;
    return list_add(&d->svcs, v);
}

static int add_node(struct drawing *d, struct node *n)
{
    if (!n || !n->r || n->mark == d->mark)
        return 0;
    n->mark = d->mark;
    int e = list_add(&d->nodes, n);
    return e == 0 ? add_svc(d, n->svc) : e;
}

static int add_all_used(struct drawing *d)
{
    int e = 0;

    for (size_t i = 0; e == 0 && i < d->nodes.n; i++) {
        const struct link *l;
        uint32_t it = 0;
        while (e == 0 && (l = graph_next(d->nodes.items[i], false, &it)))
            e = add_node(d, l->node);
    }
    return e;
}

/* With the services that it needs, and those that need it. */
static int add_service(struct drawing *d, const struct index_service *s)
{
    struct graph *g = d->g;
    size_t n;
    const struct index_need *const *needs = snapshot_dependents(g->snap, s->id, &n);
    int e = add_svc(d, graph_svc(g, s, true));

    for (size_t i = 0; e == 0 && i < s->n_resources; i++)
        e = add_node(d, map_get(g->nodes, s->resources[i]->key));
    for (size_t i = 0; e == 0 && i < n; i++)
        e = add_svc(d, graph_svc(g, needs[i]->by, true));
    for (size_t i = 0; e == 0 && i < s->n_depends; i++) {
        const struct index_service *const *all =
            snapshot_services_by_id(g->snap, s->depends[i], &n);
        for (size_t k = 0; e == 0 && k < n; k++)
            e = add_svc(d, graph_svc(g, all[k], true));
    }
    return e;
}

static int add_services(struct drawing *d, const struct index_service *const *all, size_t n)
{
    int e = 0;

    for (size_t i = 0; e == 0 && i < n; i++)
        e = add_service(d, all[i]);
    return e;
}

static int add_family(struct drawing *d, const struct index_family *f)
{
    int e = add_services(d, f->services, f->n_services);

    if (e == 0)
        e = add_services(d, f->deleting, f->n_deleting);
    for (size_t i = 0; e == 0 && i < f->n_shared; i++)
        e = add_node(d, map_get(d->g->nodes, f->shared[i]->key));
    return e;
}

/* What neither belongs to anybody nor is used says nothing. */
static int add_everything(struct drawing *d)
{
    const struct snapshot *s = d->g->snap;
    int e = 0;

    for (size_t i = 0; e == 0 && i < s->n_families; i++)
        e = add_family(d, s->families[i]);
    for (size_t i = 0; e == 0 && i < s->n_resources; i++) {
        struct node *n = map_get(d->g->nodes, s->resources[i]->key);
        if (n && n->refs.n + n->by.n > 0)
            e = add_node(d, n);
    }
    return e;
}

static int choose(struct drawing *d, const char *family, const char *service)
{
    const struct index_family *f = family ? snapshot_family_by_id(d->g->snap, family) : NULL;
    const struct index_service *s = f && service ? snapshot_service_by_id(f, service) : NULL;
    int e = 0;

    if (!family)
        e = add_everything(d);
    else if (s)
        e = add_service(d, s);
    else if (f && !service)
        e = add_family(d, f);
    return e == 0 ? add_all_used(d) : e;
}

/* --- in which order --- */

static int order_svcs(const void *x, const void *y)
{
    const struct graph_face *a = ((const struct svc *)x)->face, *b = ((const struct svc *)y)->face;
    int order = strcmp(a->family, b->family);

    if (order == 0)
        order = strcmp(a->name, b->name);
    return order;
}

static int order_paths(const struct node *a, const struct node *b)
{
    int order = strcmp(a->r->service, b->r->service);

    if (order == 0)
        order = strcmp(a->r->type, b->r->type);
    return order ? order : strcmp(a->r->id, b->r->id);
}

/* By service, those of none behind all others. */
static int order_nodes(const void *x, const void *y)
{
    const struct node *a = x, *b = y;
    int order = !a->svc - !b->svc;

    if (order == 0 && a->svc != b->svc)
        order = order_svcs(a->svc, b->svc);
    return order ? order : order_paths(a, b);
}

static int order_used(const void *x, const void *y)
{
    const struct link *a = x, *b = y;

    return order_paths(a->node, b->node);
}

/* --- text --- */

/* Within quotes. */
static int put_text(struct buf *out, const char *s)
{
    int e = 0;

    for (; e == 0 && *s; s++) {
        if (*s == '"' || *s == '\\')
            e = buf_putc(out, '\\');
        if (e == 0)
            e = buf_putc(out, *s);
    }
    return e;
}

static int put_path(struct buf *out, const char *a, const char *b, const char *c)
{
    int e = buf_putc(out, '"');

    e = e ? e : put_text(out, a);
    e = e ? e : buf_putc(out, '/');
    e = e ? e : put_text(out, b);
    e = e ? e : buf_putc(out, '/');
    e = e ? e : put_text(out, c);
    return e ? e : buf_putc(out, '"');
}

static int put_svc(struct buf *out, const struct svc *v)
{
    return put_path(out, v->face->deleting ? "deleting" : "families", v->face->family,
                    v->face->name);
}

static const char *colour_of(const char *service)
{
    for (size_t i = 0; i < ARRAY_SIZE(colours); i++)
        if (streq(colours[i].service, service))
            return colours[i].colour;
    return "#dddddd";
}

static int put_node(struct buf *out, const struct node *n, const char *indent)
{
    const struct index_resource *r = n->r;
    int e = buf_puts(out, indent);

    e = e ? e : put_path(out, r->service, r->type, r->id);
    e = e ? e : buf_puts(out, " [label=\"");
    e = e ? e : put_text(out, r->type);
    e = e ? e : buf_puts(out, "\\n");
    e = e ? e : put_text(out, r->id);
    return e ? e : buf_printf(out, "\", fillcolor=\"%s\"];\n", colour_of(r->service));
}

/* One cluster, with its nodes from *at on. */
static int put_cluster(struct drawing *d, const struct svc *v, size_t *at)
{
    struct buf *out = d->out;
    int e = buf_puts(out, "    subgraph \"cluster ");

    e = e ? e : put_text(out, v->face->family);
    e = e ? e : buf_putc(out, '/');
    e = e ? e : put_text(out, v->face->name);
    e = e ? e : buf_puts(out, "\" {\n      label=\"\";\n      ");
    e = e ? e : put_svc(out, v);
    e = e ? e
          : buf_puts(out, " [shape=component, style=\"filled,bold\", fillcolor=white, label=\"");
    e = e ? e : put_text(out, v->face->name);
    e = e ? e : buf_puts(out, "\"];\n");
    for (; e == 0 && *at < d->nodes.n; ++*at) {
        const struct node *n = d->nodes.items[*at];
        if (n->svc != v)
            break;
        e = put_node(out, n, "      ");
    }
    return e ? e : buf_puts(out, "    }\n");
}

static int put_clusters(struct drawing *d)
{
    const char *family = NULL;
    size_t at = 0;
    int e = 0;

    for (size_t i = 0; e == 0 && i < d->svcs.n; i++) {
        const struct svc *v = d->svcs.items[i];
        if (!family || !streq(family, v->face->family)) {
            e = family ? buf_puts(d->out, "  }\n") : 0;
            e = e ? e : buf_puts(d->out, "  subgraph \"cluster ");
            e = e ? e : put_text(d->out, v->face->family);
            e = e ? e : buf_puts(d->out, "\" {\n    label=\"");
            e = e ? e : put_text(d->out, v->face->family);
            e = e ? e : buf_puts(d->out, "\";\n");
            family = v->face->family;
        }
        e = e ? e : put_cluster(d, v, &at);
    }
    if (e == 0 && family)
        e = buf_puts(d->out, "  }\n");
    for (; e == 0 && at < d->nodes.n; at++)
        e = put_node(d->out, d->nodes.items[at], "  ");
    return e;
}

static int put_edges_of(struct drawing *d, const struct node *n)
{
    const struct index_resource *from = n->r;
    struct list used = {0};
    const struct link *l;
    uint32_t it = 0;
    int e = 0;

    while (e == 0 && (l = graph_next(n, false, &it)))
        if (l->node->mark == d->mark && l->node->r)
            e = list_add(&used, l);
    list_sort(&used, order_used);
    for (size_t i = 0; e == 0 && i < used.n; i++) {
        l = used.items[i];
        e = buf_puts(d->out, "  ");
        e = e ? e : put_path(d->out, from->service, from->type, from->id);
        e = e ? e : buf_puts(d->out, " -> ");
        e = e ? e : put_path(d->out, l->node->r->service, l->node->r->type, l->node->r->id);
        e = e ? e : buf_puts(d->out, " [label=\"");
        e = e ? e : put_text(d->out, d->g->labels[l->label]);
        e = e ? e : buf_puts(d->out, "\"];\n");
    }
    list_done(&used);
    return e;
}

static int put_need(struct drawing *d, const struct svc *v, const char *id)
{
    size_t n;
    const struct index_service *const *all = snapshot_services_by_id(d->g->snap, id, &n);
    int e = 0;

    for (size_t i = 0; e == 0 && i < n; i++) {
        const struct svc *needed = graph_svc(d->g, all[i], false);
        if (!needed || needed->mark != d->mark)
            continue;
        e = buf_puts(d->out, "  ");
        e = e ? e : put_svc(d->out, v);
        e = e ? e : buf_puts(d->out, " -> ");
        e = e ? e : put_svc(d->out, needed);
        e = e ? e : buf_puts(d->out, " [label=\"depends on\", style=dashed];\n");
    }
    return e;
}

static int put_needs_of(struct drawing *d, const struct svc *v)
{
    const struct index_family *f = snapshot_family_by_id(d->g->snap, v->family_id);
    const struct index_service *s = f ? snapshot_service_by_id(f, v->id) : NULL;
    int e = 0;

    for (size_t i = 0; e == 0 && s && i < s->n_depends; i++)
        e = put_need(d, v, s->depends[i]);
    return e;
}

/* Of services that are only named here, too: that is not told apart. */
static int64_t changed_ms(const struct drawing *d, bool all)
{
    int64_t ms = all ? d->g->redrawn_ms : 0;

    for (size_t i = 0; i < d->svcs.n; i++)
        ms = MAX(ms, ((const struct svc *)d->svcs.items[i])->redrawn_ms);
    return ms;
}

int graph_draw(struct graph *g, const char *family, const char *service, struct buf *out,
               int64_t *ret_changed_ms)
{
    struct drawing d = {.g = g, .mark = ++g->mark, .out = out};
    int e = g->snap ? choose(&d, family, service) : 0;

    g->drawings = true;
    list_sort(&d.svcs, order_svcs);
    list_sort(&d.nodes, order_nodes);
    e = e ? e
          : buf_puts(out, "digraph svcfs {\n  rankdir=LR;\n  node [shape=box, style=filled];\n");
    e = e ? e : put_clusters(&d);
    for (size_t i = 0; e == 0 && i < d.nodes.n; i++)
        e = put_edges_of(&d, d.nodes.items[i]);
    for (size_t i = 0; e == 0 && i < d.svcs.n; i++)
        e = put_needs_of(&d, d.svcs.items[i]);
    e = e ? e : buf_puts(out, "}\n");
    *ret_changed_ms = changed_ms(&d, !family);
    list_done(&d.nodes);
    list_done(&d.svcs);
    return e;
}
