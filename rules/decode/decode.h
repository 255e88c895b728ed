/* SPDX-License-Identifier: Apache-2.0
 *
 * Decoders: a record's line -> event. Decoders are data (rules/decoders/<name>.yml, see
 * docs/adding-a-decoder.md), compiled here once into an immutable set; decoding allocates
 * nothing. The syslog header (RFC 3164, RFC 5424) and JSON are read by code, everything
 * behind them by declared patterns.
 */
#pragma once
#include <haidang/batch.h>
#include <haidang/diag.h>

#include "rules/event.h"

struct rul_decoders; /* immutable after load; shared by threads */

struct rul_decoders_opts {
    const char *dir;       /* *.yml of it are read */
    const char *time_zone; /* of RFC 3164 times whose source declares none; NULL =
                              "Asia/Ho_Chi_Minh" */
    int64_t skew_max_ns; /* event times farther from the receive time are not trusted; 0 =
                            24 h */
};
/* Reports every problem. Field names are interned into `fields` (borrowed). */
int rul_decoders_load(const struct rul_decoders_opts *opts, struct rul_fields *fields,
                      struct rul_decoders **out, struct hd_diags *diags) HD_MUST_USE;
void rul_decoders_free(struct rul_decoders *decoders);

/* All classes, index = id. Valid as long as the decoders. */
const struct rul_class *rul_decoders_classes(const struct rul_decoders *decoders,
                                             uint16_t *n);

struct rul_decode_scratch; /* one a thread: arena for unescaped values */
int rul_decode_scratch_new(struct rul_decode_scratch **out) HD_MUST_USE;
void rul_decode_scratch_free(struct rul_decode_scratch *scratch);

/* What could not be taken as it was, since the scratch was made. */
struct rul_decode_stats {
    uint64_t values;    /* left out of an event: too many, or no room */
    uint64_t malformed; /* lines that began as JSON or XML and were read as text */
};
void rul_decode_scratch_stats(const struct rul_decode_scratch *scratch,
                              struct rul_decode_stats *out);

struct rul_record {
    const struct hd_batch_source *source; /* declared format, host, zone */
    int64_t recv_ns;
    struct hd_slice line;
};

/* Fills *ev (cleared first). Never fails: what no decoder knows is class 0 with
 * "message", "host.name" and what the syslog header gave. Views live as long as record
 * and scratch's next use. */
void rul_decode(const struct rul_decoders *decoders, struct rul_decode_scratch *scratch,
                const struct rul_record *record, struct rul_event *ev);

/* For keywords: an event's `tree` as a whole, its escapes undone; never longer than it.
 * Returns the length written. */
bool rul_tree_has_escapes(struct hd_slice tree);
size_t rul_tree_unescape(struct hd_slice tree, uint8_t *out);

/* Examples inside the decoder files: runs each, reports those that fail, returns their
 * count. */
unsigned rul_decoders_test(const char *dir, struct hd_diags *diags, unsigned *examples);
