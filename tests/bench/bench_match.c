/* SPDX-License-Identifier: Apache-2.0
 *
 * Decode and match, one thread: lines of text in, hits out.
 *
 *     bench_match [-s seconds] [-f format] [-d decoders] [-r rules]... [-t] [FILE...]
 *
 * Prints load time, memory with the rules loaded, how long a swap holds up a thread, and
 * lines per CPU second (median of PASSES) for decode alone, both, and match as the
 * difference; -t prints them as one row for rules_table.py. Equal checksums: the same
 * rules hit on the same lines. Lines of the files are repeated with their digits changed,
 * JSON lines as they are (their digits are event ids). Without FILE: a few lines of its
 * own. Defaults: the decoders and rules of the source tree.
 */
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <haidang/buf.h>
#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/num.h>

#include "rules/set.h"

#define TEXT_MAX  (24U << 20) /* bytes of lines made from the files */
#define LINES_MAX 100000U
#define PASSES    5U
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
    bool is_row;
    double load_s, load_mib, swap_ms;
    unsigned refused;
    size_t line; /* being matched */
    uint64_t hits, sum;
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

/* ---- lines ---- */

static void add_line(struct hd_buf *out, struct hd_slice line, uint32_t *seed)
{
    bool is_json = line.ptr[0] == '{';
    for (size_t i = 0; i < line.len; i++) {
        *seed = *seed * 1664525U + 1013904223U;
        bool vary = !is_json && i > 20 && hd_is_digit(line.ptr[i]) && line.ptr[i] > '1';
        hd_buf_byte(out, vary ? (uint8_t)('2' + (*seed >> 20) % 8) : line.ptr[i]);
    }
}

