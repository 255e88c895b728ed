/* SPDX-License-Identifier: Apache-2.0
 *
 * One agent's connection: frames out of bytes, and what each frame means. A frame is
 * decoded where it arrived; only an incomplete one, or one that has to wait for the disk,
 * is copied. Every end has one log line, one counter and a BYE that says why.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include <haidang/archive_meta.h>
#include <haidang/clock.h>
#include <haidang/hash.h>
#include <haidang/log.h>
#include <haidang/main.h>

#include "correlator/intake/intake_core.h"
#include "correlator/metrics.h"

#define HELLO_MS  10000U /* from the end of the handshake */
#define FRAME_MS  60000U /* from its first byte to its last */
#define LINGER_MS 2000U
#define HASTE_MS  3000U /* for a handshake, while places are short */
#define WRITE_QUEUE_MAX                                                                  \
    ((size_t)64 << 10)                  /* our frames are tiny: more means nobody reads */
#define SMALL_FRAME  ((size_t)16 << 10) /* below, a frame needs no reservation */
#define KEEP_BUFFER  ((size_t)64 << 10)
#define LENGTH_BYTES 4U

/* ---- sending ---- */

static void send_frame(struct cor_session *s, const struct hd_wire_frame *frame)
{
    struct hd_buf *out = &s->intake->scratch;
    hd_buf_clear(out);
    hd_wire_encode(out, frame);
    int err = out->err != 0 ? out->err : hd_stream_write(s->stream, hd_buf_slice(out));
    if (err == HD_OK || err == HD_ECLOSED || s->state == COR_SESSION_CLOSING) {
        return;
    }
    COR_COUNT(COR_M_SLOW, 1);
    HD_LOG(WARN, "intake", "agent does not read what it is told; connection closed",
           HD_KV_STR("peer", hd_stream_peer(s->stream)), HD_KV_ERR(err));
    hd_stream_close(s->stream, 0);
}

/* ---- ending ---- */

static void leave_lists(struct cor_session *s)
{
    struct cor_intake *in = s->intake;
    cor_intake_stop_waiting(s);
    if (s->wants_ack) {
        TAILQ_REMOVE(&in->acks, s, acks);
        s->wants_ack = false;
    }
    if (s->state == COR_SESSION_ACTIVE) {
        in->n_active--;
        s->agent->session = NULL;
        s->agent = NULL;
    }
}

struct ending {
    enum cor_metrics_id metric; /* cor_metrics_count: none */
    enum hd_wire_bye code;
};

static const struct ending by_protocol = {COR_M_PROTOCOL, HD_WIRE_BYE_PROTOCOL};
static const struct ending by_identity = {COR_M_IDENTITY, HD_WIRE_BYE_IDENTITY};
static const struct ending by_version = {COR_M_VERSION, HD_WIRE_BYE_VERSION};
static const struct ending by_idleness = {COR_M_IDLE, HD_WIRE_BYE_NORMAL};
static const struct ending by_slowness = {COR_M_SLOW, HD_WIRE_BYE_NORMAL};
static const struct ending by_full_table = {COR_M_REFUSED, HD_WIRE_BYE_BUSY};
static const struct ending by_successor = {COR_M_SUPERSEDED, HD_WIRE_BYE_NORMAL};
static const struct ending by_full_archive = {cor_metrics_count, HD_WIRE_BYE_FULL};

/* Counts, logs, says BYE, closes. Nothing more is taken from this connection. */
static void end(struct cor_session *s, struct ending how, const char *fmt, ...)
    HD_PRINTF(3, 4);
