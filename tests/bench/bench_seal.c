/* SPDX-License-Identifier: Apache-2.0
 *
 * What sealing and signing cost: the same entries into a journal without a key and into
 * one with a key, in turn; processor time, medians.
 *
 *     bench_seal [MB a round, 512] [rounds, 7] [DIRECTORY, $TMPDIR or /tmp]
 *
 * The last line is for sealing.py: seconds of a gigabyte on disk.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <haidang/batch.h>
#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/hash.h>
#include <haidang/journal.h>
#include <haidang/num.h>
#include <haidang/sign.h>

#include "tests/bench/bench.h"

#define BOOT       "0123456789abcdef0123456789abcdef"
#define ROUNDS_MAX 99U
#define LINE_BYTES 200U
#define GROUP      8U /* entries a commit */

struct bench {
    char base[256], dir[600];
    double megabytes;
    uint32_t rounds;
    uint8_t *frame;
    size_t frame_len;
    struct hd_sign_key *key;
    uint64_t segments;
};

/* A full batch of lines in hexadecimal: what it holds does not matter here. */
static void make_frame(struct bench *b)
{
    static const char digit[] = "0123456789abcdef";
    const struct hd_batch_source from = {
        .host = HD_SLICE("web1"), .kind = HD_SLICE("file"), .name = HD_SLICE("/x")};
    struct hd_batch_builder *builder = NULL;
    struct hd_batch_info info;
    struct hd_slice frame;
    uint16_t source;
    char line[LINE_BYTES];
    must(hd_batch_builder_new("web1", BOOT, HD_BATCH_RAW_MAX, 1, &builder) == HD_OK);
    must(hd_batch_builder_source(builder, &from, &source) == HD_OK);
    do {
        must(hd_random(line, sizeof(line)) == HD_OK);
        for (size_t i = 0; i < sizeof(line); i++) {
            line[i] = digit[(unsigned char)line[i] % 16];
        }
    } while (hd_batch_builder_add(builder, source, hd_clock_wall_ns(), 0,
                                  hd_slice(line, sizeof(line))) == HD_OK);
    must(hd_batch_builder_close(builder, 1, &frame, &info) == HD_OK);
    b->frame = malloc(frame.len);
    must(b->frame != NULL);
    memcpy(b->frame, frame.ptr, frame.len);
    b->frame_len = frame.len;
    hd_batch_builder_free(builder);
}

static int remove_file(void *ctx, const char *name)
{
    struct bench *b = ctx;
    char path[1024];
    (void)snprintf(path, sizeof(path), "%s/%s", b->dir, name);
    b->segments += hd_slice_ends(hd_slice_str(name), HD_SLICE(".zst"));
    return unlink(path) == 0 || rmdir(path) == 0 ? HD_OK : HD_EIO;
}

/* Processor seconds of a gigabyte. */
static double append_all(struct bench *b, const struct hd_sign_key *key)
{
    const struct hd_journal_opts opts = {.dir = b->dir, .seal_key = key};
    struct hd_journal_recovery found;
    struct hd_journal *j = NULL;
    uint64_t entries = (uint64_t)(b->megabytes * 1e6 / (double)b->frame_len);
    (void)snprintf(b->dir, sizeof(b->dir), "%s/journal", b->base);
    must(hd_journal_open(&opts, &j, &found) == HD_OK);
    double began = hd_bench_cpu_seconds();
    for (uint64_t n = 1; n <= entries; n++) {
        struct hd_journal_entry entry = {.first = n,
                                         .last = n,
                                         .count = 1,
                                         .payload = hd_slice(b->frame, b->frame_len)};
        must(hd_journal_append(j, &entry) == HD_OK);
        must(n % GROUP != 0 || hd_journal_commit(j) == HD_OK);
    }
    double took = hd_bench_cpu_seconds() - began;
    double gigabytes = (double)hd_journal_bytes(j) / 1e9;
    hd_journal_close(j);
    b->segments = 0;
    must(hd_fs_each(b->dir, remove_file, b) == HD_OK && rmdir(b->dir) == 0);
    return took / gigabytes;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *values, uint32_t n)
{
    qsort(values, n, sizeof(values[0]), by_value);
    return values[n / 2];
}

static void prepare(struct bench *b, int argc, char **argv)
{
    const char *base = getenv("TMPDIR");
    char key[300];
    base = argc > 3 ? argv[3] : base != NULL ? base : "/tmp";
    b->megabytes = 512;
    b->rounds = 7;
    must(argc < 2 || hd_num_double(hd_slice_str(argv[1]), &b->megabytes) == HD_OK);
    must(argc < 3 || hd_num_u32(hd_slice_str(argv[2]), ROUNDS_MAX, &b->rounds) == HD_OK);
    must(b->rounds > 0);
    (void)snprintf(b->base, sizeof(b->base), "%s/haidang-bench-XXXXXX", base);
    must(mkdtemp(b->base) != NULL);
    (void)snprintf(key, sizeof(key), "%s/key", b->base);
    must(hd_sign_key_ensure(key, &b->key) == HD_OK);
    make_frame(b);
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    double without[ROUNDS_MAX], with[ROUNDS_MAX], more[ROUNDS_MAX];
    prepare(&b, argc, argv);
    for (uint32_t i = 0; i < b.rounds; i++) {
        without[i] = append_all(&b, NULL);
        with[i] = append_all(&b, b.key);
        more[i] = with[i] - without[i];
    }
    (void)printf("%.0f MB a round in %llu segments, %u rounds, CPU-s per GB on disk: "
                 "without a key %.3f, sealed and signed %.3f\n",
                 b.megabytes, (unsigned long long)b.segments, b.rounds,
                 median(without, b.rounds), median(with, b.rounds));
    (void)printf("sealing %.4f CPU-s per GB\n", median(more, b.rounds));
    (void)snprintf(b.dir, sizeof(b.dir), "%s", b.base);
    if (hd_fs_each(b.dir, remove_file, &b) != HD_OK || rmdir(b.dir) != 0) {
        (void)fprintf(stderr, "bench_seal: %s is left behind\n", b.dir);
    }
    hd_sign_key_free(b.key);
    free(b.frame);
    return 0;
}
