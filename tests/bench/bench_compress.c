/* SPDX-License-Identifier: Apache-2.0
 *
 * How small lines become on disk: each file goes through batches as an agent makes them;
 * its bytes against those of the journal's entries.
 *
 *     bench_compress FILE...      each a log, line by line
 *
 * At several levels of zstd with full batches (the agent's is 1), with the processor time
 * that takes; then with fewer lines a batch, as a quiet source makes them, at level 1 and
 * as compaction does (19); and what it would be if batches of ten lines shared frames.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include <haidang/batch.h>
#include <haidang/clock.h>
#include <haidang/fs.h>

#include "tests/bench/bench.h"

#define BOOT       "0123456789abcdef0123456789abcdef"
#define ENTRY_HEAD (80U + 64U) /* of an entry of the archive, and its meta */
#define FILE_MAX   ((size_t)1 << 30)
#define MIN_CPU    0.2 /* seconds a measurement */

struct way {
    const char *name;
    int level;
    uint32_t lines_max; /* a batch; 0 = as many as there is room for */
    size_t together;    /* bytes of batches in one frame; 0 = each has its own */
};

static const struct way ways[] = {
    {"level 1", 1, 0, 0},
    {"level 3", 3, 0, 0},
    {"level 6", 6, 0, 0},
    {"level 9", 9, 0, 0},
    {"level12", 12, 0, 0},
    {"level15", 15, 0, 0},
    {"level19", 19, 0, 0},
    {"10 ln", 1, 10, 0},
    {"100 ln", 1, 100, 0},
    {"1000 ln", 1, 1000, 0},
    {"10 L19", 19, 10, 0},
    {"100 L19", 19, 100, 0},
    {"10 64K", 19, 10, (size_t)64 << 10},
    {"10 1M", 19, 10, (size_t)1 << 20},
};
#define N_WAYS (sizeof(ways) / sizeof(ways[0]))

struct sizes {
    double raw, stored, cpu; /* bytes, bytes, seconds */
};

struct run {
    const struct way *way;
    struct hd_batch_builder *builder;
    uint64_t first, random;
    int64_t time_ns;
    struct hd_buf group; /* batches that are to share a frame, uncompressed */
    double stored;
};

static void close_group(struct run *r)
{
    struct hd_buf out;
    hd_buf_init(&out, 0);
    size_t bound = ZSTD_compressBound(r->group.len);
    uint8_t *room = hd_buf_reserve(&out, bound);
    must(room != NULL);
    size_t len = ZSTD_compress(room, bound, r->group.ptr, r->group.len, r->way->level);
    must(!ZSTD_isError(len));
    r->stored += r->group.len > 0 ? (double)len : 0;
    hd_buf_fini(&out);
    hd_buf_clear(&r->group);
}

static void share(struct run *r, struct hd_slice frame, size_t raw_len)
{
    if (r->group.len + raw_len > r->way->together) {
        close_group(r);
    }
    uint8_t *room = hd_buf_reserve(&r->group, raw_len);
    must(room != NULL);
    must(ZSTD_decompress(room, raw_len, frame.ptr, frame.len) == raw_len);
    r->group.len += raw_len;
}

static void close_batch(struct run *r)
{
    struct hd_slice frame;
    struct hd_batch_info info;
    if (hd_batch_builder_count(r->builder) > 0) {
        must(hd_batch_builder_close(r->builder, r->first, &frame, &info) == HD_OK);
        r->first = info.last + 1;
        r->stored += ENTRY_HEAD;
        if (r->way->together > 0) {
            share(r, frame, info.raw_len);
        } else {
            r->stored += (double)frame.len;
        }
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
    if (r->way->lines_max > 0 &&
        hd_batch_builder_count(r->builder) == r->way->lines_max) {
        close_batch(r);
    }
    if (add(r, line) != HD_OK) {
        close_batch(r);
        must(add(r, line) == HD_OK);
    }
}

static double once(struct hd_slice text, const struct way *way)
{
    struct run r = {.way = way, .first = 1, .random = 1};
    int level = way->together > 0 ? 1 : way->level;
    struct hd_slice line;
    hd_buf_init(&r.group, 0);
    r.time_ns = INT64_C(1795219200) * HD_NS_PER_SEC;
    must(hd_batch_builder_new("web1", BOOT, HD_BATCH_RAW_MAX, level, &r.builder) ==
         HD_OK);
    while (hd_slice_split(&text, '\n', &line)) {
        if (line.len > 0) {
            add_line(&r, line);
        }
    }
    close_batch(&r);
    close_group(&r);
    hd_buf_fini(&r.group);
    hd_batch_builder_free(r.builder);
    return r.stored;
}

static struct sizes measure(struct hd_slice text, const struct way *way)
{
    struct sizes s = {.raw = (double)text.len};
    double began = hd_bench_cpu_seconds();
    unsigned rounds = 0;
    do {
        s.stored = once(text, way);
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

static void say_row(const char *name, const struct sizes *s)
{
    (void)printf("%-34s %7.2f", name, s[0].raw / 1e6);
    for (size_t i = 0; i < N_WAYS; i++) {
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
    struct sizes sum[N_WAYS] = {0};
    (void)printf("%-34s %7s", "bytes : bytes on disk", "MB");
    for (size_t i = 0; i < N_WAYS; i++) {
        (void)printf(" %7s", ways[i].name);
    }
    (void)printf("\n");
    for (int f = 1; f < argc; f++) {
        struct sizes own[N_WAYS];
        struct hd_buf file;
        hd_buf_init(&file, FILE_MAX);
        must(hd_fs_read(argv[f], FILE_MAX, &file) == HD_OK);
        for (size_t i = 0; i < N_WAYS; i++) {
            own[i] = measure(hd_buf_slice(&file), &ways[i]);
            add_sizes(&sum[i], &own[i]);
        }
        say_row(base_name(argv[f]), own);
        hd_buf_fini(&file);
    }
    say_row("all", sum);
    (void)printf("%-34s %7s", "MB of lines a CPU-second", "");
    for (size_t i = 0; i < N_WAYS; i++) {
        (void)printf(" %7.1f", sum[i].raw / 1e6 / sum[i].cpu);
    }
    (void)printf("\n");
    return 0;
}
