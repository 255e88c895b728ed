/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of compaction share: a sealed journal that compresses badly, and
 * questions to it. Ends the test on failure.
 */
#pragma once
#include "tests/unit/lib/journal_helper.h"

#include <haidang/compacted.h>
#include <haidang/journal_compact.h>

#define N        60U
#define SEGMENT  20000U
#define SEGS_MAX 32U
#define SECRET   "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"

struct cw {
    const char *dir;
    struct hd_sign_key *key[2]; /* key[0] seals */
    struct hd_journal_keys *secrets;
    const struct hd_journal_key *secret; /* NULL: not encrypted */
    struct hd_journal_segments list;
    struct hd_check_segment segs[SEGS_MAX];
    struct hd_compacted compacted; /* of the segment checked last */
    unsigned found[HD_CHECK_PROBLEMS], n_found;
    uint64_t drop_from, drop_to, drop_each;
};

/* Entry number n, compressed badly, so that there is something to gain. Static. */
struct hd_journal_entry cw_entry_of(uint64_t n, unsigned lines);
/* The entry says what cw_entry_of made. */
void cw_check_entry(const struct hd_journal_entry *got, unsigned lines);
struct hd_journal *cw_journal_open(struct cw *w, uint64_t retain_bytes);
void cw_append(struct hd_journal *j, uint64_t from, uint64_t to, unsigned lines);
/* The segments that are there now, into w->list. */
void cw_list(struct cw *w);
/* Keys and an empty directory; open: with N entries in several segments. */
void cw_make(struct cw *w);
void cw_fill(struct cw *w, uint64_t n, unsigned lines);
void cw_open(struct cw *w);
void cw_close(struct cw *w);
/* hd_check_opts.found and hd_compact_opts.drop, for a struct cw. */
void cw_note(void *ctx, const struct hd_check_finding *finding);
bool cw_drop(void *ctx, const struct hd_journal_entry *entry);
/* Static. */
const char *cw_segment_path(const struct cw *w, size_t i);
/* Problems of all segments. */
unsigned cw_check(struct cw *w);
struct hd_compact_opts cw_compact_opts(struct cw *w);
struct hd_compact_result cw_compact_with(const struct hd_compact_opts *opts,
                                         uint64_t first);
struct hd_compact_result cw_compact(struct cw *w, size_t i);
/* Reads on from the oldest: entries, each as it was written, and gaps. */
unsigned cw_read_all(struct cw *w, unsigned lines, unsigned *gaps);
