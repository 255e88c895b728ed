/* SPDX-License-Identifier: Apache-2.0
 *
 * From the archive to the alert journal: detectors and the state thread, as threads.
 * lint: size: all these tests share one world of threads and journals.
 */
#include "tests/support/support.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <haidang/archive_meta.h>
#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/hash.h>
#include <haidang/journal_check.h>

#include "correlator/metrics.h"
#include "correlator/state/state.h"
#include "tests/support/alloc.h"

#define BOOT  "0123456789abcdef0123456789abcdef"
#define DENSE 16U /* allocations that fail one by one; then ever fewer of them */

static const char rules_text[] =
    "title: Failed\n"
    "id: ecfd1fcd-d465-49ce-a04e-c5d55affd62f\n"
    "name: failed\n"
    "status: test\n"
    "logsource: {product: linux, service: sshd}\n"
    "detection:\n"
    "  selection: {event.action: ssh-login, event.outcome: failure}\n"
    "  condition: selection\n"
    "level: informational\n"
    "---\n"
    "title: Guessing\n"
    "id: ecfd1fcd-d465-49ce-a04e-c5d55affd630\n"
    "name: guessing\n"
    "status: test\n"
    "correlation:\n"
    "  type: event_count\n"
    "  rules: [failed]\n"
    "  group-by: [source.ip]\n"
    "  timespan: 5m\n"
    "  condition: {gte: 6}\n"
    "level: high\n"
    "---\n"
    "title: Accepted\n"
    "id: ecfd1fcd-d465-49ce-a04e-c5d55affd631\n"
    "name: accepted\n"
    "status: test\n"
    "logsource: {product: linux, service: sshd}\n"
    "detection:\n"
    "  selection: {event.action: ssh-login, event.outcome: success}\n"
    "  condition: selection\n"
    "level: low\n";

static const char other_rules_text[] = "title: Session\n"
                                       "id: ecfd1fcd-d465-49ce-a04e-c5d55affd640\n"
                                       "name: any\n"
                                       "status: test\n"
                                       "logsource: {product: linux, service: sshd}\n"
                                       "detection:\n"
                                       "  selection: {event.outcome: failure}\n"
                                       "  condition: selection\n"
                                       "level: low\n";

#define SLOW_RULE                                                                        \
    "---\n"                                                                              \
    "title: Slow\n"                                                                      \
    "id: ecfd1fcd-d465-49ce-a04e-c5d55affd632\n"                                         \
    "status: test\n"                                                                     \
    "correlation:\n"                                                                     \
    "  type: event_count\n"                                                              \
    "  rules: [failed]\n"                                                                \
    "  group-by: [source.ip]\n"                                                          \
    "  timespan: 1h\n"                                                                   \
    "  condition: {gte: 6}\n"                                                            \
    "level: high\n"

static struct world {
    char archive_dir[512], alerts_dir[512], rules[512], other_rules[512], snapshot[512];
    char losses_dir[512];
    uint64_t losses_max; /* bytes */
    struct cor_losses *losses;
    struct hd_journal *archive;
    struct cor_rules *in_force, *other;
    struct cor_enrich *enrich;
    struct cor_state *state;
    struct cor_detector *detectors[4];
    unsigned n_detectors;
    uint64_t seq;
    int64_t now_ns;
    struct cor_state_opts opts;
    int64_t warm_up_ns;
} w;

static struct cor_rules *load(const char *path)
{
    static char decoders[512];
    struct rul_set *set = NULL;
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    (void)snprintf(decoders, sizeof(decoders), "%s", hd_test_source("rules/decoders"));
    const char *paths[] = {path};
    const struct rul_set_opts opts = {.decoders_dir = decoders,
                                      .rules = paths,
                                      .n_rules = 1,
                                      .time_zone = "UTC",
                                      .no_self_test = true};
    struct cor_rules *rules = NULL;
    assert_int_equal(rul_set_load(&opts, &set, &diags), HD_OK);
    assert_int_equal(cor_rules_new(set, w.in_force, &rules), HD_OK);
    rul_set_unref(set);
    return rules;
}

static void open_archive(void)
{
    struct hd_journal_recovery found;
    const struct hd_journal_opts opts = {.dir = w.archive_dir};
    assert_int_equal(hd_journal_open(&opts, &w.archive, &found), HD_OK);
}

static int setup(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    struct hd_diags diags = {0};
    memset(&w, 0, sizeof(w));
    (void)snprintf(w.archive_dir, sizeof(w.archive_dir), "%s/archive", dir);
    (void)snprintf(w.alerts_dir, sizeof(w.alerts_dir), "%s/alerts", dir);
    (void)snprintf(w.losses_dir, sizeof(w.losses_dir), "%s/losses", dir);
    (void)snprintf(w.rules, sizeof(w.rules), "%s/rules.yml", dir);
    (void)snprintf(w.snapshot, sizeof(w.snapshot), "%s/detect.state", dir);
    (void)snprintf(w.other_rules, sizeof(w.other_rules), "%s/other.yml", dir);
    assert_int_equal(hd_fs_write_atomic(w.rules, hd_slice_str(rules_text), 0600), HD_OK);
    assert_int_equal(
        hd_fs_write_atomic(w.other_rules, hd_slice_str(other_rules_text), 0600), HD_OK);
    w.in_force = load(w.rules);
    w.other = load(w.other_rules);
    assert_int_equal(cor_enrich_load(&(struct cor_enrich_opts){0}, &w.enrich, &diags),
                     HD_OK);
    w.now_ns = hd_clock_wall_ns() - 60 * HD_NS_PER_SEC;
    w.warm_up_ns = 600 * HD_NS_PER_SEC;
    w.opts = (struct cor_state_opts){
        .alerts = {.dir = w.alerts_dir},
        .remember = 1024,
        .suppress = {.entries = 100},
        .correlate = {.memory_max = 8U << 20, .lateness_ns = 600 * HD_NS_PER_SEC}};
    open_archive();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    hd_journal_close(w.archive);
    cor_enrich_unref(w.enrich);
    cor_rules_unref(w.in_force);
    cor_rules_unref(w.other);
    return 0;
}

/* ---- the archive ---- */

static void append(const char *agent, struct hd_slice payload,
                   const struct hd_batch_info *info)
{
    struct hd_buf meta;
    hd_buf_init(&meta, 0);
    hd_archive_meta_encode(&meta,
                           &(struct hd_archive_meta){.agent = hd_slice_str(agent),
                                                     .boot = HD_SLICE(BOOT),
                                                     .peer = HD_SLICE("192.0.2.1:1"),
                                                     .taken_ns = w.now_ns});
    struct hd_journal_entry entry = {.first = info->first,
                                     .last = info->last,
                                     .time_min = info->time_min,
                                     .time_max = info->time_max,
                                     .count = info->count,
                                     .raw_len = info->raw_len,
                                     .meta = hd_buf_slice(&meta),
                                     .payload = payload};
    assert_int_equal(hd_journal_append(w.archive, &entry), HD_OK);
    assert_int_equal(hd_journal_commit(w.archive), HD_OK);
    hd_buf_fini(&meta);
}

