/* SPDX-License-Identifier: Apache-2.0
 *
 * Arrays: a rule matches when one element does, under every modifier, and never across
 * two elements. Rules see the event as the decoder makes it.
 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>

#include <haidang/buf.h>
#include <haidang/fs.h>

#include "rules/set.h"

static const char decoder[] = "decoder: d\n"
                              "match: {json: {}}\n"
                              "logsource: {product: p}\n"
                              "map: {F: [Copy, \"Low:lower\"], Copy: Again}\n";

struct row {
    const char *selection;
    const char *line;
    bool hit;
};

#define LIST                                                                             \
    "{\"F\":[\"alpha\",\"Beta\",\"gamma "                                                \
    "x\"],\"N\":[1,20],\"I\":[\"192.0.2.7\",\"::1\"]}"

static const struct row rows[] = {
    {"F: beta", LIST, true},
    {"F: alpha", LIST, true},
    {"F: 'alpha, Beta'", LIST, false},
    {"F: 'alpha, Beta, gamma x'", LIST, false},
    {"F|contains: 'a, B'", LIST, false},
    {"F|contains: amm", LIST, true},
    {"F|startswith: bet", LIST, true},
    {"F|startswith: eta", LIST, false},
    {"F|endswith: eta", LIST, true},
    {"F|endswith: 'x'", LIST, true},
    {"F|endswith: alph", LIST, false},
    {"F|contains|all: [alph, gamm]", LIST, true},
    {"F|contains|all: [alph, delta]", LIST, false},
    {"F: 'al*ha'", LIST, true},
    {"F: 'al*beta'", LIST, false},
    {"F: 'b?ta'", LIST, true},
    {"F|re: '^Be.a$'", LIST, true},
    {"F|re: 'alpha.*Beta'", LIST, false},
    {"F|re: '^(?!alpha|gamma)'", LIST, true},
    {"F|re: '^(?!alpha|gamma|Beta)'", LIST, false},
    {"F|cased: Beta", LIST, true},
    {"F|cased: beta", LIST, false},
    {"F|contains|cased: 'Be'", LIST, true},
    {"F|exists: true", LIST, true},
    {"F: null", LIST, false},
    {"F: null", "{\"F\":[],\"N\":1}", true},
    {"F: null", "{\"F\":[null],\"N\":1}", true},
    {"F: ''", "{\"F\":[\"x\",\"\"]}", true},
    /* null is the absence of a value */
    {"F: null", "{\"F\":null,\"N\":1}", true},
    {"F|exists: true", "{\"F\":null,\"N\":1}", false},
    {"F|exists: true", "{\"F\":[null],\"N\":1}", false},
    {"F|exists: true", "{\"F\":\"\",\"N\":1}", true},
    {"F|exists: false", "{\"F\":null,\"N\":1}", true},
    {"F|exists: false", "{\"F\":\"null\",\"N\":1}", false},
    {"N|gt: 19", LIST, true},
    {"N|gt: 20", LIST, false},
    {"N|lt: 2", LIST, true},
    {"N: 20", LIST, true},
    {"I|cidr: 192.0.2.0/24", LIST, true},
    {"I|cidr: '::/64'", LIST, true},
    {"I|cidr: 198.51.100.0/24", LIST, false},
    {"F|fieldref: G", "{\"F\":[\"a\",\"b\"],\"G\":[\"c\",\"B\"]}", true},
    {"F|fieldref: G", "{\"F\":[\"a\",\"b\"],\"G\":\"a, b\"}", false},
    {"G|fieldref: F", "{\"F\":[\"a\",\"b\"],\"G\":\"b\"}", true},
    /* what the map copies has the same elements; filters see the first */
    {"Copy: Beta", LIST, true},
    {"Again: Beta", LIST, true},
    {"Again|startswith: eta", LIST, false},
    {"Low: alpha", LIST, true},
    {"Low: beta", LIST, false},
    /* arrays of objects and in arrays, escapes */
    {"O.k: b", "{\"O\":[{\"k\":\"a\",\"l\":1},{\"k\":\"b\",\"l\":2}]}", true},
    {"O.l: 2", "{\"O\":[{\"k\":\"a\",\"l\":1},{\"k\":\"b\",\"l\":2}]}", true},
    {"F: 'c:\\d'", "{\"F\":[\"a\",[\"b\",[\"c:\\\\d\"]]]}", true},
    /* a later member of the same name takes the place of all */
    {"F: a", "{\"F\":[\"a\",\"b\"],\"F\":\"c\"}", false},
    {"F: c", "{\"F\":[\"a\",\"b\"],\"F\":\"c\"}", true},
    /* an element that is none is no list */
    {"F: a", "{\"F\":[\"a\"]}", true},
    {"F: 'a, b'", "{\"F\":[\"a, b\"]}", true},
};

