/* Keys, as far as the table of kinds is all that they need. */
#include "fs/key.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/macro.h"
#include "fs/kind.h"

struct key key_child(const struct key *dir, enum kind_id kind, const char *name)
{
    struct key k = *dir;

    while (kind_row(kind)->flags & KIND_F_SHARED && k.kind != kind_row(kind)->parent)
        k = key_parent(&k);
    k.kind = kind;
    k.version = 0;
    if (name && k.n_args < KEY_ARGS)
        k.args[k.n_args++] = name;
    return k;
}

struct key key_parent(const struct key *key)
{
    struct key k = *key;

    k.version = 0;
    if (k.kind == KIND_ROOT)
        return k;
    if (!kind_row(k.kind)->name && k.n_args)
        k.n_args--;
    if (k.kind == KIND_SERVICE)
        k.life = "";
    k.kind = kind_parent(key);
    if (key->kind == KIND_SERVICE)
        k.deleting = false;
    return k;
}

const char *key_name(const struct key *key)
{
    const char *name = kind_row(key->kind)->name;

    return name ? name : key->n_args ? key->args[key->n_args - 1] : "";
}

void key_path(const struct key *key, char out[KEY_PATH_SIZE])
{
    const char *parts[8];
    struct key k = *key;
    size_t len = 0;
    unsigned n = 0;

    for (; k.kind != KIND_ROOT && n < ARRAY_SIZE(parts); k = key_parent(&k))
        parts[n++] = key_name(&k);
    out[0] = '\0';
    while (n-- && len < KEY_PATH_SIZE) {
        size_t left = KEY_PATH_SIZE - len;
        int r = snprintf(out + len, left, "%s%s", len ? "/" : "", parts[n]);

        len += r > 0 ? (size_t)r : 0;
    }
}

uint64_t key_inode(uint64_t parent, const struct key *key)
{
    const char *name = key_name(key), *life = key->kind == KIND_SERVICE ? key->life : "";
    struct {
        uint64_t parent, version;
        char text[2 * 256 + 2];
    } from = {.parent = parent, .version = key->version};
    size_t n = strnlen(name, 256), n_life = strnlen(life, 256);
    uint64_t ino;

    memcpy(from.text, name, n); /* names have no zero, so that the two cannot run together */
    memcpy(from.text + n + 1, life, n_life);
    ino = hash_stable(&from, offsetof(typeof(from), text) + n + 1 + n_life) >> 1;
    return ino > 1 ? ino : ino + 2;
}
