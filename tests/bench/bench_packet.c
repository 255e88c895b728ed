/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets per second and core through the decoder alone, through decoder and flow table,
 * and through the whole engine with its records. The capture is made here: web traffic
 * over `FLOWS` connections at once (handshake, request, 8 segments of an answer with
 * their acknowledgements, close) and a DNS exchange for each.
 *
 *     bench_packet [seconds]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <haidang/clock.h>
#include <haidang/num.h>

#include "collector/packet/inspect.h"
#include "tests/support/frames.h"

#define FLOWS    4096U
#define ANSWERS  8U
#define PER_FLOW (2U + 3U + 1U + ANSWERS * 2U + 3U)
#define FRAMES   (FLOWS * PER_FLOW)

struct capture {
    uint8_t *bytes;
    size_t len, cap;
    struct {
        size_t at;
        uint32_t len;
    } frame[FRAMES];
    size_t n;
};

static void keep(void *ctx, int64_t ns, struct hd_slice frame)
{
    struct capture *c = ctx;
    (void)ns;
    if (c->n == FRAMES || c->len + frame.len > c->cap) {
        abort();
    }
    memcpy(c->bytes + c->len, frame.ptr, frame.len);
    c->frame[c->n].at = c->len;
    c->frame[c->n++].len = (uint32_t)frame.len;
    c->len += frame.len;
}

static void one_step(struct hd_test_talk *t, unsigned step)
{
    static const char body[1300];
    static const uint8_t address[4] = {203, 0, 113, 9};
    uint8_t dns[512];
    if (step == 0) {
        struct hd_test_talk query = *t;
        query.server_port = 53;
        hd_test_udp(&query, 0, hd_slice(dns, hd_test_dns("www.a.vn", 1, NULL, dns)));
        hd_test_udp(&query, 1, hd_slice(dns, hd_test_dns("www.a.vn", 1, address, dns)));
        hd_test_open(t);
        hd_test_tcp(t, 0, COL_TCP_ACK,
                    HD_SLICE("GET /index.html HTTP/1.1\r\nHost: www.a.vn\r\n"
                             "User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n\r\n"));
    } else if (step <= ANSWERS) {
        hd_test_tcp(t, 1, COL_TCP_ACK, hd_slice(body, sizeof(body)));
        hd_test_tcp(t, 0, COL_TCP_ACK, HD_SLICE_EMPTY);
    } else {
        hd_test_close(t);
    }
}

static struct capture *make_capture(void)
{
    static struct hd_test_talk talks[FLOWS];
    struct capture *c = calloc(1, sizeof(*c));
    if (c == NULL || (c->bytes = malloc((size_t)FRAMES * 700)) == NULL) {
        abort();
    }
    c->cap = (size_t)FRAMES * 700;
    for (unsigned i = 0; i < FLOWS; i++) {
        talks[i] = hd_test_talk(keep, c);
        talks[i].client_port = (uint16_t)(10000 + i);
    }
    for (unsigned step = 0; step <= ANSWERS + 1; step++) {
        for (unsigned i = 0; i < FLOWS; i++) {
            one_step(&talks[i], step);
        }
    }
    return c;
}

static void count(void *ctx, struct hd_slice line)
{
    uint64_t *bytes = ctx;
    *bytes += line.len;
}

static double cpu_seconds(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void report(const char *what, uint64_t packets, double seconds)
{
    (void)printf("%-28s %7.2f M packets/s/core %7.1f ns/packet\n", what,
                 (double)packets / seconds / 1e6, seconds * 1e9 / (double)packets);
}

static void bench_decode(const struct capture *c, double seconds)
{
    uint64_t packets = 0;
    uint64_t sum = 0;
    double start = cpu_seconds();
    while (cpu_seconds() - start < seconds) {
        for (size_t i = 0; i < c->n; i++) {
            struct col_packet p;
            struct hd_slice frame = hd_slice(c->bytes + c->frame[i].at, c->frame[i].len);
            sum += col_packet_decode(COL_LINK_ETHERNET, frame, &p) + p.payload_len;
        }
        packets += c->n;
    }
    report(sum > 0 ? "decode" : "decode (broken)", packets, cpu_seconds() - start);
}

static void bench_flow(const struct capture *c, double seconds)
{
    struct col_flow_table *table = NULL;
    uint64_t packets = 0;
    int64_t ns = HD_NS_PER_SEC;
    if (col_flow_table_new(&(struct col_flow_opts){0}, &table) != HD_OK) {
        abort();
    }
    double start = cpu_seconds();
    while (cpu_seconds() - start < seconds) {
        for (size_t i = 0; i < c->n; i++) {
            struct col_packet p;
            enum col_dir dir = COL_TO_SERVER;
            bool is_new = false;
            struct hd_slice frame = hd_slice(c->bytes + c->frame[i].at, c->frame[i].len);
            if (col_packet_decode(COL_LINK_ETHERNET, frame, &p) != COL_DECODE_OK) {
                abort();
            }
            p.ns = ns += 1000;
            p.wire_len = c->frame[i].len;
            (void)col_flow_expire(table, p.ns, 4);
            struct col_flow *flow = col_flow_lookup(table, &p, &dir, &is_new);
            (void)col_flow_update(table, flow, dir, &p);
        }
        packets += c->n;
    }
    report("decode + flow", packets, cpu_seconds() - start);
    col_flow_table_free(table);
}

static void bench_engine(const struct capture *c, double seconds)
{
    uint64_t bytes = 0;
    uint64_t packets = 0;
    struct col_inspector *in = NULL;
    struct col_inspect_opts opts = {.interface = "lo", .emit = count, .ctx = &bytes};
    int64_t ns = HD_NS_PER_SEC;
    if (col_inspector_new(&opts, &in) != HD_OK) {
        abort();
    }
    double start = cpu_seconds();
    while (cpu_seconds() - start < seconds) {
        for (size_t i = 0; i < c->n; i++) {
            struct col_captured captured = {
                .ns = ns += 1000,
                .wire_len = c->frame[i].len,
                .link = COL_LINK_ETHERNET,
                .bytes = hd_slice(c->bytes + c->frame[i].at, c->frame[i].len),
            };
            col_inspect_frame(in, &captured);
        }
        packets += c->n;
    }
    double spent = cpu_seconds() - start;
    struct col_packet_stats stats;
    col_inspect_stats(in, &stats);
    report("engine with records", packets, spent);
    (void)printf("%-28s %7.2f M records/s, %.1f packets a record, %.0f bytes each\n", "",
                 (double)stats.records / spent / 1e6,
                 (double)packets / (double)stats.records,
                 (double)bytes / (double)stats.records);
    col_inspector_free(in);
}

int main(int argc, char **argv)
{
    uint64_t seconds = 2;
    if (argc > 1 && hd_num_u64(hd_slice_str(argv[1]), 60, &seconds) != HD_OK) {
        (void)fprintf(stderr, "usage: %s [seconds]\n", argv[0]);
        return 2;
    }
    struct capture *c = make_capture();
    (void)printf("%zu packets, %.0f bytes each, %u connections at once; flow %zu bytes\n",
                 c->n, (double)c->len / (double)c->n, FLOWS, sizeof(struct col_flow));
    bench_decode(c, (double)seconds);
    bench_flow(c, (double)seconds);
    bench_engine(c, (double)seconds);
    free(c->bytes);
    free(c);
    return 0;
}
