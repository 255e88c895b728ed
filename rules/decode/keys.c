/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys of a decoder document, one reader each, and the tables that name them
 * (docs/adding-a-decoder.md).
 */
#include <string.h>

#include "rules/decode/loader.h"
#include "rules/paths.h"

#define DECODERS_MAX 1024U

/* ---- match ---- */

static void read_names(struct rul_loader *l, const struct hd_yaml_source *src,
                       const struct hd_yaml *value, const char *what,
                       struct rul_decode_names *names)
{
    uint16_t n;
    const struct hd_slice *list = rul_declare_strings(l, src, value, what, &n);
    uint16_t index = (uint16_t)(l->dec - l->set->all);
    for (uint16_t i = 0; i < n; i++) {
        if (rul_decode_names_add(l->arena, names, list[i], index) != 0) {
            l->err = HD_ENOMEM;
        }
    }
}

static void read_program(void *ctx, const struct hd_yaml_source *src,
                         const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    const struct hd_yaml *only = hd_yaml_item(value, NULL);
    if (only != NULL &&
        hd_slice_eq(hd_yaml_text(src, only, "a program"), HD_SLICE("*"))) {
        l->set->any_program = (uint16_t)(l->dec - l->set->all);
        return;
    }
    read_names(l, src, value, "a program", &l->set->programs);
}

static void read_subtag(void *ctx, const struct hd_yaml_source *src,
                        const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    l->dec->is_inner = true;
    read_names(l, src, value, "a subtag", &l->set->subtags);
}

static void read_format(void *ctx, const struct hd_yaml_source *src,
                        const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    read_names(l, src, value, "a format", &l->set->formats);
}

static void read_prefix(void *ctx, const struct hd_yaml_source *src,
                        const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    l->dec->is_inner = true;
    l->dec->prefixes =
        rul_declare_strings(l, src, value, "a prefix", &l->dec->n_prefixes);
}

static void read_begins(void *ctx, const struct hd_yaml_source *src,
                        const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    l->dec->begins =
        rul_declare_strings(l, src, value, "how a message begins", &l->dec->n_begins);
}

static void read_shape(void *ctx, const struct hd_yaml_source *src,
                       const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    l->dec->shape = hd_arena_copy(l->arena, hd_yaml_text(src, value, "\"shape\""));
    if (hd_slice_eq(l->dec->shape, HD_SLICE("*"))) {
        hd_yaml_error(src, value, "a shape needs a byte behind \"*\"");
    }
}

static void read_source(void *ctx, const struct hd_yaml_source *src,
                        const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    l->dec->sources = rul_declare_strings(l, src, value, "a part of a source's name",
                                          &l->dec->n_sources);
}

static void read_json(void *ctx, const struct hd_yaml_source *src,
                      const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    const struct hd_yaml *item;
    struct rul_conds *shapes = NULL;
    l->dec->is_json = true;
    for (item = NULL; (item = hd_yaml_item(value, item)) != NULL;) {
        uint16_t n = l->dec->n_json_shapes;
        shapes = hd_arena_grow(l->arena, shapes, n, sizeof(*shapes));
        if (shapes == NULL) {
            l->dec->n_json_shapes = 0;
            return;
        }
        rul_declare_conds(l, src, item, &shapes[n]);
        l->dec->n_json_shapes++;
        l->dec->json_shapes = shapes;
    }
}

static const struct hd_yaml_key match_keys[] = {{"program", false, read_program},
                                                {"subtag", false, read_subtag},
                                                {"prefix", false, read_prefix},
                                                {"begins", false, read_begins},
                                                {"format", false, read_format},
                                                {"shape", false, read_shape},
                                                {"source", false, read_source},
                                                {"json", false, read_json},
                                                {NULL, false, NULL}};

static void read_match(void *ctx, const struct hd_yaml_source *src,
                       const struct hd_yaml *value)
{
    hd_yaml_read_map(src, value, "\"match\"", match_keys, ctx);
}

/* ---- decoder ---- */

static const char *name_of(struct rul_loader *l, const struct hd_yaml_source *src,
                           const struct hd_yaml *node, const char *what)
{
    struct hd_slice name = hd_yaml_text(src, node, what);
    bool is_good = name.len > 0 && name.len <= 64;
    for (size_t i = 0; is_good && i < name.len; i++) {
        is_good = hd_is_alnum(name.ptr[i]) || name.ptr[i] == '-' || name.ptr[i] == '_';
    }
    if (!is_good) {
        hd_yaml_error(src, node, "%s is 1 to 64 letters, digits, - and _", what);
    }
    return hd_arena_str(l->arena, name);
}

