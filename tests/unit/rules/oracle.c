/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/rules/oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <yaml.h>

#include <haidang/buf.h>
#include <haidang/inet.h>
#include <haidang/num.h>
#include <haidang/utf8.h>

#include "tests/support/support.h"
#include "tests/unit/rules/oracle_text.h"

#define DASHES 5

struct oracle_rule {
    yaml_document_t doc;
};

struct query { /* one key of a detection */
    const struct oracle_rule *rule;
    const struct oracle_event *event;
    char field[256];
    char mods[8][16];
    size_t n_mods;
};

/* ---- tree ---- */

static yaml_node_t *node_at(const struct oracle_rule *rule, int index)
{
    return yaml_document_get_node((yaml_document_t *)(uintptr_t)&rule->doc, index);
}

static yaml_node_t *root_of(const struct oracle_rule *rule)
{
    return yaml_document_get_root_node((yaml_document_t *)(uintptr_t)&rule->doc);
}

static const char *text_of(const yaml_node_t *node)
{
    return (const char *)node->data.scalar.value;
}

static yaml_node_t *member(const struct oracle_rule *rule, const yaml_node_t *map,
                           const char *key)
{
    if (map == NULL || map->type != YAML_MAPPING_NODE) {
        return NULL;
    }
    for (yaml_node_pair_t *p = map->data.mapping.pairs.start;
         p < map->data.mapping.pairs.top; p++) {
        if (strcmp(text_of(node_at(rule, p->key)), key) == 0) {
            return node_at(rule, p->value);
        }
    }
    return NULL;
}

static struct oracle_rule *load_document(const char *path)
{
    yaml_parser_t parser;
    FILE *file = fopen(path, "rb");
    struct oracle_rule *rule = calloc(1, sizeof(*rule));
    assert_non_null(file);
    assert_non_null(rule);
    assert_true(yaml_parser_initialize(&parser));
    yaml_parser_set_input_file(&parser, file);
    assert_true(yaml_parser_load(&parser, &rule->doc));
    yaml_parser_delete(&parser);
    (void)fclose(file);
    return rule;
}

struct oracle_rule *oracle_load(const char *path)
{
    struct oracle_rule *rule = load_document(path);
    if (member(rule, root_of(rule), "detection") == NULL) {
        oracle_free(rule);
        return NULL;
    }
    return rule;
}

struct oracle_rule *oracle_load_filter(const char *path)
{
    struct oracle_rule *rule = load_document(path);
    assert_non_null(member(rule, root_of(rule), "filter"));
    return rule;
}

/* The map of searches: a filter's has its `rules` besides. */
static yaml_node_t *searches_of(const struct oracle_rule *rule)
{
    yaml_node_t *detection = member(rule, root_of(rule), "detection");
    return detection != NULL ? detection : member(rule, root_of(rule), "filter");
}

/* lint: global -- the values of the site are the same for every rule of a test */
static struct oracle_rule *site;

void oracle_placeholders(const char *path)
{
    if (site != NULL) {
        oracle_free(site);
    }
    site = path == NULL ? NULL : load_document(path);
}

void oracle_free(struct oracle_rule *rule)
{
    yaml_document_delete(&rule->doc);
    free(rule);
}

const char *oracle_id(const struct oracle_rule *rule)
{
    return text_of(member(rule, root_of(rule), "id"));
}

const char *oracle_logsource(const struct oracle_rule *rule, const char *part)
{
    yaml_node_t *node = member(rule, member(rule, root_of(rule), "logsource"), part);
    return node == NULL ? "" : text_of(node);
}

/* ---- values ---- */

static bool has_mod(const struct query *q, const char *mod)
{
    for (size_t i = 0; i < q->n_mods; i++) {
        if (strcmp(q->mods[i], mod) == 0) {
            return true;
        }
    }
    return false;
}

/* "\*" "\?" "\\" are characters, a bare * or ? is a wildcard. */
static void read_symbols(const yaml_node_t *value, struct symbols *out)
{
    const uint8_t *s = value->data.scalar.value;
    size_t len = value->data.scalar.length;
    out->n = 0;
    for (size_t i = 0; i < len; i++) {
        bool escapes = s[i] == '\\' && i + 1 < len &&
                       (s[i + 1] == '*' || s[i + 1] == '?' || s[i + 1] == '\\');
        assert_true(out->n < TEXT_MAX - 2);
        out->at[out->n++] = escapes       ? s[++i]
                            : s[i] == '*' ? MANY
                            : s[i] == '?' ? ONE
                                          : s[i];
    }
}

