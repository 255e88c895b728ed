/* SPDX-License-Identifier: Apache-2.0
 *
 * How fast the durable path is, one core: lines into a builder, lines out of a reader,
 * entries into a journal, a journal out of a reader.
 *
 *     bench_store [SECONDS per measurement, 2] [DIRECTORY, $TMPDIR or /tmp]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <haidang/batch.h>
#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/journal.h>
#include <haidang/num.h>

#define BOOT     "0123456789abcdef0123456789abcdef"
#define N_LINES  4096U
#define LINE_LEN 200U
#define GROUP    8U /* entries a commit */

struct bench {
    double seconds;
    char dir[256];
    struct hd_batch_builder *builder;
    struct hd_batch_reader *reader;
    char *lines; /* N_LINES of LINE_LEN */
    uint8_t *frame;
    size_t frame_len;
    uint32_t frame_lines, raw_len;
};

static double now(void)
{
    return (double)hd_clock_mono_ns() / 1e9;
}

static void say(const char *what, double n, double seconds, const char *unit)
{
    (void)printf("%-34s %10.2f %s\n", what, n / seconds, unit);
}

/* Lines as servers write them: the same few shapes, changing numbers. */
static void make_lines(char *lines)
{
    uint64_t x = 88172645463325252U;
    for (unsigned i = 0; i < N_LINES; i++) {
        char text[LINE_LEN * 2];
        unsigned v[6];
        for (int k = 0; k < 6; k++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            v[k] = (unsigned)(x >> 40) % 250;
        }
        int len =
            i % 2 == 0
                ? snprintf(text, sizeof(text),
                           "<38>1 2026-11-21T07:50:37.%06uZ web%u sshd %u - - Failed "
                           "password for invalid user admin%u from 203.0.113.%u port "
                           "%u ssh2 ",
                           v[0] * 4000, v[1], v[2], v[3], v[4], v[5])
                : snprintf(text, sizeof(text),
                           "10.%u.%u.%u - - [21/Nov/2026:07:50:%02u +0700] \"GET "
                           "/dich-vu/%u/ho-so?id=%u HTTP/1.1\" 200 5123 \"-\" "
                           "\"Mozilla/5.0 (X11; Linux x86_64)\" ",
                           v[0], v[1], v[2], v[3] % 60, v[4], v[5]);
        memset(lines + i * LINE_LEN, '.', LINE_LEN);
        memcpy(lines + i * LINE_LEN, text, len < (int)LINE_LEN ? (size_t)len : LINE_LEN);
    }
}

static void fill(struct bench *b, uint16_t source, int64_t time_ns)
{
    unsigned i = 0;
    while (hd_batch_builder_add(b->builder, source, time_ns + i, 0,
                                hd_slice(b->lines + i % N_LINES * LINE_LEN, LINE_LEN)) ==
           HD_OK) {
        i++;
    }
}

static uint16_t open_source(struct bench *b)
{
    const struct hd_batch_source source = {
        .host = HD_SLICE("web1"),
        .kind = HD_SLICE("file"),
        .name = HD_SLICE("/var/log/auth.log"),
        .format = HD_SLICE("auto"),
    };
    uint16_t index = 0;
    return hd_batch_builder_source(b->builder, &source, &index) == HD_OK ? index : 0;
}

static void bench_builder(struct bench *b, bool is_closing)
{
    double start = now();
    double lines = 0;
    struct hd_slice frame = HD_SLICE_EMPTY;
    struct hd_batch_info info = {0};
    double closing = 0;
    while (now() - start - (is_closing ? 0 : closing) < b->seconds) {
        fill(b, open_source(b), hd_clock_wall_ns());
        lines += hd_batch_builder_count(b->builder);
        double before = now();
        if (hd_batch_builder_close(b->builder, 1, &frame, &info) != HD_OK) {
            return;
        }
        closing += now() - before;
    }
    double took = now() - start - (is_closing ? 0 : closing);
    say(is_closing ? "builder: add + compress (-1)" : "builder: add", lines / 1e6, took,
        "M lines/s");
    b->frame = realloc(b->frame, frame.len);
    if (b->frame != NULL) {
        memcpy(b->frame, frame.ptr, frame.len);
        b->frame_len = frame.len;
        b->frame_lines = info.count;
        b->raw_len = info.raw_len;
    }
}

