/* CloudFormation's functions: Ref, Fn::GetAtt, Fn::Sub, Fn::Join, Fn::Select, Fn::Split. Pure. */
#pragma once

#include "provision/jsonline.h"

struct intrinsic_env {
    const struct json_source *source;
    const json_t *values; /* parameters and pseudo parameters: name → string, or list of strings */
    /* What Ref (attribute NULL) or GetAtt of a resource gives: 0 and *ret (new reference), or NULL
     * where it is not known yet: the function then stays. -ENOENT: no such resource; -EINVAL: no
     * such attribute: f has the text. */
    int (*step)(void *arg, const char *logical, const char *attribute, json_t **ret,
                struct fault *f);
    void *arg;
};

/* v with all functions replaced whose arguments are known. What must wait for a step stays as Ref,
 * Fn::GetAtt with a list of two, Fn::Join (also for a Fn::Sub), Fn::Select or Fn::Split: resolving
 * again goes on from there. *ret: new reference, NULL where v is AWS::NoValue. -EINVAL: not
 * well-formed, an unknown name, a list in the place of a string or the reverse, `{{resolve:`. */
int intrinsic_resolve(const struct intrinsic_env *env, const struct json_place *at, json_t *v,
                      json_t **ret, struct fault *f);

/* Name of the function that v is, or NULL: "Ref", "Fn::Join" … */
const char *intrinsic_function(json_t *v);
