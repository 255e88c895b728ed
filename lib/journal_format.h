/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of a journal (docs/formats/journal.md): encoders, and decoders that are pure
 * and verify. Private to lib/. All integers are little-endian.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <haidang/buf.h>
#include <haidang/journal.h>
#include <haidang/journal_keys.h>
#include <haidang/parse.h>

#define HD_JFMT_VERSION       1U
#define HD_JFMT_MAGIC_SEGMENT 0x184D2A50U
#define HD_JFMT_MAGIC_ENTRY   0x184D2A51U
#define HD_JFMT_MAGIC_FOOTER  0x184D2A52U
#define HD_JFMT_MAGIC_BOX     0x184D2A53U
#define HD_JFMT_FRAME_LEN     8U  /* magic and size of a skippable frame */
#define HD_JFMT_SEGMENT_LEN   64U /* of a segment's header, frame included */
#define HD_JFMT_ENTRY_LEN     80U /* of an entry's header, frame included, without meta */
#define HD_JFMT_LEAD_LEN      72U /* of it before its checksums */
#define HD_JFMT_BOX_HEAD      48U /* of an encrypted payload, frame included */
#define HD_JFMT_BOX_TAG       16U /* at its end */
#define HD_JFMT_BOX_LEN       (HD_JFMT_BOX_HEAD + HD_JFMT_BOX_TAG) /* around the content */
#define HD_JFMT_STORED_MAX    (HD_JOURNAL_PAYLOAD_MAX + HD_JFMT_BOX_LEN)
#define HD_JFMT_ENTRY_MAX     (HD_JFMT_ENTRY_LEN + HD_JOURNAL_META_MAX + HD_JFMT_STORED_MAX)
#define HD_JFMT_SALT_LEN      16U
#define HD_JFMT_NONCE_LEN     12U
#define HD_JFMT_TRAILER_LEN   16U /* the end of a footer */
#define HD_JFMT_ROWS_MAX      512U
#define HD_JFMT_FOOTER_MAX    (64U << 10)
#define HD_JFMT_MARK_LEN      64U
#define HD_JFMT_SLOT_LEN      128U /* a cursor file is two of these */
#define HD_JFMT_NAME_LEN      24U  /* "00000000000000000001.zst" */

struct hd_jfmt_uuid {
    uint8_t byte[16];
};

struct hd_jfmt_segment {
    struct hd_jfmt_uuid uuid; /* of the journal: the same in all its segments */
    uint64_t first;           /* index of its first entry */
    int64_t created_ns;
    struct hd_journal_key_id
        key; /* its entries are encrypted with; zero = they are not */
};

struct hd_jfmt_entry {
    struct hd_journal_entry entry; /* meta views the input; of payload only the length */
    uint64_t committed; /* entries below this index were durable when it was written */
    uint32_t payload_crc;
    size_t head_len; /* header and meta; the payload follows */
};

/* What is around an encrypted payload. */
struct hd_jfmt_box {
    struct hd_journal_key_id key;
    uint8_t salt[HD_JFMT_SALT_LEN];
    uint8_t nonce[HD_JFMT_NONCE_LEN];
    struct hd_slice head,
        content; /* decoded: the first HD_JFMT_BOX_HEAD bytes; between */
    const uint8_t *tag;
};

/* Where to begin when seeking: an entry, and the times of those up to the next row. */
struct hd_jfmt_row {
    uint64_t index, offset;
    int64_t time_min, time_max;
};

struct hd_jfmt_footer {
    uint64_t first, next; /* indices */
    uint64_t entries, records, raw_bytes, payload_bytes;
    int64_t time_min, time_max;
    uint64_t row_bytes; /* rows are at least so far apart */
    size_t n_rows;
    struct hd_jfmt_row rows[HD_JFMT_ROWS_MAX];
    size_t seal_at, seal_len; /* of the statement in the decoded bytes; 0, 0 = none */
    size_t compacted_at, compacted_len; /* of that about its compaction */
};

struct hd_jfmt_mark {
    struct hd_jfmt_uuid uuid;
    uint64_t segment; /* its name; 0 = none yet */
    uint64_t offset;  /* durable bytes in it */
    uint64_t next;    /* index of the next entry to come */
};

