/* SPDX-License-Identifier: Apache-2.0
 *
 * What benchmarks share. One thread.
 */
#pragma once
#include <stdbool.h>

#include <haidang/batch.h>
#include <haidang/journal.h>

/* Ends the program and says what is not so. */
#define must(what) hd_bench_must_at((what), #what, __FILE_NAME__, __LINE__)
void hd_bench_must_at(bool ok, const char *what, const char *file, int line);

/* That this process has used. */
double hd_bench_cpu_seconds(void);

/* Closes the batch, whose first line has this sequence, and appends it; what it is. */
struct hd_batch_info hd_bench_append(struct hd_journal *journal,
                                     struct hd_batch_builder *builder, uint64_t first,
                                     struct hd_slice meta);
