/* SPDX-License-Identifier: Apache-2.0
 *
 * Inventory as YAML: a mapping with the one key `systems`, a list of mappings whose keys
 * are the columns; a value is a scalar or, for hosts and networks, a list of scalars.
 * Read as events, so that every message has its line and column. Aliases are refused:
 * they have no place in a list of systems.
 */
#include <yaml.h>

#include "correlator/enrich/inventory_build.h"

struct reader {
    struct cor_inventory_builder *b;
    yaml_parser_t parser;
    yaml_event_t event;
    bool has_event;
    bool failed;
};

static unsigned line(const struct reader *r)
{
    return (unsigned)r->event.start_mark.line + 1;
}

static unsigned col(const struct reader *r)
{
    return (unsigned)r->event.start_mark.column + 1;
}

static void fail(struct reader *r, const char *why)
{
    if (!r->failed) {
        cor_inventory_error(r->b, line(r), col(r), "%s", why);
    }
    r->failed = true;
}

/* The next event's type; YAML_NO_EVENT once anything is wrong. */
static yaml_event_type_t next(struct reader *r)
{
    if (r->has_event) {
        yaml_event_delete(&r->event);
        r->has_event = false;
    }
    if (r->failed || r->b->err != HD_OK) {
        return YAML_NO_EVENT;
    }
    if (!yaml_parser_parse(&r->parser, &r->event)) {
        if (r->parser.error == YAML_MEMORY_ERROR) {
            r->b->err = HD_ENOMEM;
        }
        cor_inventory_error(r->b, (unsigned)r->parser.problem_mark.line + 1,
                            (unsigned)r->parser.problem_mark.column + 1, "not YAML: %s",
                            r->parser.problem == NULL ? "?" : r->parser.problem);
        r->failed = true;
        return YAML_NO_EVENT;
    }
    r->has_event = true;
    if (r->event.type == YAML_ALIAS_EVENT) {
        fail(r, "an alias cannot be used here");
        return YAML_NO_EVENT;
    }
    return r->event.type;
}

static struct hd_slice scalar(const struct reader *r)
{
    return hd_slice(r->event.data.scalar.value, r->event.data.scalar.length);
}

static void take(struct reader *r, enum cor_inventory_column column)
{
    bool is_plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    struct cor_inventory_cell cell = {.column = column,
                                      .value = scalar(r),
                                      .line = line(r),
                                      .col = col(r) + (is_plain ? 0 : 1)};
    if (is_plain && (hd_slice_eq(cell.value, HD_SLICE("~")) ||
                     hd_slice_eq(cell.value, HD_SLICE("null")))) {
        cell.value = HD_SLICE_EMPTY;
    }
    cor_inventory_row_cell(r->b, &cell);
}

static void read_value(struct reader *r, enum cor_inventory_column column)
{
    yaml_event_type_t type = next(r);
    if (type == YAML_SCALAR_EVENT) {
        take(r, column);
    } else if (type == YAML_SEQUENCE_START_EVENT) {
        while ((type = next(r)) == YAML_SCALAR_EVENT) {
            take(r, column);
        }
        if (type != YAML_SEQUENCE_END_EVENT && type != YAML_NO_EVENT) {
            fail(r, "expected a word in this list");
        }
    } else if (type != YAML_NO_EVENT) {
        fail(r, "expected a text or a list of texts");
    }
}

static void read_system(struct reader *r)
{
    cor_inventory_row_begin(r->b, line(r));
    yaml_event_type_t type;
    while ((type = next(r)) == YAML_SCALAR_EVENT) {
        enum cor_inventory_column column =
            cor_inventory_column(r->b, scalar(r), line(r), col(r));
        read_value(r, column);
    }
    if (type == YAML_MAPPING_END_EVENT) {
        cor_inventory_row_end(r->b);
    } else if (type != YAML_NO_EVENT) {
        fail(r, "expected a column name: id, name, agency, level, hosts, networks, "
                "contact, secret");
    }
}

static void read_systems(struct reader *r)
{
    yaml_event_type_t type = next(r);
    if (type != YAML_SEQUENCE_START_EVENT) {
        fail(r, "expected a list of systems");
        return;
    }
    while ((type = next(r)) == YAML_MAPPING_START_EVENT) {
        read_system(r);
    }
    if (type != YAML_SEQUENCE_END_EVENT) {
        fail(r, "expected a system: a mapping with id, name, ...");
    }
}

static void read_document(struct reader *r)
{
    if (next(r) != YAML_STREAM_START_EVENT || next(r) != YAML_DOCUMENT_START_EVENT ||
        next(r) != YAML_MAPPING_START_EVENT) {
        fail(r, "expected `systems:` and a list of systems");
        return;
    }
    yaml_event_type_t type;
    bool has_systems = false;
    while ((type = next(r)) == YAML_SCALAR_EVENT) {
        if (!hd_slice_eq(scalar(r), HD_SLICE("systems")) || has_systems) {
            fail(r, "the only key here is `systems`, once");
            return;
        }
        has_systems = true;
        read_systems(r);
    }
    if (type == YAML_MAPPING_END_EVENT && !has_systems) {
        fail(r, "the key `systems` is missing");
    }
}

void cor_inventory_read_yaml(struct cor_inventory_builder *b, struct hd_slice text)
{
    struct reader r = {.b = b};
    if (!yaml_parser_initialize(&r.parser)) {
        b->err = HD_ENOMEM;
        return;
    }
    yaml_parser_set_input_string(&r.parser, text.ptr, text.len);
    read_document(&r);
    if (r.has_event) {
        yaml_event_delete(&r.event);
    }
    yaml_parser_delete(&r.parser);
}
