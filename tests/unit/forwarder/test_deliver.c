/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/forwarder/world.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/journal_check.h>

#include "forwarder/metrics.h"
#include "forwarder/receipt.h"
#include "tests/support/certs.h"

static struct world w;
static const char *pki;

static int setup_all(void **state)
{
    (void)state;
    assert_int_equal(curl_global_init(CURL_GLOBAL_DEFAULT), 0);
    pki = hd_test_pki();
    return 0;
}

static int setup(void **state)
{
    (void)state;
    world_init(&w, pki);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_fini(&w);
    return 0;
}

static void check_order(unsigned from, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        char text[32];
        (void)snprintf(text, sizeof(text), "alert %u", from + i);
        assert_string_equal(w.got[w.n_got - n + i].signature, text);
    }
}

static void test_order_and_restart(void **state)
{
    (void)state;
    world_centre(&w, "server", "200", false);
    world_conf(&w, "");
    world_alerts(&w, 10);
    world_start(&w);
    world_until(&w, world_has_delivered, 10);
    world_alerts(&w, 5); /* while it waits */
    world_until(&w, world_has_delivered, 15);
    assert_int_equal(w.n_got, 15);
    check_order(1, 15);
    world_stop(&w);
    world_alerts(&w, 1);
    world_start(&w);
    world_until(&w, world_has_delivered, 16);
    assert_int_equal(w.n_got, 16);
    check_order(16, 1);
    world_stop(&w);
    assert_int_equal(HD_METRIC_GET(fwd_metrics, FWD_M_KNOWN), 0); /* none read again */

    json_t *list = world_receipts(&w);
    assert_int_equal(json_array_size(list), 32);
    const json_t *line = json_array_get(list, 1);
    assert_string_equal(json_string_value(json_object_get(line, "outcome")), "delivered");
    assert_string_equal(json_string_value(json_object_get(line, "alert")),
                        "5b1f3c7e-0a1b-8c2d-9e3f-000000000001");
    assert_string_equal(json_string_value(json_object_get(line, "profile")),
                        "vn-ncsc-alert@0.1.0");
    assert_int_equal(json_string_length(json_object_get(line, "schema_sha256")), 64);
    assert_int_equal(json_string_length(json_object_get(line, "request_sha256")), 64);
    assert_int_equal(json_integer_value(json_object_get(line, "status")), 200);
    assert_string_equal(json_string_value(json_object_get(line, "response")),
                        "{\"status\":200}");
    json_decref(list);
}

static void test_retries(void **state)
{
    (void)state;
    world_centre(&w, "server", "500 502 503 504 408 425 429 reset drop 200", false);
    world_conf(&w, "");
    world_alerts(&w, 3);
    world_start(&w);
    world_until(&w, world_has_delivered, 3);
    world_stop(&w);
    assert_int_equal(w.n_got, 12);
    for (unsigned i = 0; i < 10; i++) {
        assert_string_equal(w.got[i].signature, "alert 1"); /* order is kept meanwhile */
    }
    check_order(1, 3);
    assert_true(world_has_retried(&w, 9)); /* each has its receipt */
}

/* The other end takes an alert and is gone: what is sent again is begun again, also when
 * the connection was a kept one. */
static void test_no_request_without_a_receipt(void **state)
{
    (void)state;
    world_centre(&w, "server", "200 drop 200 reset 200", false);
    world_conf(&w, "");
    world_alerts(&w, 3);
    world_start(&w);
    world_until(&w, world_has_delivered, 3);
    world_stop(&w);
    assert_int_equal(w.n_got, 5);
    assert_string_equal(world_outcomes(&w, "a"),
                        "begun delivered begun retry begun delivered begun retry begun "
                        "delivered");
}

static void test_dead_letters(void **state)
{
    (void)state;
    world_centre(&w, "server", "400 404 405 409 413 415 422 418 200", false);
    world_conf(&w, "");
    world_alerts(&w, 9);
    world_start(&w);
    world_until(&w, world_has_delivered, 1);
    assert_true(world_has_dead(&w, 8));
    world_stop(&w);
    assert_int_equal(w.n_got, 9);
    check_order(1, 9);
    json_t *list = world_receipts(&w);
    const json_t *line = json_array_get(list, 1);
    assert_string_equal(json_string_value(json_object_get(line, "outcome")), "dead");
    assert_int_equal(json_integer_value(json_object_get(line, "status")), 400);
    json_decref(list);
}

