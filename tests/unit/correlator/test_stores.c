/* SPDX-License-Identifier: Apache-2.0
 *
 * How full the journals and their disks are, with disks that the test makes up.
 */
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

#include <haidang/clock.h>

#include "correlator/metrics.h"
#include "correlator/stores/stores.h"

#define GIB  (UINT64_C(1) << 30)
#define HOUR (3600 * HD_NS_PER_SEC)

static struct world {
    struct cor_stores stores;
    struct cor_times now;
    struct cor_disk disks[2]; /* of "/big", of all others */
    int disk_err;
    bool refuses;
    enum cor_notice_kind told[16];
    char what[16][160];
    size_t n;
    char problems[512];
} w;

static bool on_tell(void *ctx, const struct cor_notice_facts *f)
{
    (void)ctx;
    if (w.refuses) {
        return false;
    }
    assert_true(w.n < 16);
    assert_string_equal(f->measure_name, "used");
    assert_true(f->seq > 0);
    assert_true(hd_slice_eq(f->host, HD_SLICE("soc")));
    w.told[w.n] = f->kind;
    (void)snprintf(w.what[w.n], sizeof(w.what[w.n]), "%.*s: %.*s",
                   HD_SLICE_FMT(f->source_name), HD_SLICE_FMT(f->measure));
    w.n++;
    return true;
}

static int disk_of(const char *dir, struct cor_disk *out)
{
    *out = w.disks[strcmp(dir, "/big") == 0 ? 0 : 1];
    return w.disk_err;
}

static void begin(uint64_t archive_max, uint64_t reserve)
{
    w = (struct world){.now = {INT64_C(1790000000) * HD_NS_PER_SEC, 5 * HOUR},
                       .disks = {{1, 10 * GIB, 90 * GIB}, {2, 10 * GIB, 90 * GIB}}};
    const struct cor_stores_opts opts = {
        .warning = 80,
        .alarm = 90,
        .journals = {{"/big", archive_max, reserve}, {"/a", 0, 0}, {"/l", 0, 0}},
        .host = "soc",
        .tell = on_tell,
        .disk_of = disk_of};
    cor_stores_init(&w.stores, &opts);
}

static void look(uint64_t archive_bytes)
{
    const uint64_t bytes[COR_STORES] = {archive_bytes, 0, 0};
    w.now.wall_ns += HOUR;
    w.now.mono_ns += HOUR;
    cor_stores_look(&w.stores, bytes, &w.now);
}

static void note(void *ctx, const char *text)
{
    (void)ctx;
    size_t len = strlen(w.problems);
    (void)snprintf(w.problems + len, sizeof(w.problems) - len, "%s\n", text);
}

static const char *problems(void)
{
    w.problems[0] = '\0';
    cor_stores_problems(&w.stores, note, NULL);
    return w.problems;
}

static void a_journal_that_fills_up_is_told_once_a_threshold(void **state)
{
    (void)state;
    begin(100 * GIB, 0);
    look(0);
    look(79 * GIB);
    assert_string_equal(problems(), "");
    look(80 * GIB);
    look(82 * GIB);
    assert_int_equal(w.n, 1);
    assert_int_equal(w.told[0], COR_NOTICE_STORE_WARNING);
    assert_non_null(strstr(problems(), "archive is nearly full (warning): 82 % (82.0 of "
                                       "100.0 GiB), full in 0.7 hours"));
    look(95 * GIB);
    assert_int_equal(w.n, 2);
    assert_int_equal(w.told[1], COR_NOTICE_STORE_ALARM);
    assert_non_null(strstr(w.what[1], "archive: 95 % (95.0 of 100.0 GiB)"));
    assert_non_null(strstr(problems(), "(alarm)"));
    look(85 * GIB); /* back to a warning: that was told */
    look(92 * GIB); /* an alarm again */
    assert_int_equal(w.n, 3);
    assert_int_equal(w.told[2], COR_NOTICE_STORE_ALARM);
    look(10 * GIB);
    assert_int_equal(w.n, 4);
    assert_int_equal(w.told[3], COR_NOTICE_STORE_ROOM);
    assert_string_equal(problems(), "");
}

