/*
 * The order of resources: by what they need, and where that leaves a choice as they stand in the
 * file, so that a reader of the file can foretell it and a plan does not change for no reason.
 * Quadratic, for a hundred resources at most.
 */
#include "provision/blueprint_private.h"

#include <errno.h>

#include "base/buf.h"
#include "base/str.h"

static bool is_ready(const struct blueprint_resource *r, const size_t *place)
{
    for (size_t i = 0; i < r->n_needs; i++)
        if (place[r->needs[i]] == SIZE_MAX)
            return false;
    return true;
}

/* Follows unplaced needs until a resource comes again: that is the circle. */
static int circle_fault(struct blueprint *b, const size_t *place, size_t at, struct fault *f)
{
    struct json_place top = {NULL, "Resources", 0};
    _cleanup_buf_ struct buf text = BUF_INIT(300);
    size_t start;

    for (size_t steps = 0; steps < b->n_resources; steps++)
        for (size_t i = 0; i < b->resources[at].n_needs; i++)
            if (place[b->resources[at].needs[i]] == SIZE_MAX) {
                at = b->resources[at].needs[i];
                break;
            }
    start = at;
    do {
        const struct blueprint_resource *r = &b->resources[at];
        buf_printf(&text, "%s needs ", r->logical);
        for (size_t i = 0; i < r->n_needs; i++)
            if (place[r->needs[i]] == SIZE_MAX) {
                at = r->needs[i];
                break;
            }
    } while (at != start);
    struct json_place place_of = {&top, b->resources[start].logical, 0};
    return json_source_fault(&b->source, &place_of, f, "a circle: %s%s", buf_str(&text),
                             b->resources[start].logical);
}

static int compare_index(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return x < y ? -1 : x > y;
}

int blueprint_order(struct blueprint *b, struct fault *f)
{
    size_t n = b->n_resources, done = 0;
    _cleanup_free_ size_t *place = malloc((n + 1) * sizeof(*place)); /* old index → new one */
    struct blueprint_resource *sorted = calloc(n + 1, sizeof(*sorted));

    if (!place || !sorted) {
        free(sorted);
        return fault_set(f, -ENOMEM, "no memory");
    }
    for (size_t i = 0; i < n; i++)
        place[i] = SIZE_MAX;
    while (done < n) {
        size_t i = 0;
        while (i < n && (place[i] != SIZE_MAX || !is_ready(&b->resources[i], place)))
            i++;
        if (i == n) {
            free(sorted);
            for (i = 0; place[i] != SIZE_MAX; i++)
                ;
            return circle_fault(b, place, i, f);
        }
        sorted[done] = b->resources[i];
        place[i] = done++;
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < sorted[i].n_needs; k++)
            sorted[i].needs[k] = place[sorted[i].needs[k]];
        qsort(sorted[i].needs, sorted[i].n_needs, sizeof(size_t), compare_index);
    }
    free(b->resources);
    b->resources = sorted;
    return 0;
}
