/* SPDX-License-Identifier: Apache-2.0
 *
 * Positions of events ("agent/boot/seq") in 12 bytes: the part before the last slash is
 * interned, since there are few agents and boots, the number is kept as it is.
 */
#pragma once
#include <haidang/buf.h>

#include "rules/correlate/window.h"

#define RUL_POSITION_PREFIXES_MAX 65536U
#define RUL_NO_PREFIX             UINT32_MAX /* no position, or no room for it */

struct rul_positions;
int rul_positions_new(struct rul_positions **out) HD_MUST_USE;
void rul_positions_free(struct rul_positions *p);
/* Fills seq and prefix of the mark. */
int rul_positions_put(struct rul_positions *p, struct hd_slice position,
                      struct rul_mark *mark) HD_MUST_USE;
/* Appends the text; nothing for RUL_NO_PREFIX. */
void rul_positions_get(const struct rul_positions *p, const struct rul_mark *mark,
                       struct hd_buf *out);
