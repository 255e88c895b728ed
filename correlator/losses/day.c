/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/losses/day.h"

#include <haidang/clock.h>

#define HOUR_NS (3600 * HD_NS_PER_SEC)

void cor_day_add(struct cor_day *day, enum hd_loss_kind kind, int64_t time_ns,
                 uint64_t count)
{
    int64_t hour = time_ns / HOUR_NS;
    size_t i = (size_t)(hour % COR_DAY_HOURS);
    if (time_ns < 0 || hour < atomic_load(&day->cells[i].hour)) {
        return; /* older than what is kept */
    }
    if (hour > atomic_load(&day->cells[i].hour)) {
        atomic_store(&day->cells[i].hour, hour);
        for (unsigned k = 0; k < HD_LOSS_KINDS; k++) {
            atomic_store(&day->cells[i].count[k], 0);
        }
    }
    atomic_fetch_add(&day->cells[i].count[kind], count);
}

uint64_t cor_day_sum(const struct cor_day *day, enum hd_loss_kind kind, int64_t now_ns)
{
    int64_t now = now_ns / HOUR_NS;
    uint64_t sum = 0;
    for (size_t i = 0; i < COR_DAY_HOURS; i++) {
        int64_t hour = atomic_load(&day->cells[i].hour);
        if (hour > now - (int64_t)COR_DAY_HOURS && hour <= now) {
            sum += atomic_load(&day->cells[i].count[kind]);
        }
    }
    return sum;
}
