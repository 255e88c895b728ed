/* SPDX-License-Identifier: Apache-2.0
 *
 * The batch builder of the agent. One thread. Memory is taken at the start: the text of
 * one batch (1 MiB, touched only as far as it is used), the compressed frame and the
 * zstd context, together below 4 MiB. A line is copied once, with its prefix; the header
 * line, whose content is known only at the end, goes in front of the records into room
 * that was left for it, so that the batch is compressed in one piece.
 */
#include <haidang/batch.h>

#include <stdlib.h>

#include <zstd.h>
#include <zstd_errors.h>

#include <haidang/hash.h>
#include <haidang/json.h>
#include <haidang/utf8.h>

#include "lib/batch_format.h"

#define HEAD_FIXED_MAX 2048U /* the header line without its sources */
#define PREFIX_MAX     40U   /* time, source and flags before a line */
#define WINDOW_LOG     20    /* a reader never needs more than 1 MiB of window */
#define N_NAMES        6U

struct source_key {
    uint64_t hash;
    uint32_t names_at; /* the five names, one after the other */
    uint16_t len[N_NAMES];
    char text[4]; /* the index in decimal */
    uint8_t text_len;
};

struct hd_batch_builder {
    ZSTD_CCtx *zstd;
    uint8_t *raw; /* HD_BATCH_HEAD_MAX bytes for the header line, then the records */
    uint8_t *frame;
    size_t frame_cap;
    size_t raw_max;
    size_t body_len;
    uint32_t count;
    int64_t time_min_us, time_max_us;
    struct hd_buf agent, boot;
    struct hd_buf sources_json; /* what stands between [ and ] */
    struct hd_buf names;        /* as given, to recognise a source */
    struct hd_buf head;
    struct source_key sources[HD_BATCH_SOURCES_MAX];
    uint16_t n_sources;
    int64_t stamp_us; /* what `stamp` says; -1 = nothing yet */
    size_t stamp_len;
    char stamp[24];
};

static uint8_t *body(const struct hd_batch_builder *b)
{
    return b->raw + HD_BATCH_HEAD_MAX;
}

static size_t head_bound(const struct hd_batch_builder *b)
{
    return HEAD_FIXED_MAX + b->sources_json.len;
}

static bool is_boot(struct hd_slice boot)
{
    if (boot.len != HD_BATCH_BOOT_LEN) {
        return false;
    }
    for (size_t i = 0; i < boot.len; i++) {
        uint8_t c = boot.ptr[i];
        if (!hd_is_digit(c) && (c < 'a' || c > 'f')) {
            return false;
        }
    }
    return true;
}

static void forget(struct hd_batch_builder *b)
{
    b->body_len = 0;
    b->count = 0;
    b->n_sources = 0;
    hd_buf_clear(&b->sources_json);
    hd_buf_clear(&b->names);
}

static int set_level(ZSTD_CCtx *zstd, int level)
{
    size_t a = ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, level);
    size_t b = ZSTD_CCtx_setParameter(zstd, ZSTD_c_windowLog, WINDOW_LOG);
    size_t c = ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
    return ZSTD_isError(a) || ZSTD_isError(b) || ZSTD_isError(c) ? HD_EINVAL : HD_OK;
}

static int builder_init(struct hd_batch_builder *b, struct hd_slice agent,
                        struct hd_slice boot, int level)
{
    hd_buf_init(&b->agent, 0);
    hd_buf_init(&b->boot, 0);
    hd_buf_init(&b->sources_json, HD_BATCH_HEAD_MAX);
    hd_buf_init(&b->names, HD_BATCH_SOURCES_MAX * N_NAMES * HD_BATCH_NAME_MAX);
    hd_buf_init(&b->head, HD_BATCH_HEAD_MAX);
    hd_buf_slice_add(&b->agent, agent);
    hd_buf_slice_add(&b->boot, boot);
    b->stamp_us = -1;
    b->frame_cap = ZSTD_compressBound(HD_BATCH_RAW_MAX);
    b->raw = malloc(HD_BATCH_HEAD_MAX + HD_BATCH_RAW_MAX);
    b->frame = malloc(b->frame_cap);
    b->zstd = ZSTD_createCCtx();
    if (b->raw == NULL || b->frame == NULL || b->zstd == NULL || b->agent.err != 0 ||
        b->boot.err != 0) {
        return HD_ENOMEM;
    }
    return set_level(b->zstd, level);
}

