/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/correlator/detect_helper.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include <haidang/archive_meta.h>
#include <haidang/clock.h>
#include <haidang/fs.h>

#include "correlator/metrics.h"

const char world_rules[] =
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

const char world_other_rules[] = "title: Session\n"
                                 "id: ecfd1fcd-d465-49ce-a04e-c5d55affd640\n"
                                 "name: any\n"
                                 "status: test\n"
                                 "logsource: {product: linux, service: sshd}\n"
                                 "detection:\n"
                                 "  selection: {event.outcome: failure}\n"
                                 "  condition: selection\n"
                                 "level: low\n";

struct world w;

struct cor_rules *world_load(const char *path)
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

void world_use_rules(const char *text)
{
    assert_int_equal(hd_fs_write_atomic(w.rules, hd_slice_str(text), 0600), HD_OK);
    cor_rules_unref(w.in_force);
    w.in_force = NULL;
    w.in_force = world_load(w.rules);
}

void world_use_slow_rule(void)
{
    char text[4096];
    (void)snprintf(text, sizeof(text), "%s" WORLD_SLOW_RULE, world_rules);
    world_use_rules(text);
    w.now_ns = hd_clock_wall_ns() - 3500 * HD_NS_PER_SEC;
    w.warm_up_ns = 60 * HD_NS_PER_SEC;
}

static void world_open_archive(void)
{
    struct hd_journal_recovery found;
    const struct hd_journal_opts opts = {.dir = w.archive_dir};
    assert_int_equal(hd_journal_open(&opts, &w.archive, &found), HD_OK);
}

int world_setup(void **state)
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
    assert_int_equal(hd_fs_write_atomic(w.rules, hd_slice_str(world_rules), 0600), HD_OK);
    assert_int_equal(
        hd_fs_write_atomic(w.other_rules, hd_slice_str(world_other_rules), 0600), HD_OK);
    w.in_force = world_load(w.rules);
    w.other = world_load(w.other_rules);
    assert_int_equal(cor_enrich_load(&(struct cor_enrich_opts){0}, &w.enrich, &diags),
                     HD_OK);
    w.now_ns = hd_clock_wall_ns() - 60 * HD_NS_PER_SEC;
    w.warm_up_ns = 600 * HD_NS_PER_SEC;
    w.opts = (struct cor_state_opts){
        .alerts = {.dir = w.alerts_dir},
        .remember = 1024,
        .suppress = {.entries = 100},
        .correlate = {.memory_max = 8U << 20, .lateness_ns = 600 * HD_NS_PER_SEC}};
    world_open_archive();
    return 0;
}

int world_teardown(void **state)
{
    (void)state;
    hd_journal_close(w.archive);
    cor_enrich_unref(w.enrich);
    cor_rules_unref(w.in_force);
    cor_rules_unref(w.other);
    return 0;
}

