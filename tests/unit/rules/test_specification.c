/* SPDX-License-Identifier: Apache-2.0
 *
 * The specification's statements and examples (rules v2.0, modifiers v2.1), one by one:
 * the engine and the oracle must both say what it says. Placeholders and filters have
 * tests of their own.
 */
#include "tests/unit/rules/kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/utf8.h>

#include "tests/unit/rules/oracle.h"

/* `rule` is below `detection:`; the event is "field=value|field=value", a part without
 * "=" is the raw line. */
struct row {
    const char *rule, *event;
    bool hit;
};

static struct hd_buf folded[ORACLE_FIELDS_MAX + 1];

static struct oracle_text oracle_text(const char *value, size_t slot)
{
    hd_buf_init(&folded[slot], 0);
    hd_utf8_fold(&folded[slot], hd_slice_str(value));
    return (struct oracle_text){hd_slice_str(value), hd_buf_slice(&folded[slot])};
}

/* The event for both; `text` is cut into pieces in place. */
static void make_event(struct kit *kit, char *text, struct oracle_event *event)
{
    *event = (struct oracle_event){0};
    kit_event(kit, "p", "", "");
    for (char *part = text, *next; part != NULL; part = next) {
        next = strchr(part, '|');
        if (next != NULL) {
            *next++ = 0;
        }
        char *value = strchr(part, '=');
        if (value == NULL) {
            kit->ev->raw = hd_slice_str(part);
            event->line = oracle_text(part, ORACLE_FIELDS_MAX);
            continue;
        }
        *value++ = 0;
        kit_set(kit, part, value);
        event->fields[event->n].name = part;
        event->fields[event->n].outside = true;
        event->fields[event->n].text = oracle_text(value, event->n);
        event->n++;
    }
}

/* `has_oracle` false: the oracle does not know all forms of times. */
static void check_one(const struct row *row, bool has_oracle)
{
    static struct oracle_event event;
    static const char *dir;
    char yaml[4096], path[4096], text[1024];
    struct kit kit;
    dir = dir != NULL ? dir : hd_test_tmpdir();
    (void)snprintf(yaml, sizeof(yaml),
                   "title: hit\nlogsource: {product: p}\ndetection:\n%s", row->rule);
    (void)snprintf(path, sizeof(path), "%s/rule.yml", dir);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    (void)fputs(yaml, file);
    assert_int_equal(fclose(file), 0);
    kit_load_path(&kit, path, false);
    if (kit.errors > 0) {
        fail_msg("%s: %s", row->rule, kit.first.text);
    }
    (void)snprintf(text, sizeof(text), "%s", row->event);
    memset(folded, 0, sizeof(folded));
    make_event(&kit, text, &event);
    struct oracle_rule *oracle = oracle_load(path);
    bool engine = strcmp(kit_match(&kit), "hit") == 0;
    bool other = has_oracle ? oracle_matches(oracle, &event) : row->hit;
    if (engine != row->hit || other != row->hit) {
        fail_msg("%s on %s: expected %d, the engine says %d, the oracle %d", row->rule,
                 row->event, row->hit, engine, other);
    }
    oracle_free(oracle);
    for (size_t i = 0; i < sizeof(folded) / sizeof(folded[0]); i++) {
        hd_buf_fini(&folded[i]);
    }
    kit_free(&kit);
}

static void check_row(const struct row *row)
{
    check_one(row, true);
}

#define CHECK(rows)                                                                      \
    for (size_t i = 0; i < sizeof(rows) / sizeof((rows)[0]); i++) {                      \
        check_row(&(rows)[i]);                                                           \
    }

#define S "\n  condition: s\n"

