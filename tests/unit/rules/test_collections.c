/* SPDX-License-Identifier: Apache-2.0
 *
 * Files of several documents: collections (`action`), and which rules of a set are
 * wanted.
 */
#include "tests/unit/rules/kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOURCE "logsource: {product: p}\n"
#define BODY   "detection: {s: {F: x}, condition: s}\n"

static const char *hits(struct kit *kit, const char *field, const char *value)
{
    kit_event(kit, "p", "", "");
    kit_set(kit, field, value);
    return kit_match(kit);
}

/* ---- action ---- */

static void test_global(void **state)
{
    (void)state;
    struct kit kit;
    kit_load(&kit, "action: global\nlevel: high\nauthor: someone\n" SOURCE
                   "detection: {s: {F: x}}\n---\n"
                   "title: one\nlevel: low\ndetection: {condition: s}\n---\n"
                   "title: two\ndetection: {s: {G: y}, condition: s}\n---\n"
                   "action: reset\n---\n"
                   "title: three\n" SOURCE "detection: {s: {F: z}, condition: s}\n");
    assert_int_equal(kit.errors, 0);
    assert_int_equal(rul_set_count(kit.set), 3);
    const struct rul_rule *one = rul_set_rule(kit.set, 0);
    assert_string_equal(one->level, "high"); /* what is global wins */
    assert_string_equal(one->author, "someone");
    assert_int_equal(one->line, 7);
    assert_string_equal(rul_set_rule(kit.set, 2)->level, "medium");
    assert_string_equal(hits(&kit, "F", "x"), "one");
    assert_string_equal(hits(&kit, "F", "z"), "three");
    kit_event(&kit, "p", "", ""); /* maps were put together: F and G */
    kit_set(&kit, "F", "x");
    kit_set(&kit, "G", "y");
    assert_string_equal(kit_match(&kit), "one two");
    kit_free(&kit);
}

static void test_repeat(void **state)
{
    (void)state;
    struct kit kit;
    kit_load(&kit, "title: one\nlevel: low\n" SOURCE
                   "detection: {s: {F: x}, condition: s}\n---\n"
                   "action: repeat\ntitle: two\ndetection: {s: {F: y}}\n---\n"
                   "action: repeat\ntitle: three\ndetection: {condition: not s}\n");
    assert_int_equal(kit.errors, 0);
    assert_int_equal(rul_set_count(kit.set), 3);
    assert_string_equal(rul_set_rule(kit.set, 2)->level, "low");
    assert_string_equal(hits(&kit, "F", "x"), "one three");
    assert_string_equal(hits(&kit, "F", "y"), "two");
    kit_free(&kit);
}

static void test_positions(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *message;
    } rows[] = {
        {"action: repeat\ntitle: x\n", ":1:9: error: there is no rule before"},
        {"action: glob\ntitle: x\n", ":1:9: error: 'action' must be"},
        {"action: [a]\n", ":1:9: error: 'action' must be"},
        /* mistakes are told where they are written */
        {"action: global\n" SOURCE "level: worst\n---\ntitle: x\n" BODY,
         ":3:8: error: 'level'"},
        {"action: global\n" SOURCE "---\n" BODY, ":4:1: error: 'title' is missing"},
        {"action: global\n" SOURCE "---\ntitle: x\ndetection: {s: {F|bad: x}, "
         "condition: s}\n",
         ":5:17: error: unknown modifier"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kit kit;
        kit_load(&kit, rows[i].yaml);
        assert_int_equal(rul_set_count(kit.set), 0);
        if (strstr(kit.first.text, rows[i].message) == NULL) {
            fail_msg("%s: '%s', not '%s'", rows[i].yaml, kit.first.text, rows[i].message);
        }
        kit_free(&kit);
    }
}

/* A collection ends with its file. */
static void test_scope(void **state)
{
    (void)state;
    struct kit kit;
    char path[4096];
    const char *dir = hd_test_tmpdir();
    static const char *const files[] = {"action: global\n" SOURCE "---\ntitle: a\n" BODY,
                                        "title: b\n" BODY};
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof(path), "%s/%zu.yml", dir, i);
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        (void)fputs(files[i], file);
        assert_int_equal(fclose(file), 0);
    }
    kit_load_path(&kit, dir, false);
    assert_int_equal(rul_set_count(kit.set), 1);
    assert_non_null(strstr(kit.first.text, "1.yml:1:1: error: 'logsource'"));
    kit_free(&kit);
}

