/* SPDX-License-Identifier: Apache-2.0
 *
 * Correlation, one thread: hits in, detections out.
 *
 *     bench_correlate [groups [hits]]
 *
 * Prints hits per CPU second, with and without what making them costs, bytes a group as
 * accounted, and what the process has grown by, for each type: event_count with all the
 * groups live at once in 128 MiB (detect.memory and detect.rule_memory), value_count with
 * 10,000 values a window, and the others. HD_BENCH_CHECK=1: exits 1 below the rates that
 * correlations have to reach.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/num.h>

#include "rules/correlate/correlate.h"

static int64_t cpu_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * HD_NS_PER_SEC + t.tv_nsec;
}

static const char rules[] =
    "title: base\nname: base\nlogsource: {product: p}\n"
    "detection: {s: {F: x}, condition: s}\n---\n"
    "title: other\nname: other\nlogsource: {product: p}\n"
    "detection: {s: {F: y}, condition: s}\n---\n"
    "title: correlation\ncorrelation: {group-by: source.ip, %s}\n";

static struct rul_set *load(const char *correlation)
{
    char path[] = "/tmp/haidang-bench-XXXXXX", text[1024];
    const char *paths[] = {path};
    const struct rul_set_opts opts = {.rules = paths, .n_rules = 1};
    struct rul_set *set = NULL;
    struct hd_diags diags = {hd_diag_print, stderr, 0, 0};
    int fd = mkstemp(path);
    int len = snprintf(text, sizeof(text), rules, correlation);
    if (fd < 0 || len < 0 ||
        hd_fs_write_atomic(path, hd_slice(text, (size_t)len), 0600) != 0 ||
        rul_set_load(&opts, &set, &diags) != 0) {
        set = NULL;
    }
    (void)remove(path);
    hd_fs_close_fd(&fd);
    return set;
}

static void on_detection(void *ctx, const struct rul_detection *detection,
                         const struct rul_event_copy *last)
{
    (void)detection;
    (void)last;
    ++*(uint64_t *)ctx;
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 8;
}

struct shape {
    const char *name, *correlation;
    uint32_t groups, values;
    double least; /* hits a second */
    size_t bytes; /* that it may take; 0 = any */
};

struct maker { /* of hits */
    const struct shape *shape;
    struct rul_event_copy *ev;
    uint32_t seed;
    char ip[32], value[32], position[64];
    size_t position_len;
};

/* Every group once, then any. */
static void make_hit(struct maker *m, uint64_t i)
{
    uint32_t any = next_random(&m->seed) % m->shape->groups;
    uint32_t group = i < m->shape->groups ? (uint32_t)i : any;
    int n = snprintf(m->ip, sizeof(m->ip), "10.%u.%u.%u", group >> 16, group >> 8 & 255,
                     group & 255);
    int v = snprintf(m->value, sizeof(m->value), "%u",
                     next_random(&m->seed) % m->shape->values);
    int p = snprintf(m->position, sizeof(m->position), "agent/boot/%llu",
                     (unsigned long long)i + 1);
    m->position_len = (size_t)p;
    m->ev->time_ns = INT64_C(1790000000000000000) + (int64_t)i * 1000;
    m->ev->n = 2;
    m->ev->values[0] = (struct rul_value){RUL_F_SOURCE_IP, hd_slice(m->ip, (size_t)n)};
    m->ev->values[1] =
        (struct rul_value){RUL_F_SOURCE_PORT, hd_slice(m->value, (size_t)v)};
}

/* CPU time of making the hits and, with a correlator, of correlating them. */
static int64_t feed(struct maker *m, struct rul_correlator *c, const struct rul_set *set,
                    uint64_t hits, uint64_t *fired)
{
    const struct rul_rule *base = rul_set_find(set, HD_SLICE("base"));
    const struct rul_rule *other = rul_set_find(set, HD_SLICE("other"));
    int64_t start = cpu_ns();
    for (uint64_t i = 0; i < hits; i++) {
        make_hit(m, i);
        if (c != NULL && rul_correlate(c, i % 8 == 0 ? other : base, m->ev,
                                       hd_slice(m->position, m->position_len),
                                       on_detection, fired) != 0) {
            return -1;
        }
    }
    return cpu_ns() - start;
}

