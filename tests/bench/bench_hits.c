/* SPDX-License-Identifier: Apache-2.0
 *
 * A flood in which every line hits: from the archive through a detector and the state
 * thread to the alert journal, as in haidang-correlator, in this process.
 *
 *     bench_hits [thousand lines] [runs] [flood]      default: 200, 1, all of them
 *
 * Each flood comes from an archive made before the clock starts: repeats of one alert;
 * alerts about 50,000 sources in turn; failed logins that a correlation counts, from 250
 * sources; both rules at once; the rules of the library, with 250 and 50,000 sources. The
 * median of the runs: lines/s and the processor time of each thread a line.
 */
#include "tests/support/support.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <haidang/archive_meta.h>
#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/num.h>

#include "correlator/metrics.h"
#include "correlator/state/state.h"
#include "tests/bench/bench.h"

#define BATCH_LINES 4000U
#define BOOT        "0123456789abcdef0123456789abcdef"
#define MINUTE_NS   (60 * HD_NS_PER_SEC)
#define RUNS_MAX    99U

static const char alert_rule[] =
    "title: Failed\n"
    "id: ecfd1fcd-d465-49ce-a04e-c5d55affd62e\n"
    "status: test\n"
    "logsource: {product: linux, service: sshd}\n"
    "detection:\n"
    "  selection: {event.action: ssh-login, event.outcome: failure}\n"
    "  condition: selection\n"
    "level: low\n";

static const char count_rule[] =
    "title: Failed\n"
    "id: ecfd1fcd-d465-49ce-a04e-c5d55affd62f\n"
    "name: failed\n"
    "status: test\n"
    "logsource: {product: linux, service: sshd}\n"
    "detection:\n"
    "  selection: {event.action: ssh-login, event.outcome: failure}\n"
    "  condition: selection\n"
    "level: low\n"
    "---\n"
    "title: Guessing\n"
    "id: ecfd1fcd-d465-49ce-a04e-c5d55affd630\n"
    "status: test\n"
    "correlation:\n"
    "  type: event_count\n"
    "  rules: [failed]\n"
    "  group-by: [source.ip]\n"
    "  timespan: 5m\n"
    "  condition: {gte: 10}\n"
    "level: high\n";

static struct bench {
    const char *dir;
    char archive[600];
    struct cor_enrich *enrich;
    int64_t now_ns;
    uint64_t lines;
} b;

/* ---- the archive ---- */

static void add_batch(struct hd_journal *journal, struct hd_batch_builder *builder,
                      uint64_t first, unsigned sources)
{
    const struct hd_batch_source source = {.host = HD_SLICE("web1"),
                                           .kind = HD_SLICE("file"),
                                           .name = HD_SLICE("/var/log/auth.log"),
                                           .format = HD_SLICE("syslog")};
    uint16_t index;
    must(hd_batch_builder_source(builder, &source, &index) == HD_OK);
    for (unsigned i = 0; i < BATCH_LINES; i++) {
        char line[256], stamp[HD_RFC3339_LEN + 1];
        unsigned from = (unsigned)((first + i) % sources);
        b.now_ns += 10 * HD_NS_PER_US;
        (void)hd_clock_format_rfc3339(b.now_ns, 6, stamp);
        int len =
            snprintf(line, sizeof(line),
                     "%s web1 sshd[812]: Failed password for invalid user u%u from "
                     "198.%u.%u.%u port %u ssh2",
                     stamp, i, 18 + from / 65536, from / 256 % 256, from % 256, 1024 + i);
        must(hd_batch_builder_add(builder, index, b.now_ns, 0,
                                  hd_slice(line, (size_t)len)) == HD_OK);
    }
    struct hd_buf meta;
    hd_buf_init(&meta, 0);
    hd_archive_meta_encode(&meta, &(struct hd_archive_meta){.agent = HD_SLICE("web1"),
                                                            .boot = HD_SLICE(BOOT),
                                                            .taken_ns = b.now_ns});
    (void)hd_bench_append(journal, builder, first, hd_buf_slice(&meta));
    hd_buf_fini(&meta);
}

