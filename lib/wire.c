/* SPDX-License-Identifier: Apache-2.0
 *
 * The wire codec (docs/formats/wire.md): pure, no allocation, views of the input only.
 *
 *     frame     = length:u32 type:u8 body        length = 1 + size of body, big-endian
 *     hello     = version_min:u16 version_max:u16 agent:str boot:str program:str
 *                 first_spooled:u64 last_spooled:u64 [acknowledged:u64 *OCTET]
 *     welcome   = version:u16 credits:u32 last_durable:u64
 *     batch     = first:u64 last:u64 time_min:u64 time_max:u64 count:u32 raw_len:u32
 *                 crc32c:u32 payload:1*OCTET
 *     ack       = last_durable:u64 credits:u32
 *     heartbeat = n:u16 n*( stat:u16 value:u64 )
 *     bye       = code:u16 text:str *OCTET
 *     str       = length:u16 length*OCTET
 *
 * HELLO and BYE are exchanged before a version is agreed: what follows the members known
 * here is left to newer versions. All other bodies end exactly.
 */
#include <haidang/wire.h>

#include <haidang/bytes.h>

#include "lib/batch_format.h"

#define LENGTH_SIZE  4U
#define PROGRAM_MAX  255U
#define BYE_TEXT_MAX 1024U
#define STATS_MAX    (sizeof(((struct hd_wire_heartbeat *)0)->stats) / STAT_ENTRY)
#define STAT_ENTRY   sizeof(struct hd_wire_stat_value)

static bool decode_hello(struct hd_bytes *c, struct hd_wire_hello *m)
{
    m->version_min = hd_bytes_be16(c);
    m->version_max = hd_bytes_be16(c);
    m->agent = hd_bytes_str16(c);
    m->boot = hd_bytes_str16(c);
    m->program = hd_bytes_str16(c);
    m->first_spooled = hd_bytes_be64(c);
    m->last_spooled = hd_bytes_be64(c);
    m->acknowledged = hd_bytes_left(c) >= sizeof(uint64_t) ? hd_bytes_be64(c) : 0;
    hd_bytes_skip(c, hd_bytes_left(c));
    return m->version_min <= m->version_max && m->agent.len > 0 &&
           m->agent.len <= HD_BATCH_NAME_MAX && m->boot.len == HD_BATCH_BOOT_LEN &&
           m->program.len <= PROGRAM_MAX && m->first_spooled <= m->last_spooled;
}

static bool decode_welcome(struct hd_bytes *c, struct hd_wire_welcome *m)
{
    m->version = hd_bytes_be16(c);
    m->credits = hd_bytes_be32(c);
    m->last_durable = hd_bytes_be64(c);
    return true;
}

static bool decode_batch(struct hd_bytes *c, struct hd_wire_batch *m)
{
    m->first = hd_bytes_be64(c);
    m->last = hd_bytes_be64(c);
    m->time_min = (int64_t)hd_bytes_be64(c);
    m->time_max = (int64_t)hd_bytes_be64(c);
    m->count = hd_bytes_be32(c);
    m->raw_len = hd_bytes_be32(c);
    m->crc32c = hd_bytes_be32(c);
    m->payload = hd_bytes_view(c, hd_bytes_left(c));
    return m->first > 0 && m->last >= m->first && m->count > 0 &&
           m->last - m->first == m->count - 1 && m->time_min <= m->time_max &&
           m->raw_len <= HD_BATCH_RAW_MAX && m->payload.len > 0 &&
           m->payload.len <= HD_BATCH_WIRE_MAX;
}

static bool decode_ack(struct hd_bytes *c, struct hd_wire_ack *m)
{
    m->last_durable = hd_bytes_be64(c);
    m->credits = hd_bytes_be32(c);
    return true;
}

static bool decode_heartbeat(struct hd_bytes *c, struct hd_wire_heartbeat *m)
{
    m->n = hd_bytes_be16(c);
    if (m->n > STATS_MAX) {
        return false;
    }
    for (uint16_t i = 0; i < m->n; i++) {
        m->stats[i].stat = hd_bytes_be16(c);
        m->stats[i].value = hd_bytes_be64(c);
    }
    return true;
}

static bool decode_bye(struct hd_bytes *c, struct hd_wire_bye_body *m)
{
    m->code = hd_bytes_be16(c);
    m->text = hd_bytes_str16(c);
    hd_bytes_skip(c, hd_bytes_left(c));
    return m->text.len <= BYE_TEXT_MAX;
}

static bool decode_body(struct hd_bytes *c, struct hd_wire_frame *frame)
{
    switch (frame->type) {
    case HD_WIRE_HELLO:
        return decode_hello(c, &frame->u.hello);
    case HD_WIRE_WELCOME:
        return decode_welcome(c, &frame->u.welcome);
    case HD_WIRE_BATCH:
        return decode_batch(c, &frame->u.batch);
    case HD_WIRE_ACK:
        return decode_ack(c, &frame->u.ack);
    case HD_WIRE_HEARTBEAT:
        return decode_heartbeat(c, &frame->u.heartbeat);
    case HD_WIRE_BYE:
        return decode_bye(c, &frame->u.bye);
    default:
        hd_bytes_skip(c, hd_bytes_left(c));
        return true;
    }
}