/* Folds the runs of bytes between wildcards. */
static void fold_symbols(struct symbols *s)
{
    bool ascii = true;
    for (size_t i = 0; i < s->n; i++) {
        ascii &= s->at[i] < 0x80 || s->at[i] > 255;
        s->at[i] = s->at[i] < 0x80 ? hd_lower((uint8_t)s->at[i]) : s->at[i];
    }
    if (ascii) {
        return;
    }
    static struct symbols out;
    struct hd_buf run, low;
    hd_buf_init(&run, 0);
    hd_buf_init(&low, 0);
    out.n = 0;
    for (size_t i = 0; i <= s->n; i++) {
        if (i < s->n && s->at[i] < 256) {
            hd_buf_byte(&run, (uint8_t)s->at[i]);
            continue;
        }
        hd_utf8_fold(&low, hd_buf_slice(&run));
        for (size_t k = 0; k < low.len; k++) {
            out.at[out.n++] = low.ptr[k];
        }
        hd_buf_clear(&run);
        hd_buf_clear(&low);
        if (i < s->n) {
            out.at[out.n++] = s->at[i];
        }
    }
    *s = out;
    hd_buf_fini(&run);
    hd_buf_fini(&low);
}

/* Backtracking, as one would write it on paper. */
static bool glob(const uint16_t *p, const uint16_t *end, struct hd_slice text)
{
    while (p < end && *p < 256) {
        if (text.len == 0 || text.ptr[0] != *p) {
            return false;
        }
        text = hd_slice_from(text, 1);
        p++;
    }
    if (p == end) {
        return text.len == 0;
    }
    if (*p == ONE) {
        size_t step = hd_utf8_step(text);
        return text.len > 0 && glob(p + 1, end, hd_slice_from(text, step ? step : 1));
    }
    while (p < end && *p == MANY) {
        p++;
    }
    if (p == end) {
        return true;
    }
    for (size_t i = 0; i <= text.len; i++) {
        if ((*p > 255 || (i < text.len && text.ptr[i] == *p)) &&
            glob(p, end, hd_slice_from(text, i))) {
            return true;
        }
    }
    return false;
}

/* ---- one comparison ---- */

static const struct oracle_text *find_field(const struct oracle_event *e,
                                            const char *name)
{
    for (size_t i = 0; i < e->n; i++) {
        if (strcmp(e->fields[i].name, name) == 0) {
            return &e->fields[i].text;
        }
    }
    return NULL;
}

typedef bool (*compare_fn)(const void *ctx, const struct oracle_text *text);

/* The field, or for a keyword every text of the event. */
static bool any_text(const struct query *q, compare_fn compare, const void *ctx)
{
    if (q->field[0] != 0) {
        const struct oracle_text *text = find_field(q->event, q->field);
        return text != NULL && compare(ctx, text);
    }
    if (q->event->line.raw.len > 0 && compare(ctx, &q->event->line)) {
        return true;
    }
    for (size_t i = 0; i < q->event->n; i++) {
        if (q->event->fields[i].outside && compare(ctx, &q->event->fields[i].text)) {
            return true;
        }
    }
    return false;
}

struct glob_ctx {
    const struct symbols *symbols;
    bool cased;
};

static bool compare_glob(const void *ctx, const struct oracle_text *text)
{
    const struct glob_ctx *g = ctx;
    return glob(g->symbols->at, g->symbols->at + g->symbols->n,
                g->cased ? text->raw : text->folded);
}

static bool compare_re(const void *ctx, const struct oracle_text *text)
{
    struct hd_slice value = text->raw;
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    int rc =
        pcre2_match((const pcre2_code *)ctx, value.ptr ? value.ptr : (const uint8_t *)"",
                    value.len, 0, 0, data, NULL);
    pcre2_match_data_free(data);
    return rc >= 0;
}