static void read_decoder_name(void *ctx, const struct hd_yaml_source *src,
                              const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    l->dec->name = name_of(l, src, value, "a decoder's name");
    for (const struct rul_decoder *d = l->set->all; d < l->dec; d++) {
        if (strcmp(d->name, l->dec->name) == 0) {
            hd_yaml_error(src, value, "a decoder of this name is in %s:%u", d->file,
                          d->line);
        }
    }
}

static void read_null(void *ctx, const struct hd_yaml_source *src,
                      const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    l->dec->null = hd_arena_copy(l->arena, hd_yaml_text(src, value, "\"null\""));
}

static void read_logsource(void *ctx, const struct hd_yaml_source *src,
                           const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    l->dec->class_id = rul_declare_class(l, src, value);
}

static void read_set(void *ctx, const struct hd_yaml_source *src,
                     const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    rul_declare_consts(l, src, value, &l->dec->set, &l->dec->n_set);
}

static void read_map(void *ctx, const struct hd_yaml_source *src,
                     const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    rul_declare_map(l, src, value, &l->dec->map);
    rul_declare_map_of(l);
}

static void read_lift(void *ctx, const struct hd_yaml_source *src,
                      const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    const struct hd_yaml *item;
    for (item = NULL; (item = hd_yaml_item(value, item)) != NULL;) {
        struct hd_slice path = hd_yaml_text(src, item, "a path of \"lift\"");
        int rc =
            path.len > 0 ? rul_paths_lift(rul_fields_paths(l->set->fields), path) : 0;
        l->err = rc != 0 ? rc : l->err;
    }
}

static void read_restore(void *ctx, const struct hd_yaml_source *src,
                         const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    const struct hd_yaml *item;
    for (item = NULL; (item = hd_yaml_item(value, item)) != NULL;) {
        struct hd_slice path = hd_yaml_text(src, item, "a path of \"restore\"");
        int rc =
            path.len > 0 ? rul_paths_restore(rul_fields_paths(l->set->fields), path) : 0;
        l->err = rc != 0 ? rc : l->err;
    }
}

static void read_make(void *ctx, const struct hd_yaml_source *src,
                      const struct hd_yaml *value)
{
    rul_declare_makes(ctx, src, value);
}

static void read_text_fields(void *ctx, const struct hd_yaml_source *src,
                             const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    const struct hd_yaml *item;
    for (item = NULL; (item = hd_yaml_item(value, item)) != NULL;) {
        struct hd_slice name = hd_yaml_text(src, item, "a field name");
        bool is_field = rul_declare_field(l, src, item, name) != RUL_FIELD_NONE;
        int rc = is_field ? rul_paths_text(rul_fields_paths(l->set->fields), name) : 0;
        l->err = rc != 0 ? rc : l->err;
    }
}

static void read_strip(void *ctx, const struct hd_yaml_source *src,
                       const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    rul_declare_text(l, src, value, &l->dec->strip);
    l->dec->has_strip = true;
}

/* A list of field names. */
static const uint16_t *read_fields(struct rul_loader *l, const struct hd_yaml_source *src,
                                   const struct hd_yaml *value, uint16_t *n)
{
    const struct hd_yaml *item;
    uint16_t *fields = NULL;
    for (item = NULL; (item = hd_yaml_item(value, item)) != NULL;) {
        uint16_t field =
            rul_declare_field(l, src, item, hd_yaml_text(src, item, "a field name"));
        fields = hd_arena_grow(l->arena, fields, *n, sizeof(*fields));
        if (fields == NULL || field == RUL_FIELD_NONE) {
            *n = 0;
            return NULL;
        }
        fields[(*n)++] = field;
    }
    return fields;
}

static void read_join_serial(void *ctx, const struct hd_yaml_source *src,
                             const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    l->dec->join.serial =
        rul_declare_field(l, src, value, hd_yaml_text(src, value, "\"serial\""));
}

static void read_join_from(void *ctx, const struct hd_yaml_source *src,
                           const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    l->dec->join.fields = read_fields(l, src, value, &l->dec->join.n);
    if (l->dec->join.n > RUL_JOIN_FIELDS) {
        hd_yaml_error(src, value, "more than %u fields", RUL_JOIN_FIELDS);
    }
}

static void read_join_words(void *ctx, const struct hd_yaml_source *src,
                            const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    l->dec->words =
        rul_declare_field(l, src, value, hd_yaml_text(src, value, "\"words\""));
}

