/* SPDX-License-Identifier: Apache-2.0
 *
 * One frame: decode, find the flow, count, let a dissector see the payload, announce the
 * flow's start and end. This file steers; it parses nothing itself.
 */
#include "collector/packet/inspect.h"

#include <stdlib.h>

#include "collector/packet/dissect.h"
#include "collector/packet/stream.h"

#define BUFFERS_DEFAULT   64U
#define EXPIRE_PER_FRAME  4U /* more than one new flow a frame can add */
#define PROBES_MAX        16U /* segments in which a protocol may begin (STARTTLS, SOCKS) */
#define UNITS_PER_SEGMENT 64U

struct col_inspector {
    struct col_flow_table *flows;
    struct col_stream_pool *pool;
    struct col_recorder recorder;
    struct col_packet_stats stats;
    void (*emit)(void *ctx, struct hd_slice line);
    void *ctx;
};

/* ---- life ---- */

static void recorded(void *ctx, struct hd_slice line)
{
    struct col_inspector *in = ctx;
    in->stats.records++;
    in->emit(in->ctx, line);
}

static const char *app_name(const struct col_flow *flow)
{
    const struct col_dissector *app = col_dissector(flow->app);
    return app == NULL ? NULL : app->name;
}

static void flow_ended(void *ctx, struct col_flow *flow, enum col_flow_end how)
{
    struct col_inspector *in = ctx;
    col_stream_release(in->pool, &flow->side[COL_TO_SERVER].stream);
    col_stream_release(in->pool, &flow->side[COL_TO_CLIENT].stream);
    if (!flow->is_announced_end) {
        col_record_flow_end(&in->recorder, flow, col_flow_now(in->flows), how,
                            app_name(flow));
    }
}

int col_inspector_new(const struct col_inspect_opts *opts, struct col_inspector **out)
{
    *out = NULL;
    struct col_inspector *in = calloc(1, sizeof(*in));
    if (in == NULL) {
        return HD_ENOMEM;
    }
    in->emit = opts->emit;
    in->ctx = opts->ctx;
    in->recorder.emit = recorded;
    in->recorder.ctx = in;
    in->recorder.interface = opts->interface;
    struct col_flow_opts flow_opts = {
        .max = opts->flows_max, .ended = flow_ended, .ctx = in};
    memcpy(flow_opts.idle_ns, opts->idle_ns, sizeof(flow_opts.idle_ns));
    int err = col_recorder_init(&in->recorder, opts->community_seed);
    if (err == HD_OK) {
        err = col_flow_table_new(&flow_opts, &in->flows);
    }
    if (err == HD_OK) {
        err = col_stream_pool_new(
            opts->buffers_max == 0 ? BUFFERS_DEFAULT : opts->buffers_max, &in->pool);
    }
    if (err != HD_OK) {
        col_inspector_free(in);
        return err;
    }
    *out = in;
    return HD_OK;
}

void col_inspector_free(struct col_inspector *in)
{
    if (in == NULL) {
        return;
    }
    col_flow_table_free(in->flows);
    col_stream_pool_free(in->pool);
    col_recorder_fini(&in->recorder);
    free(in);
}

/* ---- application protocols ---- */

/* Asks every dissector of the transport. HD_PARSE_OK: flow->app is set. */
static enum hd_parse choose_app(struct col_flow *flow, struct hd_slice head)
{
    enum hd_parse best = HD_PARSE_BAD;
    for (uint8_t id = 1; col_dissector(id) != NULL; id++) {
        const struct col_dissector *app = col_dissector(id);
        if (app->proto != flow->key.proto) {
            continue;
        }
        enum hd_parse r = app->probe(flow, head);
        if (r == HD_PARSE_OK) {
            flow->app = id;
            flow->app_state = 0;
            return r;
        }
        best = r == HD_PARSE_MORE ? r : best;
    }
    return best;
}

static void inspect_datagram(struct col_inspector *in, struct col_flow *flow,
                             enum col_dir dir, const struct col_packet *p)
{
    if (p->payload.len == 0) {
        return;
    }
    if (flow->app == COL_APP_NONE) {
        if (flow->probes == PROBES_MAX) {
            return;
        }
        flow->probes++;
        if (choose_app(flow, p->payload) != HD_PARSE_OK) {
            return;
        }
    }
    const struct col_dissector *app = col_dissector(flow->app);
    struct col_dissect d = {.flow = flow,
                            .dir = dir,
                            .ns = p->ns,
                            .recorder = &in->recorder,
                            .is_cut = p->payload.len < p->payload_len};
    uint32_t used = 0;
    if ((dir == COL_TO_SERVER || app->wants_answers) &&
        app->feed(&d, p->payload, &used) != HD_PARSE_OK) {
        in->stats.units_malformed++;
    }
}

