/* SPDX-License-Identifier: Apache-2.0
 *
 * An archive as the correlator writes it, for benchmarks of those who read it: lines in
 * batches of about 1 MiB of several hosts in turn, received over the last day.
 */
#pragma once
#include <stdint.h>

#include <haidang/journal_keys.h>
#include <haidang/slice.h>

#define HD_BENCH_HOSTS 20U /* web0, web1, ... */

struct hd_bench_archive {
    const char *dir;
    uint64_t lines;
    unsigned batch_lines;
    /* Writes line number `i` of a host, at most HD_BENCH_LINE_MAX bytes; its length. */
    size_t (*make_line)(void *ctx, unsigned i, unsigned host, char *out);
    void *ctx;
    const struct hd_journal_keys *keys; /* NULL, NULL: it is not encrypted */
    const struct hd_journal_key *key;
};
#define HD_BENCH_LINE_MAX 1024U

/* Ends the program on failure. Returns the bytes on disk; *raw: those of the batches. */
uint64_t hd_bench_archive_make(const struct hd_bench_archive *archive, uint64_t *raw);
