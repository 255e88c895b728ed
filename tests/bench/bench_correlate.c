/* SPDX-License-Identifier: Apache-2.0
 *
 * Correlation, one thread: hits in, detections out.
 *
 *     bench_correlate [groups [hits]]
 *
 * Prints hits per CPU second and bytes a group for event_count with many groups and for
 * value_count with many values.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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
    "title: correlation\ncorrelation: {type: %s, rules: base, group-by: source.ip, "
    "timespan: 1h, condition: {%s}}\n";

static struct rul_set *load(const char *type, const char *condition)
{
    char path[] = "/tmp/haidang-bench-XXXXXX", text[1024];
    const char *paths[] = {path};
    const struct rul_set_opts opts = {.rules = paths, .n_rules = 1};
    struct rul_set *set = NULL;
    struct hd_diags diags = {hd_diag_print, stderr, 0, 0};
    int fd = mkstemp(path);
    int len = snprintf(text, sizeof(text), rules, type, condition);
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
    const char *name, *type, *condition;
    uint32_t groups, values;
};

static int feed(struct rul_correlator *c, const struct rul_set *set,
                const struct shape *shape, uint64_t hits)
{
    struct rul_event_copy *ev = calloc(1, sizeof(*ev) + 2 * sizeof(ev->values[0]));
    const struct rul_rule *rule = rul_set_find(set, HD_SLICE("base"));
    uint64_t fired = 0;
    uint32_t seed = 1;
    char ip[32], user[32], position[64];
    int err = ev == NULL ? HD_ENOMEM : 0;
    int64_t start = cpu_ns();
    for (uint64_t i = 0; i < hits && err == 0; i++) {
        uint32_t group = next_random(&seed) % shape->groups;
        int n = snprintf(ip, sizeof(ip), "10.%u.%u.%u", group >> 16, group >> 8 & 255,
                         group & 255);
        int m =
            snprintf(user, sizeof(user), "user%u", next_random(&seed) % shape->values);
        int p = snprintf(position, sizeof(position), "agent/boot/%llu",
                         (unsigned long long)i + 1);
        ev->time_ns = INT64_C(1790000000000000000) + (int64_t)i * 1000;
        ev->n = 2;
        ev->values[0] = (struct rul_value){RUL_F_SOURCE_IP, hd_slice(ip, (size_t)n)};
        ev->values[1] = (struct rul_value){RUL_F_USER_NAME, hd_slice(user, (size_t)m)};
        err = rul_correlate(c, rule, ev, hd_slice(position, (size_t)p), on_detection,
                            &fired);
    }
    struct rul_correlator_stats stats;
    rul_correlator_stats(c, &stats);
    (void)printf("%-28s %.0f hits/s with making them, %llu groups, %.0f bytes a group, "
                 "%llu fired, %llu evicted\n",
                 shape->name, (double)hits * 1e9 / (double)(cpu_ns() - start),
                 (unsigned long long)stats.groups,
                 (double)stats.bytes / (double)(stats.groups + (stats.groups == 0)),
                 (unsigned long long)fired, (unsigned long long)stats.evicted);
    free(ev);
    return err;
}

static int run(const struct shape *shape, uint64_t hits)
{
    const struct rul_correlator_opts opts = {.memory_max = (size_t)4 << 30};
    struct rul_correlator *c = NULL;
    struct rul_set *set = load(shape->type, shape->condition);
    int err = set == NULL ? HD_EINVAL : rul_correlator_new(&opts, &c);
    if (err == 0) {
        err = rul_correlator_use(c, set);
    }
    if (err == 0) {
        err = feed(c, set, shape, hits);
    }
    rul_correlator_free(c);
    rul_set_unref(set);
    return err;
}

int main(int argc, char **argv)
{
    uint32_t groups = 100000;
    uint64_t hits = 1000000;
    if ((argc > 1 && hd_num_u32(hd_slice_str(argv[1]), 1U << 24, &groups) != 0) ||
        (argc > 2 && hd_num_u64(hd_slice_str(argv[2]), UINT64_MAX, &hits) != 0) ||
        groups == 0) {
        (void)fprintf(stderr, "usage: bench_correlate [groups [hits]]\n");
        return 2;
    }
    const struct shape shapes[] = {
        {"event_count, many groups", "event_count", "gte: 10", groups, 1},
        {"event_count, one group", "event_count", "gte: 1000", 1, 1},
        {"value_count, 10000 values", "value_count", "field: user.name, gte: 10001", 4,
         10000},
    };
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        if (run(&shapes[i], hits) != 0) {
            return 1;
        }
    }
    return 0;
}