/* A batch of `n` lines, one a second; "%u" in the format becomes a number. */
static void archive(const char *agent, unsigned n, const char *what, const char *ip)
{
    struct hd_batch_builder *b;
    struct hd_slice frame;
    struct hd_batch_info info;
    const struct hd_batch_source source = {.host = hd_slice_str(agent),
                                           .kind = HD_SLICE("file"),
                                           .name = HD_SLICE("/var/log/auth.log"),
                                           .format = HD_SLICE("syslog")};
    uint16_t index;
    assert_int_equal(hd_batch_builder_new(agent, BOOT, HD_BATCH_RAW_MAX, 1, &b), HD_OK);
    assert_int_equal(hd_batch_builder_source(b, &source, &index), HD_OK);
    for (unsigned i = 0; i < n; i++) {
        char line[256], time[HD_RFC3339_LEN + 1];
        w.now_ns += HD_NS_PER_SEC / 10;
        (void)hd_clock_format_rfc3339(w.now_ns, 6, time);
        int len = snprintf(line, sizeof(line),
                           "%s %s sshd[812]: %s password for root from %s port 4022 ssh2",
                           time, agent, what, ip);
        assert_int_equal(
            hd_batch_builder_add(b, index, w.now_ns, 0, hd_slice(line, (size_t)len)),
            HD_OK);
    }
    assert_int_equal(hd_batch_builder_close(b, w.seq + 1, &frame, &info), HD_OK);
    w.seq += n;
    append(agent, frame, &info);
    hd_batch_builder_free(b);
}

/* ---- the threads ---- */

static void open_losses(void)
{
    char why[256];
    const struct hd_journal_opts opts = {.dir = w.losses_dir, .max_bytes = w.losses_max};
    assert_int_equal(cor_losses_open(&opts, &w.losses, why), HD_OK);
}

static void close_losses(void)
{
    cor_losses_free(w.losses);
    w.losses = NULL;
}

static void start(unsigned n)
{
    char why[256];
    open_losses();
    w.opts.losses = w.losses;
    w.opts.archive_dir = w.archive_dir;
    w.opts.detectors = n;
    assert_int_equal(cor_state_new(&w.opts, w.in_force, w.enrich, &w.state, why), HD_OK);
    w.n_detectors = n;
    for (unsigned i = 0; i < n; i++) {
        struct cor_detector_opts opts = {.index = i,
                                         .count = n,
                                         .archive_dir = w.archive_dir,
                                         .warm_up_ns = w.warm_up_ns};
        opts.has_start = cor_state_resume(w.state, i, &opts.start);
        assert_int_equal(cor_detector_new(&opts, w.in_force, &w.detectors[i]), HD_OK);
        assert_int_equal(cor_state_add_detector(w.state, w.detectors[i]), HD_OK);
    }
    assert_int_equal(cor_state_run(w.state), HD_OK);
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(cor_detector_run(w.detectors[i]), HD_OK);
    }
}

static void stop(void)
{
    cor_state_stop(w.state);
    for (unsigned i = 0; i < w.n_detectors; i++) {
        cor_detector_stop(w.detectors[i]);
    }
    cor_state_free(w.state);
    for (unsigned i = 0; i < w.n_detectors; i++) {
        cor_detector_free(w.detectors[i]);
    }
    close_losses();
}

static int use(struct cor_rules *rules)
{
    struct cor_tools *tools = NULL;
    assert_int_equal(cor_tools_new(rules, &tools), HD_OK);
    return cor_detector_use(w.detectors[0], tools);
}

/* Waits until so many more lines were examined than at `since`. */
static void examined(uint64_t since, uint64_t lines)
{
    for (unsigned i = 0; COR_READ(COR_M_DETECT_LINES) < since + lines; i++) {
        assert_true(i < 15000);
        (void)poll(NULL, 0, 2);
    }
}

static uint64_t lines_now(void)
{
    return COR_READ(COR_M_DETECT_LINES);
}

/* One detector from start to end, until it has examined `lines` more. */
static void detect(uint64_t lines)
{
    uint64_t before = lines_now();
    start(1);
    examined(before, lines);
    stop();
}

/* ---- the alerts ---- */

struct alerts {
    unsigned n;
    json_t *all[64];
};

static void collect(void *ctx, const json_t *alert)
{
    struct alerts *a = ctx;
    assert_true(a->n < 64);
    for (unsigned i = 0; i < a->n; i++) {
        assert_string_not_equal(hd_alert_text(a->all[i], "id"),
                                hd_alert_text(alert, "id"));
    }
    a->all[a->n++] = json_deep_copy(alert);
}

static struct alerts read_alerts(void)
{
    struct alerts out = {0};
    struct cor_publish *p;
    char why[256];
    const struct hd_journal_opts opts = {.dir = w.alerts_dir};
    assert_int_equal(cor_publish_open(&opts, &p, why), HD_OK);
    assert_int_equal(cor_publish_tail(p, 1000, collect, &out), HD_OK);
    cor_publish_close(p);
    return out;
}

static unsigned count_of(const struct alerts *a, const char *title)
{
    unsigned n = 0;
    for (unsigned i = 0; i < a->n; i++) {
        n += strcmp(hd_alert_text(a->all[i], "rule.title"), title) == 0;
    }
    return n;
}

static void drop(struct alerts *a)
{
    for (unsigned i = 0; i < a->n; i++) {
        json_decref(a->all[i]);
    }
    a->n = 0;
}

static void expect_alerts(unsigned guessing, unsigned accepted)
{
    struct alerts a = read_alerts();
    assert_int_equal(count_of(&a, "Guessing"), guessing);
    assert_int_equal(count_of(&a, "Accepted"), accepted);
    assert_int_equal(count_of(&a, "Failed"), 0);
    drop(&a);
}

static void forget_cursors(void)
{
    char path[600];
    for (unsigned i = 0; i < 4; i++) {
        (void)snprintf(path, sizeof(path), "%s/readers/detect-%u", w.archive_dir, i);
        (void)remove(path);
    }
}

/* ---- tests ---- */

static void an_attack_becomes_one_alert(void **state)
{
    (void)state;
    archive("web1", 8, "Failed", "203.0.113.9");
    archive("web1", 1, "Accepted", "203.0.113.9");
    detect(9);
    struct alerts a = read_alerts();
    assert_int_equal(a.n, 2);
    const json_t *alert = a.all[0];
    assert_string_equal(hd_alert_text(alert, "rule.title"), "Guessing");
    assert_string_equal(hd_alert_text(alert, "source.ip"), "203.0.113.9");
    assert_string_equal(
        json_string_value(json_object_get(hd_alert_at(alert, "group"), "source.ip")),
        "203.0.113.9");
    assert_int_equal(hd_alert_int(alert, "count", 0), 6);
    const json_t *evidence = hd_alert_at(alert, "evidence");
    assert_int_equal(json_array_size(evidence), 6);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(hd_alert_int(json_array_get(evidence, i), "seq", 0), i + 1);
    }
    drop(&a);
}

/* Nothing new: nothing published, whether the cursor was saved or lost in a crash. */
static void a_replay_publishes_nothing_again(void **state)
{
    (void)state;
    archive("web1", 8, "Failed", "203.0.113.9");
    archive("web1", 1, "Accepted", "203.0.113.9");
    detect(9);
    expect_alerts(1, 1);
    start(1);
    stop();
    expect_alerts(1, 1);
    forget_cursors();
    uint64_t replayed = COR_READ(COR_M_REPLAYED);
    detect(9);
    expect_alerts(1, 1);
    assert_int_equal(COR_READ(COR_M_REPLAYED), replayed + 2);
}

