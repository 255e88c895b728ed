/* SPDX-License-Identifier: Apache-2.0
 *
 * Target: the whole packet engine over a sequence of frames (col_inspect_frame, the flow
 * table, stream reassembly, every dissector, records), with tables so small that they
 * overflow. Input: frames, each behind 16-bit length, 8-bit captured share and 8-bit step
 * of time. Every record must be JSON, and no more flows may end than began.
 */
#include <jansson.h>
#include <stdlib.h>

#include <haidang/bytes.h>
#include <haidang/clock.h>

#include "collector/packet/inspect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_record(void *ctx, struct hd_slice line)
{
    uint64_t *records = ctx;
    json_t *record = json_loadb((const char *)line.ptr, line.len,
                                JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    if (record == NULL || json_object_get(record, "event_type") == NULL ||
        memchr(line.ptr, '\n', line.len) != NULL) {
        abort();
    }
    json_decref(record);
    *records += 1;
}

static void feed(struct col_inspector *in, struct hd_bytes *c, int link, int64_t *now)
{
    size_t len = hd_bytes_be16(c);
    uint8_t share = hd_bytes_u8(c);
    uint8_t step = hd_bytes_u8(c);
    if (len > hd_bytes_left(c)) {
        len = hd_bytes_left(c);
    }
    struct hd_slice frame = hd_bytes_view(c, len);
    if (hd_bytes_failed(c)) {
        return;
    }
    *now += step == 255 ? -HD_NS_PER_SEC * 100000 : (int64_t)step * step * HD_NS_PER_MS;
    struct col_captured captured = {
        .ns = *now,
        .wire_len = (uint32_t)len,
        .link = link,
        .bytes = hd_slice_head(frame, share == 0 ? frame.len : frame.len * share / 256),
    };
    col_inspect_frame(in, &captured);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t records = 0;
    int64_t now = INT64_C(1790000000) * HD_NS_PER_SEC;
    struct col_inspect_opts opts = {.flows_max = 8,
                                    .buffers_max = 2,
                                    .interface = "lo",
                                    .emit = check_record,
                                    .ctx = &records};
    struct col_inspector *in = NULL;
    struct hd_bytes c = hd_bytes(hd_slice(data, size));
    int link = hd_bytes_u8(&c) % 2 == 0 ? COL_LINK_ETHERNET : COL_LINK_RAW;
    if (col_inspector_new(&opts, &in) != HD_OK) {
        return 0;
    }
    while (hd_bytes_left(&c) > 0 && !hd_bytes_failed(&c)) {
        feed(in, &c, link, &now);
    }
    struct col_packet_stats stats;
    col_inspect_stats(in, &stats);
    uint32_t ended = 0;
    for (unsigned n = col_inspect_flush(in, 3); n > 0; n = col_inspect_flush(in, 3)) {
        ended += n;
    }
    if (stats.flows_open > 8 || ended != stats.flows_open || records < stats.flows) {
        abort();
    }
    col_inspector_free(in);
    return 0;
}
