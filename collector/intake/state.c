/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/intake/state.h"

#include <haidang/hash.h>
#include <haidang/num.h>

#include "collector/source/source.h"

#define MAGIC       "haidang-agent-state "
#define CRC_HEX_LEN 8

struct writing {
    struct hd_buf *out;
    int64_t oldest_s;
};

static void write_mark(void *ctx, struct hd_slice key, struct hd_slice mark,
                       int64_t touched_s)
{
    struct writing *w = ctx;
    if (touched_s < w->oldest_s) {
        return;
    }
    hd_buf_str(w->out, "mark ");
    hd_buf_hex(w->out, key);
    hd_buf_byte(w->out, ' ');
    hd_buf_hex(w->out, mark);
    hd_buf_byte(w->out, ' ');
    hd_buf_i64(w->out, touched_s);
    hd_buf_byte(w->out, '\n');
}

void col_state_format(const struct col_state *state, const struct col_marks *marks,
                      int64_t now_s, struct hd_buf *out)
{
    hd_buf_str(out, MAGIC "1\nboot ");
    hd_buf_str(out, state->boot);
    hd_buf_str(out, "\nindex ");
    hd_buf_u64(out, state->index);
    hd_buf_str(out, "\nlast ");
    hd_buf_u64(out, state->last);
    hd_buf_str(out, "\nacked ");
    hd_buf_u64(out, state->acked);
    hd_buf_byte(out, '\n');
    struct writing w = {out, now_s - COL_STATE_KEEP_S};
    col_marks_each(marks, write_mark, &w);
    hd_buf_printf(out, "end %08x\n", hd_crc32c(0, out->ptr, out->len));
}

static int hex_field(struct hd_slice text, uint8_t *bytes, struct hd_slice *out)
{
    if (text.len % 2 != 0 || text.len == 0 || text.len / 2 > COL_MARK_MAX) {
        return HD_EPARSE;
    }
    *out = hd_slice(bytes, text.len / 2);
    return hd_num_hex_bytes(text, bytes, text.len / 2);
}

static int parse_mark(struct hd_slice fields, struct col_marks *marks)
{
    uint8_t key_bytes[COL_MARK_MAX], mark_bytes[COL_MARK_MAX];
    struct hd_slice key_hex, mark_hex, key, mark;
    int64_t touched_s;
    if (!hd_slice_split(&fields, ' ', &key_hex) ||
        !hd_slice_split(&fields, ' ', &mark_hex) ||
        hex_field(key_hex, key_bytes, &key) != HD_OK ||
        hex_field(mark_hex, mark_bytes, &mark) != HD_OK ||
        hd_num_i64(fields, 0, INT64_MAX, &touched_s) != HD_OK) {
        return HD_EPARSE;
    }
    return col_marks_restore_one(marks, key, mark, touched_s);
}

static int parse_boot(struct hd_slice value, char boot[COL_BOOT_LEN + 1])
{
    uint8_t bytes[COL_BOOT_LEN / 2];
    if (hd_num_hex_bytes(value, bytes, sizeof(bytes)) != HD_OK) {
        return HD_EPARSE;
    }
    memcpy(boot, value.ptr, COL_BOOT_LEN);
    boot[COL_BOOT_LEN] = '\0';
    return HD_OK;
}

static int parse_line(struct hd_slice line, struct col_state *state,
                      struct col_marks *marks)
{
    struct hd_slice key;
    if (!hd_slice_split(&line, ' ', &key)) {
        return HD_EPARSE;
    }
    if (hd_slice_eq(key, HD_SLICE("mark"))) {
        return parse_mark(line, marks);
    }
    if (hd_slice_eq(key, HD_SLICE("boot"))) {
        return parse_boot(line, state->boot);
    }
    if (hd_slice_eq(key, HD_SLICE("index"))) {
        return hd_num_u64(line, UINT64_MAX, &state->index);
    }
    if (hd_slice_eq(key, HD_SLICE("last"))) {
        return hd_num_u64(line, UINT64_MAX, &state->last);
    }
    if (hd_slice_eq(key, HD_SLICE("acked"))) {
        return hd_num_u64(line, UINT64_MAX, &state->acked);
    }
    return HD_EPARSE;
}

/* Checks the last line; *body is what stands before it. */
static int check_end(struct hd_slice text, struct hd_slice *body)
{
    const size_t end_len = sizeof("end ") - 1 + CRC_HEX_LEN + 1;
    uint64_t crc;
    if (text.len < end_len) {
        return HD_ECORRUPT;
    }
    struct hd_slice end = hd_slice_from(text, text.len - end_len);
    *body = hd_slice_head(text, text.len - end_len);
    if (!hd_slice_starts(end, HD_SLICE("end ")) || end.ptr[end_len - 1] != '\n' ||
        hd_num_hex_u64(hd_slice(end.ptr + 4, CRC_HEX_LEN), UINT32_MAX, &crc) != HD_OK ||
        crc != hd_crc32c(0, body->ptr, body->len)) {
        return HD_ECORRUPT;
    }
    return HD_OK;
}

int col_state_parse(struct hd_slice text, struct col_state *state,
                    struct col_marks *marks)
{
    struct hd_slice rest, line;
    int err = check_end(text, &rest);
    *state = (struct col_state){0};
    if (err != HD_OK) {
        return err;
    }
    if (!hd_slice_split(&rest, '\n', &line) || !hd_slice_starts(line, HD_SLICE(MAGIC))) {
        return HD_EPARSE;
    }
    if (!hd_slice_eq(line, HD_SLICE(MAGIC "1"))) {
        return HD_EVERSION;
    }
    while (err == HD_OK && hd_slice_split(&rest, '\n', &line) && line.len > 0) {
        err = parse_line(line, state, marks);
    }
    return err == HD_OK && state->boot[0] == '\0' ? HD_EPARSE : err;
}
