/* SPDX-License-Identifier: Apache-2.0
 *
 * The public rule set: it loads, what is refused has a reason, recorded attacks fire the
 * rules written for them, and on events made from the rules' own values the engine says
 * exactly what the oracle says.
 */
#include "tests/unit/rules/kit.h"

#include <dirent.h>
#include <ftw.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/buf.h>
#include <haidang/num.h>
#include <haidang/utf8.h>

#include "rules/filter.h"
#include "tests/unit/rules/oracle.h"

#define RULES_MAX    8000
#define RULES_PUBLIC 3780
#define REFUSED      25 /* that have placeholders, when nobody says what they stand for */
#define PLACEHOLDERS "tests/unit/rules/placeholders"
#define FILTERS      "tests/unit/rules/filters"

static struct kit kit;
static const char *sigma;
static struct oracle_rule *oracles[RULES_MAX]; /* of rules that the set has */
static const struct rul_rule *rules[RULES_MAX];
static size_t n_oracles;
static struct oracle_rule *filters[8]; /* joined to all rules of their log source */
static size_t n_filters;

static int add_oracle(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    size_t len = strlen(path);
    if (flag != FTW_F || len < 4 || strcmp(path + len - 4, ".yml") != 0) {
        return 0;
    }
    struct oracle_rule *oracle = oracle_load(path);
    if (oracle == NULL) {
        return 0;
    }
    const struct rul_rule *rule = rul_set_find(kit.set, hd_slice_str(oracle_id(oracle)));
    if (rule == NULL || n_oracles == RULES_MAX) {
        oracle_free(oracle);
        return 0;
    }
    rules[n_oracles] = rule;
    oracles[n_oracles++] = oracle;
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    sigma = hd_test_shared("sigma");
    if (sigma == NULL) {
        return 0;
    }
    const struct rul_set_opts opts = {.placeholders_dir = hd_test_source(PLACEHOLDERS)};
    kit_load_path_with(&kit, sigma, &opts);
    assert_int_equal(kit.err, 0);
    oracle_placeholders(hd_test_source(PLACEHOLDERS "/public.yml"));
    return nftw(hd_test_shared("sigma"), add_oracle, 16, FTW_PHYS);
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_oracles; i++) {
        oracle_free(oracles[i]);
    }
    oracle_placeholders(NULL);
    kit_free(&kit);
    return 0;
}

static void test_loads(void **state)
{
    (void)state;
    if (sigma == NULL) {
        hd_test_skip("no public rules");
    }
    print_message("%zu rules\n", rul_set_count(kit.set));
    assert_int_equal(kit.errors, 0);
    assert_int_equal(rul_set_count(kit.set), RULES_PUBLIC);
    assert_int_equal(rul_set_count(kit.set), n_oracles);
    for (size_t i = 0; i < rul_set_count(kit.set); i++) {
        const struct rul_rule *rule = rul_set_rule(kit.set, i);
        assert_int_equal(rule->index, i);
        assert_true(rule->title[0] != 0 && rule->author[0] != 0 && rule->line > 0);
        assert_int_equal(strlen(rule->id), 36);
        assert_ptr_equal(rul_set_find(kit.set, hd_slice_str(rule->id)), rule);
    }
}

static void on_diag(void *ctx, const struct hd_diag *diag)
{
    unsigned *other = ctx;
    assert_true(diag->file != NULL && diag->line > 0 && diag->column > 0);
    if (strncmp(diag->text, "placeholder %", 13) != 0) {
        print_message("%s:%u:%u: %s\n", diag->file, diag->line, diag->column, diag->text);
        ++*other;
    }
}

/* Without values for placeholders the rules that name some are refused, and no others. */
static void test_refused(void **state)
{
    (void)state;
    if (sigma == NULL) {
        hd_test_skip("no public rules");
    }
    struct rul_set *set = NULL;
    unsigned other = 0;
    struct hd_diags diags = {on_diag, &other, 0, 0};
    const char *path = hd_test_shared("sigma");
    const struct rul_set_opts opts = {
        .rules = &path, .n_rules = 1, .keep_going = true, .no_self_test = true};
    assert_int_equal(rul_set_load(&opts, &set, &diags), 0);
    assert_int_equal(rul_set_count(set), RULES_PUBLIC - REFUSED);
    assert_true(diags.errors >= REFUSED);
    assert_int_equal(other, 0);
    rul_set_unref(set);
}

/* ---- recorded attacks ---- */

static struct hd_buf arena; /* values of the event at hand */

