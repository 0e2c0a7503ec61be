/* Services and resources, as the index has them: index.h says what holds for them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct index_label {
    const char *id, *name; /* the tag's value; in the directory */
};

struct index_tag {
    const char *key, *value;
};

struct index_resource {
    const char *key; /* its ARN, or "SERVICE/TYPE/ID" where it has none */
    bool has_arn;
    bool inferred;                   /* known only because something uses it */
    bool unread;                     /* what tags it has is not known (yet) */
    uint32_t claim_hash;             /* the builder's: of the tag svcfs:claim; 0: none */
    const char *service, *type, *id; /* path below resources/ */
    const char *link;                /* SERVICE.TYPE.ID */
    const struct index_tag *tags;    /* sorted by key */
    size_t n_tags;
    const struct index_service *owner; /* or NULL */
    const struct index_label *family;  /* or NULL */
    int64_t changed_ms;                /* it came, or its tags changed */
    int64_t owner_ms;                  /* what services/ shows changed */
};

struct index_service {
    const char *id;   /* the tag's value */
    const char *name; /* in its family's directory */
    const char *link; /* in services/: ID, or ID@FAMILY where ids are not unique */
    const struct index_label *family;
    const struct index_resource *const *resources; /* by link; the record itself is one of them */
    size_t n_resources;
    const char *const *depends; /* ids of the services that it needs; sorted, each once */
    size_t n_depends;
    uint32_t claims;      /* a digest of the claims that its resources carry, each once; 0: none */
    bool managed;         /* has a record */
    bool deleting;        /* stands in deleting/ */
    const char *phase;    /* of the record: "creating" "ready" "failed" "deleting", or "" */
    const char *claim;    /* of the record where it is known, or "" */
    int64_t changed_ms;   /* anything above changed, tags of its resources too */
    int64_t resources_ms; /* links came or went */
    int64_t depends_ms;   /* depends changed */
};

/* That a service needs another one. */
struct index_need {
    const char *id;                 /* of the one that is needed; it need not exist */
    const struct index_service *by; /* as of its snapshot */
};
