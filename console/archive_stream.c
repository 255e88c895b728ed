/* SPDX-License-Identifier: Apache-2.0 */
#include "console/archive_stream.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <haidang/array.h>
#include <haidang/fs.h>
#include <haidang/num.h>

#include "console/archive_stamps.h"

#define SEGMENT_END ".zst"
#define NUMBER_LEN  20U
#define LIST_MAX    ((size_t)64 << 20)

/* "00000000000000000001" and `end`. */
static bool name_parse(struct hd_slice name, const char *end, uint64_t *first)
{
    return name.len == NUMBER_LEN + strlen(end) &&
           hd_slice_ends(name, hd_slice_str(end)) &&
           hd_num_u64(hd_slice_head(name, NUMBER_LEN), UINT64_MAX, first) == HD_OK;
}

/* ---- what the other end has ---- */

static int had_add(uint64_t **list, size_t *n, uint64_t first)
{
    uint64_t *more = hd_array_grow(*list, *n, sizeof(*more));
    if (more == NULL) {
        return HD_ENOMEM;
    }
    *list = more;
    more[(*n)++] = first;
    return HD_OK;
}

/* Whatever else stands there is no name of ours. */
static int had_line(struct con_stream_had *had, struct hd_slice line)
{
    uint64_t first = 0;
    size_t slash = line.len;
    while (slash > 0 && line.ptr[slash - 1] != '/') {
        slash--;
    }
    line = hd_slice_trim(hd_slice_from(line, slash));
    if (name_parse(line, SEGMENT_END, &first)) {
        return had_add(&had->segments, &had->n_segments, first);
    }
    return name_parse(line, HD_STAMP_REPLY_END, &first)
               ? had_add(&had->stamps, &had->n_stamps, first)
               : HD_OK;
}

static int by_number(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static int had_parse(struct con_stream_had *had, struct hd_slice text)
{
    int err = HD_OK;
    while (err == HD_OK && text.len > 0) {
        size_t end = hd_slice_find_byte(text, '\n');
        end = end == HD_NPOS ? text.len : end;
        err = had_line(had, hd_slice_head(text, end));
        text = hd_slice_from(text, end < text.len ? end + 1 : end);
    }
    if (had->n_segments > 0) {
        qsort(had->segments, had->n_segments, sizeof(uint64_t), by_number);
    }
    if (had->n_stamps > 0) {
        qsort(had->stamps, had->n_stamps, sizeof(uint64_t), by_number);
    }
    return err;
}

static int read_to_end(int fd, struct hd_buf *out)
{
    for (;;) {
        uint8_t *at = hd_buf_reserve(out, CON_BUNDLE_BLOCK);
        ssize_t n = at == NULL ? 0 : read(fd, at, CON_BUNDLE_BLOCK);
        if (n == 0) {
            return out->err;
        }
        if (n < 0 && errno != EINTR) {
            return hd_err_from_errno(errno);
        }
        out->len += n > 0 ? (size_t)n : 0;
    }
}

int con_stream_had_load(struct con_stream_had *had, const char *path)
{
    struct hd_buf text;
    *had = (struct con_stream_had){.n_segments = 0};
    if (path == NULL) {
        return HD_EXIT_OK;
    }
    hd_buf_init(&text, LIST_MAX);
    int err = strcmp(path, "-") == 0 ? read_to_end(STDIN_FILENO, &text)
                                     : hd_fs_read(path, LIST_MAX, &text);
    err = err == HD_OK ? had_parse(had, hd_buf_slice(&text)) : err;
    hd_buf_fini(&text);
    return err == HD_OK ? HD_EXIT_OK
                        : con_fail(HD_EXIT_USAGE, "--except %s cannot be read: %s", path,
                                   hd_err_text(err));
}

void con_stream_had_free(struct con_stream_had *had)
{
    free(had->segments);
    free(had->stamps);
    *had = (struct con_stream_had){.n_segments = 0};
}

bool con_stream_had_has(const struct con_stream_had *had, enum con_stream_kind kind,
                        uint64_t first)
{
    bool is_stamp = kind == CON_STREAM_STAMP;
    const uint64_t *list = is_stamp ? had->stamps : had->segments;
    size_t n = is_stamp ? had->n_stamps : had->n_segments;
    return n > 0 && bsearch(&first, list, n, sizeof(*list), by_number) != NULL;
}

/* ---- writing ---- */

int con_stream_add_segment(struct con_bundle_writer *writer,
                           const struct hd_check_file *file, uint64_t bytes)
{
    char name[CON_BUNDLE_NAME_MAX];
    const struct hd_journal_part part = {.fd = file->fd, .bytes = bytes};
    (void)snprintf(name, sizeof(name), "%020" PRIu64 SEGMENT_END, file->first);
    con_bundle_add_part(writer, name, &part);
    return writer->err;
}

int con_stream_add_stamp(struct con_bundle_writer *writer, const char *dir,
                         uint64_t first)
{
    char name[CON_BUNDLE_NAME_MAX];
    struct hd_buf reply;
    hd_buf_init(&reply, HD_STAMP_MAX + 1);
    int err = con_archive_stamp_read(dir, first, &reply);
    if (err == HD_OK) {
        (void)snprintf(name, sizeof(name), HD_STAMP_DIR "/%020" PRIu64 HD_STAMP_REPLY_END,
                       first);
        con_bundle_add(writer, name, hd_buf_slice(&reply));
        err = writer->err;
    }
    hd_buf_fini(&reply);
    return err;
}

/* ---- reading ---- */

static int cut_off(char why[CON_BUNDLE_WHY])
{
    (void)snprintf(why, CON_BUNDLE_WHY, "it is cut off");
    return HD_ECORRUPT;
}

int con_stream_read(int fd, uint64_t bytes, struct hd_buf *out)
{
    uint8_t *at = hd_buf_reserve(out, (size_t)bytes);
    for (uint64_t got = 0; at != NULL && got < bytes;) {
        ssize_t n = read(fd, at + got, (size_t)(bytes - got));
        if (n == 0) {
            return HD_ECORRUPT;
        }
        if (n < 0 && errno != EINTR) {
            return hd_err_from_errno(errno);
        }
        got += n > 0 ? (uint64_t)n : 0;
        out->len += n > 0 ? (size_t)n : 0;
    }
    return out->err;
}

static int read_block(int fd, uint64_t bytes, char block[CON_BUNDLE_BLOCK],
                      char why[CON_BUNDLE_WHY])
{
    struct hd_buf room = hd_buf_fixed(block, CON_BUNDLE_BLOCK);
    int err = con_stream_read(fd, bytes, &room);
    return err == HD_ECORRUPT ? cut_off(why) : err;
}

static bool is_zero(const char *block, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (block[i] != 0) {
            return false;
        }
    }
    return true;
}

