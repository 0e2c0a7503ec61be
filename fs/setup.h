/* The wiring: from options to a mount that could be served. The only place of fs/ that knows of
 * awsapi. */
#pragma once

#include "awsapi/client.h"
#include "awsapi/sts.h"
#include "fs/fs.h"

struct setup {
    struct aws_config *config;
    struct aws_client *client;
    struct sts_identity identity;
    char partition[32];
    struct cache *cache;
    struct describe *describe;
    struct impacts *impacts;
    struct provision *provision;
    struct fs fs;
};

/* Configuration, identity (asks STS, 10 s at most), cache, provisioning; starts nothing of these.
 * The caller calls setup_done also after a failure. */
int setup_make(struct setup *s, const struct options *o, struct fault *f);
void setup_done(struct setup *s);