/* A field, without the blanks that some products put into its name. */
static void set_json(const char *name, const json_t *value)
{
    char field[256], number[32];
    size_t n = 0;
    for (; *name != 0 && n < sizeof(field) - 1; name++) {
        if (*name != ' ') {
            field[n++] = *name;
        }
    }
    field[n] = 0;
    if (json_is_string(value)) {
        kit_set(&kit, field, json_string_value(value));
    } else if (json_is_integer(value)) {
        (void)snprintf(number, sizeof(number), "%lld",
                       (long long)json_integer_value(value));
        char *copy = (char *)hd_buf_reserve(&arena, sizeof(number));
        assert_non_null(copy);
        (void)snprintf(copy, sizeof(number), "%s", number);
        arena.len += sizeof(number);
        kit_set(&kit, field, copy);
    } else if (json_is_boolean(value)) {
        kit_set(&kit, field, json_is_true(value) ? "true" : "false");
    }
}

static void load_windows_event(const json_t *event, const struct rul_logsource *source)
{
    json_t *windows = json_object_get(event, "Event");
    json_t *system = json_object_get(windows, "System");
    json_t *data = json_object_get(windows, "EventData");
    const char *name;
    json_t *value;
    hd_buf_clear(&arena);
    assert_non_null(hd_buf_reserve(&arena, 64U << 10));
    rul_event_clear(kit.ev);
    kit.ev->raw = HD_SLICE_EMPTY;
    kit.ev->class_id = rul_set_class_of(kit.set, source);
    json_object_foreach(system, name, value)
    {
        set_json(name, value);
    }
    set_json(
        "Provider_Name",
        json_object_get(
            json_object_get(json_object_get(system, "Provider"), "#attributes"), "Name"));
    json_object_foreach(data, name, value)
    {
        set_json(name, value);
    }
}

static unsigned fired; /* bit: the rule looked for; hits of others are counted too */
static unsigned others;

static void on_hit(void *ctx, const struct rul_rule *rule, const struct rul_event *ev)
{
    (void)ev;
    if (rule == ctx) {
        fired = 1;
    } else {
        others++;
    }
}

static const struct oracle_rule *oracle_of(const struct rul_rule *rule)
{
    for (size_t i = 0; i < n_oracles; i++) {
        if (rules[i] == rule) {
            return oracles[i];
        }
    }
    return NULL;
}

/* A recording: its rule fires on one event of it at least. */
static bool replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *line = NULL;
    size_t cap = 0;
    bool any = false;
    assert_non_null(file);
    while (getline(&line, &cap, file) > 0) {
        json_t *object = json_loads(line, 0, NULL);
        assert_non_null(object);
        const char *id = json_string_value(json_object_get(object, "rule"));
        const struct rul_rule *rule = rul_set_find(kit.set, hd_slice_str(id));
        assert_non_null(rule);
        const struct oracle_rule *oracle = oracle_of(rule);
        const struct rul_logsource source = {
            hd_slice_str(oracle_logsource(oracle, "product")),
            hd_slice_str(oracle_logsource(oracle, "category")),
            hd_slice_str(oracle_logsource(oracle, "service"))};
        load_windows_event(json_object_get(object, "event"), &source);
        fired = 0;
        rul_match(kit.set, kit.scratch, kit.ev, on_hit, (void *)(uintptr_t)rule);
        any |= fired != 0;
        json_decref(object);
    }
    free(line);
    (void)fclose(file);
    if (!any) {
        print_message("does not fire its rule: %s\n", path);
    }
    return any;
}

static void test_regression(void **state)
{
    (void)state;
    char dir[4096], path[8192];
    if (sigma == NULL || hd_test_shared("sigma-regression") == NULL) {
        hd_test_skip("no regression events");
    }
    (void)snprintf(dir, sizeof(dir), "%s", hd_test_shared("sigma-regression"));
    hd_buf_init(&arena, 64U << 10);
    DIR *entries = opendir(dir);
    unsigned files = 0, good = 0;
    assert_non_null(entries);
    for (struct dirent *e = readdir(entries); e != NULL; e = readdir(entries)) {
        if (strstr(e->d_name, ".jsonl") != NULL) {
            (void)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
            files++;
            good += replay(path);
        }
    }
    (void)closedir(entries);
    hd_buf_fini(&arena);
    print_message("%u of %u files fire their rule; other hits: %u\n", good, files,
                  others);
    assert_int_equal(good, files);
}

/* ---- differential: events made from the rules ---- */

static uint64_t seed = 88172645463325252U;

static uint32_t dice(uint32_t sides)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 33) % sides;
}

struct maker {
    struct oracle_event event;
    struct hd_buf text; /* never grows beyond its first reservation: views stay */
    char names[ORACLE_FIELDS_MAX][128];
};

/* A text that the written value may match: wildcards filled, case shuffled, sometimes a
 * byte changed, sometimes something around it. */
