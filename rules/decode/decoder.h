/* SPDX-License-Identifier: Apache-2.0
 *
 * Compiled decoders, as the loader leaves them and rul_decode reads them. Internal to
 * rules/decode. Everything lives in the set's arena and is immutable after loading.
 */
#pragma once
#include <haidang/clock.h>

#include "rules/decode/cond.h"
#include "rules/decode/decode.h"
#include "rules/decode/filter.h"
#include "rules/decode/index.h"
#include "rules/decode/join.h"
#include "rules/decode/make.h"
#include "rules/decode/names.h"
#include "rules/decode/pattern.h"

#define RUL_OUTLET_TARGETS_MAX 24U /* fields that one value may end up in */

/* Where a value goes. `from` is 0 for the value itself, k for what target k - 1 made of
 * it: request -> cs-uri -> url.path is one list. */
struct rul_target {
    uint16_t field;
    uint8_t filter; /* enum rul_filter */
    uint8_t from;
};
struct rul_outlet {
    const struct rul_target *targets;
    uint8_t n;
};

struct rul_const { /* `set:` */
    uint16_t field;
    struct hd_slice value;
};

struct rul_map { /* `map:` */
    struct rul_map_entry {
        uint16_t field;
        struct rul_outlet outlet;
    } * entries;
    uint16_t n;
};

struct rul_compiled_text { /* a pattern and where its captures go */
    struct rul_pattern pattern;
    const struct rul_outlet *outlets; /* one a capture */
};

struct rul_decoder_pattern {
    const char *id;
    unsigned line;
    bool has_text;
    struct rul_compiled_text text;
    const struct rul_const *set; /* the decoder's own ones included */
    uint16_t n_set;
    uint16_t class_id;
    struct rul_conds when;
    struct rul_map map; /* of a case: what it adds to the decoder's */
};

struct rul_decoder {
    const char *name;
    const char *file;
    unsigned line;
    bool is_json;
    bool is_inner;         /* reads what PAM and the like write inside other programs */
    struct hd_slice null;  /* a value equal to it is not set; empty = none */
    struct hd_slice shape; /* see rul_shape_matches */
    const struct hd_slice *sources;
    const struct hd_slice *prefixes;
    const struct hd_slice *begins;
    const struct rul_conds *json_shapes; /* one of them must hold */
    uint16_t n_sources, n_prefixes, n_begins, n_json_shapes;
    bool has_strip;
    struct rul_compiled_text strip;
    const struct rul_const *set;
    struct rul_map map;
    const struct rul_make *makes;
    const uint16_t
        *map_of;           /* [RUL_FIELDS_MAX]: index into map, RUL_NONE; NULL = no map */
    const uint16_t *times; /* fields that hold the event's time */
    struct rul_decoder_pattern *patterns; /* with a text */
    struct rul_decoder_pattern *cases;    /* with conditions */
    uint16_t n_set, n_times, n_patterns, n_cases, n_makes;
    uint16_t class_id;
    struct rul_dispatch dispatch;
    struct rul_when_index when;
    struct rul_join join;
    uint16_t words; /* field of the words a0, a1 ... in one, or RUL_FIELD_NONE */
};

/* `examples:` */
struct rul_decode_example {
    uint16_t decoder;
    unsigned line_no; /* in the file */
    struct hd_slice line, format;
    struct hd_slice want_decoder, want_pattern; /* empty = not stated */
    uint16_t n_fields;
    const struct rul_decode_example_field {
        uint16_t field;
        bool is_absent;
        struct hd_slice value;
    } * fields;
};

struct rul_decoders {
    struct hd_arena arena;
    struct rul_fields *fields; /* borrowed */
    struct hd_zone *zone;
    int64_t skew_max_ns;
    struct rul_decoder *all;
    struct rul_class *classes;
    uint16_t *merged; /* [n_merged * n_merged]: class of (outer program, inner decoder) */
    uint16_t n_merged;
    struct rul_decode_names programs, subtags, formats;
    uint16_t *shapes;   /* decoders that know a line by its shape, most specific first */
    uint16_t *prefixes; /* decoders that read inside any program */
    uint16_t *begins;   /* decoders that know a message without a program's name */
    uint16_t *json;     /* JSON decoders, those with conditions first */
    struct rul_table **tables;
    uint16_t n, n_classes, n_shapes, n_prefixes, n_begins, n_json, n_tables;
    uint16_t any_program; /* decoder of programs that no other knows, or RUL_NONE */
    struct rul_decode_example *examples;
    uint16_t n_examples;
};

/* d = digit, a = letter, anything else is itself; a leading "*" means from the first
 * place of the byte behind it. */
bool rul_shape_matches(struct hd_slice shape, struct hd_slice line);

/* As rul_decoders_load, from memory; opts->dir is the name in messages. */
int rul_decoders_load_text(const struct rul_decoders_opts *opts, struct hd_slice text,
                           struct rul_fields *fields, struct rul_decoders **out,
                           struct hd_diags *diags) HD_MUST_USE;
