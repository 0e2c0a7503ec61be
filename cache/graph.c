/*
 * Nodes and links. What a resource's own ARN and description tell are its refs, and they go with
 * it; the other ends have them in `by`. So a change of one description costs its own few links.
 *
 * What is wanted: there is a way to it, along what ARNs and descriptions tell themselves (not BACK
 * links, else a mount target would keep itself alive), from a resource that is there for a reason
 * of its own. Things that only use each other in a circle are not wanted: so when something loses a
 * user, who still leads to it is asked backwards until a resource with a reason is met, which in
 * practice is at once.
 */
#include "cache/graph_private.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

enum { KEY_SIZE = 2300 };

/* --- nodes --- */

struct node *graph_node(struct graph *g, const char *key)
{
    struct node *n = map_get(g->nodes, key);

    if (n)
        return n;
    n = calloc(1, sizeof(*n) + strlen(key) + 1);
    if (!n)
        return NULL;
    strcpy(n->key, key);
    if (map_put(g->nodes, n->key, n, NULL) < 0) {
        free(n);
        return NULL;
    }
    return n;
}

void graph_forget_impact(struct graph *g, struct node *n)
{
    g->n_told -= n->told != NULL;
    impact_unref(n->told);
    n->told = NULL;
}

static void node_free(struct node *n)
{
    impact_unref(n->told);
    free(n->refs.all);
    free(n->by.all);
    free(n);
}

void graph_drop_unused(struct graph *g, struct node *n)
{
    if (n->r || n->refs.n || n->by.n || n->told || n->stale || n->wanted || n->wanted_told ||
        n->wanted_news || n->unsure)
        return;
    map_remove(g->nodes, n->key);
    node_free(n);
}

/* --- links --- */

static int links_add(struct links *l, struct link what)
{
    if (l->n == l->cap) {
        uint32_t cap = l->cap ? l->cap * 2 : 4;
        struct link *all = reallocarray(l->all, cap, sizeof(*all));
        if (!all)
            return -ENOMEM;
        l->all = all;
        l->cap = cap;
    }
    l->all[l->n++] = what;
    return 0;
}

/* BACK or not, there is one of each at most. */
static const struct link *links_find(const struct links *l, const struct link *what)
{
    for (uint32_t i = 0; i < l->n; i++)
        if (l->all[i].node == what->node && !((l->all[i].flags ^ what->flags) & LINK_BACK))
            return &l->all[i];
    return NULL;
}

static void links_remove(struct links *l, struct link what)
{
    const struct link *at = links_find(l, &what);

    if (at)
        l->all[at - l->all] = l->all[--l->n];
    if (l->n == 0) {
        free(l->all);
        *l = (struct links){0};
    }
}

const struct link *graph_next(const struct node *n, bool users, uint32_t *it)
{
    while (*it < n->refs.n + n->by.n) {
        bool own = *it < n->refs.n;
        const struct link *l = own ? &n->refs.all[*it] : &n->by.all[*it - n->refs.n];
        ++*it;
        if (((l->flags & LINK_BACK) != 0) == (own == users))
            return l;
    }
    return NULL;
}

/* --- what may change --- */

static void impact_affected(struct graph *g, struct node *n)
{
    if (n->told && !n->stale)
        n->stale = list_add(&g->stale, n) == 0;
}

static void drawing_affected(struct graph *g, struct node *n)
{
    const struct index_label *family = n->r && !n->r->owner ? n->r->family : NULL;

    if (n->svc && !n->svc->redraw)
        n->svc->redraw = list_add(&g->redraw, n->svc) == 0;
    if (n->svc) {
        n->svc->redrawn_ms = g->now_ms;
        map_put(g->families, n->svc->face->family, g, NULL);
    }
    if (family)
        map_put(g->families, family->name, g, NULL);
}

/* What n uses (or, users true, what uses it), and n itself, that this batch has not met. */
static void affect(struct graph *g, struct node *from, bool users,
                   void (*note)(struct graph *g, struct node *n))
{
    g->walk.n = 0;
    from->seen[users] = g->batch;
    note(g, from);
    if (list_add(&g->walk, from) < 0)
        return;
    while (g->walk.n > 0) {
        const struct node *n = g->walk.items[--g->walk.n];
        const struct link *l;
        uint32_t it = 0;
        while ((l = graph_next(n, users, &it))) {
            if (l->node->seen[users] == g->batch)
                continue;
            l->node->seen[users] = g->batch;
            note(g, l->node);
            list_add(&g->walk, l->node);
        }
    }
}

