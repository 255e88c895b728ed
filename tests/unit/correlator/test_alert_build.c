/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/fs.h>

#include "correlator/publish/alert_build.h"
#include "rules/correlate/suppress.h"
#include "tests/support/alloc.h"

#define NOW INT64_C(1790000000123456789)

static const char *const tags[] = {"attack.credential-access", "attack.t1110"};

static struct rul_rule rule(void)
{
    return (struct rul_rule){.type = RUL_DETECTION,
                             .id = "5b1f3c7e-0000-4000-8000-000000000001",
                             .title = "SSH brute force",
                             .title_vi = "Dò mật khẩu SSH",
                             .description = "d",
                             .description_vi = "",
                             .author = "Hải Đăng",
                             .license = "Apache-2.0",
                             .level = "high",
                             .severity = HD_SEV_HIGH,
                             .tags = tags,
                             .n_tags = 2,
                             .delivery = "national",
                             .alerts = true};
}

static struct rul_event *new_event(const char *line)
{
    struct rul_event *ev = calloc(1, sizeof(*ev));
    assert_non_null(ev);
    ev->time_ns = NOW - 5000000000;
    ev->recv_ns = NOW;
    ev->raw = hd_slice_str(line);
    return ev;
}

static void set(struct rul_event *ev, enum rul_field_id id, const char *value)
{
    rul_event_set(ev, (uint16_t)id, hd_slice_str(value));
}

static struct cor_event *hit(const struct rul_event *ev, uint64_t seq)
{
    struct rul_event_copy *copy = NULL;
    struct cor_event *out = NULL;
    const struct cor_origin origin = {.agent = HD_SLICE("web1"),
                                      .boot =
                                          HD_SLICE("0123456789abcdef0123456789abcdef"),
                                      .seq = seq};
    assert_int_equal(rul_event_copy(ev, &copy), HD_OK);
    assert_int_equal(cor_event_new(&origin, copy, &out), HD_OK);
    return out;
}

static struct cor_enrich *enrichment(const char *csv)
{
    char path[512];
    struct cor_enrich *e = NULL;
    struct hd_diags diags = {0};
    struct cor_enrich_opts opts = {0};
    if (csv != NULL) {
        (void)snprintf(path, sizeof(path), "%s/i.csv", hd_test_tmpdir());
        assert_int_equal(hd_fs_write_atomic(path, hd_slice_str(csv), 0600), HD_OK);
        opts.inventory = path;
    }
    assert_int_equal(cor_enrich_load(&opts, &e, &diags), HD_OK);
    return e;
}

static struct cor_alert_input input(const struct rul_rule *r,
                                    struct cor_event *const *event,
                                    const struct cor_enrich *enrich)
{
    return (struct cor_alert_input){.id = "5b1f3c7e-0000-8000-8000-000000000009",
                                    .rule = r,
                                    .event = *event,
                                    .evidence = (const struct cor_event *const *)event,
                                    .n_evidence = 1,
                                    .enrich = enrich,
                                    .repeats = 3,
                                    .published_ns = NOW};
}

static json_t *build(const struct cor_alert_input *in)
{
    json_t *alert = NULL;
    char why[256];
    assert_int_equal(cor_alert_build(in, &alert), HD_OK);
    int err = hd_alert_check(alert, why);
    if (err != HD_OK) {
        print_error("%s\n", why);
    }
    assert_int_equal(err, HD_OK);
    return alert;
}

static struct rul_event *ssh_event(void)
{
    struct rul_event *ev = new_event("Failed password for root from 203.0.113.9");
    set(ev, RUL_F_HOST_NAME, "web1");
    set(ev, RUL_F_SOURCE_IP, "203.0.113.9");
    set(ev, RUL_F_SOURCE_PORT, "50123");
    set(ev, RUL_F_DESTINATION_PORT, "22");
    set(ev, RUL_F_USER_NAME, "root");
    set(ev, RUL_F_PROCESS_NAME, "sshd");
    set(ev, RUL_F_PROCESS_PID, "812");
    set(ev, RUL_F_URL_PATH, "/a");
    set(ev, RUL_F_URL_QUERY, "b=c");
    set(ev, RUL_F_DNS_NAME, "example.vn");
    set(ev, RUL_F_TLS_SNI, "example.vn");
    set(ev, RUL_F_TLS_JA4, "t13d1516h2_8daaf6152771_b186095e22b6");
    set(ev, RUL_F_USER_AGENT, "curl/8");
    set(ev, RUL_F_NETWORK_TRANSPORT, "tcp");
    set(ev, RUL_F_NETWORK_PROTOCOL, "ssh");
    set(ev, RUL_F_NETWORK_COMMUNITY_ID, "1:abc=");
    return ev;
}

