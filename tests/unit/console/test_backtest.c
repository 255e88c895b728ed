/* SPDX-License-Identifier: Apache-2.0
 *
 * A backtest over an archive made here: what it counts, which times it takes, in which
 * order, with however many threads; and that it leaves no trace in the archive.
 */
#include "tests/support/support.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/batch.h>
#include <haidang/clock.h>
#include <haidang/fs.h>

#include "console/backtest.h"

#define BOOT "0123456789abcdef0123456789abcdef"
#define HOUR (3600 * HD_NS_PER_SEC)

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
    "status: test\n"
    "logsource: {product: linux, service: sshd}\n"
    "detection:\n"
    "  selection: {event.action: ssh-login, event.outcome: success}\n"
    "  condition: selection\n"
    "level: low\n";

static struct world {
    char dir[512];
    struct hd_journal *archive;
    struct rul_set *set;
    struct con_backtest b;
    uint64_t seq;
    int64_t begin_ns, now_ns;
    int64_t suppress_ns;
    struct hd_canary_keys *canary_keys;
} w;

static void load_rules(const char *dir)
{
    char path[600], decoders[512];
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    (void)snprintf(path, sizeof(path), "%s/rules.yml", dir);
    (void)snprintf(decoders, sizeof(decoders), "%s", hd_test_source("rules/decoders"));
    assert_int_equal(hd_fs_write_atomic(path, hd_slice_str(rules_text), 0600), HD_OK);
    const char *paths[] = {path};
    const struct rul_set_opts opts = {.decoders_dir = decoders,
                                      .rules = paths,
                                      .n_rules = 1,
                                      .time_zone = "UTC",
                                      .no_self_test = true};
    assert_int_equal(rul_set_load(&opts, &w.set, &diags), HD_OK);
}

static int setup(void **state)
{
    struct hd_journal_recovery found;
    (void)state;
    memset(&w, 0, sizeof(w));
    const char *dir = hd_test_tmpdir();
    (void)snprintf(w.dir, sizeof(w.dir), "%s/archive", dir);
    load_rules(dir);
    assert_int_equal(
        hd_journal_open(&(struct hd_journal_opts){.dir = w.dir}, &w.archive, &found),
        HD_OK);
    w.begin_ns = (hd_clock_wall_ns() / HOUR - 10) * HOUR;
    w.now_ns = w.begin_ns;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    con_backtest_fini(&w.b);
    hd_journal_close(w.archive);
    rul_set_unref(w.set);
    hd_canary_keys_unref(w.canary_keys);
    return 0;
}

static struct hd_batch_builder *open_batch(const char *host, uint16_t *index)
{
    struct hd_batch_builder *b;
    const struct hd_batch_source source = {.host = hd_slice_str(host),
                                           .kind = HD_SLICE("file"),
                                           .name = HD_SLICE("/var/log/auth.log"),
                                           .format = HD_SLICE("syslog")};
    assert_int_equal(hd_batch_builder_new("agent1", BOOT, HD_BATCH_RAW_MAX, 1, &b),
                     HD_OK);
    assert_int_equal(hd_batch_builder_source(b, &source, index), HD_OK);
    return b;
}

static void close_batch(struct hd_batch_builder *b, unsigned n)
{
    struct hd_slice frame;
    struct hd_batch_info info;
    assert_int_equal(hd_batch_builder_close(b, w.seq + 1, &frame, &info), HD_OK);
    w.seq += n;
    struct hd_journal_entry entry = {.first = info.first,
                                     .last = info.last,
                                     .time_min = info.time_min,
                                     .time_max = info.time_max,
                                     .count = info.count,
                                     .raw_len = info.raw_len,
                                     .payload = frame};
    assert_int_equal(hd_journal_append(w.archive, &entry), HD_OK);
    hd_batch_builder_free(b);
}

