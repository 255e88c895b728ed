/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <haidang/batch.h>
#include <haidang/loop.h>

#include "collector/conf.h"
#include "collector/metrics.h"
#include "collector/source/source.h"
#include "tests/support/alloc.h"
#include "tests/support/frames.h"

#define LINES_MAX 256

/* A sink that keeps the records and may be full now and then. */
struct world {
    uv_loop_t loop;
    uv_timer_t deadline;
    struct col_sink sink;
    uint64_t packets_lost; /* as the sink was told */
    struct col_source_env env;
    struct col_source *source;
    json_t *lines[LINES_MAX];
    size_t n;
    unsigned full_every; /* 0 = never */
    unsigned asked;
    bool keeps_nothing;
    char mark[128];
    unsigned ended;
    bool is_closed;
    bool is_late;
};

static int sink_add(void *ctx, const struct hd_batch_source *source, int64_t recv_ns,
                    unsigned flags, struct hd_slice line)
{
    struct world *w = ctx;
    assert_true(hd_slice_eq(source->kind, HD_SLICE("packet")));
    assert_true(hd_slice_eq(source->format, HD_SLICE("haidang-packet")));
    assert_true(hd_slice_eq(source->host, HD_SLICE("web1")));
    assert_true(recv_ns > 0);
    assert_int_equal(flags, 0);
    if (w->keeps_nothing) {
        w->asked++;
        return HD_OK;
    }
    if (w->full_every != 0 && ++w->asked % w->full_every == 0) {
        return HD_EFULL;
    }
    assert_true(w->n < LINES_MAX);
    w->lines[w->n] = json_loadb((const char *)line.ptr, line.len, 0, NULL);
    assert_non_null(w->lines[w->n++]);
    return HD_OK;
}

static void sink_mark(void *ctx, struct hd_slice key, struct hd_slice mark)
{
    struct world *w = ctx;
    assert_true(key.len + mark.len <= COL_MARK_MAX);
    (void)snprintf(w->mark, sizeof(w->mark), "%.*s", HD_SLICE_FMT(mark));
}

static struct hd_slice sink_last_mark(void *ctx, struct hd_slice key)
{
    struct world *w = ctx;
    assert_true(key.len > 0);
    return hd_slice_str(w->mark);
}

static void at_end(void *ctx)
{
    struct world *w = ctx;
    w->ended++;
}

static void late(uv_timer_t *timer)
{
    struct world *w = HD_CONTAINER(timer, struct world, deadline);
    w->is_late = true;
}

static void sink_lost(void *ctx, const struct hd_batch_source *source,
                      enum hd_loss_kind kind, uint64_t count, uint64_t bytes)
{
    struct world *w = ctx;
    assert_int_equal(bytes, 0);
    assert_true(hd_slice_eq(source->kind, HD_SLICE("packet")));
    w->packets_lost += kind == HD_LOSS_PACKETS ? count : 0;
}

static void world_open(struct world *w)
{
    *w = (struct world){0};
    assert_int_equal(uv_loop_init(&w->loop), 0);
    assert_int_equal(uv_timer_init(&w->loop, &w->deadline), 0);
    assert_int_equal(uv_timer_start(&w->deadline, late, 120000, 0), 0);
    w->sink = (struct col_sink){.add = sink_add,
                                .mark = sink_mark,
                                .last_mark = sink_last_mark,
                                .lost = sink_lost,
                                .ctx = w};
    w->env = (struct col_source_env){.loop = &w->loop,
                                     .sink = &w->sink,
                                     .host = HD_SLICE("web1"),
                                     .at_end = at_end,
                                     .ctx = w};
}

static void source_closed(void *ctx)
{
    struct world *w = ctx;
    w->is_closed = true;
    w->source = NULL;
}

static void forget_lines(struct world *w)
{
    for (size_t i = 0; i < w->n; i++) {
        json_decref(w->lines[i]);
    }
    w->n = 0;
}