static void an_attack_cut_by_a_restart_is_seen_once(void **state)
{
    (void)state;
    archive("web1", 4, "Failed", "203.0.113.9");
    detect(4);
    expect_alerts(0, 0);
    archive("web1", 4, "Failed", "203.0.113.9");
    detect(8);
    expect_alerts(1, 0);
    archive("web1", 1, "Failed", "203.0.113.9");
    detect(9);
    expect_alerts(1, 0);
}

static void repeats_are_counted(void **state)
{
    (void)state;
    for (unsigned i = 0; i < RUL_SUPPRESS_SEVERITIES; i++) {
        w.opts.suppress.window_ns[i] = 30 * HD_NS_PER_SEC;
    }
    archive("web1", 5, "Accepted", "203.0.113.9");
    archive("web1", 1, "Accepted", "203.0.113.10");
    w.now_ns += 31 * HD_NS_PER_SEC;
    archive("web1", 1, "Accepted", "203.0.113.9");
    detect(7);
    struct alerts a = read_alerts();
    assert_int_equal(a.n, 3);
    assert_int_equal(hd_alert_int(a.all[2], "suppressed", -1), 4);
    drop(&a);
    /* the window outlives the process */
    archive("web1", 1, "Accepted", "203.0.113.9");
    detect(1);
    expect_alerts(0, 3);
}

static void several_detectors_see_everything_once(void **state)
{
    (void)state;
    static const char *const agents[] = {"web1", "web2", "db1", "mail", "dns1", "app7"};
    for (size_t i = 0; i < 6; i++) {
        char ip[32];
        w.seq = 0;
        (void)snprintf(ip, sizeof(ip), "203.0.113.%zu", i + 1);
        archive(agents[i], 8, "Failed", ip);
        archive(agents[i], 1, "Accepted", ip);
    }
    uint64_t before = lines_now();
    start(3);
    examined(before, 54);
    stop();
    assert_int_equal(lines_now(), before + 54);
    expect_alerts(6, 6);
}

/* Two messages of one line: what one thread has of it the other does not touch. */
static void a_line_may_hit_more_rules_than_a_message_holds(void **state)
{
    (void)state;
    const unsigned n_rules = COR_HITS_MAX + 50, n_lines = 10;
    struct hd_buf text;
    hd_buf_init(&text, 0);
    for (unsigned i = 0; i < n_rules; i++) {
        hd_buf_printf(&text,
                      "---\ntitle: Rule %u\nname: r%u\nlogsource: {product: linux}\n"
                      "detection: {s: {event.outcome: success}, condition: s}\n",
                      i, i);
    }
    assert_int_equal(hd_fs_write_atomic(w.rules, hd_buf_slice(&text), 0600), HD_OK);
    hd_buf_fini(&text);
    cor_rules_unref(w.in_force);
    w.in_force = NULL;
    w.in_force = load(w.rules);
    uint64_t published = COR_READ(COR_M_PUBLISHED);
    archive("web1", n_lines, "Accepted", "203.0.113.9");
    detect(n_lines);
    assert_int_equal(COR_READ(COR_M_PUBLISHED) - published, n_lines * n_rules);
}

/* The first detector is at a set whose fields have other numbers, the others are not:
 * whoever sees an agent's lines, they are correlated with the rest. */
static void detectors_need_not_change_rules_together(void **state)
{
    (void)state;
    static const char *const agents[] = {"web1", "web2", "db1", "mail", "dns1", "app7"};
    char text[4096];
    uint64_t before = lines_now(), seen = 0;
    (void)snprintf(text, sizeof(text),
                   "title: More fields\nid: more\nlogsource: {product: linux}\n"
                   "detection: {s: {aaa: x, bbb: y}, condition: s}\n---\n%s",
                   rules_text);
    assert_int_equal(hd_fs_write_atomic(w.rules, hd_slice_str(text), 0600), HD_OK);
    struct cor_rules *again = load(w.rules);
    start(3);
    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; i < 6; i++) {
            char ip[32];
            (void)snprintf(ip, sizeof(ip), "203.0.113.%zu", i + 1);
            archive(agents[i], 3, "Failed", ip);
            seen += 3;
        }
        examined(before, seen);
        assert_int_equal(round == 0 ? use(again) : HD_OK, HD_OK);
    }
    stop();
    expect_alerts(6, 0);
    cor_rules_unref(again);
}

static void new_rules_work_from_the_next_batch_on(void **state)
{
    (void)state;
    archive("web1", 2, "Accepted", "203.0.113.9");
    uint64_t before = lines_now();
    start(1);
    examined(before, 2);
    assert_int_equal(use(w.other), HD_OK);
    struct cor_enrich *enrich = NULL;
    struct hd_diags diags = {0};
    assert_int_equal(cor_enrich_load(&(struct cor_enrich_opts){0}, &enrich, &diags),
                     HD_OK);
    assert_int_equal(cor_state_use(w.state, enrich), HD_OK);
    cor_enrich_unref(enrich);
    archive("web1", 1, "Failed", "203.0.113.9");
    archive("web1", 1, "Accepted", "203.0.113.9");
    examined(before, 4);
    stop();
    struct alerts a = read_alerts();
    assert_int_equal(count_of(&a, "Accepted"), 2);
    assert_int_equal(count_of(&a, "Session"), 1);
    drop(&a);
}

static const struct cor_rule_counts *counts_of(const struct cor_rules *rules,
                                               const char *name)
{
    const struct rul_rule *rule = rul_set_find(rules->set, hd_slice_str(name));
    assert_non_null(rule);
    return rules->counts[rule->index];
}

static void expect_counts(const char *name, uint64_t hits, uint64_t alerts,
                          uint64_t suppressed, uint64_t throttled)
{
    const struct cor_rule_counts *c = counts_of(w.in_force, name);
    assert_int_equal(cor_rule_read(&c->hits), hits);
    assert_int_equal(cor_rule_read(&c->alerts), alerts);
    assert_int_equal(cor_rule_read(&c->suppressed), suppressed);
    assert_int_equal(cor_rule_read(&c->throttled), throttled);
}

static void rules_count_what_becomes_of_their_hits(void **state)
{
    (void)state;
    w.opts.suppress.window_ns[HD_SEV_LOW] = 300 * HD_NS_PER_SEC;
    archive("web1", 8, "Failed", "203.0.113.9");
    archive("web1", 3, "Accepted", "203.0.113.9");
    detect(11);
    expect_counts("failed", 8, 0, 0, 0);
    expect_counts("guessing", 1, 1, 0, 0);
    expect_counts("accepted", 3, 1, 2, 0);
    /* the first event of all is a sample: its rules were timed */
    assert_int_equal(cor_rule_read(&counts_of(w.in_force, "failed")->timed), 1);
    assert_true(cor_rule_read(&counts_of(w.in_force, "failed")->timed_ns) > 0);
    detect(0); /* warmed up: known hits are not counted again */
    expect_counts("failed", 8, 0, 0, 0);
}

static void counts_go_with_the_rule(void **state)
{
    (void)state;
    struct cor_rules *again;
    archive("web1", 3, "Accepted", "203.0.113.9");
    detect(3);
    assert_int_equal(cor_rules_new(w.in_force->set, w.in_force, &again), HD_OK);
    assert_ptr_equal(counts_of(again, "accepted"), counts_of(w.in_force, "accepted"));
    cor_rules_unref(w.in_force);
    w.in_force = again;
    expect_counts("accepted", 3, 3, 0, 0);
    assert_int_equal(cor_rule_read(&counts_of(w.other, "any")->hits), 0);
}