static uint64_t resident(void)
{
    unsigned long long pages = 0;
    struct hd_buf text;
    hd_buf_init(&text, 0);
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, hd_buf_reserve(&text, 256), 256);
    text.len = n > 0 ? (size_t)n : 0;
    struct hd_slice rest = hd_buf_slice(&text), word;
    uint64_t value = 0;
    if (hd_slice_split(&rest, ' ', &word) && hd_slice_split(&rest, ' ', &word) &&
        hd_num_u64(word, UINT64_MAX, &value) == 0) {
        pages = value;
    }
    hd_buf_fini(&text);
    hd_fs_close_fd(&fd);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* False: slower, or larger, than it has to be. */
static bool report(const struct shape *shape, const struct rul_correlator *c, double rate,
                   double with_making, uint64_t grown)
{
    struct rul_correlator_stats stats;
    rul_correlator_stats(c, &stats);
    (void)printf("%-34s %9.0f hits/s (%.0f with making them), %llu groups, %.0f bytes a "
                 "group, %.1f MiB resident, %llu fired, %llu evicted, %llu capped\n",
                 shape->name, rate, with_making, (unsigned long long)stats.groups,
                 (double)stats.bytes / (double)(stats.groups + (stats.groups == 0)),
                 (double)grown / 1048576, (unsigned long long)stats.fired,
                 (unsigned long long)stats.evicted, (unsigned long long)stats.capped);
    return rate >= shape->least &&
           (shape->bytes == 0 || (grown <= shape->bytes && stats.evicted == 0));
}

static int run(const struct shape *shape, uint64_t hits)
{
    const struct rul_correlator_opts opts = {.memory_max = (size_t)128 << 20,
                                             .rule_max = (size_t)128 << 20};
    struct maker m = {.shape = shape, .seed = 1};
    struct rul_correlator *c = NULL;
    struct rul_set *set = load(shape->correlation);
    uint64_t fired = 0;
    m.ev = calloc(1, sizeof(*m.ev) + 2 * sizeof(m.ev->values[0]));
    int err = set == NULL || m.ev == NULL ? HD_EINVAL : rul_correlator_new(&opts, &c);
    err = err != 0 ? err : rul_correlator_use(c, set);
    bool ok = err == 0;
    if (ok) {
        int64_t making_ns = feed(&m, NULL, set, hits, &fired);
        uint64_t before = resident();
        m.seed = 1;
        int64_t all_ns = feed(&m, c, set, hits, &fired);
        ok = all_ns >= 0 &&
             report(shape, c, (double)hits * 1e9 / (double)(all_ns - making_ns),
                    (double)hits * 1e9 / (double)all_ns, resident() - before);
    }
    rul_correlator_free(c);
    rul_set_unref(set);
    free(m.ev);
    return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
    uint32_t groups = 1000000;
    uint64_t hits = 2000000;
    if ((argc > 1 && hd_num_u32(hd_slice_str(argv[1]), 1U << 24, &groups) != 0) ||
        (argc > 2 && hd_num_u64(hd_slice_str(argv[2]), UINT64_MAX, &hits) != 0) ||
        groups == 0) {
        (void)fprintf(stderr, "usage: bench_correlate [groups [hits]]\n");
        return 2;
    }
#define BOTH "rules: [base, other], timespan: 1h, "
    const struct shape shapes[] = {
        {"event_count, all groups", "type: event_count, " BOTH "condition: {gte: 10}",
         groups, 1, 1e6, (size_t)128 << 20},
        {"event_count, one group", "type: event_count, " BOTH "condition: {gte: 1000}", 1,
         1, 1e6, 0},
        {"value_count, 10000 values",
         "type: value_count, " BOTH "condition: {field: source.port, gte: 10001}", 4,
         10000, 5e5, 0},
        {"value_sum, 1000 groups",
         "type: value_sum, " BOTH "condition: {field: source.port, gt: 1e12}", 1000,
         10000, 0, 0},
        {"value_percentile, 1000 groups",
         "type: value_percentile, " BOTH
         "condition: {field: source.port, percentile: 95, gt: 9600}",
         1000, 10000, 0, 0},
        {"temporal, 100000 groups", "type: temporal, " BOTH, 100000, 1, 0, 0},
        {"temporal_ordered, 100000 groups", "type: temporal_ordered, " BOTH, 100000, 1, 0,
         0},
        {"temporal with not, 100000 groups",
         "type: temporal, " BOTH "condition: base and not other", 100000, 1, 0, 0},
        {"temporal_ordered, one group", "type: temporal_ordered, " BOTH, 1, 1, 0, 0},
    };
    int failed = 0;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        failed |= run(&shapes[i], hits);
    }
    return getenv("HD_BENCH_CHECK") != NULL ? failed : 0;
}
