/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/source/framer.h"

#include <haidang/num.h>

#define LEN_DIGITS_MAX 8 /* of COL_FRAME_LEN_MAX */

enum head { HEAD_OCTETS, HEAD_LINE, HEAD_UNKNOWN };

void col_framer_init(struct col_framer *framer, enum col_framing framing, size_t line_max)
{
    *framer = (struct col_framer){.framing = framing, .line_max = line_max};
}

size_t col_framer_need(const struct col_framer *framer)
{
    return framer->line_max + LEN_DIGITS_MAX + 2;
}

struct hd_slice col_frame_trim(struct hd_slice line)
{
    while (line.len > 0 &&
           (line.ptr[line.len - 1] == '\n' || line.ptr[line.len - 1] == '\r' ||
            line.ptr[line.len - 1] == '\0')) {
        line.len--;
    }
    return line;
}

static bool is_trailer(const struct col_framer *framer, uint8_t c)
{
    return c == '\n' || (c == '\0' && framer->framing == COL_FRAMING_SYSLOG);
}

/* First trailer in s, or HD_NPOS. */
static size_t find_trailer(const struct col_framer *framer, struct hd_slice s)
{
    size_t lf = hd_slice_find_byte(s, '\n');
    if (framer->framing == COL_FRAMING_LF) {
        return lf;
    }
    size_t nul = hd_slice_find_byte(hd_slice_head(s, lf), '\0');
    return nul != HD_NPOS ? nul : lf;
}

/* MSG-LEN SP "<": *head_len bytes before the message, *len bytes of message. */
static enum head read_head(struct hd_slice in, size_t *head_len, uint64_t *len)
{
    if (in.len == 0) {
        return HEAD_UNKNOWN;
    }
    if (!hd_is_digit(in.ptr[0]) || in.ptr[0] == '0') {
        return HEAD_LINE;
    }
    size_t digits = hd_num_prefix_u64(in, LEN_DIGITS_MAX, COL_FRAME_LEN_MAX, len);
    if (digits == 0) {
        return HEAD_LINE;
    }
    if (in.len == digits) {
        return HEAD_UNKNOWN;
    }
    if (in.ptr[digits] != ' ') {
        return HEAD_LINE;
    }
    if (in.len == digits + 1) {
        return HEAD_UNKNOWN;
    }
    *head_len = digits + 1;
    return in.ptr[digits + 1] == '<' ? HEAD_OCTETS : HEAD_LINE;
}

/* Passes over what was cut from the last frame; the bytes taken from `in`. */
static size_t skip_rest(struct col_framer *framer, struct hd_slice in)
{
    size_t taken = 0;
    if (framer->skip > 0) {
        taken = framer->skip < in.len ? (size_t)framer->skip : in.len;
        framer->skip -= taken;
        framer->skipped += taken;
    } else if (framer->skip_line) {
        size_t end = find_trailer(framer, in);
        taken = end == HD_NPOS ? in.len : end + 1;
        framer->skip_line = end == HD_NPOS;
        framer->skipped += end == HD_NPOS ? in.len : end;
    }
    return taken;
}

static enum hd_parse take_octets(struct col_framer *framer, struct hd_slice body,
                                 uint64_t len, struct col_frame *frame, size_t *used)
{
    if (len <= framer->line_max) {
        if (body.len < len) {
            return HD_PARSE_MORE;
        }
        *used = (size_t)len;
        frame->line = col_frame_trim(hd_slice_head(body, (size_t)len));
        frame->is_truncated = false;
        return HD_PARSE_OK;
    }
    if (body.len < framer->line_max) {
        return HD_PARSE_MORE;
    }
    *used = framer->line_max;
    frame->line = hd_slice_head(body, framer->line_max);
    frame->is_truncated = true;
    framer->skip = len - framer->line_max;
    return HD_PARSE_OK;
}

static enum hd_parse take_line(struct col_framer *framer, struct hd_slice in,
                               struct col_frame *frame, size_t *used)
{
    size_t end = find_trailer(framer, hd_slice_head(in, framer->line_max + 1));
    if (end != HD_NPOS) {
        *used = end + 1;
        frame->line = hd_slice_head(in, end);
        frame->is_truncated = false;
        if (end > 0 && in.ptr[end - 1] == '\r') {
            frame->line.len--;
        }
        return HD_PARSE_OK;
    }
    if (in.len <= framer->line_max) {
        return HD_PARSE_MORE;
    }
    *used = framer->line_max;
    frame->line = hd_slice_head(in, framer->line_max);
    frame->is_truncated = true;
    framer->skip_line = true;
    return HD_PARSE_OK;
}

static enum hd_parse take_frame(struct col_framer *framer, struct hd_slice in,
                                struct col_frame *frame, size_t *used)
{
    size_t head_len = 0;
    uint64_t len = 0;
    enum head head =
        framer->framing == COL_FRAMING_LF ? HEAD_LINE : read_head(in, &head_len, &len);
    if (head == HEAD_UNKNOWN) {
        return HD_PARSE_MORE;
    }
    if (head == HEAD_LINE) {
        return take_line(framer, in, frame, used);
    }
    enum hd_parse got =
        take_octets(framer, hd_slice_from(in, head_len), len, frame, used);
    *used += got == HD_PARSE_OK ? head_len : 0;
    return got;
}

enum hd_parse col_framer_next(struct col_framer *framer, struct hd_slice in,
                              struct col_frame *frame, size_t *used)
{
    *used = 0;
    while (*used < in.len) {
        struct hd_slice rest = hd_slice_from(in, *used);
        if (framer->skip > 0 || framer->skip_line) {
            *used += skip_rest(framer, rest);
            continue;
        }
        if (framer->framing == COL_FRAMING_SYSLOG && is_trailer(framer, rest.ptr[0])) {
            *used += 1;
            continue;
        }
        size_t taken = 0;
        enum hd_parse got = take_frame(framer, rest, frame, &taken);
        *used += taken;
        if (got != HD_PARSE_OK || frame->line.len > 0 ||
            framer->framing == COL_FRAMING_LF) {
            return got;
        }
    }
    return HD_PARSE_MORE;
}

enum hd_parse col_framer_end(struct col_framer *framer, struct hd_slice in,
                             struct col_frame *frame)
{
    if (framer->skip > 0 || framer->skip_line) {
        in = hd_slice_from(in, skip_rest(framer, in));
    }
    size_t head_len = 0;
    uint64_t len = 0;
    bool is_counted = framer->framing == COL_FRAMING_SYSLOG &&
                      read_head(in, &head_len, &len) == HEAD_OCTETS;
    frame->line = col_frame_trim(
        hd_slice_head(hd_slice_from(in, is_counted ? head_len : 0), framer->line_max));
    frame->is_truncated = is_counted; /* fewer octets than announced */
    framer->skip = 0;
    framer->skip_line = false;
    return frame->line.len > 0 ? HD_PARSE_OK : HD_PARSE_MORE;
}
