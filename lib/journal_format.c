/* SPDX-License-Identifier: Apache-2.0
 *
 * Encoders and decoders of what stands in a journal's files. Pure. The checksums of
 * entries and footers begin with the journal's UUID: bytes that merely look like an entry
 * (an old block of the disk, text that somebody sent) do not verify.
 */
#include "lib/journal_format.h"

#include <stdio.h>
#include <string.h>

#include <haidang/bytes.h>
#include <haidang/hash.h>
#include <haidang/num.h>

#define LAYOUT          1U /* of an entry header */
#define METHOD          1U /* AES-256-GCM, keys by HKDF-SHA256 */
#define TLV_COUNTS      1U
#define TLV_TIMES       2U
#define TLV_ROWS        3U
#define TLV_SEAL        4U
#define TLV_COMPACTED   5U
#define TLV_HEAD_LEN    8U
#define COUNTS_LEN      48U
#define TIMES_LEN       16U
#define SEAL_LEAD_LEN   1U /* a line end before the statement */
#define ROW_LEN         32U
#define ROW_BYTES_MIN   (64U << 10)
#define ROWS_PER_SEG    256U
#define HEADER_CRC_AT   (HD_JFMT_ENTRY_LEN - 4U)
#define SLOT_CRC_AT     119U
#define SLOT_PARTS      7U
#define TAG_LEN         8U
#define SEGMENT_TAG     "haidang\n"
#define FOOTER_TAG      "hd-foot\n"
#define MARK_TAG        "hd-mark\n"
#define FRAME_SIZE(len) ((uint32_t)((len)-HD_JFMT_FRAME_LEN))

static void put_uuid(struct hd_buf *out, const struct hd_jfmt_uuid *uuid)
{
    hd_buf_bytes(out, uuid->byte, sizeof(uuid->byte));
}

/* The next bytes, or zeros when they are not there. */
static void take_bytes(struct hd_bytes *c, uint8_t *to, size_t len)
{
    struct hd_slice bytes = hd_bytes_view(c, len);
    memset(to, 0, len);
    if (bytes.len == len) {
        memcpy(to, bytes.ptr, len);
    }
}

static void take_uuid(struct hd_bytes *c, struct hd_jfmt_uuid *uuid)
{
    take_bytes(c, uuid->byte, sizeof(uuid->byte));
}

static void put_key(struct hd_buf *out, const struct hd_journal_key_id *key)
{
    hd_buf_bytes(out, key->byte, sizeof(key->byte));
}

static void take_key(struct hd_bytes *c, struct hd_journal_key_id *key)
{
    take_bytes(c, key->byte, sizeof(key->byte));
}

static void put_crc(struct hd_buf *out, size_t from)
{
    uint32_t crc = out->err == 0 ? hd_crc32c(0, out->ptr + from, out->len - from) : 0;
    hd_buf_le32(out, crc);
}

static uint32_t crc_seed(const struct hd_jfmt_uuid *uuid)
{
    return hd_crc32c(0, uuid->byte, sizeof(uuid->byte));
}

/* The last four bytes of `in` are the checksum of what stands before them. */
static bool crc_holds(struct hd_slice in)
{
    struct hd_bytes c = hd_bytes(hd_slice_from(in, in.len - 4));
    return hd_bytes_le32(&c) == hd_crc32c(0, in.ptr, in.len - 4);
}

/* Far from where adding would begin anew at 0. */
static bool is_index(uint64_t index)
{
    return index > 0 && index <= HD_JOURNAL_INDEX_MAX;
}

bool hd_jfmt_uuid_eq(const struct hd_jfmt_uuid *a, const struct hd_jfmt_uuid *b)
{
    return memcmp(a->byte, b->byte, sizeof(a->byte)) == 0;
}

/* ---- segment header ---- */

void hd_jfmt_segment_encode(struct hd_buf *out, const struct hd_jfmt_segment *segment)
{
    size_t from = out->len;
    hd_buf_le32(out, HD_JFMT_MAGIC_SEGMENT);
    hd_buf_le32(out, FRAME_SIZE(HD_JFMT_SEGMENT_LEN));
    hd_buf_bytes(out, SEGMENT_TAG, TAG_LEN);
    hd_buf_le16(out, HD_JFMT_VERSION);
    put_key(out, &segment->key);
    put_uuid(out, &segment->uuid);
    hd_buf_le64(out, segment->first);
    hd_buf_le64(out, (uint64_t)segment->created_ns);
    hd_buf_le32(out, 0);
    put_crc(out, from);
}

