/* SPDX-License-Identifier: Apache-2.0
 *
 * Positions of events ("agent/boot/seq") in 8 bytes: the part before the last slash is
 * interned, since there are few agents and boots, the number is kept as it is.
 */
#pragma once
#include <haidang/buf.h>
#include <haidang/bytes.h>

#define RUL_POSITION_PREFIXES_MAX 65536U
#define RUL_PLACE_BITS            47U /* of the number; the prefix is above */
#define RUL_PLACE_NUMBER          ((UINT64_C(1) << RUL_PLACE_BITS) - 1)
#define RUL_NO_PLACE              UINT64_MAX /* no position, or no room for it */

struct rul_positions;
int rul_positions_new(struct rul_positions **out) HD_MUST_USE;
void rul_positions_free(struct rul_positions *p);
int rul_positions_put(struct rul_positions *p, struct hd_slice position,
                      uint64_t *place) HD_MUST_USE;
/* Appends the text; nothing for RUL_NO_PLACE. */
void rul_positions_get(const struct rul_positions *p, uint64_t place, struct hd_buf *out);

/* Saved state: the prefixes in order. Those that nothing refers to any more are left
 * behind when it is loaded: agents and their boots come and go. */
void rul_positions_save(const struct rul_positions *p, struct hd_buf *out);

struct rul_prefixes { /* saved -> of this process */
    struct rul_positions *positions;
    struct rul_prefix {
        struct hd_slice text; /* in the saved bytes */
        uint32_t now;         /* index and one more; 0 = not asked for so far */
    } * list;
    uint32_t n;
};
/* own: rul_prefixes_fini, also on failure. HD_ECORRUPT, HD_ENOMEM. */
int rul_prefixes_load(struct rul_prefixes *prefixes, struct rul_positions *p,
                      struct hd_bytes *in) HD_MUST_USE;
void rul_prefixes_fini(struct rul_prefixes *prefixes);
/* What the saved place is now. HD_ENOMEM. */
int rul_prefixes_move(struct rul_prefixes *prefixes, uint64_t *place) HD_MUST_USE;