static void test_stop_and_reload(void **state)
{
    (void)state;
    world_centre(&w, "server", "401 403 301 200", false);
    world_conf(&w, "    stopped_retry: 0s\n");
    world_alerts(&w, 2);
    world_start(&w);
    for (unsigned i = 1; i <= 3; i++) {
        world_until(&w, world_has_stopped, i);
        world_wait(&w, 30);
        assert_int_equal(w.n_got, i); /* nothing until a person has looked */
        fwd_program_reload(w.program);
    }
    world_until(&w, world_has_delivered, 2);
    world_stop(&w);
    assert_string_equal(world_outcomes(&w, "a"),
                        "begun stopped begun stopped begun stopped begun delivered begun "
                        "delivered");
}

static void test_stop_tries_again(void **state)
{
    (void)state;
    world_centre(&w, "server", "403 200", false);
    world_conf(&w, "    stopped_retry: 5ms\n");
    world_alerts(&w, 1);
    world_start(&w);
    world_until(&w, world_has_delivered, 1);
    assert_true(world_has_stopped(&w, 1));
}

static void test_retry_after(void **state)
{
    (void)state;
    world_centre(&w, "server", "429:1 200", false);
    world_conf(&w, "");
    world_alerts(&w, 1);
    world_start(&w);
    world_until(&w, world_has_delivered, 1);
    assert_int_equal(w.n_got, 2);
    uint64_t waited = w.got[1].at_ms - w.got[0].at_ms;
    assert_true(waited >= 990 && waited < 1900);
}

static void test_retry_after_is_cut(void **state)
{
    (void)state;
    world_centre(&w, "server", "503:3600 200", false);
    world_conf(&w, "    retry_after_max: 60ms\n");
    world_alerts(&w, 1);
    world_start(&w);
    world_until(&w, world_has_delivered, 1);
    uint64_t waited = w.got[1].at_ms - w.got[0].at_ms;
    assert_true(waited >= 55 && waited < 2000);
}

static void test_late_and_never(void **state)
{
    (void)state;
    world_centre(&w, "server", "slow:100 hang big 204", false);
    world_conf(&w, "    timeout: 250ms\n");
    world_alerts(&w, 3);
    world_start(&w);
    world_until(&w, world_has_delivered, 3);
    world_stop(&w);
    assert_int_equal(w.n_got, 4);
    assert_string_equal(world_outcomes(&w, "a"),
                        "begun delivered begun retry begun delivered begun delivered");
}

/* Nothing may reach a server that is not the right one. */
static void check_nothing_leaves(const char *text)
{
    world_alerts(&w, 2);
    world_start(&w);
    world_until(&w, world_has_retried, 2);
    assert_int_equal(w.n_got, 0);
    world_stop(&w);
    json_t *list = world_receipts(&w);
    const char *reason =
        json_string_value(json_object_get(json_array_get(list, 1), "reason"));
    assert_non_null(reason);
    if (strstr(reason, text) == NULL) {
        fail_msg("%s (expected %s)", reason, text);
    }
    json_decref(list);
}

static void test_wrong_host_name(void **state)
{
    (void)state;
    world_centre(&w, "wrong-host", "200", false);
    world_conf(&w, "");
    check_nothing_leaves("no alternative certificate subject name matches");
}

static void test_foreign_ca(void **state)
{
    (void)state;
    world_centre(&w, "foreign", "200", false);
    world_conf(&w, "");
    check_nothing_leaves("certificate");
}

