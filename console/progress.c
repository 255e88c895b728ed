/* SPDX-License-Identifier: Apache-2.0 */
#include "console/progress.h"

#include <haidang/clock.h>

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define WIDTH    30U
#define DRAW_NS  (200 * HD_NS_PER_MS)
#define LEFT_MAX (100.0 * 3600)

void con_progress_begin(struct con_progress *p)
{
    *p = (struct con_progress){.is_shown = isatty(STDERR_FILENO) == 1,
                               .began_ns = hd_clock_mono_ns()};
}

void con_progress_line(struct hd_buf *out, uint64_t done, uint64_t all, uint64_t units,
                       const char *unit, int64_t took_ns)
{
    double part = all == 0 || done >= all ? 1 : (double)done / (double)all;
    double took_s = (double)took_ns / HD_NS_PER_SEC;
    double left_s = part > 0 ? took_s / part - took_s : LEFT_MAX;
    hd_buf_byte(out, '[');
    for (unsigned i = 0; i < WIDTH; i++) {
        hd_buf_byte(out, i < (unsigned)(part * WIDTH) ? '#' : ' ');
    }
    hd_buf_printf(out, "] %3u %%  %" PRIu64 " %s", (unsigned)(part * 100), units, unit);
    if (took_s > 0) {
        hd_buf_printf(out, ", %.0f/s", (double)units / took_s);
    }
    if (left_s < LEFT_MAX) {
        hd_buf_printf(out, ", %u:%02u", (unsigned)left_s / 60, (unsigned)left_s % 60);
    }
}

void con_progress_show(struct con_progress *p, uint64_t done, uint64_t all,
                       uint64_t units, const char *unit)
{
    char storage[256];
    struct hd_buf line = hd_buf_fixed(storage, sizeof(storage));
    int64_t now_ns = hd_clock_mono_ns();
    if (!p->is_shown || now_ns - p->drawn_ns < DRAW_NS) {
        return;
    }
    p->drawn_ns = now_ns;
    con_progress_line(&line, done, all, units, unit, now_ns - p->began_ns);
    (void)fprintf(stderr, "\r%s\033[K", hd_buf_cstr(&line));
    (void)fflush(stderr);
}

void con_progress_end(struct con_progress *p)
{
    if (p->is_shown) {
        (void)fputs("\r\033[K", stderr);
    }
}
