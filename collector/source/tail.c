/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/source/tail.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <haidang/buf.h>
#include <haidang/bytes.h>
#include <haidang/clock.h>
#include <haidang/hash.h>

#include "collector/metrics.h"

#define MARK_VERSION  1
#define MARK_SKIPPING 1
#define MARK_FLUSHED  2
#define MARK_BIRTH_AT 29

/* What one read brought, and how far it is used. */
struct turn {
    struct col_tail *tail;
    const struct col_tail_opts *opts;
    const uint8_t *base; /* edge, then new bytes */
    size_t pos, len;     /* in base */
    bool is_eof, flush;
    int64_t now_ns;
};

struct unit {
    struct hd_slice line;
    size_t used;
    unsigned flags;
    bool is_cut, is_unended;
};

/* ---- marks ---- */

static void put_le64(uint8_t *out, uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
}

struct hd_slice col_tail_key(dev_t dev, ino_t ino, uint8_t out[COL_TAIL_KEY_LEN])
{
    out[0] = 'f';
    put_le64(out + 1, (uint64_t)dev);
    put_le64(out + 9, (uint64_t)ino);
    return hd_slice(out, COL_TAIL_KEY_LEN);
}

/* mark = version flags edge-len head-len(2) offset(8) head-hash(8) edge-hash(8) birth(8),
 * little-endian */
static void set_mark(const struct col_tail *tail, struct hd_slice edge,
                     const struct col_sink *sink)
{
    uint8_t mark[COL_TAIL_MARK_LEN];
    mark[0] = MARK_VERSION;
    mark[1] = (uint8_t)((tail->is_skipping ? MARK_SKIPPING : 0) |
                        (tail->is_flushed ? MARK_FLUSHED : 0));
    mark[2] = (uint8_t)edge.len;
    mark[3] = (uint8_t)tail->head_len;
    mark[4] = (uint8_t)(tail->head_len >> 8);
    put_le64(mark + 5, tail->offset);
    put_le64(mark + 13, tail->head_hash);
    put_le64(mark + 21, hd_hash_stable(edge, 0));
    put_le64(mark + MARK_BIRTH_AT, tail->birth_ns);
    sink->mark(sink->ctx, hd_slice(tail->key, COL_TAIL_KEY_LEN),
               hd_slice(mark, sizeof(mark)));
}

void col_tail_forget(const struct col_tail *tail, const struct col_sink *sink)
{
    sink->mark(sink->ctx, hd_slice(tail->key, COL_TAIL_KEY_LEN), HD_SLICE_EMPTY);
}

static ssize_t read_at(int fd, uint8_t *out, size_t len, uint64_t offset)
{
    ssize_t n;
    do {
        n = pread(fd, out, len, (off_t)offset);
    } while (n < 0 && errno == EINTR);
    return n;
}

static bool is_same_birth(uint64_t a, uint64_t b)
{
    return a == 0 || b == 0 || a == b; /* 0 = the file system does not tell */
}

struct stretch { /* of a file */
    uint8_t *out;
    size_t len;
    uint64_t offset;
};

/* HD_ENOENT: these are not the bytes that the hash is of. HD_EIO: nobody can say. */
static int check_bytes(int fd, struct stretch at, uint64_t hash)
{
    ssize_t n = read_at(fd, at.out, at.len, at.offset);
    if (n < 0) {
        return HD_EIO;
    }
    bool is_same =
        (size_t)n == at.len && hd_hash_stable(hd_slice(at.out, at.len), 0) == hash;
    return is_same ? HD_OK : HD_ENOENT;
}

/* Takes over what the mark says when the file's bytes agree with it; else HD_ENOENT, or
 * HD_EIO when they cannot be read now. */