static const struct hd_yaml_key join_keys[] = {{"serial", true, read_join_serial},
                                               {"from", true, read_join_from},
                                               {"words", false, read_join_words},
                                               {NULL, false, NULL}};

static void read_join(void *ctx, const struct hd_yaml_source *src,
                      const struct hd_yaml *value)
{
    hd_yaml_read_map(src, value, "\"join\"", join_keys, ctx);
}

static void read_time(void *ctx, const struct hd_yaml_source *src,
                      const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    l->dec->times = read_fields(l, src, value, &l->dec->n_times);
}

/* ---- patterns ---- */

static void read_pattern_id(void *ctx, const struct hd_yaml_source *src,
                            const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    l->pattern->id = name_of(l, src, value, "a pattern's id");
}

static void read_pattern_text(void *ctx, const struct hd_yaml_source *src,
                              const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    rul_declare_text(l, src, value, &l->pattern->text);
    l->pattern->has_text = true;
}

static void read_pattern_when(void *ctx, const struct hd_yaml_source *src,
                              const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    rul_declare_conds(l, src, value, &l->pattern->when);
}

static void read_pattern_map(void *ctx, const struct hd_yaml_source *src,
                             const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    uint16_t known = l->n_edges;
    rul_declare_map(l, src, value, &l->pattern->map);
    l->n_edges = known;
}

static void read_pattern_set(void *ctx, const struct hd_yaml_source *src,
                             const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    rul_declare_consts(l, src, value, &l->pattern->set, &l->pattern->n_set);
}

static void read_pattern_logsource(void *ctx, const struct hd_yaml_source *src,
                                   const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    l->pattern->class_id = rul_declare_class(l, src, value);
}

static const struct hd_yaml_key pattern_keys[] = {
    {"id", true, read_pattern_id},
    {"text", true, read_pattern_text},
    {"set", false, read_pattern_set},
    {"logsource", false, read_pattern_logsource},
    {NULL, false, NULL}};

static const struct hd_yaml_key case_keys[] = {
    {"id", true, read_pattern_id},
    {"when", true, read_pattern_when},
    {"map", false, read_pattern_map},
    {"set", false, read_pattern_set},
    {"logsource", false, read_pattern_logsource},
    {NULL, false, NULL}};

static void check_id(const struct hd_yaml_source *src, const struct hd_yaml *node,
                     const struct rul_decoder_pattern *list, uint16_t n, const char *id)
{
    for (uint16_t i = 0; i < n; i++) {
        if (strcmp(list[i].id, id) == 0) {
            hd_yaml_error(src, node, "a pattern of this id is in line %u", list[i].line);
        }
    }
}

/* Appends a list of patterns (`keys` says which kind) to *list. */
static void read_list(struct rul_loader *l, const struct hd_yaml_source *src,
                      const struct hd_yaml *value, const struct hd_yaml_key *keys,
                      struct rul_decoder_pattern **list, uint16_t *n)
{
    const struct rul_decoder *dec = l->dec;
    const struct hd_yaml *item;
    for (item = NULL; (item = hd_yaml_item(value, item)) != NULL;) {
        struct rul_decoder_pattern pattern = {.id = "",
                                              .line = item->line,
                                              .set = dec->set,
                                              .n_set = dec->n_set,
                                              .class_id = dec->class_id};
        l->pattern = &pattern;
        hd_yaml_read_map(src, item, "a pattern", keys, l);
        check_id(src, item, *list, *n, pattern.id);
        struct rul_decoder_pattern *grown =
            hd_arena_grow(l->arena, *list, *n, sizeof(*grown));
        if (grown == NULL || *n == RUL_NONE - 1U) {
            return;
        }
        *list = grown;
        grown[(*n)++] = pattern;
    }
}

static void read_cases(void *ctx, const struct hd_yaml_source *src,
                       const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    if (hd_yaml_want(src, value, HD_YAML_LIST, "a list of cases")) {
        read_list(l, src, value, case_keys, &l->dec->cases, &l->dec->n_cases);
    }
}

static void read_patterns(void *ctx, const struct hd_yaml_source *src,
                          const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    if (l->dec->is_json) {
        read_cases(ctx, src, value); /* JSON has no others */
    } else if (hd_yaml_want(src, value, HD_YAML_LIST, "\"patterns\"")) {
        read_list(l, src, value, pattern_keys, &l->dec->patterns, &l->dec->n_patterns);
    }
}

/* ---- examples ---- */

