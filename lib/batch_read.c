/* SPDX-License-Identifier: Apache-2.0
 *
 * The batch reader: strict, since what it reads may come from anywhere. Decompression is
 * bounded by HD_BATCH_RAW_MAX, the header line by HD_BATCH_HEAD_MAX. Escaped lines are
 * unescaped in place. One thread; memory is taken at the start, plus the parsed header of
 * the open batch.
 *
 *     batch   = header LF *( record LF )
 *     record  = seconds "." 6DIGIT SP source flags SP line
 *     source  = 1*3DIGIT
 *     flags   = [ "e" ] [ "t" ]
 */
#include <haidang/batch.h>

#include <stdlib.h>

#include <jansson.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <haidang/num.h>

#include "lib/batch_format.h"
#include "lib/json_load.h"

#define NAME_MAX_REPAIRED (3U * HD_BATCH_NAME_MAX) /* U+FFFD for every byte */
#define SECONDS_DIGITS    10U
#define SECONDS_MAX       UINT64_C(9223372035)
#define STAMP_MAX         20U

struct hd_batch_reader {
    ZSTD_DCtx *zstd;
    uint8_t *raw;
    size_t raw_len;
    size_t head_len; /* the header line with its LF */
    size_t pos;
    json_t *head;
    struct hd_batch_source sources[HD_BATCH_SOURCES_MAX];
    uint16_t n_sources;
    uint64_t first;
    uint32_t count;
    uint32_t seen;
    size_t stamp_len; /* of the record before, with its blank; 0 = none */
    uint8_t stamp[STAMP_MAX];
    int64_t stamp_ns;
};

int hd_batch_reader_new(struct hd_batch_reader **out)
{
    struct hd_batch_reader *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        return HD_ENOMEM;
    }
    r->raw = malloc(HD_BATCH_RAW_MAX);
    r->zstd = ZSTD_createDCtx();
    if (r->raw == NULL || r->zstd == NULL) {
        hd_batch_reader_free(r);
        return HD_ENOMEM;
    }
    *out = r;
    return HD_OK;
}

void hd_batch_reader_free(struct hd_batch_reader *r)
{
    if (r == NULL) {
        return;
    }
    json_decref(r->head);
    (void)ZSTD_freeDCtx(r->zstd);
    free(r->raw);
    free(r);
}

static void reader_reset(struct hd_batch_reader *r)
{
    json_decref(r->head);
    r->head = NULL;
    r->raw_len = 0;
    r->head_len = 0;
    r->pos = 0;
    r->n_sources = 0;
    r->first = 0;
    r->count = 0;
    r->seen = 0;
    r->stamp_len = 0;
}

static int decompress(struct hd_batch_reader *r, struct hd_slice frame)
{
    if (frame.len > HD_BATCH_WIRE_MAX) {
        return HD_ELIMIT;
    }
    unsigned long long size = ZSTD_getFrameContentSize(frame.ptr, frame.len);
    if (size == ZSTD_CONTENTSIZE_ERROR ||
        ZSTD_findFrameCompressedSize(frame.ptr, frame.len) != frame.len) {
        return HD_ECORRUPT;
    }
    if (size != ZSTD_CONTENTSIZE_UNKNOWN && size > HD_BATCH_RAW_MAX) {
        return HD_ELIMIT;
    }
    size_t len =
        ZSTD_decompressDCtx(r->zstd, r->raw, HD_BATCH_RAW_MAX, frame.ptr, frame.len);
    if (!ZSTD_isError(len)) {
        r->raw_len = len;
        return HD_OK;
    }
    switch (ZSTD_getErrorCode(len)) {
    case ZSTD_error_memory_allocation:
        return HD_ENOMEM;
    case ZSTD_error_dstSize_tooSmall:
        return HD_ELIMIT;
    default:
        return HD_ECORRUPT;
    }
}

/* ---- the header line ---- */

static int get_text(const json_t *object, const char *key, struct hd_slice *out)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value)) {
        return HD_ECORRUPT;
    }
    *out = hd_slice(json_string_value(value), json_string_length(value));
    return out->len <= NAME_MAX_REPAIRED ? HD_OK : HD_ECORRUPT;
}

static int get_optional(const json_t *object, const char *key, struct hd_slice *out)
{
    return json_object_get(object, key) == NULL ? HD_OK : get_text(object, key, out);
}

static int get_int(const json_t *object, const char *key, int64_t min, int64_t *out)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value) || json_integer_value(value) < min) {
        return HD_ECORRUPT;
    }
    *out = json_integer_value(value);
    return HD_OK;
}

