/* SPDX-License-Identifier: Apache-2.0
 *
 * The journal's reader. It goes by index: a position is "the next entry with an index of
 * at least this"; segment and offset are where it was last seen. Nothing at or beyond the
 * mark is ever looked at, so a reader needs no word with the writer.
 *
 * What may have happened behind its back, and what it does: retention removed the segment
 * (HD_ENOENT once, then from the oldest); an entry does not verify (HD_ECORRUPT once,
 * then from the next that does); the mark is behind the position, after a power cut (goes
 * back to the mark: reading again is harmless); the journal was made anew (begins at the
 * oldest).
 */
#include "lib/journal_reader.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <haidang/log.h>

#define MARK_TRIES 16 /* a read may meet the write of the mark */
#define OPEN_TRIES 8  /* a segment may vanish between listing and opening */

static int path_of(const struct hd_journal_reader *r, const char *name,
                   char out[PATH_MAX])
{
    int len = snprintf(out, PATH_MAX, "%s/%s", r->dir, name);
    return len > 0 && len < PATH_MAX ? HD_OK : HD_EINVAL;
}

/* ---- the mark ---- */

int hd_jreader_mark(const struct hd_journal_reader *r, struct hd_jfmt_mark *mark)
{
    char path[PATH_MAX];
    int fd = -1;
    if (r->is_copy) {
        *mark = r->mark;
        return HD_OK;
    }
    int err = path_of(r, "mark", path);
    if (err == HD_OK) {
        err = r->io.ops->open(r->io.ctx, path, O_RDONLY, &fd);
    }
    bool is_good = false;
    for (int i = 0; err == HD_OK && !is_good && i < MARK_TRIES; i++) {
        uint8_t bytes[HD_JFMT_MARK_LEN];
        struct iovec to = {bytes, sizeof(bytes)};
        size_t got = 0;
        err = r->io.ops->pread(r->io.ctx, fd, to, 0, &got);
        is_good = err == HD_OK && hd_jfmt_mark_decode(hd_slice(bytes, got), mark);
    }
    hd_io_close(&r->io, &fd);
    if (err == HD_ENOENT || (err == HD_OK && !is_good)) {
        return HD_EAGAIN;
    }
    return err;
}

static void segment_leave(struct hd_journal_reader *r)
{
    hd_io_close(&r->io, &r->fd);
    hd_jscan_file(&r->scan, -1, 0);
}

static void position_set(struct hd_journal_reader *r,
                         const struct hd_journal_cursor *cursor)
{
    segment_leave(r);
    r->at = *cursor;
    r->is_segment_done = false;
    r->is_gap_told = false;
}

/* The position must make sense with a mark that was just read. */
static void position_check(struct hd_journal_reader *r)
{
    static const struct hd_jfmt_uuid none;
    if (!hd_jfmt_uuid_eq(&r->uuid, &none) && !hd_jfmt_uuid_eq(&r->uuid, &r->mark.uuid)) {
        HD_LOG(WARN, "journal", "another journal is in this place: from its beginning",
               HD_KV_STR("dir", r->dir), HD_KV_STR("reader", r->name));
        position_set(r, &(struct hd_journal_cursor){0});
    } else if (r->at.index > r->mark.next) {
        HD_LOG(WARN, "journal", "the reader is beyond the end of the journal: moved back",
               HD_KV_STR("dir", r->dir), HD_KV_STR("reader", r->name),
               HD_KV_UINT("from", r->at.index), HD_KV_UINT("to", r->mark.next));
        position_set(r, &(struct hd_journal_cursor){r->mark.next, r->mark.segment,
                                                    r->mark.offset});
    }
    r->uuid = r->mark.uuid;
}

/* A segment that cannot be asked is left: the next read seeks its place again. With it in
 * hand that read would take an offset or an end for granted that are not its own. */
static int limit_update(struct hd_journal_reader *r)
{
    uint64_t limit = r->mark.offset;
    if (r->fd < 0) {
        return HD_OK;
    }
    if (r->at.segment != r->mark.segment) {
        int err = r->io.ops->size(r->io.ctx, r->fd, &limit);
        if (err != HD_OK) {
            segment_leave(r);
            return err;
        }
    }
    hd_jscan_file(&r->scan, r->fd, limit);
    return HD_OK;
}