static void read_example_line(void *ctx, const struct hd_yaml_source *src,
                              const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    l->example->line = hd_arena_copy(l->arena, hd_yaml_text(src, value, "\"line\""));
}

static void read_example_format(void *ctx, const struct hd_yaml_source *src,
                                const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    l->example->format = hd_arena_copy(l->arena, hd_yaml_text(src, value, "\"format\""));
}

static void read_example_decoder(void *ctx, const struct hd_yaml_source *src,
                                 const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    l->example->want_decoder =
        hd_arena_copy(l->arena, hd_yaml_text(src, value, "\"decoder\""));
}

static void read_example_pattern(void *ctx, const struct hd_yaml_source *src,
                                 const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    l->example->want_pattern =
        hd_arena_copy(l->arena, hd_yaml_text(src, value, "\"pattern\""));
}

static void read_example_fields(void *ctx, const struct hd_yaml_source *src,
                                const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    const struct hd_yaml *item;
    struct rul_decode_example_field *fields = NULL;
    if (!hd_yaml_want(src, value, HD_YAML_MAP, "\"fields\"")) {
        return;
    }
    for (item = value->first; item != NULL; item = item->next) {
        uint16_t n = l->example->n_fields;
        fields = hd_arena_grow(l->arena, fields, n, sizeof(*fields));
        if (fields == NULL) {
            l->example->n_fields = 0;
            return;
        }
        fields[n].field = rul_declare_field(l, src, item->key, item->key->text);
        fields[n].is_absent = hd_yaml_is_null(item);
        fields[n].value =
            hd_arena_copy(l->arena, hd_yaml_text(src, item, "a field's value"));
        l->example->n_fields++;
        l->example->fields = fields;
    }
}

static const struct hd_yaml_key example_keys[] = {
    {"line", true, read_example_line},        {"format", false, read_example_format},
    {"decoder", false, read_example_decoder}, {"pattern", false, read_example_pattern},
    {"fields", false, read_example_fields},   {NULL, false, NULL}};

static void read_examples(void *ctx, const struct hd_yaml_source *src,
                          const struct hd_yaml *value)
{
    struct rul_loader *l = ctx;
    const struct hd_yaml *item;
    for (item = NULL; (item = hd_yaml_item(value, item)) != NULL;) {
        struct rul_decode_example *examples = hd_arena_grow(
            l->arena, l->set->examples, l->set->n_examples, sizeof(*examples));
        if (examples == NULL || l->set->n_examples == UINT16_MAX) {
            return;
        }
        l->set->examples = examples;
        l->example = &examples[l->set->n_examples++];
        *l->example = (struct rul_decode_example){
            .decoder = (uint16_t)(l->dec - l->set->all), .line_no = item->line};
        hd_yaml_read_map(src, item, "an example", example_keys, l);
    }
}

static const struct hd_yaml_key decoder_keys[] = {{"decoder", true, read_decoder_name},
                                                  {"match", true, read_match},
                                                  {"null", false, read_null},
                                                  {"logsource", true, read_logsource},
                                                  {"set", false, read_set},
                                                  {"lift", false, read_lift},
                                                  {"restore", false, read_restore},
                                                  {"text", false, read_text_fields},
                                                  {"make", false, read_make},
                                                  {"map", false, read_map},
                                                  {"strip", false, read_strip},
                                                  {"time", false, read_time},
                                                  {"join", false, read_join},
                                                  {"patterns", false, read_patterns},
                                                  {"cases", false, read_cases},
                                                  {"examples", false, read_examples},
                                                  {NULL, false, NULL}};

static bool is_table(const struct hd_yaml *root)
{
    return hd_yaml_get(root, "table") != NULL;
}

void rul_keys_read(struct rul_loader *l, const struct hd_yaml_source *src,
                   const struct hd_yaml *root)
{
    struct rul_decoders *set = l->set;
    if (is_table(root)) {
        rul_declare_table(l, src, root);
        return;
    }
    struct rul_decoder *all = hd_arena_grow(l->arena, set->all, set->n, sizeof(*all));
    if (all == NULL || set->n == DECODERS_MAX) {
        l->err = all == NULL ? HD_ENOMEM : HD_ELIMIT;
        return;
    }
    set->all = all;
    l->dec = &set->all[set->n];
    *l->dec = (struct rul_decoder){
        .name = "", .file = src->file, .line = root->line, .words = RUL_FIELD_NONE};
    l->edges = NULL;
    l->n_edges = 0;
    hd_yaml_read_map(src, root, "a decoder", decoder_keys, l);
    set->n++;
}