static void make_archive(const char *name, unsigned sources)
{
    struct hd_journal *journal;
    struct hd_journal_recovery found;
    struct hd_batch_builder *builder;
    (void)snprintf(b.archive, sizeof(b.archive), "%s/archive-%s", b.dir, name);
    b.now_ns = hd_clock_wall_ns() - MINUTE_NS;
    must(hd_journal_open(&(struct hd_journal_opts){.dir = b.archive}, &journal, &found) ==
         HD_OK);
    must(hd_batch_builder_new("web1", BOOT, HD_BATCH_RAW_MAX, 1, &builder) == HD_OK);
    for (uint64_t at = 0; at < b.lines; at += BATCH_LINES) {
        add_batch(journal, builder, at + 1, sources);
    }
    must(hd_journal_commit(journal) == HD_OK);
    hd_batch_builder_free(builder);
    hd_journal_close(journal);
}

/* ---- a run ---- */

/* The rules of that text; NULL: the library. */
static struct rul_set *load(const char *text)
{
    char path[600], decoders[512];
    struct rul_set *set = NULL;
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    (void)snprintf(path, sizeof(path), "%s/rules.yml", b.dir);
    (void)snprintf(decoders, sizeof(decoders), "%s", hd_test_source("rules/decoders"));
    if (text == NULL) {
        (void)snprintf(path, sizeof(path), "%s", hd_test_source("rules/library"));
    } else {
        must(hd_fs_write_atomic(path, hd_slice_str(text), 0600) == HD_OK);
    }
    const char *paths[] = {path};
    const struct rul_set_opts opts = {.decoders_dir = decoders,
                                      .rules = paths,
                                      .n_rules = 1,
                                      .time_zone = "UTC",
                                      .no_self_test = true};
    must(rul_set_load(&opts, &set, &diags) == HD_OK);
    return set;
}

/* Processor time of this process's thread of that name, ns. */
static int64_t thread_ns(const char *name)
{
    char path[300], text[300];
    int64_t found = 0;
    DIR *dir = opendir("/proc/self/task");
    must(dir != NULL);
    for (struct dirent *task; (task = readdir(dir)) != NULL;) {
        uint64_t ns = 0;
        (void)snprintf(path, sizeof(path), "/proc/self/task/%s/comm", task->d_name);
        FILE *file = fopen(path, "re");
        bool is_it = file != NULL && fgets(text, sizeof(text), file) != NULL &&
                     strncmp(text, name, strlen(name)) == 0;
        if (file != NULL) {
            (void)fclose(file);
        }
        (void)snprintf(path, sizeof(path), "/proc/self/task/%s/schedstat", task->d_name);
        file = is_it ? fopen(path, "re") : NULL;
        if (file != NULL && fgets(text, sizeof(text), file) != NULL &&
            hd_num_prefix_u64(hd_slice_str(text), 19, UINT64_MAX / 2, &ns) > 0) {
            found = (int64_t)ns;
        }
        if (file != NULL) {
            (void)fclose(file);
        }
    }
    (void)closedir(dir);
    return found;
}

struct run {
    double lines_s, detect_ns, state_ns; /* a line */
    uint64_t published, suppressed;
};

static void wait_examined(uint64_t lines)
{
    while (COR_READ(COR_M_DETECT_LINES) < lines) {
        (void)poll(NULL, 0, 1);
    }
}

/* All is said when the cursor behind the last batch is durable: the ring is empty then.
 */
