/* SPDX-License-Identifier: Apache-2.0
 *
 * Which pattern of a JSON decoder an event has. A decoder of Windows events has a pattern
 * for each of a hundred channels and event ids: they are indexed by the field that most
 * of them look at, and its value leaves a handful to try.
 */
#include "rules/decode/fill.h"
#include "rules/decode/loader.h"

#define NO_CASE UINT64_C(0x2020202020202020)

/* Equal for values that differ in case, and sometimes for others: what the index gives is
 * looked at in full. Never 0. */
static uint32_t key_of(struct hd_slice value)
{
    uint64_t h = value.len;
    for (size_t at = 0; at < value.len; at += sizeof(uint64_t)) {
        struct hd_slice part = hd_slice_head(hd_slice_from(value, at), sizeof(uint64_t));
        uint64_t word = 0;
        memcpy(&word, part.ptr, part.len);
        h = (h ^ (word | NO_CASE)) * UINT64_C(0x9E3779B97F4A7C15);
        h ^= h >> 32;
    }
    return (uint32_t)h | 1U;
}

static struct rul_when_slot *slot_of(const struct rul_when_index *index, uint32_t key)
{
    uint32_t at = key >> 1 & index->mask;
    while (index->slots[at].n != 0 && index->slots[at].key != key) {
        at = (at + 1) & index->mask;
    }
    return &index->slots[at];
}

/* ---- building ---- */

/* The condition that compares the field with values, or NULL. */
static const struct rul_cond *cond_on(const struct rul_decoder_pattern *pattern,
                                      uint16_t field)
{
    for (uint16_t i = 0; i < pattern->when.n; i++) {
        const struct rul_cond *cond = &pattern->when.list[i];
        if (cond->field == field && cond->n > 0) {
            return cond;
        }
    }
    return NULL;
}

static uint16_t count_patterns(const struct rul_decoder *dec, uint16_t field)
{
    uint16_t n = 0;
    for (uint16_t i = 0; i < dec->n_cases; i++) {
        n = (uint16_t)(n + (cond_on(&dec->cases[i], field) != NULL));
    }
    return n;
}

static uint16_t choose_field(const struct rul_decoder *dec)
{
    uint16_t best = RUL_FIELD_NONE, best_n = 0;
    for (uint16_t i = 0; i < dec->n_cases; i++) {
        const struct rul_conds *when = &dec->cases[i].when;
        for (uint16_t k = 0; k < when->n; k++) {
            uint16_t field = when->list[k].field, n = count_patterns(dec, field);
            if (n > best_n) {
                best = field;
                best_n = n;
            }
        }
    }
    return best;
}

static bool has_key(const struct rul_cond *cond, uint32_t key)
{
    for (uint16_t i = 0; i < cond->n; i++) {
        if (key_of(cond->values[i]) == key) {
            return true;
        }
    }
    return false;
}

/* Patterns that a value with this key does not rule out; key 0: values that no pattern
 * names. */
static uint16_t *list_patterns(struct hd_arena *arena, const struct rul_decoder *dec,
                               uint32_t key, uint16_t *n)
{
    uint16_t *list = hd_arena_alloc(arena, dec->n_cases + 1U, sizeof(*list));
    *n = 0;
    for (uint16_t i = 0; list != NULL && i < dec->n_cases; i++) {
        const struct rul_cond *cond = cond_on(&dec->cases[i], dec->when.field);
        if (cond == NULL || has_key(cond, key)) {
            list[(*n)++] = i;
        }
    }
    return list;
}

static int add_values(struct hd_arena *arena, struct rul_decoder *dec,
                      const struct rul_cond *cond)
{
    for (uint16_t i = 0; cond != NULL && i < cond->n; i++) {
        uint32_t key = key_of(cond->values[i]);
        struct rul_when_slot *slot = slot_of(&dec->when, key);
        if (slot->n == 0) {
            slot->key = key;
            slot->patterns = list_patterns(arena, dec, key, &slot->n);
            if (slot->patterns == NULL) {
                return HD_ENOMEM;
            }
        }
    }
    return 0;
}

int rul_when_link(struct hd_arena *arena, struct rul_decoder *dec)
{
    struct rul_when_index *index = &dec->when;
    uint32_t values = 0;
    index->field = choose_field(dec);
    index->others = list_patterns(arena, dec, 0, &index->n_others);
    if (index->field == RUL_FIELD_NONE) {
        return index->others == NULL ? HD_ENOMEM : 0;
    }
    for (uint16_t i = 0; i < dec->n_cases; i++) {
        const struct rul_cond *cond = cond_on(&dec->cases[i], index->field);
        values += cond != NULL ? cond->n : 0;
    }
    uint32_t size = rul_decode_names_table_size(values);
    index->slots = hd_arena_alloc(arena, size, sizeof(*index->slots));
    index->mask = size - 1;
    int rc = index->slots == NULL || index->others == NULL ? HD_ENOMEM : 0;
    for (uint16_t i = 0; rc == 0 && i < dec->n_cases; i++) {
        rc = add_values(arena, dec, cond_on(&dec->cases[i], index->field));
    }
    return rc;
}

/* ---- reading ---- */

static const struct rul_decoder_pattern *find_case(const struct rul_event *ev,
                                                   const struct rul_decoder *dec)
{
    const struct rul_when_index *index = &dec->when;
    const uint16_t *patterns = index->others;
    uint16_t n = index->n_others;
    if (index->field != RUL_FIELD_NONE && rul_event_has(ev, index->field)) {
        const struct rul_when_slot *slot =
            slot_of(index, key_of(ev->values[index->field]));
        patterns = slot->n > 0 ? slot->patterns : patterns;
        n = slot->n > 0 ? slot->n : n;
    }
    for (uint16_t i = 0; i < n; i++) {
        const struct rul_decoder_pattern *pattern = &dec->cases[patterns[i]];
        if (rul_fill_holds(ev, &pattern->when)) {
            return pattern;
        }
    }
    return NULL;
}

uint16_t rul_when_apply(struct rul_fill *f, const struct rul_decoder *dec,
                        uint16_t class_id)
{
    const struct rul_decoder_pattern *found = find_case(f->ev, dec);
    if (found == NULL) {
        return class_id;
    }
    f->ev->pattern = found->id;
    rul_fill_map(f, dec, &found->map);
    rul_fill_consts(f, found->set, found->n_set);
    return found->class_id;
}