/* What became of the bytes that a dissector was shown. */
struct outcome {
    uint32_t used;
    enum col_next next;
};

static void begin_resync(const struct col_dissector *app, struct outcome *out)
{
    out->next = app->resyncs ? COL_NEXT_RESYNC : COL_NEXT_DONE;
}

/* Feeds unit after unit; everything the outcome does not use waits for more. */
static struct outcome feed_units(struct col_inspector *in, struct col_dissect *d,
                                 const struct col_dissector *app, struct hd_slice view)
{
    struct outcome out = {0, COL_NEXT_UNIT};
    bool is_cut = d->is_cut;
    d->is_cut = false;
    for (unsigned units = 0; out.used < view.len; units++) {
        struct hd_slice left = hd_slice_from(view, out.used);
        uint32_t used = 0;
        enum hd_parse r =
            units == UNITS_PER_SEGMENT ? HD_PARSE_BAD : app->feed(d, left, &used);
        if (r == HD_PARSE_MORE && is_cut) {
            d->is_cut = true;
            r = app->feed(d, left, &used);
            in->stats.units_lost += r == HD_PARSE_MORE;
        }
        if (r == HD_PARSE_MORE && !is_cut) {
            return out;
        }
        if (r != HD_PARSE_OK || hd_fails(used > 0)) {
            in->stats.units_malformed += r == HD_PARSE_BAD;
            out.used = (uint32_t)view.len;
            begin_resync(app, &out);
            return out;
        }
        if (__builtin_add_overflow(out.used, used, &out.used)) {
            out.used = (uint32_t)view.len;
            begin_resync(app, &out);
            return out;
        }
        out.next = d->next;
        if (out.next != COL_NEXT_UNIT) {
            return out;
        }
    }
    return out;
}

/* The flow's protocol is not known yet: may it begin here? */
static bool find_app(struct col_flow *flow, struct hd_slice view, bool is_cut,
                     struct outcome *out)
{
    enum hd_parse r = choose_app(flow, view);
    if (r == HD_PARSE_OK) {
        return true;
    }
    *out = (struct outcome){(uint32_t)view.len, COL_NEXT_UNIT};
    if (r == HD_PARSE_MORE && !is_cut) {
        out->used = 0;
    } else if (++flow->probes == PROBES_MAX) {
        out->next = COL_NEXT_DONE;
    }
    return false;
}

/* Does the dissector find a unit's start here again? */
static bool find_start(struct col_flow *flow, enum col_dir dir,
                       const struct col_dissector *app, struct hd_slice view,
                       struct outcome *out)
{
    if (app->probe(flow, view) == HD_PARSE_OK) {
        flow->is_resync[dir] = false;
        return true;
    }
    *out = (struct outcome){(uint32_t)view.len, COL_NEXT_RESYNC};
    return false;
}

static struct outcome show(struct col_inspector *in, struct col_flow *flow,
                           struct col_dissect *d, struct hd_slice view)
{
    struct outcome out = {(uint32_t)view.len, COL_NEXT_UNIT};
    if (flow->app == COL_APP_NONE && !find_app(flow, view, d->is_cut, &out)) {
        return out;
    }
    const struct col_dissector *app = col_dissector(flow->app);
    if (flow->is_resync[d->dir] && !find_start(flow, d->dir, app, view, &out)) {
        return out;
    }
    return feed_units(in, d, app, view);
}

static void after_gap(struct col_inspector *in, struct col_flow *flow, enum col_dir dir)
{
    const struct col_dissector *app = col_dissector(flow->app);
    if (app == NULL) {
        return;
    }
    in->stats.units_lost++;
    if (app->resyncs) {
        flow->is_resync[dir] = true;
    } else {
        col_stream_release(in->pool, &flow->side[dir].stream);
    }
}

static bool is_wanted(const struct col_flow *flow, enum col_dir dir)
{
    const struct col_dissector *app = col_dissector(flow->app);
    return dir == COL_TO_SERVER || (app != NULL && app->wants_answers);
}

