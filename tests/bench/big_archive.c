/* SPDX-License-Identifier: Apache-2.0
 *
 * A large archive that takes little of the disk, for restart.py: sealed segments whose
 * headers, entry headers, footers and checksums are right, and whose payloads (raw zstd
 * blocks of zeros) are holes of the file. The last one is real: batches of lines, not
 * sealed, as a crash leaves it. Detectors have read all of it.
 *
 *     big_archive DIR SEGMENTS DETECTORS      DIR must not exist
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <haidang/archive_meta.h>
#include <haidang/batch.h>
#include <haidang/clock.h>
#include <haidang/hash.h>
#include <haidang/num.h>

#include "lib/journal_format.h"
#include "tests/bench/bench.h"

#define SEGMENT_BYTES (UINT64_C(64) << 20)
#define FOOTER_ROOM   (UINT64_C(32) << 10)
#define BLOCK_BYTES   131072U /* the largest zstd block */
#define ZSTD_HEAD_LEN 12U
#define PAYLOAD_LEN   (ZSTD_HEAD_LEN + BLOCK_BYTES)
#define BATCH_LINES   4000U
#define LINE_BYTES    200U
#define BOOT          "0123456789abcdef0123456789abcdef"
#define YEAR_NS       (INT64_C(366) * 86400 * HD_NS_PER_SEC)
#define HOUR_NS       (INT64_C(3600) * HD_NS_PER_SEC)

struct maker {
    const char *dir;
    struct hd_jfmt_uuid uuid;
    struct hd_buf out, meta;
    uint8_t *payload;
    uint64_t index, lines; /* of the last entry; delivered */
    int64_t time_ns;
};

static void put(int fd, const void *bytes, size_t len, uint64_t at)
{
    must(pwrite(fd, bytes, len, (off_t)at) == (ssize_t)len);
}

static void make_meta(struct maker *m)
{
    hd_buf_clear(&m->meta);
    hd_archive_meta_encode(&m->meta,
                           &(struct hd_archive_meta){.agent = HD_SLICE("web1"),
                                                     .boot = HD_SLICE(BOOT),
                                                     .peer = HD_SLICE("192.0.2.7:50000"),
                                                     .taken_ns = m->time_ns});
}

/* ---- segments full of holes ---- */

/* Magic number, one segment with a size of four bytes, the last and only block, raw. */
static void make_payload(struct maker *m)
{
    static const uint8_t head[ZSTD_HEAD_LEN] = {
        0x28, 0xb5, 0x2f, 0xfd,
        0xa0, 0,    0,    BLOCK_BYTES >> 16,
        0,    1,    0,    (BLOCK_BYTES << 3) >> 16};
    m->payload = calloc(1, PAYLOAD_LEN);
    must(m->payload != NULL);
    memcpy(m->payload, head, sizeof(head));
}

/* Its header and the beginning of the payload; the rest is a hole. Returns its size. */
static uint64_t put_entry(struct maker *m, int fd, uint64_t at,
                          struct hd_jfmt_footer *stats)
{
    make_meta(m);
    struct hd_journal_entry entry = {.index = ++m->index,
                                     .first = m->lines + 1,
                                     .last = m->lines + BATCH_LINES,
                                     .time_min = m->time_ns,
                                     .time_max = m->time_ns + HD_NS_PER_SEC,
                                     .count = BATCH_LINES,
                                     .raw_len = BLOCK_BYTES,
                                     .meta = hd_buf_slice(&m->meta),
                                     .payload = hd_slice(m->payload, PAYLOAD_LEN)};
    m->lines += BATCH_LINES;
    hd_buf_clear(&m->out);
    hd_jfmt_entry_encode(&m->out, &m->uuid, &entry, entry.index);
    uint64_t size = m->out.len + PAYLOAD_LEN;
    hd_buf_bytes(&m->out, m->payload, ZSTD_HEAD_LEN);
    must(m->out.err == 0);
    put(fd, m->out.ptr, m->out.len, at);
    hd_jfmt_footer_count(stats, &entry, at);
    return size;
}

static void put_segment(struct maker *m, int64_t step_ns)
{
    char name[HD_JFMT_NAME_LEN + 1], path[4096];
    struct hd_jfmt_footer stats;
    uint64_t first = m->index + 1, at = HD_JFMT_SEGMENT_LEN;
    hd_jfmt_name(first, name);
    (void)snprintf(path, sizeof(path), "%s/%s", m->dir, name);
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0640);
    must(fd >= 0);
    hd_buf_clear(&m->out);
    hd_jfmt_segment_encode(&m->out,
                           &(struct hd_jfmt_segment){m->uuid, first, m->time_ns});
    put(fd, m->out.ptr, m->out.len, 0);
    hd_jfmt_footer_init(&stats, first, SEGMENT_BYTES);
    while (at + 2 * PAYLOAD_LEN < SEGMENT_BYTES - FOOTER_ROOM) {
        at += put_entry(m, fd, at, &stats);
        m->time_ns += step_ns;
    }
    hd_buf_clear(&m->out);
    hd_jfmt_footer_begin(&m->out, &stats, 0);
    hd_jfmt_footer_end(&m->out, &m->uuid);
    must(m->out.err == 0);
    put(fd, m->out.ptr, m->out.len, at);
    must(close(fd) == 0);
}