/* A batch of `n` lines, ten a second. */
static void archive(const char *host, unsigned n, const char *what, const char *ip)
{
    uint16_t index;
    struct hd_batch_builder *b = open_batch(host, &index);
    for (unsigned i = 0; i < n; i++) {
        char line[256], time[HD_RFC3339_LEN + 1];
        w.now_ns += HD_NS_PER_SEC / 10;
        (void)hd_clock_format_rfc3339(w.now_ns, 6, time);
        int len = snprintf(line, sizeof(line),
                           "%s %s sshd[812]: %s password for root from %s port 4022 ssh2",
                           time, host, what, ip);
        assert_int_equal(
            hd_batch_builder_add(b, index, w.now_ns, 0, hd_slice(line, (size_t)len)),
            HD_OK);
    }
    close_batch(b, n);
}

static void backtest(unsigned jobs, int64_t since_ns, int64_t until_ns)
{
    assert_int_equal(hd_journal_commit(w.archive), HD_OK);
    con_backtest_fini(&w.b);
    w.b = (struct con_backtest){.set = w.set, .suppress_ns = w.suppress_ns};
    w.b.scan.archive = w.dir;
    w.b.scan.jobs = jobs;
    w.b.scan.canary_keys = w.canary_keys;
    w.b.scan.since_ns = since_ns;
    w.b.scan.until_ns = until_ns;
    assert_int_equal(con_backtest_run(&w.b, 2), HD_OK);
}

static void backtest_all(unsigned jobs)
{
    backtest(jobs, 0, INT64_MAX / 2);
}

static const struct con_tally_rule *rule(const char *title)
{
    for (size_t i = 0; i < rul_set_count(w.set); i++) {
        if (strcmp(rul_set_rule(w.set, i)->title, title) == 0) {
            return &w.b.tally.rules[i];
        }
    }
    fail_msg("no rule %s", title);
    return NULL;
}

/* ---- tests ---- */

static void counts_by_rule_host_and_hour(void **state)
{
    (void)state;
    archive("web1", 3, "Accepted", "203.0.113.9");
    w.now_ns = w.begin_ns + HOUR;
    archive("web2", 5, "Accepted", "203.0.113.9");
    archive("web2", 2, "Failed", "203.0.113.9");
    backtest_all(2);
    const struct con_tally_rule *r = rule("Accepted");
    assert_int_equal(w.b.totals.lines, 10);
    assert_int_equal(w.b.totals.decoded, 10);
    assert_int_equal(r->matched, 8);
    assert_int_equal(r->raised, 8);
    assert_int_equal(r->n_hosts, 2);
    assert_string_equal(r->hosts[0].name, "web2");
    assert_int_equal(r->hosts[0].raised, 5);
    assert_string_equal(r->hosts[1].name, "web1");
    assert_int_equal(r->hosts[1].raised, 3);
    assert_int_equal(r->n_hours, 2);
    assert_true(r->hours[0].start_ns == w.begin_ns && r->hours[0].raised == 3);
    assert_true(r->hours[1].start_ns == w.begin_ns + HOUR && r->hours[1].raised == 5);
    assert_int_equal(r->n_examples, 2);
    assert_string_equal(r->examples[0].position, "agent1/" BOOT "/1");
    assert_non_null(strstr(r->examples[1].line, "web1 sshd[812]: Accepted password"));
    assert_int_equal(rule("Failed")->matched, 2);
    assert_int_equal(rule("Failed")->raised, 0); /* it only feeds */
}

static void correlations_see_entries_in_their_order(void **state)
{
    (void)state;
    /* six of one address, spread over six entries between which others stand: found
     * once, at the sixth, whichever worker is faster */
    for (unsigned i = 0; i < 6; i++) {
        archive("web1", 1, "Failed", "203.0.113.9");
        archive("web2", 200, "Accepted", "203.0.113.10");
    }
    archive("web1", 5, "Failed", "203.0.113.11");
    for (unsigned jobs = 1; jobs <= 5; jobs++) {
        backtest_all(jobs);
        const struct con_tally_rule *r = rule("Guessing");
        assert_int_equal(r->raised, 1);
        assert_string_equal(r->hosts[0].name, "web1");
        assert_string_equal(r->examples[0].group, "source.ip=203.0.113.9");
        assert_string_equal(r->examples[0].position, "agent1/" BOOT "/1");
        assert_int_equal(rule("Failed")->matched, 11);
        assert_int_equal(rule("Accepted")->raised, 1200);
        assert_string_equal(rule("Accepted")->examples[1].position, "agent1/" BOOT "/3");
    }
}

