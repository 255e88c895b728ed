/* SPDX-License-Identifier: Apache-2.0
 *
 * The segments in which the entries of a chain lie, checked: their entries against their
 * checksums, their bytes against hash and signature of their seal.
 */
#pragma once
#include <haidang/journal_part.h>
#include <haidang/stamp.h>

#include "console/prove/chain.h"

#define CON_SEGMENTS_MAX                                                                 \
    (CON_CHAIN_EVENTS_MAX + CON_CHAIN_ALERTS_MAX + CON_CHAIN_RECEIPTS_MAX)
#define CON_SEGMENT_NAME 48U /* "archive/00000000000000000001.zst" */

struct con_segment {
    enum con_chain_journal journal;
    uint64_t first; /* its first index, which names the file */
    struct hd_journal_part part;
    struct hd_check_segment state;
    char seal[HD_SEAL_MAX + 1]; /* statement with signature; "" = none */
    char problem[256];          /* the first one; "" = none */
    struct hd_buf chain; /* statements after it, see cover.h; empty = none. own: _clear */
    struct hd_buf
        stamp; /* of the last of them, or its own: DER; empty = none. own: _clear */
    bool is_key_known; /* false: the signature could not be checked */
};

struct con_segments {
    size_t n;
    struct con_segment item[CON_SEGMENTS_MAX];
};

/* The segments that the chain's entries name, by journal and number, nothing else set. */
void con_segments_of(struct con_segments *segments, const struct con_chain *chain);
/* None is left; part.fd, if any, is the caller's. */
void con_segments_clear(struct con_segments *segments);
void con_segments_free(struct con_segments *segments);
const struct con_segment *con_segments_find(const struct con_segments *segments,
                                            enum con_chain_journal journal,
                                            uint64_t first);
/* "archive/00000000000000000001.zst", or with another end. */
void con_segment_name(const struct con_segment *segment, const char *end,
                      char out[CON_SEGMENT_NAME]);

/* Checks segment->part. is_last: it may be in use, and need not be sealed. HD_E*: it
 * could not be read; problems found are in the segment. */
int con_segment_check(struct con_segment *segment, struct hd_sign_key *const *keys,
                      size_t n_keys, bool is_last) HD_MUST_USE;
/* Hash and signature hold, and nothing else is wrong. */
bool con_segment_is_vouched(const struct con_segment *segment);
/* Appends what the segment says of itself to an array; the same whatever keys are known.
 */
int con_segment_describe(const struct con_segment *segment, json_t *out) HD_MUST_USE;