int hd_batch_builder_new(const char *agent, const char *boot, size_t raw_max, int level,
                         struct hd_batch_builder **out)
{
    struct hd_slice name = hd_slice_str(agent);
    struct hd_slice life = hd_slice_str(boot);
    if (name.len == 0 || name.len > HD_BATCH_NAME_MAX || !hd_utf8_is_valid(name) ||
        !is_boot(life) || raw_max > HD_BATCH_RAW_MAX || level < 1 ||
        level > ZSTD_maxCLevel()) {
        return HD_EINVAL;
    }
    struct hd_batch_builder *b = calloc(1, sizeof(*b));
    if (b == NULL) {
        return HD_ENOMEM;
    }
    b->raw_max = raw_max == 0 ? HD_BATCH_RAW_MAX : raw_max;
    int err = builder_init(b, name, life, level);
    if (err != HD_OK) {
        hd_batch_builder_free(b);
        return err;
    }
    *out = b;
    return HD_OK;
}

void hd_batch_builder_free(struct hd_batch_builder *b)
{
    if (b == NULL) {
        return;
    }
    hd_buf_fini(&b->agent);
    hd_buf_fini(&b->boot);
    hd_buf_fini(&b->sources_json);
    hd_buf_fini(&b->names);
    hd_buf_fini(&b->head);
    (void)ZSTD_freeCCtx(b->zstd);
    free(b->frame);
    free(b->raw);
    free(b);
}

/* ---- sources ---- */

static void names_of(const struct hd_batch_source *source, struct hd_slice out[N_NAMES])
{
    out[0] = source->host;
    out[1] = source->kind;
    out[2] = source->name;
    out[3] = source->peer;
    out[4] = source->format;
    out[5] = source->zone;
}

static bool is_same(const struct hd_batch_builder *b, const struct source_key *key,
                    const struct hd_slice names[N_NAMES])
{
    const uint8_t *at = b->names.ptr + key->names_at;
    for (size_t i = 0; i < N_NAMES; i++) {
        if (!hd_slice_eq(names[i], hd_slice(at, key->len[i]))) {
            return false;
        }
        at += key->len[i];
    }
    return true;
}

static void source_json(struct hd_buf *out, const struct hd_batch_source *source)
{
    struct hd_json json = hd_json(out);
    hd_json_object(&json, NULL);
    hd_json_str(&json, "host", source->host);
    hd_json_str(&json, "kind", source->kind);
    hd_json_str(&json, "name", source->name);
    if (source->peer.len > 0) {
        hd_json_str(&json, "peer", source->peer);
    }
    hd_json_str(&json, "format", source->format);
    if (source->zone.len > 0) {
        hd_json_str(&json, "zone", source->zone);
    }
    hd_json_end(&json, '}');
}

static void key_fill(struct source_key *key, uint16_t index, uint64_t hash)
{
    key->hash = hash;
    key->text_len = 0;
    if (index >= 100) {
        key->text[key->text_len++] = (char)('0' + index / 100);
    }
    if (index >= 10) {
        key->text[key->text_len++] = (char)('0' + index / 10 % 10);
    }
    key->text[key->text_len++] = (char)('0' + index % 10);
}