static void end(struct cor_session *s, struct ending how, const char *fmt, ...)
{
    char why[256];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    if (how.metric != cor_metrics_count) {
        COR_COUNT(how.metric, 1);
    }
    HD_LOG(WARN, "intake", "connection closed",
           HD_KV_STR("agent", hd_stream_peer_cn(s->stream)),
           HD_KV_STR("peer", hd_stream_peer(s->stream)), HD_KV_STR("why", why));
    leave_lists(s);
    s->state = COR_SESSION_CLOSING;
    send_frame(s, &(struct hd_wire_frame){
                      .type = HD_WIRE_BYE,
                      .u.bye = {.code = (uint16_t)how.code, .text = hd_slice_str(why)}});
    hd_stream_close(s->stream, LINGER_MS);
}

/* ---- HELLO ---- */

static bool check_hello(struct cor_session *s, const struct hd_wire_hello *hello)
{
    const char *cn = hd_stream_peer_cn(s->stream);
    if (hello->version_min > HD_WIRE_VERSION || hello->version_max < HD_WIRE_VERSION) {
        end(s, by_version,
            "this correlator (%s) speaks version %u of the protocol, the agent %u to %u; "
            "update the older one",
            hd_version, HD_WIRE_VERSION, hello->version_min, hello->version_max);
        return false;
    }
    if (!cor_agent_name_is_valid(hello->agent)) {
        end(s, by_protocol, "the agent's name is not 1 to 255 of A-Z a-z 0-9 - _ .");
        return false;
    }
    if (!hd_slice_eq(hello->agent, hd_slice_str(cn))) {
        end(s, by_identity,
            "the agent calls itself \"%.*s\" but its certificate is for \"%s\"",
            (int)(hello->agent.len < 64 ? hello->agent.len : 64), hello->agent.ptr, cn);
        return false;
    }
    if (!cor_agent_boot_is_valid(hello->boot)) {
        end(s, by_protocol, "the boot id is not 32 hex digits");
        return false;
    }
    return true;
}

static void welcome(struct cor_session *s)
{
    uint32_t credits = cor_intake_credits(s->intake);
    s->credits_high = credits;
    send_frame(s, &(struct hd_wire_frame){
                      .type = HD_WIRE_WELCOME,
                      .u.welcome = {.version = HD_WIRE_VERSION,
                                    .credits = credits,
                                    .last_durable = s->agent->ledger.durable}});
}

struct gaps {
    struct cor_losses *losses;
    const struct cor_agent *agent;
};

static void tell_gap(void *ctx, uint64_t first, uint64_t last)
{
    const struct gaps *gaps = ctx;
    int64_t now_ns = hd_clock_wall_ns();
    struct hd_loss loss = {.kind = HD_LOSS_GAP,
                           .time_ns = now_ns,
                           .first_ns = now_ns,
                           .last_ns = now_ns,
                           .count = last - first + 1,
                           .first_seq = first,
                           .last_seq = last,
                           .by = "correlator"};
    HD_LOSS_SET(loss.agent, hd_slice_str(gaps->agent->name));
    HD_LOSS_SET(loss.boot, hd_slice_str(gaps->agent->boot));
    (void)snprintf(loss.at, sizeof(loss.at), "%s/%s/%" PRIu64, loss.agent, loss.boot,
                   first);
    cor_losses_tell(gaps->losses, &loss);
}

/* Of an agent that is new here, and does not say what was acknowledged, nothing is known
 * to be missing. */
static void settle_absent(struct cor_session *s, struct cor_agent *agent,
                          const struct hd_wire_hello *hello, bool is_known)
{
    struct gaps gaps = {s->intake->opts.losses, agent};
    bool is_lost = is_known || hello->acknowledged > 0;
    struct cor_absent absent =
        cor_ledger_floor(&agent->ledger, hello->first_spooled, hello->acknowledged,
                         is_lost ? tell_gap : NULL, &gaps);
    COR_COUNT(COR_M_ELSEWHERE, absent.elsewhere);
    if (absent.elsewhere > 0) {
        HD_LOG(INFO, "intake", "an agent delivered records to another correlator",
               HD_KV_STR("agent", agent->name), HD_KV_UINT("records", absent.elsewhere));
    }
    if (absent.lost > 0 && is_lost) {
        COR_COUNT(COR_M_MISSING, absent.lost);
        HD_LOG(WARN, "intake", "records are missing that the agent no longer has",
               HD_KV_STR("agent", agent->name), HD_KV_UINT("records", absent.lost));
    }
}