static void test_general(void **state)
{
    (void)state;
    static const struct row rows[] = {
        /* "All values are treated as case-insensitive strings." */
        {"  s: {F: WhoAmI}" S, "F=whoami", true},
        {"  s: {F: 4688}" S, "F=4688", true},
        {"  s: {F: 4688}" S, "F=4688.0", false},
        {"  s: {F: true}" S, "F=TRUE", true},
        {"  s: {F: 0x17}" S, "F=0X17", true},
        /* "? to replace a single mandatory character", "* ... unbounded" */
        {"  s: {F: 'prog?.exe'}" S, "F=progA.exe", true},
        {"  s: {F: 'prog?.exe'}" S, "F=prog.exe", false},
        {"  s: {F: 'antivirus_V*.exe'}" S, "F=antivirus_V21.2.1.exe", true},
        {"  s: {F: 'antivirus_V*.exe'}" S, "F=antivirus_V.exe", true},
        /* "Regular expressions are case-sensitive by default." */
        {"  s: {F|re: abc}" S, "F=ABC", false},
    };
    CHECK(rows);
}

/* "Escaping", the list of possibilities. */
static void test_escaping(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"  s: {F: 'C:\\Temp'}" S, "F=C:\\Temp", true},
        {"  s: {F: 'C:\\\\Temp'}" S, "F=C:\\Temp", true},
        {"  s: {F: 'a\\*'}" S, "F=a*", true},
        {"  s: {F: 'a\\*'}" S, "F=ab", false},
        {"  s: {F: 'a\\?'}" S, "F=a?", true},
        {"  s: {F: 'a\\?'}" S, "F=ab", false},
        {"  s: {F: 'a\\\\*'}" S, "F=a\\bc", true},
        {"  s: {F: 'a\\\\*'}" S, "F=abc", false},
        {"  s: {F: 'a\\\\\\*'}" S, "F=a\\*", true},
        {"  s: {F: 'a\\\\\\*'}" S, "F=a\\b", false},
        {"  s: {F: 'a\\\\\\b'}" S, "F=a\\\\b", true},
        {"  s: {F: 'a\\\\\\\\b'}" S, "F=a\\\\b", true},
        {"  s: {F: 'a\\\\\\\\b'}" S, "F=a\\b", false},
    };
    CHECK(rows);
}

static void test_lists_and_maps(void **state)
{
    (void)state;
    static const struct row rows[] = {
        /* "Matches on 'EvilService' or 'svchost.exe -n evil'" */
        {"  s: ['EVILSERVICE', 'svchost.exe -n evil']" S, "run evilservice now", true},
        {"  s: ['EVILSERVICE', 'svchost.exe -n evil']" S, "svchost.exe -n evil", true},
        {"  s: ['EVILSERVICE', 'svchost.exe -n evil']" S, "svchost.exe -n good", false},
        {"  s: [517, 1102]" S, "event 1102", true},
        {"  s: one word" S, "F=there is one word", true},
        /* "an image ending with example.exe or a description containing" */
        {"  s: [{F|endswith: '\\\\example.exe'}, {G|contains: 'Test executable'}]" S,
         "F=c:\\example.exe", true},
        {"  s: [{F|endswith: '\\\\example.exe'}, {G|contains: 'Test executable'}]" S,
         "F=x|G=a test executable", true},
        {"  s: [{F|endswith: '\\\\example.exe'}, {G|contains: 'Test executable'}]" S,
         "F=x|G=y", false},
        {"  s: [word, {F: x}]" S, "F=x", true},
        {"  s: [word, {F: x}]" S, "F=y|a word", true},
        /* lists of lists: every list is a choice */
        {"  s: [[a1, b2], [c3]]" S, "xc3x", true},
        {"  s: [[a1, b2], [{F: x}, [{G: y}]]]" S, "F=z|G=y", true},
        {"  s: [[a1, b2], [{F: x}, [{G: y}]]]" S, "F=y|G=x", false},
        /* "Event log Security and (517 or 1102)"; all of a map */
        {"  s: {F: Security, G: [517, 1102]}" S, "F=security|G=1102", true},
        {"  s: {F: Security, G: [517, 1102]}" S, "F=security|G=1103", false},
        {"  s: {F: Security, G: [517, 1102]}" S, "G=1102", false},
        {"  s: {F: a, 'F|contains': a, 'F|re': a}" S, "F=a", true},
        /* "strip all spaces" */
        {"  s: {New Value: x}" S, "NewValue=x", true},
    };
    CHECK(rows);
}

