/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of a file or of standard input, in constant memory: views into one buffer, valid
 * until the next fill. A line longer than CON_LINE_MAX is cut and says so.
 *
 *     while (con_lines_fill(&lines) > 0) {
 *         while (con_lines_next(&lines, &line)) { ... lines.number ... }
 *     }
 */
#pragma once
#include <stdbool.h>

#include <haidang/batch.h>
#include <haidang/buf.h>

#define CON_LINE_MAX HD_BATCH_LINE_MAX

struct con_lines {
    const char *name; /* for messages */
    int fd;
    int err; /* of the last read */
    struct hd_buf in;
    size_t at;       /* of the first byte not yet given out */
    uint64_t number; /* of the line given out last, from 1 */
    bool is_cut;     /* that line was longer than CON_LINE_MAX */
    bool is_skipping, is_end, is_primed;
};

/* "-" is standard input. Prints what is wrong (also of files that hold no lines:
 * compressed, UTF-16); an HD_EXIT_* code. own: con_lines_close, also on failure. */
int con_lines_open(struct con_lines *lines, const char *name) HD_MUST_USE;
void con_lines_close(struct con_lines *lines);

/* Reads once. 1: there may be lines; 0: the end; HD_E*. */
int con_lines_fill(struct con_lines *lines) HD_MUST_USE;
/* The next whole line without its line feed; at the end of the input the unfinished one,
 * too. */
bool con_lines_next(struct con_lines *lines, struct hd_slice *line) HD_MUST_USE;
