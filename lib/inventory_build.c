/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks and keeps what the readers found. A row's hosts and networks are registered as
 * they come, under the number that the row will have: when the row turns out to be wrong
 * the whole inventory is refused anyway.
 */
#include "lib/inventory_build.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/array.h>
#include <haidang/hash.h>
#include <haidang/num.h>
#include <haidang/utf8.h>

#include "lib/inventory_table.h"

#define ID_MAX    128U
#define LEVEL_MAX 5U

/* Names under which a column is known; the first of each is ours. */
static const struct {
    const char *name;
    enum hd_inventory_column column;
} columns[] = {
    {"id", HD_COLUMN_ID},
    {"name", HD_COLUMN_NAME},
    {"name_vi", HD_COLUMN_NAME},
    {"agency", HD_COLUMN_AGENCY},
    {"managing_agency", HD_COLUMN_AGENCY},
    {"managing_agency_vi", HD_COLUMN_AGENCY},
    {"level", HD_COLUMN_LEVEL},
    {"hosts", HD_COLUMN_HOSTS},
    {"host", HD_COLUMN_HOSTS},
    {"networks", HD_COLUMN_NETWORKS},
    {"network", HD_COLUMN_NETWORKS},
    {"contact", HD_COLUMN_CONTACT},
    {"secret", HD_COLUMN_SECRET},
    {"excluded", HD_COLUMN_SECRET},
    {"province", HD_COLUMN_IGNORED},
    {"kind", HD_COLUMN_IGNORED},
    {"sharing", HD_COLUMN_IGNORED},
    {"network_notes", HD_COLUMN_IGNORED},
    {"notes", HD_COLUMN_IGNORED},
    {"seed", HD_COLUMN_IGNORED},
};
#define N_COLUMNS (sizeof(columns) / sizeof(columns[0]))

void hd_inventory_error(struct hd_inventory_builder *b, unsigned line, unsigned col,
                        const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    hd_diag_error(b->diags, b->file, line, col, "%s", text);
    b->row_errors++;
}

enum hd_inventory_column hd_inventory_column(struct hd_inventory_builder *b,
                                             struct hd_slice name, unsigned line,
                                             unsigned col)
{
    const char *words[N_COLUMNS];
    name = hd_slice_trim(name);
    for (size_t i = 0; i < N_COLUMNS; i++) {
        words[i] = columns[i].name;
        if (hd_slice_eq_nocase(hd_slice_str(columns[i].name), name)) {
            return columns[i].column;
        }
    }
    struct hd_diag_hint hint;
    struct hd_slice shown = hd_slice_head(name, ID_MAX);
    hd_diag_warn(b->diags, b->file, line, col, "column \"%.*s\" is not known: left out%s",
                 HD_SLICE_FMT(shown), hd_diag_hint(name, words, N_COLUMNS, &hint));
    return HD_COLUMN_UNKNOWN;
}

void hd_inventory_row_begin(struct hd_inventory_builder *b, unsigned line)
{
    hd_system_fini(&b->row);
    b->row.line = line;
    b->row_errors = 0;
    b->seen = 0;
}

/* ---- cells ---- */

static void set_text(struct hd_inventory_builder *b, const struct hd_inventory_cell *cell,
                     char **out)
{
    if (cell->value.len > HD_INVENTORY_TEXT_MAX) {
        hd_inventory_error(b, cell->line, cell->col, "the text is longer than %u bytes",
                           HD_INVENTORY_TEXT_MAX);
        return;
    }
    if (!hd_utf8_is_valid(cell->value) || hd_slice_find_byte(cell->value, 0) != HD_NPOS) {
        hd_inventory_error(b, cell->line, cell->col,
                           "the text is not UTF-8; save the file as UTF-8");
        return;
    }
    free(*out);
    *out = hd_slice_dup(cell->value);
    if (*out == NULL) {
        b->err = HD_ENOMEM;
    }
}

static bool is_id(struct hd_slice id)
{
    for (size_t i = 0; i < id.len; i++) {
        uint8_t c = id.ptr[i];
        if (!hd_is_alnum(c) && c != '-' && c != '_' && c != '.') {
            return false;
        }
    }
    return id.len > 0 && id.len <= ID_MAX;
}

