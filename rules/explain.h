/* SPDX-License-Identifier: Apache-2.0
 *
 * For people who write rules: what a rule saw in an event. Read-only; beside set.h the
 * console's way into this room.
 */
#pragma once
#include "rules/set.h"

struct rul_hit { /* as the callback of rul_match is given it */
    const struct rul_rule *rule;
    const struct rul_event *ev;
};
/* As rul_explain_fields, but inside that callback and with the scratch in use: nothing is
 * allocated, and no predicate is evaluated twice. */
size_t rul_hit_fields(const struct rul_set *set, struct rul_scratch *scratch,
                      const struct rul_hit *hit, uint16_t *ids, size_t cap) HD_MUST_USE;

/* Is the text one valid JSON object, within the limits of decoding? */
bool rul_is_json_object(struct hd_slice text);