static void test_wrong_pin(void **state)
{
    (void)state;
    world_centre(&w, "server", "200", false);
    world_conf(&w, "");
    w.conf.destinations[0].tls.pin =
        strdup("sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    check_nothing_leaves("pinned");
}

static void test_expired(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    struct hd_test_ca *ca = hd_test_ca_new(dir, "ca");
    hd_test_cert_issue(
        ca, dir, "short",
        &(struct hd_test_cert_opts){
            .cn = "localhost", .names = "DNS:localhost", .from_s = -3600, .to_s = 2});
    hd_test_ca_free(ca);
    w.pki = dir;
    world_centre(&w, "short", "200", false);
    world_conf(&w, "");
    world_wait(&w, 3100);
    check_nothing_leaves("certificate has expired");
}

static void test_client_certificate(void **state)
{
    (void)state;
    world_centre(&w, "server", "200", true);
    world_conf(&w, "");
    world_alerts(&w, 1);
    world_start(&w);
    world_until(&w, world_has_retried, 2);
    assert_int_equal(w.n_got, 0);
    world_stop(&w);
    w.conf.destinations[0].tls.cert = strdup(hd_test_path(pki, "client.crt"));
    w.conf.destinations[0].tls.key = strdup(hd_test_path(pki, "client.key"));
    world_start(&w);
    world_until(&w, world_has_delivered, 1);
    assert_int_equal(w.n_got, 1);
}

static void test_down_then_up(void **state)
{
    (void)state;
    world_centre(&w, "server", "200", false);
    world_centre_gone(&w); /* the port is known now */
    world_conf(&w, "");
    world_alerts(&w, 20);
    world_start(&w);
    world_until(&w, world_has_retried, 3);
    world_stop(&w); /* a restart in between changes nothing */
    world_start(&w);
    world_centre(&w, "server", "200", false);
    world_until(&w, world_has_delivered, 20);
    assert_int_equal(w.n_got, 20);
    check_order(1, 20);
    world_centre_gone(&w); /* goes away under an open connection */
    world_alerts(&w, 3);
    world_until(&w, world_has_retried, 4);
    world_centre(&w, "server", "200", false);
    world_until(&w, world_has_delivered, 23);
    check_order(21, 3);
}

static void test_two_destinations(void **state)
{
    (void)state;
    world_centre(&w, "server", "200", false);
    world_conf(&w,
               "  - name: down\n    url: https://127.0.0.1:9/x\n    profile: p.json\n");
    char *profile = w.conf.destinations[0].profile;
    char *token = w.conf.destinations[0].token_file;
    struct fwd_conf_destination *down = &w.conf.destinations[1];
    free(down->profile);
    down->profile = strdup(profile);
    down->token_file = strdup(token);
    down->n_settings = w.conf.destinations[0].n_settings;
    down->settings = calloc(3, sizeof(*down->settings));
    for (size_t i = 0; i < 3; i++) {
        down->settings[i].name = strdup(w.conf.destinations[0].settings[i].name);
        down->settings[i].value = strdup(w.conf.destinations[0].settings[i].value);
    }
    world_alerts(&w, 5);
    world_start(&w);
    world_until(&w, world_has_delivered, 5);
    world_stop(&w);
    assert_int_equal(w.n_got, 5);
    assert_string_equal(world_outcomes(&w, "down"), "begun retry");
}

static void test_what_may_leave(void **state)
{
    (void)state;
    world_centre(&w, "server", "200", false);
    world_conf(&w, "    min_severity: 3\n");
    world_alert_with(&w, "delivery", json_string("province"));
    world_alert_with(&w, "severity", json_integer(2));
    world_alerts(&w, 1);
    world_start(&w);
    world_until(&w, world_has_delivered, 1);
    world_stop(&w);
    assert_int_equal(w.n_got, 1);
    check_order(3, 1);
    assert_int_equal(HD_METRIC_GET(fwd_metrics, FWD_M_PROVINCE), 1);
    assert_int_equal(HD_METRIC_GET(fwd_metrics, FWD_M_SEVERITY), 1);
}

static void test_cannot_be_told(void **state)
{
    (void)state;
    world_centre(&w, "server", "200", false);
    world_conf(&w, "");
    world_alert_with(&w, "time.first", json_string("1999-01-01T00:00:00Z"));
    world_alerts(&w, 1);
    world_start(&w);
    world_until(&w, world_has_delivered, 1);
    world_stop(&w);
    assert_int_equal(w.n_got, 1);
    assert_string_equal(world_outcomes(&w, "a"), "dead begun delivered");
    json_t *list = world_receipts(&w);
    assert_non_null(
        strstr(json_string_value(json_object_get(json_array_get(list, 0), "reason")),
               "/timestamp"));
    json_decref(list);
}

static const char *alerts_file(unsigned first)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "alerts/%020u.zst", first);
    return hd_test_path(w.dir, name);
}

