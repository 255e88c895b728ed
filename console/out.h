/* SPDX-License-Identifier: Apache-2.0
 *
 * Standard output in blocks.
 */
#pragma once
#include <haidang/buf.h>

/* Writes the buffer out and empties it. HD_E*: also what went wrong while it was filled.
 */
int con_out_flush(struct hd_buf *out) HD_MUST_USE;
/* The same as an HD_EXIT_* code, printed. */
int con_out_print(struct hd_buf *out) HD_MUST_USE;
