/* Small language helpers: cleanup attribute, array size, ownership transfer. */
#pragma once

#include <stddef.h>
#include <stdlib.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(fmt, args) __attribute__((format(printf, fmt, args)))
#define _unused_ __attribute__((unused))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* Defines `func`p for _cleanup_(funcp) on a variable of `type` (a pointer type). */
#define DEFINE_CLEANUP(type, func)                                                                 \
    static inline _unused_ void func##p(type *p)                                                   \
    {                                                                                              \
        func(*p);                                                                                  \
    }

/* Gives the value of the pointer and leaves NULL in it: ownership goes to who uses the value. */
#define steal_ptr(p)                                                                               \
    ({                                                                                             \
        __typeof__(p) *steal_from_ = &(p);                                                         \
        __typeof__(p) steal_value_ = *steal_from_;                                                 \
        *steal_from_ = NULL;                                                                       \
        steal_value_;                                                                              \
    })

static inline _unused_ void freep(void *p)
{
    free(*(void **)p);
}

#define _cleanup_free_ _cleanup_(freep)