static int read_source(const json_t *object, struct hd_batch_source *out)
{
    *out = (struct hd_batch_source){0};
    if (get_text(object, "host", &out->host) != HD_OK ||
        get_text(object, "kind", &out->kind) != HD_OK ||
        get_text(object, "name", &out->name) != HD_OK ||
        get_text(object, "format", &out->format) != HD_OK) {
        return HD_ECORRUPT;
    }
    int err = get_optional(object, "peer", &out->peer);
    return err != HD_OK ? err : get_optional(object, "zone", &out->zone);
}

static int read_sources(struct hd_batch_reader *r)
{
    const json_t *list = json_object_get(r->head, "sources");
    size_t n = json_array_size(list);
    if (!json_is_array(list) || n == 0 || n > HD_BATCH_SOURCES_MAX) {
        return HD_ECORRUPT;
    }
    for (size_t i = 0; i < n; i++) {
        if (read_source(json_array_get(list, i), &r->sources[i]) != HD_OK) {
            return HD_ECORRUPT;
        }
    }
    r->n_sources = (uint16_t)n;
    return HD_OK;
}

static int read_identity(const json_t *head, struct hd_batch_info *info)
{
    if (get_text(head, "agent", &info->agent) != HD_OK || info->agent.len == 0 ||
        info->agent.len > HD_BATCH_NAME_MAX ||
        get_text(head, "boot", &info->boot) != HD_OK ||
        info->boot.len != HD_BATCH_BOOT_LEN) {
        return HD_ECORRUPT;
    }
    int64_t first = 0;
    int64_t last = 0;
    if (get_int(head, "first", 1, &first) != HD_OK ||
        get_int(head, "last", first, &last) != HD_OK ||
        get_int(head, "time_min", 0, &info->time_min) != HD_OK ||
        get_int(head, "time_max", info->time_min, &info->time_max) != HD_OK ||
        last - first >= HD_BATCH_RAW_MAX) {
        return HD_ECORRUPT;
    }
    info->first = (uint64_t)first;
    info->last = (uint64_t)last;
    info->count = (uint32_t)(last - first + 1);
    return HD_OK;
}

static int read_head(struct hd_batch_reader *r, struct hd_batch_info *info)
{
    struct hd_slice raw = hd_slice(r->raw, r->raw_len);
    size_t len = hd_slice_find_byte(hd_slice_head(raw, HD_BATCH_HEAD_MAX), '\n');
    if (len == HD_NPOS) {
        return HD_ECORRUPT;
    }
    json_error_t error;
    int err = hd_json_load(hd_slice_head(raw, len), &r->head, &error);
    if (err != HD_OK) {
        return err == HD_ENOMEM ? HD_ENOMEM : HD_ECORRUPT;
    }
    const json_t *version = json_object_get(r->head, "v");
    if (!json_is_integer(version)) {
        return HD_ECORRUPT;
    }
    if (json_integer_value(version) != HD_BATCH_VERSION) {
        return HD_EVERSION;
    }
    err = read_identity(r->head, info);
    if (err == HD_OK) {
        err = read_sources(r);
    }
    r->head_len = len + 1;
    r->pos = r->head_len;
    return err;
}

int hd_batch_reader_open(struct hd_batch_reader *r, struct hd_slice frame,
                         struct hd_batch_info *info)
{
    reader_reset(r);
    *info = (struct hd_batch_info){0};
    int err = decompress(r, frame);
    if (err == HD_OK) {
        err = read_head(r, info);
    }
    if (err != HD_OK) {
        reader_reset(r);
        *info = (struct hd_batch_info){0};
        return err;
    }
    info->raw_len = (uint32_t)r->raw_len;
    r->first = info->first;
    r->count = info->count;
    return HD_OK;
}

uint16_t hd_batch_reader_sources(const struct hd_batch_reader *r,
                                 const struct hd_batch_source **sources)
{
    *sources = r->sources;
    return r->n_sources;
}

/* ---- records ---- */

/* time = seconds "." 6DIGIT SP; 0 = no time, else its length. Lines that came together
 * have the same text: then nothing is parsed. */
static size_t take_time(struct hd_batch_reader *r, struct hd_slice text)
{
    if (r->stamp_len > 0 && hd_slice_starts(text, hd_slice(r->stamp, r->stamp_len))) {
        return r->stamp_len;
    }
    uint64_t seconds = 0;
    uint64_t micros = 0;
    size_t n = hd_num_prefix_u64(text, SECONDS_DIGITS, SECONDS_MAX, &seconds);
    if (n == 0 || n + 8 > text.len || text.ptr[n] != '.' || text.ptr[n + 7] != ' ' ||
        hd_num_prefix_u64(hd_slice(text.ptr + n + 1, 6), 6, 999999, &micros) != 6) {
        return 0;
    }
    r->stamp_ns = (int64_t)(seconds * UINT64_C(1000000000) + micros * 1000);
    r->stamp_len = n + 8;
    memcpy(r->stamp, text.ptr, r->stamp_len);
    return r->stamp_len;
}

