/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the two readers of inventory files and the inventory: a reader says which rows
 * and cells it found and where; this checks and keeps them. Internal to lib/.
 */
#pragma once
#include <haidang/buf.h>
#include <haidang/diag.h>
#include <haidang/inventory.h>

enum hd_inventory_column {
    HD_COLUMN_UNKNOWN,
    HD_COLUMN_IGNORED, /* known from published inventories, of no use here */
    HD_COLUMN_ID,
    HD_COLUMN_NAME,
    HD_COLUMN_AGENCY,
    HD_COLUMN_LEVEL,
    HD_COLUMN_HOSTS,
    HD_COLUMN_NETWORKS,
    HD_COLUMN_CONTACT,
    HD_COLUMN_SECRET,
    HD_COLUMN_COUNT,
};

struct hd_inventory_builder {
    struct hd_inventory *inventory;
    struct hd_diags *diags;
    const char *file;
    struct hd_system row;
    unsigned row_errors;
    uint32_t seen; /* bit per column of this row */
    int err;       /* HD_ENOMEM or HD_ELIMIT; sticky */
};

struct hd_inventory_cell {
    enum hd_inventory_column column;
    struct hd_slice value;
    unsigned line, col;
};

/* Column by its name or alias, without case. Unknown names are reported. */
enum hd_inventory_column hd_inventory_column(struct hd_inventory_builder *b,
                                             struct hd_slice name, unsigned line,
                                             unsigned col);
void hd_inventory_row_begin(struct hd_inventory_builder *b, unsigned line);
void hd_inventory_row_cell(struct hd_inventory_builder *b,
                           const struct hd_inventory_cell *cell);
void hd_inventory_row_end(struct hd_inventory_builder *b);
void hd_inventory_error(struct hd_inventory_builder *b, unsigned line, unsigned col,
                        const char *fmt, ...) HD_PRINTF(4, 5);

/* The readers. Problems go to b; b->err says what ended it. */
void hd_inventory_read_csv(struct hd_inventory_builder *b, struct hd_slice text);
void hd_inventory_read_yaml(struct hd_inventory_builder *b, struct hd_slice text);
