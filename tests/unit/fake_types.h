/* The fake types' table, and a short way to load a blueprint. */
#pragma once

#include "provision/blueprint.h"
#include "provision/property.h"

/* Custom::Thing: all kinds of properties; GetAtt Arn, Host. A ListenerRule with Host and Target (a
 * Ref). */
const struct property *fake_thing_properties(void);

#define SAMPLE_CLAIM "abcdefghijklmnopqrstuvwxyz"

static const struct blueprint_env fake_env = {
    .region = "eu-central-1",
    .account = "123456789012",
    .partition = "aws",
    .family_tag = "service-family",
    .service_tag = "service-id",
};

static inline int fake_load(const char *text, const char *parameters, struct blueprint **ret,
                            struct fault *f)
{
    return blueprint_load("wp", "wp.json", text, parameters ? "wp.parameters.json" : NULL,
                          parameters, &fake_env, ret, f);
}
