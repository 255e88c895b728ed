/* SPDX-License-Identifier: Apache-2.0 */
#include <haidang/csv.h>

struct hd_csv hd_csv(struct hd_slice text)
{
    if (hd_slice_starts(text, HD_SLICE("\xef\xbb\xbf"))) {
        text = hd_slice_from(text, 3);
    }
    return (struct hd_csv){.text = text, .line = 1, .column = 1};
}

static bool at_end(const struct hd_csv *csv)
{
    return csv->pos >= csv->text.len;
}

static uint8_t peek(const struct hd_csv *csv)
{
    return csv->text.ptr[csv->pos];
}

static void step(struct hd_csv *csv)
{
    if (peek(csv) == '\n') {
        csv->line++;
        csv->column = 0;
    }
    csv->column++;
    csv->pos++;
}

static void skip_line(struct hd_csv *csv)
{
    while (!at_end(csv) && peek(csv) != '\n') {
        step(csv);
    }
    if (!at_end(csv)) {
        step(csv);
    }
}

static bool at_row_end(const struct hd_csv *csv)
{
    struct hd_slice left = hd_slice_from(csv->text, csv->pos);
    return left.len == 0 || left.ptr[0] == '\n' ||
           hd_slice_starts(left, HD_SLICE("\r\n"));
}

/* Between rows: to the first line that is neither empty nor a comment. */
static void skip_blank(struct hd_csv *csv)
{
    while (!at_end(csv) && (at_row_end(csv) || peek(csv) == '#')) {
        skip_line(csv);
    }
}

static int bad(struct hd_csv *csv, const char *why)
{
    csv->why = why;
    csv->in_row = false;
    skip_line(csv);
    return HD_EPARSE;
}

static int quoted(struct hd_csv *csv, struct hd_csv_cell *cell)
{
    struct hd_csv start = *csv;
    cell->quoted = true;
    step(csv);
    size_t from = csv->pos;
    for (;; step(csv)) {
        if (at_end(csv)) {
            *csv = start;
            return bad(csv, "the quoted cell that begins here is never closed");
        }
        if (peek(csv) != '"') {
            continue;
        }
        step(csv);
        if (at_end(csv) || peek(csv) != '"') {
            break;
        }
    }
    cell->raw = hd_slice(csv->text.ptr + from, csv->pos - 1 - from);
    if (!at_row_end(csv) && peek(csv) != ',') {
        cell->line = csv->line;
        cell->column = csv->column;
        return bad(csv, "text after the closing quote; a quote inside a quoted cell is "
                        "written twice");
    }
    return 1;
}

static int plain(struct hd_csv *csv, struct hd_csv_cell *cell)
{
    size_t from = csv->pos;
    while (!at_row_end(csv) && peek(csv) != ',') {
        if (peek(csv) == '"') {
            cell->line = csv->line;
            cell->column = csv->column;
            return bad(csv, "a cell with a quote in it must be quoted as a whole");
        }
        step(csv);
    }
    cell->raw = hd_slice(csv->text.ptr + from, csv->pos - from);
    return 1;
}

int hd_csv_next(struct hd_csv *csv, struct hd_csv_cell *cell)
{
    if (!csv->in_row) {
        skip_blank(csv);
        if (at_end(csv)) {
            return 0;
        }
    }
    csv->in_row = true;
    *cell = (struct hd_csv_cell){.line = csv->line, .column = csv->column};
    bool is_quoted = !at_end(csv) && peek(csv) == '"';
    int rc = is_quoted ? quoted(csv, cell) : plain(csv, cell);
    if (rc < 0) {
        return rc;
    }
    if (at_row_end(csv)) {
        cell->ends_row = true;
        csv->in_row = false;
        skip_line(csv);
    } else {
        step(csv); /* the comma */
    }
    return 1;
}

void hd_csv_value(const struct hd_csv_cell *cell, struct hd_buf *out)
{
    struct hd_slice rest = cell->raw;
    size_t at;
    while (cell->quoted && (at = hd_slice_find_byte(rest, '"')) != HD_NPOS) {
        hd_buf_slice_add(out, hd_slice_head(rest, at + 1));
        rest = hd_slice_from(rest, at + 2);
    }
    hd_buf_slice_add(out, rest);
}
