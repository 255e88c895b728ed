/* SPDX-License-Identifier: Apache-2.0
 *
 * Canaries among real lines: the real examination and mind, in one thread. The ways in
 * and the forwarder: tests/e2e/test_canary.py.
 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/archive_meta.h>
#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/journal_reader.h>

#include "correlator/detect/examine.h"
#include "correlator/metrics.h"
#include "correlator/state/mind.h"
#include "correlator/state/state.h"

#define BOOT     "0123456789abcdef0123456789abcdef"
#define FAILED   "Failed password for root from 203.0.113.9 port 4022 ssh2"
#define ACCEPTED "Accepted password for root from 203.0.113.9 port 4022 ssh2"
#define ONE      "71111111-1111-4111-8111-111111111111"
#define THREE    "71111111-1111-4111-8111-111111111112"
#define ALL_MAX  16U

static const char rules_text[] =
    "title: One\nid: " ONE "\nname: one\nstatus: test\n"
    "logsource: {product: linux, service: sshd}\n"
    "detection:\n  selection: {event.action: ssh-login, event.outcome: failure}\n"
    "  condition: selection\nlevel: high\n"
    "---\n"
    "title: Three\nid: " THREE "\nstatus: test\n"
    "correlation:\n  type: event_count\n  rules: [one]\n  group-by: [source.ip]\n"
    "  timespan: 10m\n  condition: {gte: 3}\n  generate: true\nlevel: high\n";

static struct world {
    char dir[512], alerts[600], proofs[600];
    struct hd_sign_key *key;
    struct hd_canary_keys *keys;
    struct cor_rules *rules;
    struct cor_enrich *enrich;
    struct cor_state_opts opts;
    struct cor_mind mind;
    struct cor_examiner *examiner;
    atomic_bool is_stopping;
    uint64_t seq, index;
    int64_t now_ns;
} w;

/* ---- the world ---- */

static bool no_memory(void *ctx)
{
    (void)ctx;
    return false;
}

static void deliver(void *ctx, struct cor_hits *message)
{
    (void)ctx;
    cor_mind_take(&w.mind, message);
    cor_mind_advance(&w.mind, message->watermark_ns);
    cor_hits_free(message);
}

static void load_rules(void)
{
    char path[600], decoders[512];
    const char *paths[] = {path};
    struct rul_set *set = NULL;
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    (void)snprintf(path, sizeof(path), "%s/rules.yml", w.dir);
    (void)snprintf(decoders, sizeof(decoders), "%s", hd_test_source("rules/decoders"));
    const struct rul_set_opts opts = {.decoders_dir = decoders,
                                      .rules = paths,
                                      .n_rules = 1,
                                      .time_zone = "UTC",
                                      .no_self_test = true};
    assert_int_equal(hd_fs_write_atomic(path, hd_slice_str(rules_text), 0600), HD_OK);
    assert_int_equal(rul_set_load(&opts, &set, &diags), HD_OK);
    assert_int_equal(cor_rules_new(set, NULL, &w.rules), HD_OK);
    rul_set_unref(set);
    assert_int_equal(cor_enrich_load(&(struct cor_enrich_opts){0}, &w.enrich, &diags),
                     HD_OK);
}

static void make_keys(void)
{
    char dir[600], path[700];
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    (void)snprintf(dir, sizeof(dir), "%s/keys", w.dir);
    (void)snprintf(path, sizeof(path), "%s/a", dir);
    assert_int_equal(hd_fs_mkdirs(dir, 0700), HD_OK);
    assert_int_equal(hd_sign_key_make(path), HD_OK);
    assert_int_equal(hd_sign_key_load(path, &w.key), HD_OK);
    assert_int_equal(hd_canary_keys_load(dir, 300 * HD_NS_PER_SEC, &diags, &w.keys),
                     HD_OK);
}

/* A process begins; the alerts of the one before are there. */
static void begin(void)
{
    char why[256];
    struct cor_tools *tools = NULL;
    const struct cor_mind_needs needs = {w.rules, w.enrich, no_memory, NULL};
    const struct cor_examiner_opts examiner = {.count = 1,
                                               .archive_dir = "archive",
                                               .is_stopping = &w.is_stopping,
                                               .deliver = deliver};
    assert_int_equal(cor_mind_init(&w.mind, &w.opts, &needs, why), HD_OK);
    assert_int_equal(cor_tools_new(w.rules, w.keys, &tools), HD_OK);
    assert_int_equal(cor_examiner_new(&examiner, tools, &w.examiner), HD_OK);
}

