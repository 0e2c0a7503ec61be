/* What the files of operations that change something share: ops_write.c, ops_tag.c, ops_depend.c.
 * All run as an operation does (request.h). */
#pragma once

#include "fs/detour.h"
#include "fs/kind.h"
#include "fs/request.h"

/* Whether the caller may change what is in the directory: 0, -EACCES, -EPERM, -EROFS. */
int ops_may_write(struct request *r);
/* -EPERM, and whoever asked is refused every further removal for a while (guard.h). */
int ops_refuse_removal(struct request *r, const char *why);
/* What the name stands for, as a LOOKUP has told the kernel; its ino is 0 where it does not know
 * it. 0, -ENOENT. */
int ops_victim(struct request *r, struct place *dir, struct fuse_entry_param *ret);

/* Answers of an errand that went well: with the entry that was made, or that it is gone. */
void ops_answer_made(struct request *r, const struct errand *done);
void ops_answer_removed(struct request *r, const struct errand *done);

/* ops_tag.c: of a file in tags/ */
int tag_unlink(struct request *r);
int tag_write_file(struct request *r);
int tag_check_open(struct request *r, const struct place *p); /* for writing */
int tag_reply_fresh(struct request *r); /* attributes of one that nothing was written to yet */

/* ops_depend.c: of a link in depends-on/ */
int depend_unlink(struct request *r);
