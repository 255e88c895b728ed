/* SPDX-License-Identifier: Apache-2.0
 *
 * From matched values to event fields.
 */
#include "rules/decode/fill.h"

#include <haidang/hash.h>

#include "rules/decode/pairs.h"

void rul_fill_time(struct rul_fill *f, const struct rul_stamp *stamp)
{
    int64_t ns;
    struct rul_event *ev = f->ev;
    if (ev->has_own_time || rul_stamp_resolve(stamp, &f->scratch->clock, &ns) != 0) {
        return;
    }
    int64_t skew = f->set->skew_max_ns;
    if (ns <= ev->recv_ns + skew && ns >= ev->recv_ns - skew) {
        ev->time_ns = ns;
        ev->has_own_time = true;
    }
}

void rul_fill_time_fields(struct rul_fill *f, const struct rul_decoder *dec)
{
    for (uint16_t i = 0; i < dec->n_times && !f->ev->has_own_time; i++) {
        struct hd_slice text = rul_event_get(f->ev, dec->times[i]);
        struct rul_stamp stamp;
        int64_t ns;
        if (rul_stamp_iso(text, &stamp) == 0) {
            if (rul_stamp_epoch(text, &ns) != 0) {
                continue;
            }
            stamp = (struct rul_stamp){.has_zone = true};
            hd_clock_to_civil(ns, &stamp.civil);
        }
        rul_fill_time(f, &stamp);
    }
}

void rul_fill_consts(struct rul_fill *f, const struct rul_const *set, uint16_t n)
{
    for (uint16_t i = 0; i < n; i++) {
        rul_event_set(f->ev, set[i].field, set[i].value);
    }
}

static bool is_same(struct hd_slice a, struct hd_slice b)
{
    return a.ptr == b.ptr && a.len == b.len;
}

/* Sends a value along its outlet. When `list_field` has several values, filters see the
 * first, plain targets get all. is_mapping: the value itself is in the event already,
 * and what is there is not replaced. */
static void fill_outlet(struct rul_fill *f, const struct rul_decoder *dec,
                        const struct rul_outlet *outlet, struct hd_slice value,
                        uint16_t list_field, bool is_mapping)
{
    struct hd_slice made[RUL_OUTLET_TARGETS_MAX];
    uint32_t done = 0; /* bit k: target k has a value */
    const struct rul_list *list = rul_lists_find(&f->ev->lists, list_field);
    struct hd_slice first = list != NULL ? f->ev->lists.items[list->first].value : value;
    if (dec->null.len > 0 && hd_slice_eq(value, dec->null)) {
        return;
    }
    for (uint8_t i = 0; i < outlet->n; i++) {
        const struct rul_target *target = &outlet->targets[i];
        if (target->from > 0 && (done >> (target->from - 1U) & 1U) == 0) {
            continue;
        }
        struct hd_slice from = target->from == 0 ? value : made[target->from - 1U];
        if (target->filter != RUL_FILTER_COPY && is_same(from, value)) {
            from = first;
        }
        if (!rul_filter_apply((enum rul_filter)target->filter, from, &f->scratch->arena,
                              &made[i])) {
            continue;
        }
        done |= UINT32_C(1) << i;
        if (!is_mapping || !rul_event_has(f->ev, target->field)) {
            rul_event_set(f->ev, target->field, made[i]);
            if (is_same(made[i], value)) {
                rul_lists_share(&f->ev->lists, list_field, target->field);
            }
        }
    }
}

/* False when the arena has no room for it. */
static bool unescape_pair(struct rul_fill *f, struct rul_pair *pair)
{
    struct rul_decode_arena *arena = &f->scratch->arena;
    if (pair->escape == RUL_PAIR_PLAIN) {
        return true;
    }
    uint8_t *room = rul_decode_arena_room(arena, pair->value.len);
    if (room == NULL) {
        f->ev->lost++;
        return false;
    }
    pair->value = hd_slice(room, rul_pair_unescape(pair, room));
    arena->used += pair->value.len;
    return true;
}

/* Adds a word of a command to the line that they make. */
static void add_word(struct rul_fill *f, uint16_t field, struct rul_pairs *pairs,
                     const struct rul_pair *pair)
{
    struct rul_decode_arena *arena = &f->scratch->arena;
    struct hd_slice line = rul_event_get(f->ev, field);
    if (pair->value.len == 0) {
        return;
    }
    bool is_first = line.len == 0;
    size_t before = is_first ? 0 : 1;
    if (is_first) {
        line.ptr = rul_decode_arena_room(arena, pair->value.len + pairs->rest.len);
        if (line.ptr == NULL) {
            f->ev->lost++;
            return;
        }
        arena->used += pair->value.len + pairs->rest.len; /* no word needs more */
    }
    uint8_t *at = arena->bytes + (line.ptr - arena->bytes) + line.len;
    if (before > 0) {
        at[0] = ' ';
    }
    line.len += before + rul_pair_unescape(pair, at + before);
    rul_event_set(f->ev, field, line);
}