static void tells_everything_it_knows(void **state)
{
    (void)state;
    struct rul_rule r = rule();
    struct rul_event *ev = ssh_event();
    struct cor_event *event = hit(ev, 812);
    struct cor_enrich *e =
        enrichment("id,name,agency,level,hosts,contact\nkt,Cổng,UBND,3,web1,a@b.vn\n");
    struct cor_alert_input in = input(&r, &event, e);
    json_t *a = build(&in);
    assert_string_equal(hd_alert_text(a, "status"), "new");
    assert_string_equal(hd_alert_text(a, "time.first"), "2026-09-21T14:13:15.123456Z");
    assert_string_equal(hd_alert_text(a, "time.last"), "2026-09-21T14:13:15.123456Z");
    assert_string_equal(hd_alert_text(a, "time.published"),
                        "2026-09-21T14:13:20.123456Z");
    assert_int_equal(hd_alert_int(a, "count", -1), 1);
    assert_string_equal(hd_alert_text(a, "rule.title_vi"), "Dò mật khẩu SSH");
    assert_string_equal(hd_alert_text(a, "rule.type"), "detection");
    assert_null(hd_alert_at(a, "rule.description_vi"));
    assert_string_equal(hd_alert_text(a, "category.tactic"), "TA0006");
    assert_int_equal(hd_alert_int(a, "severity", -1), 3);
    assert_string_equal(hd_alert_text(a, "source.ip"), "203.0.113.9");
    assert_int_equal(hd_alert_int(a, "source.port", -1), 50123);
    assert_int_equal(hd_alert_int(a, "destination.port", -1), 22);
    assert_string_equal(hd_alert_text(a, "network.direction"), "inbound");
    assert_string_equal(hd_alert_text(a, "host.name"), "web1");
    assert_string_equal(hd_alert_text(a, "user.name"), "root");
    assert_int_equal(hd_alert_int(a, "process.pid", -1), 812);
    assert_string_equal(hd_alert_text(a, "url.query"), "b=c");
    assert_string_equal(hd_alert_text(a, "agent.name"), "web1");
    assert_string_equal(hd_alert_text(a, "system.id"), "kt");
    assert_int_equal(hd_alert_int(a, "system.level", -1), 3);
    assert_int_equal(hd_alert_int(a, "suppressed", -1), 3);
    assert_string_equal(hd_alert_text(a, "delivery"), "national");
    const json_t *line = json_array_get(hd_alert_at(a, "evidence"), 0);
    assert_string_equal(hd_alert_text(line, "line"),
                        "Failed password for root from 203.0.113.9");
    assert_int_equal(hd_alert_int(line, "seq", -1), 812);
    assert_int_equal(strlen(hd_alert_text(line, "sha256")), 64);
    json_decref(a);
    cor_event_unref(event);
    free(ev);
    cor_enrich_unref(e);
}

static void says_nothing_it_does_not_know(void **state)
{
    (void)state;
    struct rul_rule r = rule();
    struct rul_event *ev = new_event("");
    set(ev, RUL_F_SOURCE_IP, "not-an-address");
    set(ev, RUL_F_SOURCE_PORT, "99999");
    set(ev, RUL_F_PROCESS_PID, "-1");
    struct cor_event *event = hit(ev, 1);
    struct cor_enrich *e = enrichment(NULL);
    r.n_tags = 0;
    struct cor_alert_input in = input(&r, &event, e);
    json_t *a = build(&in);
    static const char *const absent[] = {
        "category", "source", "destination", "network",    "host",   "user", "process",
        "url",      "dns",    "tls",         "user_agent", "system", "group"};
    for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
        assert_null(hd_alert_at(a, absent[i]));
    }
    json_decref(a);
    cor_event_unref(event);
    free(ev);
    cor_enrich_unref(e);
}

static void what_is_secret_stays(void **state)
{
    (void)state;
    struct rul_rule r = rule();
    struct rul_event *ev = ssh_event();
    struct cor_event *event = hit(ev, 1);
    struct cor_enrich *e = enrichment("id,name,hosts,secret\nm,M,web1,yes\n");
    struct cor_alert_input in = input(&r, &event, e);
    json_t *a = build(&in);
    assert_string_equal(hd_alert_text(a, "delivery"), "province");
    json_decref(a);
    cor_event_unref(event);
    free(ev);
    cor_enrich_unref(e);
}