struct hd_jfmt_slot { /* one of the two copies of a saved cursor */
    uint64_t generation;
    struct hd_jfmt_uuid uuid; /* zero = no journal was seen yet */
    struct hd_journal_cursor cursor;
};

bool hd_jfmt_uuid_eq(const struct hd_jfmt_uuid *a, const struct hd_jfmt_uuid *b);

void hd_jfmt_segment_encode(struct hd_buf *out, const struct hd_jfmt_segment *segment);
bool hd_jfmt_segment_decode(struct hd_slice in, struct hd_jfmt_segment *segment);

/* The first HD_JFMT_LEAD_LEN bytes of an entry's header; of the payload only the length
 * is looked at. */
void hd_jfmt_entry_lead(struct hd_buf *out, const struct hd_journal_entry *entry,
                        uint64_t committed);
/* Header and meta of an entry whose payload will follow. */
void hd_jfmt_entry_encode(struct hd_buf *out, const struct hd_jfmt_uuid *uuid,
                          const struct hd_journal_entry *entry, uint64_t committed);
/* The header at the start of `in`. OK says the header verifies; of the payload nothing.
 */
enum hd_parse hd_jfmt_entry_decode(struct hd_slice in, const struct hd_jfmt_uuid *uuid,
                                   struct hd_jfmt_entry *out);
/* Bytes of an entry from a frame header (8 bytes) up to its payload; 0 = no entry. */
size_t hd_jfmt_entry_head_len(struct hd_slice frame);

/* The head of a box around `len` bytes. */
void hd_jfmt_box_encode(struct hd_buf *out, const struct hd_jfmt_box *box, size_t len);
bool hd_jfmt_is_box(struct hd_slice payload); /* it is encrypted */
/* HD_ECORRUPT: it is no box; HD_EVERSION: encrypted in a way that is not known here. */
int hd_jfmt_box_decode(struct hd_slice payload, struct hd_jfmt_box *box) HD_MUST_USE;

/* What a footer says of a segment, collected as its entries are written or read. */
void hd_jfmt_footer_init(struct hd_jfmt_footer *footer, uint64_t first,
                         uint64_t segment_bytes);
void hd_jfmt_footer_count(struct hd_jfmt_footer *footer,
                          const struct hd_journal_entry *entry, uint64_t offset);
/* The footer up to where a statement of seal_len bytes is to follow (0: none will), and
 * how long that is. Then what ends it; `out` must hold the footer alone. */
void hd_jfmt_footer_begin(struct hd_buf *out, const struct hd_jfmt_footer *footer,
                          size_t seal_len);
size_t hd_jfmt_footer_begin_len(const struct hd_jfmt_footer *footer, bool is_sealed);
void hd_jfmt_footer_end(struct hd_buf *out, const struct hd_jfmt_uuid *uuid);
/* The same of a compacted segment, with its seal; compacted_len: of what follows. */
void hd_jfmt_footer_compacted(struct hd_buf *out, const struct hd_jfmt_footer *footer,
                              struct hd_slice seal, size_t compacted_len);
/* Length of a footer from the last HD_JFMT_TRAILER_LEN bytes of a segment; 0 = none. */
size_t hd_jfmt_footer_len(struct hd_slice trailer);
bool hd_jfmt_footer_decode(struct hd_slice in, const struct hd_jfmt_uuid *uuid,
                           struct hd_jfmt_footer *footer);

void hd_jfmt_mark_encode(struct hd_buf *out, const struct hd_jfmt_mark *mark);
bool hd_jfmt_mark_decode(struct hd_slice in, struct hd_jfmt_mark *mark);

/* Exactly HD_JFMT_SLOT_LEN bytes of text. */
void hd_jfmt_slot_encode(struct hd_buf *out, const struct hd_jfmt_slot *slot);
bool hd_jfmt_slot_decode(struct hd_slice in, struct hd_jfmt_slot *slot);

/* "00000000000000000001.zst"; a NUL follows. */
void hd_jfmt_name(uint64_t first, char out[HD_JFMT_NAME_LEN + 1]);
bool hd_jfmt_name_parse(const char *name, uint64_t *first);
