/* SPDX-License-Identifier: Apache-2.0 */
#include <haidang/fill.h>

#include <inttypes.h>
#include <string.h>

#include <haidang/clock.h>

#define BACK_PERCENT 3U
#define HOUR_NS      (3600 * HD_NS_PER_SEC)
#define LEAST_NS     (600 * HD_NS_PER_SEC) /* growth in less says nothing */
#define SOON_S       (48 * 3600)
#define LONGEST_S    (INT64_C(3652) * 86400)

void hd_fill_init(struct hd_fill *f, unsigned warning, unsigned alarm)
{
    *f = (struct hd_fill){.warning = warning, .alarm = alarm};
}

unsigned hd_fill_percent(const struct hd_fill *f)
{
    if (f->limit == 0 || f->used >= f->limit) {
        return f->limit == 0 ? 0 : 100;
    }
    return (unsigned)((double)f->used * 100 / (double)f->limit);
}

/* Passed, or passed before and not yet well below. */
static bool is_above(unsigned percent, unsigned threshold, bool was_above)
{
    unsigned back = threshold > BACK_PERCENT ? BACK_PERCENT : 0;
    return threshold > 0 && percent >= threshold - (was_above ? back : 0);
}

static void remember(struct hd_fill *f)
{
    if (f->n > 0 && f->mono_ns - f->past[f->n - 1].mono_ns < HOUR_NS) {
        return;
    }
    if (f->n == HD_FILL_HOURS) {
        memmove(f->past, f->past + 1, (HD_FILL_HOURS - 1) * sizeof(*f->past));
        f->n--;
    }
    f->past[f->n++] = (struct hd_fill_sample){f->mono_ns, f->used};
}

bool hd_fill_look(struct hd_fill *f, uint64_t used, uint64_t limit, int64_t mono_ns)
{
    enum hd_fill_state was = f->state;
    f->used = used;
    f->limit = limit;
    f->mono_ns = mono_ns;
    remember(f);
    unsigned percent = hd_fill_percent(f);
    f->state = is_above(percent, f->alarm, was == HD_FILL_ALARM)    ? HD_FILL_ALARM
               : is_above(percent, f->warning, was != HD_FILL_ROOM) ? HD_FILL_WARNING
                                                                    : HD_FILL_ROOM;
    return f->state != was;
}

int64_t hd_fill_left_s(const struct hd_fill *f)
{
    const struct hd_fill_sample *from = &f->past[0];
    int64_t over_ns = f->n == 0 ? 0 : f->mono_ns - from->mono_ns;
    if (over_ns < LEAST_NS || f->used <= from->used || f->used > f->limit) {
        return -1;
    }
    double rate = (double)(f->used - from->used) / (double)over_ns; /* bytes a ns */
    double left_s = (double)(f->limit - f->used) / rate / (double)HD_NS_PER_SEC;
    return left_s > (double)LONGEST_S ? -1 : (int64_t)left_s;
}

void hd_fill_text(const struct hd_fill *f, struct hd_buf *out)
{
    static const char *const units[] = {"MiB", "GiB", "TiB", "PiB"};
    double used = (double)f->used / (1 << 20), limit = (double)f->limit / (1 << 20);
    size_t unit = 0;
    while (limit >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        used /= 1024;
        limit /= 1024;
        unit++;
    }
    hd_buf_printf(out, "%u %% (%.1f of %.1f %s)", hd_fill_percent(f), used, limit,
                  units[unit]);
    int64_t left_s = hd_fill_left_s(f);
    if (left_s >= 0) {
        bool is_soon = left_s < SOON_S;
        hd_buf_printf(out, ", full in %.1f %s at the present rate",
                      (double)left_s / (is_soon ? 3600 : 86400),
                      is_soon ? "hours" : "days");
    }
}