static void end(void)
{
    cor_examiner_free(w.examiner);
    cor_mind_fini(&w.mind);
}

static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof(w));
    (void)snprintf(w.dir, sizeof(w.dir), "%s", hd_test_tmpdir());
    (void)snprintf(w.alerts, sizeof(w.alerts), "%s/alerts", w.dir);
    (void)snprintf(w.proofs, sizeof(w.proofs), "%s/canaries.json", w.dir);
    w.now_ns = hd_clock_wall_ns() - 60 * HD_NS_PER_SEC;
    w.opts = (struct cor_state_opts){
        .alerts = {.dir = w.alerts},
        .canaries = w.proofs,
        .remember = 1024,
        .suppress = {.entries = 100},
        .correlate = {.memory_max = 8U << 20, .lateness_ns = 600 * HD_NS_PER_SEC}};
    for (size_t i = 0; i < RUL_SUPPRESS_SEVERITIES; i++) {
        w.opts.suppress.window_ns[i] = 3600 * HD_NS_PER_SEC;
    }
    load_rules();
    make_keys();
    begin();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    end();
    hd_sign_key_free(w.key);
    hd_canary_keys_unref(w.keys);
    cor_enrich_unref(w.enrich);
    cor_rules_unref(w.rules);
    return 0;
}

/* ---- lines ---- */

/* A batch of one line, which gets the next sequence. */
static void examine(struct hd_slice line)
{
    struct hd_batch_builder *b;
    struct hd_batch_info info;
    struct hd_journal_entry entry = {.index = ++w.index};
    struct hd_buf meta;
    uint16_t source;
    const struct hd_batch_source from = {.host = HD_SLICE("web1"),
                                         .kind = HD_SLICE("file"),
                                         .name = HD_SLICE("/var/log/auth.log"),
                                         .format = HD_SLICE("auto")};
    w.now_ns += HD_NS_PER_SEC;
    hd_buf_init(&meta, 0);
    hd_archive_meta_encode(&meta, &(struct hd_archive_meta){.agent = HD_SLICE("web1"),
                                                            .boot = HD_SLICE(BOOT),
                                                            .taken_ns = w.now_ns});
    assert_int_equal(hd_batch_builder_new("web1", BOOT, HD_BATCH_RAW_MAX, 1, &b), HD_OK);
    assert_int_equal(hd_batch_builder_source(b, &from, &source), HD_OK);
    assert_int_equal(hd_batch_builder_add(b, source, w.now_ns, 0, line), HD_OK);
    assert_int_equal(hd_batch_builder_close(b, ++w.seq, &entry.payload, &info), HD_OK);
    entry.first = entry.last = w.seq;
    entry.count = 1;
    entry.raw_len = info.raw_len;
    entry.time_min = entry.time_max = w.now_ns;
    entry.meta = hd_buf_slice(&meta);
    cor_examine(w.examiner, &entry);
    cor_examiner_end_batch(w.examiner, &(struct hd_journal_cursor){.index = w.index + 1});
    hd_batch_builder_free(b);
    hd_buf_fini(&meta);
}

static void really(const char *what)
{
    char line[256], time[HD_RFC3339_LEN + 1];
    (void)hd_clock_format_rfc3339(w.now_ns + HD_NS_PER_SEC, 6, time);
    int len = snprintf(line, sizeof(line), "%s web1 sshd[812]: %s", time, what);
    examine(hd_slice(line, (size_t)len));
}