/* Alerts that are gone or damaged cannot be sent; that they were is not forgotten. */
static void test_what_cannot_be_read_has_a_receipt(void **state)
{
    (void)state;
    uint8_t byte = 0;
    world_centre(&w, "server", "200", false);
    world_conf(&w, "");
    w.alert_segment = 1; /* a segment each */
    world_alerts(&w, 5);
    assert_int_equal(unlink(alerts_file(2)), 0);
    int fd = open(alerts_file(3), O_RDWR);
    assert_int_equal(pread(fd, &byte, 1, 200), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, 200), 1);
    (void)close(fd);
    for (int i = 0; i < 2; i++) { /* told once, also when all is read again */
        world_start(&w);
        world_until(&w, world_has_delivered, 3);
        world_wait(&w, 20);
        world_stop(&w);
        assert_int_equal(w.n_got, 3);
        assert_string_equal(world_outcomes(&w, "a"),
                            "begun delivered dead begun delivered begun delivered");
        assert_int_equal(unlink(hd_test_path(w.dir, "alerts/readers/forwarder-a")), 0);
    }
    json_t *list = world_receipts(&w);
    const json_t *dead = json_array_get(list, 2);
    assert_int_equal(json_integer_value(json_object_get(dead, "index")), 2);
    assert_string_equal(json_string_value(json_object_get(dead, "reason")),
                        "cannot be read: entries 2 to 3 of the alert journal are missing "
                        "or do not verify");
    json_decref(list);
}

/* The same where it went on after a restart. */
static void test_what_is_gone_at_a_start_has_a_receipt(void **state)
{
    (void)state;
    world_centre(&w, "server", "200", false);
    world_conf(&w, "");
    w.alert_segment = 1;
    world_alerts(&w, 1);
    world_start(&w);
    world_until(&w, world_has_delivered, 1);
    world_stop(&w);
    world_alerts(&w, 3);
    assert_int_equal(unlink(alerts_file(2)), 0);
    assert_int_equal(unlink(alerts_file(3)), 0);
    world_start(&w);
    world_until(&w, world_has_delivered, 2);
    world_stop(&w);
    assert_string_equal(world_outcomes(&w, "a"), "begun delivered dead begun delivered");
}

static unsigned n_durable;

static void on_durable(void *ctx, int err)
{
    (void)ctx;
    assert_int_equal(err, HD_OK);
    n_durable++;
}

static bool are_durable(struct world *world, unsigned n)
{
    (void)world;
    return n_durable == n;
}

static void put_receipts(struct fwd_receipts *receipts, const char *destination,
                         unsigned alert, enum fwd_outcome outcome, unsigned n)
{
    char id[40];
    (void)snprintf(id, sizeof(id), "5b1f3c7e-0a1b-8c2d-9e3f-%012u", alert);
    const struct fwd_receipt receipt = {.time_ns = hd_clock_wall_ns(),
                                        .destination = destination,
                                        .alert = id,
                                        .index = alert,
                                        .outcome = outcome,
                                        .profile = "p",
                                        .schema_sha256 = "s"};
    n_durable = 0;
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(fwd_receipts_append(receipts, &receipt, on_durable, NULL),
                         HD_OK);
    }
    world_until(&w, are_durable, n);
}

/* Receipts of an earlier life, whose saved position was lost with it. */
static void put_old_receipts(const char *dir)
{
    const struct fwd_receipts_opts opts = {.journal = {.dir = dir}, .loop = &w.loop};
    struct fwd_receipts *receipts = NULL;
    char why[256];
    assert_int_equal(hd_fs_mkdirs(dir, 0750), HD_OK);
    assert_int_equal(fwd_receipts_open(&opts, &receipts, why), HD_OK);
    put_receipts(receipts, "a", 1, FWD_DELIVERED, 1);
    put_receipts(receipts, "a", 2, FWD_DEAD, 1);
    put_receipts(receipts, "a", 3, FWD_BEGUN, 1);
    for (unsigned i = 0; i < FWD_RECEIPTS_TAIL; i += 64) {
        put_receipts(receipts, "b", 1, FWD_RETRY, 64);
    }
    fwd_receipts_close(receipts, NULL, NULL);
    world_wait(&w, 20);
}

