/* SPDX-License-Identifier: Apache-2.0 */
#include "console/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "console/command.h"

#define READ_SIZE ((size_t)256 << 10)

/* ---- what holds no lines ---- */

struct kind {
    struct hd_slice magic;
    const char *advice;
};

static const struct kind kinds[] = {
    {HD_SLICE("\x1f\x8b"), "is compressed: zcat FILE | haidang ... -"},
    {HD_SLICE("\x28\xb5\x2f\xfd"), "is compressed: zstdcat FILE | haidang ... -"},
    {HD_SLICE("\xfd"
              "7zXZ"),
     "is compressed: xzcat FILE | haidang ... -"},
    {HD_SLICE("PK\x03\x04"), "is an archive: unzip -p FILE | haidang ... -"},
    {HD_SLICE("\xff\xfe"), "is UTF-16: iconv -f UTF-16 -t UTF-8 FILE | haidang ... -"},
    {HD_SLICE("\xfe\xff"), "is UTF-16: iconv -f UTF-16 -t UTF-8 FILE | haidang ... -"},
    {HD_SLICE("ElfFile"),
     "is a Windows event log: convert it to JSON lines first (evtx_dump -o jsonl)"},
};

static int check_kind(const struct con_lines *lines)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (hd_slice_starts(hd_buf_slice(&lines->in), kinds[i].magic)) {
            return con_fail(HD_EXIT_CONFIG, "%s %s", lines->name, kinds[i].advice);
        }
    }
    return HD_EXIT_OK;
}

/* ---- reading ---- */

int con_lines_open(struct con_lines *lines, const char *name)
{
    bool is_stdin = name[0] == '-' && name[1] == '\0';
    *lines = (struct con_lines){.name = is_stdin ? "standard input" : name};
    hd_buf_init(&lines->in, 0);
    lines->fd = is_stdin ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
    struct stat st;
    int err = lines->fd < 0 ? hd_err_from_errno(errno) : 0;
    if (err == 0 && fstat(lines->fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        return con_fail(HD_EXIT_RUNTIME, "%s is a directory, not a file of events", name);
    }
    err = err == 0 ? con_lines_fill(lines) : err;
    if (err < 0) {
        return con_fail(HD_EXIT_RUNTIME, "%s cannot be read: %s", lines->name,
                        hd_err_text(err));
    }
    lines->is_primed = true; /* what is there is shown before more is waited for */
    if (hd_slice_starts(hd_buf_slice(&lines->in), HD_SLICE("\xef\xbb\xbf"))) {
        lines->at = 3;
    }
    return check_kind(lines);
}

void con_lines_close(struct con_lines *lines)
{
    if (lines->fd > STDIN_FILENO) {
        (void)close(lines->fd);
    }
    hd_buf_fini(&lines->in);
}

/* Forgets the rest of a line that was cut. */
static void skip(struct con_lines *lines)
{
    struct hd_slice rest = hd_slice_from(hd_buf_slice(&lines->in), lines->at);
    size_t end = hd_slice_find_byte(rest, '\n');
    lines->is_skipping = end == HD_NPOS;
    lines->at += end == HD_NPOS ? rest.len : end + 1;
}

int con_lines_fill(struct con_lines *lines)
{
    if (lines->is_primed) {
        lines->is_primed = false;
        return lines->at == lines->in.len ? 0 : 1;
    }
    hd_buf_consume(&lines->in, lines->at);
    lines->at = 0;
    uint8_t *room = hd_buf_reserve(&lines->in, READ_SIZE);
    if (room == NULL) {
        return HD_ENOMEM;
    }
    ssize_t n;
    do {
        n = lines->is_end ? 0 : read(lines->fd, room, READ_SIZE);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return hd_err_from_errno(errno);
    }
    lines->in.len += (size_t)n;
    lines->is_end = n == 0;
    if (lines->is_skipping) {
        skip(lines);
    }
    return lines->is_end && lines->at == lines->in.len ? 0 : 1;
}

bool con_lines_next(struct con_lines *lines, struct hd_slice *line)
{
    struct hd_slice rest = hd_slice_from(hd_buf_slice(&lines->in), lines->at);
    size_t end = hd_slice_find_byte(rest, '\n');
    bool is_whole = end != HD_NPOS || (lines->is_end && rest.len > 0);
    if (!is_whole && rest.len <= CON_LINE_MAX) {
        return false;
    }
    size_t len = end != HD_NPOS ? end : rest.len;
    lines->is_cut = len > CON_LINE_MAX;
    *line = hd_slice_head(rest, CON_LINE_MAX);
    line->len = len < line->len ? len : line->len;
    lines->at += len + (end != HD_NPOS);
    lines->is_skipping = !is_whole;
    lines->number++;
    return true;
}
