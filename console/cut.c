/* SPDX-License-Identifier: Apache-2.0 */
#include "console/cut.h"

#include <sys/ioctl.h>

#include <haidang/utf8.h>

#define ELLIPSIS "…"
#define PLAIN    "\033[0m"

size_t con_cut_columns(int fd)
{
    struct winsize size = {0};
    return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/* Length of the colour at the start of `s`; 0 = there is none. */
static size_t colour_len(struct hd_slice s)
{
    if (!hd_slice_starts(s, HD_SLICE("\033["))) {
        return 0;
    }
    size_t end = hd_slice_find_byte(s, 'm');
    return end == HD_NPOS ? 0 : end + 1;
}

struct fit {
    size_t len;  /* bytes that fit before an ellipsis */
    bool is_cut; /* there are more columns than wanted */
    bool is_lit; /* a colour was begun in those bytes */
};

static struct fit fit_line(struct hd_slice line, size_t columns)
{
    struct fit fit = {0};
    size_t used = 0, at = 0;
    bool is_lit = false;
    while (at < line.len) {
        struct hd_slice rest = hd_slice_from(line, at);
        size_t skip = colour_len(rest);
        size_t step = skip > 0 ? skip : hd_utf8_step(rest);
        step = step > 0 ? step : 1;
        used += skip > 0 ? 0 : hd_utf8_width(hd_slice_head(rest, step));
        is_lit = is_lit || skip > 0;
        at += step;
        if (used < columns) {
            fit.len = at;
            fit.is_lit = is_lit;
        }
    }
    fit.is_cut = used > columns;
    return fit;
}

static void cut_line(struct hd_buf *out, struct hd_slice line, size_t columns)
{
    struct fit fit = fit_line(line, columns);
    if (columns == 0 || !fit.is_cut) {
        hd_buf_slice_add(out, line);
        return;
    }
    hd_buf_slice_add(out, hd_slice_head(line, fit.len));
    hd_buf_str(out, ELLIPSIS);
    if (fit.is_lit) {
        hd_buf_str(out, PLAIN);
    }
}

void con_cut(struct hd_buf *out, struct hd_slice text, size_t columns)
{
    struct hd_slice line;
    bool has_end = text.len > 0 && text.ptr[text.len - 1] == '\n';
    while (hd_slice_split(&text, '\n', &line)) {
        cut_line(out, line, columns);
        if (text.len > 0 || has_end) {
            hd_buf_byte(out, '\n');
        }
        if (text.len == 0) {
            break;
        }
    }
}
