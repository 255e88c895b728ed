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

void col_tail_touch(const struct col_tail *tail, const struct col_sink *sink)
{
    struct hd_slice key = hd_slice(tail->key, COL_TAIL_KEY_LEN);
    if (sink->last_mark(sink->ctx, key).len == 0) {
        set_mark(tail, hd_slice(tail->edge, tail->edge_len), sink);
    }
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

struct mark {
    uint8_t flags, edge_len;
    uint16_t head_len;
    uint64_t offset, head_hash, edge_hash, birth_ns;
};

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

static bool read_mark(struct hd_slice text, struct mark *mark)
{
    struct hd_bytes in = hd_bytes(text);
    uint8_t version = hd_bytes_u8(&in);
    mark->flags = hd_bytes_u8(&in);
    mark->edge_len = hd_bytes_u8(&in);
    mark->head_len = hd_bytes_le16(&in);
    mark->offset = hd_bytes_le64(&in);
    mark->head_hash = hd_bytes_le64(&in);
    mark->edge_hash = hd_bytes_le64(&in);
    mark->birth_ns = hd_bytes_le64(&in);
    return !hd_bytes_failed(&in) && version == MARK_VERSION &&
           mark->offset <= INT64_MAX && mark->edge_len <= COL_TAIL_EDGE_MAX &&
           mark->edge_len <= mark->offset && mark->head_len <= COL_TAIL_HEAD_MAX;
}

static void note_begin(struct col_tail *tail, const uint8_t *head, size_t len)
{
    tail->begin_len = (uint8_t)(len < COL_TAIL_EDGE_MAX ? len : COL_TAIL_EDGE_MAX);
    memcpy(tail->begin, head, tail->begin_len);
}

/* HD_OK: the bytes of the file agree with the mark, and those before its position are in
 * tail->edge. HD_ENOENT, or HD_EIO when they cannot be read now. */
static int agree(struct col_tail *tail, const struct mark *mark)
{
    uint8_t head[COL_TAIL_HEAD_MAX];
    const struct stretch begin = {head, mark->head_len, 0};
    const struct stretch edge = {tail->edge, mark->edge_len,
                                 mark->offset - mark->edge_len};
    int err = check_bytes(tail->fd, begin, mark->head_hash);
    err = err == HD_OK ? check_bytes(tail->fd, edge, mark->edge_hash) : err;
    if (err == HD_OK) {
        note_begin(tail, head, mark->head_len);
    }
    return err;
}

static void take_over(struct col_tail *tail, const struct mark *mark)
{
    tail->offset = mark->offset;
    tail->head_len = mark->head_len;
    tail->head_hash = mark->head_hash;
    tail->edge_len = mark->edge_len;
    tail->is_skipping = mark->flags & MARK_SKIPPING;
    tail->is_flushed = mark->flags & MARK_FLUSHED;
}

/* ---- open, close ---- */

static void begin_anew(struct col_tail *tail)
{
    tail->offset = 0;
    tail->head_len = 0;
    tail->head_hash = hd_hash_stable(HD_SLICE_EMPTY, 0);
    tail->edge_len = 0;
    tail->begin_len = 0;
    memset(tail->places, 0, sizeof(tail->places));
    tail->known_end = 0;
    tail->is_other = false;
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

static bool mark_of(dev_t dev, ino_t ino, const struct col_sink *sink, struct mark *mark)
{
    uint8_t key[COL_TAIL_KEY_LEN];
    return read_mark(sink->last_mark(sink->ctx, col_tail_key(dev, ino, key)), mark);
}

bool col_tail_is_marked(const char *path, const struct stat *st,
                        const struct col_sink *sink)
{
    struct mark mark;
    return mark_of(st->st_dev, st->st_ino, sink, &mark) &&
           is_same_birth(mark.birth_ns, col_tail_birth(path));
}

static bool begins_as(int fd, size_t head_len, uint64_t hash)
{
    uint8_t head[COL_TAIL_HEAD_MAX];
    return head_len > 0 &&
           check_bytes(fd, (struct stretch){head, head_len, 0}, hash) == HD_OK;
}

static bool has_place(int fd, const struct col_tail_place *place)
{
    uint8_t edge[COL_TAIL_EDGE_MAX];
    const struct stretch at = {edge, place->edge_len, place->offset - place->edge_len};
    return place->offset > 0 && check_bytes(fd, at, place->edge_hash) == HD_OK;
}

static bool has_any_place(int fd, const struct col_tail *tail)
{
    for (size_t i = 0; i < COL_TAIL_PLACES; i++) {
        if (has_place(fd, &tail->places[i])) {
            return true;
        }
    }
    return false;
}

enum col_tail_copy col_tail_compare(int fd, const struct col_tail *tail,
                                    const struct col_sink *sink)
{
    struct col_tail copy = {.fd = fd};
    struct mark mark;
    struct stat st;
    if (!mark_of(tail->dev, tail->ino, sink, &mark) || fstat(fd, &st) != 0) {
        return COL_TAIL_NO_COPY;
    }
    if ((uint64_t)st.st_size >= mark.offset) {
        return agree(&copy, &mark) == HD_OK ? COL_TAIL_WHOLE_COPY : COL_TAIL_NO_COPY;
    }
    return begins_as(fd, mark.head_len, mark.head_hash) && has_any_place(fd, tail)
               ? COL_TAIL_SHORT_COPY
               : COL_TAIL_NO_COPY;
}

bool col_tail_adopt(struct col_tail *tail, const struct stat *original,
                    const struct col_sink *sink)
{
    struct mark mark;
    if (!mark_of(original->st_dev, original->st_ino, sink, &mark) ||
        agree(tail, &mark) != HD_OK) {
        begin_anew(tail);
        return false;
    }
    take_over(tail, &mark);
    tail->is_other = false;
    set_mark(tail, hd_slice(tail->edge, tail->edge_len), sink);
    return true;
}

static void note_marked(struct col_tail *tail, const struct col_sink *sink)
{
    (void)col_tail_key(tail->dev, tail->ino, tail->key);
    tail->marked_s = sink->marked_s(sink->ctx, hd_slice(tail->key, COL_TAIL_KEY_LEN));
}

void col_tail_recall(struct col_tail *tail, dev_t dev, ino_t ino,
                     const struct col_sink *sink)
{
    struct mark mark;
    *tail = (struct col_tail){.fd = -1, .dev = dev, .ino = ino};
    note_marked(tail, sink);
    begin_anew(tail);
    if (mark_of(dev, ino, sink, &mark)) {
        take_over(tail, &mark);
    }
}

/* Of an inode that was used again nobody wants to know; where the file system tells no
 * births, the two cannot be told apart. */
static int resume(struct col_tail *tail, const struct col_sink *sink)
{
    struct mark mark;
    if (!mark_of(tail->dev, tail->ino, sink, &mark) ||
        !is_same_birth(mark.birth_ns, tail->birth_ns)) {
        return HD_ENOENT;
    }
    int err = agree(tail, &mark);
    if (err == HD_OK || (err == HD_ENOENT && mark.birth_ns != 0 && tail->birth_ns != 0)) {
        take_over(tail, &mark);
        tail->is_other = err != HD_OK;
    }
    return err;
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
    note_marked(tail, sink);
    int err = resume(tail, sink);
    *is_known = err == HD_OK;
    if (err == HD_EIO) {
        col_tail_close(tail);
        return HD_EIO;
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

/* ---- what has become of it ---- */

enum col_tail_now col_tail_judge(const struct col_tail *tail, uint64_t *size)
{
    struct stat st;
    *size = fstat(tail->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
    if (*size == 0) {
        return COL_TAIL_EMPTY;
    }
    if (!begins_as(tail->fd, tail->head_len, tail->head_hash)) {
        return COL_TAIL_OTHER;
    }
    return *size < tail->offset ? COL_TAIL_SHORTER : COL_TAIL_CHANGED;
}

bool col_tail_is_intact(const struct col_tail *tail)
{
    struct stat st;
    return !tail->is_other && fstat(tail->fd, &st) == 0 &&
           (uint64_t)st.st_size >= tail->offset &&
           begins_as(tail->fd, tail->head_len, tail->head_hash);
}

bool col_tail_begins_as(const struct col_tail *tail, int fd)
{
    return tail->head_len >= COL_TAIL_HEAD_MIN &&
           begins_as(fd, tail->head_len, tail->head_hash);
}

/* The same bytes are in both files there. */
static bool agree_at(int a, int b, size_t len, uint64_t offset)
{
    uint8_t bytes_a[COL_TAIL_HEAD_MAX], bytes_b[COL_TAIL_HEAD_MAX];
    return read_at(a, bytes_a, len, offset) == (ssize_t)len &&
           read_at(b, bytes_b, len, offset) == (ssize_t)len &&
           memcmp(bytes_a, bytes_b, len) == 0;
}

/* A copy that is done is judged by what we remember, for the original may be empty by
 * now; one that is being made is compared with it. */
bool col_tail_is_like(const struct col_tail *tail, const struct col_tail *other,
                      const struct col_sink *sink)
{
    uint8_t begin[COL_TAIL_EDGE_MAX];
    struct stat st;
    ssize_t n = read_at(tail->fd, begin, sizeof(begin), 0);
    size_t known = n > 0 && (size_t)n < other->begin_len ? (size_t)n : other->begin_len;
    if (n <= 0 || memcmp(begin, other->begin, known) != 0 || fstat(tail->fd, &st) != 0) {
        return false;
    }
    uint64_t size = (uint64_t)st.st_size;
    size_t head = size < COL_TAIL_HEAD_MAX ? (size_t)size : COL_TAIL_HEAD_MAX;
    size_t end = size < COL_TAIL_EDGE_MAX ? (size_t)size : COL_TAIL_EDGE_MAX;
    return col_tail_compare(tail->fd, other, sink) != COL_TAIL_NO_COPY ||
           (size < other->offset && agree_at(tail->fd, other->fd, head, 0) &&
            agree_at(tail->fd, other->fd, end, size - end));
}

void col_tail_restart(struct col_tail *tail, const struct col_sink *sink)
{
    begin_anew(tail);
    set_mark(tail, HD_SLICE_EMPTY, sink);
}

uint64_t col_tail_unread(const struct col_tail *tail, uint64_t kept)
{
    uint64_t from = kept > tail->offset ? kept : tail->offset;
    return tail->known_end > from ? tail->known_end - from : 0;
}

static void note_end(struct col_tail *tail, uint64_t end)
{
    tail->known_end = end > tail->known_end ? end : tail->known_end;
}

void col_tail_note_end(struct col_tail *tail)
{
    struct stat st;
    if (fstat(tail->fd, &st) == 0) {
        note_end(tail, (uint64_t)st.st_size);
    }
}

/* The head's hash grows with the position until it covers COL_TAIL_HEAD_MAX bytes. True:
 * it did. */
static bool update_head(struct col_tail *tail)
{
    uint8_t head[COL_TAIL_HEAD_MAX];
    if (tail->head_len == COL_TAIL_HEAD_MAX || tail->offset <= tail->head_len) {
        return false;
    }
    size_t want =
        tail->offset < COL_TAIL_HEAD_MAX ? (size_t)tail->offset : COL_TAIL_HEAD_MAX;
    bool is_read = read_at(tail->fd, head, want, 0) == (ssize_t)want;
    if (is_read) {
        tail->head_len = (uint16_t)want;
        tail->head_hash = hd_hash_stable(hd_slice(head, want), 0);
        note_begin(tail, head, want);
    }
    return is_read;
}

int col_tail_seek_end(struct col_tail *tail, const struct col_sink *sink)
{
    struct stat st;
    if (fstat(tail->fd, &st) != 0) {
        return hd_err_from_errno(errno);
    }
    begin_anew(tail);
    uint64_t size = (uint64_t)st.st_size;
    size_t len = size < COL_TAIL_EDGE_MAX ? (size_t)size : COL_TAIL_EDGE_MAX;
    ssize_t got = read_at(tail->fd, tail->edge, len, size - len);
    if (got != (ssize_t)len) {
        return HD_EIO;
    }
    tail->offset = size;
    tail->edge_len = (uint8_t)len;
    tail->is_skipping = len > 0 && tail->edge[len - 1] != '\n';
    (void)update_head(tail);
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

/* In the room of the oldest, unless the newest is of just now. */
static void note_place(struct col_tail *tail)
{
    struct col_tail_place *oldest = &tail->places[0];
    int64_t now_ns = hd_clock_mono_ns();
    for (size_t i = 0; i < COL_TAIL_PLACES; i++) {
        struct col_tail_place *place = &tail->places[i];
        if (place->offset > 0 && (place->offset == tail->offset ||
                                  now_ns - place->at_ns < COL_TAIL_PLACE_NS)) {
            return;
        }
        oldest = place->at_ns < oldest->at_ns ? place : oldest;
    }
    *oldest = (struct col_tail_place){
        .offset = tail->offset,
        .edge_hash = hd_hash_stable(hd_slice(tail->edge, tail->edge_len), 0),
        .at_ns = now_ns,
        .edge_len = tail->edge_len};
}

enum col_tail_result col_tail_read(struct col_tail *tail,
                                   const struct col_tail_opts *opts, bool flush)
{
    size_t room = COL_TAIL_READ_MAX + opts->line_max;
    if (tail->is_other) {
        return COL_TAIL_RESTART;
    }
    ssize_t n = read_at(tail->fd, opts->scratch, tail->edge_len + room,
                        tail->offset - tail->edge_len);
    if (n < 0) {
        return COL_TAIL_ERROR;
    }
    if ((size_t)n < tail->edge_len ||
        memcmp(opts->scratch, tail->edge, tail->edge_len) != 0) {
        tail->is_other = true;
        return COL_TAIL_RESTART;
    }
    note_end(tail, tail->offset - tail->edge_len + (size_t)n);
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
    note_place(tail);
    if (update_head(tail)) {
        set_mark(tail, edge, opts->sink);
    }
    return result;
}