static void world_close(struct world *w)
{
    if (w->source != NULL) {
        w->source->ops->close(w->source, source_closed, w);
    }
    uv_close((uv_handle_t *)&w->deadline, NULL);
    assert_int_equal(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
    assert_null(w->source);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    forget_lines(w);
}

static const char *text(const json_t *record, const char *key)
{
    const char *value = json_string_value(json_object_get(record, key));
    return value == NULL ? "" : value;
}

static size_t count(const struct world *w, const char *event_type)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n; i++) {
        n += strcmp(text(w->lines[i], "event_type"), event_type) == 0;
    }
    return n;
}

/* ---- files ---- */

static void write_frame(void *ctx, int64_t ns, struct hd_slice frame)
{
    uint8_t header[HD_TEST_PCAP_FRAME];
    hd_test_pcap_frame(ns, frame.len, header);
    assert_int_equal(fwrite(header, sizeof(header), 1, ctx), 1);
    assert_int_equal(fwrite(frame.ptr, frame.len, 1, ctx), 1);
}

/* A DNS exchange and `connections` HTTP requests. */
static const char *write_capture(unsigned connections, size_t cut)
{
    static char path[512];
    uint8_t header[HD_TEST_PCAP_HEADER];
    uint8_t dns[512];
    (void)snprintf(path, sizeof(path), "%s/x.pcap", hd_test_tmpdir());
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    hd_test_pcap_header(COL_LINK_ETHERNET, header);
    assert_int_equal(fwrite(header, sizeof(header), 1, file), 1);
    struct hd_test_talk t = hd_test_talk(write_frame, file);
    t.server_port = 53;
    hd_test_udp(&t, 0, hd_slice(dns, hd_test_dns("example.vn", 1, NULL, dns)));
    t.server_port = 80;
    for (unsigned i = 0; i < connections; i++) {
        t.client_port++;
        hd_test_open(&t);
        hd_test_tcp(&t, 0, COL_TCP_ACK, HD_SLICE("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        hd_test_close(&t);
    }
    assert_int_equal(fflush(file), 0);
    assert_int_equal(ftruncate(fileno(file), ftell(file) - (long)cut), 0);
    assert_int_equal(fclose(file), 0);
    return path;
}

static struct col_conf_source file_conf(const char *path)
{
    return (struct col_conf_source){
        .packet = {.file = (char *)path, .flows_max = 64, .snaplen = 2048}};
}

static void run_to_end(struct world *w)
{
    while (w->ended == 0 && !w->is_late) {
        (void)uv_run(&w->loop, UV_RUN_NOWAIT);
        struct col_source_stats stats;
        w->source->ops->stats(w->source, &stats);
        if (strcmp(stats.state, "paused") == 0) {
            w->source->ops->resume(w->source);
        }
    }
    assert_false(w->is_late);
}

static void read_capture(unsigned full_every)
{
    struct world w;
    char why[256] = "";
    uint64_t packets = HD_METRIC_GET(col_metrics, COL_PACKETS);
    uint64_t flows = HD_METRIC_GET(col_metrics, COL_FLOWS);
    struct col_conf_source conf = file_conf(write_capture(20, 0));
    world_open(&w);
    w.full_every = full_every;
    assert_int_equal(col_capture_open(&w.env, &conf, &w.source, why), HD_OK);
    assert_string_equal(w.source->ops->kind, "packet");
    run_to_end(&w);
    assert_int_equal(count(&w, "flow"), 42);
    assert_int_equal(count(&w, "http"), 20);
    assert_int_equal(count(&w, "dns"), 1);
    struct col_source_stats stats;
    w.source->ops->stats(w.source, &stats);
    assert_int_equal(HD_METRIC_GET(col_metrics, COL_PACKETS) - packets, 1 + 20 * 7);
    assert_int_equal(HD_METRIC_GET(col_metrics, COL_FLOWS) - flows, 21);
    assert_int_equal(HD_METRIC_GET(col_metrics, COL_FLOWS_OPEN), 0);
    assert_int_equal(stats.lines, 63);
    assert_int_equal(stats.dropped, 0);
    assert_string_equal(stats.state, "read to its end");
    w.source->ops->close(w.source, source_closed, &w);
    while (!w.is_closed) {
        (void)uv_run(&w.loop, UV_RUN_NOWAIT);
    }
    /* a second start does not read it again */
    forget_lines(&w);
    assert_int_equal(col_capture_open(&w.env, &conf, &w.source, why), HD_OK);
    assert_int_equal(w.ended, 1); /* not told from inside the call */
    (void)uv_run(&w.loop, UV_RUN_NOWAIT);
    assert_int_equal(w.ended, 2);
    assert_int_equal(w.n, 0);
    world_close(&w);
}

static void test_file_is_read_once_to_its_end(void **state)
{
    (void)state;
    read_capture(0);
}

static void test_full_sink_loses_nothing_of_a_file(void **state)
{
    (void)state;
    for (unsigned every = 2; every < 20; every++) {
        read_capture(every);
    }
}

static void test_damaged_file_is_read_as_far_as_it_goes(void **state)
{
    (void)state;
    struct world w;
    char why[256] = "";
    struct col_conf_source conf = file_conf(write_capture(3, 11));
    world_open(&w);
    assert_int_equal(col_capture_open(&w.env, &conf, &w.source, why), HD_OK);
    run_to_end(&w);
    assert_int_equal(count(&w, "http"), 3);
    assert_int_equal(count(&w, "flow"), 8);
    world_close(&w);
}

static void test_pause_and_close_midway(void **state)
{
    (void)state;
    struct world w;
    char why[256] = "";
    struct col_conf_source conf = file_conf(write_capture(100, 0));
    world_open(&w);
    assert_int_equal(col_capture_open(&w.env, &conf, &w.source, why), HD_OK);
    (void)uv_run(&w.loop, UV_RUN_NOWAIT);
    w.source->ops->pause(w.source);
    size_t n = w.n;
    assert_true(n > 0);
    for (int i = 0; i < 3; i++) {
        (void)uv_run(&w.loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(w.n, n);
    w.source->ops->resume(w.source);
    world_close(&w);
    assert_true(w.is_closed);
    assert_int_equal(w.ended, 0);
}

static void test_what_cannot_be_opened_is_explained(void **state)
{
    (void)state;
    struct world w;
    char why[256] = "";
    static char garbage[512];
    (void)snprintf(garbage, sizeof(garbage), "%s/garbage", hd_test_tmpdir());
    FILE *file = fopen(garbage, "wb");
    assert_non_null(file);
    assert_true(fputs("this is no capture file, whatever one may think", file) >= 0);
    assert_int_equal(fclose(file), 0);
    struct col_conf_source missing = file_conf("/nonexistent/x.pcap");
    struct col_conf_source bad = file_conf(garbage);
    struct col_conf_source pipe = file_conf("/dev/null");
    struct col_conf_source filter = file_conf(write_capture(1, 0));
    filter.packet.filter = (char *)"port is not a number";
    struct col_conf_source gone = {.packet = {.interface = (char *)"nosuchif0",
                                              .snaplen = 2048,
                                              .buffer = 1U << 20}};
    world_open(&w);
    assert_int_equal(col_capture_open(&w.env, &missing, &w.source, why), HD_ENOENT);
    assert_non_null(strstr(why, "/nonexistent/x.pcap"));
    assert_int_equal(col_capture_open(&w.env, &bad, &w.source, why), HD_EINVAL);
    assert_int_equal(col_capture_open(&w.env, &pipe, &w.source, why), HD_EUNSUPPORTED);
    assert_int_equal(col_capture_open(&w.env, &filter, &w.source, why), HD_EINVAL);
    assert_non_null(strstr(why, "port is not a number"));
    int err = col_capture_open(&w.env, &gone, &w.source, why);
    assert_true(err == HD_EBUSY || err == HD_EACCES);
    assert_non_null(strstr(why, "nosuchif0"));
    assert_null(w.source);
    world_close(&w);
}

/* Each allocation fails once: it says so, or reads the file to its end. Which records are
 * lost then is counted. */
static void test_lack_of_memory(void **state)
{
    (void)state;
    struct world w;
    struct col_conf_source conf = file_conf(write_capture(2, 0));
    world_open(&w);
    w.keeps_nothing = true; /* its own memory must not lack */
    HD_TEST_ALLOC_EACH(n)
    {
        char why[256] = "";
        struct col_source_stats stats;
        uint64_t lost = HD_METRIC_GET(col_metrics, COL_RECORDS_LOST);
        w.ended = 0;
        w.asked = 0;
        w.mark[0] = '\0';
        int err = col_capture_open(&w.env, &conf, &w.source, why);
        if (err != HD_OK) {
            assert_true(err == HD_ENOMEM || err == HD_EINVAL);
            continue;
        }
        run_to_end(&w);
        hd_test_alloc_stop();
        w.source->ops->stats(w.source, &stats);
        lost = HD_METRIC_GET(col_metrics, COL_RECORDS_LOST) - lost;
        assert_int_equal(stats.lines, w.asked);
        assert_true(stats.lines + lost > 0);
        assert_true(hd_test_alloc_failed() || stats.lines == 9);
        w.is_closed = false;
        w.source->ops->close(w.source, source_closed, &w);
        while (!w.is_closed) {
            (void)uv_run(&w.loop, UV_RUN_NOWAIT);
        }
    }
    world_close(&w);
}

/* ---- loopback ---- */

static int listen_on_loopback(uint16_t *port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    *port = ntohs(addr.sin_port);
    return fd;
}

/* One request and its answer through the kernel. */
static void talk_on_loopback(int listener, uint16_t port)
{
    static const char request[] = "GET /?q=${jndi:ldap://x} HTTP/1.1\r\nHost: lo\r\n"
                                  "User-Agent: sqlmap/1.7\r\n\r\n";
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons(port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char buf[512];
    int client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&addr, sizeof(addr)), 0);
    int server = accept(listener, NULL, NULL);
    assert_true(server >= 0);
    assert_int_equal(write(client, request, sizeof(request) - 1), sizeof(request) - 1);
    assert_true(read(server, buf, sizeof(buf)) > 0);
    assert_int_equal(write(server, "HTTP/1.1 404 No\r\n\r\n", 19), 19);
    assert_int_equal(read(client, buf, sizeof(buf)), 19);
    assert_int_equal(close(client), 0);
    assert_int_equal(close(server), 0);
}

static void test_loopback_is_captured_live(void **state)
{
    (void)state;
    struct world w;
    char why[256] = "";
    char filter[64];
    uint16_t port = 0;
    int listener = listen_on_loopback(&port);
    (void)snprintf(filter, sizeof(filter), "tcp port %u", port);
    struct col_conf_source conf = {.packet = {.interface = (char *)"lo",
                                              .filter = filter,
                                              .snaplen = 2048,
                                              .buffer = 1U << 20,
                                              .flows_max = 64}};
    world_open(&w);
    int err = col_capture_open(&w.env, &conf, &w.source, why);
    if (err != HD_OK) {
        world_close(&w);
        assert_int_equal(close(listener), 0);
        hd_test_skip(why);
    }
    talk_on_loopback(listener, port);
    while (w.n < 3 && !w.is_late) {
        (void)uv_run(&w.loop, UV_RUN_ONCE);
    }
    assert_int_equal(w.n, 3);
    assert_int_equal(count(&w, "flow"), 2);
    assert_int_equal(count(&w, "http"), 1);
    const json_t *http = json_object_get(w.lines[1], "http");
    assert_string_equal(text(w.lines[1], "in_iface"), "lo");
    assert_string_equal(text(http, "url"), "/?q=${jndi:ldap://x}");
    assert_string_equal(text(http, "http_user_agent"), "sqlmap/1.7");
    const json_t *flow = json_object_get(w.lines[2], "flow");
    assert_string_equal(text(flow, "state"), "closed");
    /* the handshake, the request, FIN: each packet of loopback once */
    assert_true(json_integer_value(json_object_get(flow, "pkts_toserver")) <= 6);
    struct col_source_stats stats;
    w.source->ops->stats(w.source, &stats);
    assert_string_equal(stats.state, "open");
    assert_int_equal(stats.dropped, 0);
    world_close(&w);
    assert_int_equal(close(listener), 0);
}

static int bind_on_loopback(uint16_t *port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, len), 0); /* to itself */
    *port = ntohs(addr.sin_port);
    return fd;
}

static void send_on_loopback(int fd, unsigned n)
{
    static const char datagram[1400];
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(send(fd, datagram, sizeof(datagram), 0), sizeof(datagram));
    }
}

