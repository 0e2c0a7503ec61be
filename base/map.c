/*
 * Open addressing with linear probing; removed entries leave a tombstone, since an iteration may
 * remove what it was just given and shifting entries back would make it skip one. Tombstones are
 * swept when the table is rebuilt. At most three quarters of the slots are taken (tombstones
 * counted), so a probe always ends at an empty slot.
 */
#include "base/map.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/hash.h"

enum { SLOTS_FIRST = 16 };

struct slot {
    char *key; /* NULL: empty; tombstone: removed */
    void *value;
    uint64_t hash;
};

struct map {
    struct slot *slots;
    size_t n_slots; /* 0 or a power of two */
    size_t used;    /* entries */
    size_t taken;   /* entries and tombstones */
    bool lent;      /* the keys are not the map's */
};

static char tombstone[1];
static uint8_t hash_key[16];
static pthread_once_t hash_key_once = PTHREAD_ONCE_INIT;

static void draw_key(void)
{
    /* A map that cannot be seeded still works; only its protection against chosen keys is weaker.
     */
    if (getrandom(hash_key, sizeof(hash_key), 0) != (ssize_t)sizeof(hash_key)) {
        struct timespec t;

        clock_gettime(CLOCK_REALTIME, &t);
        memcpy(hash_key, &t, sizeof(hash_key));
    }
}

struct map *map_new(void)
{
    pthread_once(&hash_key_once, draw_key);
    return calloc(1, sizeof(struct map));
}

struct map *map_new_lent(void)
{
    struct map *m = map_new();

    if (m)
        m->lent = true;
    return m;
}

static void key_free(const struct map *m, char *key)
{
    if (!m->lent)
        free(key);
}

static bool slot_live(const struct slot *s)
{
    return s->key != NULL && s->key != tombstone;
}

void map_free_with(struct map *m, void (*free_value)(void *))
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->n_slots; i++) {
        if (!slot_live(&m->slots[i]))
            continue;
        if (free_value != NULL)
            free_value(m->slots[i].value);
        key_free(m, m->slots[i].key);
    }
    free(m->slots);
    free(m);
}

void map_free(struct map *m)
{
    map_free_with(m, NULL);
}

static uint64_t hash_of(const char *key)
{
    return hash_sip(hash_key, key, strlen(key));
}

static struct slot *find(const struct map *m, const char *key, uint64_t hash)
{
    if (m == NULL || m->n_slots == 0)
        return NULL;
    for (size_t i = hash & (m->n_slots - 1);; i = (i + 1) & (m->n_slots - 1)) {
        struct slot *s = &m->slots[i];

        if (s->key == NULL)
            return NULL;
        if (s->key != tombstone && s->hash == hash && strcmp(s->key, key) == 0)
            return s;
    }
}

static void place(struct slot *slots, size_t n_slots, struct slot entry)
{
    size_t i = entry.hash & (n_slots - 1);

    while (slots[i].key != NULL)
        i = (i + 1) & (n_slots - 1);
    slots[i] = entry;
}

static int make_room(struct map *m)
{
    size_t n_slots = m->n_slots;
    struct slot *slots;

    if (n_slots > 0 && (m->taken + 1) * 4 <= n_slots * 3)
        return 0;
    if (n_slots == 0)
        n_slots = SLOTS_FIRST;
    else if (m->used * 2 >= n_slots)
        n_slots *= 2;
    slots = calloc(n_slots, sizeof(*slots));
    if (slots == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < m->n_slots; i++) {
        if (slot_live(&m->slots[i]))
            place(slots, n_slots, m->slots[i]);
    }
    free(m->slots);
    m->slots = slots;
    m->n_slots = n_slots;
    m->taken = m->used;
    return 0;
}

void *map_get(const struct map *m, const char *key)
{
    struct slot *s = m == NULL ? NULL : find(m, key, hash_of(key));

    return s != NULL ? s->value : NULL;
}

int map_put(struct map *m, const char *key, void *value, void **ret_old)
{
    uint64_t hash = hash_of(key);
    struct slot *s = find(m, key, hash);
    char *copy;

    if (s != NULL) {
        if (ret_old != NULL)
            *ret_old = s->value;
        s->value = value;
        return 0;
    }
    copy = m->lent ? (char *)key : strdup(key);
    if (copy == NULL || make_room(m) < 0) {
        if (!m->lent)
            free(copy);
        return -ENOMEM;
    }
    place(m->slots, m->n_slots, (struct slot){.key = copy, .value = value, .hash = hash});
    m->used++;
    m->taken++;
    if (ret_old != NULL)
        *ret_old = NULL;
    return 0;
}

void *map_remove(struct map *m, const char *key)
{
    struct slot *s = find(m, key, hash_of(key));

    if (s == NULL)
        return NULL;
    key_free(m, s->key);
    s->key = tombstone;
    m->used--;
    return s->value;
}

size_t map_size(const struct map *m)
{
    return m != NULL ? m->used : 0;
}

bool map_next(const struct map *m, struct map_iter *it, const char **ret_key, void **ret_value)
{
    if (m == NULL)
        return false;
    while (it->slot < m->n_slots) {
        const struct slot *s = &m->slots[it->slot++];

        if (!slot_live(s))
            continue;
        if (ret_key != NULL)
            *ret_key = s->key;
        if (ret_value != NULL)
            *ret_value = s->value;
        return true;
    }
    return false;
}
