/* SPDX-License-Identifier: Apache-2.0
 *
 * `expand`: where the values of placeholders come from, and what they mean in a rule.
 */
#include "tests/unit/rules/kit.h"

#include <stdio.h>
#include <string.h>

#define HEAD "title: hit\nlogsource: {product: p}\ndetection:\n"

static const char *dir; /* of placeholders, fresh for every test */

static int set_up(void **state)
{
    (void)state;
    dir = hd_test_tmpdir();
    return 0;
}

static void write_values(const char *name, const char *text)
{
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    (void)fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void load(struct kit *kit, const char *detection)
{
    char yaml[4096];
    const struct rul_set_opts opts = {.placeholders_dir = dir};
    (void)snprintf(yaml, sizeof(yaml), HEAD "%s", detection);
    kit_load_with(kit, yaml, &opts);
}

static void check(const char *selection, const char *value, bool hit)
{
    char detection[2048];
    struct kit kit;
    (void)snprintf(detection, sizeof(detection), "  s: {%s}\n  condition: s\n",
                   selection);
    load(&kit, detection);
    if (kit.errors > 0) {
        fail_msg("%s: %s", selection, kit.first.text);
    }
    kit_event(&kit, "p", "", "");
    kit_set(&kit, "F", value);
    kit_set(&kit, "G", "other");
    if ((strcmp(kit_match(&kit), "hit") == 0) != hit) {
        fail_msg("%s on '%s': expected %d", selection, value, hit);
    }
    kit_free(&kit);
}

static void check_refused(const char *selection, const char *message)
{
    char detection[2048];
    struct kit kit;
    (void)snprintf(detection, sizeof(detection), "  s: {%s}\n  condition: s\n",
                   selection);
    load(&kit, detection);
    assert_int_equal(rul_set_count(kit.set), 0);
    if (strstr(kit.first.text, message) == NULL) {
        fail_msg("%s: '%s', not '%s'", selection, kit.first.text, message);
    }
    kit_free(&kit);
}

static void test_values(void **state)
{
    (void)state;
    write_values("Servers.txt", "# those of the centre\nsrv*\n\n  DB-1  \r\n");
    write_values("more.yml", "Admins: [adm_anna, 'adm_?x']\nOne: solo\nNumber: 7\n");
    write_values("README.md", "not read\n");
    check("F|expand: '%Servers%'", "SRV12", true);
    check("F|expand: '%Servers%'", "db-1", true);
    check("F|expand: '%Servers%'", "db-12", false);
    check("F|expand: '%Admins%'", "adm_1x", true);
    check("F|expand: '%One%'", "solo", true);
    check("F|expand: 'a%One%-%Number%'", "asolo-7", true);
    check("F|expand: '%One%%Servers%'", "soloSRV", true);
    check("F|expand: ['x', '%One%']", "x", true);
    check("F|expand: '%ONE'", "%one", true); /* no second percent: plain text */
    check("F|expand: '100% of %'", "100% of %", true);
    check("F: '%One%'", "%one%", true); /* only with `expand` */
    check("F: '%One%'", "solo", false);
}

/* The specification's example: "field|expand: \%plain%name%". */
static void test_escapes(void **state)
{
    (void)state;
    write_values("name.txt", "value\n");
    write_values("odd.txt", "a\\%b\n");
    check("F|expand: '\\%plain%name%'", "%plainvalue", true);
    check("F|expand: '\\%name%'", "%name%", true);
    check("F|expand: '\\%name%'", "value", false);
    check("F|expand: '%odd%'", "a\\%b", true); /* a value is taken as it is */
}

/* A value is the site's text: modifiers behind `expand` apply to it, those before do not.
 */
static void test_order(void **state)
{
    (void)state;
    write_values("name.txt", "bc\n");
    write_values("flag.txt", "-enc\n");
    write_values("pattern.txt", "b.d\n");
    write_values("nets.txt", "10.0.0.0/8\n192.168.0.0/16\n");
    write_values("limit.txt", "10\n");
    write_values("field.txt", "G\n");
    check("F|contains|expand: '%name%'", "abcd", true);
    check("F|expand|contains: '%name%'", "abcd", true);
    check("F|expand|startswith: '%name%'", "bcd", true);
    check("F|expand|endswith: '%name%'", "bcd", false);
    check("F|expand|cased: '%name%'", "BC", false);
    check("F|expand|windash|contains: '%flag%'", "x /enc", true);
    check("F|windash|contains|expand: '%flag%'", "x /enc", false);
    check("F|expand|base64: '%name%'", "YmM=", true);
    check("F|expand|re: '^a%pattern%'", "abxd", true);
    check("F|re|expand: '^a%pattern%'", "ab.e", false);
    check("F|cidr|expand: '%nets%'", "192.168.1.1", true);
    check("F|cidr|expand: '%nets%'", "11.1.1.1", false);
    check("F|gte|expand: '%limit%'", "11", true);
    check("F|gte|expand: '%limit%'", "9", false);
    check("F|fieldref|expand: '%field%'", "OTHER", true);
    check("F|expand|neq: '%name%'", "bc", false);
    check("F|expand|neq: '%name%'", "x", true);
    check("'|expand': '%name%'", "xbcx", true);
}

static void test_all(void **state)
{
    (void)state;
    write_values("a.txt", "a1\na2\n");
    /* the values of one placeholder are alternatives, `all` joins what the rule lists */
    check("F|contains|all|expand: ['%a%', 'x']", "a2 x", true);
    check("F|contains|all|expand: ['%a%', 'x']", "a1 a2", false);
}

static void test_refused(void **state)
{
    (void)state;
    write_values("Workstations.txt", "ws\n");
    write_values("empty.txt", "# nothing yet\n");
    write_values("bad.txt", "10.0.0.1/8\n");
    write_values("many.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\n");
    check_refused("F|expand: '%Workstation%'", "did you mean \"Workstations\"");
    check_refused("F|expand: '%workstations%'", "%workstations% has no values");
    check_refused("F|expand: '%empty%'", "rules.yml:4:17: error: placeholder %empty%");
    check_refused("F|cidr|expand: '%bad%'", "bits set");
    check_refused("F|expand|base64: '%a*'", "without wildcards");
    check_refused("F|expand: '%many%%many%%many%%many%%many%'", "more than 20000 values");
    check_refused("F|exists|expand: '%many%'", "'exists' stands alone");
    struct kit kit;
    load(&kit, "  s: {F|expand: plain}\n  condition: s\n");
    assert_int_equal(kit.errors, 0);
    assert_int_equal(kit.warnings, 1);
    kit_free(&kit);
}

/* What is wrong with the files is told, and the rest of them is used. */
static void test_bad_files(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *message;
    } files[] = {
        {"a b.txt", "x\n", "a b.txt:1:1: error: a placeholder's name"},
        {"x.txt", "fine\n\xff\n", "x.txt:2:1: error: not UTF-8"},
        {"y.yml", "- a\n", "y.yml:1:1: error: a map"},
        {"y.yml", "a: {b: c}\n", "y.yml:1:4: error: a value or a list"},
        {"y.yml", "a: [[b]]\n", "y.yml:1:5: error: a value was expected"},
        {"y.yml", "a: [b\n", "y.yml:2:1: error"},
        {"y.yml", "good: [b]\n", "y.yml:1:1: error: the placeholder %good% is given by"},
    };
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct kit kit;
        dir = hd_test_tmpdir();
        write_values("good.txt", "value\n");
        write_values(files[i].name, files[i].text);
        load(&kit, "  s: {F|expand: '%good%'}\n  condition: s\n");
        assert_int_equal(rul_set_count(kit.set), 1);
        if (strstr(kit.first.text, files[i].message) == NULL) {
            fail_msg("%s: '%s', not '%s'", files[i].text, kit.first.text,
                     files[i].message);
        }
        kit_free(&kit);
    }
    dir = "/nonexistent/placeholders";
    struct kit kit;
    load(&kit, "  s: {F: x}\n  condition: s\n");
    assert_non_null(strstr(kit.first.text, "cannot be read"));
    kit_free(&kit);
}

/* Other values are another rule: what its correlations have counted does not hold. */
static void test_hash(void **state)
{
    (void)state;
    struct kit kit;
    write_values("a.txt", "one\n");
    load(&kit, "  s: {F|expand: '%a%'}\n  condition: s\n");
    uint64_t rule = rul_set_rule(kit.set, 0)->hash;
    char set[65];
    (void)snprintf(set, sizeof(set), "%s", rul_set_hash(kit.set));
    kit_free(&kit);
    write_values("a.txt", "two\n");
    load(&kit, "  s: {F|expand: '%a%'}\n  condition: s\n");
    assert_true(rul_set_rule(kit.set, 0)->hash != rule);
    assert_string_not_equal(rul_set_hash(kit.set), set);
    kit_free(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_values, set_up),
        cmocka_unit_test_setup(test_escapes, set_up),
        cmocka_unit_test_setup(test_order, set_up),
        cmocka_unit_test_setup(test_all, set_up),
        cmocka_unit_test_setup(test_refused, set_up),
        cmocka_unit_test_setup(test_bad_files, set_up),
        cmocka_unit_test_setup(test_hash, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
