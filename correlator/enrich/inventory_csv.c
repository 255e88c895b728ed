/* SPDX-License-Identifier: Apache-2.0
 *
 * Inventory as CSV: the first row names the columns.
 */
#include "correlator/enrich/csv.h"
#include "correlator/enrich/inventory_build.h"

#define COLUMNS_MAX 64U

struct reader {
    struct cor_inventory_builder *b;
    struct cor_csv csv;
    struct hd_buf value; /* scratch: a cell without its doubled quotes */
    enum cor_inventory_column columns[COLUMNS_MAX];
    unsigned n_columns;
};

static struct hd_slice value_of(struct reader *r, const struct cor_csv_cell *cell)
{
    hd_buf_clear(&r->value);
    cor_csv_value(cell, &r->value);
    if (r->value.err != 0) {
        r->b->err = r->value.err;
    }
    return hd_buf_slice(&r->value);
}

/* The next cell; reports what does not parse and goes on with the next line. */
static int next_cell(struct reader *r, struct cor_csv_cell *cell)
{
    int rc = cor_csv_next(&r->csv, cell);
    if (rc < 0) {
        cor_inventory_error(r->b, cell->line, cell->column, "%s", r->csv.why);
    }
    return rc;
}

static bool has_column(const struct reader *r, enum cor_inventory_column column)
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
    struct cor_csv_cell cell = {0};
    while (!cell.ends_row) {
        int rc = next_cell(r, &cell);
        if (rc <= 0) {
            if (rc == 0) {
                cor_inventory_error(r->b, 0, 0, "the file has no header row");
            }
            return false;
        }
        if (r->n_columns == COLUMNS_MAX) {
            cor_inventory_error(r->b, cell.line, cell.column, "more than %u columns",
                                COLUMNS_MAX);
            return false;
        }
        enum cor_inventory_column column =
            cor_inventory_column(r->b, value_of(r, &cell), cell.line, cell.column);
        if (column >= COR_COLUMN_ID && has_column(r, column)) {
            cor_inventory_error(r->b, cell.line, cell.column,
                                "this column is in the table twice");
        }
        r->columns[r->n_columns++] = column;
    }
    if (!has_column(r, COR_COLUMN_ID) || !has_column(r, COR_COLUMN_NAME)) {
        cor_inventory_error(r->b, cell.line, 0,
                            "the header row must name the columns \"id\" and \"name\"");
        return false;
    }
    return true;
}

static void take(struct reader *r, unsigned i, const struct cor_csv_cell *cell)
{
    if (i >= r->n_columns) {
        if (i == r->n_columns) {
            cor_inventory_error(r->b, cell->line, cell->column,
                                "more cells than the header row has columns (%u)",
                                r->n_columns);
        }
        return;
    }
    struct cor_inventory_cell out = {.column = r->columns[i],
                                     .value = value_of(r, cell),
                                     .line = cell->line,
                                     .col = cell->column + (cell->quoted ? 1 : 0)};
    cor_inventory_row_cell(r->b, &out);
}

/* One row; false at the end of the file. */
static bool read_row(struct reader *r)
{
    struct cor_csv_cell cell = {0};
    for (unsigned i = 0; !cell.ends_row; i++) {
        int rc = next_cell(r, &cell);
        if (rc < 0) {
            return true;
        }
        if (rc == 0) {
            return false;
        }
        if (i == 0) {
            cor_inventory_row_begin(r->b, cell.line);
        }
        take(r, i, &cell);
    }
    cor_inventory_row_end(r->b);
    return true;
}

void cor_inventory_read_csv(struct cor_inventory_builder *b, struct hd_slice text)
{
    struct reader r = {.b = b, .csv = cor_csv(text)};
    hd_buf_init(&r.value, COR_INVENTORY_FILE_MAX);
    if (read_header(&r)) {
        while (b->err == HD_OK && read_row(&r)) {
        }
    }
    hd_buf_fini(&r.value);
}