static void set_id(struct hd_inventory_builder *b, const struct hd_inventory_cell *cell)
{
    if (!is_id(cell->value)) {
        hd_inventory_error(b, cell->line, cell->col,
                           "an id is 1 to %u letters, digits, '-', '_' and '.'", ID_MAX);
        return;
    }
    uint32_t other = hd_inventory_find_id(b->inventory, cell->value);
    if (other != HD_INDEX_NONE) {
        hd_inventory_error(b, cell->line, cell->col,
                           "the id is taken by the system of line %u",
                           b->inventory->systems[other].line);
        return;
    }
    set_text(b, cell, &b->row.id);
}

static void set_level(struct hd_inventory_builder *b,
                      const struct hd_inventory_cell *cell)
{
    uint32_t level = 0;
    if (hd_num_u32(cell->value, LEVEL_MAX, &level) != HD_OK || level == 0) {
        hd_inventory_error(b, cell->line, cell->col,
                           "a level is a number from 1 to %u, or empty", LEVEL_MAX);
        return;
    }
    b->row.level = (uint8_t)level;
}

static void set_secret(struct hd_inventory_builder *b,
                       const struct hd_inventory_cell *cell)
{
    if (hd_num_bool(cell->value, &b->row.secret) != HD_OK) {
        hd_inventory_error(b, cell->line, cell->col, "say yes or no");
    }
}

/* The line of the system with this number: the current row has the next number. */
static unsigned line_of(const struct hd_inventory_builder *b, uint32_t system)
{
    return system < b->inventory->n_systems ? b->inventory->systems[system].line
                                            : b->row.line;
}

static int keep_host(struct hd_inventory *inv, struct hd_slice name)
{
    if (inv->n_hosts == HD_INVENTORY_HOSTS_MAX) {
        return HD_ELIMIT;
    }
    struct hd_inventory_host *more =
        hd_array_grow(inv->hosts, inv->n_hosts, sizeof(*more));
    if (more == NULL) {
        return HD_ENOMEM;
    }
    inv->hosts = more;
    char *copy = hd_slice_dup(name);
    if (copy == NULL) {
        return HD_ENOMEM;
    }
    int err = hd_index_add(&inv->by_host, hd_inventory_host_hash(name), inv->n_hosts);
    if (err != HD_OK) {
        free(copy);
        return err;
    }
    inv->hosts[inv->n_hosts++] = (struct hd_inventory_host){copy, inv->n_systems};
    return HD_OK;
}

static void add_host(struct hd_inventory_builder *b, const struct hd_inventory_cell *cell)
{
    struct hd_slice name = cell->value;
    if (name.len > HD_INVENTORY_HOST_MAX || !hd_utf8_is_valid(name) ||
        hd_slice_find_byte(name, 0) != HD_NPOS) {
        hd_inventory_error(b, cell->line, cell->col,
                           "a host name is UTF-8 of at most %u bytes",
                           HD_INVENTORY_HOST_MAX);
        return;
    }
    uint32_t other = hd_inventory_find_host(b->inventory, name);
    if (other != HD_INDEX_NONE) {
        hd_inventory_error(b, cell->line, cell->col,
                           "host \"%.*s\" belongs to the system of line %u already",
                           HD_SLICE_FMT(name),
                           line_of(b, b->inventory->hosts[other].system));
        return;
    }
    int err = keep_host(b->inventory, name);
    b->err = err != HD_OK ? err : b->err;
}

static void add_network(struct hd_inventory_builder *b,
                        const struct hd_inventory_cell *cell)
{
    struct hd_cidr cidr;
    int err = hd_cidr_parse(cell->value, &cidr);
    if (err != HD_OK) {
        hd_inventory_error(b, cell->line, cell->col,
                           "%s: write 203.0.113.0/24 or "
                           "2001:db8:1::/48",
                           err == HD_EINVAL ? "the address has bits beyond its prefix"
                                            : "not a network");
        return;
    }
    uint32_t other = 0;
    err = b->inventory->nets.n >= HD_INVENTORY_NETS_MAX
              ? HD_ELIMIT
              : hd_nets_add(&b->inventory->nets, &cidr, b->inventory->n_systems, &other);
    if (err == HD_EEXIST) {
        hd_inventory_error(b, cell->line, cell->col,
                           "the network belongs to the system of line %u already",
                           line_of(b, other));
    } else if (err != HD_OK) {
        b->err = err;
    }
}