static void test_a_lost_position_sends_nothing_again(void **state)
{
    (void)state;
    world_centre(&w, "server", "200", false);
    world_conf(&w, "");
    put_old_receipts(hd_test_path(w.dir, "state/receipts"));
    world_alerts(&w, 4);
    world_start(&w);
    world_until(&w, world_has_delivered, 2);
    world_stop(&w);
    assert_int_equal(w.n_got, 2);
    check_order(3, 2);
    assert_int_equal(HD_METRIC_GET(fwd_metrics, FWD_M_KNOWN), 2);
    json_t *list = world_receipts(&w);
    const json_t *begun = json_array_get(list, FWD_RECEIPTS_TAIL + 3);
    assert_true(json_is_true(json_object_get(begun, "resend")));
    json_decref(list);
}

static void test_no_receipt_no_request(void **state)
{
    (void)state;
    world_centre(&w, "server", "200", false);
    world_conf(&w, "");
    w.conf.receipts.max_bytes = 1;
    world_alerts(&w, 1);
    world_start(&w);
    world_wait(&w, 100);
    assert_int_equal(w.n_got, 0);
    assert_true(HD_METRIC_GET(fwd_metrics, FWD_M_RECEIPT_ERRORS) > 0);
    world_stop(&w);
    w.conf.receipts.max_bytes = 0;
    world_start(&w);
    world_until(&w, world_has_delivered, 1);
}

static bool are_receipts_sealed(struct world *world, unsigned n)
{
    const struct hd_check_opts opts = {.n_keys = 0};
    struct hd_journal_segments list;
    struct hd_check_segment seg = {.first = 0};
    struct hd_check *check;
    char dir[512], path[600];
    (void)n;
    (void)snprintf(dir, sizeof(dir), "%s/state/receipts", world->dir);
    assert_int_equal(hd_journal_list(dir, &list), HD_OK);
    assert_int_equal(list.n, 1);
    assert_int_equal(hd_journal_segment_path(dir, list.first[0], path, sizeof(path)),
                     HD_OK);
    assert_int_equal(hd_check_open(&opts, &check), HD_OK);
    assert_int_equal(hd_check_peek(check, path, &seg), HD_OK);
    hd_check_close(check);
    free(list.first);
    return seg.is_sealed && seg.is_stated;
}

/* Nothing more is delivered; what is there is signed while the program runs. */
static void test_old_receipts_are_sealed(void **state)
{
    (void)state;
    world_centre(&w, "server", "200", false);
    world_conf(&w, "");
    w.conf.receipts.segment_age = INT64_C(500000000);
    world_alerts(&w, 1);
    world_start(&w);
    world_until(&w, world_has_delivered, 1);
    world_until(&w, are_receipts_sealed, 0);
    world_stop(&w);
    assert_string_equal(world_outcomes(&w, "a"), "begun delivered");
}

static void test_put_and_journal_that_comes_late(void **state)
{
    (void)state;
    world_centre(&w, "server", "200", false);
    world_conf(&w, "    method: PUT\n    auth: raw-basic\n");
    world_start(&w); /* there is no alert journal yet */
    world_wait(&w, 20);
    world_alerts(&w, 1);
    world_until(&w, world_has_delivered, 1);
    assert_int_equal(w.n_got, 1);
}

static void test_stop_in_flight(void **state)
{
    (void)state;
    world_centre(&w, "server", "hang 200", false);
    world_conf(&w, "");
    world_alerts(&w, 1);
    world_start(&w);
    world_until(&w, world_has_got, 1);
    world_stop(&w);
    world_start(&w);
    world_until(&w, world_has_delivered, 1);
    world_stop(&w);
    json_t *list = world_receipts(&w);
    assert_int_equal(json_array_size(list), 3);
    assert_true(json_is_true(json_object_get(json_array_get(list, 1), "resend")));
    json_decref(list);
}

