/* SPDX-License-Identifier: Apache-2.0
 *
 * A chain as a person reads it: a block an event, a block an alert with what became of it
 * at each destination, under each the segment in which it lies and its seal.
 */
#pragma once
#include "console/prove/segment.h"
#include "console/show.h"

struct con_prove_view {
    const struct con_show *show;
    const struct con_chain *chain;
    const struct con_segments *segments;
    const char *unread[CON_CHAIN_JOURNALS]; /* why a journal was not looked at, or NULL */
    bool has_more;                          /* than is shown */
};

void con_prove_text(const struct con_prove_view *view, struct hd_buf *out);
/* "signed ... with key 77aa...: the signature holds" */
void con_prove_seal(const struct con_prove_view *view, const struct con_segment *segment,
                    struct hd_buf *out);
/* The chain as the manifest has it, and "seals" [{journal, segment, state, why}],
 * "unread" {journal: why} and "has_more"; one object, one line. */
int con_prove_json(const struct con_prove_view *view, struct hd_buf *out) HD_MUST_USE;
