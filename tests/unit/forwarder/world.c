/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/forwarder/world.h"

#include <stdio.h>
#include <stdlib.h>

#include <haidang/alert.h>
#include <haidang/fs.h>
#include <haidang/journal.h>

#include "forwarder/frame.h"
#include "forwarder/metrics.h"
#include "tests/support/centre/schema.h"
#include "tests/support/certs.h"

#define PROFILE "forwarder/profiles/vn-ncsc-alert-0.1.0.json"
#define SCHEMA  "forwarder/profiles/vn-ncsc-alert-0.1.0.schema.json"

void world_init(struct world *w, const char *pki)
{
    memset(w, 0, sizeof(*w));
    assert_int_equal(uv_loop_init(&w->loop), 0);
    w->dir = hd_test_tmpdir();
    w->pki = pki;
    w->schema = json_load_file(hd_test_source(SCHEMA), 0, NULL);
    assert_non_null(w->schema);
    for (size_t i = 0; i < fwd_metrics_count; i++) {
        HD_METRIC_SET(fwd_metrics, i, 0);
    }
    assert_int_equal(hd_fs_write_atomic(hd_test_path(w->dir, "token"),
                                        HD_SLICE("s3cr3t-token\n"), 0600),
                     HD_OK);
}

void world_fini(struct world *w)
{
    world_stop(w);
    world_centre_gone(w);
    assert_int_equal(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    hd_conf_free(&fwd_conf_schema, &w->conf);
    json_decref(w->schema);
}

/* ---- centre ---- */

static void on_alert(void *ctx, const struct centre_alert *alert)
{
    struct world *w = ctx;
    assert_true(w->n_got < WORLD_GOT_MAX);
    struct world_got *got = &w->got[w->n_got++];
    const char *signature = json_string_value(json_object_get(alert->body, "signature"));
    (void)snprintf(got->signature, sizeof(got->signature), "%.60s",
                   signature == NULL ? alert->why : signature);
    got->status = alert->status;
    got->is_taken = alert->is_taken;
    got->at_ms = uv_now(&w->loop);
    if (alert->why[0] != '\0') {
        (void)snprintf(got->signature, sizeof(got->signature), "%.60s", alert->why);
    }
}

void world_centre(struct world *w, const char *cert, const char *answers, bool wants_cert)
{
    char crt[512], key[512], listen[64], why[256] = "";
    (void)snprintf(crt, sizeof(crt), "%s/%s.crt", w->pki, cert);
    (void)snprintf(key, sizeof(key), "%s/%s.key", w->pki, cert);
    (void)snprintf(listen, sizeof(listen), "127.0.0.1:%u", w->port);
    const struct hd_tls_opts tls = {.role = HD_TLS_SERVER,
                                    .cert_file = crt,
                                    .key_file = key,
                                    .ca_file = wants_cert ? hd_test_path(w->pki, "ca.crt")
                                                          : NULL,
                                    .require_client_cert = wants_cert};
    assert_int_equal(hd_tls_new(&tls, &w->tls, why), HD_OK);
    const struct centre_opts opts = {.listen = listen,
                                     .tls = w->tls,
                                     .schema = w->schema,
                                     .path = "/api/v1/alerts",
                                     .authorization = "Basic s3cr3t-token",
                                     .answers = answers,
                                     .on_alert = on_alert,
                                     .ctx = w};
    if (centre_open(&w->loop, &opts, &w->centre, why) != HD_OK) {
        fail_msg("%s", why);
    }
    w->port = centre_port(w->centre);
}

void world_centre_gone(struct world *w)
{
    if (w->centre != NULL) {
        centre_close(w->centre);
        w->centre = NULL;
        world_wait(w, 1);
    }
    hd_tls_free(w->tls);
    w->tls = NULL;
}

/* ---- alerts ---- */

static json_t *alert_new(struct world *w)
{
    char id[40], title[32];
    unsigned n = ++w->n_alerts;
    (void)snprintf(id, sizeof(id), "5b1f3c7e-0a1b-8c2d-9e3f-%012u", n);
    (void)snprintf(title, sizeof(title), "alert %u", n);
    json_t *alert = json_pack(
        "{s:i, s:s, s:s, s:{s:s, s:s, s:s}, s:i, s:{s:s, s:s, s:s, s:s}, s:i, s:{s:s},"
        " s:{s:s}, s:[], s:s}",
        "version", 1, "id", id, "status", "new", "time", "first",
        "2026-11-21T07:50:37.123456Z", "last", "2026-11-21T07:50:37.123456Z", "published",
        "2026-11-21T07:50:38Z", "count", 1, "rule", "id", "r1", "title", title, "level",
        "high", "type", "detection", "severity", 3, "host", "name", "web1", "user",
        "name", "SECRETUSER", "evidence", "delivery", "national");
    assert_non_null(alert);
    return alert;
}

static void append(struct world *w, struct hd_journal *journal, json_t *alert)
{
    struct fwd_frame *frame = NULL;
    struct hd_buf text, payload;
    char why[256] = "";
    hd_buf_init(&text, 0);
    hd_buf_init(&payload, 0);
    (void)w;
    if (hd_alert_check(alert, why) != HD_OK) {
        fail_msg("%s", why);
    }
    assert_int_equal(hd_alert_format(alert, &text), HD_OK);
    hd_buf_byte(&text, '\n');
    assert_int_equal(fwd_frame_new(&frame), HD_OK);
    assert_int_equal(fwd_frame_pack(frame, hd_buf_slice(&text), &payload), HD_OK);
    struct hd_journal_entry entry = {.first = 1,
                                     .last = 1,
                                     .count = 1,
                                     .raw_len = (uint32_t)text.len,
                                     .payload = hd_buf_slice(&payload)};
    assert_int_equal(hd_journal_append(journal, &entry), HD_OK);
    fwd_frame_free(frame);
    hd_buf_fini(&text);
    hd_buf_fini(&payload);
    json_decref(alert);
}

static struct hd_journal *journal_open(struct world *w)
{
    char dir[512];
    (void)snprintf(dir, sizeof(dir), "%s/alerts", w->dir);
    const struct hd_journal_opts opts = {.dir = dir, .segment_bytes = w->alert_segment};
    struct hd_journal_recovery recovery;
    struct hd_journal *journal = NULL;
    assert_int_equal(hd_journal_open(&opts, &journal, &recovery), HD_OK);
    return journal;
}

void world_alerts(struct world *w, unsigned n)
{
    struct hd_journal *journal = journal_open(w);
    for (unsigned i = 0; i < n; i++) {
        append(w, journal, alert_new(w));
    }
    assert_int_equal(hd_journal_commit(journal), HD_OK);
    hd_journal_close(journal);
}

void world_alert_with(struct world *w, const char *path, json_t *value)
{
    struct hd_journal *journal = journal_open(w);
    json_t *alert = alert_new(w);
    json_t *parent = alert;
    const char *dot = strchr(path, '.');
    if (dot != NULL) {
        char name[32];
        (void)snprintf(name, sizeof(name), "%.*s", (int)(dot - path), path);
        parent = json_object_get(alert, name);
        path = dot + 1;
    }
    assert_int_equal(json_object_set_new(parent, path, value), 0);
    append(w, journal, alert);
    assert_int_equal(hd_journal_commit(journal), HD_OK);
    hd_journal_close(journal);
}

/* ---- configuration ---- */

void world_conf_destinations(struct world *w, const char *text)
{
    (void)snprintf(w->conf_text, sizeof(w->conf_text),
                   "alerts: %s/alerts\nstate_dir: %s/state\nstatus: unix:%s/s.sock\n"
                   "accept_unofficial_profile: vn-ncsc-alert@0.1.0\n"
                   "receipts: {reserve: 0}\n"
                   "log: {level: error}\ndestinations:\n%s",
                   w->dir, w->dir, w->dir, text);
    hd_conf_free(&fwd_conf_schema, &w->conf);
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    assert_int_equal(hd_conf_parse(hd_slice_str(w->conf_text), "test.yml",
                                   &fwd_conf_schema, &w->conf, &diags),
                     HD_OK);
}

void world_conf(struct world *w, const char *more)
{
    char text[4096];
    (void)snprintf(text, sizeof(text),
                   "  - name: a\n    url: https://localhost:%u\n    profile: %s\n"
                   "    token_file: %s/token\n    tls: {ca: %s/ca.crt}\n"
                   "    settings:\n      - {name: vendor_id, value: v}\n"
                   "      - {name: unit_id, value: u}\n"
                   "      - {name: sensor_id, value: 0123456789abcdef01234567}\n"
                   "    retry_first: 2ms\n    retry_max: 20ms\n%s",
                   w->port == 0 ? 9 : w->port, hd_test_source(PROFILE), w->dir, w->pki,
                   more);
    world_conf_destinations(w, text);
}

void world_start(struct world *w)
{
    assert_int_equal(fwd_program_start(&w->loop, &w->conf, &w->program), HD_EXIT_OK);
}

static bool receipts_closed(struct world *w, unsigned n)
{
    (void)n;
    char dir[512];
    (void)snprintf(dir, sizeof(dir), "%s/state/receipts", w->dir);
    const struct hd_journal_opts opts = {.dir = dir, .segment_bytes = w->alert_segment};
    struct hd_journal_recovery recovery;
    struct hd_journal *journal = NULL;
    if (hd_journal_open(&opts, &journal, &recovery) != HD_OK) {
        return false;
    }
    hd_journal_close(journal);
    return true;
}

void world_stop(struct world *w)
{
    if (w->program != NULL) {
        fwd_program_stop(w->program);
        w->program = NULL;
        world_wait(w, 5);
        world_until(w, receipts_closed, 0);
    }
}

/* ---- time ---- */

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

void world_wait(struct world *w, uint64_t ms)
{
    uv_timer_t timer;
    uv_update_time(&w->loop);
    uint64_t until = uv_now(&w->loop) + ms;
    assert_int_equal(uv_timer_init(&w->loop, &timer), 0);
    assert_int_equal(uv_timer_start(&timer, on_tick, ms, 0), 0);
    while (uv_now(&w->loop) < until) {
        (void)uv_run(&w->loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&timer, NULL);
    (void)uv_run(&w->loop, UV_RUN_NOWAIT);
}

void world_until(struct world *w, bool (*is_so)(struct world *w, unsigned n), unsigned n)
{
    uv_timer_t timer;
    uv_update_time(&w->loop);
    uint64_t until = uv_now(&w->loop) + 120000;
    assert_int_equal(uv_timer_init(&w->loop, &timer), 0);
    assert_int_equal(uv_timer_start(&timer, on_tick, 5, 5), 0);
    while (!is_so(w, n) && uv_now(&w->loop) < until) {
        (void)uv_run(&w->loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&timer, NULL);
    (void)uv_run(&w->loop, UV_RUN_NOWAIT);
    if (!is_so(w, n)) {
        fail_msg("waited 120 s for %u in vain: %u requests, %llu delivered", n, w->n_got,
                 (unsigned long long)HD_METRIC_GET(fwd_metrics, FWD_M_DELIVERED));
    }
}

bool world_has_got(struct world *w, unsigned n)
{
    return w->n_got >= n;
}

bool world_has_delivered(struct world *w, unsigned n)
{
    (void)w;
    return HD_METRIC_GET(fwd_metrics, FWD_M_DELIVERED) >= n;
}

bool world_has_dead(struct world *w, unsigned n)
{
    (void)w;
    return HD_METRIC_GET(fwd_metrics, FWD_M_DEAD) >= n;
}

bool world_has_stopped(struct world *w, unsigned n)
{
    (void)w;
    return HD_METRIC_GET(fwd_metrics, FWD_M_STOPPED) >= n;
}

bool world_has_retried(struct world *w, unsigned n)
{
    (void)w;
    return HD_METRIC_GET(fwd_metrics, FWD_M_RETRIED) >= n;
}

/* ---- receipts ---- */

json_t *world_receipts(struct world *w)
{
    char dir[512];
    struct fwd_frame *frame = NULL;
    struct hd_journal_reader *reader = NULL;
    struct hd_journal_entry entry;
    struct hd_buf text;
    json_t *list = json_array();
    (void)snprintf(dir, sizeof(dir), "%s/state/receipts", w->dir);
    hd_buf_init(&text, 0);
    assert_int_equal(fwd_frame_new(&frame), HD_OK);
    assert_int_equal(hd_journal_reader_open(dir, NULL, &reader), HD_OK);
    while (hd_journal_reader_next(reader, &entry) == HD_OK) {
        hd_buf_clear(&text);
        assert_int_equal(fwd_frame_unpack(frame, entry.payload, 65536, &text), HD_OK);
        json_t *line = json_loadb((const char *)text.ptr, text.len, 0, NULL);
        assert_non_null(line);
        assert_true(hd_slice_find(hd_buf_slice(&text), HD_SLICE("s3cr3t")) == HD_NPOS);
        (void)json_array_append_new(list, line);
    }
    hd_journal_reader_close(reader);
    fwd_frame_free(frame);
    hd_buf_fini(&text);
    return list;
}

const char *world_outcomes(struct world *w, const char *destination)
{
    static char text[4096];
    json_t *list = world_receipts(w);
    size_t i, len = 0;
    json_t *line;
    text[0] = '\0';
    json_array_foreach(list, i, line)
    {
        if (strcmp(json_string_value(json_object_get(line, "destination")),
                   destination) == 0) {
            int n = snprintf(text + len, sizeof(text) - len, "%s%s", len == 0 ? "" : " ",
                             json_string_value(json_object_get(line, "outcome")));
            len += n > 0 ? (size_t)n : 0;
        }
    }
    json_decref(list);
    return text;
}
