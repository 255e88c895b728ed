/* SPDX-License-Identifier: Apache-2.0
 *
 * How long which source is kept, and how far an archive is past its time.
 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/archive_meta.h>
#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/retain.h>

#define DAY  (86400 * HD_NS_PER_SEC)
#define NOW  (INT64_C(1790000000) * HD_NS_PER_SEC)
#define BOOT "0123456789abcdef0123456789abcdef"

static const char inventory[] = "id,name,level,hosts,networks\n"
                                "dvc,Portal,3,web1,\n"
                                "low,Small,1,low1,\n"
                                "two,Two,2,two1,\n"
                                "net,Net,4,,192.0.2.0/24\n"
                                "top,Top,5,top1,\n";

static struct hd_diag_first said;

static int load(const char *text, struct hd_retain **out)
{
    char path[512];
    const char *dir = hd_test_tmpdir();
    struct hd_diags diags = {.emit = hd_diag_keep_first, .ctx = &said};
    said = (struct hd_diag_first){.text = ""};
    (void)snprintf(path, sizeof(path), "%s/inventory.csv", dir);
    assert_int_equal(hd_fs_write_atomic(path, hd_slice_str(inventory), 0600), HD_OK);
    (void)snprintf(path, sizeof(path), "%s/retention.yml", dir);
    assert_int_equal(hd_fs_write_atomic(path, hd_slice_str(text), 0600), HD_OK);
    return hd_retain_load(path, out, &diags);
}

static struct hd_retain *loaded(const char *text)
{
    struct hd_retain *r = NULL;
    if (load(text, &r) != HD_OK) {
        fail_msg("%s", said.text);
    }
    return r;
}

/* ---- entries ---- */

struct source {
    const char *agent, *host, *name, *peer;
};

static struct hd_buf meta;
static struct hd_batch_builder *builder;

/* A batch of one line of each source, taken then. Valid until the next. */
static struct hd_journal_entry entry_of(const struct source *sources, size_t n,
                                        int64_t taken_ns)
{
    struct hd_batch_info info;
    struct hd_slice frame;
    uint16_t index;
    hd_batch_builder_free(builder);
    assert_int_equal(
        hd_batch_builder_new(sources[0].agent, BOOT, HD_BATCH_RAW_MAX, 1, &builder),
        HD_OK);
    for (size_t i = 0; i < n; i++) {
        const struct hd_batch_source s = {.host = hd_slice_str(sources[i].host),
                                          .kind = HD_SLICE("file"),
                                          .name = hd_slice_str(sources[i].name),
                                          .peer = hd_slice_str(sources[i].peer),
                                          .format = HD_SLICE("auto")};
        assert_int_equal(hd_batch_builder_source(builder, &s, &index), HD_OK);
        assert_int_equal(
            hd_batch_builder_add(builder, index, taken_ns, 0, HD_SLICE("a line")), HD_OK);
    }
    assert_int_equal(hd_batch_builder_close(builder, 1, &frame, &info), HD_OK);
    hd_buf_clear(&meta);
    hd_archive_meta_encode(
        &meta, &(struct hd_archive_meta){.agent = hd_slice_str(sources[0].agent),
                                         .boot = HD_SLICE(BOOT),
                                         .peer = HD_SLICE("192.0.2.1:5"),
                                         .taken_ns = taken_ns});
    return (struct hd_journal_entry){.first = info.first,
                                     .last = info.last,
                                     .time_min = taken_ns,
                                     .time_max = taken_ns,
                                     .count = info.count,
                                     .raw_len = info.raw_len,
                                     .meta = hd_buf_slice(&meta),
                                     .payload = frame};
}

static struct hd_retain_verdict judge(const struct hd_retain *r,
                                      const struct source *sources, size_t n)
{
    struct hd_retain_verdict verdict;
    struct hd_batch_reader *batch = NULL;
    struct hd_journal_entry entry = entry_of(sources, n, NOW);
    assert_int_equal(hd_batch_reader_new(&batch), HD_OK);
    hd_retain_entry(r, batch, &entry, &verdict);
    hd_batch_reader_free(batch);
    return verdict;
}

struct wanted {
    struct source source;
    int64_t days;
    const char *why; /* begins so */
};
#define N_OF(list) (sizeof(list) / sizeof((list)[0]))

static void expect_one(const struct hd_retain *r, const struct wanted *wanted)
{
    struct hd_retain_verdict v = judge(r, &wanted->source, 1);
    if (v.until_ns != NOW + wanted->days * DAY ||
        strncmp(v.why, wanted->why, strlen(wanted->why)) != 0) {
        fail_msg("%s %s: %lld days, %s", wanted->source.host, wanted->source.name,
                 (long long)((v.until_ns - NOW) / DAY), v.why);
    }
}

static void expect(const char *rules, const struct wanted *wanted, size_t n)
{
    struct hd_retain *r = loaded(rules);
    for (size_t i = 0; i < n; i++) {
        expect_one(r, &wanted[i]);
    }
    hd_retain_free(r);
}