bool hd_jfmt_segment_decode(struct hd_slice in, struct hd_jfmt_segment *segment)
{
    if (in.len < HD_JFMT_SEGMENT_LEN) {
        return false;
    }
    struct hd_bytes c = hd_bytes(hd_slice_head(in, HD_JFMT_SEGMENT_LEN));
    bool good = hd_bytes_le32(&c) == HD_JFMT_MAGIC_SEGMENT;
    good = hd_bytes_le32(&c) == FRAME_SIZE(HD_JFMT_SEGMENT_LEN) && good;
    good = hd_slice_eq(hd_bytes_view(&c, TAG_LEN), HD_SLICE(SEGMENT_TAG)) && good;
    good = hd_bytes_le16(&c) == HD_JFMT_VERSION && good;
    take_key(&c, &segment->key);
    take_uuid(&c, &segment->uuid);
    segment->first = hd_bytes_le64(&c);
    segment->created_ns = (int64_t)hd_bytes_le64(&c);
    return good && is_index(segment->first) &&
           crc_holds(hd_slice_head(in, HD_JFMT_SEGMENT_LEN));
}

/* ---- entry ---- */

void hd_jfmt_entry_lead(struct hd_buf *out, const struct hd_journal_entry *entry,
                        uint64_t committed)
{
    hd_buf_le32(out, HD_JFMT_MAGIC_ENTRY);
    hd_buf_le32(out, FRAME_SIZE(HD_JFMT_ENTRY_LEN + (uint32_t)entry->meta.len));
    hd_buf_le16(out, LAYOUT);
    hd_buf_le16(out, (uint16_t)entry->meta.len);
    hd_buf_le32(out, (uint32_t)entry->payload.len);
    hd_buf_le64(out, entry->index);
    hd_buf_le64(out, committed);
    hd_buf_le64(out, entry->first);
    hd_buf_le64(out, entry->last);
    hd_buf_le64(out, (uint64_t)entry->time_min);
    hd_buf_le64(out, (uint64_t)entry->time_max);
    hd_buf_le32(out, entry->count);
    hd_buf_le32(out, entry->raw_len);
}

void hd_jfmt_entry_encode(struct hd_buf *out, const struct hd_jfmt_uuid *uuid,
                          const struct hd_journal_entry *entry, uint64_t committed)
{
    size_t from = out->len;
    hd_jfmt_entry_lead(out, entry, committed);
    hd_buf_le32(out, hd_crc32c(0, entry->payload.ptr, entry->payload.len));
    if (out->err != 0) {
        return;
    }
    uint32_t crc = hd_crc32c(crc_seed(uuid), out->ptr + from, HEADER_CRC_AT);
    hd_buf_le32(out, hd_crc32c(crc, entry->meta.ptr, entry->meta.len));
    hd_buf_slice_add(out, entry->meta);
}

size_t hd_jfmt_entry_head_len(struct hd_slice frame)
{
    struct hd_bytes c = hd_bytes(frame);
    uint32_t magic = hd_bytes_le32(&c);
    uint32_t size = hd_bytes_le32(&c);
    if (hd_bytes_failed(&c) || magic != HD_JFMT_MAGIC_ENTRY ||
        size < FRAME_SIZE(HD_JFMT_ENTRY_LEN) ||
        size > FRAME_SIZE(HD_JFMT_ENTRY_LEN) + HD_JOURNAL_META_MAX) {
        return 0;
    }
    return HD_JFMT_FRAME_LEN + size;
}

static bool entry_header_holds(struct hd_slice head, const struct hd_jfmt_uuid *uuid,
                               uint32_t want)
{
    uint32_t crc = hd_crc32c(crc_seed(uuid), head.ptr, HEADER_CRC_AT);
    struct hd_slice meta = hd_slice_from(head, HD_JFMT_ENTRY_LEN);
    return hd_crc32c(crc, meta.ptr, meta.len) == want;
}

