/* SPDX-License-Identifier: Apache-2.0
 *
 * Comma-separated values (RFC 4180 section 2), a pure cursor over text in memory:
 *     file  = [bom] *(row)          row  = cell *("," cell) (LF / CRLF / end)
 *     cell  = *(any byte but "," CR LF DQUOTE)  /  DQUOTE *(any / 2DQUOTE) DQUOTE
 * Beyond the RFC: a line feed alone ends a row, empty lines and lines that start with "#"
 * are passed over.
 */
#pragma once
#include <stdbool.h>

#include <haidang/buf.h>
#include <haidang/slice.h>

struct hd_csv {
    struct hd_slice text;
    size_t pos;
    unsigned line, column; /* of pos, from 1 */
    bool in_row;
    const char *why; /* after HD_EPARSE: what is wrong */
};

struct hd_csv_cell {
    struct hd_slice raw; /* between the quotes when quoted */
    bool quoted;
    bool ends_row;
    unsigned line, column; /* where it begins */
};

struct hd_csv hd_csv(struct hd_slice text);
/* 1 = a cell, 0 = end of the text, HD_EPARSE = cell->line and column say where, csv->why
 * what; the cursor then stands at the beginning of the next line. */
int hd_csv_next(struct hd_csv *csv, struct hd_csv_cell *cell) HD_MUST_USE;
/* Appends the cell's value: doubled quotes become one. */
void hd_csv_value(const struct hd_csv_cell *cell, struct hd_buf *out);