/* A node that was seen has no neighbour in that direction that was not: each change begins anew at
 * the node that changes. */
void graph_affect(struct graph *g, struct node *n)
{
    if (g->n_told > 0)
        affect(g, n, false, impact_affected);
    if (!g->drawings)
        return;
    g->redraw_all = true;
    g->redrawn_ms = g->now_ms;
    affect(g, n, true, drawing_affected);
}

/* --- what is wanted --- */

static bool has_reason(const struct node *n)
{
    return n->r && !n->r->inferred;
}

static void set_wanted(struct graph *g, struct node *n, bool wanted)
{
    if (n->wanted == wanted)
        return;
    n->wanted = wanted;
    if (!n->wanted_news)
        n->wanted_news = list_add(&g->wanted, n) == 0;
}

void graph_unsure(struct graph *g, struct node *n)
{
    if (!n->unsure)
        n->unsure = list_add(&g->unsure, n) == 0;
}

static void unlink_ref(struct graph *g, struct node *n, struct link ref)
{
    links_remove(&ref.node->by, (struct link){n, ref.label, ref.flags});
    graph_unsure(g, ref.node);
}

static void clear_refs(struct graph *g, struct node *n)
{
    if (n->refs.n == 0)
        return;
    graph_affect(g, n);
    for (uint32_t i = 0; i < n->refs.n; i++)
        unlink_ref(g, n, n->refs.all[i]);
    free(n->refs.all);
    n->refs = (struct links){0};
    graph_affect(g, n);
}

/* Whether somebody with a reason leads to n; else all that lead to it are in graph.walk. */
static bool is_led_to(struct graph *g, struct node *n)
{
    uint32_t mark = ++g->mark;

    g->walk.n = 0;
    n->mark = mark;
    if (list_add(&g->walk, n) < 0)
        return true;
    for (size_t i = 0; i < g->walk.n; i++) {
        const struct node *at = g->walk.items[i];
        for (uint32_t k = 0; k < at->by.n; k++) {
            struct node *user = at->by.all[k].node;
            if (at->by.all[k].flags & LINK_BACK)
                continue;
            if (has_reason(user))
                return true;
            if (user->mark != mark && list_add(&g->walk, user) < 0)
                return true;
            user->mark = mark;
        }
    }
    return false;
}

static void check_wanted(struct graph *g, struct node *n)
{
    struct list lost = {0};

    if (!n->wanted || is_led_to(g, n))
        return;
    for (size_t i = 0; i < g->walk.n; i++) /* walks are taken while refs are cleared */
        if (list_add(&lost, g->walk.items[i]) < 0)
            break;
    for (size_t i = 0; i < lost.n; i++) {
        struct node *at = (struct node *)lost.items[i];
        set_wanted(g, at, false);
        if (!has_reason(at))
            clear_refs(g, at);
    }
    list_done(&lost);
}

void graph_settle(struct graph *g)
{
    while (g->unsure.n > 0) {
        struct node *n = (struct node *)g->unsure.items[--g->unsure.n];
        check_wanted(g, n);
        n->unsure = false;
        graph_drop_unused(g, n);
    }
}

void graph_wanted(struct graph *g, graph_wanted_fn fn, void *arg)
{
    while (g->wanted.n > 0) {
        struct node *n = (struct node *)g->wanted.items[--g->wanted.n];
        n->wanted_news = false;
        if (n->wanted != n->wanted_told)
            fn(arg, n->key, n->wanted);
        n->wanted_told = n->wanted;
        graph_drop_unused(g, n);
    }
}

/* --- what a resource uses --- */

struct gathering {
    struct graph *g;
    struct node *of;
    struct links refs;
};

/* Without memory, or with too many labels, the first one. */
static uint16_t label_index(struct graph *g, const char *label)
{
    for (size_t i = 0; i < g->n_labels; i++)
        if (streq(g->labels[i], label))
            return (uint16_t)i;
    const char **more =
        g->n_labels < UINT16_MAX ? reallocarray(g->labels, g->n_labels + 1, sizeof(*more)) : NULL;
    if (!more)
        return 0;
    g->labels = more;
    char *copy = strdup(label);
    if (!copy)
        return 0;
    g->labels[g->n_labels] = copy;
    return (uint16_t)g->n_labels++;
}