static void test_update_of_an_alert(void **state)
{
    (void)state;
    world_centre(&w, "server", "200", false);
    world_conf(&w, "");
    world_alerts(&w, 1);
    world_start(&w);
    world_until(&w, world_has_delivered, 1);
    world_stop(&w);
    world_alert_with(&w, "id", json_string("5b1f3c7e-0a1b-8c2d-9e3f-000000000001"));
    world_start(&w);
    world_until(&w, world_has_delivered, 2);
    check_order(1, 2);
}

static const char *reason_of(const json_t *list, size_t i)
{
    return json_string_value(json_object_get(json_array_get(list, i), "reason"));
}

/* Everything that a profile and a destination can be set to lets it pass; it stays. */
static void test_tests_never_leave(void **state)
{
    (void)state;
    world_centre(&w, "server", "200", false);
    world_conf(&w, "    scope: province\n    min_severity: 1\n");
    world_alert_with(&w, "status", json_string("test"));
    world_alert_with(&w, "canary",
                     json_pack("{s:s, s:s, s:s, s:s, s:i}", "id", "00", "class", "udp",
                               "key", "ab", "sent", "2026-11-21T07:50:37Z", "parts", 1));
    world_alerts(&w, 1);
    world_start(&w);
    world_until(&w, world_has_delivered, 1);
    world_stop(&w);
    assert_int_equal(w.n_got, 1);
    check_order(3, 1);
    assert_int_equal(HD_METRIC_GET(fwd_metrics, FWD_M_TESTS), 2);
    assert_string_equal(world_outcomes(&w, "a"), "withheld withheld begun delivered");
    json_t *list = world_receipts(&w);
    const json_t *line = json_array_get(list, 0);
    assert_string_equal(reason_of(list, 0), "test");
    assert_int_equal(json_integer_value(json_object_get(line, "attempt")), 0);
    assert_int_equal(json_string_length(json_object_get(line, "request_sha256")), 64);
    assert_null(json_object_get(line, "status"));
    json_decref(list);
    world_start(&w); /* its receipt ends it: it is not looked at again */
    world_alerts(&w, 1);
    world_until(&w, world_has_delivered, 2);
    world_stop(&w);
    assert_string_equal(world_outcomes(&w, "a"),
                        "withheld withheld begun delivered begun delivered");
}

static bool has_withheld(struct world *world, unsigned n)
{
    (void)world;
    return HD_METRIC_GET(fwd_metrics, FWD_M_TESTS) >= n;
}

/* What would not have gone here says so. */
static void test_tests_say_what_would_have_been(void **state)
{
    (void)state;
    world_centre(&w, "server", "200", false);
    world_conf(&w, "    min_severity: 4\n");
    world_alert_with(&w, "status", json_string("test"));
    world_start(&w);
    world_until(&w, has_withheld, 1);
    world_stop(&w);
    assert_int_equal(w.n_got, 0);
    json_t *list = world_receipts(&w);
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(reason_of(list, 0), "test; such alerts do not go here");
    json_decref(list);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_order_and_restart),
        CASE(test_retries),
        CASE(test_no_request_without_a_receipt),
        CASE(test_dead_letters),
        CASE(test_stop_and_reload),
        CASE(test_stop_tries_again),
        CASE(test_retry_after),
        CASE(test_retry_after_is_cut),
        CASE(test_late_and_never),
        CASE(test_wrong_host_name),
        CASE(test_foreign_ca),
        CASE(test_wrong_pin),
        CASE(test_expired),
        CASE(test_client_certificate),
        CASE(test_down_then_up),
        CASE(test_two_destinations),
        CASE(test_what_may_leave),
        CASE(test_cannot_be_told),
        CASE(test_what_cannot_be_read_has_a_receipt),
        CASE(test_what_is_gone_at_a_start_has_a_receipt),
        CASE(test_a_lost_position_sends_nothing_again),
        CASE(test_no_receipt_no_request),
        CASE(test_old_receipts_are_sealed),
        CASE(test_put_and_journal_that_comes_late),
        CASE(test_stop_in_flight),
        CASE(test_update_of_an_alert),
        CASE(test_tests_never_leave),
        CASE(test_tests_say_what_would_have_been),
    };
    return cmocka_run_group_tests(tests, setup_all, NULL);
}