static void on_hit(void *ctx, const struct rul_rule *rule, const struct rul_event *ev)
{
    bool *hit = ctx;
    (void)rule;
    (void)ev;
    *hit = true;
}

struct fixture {
    struct rul_set *set;
    struct rul_scratch *scratch;
    struct rul_decode_scratch *decode;
    struct rul_event *ev;
};

static void open_fixture(struct fixture *fx, const char *selection)
{
    char path[512], rule[1024];
    static const char *dir;
    dir = dir == NULL ? hd_test_tmpdir() : dir;
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    (void)snprintf(path, sizeof(path), "%s/d.yml", dir);
    assert_int_equal(hd_fs_write_atomic(path, hd_slice_str(decoder), 0644), 0);
    (void)snprintf(path, sizeof(path), "%s/rule", dir);
    (void)snprintf(rule, sizeof(rule),
                   "title: t\nlogsource: {product: p}\ndetection:\n  s:\n    %s\n"
                   "  condition: s\n",
                   selection);
    assert_int_equal(hd_fs_write_atomic(path, hd_slice_str(rule), 0644), 0);
    const char *const rules[] = {path};
    const struct rul_set_opts opts = {.decoders_dir = dir, .rules = rules, .n_rules = 1};
    assert_int_equal(rul_set_load(&opts, &fx->set, &diags), 0);
    assert_int_equal(rul_scratch_new(fx->set, &fx->scratch), 0);
    assert_int_equal(rul_decode_scratch_new(&fx->decode), 0);
    fx->ev = calloc(1, sizeof(*fx->ev));
    assert_non_null(fx->ev);
}

static void close_fixture(struct fixture *fx)
{
    free(fx->ev);
    rul_decode_scratch_free(fx->decode);
    rul_scratch_free(fx->scratch);
    rul_set_unref(fx->set);
}

static bool hits(struct fixture *fx, struct hd_slice line)
{
    bool hit = false;
    const struct rul_record record = {.line = line};
    rul_decode(rul_set_decoders(fx->set), fx->decode, &record, fx->ev);
    rul_match(fx->set, fx->scratch, fx->ev, on_hit, &hit);
    return hit;
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture fx;
        open_fixture(&fx, rows[i].selection);
        if (hits(&fx, hd_slice_str(rows[i].line)) != rows[i].hit) {
            fail_msg("%s: %s", rows[i].selection, rows[i].line);
        }
        close_fixture(&fx);
    }
}

/* Elements beyond the limit are counted, those within it still match. */
static void test_limit(void **state)
{
    (void)state;
    struct fixture fx;
    struct hd_buf line;
    hd_buf_init(&line, 0);
    open_fixture(&fx, "F: [first, last]");
    for (unsigned n = RUL_ITEMS_MAX; n <= RUL_ITEMS_MAX + 3; n += 3) {
        for (unsigned wanted = 0; wanted < 2; wanted++) {
            hd_buf_clear(&line);
            hd_buf_str(&line, wanted == 0 ? "{\"F\":[\"first\"" : "{\"F\":[\"x\"");
            for (unsigned i = 2; i < n; i++) {
                hd_buf_str(&line, ",\"x\"");
            }
            hd_buf_str(&line, ",\"last\"]}");
            bool fits = n == RUL_ITEMS_MAX;
            assert_int_equal(hits(&fx, hd_buf_slice(&line)), fits || wanted == 0);
            assert_int_equal(fx.ev->lost, n - RUL_ITEMS_MAX);
        }
    }
    hd_buf_fini(&line);
    close_fixture(&fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
