/* The graph from inside. */
#pragma once

#include "base/map.h"
#include "cache/graph.h"
#include "cache/list.h"

struct node;

/* From both ends the same: what `refs` of one has, `by` of the other has. */
struct link {
    struct node *node; /* the other one */
    uint16_t label;    /* index into graph.labels */
    uint8_t flags;     /* LINK_* */
};
enum { LINK_BACK = 1, LINK_LAST = 2 };

struct links {
    struct link *all;
    uint32_t n, cap;
};

/* A service, for as long as there is a node of it. */
struct svc {
    struct graph_face *face;
    char *family_id, *id;
    bool redraw; /* it stands in graph.redraw */
    int64_t redrawn_ms;
    /* Of the walk with this mark. */
    uint32_t mark, distance;
    struct node *end;    /* where its chain ends in resources; NULL: by_need has it */
    struct svc *by_need; /* the service that it needs, on the chain */
    bool end_last;       /* its chain's last step is end's last_via */
    bool queued;
};

/* Something with a key: a resource of the snapshot, or what one uses. */
struct node {
    const struct index_resource *r; /* in graph.snap; NULL: it is not there */
    struct svc *svc;                /* its owner, or NULL */
    struct links refs, by;          /* that its own ARN and description tell; that others' tell */
    const struct impact *told;      /* what was given out, or NULL */
    bool stale;                     /* told may be outdated; it stands in graph.stale */
    bool wanted;                    /* something that there is uses it */
    bool wanted_told;               /* as graph_wanted last said */
    bool wanted_news;               /* it stands in graph.wanted */
    bool unsure;                    /* it stands in graph.unsure */
    /* Of walks with these marks. */
    uint32_t seen[2]; /* by direction: forwards affected, backwards (to users) redrawn */
    uint32_t mark, distance, last_mark, last_distance;
    struct node *via, *last_via; /* one step nearer */
    char key[];
};

struct graph {
    struct edge_account account;
    int (*described)(void *arg, const char *key, edge_fn emit, void *emit_arg);
    void *arg;
    const struct snapshot *snap; /* or NULL */
    struct map *nodes;           /* key, lent → struct node * */
    struct map *services;        /* "FAMILY\nID" → struct svc * */
    const char **labels;
    size_t n_labels;
    struct list stale, wanted; /* nodes */
    struct list unsure;        /* nodes that may be wanted no longer, or of no use */
    struct list walk;          /* scratch of walks */
    struct list redraw;        /* svcs whose drawing differs */
    struct map *families;      /* names of families whose drawing differs → anything */
    bool redraw_all;           /* the drawing of all differs */
    int64_t redrawn_ms;        /* of all */
    size_t n_told;             /* nodes with an impact that was given out */
    bool drawings;             /* somebody has one */
    int64_t now_ms;
    uint32_t mark;  /* of walks for impacts and drawings */
    uint32_t batch; /* of affecting, since graph_news was last called */
    size_t effort;  /* nodes visited */
};

/* graph.c */
struct node *graph_node(struct graph *g, const char *key); /* made where there is none; or NULL */
void graph_drop_unused(struct graph *g, struct node *n);   /* n may be gone afterwards */
int graph_set_refs(struct graph *g, struct node *n);       /* anew; of what is not there: none */
void graph_unsure(struct graph *g, struct node *n);        /* to be looked at by graph_settle */
void graph_settle(struct graph *g);
void graph_forget_impact(struct graph *g, struct node *n);
/* What may change with n: the impacts of all that it uses, the drawings that have it. Before a
 * change to it and after. */
void graph_affect(struct graph *g, struct node *n);

/* What n uses (or, users true, what uses it), one after the other: `it` begins as 0. */
const struct link *graph_next(const struct node *n, bool users, uint32_t *it);

/* graph_follow.c */
struct svc *graph_svc(struct graph *g, const struct index_service *s, bool make); /* or NULL */

/* graph_impact.c */
int graph_reach(struct graph *g, struct node *from, bool paths, const struct impact **ret);