/* ---- rules ---- */

static void the_default_keeps_a_year_of_everything(void **state)
{
    static const struct wanted wanted[] = {
        {{"a", "web1", "/x", ""}, 366, "otherwise (web1 /x)"},
        {{"a", "top1", "/x", ""}, 366, "otherwise"},
    };
    (void)state;
    expect("inventory: inventory.csv\n", wanted, N_OF(wanted));
}

#define RULES                                                                            \
    "inventory: inventory.csv\n"                                                         \
    "otherwise: 100d\n"                                                                  \
    "rules:\n"                                                                           \
    "  - {agent: 'test-*', keep: 3d}\n"                                                  \
    "  - {host: 'WEB?', source: '*/debug.log', keep: 7d}\n"                              \
    "  - {system: dvc, keep: 730d}\n"                                                    \
    "  - {level: 4, keep: 0s}\n"

static void the_first_rule_that_fits_decides(void **state)
{
    static const struct wanted wanted[] = {
        {{"test-7", "web1", "/x", ""}, 3, "rule 1"},
        {{"a", "web1", "/var/debug.log", ""}, 7, "rule 2"},
        {{"a", "web1", "/var/app.log", ""}, 730, "rule 3"},
        {{"web1", "none", "/x", ""}, 730, "rule 3"}, /* by agent */
        {{"a", "two1", "/x", ""}, 100, "otherwise"},
    };
    (void)state;
    expect(RULES, wanted, N_OF(wanted));
    const struct source by_net = {"a", "none", ":514", "192.0.2.9"};
    struct hd_retain *r = loaded(RULES);
    struct hd_retain_verdict v = judge(r, &by_net, 1);
    assert_true(v.until_ns == HD_RETAIN_FOREVER);
    assert_non_null(strstr(v.why, "rule 4 (none :514)"));
    hd_retain_free(r);
}

static void a_batch_is_kept_for_the_longest_in_it(void **state)
{
    (void)state;
    struct hd_retain *r = loaded("otherwise: 10d\n"
                                 "rules:\n"
                                 "  - {source: /short, keep: 1d}\n"
                                 "  - {source: /long, keep: 99d}\n");
    const struct source mixed[] = {
        {"a", "h", "/short", ""}, {"a", "h", "/long", ""}, {"a", "h", "/x", ""}};
    struct hd_retain_verdict v = judge(r, mixed, 3);
    assert_true(v.until_ns == NOW + 99 * DAY);
    assert_string_equal(v.why, "rule 2 (h /long)");
    v = judge(r, mixed, 1);
    assert_true(v.until_ns == NOW + DAY);
    hd_retain_free(r);
}

static void a_profile_is_the_least_by_level(void **state)
{
    static const struct wanted by_level[] = {
        {{"a", "low1", "/x", ""}, 20, "otherwise"},
        {{"a", "none", "/x", ""}, 20, "otherwise"},
        {{"a", "two1", "/x", ""}, 31, "tcvn-14423-2026, level 2"},
        {{"a", "n", "/x", "192.0.2.1"}, 184, "tcvn-14423-2026, level 4"},
        /* a rule may keep for longer, never for less */
        {{"a", "top1", "/x", ""}, 366, "tcvn-14423-2026, level 5"},
        {{"a", "web1", "/x", ""}, 500, "rule 2"},
    };
    static const struct wanted any[] = {
        {{"a", "none", "/x", ""}, 366, "qcvn-12-2026, level 0"}};
    (void)state;
    expect("profile: tcvn-14423-2026\n"
           "inventory: inventory.csv\n"
           "otherwise: 20d\n"
           "rules:\n"
           "  - {host: top1, keep: 10d}\n"
           "  - {host: web1, keep: 500d}\n",
           by_level, N_OF(by_level));
    expect("profile: qcvn-12-2026\ninventory: inventory.csv\notherwise: 20d\n", any,
           N_OF(any));
}

static void what_cannot_be_meant_is_refused(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"profile: tcvn-14423-2026\n", "`inventory` is missing"},
        {"rules: [{level: 3, keep: 1d}]\n", "`inventory` is missing"},
        {"rules: [{keep: 1d}]\n", "rule 1 fits everything"},
        {"rules: [{host: a}]\n", "keep"},
        {"inventory: inventory.csv\nrules: [{system: dvx, keep: 1d}]\n",
         "no system \"dvx\""},
        {"inventory: none.csv\n", "none.csv"},
        {"profile: best\n", "profile"},
        {"otherwise: long\n", "otherwise"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct hd_retain *r = NULL;
        assert_true(load(bad[i][0], &r) != HD_OK);
        if (strstr(said.text, bad[i][1]) == NULL) {
            fail_msg("%s: %s", bad[i][0], said.text);
        }
    }
}

