/* The section Parameters of a blueprint, and the parameter file beside it. Pure; immutable once
 * loaded. */
#pragma once

#include <regex.h>
#include <stdbool.h>

#include "provision/jsonline.h"

/* A POSIX extended expression that must match a whole value. */
struct pattern {
    char *text; /* NULL: none */
    regex_t regex;
};
/* -EINVAL: f->message says what is wrong, without place. */
int pattern_init(struct pattern *p, const char *text, struct fault *f);
void pattern_done(struct pattern *p);
bool pattern_matches(const struct pattern *p, const char *value); /* true where there is none */

struct params;

#define PARAM_ID "ServiceId"
#define PARAM_FAMILY "ServiceFamily"
#define PARAM_CLAIM "ServiceClaim"

/* section: the value of Parameters, or NULL. file: of F.parameters.json, text NULL where there is
 * none. */
int params_load(const struct json_source *source, json_t *section, const struct json_source *file,
                struct params **ret, struct fault *f);
void params_free(struct params *p);
DEFINE_CLEANUP(struct params *, params_free)

bool params_has(const struct params *p, const char *name);
/* Values for one service, in a new object: name → string or list of strings. Checks nothing: see
 * params_check. */
int params_values(const struct params *p, const char *id, const char *family, const char *claim,
                  json_t **ret, struct fault *f);
/* Whether value is what the parameter of this name, where declared, allows: 0 or -EINVAL. */
int params_check(const struct params *p, const char *name, const char *value, struct fault *f);
