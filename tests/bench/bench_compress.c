/* SPDX-License-Identifier: Apache-2.0
 *
 * How small lines become on disk: each file goes through batches as an agent makes them;
 * its bytes against those of the journal's entries.
 *
 *     bench_compress FILE...      each a log, line by line
 *
 * At several levels of zstd with full batches (the agent's is 1), with the processor time
 * that takes; then at level 1 with fewer lines a batch, as a quiet source makes them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/batch.h>
#include <haidang/clock.h>
#include <haidang/fs.h>

#include "tests/bench/bench.h"

#define BOOT       "0123456789abcdef0123456789abcdef"
#define ENTRY_HEAD (80U + 64U) /* of an entry of the archive, and its meta */
#define FILE_MAX   ((size_t)1 << 30)
#define MIN_CPU    0.2 /* seconds a measurement */

static const int levels[] = {1, 3, 6, 9, 12, 15, 19};
static const uint32_t counts[] = {10, 100, 1000};
#define N_LEVELS (sizeof(levels) / sizeof(levels[0]))
#define N_COUNTS (sizeof(counts) / sizeof(counts[0]))

struct sizes {
    double raw, stored, cpu; /* bytes, bytes, seconds */
};

struct run {
    struct hd_batch_builder *builder;
    uint32_t lines_max; /* a batch; 0 = as many as there is room for */
    uint64_t first, random;
    int64_t time_ns;
    double stored;
};

static void close_batch(struct run *r)
{
    struct hd_slice frame;
    struct hd_batch_info info;
    if (hd_batch_builder_count(r->builder) > 0) {
        must(hd_batch_builder_close(r->builder, r->first, &frame, &info) == HD_OK);
        r->first = info.last + 1;
        r->stored += ENTRY_HEAD + (double)frame.len;
    }
}

static int add(struct run *r, struct hd_slice line)
{
    const struct hd_batch_source from = {.host = HD_SLICE("web1"),
                                         .kind = HD_SLICE("file"),
                                         .name = HD_SLICE("/var/log/app.log"),
                                         .format = HD_SLICE("auto")};
    uint16_t source;
    must(hd_batch_builder_source(r->builder, &from, &source) == HD_OK);
    return hd_batch_builder_add(r->builder, source, r->time_ns, 0, line);
}

/* Lines come up to two milliseconds after each other: their times cost room, too. */
static void add_line(struct run *r, struct hd_slice line)
{
    r->random = r->random * UINT64_C(6364136223846793005) + 1442695040888963407U;
    r->time_ns += (int64_t)(r->random >> 33) % (2 * HD_NS_PER_MS);
    if (r->lines_max > 0 && hd_batch_builder_count(r->builder) == r->lines_max) {
        close_batch(r);
    }
    if (add(r, line) != HD_OK) {
        close_batch(r);
        must(add(r, line) == HD_OK);
    }
}

static double once(struct hd_slice text, int level, uint32_t lines_max)
{
    struct run r = {.lines_max = lines_max, .first = 1, .random = 1};
    struct hd_slice line;
    r.time_ns = INT64_C(1795219200) * HD_NS_PER_SEC;
    must(hd_batch_builder_new("web1", BOOT, HD_BATCH_RAW_MAX, level, &r.builder) ==
         HD_OK);
    while (hd_slice_split(&text, '\n', &line)) {
        if (line.len > 0) {
            add_line(&r, line);
        }
    }
    close_batch(&r);
    hd_batch_builder_free(r.builder);
    return r.stored;
}

static struct sizes measure(struct hd_slice text, int level, uint32_t lines_max)
{
    struct sizes s = {.raw = (double)text.len};
    double began = hd_bench_cpu_seconds();
    unsigned rounds = 0;
    do {
        s.stored = once(text, level, lines_max);
        rounds++;
        s.cpu = hd_bench_cpu_seconds() - began;
    } while (s.cpu < MIN_CPU);
    s.cpu /= rounds;
    return s;
}

static void add_sizes(struct sizes *sum, const struct sizes *one)
{
    sum->raw += one->raw;
    sum->stored += one->stored;
    sum->cpu += one->cpu;
}

static void say_row(const char *name, const struct sizes *s, size_t n)
{
    (void)printf("%-34s %7.2f", name, s[0].raw / 1e6);
    for (size_t i = 0; i < n; i++) {
        (void)printf(" %7.2f", s[i].raw / s[i].stored);
    }
    (void)printf("\n");
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

int main(int argc, char **argv)
{
    struct sizes sum[N_LEVELS + N_COUNTS] = {0};
    (void)printf("%-34s %7s", "bytes : bytes on disk", "MB");
    for (size_t i = 0; i < N_LEVELS; i++) {
        (void)printf(" level%2d", levels[i]);
    }
    for (size_t i = 0; i < N_COUNTS; i++) {
        (void)printf(" %4u ln", counts[i]);
    }
    (void)printf("\n");
    for (int f = 1; f < argc; f++) {
        struct sizes own[N_LEVELS + N_COUNTS];
        struct hd_buf file;
        hd_buf_init(&file, FILE_MAX);
        must(hd_fs_read(argv[f], FILE_MAX, &file) == HD_OK);
        for (size_t i = 0; i < N_LEVELS; i++) {
            own[i] = measure(hd_buf_slice(&file), levels[i], 0);
        }
        for (size_t i = 0; i < N_COUNTS; i++) {
            own[N_LEVELS + i] = measure(hd_buf_slice(&file), 1, counts[i]);
        }
        for (size_t i = 0; i < N_LEVELS + N_COUNTS; i++) {
            add_sizes(&sum[i], &own[i]);
        }
        say_row(base_name(argv[f]), own, N_LEVELS + N_COUNTS);
        hd_buf_fini(&file);
    }
    say_row("all", sum, N_LEVELS + N_COUNTS);
    (void)printf("%-34s %7s", "MB of lines a CPU-second", "");
    for (size_t i = 0; i < N_LEVELS + N_COUNTS; i++) {
        (void)printf(" %7.1f", sum[i].raw / 1e6 / sum[i].cpu);
    }
    (void)printf("\n");
    return 0;
}
