/* SPDX-License-Identifier: Apache-2.0
 *
 * Databases that several slots need are compiled once: most classes of Windows events
 * look for the same literals in the same fields. The slot that compiled a database owns
 * it and tests it.
 */
#include <stdlib.h>

#include <haidang/hash.h>

#include "rules/compile/build.h"

struct shared {
    uint64_t hash;
    const struct rul_slot *owner;
    const struct hd_slice *literals; /* NULL: expressions */
};

struct rul_share {
    struct shared *all;
    uint32_t n;
};

int rul_share_new(struct rul_share **out)
{
    *out = calloc(1, sizeof(**out));
    return *out == NULL ? HD_ENOMEM : 0;
}

void rul_share_free(struct rul_share *share)
{
    if (share != NULL) {
        free(share->all);
        free(share);
    }
}

static int add(struct rul_share *share, struct shared one)
{
    int err = rul_grow(&share->all, share->n, sizeof(*share->all));
    if (err == 0) {
        share->all[share->n++] = one;
    }
    return err;
}

static bool same_literals(const struct shared *one, const struct hd_slice *literals,
                          uint32_t n)
{
    if (one->literals == NULL || one->owner->n_literals != n) {
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (!hd_slice_eq(one->literals[i], literals[i])) {
            return false;
        }
    }
    return true;
}

int rul_share_literals(struct rul_share *share, struct rul_slot *slot,
                       const struct hd_slice *literals, uint32_t n)
{
    uint64_t hash = n;
    for (uint32_t i = 0; i < n; i++) {
        hash = hash * UINT64_C(0x9e3779b97f4a7c15) + hd_hash(literals[i]);
    }
    for (uint32_t i = 0; i < share->n; i++) {
        if (share->all[i].hash == hash && same_literals(&share->all[i], literals, n)) {
            slot->literals = share->all[i].owner->literals;
            return 0;
        }
    }
    int err = rul_slot_compile_literals(slot, literals, n);
    slot->owns_literals = err == 0;
    return err != 0 ? err : add(share, (struct shared){hash, slot, literals});
}

static bool same_expressions(const struct rul_program *p, const struct shared *one,
                             const struct rul_slot *slot)
{
    if (one->literals != NULL || one->owner->n_re != slot->n_re) {
        return false;
    }
    for (uint32_t i = 0; i < slot->n_re; i++) {
        if (p->preds[one->owner->re_preds[i]].aux != p->preds[slot->re_preds[i]].aux) {
            return false;
        }
    }
    return true;
}

int rul_share_expressions(struct rul_share *share, struct rul_program *p,
                          struct rul_slot *slot)
{
    uint64_t hash = slot->n_re;
    for (uint32_t i = 0; i < slot->n_re; i++) {
        hash = hash * UINT64_C(0x9e3779b97f4a7c15) + p->preds[slot->re_preds[i]].aux;
    }
    for (uint32_t i = 0; i < share->n; i++) {
        if (share->all[i].hash == hash && same_expressions(p, &share->all[i], slot)) {
            slot->expressions = share->all[i].owner->expressions;
            return 0;
        }
    }
    int err = rul_slot_compile_expressions(p, slot);
    slot->owns_expressions = err == 0;
    return err != 0 ? err : add(share, (struct shared){.hash = hash, .owner = slot});
}