static int mark_refresh(struct hd_journal_reader *r)
{
    struct hd_jfmt_mark mark;
    int err = hd_jreader_mark(r, &mark);
    if (err != HD_OK) {
        return err;
    }
    r->mark = mark;
    r->has_mark = true;
    if (!r->has_cursor && r->name != NULL) {
        err = hd_jreader_cursor_open(r);
        if (err != HD_OK) {
            return err == HD_ENOENT ? HD_EAGAIN : err;
        }
    }
    position_check(r);
    return limit_update(r);
}

int hd_journal_reader_resume(struct hd_journal_reader *r)
{
    bool has_resumed = r->has_mark && (r->has_cursor || r->name == NULL);
    return has_resumed ? HD_OK : mark_refresh(r);
}

/* ---- finding the segment ---- */

struct listing {
    uint64_t index, after; /* asked */
    uint64_t oldest;       /* found; 0 = none */
    uint64_t holding;      /* the last that begins at or before `index` */
    uint64_t following;    /* the first that begins after `after` */
};

static int listing_add(void *ctx, const char *name)
{
    struct listing *l = ctx;
    uint64_t first = 0;
    if (!hd_jfmt_name_parse(name, &first)) {
        return HD_OK;
    }
    l->oldest = l->oldest == 0 || first < l->oldest ? first : l->oldest;
    if (first <= l->index && first > l->holding) {
        l->holding = first;
    }
    if (first > l->after && (l->following == 0 || first < l->following)) {
        l->following = first;
    }
    return HD_OK;
}

static int list_around(const struct hd_journal_reader *r,
                       const struct hd_journal_cursor *at, struct listing *l)
{
    l->index = at->index;
    l->after = at->segment;
    int err = r->io.ops->list(r->io.ctx, r->dir, listing_add, l);
    return err == HD_ENOENT ? HD_EAGAIN : err;
}

static int list(const struct hd_journal_reader *r, struct listing *l)
{
    return list_around(r, &r->at, l);
}

static int segment_open(struct hd_journal_reader *r, uint64_t first)
{
    char name[HD_JFMT_NAME_LEN + 1];
    char path[PATH_MAX];
    hd_jfmt_name(first, name);
    segment_leave(r);
    if (first > r->mark.segment) {
        return HD_EAGAIN; /* the mark does not speak of it yet */
    }
    int err = path_of(r, name, path);
    if (err == HD_OK) {
        err = r->io.ops->open(r->io.ctx, path, O_RDONLY, &r->fd);
    }
    if (err != HD_OK) {
        return err;
    }
    r->at.segment = first;
    r->is_segment_done = false;
    err = limit_update(r);
    if (err != HD_OK) {
        segment_leave(r);
    }
    return err;
}

/* Where entry `index` may be, from the footer of a sealed segment. */
static uint64_t offset_guess(struct hd_journal_reader *r, uint64_t index)
{
    uint64_t offset = HD_JFMT_SEGMENT_LEN;
    if (index <= r->at.segment || hd_jscan_footer(&r->scan) != HD_OK) {
        return offset;
    }
    for (size_t i = 0; i < r->scan.footer.n_rows; i++) {
        const struct hd_jfmt_row *row = &r->scan.footer.rows[i];
        if (row->index <= index && row->offset > offset) {
            offset = row->offset;
        }
    }
    return offset;
}

/* HD_ECORRUPT: the header does not verify; the entries behind it may. */
static int segment_begin(struct hd_journal_reader *r)
{
    struct hd_jfmt_segment header;
    struct hd_slice bytes;
    int err = hd_jscan_view(&r->scan, 0, HD_JFMT_SEGMENT_LEN, &bytes);
    bool is_good = err == HD_OK && hd_jfmt_segment_decode(bytes, &header) &&
                   hd_jfmt_uuid_eq(&header.uuid, &r->mark.uuid);
    r->scan.uuid = r->mark.uuid;
    if (err != HD_OK && err != HD_ERANGE) {
        segment_leave(r);
        return err;
    }
    r->at.offset = offset_guess(r, r->at.index);
    if (!is_good) {
        r->skipped +=
            r->scan.limit < HD_JFMT_SEGMENT_LEN ? r->scan.limit : HD_JFMT_SEGMENT_LEN;
        return HD_ECORRUPT;
    }
    return HD_OK;
}

