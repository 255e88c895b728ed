/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes segments write-once that nobody writes to any more: all but the last. Blocking;
 * one thread an object.
 */
#pragma once
#include <stdint.h>

#include <haidang/freeze.h>

#define HD_FREEZER_WHY 384U

struct hd_freezer {
    const char *dir; /* of the journal; borrowed */
    enum hd_freeze level;
    uint64_t read_only, immutable; /* segments up to these are; known from here on */
    uint64_t frozen;               /* since the beginning */
    char why[HD_FREEZER_WHY];      /* what hinders; "" = nothing */
};

/* Looks at segments that came since the last step; at the first all of them. Where the
 * flag cannot be had the mode is set all the same. */
void hd_freezer_step(struct hd_freezer *freezer);
