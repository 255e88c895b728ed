/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/uplink/window.h"

void col_window_open(struct col_window *w, uint64_t last_durable, uint32_t credits)
{
    w->head = 0;
    w->count = 0;
    w->in_flight = 0;
    w->credits = credits;
    w->acknowledged = last_durable;
    w->sent = last_durable;
}

bool col_window_may_send(const struct col_window *w, uint32_t wire_len)
{
    if (w->count == COL_WINDOW_BATCHES || w->credits == 0) {
        return false;
    }
    return w->count == 0 || w->in_flight + wire_len <= w->credits;
}

int col_window_sent(struct col_window *w, const struct col_window_batch *b)
{
    if (w->count == COL_WINDOW_BATCHES) {
        return HD_EFULL;
    }
    if (hd_fails(b->first <= b->last && b->last > w->sent)) {
        return HD_EBUG;
    }
    w->batch[(w->head + w->count) % COL_WINDOW_BATCHES] = *b;
    w->count++;
    w->in_flight += b->wire_len;
    w->sent = b->last;
    return HD_OK;
}

int col_window_ack(struct col_window *w, uint64_t last_durable, uint32_t credits,
                   struct col_window_batch *settled)
{
    if (last_durable > w->sent) {
        return HD_EPEER;
    }
    w->credits = credits;
    if (last_durable <= w->acknowledged) {
        return 0;
    }
    w->acknowledged = last_durable;
    int n = 0;
    while (w->count > 0 && w->batch[w->head].last <= last_durable) {
        *settled = w->batch[w->head];
        w->in_flight -= settled->wire_len;
        w->head = (w->head + 1) % COL_WINDOW_BATCHES;
        w->count--;
        n++;
    }
    return n;
}

const struct col_window_batch *col_window_oldest(const struct col_window *w)
{
    return w->count == 0 ? NULL : &w->batch[w->head];
}
