/* SPDX-License-Identifier: Apache-2.0
 *
 * Which rules of a set are wanted, by level and status. A rule that is not, but that a
 * wanted correlation counts, stays and raises no alert.
 */
#pragma once
#include "rules/parse/ast.h"

#define RUL_LEVELS   5
#define RUL_STATUSES 5
extern const char *const rul_levels[RUL_LEVELS + 1]; /* least first; ended by NULL */
extern const char *const rul_statuses[RUL_STATUSES + 1];

/* Drops documents from the list; *left_out counts them. HD_EINVAL: `opts` name a level or
 * status that is none (reported); HD_ENOMEM. */
int rul_select(struct rul_doc **list, const struct rul_set_opts *opts, uint32_t *left_out,
               struct hd_diags *diags) HD_MUST_USE;