static int source_add(struct hd_batch_builder *b, const struct hd_batch_source *source,
                      const struct hd_slice names[N_NAMES], uint64_t hash)
{
    if (b->n_sources == HD_BATCH_SOURCES_MAX) {
        return HD_EFULL;
    }
    size_t json_was = b->sources_json.len;
    size_t names_was = b->names.len;
    struct source_key *key = &b->sources[b->n_sources];
    key_fill(key, b->n_sources, hash);
    key->names_at = (uint32_t)names_was;
    for (size_t i = 0; i < N_NAMES; i++) {
        hd_buf_slice_add(&b->names, names[i]);
        key->len[i] = (uint16_t)names[i].len;
    }
    if (b->n_sources > 0) {
        hd_buf_byte(&b->sources_json, ',');
    }
    source_json(&b->sources_json, source);
    int err = b->names.err != 0 ? b->names.err : b->sources_json.err;
    bool is_over = head_bound(b) > HD_BATCH_HEAD_MAX ||
                   (b->count > 0 && head_bound(b) + b->body_len > b->raw_max);
    if (err == HD_OK && !is_over) {
        b->n_sources++;
        return HD_OK;
    }
    b->names.len = names_was;
    b->names.err = 0;
    b->sources_json.len = json_was;
    b->sources_json.err = 0;
    return err == HD_ENOMEM ? HD_ENOMEM : HD_EFULL;
}

int hd_batch_builder_source(struct hd_batch_builder *b,
                            const struct hd_batch_source *source, uint16_t *index)
{
    struct hd_slice names[N_NAMES];
    names_of(source, names);
    uint64_t hash = 0;
    for (size_t i = 0; i < N_NAMES; i++) {
        if (names[i].len > HD_BATCH_NAME_MAX) {
            return HD_ELIMIT;
        }
        if (hd_slice_find_byte(names[i], 0) != HD_NPOS) {
            return HD_EINVAL;
        }
        hash = hd_hash_stable(names[i], hash + i);
    }
    for (uint16_t i = 0; i < b->n_sources; i++) {
        if (b->sources[i].hash == hash && is_same(b, &b->sources[i], names)) {
            *index = i;
            return HD_OK;
        }
    }
    int err = source_add(b, source, names, hash);
    if (err == HD_OK) {
        *index = (uint16_t)(b->n_sources - 1);
    }
    return err;
}

/* ---- lines ---- */

static void put_digits(char *at, size_t n, uint64_t value)
{
    while (n > 0) {
        at[--n] = (char)('0' + value % 10);
        value /= 10;
    }
}

/* Most lines of a batch come in the same second: then only the fraction is written. */
static void stamp_set(struct hd_batch_builder *b, int64_t us)
{
    uint64_t seconds = (uint64_t)us / 1000000;
    if (b->stamp_us < 0 || (uint64_t)b->stamp_us / 1000000 != seconds) {
        size_t digits = 1;
        for (uint64_t rest = seconds / 10; rest > 0; rest /= 10) {
            digits++;
        }
        put_digits(b->stamp, digits, seconds);
        b->stamp[digits] = '.';
        b->stamp[digits + 7] = ' ';
        b->stamp_len = digits + 8;
    }
    put_digits(b->stamp + b->stamp_len - 7, 6, (uint64_t)us % 1000000);
    b->stamp_us = us;
}

static uint8_t *put_escaped(uint8_t *to, struct hd_slice line)
{
    for (size_t i = 0; i < line.len; i++) {
        uint8_t c = line.ptr[i];
        if (c == '\n' || c == '\\') {
            *to++ = '\\';
            c = c == '\n' ? 'n' : c;
        }
        *to++ = c;
    }
    return to;
}

static uint8_t *put_prefix(const struct hd_batch_builder *b, uint8_t *to,
                           const struct source_key *key)
{
    memcpy(to, b->stamp, b->stamp_len);
    to += b->stamp_len;
    memcpy(to, key->text, key->text_len);
    return to + key->text_len;
}