static bool compare_cidr(const void *ctx, const struct oracle_text *text)
{
    struct hd_cidr net;
    struct hd_ip ip;
    assert_int_equal(hd_cidr_parse(hd_slice_str(ctx), &net), 0);
    return hd_ip_parse(text->raw, &ip) == 0 && hd_cidr_has(&net, &ip);
}

static bool eval_re(const struct query *q, const yaml_node_t *value)
{
    int error = 0;
    size_t offset = 0;
    uint32_t options = 0;
    options |= has_mod(q, "i") ? PCRE2_CASELESS : 0;
    options |= has_mod(q, "m") ? PCRE2_MULTILINE : 0;
    options |= has_mod(q, "s") ? PCRE2_DOTALL : 0;
    pcre2_code *code = pcre2_compile(value->data.scalar.value, value->data.scalar.length,
                                     options, &error, &offset, NULL);
    assert_non_null(code);
    bool ok = any_text(q, compare_re, code);
    pcre2_code_free(code);
    return ok;
}

static const char *part_of(const struct query *q)
{
    static const char *const parts[] = {"minute", "hour", "day", "week", "month", "year"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (has_mod(q, parts[i])) {
            return parts[i];
        }
    }
    return NULL;
}

static bool eval_number(const struct query *q, const yaml_node_t *value)
{
    const struct oracle_text *have = find_field(q->event, q->field);
    const char *part = part_of(q);
    double a = 0, b = 0;
    assert_int_equal(hd_num_double(hd_slice_str(text_of(value)), &b), 0);
    if (have == NULL || (part == NULL ? hd_num_double(have->raw, &a) != 0
                                      : !oracle_time_part(have->raw, part, &a))) {
        return false;
    }
    return has_mod(q, "lt")    ? a < b
           : has_mod(q, "lte") ? a <= b
           : has_mod(q, "gt")  ? a > b
           : has_mod(q, "gte") ? a >= b
                               : a >= b && a <= b;
}

static bool eval_reference(const struct query *q, const yaml_node_t *value)
{
    const struct oracle_text *a = find_field(q->event, q->field);
    const struct oracle_text *b = find_field(q->event, text_of(value));
    if (a == NULL || b == NULL) {
        return false;
    }
    struct hd_slice x = has_mod(q, "cased") ? a->raw : a->folded;
    struct hd_slice y = has_mod(q, "cased") ? b->raw : b->folded;
    return has_mod(q, "contains")     ? hd_slice_find(x, y) != HD_NPOS
           : has_mod(q, "startswith") ? hd_slice_starts(x, y)
           : has_mod(q, "endswith")   ? hd_slice_ends(x, y)
                                      : hd_slice_eq(x, y);
}

/* ---- expansions, each form tried in turn ---- */

static bool eval_forms(const struct query *q, struct symbols *s, size_t mod);

static bool is_word(uint16_t c)
{
    return c < 256 && (hd_is_alnum((uint8_t)c) || c == '_' || c >= 0x80);
}

/* Replaces the first dash at or after `from` by each of its forms. */
static bool eval_dashes(const struct query *q, struct symbols *s, size_t from, size_t mod)
{
    static const char *const forms[DASHES] = {"-", "/", "\xe2\x80\x93", "\xe2\x80\x94",
                                              "\xe2\x80\x95"};
    for (size_t i = from; i < s->n; i++) {
        bool dash = (s->at[i] == '-' || s->at[i] == '/') &&
                    (i == 0 || !is_word(s->at[i - 1])) && i + 1 < s->n &&
                    is_word(s->at[i + 1]);
        if (!dash) {
            continue;
        }
        bool ok = false;
        for (size_t f = 0; f < DASHES && !ok; f++) {
            struct symbols *t = malloc(sizeof(*t));
            assert_non_null(t);
            size_t len = strlen(forms[f]);
            memcpy(t->at, s->at, i * sizeof(s->at[0]));
            for (size_t k = 0; k < len; k++) {
                t->at[i + k] = (uint8_t)forms[f][k];
            }
            memcpy(t->at + i + len, s->at + i + 1, (s->n - i - 1) * sizeof(s->at[0]));
            t->n = s->n - 1 + len;
            ok = eval_dashes(q, t, i + len, mod);
            free(t);
        }
        return ok;
    }
    return eval_forms(q, s, mod + 1);
}

static bool eval_placeholders(const struct query *q, const struct symbols *s, size_t from,
                              size_t mod);

