/* SPDX-License-Identifier: Apache-2.0
 *
 * How full something is that can hold so much: two thresholds, and when it will be full
 * if it goes on growing as it did of late. Pure: who asks brings sizes and the clock.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <haidang/buf.h>

#define HD_FILL_HOURS 24U

enum hd_fill_state { HD_FILL_ROOM, HD_FILL_WARNING, HD_FILL_ALARM };

struct hd_fill_sample {
    int64_t mono_ns;
    uint64_t used;
};

struct hd_fill {
    unsigned warning, alarm; /* percent; 0 = never */
    enum hd_fill_state state;
    uint64_t used, limit;
    int64_t mono_ns;                           /* of these */
    struct hd_fill_sample past[HD_FILL_HOURS]; /* an hour apart; the oldest first */
    unsigned n;
};

void hd_fill_init(struct hd_fill *fill, unsigned warning, unsigned alarm);

/* Looks at what is used now, by the monotonic clock. A threshold that was passed counts
 * until usage is 3 percent below it. True: the state has changed. */
bool hd_fill_look(struct hd_fill *fill, uint64_t used, uint64_t limit, int64_t mono_ns);
unsigned hd_fill_percent(const struct hd_fill *fill);
/* Until it is full, at the mean rate of the last 24 hours (or of as long as it was looked
 * at, if for 10 minutes); -1: nobody can say, or not within 10 years. */
int64_t hd_fill_left_s(const struct hd_fill *fill);

/* "81 % (16.2 of 20.0 GiB), full in 3.4 days at the present rate"; hours within two days
 */
void hd_fill_text(const struct hd_fill *fill, struct hd_buf *out);
