/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines cut to the width of a terminal. Pure but for con_cut_columns.
 */
#pragma once
#include <haidang/buf.h>
#include <haidang/slice.h>

/* Columns of the terminal behind a descriptor, now; 0 = it is none, or does not tell. */
size_t con_cut_columns(int fd);

/* Appends `text`, each line cut to so many columns, the last of which is then "…"; 0 =
 * whole. Colours (ESC [ ... m) take no column and end with the line. */
void con_cut(struct hd_buf *out, struct hd_slice text, size_t columns);
