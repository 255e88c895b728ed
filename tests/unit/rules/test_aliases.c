/* SPDX-License-Identifier: Apache-2.0
 *
 * Other names of log sources; and sets that are only read.
 */
#include "tests/unit/rules/kit.h"

#include <stdio.h>
#include <string.h>

#define RULE(name, source)                                                               \
    "title: " name "\nlogsource: {" source                                               \
    "}\ndetection: {s: {F: x}, condition: s}\n---\n"
#define RULES                                                                            \
    RULE("gate", "product: fortigate, service: traffic")                                 \
    RULE("wall", "category: firewall")                                                   \
    RULE("net", "category: network")                                                     \
    RULE("web", "product: apache")

static void load(struct kit *kit, const char *aliases)
{
    static char path[4096];
    (void)snprintf(path, sizeof(path), "%s/logsources.yml", hd_test_tmpdir());
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    (void)fputs(aliases, file);
    assert_int_equal(fclose(file), 0);
    const struct rul_set_opts opts = {.logsources = path};
    kit_load_with(kit, RULES, &opts);
    assert_int_equal(kit->err, 0);
}

static const char *hits(struct kit *kit)
{
    kit_event(kit, "fortigate", "", "traffic");
    kit_set(kit, "F", "x");
    return kit_match(kit);
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *aliases, *hits;
    } rows[] = {
        {"[]\n", "gate"},
        {"- {events: {product: fortigate}, also: {category: firewall}}\n", "gate wall"},
        {"- {events: {product: FortiGate}, also: [{category: firewall}, {category: "
         "network}]}\n",
         "gate wall net"},
        {"- {events: {product: fortigate, service: event}, also: {category: firewall}}\n",
         "gate"},
        /* in order, also of what was added */
        {"- {events: {product: fortigate}, also: {category: firewall}}\n"
         "- {events: {category: firewall}, also: {category: network}}\n",
         "gate wall net"},
        {"- {events: {category: firewall}, also: {category: network}}\n"
         "- {events: {product: fortigate}, also: {category: firewall}}\n",
         "gate wall"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kit kit;
        load(&kit, rows[i].aliases);
        assert_int_equal(kit.errors, 0);
        assert_string_equal(hits(&kit), rows[i].hits);
        kit_free(&kit);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *aliases, *message;
    } rows[] = {
        {"events: x\n", "logsources.yml:1:1: error: the file of log sources"},
        {"- x\n", ":1:3: error: an alias"},
        {"- {events: {product: a}}\n", ":1:3: error"},
        {"- {events: {}, also: {product: a}}\n", ":1:12: error: product, category or"},
        {"- {events: {product: a}, also: {vendor: a}}\n", ":1:33: error"},
        {"- {events: {product: [a]}, also: {product: a}}\n", ":1:22: error"},
        {"- {events: {product: a}, also: [a]}\n", ":1:33: error: a log source"},
        {"- {events: {product: a}, as: b}\n", ":1:26: error"},
        {"- [\n", ":2:1: error"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kit kit;
        load(&kit, rows[i].aliases);
        if (strstr(kit.first.text, rows[i].message) == NULL) {
            fail_msg("%s: '%s', not '%s'", rows[i].aliases, kit.first.text,
                     rows[i].message);
        }
        assert_string_equal(hits(&kit), "gate"); /* the rules are not stopped */
        kit_free(&kit);
    }
}

static void test_limits(void **state)
{
    (void)state;
    struct kit kit;
    char many[2048];
    int n = snprintf(many, sizeof(many), "- events: {product: fortigate}\n  also:\n");
    for (int i = 0; i < 20; i++) {
        n += snprintf(many + n, sizeof(many) - (size_t)n, "    - {product: p%d}\n", i);
    }
    load(&kit, many);
    assert_non_null(strstr(kit.first.text, "at most 16 log sources"));
    kit_free(&kit);
    const struct rul_set_opts opts = {.logsources = "/nonexistent/file"};
    kit_load_with(&kit, RULES, &opts);
    assert_non_null(strstr(kit.first.text, "cannot be read"));
    kit_free(&kit);
}

/* All that is wrong with rules is told without compiling databases. */
static void test_only_read(void **state)
{
    (void)state;
    struct kit kit;
    const struct rul_set_opts opts = {.only_read = true};
    kit_load_with(&kit, RULES RULE("bad", "vendor: x"), &opts);
    assert_int_equal(kit.err, 0);
    assert_int_equal(kit.errors, 1);
    assert_int_equal(rul_set_count(kit.set), 4);
    assert_string_equal(hits(&kit), "");
    kit_free(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_only_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