/* The lines of the text again and again, each time with other digits. */
static int fill(struct bench *b, struct hd_slice text, struct hd_buf *out)
{
    uint32_t seed = 1;
    size_t *at = calloc(LINES_MAX + 1, sizeof(*at));
    b->lines = calloc(LINES_MAX, sizeof(*b->lines));
    if (at == NULL || b->lines == NULL) {
        free(at);
        return HD_ENOMEM;
    }
    while (b->n < LINES_MAX && out->len < TEXT_MAX && out->err == 0) {
        struct hd_slice rest = text, line;
        while (b->n < LINES_MAX && hd_slice_split(&rest, '\n', &line)) {
            if (line.len > 0) {
                at[b->n++] = out->len;
                add_line(out, line, &seed);
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

/* ---- measuring ---- */

static void on_hit(void *ctx, const struct rul_rule *rule, const struct rul_event *ev)
{
    struct bench *b = ctx;
    (void)ev;
    b->hits++;
    b->sum += ((uint64_t)rule->index + 1) * (b->line * 2654435761U + 1);
}

/* CPU time of this thread: what others do on the machine does not count. */
static int64_t cpu_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * HD_NS_PER_SEC + t.tv_nsec;
}

static void pass_once(struct bench *b, bool has_match)
{
    b->hits = b->sum = 0;
    for (b->line = 0; b->line < b->n; b->line++) {
        const struct rul_record record = {&b->source, INT64_C(1790000000000000000),
                                          b->lines[b->line]};
        rul_decode(rul_set_decoders(b->set), b->decode, &record, b->ev);
        if (has_match) {
            rul_match(b->set, b->scratch, b->ev, on_hit, b);
        }
    }
}

static int by_rate(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Lines per CPU second, the median of the passes. */
static double run(struct bench *b, bool has_match)
{
    double rates[PASSES];
    for (unsigned i = 0; i < PASSES; i++) {
        int64_t start = cpu_ns(), now = start;
        uint64_t lines = 0;
        while (now - start < b->budget_ns / PASSES) {
            pass_once(b, has_match);
            lines += b->n;
            now = cpu_ns();
        }
        rates[i] = (double)lines * 1e9 / (double)(now - start);
    }
    qsort(rates, PASSES, sizeof(*rates), by_rate);
    return rates[PASSES / 2];
}

static double resident_mib(void)
{
    struct hd_buf text;
    uint64_t pages = 0;
    hd_buf_init(&text, 0);
    if (hd_fs_read("/proc/self/statm", 4096, &text) == 0) {
        struct hd_slice rest = hd_buf_slice(&text), first;
        (void)hd_slice_split(&rest, ' ', &first);
        (void)hd_num_prefix_u64(rest, 12, UINT32_MAX, &pages);
    }
    hd_buf_fini(&text);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

static int load(struct bench *b, const struct rul_set_opts *opts)
{
    struct hd_diag_first why = {0};
    struct hd_diags diags = {.emit = hd_diag_keep_first, .ctx = &why};
    int64_t start = cpu_ns();
    int err = rul_set_load(opts, &b->set, &diags);
    if (err != 0) {
        (void)fprintf(stderr, "rules do not load: %s\n%s\n", hd_err_text(err), why.text);
        return err;
    }
    b->load_s = (double)(cpu_ns() - start) / 1e9;
    b->refused = diags.errors;
    start = cpu_ns();
    err = rul_scratch_new(b->set, &b->scratch);
    b->swap_ms = (double)(cpu_ns() - start) / 1e6;
    if (err == 0) {
        err = rul_decode_scratch_new(&b->decode);
    }
    b->ev = calloc(1, sizeof(*b->ev));
    (void)malloc_trim(0);
    b->load_mib = resident_mib();
    return b->ev == NULL ? HD_ENOMEM : err;
}

static void measure(struct bench *b)
{
    double decode = run(b, false);
    double both = run(b, true);
    double match = 1 / (1 / both - 1 / decode);
    size_t rules = rul_set_count(b->set);
    if (b->is_row) {
        (void)printf("%zu\t%.3f\t%.1f\t%.0f\t%.0f\t%.0f\t%zu\t%llu\t%016llx\n", rules,
                     b->load_s, b->load_mib, decode, match, both, b->n,
                     (unsigned long long)b->hits, (unsigned long long)b->sum);
        return;
    }
    (void)printf(
        "rules            %zu (%u errors), loaded in %.3f s, %.1f MiB resident\n", rules,
        b->refused, b->load_s, b->load_mib);
    (void)printf("lines            %zu, mean %.0f bytes\n", b->n,
                 (double)b->bytes / (double)b->n);
    (void)printf("decode           %.0f lines/s\n", decode);
    (void)printf("match            %.0f events/s\n", match);
    (void)printf("decode + match   %.0f lines/s, %.0f MB/s\n", both,
                 both * (double)b->bytes / (double)b->n / 1e6);
    (void)printf("hits             %llu, checksum %016llx\n", (unsigned long long)b->hits,
                 (unsigned long long)b->sum);
}

/* What a thread does between two events when it takes up a new set, at the worst: makes
 * its scratch, and lets go of the old set as the last one that held it. */
static void swap_out(struct bench *b)
{
    int64_t start = cpu_ns();
    rul_scratch_free(b->scratch);
    rul_set_unref(b->set);
    b->swap_ms += (double)(cpu_ns() - start) / 1e6;
    if (!b->is_row) {
        (void)printf("swap             %.1f ms\n", b->swap_ms);
    }
}

static int bench(struct bench *b, const struct rul_set_opts *opts, char *const *paths)
{
    struct hd_buf text, lines;
    hd_buf_init(&text, 0);
    hd_buf_init(&lines, 0);
    int err = load(b, opts);
    if (err == 0) {
        err = read_files(paths, &text);
    }
    if (err == 0) {
        err = fill(b, hd_buf_slice(&text), &lines);
    }
    if (err == 0) {
        measure(b);
    }
    swap_out(b);
    rul_decode_scratch_free(b->decode);
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
    for (int c = 0; (c = getopt(argc, argv, "s:f:d:r:t")) != -1;) {
        if (c == 's' && hd_num_double(hd_slice_str(optarg), &seconds) == 0) {
            b.budget_ns = (int64_t)(seconds * 1e9);
        } else if (c == 'f') {
            b.source.format = hd_slice_str(optarg);
        } else if (c == 'd') {
            opts.decoders_dir = optarg;
        } else if (c == 't') {
            b.is_row = true;
        } else if (c == 'r' && opts.n_rules < RULES_MAX) {
            rules[opts.n_rules++] = optarg;
        } else {
            (void)fprintf(stderr, "usage: bench_match [-s seconds] [-f format] [-d "
                                  "decoders] [-r rules]... [-t] [FILE...]\n");
            return 2;
        }
    }
    opts.n_rules += opts.n_rules == 0;
    return bench(&b, &opts, argv + optind) == 0 ? 0 : 1;
}