static bool is_length_valid(uint32_t length)
{
    return length >= 1 && length <= HD_WIRE_FRAME_MAX;
}

size_t hd_wire_frame_len(struct hd_slice in)
{
    struct hd_bytes c = hd_bytes(in);
    uint32_t length = hd_bytes_be32(&c);
    return hd_bytes_failed(&c) || !is_length_valid(length) ? 0 : LENGTH_SIZE + length;
}

enum hd_parse hd_wire_decode(struct hd_slice in, struct hd_wire_frame *frame,
                             size_t *used)
{
    struct hd_bytes c = hd_bytes(in);
    uint32_t length = hd_bytes_be32(&c);
    if (hd_bytes_failed(&c)) {
        return HD_PARSE_MORE;
    }
    if (!is_length_valid(length)) {
        return HD_PARSE_BAD;
    }
    if (hd_bytes_left(&c) < length) {
        return HD_PARSE_MORE;
    }
    struct hd_bytes inner = hd_bytes_sub(&c, length);
    frame->type = (enum hd_wire_type)hd_bytes_u8(&inner);
    if (!decode_body(&inner, frame) || hd_bytes_failed(&inner) ||
        hd_bytes_left(&inner) > 0) {
        return HD_PARSE_BAD;
    }
    *used = LENGTH_SIZE + length;
    return HD_PARSE_OK;
}

/* ---- encoding ---- */

static void put_str(struct hd_buf *out, struct hd_slice text, size_t max)
{
    struct hd_slice cut = hd_slice_head(text, max);
    hd_buf_be16(out, (uint16_t)cut.len);
    hd_buf_slice_add(out, cut);
}

static void encode_hello(struct hd_buf *out, const struct hd_wire_hello *m)
{
    hd_buf_be16(out, m->version_min);
    hd_buf_be16(out, m->version_max);
    put_str(out, m->agent, HD_BATCH_NAME_MAX);
    put_str(out, m->boot, HD_BATCH_BOOT_LEN);
    put_str(out, m->program, PROGRAM_MAX);
    hd_buf_be64(out, m->first_spooled);
    hd_buf_be64(out, m->last_spooled);
    hd_buf_be64(out, m->acknowledged);
}

static void encode_batch(struct hd_buf *out, const struct hd_wire_batch *m)
{
    hd_buf_be64(out, m->first);
    hd_buf_be64(out, m->last);
    hd_buf_be64(out, (uint64_t)m->time_min);
    hd_buf_be64(out, (uint64_t)m->time_max);
    hd_buf_be32(out, m->count);
    hd_buf_be32(out, m->raw_len);
    hd_buf_be32(out, m->crc32c);
    hd_buf_slice_add(out, m->payload);
}

static void encode_heartbeat(struct hd_buf *out, const struct hd_wire_heartbeat *m)
{
    uint16_t n = m->n <= STATS_MAX ? m->n : (uint16_t)STATS_MAX;
    hd_buf_be16(out, n);
    for (uint16_t i = 0; i < n; i++) {
        hd_buf_be16(out, m->stats[i].stat);
        hd_buf_be64(out, m->stats[i].value);
    }
}

static void encode_body(struct hd_buf *out, const struct hd_wire_frame *frame)
{
    switch (frame->type) {
    case HD_WIRE_HELLO:
        encode_hello(out, &frame->u.hello);
        break;
    case HD_WIRE_WELCOME:
        hd_buf_be16(out, frame->u.welcome.version);
        hd_buf_be32(out, frame->u.welcome.credits);
        hd_buf_be64(out, frame->u.welcome.last_durable);
        break;
    case HD_WIRE_BATCH:
        encode_batch(out, &frame->u.batch);
        break;
    case HD_WIRE_ACK:
        hd_buf_be64(out, frame->u.ack.last_durable);
        hd_buf_be32(out, frame->u.ack.credits);
        break;
    case HD_WIRE_HEARTBEAT:
        encode_heartbeat(out, &frame->u.heartbeat);
        break;
    case HD_WIRE_BYE:
        hd_buf_be16(out, frame->u.bye.code);
        put_str(out, frame->u.bye.text, BYE_TEXT_MAX);
        break;
    default:
        break;
    }
}

void hd_wire_encode(struct hd_buf *out, const struct hd_wire_frame *frame)
{
    size_t start = out->len;
    hd_buf_be32(out, 0);
    hd_buf_byte(out, (uint8_t)frame->type);
    encode_body(out, frame);
    if (out->err != 0) {
        out->len = start;
        return;
    }
    uint32_t length = (uint32_t)(out->len - start - LENGTH_SIZE);
    for (size_t i = 0; i < LENGTH_SIZE; i++) {
        out->ptr[start + i] = (uint8_t)(length >> (24 - 8 * i));
    }
}
