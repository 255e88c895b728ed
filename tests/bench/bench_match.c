/* SPDX-License-Identifier: Apache-2.0
 *
 * Decode and match, one thread: lines of text in, hits out.
 *
 *     bench_match [-s seconds] [-f format] [-d decoders] [-r rules]... [FILE...]
 *
 * Prints lines per CPU second for decode alone, match alone and both, hits, memory and
 * load time.
 * Lines of the files are repeated with their digits changed. Without FILE: a few lines of
 * its own. Defaults: the decoders and rules of the source tree.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <haidang/buf.h>
#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/num.h>

#include "rules/set.h"

#define LINES     100000U
#define RULES_MAX 16

struct bench {
    struct rul_set *set;
    struct rul_scratch *scratch;
    struct rul_decode_scratch *decode;
    struct rul_event *ev;
    struct hd_batch_source source;
    struct hd_slice *lines;
    size_t n, bytes;
    int64_t budget_ns;
    uint64_t hits;
};

static const char builtin[] =
    "Dec 10 06:55:48 LabSZ sshd[24200]: Failed password for invalid user webmaster from "
    "173.234.31.186 port 38926 ssh2\n"
    "Dec 10 06:55:48 LabSZ sshd[24200]: Connection closed by 173.234.31.186 "
    "[preauth]\n"
    "Jun 14 15:16:02 combo sshd(pam_unix)[19937]: check pass; user unknown\n"
    "Jun 15 04:06:20 combo logrotate: ALERT exited abnormally with [1]\n"
    "192.0.2.7 - - [21/Nov/2026:07:50:37 +0700] \"GET /index.php?id=12 HTTP/1.1\" 200 "
    "5124 \"-\" \"Mozilla/5.0 (X11; Linux x86_64)\"\n";

/* The lines of the text again and again, each time with other digits. */
static int fill(struct bench *b, struct hd_slice text, struct hd_buf *out)
{
    uint32_t seed = 1;
    size_t *at = calloc(LINES + 1, sizeof(*at));
    b->lines = calloc(LINES, sizeof(*b->lines));
    if (at == NULL || b->lines == NULL) {
        free(at);
        return HD_ENOMEM;
    }
    while (b->n < LINES) {
        struct hd_slice rest = text, line;
        while (b->n < LINES && hd_slice_split(&rest, '\n', &line)) {
            if (line.len == 0) {
                continue;
            }
            at[b->n++] = out->len;
            for (size_t i = 0; i < line.len; i++) {
                seed = seed * 1664525U + 1013904223U;
                bool digit = hd_is_digit(line.ptr[i]) && i > 20;
                hd_buf_byte(out, digit && line.ptr[i] > '1'
                                     ? (uint8_t)('2' + (seed >> 20) % 8)
                                     : line.ptr[i]);
            }
        }
    }
    at[b->n] = out->len;
    for (size_t i = 0; i < b->n; i++) {
        b->lines[i] = hd_slice(out->ptr + at[i], at[i + 1] - at[i]);
    }
    b->bytes = out->len;
    free(at);
    return out->err;
}

static void on_hit(void *ctx, const struct rul_rule *rule, const struct rul_event *ev)
{
    struct bench *b = ctx;
    (void)rule;
    (void)ev;
    b->hits++;
}

enum part { DECODE = 1, MATCH = 2 };

/* CPU time of this thread: what others do on the machine does not count. */
static int64_t cpu_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * HD_NS_PER_SEC + t.tv_nsec;
}

/* Lines per CPU second; match alone repeats the event of every 16th line. */
static double run(struct bench *b, unsigned parts)
{
    int64_t start = cpu_ns(), now = start;
    uint64_t lines = 0;
    b->hits = 0;
    while (now - start < b->budget_ns) {
        for (size_t i = 0; i < b->n; i++) {
            const struct rul_record record = {&b->source, INT64_C(1790000000000000000),
                                              b->lines[i]};
            if ((parts & DECODE) != 0 || i % 16 == 0) {
                rul_decode(rul_set_decoders(b->set), b->decode, &record, b->ev);
            }
            if ((parts & MATCH) != 0) {
                rul_match(b->set, b->scratch, b->ev, on_hit, b);
            }
        }
        lines += b->n;
        now = cpu_ns();
    }
    return (double)lines * 1e9 / (double)(now - start);
}

