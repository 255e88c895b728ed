/* SPDX-License-Identifier: Apache-2.0
 *
 * Filters: joined with "and" as they are written, to the rules they name or to all of a
 * log source; what they hold back is counted; what looks wrong is said.
 */
#include "tests/unit/rules/kit.h"

#include <stdio.h>
#include <string.h>

#include "rules/filter.h"

#define LOGON                                                                            \
    "title: logon\nid: id-logon\nname: logon\nlogsource: {product: p, category: c}\n"    \
    "detection: {s: {F: x}, condition: s}\n---\n"
#define OTHER                                                                            \
    "title: other\nid: id-other\nlogsource: {product: p, category: d}\n"                 \
    "detection: {s: {F|contains: x}, condition: s}\n---\n"
#define FILTER "title: f\nlogsource: {product: p, category: c}\nfilter:\n"

static const char *match(struct kit *kit, const char *category, const char *user)
{
    kit_event(kit, "p", category, "");
    kit_set(kit, "F", "x");
    if (user != NULL) {
        kit_set(kit, "User", user);
    }
    return kit_match(kit);
}

static void load(struct kit *kit, const char *filter)
{
    char yaml[4096];
    (void)snprintf(yaml, sizeof(yaml), LOGON OTHER "%s", filter);
    kit_load(kit, yaml);
    assert_int_equal(kit->errors, 0);
    assert_int_equal(rul_set_count(kit->set), 2);
}

static uint64_t held_back_of(struct kit *kit)
{
    struct rul_match_stats stats;
    rul_scratch_stats(kit->scratch, &stats);
    return stats.held_back;
}

/* The sign is the writer's: the specification's example keeps only what it describes. */
static void test_sign(void **state)
{
    (void)state;
    struct kit kit;
    load(&kit, FILTER "  rules: [id-logon]\n  selection: {User|startswith: adm_}\n"
                      "  condition: not selection\n");
    assert_int_equal(kit.warnings, 0);
    assert_string_equal(match(&kit, "c", "adm_anna"), "");
    assert_string_equal(match(&kit, "c", "anna"), "logon");
    assert_string_equal(match(&kit, "c", NULL), "logon");
    kit_free(&kit);
    load(&kit, FILTER "  rules: [id-logon]\n  selection: {User|startswith: adm_}\n"
                      "  condition: selection\n");
    assert_int_equal(kit.warnings, 1);
    assert_string_equal(match(&kit, "c", "adm_anna"), "logon");
    assert_string_equal(match(&kit, "c", "anna"), "");
    kit_free(&kit);
    load(&kit, FILTER "  rules: logon\n  selection: {User|neq: root}\n"
                      "  condition: selection\n");
    assert_int_equal(kit.warnings, 0); /* it does exclude */
    assert_string_equal(match(&kit, "c", "root"), "");
    kit_free(&kit);
}