static void test_special_values(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"  s: {F: ''}" S, "F=", true},
        {"  s: {F: ''}" S, "F= ", false},
        {"  s: {F: ''}" S, "G=x", false},
        {"  s: {F: null}" S, "G=x", true},
        {"  s: {F: ~}" S, "F=", false},
        {"  s: {F: 'null'}" S, "F=null", true},
        {"  s: {F: [null, '']}" S, "F=", true},
        {"  s: {F: [null, '']}" S, "F=x", false},
        {"  s: {F|all: [null, '']}" S, "G=x", false},
        {"  s: {F|neq: null}" S, "F=", true},
        {"  s: {F|neq: null}" S, "G=x", false},
        /* "to get not null you have to create another selection and negate it" */
        {"  s: {G: 4738}\n  f: {F: null}\n  condition: s and not f\n", "G=4738|F=x",
         true},
        {"  s: {G: 4738}\n  f: {F: null}\n  condition: s and not f\n", "G=4738", false},
        /* "only verifies the presence of a field, not its value" */
        {"  s: {F|exists: true}" S, "F=", true},
        {"  s: {F|exists: true}" S, "G=x", false},
        {"  s: {F|exists: false}" S, "F=", false},
        {"  s: {F|exists: false}" S, "G=x", true},
    };
    CHECK(rows);
}

static void test_generic_modifiers(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"  s: {F|contains|all: [-a, -b]}" S, "F=x -b -a", true},
        {"  s: {F|contains|all: [-a, -b]}" S, "F=x -b", false},
        {"  s: {F|all|contains: [-a, -b]}" S, "F=x -b -a", true},
        {"  s: {F|startswith: adm}" S, "F=ADMin", true},
        {"  s: {F|startswith: adm}" S, "F=xadm", false},
        {"  s: {F|endswith: '\\cmd.exe'}" S, "F=c:\\cmd.exe", true},
        {"  s: {F|endswith: '\\cmd.exe'}" S, "F=c:\\cmd.exe ", false},
        {"  s: {F|contains: b}" S, "F=abc", true},
        {"  s: {F|contains: 'a?c*e'}" S, "F=xabcdex", true},
        {"  s: {F|contains: ''}" S, "F=", true},
        {"  s: {F|cased: Abc}" S, "F=Abc", true},
        {"  s: {F|cased: Abc}" S, "F=abc", false},
        {"  s: {F|cased|startswith: 'A?c'}" S, "F=AbcD", true},
        {"  s: {F|cased|startswith: 'A?c'}" S, "F=abcD", false},
        {"  s: {'|all': [OabVirtualDirectory, ' -ExternalUrl ']}" S,
         "a oabvirtualdirectory b -externalurl c", true},
        {"  s: {'|all': [OabVirtualDirectory, ' -ExternalUrl ']}" S,
         "a oabvirtualdirectory b", false},
        {"  s: {'|cased': Evil}" S, "an evil word", false},
        {"  s: {'|re': 'e.il$'}" S, "an evil", true},
        /* neq: "different from the specified values", strings and numbers */
        {"  s: {F|neq: a}" S, "F=b", true},
        {"  s: {F|neq: [a, 5]}" S, "F=5", false},
        {"  s: {F|neq: [a, 5]}" S, "F=6", true},
        {"  s: {F|contains|neq: [ab, cd]}" S, "F=xcdx", false},
        {"  s: {F|contains|all|neq: [ab, cd]}" S, "F=xcdx", true},
        {"  s: {F|re|neq: '^a'}" S, "F=ba", true},
        {"  s: {F|cidr|neq: 10.0.0.0/8}" S, "F=11.0.0.1", true},
        {"  s: {F|gt|neq: 5}" S, "F=5", true},
    };
    CHECK(rows);
}