static struct run one_run(struct cor_rules *rules, unsigned number)
{
    char why[256], alerts[700], cursor[700];
    struct cor_state *state;
    struct cor_detector *detector;
    struct run run = {0};
    (void)snprintf(alerts, sizeof(alerts), "%s-alerts-%u", b.archive, number);
    (void)snprintf(cursor, sizeof(cursor), "%s/readers/detect-0", b.archive);
    (void)remove(cursor); /* from the beginning again */
    const struct cor_state_opts opts = {
        .alerts = {.dir = alerts},
        .remember = 65536,
        .suppress = {.entries = 100000,
                     .window_ns = {5 * MINUTE_NS, 5 * MINUTE_NS, 5 * MINUTE_NS,
                                   5 * MINUTE_NS, 5 * MINUTE_NS}},
        .correlate = {.memory_max = 64U << 20, .lateness_ns = 10 * MINUTE_NS}};
    const struct cor_detector_opts detect = {.count = 1, .archive_dir = b.archive};
    must(cor_state_new(&opts, rules, b.enrich, &state, why) == HD_OK);
    must(cor_detector_new(&detect, rules, &detector) == HD_OK);
    must(cor_state_add_detector(state, detector) == HD_OK);
    uint64_t lines = COR_READ(COR_M_DETECT_LINES);
    uint64_t published = COR_READ(COR_M_PUBLISHED);
    uint64_t suppressed = COR_READ(COR_M_SUPPRESSED);
    int64_t began_ns = hd_clock_mono_ns();
    must(cor_state_run(state) == HD_OK && cor_detector_run(detector) == HD_OK);
    wait_examined(lines + b.lines);
    run.detect_ns = (double)thread_ns("detect-0") / (double)b.lines;
    while (hd_ring_depth(cor_detector_hits(detector)) > 0) {
        (void)poll(NULL, 0, 1);
    }
    run.state_ns = (double)thread_ns("state") / (double)b.lines;
    cor_state_stop(state);
    cor_detector_stop(detector);
    cor_state_free(state);
    run.lines_s =
        (double)b.lines * HD_NS_PER_SEC / (double)(hd_clock_mono_ns() - began_ns);
    cor_detector_free(detector);
    run.published = COR_READ(COR_M_PUBLISHED) - published;
    run.suppressed = COR_READ(COR_M_SUPPRESSED) - suppressed;
    return run;
}

static int by_cost(const void *a, const void *c)
{
    const struct run *x = a;
    const struct run *y = c;
    double dx = x->detect_ns + x->state_ns, dy = y->detect_ns + y->state_ns;
    return dx < dy ? -1 : dx > dy;
}

static void flood(const char *name, const char *text, unsigned sources, unsigned runs)
{
    static struct run all[RUNS_MAX];
    struct rul_set *set = load(text);
    struct cor_rules *rules;
    must(cor_rules_new(set, NULL, &rules) == HD_OK);
    make_archive(name, sources);
    for (unsigned i = 0; i < runs; i++) {
        all[i] = one_run(rules, i);
    }
    qsort(all, runs, sizeof(all[0]), by_cost);
    const struct run *median = &all[runs / 2];
    (void)printf("%-8s %8.0f lines/s; processor time a line: detector %5.0f ns, state "
                 "%6.0f ns; %llu alerts, %llu repeats\n",
                 name, median->lines_s, median->detect_ns, median->state_ns,
                 (unsigned long long)median->published,
                 (unsigned long long)median->suppressed);
    (void)fflush(stdout);
    cor_rules_unref(rules);
    rul_set_unref(set);
}

int main(int argc, char **argv)
{
    uint32_t thousands = 200, runs = 1;
    struct hd_diags diags = {0};
    char both[sizeof(alert_rule) + sizeof(count_rule) + 8];
    must(argc < 2 || hd_num_u32(hd_slice_str(argv[1]), 1000000, &thousands) == HD_OK);
    must(argc < 3 ||
         (hd_num_u32(hd_slice_str(argv[2]), RUNS_MAX, &runs) == HD_OK && runs > 0));
    (void)snprintf(both, sizeof(both), "%s---\n%s", alert_rule, count_rule);
    const struct {
        const char *name, *rules;
        unsigned sources;
    } floods[] = {{"repeats", alert_rule, 1},   {"sources", alert_rule, 50000},
                  {"counted", count_rule, 250}, {"both", both, 250},
                  {"library", NULL, 250},       {"spread", NULL, 50000}};
    b.lines = (uint64_t)thousands * 1000 / BATCH_LINES * BATCH_LINES;
    b.dir = hd_test_tmpdir();
    must(cor_enrich_load(&(struct cor_enrich_opts){0}, &b.enrich, &diags) == HD_OK);
    for (size_t i = 0; i < sizeof(floods) / sizeof(floods[0]); i++) {
        if (argc < 4 || strcmp(argv[3], floods[i].name) == 0) {
            flood(floods[i].name, floods[i].rules, floods[i].sources, runs);
        }
    }
    cor_enrich_unref(b.enrich);
    return 0;
}