/* As the correlator: the same rule about the same host and address, or group. */
static void repeats_are_held_back_and_counted(void **state)
{
    (void)state;
    w.suppress_ns = 1200 * HD_NS_PER_SEC;
    archive("web1", 10, "Accepted", "203.0.113.9"); /* one, and nine repeats */
    archive("web1", 1, "Accepted", "203.0.113.8");  /* another address */
    archive("web2", 1, "Accepted", "203.0.113.9");  /* another host */
    w.now_ns += w.suppress_ns;
    archive("web1", 2, "Accepted", "203.0.113.9"); /* the window is over */
    archive("web1", 6, "Failed", "203.0.113.9");
    archive("web2", 7, "Failed", "203.0.113.7");
    w.now_ns += w.suppress_ns - 2 * HD_NS_PER_SEC;
    archive("web1", 6, "Failed", "203.0.113.9"); /* the group again, within it */
    for (unsigned jobs = 1; jobs <= 3; jobs++) {
        backtest_all(jobs);
        const struct con_tally_rule *r = rule("Accepted");
        assert_int_equal(r->matched, 14);
        assert_int_equal(r->raised, 4);
        assert_int_equal(r->repeats, 10);
        assert_string_equal(r->hosts[0].name, "web1");
        assert_int_equal(r->hosts[0].raised, 3);
        assert_int_equal(r->hosts[0].repeats, 10);
        assert_int_equal(r->hosts[1].raised, 1);
        assert_int_equal(r->hosts[1].repeats, 0);
        assert_int_equal(r->hours[0].raised, 4);
        assert_int_equal(r->hours[0].repeats, 10);
        assert_int_equal(rule("Guessing")->raised, 2);
        assert_int_equal(rule("Guessing")->repeats, 1);
    }
}

static void takes_only_the_time_asked_for(void **state)
{
    (void)state;
    archive("web1", 10, "Accepted", "203.0.113.9"); /* 0.1 s to 1.0 s */
    int64_t first = w.begin_ns + HD_NS_PER_SEC / 10;
    w.now_ns = w.begin_ns + HOUR;
    archive("web1", 10, "Accepted", "203.0.113.9");
    backtest(1, first + HD_NS_PER_SEC / 10, w.begin_ns + HOUR);
    assert_int_equal(rule("Accepted")->raised, 9); /* since: from there on */
    assert_int_equal(w.b.totals.entries, 1);       /* the other was not read */
    backtest(1, first, w.now_ns);
    assert_int_equal(rule("Accepted")->raised, 19); /* until: not itself */
    assert_int_equal(w.b.totals.entries, 2);
    backtest(1, w.now_ns + 1, INT64_MAX / 2);
    assert_int_equal(w.b.totals.lines, 0);
}

static void a_late_batch_is_found_behind_newer_ones(void **state)
{
    (void)state;
    w.now_ns = w.begin_ns + HOUR;
    archive("web1", 1, "Accepted", "203.0.113.9");
    w.now_ns = w.begin_ns;
    archive("web2", 1, "Accepted", "203.0.113.9");
    backtest(2, w.begin_ns, w.begin_ns + HOUR);
    assert_int_equal(rule("Accepted")->raised, 1);
    assert_string_equal(rule("Accepted")->hosts[0].name, "web2");
}

static void an_empty_archive_has_nothing(void **state)
{
    (void)state;
    backtest_all(3);
    assert_int_equal(w.b.totals.entries, 0);
    assert_int_equal(rule("Accepted")->raised, 0);
}

static void what_is_no_batch_is_counted(void **state)
{
    (void)state;
    static const uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x01, 0x09, 0, 0, 'x'};
    struct hd_journal_entry entry = {.first = 1,
                                     .last = 1,
                                     .time_min = w.begin_ns,
                                     .time_max = w.begin_ns,
                                     .count = 1,
                                     .raw_len = 1,
                                     .payload = hd_slice(frame, sizeof(frame))};
    assert_int_equal(hd_journal_append(w.archive, &entry), HD_OK);
    archive("web1", 1, "Accepted", "203.0.113.9");
    backtest_all(2);
    assert_int_equal(w.b.totals.corrupt, 1);
    assert_int_equal(rule("Accepted")->raised, 1);
}

