/* SPDX-License-Identifier: Apache-2.0
 *
 * The `filter` map (Sigma filters specification v2.0): which rules it belongs to, and
 * what must hold besides for them to fire.
 */
#include "rules/parse/ast.h"

#define REFS_MAX 10000U

/* `rules`: "any" (also "all"), one id or name, or a list of them. */
static int read_references(struct rul_reader *r, const struct hd_yaml *node,
                           struct rul_filter_ast *filter)
{
    if (node->kind == HD_YAML_SCALAR &&
        (hd_slice_eq_nocase(node->text, HD_SLICE("any")) ||
         hd_slice_eq_nocase(node->text, HD_SLICE("all")))) {
        filter->is_any = true;
        return 0;
    }
    if (node->kind == HD_YAML_MAP || (node->kind == HD_YAML_LIST && node->n == 0) ||
        node->n > REFS_MAX) {
        return rul_refuse(r, node,
                          "'rules' must be any, or a list of ids and names of rules");
    }
    filter->rules = hd_arena_alloc(r->load, (size_t)node->n + 1, sizeof(*filter->rules));
    if (filter->rules == NULL) {
        return HD_ENOMEM;
    }
    for (const struct hd_yaml *v = hd_yaml_item(node, NULL); v != NULL;
         v = hd_yaml_item(node, v)) {
        if (v->kind != HD_YAML_SCALAR || v->text.len == 0) {
            return rul_refuse(r, v, "the id or name of a rule was expected here");
        }
        filter->rules[filter->n_rules++] = (struct rul_name){v->text, v->line, v->column};
    }
    return 0;
}

static bool has_negation(const struct rul_expr *expr)
{
    bool found = expr->kind == RUL_EXPR_NOT;
    for (size_t i = 0; i < expr->n && !found; i++) {
        found = has_negation(expr->kids[i]);
    }
    return found;
}

int rul_filter_read(struct rul_reader *r, const struct hd_yaml *node, struct rul_doc *doc)
{
    const struct hd_yaml *rules = hd_yaml_get(node, "rules");
    const struct hd_yaml *condition = hd_yaml_get(node, "condition");
    doc->filter = hd_arena_alloc(r->load, 1, sizeof(*doc->filter));
    if (doc->filter == NULL) {
        return HD_ENOMEM;
    }
    if (rules == NULL || condition == NULL) {
        return rul_refuse(r, node, "'filter' needs 'rules', searches and a 'condition'");
    }
    if (condition->kind != HD_YAML_SCALAR) {
        return rul_refuse(r, condition, "the condition of a filter is text");
    }
    int refs = read_references(r, rules, doc->filter);
    int err = rul_detection_read(r, node, &doc->expr);
    err = err != 0 ? err : refs;
    if (err == 0 && !has_negation(doc->expr)) {
        hd_diag_warn(r->diags, r->file, condition->line, condition->column,
                     "a filter without 'not': its rules will report only what it "
                     "describes; to leave that out write 'not ...'");
    }
    return err;
}