/* The text with one value in the place of [at, end), the rest still to be done. */
static bool eval_inserted(const struct query *q, const struct symbols *s, size_t at,
                          size_t end, const yaml_node_t *value, size_t mod)
{
    struct symbols *t = malloc(sizeof(*t)), *in = malloc(sizeof(*in));
    assert_non_null(t);
    assert_non_null(in);
    read_symbols(value, in);
    memcpy(t->at, s->at, at * sizeof(s->at[0]));
    memcpy(t->at + at, in->at, in->n * sizeof(s->at[0]));
    memcpy(t->at + at + in->n, s->at + end, (s->n - end) * sizeof(s->at[0]));
    t->n = s->n - (end - at) + in->n;
    bool ok = eval_placeholders(q, t, at + in->n, mod);
    free(in);
    free(t);
    return ok;
}

/* Any value of the site for the first "%name%" at or after `from`. */
static bool eval_placeholders(const struct query *q, const struct symbols *s, size_t from,
                              size_t mod)
{
    for (size_t at = from; at < s->n; at++) {
        char name[64];
        size_t n = 0;
        while (s->at[at] == '%' && at + 1 + n < s->n && s->at[at + 1 + n] != '%' &&
               n < sizeof(name) - 1) {
            name[n] = (char)s->at[at + 1 + n];
            n++;
        }
        name[n] = 0;
        const yaml_node_t *values = n == 0 ? NULL : member(site, root_of(site), name);
        if (values == NULL) {
            continue;
        }
        size_t end = at + n + 2;
        if (values->type == YAML_SCALAR_NODE) {
            return eval_inserted(q, s, at, end, values, mod);
        }
        bool ok = false;
        for (yaml_node_item_t *i = values->data.sequence.items.start;
             i < values->data.sequence.items.top && !ok; i++) {
            ok = eval_inserted(q, s, at, end, node_at(site, *i), mod);
        }
        return ok;
    }
    struct symbols *t = malloc(sizeof(*t));
    assert_non_null(t);
    *t = *s;
    bool ok = eval_forms(q, t, mod + 1);
    free(t);
    return ok;
}

static bool eval_offsets(const struct query *q, const struct symbols *s, size_t mod)
{
    bool ok = false;
    for (size_t shift = 0; shift < 3 && !ok; shift++) {
        struct symbols *t = malloc(sizeof(*t));
        assert_non_null(t);
        *t = *s;
        oracle_to_base64(t, shift, true);
        ok = eval_forms(q, t, mod + 1);
        free(t);
    }
    return ok;
}

static void surround(struct symbols *s, bool front, bool back)
{
    if (front) {
        memmove(s->at + 1, s->at, s->n * sizeof(s->at[0]));
        s->at[0] = MANY;
        s->n++;
    }
    if (back) {
        s->at[s->n++] = MANY;
    }
}

/* Applies the modifiers from `mod` on, then compares. */
static bool eval_forms(const struct query *q, struct symbols *s, size_t mod)
{
    for (; mod < q->n_mods; mod++) {
        const char *name = q->mods[mod];
        if (strcmp(name, "expand") == 0) {
            return eval_placeholders(q, s, 0, mod);
        } else if (strcmp(name, "windash") == 0) {
            return eval_dashes(q, s, 0, mod);
        } else if (strcmp(name, "base64offset") == 0) {
            return eval_offsets(q, s, mod);
        } else if (strcmp(name, "base64") == 0) {
            oracle_to_base64(s, 0, false);
        } else if (strcmp(name, "wide") == 0 || strncmp(name, "utf16", 5) == 0) {
            oracle_to_wide(s, strcmp(name, "utf16") == 0, strcmp(name, "utf16be") == 0);
        } else if (strcmp(name, "contains") == 0) {
            surround(s, true, true);
        } else if (strcmp(name, "startswith") == 0) {
            surround(s, false, true);
        } else if (strcmp(name, "endswith") == 0) {
            surround(s, true, false);
        }
    }
    if (q->field[0] == 0) {
        surround(s, true, true);
    }
    bool cased = has_mod(q, "cased");
    if (!cased) {
        fold_symbols(s);
    }
    const struct glob_ctx ctx = {s, cased};
    return any_text(q, compare_glob, &ctx);
}

