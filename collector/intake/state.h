/* SPDX-License-Identifier: Apache-2.0
 *
 * The state file: the durable marks as of one spool entry, so that entries up to it may
 * be removed. Text, one fact a line:
 *
 *     haidang-agent-state 1
 *     boot 9f86d081884c7d659a2feaa0c55ad015
 *     index 812                 the spool entry that is covered
 *     last 40961                sequence of that entry's last record
 *     acked 39210               ... of the last that a correlator acknowledged
 *     mark KEY MARK TOUCHED     hex, hex, seconds since 1970
 *     end CRC                   CRC-32C of all lines before, 8 hex digits
 *
 * The codec is pure but for the marks it fills.
 */
#pragma once
#include <stdint.h>

#include <haidang/buf.h>

#include "collector/intake/marks.h"

#define COL_BOOT_LEN       32
#define COL_STATE_MAX      (320U << 20) /* all marks of the most sources and files */
#define COL_STATE_KEEP_S   (INT64_C(30) * 86400)
#define COL_STATE_FILE     "state"
#define COL_STATE_BOOT     "boot"
#define COL_STATE_SPOOL    "spool"
#define COL_STATE_PATH_MAX 4096

struct col_state {
    char boot[COL_BOOT_LEN + 1];
    uint64_t index, last, acked; /* 0 = nothing yet */
};

/* Marks that were not touched for COL_STATE_KEEP_S are left out. */
void col_state_format(const struct col_state *state, const struct col_marks *marks,
                      int64_t now_s, struct hd_buf *out);
/* HD_EPARSE, HD_ECORRUPT, HD_EVERSION: *state and the marks are then of no use. */
int col_state_parse(struct hd_slice text, struct col_state *state,
                    struct col_marks *marks) HD_MUST_USE;