static void bench_reader(struct bench *b)
{
    double start = now();
    double lines = 0;
    size_t sum = 0;
    while (now() - start < b->seconds) {
        struct hd_batch_info info;
        struct hd_batch_record record;
        if (hd_batch_reader_open(b->reader, hd_slice(b->frame, b->frame_len), &info) !=
            HD_OK) {
            return;
        }
        while (hd_batch_reader_next(b->reader, &record) == 1) {
            sum += record.line.len;
            lines++;
        }
    }
    double took = now() - start;
    say("reader: decompress + records", lines / 1e6, took, "M lines/s");
    (void)printf("%-34s %10.2f\n", "raw / compressed",
                 (double)b->raw_len / (double)b->frame_len);
    if (sum == 0) {
        (void)printf("nothing read\n");
    }
}

static uint64_t bench_append(struct bench *b, unsigned group)
{
    struct hd_journal_opts opts = {.dir = b->dir, .retain_bytes = 128U << 20};
    struct hd_journal_recovery recovery;
    struct hd_journal *j = NULL;
    if (hd_journal_open(&opts, &j, &recovery) != HD_OK) {
        return 0;
    }
    double start = now();
    uint64_t entries = 0;
    uint64_t commits = 0;
    int err = HD_OK;
    while (err == HD_OK && now() - start < b->seconds) {
        struct hd_journal_entry entry = {.first = entries,
                                         .last = entries,
                                         .count = b->frame_lines,
                                         .raw_len = b->raw_len,
                                         .payload = hd_slice(b->frame, b->frame_len)};
        err = hd_journal_append(j, &entry);
        entries++;
        if (err == HD_OK && entries % group == 0) {
            err = hd_journal_commit(j);
            commits++;
        }
    }
    double took = now() - start;
    hd_journal_close(j);
    (void)printf("journal, %u entries a commit:\n", group);
    say("  on disk", (double)(entries * b->frame_len) / 1e6, took, "MB/s");
    say("  as lines", (double)(entries * b->frame_lines) / 1e6, took, "M lines/s");
    say("  commits", (double)commits, took, "/s");
    return entries;
}

static void bench_read_journal(struct bench *b)
{
    struct hd_journal_reader *r = NULL;
    struct hd_journal_entry entry;
    if (hd_journal_reader_open(b->dir, NULL, &r) != HD_OK) {
        return;
    }
    double start = now();
    double bytes = 0;
    double lines = 0;
    while (hd_journal_reader_next(r, &entry) == HD_OK) {
        bytes += (double)entry.payload.len;
        lines += entry.count;
    }
    double took = now() - start;
    say("journal reader (page cache)", bytes / 1e6, took, "MB/s");
    say("  as lines", lines / 1e6, took, "M lines/s");
    hd_journal_reader_close(r);
}

static int remove_file(void *ctx, const char *name)
{
    const struct bench *b = ctx;
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/%s", b->dir, name);
    return unlink(path) == 0 || rmdir(path) == 0 ? HD_OK : HD_EIO;
}

static int prepare(struct bench *b, int argc, char **argv)
{
    const char *base = getenv("TMPDIR");
    base = argc > 2 ? argv[2] : base != NULL ? base : "/tmp";
    b->seconds = 2;
    if (argc > 1 && hd_num_double(hd_slice_str(argv[1]), &b->seconds) != HD_OK) {
        return HD_EINVAL;
    }
    (void)snprintf(b->dir, sizeof(b->dir), "%s/haidang-bench-XXXXXX", base);
    b->lines = malloc((size_t)N_LINES * LINE_LEN);
    if (b->lines == NULL || mkdtemp(b->dir) == NULL) {
        return HD_EIO;
    }
    make_lines(b->lines);
    int err = hd_batch_builder_new("web1", BOOT, 0, 1, &b->builder);
    return err == HD_OK ? hd_batch_reader_new(&b->reader) : err;
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    int err = prepare(&b, argc, argv);
    if (err != HD_OK) {
        (void)fprintf(stderr, "bench_store: %s\n", hd_err_text(err));
        return 1;
    }
    bench_builder(&b, false);
    bench_builder(&b, true);
    bench_reader(&b);
    (void)bench_append(&b, 1);
    (void)bench_append(&b, GROUP);
    bench_read_journal(&b);
    if (hd_fs_each(b.dir, remove_file, &b) != HD_OK || rmdir(b.dir) != 0) {
        (void)fprintf(stderr, "bench_store: %s is left behind\n", b.dir);
    }
    hd_batch_builder_free(b.builder);
    hd_batch_reader_free(b.reader);
    free(b.lines);
    free(b.frame);
    return 0;
}
