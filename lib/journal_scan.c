/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads one segment file; see the header. Reads with pread, never mmap: a file that is
 * cut short or a bad sector must be an error here and not a signal.
 */
#include "lib/journal_scan.h"

#include <stdlib.h>
#include <string.h>

#include <haidang/hash.h>

void hd_jscan_init(struct hd_jscan *scan, const struct hd_io *io)
{
    *scan = (struct hd_jscan){.io = *io, .fd = -1, .step = HD_JSCAN_STEP};
}

void hd_jscan_fini(struct hd_jscan *scan)
{
    free(scan->buf);
    scan->buf = NULL;
    scan->cap = 0;
    scan->len = 0;
}

void hd_jscan_file(struct hd_jscan *scan, int fd, uint64_t limit)
{
    if (fd != scan->fd || limit < scan->limit) {
        scan->len = 0;
    }
    scan->fd = fd;
    scan->limit = limit;
}

static int window_grow(struct hd_jscan *scan, size_t len)
{
    if (len <= scan->cap) {
        return HD_OK;
    }
    size_t cap = len < HD_JSCAN_STEP ? HD_JSCAN_STEP : len;
    uint8_t *buf = realloc(scan->buf, cap);
    if (buf == NULL) {
        return HD_ENOMEM;
    }
    scan->buf = buf;
    scan->cap = cap;
    return HD_OK;
}

/* Moves the window to begin at `at`, keeping what it has of that, and reads on. */
static int window_move(struct hd_jscan *scan, uint64_t at, size_t len)
{
    int err = window_grow(scan, len);
    if (err != HD_OK) {
        return err;
    }
    size_t kept = 0;
    if (at >= scan->at && at < scan->at + scan->len) {
        kept = (size_t)(scan->at + scan->len - at);
        memmove(scan->buf, scan->buf + (at - scan->at), kept);
    }
    scan->at = at;
    scan->len = kept;
    uint64_t left = scan->limit - at;
    size_t step = len > scan->step ? len : scan->step;
    size_t want = left < step ? (size_t)left : step;
    if (kept >= want) {
        return HD_OK;
    }
    size_t got = 0;
    struct iovec to = {scan->buf + kept, want - kept};
    err = scan->io.ops->pread(scan->io.ctx, scan->fd, to, at + kept, &got);
    if (err != HD_OK) {
        return err;
    }
    scan->len = kept + got;
    return HD_OK;
}

int hd_jscan_view(struct hd_jscan *scan, uint64_t at, size_t len, struct hd_slice *out)
{
    if (at > scan->limit || len > scan->limit - at) {
        return HD_ERANGE;
    }
    bool is_inside = at >= scan->at && at - scan->at <= scan->len &&
                     len <= scan->len - (size_t)(at - scan->at);
    if (!is_inside) {
        int err = window_move(scan, at, len);
        if (err != HD_OK) {
            return err;
        }
        if (scan->len < len) {
            return HD_ERANGE;
        }
    }
    *out = hd_slice(scan->buf + (at - scan->at), len);
    return HD_OK;
}

/* ---- what stands at an offset ---- */

static int entry_at(struct hd_jscan *scan, uint64_t at, size_t head_len,
                    bool with_payload, struct hd_jitem *item)
{
    struct hd_slice bytes;
    int err = hd_jscan_view(scan, at, head_len, &bytes);
    if (err != HD_OK ||
        hd_jfmt_entry_decode(bytes, &scan->uuid, &item->head) != HD_PARSE_OK) {
        return err;
    }
    size_t payload_len = item->head.entry.payload.len;
    size_t total = head_len + payload_len;
    if (total > scan->limit - at) {
        return HD_OK;
    }
    item->size = total;
    if (!with_payload) {
        item->kind = HD_JITEM_ENTRY;
        return HD_OK;
    }
    err = hd_jscan_view(scan, at, total, &bytes);
    if (err != HD_OK) {
        return err;
    }
    item->head.entry.meta.ptr = bytes.ptr + HD_JFMT_ENTRY_LEN;
    item->head.entry.payload.ptr = bytes.ptr + head_len;
    if (hd_crc32c(0, bytes.ptr + head_len, payload_len) == item->head.payload_crc) {
        item->kind = HD_JITEM_ENTRY;
    }
    return HD_OK;
}

static uint32_t le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

static int footer_at(struct hd_jscan *scan, uint64_t at, uint64_t size,
                     struct hd_jitem *item)
{
    struct hd_slice bytes;
    if (size != scan->limit - at || size > HD_JFMT_FOOTER_MAX) {
        return HD_OK;
    }
    int err = hd_jscan_view(scan, at, (size_t)size, &bytes);
    if (err == HD_OK && hd_jfmt_footer_decode(bytes, &scan->uuid, &scan->footer)) {
        item->kind = HD_JITEM_FOOTER;
        item->size = size;
        scan->footer_len = size;
    }
    return err;
}

