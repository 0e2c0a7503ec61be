#include "cache/edges.h"

#include "base/macro.h"

int edges_of(_unused_ const char *service, _unused_ const char *type, _unused_ const char *arn,
             _unused_ json_t *description, _unused_ edge_fn emit, _unused_ void *arg)
{
    return 0;
}

bool edges_described(_unused_ const char *service, _unused_ const char *type)
{
    return true;
}
