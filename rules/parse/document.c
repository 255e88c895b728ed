/* SPDX-License-Identifier: Apache-2.0
 *
 * One YAML document -> rule: what it is called, where it applies, what it says. Keys that
 * the specification leaves to others are passed over; keys whose meaning would be lost
 * are refused.
 */
#include <haidang/hash.h>

#include "rules/parse/ast.h"

#define TAGS_MAX 128U

/* ---- texts ---- */

/* Optional text member of a map; `*out` is "" when absent. */
static int read_text(struct rul_reader *r, const struct hd_yaml *map, const char *key,
                     const char **out)
{
    const struct hd_yaml *node = hd_yaml_get(map, key);
    *out = "";
    if (node == NULL || hd_yaml_is_null(node)) {
        return 0;
    }
    if (node->kind != HD_YAML_SCALAR || hd_slice_find_byte(node->text, 0) != HD_NPOS) {
        return rul_refuse(r, node, "'%s' must be text", key);
    }
    *out = hd_arena_str(r->keep, hd_slice_trim(node->text));
    return r->keep->failed ? HD_ENOMEM : 0;
}

struct text_row {
    const char *key;
    const char **out;
};

static int read_texts(struct rul_reader *r, const struct hd_yaml *map,
                      const struct text_row *rows, size_t n)
{
    int result = 0;
    for (size_t i = 0; i < n; i++) {
        int err = read_text(r, map, rows[i].key, rows[i].out);
        result = err != 0 ? err : result;
    }
    return result;
}

static int read_tags(struct rul_reader *r, const struct hd_yaml *root,
                     struct rul_rule *rule)
{
    const struct hd_yaml *node = hd_yaml_get(root, "tags");
    if (node == NULL || hd_yaml_is_null(node)) {
        return 0;
    }
    if (node->kind != HD_YAML_LIST || node->n > TAGS_MAX) {
        return rul_refuse(r, node, "'tags' must be a list of at most %u words", TAGS_MAX);
    }
    const char **tags = hd_arena_alloc(r->keep, node->n, sizeof(*tags));
    if (tags == NULL) {
        return HD_ENOMEM;
    }
    for (const struct hd_yaml *t = node->first; t != NULL; t = t->next) {
        if (t->kind != HD_YAML_SCALAR) {
            return rul_refuse(r, t, "a tag must be a word");
        }
        tags[rule->n_tags++] = hd_arena_str(r->keep, t->text);
    }
    rule->tags = tags;
    return r->keep->failed ? HD_ENOMEM : 0;
}

static int read_level(struct rul_reader *r, const struct hd_yaml *root,
                      struct rul_rule *rule)
{
    static const struct {
        const char *name;
        enum hd_severity severity;
    } levels[] = {{"informational", HD_SEV_LOW},
                  {"low", HD_SEV_LOW},
                  {"medium", HD_SEV_MEDIUM},
                  {"high", HD_SEV_HIGH},
                  {"critical", HD_SEV_CRITICAL}};
    const struct hd_yaml *node = hd_yaml_get(root, "level");
    rule->level = "medium";
    rule->severity = HD_SEV_MEDIUM;
    if (node == NULL) {
        return 0;
    }
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        if (hd_yaml_is(node, levels[i].name)) {
            rule->level = levels[i].name;
            rule->severity = levels[i].severity;
            return 0;
        }
    }
    return rul_refuse(r, node,
                      "'level' must be informational, low, medium, high or critical");
}

static int check_status(struct rul_reader *r, const struct hd_yaml *root)
{
    static const char *const known[] = {"stable", "test", "experimental", "deprecated",
                                        "unsupported"};
    const struct hd_yaml *node = hd_yaml_get(root, "status");
    if (node == NULL) {
        return 0;
    }
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (hd_yaml_is(node, known[i])) {
            return 0;
        }
    }
    return rul_refuse(r, node,
                      "'status' must be stable, test, experimental, deprecated "
                      "or unsupported");
}

/* ---- our own keys ---- */

static int read_own(struct rul_reader *r, const struct hd_yaml *root, struct rul_doc *doc)
{
    struct rul_rule *rule = &doc->rule;
    const struct hd_yaml *own = hd_yaml_get(root, "haidang");
    rule->title_vi = rule->description_vi = "";
    rule->delivery = "province";
    if (own == NULL) {
        return 0;
    }
    if (own->kind != HD_YAML_MAP) {
        return rul_refuse(r, own, "'haidang' must be a map");
    }
    int err = 0;
    for (const struct hd_yaml *v = own->first; v != NULL && err == 0; v = v->next) {
        if (hd_yaml_is(v->key, "title_vi")) {
            err = read_text(r, own, "title_vi", &rule->title_vi);
        } else if (hd_yaml_is(v->key, "description_vi")) {
            err = read_text(r, own, "description_vi", &rule->description_vi);
        } else if (hd_yaml_is(v->key, "delivery")) {
            if (!hd_yaml_is(v, "national") && !hd_yaml_is(v, "province")) {
                return rul_refuse(r, v, "'delivery' must be national or province");
            }
            rule->delivery = hd_yaml_is(v, "national") ? "national" : "province";
        } else if (hd_yaml_is(v->key, "examples")) {
            err = rul_examples_read(r, v, &doc->examples);
        } else {
            err = rul_option_read(r, v, &doc->options);
        }
    }
    return err;
}

/* ---- log source ---- */