static void test_encodings(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"  s: {F|base64: foobar}" S, "F=Zm9vYmFy", true},
        {"  s: {F|base64: fooba}" S, "F=Zm9vYmE=", true},
        {"  s: {F|base64|contains: foobar}" S, "F=x Zm9vYmFy x", true},
        /* http:// at each of the three offsets */
        {"  s: {F|base64offset|contains: 'http://'}" S, "F=aHR0cDovL2E=", true},
        {"  s: {F|base64offset|contains: 'http://'}" S, "F=eGh0dHA6Ly9h", true},
        {"  s: {F|base64offset|contains: 'http://'}" S, "F=eHhodHRwOi8vYQ==", true},
        {"  s: {F|base64offset|contains: 'http://'}" S, "F=eHhodHRwczovL2E=", false},
        /* `cmd` > 63 00 6d 00 64 00; 00 63 00 6d 00 64; FF FE 63 00 6d 00 64 00 */
        {"  s: {F|utf16le|base64: cmd}" S, "F=YwBtAGQA", true},
        {"  s: {F|wide|base64: cmd}" S, "F=YwBtAGQA", true},
        {"  s: {F|utf16be|base64: cmd}" S, "F=AGMAbQBk", true},
        {"  s: {F|utf16|base64: cmd}" S, "F=//5jAG0AZAA=", true},
        {"  s: {F|wide|base64offset|contains: ping}" S, "F=xxcABpAG4AZw", true},
        {"  s: {F|windash|contains: ' -f'}" S, "F=x /f", true},
        {"  s: {F|windash|contains: ' -f'}" S,
         "F=x \xe2\x80\x95"
         "f",
         true},
        {"  s: {F|windash|contains: ' /f -g'}" S,
         "F=x \xe2\x80\x93"
         "f \xe2\x80\x94"
         "g",
         true},
        {"  s: {F|windash|contains: 'a-f'}" S, "F=a/f", false}, /* opens no word */
    };
    CHECK(rows);
}

static void test_expressions(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"  s: {F|re: 'a.c'}" S, "F=xabcx", true},
        {"  s: {F|re: '^a.c$'}" S, "F=xabcx", false},
        {"  s: {F|re: '^(ab|cd)+e?[0-9]{2,3}[^x]$'}" S, "F=abcde12y", true},
        {"  s: {F|re: '^(ab|cd)+e?[0-9]{2,3}[^x]$'}" S, "F=abcde12x", false},
        {"  s: {F|re|i: 'A.C'}" S, "F=xabcx", true},
        {"  s: {F|re|m: '^b$'}" S, "F=a\nb\nc", true},
        {"  s: {F|re: '^b$'}" S, "F=a\nb\nc", false},
        {"  s: {F|re|s: 'a.b'}" S, "F=a\nb", true},
        {"  s: {F|re: 'a.b'}" S, "F=a\nb", false},
        {"  s: {F|re|i|m|s: '^B.c'}" S, "F=a\nb\nC", true},
        {"  s: {F|re: '\\*'}" S, "F=a*b", true}, /* backslashes are the expression's */
        {"  s: {F|re|all: [a, b]}" S, "F=ba", true},
        {"  s: {F|re|all: [a, b]}" S, "F=aa", false},
    };
    CHECK(rows);
}

