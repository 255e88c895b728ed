/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of a decoder declaration: fields, patterns, constants, conditions, maps, log
 * sources.
 */
#include <stdio.h>
#include <stdlib.h>

#include "rules/decode/loader.h"

#define FILTER_NAME(id, name) name,
static const char *const filter_names[] = {RUL_FILTER_MAP(FILTER_NAME)};
#undef FILTER_NAME

#define SOURCES_MAX                                                                      \
    (RUL_CLASS_SOURCES_MAX / 2U) /* of one decoder; see merged classes                   \
                                  */
#define TEXT_MAX 1024U           /* a name or value in a decoder file */

uint16_t rul_declare_field(struct rul_loader *l, const struct hd_yaml_source *src,
                           const struct hd_yaml *node, struct hd_slice name)
{
    uint16_t id = RUL_FIELD_NONE;
    if (name.len == 0 || name.len > TEXT_MAX) {
        hd_yaml_error(src, node, "a field name is missing or too long");
        return id;
    }
    int rc = rul_fields_add(l->set->fields, name, &id);
    if (rc == HD_ELIMIT) {
        hd_yaml_error(src, node, "more than %u different field names", RUL_FIELDS_MAX);
    }
    l->err = rc != 0 ? rc : l->err;
    return id;
}

const struct hd_slice *rul_declare_strings(struct rul_loader *l,
                                           const struct hd_yaml_source *src,
                                           const struct hd_yaml *node, const char *what,
                                           uint16_t *n)
{
    struct hd_slice *out = NULL;
    const struct hd_yaml *item;
    *n = 0;
    for (item = NULL; (item = hd_yaml_item(node, item)) != NULL;) {
        struct hd_slice text = hd_yaml_text(src, item, what);
        out = hd_arena_grow(l->arena, out, *n, sizeof(*out));
        if (out == NULL) {
            return NULL;
        }
        out[(*n)++] = hd_arena_copy(l->arena, text);
    }
    return out;
}

/* The value came through this field on its way to target `at`. */
static bool came_through(const struct rul_target *targets, uint8_t at, uint16_t field)
{
    while (targets[at].field != field && targets[at].from > 0) {
        at = (uint8_t)(targets[at].from - 1U);
    }
    return targets[at].field == field;
}

/* Follows the map from `field` on, breadth first: who leads to whom. */
static struct rul_outlet make_outlet(struct rul_loader *l,
                                     const struct hd_yaml_source *src,
                                     const struct hd_yaml *node, uint16_t field)
{
    struct rul_target targets[RUL_OUTLET_TARGETS_MAX];
    uint8_t n = 1;
    targets[0] = (struct rul_target){.field = field};
    for (uint8_t i = 0; i < n; i++) {
        for (uint16_t e = 0; e < l->n_edges; e++) {
            if (l->edges[e].from != targets[i].field ||
                came_through(targets, i, l->edges[e].to)) {
                continue;
            }
            if (n == RUL_OUTLET_TARGETS_MAX) {
                hd_yaml_error(src, node, "the map leads from here to more than %u fields",
                              RUL_OUTLET_TARGETS_MAX);
                return (struct rul_outlet){0};
            }
            targets[n++] = (struct rul_target){.field = l->edges[e].to,
                                               .filter = l->edges[e].filter,
                                               .from = (uint8_t)(i + 1)};
        }
    }
    struct rul_target *own = hd_arena_alloc(l->arena, n, sizeof(*own));
    if (own == NULL) {
        return (struct rul_outlet){0};
    }
    memcpy(own, targets, n * sizeof(*own));
    return (struct rul_outlet){own, n};
}

void rul_declare_text(struct rul_loader *l, const struct hd_yaml_source *src,
                      const struct hd_yaml *node, struct rul_compiled_text *out)
{
    struct rul_pattern_error err;
    struct hd_slice text = hd_yaml_text(src, node, "a pattern");
    int rc = rul_pattern_compile(l->arena, text, &out->pattern, &err);
    if (rc == HD_EPARSE) {
        hd_yaml_error_at(src, node, err.at, "%s", err.why);
        out->pattern = (struct rul_pattern){0};
        return;
    }
    uint8_t n = out->pattern.n_captures;
    struct rul_outlet *outlets = hd_arena_alloc(l->arena, n, sizeof(*outlets));
    if (rc != 0 || outlets == NULL) {
        l->err = HD_ENOMEM;
        return;
    }
    for (uint8_t i = 0; i < n; i++) {
        struct hd_slice name = out->pattern.captures[i].name;
        if (name.len > 0) {
            outlets[i] = make_outlet(l, src, node, rul_declare_field(l, src, node, name));
        }
    }
    out->outlets = outlets;
}

