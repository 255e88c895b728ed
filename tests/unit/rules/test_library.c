/* SPDX-License-Identifier: Apache-2.0
 *
 * The shipped rules: they load without a complaint, their examples hold, and they say all
 * that an alert must carry.
 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>

#include <haidang/utf8.h>

#include "rules/set.h"

#define RULES_MIN 40U

static struct rul_set *load(struct hd_diags *diags)
{
    static char decoders[4096], library[4096];
    struct rul_set *set = NULL;
    (void)snprintf(decoders, sizeof(decoders), "%s", hd_test_source("rules/decoders"));
    (void)snprintf(library, sizeof(library), "%s", hd_test_source("rules/library"));
    const char *rules[] = {library};
    struct rul_set_opts opts = {.decoders_dir = decoders, .rules = rules, .n_rules = 1};
    assert_int_equal(rul_set_load(&opts, &set, diags), 0);
    assert_int_equal(diags->errors + diags->warnings, 0);
    return set;
}

static void test_examples(void **state)
{
    (void)state;
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    struct rul_set *set = load(&diags);
    unsigned examples = 0;
    assert_int_equal(rul_set_test(set, &diags, &examples), 0);
    assert_in_range(examples, 2U * RULES_MIN, 100000);
    print_message("%zu rules, %u examples\n", rul_set_count(set), examples);
    rul_set_unref(set);
}

/* An event that two of the rules match is one event, in examples as well. */
static void test_example_of_two_rules(void **state)
{
    (void)state;
    static const char text[] =
        "title: a\nname: a\nlogsource: {service: sshd}\n"
        "detection: {s: {message|contains: Failed}, condition: s}\n---\n"
        "title: b\nname: b\nlogsource: {service: sshd}\n"
        "detection: {s: {message|contains: password}, condition: s}\n---\n"
        "title: c\ncorrelation: {type: event_count, rules: [a, b], timespan: 1m, "
        "condition: {gte: 2}}\n"
        "haidang:\n  examples:\n"
        "    match: [{line: &l 'Nov 21 07:50:37 web1 sshd[1]: Failed password for an "
        "from "
        "192.0.2.7 port 4000 ssh2', repeat: 2}]\n"
        "    no_match: [{line: *l}]\n";
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    struct rul_set *set = NULL;
    char path[4096];
    unsigned examples = 0;
    (void)snprintf(path, sizeof(path), "%s/two.yml", hd_test_tmpdir());
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, sizeof(text) - 1, file), sizeof(text) - 1);
    assert_int_equal(fclose(file), 0);
    const char *rules = path;
    const struct rul_set_opts opts = {
        .decoders_dir = hd_test_source("rules/decoders"), .rules = &rules, .n_rules = 1};
    assert_int_equal(rul_set_load(&opts, &set, &diags), 0);
    assert_int_equal(rul_set_test(set, &diags, &examples), 0);
    assert_int_equal(examples, 2);
    rul_set_unref(set);
}

static bool has_diacritics(const char *text)
{
    return !hd_utf8_is_ascii(hd_slice_str(text)) && hd_utf8_is_valid(hd_slice_str(text));
}

/* A rule that raises alerts says who wrote it, what it means in both languages, and which
 * technique it sees. */
static void test_texts(void **state)
{
    (void)state;
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    struct rul_set *set = load(&diags);
    unsigned alerting = 0;
    for (size_t i = 0; i < rul_set_count(set); i++) {
        const struct rul_rule *rule = rul_set_rule(set, i);
        bool has_attack_tag = false;
        for (size_t k = 0; k < rule->n_tags; k++) {
            has_attack_tag |=
                hd_slice_starts(hd_slice_str(rule->tags[k]), HD_SLICE("attack.t"));
        }
        if (strlen(rule->id) != 36 || rule->id[14] != '4' || !has_attack_tag ||
            !has_diacritics(rule->title_vi) || !has_diacritics(rule->description_vi) ||
            strlen(rule->description) == 0 || strlen(rule->author) == 0 ||
            strcmp(rule->license, "Apache-2.0") != 0 ||
            hd_utf8_width(hd_slice_str(rule->title_vi)) > 70) {
            fail_msg("%s:%u: %s lacks something", rule->file, rule->line, rule->title);
        }
        alerting += rule->alerts ? 1 : 0;
    }
    assert_in_range(alerting, RULES_MIN, 100000);
    rul_set_unref(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_example_of_two_rules),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