static void test_numbers_and_networks(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"  s: {F|lt: 10}" S, "F=9", true},
        {"  s: {F|lt: 10}" S, "F=10", false},
        {"  s: {F|lte: 10}" S, "F=10", true},
        {"  s: {F|lte: 10}" S, "F=10.5", false},
        {"  s: {F|gt: 10}" S, "F=10", false},
        {"  s: {F|gt: -1}" S, "F=0", true},
        {"  s: {F|gte: 1.5}" S, "F=1.5", true},
        {"  s: {F|gte: 10}" S, "F=9", false},
        {"  s: {F|gte: 10}" S, "F=many", false},
        {"  s: {F|lt: 10}" S, "G=1", false},
        {"  s: {F|lt: [1, 10]}" S, "F=5", true},
        {"  s: {F|lt|all: [1, 9]}" S, "F=5", false},
        {"  s: {F|cidr: 10.0.0.0/8}" S, "F=10.255.255.255", true},
        {"  s: {F|cidr: 10.0.0.0/8}" S, "F=11.0.0.0", false},
        {"  s: {F|cidr: 10.0.0.0/8}" S, "F=text", false},
        {"  s: {F|cidr: 'fe80::/10'}" S, "F=FEBF::1", true},
        {"  s: {F|cidr: 'fe80::/10'}" S, "F=fec0::1", false},
        {"  s: {F|cidr: [10.0.0.0/8, '::1/128']}" S, "F=::1", true},
        {"  s: {F|fieldref: G}" S, "F=x|G=X", true},
        {"  s: {F|fieldref: G}" S, "F=x|G=y", false},
        {"  s: {F|fieldref: G}" S, "F=x", false},
        {"  s: {F|fieldref|neq: G}" S, "F=x|G=y", true},
        {"  s: {F|fieldref|neq: G}" S, "F=x|G=X", false},
        {"  s: {F|fieldref|startswith: G}" S, "F=xyz|G=XY", true},
        {"  s: {F|fieldref: [G, H]}" S, "F=x|G=y|H=x", true},
    };
    CHECK(rows);
}

/* "It extracts a numeric value from a date" that stands in a field. */
static void test_times(void **state)
{
    (void)state;
#define T "F=2026-11-21T07:50:37"
    static const struct row rows[] = {
        {"  s: {F|minute: 50}" S, T, true},
        {"  s: {F|minute: 51}" S, T, false},
        {"  s: {F|hour: 7}" S, T, true},
        {"  s: {F|hour: 07}" S, T, true},
        {"  s: {F|hour: [0, 1, 2, 7]}" S, T, true},
        {"  s: {F|hour: [0, 1, 2]}" S, T, false},
        {"  s: {F|day: 21}" S, T, true},
        {"  s: {F|week: 47}" S, T, true},
        {"  s: {F|week: 53}" S, "F=2027-01-03T00:00:00", true}, /* still of 2026 */
        {"  s: {F|week: 1}" S, "F=2027-01-04T00:00:00", true},
        {"  s: {F|week: 1}" S, "F=2024-12-30T00:00:00", true}, /* of 2025 already */
        {"  s: {F|month: 11}" S, T, true},
        {"  s: {F|month: 12}" S, T, false},
        {"  s: {F|year: 2026}" S, T, true},
        {"  s: {F|hour|gte: 7}" S, T, true},
        {"  s: {F|hour|lt: 7}" S, T, false},
        {"  s: {F|hour|neq: 7}" S, T, false},
        {"  s: {F|hour|neq: [8, 9]}" S, T, true},
        {"  s: {F|hour: 7}" S, "F=7", false},
        {"  s: {F|hour: 7}" S, "F=2026-11-31T07:50:37", false}, /* no such day */
        {"  s: {F|hour: 7}" S, "G=x", false},
    };
    CHECK(rows);
}