static enum rul_pair_style style_of(enum rul_capture_type type)
{
    return type == RUL_CAPTURE_KV_COMMA ? RUL_PAIRS_COMMAS
           : type == RUL_CAPTURE_CEF    ? RUL_PAIRS_CEF
           : type == RUL_CAPTURE_LEEF   ? RUL_PAIRS_LEEF
           : type == RUL_CAPTURE_AUDIT  ? RUL_PAIRS_AUDIT
                                        : RUL_PAIRS_BLANKS;
}

static void fill_pairs(struct rul_fill *f, const struct rul_decoder *dec,
                       struct hd_slice text, enum rul_capture_type type)
{
    struct rul_pairs pairs;
    struct rul_pair pair;
    rul_pairs_open(&pairs, style_of(type), text);
    while (rul_pairs_next(&pairs, &pair)) {
        if (pair.is_word && dec->words != RUL_FIELD_NONE) {
            add_word(f, dec->words, &pairs, &pair);
        }
        uint16_t field = rul_fields_find(f->set->fields, pair.key);
        if (field == RUL_FIELD_NONE || pair.value.len == 0 || !unescape_pair(f, &pair)) {
            continue;
        }
        uint16_t entry = dec->map_of == NULL ? RUL_NONE : dec->map_of[field];
        if (entry != RUL_NONE) {
            fill_outlet(f, dec, &dec->map.entries[entry].outlet, pair.value,
                        RUL_FIELD_NONE, false);
        } else if (dec->null.len == 0 || !hd_slice_eq(pair.value, dec->null)) {
            rul_event_set(f->ev, field, pair.value);
        }
    }
}

static void fill_stamp(struct rul_fill *f, enum rul_capture_type type,
                       struct hd_slice value)
{
    struct rul_stamp stamp;
    size_t n = type == RUL_CAPTURE_TIME_ISO   ? rul_stamp_iso(value, &stamp)
               : type == RUL_CAPTURE_TIME_CLF ? rul_stamp_clf(value, &stamp)
                                              : rul_stamp_ctime(value, &stamp);
    if (n > 0) {
        rul_fill_time(f, &stamp);
    }
}

void rul_fill_captures(struct rul_fill *f, const struct rul_decoder *dec,
                       const struct rul_compiled_text *text)
{
    for (uint8_t i = 0; i < text->pattern.n_captures; i++) {
        struct hd_slice value = f->scratch->values[i];
        enum rul_capture_type type = text->pattern.captures[i].type;
        switch (type) {
        case RUL_CAPTURE_TIME_ISO:
        case RUL_CAPTURE_TIME_CLF:
        case RUL_CAPTURE_TIME_CTIME:
            fill_stamp(f, type, value);
            break;
        default:
            break;
        }
        if (rul_capture_is_pairs(type)) {
            fill_pairs(f, dec, value, type);
        }
        fill_outlet(f, dec, &text->outlets[i], value, RUL_FIELD_NONE, false);
    }
}

void rul_fill_join(struct rul_fill *f, const struct rul_join *join)
{
    struct hd_slice serial = rul_event_get(f->ev, join->serial);
    struct rul_decode_arena *arena = &f->scratch->arena;
    if (serial.len == 0) {
        return;
    }
    uint64_t key = hd_hash_stable(serial, f->source_key) | 1U;
    struct rul_joined_event *event = rul_joined_find(&f->scratch->joined, key);
    for (uint16_t k = 0; k < join->n; k++) {
        uint16_t field = join->fields[k];
        if (rul_event_has(f->ev, field)) {
            rul_joined_keep(event, k, f->ev->values[field]);
        } else if ((event->kept >> k & 1U) != 0) {
            struct hd_slice value = event->values[k];
            uint8_t *room = rul_decode_arena_room(arena, value.len);
            if (room != NULL) {
                memcpy(room, value.ptr, value.len);
                arena->used += value.len;
                rul_event_set(f->ev, field, hd_slice(room, value.len));
            }
        }
    }
}

void rul_fill_map(struct rul_fill *f, const struct rul_decoder *dec,
                  const struct rul_map *map)
{
    for (uint16_t i = 0; i < map->n; i++) {
        const struct rul_map_entry *entry = &map->entries[i];
        if (rul_event_has(f->ev, entry->field)) {
            fill_outlet(f, dec, &entry->outlet, f->ev->values[entry->field], entry->field,
                        true);
        }
    }
}

static bool cond_holds(const struct rul_event *ev, const struct rul_cond *cond)
{
    if (!rul_event_has(ev, cond->field)) {
        return false;
    }
    for (uint16_t i = 0; i < cond->n; i++) {
        if (hd_slice_eq_nocase(ev->values[cond->field], cond->values[i])) {
            return true;
        }
    }
    return cond->n == 0;
}

bool rul_fill_holds(const struct rul_event *ev, const struct rul_conds *conds)
{
    for (uint16_t i = 0; i < conds->n; i++) {
        if (!cond_holds(ev, &conds->list[i])) {
            return false;
        }
    }
    return true;
}
