/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames of syslog over a byte stream (RFC 6587), both methods, told apart frame by frame
 * because senders mix them:
 *
 *     octet counting     MSG-LEN SP SYSLOG-MSG   MSG-LEN = NONZERO-DIGIT *DIGIT (3.4.1)
 *     non-transparent    SYSLOG-MSG TRAILER      TRAILER = LF / NUL             (3.4.2)
 *
 * A frame is octet-counted only when "<" follows MSG-LEN SP, so a plain line that starts
 * with a number is not taken for one. Pure: no I/O, no allocation; any thread. Everything
 * depends on the bytes alone, never on how they were cut into reads.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <haidang/parse.h>
#include <haidang/slice.h>

#define COL_FRAME_LEN_MAX UINT64_C(16777216) /* an MSG-LEN above is no MSG-LEN */

enum col_framing { COL_FRAMING_SYSLOG, COL_FRAMING_LF /* lines only */ };

struct col_framer {
    enum col_framing framing;
    size_t line_max;  /* > 0; longer frames are cut */
    uint64_t skip;    /* bytes of an octet-counted frame still to be passed over */
    bool skip_line;   /* passing over the rest of a line */
    uint64_t skipped; /* bytes cut from frames so far, for the counter */
};

struct col_frame {
    struct hd_slice line; /* views the input; trailing LF, CR and NUL are gone */
    bool is_truncated;
};

void col_framer_init(struct col_framer *framer, enum col_framing framing,
                     size_t line_max);

/* HD_PARSE_OK: one frame. HD_PARSE_MORE: none yet. Either way *used bytes are done with.
 * With more than col_framer_need() bytes of input there is always progress. Empty frames
 * are passed over (except with COL_FRAMING_LF, where an empty line is a line). */
enum hd_parse col_framer_next(struct col_framer *framer, struct hd_slice in,
                              struct col_frame *frame, size_t *used);

/* The stream has ended: what is left of a frame, if anything (HD_PARSE_OK). */
enum hd_parse col_framer_end(struct col_framer *framer, struct hd_slice in,
                             struct col_frame *frame);

/* Bytes that a caller must be able to hold. */
size_t col_framer_need(const struct col_framer *framer);

/* A datagram as a line: without trailing LF, CR and NUL. */
struct hd_slice col_frame_trim(struct hd_slice line);