static int resume(struct col_tail *tail, struct hd_slice mark, bool is_copy)
{
    struct hd_bytes in = hd_bytes(mark);
    uint8_t version = hd_bytes_u8(&in);
    uint8_t flags = hd_bytes_u8(&in);
    uint8_t edge_len = hd_bytes_u8(&in);
    uint16_t head_len = hd_bytes_le16(&in);
    uint64_t offset = hd_bytes_le64(&in);
    uint64_t head_hash = hd_bytes_le64(&in);
    uint64_t edge_hash = hd_bytes_le64(&in);
    uint64_t birth_ns = hd_bytes_le64(&in);
    uint8_t head[COL_TAIL_HEAD_MAX];
    if (hd_bytes_failed(&in) || version != MARK_VERSION || offset > INT64_MAX ||
        edge_len > COL_TAIL_EDGE_MAX || edge_len > offset ||
        head_len > COL_TAIL_HEAD_MAX ||
        (!is_copy && !is_same_birth(birth_ns, tail->birth_ns))) {
        return HD_ENOENT;
    }
    int err = check_bytes(tail->fd, (struct stretch){head, head_len, 0}, head_hash);
    if (err == HD_OK) {
        err = check_bytes(tail->fd,
                          (struct stretch){tail->edge, edge_len, offset - edge_len},
                          edge_hash);
    }
    if (err != HD_OK) {
        return err;
    }
    tail->offset = offset;
    tail->head_len = head_len;
    tail->head_hash = head_hash;
    tail->edge_len = edge_len;
    tail->is_skipping = flags & MARK_SKIPPING;
    tail->is_flushed = flags & MARK_FLUSHED;
    return HD_OK;
}

/* ---- open, close ---- */

static void begin_anew(struct col_tail *tail)
{
    tail->offset = 0;
    tail->head_len = 0;
    tail->head_hash = hd_hash_stable(HD_SLICE_EMPTY, 0);
    tail->edge_len = 0;
    tail->is_skipping = false;
    tail->is_flushed = false;
}

static uint64_t birth_of(int dir_fd, const char *path, int flags)
{
    struct statx stx;
    if (statx(dir_fd, path, flags, STATX_BTIME, &stx) != 0 ||
        (stx.stx_mask & STATX_BTIME) == 0) {
        return 0;
    }
    return (uint64_t)stx.stx_btime.tv_sec * (uint64_t)HD_NS_PER_SEC +
           stx.stx_btime.tv_nsec;
}

uint64_t col_tail_birth(const char *path)
{
    return birth_of(AT_FDCWD, path, 0);
}

bool col_tail_is_marked(const char *path, const struct stat *st,
                        const struct col_sink *sink)
{
    uint8_t key[COL_TAIL_KEY_LEN];
    struct hd_bytes mark =
        hd_bytes(sink->last_mark(sink->ctx, col_tail_key(st->st_dev, st->st_ino, key)));
    hd_bytes_skip(&mark, MARK_BIRTH_AT);
    uint64_t birth_ns = hd_bytes_le64(&mark);
    return !hd_bytes_failed(&mark) && is_same_birth(birth_ns, col_tail_birth(path));
}

void col_tail_adopt(struct col_tail *tail, const struct stat *original,
                    const struct col_sink *sink)
{
    uint8_t key[COL_TAIL_KEY_LEN];
    struct hd_slice mark =
        sink->last_mark(sink->ctx, col_tail_key(original->st_dev, original->st_ino, key));
    if (mark.len == 0 || resume(tail, mark, true) != HD_OK) {
        begin_anew(tail);
    }
}

int col_tail_open(struct col_tail *tail, int fd, const struct col_sink *sink,
                  bool *is_known)
{
    struct stat st;
    *tail = (struct col_tail){.fd = fd};
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        col_tail_close(tail);
        return HD_EINVAL;
    }
    tail->dev = st.st_dev;
    tail->ino = st.st_ino;
    tail->birth_ns = birth_of(fd, "", AT_EMPTY_PATH);
    begin_anew(tail);
    struct hd_slice key = col_tail_key(st.st_dev, st.st_ino, tail->key);
    struct hd_slice mark = sink->last_mark(sink->ctx, key);
    int err = mark.len > 0 ? resume(tail, mark, false) : HD_ENOENT;
    *is_known = err == HD_OK;
    if (err == HD_EIO) {
        col_tail_close(tail);
        return HD_EIO;
    }
    if (err != HD_OK) {
        begin_anew(tail);
    }
    return HD_OK;
}