/* ---- the last segment ---- */

static void make_line(char line[LINE_BYTES + 64], uint64_t n)
{
    uint64_t x = n * UINT64_C(0x9E3779B97F4A7C15);
    int len = snprintf(line, LINE_BYTES + 64,
                       "<30>Nov 21 07:50:37 web1 app[7]: request %llu took %llu ms of ",
                       (unsigned long long)n, (unsigned long long)(x >> 50));
    for (size_t at = (size_t)len; at < LINE_BYTES; at++) {
        line[at] = (char)('a' + (x >> at % 56) % 26);
    }
}

static void append_batch(struct maker *m, struct hd_journal *j,
                         struct hd_batch_builder *builder)
{
    const struct hd_batch_source from = {.host = HD_SLICE("web1"),
                                         .kind = HD_SLICE("file"),
                                         .name = HD_SLICE("/var/log/app.log"),
                                         .format = HD_SLICE("auto")};
    uint16_t source;
    must(hd_batch_builder_source(builder, &from, &source) == HD_OK);
    for (unsigned i = 0; i < BATCH_LINES; i++) {
        char line[LINE_BYTES + 64];
        make_line(line, m->lines + i);
        must(hd_batch_builder_add(builder, source, m->time_ns, 0,
                                  hd_slice(line, LINE_BYTES)) == HD_OK);
    }
    make_meta(m);
    (void)hd_bench_append(j, builder, m->lines + 1, hd_buf_slice(&m->meta));
    m->lines += BATCH_LINES;
}

static void put_last(struct maker *m)
{
    struct hd_journal *j = NULL;
    struct hd_journal_recovery found;
    struct hd_batch_builder *builder = NULL;
    must(hd_journal_open(&(struct hd_journal_opts){.dir = m->dir}, &j, &found) == HD_OK);
    must(found.next_index == m->index + 1);
    must(hd_batch_builder_new("web1", BOOT, HD_BATCH_RAW_MAX, 1, &builder) == HD_OK);
    uint64_t begin = hd_journal_bytes(j);
    while (hd_journal_bytes(j) - begin < SEGMENT_BYTES - SEGMENT_BYTES / 16) {
        append_batch(m, j, builder);
        m->time_ns += HD_NS_PER_SEC;
    }
    must(hd_journal_commit(j) == HD_OK);
    (void)printf("%llu\n", (unsigned long long)hd_journal_bytes(j));
    hd_batch_builder_free(builder);
    hd_journal_close(j);
}

static void put_cursor(const struct maker *m, unsigned detector)
{
    char name[32];
    struct hd_journal_reader *r = NULL;
    struct hd_journal_cursor at;
    (void)snprintf(name, sizeof(name), "detect-%u", detector);
    must(hd_journal_reader_open(m->dir, name, &r) == HD_OK);
    must(hd_journal_reader_seek_end(r) == HD_OK);
    hd_journal_reader_tell(r, &at);
    must(hd_journal_reader_save(r, &at, true) == HD_OK);
    hd_journal_reader_close(r);
}

int main(int argc, char **argv)
{
    uint32_t segments = 0, detectors = 0;
    must(argc == 4 && mkdir(argv[1], 0750) == 0);
    must(hd_num_u32(hd_slice_str(argv[2]), 100000, &segments) == HD_OK && segments > 0);
    must(hd_num_u32(hd_slice_str(argv[3]), 64, &detectors) == HD_OK);
    int64_t now_ns = hd_clock_wall_ns();
    struct maker m = {.dir = argv[1], .time_ns = now_ns - YEAR_NS};
    hd_buf_init(&m.out, 1 << 20);
    hd_buf_init(&m.meta, 4096);
    must(hd_random(m.uuid.byte, sizeof(m.uuid.byte)) == HD_OK);
    make_payload(&m);
    int64_t entries = (int64_t)segments * (int64_t)(SEGMENT_BYTES / PAYLOAD_LEN);
    for (uint32_t i = 0; i < segments; i++) {
        put_segment(&m, (YEAR_NS - HOUR_NS) / entries);
    }
    m.time_ns = now_ns - HOUR_NS;
    put_last(&m);
    for (unsigned i = 0; i < detectors; i++) {
        put_cursor(&m, i);
    }
    hd_buf_fini(&m.out);
    hd_buf_fini(&m.meta);
    free(m.payload);
    return 0;
}