static struct hd_slice make_text(struct maker *m, const char *value, bool around)
{
    static const char *const fillers[] = {
        "", "x", "/", " -", "\\a.exe", "\xe1\xba\xa1", "C:\\"};
    size_t from = m->text.len;
    if (around && dice(2) == 0) {
        hd_buf_str(&m->text, fillers[dice(7)]);
    }
    for (const char *c = value; *c != 0; c++) {
        bool escaped = c[0] == '\\' && c[1] != 0 && strchr("*?\\", c[1]) != NULL;
        if (escaped) {
            c++;
        } else if (*c == '*') {
            hd_buf_str(&m->text, fillers[dice(7)]);
            continue;
        } else if (*c == '?') {
            hd_buf_str(&m->text, dice(2) ? "y" : "\xe1\xba\xa1");
            continue;
        }
        uint8_t byte = (uint8_t)*c;
        byte = hd_is_alpha(byte) && dice(3) == 0 ? byte ^ 0x20 : byte;
        hd_buf_byte(&m->text, dice(400) == 0 ? (uint8_t)('a' + dice(26)) : byte);
    }
    if (around && dice(2) == 0) {
        hd_buf_str(&m->text, fillers[dice(7)]);
    }
    return hd_slice(m->text.ptr + from, m->text.len - from);
}

static struct hd_slice fold_view(struct maker *m, struct hd_slice s)
{
    size_t from = m->text.len;
    hd_utf8_fold(&m->text, s);
    return hd_slice(m->text.ptr + from, m->text.len - from);
}

static void add_field(struct maker *m, const char *key, const char *value)
{
    char name[128];
    size_t n = strcspn(key, "|");
    if (m->event.n == ORACLE_FIELDS_MAX || n >= sizeof(name) || m->text.len > 200000 ||
        strlen(value) > 2000 || strstr(key, "|re") != NULL ||
        (strstr(key, "|exists") != NULL)) {
        return;
    }
    memcpy(name, key, n);
    name[n] = 0;
    if (n == 0) {
        (void)snprintf(name, sizeof(name), "message");
    }
    size_t at = 0;
    while (at < m->event.n && strcmp(m->event.fields[at].name, name) != 0) {
        at++;
    }
    if (at < m->event.n && dice(3) != 0) {
        return; /* mostly the first value stays */
    }
    struct hd_slice text = make_text(m, value, strchr(key, '|') != NULL || n == 0);
    if (at < m->event.n && dice(2) == 0) { /* several values in one: "contains all" */
        struct hd_slice old = m->event.fields[at].text.raw;
        size_t from = m->text.len;
        hd_buf_slice_add(&m->text, old);
        hd_buf_slice_add(&m->text, text);
        text = hd_slice(m->text.ptr + from, m->text.len - from);
    }
    if (at == m->event.n) {
        (void)snprintf(m->names[at], sizeof(m->names[at]), "%s", name);
        m->event.fields[at].name = m->names[at];
        m->event.fields[at].outside = true;
        m->event.n++;
    }
    m->event.fields[at].text.raw = text;
    m->event.fields[at].text.folded = fold_view(m, text);
}

static void maybe_add(void *ctx, const char *key, const char *value)
{
    if (dice(4) != 0) {
        add_field(ctx, key, value);
    }
}

static bool covers(const struct oracle_rule *rule, const struct rul_logsource *event)
{
    const char *const parts[] = {"product", "category", "service"};
    const struct hd_slice have[] = {event->product, event->category, event->service};
    for (size_t i = 0; i < 3; i++) {
        const char *want = oracle_logsource(rule, parts[i]);
        if (want[0] != 0 && !hd_slice_eq_nocase(hd_slice_str(want), have[i])) {
            return false;
        }
    }
    return true;
}

/* Does every filter that is joined to the rule let its hit stand? */
static bool stands(size_t rule, const struct oracle_event *event)
{
    const struct rul_logsource source = {
        hd_slice_str(oracle_logsource(oracles[rule], "product")),
        hd_slice_str(oracle_logsource(oracles[rule], "category")),
        hd_slice_str(oracle_logsource(oracles[rule], "service"))};
    for (size_t i = 0; i < n_filters; i++) {
        if (covers(filters[i], &source) && !oracle_matches(filters[i], event)) {
            return false;
        }
    }
    return true;
}

static uint8_t engine_says[RULES_MAX];

static void note_hit(void *ctx, const struct rul_rule *rule, const struct rul_event *ev)
{
    (void)ctx;
    (void)ev;
    engine_says[rule->index] = 1;
}

static void report_difference(const struct maker *m, size_t i, bool oracle_says)
{
    for (size_t k = 0; k < m->event.n; k++) {
        print_message("  %s = '%.*s'\n", m->event.fields[k].name,
                      HD_SLICE_FMT(m->event.fields[k].text.raw));
    }
    fail_msg("%s: the oracle says %d, the engine %d", rules[i]->file, oracle_says,
             engine_says[rules[i]->index]);
}