int hd_jscan_at(struct hd_jscan *scan, uint64_t at, bool with_payload,
                struct hd_jitem *item)
{
    *item = (struct hd_jitem){.kind = HD_JITEM_BAD, .size = 1};
    if (at >= scan->limit) {
        *item = (struct hd_jitem){.kind = HD_JITEM_END};
        return HD_OK;
    }
    struct hd_slice frame;
    int err = hd_jscan_view(scan, at, HD_JFMT_FRAME_LEN, &frame);
    if (err == HD_OK) {
        size_t head_len = hd_jfmt_entry_head_len(frame);
        if (head_len > 0) {
            err = entry_at(scan, at, head_len, with_payload, item);
        } else if (le32(frame.ptr) == HD_JFMT_MAGIC_FOOTER) {
            uint64_t size = (uint64_t)HD_JFMT_FRAME_LEN + le32(frame.ptr + 4);
            err = footer_at(scan, at, size, item);
        }
    }
    return err == HD_ERANGE ? HD_OK : err; /* it ends too early: bad */
}

/* Position of what may be the magic of an entry or a footer, or HD_NPOS. */
static size_t magic_find(struct hd_slice s)
{
    static const uint8_t rest[] = {0x2a, 0x4d, 0x18};
    size_t at = 1;
    while (at < s.len) {
        const uint8_t *found = memmem(s.ptr + at, s.len - at, rest, sizeof(rest));
        if (found == NULL) {
            return HD_NPOS;
        }
        at = (size_t)(found - s.ptr);
        if (s.ptr[at - 1] == 0x51 || s.ptr[at - 1] == 0x52) {
            return at - 1;
        }
        at++;
    }
    return HD_NPOS;
}

int hd_jscan_resync(struct hd_jscan *scan, uint64_t at, uint64_t min_index,
                    uint64_t *found, struct hd_jitem *item)
{
    while (at < scan->limit && scan->limit - at >= HD_JFMT_FRAME_LEN) {
        uint64_t left = scan->limit - at;
        size_t len = left < HD_JSCAN_STEP ? (size_t)left : HD_JSCAN_STEP;
        struct hd_slice window;
        if (scan->go_on != NULL && !scan->go_on(scan->go_on_ctx, at)) {
            return HD_ECLOSED;
        }
        int err = hd_jscan_view(scan, at, len, &window);
        if (err == HD_ERANGE) {
            break;
        }
        if (err != HD_OK) {
            return err;
        }
        size_t pos = magic_find(window);
        if (pos == HD_NPOS) {
            at += len == left ? len : len - 3; /* a magic may lie across the edge */
            continue;
        }
        at += pos;
        err = hd_jscan_at(scan, at, true, item);
        if (err != HD_OK) {
            return err;
        }
        if (item->kind == HD_JITEM_FOOTER ||
            (item->kind == HD_JITEM_ENTRY && item->head.entry.index >= min_index)) {
            *found = at;
            return HD_OK;
        }
        at++;
    }
    *found = scan->limit;
    *item = (struct hd_jitem){.kind = HD_JITEM_END};
    return HD_OK;
}

int hd_jscan_footer(struct hd_jscan *scan)
{
    struct hd_slice trailer;
    if (scan->limit < HD_JFMT_SEGMENT_LEN + HD_JFMT_TRAILER_LEN) {
        return HD_ENOENT;
    }
    int err = hd_jscan_view(scan, scan->limit - HD_JFMT_TRAILER_LEN, HD_JFMT_TRAILER_LEN,
                            &trailer);
    if (err != HD_OK) {
        return err == HD_ERANGE ? HD_ENOENT : err;
    }
    size_t len = hd_jfmt_footer_len(trailer);
    if (len == 0 || len > scan->limit - HD_JFMT_SEGMENT_LEN) {
        return HD_ENOENT;
    }
    struct hd_jitem item;
    err = hd_jscan_at(scan, scan->limit - len, false, &item);
    if (err != HD_OK) {
        return err;
    }
    return item.kind == HD_JITEM_FOOTER ? HD_OK : HD_ENOENT;
}

int hd_jscan_seal(struct hd_jscan *scan, struct hd_slice *text, uint64_t *at)
{
    int err = hd_jscan_footer(scan);
    if (err != HD_OK || scan->footer.seal_len == 0) {
        return err != HD_OK ? err : HD_ENOENT;
    }
    *at = scan->limit - scan->footer_len + scan->footer.seal_at;
    return hd_jscan_view(scan, *at, scan->footer.seal_len, text);
}

int hd_jscan_compacted(struct hd_jscan *scan, struct hd_slice *text, uint64_t *at)
{
    int err = hd_jscan_footer(scan);
    if (err != HD_OK || scan->footer.compacted_len == 0) {
        return err != HD_OK ? err : HD_ENOENT;
    }
    *at = scan->limit - scan->footer_len + scan->footer.compacted_at;
    return hd_jscan_view(scan, *at, scan->footer.compacted_len, text);
}