/* Part of a run whose id ends with `run`. */
static void canary(unsigned run, const char *rule, uint32_t part, uint32_t parts,
                   const char *what)
{
    char id[HD_CANARY_ID_LEN + 1], inside[256];
    struct hd_buf line;
    (void)snprintf(id, sizeof(id), "%032u", run);
    (void)snprintf(inside, sizeof(inside), "Nov 21 07:50:37 web1 sshd[812]: %s", what);
    struct hd_canary c = {.id = hd_slice(id, HD_CANARY_ID_LEN),
                          .part = part,
                          .parts = parts,
                          .class = HD_CANARY_FILE,
                          .rule = hd_slice_str(rule),
                          .time_ns = w.now_ns,
                          .at_ms = 1000 * part,
                          .message = hd_slice_str(inside)};
    hd_buf_init(&line, 0);
    assert_int_equal(hd_canary_write(&c, w.key, HD_SLICE("h"), &line), HD_OK);
    examine(hd_buf_slice(&line));
    hd_buf_fini(&line);
}

/* ---- alerts ---- */

static void collect(void *ctx, const json_t *alert)
{
    json_t *all = ctx;
    assert_int_equal(json_array_append_new(all, json_deep_copy(alert)), 0);
}

/* "test:One new:Three": status and title of every alert so far. */
static void expect_alerts(const char *want)
{
    char got[1024] = "";
    size_t i = 0, len = 0;
    json_t *alert = NULL;
    json_t *all = json_array();
    assert_int_equal(cor_publish_flush(w.mind.out.publish), HD_OK);
    assert_int_equal(cor_publish_tail(w.mind.out.publish, ALL_MAX, collect, all), HD_OK);
    json_array_foreach(all, i, alert)
    {
        int n =
            snprintf(got + len, sizeof(got) - len, "%s%s:%s", len == 0 ? "" : " ",
                     hd_alert_text(alert, "status"), hd_alert_text(alert, "rule.title"));
        len += n > 0 ? (size_t)n : 0;
        assert_int_equal(hd_alert_int(alert, "suppressed", 0), 0);
        assert_int_equal(hd_alert_is_test(alert), got[len - (size_t)n + (i > 0)] == 't');
    }
    json_decref(all);
    assert_string_equal(got, want);
}

static int64_t proven_ns(const char *id)
{
    const struct rul_rule *rule = rul_set_find(w.rules->set, hd_slice_str(id));
    return cor_rule_proven_ns(w.rules->counts[rule->index]);
}

/* ---- what is to hold ---- */

static void a_test_holds_no_real_alert_back(void **state)
{
    (void)state;
    canary(1, ONE, 1, 1, FAILED);
    expect_alerts("test:One");
    really(FAILED);
    expect_alerts("test:One new:One");
    canary(2, ONE, 1, 1, FAILED); /* nor does a real one hold a test back */
    expect_alerts("test:One new:One test:One");
    uint64_t hits = cor_rule_read(&w.rules->counts[0]->hits);
    assert_int_equal(hits, 1);
}

/* What the next process finds in the journal holds back repeats; a test does not. */
static void a_test_of_before_holds_none_back(void **state)
{
    (void)state;
    canary(12, ONE, 1, 1, FAILED);
    expect_alerts("test:One");
    end();
    begin();
    really(FAILED);
    expect_alerts("test:One new:One");
    end();
    begin();
    really(FAILED);
    expect_alerts("test:One new:One");
}

static void a_test_is_in_no_group(void **state)
{
    (void)state;
    really(FAILED);
    really(FAILED);
    for (uint32_t part = 1; part <= 3; part++) {
        canary(3, THREE, part, 3, FAILED);
    }
    expect_alerts("new:One test:Three");
    really(FAILED);
    expect_alerts("new:One test:Three new:Three");
    assert_true(proven_ns(THREE) > 0);
    assert_int_equal(proven_ns(ONE), 0);
}

static void parts_that_are_missing_prove_nothing(void **state)
{
    (void)state;
    canary(4, THREE, 1, 3, FAILED);
    canary(4, THREE, 3, 3, FAILED);
    canary(5, THREE, 1, 3, ACCEPTED);
    canary(5, THREE, 2, 3, FAILED);
    canary(5, THREE, 3, 3, FAILED);
    expect_alerts("");
    assert_int_equal(proven_ns(THREE), 0);
    assert_true(cor_proofs_class_ns(cor_canaries_proofs(w.mind.canaries),
                                    HD_CANARY_FILE) > 0); /* the way in is alive */
}