/* Hits of one event made from rule `i`, perhaps with values of a second one. */
static unsigned compare_one(struct maker *m, size_t i)
{
    const struct rul_logsource source = {
        hd_slice_str(oracle_logsource(oracles[i], "product")),
        hd_slice_str(oracle_logsource(oracles[i], "category")),
        hd_slice_str(oracle_logsource(oracles[i], "service"))};
    unsigned hits = 0;
    hd_buf_clear(&m->text);
    m->event.n = 0;
    m->event.line = (struct oracle_text){HD_SLICE_EMPTY, HD_SLICE_EMPTY};
    oracle_values(oracles[i], maybe_add, m);
    if (dice(2) == 0) {
        oracle_values(oracles[dice((uint32_t)n_oracles)], maybe_add, m);
    }
    assert_int_equal(m->text.err, 0);
    rul_event_clear(kit.ev);
    kit.ev->raw = HD_SLICE_EMPTY;
    kit.ev->class_id = rul_set_class_of(kit.set, &source);
    for (size_t k = 0; k < m->event.n; k++) {
        uint16_t id = rul_fields_find(rul_set_fields(kit.set),
                                      hd_slice_str(m->event.fields[k].name));
        assert_int_not_equal(id, RUL_FIELD_NONE);
        rul_event_set(kit.ev, id, m->event.fields[k].text.raw);
    }
    memset(engine_says, 0, sizeof(engine_says));
    rul_match(kit.set, kit.scratch, kit.ev, note_hit, NULL);
    for (size_t k = 0; k < n_oracles; k++) {
        bool says = covers(oracles[k], &source) &&
                    oracle_matches(oracles[k], &m->event) && stands(k, &m->event);
        hits += says;
        if (says != (engine_says[rules[k]->index] != 0)) {
            report_difference(m, k, says);
        }
    }
    return hits;
}

static void compare_many(uint32_t events)
{
    static struct maker maker;
    const char *given = getenv("HD_ORACLE_EVENTS");
    if (given != NULL) {
        assert_int_equal(hd_num_u32(hd_slice_str(given), UINT32_MAX, &events), 0);
    }
    hd_buf_init(&maker.text, 4U << 20);
    assert_non_null(hd_buf_reserve(&maker.text, 4U << 20));
    unsigned hits = 0;
    for (uint32_t i = 0; i < events; i++) {
        hits += compare_one(&maker, dice((uint32_t)n_oracles));
    }
    hd_buf_fini(&maker.text);
    print_message("%u events, %u hits, no difference\n", events, hits);
    assert_true(hits > events / 4);
}

static void test_differential(void **state)
{
    (void)state;
    if (sigma == NULL) {
        hd_test_skip("no public rules");
    }
    compare_many(400);
}

/* The same with filters joined to thousands of rules. Last: it loads the set anew. */
static void test_filters(void **state)
{
    (void)state;
    if (sigma == NULL) {
        hd_test_skip("no public rules");
    }
    static const char *const files[] = {"processes", "windows", "kept"};
    char dir[4096], path[4200], placeholders[4096];
    (void)snprintf(dir, sizeof(dir), "%s", hd_test_source(FILTERS));
    (void)snprintf(placeholders, sizeof(placeholders), "%s",
                   hd_test_source(PLACEHOLDERS));
    const char *paths[] = {hd_test_shared("sigma"), dir};
    const struct rul_set_opts opts = {.rules = paths,
                                      .n_rules = 2,
                                      .placeholders_dir = placeholders,
                                      .no_self_test = true};
    kit_free(&kit);
    kit_load_path_with(&kit, NULL, &opts);
    assert_int_equal(kit.errors, 0);
    assert_int_equal(rul_set_filters(kit.set), 3);
    for (n_filters = 0; n_filters < 3; n_filters++) {
        (void)snprintf(path, sizeof(path), "%s/%s.yml", dir, files[n_filters]);
        filters[n_filters] = oracle_load_filter(path);
    }
    for (size_t i = 0; i < n_oracles; i++) {
        rules[i] = rul_set_find(kit.set, hd_slice_str(oracle_id(oracles[i])));
        assert_non_null(rules[i]);
    }
    compare_many(200);
    for (size_t i = 0; i < n_filters; i++) {
        const struct rul_filter *filter = rul_set_filter(kit.set, i);
        print_message("%s: %u rules, %llu hits held back\n", filter->title,
                      filter->n_rules, (unsigned long long)rul_set_held_back(kit.set, i));
        assert_true(filter->n_rules > 100 && rul_set_held_back(kit.set, i) > 0);
        oracle_free(filters[i]);
    }
    n_filters = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loads),      cmocka_unit_test(test_refused),
        cmocka_unit_test(test_regression), cmocka_unit_test(test_differential),
        cmocka_unit_test(test_filters),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