static bool is_null(const yaml_node_t *value)
{
    const char *t = text_of(value);
    return value->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (t[0] == 0 || strcmp(t, "~") == 0 || strcmp(t, "null") == 0);
}

static bool eval_value(const struct query *q, const yaml_node_t *value)
{
    static struct symbols s;
    assert_int_equal(value->type, YAML_SCALAR_NODE);
    if (has_mod(q, "re")) {
        return eval_re(q, value);
    }
    if (is_null(value)) {
        return find_field(q->event, q->field) == NULL;
    }
    if (has_mod(q, "cidr")) {
        return any_text(q, compare_cidr, text_of(value));
    }
    if (has_mod(q, "exists")) {
        return (find_field(q->event, q->field) != NULL) ==
               (strcmp(text_of(value), "true") == 0);
    }
    if (has_mod(q, "lt") || has_mod(q, "lte") || has_mod(q, "gt") || has_mod(q, "gte") ||
        part_of(q) != NULL) {
        return eval_number(q, value);
    }
    if (has_mod(q, "fieldref")) {
        return eval_reference(q, value);
    }
    read_symbols(value, &s);
    return eval_forms(q, &s, 0);
}

/* ---- keys, searches ---- */

static void split_key(const char *key, struct query *q)
{
    size_t n = 0;
    q->field[0] = 0;
    q->n_mods = 0;
    for (const char *at = key; *at != 0 && *at != '|'; at++) {
        if (*at != ' ') {
            q->field[n++] = *at;
            q->field[n] = 0;
        }
    }
    for (const char *bar = strchr(key, '|'); bar != NULL; bar = strchr(bar + 1, '|')) {
        size_t len = strcspn(bar + 1, "|");
        assert_true(len < sizeof(q->mods[0]) && q->n_mods < 8);
        memcpy(q->mods[q->n_mods], bar + 1, len);
        q->mods[q->n_mods++][len] = 0;
    }
}

static bool eval_key(struct query *q, const yaml_node_t *value)
{
    bool result = false;
    if (value->type == YAML_SCALAR_NODE) {
        result = eval_value(q, value);
    } else {
        bool all = has_mod(q, "all");
        result = all;
        for (yaml_node_item_t *i = value->data.sequence.items.start;
             i < value->data.sequence.items.top; i++) {
            bool one = eval_value(q, node_at(q->rule, *i));
            result = all ? result && one : result || one;
        }
    }
    return has_mod(q, "neq") ? !result : result;
}

static bool eval_search(struct query *q, const yaml_node_t *node)
{
    if (node->type == YAML_MAPPING_NODE) {
        for (yaml_node_pair_t *p = node->data.mapping.pairs.start;
             p < node->data.mapping.pairs.top; p++) {
            split_key(text_of(node_at(q->rule, p->key)), q);
            if (!eval_key(q, node_at(q->rule, p->value))) {
                return false;
            }
        }
        return true;
    }
    if (node->type == YAML_SEQUENCE_NODE) {
        for (yaml_node_item_t *i = node->data.sequence.items.start;
             i < node->data.sequence.items.top; i++) {
            if (eval_search(q, node_at(q->rule, *i))) {
                return true;
            }
        }
        return false;
    }
    split_key("", q);
    return eval_value(q, node);
}

/* ---- condition, by recursive descent over the text ---- */

struct reading {
    struct query *q;
    const yaml_node_t *detection;
    const char *at;
};

static bool read_or(struct reading *r);

static void next_word(const char **at, char word[256])
{
    size_t n = 0;
    *at += strspn(*at, " \t\n");
    if (**at == '(' || **at == ')') {
        word[n++] = *(*at)++;
    } else {
        while (**at != 0 && strchr(" \t\n()", **at) == NULL) {
            assert_true(n < 255);
            word[n++] = *(*at)++;
        }
    }
    word[n] = 0;
}

static bool peek(const struct reading *r, const char *expected)
{
    char word[256];
    const char *at = r->at;
    next_word(&at, word);
    return strcmp(word, expected) == 0;
}

static bool like(const char *pattern, const char *name)
{
    if (*pattern == 0) {
        return *name == 0;
    }
    if (*pattern == '*') {
        return like(pattern + 1, name) || (*name != 0 && like(pattern, name + 1));
    }
    return *pattern == *name && like(pattern + 1, name + 1);
}