void rul_declare_consts(struct rul_loader *l, const struct hd_yaml_source *src,
                        const struct hd_yaml *node, const struct rul_const **set,
                        uint16_t *n)
{
    const struct hd_yaml *value;
    struct rul_const *out = NULL;
    uint16_t count = 0;
    if (!hd_yaml_want(src, node, HD_YAML_MAP, "\"set\"")) {
        return;
    }
    for (uint16_t i = 0; i < *n; i++) { /* what the decoder sets for all its patterns */
        out = hd_arena_grow(l->arena, out, count, sizeof(*out));
        if (out == NULL) {
            return;
        }
        out[count++] = (*set)[i];
    }
    for (value = node->first; value != NULL; value = value->next) {
        uint16_t field = rul_declare_field(l, src, value->key, value->key->text);
        struct hd_slice text = hd_yaml_text(src, value, "a value of \"set\"");
        out = hd_arena_grow(l->arena, out, count, sizeof(*out));
        if (out == NULL || field == RUL_FIELD_NONE) {
            return;
        }
        out[count++] = (struct rul_const){field, hd_arena_copy(l->arena, text)};
    }
    *set = out;
    *n = count;
}

void rul_declare_conds(struct rul_loader *l, const struct hd_yaml_source *src,
                       const struct hd_yaml *node, struct rul_conds *out)
{
    const struct hd_yaml *value;
    struct rul_cond *list = NULL;
    uint16_t n = 0;
    if (!hd_yaml_want(src, node, HD_YAML_MAP, "a condition")) {
        return;
    }
    for (value = node->first; value != NULL; value = value->next) {
        uint16_t field = rul_declare_field(l, src, value->key, value->key->text);
        struct rul_cond cond = {.field = field};
        cond.values = rul_declare_strings(l, src, value, "a value", &cond.n);
        if (cond.n == 1 && hd_slice_eq(cond.values[0], HD_SLICE("*"))) {
            cond.n = 0;
        }
        list = hd_arena_grow(l->arena, list, n, sizeof(*list));
        if (list == NULL || field == RUL_FIELD_NONE) {
            return;
        }
        list[n++] = cond;
    }
    *out = (struct rul_conds){list, n};
}

/* ---- map ---- */

static bool filter_of(const struct hd_yaml_source *src, const struct hd_yaml *node,
                      size_t at, struct hd_slice name, uint8_t *filter)
{
    for (uint8_t i = 0; i < RUL_FILTERS; i++) {
        if (hd_slice_eq(name, hd_slice_str(filter_names[i]))) {
            *filter = i;
            return true;
        }
    }
    struct hd_diag_hint hint;
    hd_yaml_error_at(src, node, at, "unknown filter \"%.*s\"%s",
                     (int)(name.len < 31 ? name.len : 31), (const char *)name.ptr,
                     hd_diag_hint(name, filter_names, RUL_FILTERS, &hint));
    return false;
}

/* "field" or "field:filter" */
static void declare_edge(struct rul_loader *l, const struct hd_yaml_source *src,
                         const struct hd_yaml *node, uint16_t from)
{
    struct hd_slice filter = hd_yaml_text(src, node, "a target of \"map\""), name;
    struct rul_edge edge = {.from = from, .filter = RUL_FILTER_COPY};
    bool has_filter = hd_slice_find_byte(filter, ':') != HD_NPOS;
    (void)hd_slice_split(&filter, ':', &name);
    if (has_filter && !filter_of(src, node, name.len + 1, filter, &edge.filter)) {
        return;
    }
    edge.to = rul_declare_field(l, src, node, name);
    struct rul_edge *edges =
        hd_arena_grow(l->arena, l->edges, l->n_edges, sizeof(*l->edges));
    if (edges == NULL || edge.to == RUL_FIELD_NONE || from == RUL_FIELD_NONE) {
        return;
    }
    l->edges = edges;
    l->edges[l->n_edges++] = edge;
}