enum hd_parse hd_jfmt_entry_decode(struct hd_slice in, const struct hd_jfmt_uuid *uuid,
                                   struct hd_jfmt_entry *out)
{
    size_t len = hd_jfmt_entry_head_len(in);
    if (len == 0) {
        return in.len < HD_JFMT_FRAME_LEN ? HD_PARSE_MORE : HD_PARSE_BAD;
    }
    if (in.len < len) {
        return HD_PARSE_MORE;
    }
    struct hd_slice head = hd_slice_head(in, len);
    struct hd_bytes c = hd_bytes(hd_slice_from(head, HD_JFMT_FRAME_LEN));
    *out = (struct hd_jfmt_entry){.head_len = len};
    struct hd_journal_entry *e = &out->entry;
    uint16_t layout = hd_bytes_le16(&c);
    uint16_t meta_len = hd_bytes_le16(&c);
    e->payload.len = hd_bytes_le32(&c);
    e->index = hd_bytes_le64(&c);
    out->committed = hd_bytes_le64(&c);
    e->first = hd_bytes_le64(&c);
    e->last = hd_bytes_le64(&c);
    e->time_min = (int64_t)hd_bytes_le64(&c);
    e->time_max = (int64_t)hd_bytes_le64(&c);
    e->count = hd_bytes_le32(&c);
    e->raw_len = hd_bytes_le32(&c);
    out->payload_crc = hd_bytes_le32(&c);
    uint32_t header_crc = hd_bytes_le32(&c);
    e->meta = hd_bytes_view(&c, meta_len);
    e->stored = len + e->payload.len;
    bool good = layout == LAYOUT && !hd_bytes_failed(&c) && hd_bytes_left(&c) == 0 &&
                e->payload.len > 0 && e->payload.len <= HD_JFMT_STORED_MAX &&
                is_index(e->index) && out->committed <= HD_JOURNAL_INDEX_MAX &&
                entry_header_holds(head, uuid, header_crc);
    return good ? HD_PARSE_OK : HD_PARSE_BAD;
}

/* ---- encrypted payload ---- */

void hd_jfmt_box_encode(struct hd_buf *out, const struct hd_jfmt_box *box, size_t len)
{
    hd_buf_le32(out, HD_JFMT_MAGIC_BOX);
    hd_buf_le32(out, FRAME_SIZE(HD_JFMT_BOX_LEN + len));
    hd_buf_le16(out, METHOD);
    put_key(out, &box->key);
    hd_buf_bytes(out, box->salt, sizeof(box->salt));
    hd_buf_bytes(out, box->nonce, sizeof(box->nonce));
    hd_buf_le32(out, 0);
}

bool hd_jfmt_is_box(struct hd_slice payload)
{
    struct hd_bytes c = hd_bytes(payload);
    return hd_bytes_le32(&c) == HD_JFMT_MAGIC_BOX;
}

int hd_jfmt_box_decode(struct hd_slice payload, struct hd_jfmt_box *box)
{
    struct hd_bytes c = hd_bytes(payload);
    if (payload.len <= HD_JFMT_BOX_LEN || hd_bytes_le32(&c) != HD_JFMT_MAGIC_BOX ||
        hd_bytes_le32(&c) != FRAME_SIZE(payload.len)) {
        return HD_ECORRUPT;
    }
    if (hd_bytes_le16(&c) != METHOD) {
        return HD_EVERSION;
    }
    size_t content_len = payload.len - HD_JFMT_BOX_LEN;
    take_key(&c, &box->key);
    take_bytes(&c, box->salt, sizeof(box->salt));
    take_bytes(&c, box->nonce, sizeof(box->nonce));
    box->head = hd_slice_head(payload, HD_JFMT_BOX_HEAD);
    box->content = hd_slice(payload.ptr + HD_JFMT_BOX_HEAD, content_len);
    box->tag = payload.ptr + HD_JFMT_BOX_HEAD + content_len;
    return HD_OK;
}

/* ---- footer ---- */

void hd_jfmt_footer_init(struct hd_jfmt_footer *footer, uint64_t first,
                         uint64_t segment_bytes)
{
    uint64_t apart = segment_bytes / ROWS_PER_SEG;
    *footer = (struct hd_jfmt_footer){
        .first = first,
        .next = first,
        .row_bytes = apart < ROW_BYTES_MIN ? ROW_BYTES_MIN : apart,
    };
}