static void correlations_have_group_and_count(void **state)
{
    (void)state;
    struct rul_rule r = rule();
    r.type = RUL_EVENT_COUNT;
    struct rul_event *ev = ssh_event();
    struct cor_event *event = hit(ev, 6);
    struct cor_enrich *e = enrichment(NULL);
    struct rul_detection d = {.rule = &r,
                              .first_ns = NOW - 9000000000,
                              .last_ns = NOW - 5000000000,
                              .count = 6,
                              .n_group = 2,
                              .group = {{"user.name", HD_SLICE("root")},
                                        {"source.ip", HD_SLICE("203.0.113.9")}}};
    struct cor_alert_input in = input(&r, &event, e);
    in.detection = &d;
    json_t *a = build(&in);
    assert_string_equal(hd_alert_text(a, "rule.type"), "event_count");
    assert_int_equal(hd_alert_int(a, "count", -1), 6);
    assert_string_equal(hd_alert_text(a, "time.first"), "2026-09-21T14:13:11.123456Z");
    assert_string_equal(
        json_string_value(json_object_get(hd_alert_at(a, "group"), "source.ip")),
        "203.0.113.9");
    json_decref(a);
    cor_event_unref(event);
    free(ev);
    cor_enrich_unref(e);
}

/* The first event may be forgotten (there is room for so many agents and boots): alerts
 * about one group have ids of their own all the same. */
static void a_forgotten_first_event_makes_no_two_alerts_one(void **state)
{
    (void)state;
    char ids[3][37];
    struct hd_buf scratch;
    struct rul_rule r = rule();
    r.type = RUL_EVENT_COUNT;
    struct rul_event *ev = ssh_event();
    struct cor_enrich *e = enrichment(NULL);
    struct rul_detection d = {.rule = &r, .first_ns = NOW, .last_ns = NOW, .count = 6};
    hd_buf_init(&scratch, 0);
    for (unsigned i = 0; i < 3; i++) {
        struct cor_event *event = hit(ev, 6 + i % 2);
        struct cor_alert_input in = input(&r, &event, e);
        in.detection = &d;
        assert_int_equal(cor_alert_id(&in, &scratch, ids[i]), HD_OK);
        cor_event_unref(event);
    }
    assert_string_not_equal(ids[0], ids[1]);
    assert_string_equal(ids[0], ids[2]);
    hd_buf_fini(&scratch);
    free(ev);
    cor_enrich_unref(e);
}

/* What the events lack is no value, and an order that is not sure is said to be so. */
static void correlations_say_what_is_not_known(void **state)
{
    (void)state;
    struct rul_rule r = rule();
    r.type = RUL_TEMPORAL_ORDERED;
    struct rul_event *ev = ssh_event();
    struct cor_event *event = hit(ev, 6);
    struct cor_enrich *e = enrichment(NULL);
    struct rul_detection d = {
        .rule = &r,
        .first_ns = NOW,
        .last_ns = NOW,
        .count = 2,
        .n_group = 2,
        .group = {{"user.name", HD_SLICE_EMPTY}, {"host.name", HD_SLICE("")}}};
    struct cor_alert_input in = input(&r, &event, e);
    in.detection = &d;
    for (int i = 0; i < 2; i++) {
        d.is_ambiguous = i == 1;
        json_t *a = build(&in);
        const json_t *group = hd_alert_at(a, "group");
        assert_null(json_object_get(group, "user.name"));
        assert_string_equal(json_string_value(json_object_get(group, "host.name")), "");
        assert_string_equal(hd_alert_text(a, "order"), i == 1 ? "ambiguous" : "");
        json_decref(a);
    }
    cor_event_unref(event);
    free(ev);
    cor_enrich_unref(e);
}