/* True when the saved offset is that of the entry wanted. */
static bool hint_holds(struct hd_journal_reader *r, uint64_t offset)
{
    struct hd_jitem item;
    r->scan.uuid = r->mark.uuid;
    return offset >= HD_JFMT_SEGMENT_LEN &&
           hd_jscan_at(&r->scan, offset, false, &item) == HD_OK &&
           item.kind == HD_JITEM_ENTRY && item.head.entry.index == r->at.index;
}

static int segment_seek(struct hd_journal_reader *r)
{
    struct hd_journal_cursor hint = r->at;
    if (hint.index > 0 && hint.segment > 0 && hint.segment <= hint.index &&
        segment_open(r, hint.segment) == HD_OK) {
        if (hint_holds(r, hint.offset)) {
            return HD_OK;
        }
        segment_leave(r);
    }
    struct listing l = {0};
    int err = list(r, &l);
    if (err != HD_OK || l.oldest == 0) {
        return err != HD_OK ? err : HD_EAGAIN;
    }
    err = segment_open(r, l.holding > 0 ? l.holding : l.oldest);
    return err == HD_OK ? segment_begin(r) : err;
}

/* The segment in hand is read to its end. */
static int segment_next(struct hd_journal_reader *r)
{
    struct listing l = {0};
    int err = list(r, &l);
    if (err != HD_OK || l.following == 0) {
        return err != HD_OK ? err : HD_EAGAIN;
    }
    err = segment_open(r, l.following);
    return err == HD_OK ? segment_begin(r) : err;
}

static bool is_at_end(const struct hd_journal_reader *r)
{
    return !r->has_mark || r->mark.segment == 0 || r->at.index >= r->mark.next;
}

/* Stands on bytes that may be read. */
static int position_ensure(struct hd_journal_reader *r)
{
    if (is_at_end(r)) {
        int err = mark_refresh(r);
        if (err != HD_OK) {
            return err;
        }
        if (is_at_end(r)) {
            return HD_EAGAIN;
        }
    }
    if (r->fd >= 0) {
        return HD_OK;
    }
    int err = HD_ENOENT;
    for (int i = 0; i < OPEN_TRIES && err == HD_ENOENT && r->fd < 0; i++) {
        err = r->is_segment_done ? segment_next(r) : segment_seek(r);
    }
    return err;
}

/* ---- reading ---- */

static int pass_damage(struct hd_journal_reader *r)
{
    struct hd_jitem item;
    uint64_t found = 0;
    int err = hd_jscan_resync(&r->scan, r->at.offset + 1, r->at.index, &found, &item);
    if (err != HD_OK) {
        return err;
    }
    HD_LOG(ERROR, "journal", "damaged bytes are passed over", HD_KV_STR("dir", r->dir),
           HD_KV_UINT("segment", r->at.segment), HD_KV_UINT("offset", r->at.offset),
           HD_KV_UINT("bytes", found - r->at.offset));
    r->skipped += found - r->at.offset;
    r->at.offset = found;
    r->is_gap_told = true;
    return HD_ECORRUPT;
}

/* Entries are missing before `index`, and nobody was told yet. */
static bool is_gap(struct hd_journal_reader *r, uint64_t index)
{
    bool is_new = r->at.index > 0 && r->at.index < index && !r->is_gap_told;
    if (is_new) {
        r->is_gap_told = true;
        r->at.index = index;
    }
    return is_new;
}

static int segment_end(struct hd_journal_reader *r)
{
    if (r->at.segment != r->mark.segment) {
        segment_leave(r);
        r->is_segment_done = true;
        return HD_OK;
    }
    int err = is_gap(r, r->mark.next) ? HD_ENOENT : HD_OK;
    r->at.index = r->mark.next;
    return err;
}

/* An entry that verifies stands at the position. HD_EAGAIN: it is before the one sought.
 */
static int entry_take(struct hd_journal_reader *r, struct hd_jitem *item,
                      struct hd_journal_entry *entry)
{
    if (is_gap(r, item->head.entry.index)) {
        return HD_ENOENT;
    }
    if (item->head.entry.payload.ptr != NULL && item->head.entry.index >= r->at.index) {
        int err = hd_jcrypt_open(&r->crypt, r->keys, &r->scan.uuid, &item->head);
        if (err != HD_OK) {
            return err == HD_ECORRUPT ? pass_damage(r) : err;
        }
    }
    r->at.offset += item->size;
    if (item->head.entry.index < r->at.index) {
        return HD_EAGAIN;
    }
    r->at.index = item->head.entry.index + 1;
    r->is_gap_told = false;
    *entry = item->head.entry;
    return HD_OK;
}