static bool eval_selected(struct reading *r, bool all, const char *pattern)
{
    bool result = all;
    for (yaml_node_pair_t *p = r->detection->data.mapping.pairs.start;
         p < r->detection->data.mapping.pairs.top; p++) {
        const char *name = text_of(node_at(r->q->rule, p->key));
        bool hidden = name[0] == '_' && pattern[0] != '_';
        bool chosen = !hidden && (strcmp(pattern, "them") == 0 || like(pattern, name));
        if (!chosen || strcmp(name, "condition") == 0 || strcmp(name, "rules") == 0) {
            continue;
        }
        bool one = eval_search(r->q, node_at(r->q->rule, p->value));
        result = all ? result && one : result || one;
    }
    return result;
}

static bool read_primary(struct reading *r)
{
    char word[256], pattern[256];
    next_word(&r->at, word);
    if (strcmp(word, "not") == 0) {
        return !read_primary(r);
    }
    if (strcmp(word, "(") == 0) {
        bool value = read_or(r);
        next_word(&r->at, word);
        assert_string_equal(word, ")");
        return value;
    }
    if (peek(r, "of")) {
        next_word(&r->at, pattern);
        next_word(&r->at, pattern);
        assert_true(strcmp(word, "1") == 0 || strcmp(word, "all") == 0);
        return eval_selected(r, strcmp(word, "all") == 0, pattern);
    }
    yaml_node_t *search = member(r->q->rule, r->detection, word);
    assert_non_null(search);
    return eval_search(r->q, search);
}

static bool read_and(struct reading *r)
{
    bool value = read_primary(r);
    while (peek(r, "and")) {
        char word[256];
        next_word(&r->at, word);
        bool right = read_primary(r);
        value = value && right;
    }
    return value;
}

static bool read_or(struct reading *r)
{
    bool value = read_and(r);
    while (peek(r, "or")) {
        char word[256];
        next_word(&r->at, word);
        bool right = read_and(r);
        value = value || right;
    }
    return value;
}

static bool eval_condition(struct reading *r, const yaml_node_t *condition)
{
    r->at = text_of(condition);
    bool value = read_or(r);
    assert_int_equal(r->at[strspn(r->at, " \n")], 0);
    return value;
}

bool oracle_matches(const struct oracle_rule *rule, const struct oracle_event *event)
{
    struct query q = {.rule = rule, .event = event};
    struct reading r = {.q = &q, .detection = searches_of(rule)};
    yaml_node_t *condition = member(rule, r.detection, "condition");
    if (condition->type == YAML_SCALAR_NODE) {
        return eval_condition(&r, condition);
    }
    bool any = false;
    for (yaml_node_item_t *i = condition->data.sequence.items.start;
         i < condition->data.sequence.items.top; i++) {
        any |= eval_condition(&r, node_at(rule, *i));
    }
    return any;
}

/* ---- for making events ---- */

static void each_value(const struct oracle_rule *rule, const char *key,
                       const yaml_node_t *node, oracle_each each, void *ctx)
{
    if (node->type == YAML_SCALAR_NODE) {
        each(ctx, key, text_of(node));
    } else if (node->type == YAML_SEQUENCE_NODE) {
        for (yaml_node_item_t *i = node->data.sequence.items.start;
             i < node->data.sequence.items.top; i++) {
            each_value(rule, key, node_at(rule, *i), each, ctx);
        }
    } else {
        for (yaml_node_pair_t *p = node->data.mapping.pairs.start;
             p < node->data.mapping.pairs.top; p++) {
            each_value(rule, text_of(node_at(rule, p->key)), node_at(rule, p->value),
                       each, ctx);
        }
    }
}

void oracle_values(const struct oracle_rule *rule, oracle_each each, void *ctx)
{
    const yaml_node_t *detection = member(rule, root_of(rule), "detection");
    for (yaml_node_pair_t *p = detection->data.mapping.pairs.start;
         p < detection->data.mapping.pairs.top; p++) {
        if (strcmp(text_of(node_at(rule, p->key)), "condition") != 0) {
            each_value(rule, "", node_at(rule, p->value), each, ctx);
        }
    }
}
