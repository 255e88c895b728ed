/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines a second of processor time through rul_decode on one thread (a busy machine does
 * not count).
 *
 *     bench_decode DECODERS_DIR SECONDS [FILE...]
 *
 * Each file is decoded again and again for that long; without files a small built-in set
 * of lines is used.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/num.h>

#include "rules/decode/decode.h"

#define LINES_MAX 100000U
#define FILE_MAX  ((size_t)64 << 20)

static const char builtin[] =
    "Nov 21 07:50:37 web1 sshd[812]: Failed password for root from 203.0.113.9 port 4022 "
    "ssh2\n"
    "Nov 21 07:50:37 web1 sudo:    an : TTY=pts/0 ; PWD=/tmp ; USER=root ; "
    "COMMAND=/bin/id\n"
    "203.0.113.9 - - [21/Nov/2026:07:50:37 +0700] \"GET /a?b=%27 HTTP/1.1\" 200 612 "
    "\"-\" "
    "\"curl/8\"\n"
    "{\"timestamp\":\"2026-11-21T00:50:37Z\",\"event_type\":\"dns\",\"src_ip\":\"192.0.2."
    "7\","
    "\"src_port\":4000,\"dest_ip\":\"192.0.2.53\",\"dest_port\":53,\"proto\":\"UDP\","
    "\"dns\":{"
    "\"type\":\"query\",\"rrname\":\"a.vn\",\"rrtype\":\"A\"}}\n";

struct bench {
    struct rul_decoders *decoders;
    struct rul_decode_scratch *scratch;
    struct rul_event *ev;
    struct hd_slice *lines;
    size_t n, bytes;
};

static void split_lines(struct bench *b, struct hd_slice text)
{
    struct hd_slice line;
    b->n = b->bytes = 0;
    while (b->n < LINES_MAX && hd_slice_split(&text, '\n', &line)) {
        if (line.len > 0) {
            b->lines[b->n++] = line;
            b->bytes += line.len;
        }
    }
}

static int64_t cpu_ns(void)
{
    struct timespec ts = {0};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return ts.tv_sec * HD_NS_PER_SEC + ts.tv_nsec;
}

static void run(struct bench *b, const char *name, int64_t for_ns)
{
    struct hd_batch_source source = {.host = HD_SLICE("h"), .format = HD_SLICE("auto")};
    int64_t start = cpu_ns(), now = start, recv_ns = hd_clock_wall_ns();
    uint64_t lines = 0, patterns = 0, bytes = 0;
    while (now - start < for_ns) {
        for (size_t i = 0; i < b->n; i++) {
            struct rul_record record = {&source, recv_ns, b->lines[i]};
            rul_decode(b->decoders, b->scratch, &record, b->ev);
            patterns += b->ev->pattern != NULL ? 1 : 0;
        }
        lines += b->n;
        bytes += b->bytes;
        now = cpu_ns();
    }
    double seconds = (double)(now - start) / (double)HD_NS_PER_SEC;
    (void)printf("%-40s %10.0f lines/s %7.0f ns/line %6.1f MB/s %5.1f %% by a pattern\n",
                 name, (double)lines / seconds, 1e9 * seconds / (double)lines,
                 (double)bytes / seconds / 1e6, 100.0 * (double)patterns / (double)lines);
}

static int run_file(struct bench *b, const char *path, int64_t for_ns)
{
    struct hd_buf text;
    hd_buf_init(&text, FILE_MAX);
    int rc = hd_fs_read(path, FILE_MAX, &text);
    if (rc == 0) {
        split_lines(b, hd_buf_slice(&text));
    }
    if (rc == 0 && b->n > 0) {
        run(b, path, for_ns);
    }
    hd_buf_fini(&text);
    return rc;
}

static int prepare(struct bench *b, const char *dir)
{
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    struct rul_decoders_opts opts = {.dir = dir};
    struct rul_fields *fields = NULL;
    b->lines = calloc(LINES_MAX, sizeof(*b->lines));
    b->ev = calloc(1, sizeof(*b->ev));
    int rc = b->lines == NULL || b->ev == NULL ? HD_ENOMEM : rul_fields_new(&fields);
    if (rc == 0) {
        rc = rul_decoders_load(&opts, fields, &b->decoders, &diags);
    }
    return rc == 0 ? rul_decode_scratch_new(&b->scratch) : rc;
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    uint64_t seconds = 0;
    if (argc < 3 || hd_num_u64(hd_slice_str(argv[2]), 60, &seconds) != 0) {
        (void)fprintf(stderr, "usage: bench_decode DECODERS_DIR SECONDS [FILE...]\n");
        return HD_EXIT_USAGE;
    }
    int rc = prepare(&b, argv[1]);
    int64_t for_ns = (int64_t)seconds * HD_NS_PER_SEC;
    if (rc == 0 && argc == 3) {
        split_lines(&b, hd_slice_str(builtin));
        run(&b, "built-in", for_ns);
    }
    for (int i = 3; rc == 0 && i < argc; i++) {
        rc = run_file(&b, argv[i], for_ns);
    }
    if (rc != 0) {
        (void)fprintf(stderr, "bench_decode: %s\n", hd_err_text(rc));
    }
    return rc == 0 ? HD_EXIT_OK : HD_EXIT_RUNTIME;
}