/* Many documents that repeat a large one: bounded like the nodes of a file. */
static void test_bomb(void **state)
{
    (void)state;
    struct hd_buf yaml;
    struct kit kit;
    hd_buf_init(&yaml, 0);
    hd_buf_str(&yaml, "title: good\n" SOURCE BODY "---\naction: global\nlist:\n");
    for (unsigned i = 0; i < 1500; i++) {
        hd_buf_printf(&yaml, "  k%u: {a: 1}\n", i);
    }
    for (unsigned i = 0; i < 2000; i++) {
        hd_buf_printf(&yaml, "---\nlist: {k%u: {b: 2}}\n", i % 1500);
    }
    hd_buf_byte(&yaml, 0);
    assert_int_equal(yaml.err, 0);
    kit_load(&kit, (const char *)yaml.ptr);
    assert_int_equal(rul_set_count(kit.set), 1);
    assert_true(kit.errors > 1000);
    assert_string_equal(hits(&kit, "F", "x"), "good");
    hd_buf_fini(&yaml);
    kit_free(&kit);
}

/* ---- selection ---- */

#define RULE(name, level, status)                                                        \
    "title: " name "\nname: " name "\nlevel: " level "\nstatus: " status                 \
    "\n" SOURCE BODY "---\n"
#define SET                                                                              \
    RULE("info", "informational", "stable")                                              \
    RULE("low", "low", "test")                                                           \
    RULE("high", "high", "experimental")                                                 \
    RULE("critical", "critical", "deprecated")                                           \
    "title: bare\nname: bare\n" SOURCE BODY "---\n"                                      \
    "title: many\nname: many\nlevel: high\ncorrelation: {type: event_count, rules: "     \
    "low, "                                                                              \
    "timespan: 1m, condition: {gte: 3}}\n"

static const char *names_of(struct kit *kit)
{
    static char names[256];
    names[0] = 0;
    for (size_t i = 0; i < rul_set_count(kit->set); i++) {
        size_t len = strlen(names);
        (void)snprintf(names + len, sizeof(names) - len, "%s%s", len ? " " : "",
                       rul_set_rule(kit->set, i)->title);
    }
    return names;
}

static void check_selection(const char *level, const char *status, const char *names,
                            size_t left_out)
{
    struct kit kit;
    const struct rul_set_opts opts = {
        .min_level = level, .statuses = &status, .n_statuses = status != NULL};
    kit_load_with(&kit, SET, &opts);
    assert_int_equal(kit.errors, 0);
    assert_string_equal(names_of(&kit), names);
    assert_int_equal(rul_set_left_out(kit.set), left_out);
    kit_free(&kit);
}

static void test_selection(void **state)
{
    (void)state;
    check_selection(NULL, NULL, "info low high critical bare many", 0);
    check_selection("informational", NULL, "info low high critical bare many", 0);
    /* without a level it is medium; what a correlation counts stays */
    check_selection("medium", NULL, "low high critical bare many", 1);
    check_selection("critical", NULL, "critical", 5);
    check_selection(NULL, "stable", "info low bare many", 2);
    check_selection("high", "experimental", "low high many", 3);
}

/* A rule that is only there for a correlation raises no alert, `generate` or not. */
static void test_needed(void **state)
{
    (void)state;
    struct kit kit;
    const struct rul_set_opts opts = {.min_level = "high"};
    kit_load_with(
        &kit,
        RULE("low", "low", "test") RULE(
            "high", "high",
            "test") "title: c\nname: c\nlevel: high\ncorrelation: {type: event_count, "
                    "rules: "
                    "[low, high], timespan: 1m, condition: {gte: 3}, generate: true}\n",
        &opts);
    assert_int_equal(kit.errors, 0);
    assert_string_equal(names_of(&kit), "low high c");
    assert_true(rul_set_rule(kit.set, 0)->feeds && !rul_set_rule(kit.set, 0)->alerts);
    assert_true(rul_set_rule(kit.set, 1)->feeds && rul_set_rule(kit.set, 1)->alerts);
    kit_free(&kit);
}

static void test_bad_selection(void **state)
{
    (void)state;
    struct kit kit;
    const struct rul_set_opts level = {.min_level = "hihg"};
    kit_load_with(&kit, SET, &level);
    assert_int_equal(kit.err, HD_EINVAL);
    assert_non_null(strstr(kit.first.text, "'hihg' is no level of rules; did you mean"));
    const char *word = "tested";
    const struct rul_set_opts status = {.statuses = &word, .n_statuses = 1};
    kit_load_with(&kit, SET, &status);
    assert_int_equal(kit.err, HD_EINVAL);
    assert_non_null(strstr(kit.first.text, "'tested' is no status of rules"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_global),    cmocka_unit_test(test_repeat),
        cmocka_unit_test(test_positions), cmocka_unit_test(test_scope),
        cmocka_unit_test(test_bomb),      cmocka_unit_test(test_selection),
        cmocka_unit_test(test_needed),    cmocka_unit_test(test_bad_selection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