static bool take_name(const struct con_bundle_member *member,
                      struct con_stream_member *out)
{
    struct hd_slice name = hd_slice_str(member->name);
    struct hd_slice below = HD_SLICE(HD_STAMP_DIR "/");
    out->bytes = member->bytes;
    if (hd_slice_starts(name, below)) {
        out->kind = CON_STREAM_STAMP;
        return out->bytes <= HD_STAMP_MAX && name_parse(hd_slice_from(name, below.len),
                                                        HD_STAMP_REPLY_END, &out->first);
    }
    out->kind = CON_STREAM_SEGMENT;
    return name_parse(name, SEGMENT_END, &out->first);
}

static int no_stream(char why[CON_BUNDLE_WHY])
{
    (void)snprintf(why, CON_BUNDLE_WHY,
                   "it is no stream as 'haidang archive export -' writes it");
    return HD_ECORRUPT;
}

/* What no writer of a stream can have meant. */
static int check_member(const struct con_stream_member *member, char why[CON_BUNDLE_WHY])
{
    if (member->first == 0 || member->first > HD_JOURNAL_INDEX_MAX) {
        (void)snprintf(why, CON_BUNDLE_WHY, "there is no segment of number %" PRIu64,
                       member->first);
        return HD_ECORRUPT;
    }
    if (member->bytes > HD_JOURNAL_SEGMENT_MAX) {
        (void)snprintf(why, CON_BUNDLE_WHY,
                       "segment %" PRIu64 " would be of %" PRIu64
                       " bytes, more than one can have",
                       member->first, member->bytes);
        return HD_ECORRUPT;
    }
    return HD_OK;
}

int con_stream_next(int fd, struct con_stream_member *out, char why[CON_BUNDLE_WHY])
{
    char block[CON_BUNDLE_BLOCK];
    struct con_bundle_member member;
    int err = read_block(fd, sizeof(block), block, why);
    if (err != HD_OK) {
        return err;
    }
    if (is_zero(block, sizeof(block))) {
        err = read_block(fd, sizeof(block), block, why);
        return err != HD_OK                    ? err
               : is_zero(block, sizeof(block)) ? HD_ENOENT
                                               : no_stream(why);
    }
    return con_bundle_header_decode(block, &member) && take_name(&member, out)
               ? check_member(out, why)
               : no_stream(why);
}

int con_stream_end_member(int fd, const struct con_stream_member *member,
                          char why[CON_BUNDLE_WHY])
{
    char block[CON_BUNDLE_BLOCK];
    uint64_t rest = con_bundle_padding(member->bytes);
    int err = read_block(fd, rest, block, why);
    if (err == HD_OK && !is_zero(block, (size_t)rest)) {
        (void)snprintf(why, CON_BUNDLE_WHY, "there are bytes behind a member");
        err = HD_ECORRUPT;
    }
    return err;
}
