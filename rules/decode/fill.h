/* SPDX-License-Identifier: Apache-2.0
 *
 * From matched values to event fields: outlets, constants, key=value pairs, times.
 * Internal to rules/decode; one thread.
 */
#pragma once
#include "rules/decode/decoder.h"
#include "rules/decode/stamp.h"
#include "rules/decode/zones.h"

struct rul_decode_scratch {
    struct rul_decode_arena arena;
    struct rul_stamp_clock clock;
    struct rul_zones zones;
    struct rul_joined joined;
    struct rul_decode_stats stats;
    struct hd_slice values[RUL_PATTERN_CAPTURES_MAX]; /* captures being matched */
};

struct rul_fill { /* one line being decoded */
    const struct rul_decoders *set;
    struct rul_decode_scratch *scratch;
    struct rul_event *ev;
    uint64_t source_key; /* tells sources apart */
};

/* Uses the stamp as event time when it can be and is near enough to the receive time. */
void rul_fill_time(struct rul_fill *f, const struct rul_stamp *stamp);

/* The first of the decoder's time fields that holds a time. */
void rul_fill_time_fields(struct rul_fill *f, const struct rul_decoder *dec);

void rul_fill_consts(struct rul_fill *f, const struct rul_const *set, uint16_t n);

/* What earlier records with the same number said, and what this one has to say. */
void rul_fill_join(struct rul_fill *f, const struct rul_join *join);

/* A pattern's captures, as they stand in scratch->values. */
void rul_fill_captures(struct rul_fill *f, const struct rul_decoder *dec,
                       const struct rul_compiled_text *text);

/* What the map makes of the fields that the event has. Fields that are there already stay
 * as they are. */
void rul_fill_map(struct rul_fill *f, const struct rul_decoder *dec,
                  const struct rul_map *map);

/* Puts together the fields that the decoder makes. */
void rul_fill_make(struct rul_fill *f, const struct rul_decoder *dec);

/* All conditions hold. */
bool rul_fill_holds(const struct rul_event *ev, const struct rul_conds *conds);

/* Which of the decoder's cases the event is, and what that adds to it. Returns the case's
 * class, or `class_id` when it is none of them. */
uint16_t rul_when_apply(struct rul_fill *f, const struct rul_decoder *dec,
                        uint16_t class_id);