void world_append(const char *agent, struct hd_slice payload,
                  const struct hd_batch_info *info)
{
    struct hd_buf meta;
    hd_buf_init(&meta, 0);
    hd_archive_meta_encode(&meta,
                           &(struct hd_archive_meta){.agent = hd_slice_str(agent),
                                                     .boot = HD_SLICE(WORLD_BOOT),
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
void world_archive(const char *agent, unsigned n, const char *what, const char *ip)
{
    struct hd_batch_builder *b;
    struct hd_slice frame;
    struct hd_batch_info info;
    const struct hd_batch_source source = {.host = hd_slice_str(agent),
                                           .kind = HD_SLICE("file"),
                                           .name = HD_SLICE("/var/log/auth.log"),
                                           .format = HD_SLICE("syslog")};
    uint16_t index;
    assert_int_equal(hd_batch_builder_new(agent, WORLD_BOOT, HD_BATCH_RAW_MAX, 1, &b),
                     HD_OK);
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
    world_append(agent, frame, &info);
    hd_batch_builder_free(b);
}

void world_open_losses(void)
{
    char why[256];
    const struct hd_journal_opts opts = {.dir = w.losses_dir, .max_bytes = w.losses_max};
    assert_int_equal(cor_losses_open(&opts, &w.losses, why), HD_OK);
}

void world_close_losses(void)
{
    cor_losses_free(w.losses);
    w.losses = NULL;
}

void world_start(unsigned n)
{
    char why[256];
    world_open_losses();
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

void world_stop(void)
{
    cor_state_stop(w.state);
    for (unsigned i = 0; i < w.n_detectors; i++) {
        cor_detector_stop(w.detectors[i]);
    }
    cor_state_free(w.state);
    for (unsigned i = 0; i < w.n_detectors; i++) {
        cor_detector_free(w.detectors[i]);
    }
    world_close_losses();
}

int world_use_in(unsigned detector, struct cor_rules *rules, uint64_t generation)
{
    struct cor_tools *tools = NULL;
    assert_int_equal(cor_tools_new(rules, NULL, &tools), HD_OK);
    tools->generation = generation;
    return cor_detector_use(w.detectors[detector], tools);
}

int world_use(struct cor_rules *rules)
{
    return world_use_in(0, rules, ++w.generation);
}

/* Waits until so many more lines were examined than at `since`. */
void world_examined(uint64_t since, uint64_t lines)
{
    for (unsigned i = 0; COR_READ(COR_M_DETECT_LINES) < since + lines; i++) {
        assert_true(i < 15000);
        (void)poll(NULL, 0, 2);
    }
}

uint64_t world_lines(void)
{
    return COR_READ(COR_M_DETECT_LINES);
}

/* One detector from start to end, until it has examined `lines` more. */
void world_detect(uint64_t lines)
{
    uint64_t before = world_lines();
    world_start(1);
    world_examined(before, lines);
    world_stop();
}

static void collect(void *ctx, const json_t *alert)
{
    struct world_alerts *a = ctx;
    assert_true(a->n < 64);
    for (unsigned i = 0; i < a->n; i++) {
        assert_string_not_equal(hd_alert_text(a->all[i], "id"),
                                hd_alert_text(alert, "id"));
    }
    a->all[a->n++] = json_deep_copy(alert);
}

struct world_alerts world_alerts(void)
{
    struct world_alerts out = {0};
    struct cor_publish *p;
    char why[256];
    const struct hd_journal_opts opts = {.dir = w.alerts_dir};
    assert_int_equal(cor_publish_open(&opts, &p, why), HD_OK);
    assert_int_equal(cor_publish_tail(p, 1000, collect, &out), HD_OK);
    cor_publish_close(p);
    return out;
}

unsigned world_count(const struct world_alerts *a, const char *title)
{
    unsigned n = 0;
    for (unsigned i = 0; i < a->n; i++) {
        n += strcmp(hd_alert_text(a->all[i], "rule.title"), title) == 0;
    }
    return n;
}

void world_drop(struct world_alerts *a)
{
    for (unsigned i = 0; i < a->n; i++) {
        json_decref(a->all[i]);
    }
    a->n = 0;
}

void world_expect(unsigned guessing, unsigned accepted)
{
    struct world_alerts a = world_alerts();
    assert_int_equal(world_count(&a, "Guessing"), guessing);
    assert_int_equal(world_count(&a, "Accepted"), accepted);
    assert_int_equal(world_count(&a, "Failed"), 0);
    world_drop(&a);
}

void world_forget_cursors(void)
{
    char path[600];
    for (unsigned i = 0; i < 4; i++) {
        (void)snprintf(path, sizeof(path), "%s/readers/detect-%u", w.archive_dir, i);
        (void)remove(path);
    }
}

const struct cor_rule_counts *world_counts(const struct cor_rules *rules,
                                           const char *name)
{
    const struct rul_rule *rule = rul_set_find(rules->set, hd_slice_str(name));
    assert_non_null(rule);
    return rules->counts[rule->index];
}

void world_expect_counts(const char *name, uint64_t hits, uint64_t alerts,
                         uint64_t suppressed, uint64_t throttled)
{
    const struct cor_rule_counts *c = world_counts(w.in_force, name);
    assert_int_equal(cor_rule_read(&c->hits), hits);
    assert_int_equal(cor_rule_read(&c->alerts), alerts);
    assert_int_equal(cor_rule_read(&c->suppressed), suppressed);
    assert_int_equal(cor_rule_read(&c->throttled), throttled);
}

/* From now on snapshots are taken so often. */
void world_remember(int64_t every_ns)
{
    w.opts.snapshot = w.snapshot;
    w.opts.snapshot_ns = every_ns;
}

/* Examines what is left, however much that is. */
void world_catch_up(void)
{
    world_start(1);
    for (unsigned i = 0; i < 15000; i++) {
        (void)poll(NULL, 0, 2);
        if (COR_READ(COR_M_DETECT_LAG_MS) == 0 &&
            cor_detector_lag_ms(w.detectors[0]) == 0 && i > 100) {
            break;
        }
    }
    world_stop();
}