int hd_batch_builder_add(struct hd_batch_builder *b, uint16_t source, int64_t recv_ns,
                         unsigned flags, struct hd_slice line)
{
    if (source >= b->n_sources) {
        return HD_EINVAL;
    }
    if (line.len > HD_BATCH_LINE_MAX) {
        return HD_ELIMIT;
    }
    bool is_escaped = line.len > 0 && memchr(line.ptr, '\n', line.len) != NULL;
    size_t need = PREFIX_MAX + (is_escaped ? 2 * line.len : line.len);
    /* the first line always fits, however small raw_max is */
    size_t max = b->count == 0 ? HD_BATCH_RAW_MAX : b->raw_max;
    if (head_bound(b) + b->body_len + need > max) {
        return HD_EFULL;
    }
    int64_t us = recv_ns < 0 ? 0 : recv_ns / 1000;
    if (us != b->stamp_us) {
        stamp_set(b, us);
    }
    b->time_min_us = b->count == 0 || us < b->time_min_us ? us : b->time_min_us;
    b->time_max_us = b->count == 0 || us > b->time_max_us ? us : b->time_max_us;

    uint8_t *to = put_prefix(b, body(b) + b->body_len, &b->sources[source]);
    if (is_escaped) {
        *to++ = 'e';
    }
    if ((flags & HD_BATCH_TRUNCATED) != 0) {
        *to++ = 't';
    }
    *to++ = ' ';
    if (is_escaped) {
        to = put_escaped(to, line);
    } else if (line.len > 0) {
        memcpy(to, line.ptr, line.len);
        to += line.len;
    }
    *to++ = '\n';
    b->body_len = (size_t)(to - body(b));
    b->count++;
    return HD_OK;
}

uint32_t hd_batch_builder_count(const struct hd_batch_builder *b)
{
    return b->count;
}

size_t hd_batch_builder_raw_len(const struct hd_batch_builder *b)
{
    return b->count == 0 ? 0 : head_bound(b) + b->body_len;
}

/* ---- closing ---- */

static int head_write(struct hd_batch_builder *b, const struct hd_batch_info *info)
{
    hd_buf_clear(&b->head);
    struct hd_json json = hd_json(&b->head);
    hd_json_object(&json, NULL);
    hd_json_u64(&json, "v", HD_BATCH_VERSION);
    hd_json_str(&json, "agent", info->agent);
    hd_json_str(&json, "boot", info->boot);
    hd_json_u64(&json, "first", info->first);
    hd_json_u64(&json, "last", info->last);
    hd_json_i64(&json, "time_min", info->time_min);
    hd_json_i64(&json, "time_max", info->time_max);
    hd_json_array(&json, "sources");
    hd_buf_slice_add(&b->head, hd_buf_slice(&b->sources_json));
    hd_json_end(&json, ']');
    hd_json_end(&json, '}');
    hd_buf_byte(&b->head, '\n');
    return b->head.err;
}

int hd_batch_builder_close(struct hd_batch_builder *b, uint64_t first,
                           struct hd_slice *frame, struct hd_batch_info *info)
{
    if (b->count == 0) {
        forget(b);
        return HD_ENOENT;
    }
    if (first == 0 || first > (uint64_t)INT64_MAX - b->count) {
        return HD_EINVAL;
    }
    *info = (struct hd_batch_info){
        .agent = hd_buf_slice(&b->agent),
        .boot = hd_buf_slice(&b->boot),
        .first = first,
        .last = first + b->count - 1,
        .count = b->count,
        .time_min = b->time_min_us * 1000,
        .time_max = b->time_max_us * 1000,
    };
    int err = head_write(b, info);
    if (err != HD_OK) {
        return err;
    }
    uint8_t *start = body(b) - b->head.len;
    memcpy(start, b->head.ptr, b->head.len);
    info->raw_len = (uint32_t)(b->head.len + b->body_len);
    size_t len = ZSTD_compress2(b->zstd, b->frame, b->frame_cap, start, info->raw_len);
    if (ZSTD_isError(len)) {
        return ZSTD_getErrorCode(len) == ZSTD_error_memory_allocation ? HD_ENOMEM
                                                                      : HD_EBUG;
    }
    *frame = hd_slice(b->frame, len);
    forget(b);
    return HD_OK;
}