static void on_hello(struct cor_session *s, const struct hd_wire_hello *hello)
{
    struct cor_intake *in = s->intake;
    struct cor_agent *agent = NULL;
    if (!check_hello(s, hello)) {
        return;
    }
    if (in->archive_state == COR_ARCHIVE_FULL) {
        end(s, by_full_archive, "the archive is full; come back later");
        return;
    }
    bool is_known = cor_agents_find(&in->agents, hello->agent, hello->boot) != NULL;
    int err = cor_agents_get(&in->agents, hello->agent, hello->boot, &agent);
    if (err != HD_OK) {
        end(s, by_full_table, "no room for another agent: %s", hd_err_text(err));
        return;
    }
    if (agent->session != NULL) {
        end(agent->session, by_successor, "replaced by a newer connection from %s",
            hd_stream_peer(s->stream));
    }
    settle_absent(s, agent, hello, is_known);
    agent->session = s;
    agent->seen_ns = hd_clock_wall_ns();
    (void)snprintf(agent->peer, sizeof(agent->peer), "%s", hd_stream_peer(s->stream));
    s->agent = agent;
    s->state = COR_SESSION_ACTIVE;
    in->n_active++;
    HD_LOG(INFO, "intake", "agent connected", HD_KV_STR("agent", agent->name),
           HD_KV_STR("peer", agent->peer), HD_KV_SLICE("program", hello->program),
           HD_KV_UINT("durable", agent->ledger.durable));
    welcome(s);
}

/* ---- BATCH ---- */

/* What can be said without decompressing and hd_wire_decode has not said; NULL = fine. */
static const char *batch_problem(const struct hd_wire_batch *b)
{
    if (hd_crc32c(0, b->payload.ptr, b->payload.len) != b->crc32c) {
        return "the batch's checksum is wrong";
    }
    if (ZSTD_findFrameCompressedSize(b->payload.ptr, b->payload.len) != b->payload.len) {
        return "the batch is not one zstd frame";
    }
    unsigned long long size = ZSTD_getFrameContentSize(b->payload.ptr, b->payload.len);
    if (size != ZSTD_CONTENTSIZE_UNKNOWN && size != b->raw_len) {
        return "the batch is not as long as it says";
    }
    return NULL;
}

static int submit(struct cor_session *s, const struct hd_wire_batch *b,
                  struct cor_span *span)
{
    struct hd_buf *meta = &s->intake->scratch;
    hd_buf_clear(meta);
    hd_archive_meta_encode(
        meta, &(struct hd_archive_meta){.agent = hd_slice_str(s->agent->name),
                                        .boot = hd_slice_str(s->agent->boot),
                                        .peer = hd_slice_str(s->agent->peer),
                                        .taken_ns = hd_clock_wall_ns()});
    if (meta->err != 0) {
        return meta->err;
    }
    const struct hd_journal_entry entry = {.first = b->first,
                                           .last = b->last,
                                           .time_min = b->time_min,
                                           .time_max = b->time_max,
                                           .count = b->count,
                                           .raw_len = b->raw_len,
                                           .meta = hd_buf_slice(meta),
                                           .payload = b->payload};
    return hd_journal_writer_submit(s->intake->archive, &entry, span);
}