/* The forms of times that stand in fields; what is not written there does not match. */
static void test_time_forms(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"  s: {F|hour: 7}" S, "F=2026-11-21 07:50:37.123", true},
        {"  s: {F|hour: 7}" S, "F=2026-11-21T07:50:37.1234567Z", true},
        /* as written: no conversion */
        {"  s: {F|hour: 7}" S, "F=2026-11-21T07:50:37+07:00", true},
        {"  s: {F|hour: 7}" S, "F= 2026-11-21T07:50 ", true},
        {"  s: {F|hour: 7}" S, "F=21/Nov/2026:07:50:37 +0700", true},
        {"  s: {F|hour: 7}" S, "F=Nov 21 07:50:37", true},
        {"  s: {F|hour: 7}" S, "F=Sat Nov 21 07:50:37 2026", true},
        {"  s: {F|hour: 7}" S, "F=2026-11-21T07:50:37Z.", false},
        {"  s: {F|hour: 0}" S, "F=2026-11-21", false},
        {"  s: {F|hour|gte: 0}" S, "F=2026-11-21T24:00:00", false},
        {"  s: {F|hour: 0}" S, "F=", false},
        {"  s: {F|hour: 7}" S, "F=1795247437", false},
        {"  s: {F|day: 21}" S, "F=2026-11-21", true},
        {"  s: {F|day: 29}" S, "F=Feb 29 07:50:37", true},
        {"  s: {F|day: 30}" S, "F=Feb 30 07:50:37", false},
        {"  s: {F|month: 11}" S, "F=21/Nov/2026:07:50:37 +0700", true},
        {"  s: {F|week: 1}" S, "F=1970-01-01", true},
        {"  s: {F|week: 47}" S, "F=Nov 21 07:50:37", false}, /* of which year? */
        {"  s: {F|year|gte: 0}" S, "F=Nov 21 07:50:37", false},
        {"  s: {F|year: 2026}" S, "F=2026-11-21", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check_one(&rows[i], false);
    }
}

static void test_conditions(void **state)
{
    (void)state;
#define ABC "  a: {F: 1}\n  b: {G: 2}\n  c: {H: 3}\n  condition: "
#define PAT                                                                              \
    "  selection_a: {F: 1}\n  selection_b: {G: 2}\n  _c: {H: 3}\n  filter_x: {I: 4}\n"   \
    "  condition: "
    static const struct row rows[] = {
        {ABC "a or b\n", "G=2", true},
        {ABC "a and b\n", "G=2", false},
        {ABC "a and b\n", "F=1|G=2", true},
        {ABC "not a\n", "G=2", true},
        {ABC "a and not b\n", "F=1|G=2", false},
        {ABC "not not a\n", "F=1", true},
        {ABC "(a or b) and c\n", "F=1", false},
        /* precedence, least binding first: or, and, not, x of */
        {ABC "a or b and c\n", "F=1", true},
        {ABC "not a and b\n", "G=2", true},
        {ABC "not a or b\n", "F=1", false},
        {ABC "not 1 of a* and b\n", "G=2", true},
        {ABC "1 of them\n", "H=3", true},
        {ABC "all of them\n", "F=1|G=2", false},
        {ABC "all of them\n", "F=1|G=2|H=3", true},
        /* "a search identifier _example wouldn't be included" */
        {PAT "1 of them\n", "H=3", false},
        {PAT "all of them\n", "F=1|G=2|I=4", true},
        {PAT "all of selection*\n", "F=1|G=2", true},
        {PAT "1 of *_a\n", "F=1", true},
        {PAT "1 of sel*b\n", "F=1", false},
        {PAT "1 of selection* and not 1 of filter*\n", "F=1", true},
        {PAT "1 of selection* and not 1 of filter*\n", "F=1|I=4", false},
        {PAT "1 of _*\n", "H=3", true},
        /* "the condition can be a list ... logically linked with OR" */
        {ABC "[a and b, c]\n", "H=3", true},
        {ABC "[a and b, c]\n", "F=1", false},
    };
    CHECK(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_general),
        cmocka_unit_test(test_escaping),
        cmocka_unit_test(test_lists_and_maps),
        cmocka_unit_test(test_special_values),
        cmocka_unit_test(test_generic_modifiers),
        cmocka_unit_test(test_encodings),
        cmocka_unit_test(test_expressions),
        cmocka_unit_test(test_numbers_and_networks),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_time_forms),
        cmocka_unit_test(test_conditions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