void hd_jfmt_footer_count(struct hd_jfmt_footer *footer,
                          const struct hd_journal_entry *entry, uint64_t offset)
{
    bool is_first = footer->entries == 0;
    footer->next = entry->index + 1;
    footer->entries++;
    footer->records += entry->count;
    footer->raw_bytes += entry->raw_len;
    footer->payload_bytes += entry->payload.len;
    if (is_first || entry->time_min < footer->time_min) {
        footer->time_min = entry->time_min;
    }
    if (is_first || entry->time_max > footer->time_max) {
        footer->time_max = entry->time_max;
    }
    struct hd_jfmt_row *row = &footer->rows[footer->n_rows > 0 ? footer->n_rows - 1 : 0];
    bool is_apart = is_first || offset >= row->offset + footer->row_bytes;
    if (is_apart && footer->n_rows < HD_JFMT_ROWS_MAX) {
        footer->rows[footer->n_rows++] =
            (struct hd_jfmt_row){entry->index, offset, entry->time_min, entry->time_max};
        return;
    }
    row->time_min = entry->time_min < row->time_min ? entry->time_min : row->time_min;
    row->time_max = entry->time_max > row->time_max ? entry->time_max : row->time_max;
}

static void put_tlv(struct hd_buf *out, uint16_t type, size_t len)
{
    hd_buf_le16(out, type);
    hd_buf_le16(out, 0);
    hd_buf_le32(out, (uint32_t)len);
}

static void put_rows(struct hd_buf *out, const struct hd_jfmt_footer *footer)
{
    put_tlv(out, TLV_ROWS, ROW_LEN * footer->n_rows);
    for (size_t i = 0; i < footer->n_rows; i++) {
        hd_buf_le64(out, footer->rows[i].index);
        hd_buf_le64(out, footer->rows[i].offset);
        hd_buf_le64(out, (uint64_t)footer->rows[i].time_min);
        hd_buf_le64(out, (uint64_t)footer->rows[i].time_max);
    }
}

size_t hd_jfmt_footer_begin_len(const struct hd_jfmt_footer *footer, bool is_sealed)
{
    size_t seal = is_sealed ? TLV_HEAD_LEN + SEAL_LEAD_LEN : 0;
    return HD_JFMT_FRAME_LEN + TLV_HEAD_LEN + COUNTS_LEN + TLV_HEAD_LEN + TIMES_LEN +
           TLV_HEAD_LEN + ROW_LEN * footer->n_rows + seal;
}

/* A text of this length follows, which begins a line. */
static void put_text_head(struct hd_buf *out, uint16_t type, size_t len)
{
    put_tlv(out, type, SEAL_LEAD_LEN + len);
    hd_buf_byte(out, '\n');
}

/* `len`: of the whole footer */
static void put_members(struct hd_buf *out, const struct hd_jfmt_footer *footer,
                        size_t len)
{
    hd_buf_le32(out, HD_JFMT_MAGIC_FOOTER);
    hd_buf_le32(out, FRAME_SIZE(len));
    put_tlv(out, TLV_COUNTS, COUNTS_LEN);
    hd_buf_le64(out, footer->first);
    hd_buf_le64(out, footer->next);
    hd_buf_le64(out, footer->entries);
    hd_buf_le64(out, footer->records);
    hd_buf_le64(out, footer->raw_bytes);
    hd_buf_le64(out, footer->payload_bytes);
    put_tlv(out, TLV_TIMES, TIMES_LEN);
    hd_buf_le64(out, (uint64_t)footer->time_min);
    hd_buf_le64(out, (uint64_t)footer->time_max);
    put_rows(out, footer);
}

void hd_jfmt_footer_begin(struct hd_buf *out, const struct hd_jfmt_footer *footer,
                          size_t seal_len)
{
    put_members(out, footer,
                hd_jfmt_footer_begin_len(footer, seal_len > 0) + seal_len +
                    HD_JFMT_TRAILER_LEN);
    if (seal_len > 0) {
        put_text_head(out, TLV_SEAL, seal_len);
    }
}

void hd_jfmt_footer_compacted(struct hd_buf *out, const struct hd_jfmt_footer *footer,
                              struct hd_slice seal, size_t compacted_len)
{
    put_members(out, footer,
                hd_jfmt_footer_begin_len(footer, true) + seal.len + TLV_HEAD_LEN +
                    SEAL_LEAD_LEN + compacted_len + HD_JFMT_TRAILER_LEN);
    put_text_head(out, TLV_SEAL, seal.len);
    hd_buf_slice_add(out, seal);
    put_text_head(out, TLV_COMPACTED, compacted_len);
}

void hd_jfmt_footer_end(struct hd_buf *out, const struct hd_jfmt_uuid *uuid)
{
    if (out->err != 0) {
        return;
    }
    hd_buf_le32(out, hd_crc32c(crc_seed(uuid), out->ptr, out->len));
    hd_buf_le32(out, (uint32_t)(out->len + HD_JFMT_TRAILER_LEN - 4));
    hd_buf_bytes(out, FOOTER_TAG, TAG_LEN);
}

