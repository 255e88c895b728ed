/* SPDX-License-Identifier: Apache-2.0
 *
 * Target functions: rul_correlator_load, rul_correlator_save. Damaged state is refused or
 * taken, and what was taken can be used, saved, and loaded again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <haidang/fs.h>

#include "rules/correlate/correlate.h"

#define SEC INT64_C(1000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char rules[] =
    "title: a\nname: a\nlogsource: {product: p}\ndetection: {s: {F: x}, condition: s}\n"
    "---\ntitle: b\nname: b\nlogsource: {product: p}\ndetection: {s: {F: y}, condition: "
    "s}\n---\ntitle: c1\ncorrelation: {type: event_count, rules: a, group-by: user.name, "
    "timespan: 10s, condition: {gte: 3}}\n---\ntitle: c2\ncorrelation: {type: "
    "event_count, rules: a, timespan: 10s, condition: {lt: 3}}\n---\ntitle: "
    "c3\ncorrelation: {type: value_count, rules: a, timespan: 10s, condition: {field: "
    "user.name, gte: 3}}\n---\ntitle: c4\ncorrelation: {type: value_sum, rules: a, "
    "timespan: 10s, condition: {field: source.port, gt: 3}}\n---\ntitle: "
    "c5\ncorrelation: "
    "{type: value_percentile, rules: a, timespan: 10s, condition: {field: source.port, "
    "percentile: 50, lt: 3}}\n---\ntitle: c6\ncorrelation: {type: temporal, rules: [a, "
    "b], timespan: 10s}\n---\ntitle: c7\ncorrelation: {type: temporal_ordered, rules: "
    "[a, "
    "b], timespan: 10s}\n---\ntitle: c8\ncorrelation: {type: temporal, timespan: 10s, "
    "condition: a and not b}\n---\ntitle: c9\ncorrelation: {type: event_count, rules: "
    "c1, timespan: 1m, condition: {gte: 2}}\n---\ntitle: s1\ncorrelation: {type: "
    "value_count, rules: a, timespan: 10s, condition: {field: user.name, gte: "
    "3}}\nhaidang: {window: session, gap: 3s}\n---\ntitle: s2\ncorrelation: {type: "
    "event_count, rules: a, group-by: user.name, timespan: 10s, condition: {lt: "
    "3}}\nhaidang: {window: session, gap: 3s}\n---\ntitle: s3\ncorrelation: {type: "
    "value_sum, rules: a, timespan: 5s, condition: {field: source.port, lt: "
    "30}}\nhaidang: {window: session, gap: 5s}\n";

static struct rul_set *load_set(void)
{
    char path[] = "/tmp/haidang-fuzz-XXXXXX";
    const char *paths[] = {path};
    const struct rul_set_opts opts = {.rules = paths, .n_rules = 1, .no_self_test = true};
    struct hd_diags diags = {hd_diag_print, stderr, 0, 0};
    struct rul_set *set = NULL;
    int fd = mkstemp(path);
    if (fd < 0 || hd_fs_write_atomic(path, hd_slice_str(rules), 0600) != 0 ||
        rul_set_load(&opts, &set, &diags) != 0) {
        abort();
    }
    (void)close(fd);
    (void)remove(path);
    return set;
}

static void on_detection(void *ctx, const struct rul_detection *d,
                         const struct rul_event_copy *last)
{
    (void)ctx;
    if (d->rule == NULL || last == NULL) {
        abort();
    }
}

static void use(struct rul_correlator *c, const struct rul_set *set)
{
    struct rul_event_copy *ev = calloc(1, sizeof(*ev) + 2 * sizeof(ev->values[0]));
    for (int i = 0; ev != NULL && i < 12; i++) {
        char position[32];
        int n = snprintf(position, sizeof(position), "a/b/%d", i);
        ev->time_ns = (1000 + i) * SEC;
        ev->n = 2;
        ev->values[0] = (struct rul_value){RUL_F_USER_NAME, hd_slice(&"abcd"[i % 4], 1)};
        ev->values[1] =
            (struct rul_value){RUL_F_SOURCE_PORT, hd_slice(&"1234"[i % 4], 1)};
        if (rul_correlate(c, rul_set_rule(set, i % 3 == 0), ev,
                          hd_slice(position, (size_t)n), on_detection, NULL) != 0) {
            abort();
        }
    }
    free(ev);
}

/* What was taken can be saved, and is taken again. */
static void load_again(struct rul_correlator *c, struct rul_set *set)
{
    const struct rul_correlator_opts opts = {0};
    struct rul_correlator *again = NULL;
    struct hd_buf saved;
    hd_buf_init(&saved, 0);
    if (rul_correlator_save(c, &saved) != 0 || rul_correlator_new(&opts, &again) != 0 ||
        rul_correlator_use(again, set) != 0 ||
        rul_correlator_load(again, hd_buf_slice(&saved)) != 0) {
        abort();
    }
    rul_correlator_free(again);
    hd_buf_fini(&saved);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rul_set *set; /* lint: global once a process */
    const struct rul_correlator_opts opts = {.memory_max = 1U << 20};
    struct rul_correlator *c = NULL;
    set = set == NULL ? load_set() : set;
    if (rul_correlator_new(&opts, &c) != 0 || rul_correlator_use(c, set) != 0) {
        abort();
    }
    (void)!rul_correlator_load(c, hd_slice(data, size));
    use(c, set);
    load_again(c, set);
    rul_correlator_advance(c, 5000 * SEC);
    rul_correlator_close(c, on_detection, NULL);
    load_again(c, set);
    rul_correlator_free(c);
    return 0;
}