static void run_until(struct world *w, enum col_metrics_id id, uint64_t value)
{
    while (HD_METRIC_GET(col_metrics, id) != value && !w->is_late) {
        (void)uv_run(&w->loop, UV_RUN_ONCE);
    }
    assert_int_equal(HD_METRIC_GET(col_metrics, id), value);
}

/* Small while it is quiet; what is dropped is counted and makes the ring larger; no
 * packet is seen twice on the way from one ring to the other. */
static void test_ring_grows_when_packets_are_dropped(void **state)
{
    (void)state;
    enum { FLOOD = 2000, AFTER = 50 };
    struct world w;
    char why[256] = "";
    char filter[64];
    uint16_t port = 0;
    int fd = bind_on_loopback(&port);
    (void)snprintf(filter, sizeof(filter), "udp port %u", port);
    struct col_conf_source conf = {.packet = {.interface = (char *)"lo",
                                              .filter = filter,
                                              .snaplen = 4096,
                                              .buffer = 768U << 10,
                                              .flows_max = 64}};
    uint64_t seen = HD_METRIC_GET(col_metrics, COL_PACKETS);
    uint64_t dropped = HD_METRIC_GET(col_metrics, COL_PACKETS_DROPPED);
    world_open(&w);
    if (col_capture_open(&w.env, &conf, &w.source, why) != HD_OK) {
        world_close(&w);
        assert_int_equal(close(fd), 0);
        hd_test_skip(why);
    }
    run_until(&w, COL_PACKET_RING, 512U << 10);
    w.source->ops->pause(w.source);
    send_on_loopback(fd, FLOOD);
    w.source->ops->resume(w.source);
    run_until(&w, COL_PACKET_RING, 768U << 10);
    seen = HD_METRIC_GET(col_metrics, COL_PACKETS) - seen;
    dropped = HD_METRIC_GET(col_metrics, COL_PACKETS_DROPPED) - dropped;
    assert_int_equal(w.packets_lost, dropped);
    assert_in_range(seen, 1, FLOOD - 1);
    assert_true(dropped >=
                FLOOD - seen); /* the kernel counts what loopback drops twice */
    uint64_t before = HD_METRIC_GET(col_metrics, COL_PACKETS);
    send_on_loopback(fd, AFTER);
    run_until(&w, COL_PACKETS, before + AFTER);
    world_close(&w);
    assert_int_equal(HD_METRIC_GET(col_metrics, COL_PACKET_RING), 0);
    assert_int_equal(close(fd), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file_is_read_once_to_its_end),
        cmocka_unit_test(test_full_sink_loses_nothing_of_a_file),
        cmocka_unit_test(test_damaged_file_is_read_as_far_as_it_goes),
        cmocka_unit_test(test_pause_and_close_midway),
        cmocka_unit_test(test_what_cannot_be_opened_is_explained),
        cmocka_unit_test(test_lack_of_memory),
        cmocka_unit_test(test_loopback_is_captured_live),
        cmocka_unit_test(test_ring_grows_when_packets_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