/* Once an hour and rule, however many groups it loses; a replay tells it no second time.
 */
static void a_correlation_that_loses_groups_is_told(void **state)
{
    (void)state;
    const int64_t hour_ns = 3600 * HD_NS_PER_SEC;
    w.now_ns = (w.now_ns / hour_ns - 1) * hour_ns;
    w.opts.correlate.rule_max = 4096;
    for (unsigned i = 0; i < 100; i++) {
        char ip[32];
        (void)snprintf(ip, sizeof(ip), "203.0.113.%u", i);
        archive("web1", 1, "Failed", ip);
    }
    detect(100);
    detect(0); /* warmed up: nothing is told again */
    struct alerts a = read_alerts();
    assert_int_equal(count_of(&a, "Correlation is losing groups"), 1);
    assert_int_equal(a.n, 1);
    assert_string_equal(json_string_value(json_object_get(
                            json_object_get(a.all[0], "group"), "source.name")),
                        "Guessing");
    drop(&a);
}

/* Ten in a minute, of which two may pass; the next minute's first says the rest. */
static void a_noisy_rule_is_reported_and_throttled(void **state)
{
    (void)state;
    uint64_t noisy = COR_READ(COR_M_NOISY), throttled = COR_READ(COR_M_THROTTLED);
    const int64_t minute_ns = 60 * HD_NS_PER_SEC;
    w.opts.noise = (struct cor_noise_opts){.rate = 9, .throttle = 2};
    w.now_ns = (w.now_ns / minute_ns - 2) * minute_ns;
    archive("web1", 10, "Accepted", "203.0.113.9");
    w.now_ns += minute_ns;
    archive("web1", 1, "Accepted", "203.0.113.9");
    detect(11);
    struct alerts a = read_alerts();
    assert_int_equal(a.n, 3);
    assert_int_equal(hd_alert_int(a.all[1], "throttled", 0), 0);
    assert_int_equal(hd_alert_int(a.all[2], "throttled", 0), 8);
    drop(&a);
    expect_counts("accepted", 11, 3, 0, 8);
    assert_int_equal(COR_READ(COR_M_THROTTLED), throttled + 8);
    assert_int_equal(COR_READ(COR_M_NOISY), noisy + 1);
    const struct cor_rule_counts *c = counts_of(w.in_force, "accepted");
    assert_true(cor_noise_is_noisy(c, hd_clock_wall_ns()));
    assert_false(cor_noise_is_noisy(c, hd_clock_wall_ns() + 2 * minute_ns));
    assert_false(cor_noise_is_noisy(counts_of(w.in_force, "failed"), hd_clock_wall_ns()));
}

/* ---- rules replaced under load ---- */

#define SWAP_BATCHES 150U
#define SWAP_LINES   40U

struct seen {
    uint64_t n, twice;
    bool seq[SWAP_BATCHES * SWAP_LINES + 1];
};

static void mark_seen(void *ctx, const json_t *alert)
{
    struct seen *seen = ctx;
    const json_t *first = json_array_get(json_object_get(alert, "evidence"), 0);
    int64_t seq = hd_alert_int(first, "seq", 0);
    assert_in_range(seq, 1, SWAP_BATCHES * SWAP_LINES);
    seen->n++;
    seen->twice += seen->seq[seq];
    seen->seq[seq] = true;
}

static struct seen *read_seen(void)
{
    char why[256];
    struct cor_publish *p;
    struct seen *seen = calloc(1, sizeof(*seen));
    const struct hd_journal_opts opts = {.dir = w.alerts_dir};
    assert_non_null(seen);
    assert_int_equal(cor_publish_open(&opts, &p, why), HD_OK);
    assert_int_equal(cor_publish_tail(p, UINT32_MAX, mark_seen, seen), HD_OK);
    cor_publish_close(p);
    return seen;
}

/* Every line raises an alert. Between any two batches the rules are replaced, by a set
 * that holds the same rule beside others and back again. */
static void swaps_under_load_lose_and_double_nothing(void **state)
{
    (void)state;
    char both[sizeof(rules_text) + sizeof(other_rules_text) + 8], path[600];
    (void)snprintf(both, sizeof(both), "%s---\n%s", rules_text, other_rules_text);
    (void)snprintf(path, sizeof(path), "%s/both.yml", hd_test_tmpdir());
    assert_int_equal(hd_fs_write_atomic(path, hd_slice_str(both), 0600), HD_OK);
    struct cor_rules *more = load(path);
    uint64_t before = lines_now();
    start(1);
    for (unsigned i = 0; i < SWAP_BATCHES; i++) {
        archive("web1", SWAP_LINES, "Accepted", "203.0.113.9");
        /* full: it has not taken up those before; then this one need not come */
        (void)!use(i % 2 == 0 ? more : w.in_force);
    }
    examined(before, (uint64_t)SWAP_BATCHES * SWAP_LINES);
    stop();
    assert_int_equal(lines_now(), before + (uint64_t)SWAP_BATCHES * SWAP_LINES);
    struct seen *seen = read_seen();
    assert_int_equal(seen->n, SWAP_BATCHES * SWAP_LINES);
    assert_int_equal(seen->twice, 0);
    expect_counts("accepted", SWAP_BATCHES * SWAP_LINES, SWAP_BATCHES * SWAP_LINES, 0, 0);
    assert_true(COR_READ(COR_M_SWAP_PAUSE) > 0);
    free(seen);
    cor_rules_unref(more);
}

/* Examines what is left, however much that is. */
static void catch_up(void)
{
    start(1);
    for (unsigned i = 0; i < 15000; i++) {
        (void)poll(NULL, 0, 2);
        if (COR_READ(COR_M_DETECT_LAG_MS) == 0 &&
            cor_detector_lag_ms(w.detectors[0]) == 0 && i > 100) {
            break;
        }
    }
    stop();
}

/* The alert journal is full: detection waits, the cursor stays, nothing is lost. */
static void alerts_that_cannot_be_written_come_later(void **state)
{
    (void)state;
    w.opts.alerts.max_bytes = 6000;
    for (unsigned i = 0; i < 20; i++) {
        char ip[32];
        (void)snprintf(ip, sizeof(ip), "203.0.113.%u", i);
        archive("web1", 1, "Accepted", ip);
    }
    start(1);
    for (unsigned i = 0; cor_state_trouble(w.state) == HD_OK; i++) {
        assert_true(i < 15000);
        (void)poll(NULL, 0, 2);
    }
    assert_int_equal(cor_state_trouble(w.state), HD_ENOSPC);
    assert_string_equal(cor_state_trouble_with(w.state), "alerts cannot be published");
    stop();
    struct alerts a = read_alerts();
    assert_in_range(a.n, 1, 19);
    drop(&a);
    w.opts.alerts.max_bytes = 0;
    catch_up();
    expect_alerts(0, 20);
}

/* ---- what is lost is written down, once ---- */

struct lost {
    enum hd_loss_kind kind;
    unsigned records;
    struct hd_loss last;
    uint64_t sum;
};

static void add_lost(void *ctx, const struct hd_loss *loss)
{
    struct lost *lost = ctx;
    if (loss->kind == lost->kind) {
        lost->records++;
        lost->sum += loss->count;
        lost->last = *loss;
    }
}