/* HD_EFULL: the frame has to wait. */
static int archive(struct cor_session *s, const struct hd_wire_batch *b)
{
    struct cor_ledger *ledger = &s->agent->ledger;
    struct cor_pace *pace = &s->intake->pace;
    const struct cor_span batch = {.owner = s->agent,
                                   .since_ms = uv_now(s->intake->opts.loop),
                                   .first = b->first,
                                   .last = b->last,
                                   .count = b->count,
                                   .raw_len = b->raw_len,
                                   .bytes = (uint32_t)b->payload.len};
    struct cor_span *span = NULL;
    uint64_t missing = 0;
    /* What an agent that comes from another correlator sent there is not missing. */
    bool is_first = ledger->durable == 0 && ledger->head == NULL;
    if (!cor_intake_has_turn(s, cor_intake_disk_queue(s)) ||
        !cor_pace_take(pace, batch.bytes, batch.since_ms)) {
        return HD_EFULL;
    }
    int err = cor_ledger_take(ledger, &batch, &span, &missing);
    if (err == HD_OK) {
        err = submit(s, b, span);
        if (err != HD_OK) {
            cor_ledger_failed(ledger, span);
        }
    }
    if (err != HD_OK) {
        cor_pace_undo(pace, batch.bytes);
        return err;
    }
    cor_intake_took_turn(s);
    if (missing > 0 && !is_first) {
        COR_COUNT(COR_M_MISSING, missing);
        HD_LOG(WARN, "intake", "records are missing in front of a batch",
               HD_KV_STR("agent", s->agent->name), HD_KV_UINT("first", b->first),
               HD_KV_UINT("records", missing));
        tell_gap(&(struct gaps){s->intake->opts.losses, s->agent}, b->first - missing,
                 b->first - 1);
    }
    return HD_OK;
}

static int on_batch(struct cor_session *s, const struct hd_wire_batch *b)
{
    const char *problem = batch_problem(b);
    if (problem != NULL) {
        end(s, by_protocol, "%s", problem);
        return HD_OK;
    }
    switch (cor_ledger_check(&s->agent->ledger, b->first, b->last)) {
    case COR_LEDGER_HELD:
        COR_COUNT(COR_M_DUPLICATES, 1);
        cor_intake_want_ack(s->intake, s);
        return HD_OK;
    case COR_LEDGER_IN_FLIGHT:
        COR_COUNT(COR_M_DUPLICATES, 1);
        return HD_OK;
    case COR_LEDGER_OVERLAPS:
        COR_COUNT(COR_M_OVERLAPS, 1);
        break;
    case COR_LEDGER_NEW:
        break;
    }
    if (s->intake->archive_state == COR_ARCHIVE_FULL) {
        cor_session_refused(s, s->intake->archive_err);
        return HD_OK;
    }
    if (s->agent->ledger.flight_bytes > s->credits_high) {
        end(s, by_protocol, "more was sent than the credits allow (%llu bytes)",
            (unsigned long long)s->credits_high);
        return HD_OK;
    }
    int err = archive(s, b);
    if (err != HD_OK && err != HD_EFULL) {
        HD_LOG(ERROR, "intake", "a batch could not be handed to the archive",
               HD_KV_STR("agent", s->agent->name), HD_KV_ERR(err));
        cor_session_refused(s, err);
        return HD_OK;
    }
    return err;
}

/* ---- HEARTBEAT, BYE ---- */

static void note_clock(struct cor_agent *agent)
{
    uint64_t said_ns = agent->stats[HD_WIRE_STAT_WALL_NS];
    if (said_ns > 0 && said_ns <= INT64_MAX) {
        agent->clock_difference_ns = (int64_t)said_ns - agent->seen_ns;
    }
}

static void on_heartbeat(struct cor_session *s, const struct hd_wire_heartbeat *beat)
{
    for (uint16_t i = 0; i < beat->n; i++) {
        if (beat->stats[i].stat < HD_WIRE_STAT_END) {
            s->agent->stats[beat->stats[i].stat] = beat->stats[i].value;
        }
    }
    s->agent->seen_ns = hd_clock_wall_ns();
    note_clock(s->agent);
    send_frame(s, &(struct hd_wire_frame){.type = HD_WIRE_HEARTBEAT});
}

