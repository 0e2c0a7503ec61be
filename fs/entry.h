/*
 * Entries: what the answers to LOOKUP, MKDIR and READDIRPLUS say of a name. Answers that the kernel
 * keeps for ever are given in two steps, so that none outlives what it says (notify.h «epochs»):
 * look, then give, for no time at all where something has changed meanwhile.
 */
#pragma once

#include "fs/kind.h"
#include "fs/request.h"

/* The entry of key in the directory dir, whose node is dir_node; sets key->version. Counts a
 * lookup, which node_forget takes back where it is not sent. As place_open. */
int entry_make(struct place *dir, struct node *dir_node, struct key *key,
               struct fuse_entry_param *ret, struct fault *f);
/* How long the kernel may keep e, which is given now, in answer to r. */
void entry_settle(const struct request *r, struct fuse_entry_param *e);
/* Answers with e; the lookup is taken back where nobody got it. */
void entry_reply(struct request *r, struct fuse_entry_param *e);
/* Answers that there is no such name in r's directory, and whether that may be kept. 0, or -ENOENT:
 * the caller is to answer. */
int entry_reply_absent(struct request *r, const struct place *dir);

/* seconds, or 0 where something has changed since epoch. */
double entry_keep(struct fs *fs, uint64_t epoch, double seconds);
