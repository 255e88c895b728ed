/* SPDX-License-Identifier: Apache-2.0
 *
 * Which patterns are sought in whole batches and what is found there; wildcards. That
 * what is found is right is for test_search.py to show.
 */
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

#include "console/search_pattern.h"
#include "console/search_where.h"

static struct con_pattern *pattern(const char *text, bool is_caseless)
{
    struct con_pattern *p = NULL;
    struct con_pattern_problem problem;
    const struct con_pattern_opts opts = {.text = hd_slice_str(text),
                                          .is_caseless = is_caseless};
    assert_int_equal(con_pattern_new(&opts, &p, &problem), HD_OK);
    return p;
}

static void what_people_look_for_is_sought_at_once(void **state)
{
    static const char *const fast[] = {
        "Failed password", "^Failed",         "ssh2$",     "a.*b",   "[0-9]+ failed",
        "(root|admin)",    "\\bđăng nhập\\b", "c.t",       "\\w+ x", "user=[^ ]+",
        "(?<=for )root",   "(\\w)\\1",        "(?i)hello", "^$",     "^",
    };
    static const char *const slow[] = {"",      "x*", "(?x) a", "\\Qa\\E",
                                       "a\\Kb", "$",  "\\xe9",  "\\p{L}"};
    (void)state;
    for (size_t i = 0; i < sizeof(fast) / sizeof(fast[0]); i++) {
        struct con_pattern *p = pattern(fast[i], false);
        if (!con_pattern_is_fast(p)) {
            fail_msg("slow: %s", fast[i]);
        }
        con_pattern_free(p);
    }
    for (size_t i = 0; i < sizeof(slow) / sizeof(slow[0]); i++) {
        struct con_pattern *p = pattern(slow[i], false);
        if (con_pattern_is_fast(p)) {
            fail_msg("fast: %s", slow[i]);
        }
        con_pattern_free(p);
    }
}

static size_t seek(const char *text, bool is_caseless, struct hd_slice records)
{
    struct con_pattern *p = pattern(text, is_caseless);
    struct con_pattern_scratch *s = NULL;
    const size_t *at = NULL;
    size_t n = 0;
    assert_int_equal(con_pattern_scratch_new(p, &s), HD_OK);
    int err = con_pattern_seek(p, s, records, &at, &n);
    for (size_t i = 1; i < n && err == HD_OK; i++) {
        assert_true(at[i - 1] < at[i]);
        assert_non_null(memchr(records.ptr + at[i - 1], '\n', at[i] - at[i - 1]));
    }
    con_pattern_scratch_free(s);
    con_pattern_free(p);
    return err == HD_OK ? n : HD_NPOS;
}

static void one_place_a_line_is_found(void **state)
{
    (void)state;
    struct hd_slice records = HD_SLICE("1790000000.000000 0 abab ab\n"
                                       "1790000000.000001 0 none\n"
                                       "1790000000.000002 1e a\\nescaped\n"
                                       "1790000000.000003 12t ABAB\n");
    assert_int_equal(seek("ab", false, records), 1);
    assert_int_equal(seek("ab", true, records), 2);
    assert_int_equal(seek("a.*b", false, records), 2); /* the escaped one, too */
    assert_int_equal(seek("^ab", true, records), 3);
    assert_int_equal(seek("zzz", false, records), 0);
    assert_int_equal(seek("Đ", true, records), 0);
    /* any character outside ASCII may be one of these, and be one of these with another
     * case; what is no character is none */
    struct hd_slice bytes = HD_SLICE("1790000000.000000 0 \xff\n"
                                     "1790000000.000000 0 \xc4\x91\n");
    assert_int_equal(seek("Đ", true, bytes), 1);
    assert_int_equal(seek("Đ", false, bytes), 0);
    assert_int_equal(seek("[ab]|\\W$", false, bytes), 2);
}

static void wildcards_hold_for_the_whole(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } row[] = {
        {"", "", true},          {"", "a", false},        {"*", "", true},
        {"?", "", false},        {"web?", "web1", true},  {"web?", "web12", false},
        {"w*1", "web11", true},  {"*b*b*", "abab", true}, {"a*b*c", "abbbc", true},
        {"a*b*c", "acb", false}, {"?n", "ôn", true},      {"**", "x", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        bool matches =
            con_wild_match(hd_slice_str(row[i].pattern), hd_slice_str(row[i].text));
        if (matches != row[i].matches) {
            fail_msg("'%s' and '%s': %d", row[i].pattern, row[i].text, matches);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_people_look_for_is_sought_at_once),
        cmocka_unit_test(one_place_a_line_is_found),
        cmocka_unit_test(wildcards_hold_for_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
