/* SPDX-License-Identifier: Apache-2.0
 *
 * Every allocation of the durable path fails once: it is said, nothing leaks, nothing is
 * half done.
 */
#include "tests/unit/lib/journal_helper.h"

#include <stdlib.h>
#include <string.h>

#include <haidang/alert.h>
#include <haidang/batch.h>
#include <haidang/wire.h>

#include "tests/support/alloc.h"

#define BOOT "0123456789abcdef0123456789abcdef"

static void assert_ok_or_nomem(int err)
{
    assert_true(err == HD_OK || err == HD_ENOMEM);
}

/* jansson drops bytes of a token in silence when its buffer cannot grow; the checks of
 * what it read then say `otherwise`. */
static void assert_said(int err, int otherwise)
{
    assert_true(err == HD_OK || err == HD_ENOMEM || err == otherwise);
}

static int build_batch(struct hd_batch_builder *b, struct hd_slice *frame)
{
    const struct hd_batch_source source = {
        .host = HD_SLICE("h"), .kind = HD_SLICE("file"), .name = HD_SLICE("/x")};
    struct hd_batch_info info;
    uint16_t index = 0;
    int err = hd_batch_builder_source(b, &source, &index);
    if (err == HD_OK) {
        err = hd_batch_builder_add(b, index, 1, 0, HD_SLICE("line"));
    }
    return err == HD_OK ? hd_batch_builder_close(b, 1, frame, &info) : err;
}

static void test_batch(void **state)
{
    (void)state;
    HD_TEST_ALLOC_EACH(n)
    {
        struct hd_batch_builder *b = NULL;
        struct hd_batch_reader *r = NULL;
        struct hd_slice frame = HD_SLICE_EMPTY;
        struct hd_batch_info info;
        struct hd_batch_record record;
        int err = hd_batch_builder_new("a", BOOT, 0, 1, &b);
        err = err == HD_OK ? build_batch(b, &frame) : err;
        err = err == HD_OK ? hd_batch_reader_new(&r) : err;
        if (err == HD_OK) {
            err = hd_batch_reader_open(r, frame, &info);
        }
        hd_test_alloc_stop();
        if (err == HD_OK) {
            assert_int_equal(hd_batch_reader_next(r, &record), 1);
        }
        assert_said(err, HD_ECORRUPT);
        hd_batch_reader_free(r);
        hd_batch_builder_free(b);
    }
}

static int append_one(const char *dir, struct hd_journal_entry *entry)
{
    struct hd_journal_opts opts = {.dir = dir};
    struct hd_journal_recovery recovery;
    struct hd_journal *j = NULL;
    int err = hd_journal_open(&opts, &j, &recovery);
    if (err != HD_OK) {
        return err;
    }
    err = hd_journal_append(j, entry);
    if (err == HD_OK) {
        err = hd_journal_commit(j);
    }
    hd_journal_close(j);
    return err;
}

static void test_journal(void **state)
{
    (void)state;
    HD_TEST_ALLOC_EACH(n)
    {
        hd_test_alloc_stop();
        const char *dir = hd_test_tmpdir();
        struct hd_journal_entry entry = hd_test_entry(1);
        hd_test_alloc_fail_at(n);
        int err = append_one(dir, &entry);
        struct hd_journal_reader *r = NULL;
        struct hd_journal_entry got;
        int read_err = err == HD_OK ? hd_journal_reader_open(dir, "a", &r) : HD_ENOMEM;
        if (read_err == HD_OK) {
            read_err = hd_journal_reader_next(r, &got);
        }
        hd_test_alloc_stop();
        assert_ok_or_nomem(err);
        assert_ok_or_nomem(read_err);
        hd_journal_reader_close(r);
        /* whatever failed, the journal is usable: the entry is there or can be had */
        if (err != HD_OK) {
            entry = hd_test_entry(1);
            assert_int_equal(append_one(dir, &entry), HD_OK);
        }
        r = hd_test_reader(dir, NULL);
        hd_test_read(r, 1, 1);
        hd_journal_reader_close(r);
    }
}

static void test_alert(void **state)
{
    (void)state;
    const struct hd_slice text = HD_SLICE(
        "{\"version\":1,\"id\":\"5b1f3c7e-0a1b-8c2d-9e3f-001122334455\",\"status\":"
        "\"new\","
        "\"time\":{\"first\":\"2026-11-21T07:50:37Z\",\"last\":\"2026-11-21T07:50:37Z\","
        "\"published\":\"2026-11-21T07:50:37Z\"},\"count\":1,\"rule\":{\"id\":\"r\","
        "\"title\":\"t\",\"level\":\"low\",\"type\":\"detection\"},\"severity\":1,"
        "\"evidence\":[],\"delivery\":\"province\"}");
    HD_TEST_ALLOC_EACH(n)
    {
        json_t *alert = NULL;
        struct hd_buf out;
        char why[256];
        char id[37];
        hd_buf_init(&out, 0);
        int err = hd_alert_parse(text, &alert, why);
        err = err == HD_OK ? hd_alert_format(alert, &out) : err;
        int id_err = hd_alert_id(text, text, text, id);
        hd_test_alloc_stop();
        assert_said(err, HD_EPARSE);
        assert_true(id_err == HD_OK || id_err == HD_ENOMEM);
        if (err == HD_OK) {
            assert_true(hd_slice_eq(hd_buf_slice(&out), text));
        }
        json_decref(alert);
        hd_buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch),
        cmocka_unit_test(test_journal),
        cmocka_unit_test(test_alert),
    };
    hd_test_in_memory();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
