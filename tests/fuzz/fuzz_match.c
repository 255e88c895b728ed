/* SPDX-License-Identifier: Apache-2.0
 *
 * Target functions: rul_program_build with databases, rul_match. The input steers the
 * making of a rule and of events over a small alphabet; what rul_match says through
 * access sets, databases and candidates must be what plain evaluation of the rule says.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/buf.h>

#include "rules/match/scratch.h"

#define FIELDS 3
#define EVENTS 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *at;
    size_t left;
};

static unsigned pick(struct input *in, unsigned n)
{
    if (in->left == 0) {
        return 0;
    }
    in->left--;
    return *in->at++ % n;
}

static void put_text(struct input *in, struct hd_buf *out, bool wild)
{
    static const char *const pieces[] = {
        "a", "b", "A", "bb", "\xc3\xa9", " ", "-x", "\\\\", "e\xcc\x81", "*", "?", "\\*"};
    unsigned n = pick(in, 6);
    for (unsigned i = 0; i < n; i++) {
        hd_buf_str(out, pieces[pick(in, wild ? 12 : 9)]);
    }
}

static void put_values(struct input *in, struct hd_buf *out)
{
    unsigned n = 1 + pick(in, 3);
    hd_buf_str(out, ": [");
    for (unsigned i = 0; i < n; i++) {
        hd_buf_str(out, i == 0 ? "'" : ", '");
        put_text(in, out, true);
        hd_buf_byte(out, '\'');
    }
    hd_buf_str(out, "]\n");
}

static void put_search(struct input *in, struct hd_buf *out, unsigned index)
{
    static const char *const mods[] = {
        "",          "|contains",       "|startswith",
        "|endswith", "|contains|all",   "|contains|windash",
        "|cased",    "|contains|cased", "|neq"};
    unsigned n = 1 + pick(in, 2), first = pick(in, FIELDS);
    hd_buf_printf(out, "  s%u:\n", index);
    for (unsigned i = 0; i < n; i++) {
        unsigned kind = pick(in, 14);
        hd_buf_printf(out, "    F%u", (first + i) % FIELDS);
        if (kind < 9) {
            hd_buf_str(out, mods[kind]);
            put_values(in, out);
        } else if (kind == 9) {
            hd_buf_str(out, ": null\n");
        } else if (kind == 10) {
            hd_buf_printf(out, "|fieldref|contains: F%u\n", pick(in, FIELDS));
        } else if (kind == 11) {
            hd_buf_str(out, "|re: ['a.b', '^b+$', '(?<!a)b']\n");
        } else if (kind == 12) {
            hd_buf_str(out, "|gte: 1\n");
        } else {
            hd_buf_str(out, "|exists: true\n");
        }
    }
}

static void put_rule(struct input *in, struct hd_buf *out)
{
    static const char *const conditions[] = {
        "s0",           "s0 and s1",        "s0 or s1",          "s0 and not s1",
        "not s0",       "1 of s*",          "all of s*",         "2 of s*",
        "not 1 of s*",  "not (s0 and s1)",  "not (not s0)",      "s2 and (s0 or s1)",
        "s0 or not s1", "not all of them",  "not 2 of them",     "k or s0",
        "k and not s0", "(s0 or k) and s1", "not (not s0 or s1)"};
    hd_buf_str(out, "title: t\nlogsource: {product: p}\ndetection:\n  k: ['");
    put_text(in, out, false);
    hd_buf_str(out, "b']\n");
    for (unsigned i = 0; i < 3; i++) {
        put_search(in, out, i);
    }
    hd_buf_printf(out, "  condition: %s\n", conditions[pick(in, 19)]);
}

static void on_hit(void *ctx, const struct rul_rule *rule, const struct rul_event *ev)
{
    (void)rule;
    (void)ev;
    *(bool *)ctx = true;
}

static void run_event(struct input *in, const struct rul_set *set,
                      struct rul_scratch *scratch, struct rul_event *ev)
{
    struct hd_buf texts[FIELDS];
    rul_event_clear(ev);
    ev->class_id = 1;
    for (unsigned i = 0; i < FIELDS; i++) {
        char name[4];
        (void)snprintf(name, sizeof(name), "F%u", i);
        uint16_t id = rul_fields_find(set->fields, hd_slice_str(name));
        hd_buf_init(&texts[i], 0);
        put_text(in, &texts[i], false);
        if (id != RUL_FIELD_NONE && pick(in, 4) != 0) {
            rul_event_set(ev, id, hd_buf_slice(&texts[i]));
        }
    }
    ev->raw = pick(in, 2) ? hd_buf_slice(&texts[0]) : HD_SLICE_EMPTY;
    bool hit = false;
    struct rul_matcher m;
    rul_match(set, scratch, ev, on_hit, &hit);
    bool plain =
        rul_matcher_begin(&m, set, scratch, ev) && rul_eval(&m, set->program.roots[0]);
    if (hit != plain) {
        abort();
    }
    for (unsigned i = 0; i < FIELDS; i++) {
        hd_buf_fini(&texts[i]);
    }
}

static void run_rule(struct input *in, struct rul_set *set)
{
    struct rul_scratch *scratch = NULL;
    struct rul_event *ev = calloc(1, sizeof(*ev));
    if (ev != NULL && rul_scratch_new(set, &scratch) == 0) {
        for (unsigned i = 0; i < EVENTS; i++) {
            run_event(in, set, scratch, ev);
        }
    }
    rul_scratch_free(scratch);
    free(ev);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct hd_arena arena;
    struct hd_diags diags = {0};
    struct hd_buf text;
    const struct hd_yaml *root = NULL;
    struct rul_doc *doc = NULL;
    struct rul_rule rule = {0};
    struct rul_set set = {.rules = &rule, .n_rules = 1};
    const struct rul_class classes[] = {
        {.id = 0}, {.id = 1, .n = 1, .sources = {{.product = HD_SLICE("p")}}}};
    hd_arena_init(&arena, 0);
    hd_buf_init(&text, 0);
    put_rule(&in, &text);
    struct rul_reader r = {
        .load = &arena, .keep = &arena, .file = "fuzz.yml", .diags = &diags};
    const struct hd_yaml_source src = {.file = r.file, .diags = &diags};
    if (rul_fields_new(&set.fields) == 0 &&
        hd_yaml_parse(&src, hd_buf_slice(&text), &arena, &root) == 0 &&
        rul_doc_read(&r, root, &doc) == 0) {
        const struct rul_compile_opts opts = {
            .fields = set.fields, .classes = classes, .n_classes = 2};
        if (rul_program_build(&set.program, &opts, &doc, 1, &diags) != 0) {
            abort();
        }
        run_rule(&in, &set);
        rul_program_fini(&set.program);
    }
    rul_fields_free(set.fields);
    hd_buf_fini(&text);
    hd_arena_fini(&arena);
    return 0;
}