static void test_which_rules(void **state)
{
    (void)state;
    static const struct {
        const char *source, *rules;
        bool filters_logon, filters_other;
        unsigned warnings;
    } rows[] = {
        {"product: p", "any", true, true, 0},
        {"product: p", "All", true, true, 0},
        {"product: P, category: c", "any", true, false, 0},
        {"product: p", "[id-logon]", true, false, 0},
        {"product: p", "[logon, id-other]", true, true, 0},
        {"product: p", "[logon, id-logon]", true, false, 0}, /* joined once */
        {"product: p", "id-other", false, true, 0},
        {"product: p", "[id-logon, nobody]", true, false, 1},
        {"product: p", "nobody", false, false, 2}, /* and joined to no rule */
        {"product: p, category: c", "[id-other]", false, false, 2},
        {"product: q", "any", false, false, 1},
        {"product: p, category: c, service: s", "any", false, false, 1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char filter[1024];
        struct kit kit;
        (void)snprintf(filter, sizeof(filter),
                       "title: f\nlogsource: {%s}\nfilter: {rules: %s, s: {User: root}, "
                       "condition: not s}\n",
                       rows[i].source, rows[i].rules);
        load(&kit, filter);
        if (kit.warnings != rows[i].warnings ||
            (match(&kit, "c", "root")[0] == 0) != rows[i].filters_logon ||
            (match(&kit, "d", "root")[0] == 0) != rows[i].filters_other) {
            fail_msg("%s, rules: %s (%u warnings)", rows[i].source, rows[i].rules,
                     kit.warnings);
        }
        assert_int_equal(rul_set_filter(kit.set, 0)->n_rules,
                         rows[i].filters_logon + rows[i].filters_other);
        kit_free(&kit);
    }
}

/* Names of a filter's searches are its own, patterns over them, too. */
static void test_scope(void **state)
{
    (void)state;
    struct kit kit;
    load(&kit,
         FILTER "  rules: any\n  s: {User: root}\n  s_regex: {User|re: '^adm.+x$'}\n"
                "  word: [secret]\n  condition: not 1 of s* and not word\n");
    assert_string_equal(match(&kit, "c", "root"), "");
    assert_string_equal(match(&kit, "c", "admxxx"), "");
    assert_string_equal(match(&kit, "c", "anna"), "logon");
    kit_event(&kit, "p", "c", "");
    kit_set(&kit, "F", "x");
    kit.ev->raw = HD_SLICE("a secret line");
    assert_string_equal(kit_match(&kit), "");
    kit_free(&kit);
}

static unsigned n_rules;

static void note_rule(void *ctx, const struct rul_rule *rule, uint64_t hits)
{
    n_rules++;
    assert_string_equal(rule->title, "logon");
    assert_int_equal(hits, *(uint64_t *)ctx);
}

static void test_counts(void **state)
{
    (void)state;
    struct kit kit;
    uint64_t two = 2;
    load(&kit, FILTER "  rules: any\n  s: {User: [root, adm]}\n  condition: not s\n"
                      "---\ntitle: g\nid: id-g\nlogsource: {product: p}\nfilter: {rules: "
                      "any, s: {User: root}, condition: not s}\n");
    assert_int_equal(rul_set_filters(kit.set), 2);
    assert_string_equal(rul_set_filter(kit.set, 0)->title, "f");
    assert_string_equal(rul_set_filter(kit.set, 1)->id, "id-g");
    assert_null(rul_set_filter(kit.set, 2));
    (void)match(&kit, "c", "root"); /* both hold it back */
    (void)match(&kit, "c", "adm");
    (void)match(&kit, "c", "anna");
    assert_int_equal(held_back_of(&kit), 2);
    assert_int_equal(rul_set_held_back(kit.set, 0), 2);
    assert_int_equal(rul_set_held_back(kit.set, 1), 1);
    n_rules = 0;
    rul_set_each_held_back(kit.set, 0, note_rule, &two);
    assert_int_equal(n_rules, 1);
    (void)match(&kit, "d", "root");
    assert_int_equal(rul_set_held_back(kit.set, 1), 2);
    /* what does not match its rule is not held back */
    kit_event(&kit, "p", "c", "");
    kit_set(&kit, "User", "root");
    assert_string_equal(kit_match(&kit), "");
    assert_int_equal(held_back_of(&kit), 3);
    kit_free(&kit);
}

/* A filter changes what a rule means, so the rule's hash; a refused filter does not stop
 * the rules. */
static void test_hash_and_refusal(void **state)
{
    (void)state;
    struct kit kit;
    load(&kit, "");
    uint64_t plain = rul_set_rule(kit.set, 0)->hash;
    kit_free(&kit);
    load(&kit, FILTER "  rules: any\n  s: {User: root}\n  condition: not s\n");
    assert_true(rul_set_rule(kit.set, 0)->hash != plain);
    kit_free(&kit);
    kit_load(&kit,
             LOGON FILTER "  rules: any\n  s: {User|re: '('}\n  condition: not s\n");
    assert_int_equal(kit.errors, 1);
    assert_string_equal(match(&kit, "c", "root"), "logon");
    kit_free(&kit);
}

/* A filter does not go with a correlation. */
static void test_correlation(void **state)
{
    (void)state;
    struct kit kit;
    kit_load(&kit, LOGON
             "title: many\nname: many\ncorrelation: {type: event_count, rules: logon, "
             "timespan: 1m, condition: {gte: 2}}\n---\n" FILTER
             "  rules: [many]\n  s: {User: root}\n  condition: not s\n");
    assert_int_equal(kit.errors, 0);
    assert_int_equal(kit.warnings, 2); /* a correlation; joined to no rule */
    assert_int_equal(rul_set_filter(kit.set, 0)->n_rules, 0);
    kit_free(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sign),
        cmocka_unit_test(test_which_rules),
        cmocka_unit_test(test_scope),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_hash_and_refusal),
        cmocka_unit_test(test_correlation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