static int read_logsource(struct rul_reader *r, const struct hd_yaml *root,
                          struct rul_logsource *out)
{
    const struct hd_yaml *node = hd_yaml_get(root, "logsource");
    if (node == NULL || node->kind != HD_YAML_MAP) {
        return rul_refuse(r, node ? node : root, "'logsource' must be a map");
    }
    for (const struct hd_yaml *v = node->first; v != NULL; v = v->next) {
        struct hd_slice *part = hd_yaml_is(v->key, "product")    ? &out->product
                                : hd_yaml_is(v->key, "category") ? &out->category
                                : hd_yaml_is(v->key, "service")  ? &out->service
                                                                 : NULL;
        if (part != NULL && (v->kind != HD_YAML_SCALAR || v->text.len == 0)) {
            return rul_refuse(r, v, "product, category and service are words");
        }
        if (part != NULL) {
            *part = v->text;
        } else if (!hd_yaml_is(v->key, "definition")) {
            return rul_refuse(r, v->key,
                              "unknown key of 'logsource': product, category, service "
                              "and definition are known");
        }
    }
    if (out->product.len + out->category.len + out->service.len == 0) {
        return rul_refuse(r, node, "'logsource' needs a product, category or service");
    }
    return 0;
}

/* ---- the document ---- */

/* Hash over the meaning: structure and texts, not positions. */
static uint64_t hash_node(const struct hd_yaml *node, uint64_t seed)
{
    if (node == NULL) {
        return seed;
    }
    uint8_t head[2] = {(uint8_t)node->kind, node->is_plain};
    seed = hd_hash_stable(hd_slice(head, sizeof(head)), seed);
    if (node->kind == HD_YAML_SCALAR) {
        return hd_hash_stable(node->text, seed);
    }
    for (const struct hd_yaml *c = node->first; c != NULL; c = c->next) {
        seed = hash_node(c, hash_node(c->key, seed));
    }
    return seed;
}

/* What a document is: the one of these keys that it has. */
static int find_body(struct rul_reader *r, const struct hd_yaml *root,
                     const struct hd_yaml **out)
{
    static const char *const kinds[] = {"detection", "correlation", "filter"};
    *out = NULL;
    if (root->kind != HD_YAML_MAP) {
        return rul_refuse(r, root, "a rule must be a map");
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const struct hd_yaml *body = hd_yaml_get(root, kinds[i]);
        if (body != NULL && *out != NULL) {
            return rul_refuse(r, body->key,
                              "a document is only one of 'detection', "
                              "'correlation' and 'filter'");
        }
        *out = body != NULL ? body : *out;
    }
    return *out != NULL ? 0
                        : rul_refuse(r, root,
                                     "a rule needs either 'detection' or "
                                     "'correlation', a filter needs 'filter'");
}

static int read_names(struct rul_reader *r, const struct hd_yaml *root,
                      struct rul_doc *doc)
{
    struct rul_rule *rule = &doc->rule;
    const struct text_row rows[] = {
        {"title", &rule->title},   {"id", &rule->id},
        {"name", &rule->name},     {"description", &rule->description},
        {"author", &rule->author}, {"license", &rule->license},
        {"status", &rule->status},
    };
    int err = read_texts(r, root, rows, sizeof(rows) / sizeof(rows[0]));
    if (err == 0 && rule->title[0] == 0) {
        err = rul_refuse(r, root, "'title' is missing");
    }
    if (err != 0) {
        return err;
    }
    if (rule->id[0] == 0) {
        rule->id = rule->name[0] != 0 ? rule->name : rule->title;
    }
    err = check_status(r, root);
    int level = read_level(r, root, rule);
    int tags = read_tags(r, root, rule);
    int own = read_own(r, root, doc);
    err = err != 0 ? err : level;
    err = err != 0 ? err : tags;
    return err != 0 ? err : own;
}

static int read_filter(struct rul_reader *r, const struct hd_yaml *body,
                       struct rul_doc *doc)
{
    int err = rul_filter_read(r, body, doc);
    if (doc->examples != NULL) {
        err = rul_refuse(r, body, "a filter has no examples: its rules have them");
    }
    return err;
}

/* Log source and searches of a detection or a filter. */
static int read_searches(struct rul_reader *r, const struct hd_yaml *root,
                         const struct hd_yaml *body, struct rul_doc *doc)
{
    int source = read_logsource(r, root, &doc->logsource);
    int searches = hd_yaml_is(body->key, "filter")
                       ? read_filter(r, body, doc)
                       : rul_detection_read(r, body, &doc->expr);
    doc->rule.type = RUL_DETECTION;
    doc->rule.hash = hash_node(hd_yaml_get(root, "logsource"), 0);
    return source != 0 ? source : searches;
}

int rul_doc_read(struct rul_reader *r, const struct hd_yaml *root, struct rul_doc **out)
{
    const struct hd_yaml *body = NULL;
    int err = find_body(r, root, &body);
    if (err != 0) {
        return err;
    }
    struct rul_doc *doc = hd_arena_alloc(r->load, 1, sizeof(*doc));
    if (doc == NULL) {
        return HD_ENOMEM;
    }
    doc->rule.file = r->file;
    doc->rule.line = root->line;
    doc->rule.alerts = true;
    doc->column = root->column;
    r->atoms = r->regex_work = 0;
    r->inserted = 0;
    err = read_names(r, root, doc);
    int rest = hd_yaml_is(body->key, "correlation") ? rul_correlation_read(r, body, doc)
                                                    : read_searches(r, root, body, doc);
    doc->regex_work = r->regex_work;
    doc->rule.hash = hash_node(body, doc->rule.hash) + r->inserted;
    doc->rule.hash = rul_options_hash(&doc->options, doc->rule.hash);
    if (err == 0 && rest == 0 && doc->options.at != NULL) {
        err = rul_options_check(r, doc);
    }
    *out = doc;
    return err != 0 ? err : rest;
}
