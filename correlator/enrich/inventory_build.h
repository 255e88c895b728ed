/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the two readers of inventory files and the inventory: a reader says which rows
 * and cells it found and where; this checks and keeps them. Internal to enrich/.
 */
#pragma once
#include <haidang/buf.h>
#include <haidang/diag.h>

#include "correlator/enrich/inventory.h"

enum cor_inventory_column {
    COR_COLUMN_UNKNOWN,
    COR_COLUMN_IGNORED, /* known from published inventories, of no use here */
    COR_COLUMN_ID,
    COR_COLUMN_NAME,
    COR_COLUMN_AGENCY,
    COR_COLUMN_LEVEL,
    COR_COLUMN_HOSTS,
    COR_COLUMN_NETWORKS,
    COR_COLUMN_CONTACT,
    COR_COLUMN_SECRET,
    COR_COLUMN_COUNT,
};

struct cor_inventory_builder {
    struct cor_inventory *inventory;
    struct hd_diags *diags;
    const char *file;
    struct cor_system row;
    unsigned row_errors;
    uint32_t seen; /* bit per column of this row */
    int err;       /* HD_ENOMEM or HD_ELIMIT; sticky */
};

struct cor_inventory_cell {
    enum cor_inventory_column column;
    struct hd_slice value;
    unsigned line, col;
};

/* Column by its name or alias, without case. Unknown names are reported. */
enum cor_inventory_column cor_inventory_column(struct cor_inventory_builder *b,
                                               struct hd_slice name, unsigned line,
                                               unsigned col);
void cor_inventory_row_begin(struct cor_inventory_builder *b, unsigned line);
void cor_inventory_row_cell(struct cor_inventory_builder *b,
                            const struct cor_inventory_cell *cell);
void cor_inventory_row_end(struct cor_inventory_builder *b);
void cor_inventory_error(struct cor_inventory_builder *b, unsigned line, unsigned col,
                         const char *fmt, ...) HD_PRINTF(4, 5);

/* The readers. Problems go to b; b->err says what ended it. */
void cor_inventory_read_csv(struct cor_inventory_builder *b, struct hd_slice text);
void cor_inventory_read_yaml(struct cor_inventory_builder *b, struct hd_slice text);
