/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void hd_bench_must_at(bool ok, const char *what, const char *file, int line)
{
    if (!ok) {
        (void)fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
        exit(1);
    }
}

double hd_bench_cpu_seconds(void)
{
    struct timespec now;
    must(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) == 0);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

struct hd_batch_info hd_bench_append(struct hd_journal *journal,
                                     struct hd_batch_builder *builder, uint64_t first,
                                     struct hd_slice meta)
{
    struct hd_slice frame;
    struct hd_batch_info info;
    must(hd_batch_builder_close(builder, first, &frame, &info) == HD_OK);
    struct hd_journal_entry entry = {.first = info.first,
                                     .last = info.last,
                                     .time_min = info.time_min,
                                     .time_max = info.time_max,
                                     .count = info.count,
                                     .raw_len = info.raw_len,
                                     .meta = meta,
                                     .payload = frame};
    must(hd_journal_append(journal, &entry) == HD_OK);
    return info;
}
