/* SPDX-License-Identifier: Apache-2.0
 *
 * Inventory as CSV: the first row names the columns.
 */
#include <haidang/csv.h>

#include "lib/inventory_build.h"

#define COLUMNS_MAX 64U

struct reader {
    struct hd_inventory_builder *b;
    struct hd_csv csv;
    struct hd_buf value; /* scratch: a cell without its doubled quotes */
    enum hd_inventory_column columns[COLUMNS_MAX];
    unsigned n_columns;
};

static struct hd_slice value_of(struct reader *r, const struct hd_csv_cell *cell)
{
    hd_buf_clear(&r->value);
    hd_csv_value(cell, &r->value);
    if (r->value.err != 0) {
        r->b->err = r->value.err;
    }
    return hd_buf_slice(&r->value);
}

/* The next cell; reports what does not parse and goes on with the next line. */
static int next_cell(struct reader *r, struct hd_csv_cell *cell)
{
    int rc = hd_csv_next(&r->csv, cell);
    if (rc < 0) {
        hd_inventory_error(r->b, cell->line, cell->column, "%s", r->csv.why);
    }
    return rc;
}

static bool has_column(const struct reader *r, enum hd_inventory_column column)
{
    for (unsigned i = 0; i < r->n_columns; i++) {
        if (r->columns[i] == column) {
            return true;
        }
    }
    return false;
}

static bool read_header(struct reader *r)
{
    struct hd_csv_cell cell = {0};
    while (!cell.ends_row) {
        int rc = next_cell(r, &cell);
        if (rc <= 0) {
            if (rc == 0) {
                hd_inventory_error(r->b, 0, 0, "the file has no header row");
            }
            return false;
        }
        if (r->n_columns == COLUMNS_MAX) {
            hd_inventory_error(r->b, cell.line, cell.column, "more than %u columns",
                               COLUMNS_MAX);
            return false;
        }
        enum hd_inventory_column column =
            hd_inventory_column(r->b, value_of(r, &cell), cell.line, cell.column);
        if (column >= HD_COLUMN_ID && has_column(r, column)) {
            hd_inventory_error(r->b, cell.line, cell.column,
                               "this column is in the table twice");
        }
        r->columns[r->n_columns++] = column;
    }
    if (!has_column(r, HD_COLUMN_ID) || !has_column(r, HD_COLUMN_NAME)) {
        hd_inventory_error(r->b, cell.line, 0,
                           "the header row must name the columns \"id\" and \"name\"");
        return false;
    }
    return true;
}

static void take(struct reader *r, unsigned i, const struct hd_csv_cell *cell)
{
    if (i >= r->n_columns) {
        if (i == r->n_columns) {
            hd_inventory_error(r->b, cell->line, cell->column,
                               "more cells than the header row has columns (%u)",
                               r->n_columns);
        }
        return;
    }
    struct hd_inventory_cell out = {.column = r->columns[i],
                                    .value = value_of(r, cell),
                                    .line = cell->line,
                                    .col = cell->column + (cell->quoted ? 1 : 0)};
    hd_inventory_row_cell(r->b, &out);
}

/* One row; false at the end of the file. */
static bool read_row(struct reader *r)
{
    struct hd_csv_cell cell = {0};
    for (unsigned i = 0; !cell.ends_row; i++) {
        int rc = next_cell(r, &cell);
        if (rc < 0) {
            return true;
        }
        if (rc == 0) {
            return false;
        }
        if (i == 0) {
            hd_inventory_row_begin(r->b, cell.line);
        }
        take(r, i, &cell);
    }
    hd_inventory_row_end(r->b);
    return true;
}

void hd_inventory_read_csv(struct hd_inventory_builder *b, struct hd_slice text)
{
    struct reader r = {.b = b, .csv = hd_csv(text)};
    hd_buf_init(&r.value, HD_INVENTORY_FILE_MAX);
    if (read_header(&r)) {
        while (b->err == HD_OK && read_row(&r)) {
        }
    }
    hd_buf_fini(&r.value);
}
