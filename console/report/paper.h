/* SPDX-License-Identifier: Apache-2.0
 *
 * What a report is written on: Markdown (of GitHub's kind) or one HTML file that needs
 * nothing else and runs nothing. All texts may come from strangers: control bytes are
 * made visible, and whatever either language would take for its own is escaped.
 */
#pragma once
#include <stdbool.h>

#include <haidang/buf.h>

#define CON_PAPER_COLUMNS 8U

struct con_paper {
    struct hd_buf *out; /* borrowed */
    bool is_html;
    size_t columns; /* of the table at hand */
    bool is_number[CON_PAPER_COLUMNS];
    bool is_list; /* items are being written */
};

/* `language`: "en", "vi". */
void con_paper_begin(struct con_paper *paper, const char *language, const char *title);
void con_paper_end(struct con_paper *paper);
void con_paper_heading(struct con_paper *paper, const char *text);
void con_paper_text(struct con_paper *paper, const char *fmt, ...) HD_PRINTF(2, 3);
void con_paper_item(struct con_paper *paper, const char *fmt, ...) HD_PRINTF(2, 3);

/* Heads of the columns, ended by NULL, at most CON_PAPER_COLUMNS; of those that begin
 * with '#', which is not shown, the cells are numbers. Then as many cells a row. */
void con_paper_table(struct con_paper *paper, const char *const *heads);
void con_paper_row(struct con_paper *paper, const char *const *cells);
void con_paper_table_end(struct con_paper *paper);
