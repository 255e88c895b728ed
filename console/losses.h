/* SPDX-License-Identifier: Apache-2.0
 *
 * haidang losses: rows of what was lost, and how they are shown.
 */
#pragma once
#include <haidang/loss.h>

#include "console/show.h"
#include "console/systems.h"

/* Everything of one kind, agent and source. */
struct con_loss_row {
    struct hd_loss sum; /* count, bytes, first and last time; texts of the newest */
    uint64_t records;
};

struct con_loss_rows { /* zeroed at first */
    struct con_loss_row *rows;
    size_t n, cap;
};

int con_losses_add(struct con_loss_rows *rows, const struct hd_loss *loss) HD_MUST_USE;
void con_losses_fini(struct con_loss_rows *rows);
/* By kind, then the largest first. */
void con_losses_sort(struct con_loss_rows *rows);
void con_losses_table(const struct con_show *show, const struct con_systems *systems,
                      const struct con_loss_rows *rows, int64_t since_ns,
                      struct hd_buf *out);
/* Of the agent's name; NULL: it is nobody's, or there is no inventory. */
const struct hd_system *con_loss_system(const struct con_systems *systems,
                                        const struct hd_loss *loss);
/* "the socket's receive buffer was full", in the reader's language. */
const char *con_loss_why(const struct con_show *show, enum hd_loss_kind kind);
const char *con_loss_unit(const struct con_show *show, enum hd_loss_kind kind);