static void on_bye(struct cor_session *s, const struct hd_wire_bye_body *bye)
{
    HD_LOG(INFO, "intake", "agent says goodbye",
           HD_KV_STR("agent", hd_stream_peer_cn(s->stream)),
           HD_KV_STR("peer", hd_stream_peer(s->stream)), HD_KV_UINT("code", bye->code),
           HD_KV_SLICE("text", hd_slice_head(bye->text, 256)));
    leave_lists(s);
    s->state = COR_SESSION_CLOSING;
    hd_stream_close(s->stream, LINGER_MS);
}

/* HD_EFULL: the frame was not taken and has to wait. */
static int on_frame(struct cor_session *s, const struct hd_wire_frame *frame)
{
    bool is_hello = frame->type == HD_WIRE_HELLO;
    if (frame->type == HD_WIRE_BYE) {
        on_bye(s, &frame->u.bye);
        return HD_OK;
    }
    if (is_hello != (s->state == COR_SESSION_HELLO)) {
        end(s, by_protocol, "%s", is_hello ? "HELLO comes once" : "HELLO comes first");
        return HD_OK;
    }
    switch ((unsigned)frame->type) {
    case HD_WIRE_HELLO:
        on_hello(s, &frame->u.hello);
        return HD_OK;
    case HD_WIRE_BATCH:
        return on_batch(s, &frame->u.batch);
    case HD_WIRE_HEARTBEAT:
        on_heartbeat(s, &frame->u.heartbeat);
        return HD_OK;
    case HD_WIRE_WELCOME:
    case HD_WIRE_ACK:
        end(s, by_protocol, "an agent does not send this kind of frame (%u)",
            (unsigned)frame->type);
        return HD_OK;
    default:
        return HD_OK; /* of a newer peer: may be ignored */
    }
}

/* ---- bytes -> frames ---- */

static bool is_taking(const struct cor_session *s)
{
    return (s->state == COR_SESSION_HELLO || s->state == COR_SESSION_ACTIVE) &&
           s->waits_in == NULL;
}

/* Handles the complete frames at the start of `data`; returns how many bytes they took.
 */
static size_t take_frames(struct cor_session *s, struct hd_slice data)
{
    size_t taken = 0;
    while (is_taking(s)) {
        struct hd_wire_frame frame;
        size_t used = 0;
        struct hd_slice rest = hd_slice_from(data, taken);
        enum hd_parse rc =
            rest.len == 0 ? HD_PARSE_MORE : hd_wire_decode(rest, &frame, &used);
        if (rc == HD_PARSE_MORE) {
            break;
        }
        if (rc == HD_PARSE_BAD) {
            end(s, by_protocol, "what was sent is no frame of the protocol");
            break;
        }
        if (on_frame(s, &frame) == HD_EFULL) {
            cor_intake_wait(s, cor_intake_disk_queue(s));
            break;
        }
        taken += used;
    }
    return taken;
}

static void free_buffer(struct cor_session *s)
{
    cor_intake_release(s->intake, s->reserved);
    s->reserved = 0;
    s->frame_since_ms = 0;
    if (s->in.cap > KEEP_BUFFER) {
        hd_buf_fini(&s->in);
        hd_buf_init(&s->in, 0);
    }
}

/* After frames were taken from `in`: reserves what the unfinished one needs, or waits. */
static void settle_buffer(struct cor_session *s)
{
    if (s->in.len == 0) {
        free_buffer(s);
        return;
    }
    if (!is_taking(s)) {
        return;
    }
    if (s->frame_since_ms == 0) {
        s->frame_since_ms = uv_now(s->intake->opts.loop);
    }
    size_t len = hd_wire_frame_len(hd_buf_slice(&s->in));
    if (len <= SMALL_FRAME || len > HD_WIRE_FRAME_MAX + LENGTH_BYTES ||
        s->reserved >= len) {
        return;
    }
    if (!cor_intake_reserve(s, len - s->reserved)) {
        cor_intake_wait(s, &s->intake->for_memory);
        return;
    }
    s->reserved = len;
    if (s->in.len < len) {
        (void)hd_buf_reserve(&s->in, len - s->in.len);
    }
}