size_t hd_jfmt_footer_len(struct hd_slice trailer)
{
    struct hd_bytes c = hd_bytes(trailer);
    hd_bytes_skip(&c, 4);
    uint32_t len = hd_bytes_le32(&c);
    if (!hd_slice_eq(hd_bytes_view(&c, TAG_LEN), HD_SLICE(FOOTER_TAG)) ||
        len < HD_JFMT_FRAME_LEN + HD_JFMT_TRAILER_LEN || len > HD_JFMT_FOOTER_MAX) {
        return 0;
    }
    return len;
}

static void take_rows(struct hd_bytes *c, struct hd_jfmt_footer *footer)
{
    while (hd_bytes_left(c) >= ROW_LEN && footer->n_rows < HD_JFMT_ROWS_MAX) {
        struct hd_jfmt_row *row = &footer->rows[footer->n_rows++];
        row->index = hd_bytes_le64(c);
        row->offset = hd_bytes_le64(c);
        row->time_min = (int64_t)hd_bytes_le64(c);
        row->time_max = (int64_t)hd_bytes_le64(c);
    }
}

static void take_tlv(struct hd_bytes *c, uint16_t type, struct hd_jfmt_footer *footer)
{
    switch (type) {
    case TLV_COUNTS:
        footer->first = hd_bytes_le64(c);
        footer->next = hd_bytes_le64(c);
        footer->entries = hd_bytes_le64(c);
        footer->records = hd_bytes_le64(c);
        footer->raw_bytes = hd_bytes_le64(c);
        footer->payload_bytes = hd_bytes_le64(c);
        break;
    case TLV_TIMES:
        footer->time_min = (int64_t)hd_bytes_le64(c);
        footer->time_max = (int64_t)hd_bytes_le64(c);
        break;
    case TLV_ROWS:
        take_rows(c, footer);
        break;
    case TLV_SEAL:
        hd_bytes_skip(c, SEAL_LEAD_LEN);
        footer->seal_len = hd_bytes_left(c);
        break;
    case TLV_COMPACTED:
        hd_bytes_skip(c, SEAL_LEAD_LEN);
        footer->compacted_len = hd_bytes_left(c);
        break;
    default:
        break;
    }
}

bool hd_jfmt_footer_decode(struct hd_slice in, const struct hd_jfmt_uuid *uuid,
                           struct hd_jfmt_footer *footer)
{
    *footer = (struct hd_jfmt_footer){0};
    if (in.len < HD_JFMT_FRAME_LEN + HD_JFMT_TRAILER_LEN) {
        return false;
    }
    size_t body_end = in.len - HD_JFMT_TRAILER_LEN;
    struct hd_slice trailer = hd_slice_from(in, body_end);
    struct hd_bytes end = hd_bytes(trailer);
    if (hd_jfmt_footer_len(trailer) != in.len ||
        hd_bytes_le32(&end) != hd_crc32c(crc_seed(uuid), in.ptr, body_end)) {
        return false;
    }
    struct hd_bytes c = hd_bytes(hd_slice_head(in, body_end));
    bool good = hd_bytes_le32(&c) == HD_JFMT_MAGIC_FOOTER;
    good = hd_bytes_le32(&c) == FRAME_SIZE(in.len) && good;
    while (good && hd_bytes_left(&c) > 0) {
        uint16_t type = hd_bytes_le16(&c);
        hd_bytes_skip(&c, 2);
        uint32_t len = hd_bytes_le32(&c);
        struct hd_bytes value = hd_bytes_sub(&c, len);
        take_tlv(&value, type, footer);
        good = !hd_bytes_failed(&value);
        if (type == TLV_SEAL) {
            footer->seal_at = c.pos - footer->seal_len;
        } else if (type == TLV_COMPACTED) {
            footer->compacted_at = c.pos - footer->compacted_len;
        }
    }
    return good && !hd_bytes_failed(&c) && is_index(footer->first) &&
           is_index(footer->next) && footer->next >= footer->first;
}

/* ---- mark ---- */