static void inspect_segment(struct col_inspector *in, struct col_flow *flow,
                            enum col_dir dir, const struct col_packet *p)
{
    struct col_flow_stream *stream = &flow->side[dir].stream;
    struct col_segment segment = {p->seq, p->payload_len, p->payload};
    struct hd_slice view;
    if ((p->tcp_flags & COL_TCP_SYN) != 0) {
        if (stream->state == COL_STREAM_FRESH) {
            stream->next_seq = p->seq + 1;
            stream->state = COL_STREAM_SYNCED;
        }
        segment.seq++; /* data behind a SYN (RFC 7413) */
    }
    if (segment.len == 0 || !is_wanted(flow, dir)) {
        return;
    }
    enum col_stream_result r = col_stream_push(in->pool, stream, &segment, &view);
    if (r == COL_STREAM_GAP) {
        after_gap(in, flow, dir);
    }
    if (r == COL_STREAM_NOTHING || stream->state == COL_STREAM_DONE) {
        return;
    }
    struct col_dissect d = {.flow = flow,
                            .dir = dir,
                            .ns = p->ns,
                            .recorder = &in->recorder,
                            .is_cut = col_stream_is_cut(stream, &segment, view)};
    struct outcome out = show(in, flow, &d, view);
    flow->is_resync[dir] = out.next == COL_NEXT_RESYNC;
    if (out.next == COL_NEXT_DONE) {
        col_stream_release(in->pool, stream);
        return;
    }
    if (out.next == COL_NEXT_PROBE) {
        flow->app = COL_APP_NONE;
        flow->probes = 0;
    }
    if (out.next == COL_NEXT_RESYNC) {
        out.used = (uint32_t)view.len;
    }
    col_stream_consume(in->pool, stream, &segment, view, out.used);
}

/* ---- frames ---- */

/* False when there is nothing to follow. */
static bool decode(struct col_inspector *in, const struct col_captured *frame,
                   struct col_packet *p)
{
    in->stats.frames++;
    in->stats.bytes += frame->wire_len;
    enum col_decode r = col_packet_decode(frame->link, frame->bytes, p);
    p->ns = frame->ns;
    p->wire_len = frame->wire_len;
    switch (r) {
    case COL_DECODE_OK:
        return true;
    case COL_DECODE_NOT_IP:
        in->stats.not_ip++;
        break;
    case COL_DECODE_OTHER:
        in->stats.other++;
        break;
    case COL_DECODE_FRAGMENT:
        in->stats.fragments++;
        break;
    case COL_DECODE_SHORT:
        in->stats.cut++;
        break;
    case COL_DECODE_MALFORMED:
        in->stats.malformed++;
        break;
    }
    return false;
}

void col_inspect_frame(struct col_inspector *in, const struct col_captured *frame)
{
    struct col_packet p;
    if (!decode(in, frame, &p)) {
        return;
    }
    (void)col_flow_expire(in->flows, p.ns, EXPIRE_PER_FRAME);
    enum col_dir dir = COL_TO_SERVER;
    bool is_new = false;
    struct col_flow *flow = col_flow_lookup(in->flows, &p, &dir, &is_new);
    if (flow == NULL) {
        in->stats.failed++;
        return;
    }
    bool is_over = flow->class_ == COL_FLOW_LINGER;
    bool has_closed = col_flow_update(in->flows, flow, dir, &p);
    if (is_new) {
        in->stats.flows++;
        col_record_flow_new(&in->recorder, flow);
    }
    if (p.proto == COL_PROTO_TCP && !is_over) {
        inspect_segment(in, flow, dir, &p);
    } else if (p.proto == COL_PROTO_UDP) {
        inspect_datagram(in, flow, dir, &p);
    }
    if (has_closed) {
        col_record_flow_end(&in->recorder, flow, p.ns, COL_END_CLOSED, app_name(flow));
        flow->is_announced_end = true;
        col_stream_release(in->pool, &flow->side[COL_TO_SERVER].stream);
        col_stream_release(in->pool, &flow->side[COL_TO_CLIENT].stream);
    }
}

unsigned col_inspect_tick(struct col_inspector *in, int64_t now_ns, unsigned limit)
{
    return col_flow_expire(in->flows, now_ns, limit);
}

unsigned col_inspect_flush(struct col_inspector *in, unsigned limit)
{
    return col_flow_flush(in->flows, limit);
}

int64_t col_inspect_deadline(const struct col_inspector *in)
{
    return col_flow_deadline(in->flows);
}

void col_inspect_stats(const struct col_inspector *in, struct col_packet_stats *out)
{
    *out = in->stats;
    out->flows_evicted = col_flow_evicted(in->flows);
    out->flows_open = col_flow_count(in->flows);
    out->failed += in->recorder.failed;
    out->units_lost += col_stream_stolen(in->pool);
}
