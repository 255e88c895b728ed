/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks the segments of one archive on several threads; what is found is told on the
 * calling thread, in the order of the segments, whatever the number of threads.
 */
#pragma once
#include <haidang/journal_check.h>

#include "console/interrupt.h"

#define CON_ARCHIVE_JOBS_MAX 64U

struct con_archive_scan_opts {
    const char *dir;
    const struct hd_journal_segments *list;
    struct hd_sign_key *const *keys;
    size_t n_keys;
    const struct hd_journal_keys *secrets; /* of what is encrypted; NULL: none */
    unsigned jobs;                         /* 1..CON_ARCHIVE_JOBS_MAX */
    struct con_interrupt *interrupt;
    /* Calling thread. `key_id`: as con_archive_problem has it. */
    void (*on_problem)(void *ctx, const struct hd_check_finding *finding,
                       const uint8_t *key_id);
    void (*on_segment)(void *ctx, const struct hd_check_segment *segment);
    void (*on_progress)(void *ctx, uint64_t bytes);
    void *ctx;
};

struct con_archive_scan_end {
    uint64_t removed; /* oldest segments that retention took meanwhile */
    uint64_t segment; /* that could not be read, when an error is returned */
};

/* HD_ECLOSED: interrupted. HD_E*: a file could not be read. */
int con_archive_scan(const struct con_archive_scan_opts *opts,
                     struct con_archive_scan_end *end) HD_MUST_USE;
