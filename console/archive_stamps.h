/* SPDX-License-Identifier: Apache-2.0
 *
 * Time stamps (RFC 3161) beside the segments of an archive: DIR/stamps/SEGMENT.tsr.
 */
#pragma once
#include <haidang/stamp.h>

#include "console/archive.h"

struct con_archive_stamps {
    struct hd_stamp_ca *ca; /* NULL: none was given */
    uint64_t found, hold;
    uint64_t newest; /* the newest segment whose stamp holds; 0 = none */
    int64_t newest_ns;
};

/* From --tsa-ca. Prints what is wrong; an HD_EXIT_* code. own: _close, always. */
int con_archive_stamps_open(struct con_archive_stamps *stamps,
                            const struct con_args *args);
void con_archive_stamps_close(struct con_archive_stamps *stamps);

/* Checks the stamp of a segment, where there is one and an authority is given, and counts
 * it. HD_ECORRUPT: it does not hold; `why` says why. */
int con_archive_stamps_check(struct con_archive_stamps *stamps, const char *dir,
                             const struct hd_check_segment *segment,
                             char why[HD_STAMP_WHY]) HD_MUST_USE;

/* The stamp of a segment, appended. HD_ENOENT: there is none. */
int con_archive_stamp_read(const char *dir, uint64_t first,
                           struct hd_buf *out) HD_MUST_USE;
/* Puts it there, unless there is one. */
int con_archive_stamp_write(const char *dir, uint64_t first,
                            struct hd_slice reply) HD_MUST_USE;
/* Carries it along; what is there already stays. HD_OK also when there is none. */
int con_archive_stamp_copy(const char *from, const char *to, uint64_t first) HD_MUST_USE;