/* `to` may be `from`. HD_NPOS when a backslash is followed by something else than `n` or
 * a backslash. */
static size_t unescape(uint8_t *to, const uint8_t *from, size_t len)
{
    const uint8_t *begin = to;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = from[i];
        if (c == '\\') {
            i++;
            if (i == len || (from[i] != 'n' && from[i] != '\\')) {
                return HD_NPOS;
            }
            c = from[i] == 'n' ? '\n' : '\\';
        }
        *to++ = c;
    }
    return (size_t)(to - begin);
}

/* The record without what its place says; its line still escaped where *is_escaped. */
static int parse_record(struct hd_batch_reader *r, struct hd_slice text,
                        struct hd_batch_record *record, bool *is_escaped)
{
    size_t n = take_time(r, text);
    uint64_t source = 0;
    size_t digits =
        hd_num_prefix_u64(hd_slice_from(text, n), 3, HD_BATCH_SOURCES_MAX - 1, &source);
    if (n == 0 || digits == 0 || source >= r->n_sources) {
        return HD_ECORRUPT;
    }
    n += digits;
    *is_escaped = n < text.len && text.ptr[n] == 'e';
    n += *is_escaped;
    bool is_truncated = n < text.len && text.ptr[n] == 't';
    n += is_truncated;
    if (n >= text.len || text.ptr[n] != ' ') {
        return HD_ECORRUPT;
    }
    *record = (struct hd_batch_record){
        .recv_ns = r->stamp_ns,
        .source = (uint16_t)source,
        .flags = is_truncated ? HD_BATCH_TRUNCATED : 0,
        .line = hd_slice_from(text, n + 1),
    };
    return HD_OK;
}

static int take_record(struct hd_batch_reader *r, uint8_t *text, size_t len,
                       struct hd_batch_record *record)
{
    bool is_escaped = false;
    int err = parse_record(r, hd_slice(text, len), record, &is_escaped);
    if (err != HD_OK) {
        return err;
    }
    if (is_escaped) {
        uint8_t *line = text + (len - record->line.len);
        record->line.len = unescape(line, line, record->line.len);
    }
    record->seq = r->first + r->seen;
    record->line_no = r->seen;
    return record->line.len > HD_BATCH_LINE_MAX ? HD_ECORRUPT : HD_OK;
}

struct hd_slice hd_batch_reader_text(const struct hd_batch_reader *r)
{
    return hd_slice_from(hd_slice(r->raw, r->raw_len), r->head_len);
}

int hd_batch_reader_at(struct hd_batch_reader *r, size_t at, struct hd_buf *room,
                       struct hd_batch_record *record, size_t *len)
{
    struct hd_slice text = hd_slice_from(hd_batch_reader_text(r), at);
    bool is_escaped = false;
    size_t end = hd_slice_find_byte(text, '\n');
    if (end == HD_NPOS) {
        return HD_ECORRUPT;
    }
    *len = end + 1;
    int err = parse_record(r, hd_slice_head(text, end), record, &is_escaped);
    if (err == HD_OK && is_escaped) {
        hd_buf_clear(room);
        uint8_t *to = hd_buf_reserve(room, record->line.len + 1);
        if (to == NULL) {
            return HD_ENOMEM;
        }
        record->line = hd_slice(to, unescape(to, record->line.ptr, record->line.len));
    }
    return err == HD_OK && record->line.len > HD_BATCH_LINE_MAX ? HD_ECORRUPT : err;
}

int hd_batch_reader_next(struct hd_batch_reader *r, struct hd_batch_record *record)
{
    if (r->pos == r->raw_len && r->seen == r->count) {
        return 0;
    }
    uint8_t *text = r->raw + r->pos;
    uint8_t *end = memchr(text, '\n', r->raw_len - r->pos);
    int err = HD_ECORRUPT;
    if (end != NULL && r->seen < r->count) {
        err = take_record(r, text, (size_t)(end - text), record);
    }
    if (err != HD_OK) {
        r->pos = r->raw_len; /* the rest is not read: the next call says 0 */
        r->count = r->seen;
        return err;
    }
    r->pos = (size_t)(end - r->raw) + 1;
    r->seen++;
    return 1;
}
