/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing records. What a field may be as long as is bounded by who calls; the buffer's
 * cap is only the last resort, and a record that hits it is lost and counted.
 */
#include "collector/packet/record.h"

#include <haidang/clock.h>

#define RECORD_MAX (256U << 10)

int col_recorder_init(struct col_recorder *r, uint16_t seed)
{
    hd_buf_init(&r->buf, RECORD_MAX);
    return col_community_init(&r->community, seed);
}

void col_recorder_fini(struct col_recorder *r)
{
    hd_buf_fini(&r->buf);
    col_community_fini(&r->community);
}

static void put_ip(struct hd_json *j, const char *key, const struct hd_ip *ip)
{
    char text[HD_IP_TEXT_MAX];
    size_t len = hd_ip_format(ip, text);
    hd_json_str(j, key, hd_slice(text, len));
}

static void put_vlan(struct hd_json *j, const struct col_flow *flow)
{
    if (flow->key.vlans == 0) {
        return;
    }
    hd_json_array(j, "vlan");
    for (unsigned i = 0; i < flow->key.vlans; i++) {
        hd_json_u64(j, NULL, flow->key.vlan[i]);
    }
    hd_json_end(j, ']');
}

static bool is_icmp(const struct col_flow *flow)
{
    return flow->key.proto == COL_PROTO_ICMP || flow->key.proto == COL_PROTO_ICMP6;
}

static void put_community(struct col_recorder *r, struct hd_json *j,
                          const struct col_flow *flow)
{
    struct col_community_tuple tuple = {
        .src = *col_flow_ip(flow, COL_TO_SERVER),
        .dst = *col_flow_ip(flow, COL_TO_CLIENT),
        .src_port = col_flow_port(flow, COL_TO_SERVER),
        .dst_port = col_flow_port(flow, COL_TO_CLIENT),
        .proto = flow->key.proto,
        .icmp_type = flow->icmp_type,
        .icmp_code = flow->icmp_code,
    };
    char text[COL_COMMUNITY_ID_LEN + 1];
    if (col_community_id(&r->community, &tuple, text) == HD_OK) {
        hd_json_cstr(j, "community_id", text);
    }
}

struct hd_json col_record_begin(struct col_recorder *r, const struct col_flow *flow,
                                int64_t ns, const char *event_type)
{
    hd_buf_clear(&r->buf);
    struct hd_json j = hd_json(&r->buf);
    hd_json_object(&j, NULL);
    hd_json_time(&j, "timestamp", ns, 6);
    hd_json_u64(&j, "flow_id", flow->id);
    if (r->interface != NULL) {
        hd_json_cstr(&j, "in_iface", r->interface);
    }
    hd_json_cstr(&j, "event_type", event_type);
    put_vlan(&j, flow);
    put_ip(&j, "src_ip", col_flow_ip(flow, COL_TO_SERVER));
    if (!is_icmp(flow)) {
        hd_json_u64(&j, "src_port", col_flow_port(flow, COL_TO_SERVER));
    }
    put_ip(&j, "dest_ip", col_flow_ip(flow, COL_TO_CLIENT));
    if (!is_icmp(flow)) {
        hd_json_u64(&j, "dest_port", col_flow_port(flow, COL_TO_CLIENT));
    }
    hd_json_cstr(&j, "proto", col_proto_name(flow->key.proto));
    if (is_icmp(flow)) {
        hd_json_u64(&j, "icmp_type", flow->icmp_type);
        hd_json_u64(&j, "icmp_code", flow->icmp_code);
    }
    put_community(r, &j, flow);
    return j;
}

void col_record_end(struct col_recorder *r, struct hd_json *j)
{
    hd_json_end(j, '}');
    if (r->buf.err != 0) {
        r->failed++;
        return;
    }
    r->emit(r->ctx, hd_buf_slice(&r->buf));
}

static void put_counts(struct hd_json *j, const struct col_flow *flow)
{
    hd_json_u64(j, "pkts_toserver", flow->side[COL_TO_SERVER].packets);
    hd_json_u64(j, "pkts_toclient", flow->side[COL_TO_CLIENT].packets);
    hd_json_u64(j, "bytes_toserver", flow->side[COL_TO_SERVER].bytes);
    hd_json_u64(j, "bytes_toclient", flow->side[COL_TO_CLIENT].bytes);
    hd_json_time(j, "start", flow->start_ns, 6);
}

static void put_hex(struct hd_json *j, const char *key, uint8_t value)
{
    static const char digits[] = "0123456789abcdef";
    char text[2] = {digits[value >> 4], digits[value & 15]};
    hd_json_str(j, key, hd_slice(text, sizeof(text)));
}

static void put_tcp(struct hd_json *j, const struct col_flow *flow)
{
    static const struct {
        const char *name;
        uint8_t flag;
    } names[] = {{"syn", COL_TCP_SYN}, {"fin", COL_TCP_FIN}, {"rst", COL_TCP_RST},
                 {"psh", COL_TCP_PSH}, {"ack", COL_TCP_ACK}, {"urg", COL_TCP_URG},
                 {"ecn", COL_TCP_ECE}, {"cwr", COL_TCP_CWR}};
    uint8_t ts = flow->side[COL_TO_SERVER].tcp_flags;
    uint8_t tc = flow->side[COL_TO_CLIENT].tcp_flags;
    hd_json_object(j, "tcp");
    put_hex(j, "tcp_flags", ts | tc);
    put_hex(j, "tcp_flags_ts", ts);
    put_hex(j, "tcp_flags_tc", tc);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (((ts | tc) & names[i].flag) != 0) {
            hd_json_bool(j, names[i].name, true);
        }
    }
    hd_json_end(j, '}');
}

void col_record_flow_new(struct col_recorder *r, const struct col_flow *flow)
{
    struct hd_json j = col_record_begin(r, flow, flow->start_ns, "flow");
    hd_json_object(&j, "flow");
    put_counts(&j, flow);
    hd_json_cstr(&j, "state", "new");
    hd_json_end(&j, '}');
    if (flow->key.proto == COL_PROTO_TCP) {
        put_tcp(&j, flow);
    }
    col_record_end(r, &j);
}

void col_record_flow_end(struct col_recorder *r, const struct col_flow *flow, int64_t ns,
                         enum col_flow_end how, const char *app)
{
    static const char *const reasons[] = {[COL_END_CLOSED] = "closed",
                                          [COL_END_TIMEOUT] = "timeout",
                                          [COL_END_FORCED] = "forced",
                                          [COL_END_SHUTDOWN] = "shutdown"};
    int64_t age_ns = 0;
    if (__builtin_sub_overflow(flow->last_ns, flow->start_ns, &age_ns) || age_ns < 0) {
        age_ns = 0;
    }
    struct hd_json j = col_record_begin(r, flow, ns, "flow");
    if (app != NULL) {
        hd_json_cstr(&j, "app_proto", app);
    }
    hd_json_object(&j, "flow");
    put_counts(&j, flow);
    hd_json_time(&j, "end", flow->last_ns, 6);
    hd_json_i64(&j, "age", age_ns / HD_NS_PER_SEC);
    hd_json_cstr(&j, "state", how == COL_END_CLOSED ? "closed" : "timeout");
    hd_json_cstr(&j, "reason", reasons[how]);
    hd_json_end(&j, '}');
    if (flow->key.proto == COL_PROTO_TCP) {
        put_tcp(&j, flow);
    }
    col_record_end(r, &j);
}
