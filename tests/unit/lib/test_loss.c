/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

#include <haidang/clock.h>
#include <haidang/loss.h>

static const struct hd_loss example = {.kind = HD_LOSS_GAP,
                                       .time_ns = INT64_C(1790000003) * HD_NS_PER_SEC,
                                       .first_ns = INT64_C(1790000001) * HD_NS_PER_SEC,
                                       .last_ns = INT64_C(1790000002) * HD_NS_PER_SEC,
                                       .count = 17,
                                       .bytes = 3400,
                                       .first_seq = 4711,
                                       .last_seq = 4727,
                                       .by = "correlator",
                                       .agent = "web1",
                                       .boot = "9f86d081884c7d659a2feaa0c55ad015",
                                       .source = "syslog-udp :514",
                                       .at = "web1/9f86d081884c7d659a2feaa0c55ad015/4711",
                                       .why = "dòng \"bị\" mất"};

static int decode(const char *text, struct hd_loss *out)
{
    return hd_loss_decode(hd_slice_str(text), out);
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    struct hd_loss got;
    struct hd_buf out;
    hd_buf_init(&out, 0);
    for (unsigned kind = 0; kind < HD_LOSS_KINDS; kind++) {
        struct hd_loss loss = example;
        loss.kind = (enum hd_loss_kind)kind;
        hd_buf_clear(&out);
        assert_int_equal(hd_loss_encode(&loss, &out), HD_OK);
        assert_int_equal(out.ptr[out.len - 1], '\n');
        assert_int_equal(hd_loss_decode(hd_buf_slice(&out), &got), HD_OK);
        assert_memory_equal(&got, &loss, sizeof(got));
        assert_int_equal(hd_loss_find(hd_slice_str(hd_loss_name(loss.kind))), kind);
    }
    hd_buf_fini(&out);
}

static void the_kind_says_why_when_the_record_does_not(void **state)
{
    (void)state;
    struct hd_loss got;
    struct hd_buf out;
    struct hd_loss loss = example;
    loss.why[0] = '\0';
    hd_buf_init(&out, 0);
    assert_int_equal(hd_loss_encode(&loss, &out), HD_OK);
    assert_int_equal(hd_loss_decode(hd_buf_slice(&out), &got), HD_OK);
    assert_string_equal(got.why, hd_loss_why(HD_LOSS_GAP));
    hd_buf_fini(&out);
}

#define TIMES                                                                            \
    "\"time\":\"2026-11-21T09:20:39Z\",\"first\":\"2026-11-21T09:20:39Z\","              \
    "\"last\":\"2026-11-21T09:20:39Z\""

static void a_newer_kind_is_kept_and_a_newer_version_refused(void **state)
{
    (void)state;
    struct hd_loss got;
    assert_int_equal(
        decode("{\"v\":1,\"kind\":\"new\",\"count\":3,\"more\":[]," TIMES "}", &got),
        HD_OK);
    assert_int_equal(got.kind, HD_LOSS_OTHER);
    assert_int_equal(got.count, 3);
    assert_int_equal(decode("{\"v\":2,\"kind\":\"other\",\"count\":3," TIMES "}", &got),
                     HD_EVERSION);
}

static void what_is_no_loss_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "[]",
        "{\"v\":1," TIMES "}",
        "{\"v\":1,\"kind\":7," TIMES "}",
        "{\"v\":1,\"kind\":\"other\",\"count\":-1," TIMES "}",
        "{\"v\":1,\"kind\":\"other\",\"count\":\"1\"," TIMES "}",
        "{\"v\":1,\"kind\":\"other\",\"count\":1}",
        "{\"v\":1,\"kind\":\"other\",\"count\":1,\"time\":\"2026-02-30T00:00:00Z\"}"};
    struct hd_loss got;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (decode(bad[i], &got) != HD_EPARSE) {
            fail_msg("taken: %s", bad[i]);
        }
    }
}

static void long_texts_are_cut(void **state)
{
    (void)state;
    struct hd_loss loss = {0};
    char text[2000];
    memset(text, 'x', sizeof(text));
    HD_LOSS_SET(loss.agent, hd_slice(text, sizeof(text)));
    assert_int_equal(strlen(loss.agent), sizeof(loss.agent) - 1);
    HD_LOSS_SET(loss.agent, HD_SLICE_EMPTY);
    assert_string_equal(loss.agent, "");
}

static struct hd_loss dropped(const char *source, uint64_t count, int64_t second)
{
    struct hd_loss loss = {.kind = HD_LOSS_KERNEL_DROPS,
                           .count = count,
                           .first_ns = second * HD_NS_PER_SEC,
                           .last_ns = second * HD_NS_PER_SEC};
    HD_LOSS_SET(loss.source, hd_slice_str(source));
    return loss;
}

static void a_tally_has_one_row_a_kind_and_source(void **state)
{
    (void)state;
    struct hd_loss_tally *tally;
    assert_int_equal(hd_loss_tally_new(&tally), HD_OK);
    assert_null(hd_loss_tally_first(tally));
    struct hd_loss a = dropped("a", 3, 10), b = dropped("b", 1, 11),
                   more = dropped("a", 4, 12);
    hd_loss_tally_add(tally, &a);
    hd_loss_tally_add(tally, &b);
    hd_loss_tally_add(tally, &more);
    const struct hd_loss *first = hd_loss_tally_first(tally);
    assert_string_equal(first->source, "a");
    assert_int_equal(first->count, 7);
    assert_int_equal(first->first_ns, 10 * HD_NS_PER_SEC);
    assert_int_equal(first->last_ns, 12 * HD_NS_PER_SEC);
    hd_loss_tally_drop_first(tally);
    assert_string_equal(hd_loss_tally_first(tally)->source, "b");
    hd_loss_tally_drop_first(tally);
    assert_null(hd_loss_tally_first(tally));
    hd_loss_tally_free(tally);
}

static void a_full_tally_loses_no_count(void **state)
{
    (void)state;
    struct hd_loss_tally *tally;
    uint64_t sum = 0;
    bool has_others = false;
    assert_int_equal(hd_loss_tally_new(&tally), HD_OK);
    for (unsigned i = 0; i < 1000; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "source %u", i);
        struct hd_loss loss = dropped(name, i, 10);
        hd_loss_tally_add(tally, &loss);
    }
    for (const struct hd_loss *at; (at = hd_loss_tally_first(tally)) != NULL;) {
        sum += at->count;
        has_others = has_others || strcmp(at->source, "others") == 0;
        hd_loss_tally_drop_first(tally);
    }
    assert_int_equal(sum, 999 * 1000 / 2);
    assert_true(has_others);
    hd_loss_tally_free(tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(the_kind_says_why_when_the_record_does_not),
        cmocka_unit_test(a_newer_kind_is_kept_and_a_newer_version_refused),
        cmocka_unit_test(what_is_no_loss_is_refused),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(a_tally_has_one_row_a_kind_and_source),
        cmocka_unit_test(a_full_tally_loses_no_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