static int gather(void *arg, const char *label, const char *target)
{
    struct gathering *to = arg;
    char key[KEY_SIZE];
    struct link l = {0};

    for (; *label == EDGE_BACK || *label == EDGE_LAST; label++)
        l.flags |= *label == EDGE_BACK ? LINK_BACK : LINK_LAST;
    if (edges_key(&to->g->account, target, key, sizeof(key)) < 0 || streq(key, to->of->key))
        return 0;
    l.node = graph_node(to->g, key);
    if (!l.node)
        return -ENOMEM;
    l.label = label_index(to->g, label);
    struct link *same = (struct link *)links_find(&to->refs, &l);
    if (!same)
        return links_add(&to->refs, l);
    if (!(l.flags & LINK_LAST)) /* the one that says more */
        same->flags &= (uint8_t)~LINK_LAST;
    return 0;
}

static int gather_all(struct gathering *to)
{
    struct graph *g = to->g;
    const struct index_resource *r = to->of->r;
    int e = r ? 1 : 0;

    if (r && g->described)
        e = g->described(g->arg, r->key, gather, to);
    return e == 1 ? edges_of(r->service, r->type, r->key, NULL, gather, to) : e;
}

static bool same_links(const struct links *a, const struct links *b)
{
    bool same = a->n == b->n;

    for (uint32_t i = 0; same && i < a->n; i++)
        same = a->all[i].node == b->all[i].node && a->all[i].label == b->all[i].label &&
               a->all[i].flags == b->all[i].flags;
    return same;
}

static int link_all(struct graph *g, struct node *n)
{
    int e = 0;

    for (uint32_t i = 0; i < n->refs.n; i++) {
        struct link *l = &n->refs.all[i];
        e = links_add(&l->node->by, (struct link){n, l->label, l->flags});
        if (e < 0) {
            n->refs.n = i;
            return e;
        }
        if (!(l->flags & LINK_BACK))
            set_wanted(g, l->node, true);
    }
    return 0;
}

int graph_set_refs(struct graph *g, struct node *n)
{
    struct gathering now = {.g = g, .of = n};
    int e = gather_all(&now);

    if (e < 0 || same_links(&now.refs, &n->refs)) {
        for (uint32_t i = 0; i < now.refs.n; i++)
            graph_unsure(g, now.refs.all[i].node); /* it may have been made for this */
        free(now.refs.all);
        return e < 0 ? -ENOMEM : 0;
    }
    graph_affect(g, n);
    for (uint32_t i = 0; i < n->refs.n; i++)
        unlink_ref(g, n, n->refs.all[i]);
    free(n->refs.all);
    n->refs = now.refs;
    e = link_all(g, n);
    graph_affect(g, n);
    return e;
}

int graph_described(struct graph *g, const char *key, int64_t wall_ms)
{
    struct node *n = map_get(g->nodes, key);
    int e = 0;

    g->now_ms = MAX(g->now_ms, wall_ms);
    if (n && n->r)
        e = graph_set_refs(g, n);
    graph_settle(g);
    return e;
}

/* --- beginning and end --- */

const struct snapshot *graph_snapshot(const struct graph *g)
{
    return g->snap;
}

int graph_new(struct graph **ret, const struct graph_options *o)
{
    struct graph *g = calloc(1, sizeof(*g));

    if (!g)
        return -ENOMEM;
    g->described = o->described;
    g->arg = o->arg;
    g->batch = 1;
    g->account.partition = strdup(o->account.partition);
    g->account.region = strdup(o->account.region);
    g->account.account = strdup(o->account.account);
    g->nodes = map_new_lent();
    g->services = map_new();
    g->families = map_new();
    if (!g->nodes || !g->services || !g->families || !g->account.partition || !g->account.region ||
        !g->account.account) {
        graph_free(g);
        return -ENOMEM;
    }
    *ret = g;
    return 0;
}

static void svc_free(void *svc)
{
    struct svc *s = svc;

    graph_face_unref(s->face);
    free(s->family_id);
    free(s->id);
    free(s);
}

void graph_free(struct graph *g)
{
    struct map_iter it = {0};
    void *n;

    if (!g)
        return;
    while (map_next(g->nodes, &it, NULL, &n)) {
        /* its key lies in it, and the map does not look at that any more */
        node_free(n);
    }
    map_free(g->nodes);
    map_free_with(g->services, svc_free);
    map_free(g->families);
    for (size_t i = 0; i < g->n_labels; i++)
        free((char *)g->labels[i]);
    free(g->labels);
    list_done(&g->stale);
    list_done(&g->wanted);
    list_done(&g->unsure);
    list_done(&g->walk);
    list_done(&g->redraw);
    snapshot_unref(g->snap);
    free((char *)g->account.partition);
    free((char *)g->account.region);
    free((char *)g->account.account);
    free(g);
}