void hd_jfmt_mark_encode(struct hd_buf *out, const struct hd_jfmt_mark *mark)
{
    size_t from = out->len;
    hd_buf_bytes(out, MARK_TAG, TAG_LEN);
    hd_buf_le32(out, HD_JFMT_VERSION);
    hd_buf_le32(out, 0);
    put_uuid(out, &mark->uuid);
    hd_buf_le64(out, mark->segment);
    hd_buf_le64(out, mark->offset);
    hd_buf_le64(out, mark->next);
    hd_buf_le32(out, 0);
    put_crc(out, from);
}

bool hd_jfmt_mark_decode(struct hd_slice in, struct hd_jfmt_mark *mark)
{
    if (in.len < HD_JFMT_MARK_LEN) {
        return false;
    }
    struct hd_bytes c = hd_bytes(hd_slice_head(in, HD_JFMT_MARK_LEN));
    bool good = hd_slice_eq(hd_bytes_view(&c, TAG_LEN), HD_SLICE(MARK_TAG));
    good = hd_bytes_le32(&c) == HD_JFMT_VERSION && good;
    hd_bytes_skip(&c, 4);
    take_uuid(&c, &mark->uuid);
    mark->segment = hd_bytes_le64(&c);
    mark->offset = hd_bytes_le64(&c);
    mark->next = hd_bytes_le64(&c);
    return good && is_index(mark->next) && crc_holds(hd_slice_head(in, HD_JFMT_MARK_LEN));
}

/* ---- cursor ---- */

/* slot = "1" SP generation SP uuid SP index SP segment SP offset SP crc32c LF
 * with 20 decimal digits each, 32 and 8 hex digits */
void hd_jfmt_slot_encode(struct hd_buf *out, const struct hd_jfmt_slot *slot)
{
    size_t from = out->len;
    hd_buf_printf(out, "1 %020llu ", (unsigned long long)slot->generation);
    hd_buf_hex(out, hd_slice(slot->uuid.byte, sizeof(slot->uuid.byte)));
    hd_buf_printf(out, " %020llu %020llu %020llu ",
                  (unsigned long long)slot->cursor.index,
                  (unsigned long long)slot->cursor.segment,
                  (unsigned long long)slot->cursor.offset);
    uint32_t crc = out->err == 0 ? hd_crc32c(0, out->ptr + from, out->len - from) : 0;
    hd_buf_printf(out, "%08x\n", (unsigned)crc);
}

bool hd_jfmt_slot_decode(struct hd_slice in, struct hd_jfmt_slot *slot)
{
    if (in.len < HD_JFMT_SLOT_LEN || in.ptr[HD_JFMT_SLOT_LEN - 1] != '\n') {
        return false;
    }
    struct hd_slice rest = hd_slice_head(in, HD_JFMT_SLOT_LEN - 1);
    struct hd_slice part[SLOT_PARTS];
    size_t n = 0;
    while (n < SLOT_PARTS && hd_slice_split(&rest, ' ', &part[n])) {
        n++;
    }
    uint64_t crc = 0;
    return n == SLOT_PARTS && rest.len == 0 && hd_slice_eq(part[0], HD_SLICE("1")) &&
           hd_num_u64(part[1], UINT64_MAX, &slot->generation) == HD_OK &&
           hd_num_hex_bytes(part[2], slot->uuid.byte, sizeof(slot->uuid.byte)) == HD_OK &&
           hd_num_u64(part[3], UINT64_MAX, &slot->cursor.index) == HD_OK &&
           hd_num_u64(part[4], UINT64_MAX, &slot->cursor.segment) == HD_OK &&
           hd_num_u64(part[5], UINT64_MAX, &slot->cursor.offset) == HD_OK &&
           hd_num_hex_u64(part[6], UINT32_MAX, &crc) == HD_OK &&
           crc == hd_crc32c(0, in.ptr, SLOT_CRC_AT);
}

/* ---- names ---- */

void hd_jfmt_name(uint64_t first, char out[HD_JFMT_NAME_LEN + 1])
{
    (void)snprintf(out, HD_JFMT_NAME_LEN + 1, "%020llu.zst", (unsigned long long)first);
}

bool hd_jfmt_name_parse(const char *name, uint64_t *first)
{
    struct hd_slice text = hd_slice_str(name);
    struct hd_slice digits = hd_slice_head(text, HD_JFMT_NAME_LEN - 4);
    return text.len == HD_JFMT_NAME_LEN && hd_slice_ends(text, HD_SLICE(".zst")) &&
           hd_num_u64(digits, HD_JOURNAL_INDEX_MAX, first) == HD_OK && *first > 0;
}