/* ---- recovery ---- */

struct recover {
    struct hd_jscan *scan;
    uint64_t at;
    uint64_t expected;
    uint64_t durable_next;
    uint64_t marked_next;  /* as it was known before anything was read */
    bool is_durable_known; /* everything behind the first hole was asked */
    struct hd_jrecovery *out;
};

/* Entries behind a hole testify how far the journal was durable when they were written.
 */
static int hear_witnesses(struct recover *r)
{
    uint64_t at = r->at;
    uint64_t index = r->expected;
    struct hd_jitem item;
    r->is_durable_known = true;
    do {
        int err = hd_jscan_resync(r->scan, at + 1, index, &at, &item);
        if (err != HD_OK) {
            return err;
        }
        uint64_t durable = 0;
        if (item.kind == HD_JITEM_ENTRY) {
            index = item.head.entry.index + 1;
            durable = item.head.committed;
        } else if (item.kind == HD_JITEM_FOOTER) {
            durable = r->scan->footer.next; /* written after everything was synced */
        }
        r->durable_next = durable > r->durable_next ? durable : r->durable_next;
    } while (item.kind == HD_JITEM_ENTRY);
    return HD_OK;
}

static void finish(struct recover *r, uint64_t end, bool can_append)
{
    struct hd_jrecovery *out = r->out;
    out->end = end;
    out->unproven = out->unproven == 0 || out->unproven > end ? end : out->unproven;
    out->torn_bytes = r->scan->limit - end;
    out->can_append = can_append;
    out->next = r->expected > r->durable_next ? r->expected : r->durable_next;
    out->lost_entries += out->next - r->expected;
}

/* At a place that does not verify. True in *done: the end of what counts. */
static int pass_hole(struct recover *r, bool *done)
{
    int err = r->is_durable_known ? HD_OK : hear_witnesses(r);
    if (err != HD_OK) {
        return err;
    }
    *done = true;
    if (r->expected >= r->durable_next) {
        finish(r, r->at, true);
        return HD_OK;
    }
    uint64_t found = 0;
    struct hd_jitem item;
    err = hd_jscan_resync(r->scan, r->at + 1, r->expected, &found, &item);
    if (err != HD_OK) {
        return err;
    }
    r->out->damaged_bytes += found - r->at;
    bool is_beyond =
        item.kind == HD_JITEM_ENTRY && item.head.entry.index > r->durable_next;
    if (item.kind == HD_JITEM_END || is_beyond) {
        finish(r, found, false);
        return HD_OK;
    }
    if (item.kind == HD_JITEM_ENTRY) {
        r->out->lost_entries += item.head.entry.index - r->expected;
        r->expected = item.head.entry.index;
    }
    r->at = found;
    *done = false;
    return HD_OK;
}

static int recover_step(struct recover *r, bool *done)
{
    struct hd_jitem item;
    int err = hd_jscan_at(r->scan, r->at, true, &item);
    if (err != HD_OK) {
        return err;
    }
    *done = true;
    if (item.kind == HD_JITEM_END) {
        finish(r, r->at, true);
        return HD_OK;
    }
    if (item.kind == HD_JITEM_FOOTER) {
        r->durable_next = r->scan->footer.next > r->durable_next ? r->scan->footer.next
                                                                 : r->durable_next;
        r->out->is_sealed = true;
        finish(r, r->scan->limit, false);
        return HD_OK;
    }
    if (item.kind == HD_JITEM_BAD || item.head.entry.index < r->expected) {
        return pass_hole(r, done);
    }
    r->out->lost_entries += item.head.entry.index - r->expected;
    hd_jfmt_footer_count(&r->out->stats, &item.head.entry, r->at);
    if (r->out->unproven == 0 && item.head.entry.index >= r->marked_next) {
        r->out->unproven = r->at;
    }
    r->expected = item.head.entry.index + 1;
    r->durable_next =
        item.head.committed > r->durable_next ? item.head.committed : r->durable_next;
    r->at += item.size;
    *done = false;
    return HD_OK;
}

int hd_jrecover(struct hd_jscan *scan, uint64_t first, uint64_t durable_next,
                uint64_t segment_bytes, struct hd_jrecovery *out)
{
    *out = (struct hd_jrecovery){0};
    hd_jfmt_footer_init(&out->stats, first, segment_bytes);
    struct recover r = {
        .scan = scan,
        .at = HD_JFMT_SEGMENT_LEN,
        .expected = first,
        .durable_next = durable_next,
        .marked_next = durable_next,
        .out = out,
    };
    bool done = false;
    while (!done) {
        int err = recover_step(&r, &done);
        if (err != HD_OK) {
            return err;
        }
    }
    return HD_OK;
}