static void what_cannot_be_read_is_kept_for_the_longest(void **state)
{
    (void)state;
    struct hd_retain *r =
        loaded("otherwise: 10d\nrules: [{host: a, keep: 50d}, {host: b, keep: 5d}]\n");
    struct hd_retain_verdict verdict;
    struct hd_batch_reader *batch = NULL;
    struct hd_journal_entry entry = {.time_max = NOW, .payload = HD_SLICE("no batch")};
    assert_int_equal(hd_batch_reader_new(&batch), HD_OK);
    hd_retain_entry(r, batch, &entry, &verdict);
    assert_true(verdict.until_ns == NOW + 50 * DAY);
    hd_batch_reader_free(batch);
    hd_retain_free(r);
}

static void the_sample_is_good(void **state)
{
    (void)state;
    struct hd_retain *r = NULL;
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    assert_int_equal(
        hd_retain_load(hd_test_source("packaging/etc/retention.yml"), &r, &diags), HD_OK);
    expect_one(r, &(struct wanted){{"a", "web1", "/x", ""}, 730, "rule 3"});
    hd_retain_free(r);
}

/* ---- archives ---- */

static struct hd_journal *archive(const char *dir)
{
    const struct hd_journal_opts opts = {.dir = dir, .segment_bytes = 1000};
    struct hd_journal_recovery found;
    struct hd_journal *j = NULL;
    assert_int_equal(hd_journal_open(&opts, &j, &found), HD_OK);
    return j;
}

static void append(struct hd_journal *j, const char *host, int64_t taken_ns)
{
    const struct source source = {"a", host, "/x", ""};
    struct hd_journal_entry entry = entry_of(&source, 1, taken_ns);
    assert_int_equal(hd_journal_append(j, &entry), HD_OK);
    assert_int_equal(hd_journal_commit(j), HD_OK);
}

static uint64_t expired(const struct hd_retain *r, const char *dir, int64_t now_ns)
{
    uint64_t index = 99;
    assert_int_equal(hd_retain_expired(r, dir, now_ns, NULL, &index), HD_OK);
    return index;
}

static void an_archive_is_past_its_time_up_to_what_stays(void **state)
{
    (void)state;
    const char *dir = hd_test_tmpdir();
    struct hd_retain *r =
        loaded("otherwise: 10d\nrules: [{host: precious, keep: 100d}]\n");
    assert_true(expired(r, dir, NOW) == 0); /* nothing there */
    struct hd_journal *j = archive(dir);
    for (int i = 0; i < 5; i++) {
        append(j, "plain", NOW + i);
    }
    append(j, "precious", NOW + 5);
    append(j, "plain", NOW + 6);
    assert_true(expired(r, dir, NOW + 10 * DAY - 1) == 0);
    assert_true(expired(r, dir, NOW + 10 * DAY) == 2); /* the first is */
    assert_true(expired(r, dir, NOW + 50 * DAY) == 6);
    assert_true(expired(r, dir, NOW + 101 * DAY) == 8);
    atomic_bool stop = true;
    uint64_t index = 99;
    assert_int_equal(hd_retain_expired(r, dir, NOW + 101 * DAY, &stop, &index), HD_OK);
    assert_true(index == 0);
    hd_journal_close(j);
    hd_retain_free(r);
}

/* Nobody knows whose it was, so it goes when the longest is over. */
static void damage_is_kept_for_the_longest(void **state)
{
    (void)state;
    char path[512];
    const char *dir = hd_test_tmpdir();
    struct hd_retain *r =
        loaded("otherwise: 10d\nrules: [{host: precious, keep: 100d}]\n");
    struct hd_journal *j = archive(dir);
    for (int i = 0; i < 8; i++) {
        append(j, "plain", NOW);
    }
    hd_journal_close(j);
    (void)snprintf(path, sizeof(path), "%s/%020d.zst", dir, 1);
    struct hd_buf bytes;
    hd_buf_init(&bytes, 1 << 20);
    assert_int_equal(hd_fs_read(path, 1 << 20, &bytes), HD_OK);
    bytes.ptr[100] ^= 1; /* in the first entry */
    assert_int_equal(hd_fs_write_atomic(path, hd_buf_slice(&bytes), 0600), HD_OK);
    hd_buf_fini(&bytes);
    assert_true(expired(r, dir, NOW + 50 * DAY) == 0);
    assert_true(expired(r, dir, NOW + 100 * DAY) == 9);
    hd_retain_free(r);
}

static int fini(void **state)
{
    (void)state;
    hd_batch_builder_free(builder);
    hd_buf_fini(&meta);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_keeps_a_year_of_everything),
        cmocka_unit_test(the_first_rule_that_fits_decides),
        cmocka_unit_test(a_batch_is_kept_for_the_longest_in_it),
        cmocka_unit_test(a_profile_is_the_least_by_level),
        cmocka_unit_test(what_cannot_be_meant_is_refused),
        cmocka_unit_test(what_cannot_be_read_is_kept_for_the_longest),
        cmocka_unit_test(the_sample_is_good),
        cmocka_unit_test(an_archive_is_past_its_time_up_to_what_stays),
        cmocka_unit_test(damage_is_kept_for_the_longest),
    };
    hd_buf_init(&meta, 0);
    return cmocka_run_group_tests(tests, NULL, fini);
}