void col_tail_close(struct col_tail *tail)
{
    if (tail->fd >= 0) {
        (void)close(tail->fd);
    }
    tail->fd = -1;
}

unsigned col_tail_links(const struct col_tail *tail)
{
    struct stat st;
    return fstat(tail->fd, &st) == 0 ? (unsigned)st.st_nlink : 0;
}

/* The head's hash grows with the position until it covers COL_TAIL_HEAD_MAX bytes. */
static void update_head(struct col_tail *tail)
{
    uint8_t head[COL_TAIL_HEAD_MAX];
    if (tail->head_len == COL_TAIL_HEAD_MAX || tail->offset <= tail->head_len) {
        return;
    }
    size_t want =
        tail->offset < COL_TAIL_HEAD_MAX ? (size_t)tail->offset : COL_TAIL_HEAD_MAX;
    if (read_at(tail->fd, head, want, 0) == (ssize_t)want) {
        tail->head_len = (uint16_t)want;
        tail->head_hash = hd_hash_stable(hd_slice(head, want), 0);
    }
}

int col_tail_seek_end(struct col_tail *tail, const struct col_sink *sink)
{
    struct stat st;
    if (fstat(tail->fd, &st) != 0) {
        return hd_err_from_errno(errno);
    }
    uint64_t size = (uint64_t)st.st_size;
    size_t len = size < COL_TAIL_EDGE_MAX ? (size_t)size : COL_TAIL_EDGE_MAX;
    ssize_t got = read_at(tail->fd, tail->edge, len, size - len);
    if (got != (ssize_t)len) {
        return HD_EIO;
    }
    tail->offset = size;
    tail->edge_len = (uint8_t)len;
    tail->is_skipping = len > 0 && tail->edge[len - 1] != '\n';
    update_head(tail);
    set_mark(tail, hd_slice(tail->edge, len), sink);
    return HD_OK;
}

/* ---- cutting ---- */

static struct hd_slice unread(const struct turn *t)
{
    return hd_slice(t->base + t->pos, t->len - t->pos);
}

static struct hd_slice strip_end(struct hd_slice line)
{
    if (line.len > 0 && line.ptr[line.len - 1] == '\n') {
        line.len--;
    }
    if (line.len > 0 && line.ptr[line.len - 1] == '\r') {
        line.len--;
    }
    return line;
}

static struct unit cut_unit(struct hd_slice in, size_t line_max)
{
    return (struct unit){.line = hd_slice_head(in, line_max),
                         .used = line_max,
                         .flags = HD_BATCH_TRUNCATED,
                         .is_cut = true};
}

/* HD_PARSE_MORE: nothing can be taken yet. */
static enum hd_parse next_line(const struct turn *t, struct unit *unit)
{
    struct hd_slice in = unread(t);
    size_t line_max = t->opts->line_max;
    size_t lf = hd_slice_find_byte(hd_slice_head(in, line_max + 1), '\n');
    if (lf != HD_NPOS) {
        *unit =
            (struct unit){.line = strip_end(hd_slice_head(in, lf + 1)), .used = lf + 1};
        return HD_PARSE_OK;
    }
    if (in.len > line_max) {
        *unit = cut_unit(in, line_max);
        return HD_PARSE_OK;
    }
    if (!t->flush || !t->is_eof || in.len == 0) {
        return HD_PARSE_MORE;
    }
    *unit = (struct unit){.line = in, .used = in.len, .is_unended = true};
    return HD_PARSE_OK;
}

/* An event that may yet be continued waits for more or for a flush, except before a line
 * that is too long for it anyway. */
static enum hd_parse next_event(const struct turn *t, struct unit *unit)
{
    struct hd_slice in = unread(t);
    size_t line_max = t->opts->line_max;
    size_t used;
    if (col_multiline_next(t->opts->multiline, in, &used) == HD_PARSE_MORE) {
        if (used == 0) {
            return next_line(t, unit);
        }
        if (in.len - used <= line_max) {
            if (!t->flush || !t->is_eof) {
                return HD_PARSE_MORE;
            }
            used = in.len <= line_max ? in.len : used;
        }
    }
    struct hd_slice line = strip_end(hd_slice_head(in, used));
    if (line.len > line_max) {
        *unit = cut_unit(in, line_max);
    } else {
        *unit = (struct unit){
            .line = line, .used = used, .is_unended = in.ptr[used - 1] != '\n'};
    }
    return HD_PARSE_OK;
}