static bool is_separator(uint8_t c)
{
    return c == ',' || c == ';' || c == '|' || hd_is_space(c);
}

/* A cell with several words: "web1; web2", each with its own column for messages. */
static void each_word(struct hd_inventory_builder *b,
                      const struct hd_inventory_cell *cell,
                      void (*add)(struct hd_inventory_builder *,
                                  const struct hd_inventory_cell *))
{
    struct hd_slice all = cell->value;
    for (size_t i = 0; i < all.len && b->err == HD_OK;) {
        if (is_separator(all.ptr[i])) {
            i++;
            continue;
        }
        size_t from = i;
        while (i < all.len && !is_separator(all.ptr[i])) {
            i++;
        }
        struct hd_inventory_cell word = *cell;
        word.value = hd_slice(all.ptr + from, i - from);
        word.col += (unsigned)from;
        add(b, &word);
    }
}

void hd_inventory_row_cell(struct hd_inventory_builder *b,
                           const struct hd_inventory_cell *given)
{
    struct hd_inventory_cell cell = *given;
    bool is_list = cell.column == HD_COLUMN_HOSTS || cell.column == HD_COLUMN_NETWORKS;
    if (!is_list) {
        cell.value = hd_slice_trim(cell.value);
    }
    if (b->err != HD_OK || cell.value.len == 0) {
        return;
    }
    if (!is_list && ((b->seen >> cell.column) & 1U) != 0 && cell.column >= HD_COLUMN_ID) {
        hd_inventory_error(b, cell.line, cell.col, "given twice for this system");
        return;
    }
    b->seen |= 1U << cell.column;
    switch (cell.column) {
    case HD_COLUMN_ID:
        set_id(b, &cell);
        break;
    case HD_COLUMN_NAME:
        set_text(b, &cell, &b->row.name);
        break;
    case HD_COLUMN_AGENCY:
        set_text(b, &cell, &b->row.agency);
        break;
    case HD_COLUMN_CONTACT:
        set_text(b, &cell, &b->row.contact);
        break;
    case HD_COLUMN_LEVEL:
        set_level(b, &cell);
        break;
    case HD_COLUMN_SECRET:
        set_secret(b, &cell);
        break;
    case HD_COLUMN_HOSTS:
        each_word(b, &cell, add_host);
        break;
    case HD_COLUMN_NETWORKS:
        each_word(b, &cell, add_network);
        break;
    default:
        break;
    }
}

/* ---- rows ---- */

static int keep_row(struct hd_inventory_builder *b)
{
    struct hd_inventory *inv = b->inventory;
    if (inv->n_systems == HD_INVENTORY_SYSTEMS_MAX) {
        return HD_ELIMIT;
    }
    struct hd_system *more = hd_array_grow(inv->systems, inv->n_systems, sizeof(*more));
    if (more == NULL) {
        return HD_ENOMEM;
    }
    inv->systems = more;
    char **texts[] = {&b->row.name, &b->row.agency, &b->row.contact};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (*texts[i] == NULL && (*texts[i] = hd_slice_dup(HD_SLICE_EMPTY)) == NULL) {
            return HD_ENOMEM;
        }
    }
    int err = hd_index_add(&inv->by_id, hd_hash(hd_slice_str(b->row.id)), inv->n_systems);
    if (err != HD_OK) {
        return err;
    }
    inv->systems[inv->n_systems++] = b->row;
    b->row = (struct hd_system){0};
    return HD_OK;
}

void hd_inventory_row_end(struct hd_inventory_builder *b)
{
    if (b->err != HD_OK) {
        return;
    }
    if (b->row_errors == 0 && b->row.id == NULL) {
        hd_inventory_error(b, b->row.line, 0, "the system has no id");
    }
    if (b->row_errors == 0 && b->row.name == NULL) {
        hd_inventory_error(b, b->row.line, 0, "the system has no name");
    }
    /* A row with errors keeps its number, so that later messages name the right line. */
    if (b->row.id == NULL) {
        hd_system_fini(&b->row);
        return;
    }
    b->err = keep_row(b);
    if (b->err == HD_ELIMIT) {
        hd_inventory_error(b, b->row.line, 0, "more than %u systems",
                           HD_INVENTORY_SYSTEMS_MAX);
    }
}
