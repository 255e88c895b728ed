/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables of counters as text. Thread: any; the values are atomics.
 */
#include <haidang/metrics.h>

#include <haidang/slice.h>

void hd_metric_max(struct hd_metric *metric, uint64_t value)
{
    uint64_t now = atomic_load_explicit(&metric->value, memory_order_relaxed);
    while (now < value &&
           !atomic_compare_exchange_weak_explicit(
               &metric->value, &now, value, memory_order_relaxed, memory_order_relaxed)) {
    }
}

/* The name without its labels. */
static struct hd_slice family(const struct hd_metric *metric)
{
    struct hd_slice name = hd_slice_str(metric->name);
    return hd_slice_head(name, hd_slice_find_byte(name, '{'));
}

static void add_head(struct hd_buf *out, const struct hd_metric *metric)
{
    struct hd_slice name = family(metric);
    hd_buf_str(out, "# HELP ");
    hd_buf_slice_add(out, name);
    hd_buf_byte(out, ' ');
    for (const char *c = metric->help; *c != '\0'; c++) {
        if (*c == '\n' || *c == '\\') {
            hd_buf_byte(out, '\\');
        }
        hd_buf_byte(out, *c == '\n' ? 'n' : (uint8_t)*c);
    }
    hd_buf_str(out, "\n# TYPE ");
    hd_buf_slice_add(out, name);
    hd_buf_str(out, metric->type == HD_METRIC_COUNTER ? " counter\n" : " gauge\n");
}

void hd_metrics_format(struct hd_buf *out, const struct hd_metric *table, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || !hd_slice_eq(family(&table[i]), family(&table[i - 1]))) {
            add_head(out, &table[i]);
        }
        hd_buf_str(out, table[i].name);
        hd_buf_byte(out, ' ');
        hd_buf_u64(out, atomic_load_explicit(&table[i].value, memory_order_relaxed));
        hd_buf_byte(out, '\n');
    }
}
