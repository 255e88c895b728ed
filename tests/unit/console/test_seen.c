/* SPDX-License-Identifier: Apache-2.0
 *
 * What an archive holds: which classes of events came since when, with which fields.
 */
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

#include <haidang/batch.h>
#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/journal.h>

#include "console/rules/seen.h"
#include "rules/explain.h"

#define SECOND HD_NS_PER_SEC

static const char rules_text[] =
    "title: Failed\n"
    "logsource: {product: linux, service: sshd}\n"
    "detection: {selection: {user.name: root, event.outcome: failure}, condition: "
    "selection}\n"
    "---\n"
    "title: Other Field\n"
    "logsource: {product: linux, service: sshd}\n"
    "detection: {selection: {user.name: root, no.such: 1}, condition: selection}\n"
    "---\n"
    "title: Either\n"
    "logsource: {product: linux, service: sshd}\n"
    "detection: {a: {no.such: 1}, b: {user.name: an}, n: {no.such: null, other|re: x}, "
    "condition: (a or b) and not n}\n";

static struct world {
    char dir[512];
    struct rul_set *set;
    struct con_seen seen;
} w;

static int setup(void **state)
{
    char path[600], decoders[512];
    (void)state;
    const char *dir = hd_test_tmpdir();
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    (void)snprintf(w.dir, sizeof(w.dir), "%s/archive", dir);
    (void)snprintf(path, sizeof(path), "%s/rules.yml", dir);
    (void)snprintf(decoders, sizeof(decoders), "%s", hd_test_source("rules/decoders"));
    assert_int_equal(hd_fs_write_atomic(path, hd_slice_str(rules_text), 0600), HD_OK);
    const char *paths[] = {path};
    const struct rul_set_opts opts = {
        .decoders_dir = decoders, .rules = paths, .n_rules = 1, .no_self_test = true};
    assert_int_equal(rul_set_load(&opts, &w.set, &diags), HD_OK);
    assert_int_equal(con_seen_init(&w.seen, w.set), HD_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    con_seen_fini(&w.seen);
    rul_set_unref(w.set);
    return 0;
}

static void append(struct hd_journal *journal, uint64_t first, int64_t recv_ns,
                   const char *line)
{
    struct hd_batch_builder *b;
    struct hd_slice frame;
    struct hd_batch_info info;
    uint16_t index;
    const struct hd_batch_source source = {.host = HD_SLICE("web1"),
                                           .kind = HD_SLICE("file"),
                                           .name = HD_SLICE("x.log"),
                                           .format = HD_SLICE("auto")};
    assert_int_equal(hd_batch_builder_new("agent1", "0123456789abcdef0123456789abcdef",
                                          HD_BATCH_RAW_MAX, 1, &b),
                     HD_OK);
    assert_int_equal(hd_batch_builder_source(b, &source, &index), HD_OK);
    assert_int_equal(hd_batch_builder_add(b, index, recv_ns, 0, hd_slice_str(line)),
                     HD_OK);
    assert_int_equal(hd_batch_builder_close(b, first, &frame, &info), HD_OK);
    struct hd_journal_entry entry = {.first = info.first,
                                     .last = info.last,
                                     .time_min = info.time_min,
                                     .time_max = info.time_max,
                                     .count = info.count,
                                     .raw_len = info.raw_len,
                                     .payload = frame};
    assert_int_equal(hd_journal_append(journal, &entry), HD_OK);
    hd_batch_builder_free(b);
}

static void test_what_came_since(void **state)
{
    (void)state;
    struct hd_journal *journal;
    struct hd_journal_recovery found;
    int64_t now = hd_clock_wall_ns();
    assert_int_equal(
        hd_journal_open(&(struct hd_journal_opts){.dir = w.dir}, &journal, &found),
        HD_OK);
    append(journal, 1, now - 100 * SECOND,
           "Nov 21 14:50:37 web1 cron[812]: (root) CMD (true)");
    append(journal, 2, now - 10 * SECOND,
           "Nov 21 14:50:37 web1 sshd[812]: Failed password for root from 203.0.113.9 "
           "port 50123 ssh2");
    append(journal, 3, now - 5 * SECOND, "what nobody knows");
    assert_int_equal(hd_journal_commit(journal), HD_OK);
    assert_int_equal(con_seen_archive(&w.seen, w.dir, now - 50 * SECOND), HD_OK);
    hd_journal_close(journal);
    assert_int_equal(w.seen.events, 2);
    assert_int_equal(w.seen.unknown, 1);
    assert_int_equal(w.seen.unreadable, 0);
    const struct rul_rule *failed = rul_set_find(w.set, HD_SLICE("Failed"));
    const struct rul_rule *other = rul_set_find(w.set, HD_SLICE("Other Field"));
    const struct rul_rule *either = rul_set_find(w.set, HD_SLICE("Either"));
    unsigned seen = 0;
    for (uint16_t i = 0; i < rul_set_classes(w.set); i++) {
        const uint64_t *fields = w.seen.classes[i].fields;
        if (!rul_class_has(w.set, i, failed) || w.seen.classes[i].events == 0) {
            continue;
        }
        uint16_t ids[4];
        seen++;
        assert_true(rul_can_fire(w.set, failed, fields));
        assert_int_equal(rul_missing_fields(w.set, failed, fields, ids, 4), 0);
        assert_true(rul_can_fire(w.set, either, fields));
        assert_false(rul_can_fire(w.set, other, fields));
        assert_int_equal(rul_missing_fields(w.set, other, fields, ids, 4), 1);
        assert_true(hd_slice_eq(rul_fields_name(rul_set_fields(w.set), ids[0]),
                                HD_SLICE("no.such")));
    }
    assert_int_equal(seen, 1);
}

static void test_an_archive_that_is_empty(void **state)
{
    (void)state;
    assert_int_equal(con_seen_archive(&w.seen, hd_test_tmpdir(), 0), HD_OK);
    assert_int_equal(w.seen.events, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_came_since, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_archive_that_is_empty, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