/* One line as it is. */
static void archive_line(struct hd_slice line)
{
    uint16_t index;
    struct hd_batch_builder *b = open_batch("web1", &index);
    assert_int_equal(hd_batch_builder_add(b, index, w.now_ns, 0, line), HD_OK);
    close_batch(b, 1);
}

static struct hd_sign_key *make_key(const char *dir)
{
    char path[700];
    struct hd_sign_key *key = NULL;
    assert_int_equal(hd_fs_mkdirs(dir, 0700), HD_OK);
    (void)snprintf(path, sizeof(path), "%s/a", dir);
    assert_int_equal(hd_sign_key_make(path), HD_OK);
    assert_int_equal(hd_sign_key_load(path, &key), HD_OK);
    return key;
}

/* Whoever has signed it: a line of the program of canaries, signed now or long ago. */
static void archive_canary(const struct hd_sign_key *key, int64_t time_ns)
{
    struct hd_buf line;
    struct hd_canary c = {.id = HD_SLICE("00112233445566778899aabbccddeeff"),
                          .part = 1,
                          .parts = 1,
                          .class = HD_CANARY_UDP,
                          .rule = HD_SLICE("r1"),
                          .time_ns = time_ns,
                          .message = HD_SLICE("Accepted password for root")};
    hd_buf_init(&line, 0);
    assert_int_equal(hd_canary_write(&c, key, HD_SLICE("h"), &line), HD_OK);
    archive_line(hd_buf_slice(&line));
    hd_buf_fini(&line);
}

static void signed_canaries_are_left_out(void **state)
{
    (void)state;
    char trusted_dir[600], other_dir[600];
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    (void)snprintf(trusted_dir, sizeof(trusted_dir), "%s/../trusted", w.dir);
    (void)snprintf(other_dir, sizeof(other_dir), "%s/../other", w.dir);
    struct hd_sign_key *trusted = make_key(trusted_dir), *other = make_key(other_dir);
    archive("web1", 2, "Accepted", "203.0.113.9");
    archive_canary(trusted, w.now_ns);
    archive_canary(trusted, w.begin_ns - 100 * HOUR);
    archive_canary(other, w.now_ns);
    backtest_all(2);
    assert_int_equal(w.b.totals.lines, 5); /* who knows no keys knows no canaries */
    assert_int_equal(w.b.totals.tests, 0);
    assert_int_equal(hd_canary_keys_load(trusted_dir, 0, &diags, &w.canary_keys), HD_OK);
    backtest_all(2);
    assert_int_equal(w.b.totals.lines, 3);
    assert_int_equal(w.b.totals.tests, 2);
    assert_int_equal(rule("Accepted")->matched, 2);
    backtest(1, w.now_ns + 1, INT64_MAX / 2); /* another time */
    assert_int_equal(w.b.totals.tests, 0);
    hd_sign_key_free(trusted);
    hd_sign_key_free(other);
}

