/* SPDX-License-Identifier: Apache-2.0
 *
 * Counters and gauges of a program: one static table a room, made by an X-macro, so that
 * a counter exists exactly once. Any thread adds (relaxed atomics); the server reads.
 *
 *     #define COL_METRICS(X)                                                     \
 *         X(COL_LINES, COUNTER, "haidang_agent_lines_total", "Lines taken")
 *     HD_METRICS_DEFINE(col_metrics, COL_METRICS)
 *     HD_METRIC_ADD(col_metrics, COL_LINES, 1);
 *
 * Served as Prometheus text at /metrics and as the program's own JSON at /status, over
 * HTTP/1.1 on a Unix socket or a loopback TCP address. GET only, one request a
 * connection, 8 KiB request cap, 16 connections (the oldest gives way), a deadline for
 * each.
 */
#pragma once
#include <stdatomic.h>
#include <stdint.h>
#include <uv.h>

#include <haidang/buf.h>
#include <haidang/err.h>

enum hd_metric_type { HD_METRIC_COUNTER, HD_METRIC_GAUGE };

struct hd_metric {
    const char *name; /* Prometheus name; counters end in _total. May carry labels,
                         name{kind="tcp"}: rows of one name stand together */
    const char *help;
    enum hd_metric_type type;
    _Atomic uint64_t value;
};

#define HD_METRIC_ENUM_(id, type, name, help) id,
#define HD_METRIC_ROW_(id, type, name, help)  [id] = {name, help, HD_METRIC_##type, 0},
/* In the room's metrics.h: */
#define HD_METRICS_DECLARE(table, MAP)                                                   \
    enum table##_id{MAP(HD_METRIC_ENUM_) table##_count};                                 \
    extern struct hd_metric table[table##_count];
/* In the room's metrics.c: */
#define HD_METRICS_DEFINE(table, MAP)                                                    \
    struct hd_metric table[table##_count] = {MAP(HD_METRIC_ROW_)};

#define HD_METRIC_ADD(table, id, n)                                                      \
    ((void)atomic_fetch_add_explicit(&(table)[id].value, (uint64_t)(n),                  \
                                     memory_order_relaxed))
#define HD_METRIC_SET(table, id, n)                                                      \
    atomic_store_explicit(&(table)[id].value, (uint64_t)(n), memory_order_relaxed)
#define HD_METRIC_GET(table, id)                                                         \
    atomic_load_explicit(&(table)[id].value, memory_order_relaxed)
/* Raises a high-water mark. */
void hd_metric_max(struct hd_metric *metric, uint64_t value);

/* Appends the table as Prometheus text (version 0.0.4). */
void hd_metrics_format(struct hd_buf *out, const struct hd_metric *table, size_t n);

/* A path of the program's own, such as "/rules", and who writes the JSON for it. */
struct hd_metrics_page {
    const char *path; /* a zeroed row ends the table */
    void (*write)(void *ctx, struct hd_buf *out);
};

struct hd_metrics_server;
struct hd_metrics_server_opts {
    const char *listen; /* "unix:/run/haidang/agent.sock" or "127.0.0.1:9101"; anything
                           that is not loopback is refused with HD_EACCES */
    const struct hd_metric *table;
    size_t table_len;
    void (*refresh)(void *ctx);                    /* before each answer; may be NULL */
    void (*status)(void *ctx, struct hd_buf *out); /* JSON for /status; may be NULL */
    const struct hd_metrics_page *pages;           /* borrowed; NULL = none */
    void *ctx;
    uint64_t deadline_ms; /* a connection's whole life; 0 = 5 s */
    unsigned socket_mode; /* of the Unix socket; 0 = 0660 */
};
/* own: *out until hd_metrics_server_close, which frees it once the loop has closed its
 * handles. Loop thread only; `opts` is copied, what it points to is borrowed. HD_EPARSE,
 * HD_EACCES, HD_EBUSY: somebody serves there. */
int hd_metrics_serve(uv_loop_t *loop, const struct hd_metrics_server_opts *opts,
                     struct hd_metrics_server **out) HD_MUST_USE;
/* The TCP port it listens on (asked for with port 0); 0 on a Unix socket. */
uint16_t hd_metrics_server_port(const struct hd_metrics_server *server);
void hd_metrics_server_close(struct hd_metrics_server *server);
