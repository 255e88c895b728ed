/* SPDX-License-Identifier: Apache-2.0
 *
 * A bar on standard error for long work, when that is a terminal: how far, how fast, how
 * long still. Drawn a few times a second at most; removed at the end.
 */
#pragma once
#include <haidang/buf.h>
#include <stdbool.h>
#include <stdint.h>

struct con_progress {
    bool is_shown;
    int64_t began_ns, drawn_ns;
};

void con_progress_begin(struct con_progress *progress);
/* `unit`: what is counted, such as "lines". */
void con_progress_show(struct con_progress *progress, uint64_t done, uint64_t all,
                       uint64_t units, const char *unit);
void con_progress_end(struct con_progress *progress);

/* One line, without the terminal's control bytes: "[####    ]  50 %  12 lines, 6/s,
 * 0:02". */
void con_progress_line(struct hd_buf *out, uint64_t done, uint64_t all, uint64_t units,
                       const char *unit, int64_t took_ns);