/* Two runs at a time do not mix. */
static void runs_are_apart(void **state)
{
    (void)state;
    canary(6, THREE, 1, 3, FAILED);
    canary(7, THREE, 1, 3, FAILED);
    canary(6, THREE, 2, 3, FAILED);
    canary(7, THREE, 2, 3, FAILED);
    expect_alerts("");
    canary(6, THREE, 3, 3, FAILED);
    expect_alerts("test:Three");
    canary(7, THREE, 3, 3, FAILED);
    expect_alerts("test:Three test:Three");
}

static void a_copy_proves_nothing(void **state)
{
    (void)state;
    uint64_t repeated = COR_READ(COR_M_CANARIES_REPEATED);
    canary(8, ONE, 1, 1, FAILED);
    expect_alerts("test:One");
    int64_t proven = proven_ns(ONE);
    canary(8, ONE, 1, 1, FAILED); /* at another place */
    expect_alerts("test:One");
    assert_int_equal(COR_READ(COR_M_CANARIES_REPEATED), repeated + 1);
    assert_int_equal(proven_ns(ONE), proven);
    end();
    begin(); /* also to the next process, by its alert */
    canary(8, ONE, 1, 1, FAILED);
    assert_int_equal(COR_READ(COR_M_CANARIES_REPEATED), repeated + 2);
    w.seq = w.index = 0; /* examined again, at its own place */
    canary(8, ONE, 1, 1, FAILED);
    expect_alerts("test:One");
    assert_int_equal(COR_READ(COR_M_CANARIES_REPEATED), repeated + 2);
}

static void only_the_rule_that_is_tried_counts(void **state)
{
    (void)state;
    canary(9, "no-such-rule", 1, 1, FAILED);
    canary(10, ONE, 1, 1, ACCEPTED);
    expect_alerts("");
    assert_int_equal(proven_ns(ONE), 0);
    canary(11, ONE, 1, 1, FAILED);
    expect_alerts("test:One");
    cor_canaries_save(w.mind.canaries, w.rules);
    end();
    struct cor_rules *fresh = NULL; /* whose counts know nothing */
    assert_int_equal(cor_rules_new(w.rules->set, NULL, &fresh), HD_OK);
    cor_rules_unref(w.rules);
    w.rules = fresh;
    assert_int_equal(proven_ns(ONE), 0);
    begin();
    assert_true(proven_ns(ONE) > 0);
}

/* A replay has to know the ids of tests as well: they take places among those that are
 * remembered. */
static void tests_bring_a_snapshot(void **state)
{
    (void)state;
    unsigned n = 0;
    for (; !cor_mind_wants_snapshot(&w.mind); n++) {
        assert_in_range(n, 0, w.opts.remember / 4);
        canary(100 + n, ONE, 1, 1, FAILED);
    }
    assert_int_equal(n, w.opts.remember / 4 + 1);
    cor_mind_kept(&w.mind);
    assert_false(cor_mind_wants_snapshot(&w.mind));
}

/* A part of a run may have been lost: nothing may wait for it then. */
static void a_run_keeps_no_rules_that_were_replaced(void **state)
{
    (void)state;
    struct cor_rules *old = w.rules;
    struct cor_tools *tools = NULL;
    canary(13, THREE, 1, 3, FAILED);
    assert_int_equal(cor_rules_new(old->set, old, &w.rules), HD_OK);
    assert_int_equal(cor_tools_new(w.rules, w.keys, &tools), HD_OK);
    tools->generation = 1;
    cor_examiner_use(w.examiner, tools);
    really(FAILED);
    assert_true(cor_rules_is_sole(old));
    cor_rules_unref(old);
    for (uint32_t part = 1; part <= 3; part++) {
        canary(14, THREE, part, 3, FAILED);
    }
    expect_alerts("new:One test:Three");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_test_holds_no_real_alert_back),
        CASE(a_test_of_before_holds_none_back),
        CASE(a_test_is_in_no_group),
        CASE(parts_that_are_missing_prove_nothing),
        CASE(runs_are_apart),
        CASE(a_copy_proves_nothing),
        CASE(only_the_rule_that_is_tried_counts),
        CASE(tests_bring_a_snapshot),
        CASE(a_run_keeps_no_rules_that_were_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
