/* SPDX-License-Identifier: Apache-2.0
 *
 * How much was lost within the last 24 hours, by kind: one cell an hour. One thread adds,
 * any thread asks.
 */
#pragma once
#include <stdatomic.h>
#include <stdint.h>

#include <haidang/loss.h>

#define COR_DAY_HOURS 25U /* 24 whole ones and the one at hand */

struct cor_day {
    struct {
        _Atomic int64_t hour; /* since 1970 */
        _Atomic uint64_t count[HD_LOSS_KINDS];
    } cells[COR_DAY_HOURS];
};

void cor_day_add(struct cor_day *day, enum hd_loss_kind kind, int64_t time_ns,
                 uint64_t count);
uint64_t cor_day_sum(const struct cor_day *day, enum hd_loss_kind kind, int64_t now_ns);
