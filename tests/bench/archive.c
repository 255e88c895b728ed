/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/archive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/batch.h>
#include <haidang/clock.h>
#include <haidang/journal.h>

#include "tests/bench/bench.h"

#define BOOT   "0123456789abcdef0123456789abcdef"
#define DAY_NS (86400 * HD_NS_PER_SEC)

struct maker {
    const struct hd_bench_archive *archive;
    struct hd_journal *journal;
    struct hd_batch_builder *builder;
    uint64_t first_of[HD_BENCH_HOSTS], raw;
    int64_t now_ns, step_ns;
};

static void add_batch(struct maker *m, unsigned number)
{
    char line[HD_BENCH_LINE_MAX], host[16];
    unsigned who = number % HD_BENCH_HOSTS, n = m->archive->batch_lines;
    uint16_t source;
    (void)snprintf(host, sizeof(host), "web%u", who);
    const struct hd_batch_source from = {.host = hd_slice_str(host),
                                         .kind = HD_SLICE("file"),
                                         .name = HD_SLICE("/var/log/messages"),
                                         .format = HD_SLICE("auto")};
    must(hd_batch_builder_source(m->builder, &from, &source) == HD_OK);
    for (unsigned i = 0; i < n; i++) {
        size_t len = m->archive->make_line(m->archive->ctx, number * n + i, who, line);
        m->now_ns += m->step_ns;
        must(hd_batch_builder_add(m->builder, source, m->now_ns, 0,
                                  hd_slice(line, len)) == HD_OK);
    }
    m->raw +=
        hd_bench_append(m->journal, m->builder, m->first_of[who] + 1, HD_SLICE_EMPTY)
            .raw_len;
    m->first_of[who] += n;
}

uint64_t hd_bench_archive_make(const struct hd_bench_archive *archive, uint64_t *raw)
{
    struct maker m = {.archive = archive,
                      .now_ns = hd_clock_wall_ns() - DAY_NS + HD_NS_PER_SEC,
                      .step_ns = (DAY_NS - 60 * HD_NS_PER_SEC) / (int64_t)archive->lines};
    struct hd_journal_recovery found;
    const struct hd_journal_opts opts = {
        .dir = archive->dir, .keys = archive->keys, .key = archive->key};
    must(hd_journal_open(&opts, &m.journal, &found) == HD_OK);
    must(hd_batch_builder_new("web", BOOT, HD_BATCH_RAW_MAX, 1, &m.builder) == HD_OK);
    for (unsigned i = 0; i < archive->lines / archive->batch_lines; i++) {
        add_batch(&m, i);
    }
    must(hd_journal_commit(m.journal) == HD_OK);
    uint64_t bytes = hd_journal_bytes(m.journal);
    hd_batch_builder_free(m.builder);
    hd_journal_close(m.journal);
    *raw = m.raw;
    return bytes;
}
