/* What the target group and the listener rule share. */
#pragma once

#include "provision/types/common.h"

/* retag for everything of Elastic Load Balancing's. */
int elbv2_retag(struct step_ctx *s, const struct step_state *st, json_t *set, json_t *unset,
                struct fault *f);
/* What stands behind the last '/' of an ARN. */
const char *elbv2_arn_tail(const char *arn);