static struct lost read_lost(enum hd_loss_kind kind)
{
    struct lost lost = {.kind = kind};
    open_losses();
    assert_int_equal(cor_losses_each(w.losses, add_lost, &lost), HD_OK);
    close_losses();
    return lost;
}

/* A batch of one line of the source by which agents report losses. */
static void report(const char *agent, const char *kind, const char *line)
{
    struct hd_batch_builder *b;
    struct hd_slice frame;
    struct hd_batch_info info;
    const struct hd_batch_source source = {.host = hd_slice_str(agent),
                                           .kind = hd_slice_str(kind),
                                           .name = HD_SLICE(HD_LOSS_SOURCE_NAME),
                                           .format = HD_SLICE("json")};
    uint16_t index;
    assert_int_equal(hd_batch_builder_new(agent, BOOT, HD_BATCH_RAW_MAX, 1, &b), HD_OK);
    assert_int_equal(hd_batch_builder_source(b, &source, &index), HD_OK);
    assert_int_equal(hd_batch_builder_add(b, index, w.now_ns, 0, hd_slice_str(line)),
                     HD_OK);
    assert_int_equal(hd_batch_builder_close(b, ++w.seq, &frame, &info), HD_OK);
    append(agent, frame, &info);
    hd_batch_builder_free(b);
}

#define REPORT                                                                           \
    "{\"v\":1,\"time\":\"2026-11-21T09:20:39Z\",\"first\":\"2026-11-21T09:20:31Z\","     \
    "\"last\":\"2026-11-21T09:20:38Z\",\"agent\":\"somebody-else\",\"count\":17,"        \
    "\"kind\":\"udp-kernel-drops\",\"source\":\"syslog-udp :514\"}"

static void a_report_of_an_agent_is_written_down_once(void **state)
{
    (void)state;
    char reader[600];
    report("web1", "file", REPORT); /* a line of a file that looks like one */
    report("web1", HD_LOSS_SOURCE_KIND, REPORT);
    report("web1", HD_LOSS_SOURCE_KIND, "no report");
    detect(3);
    (void)snprintf(reader, sizeof(reader), "%s/readers/detect-0", w.archive_dir);
    assert_int_equal(unlink(reader), 0); /* everything is examined again */
    w.warm_up_ns = 0;
    detect(3);
    struct lost lost = read_lost(HD_LOSS_KERNEL_DROPS);
    assert_int_equal(lost.records, 1);
    assert_int_equal(lost.last.count, 17);
    assert_string_equal(lost.last.agent, "web1"); /* not who it says to be */
    assert_string_equal(lost.last.boot, BOOT);
    assert_string_equal(lost.last.source, "syslog-udp :514");
}

/* The ledger is full: detection waits for it, and says for what. */
static void losses_that_cannot_be_written_come_later(void **state)
{
    (void)state;
    w.losses_max = 100;
    for (unsigned i = 0; i < 20; i++) {
        report("web1", HD_LOSS_SOURCE_KIND, REPORT);
    }
    start(1);
    for (unsigned i = 0; cor_state_trouble(w.state) == HD_OK; i++) {
        assert_true(i < 15000);
        (void)poll(NULL, 0, 2);
    }
    assert_string_equal(cor_state_trouble_with(w.state),
                        "the loss ledger cannot be written");
    stop();
    w.losses_max = 0;
    catch_up();
    assert_int_equal(read_lost(HD_LOSS_KERNEL_DROPS).sum, 20 * 17);
}

/* Every batch in a file of its own. */
static void use_small_segments(void)
{
    struct hd_journal_recovery found;
    const struct hd_journal_opts opts = {.dir = w.archive_dir, .segment_bytes = 1};
    hd_journal_close(w.archive);
    assert_int_equal(hd_journal_open(&opts, &w.archive, &found), HD_OK);
}

static void segment_path(unsigned first, char path[600])
{
    (void)snprintf(path, 600, "%s/%020u.zst", w.archive_dir, first);
}

static void damaged_entries_are_counted_once_by_all_detectors(void **state)
{
    (void)state;
    char path[600];
    use_small_segments();
    for (unsigned i = 0; i < 4; i++) {
        archive("web1", 1, "Accepted", "203.0.113.9");
    }
    for (unsigned i = 2; i <= 3; i++) {
        segment_path(i, path);
        int fd = open(path, O_WRONLY);
        assert_true(fd >= 0);
        assert_int_equal(pwrite(fd, "\xff\xff\xff\xff", 4, 64 + 40), 4);
        assert_int_equal(close(fd), 0);
    }
    uint64_t before = lines_now();
    start(2);
    examined(before, 2);
    stop();
    struct lost lost = read_lost(HD_LOSS_DAMAGED);
    assert_int_equal(lost.sum, 2);
    assert_true(lost.last.bytes > 0);
    assert_int_equal(read_lost(HD_LOSS_REMOVED).records, 0);
}

static void removed_entries_are_counted(void **state)
{
    (void)state;
    char path[600];
    use_small_segments();
    archive("web1", 1, "Accepted", "203.0.113.9");
    detect(1);
    for (unsigned i = 0; i < 4; i++) {
        archive("web1", 1, "Accepted", "203.0.113.9");
    }
    for (unsigned i = 2; i <= 4; i++) {
        segment_path(i, path);
        assert_int_equal(unlink(path), 0);
    }
    w.warm_up_ns = 0;
    detect(1);
    struct lost lost = read_lost(HD_LOSS_REMOVED);
    assert_int_equal(lost.records, 1);
    assert_int_equal(lost.sum, 3);
    assert_int_equal(read_lost(HD_LOSS_DAMAGED).records, 0);
}

static void remember(int64_t every_ns);

static void late_events_are_counted_for_their_agent(void **state)
{
    (void)state;
    remember(3600 * HD_NS_PER_SEC);
    archive("web1", 1, "Failed", "203.0.113.9");
    w.now_ns -= 7200 * HD_NS_PER_SEC;
    archive("web2", 3, "Failed", "203.0.113.9");
    detect(4);
    struct lost lost = read_lost(HD_LOSS_LATE);
    assert_int_equal(lost.records, 1);
    assert_int_equal(lost.sum, 3);
    assert_string_equal(lost.last.agent, "web2");
}

static void evicted_groups_are_counted(void **state)
{
    (void)state;
    remember(3600 * HD_NS_PER_SEC);
    w.opts.correlate.memory_max = 16U << 10;
    for (unsigned i = 0; i < 250; i++) {
        char ip[32];
        (void)snprintf(ip, sizeof(ip), "203.0.113.%u", i);
        archive("web1", 1, "Failed", ip);
    }
    detect(250);
    assert_true(COR_READ(COR_M_GROUPS_EVICTED) > 0);
    assert_int_equal(read_lost(HD_LOSS_GROUPS).sum, COR_READ(COR_M_GROUPS_EVICTED));
}