static int next(struct hd_journal_reader *r, struct hd_journal_entry *entry,
                bool with_payload)
{
    r->scan.step = with_payload ? HD_JSCAN_STEP : HD_JSCAN_STEP_HEADS;
    for (;;) {
        struct hd_jitem item;
        int err = position_ensure(r);
        if (err == HD_OK) {
            err = hd_jscan_at(&r->scan, r->at.offset, with_payload, &item);
        }
        if (err != HD_OK) {
            return err;
        }
        if (item.kind == HD_JITEM_BAD ||
            (item.kind == HD_JITEM_ENTRY && item.head.entry.index >= r->mark.next)) {
            return pass_damage(r); /* the mark knows of no such entry */
        }
        if (item.kind == HD_JITEM_ENTRY) {
            err = entry_take(r, &item, entry);
            if (err != HD_EAGAIN) {
                return err;
            }
        } else {
            err = segment_end(r);
            if (err != HD_OK) {
                return err;
            }
        }
    }
}

int hd_journal_reader_next(struct hd_journal_reader *r, struct hd_journal_entry *entry)
{
    return next(r, entry, true);
}

int hd_journal_reader_next_header(struct hd_journal_reader *r,
                                  struct hd_journal_entry *entry)
{
    return next(r, entry, false);
}

uint64_t hd_journal_reader_skipped(const struct hd_journal_reader *r)
{
    return r->skipped;
}

uint64_t hd_journal_reader_lag(const struct hd_journal_reader *r)
{
    struct hd_jfmt_mark mark;
    struct listing l = {0};
    uint64_t from = r->at.index;
    if (hd_jreader_mark(r, &mark) != HD_OK) {
        return 0;
    }
    if (from == 0) {
        from = list(r, &l) == HD_OK && l.oldest > 0 ? l.oldest : mark.next;
    }
    return mark.next > from ? mark.next - from : 0;
}

struct measure {
    const struct hd_journal_reader *reader;
    uint64_t after, before; /* of the segments that begin between these: */
    uint64_t bytes;
};

static int measure_add(void *ctx, const char *name)
{
    struct measure *m = ctx;
    const struct hd_io *io = &m->reader->io;
    char path[PATH_MAX];
    uint64_t first = 0, len = 0;
    int fd = -1;
    if (!hd_jfmt_name_parse(name, &first) || first < m->after || first >= m->before) {
        return HD_OK;
    }
    int err = path_of(m->reader, name, path);
    err = err == HD_OK ? io->ops->open(io->ctx, path, O_RDONLY, &fd) : err;
    err = err == HD_OK ? io->ops->size(io->ctx, fd, &len) : err;
    hd_io_close(io, &fd);
    m->bytes += len;
    return err == HD_ENOENT ? HD_OK : err; /* removed meanwhile */
}

int hd_journal_reader_rest(const struct hd_journal_reader *r,
                           const struct hd_journal_cursor *from,
                           struct hd_journal_rest *out)
{
    struct hd_jfmt_mark mark;
    struct listing l = {0};
    *out = (struct hd_journal_rest){0};
    int err = hd_jreader_mark(r, &mark);
    err = err == HD_OK ? list_around(r, from, &l) : err;
    if (err != HD_OK) {
        return err == HD_EAGAIN ? HD_OK : err; /* nothing was written yet */
    }
    uint64_t segment = l.holding > 0 ? l.holding : l.oldest;
    uint64_t index = from->index > segment ? from->index : segment;
    if (segment == 0 || index >= mark.next) {
        return HD_OK;
    }
    bool is_known = from->segment == segment && from->index != 0;
    uint64_t offset = is_known ? from->offset : HD_JFMT_SEGMENT_LEN;
    struct measure m = {.reader = r, .after = segment, .before = mark.segment};
    err = r->io.ops->list(r->io.ctx, r->dir, measure_add, &m);
    uint64_t end = m.bytes + mark.offset;
    out->entries = mark.next - index;
    out->bytes = end > offset ? end - offset : 0;
    return err;
}

/* ---- positions ---- */

void hd_journal_reader_tell(const struct hd_journal_reader *r,
                            struct hd_journal_cursor *cursor)
{
    *cursor = r->at;
}

