/* SPDX-License-Identifier: Apache-2.0
 *
 * Names -> chains of decoders: program names, subtags, formats. Filled while a set is
 * loaded, read by every thread afterwards. Internal to rules/decode.
 */
#pragma once
#include <haidang/arena.h>
#include <haidang/err.h>

#define RUL_NONE UINT16_MAX

struct rul_decode_names {
    struct rul_decode_name {
        struct hd_slice name;
        uint16_t decoder;
        uint16_t next; /* same name, RUL_NONE = last */
    } * entries;
    uint16_t n;
    uint16_t *slots; /* entry + 1 */
    uint32_t mask;
};
int rul_decode_names_add(struct hd_arena *arena, struct rul_decode_names *names,
                         struct hd_slice name, uint16_t decoder) HD_MUST_USE;
int rul_decode_names_finish(struct hd_arena *arena,
                            struct rul_decode_names *names) HD_MUST_USE;
/* First entry with this name or NULL. */
const struct rul_decode_name *rul_decode_names_find(const struct rul_decode_names *names,
                                                    struct hd_slice name);

/* A power of two that leaves half of a table of n entries free. */
uint32_t rul_decode_names_table_size(uint32_t n);