static void what_cannot_be_told_now_is_told_later(void **state)
{
    (void)state;
    begin(100 * GIB, 0);
    w.refuses = true;
    look(85 * GIB);
    look(95 * GIB);
    w.refuses = false;
    look(95 * GIB);
    assert_int_equal(w.n, 1);
    assert_int_equal(w.told[0], COR_NOTICE_STORE_ALARM);
}

static void a_disk_is_told_with_all_that_is_on_it(void **state)
{
    (void)state;
    begin(0, 0);
    look(0);
    w.disks[1] = (struct cor_disk){2, 85 * GIB, 15 * GIB};
    look(0);
    assert_int_equal(w.n, 1);
    assert_non_null(
        strstr(w.what[0], "disk of alerts, losses: 85 % (85.0 of 100.0 GiB)"));
    assert_true(COR_READ(COR_M_FULL_DISK) == 85);
    assert_true(COR_READ(COR_M_FULL_HOURS) == 1); /* 75 GiB in the last hour */
    w.disks[0] = (struct cor_disk){1, 100 * GIB, 0};
    look(0);
    assert_non_null(strstr(w.what[1], "disk of archive: 100 %"));
}

static void what_is_reserved_is_not_there(void **state)
{
    (void)state;
    begin(0, 20 * GIB);
    w.disks[0] = (struct cor_disk){1, 70 * GIB, 30 * GIB};
    look(0);
    assert_non_null(strstr(w.what[0], "disk of archive: 87 % (70.0 of 80.0 GiB)"));
    w.disks[0] = (struct cor_disk){1, 85 * GIB, 15 * GIB};
    look(0);
    assert_non_null(strstr(w.what[1], "100 % (85.0 of 85.0 GiB)"));
}

static void a_disk_that_cannot_be_asked_is_left_out(void **state)
{
    (void)state;
    begin(0, 0);
    look(0);
    w.disk_err = HD_EIO;
    w.disks[0] = (struct cor_disk){1, 100 * GIB, 0};
    look(0);
    assert_string_equal(problems(), "");
}

static void status_shows_every_store(void **state)
{
    (void)state;
    char text[1024];
    struct hd_buf out = hd_buf_fixed(text, sizeof(text));
    struct hd_json j = hd_json(&out);
    begin(100 * GIB, 0);
    look(10 * GIB);
    look(20 * GIB);
    hd_json_object(&j, NULL);
    cor_stores_json(&w.stores, &j);
    hd_json_end(&j, '}');
    assert_non_null(strstr(hd_buf_cstr(&out),
                           "{\"name\":\"archive\",\"used\":21474836480,\"limit\":"
                           "107374182400,\"percent\":20,\"state\":\"ok\",\"full_in_s\":"
                           "28800}"));
    assert_non_null(strstr(text, "\"name\":\"disk of archive\""));
    assert_non_null(strstr(text, "\"name\":\"disk of alerts, losses\""));
}

static void a_real_disk_can_be_asked(void **state)
{
    (void)state;
    struct cor_disk disk;
    assert_int_equal(cor_disk_of(hd_test_tmpdir(), &disk), HD_OK);
    assert_true(disk.used + disk.free_bytes > 0);
    assert_int_equal(cor_disk_of("/nowhere/at/all", &disk), HD_ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_journal_that_fills_up_is_told_once_a_threshold),
        cmocka_unit_test(what_cannot_be_told_now_is_told_later),
        cmocka_unit_test(a_disk_is_told_with_all_that_is_on_it),
        cmocka_unit_test(what_is_reserved_is_not_there),
        cmocka_unit_test(a_disk_that_cannot_be_asked_is_left_out),
        cmocka_unit_test(status_shows_every_store),
        cmocka_unit_test(a_real_disk_can_be_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