static void take_from_buffer(struct cor_session *s)
{
    size_t taken = take_frames(s, hd_buf_slice(&s->in));
    if (taken > 0) {
        hd_buf_consume(&s->in, taken);
        cor_intake_release(s->intake, s->reserved);
        s->reserved = 0;
        s->frame_since_ms = 0;
    }
    settle_buffer(s);
}

static void session_data(void *ctx, struct hd_slice data)
{
    struct cor_session *s = ctx;
    if (s->state == COR_SESSION_CLOSING) {
        return;
    }
    s->heard_ms = uv_now(s->intake->opts.loop);
    if (s->in.len == 0 && is_taking(s)) {
        data = hd_slice_from(data, take_frames(s, data));
        if (s->state == COR_SESSION_CLOSING || data.len == 0) {
            return;
        }
        hd_buf_slice_add(&s->in, data);
        settle_buffer(s);
    } else {
        hd_buf_slice_add(&s->in, data);
        take_from_buffer(s);
    }
    if (s->in.err != 0 && s->state != COR_SESSION_CLOSING) {
        end(s, by_slowness, "no memory for its frames");
    }
}

bool cor_session_go_on(struct cor_session *s)
{
    s->frame_since_ms = 0; /* waiting was not its fault */
    take_from_buffer(s);
    if (s->waits_in == NULL && s->state != COR_SESSION_CLOSING) {
        s->heard_ms = uv_now(s->intake->opts.loop);
        hd_stream_resume(s->stream);
    }
    return s->waits_in == NULL;
}

/* ---- life ---- */

static void session_open(void *ctx, struct hd_stream *stream)
{
    struct cor_session *s = ctx;
    (void)stream;
    cor_intake_admitted(s->intake, s);
    s->state = COR_SESSION_HELLO;
    s->opened_ms = s->heard_ms = uv_now(s->intake->opts.loop);
}

static void session_close(void *ctx, int err, const char *why)
{
    struct cor_session *s = ctx;
    if (s->state == COR_SESSION_TLS) {
        cor_intake_admitted(s->intake, s);
        COR_COUNT(COR_M_HANDSHAKE_FAILED, 1);
        HD_LOG(WARN, "intake", "no secure connection",
               HD_KV_STR("peer", hd_stream_peer(s->stream)), HD_KV_STR("why", why));
    } else if (s->state != COR_SESSION_CLOSING) {
        HD_LOG(INFO, "intake", "agent disconnected",
               HD_KV_STR("agent", hd_stream_peer_cn(s->stream)),
               HD_KV_STR("peer", hd_stream_peer(s->stream)), HD_KV_STR("why", why),
               HD_KV_ERR(err));
    }
    leave_lists(s);
    cor_intake_release(s->intake, s->reserved);
    hd_buf_fini(&s->in);
    cor_intake_gone(s->intake, s);
    free(s);
}

static const struct hd_stream_ops session_ops = {
    .on_open = session_open, .on_data = session_data, .on_close = session_close};

/* Who connects and stays silent must not keep the places from agents. 0 = the usual. */
static uint64_t handshake_ms(const struct cor_intake *in)
{
    return in->admit.at_once > in->admit.at_once_max / 2 ? HASTE_MS : 0;
}

