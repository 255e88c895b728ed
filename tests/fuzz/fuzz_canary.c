/* SPDX-License-Identifier: Apache-2.0
 *
 * Target function: hd_canary_parse. What it takes is inside the line, and within bounds;
 * what it refuses says of which kind it is.
 */
#include <stdint.h>
#include <stdlib.h>

#include <haidang/canary.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct hd_slice part, struct hd_slice line)
{
    if (part.ptr < line.ptr || part.ptr + part.len > line.ptr + line.len) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hd_canary c;
    struct hd_slice line = hd_slice(data, size);
    enum hd_canary_kind kind = hd_canary_parse(line, &c);
    if (kind == HD_CANARY_OK) {
        check_inside(c.id, line);
        check_inside(c.rule, line);
        check_inside(c.message, line);
        if (c.id.len != HD_CANARY_ID_LEN || c.rule.len == 0 ||
            c.rule.len > HD_CANARY_RULE_MAX || c.part == 0 || c.part > c.parts ||
            c.parts > HD_CANARY_PARTS_MAX || c.class >= HD_CANARY_CLASSES ||
            c.message.len == 0) {
            abort();
        }
    }
    if (kind != HD_CANARY_NONE &&
        hd_slice_find(line, HD_SLICE(HD_CANARY_PROGRAM)) == HD_NPOS) {
        abort();
    }
    return 0;
}