/* Whatever a line holds, the alert is valid and fits. */
static void hostile_bytes_become_a_valid_alert(void **state)
{
    (void)state;
    static char huge[200000];
    static char names[4][3000];
    struct rul_rule r = rule();
    struct cor_enrich *e = enrichment(NULL);
    struct cor_event *events[HD_ALERT_EVIDENCE_MAX];
    for (int fill = 0; fill < 256; fill += 5) {
        memset(huge, fill, sizeof(huge) - 1);
        memset(names, fill, sizeof(names));
        struct rul_event *ev = new_event("");
        ev->raw = hd_slice(huge, sizeof(huge) - 1);
        static const enum rul_field_id ids[] = {RUL_F_HOST_NAME,        RUL_F_USER_NAME,
                                                RUL_F_URL_PATH,         RUL_F_URL_QUERY,
                                                RUL_F_NETWORK_PROTOCOL, RUL_F_TLS_JA4};
        for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
            rul_event_set(ev, (uint16_t)ids[i], hd_slice(names[i % 4], sizeof(names[0])));
        }
        for (size_t i = 0; i < HD_ALERT_EVIDENCE_MAX; i++) {
            events[i] = hit(ev, i);
        }
        struct cor_alert_input in = input(&r, &events[0], e);
        in.evidence = (const struct cor_event *const *)events;
        in.n_evidence = HD_ALERT_EVIDENCE_MAX;
        json_t *a = build(&in);
        struct hd_buf out;
        hd_buf_init(&out, 0);
        assert_int_equal(hd_alert_format(a, &out), HD_OK);
        assert_true(out.len <= HD_ALERT_TEXT_MAX);
        char why[256];
        json_t *again = NULL;
        assert_int_equal(hd_alert_parse(hd_buf_slice(&out), &again, why), HD_OK);
        assert_true(json_boolean_value(json_object_get(
            json_array_get(hd_alert_at(again, "evidence"), 0), "truncated")));
        json_decref(again);
        json_decref(a);
        hd_buf_fini(&out);
        for (size_t i = 0; i < HD_ALERT_EVIDENCE_MAX; i++) {
            cor_event_unref(events[i]);
        }
        free(ev);
    }
    cor_enrich_unref(e);
}

/* Suppression is seeded from the alert journal: both ways give one key. */
static void keys_of_event_and_alert_agree(void **state)
{
    (void)state;
    struct rul_suppress *table = NULL;
    assert_int_equal(rul_suppress_new(&(struct rul_suppress_opts){.entries = 1}, &table),
                     HD_OK);
    struct rul_rule r = rule();
    struct cor_enrich *e = enrichment(NULL);
    struct rul_event *with = ssh_event(), *without = new_event("x");
    set(without, RUL_F_HOST_NAME, "web1");
    set(without, RUL_F_USER_NAME, "an");
    struct cor_event *events[] = {hit(with, 1), hit(without, 2)};
    uint64_t keys[2];
    for (size_t i = 0; i < 2; i++) {
        struct cor_alert_input in = input(&r, &events[i], e);
        json_t *a = build(&in);
        keys[i] = cor_alert_key_of_input(table, &in);
        assert_true(keys[i] == cor_alert_key_of_json(table, a));
        json_decref(a);
    }
    assert_true(keys[0] != keys[1]);
    r.type = RUL_VALUE_COUNT;
    struct rul_detection d = {.rule = &r,
                              .first_ns = NOW,
                              .last_ns = NOW,
                              .count = 2,
                              .n_group = 2,
                              .group = {{"user.name", HD_SLICE("root")},
                                        {"source.ip", HD_SLICE("203.0.113.9")}}};
    struct cor_alert_input in = input(&r, &events[0], e);
    in.detection = &d;
    for (size_t i = 0; i < 3; i++) {
        json_t *a = build(&in);
        assert_true(cor_alert_key_of_input(table, &in) ==
                    cor_alert_key_of_json(table, a));
        json_decref(a);
        d.group[i == 0].value = HD_SLICE_EMPTY; /* events without that field */
    }
    for (size_t i = 0; i < 2; i++) {
        cor_event_unref(events[i]);
    }
    free(with);
    free(without);
    cor_enrich_unref(e);
    rul_suppress_free(table);
}

static void survives_lack_of_memory(void **state)
{
    (void)state;
    struct rul_rule r = rule();
    struct rul_event *ev = ssh_event();
    struct cor_event *event = hit(ev, 812);
    struct cor_enrich *e = enrichment("id,name,hosts\nkt,Cổng,web1\n");
    struct cor_alert_input in = input(&r, &event, e);
    HD_TEST_ALLOC_EACH(n)
    {
        json_t *a = NULL;
        int err = cor_alert_build(&in, &a);
        hd_test_alloc_stop();
        assert_true(err == HD_OK || err == HD_ENOMEM);
        assert_true((err == HD_OK) == (a != NULL));
        json_decref(a);
    }
    cor_event_unref(event);
    free(ev);
    cor_enrich_unref(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_everything_it_knows),
        cmocka_unit_test(says_nothing_it_does_not_know),
        cmocka_unit_test(what_is_secret_stays),
        cmocka_unit_test(correlations_have_group_and_count),
        cmocka_unit_test(a_forgotten_first_event_makes_no_two_alerts_one),
        cmocka_unit_test(correlations_say_what_is_not_known),
        cmocka_unit_test(hostile_bytes_become_a_valid_alert),
        cmocka_unit_test(keys_of_event_and_alert_agree),
        cmocka_unit_test(survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