static void what_is_broken_is_passed_over(void **state)
{
    (void)state;
    static const uint8_t one_byte[] = {0x28, 0xb5, 0x2f, 0xfd, 0x20,
                                       0x01, 0x09, 0x00, 0x00, 0x41};
    uint64_t corrupt = COR_READ(COR_M_DETECT_CORRUPT), before = lines_now();
    const struct hd_batch_info info = {.first = 1, .last = 1, .count = 1, .raw_len = 1};
    append("web1", hd_slice(one_byte, sizeof(one_byte)), &info); /* zstd, but no batch */
    archive("web1", 1, "Accepted", "203.0.113.9");
    start(1);
    examined(before, 1);
    stop();
    assert_int_equal(COR_READ(COR_M_DETECT_CORRUPT), corrupt + 1);
    expect_alerts(0, 1);
    struct lost lost = read_lost(HD_LOSS_BATCH);
    assert_int_equal(lost.records, 1);
    assert_int_equal(lost.sum, 1);
    assert_string_equal(lost.last.agent, "web1");
}

/* ---- crashes: what is remembered outlives them ---- */

/* From now on snapshots are taken so often. */
static void remember(int64_t every_ns)
{
    w.opts.snapshot = w.snapshot;
    w.opts.snapshot_ns = every_ns;
}

/* A replay must know the ids of all alerts since the snapshot. */
static void many_alerts_bring_a_snapshot(void **state)
{
    (void)state;
    uint64_t snapshots = COR_READ(COR_M_SNAPSHOTS), before = lines_now();
    remember(3600 * HD_NS_PER_SEC);
    w.opts.remember = 40;
    start(1);
    for (unsigned i = 0; i < 11; i++) { /* a quarter, and one more */
        assert_int_equal(COR_READ(COR_M_SNAPSHOTS), snapshots);
        archive("web1", 1, "Accepted", "203.0.113.9");
        examined(before, i + 1);
    }
    for (unsigned i = 0; COR_READ(COR_M_SNAPSHOTS) == snapshots; i++) {
        assert_true(i < 15000);
        (void)poll(NULL, 0, 2);
    }
    stop();
}

/* An attack slower than any warm-up. */
static void use_slow_rule(void)
{
    char text[4096];
    (void)snprintf(text, sizeof(text), "%s" SLOW_RULE, rules_text);
    assert_int_equal(hd_fs_write_atomic(w.rules, hd_slice_str(text), 0600), HD_OK);
    cor_rules_unref(w.in_force);
    w.in_force = NULL;
    w.in_force = load(w.rules);
    w.now_ns = hd_clock_wall_ns() - 3500 * HD_NS_PER_SEC;
    w.warm_up_ns = 60 * HD_NS_PER_SEC;
}

static void expect_slow(unsigned n)
{
    struct alerts a = read_alerts();
    assert_int_equal(count_of(&a, "Slow"), n);
    drop(&a);
}

/* In the child: tells when the lines are examined, their alerts published and, if asked
 * for, a snapshot is durable; then waits for its end. */
static void run_to_be_killed(int tell, uint64_t lines, uint64_t alerts, bool saved)
{
    uint64_t snapshots = COR_READ(COR_M_SNAPSHOTS) + saved;
    uint64_t published = COR_READ(COR_M_PUBLISHED) + alerts, before = lines_now();
    start(1);
    examined(before, lines);
    while (COR_READ(COR_M_PUBLISHED) < published ||
           COR_READ(COR_M_SNAPSHOTS) < snapshots) {
        (void)poll(NULL, 0, 2);
    }
    assert_int_equal(write(tell, "x", 1), 1);
    for (;;) {
        (void)pause();
    }
}

/* One detector, killed when it has done all that. */
static void detect_and_kill(uint64_t lines, uint64_t alerts, bool saved)
{
    int ends[2], status;
    char byte;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(ends[0]);
        run_to_be_killed(ends[1], lines, alerts, saved);
    }
    (void)close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    (void)close(ends[0]);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}

static void a_slow_attack_cut_by_kill_9_is_seen_once(void **state)
{
    (void)state;
    use_slow_rule();
    remember(HD_NS_PER_MS * 10);
    archive("web1", 4, "Failed", "203.0.113.9");
    detect_and_kill(4, 0, true);
    w.now_ns += 3000 * HD_NS_PER_SEC;
    /* this one is killed after the alert, and before what it has seen is saved */
    remember(3600 * HD_NS_PER_SEC);
    archive("web1", 2, "Failed", "203.0.113.9");
    detect_and_kill(2, 1, false);
    expect_slow(1);
    uint64_t replayed = COR_READ(COR_M_REPLAYED);
    detect(2);
    assert_int_equal(COR_READ(COR_M_REPLAYED), replayed + 1);
    expect_slow(1);
    archive("web1", 3, "Failed", "203.0.113.9");
    detect(3);
    expect_slow(1);
}

/* Without the snapshot the same attack passes: the test above sees what it is to see. */
static void a_warm_up_is_not_enough_for_that(void **state)
{
    (void)state;
    use_slow_rule();
    archive("web1", 4, "Failed", "203.0.113.9");
    detect(4);
    w.now_ns += 3000 * HD_NS_PER_SEC;
    archive("web1", 2, "Failed", "203.0.113.9");
    detect(2);
    expect_slow(0);
}

static void repeats_outlive_kill_9(void **state)
{
    (void)state;
    for (unsigned i = 0; i < RUL_SUPPRESS_SEVERITIES; i++) {
        w.opts.suppress.window_ns[i] = 30 * HD_NS_PER_SEC;
    }
    remember(HD_NS_PER_MS * 10);
    archive("web1", 5, "Accepted", "203.0.113.9");
    detect_and_kill(5, 1, true);
    w.now_ns += 31 * HD_NS_PER_SEC;
    archive("web1", 1, "Accepted", "203.0.113.9");
    detect(1);
    struct alerts a = read_alerts();
    assert_int_equal(a.n, 2);
    assert_int_equal(hd_alert_int(a.all[1], "suppressed", -1), 4);
    drop(&a);
}

static void an_orderly_end_saves_the_last_line(void **state)
{
    (void)state;
    use_slow_rule();
    remember(3600 * HD_NS_PER_SEC);
    archive("web1", 5, "Failed", "203.0.113.9");
    detect(5);
    w.now_ns += 3000 * HD_NS_PER_SEC;
    archive("web1", 1, "Failed", "203.0.113.9");
    detect(1);
    expect_slow(1);
}

/* Damaged, of other detectors, of another archive: as if there were none. */
static void a_snapshot_that_does_not_fit_is_passed_over(void **state)
{
    (void)state;
    remember(3600 * HD_NS_PER_SEC);
    archive("web1", 4, "Failed", "203.0.113.9");
    detect(4);
    struct hd_buf file;
    hd_buf_init(&file, 0);
    assert_int_equal(hd_fs_read(w.snapshot, 1 << 20, &file), HD_OK);
    file.ptr[file.len / 2] ^= 1;
    assert_int_equal(hd_fs_write_atomic(w.snapshot, hd_buf_slice(&file), 0600), HD_OK);
    archive("web1", 2, "Failed", "203.0.113.9");
    detect(6); /* four of them in the warm-up */
    expect_alerts(1, 0);
    start(2);
    stop();
    file.ptr[file.len / 2] ^= 1; /* older than the reader's own cursor */
    assert_int_equal(hd_fs_write_atomic(w.snapshot, hd_buf_slice(&file), 0600), HD_OK);
    archive("web1", 1, "Accepted", "203.0.113.9");
    detect(7);
    expect_alerts(1, 1);
    hd_buf_fini(&file);
}

