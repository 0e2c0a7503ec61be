/*
 * From what has changed to what the kernel is told: the differences of two snapshots, and what
 * provisioning says of a service, as calls of notify.h, each once and no other.
 */
#pragma once

#include "cache/impacts.h"

struct fs;

/* The cache published; old may be NULL, or the same (a failed sweep: nothing has changed). */
void tell_published(struct fs *fs, const struct snapshot *old, const struct snapshot *now);
/* Something that decides their status may have changed: by-status/ is told. Only family's and own
 * name of the services count. Whatever has changed is in force. */
void tell_standings(struct fs *fs, const struct index_service *const *services, size_t n);
/* As a describe_observer has it. */
void tell_described(struct fs *fs, const char *const *keys, size_t n);
/* As an impacts_observer has it. */
void tell_impacts(struct fs *fs, const struct impact_news *news);
/* As a provision_observer has it. */
void tell_service(struct fs *fs, const char *family, const char *id, unsigned what);
