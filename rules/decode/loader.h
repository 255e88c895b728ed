/* SPDX-License-Identifier: Apache-2.0
 *
 * State of loading a decoder set, shared by load.c (files), keys.c (their keys),
 * declare.c (the parts of a decoder) and link.c (tables over all decoders). Internal to
 * rules/decode.
 */
#pragma once
#include <haidang/yaml.h>

#include "rules/decode/decoder.h"

struct rul_edge { /* one arrow of the current decoder's `map` */
    uint16_t from, to;
    uint8_t filter;
};

struct rul_loader {
    struct rul_decoders *set;
    struct hd_arena *arena; /* the set's */
    struct hd_arena trees;  /* YAML of the file being read */
    int err;                /* sticky: HD_ENOMEM, HD_ELIMIT */
    struct rul_decoder *dec;
    struct rul_decoder_pattern *pattern; /* the one being read */
    struct rul_edge *edges;
    uint16_t n_edges;
    struct rul_decode_example *example;
    struct rul_make *make;   /* the one being read */
    struct rul_table *table; /* the one being read */
};

/* ---- declare.c ---- */

uint16_t rul_declare_field(struct rul_loader *l, const struct hd_yaml_source *src,
                           const struct hd_yaml *node, struct hd_slice name);
void rul_declare_text(struct rul_loader *l, const struct hd_yaml_source *src,
                      const struct hd_yaml *node, struct rul_compiled_text *out);
void rul_declare_consts(struct rul_loader *l, const struct hd_yaml_source *src,
                        const struct hd_yaml *node, const struct rul_const **set,
                        uint16_t *n);
void rul_declare_conds(struct rul_loader *l, const struct hd_yaml_source *src,
                       const struct hd_yaml *node, struct rul_conds *out);
/* The decoder's map, or one on top of it. */
void rul_declare_map(struct rul_loader *l, const struct hd_yaml_source *src,
                     const struct hd_yaml *node, struct rul_map *out);
/* Index of the map by field: dec->map_of. */
void rul_declare_map_of(struct rul_loader *l);
/* Class of the log sources at the node. */
uint16_t rul_declare_class(struct rul_loader *l, const struct hd_yaml_source *src,
                           const struct hd_yaml *node);
/* A scalar or a list of scalars, copied into the arena. */
const struct hd_slice *rul_declare_strings(struct rul_loader *l,
                                           const struct hd_yaml_source *src,
                                           const struct hd_yaml *node, const char *what,
                                           uint16_t *n);

/* ---- make.c ---- */

/* A list of fields to make, appended to those of the decoder. */
void rul_declare_makes(struct rul_loader *l, const struct hd_yaml_source *src,
                       const struct hd_yaml *node);
/* A document that is a table: appended to the set's. */
void rul_declare_table(struct rul_loader *l, const struct hd_yaml_source *src,
                       const struct hd_yaml *root);

/* ---- keys.c ---- */

/* One document: a decoder or a table, appended to the set. */
void rul_keys_read(struct rul_loader *l, const struct hd_yaml_source *src,
                   const struct hd_yaml *root);

/* ---- when.c ---- */

int rul_when_link(struct hd_arena *arena, struct rul_decoder *dec) HD_MUST_USE;

/* ---- link.c ---- */

/* Id of the class with exactly these log sources; added when new. */
uint16_t rul_link_class(struct rul_loader *l, const struct rul_logsource *sources,
                        uint16_t n);
/* Builds the dispatch of each decoder and the tables over all. */
void rul_link(struct rul_loader *l);