/* The first `len` bytes, for so many detectors. */
static int read_snapshot(const struct hd_buf *file, size_t len, unsigned detectors)
{
    struct cor_cursors cursors = {.n = detectors};
    struct rul_suppress *suppress = NULL;
    struct rul_correlator *correlator = NULL;
    const struct rul_correlator_opts opts = {0};
    assert_int_equal(hd_fs_write_atomic(w.snapshot, hd_slice(file->ptr, len), 0600),
                     HD_OK);
    assert_int_equal(rul_suppress_new(&w.opts.suppress, &suppress), HD_OK);
    assert_int_equal(rul_correlator_new(&opts, &correlator), HD_OK);
    assert_int_equal(rul_correlator_use(correlator, w.in_force->set), HD_OK);
    int err = cor_snapshot_read(
        w.snapshot, w.archive_dir,
        &(struct cor_remembered){suppress, correlator, w.in_force}, &cursors);
    rul_correlator_free(correlator);
    rul_suppress_free(suppress);
    return err;
}

/* What is wrong with a snapshot is told apart; whatever it is, detection starts. */
static void what_is_wrong_with_a_snapshot_is_said(void **state)
{
    (void)state;
    struct hd_buf file;
    remember(3600 * HD_NS_PER_SEC);
    archive("web1", 4, "Failed", "203.0.113.9");
    detect(4);
    hd_buf_init(&file, 0);
    assert_int_equal(hd_fs_read(w.snapshot, 1 << 20, &file), HD_OK);
    assert_int_equal(read_snapshot(&file, file.len, 1), HD_OK);
    for (size_t len = 0; len < file.len; len++) {
        assert_int_equal(read_snapshot(&file, len, 1), HD_ECORRUPT);
    }
    for (size_t i = 0; i < file.len; i++) {
        file.ptr[i] ^= 4;
        assert_int_equal(read_snapshot(&file, file.len, 1),
                         i == 6 || i == 7 ? HD_EVERSION : HD_ECORRUPT);
        file.ptr[i] ^= 4;
    }
    assert_int_equal(read_snapshot(&file, file.len, 2), HD_EINVAL);
    struct cor_memory memory;
    const struct cor_memory_opts opts = {.suppress = w.opts.suppress,
                                         .snapshot = w.snapshot,
                                         .archive_dir = w.archive_dir,
                                         .detectors = 2};
    uint64_t refused = COR_READ(COR_M_SNAPSHOTS_REFUSED);
    assert_int_equal(cor_memory_init(&opts, w.in_force, &memory), HD_OK);
    assert_false(memory.is_resumed);
    assert_int_equal(COR_READ(COR_M_SNAPSHOTS_REFUSED), refused + 1);
    cor_memory_fini(&memory);
    hd_buf_fini(&file);
}

/* Before there was noise in it: 4 bytes less, when there is nothing else in it either. */
static void a_snapshot_of_the_version_before_is_read(void **state)
{
    (void)state;
    const struct cor_cursors cursors = {.n = 1};
    struct hd_buf file, old;
    struct cor_memory memory;
    const struct cor_memory_opts opts = {
        .suppress = w.opts.suppress, .archive_dir = w.archive_dir, .detectors = 1};
    hd_buf_init(&file, 0);
    hd_buf_init(&old, 0);
    assert_int_equal(cor_memory_init(&opts, w.in_force, &memory), HD_OK);
    const struct cor_remembered what = {memory.suppress, memory.correlator, w.in_force};
    assert_int_equal(cor_snapshot_encode(&cursors, &what, &file), HD_OK);
    const size_t head = 12, noise = head + 4 + 24 + 12;
    hd_buf_bytes(&old, file.ptr, noise);
    hd_buf_bytes(&old, file.ptr + noise + 4, file.len - noise - 4);
    old.ptr[6] = '1';
    struct hd_buf crc = hd_buf_fixed(old.ptr + head - 4, 4);
    hd_buf_le32(&crc, hd_crc32c(0, old.ptr + head, old.len - head));
    assert_int_equal(read_snapshot(&old, old.len, 1), HD_OK);
    cor_memory_fini(&memory);
    hd_buf_fini(&old);
    hd_buf_fini(&file);
}

/* Lack of memory while it is read is told from damage; written it is whole or not. */
static void a_snapshot_needs_memory(void **state)
{
    (void)state;
    struct hd_buf file;
    remember(3600 * HD_NS_PER_SEC);
    archive("web1", 4, "Failed", "203.0.113.9");
    detect(4);
    hd_buf_init(&file, 0);
    assert_int_equal(hd_fs_read(w.snapshot, 1 << 20, &file), HD_OK);
    const struct cor_memory_opts opts = {.suppress = w.opts.suppress,
                                         .snapshot = w.snapshot,
                                         .archive_dir = w.archive_dir,
                                         .detectors = 1};
    HD_TEST_ALLOC_EACH(n)
    {
        struct cor_memory memory;
        struct hd_buf again;
        hd_buf_init(&again, 0);
        int err = cor_memory_init(&opts, w.in_force, &memory);
        bool failed = hd_test_alloc_failed();
        assert_true(err == HD_OK || (failed && err == HD_ENOMEM));
        if (err == HD_OK) {
            const struct cor_remembered what = {memory.suppress, memory.correlator,
                                                w.in_force};
            err = cor_snapshot_encode(&memory.resume, &what, &again);
            bool is_whole = hd_slice_eq(hd_buf_slice(&again), hd_buf_slice(&file));
            assert_true(err == HD_OK ? is_whole : hd_test_alloc_failed());
        }
        hd_test_alloc_stop();
        cor_memory_fini(&memory);
        hd_buf_fini(&again);
    }
    hd_buf_fini(&file);
}

static struct cor_rules *load_changed(const char *from, const char *to)
{
    char text[4096], *place;
    (void)snprintf(text, sizeof(text), "%s" SLOW_RULE, rules_text);
    place = strstr(text, from);
    assert_non_null(place);
    memcpy(place, to, strlen(to));
    assert_int_equal(hd_fs_write_atomic(w.rules, hd_slice_str(text), 0600), HD_OK);
    return load(w.rules);
}

static void expect_heir(const struct cor_rules *rules, const char *name,
                        enum rul_heir heir)
{
    assert_int_equal(atomic_load(&counts_of(rules, name)->heir), heir + 1U);
}

/* A correlation that a reload changes keeps its groups or begins anew, and says so; one
 * that it leaves alone counts on. */
static void a_changed_correlation_says_what_it_keeps(void **state)
{
    (void)state;
    use_slow_rule();
    archive("web1", 5, "Failed", "203.0.113.9");
    uint64_t before = lines_now();
    start(1);
    examined(before, 5);
    struct cor_rules *lower = load_changed("{gte: 6}", "{gte: 4}"); /* of "Guessing" */
    struct cor_rules *anew = load_changed("[source.ip]", "[host.name]");
    assert_int_equal(use(lower), HD_OK);
    archive("web1", 1, "Failed", "203.0.113.9");
    examined(before, 6);
    assert_int_equal(use(anew), HD_OK);
    archive("web1", 1, "Failed", "203.0.113.9");
    examined(before, 7);
    stop();
    assert_int_equal(COR_READ(COR_M_KEPT), 1);
    assert_int_equal(COR_READ(COR_M_FORGOTTEN), 1);
    expect_heir(lower, "guessing", RUL_HEIR_KEPT);
    expect_heir(anew, "guessing", RUL_HEIR_GROUP);
    struct alerts a = read_alerts();
    assert_int_equal(count_of(&a, "Guessing"), 1); /* four of six, before it is anew */
    assert_int_equal(count_of(&a, "Slow"), 1);     /* six of seven */
    drop(&a);
    cor_rules_unref(lower);
    cor_rules_unref(anew);
}