static void leaves_no_trace(void **state)
{
    (void)state;
    archive("web1", 1, "Accepted", "203.0.113.9");
    backtest_all(2);
    char readers[600];
    (void)snprintf(readers, sizeof(readers), "%s/readers", w.dir);
    DIR *dir = opendir(readers);
    for (struct dirent *one; dir != NULL && (one = readdir(dir)) != NULL;) {
        assert_true(one->d_name[0] == '.');
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
}

static void many_hosts_are_bounded(void **state)
{
    (void)state;
    char name[32];
    struct con_tally t;
    assert_int_equal(con_tally_init(&t, w.set, 1), HD_OK);
    for (unsigned i = 0; i < CON_TALLY_HOSTS_MAX + 7; i++) {
        int len = snprintf(name, sizeof(name), "host%u", i);
        con_tally_add(&t, &(struct con_tally_alert){.rule = rul_set_rule(w.set, 2),
                                                    .host = hd_slice(name, (size_t)len)});
    }
    con_tally_add(&t, &(struct con_tally_alert){.rule = rul_set_rule(w.set, 2),
                                                .host = HD_SLICE("host5")});
    con_tally_finish(&t);
    assert_int_equal(t.err, HD_OK);
    assert_int_equal(t.rules[2].n_hosts, CON_TALLY_HOSTS_MAX);
    assert_int_equal(t.rules[2].other_hosts, 7);
    assert_string_equal(t.rules[2].hosts[0].name, "host5");
    con_tally_fini(&t);
}

static void hours_come_sorted(void **state)
{
    (void)state;
    static const int64_t hours[] = {5, 3, 9, 3, 5, 0, -1, 9, 9};
    struct con_tally t;
    assert_int_equal(con_tally_init(&t, w.set, 0), HD_OK);
    for (size_t i = 0; i < sizeof(hours) / sizeof(hours[0]); i++) {
        con_tally_add(&t, &(struct con_tally_alert){.rule = rul_set_rule(w.set, 2),
                                                    .time_ns = hours[i] * HOUR + 1});
    }
    const struct con_tally_rule *r = &t.rules[2];
    static const int64_t starts[] = {-1, 0, 3, 5, 9};
    static const uint64_t counts[] = {1, 1, 2, 2, 3};
    assert_int_equal(r->n_hours, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_true(r->hours[i].start_ns == starts[i] * HOUR);
        assert_int_equal(r->hours[i].raised, counts[i]);
    }
    assert_true(r->first_ns == -HOUR + 1 && r->last_ns == 9 * HOUR + 1);
    con_tally_fini(&t);
}

static void the_bar_says_how_far_and_how_long(void **state)
{
    (void)state;
    struct hd_buf out;
    hd_buf_init(&out, 0);
    con_progress_line(&out, 50, 100, 3000, "lines", 3 * HD_NS_PER_SEC);
    assert_string_equal(hd_buf_cstr(&out), "[###############               ]  50 %  3000 "
                                           "lines, 1000/s, 0:03");
    hd_buf_clear(&out);
    con_progress_line(&out, 0, 100, 0, "lines", HD_NS_PER_SEC); /* nothing known yet */
    assert_string_equal(hd_buf_cstr(&out),
                        "[                              ]   0 %  0 lines, 0/s");
    hd_buf_fini(&out);
}

static void the_outcome_is_json(void **state)
{
    (void)state;
    archive("web1", 6, "Failed", "203.0.113.9");
    backtest_all(1);
    struct hd_buf out;
    json_error_t error;
    hd_buf_init(&out, 0);
    con_backtest_json(&w.b, &out);
    json_t *all = json_loadb((const char *)out.ptr, out.len, 0, &error);
    assert_non_null(all);
    assert_int_equal(json_integer_value(json_object_get(all, "lines")), 6);
    const json_t *guessing = json_array_get(json_object_get(all, "rules"),
                                            (size_t)(rule("Guessing") - w.b.tally.rules));
    assert_string_equal(json_string_value(json_object_get(guessing, "title")),
                        "Guessing");
    assert_int_equal(json_integer_value(json_object_get(guessing, "raised")), 1);
    json_decref(all);
    hd_buf_clear(&out);
    struct con_show show = {.is_vietnamese = true};
    assert_int_equal(hd_zone_open("UTC", &show.zone), HD_OK);
    con_backtest_text(&w.b, &show, &out);
    con_show_fini(&show);
    assert_non_null(strstr(hd_buf_cstr(&out),
                           "  theo máy chủ                  cảnh báo     lặp lại\n"
                           "    web1                               1           0  ████"));
    hd_buf_fini(&out);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(counts_by_rule_host_and_hour),
        TEST(correlations_see_entries_in_their_order),
        TEST(repeats_are_held_back_and_counted),
        TEST(takes_only_the_time_asked_for),
        TEST(a_late_batch_is_found_behind_newer_ones),
        TEST(an_empty_archive_has_nothing),
        TEST(what_is_no_batch_is_counted),
        TEST(signed_canaries_are_left_out),
        TEST(leaves_no_trace),
        TEST(many_hosts_are_bounded),
        TEST(hours_come_sorted),
        TEST(the_bar_says_how_far_and_how_long),
        TEST(the_outcome_is_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