/* Refused, not left to wait: whoever waits in front of others makes them wait, too. */
static void refuse_crowd(struct cor_session *s)
{
    struct cor_intake *in = s->intake;
    COR_COUNT(COR_M_CROWDED, 1);
    HD_LOG(WARN, "intake",
           "too many handshakes at once from one address: a connection was refused",
           HD_KV_STR("peer", hd_stream_peer(s->stream)),
           HD_KV_UINT("max", in->opts.handshakes_per_address));
    cor_admit_undo(&in->admit);
    s->state = COR_SESSION_CLOSING;
    hd_stream_close(s->stream, 0);
}

void cor_session_accept(struct cor_intake *in, uv_stream_t *server)
{
    struct cor_session *s = calloc(1, sizeof(*s));
    int err = s == NULL ? HD_ENOMEM : HD_OK;
    if (s == NULL) {
        hd_listener_refuse(server);
    } else {
        s->intake = in;
        hd_buf_init(&s->in, 2 * (size_t)HD_WIRE_FRAME_MAX);
        err =
            hd_stream_accept(server,
                             &(struct hd_stream_opts){.ops = &session_ops,
                                                      .ctx = s,
                                                      .tls = in->opts.tls,
                                                      .handshake_ms = handshake_ms(in),
                                                      .write_queue_max = WRITE_QUEUE_MAX},
                             &s->stream);
    }
    if (err != HD_OK) {
        HD_LOG(WARN, "intake", "a connection could not be taken", HD_KV_ERR(err));
        cor_admit_done(&in->admit);
        free(s);
        return;
    }
    TAILQ_INSERT_TAIL(&in->sessions, s, all);
    in->n_sessions++;
    s->net = cor_addresses_net(hd_stream_peer_ip(s->stream));
    if (cor_addresses_enter(&in->addresses, &s->net)) {
        COR_COUNT(COR_M_CONNECTIONS, 1);
    } else {
        refuse_crowd(s);
    }
}

void cor_session_tick(struct cor_session *s, uint64_t now_ms)
{
    if (s->waits_in != NULL) {
        return;
    }
    if (s->state == COR_SESSION_HELLO && now_ms - s->opened_ms > HELLO_MS) {
        end(s, by_idleness, "no HELLO within %u s", HELLO_MS / 1000);
    } else if (s->state == COR_SESSION_ACTIVE && s->frame_since_ms != 0 &&
               now_ms - s->frame_since_ms > FRAME_MS) {
        end(s, by_slowness, "a frame took longer than %u s", FRAME_MS / 1000);
    } else if (s->state == COR_SESSION_ACTIVE &&
               now_ms - s->heard_ms > s->intake->opts.idle_ms) {
        end(s, by_idleness, "nothing was heard for %llu s",
            (unsigned long long)s->intake->opts.idle_ms / 1000);
    }
}

void cor_session_ack(struct cor_session *s)
{
    uint32_t credits = cor_intake_credits(s->intake);
    s->credits_high = credits > s->credits_high ? credits : s->credits_high;
    send_frame(s,
               &(struct hd_wire_frame){.type = HD_WIRE_ACK,
                                       .u.ack = {.last_durable = s->agent->ledger.durable,
                                                 .credits = credits}});
}

void cor_session_refused(struct cor_session *s, int err)
{
    if (s->state == COR_SESSION_ACTIVE) {
        if (s->wants_ack) {
            cor_session_ack(s); /* what is durable need not come again */
        }
        end(s, by_full_archive, "the archive takes no more (%s); come back later",
            hd_err_text(err));
    }
}

void cor_session_shutdown(struct cor_session *s)
{
    if (s->state == COR_SESSION_TLS) {
        hd_stream_close(s->stream, 0);
    } else if (s->state != COR_SESSION_CLOSING) {
        leave_lists(s);
        s->state = COR_SESSION_CLOSING;
        send_frame(s, &(struct hd_wire_frame){
                          .type = HD_WIRE_BYE,
                          .u.bye = {.code = HD_WIRE_BYE_SHUTDOWN,
                                    .text = HD_SLICE("the correlator is stopping")}});
        hd_stream_close(s->stream, LINGER_MS);
    }
}