#define LEVEL_RULES                                                                      \
    "---\n"                                                                              \
    "title: Everywhere\n"                                                                \
    "id: ecfd1fcd-d465-49ce-a04e-c5d55affd633\n"                                         \
    "status: test\n"                                                                     \
    "correlation:\n"                                                                     \
    "  type: event_count\n"                                                              \
    "  rules: [guessing]\n"                                                              \
    "  timespan: 5m\n"                                                                   \
    "  condition: {gte: 2}\n"                                                            \
    "level: high\n"

/* The alert about two attacks shows lines of both, and none of what was no attack. */
static void evidence_goes_down_to_the_lines(void **state)
{
    (void)state;
    char text[4096];
    (void)snprintf(text, sizeof(text), "%s" LEVEL_RULES, rules_text);
    assert_int_equal(hd_fs_write_atomic(w.rules, hd_slice_str(text), 0600), HD_OK);
    cor_rules_unref(w.in_force);
    w.in_force = NULL;
    w.in_force = load(w.rules);
    archive("web1", 5, "Failed", "203.0.113.1"); /* one too few */
    archive("web1", 6, "Failed", "203.0.113.2");
    archive("web1", 6, "Failed", "203.0.113.3");
    detect(17);
    struct alerts a = read_alerts();
    assert_int_equal(count_of(&a, "Everywhere"), 1);
    const json_t *evidence = NULL;
    for (unsigned i = 0; i < a.n; i++) {
        if (strcmp(hd_alert_text(a.all[i], "rule.title"), "Everywhere") == 0) {
            evidence = hd_alert_at(a.all[i], "evidence");
        }
    }
    assert_int_equal(json_array_size(evidence), HD_ALERT_EVIDENCE_MAX);
    for (size_t i = 0; i < HD_ALERT_EVIDENCE_MAX; i++) { /* five and five of twelve */
        assert_int_equal(hd_alert_int(json_array_get(evidence, i), "seq", 0),
                         i < 5 ? 6 + i : 8 + i);
    }
    drop(&a);
}

/* ---- memory that fails ---- */

static void detect_with_a_failure(const char *home, const char *thread, unsigned n)
{
    uint64_t published = COR_READ(COR_M_PUBLISHED), invalid = COR_READ(COR_M_INVALID);
    (void)snprintf(w.alerts_dir, sizeof(w.alerts_dir), "%s/%s-%u", home, thread, n);
    (void)remove(w.snapshot);
    forget_cursors();
    hd_test_alloc_fail_in(thread, n);
    start(1);
    for (unsigned i = 0; COR_READ(COR_M_PUBLISHED) < published + 2; i++) {
        assert_true(i < 15000);
        (void)poll(NULL, 0, 1);
    }
    stop();
    assert_int_equal(COR_READ(COR_M_INVALID), invalid);
    expect_alerts(1, 1);
}

/* Each allocation of a thread fails once, then ever fewer of them: the same alerts come
 * all the same, and each once. */
static void nothing_is_lost_for_lack_of_memory(void **state)
{
    static const char *const threads[] = {"detect-0", "state"};
    (void)state;
    const char *home = hd_test_tmpdir();
    remember(HD_NS_PER_MS * 10);
    archive("web1", 8, "Failed", "203.0.113.9");
    archive("web1", 1, "Accepted", "203.0.113.9");
    for (size_t i = 0; i < 2 && hd_test_alloc_can_fail(); i++) {
        bool failed = true;
        for (unsigned n = 1; failed; n += 1 + n / DENSE) {
            detect_with_a_failure(home, threads[i], n);
            failed = hd_test_alloc_failed_in();
        }
    }
    hd_test_alloc_fail_in("", 0);
}

static bool first_alerts_are_sealed(void)
{
    const struct hd_check_opts opts = {.n_keys = 0};
    struct hd_journal_segments list;
    struct hd_check_segment seg = {.first = 0};
    struct hd_check *check;
    char path[600];
    assert_int_equal(hd_journal_list(w.alerts_dir, &list), HD_OK);
    if (list.n > 0) {
        assert_int_equal(
            hd_journal_segment_path(w.alerts_dir, list.first[0], path, sizeof(path)),
            HD_OK);
        assert_int_equal(hd_check_open(&opts, &check), HD_OK);
        assert_int_equal(hd_check_peek(check, path, &seg), HD_OK);
        hd_check_close(check);
    }
    free(list.first);
    return seg.is_sealed;
}

/* Nothing more comes; what is there is sealed while the program runs, and not before. */
static void old_alerts_are_sealed_though_none_follow(void **state)
{
    (void)state;
    uint64_t before = lines_now();
    w.opts.alerts.segment_ns = 50 * HD_NS_PER_MS;
    w.opts.snapshot = w.snapshot;
    w.opts.snapshot_ns = 10 * HD_NS_PER_MS;
    start(1);
    archive("web1", 1, "Accepted", "203.0.113.9");
    examined(before, 1);
    for (unsigned i = 0; !first_alerts_are_sealed(); i++) {
        assert_true(i < 15000);
        (void)poll(NULL, 0, 2);
    }
    stop();
    expect_alerts(0, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_attack_becomes_one_alert),
        TEST(a_replay_publishes_nothing_again),
        TEST(an_attack_cut_by_a_restart_is_seen_once),
        TEST(repeats_are_counted),
        TEST(several_detectors_see_everything_once),
        TEST(a_line_may_hit_more_rules_than_a_message_holds),
        TEST(detectors_need_not_change_rules_together),
        TEST(new_rules_work_from_the_next_batch_on),
        TEST(rules_count_what_becomes_of_their_hits),
        TEST(counts_go_with_the_rule),
        TEST(a_correlation_that_loses_groups_is_told),
        TEST(a_noisy_rule_is_reported_and_throttled),
        TEST(swaps_under_load_lose_and_double_nothing),
        TEST(alerts_that_cannot_be_written_come_later),
        TEST(losses_that_cannot_be_written_come_later),
        TEST(a_report_of_an_agent_is_written_down_once),
        TEST(damaged_entries_are_counted_once_by_all_detectors),
        TEST(removed_entries_are_counted),
        TEST(late_events_are_counted_for_their_agent),
        TEST(evicted_groups_are_counted),
        TEST(what_is_broken_is_passed_over),
        TEST(a_slow_attack_cut_by_kill_9_is_seen_once),
        TEST(a_warm_up_is_not_enough_for_that),
        TEST(repeats_outlive_kill_9),
        TEST(an_orderly_end_saves_the_last_line),
        TEST(a_snapshot_that_does_not_fit_is_passed_over),
        TEST(what_is_wrong_with_a_snapshot_is_said),
        TEST(many_alerts_bring_a_snapshot),
        TEST(a_snapshot_needs_memory),
        TEST(a_snapshot_of_the_version_before_is_read),
        TEST(a_changed_correlation_says_what_it_keeps),
        TEST(evidence_goes_down_to_the_lines),
        TEST(nothing_is_lost_for_lack_of_memory),

        TEST(old_alerts_are_sealed_though_none_follow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