static int load(struct bench *b, const struct rul_set_opts *opts)
{
    struct hd_diags diags = {0};
    int64_t start = cpu_ns();
    int err = rul_set_load(opts, &b->set, &diags);
    if (err != 0) {
        (void)fprintf(stderr, "rules do not load: %s, %u errors\n", hd_err_text(err),
                      diags.errors);
        return err;
    }
    (void)printf("rules            %zu (%u errors), loaded in %.3f s\n",
                 rul_set_count(b->set), diags.errors, (double)(cpu_ns() - start) / 1e9);
    err = rul_scratch_new(b->set, &b->scratch);
    if (err == 0) {
        err = rul_decode_scratch_new(&b->decode);
    }
    b->ev = calloc(1, sizeof(*b->ev));
    return b->ev == NULL ? HD_ENOMEM : err;
}

static void measure(struct bench *b)
{
    struct rusage usage;
    double decode = run(b, DECODE);
    double match = run(b, MATCH);
    double both = run(b, DECODE | MATCH);
    (void)printf("line, mean       %.0f bytes\n", (double)b->bytes / (double)b->n);
    (void)printf("decode           %.0f lines/s\n", decode);
    (void)printf("match            %.0f events/s\n", match);
    (void)printf("decode + match   %.0f lines/s, %.0f MB/s, %llu hits\n", both,
                 both * (double)b->bytes / (double)b->n / 1e6,
                 (unsigned long long)b->hits);
    (void)getrusage(RUSAGE_SELF, &usage);
    (void)printf("peak memory      %ld MiB\n", usage.ru_maxrss / 1024);
}

static int read_files(char *const *paths, struct hd_buf *text)
{
    for (; *paths != NULL; paths++) {
        int err = hd_fs_read(*paths, 1U << 30, text);
        if (err != 0) {
            (void)fprintf(stderr, "%s: %s\n", *paths, hd_err_text(err));
            return err;
        }
        hd_buf_byte(text, '\n');
    }
    if (text->len == 0) {
        hd_buf_str(text, builtin);
    }
    return text->err;
}

static int bench(struct bench *b, const struct rul_set_opts *opts, char *const *paths)
{
    struct hd_buf text, lines;
    hd_buf_init(&text, 0);
    hd_buf_init(&lines, 0);
    int err = read_files(paths, &text);
    if (err == 0) {
        err = fill(b, hd_buf_slice(&text), &lines);
    }
    if (err == 0) {
        err = load(b, opts);
    }
    if (err == 0) {
        measure(b);
    }
    rul_scratch_free(b->scratch);
    rul_decode_scratch_free(b->decode);
    rul_set_unref(b->set);
    free(b->ev);
    free(b->lines);
    hd_buf_fini(&text);
    hd_buf_fini(&lines);
    return err;
}

int main(int argc, char **argv)
{
    struct bench b = {.source = {.host = HD_SLICE("web1"),
                                 .kind = HD_SLICE("file"),
                                 .name = HD_SLICE("bench"),
                                 .format = HD_SLICE("auto")},
                      .budget_ns = HD_NS_PER_SEC};
    const char *rules[RULES_MAX] = {HD_BENCH_SOURCE "/rules/library"};
    struct rul_set_opts opts = {.decoders_dir = HD_BENCH_SOURCE "/rules/decoders",
                                .rules = rules,
                                .keep_going = true};
    double seconds = 1;
    for (int c = 0; (c = getopt(argc, argv, "s:f:d:r:")) != -1;) {
        if (c == 's' && hd_num_double(hd_slice_str(optarg), &seconds) == 0) {
            b.budget_ns = (int64_t)(seconds * 1e9);
        } else if (c == 'f') {
            b.source.format = hd_slice_str(optarg);
        } else if (c == 'd') {
            opts.decoders_dir = optarg;
        } else if (c == 'r' && opts.n_rules < RULES_MAX) {
            rules[opts.n_rules++] = optarg;
        } else {
            (void)fprintf(stderr, "usage: bench_match [-s seconds] [-f format] [-d "
                                  "decoders] [-r rules]... [FILE...]\n");
            return 2;
        }
    }
    opts.n_rules += opts.n_rules == 0;
    return bench(&b, &opts, argv + optind) == 0 ? 0 : 1;
}