/* The bytes before the position, as the mark wants them. */
static struct hd_slice edge_of(const struct turn *t)
{
    size_t len = t->pos < COL_TAIL_EDGE_MAX ? t->pos : COL_TAIL_EDGE_MAX;
    return hd_slice(t->base + t->pos - len, len);
}

static void advance(struct turn *t, size_t n)
{
    t->pos += n;
    t->tail->offset += n;
    set_mark(t->tail, edge_of(t), t->opts->sink);
}

/* Passes over the rest of a cut line, and the line feed of a flushed one. */
static void skip(struct turn *t)
{
    struct col_tail *tail = t->tail;
    struct hd_slice in = unread(t);
    if (in.len == 0 || (!tail->is_skipping && !tail->is_flushed)) {
        return;
    }
    size_t n = 0;
    if (tail->is_skipping) {
        size_t lf = hd_slice_find_byte(in, '\n');
        n = lf == HD_NPOS ? in.len : lf + 1;
        tail->is_skipping = lf == HD_NPOS;
    } else if (in.ptr[0] == '\n') {
        n = 1;
    }
    tail->is_flushed = false;
    COL_COUNT(COL_SKIPPED_BYTES, n - (n > 0 && in.ptr[n - 1] == '\n'));
    advance(t, n);
}

static int take(struct turn *t, const struct unit *unit)
{
    struct col_tail *tail = t->tail;
    const struct col_sink *sink = t->opts->sink;
    int err = sink->add(sink->ctx, t->opts->source, t->now_ns, unit->flags, unit->line);
    if (err == HD_EFULL) {
        return err;
    }
    tail->is_skipping = unit->is_cut;
    tail->is_flushed = unit->is_unended;
    tail->lines++;
    tail->bytes += unit->line.len;
    tail->truncated += unit->is_cut;
    advance(t, unit->used);
    return HD_OK;
}

static enum col_tail_result take_all(struct turn *t)
{
    for (;;) {
        struct unit unit;
        skip(t);
        enum hd_parse got = t->opts->multiline->kind == COL_MULTILINE_NONE
                                ? next_line(t, &unit)
                                : next_event(t, &unit);
        if (got != HD_PARSE_OK) {
            break;
        }
        if (take(t, &unit) != HD_OK) {
            return COL_TAIL_FULL;
        }
    }
    if (!t->is_eof) {
        return COL_TAIL_MORE;
    }
    if (t->pos == t->len) {
        return COL_TAIL_EOF;
    }
    return t->base[t->len - 1] == '\n' ? COL_TAIL_PENDING : COL_TAIL_PARTIAL;
}

enum col_tail_result col_tail_read(struct col_tail *tail,
                                   const struct col_tail_opts *opts, bool flush)
{
    size_t room = COL_TAIL_READ_MAX + opts->line_max;
    ssize_t n = read_at(tail->fd, opts->scratch, tail->edge_len + room,
                        tail->offset - tail->edge_len);
    if (n < 0) {
        return COL_TAIL_ERROR;
    }
    if ((size_t)n < tail->edge_len ||
        memcmp(opts->scratch, tail->edge, tail->edge_len) != 0) {
        begin_anew(tail);
        return COL_TAIL_RESTART;
    }
    struct turn t = {.tail = tail,
                     .opts = opts,
                     .base = opts->scratch,
                     .pos = tail->edge_len,
                     .len = (size_t)n,
                     .is_eof = (size_t)n < tail->edge_len + room,
                     .flush = flush,
                     .now_ns = hd_clock_wall_ns()};
    enum col_tail_result result = take_all(&t);
    struct hd_slice edge = edge_of(&t);
    memcpy(tail->edge, edge.ptr, edge.len);
    tail->edge_len = (uint8_t)edge.len;
    update_head(tail);
    return result;
}
