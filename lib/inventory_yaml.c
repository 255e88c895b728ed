/* SPDX-License-Identifier: Apache-2.0
 *
 * Inventory as YAML: a mapping with the one key `systems`, a list of mappings whose keys
 * are the columns; a value is a scalar or, for hosts and networks, a list of scalars.
 * Aliases are refused: they have no place in a list of systems.
 */
#include <haidang/yaml.h>

#include "lib/inventory_build.h"

#define NODES_MAX (HD_INVENTORY_SYSTEMS_MAX * 20U) /* seven keys and their values */

struct reader {
    struct hd_inventory_builder *b;
    struct hd_yaml_source src;
};

static void read_cell(struct reader *r, const struct hd_yaml *node,
                      enum hd_inventory_column column)
{
    if (node->kind != HD_YAML_SCALAR) {
        hd_inventory_error(r->b, node->line, node->column,
                           "expected a text or a list of texts");
        return;
    }
    struct hd_inventory_cell cell = {.column = column,
                                     .value = hd_yaml_is_null(node) ? HD_SLICE_EMPTY
                                                                    : node->text,
                                     .line = node->line,
                                     .col = node->column + (node->is_quoted ? 1 : 0)};
    hd_inventory_row_cell(r->b, &cell);
}

static void read_system(struct reader *r, const struct hd_yaml *node)
{
    if (node->kind != HD_YAML_MAP) {
        hd_yaml_error(&r->src, node, "expected a system: a mapping with id, name, ...");
        return;
    }
    hd_inventory_row_begin(r->b, node->line);
    for (const struct hd_yaml *v = node->first; v != NULL; v = v->next) {
        enum hd_inventory_column column =
            hd_inventory_column(r->b, v->key->text, v->key->line, v->key->column);
        const struct hd_yaml *item = NULL;
        while ((item = hd_yaml_item(v, item)) != NULL) {
            read_cell(r, item, column);
        }
    }
    hd_inventory_row_end(r->b);
}

static void read_systems(void *ctx, const struct hd_yaml_source *src,
                         const struct hd_yaml *value)
{
    struct reader *r = ctx;
    if (!hd_yaml_want(src, value, HD_YAML_LIST, "\"systems\"")) {
        return;
    }
    for (const struct hd_yaml *s = value->first; s != NULL && r->b->err == HD_OK;
         s = s->next) {
        read_system(r, s);
    }
}

static const struct hd_yaml_key inventory_keys[] = {{"systems", true, read_systems},
                                                    {NULL, false, NULL}};

void hd_inventory_read_yaml(struct hd_inventory_builder *b, struct hd_slice text)
{
    struct reader r = {.b = b,
                       .src = {.file = b->file,
                               .diags = b->diags,
                               .bytes_max = HD_INVENTORY_FILE_MAX,
                               .nodes_max = NODES_MAX}};
    const struct hd_yaml *docs = NULL;
    struct hd_arena arena;
    hd_arena_init(&arena, 0);
    int err = hd_yaml_parse(&r.src, text, &arena, &docs);
    if (err == HD_ENOMEM) {
        b->err = err;
    } else if (docs != NULL) {
        hd_yaml_read_map(&r.src, docs, "an inventory", inventory_keys, &r);
    } else if (err == HD_OK) {
        hd_inventory_error(b, 0, 0, "expected `systems:` and a list of systems");
    }
    if (docs != NULL && docs->next != NULL) {
        hd_yaml_error(&r.src, docs->next, "a second document: only one is allowed");
    }
    hd_arena_fini(&arena);
}