static bool maps(const struct rul_map *map, uint16_t field)
{
    for (uint16_t i = 0; i < map->n; i++) {
        if (map->entries[i].field == field) {
            return true;
        }
    }
    return false;
}

/* One entry for each field from which an edge behind the first `known` starts. */
static void finish_map(struct rul_loader *l, const struct hd_yaml_source *src,
                       const struct hd_yaml *node, uint16_t known, struct rul_map *out)
{
    for (uint16_t e = known; e < l->n_edges; e++) {
        uint16_t field = l->edges[e].from;
        if (maps(out, field)) {
            continue;
        }
        struct rul_map_entry *entries =
            hd_arena_grow(l->arena, out->entries, out->n, sizeof(*entries));
        if (entries == NULL) {
            return;
        }
        out->entries = entries;
        entries[out->n++] =
            (struct rul_map_entry){field, make_outlet(l, src, node, field)};
    }
}

void rul_declare_map(struct rul_loader *l, const struct hd_yaml_source *src,
                     const struct hd_yaml *node, struct rul_map *out)
{
    const struct hd_yaml *value, *item;
    uint16_t known = l->n_edges;
    if (!hd_yaml_want(src, node, HD_YAML_MAP, "\"map\"")) {
        return;
    }
    for (value = node->first; value != NULL; value = value->next) {
        uint16_t from = rul_declare_field(l, src, value->key, value->key->text);
        for (item = NULL; (item = hd_yaml_item(value, item)) != NULL;) {
            declare_edge(l, src, item, from);
        }
    }
    finish_map(l, src, node, known, out);
}

void rul_declare_map_of(struct rul_loader *l)
{
    uint16_t *map_of = hd_arena_alloc(l->arena, RUL_FIELDS_MAX, sizeof(*map_of));
    if (map_of == NULL) {
        return;
    }
    for (size_t i = 0; i < RUL_FIELDS_MAX; i++) {
        map_of[i] = RUL_NONE;
    }
    for (uint16_t i = 0; i < l->dec->map.n; i++) {
        map_of[l->dec->map.entries[i].field] = i;
    }
    l->dec->map_of = map_of;
}

/* ---- log sources ---- */

static void read_product(void *ctx, const struct hd_yaml_source *src,
                         const struct hd_yaml *value)
{
    struct rul_logsource *source = ctx;
    source->product = hd_yaml_text(src, value, "\"product\"");
}

static void read_category(void *ctx, const struct hd_yaml_source *src,
                          const struct hd_yaml *value)
{
    struct rul_logsource *source = ctx;
    source->category = hd_yaml_text(src, value, "\"category\"");
}

static void read_service(void *ctx, const struct hd_yaml_source *src,
                         const struct hd_yaml *value)
{
    struct rul_logsource *source = ctx;
    source->service = hd_yaml_text(src, value, "\"service\"");
}

static const struct hd_yaml_key logsource_keys[] = {{"product", false, read_product},
                                                    {"category", false, read_category},
                                                    {"service", false, read_service},
                                                    {NULL, false, NULL}};

uint16_t rul_declare_class(struct rul_loader *l, const struct hd_yaml_source *src,
                           const struct hd_yaml *node)
{
    const struct hd_yaml *item;
    struct rul_logsource sources[SOURCES_MAX];
    uint16_t n = 0;
    for (item = NULL; (item = hd_yaml_item(node, item)) != NULL;) {
        struct rul_logsource source = {0};
        hd_yaml_read_map(src, item, "a log source", logsource_keys, &source);
        if (n == SOURCES_MAX) {
            hd_yaml_error(src, item, "more than %u log sources", SOURCES_MAX);
            break;
        }
        source.product = hd_arena_copy(l->arena, source.product);
        source.category = hd_arena_copy(l->arena, source.category);
        source.service = hd_arena_copy(l->arena, source.service);
        sources[n++] = source;
    }
    return rul_link_class(l, sources, n);
}