int hd_journal_reader_seek(struct hd_journal_reader *r,
                           const struct hd_journal_cursor *cursor)
{
    r->is_sought = true;
    /* a step back in the same segment, after a look ahead, keeps it open */
    if (r->fd >= 0 && cursor->index > 0 && cursor->segment == r->at.segment) {
        r->at = *cursor;
        r->is_gap_told = false;
        if (hint_holds(r, cursor->offset)) {
            return HD_OK;
        }
    }
    position_set(r, cursor);
    return HD_OK;
}

int hd_journal_reader_seek_end(struct hd_journal_reader *r)
{
    int err = mark_refresh(r);
    if (err == HD_EAGAIN) {
        return HD_OK; /* nothing there yet: the oldest to come is the end */
    }
    if (err == HD_OK) {
        position_set(r, &(struct hd_journal_cursor){r->mark.next, r->mark.segment,
                                                    r->mark.offset});
        r->is_sought = true;
    }
    return err;
}

/* Where the entry stands that was read last. */
static void tell_of(const struct hd_journal_reader *r,
                    const struct hd_journal_entry *entry, struct hd_journal_cursor *at)
{
    *at = (struct hd_journal_cursor){entry->index, r->at.segment,
                                     r->at.offset - entry->stored};
}

int hd_journal_reader_next_whole(struct hd_journal_reader *r,
                                 struct hd_journal_entry *entry,
                                 struct hd_journal_cursor *at)
{
    tell_of(r, entry, at);
    int err = hd_journal_reader_seek(r, at);
    err = err == HD_OK ? next(r, entry, true) : err;
    if (err == HD_OK) {
        tell_of(r, entry, at);
    }
    return err;
}

/* In the segment in hand: the first row that may hold `time_ns`. */
static void row_find(struct hd_journal_reader *r, int64_t time_ns)
{
    const struct hd_jfmt_footer *footer = &r->scan.footer;
    for (size_t i = 0; i < footer->n_rows; i++) {
        if (footer->rows[i].time_max >= time_ns) {
            r->at.index = footer->rows[i].index;
            r->at.offset = footer->rows[i].offset;
            return;
        }
    }
    r->at.index = footer->first;
    r->at.offset = HD_JFMT_SEGMENT_LEN;
}

struct names {
    uint64_t *first;
    size_t n, cap;
};

static int names_add(void *ctx, const char *name)
{
    struct names *names = ctx;
    uint64_t first = 0;
    if (!hd_jfmt_name_parse(name, &first)) {
        return HD_OK;
    }
    if (names->n == names->cap) {
        size_t cap = names->cap == 0 ? 64 : 2 * names->cap;
        uint64_t *more = realloc(names->first, cap * sizeof(*more));
        if (more == NULL) {
            return HD_ENOMEM;
        }
        names->first = more;
        names->cap = cap;
    }
    names->first[names->n++] = first;
    return HD_OK;
}

/* True in *found: the segment may hold `time_ns`, and the reader stands in it. */
static int segment_try(struct hd_journal_reader *r, uint64_t first, int64_t time_ns,
                       bool *found)
{
    int err = segment_open(r, first);
    if (err != HD_OK) {
        return err == HD_ENOENT ? HD_OK : err; /* removed meanwhile */
    }
    r->scan.uuid = r->mark.uuid;
    r->at.index = first;
    r->at.offset = HD_JFMT_SEGMENT_LEN;
    err = hd_jscan_footer(&r->scan);
    *found = err == HD_ENOENT || (err == HD_OK && r->scan.footer.time_max >= time_ns);
    if (err == HD_OK && *found) {
        row_find(r, time_ns);
    }
    return err == HD_ENOENT ? HD_OK : err;
}

int hd_journal_reader_seek_time(struct hd_journal_reader *r, int64_t time_ns)
{
    struct names names = {0};
    bool found = false;
    r->is_sought = true;
    int err = mark_refresh(r);
    if (err != HD_OK) {
        return err == HD_EAGAIN ? HD_OK : err;
    }
    err = r->io.ops->list(r->io.ctx, r->dir, names_add, &names);
    for (size_t i = 0; err == HD_OK && !found && i < names.n; i++) {
        err = segment_try(r, names.first[i], time_ns, &found);
    }
    free(names.first);
    if (err == HD_OK && found) {
        struct hd_journal_cursor at = r->at;
        position_set(r, &at);
        return HD_OK;
    }
    return err == HD_OK || err == HD_EAGAIN ? hd_journal_reader_seek_end(r) : err;
}
