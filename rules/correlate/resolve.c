/* SPDX-License-Identifier: Apache-2.0
 *
 * Names in a correlation -> rules and fields of the set: all done while loading, so that
 * an alias costs nothing later.
 */
#include "rules/snapshot.h"

struct resolver {
    struct rul_set *set;
    const struct rul_doc *doc;
    const struct rul_corr_ast *ast;
    struct hd_diags *diags;
};

static int refuse(const struct resolver *r, const struct rul_name *name, const char *what)
{
    hd_diag_error(r->diags, r->doc->rule.file, name->line, name->column, "'%.*s' %s",
                  HD_SLICE_FMT(name->text), what);
    return HD_EPARSE;
}

/* The field of a group-by or value name in one rule: through an alias or as it is. */
static int field_of(const struct resolver *r, struct hd_slice name, uint32_t rule,
                    uint16_t *field)
{
    for (size_t i = 0; i < r->ast->n_aliases; i++) {
        const struct rul_alias *alias = &r->ast->aliases[i];
        for (size_t k = 0; hd_slice_eq(alias->name, name) && k < alias->n; k++) {
            if (rul_names_find(r->set->names, alias->map[k].rule.text) == rule) {
                name = alias->map[k].field;
                return rul_fields_add(r->set->fields, name, field);
            }
        }
    }
    return rul_fields_add(r->set->fields, name, field);
}

static int resolve_ref(const struct resolver *r, const struct rul_name *name,
                       struct rul_corr_ref *ref)
{
    ref->rule = rul_names_find(r->set->names, name->text);
    const struct rul_rule *rule = rul_set_rule(r->set, ref->rule);
    if (rule == NULL) {
        return refuse(r, name, "is neither id nor name of a rule in this set");
    }
    if (rule->type != RUL_DETECTION) {
        return refuse(r, name,
                      "is a correlation: correlations of correlations are not supported");
    }
    int err = 0;
    for (size_t i = 0; i < r->ast->n_group && err == 0; i++) {
        err = field_of(r, r->ast->group[i].text, ref->rule, &ref->group[i]);
    }
    for (size_t i = 0; i < r->ast->n_values && err == 0; i++) {
        err = field_of(r, r->ast->values[i].text, ref->rule, &ref->values[i]);
    }
    if (err == HD_ELIMIT) {
        return refuse(r, name, "needs more field names than a set can hold");
    }
    return err;
}

static int check_aliases(const struct resolver *r)
{
    for (size_t i = 0; i < r->ast->n_aliases; i++) {
        for (size_t k = 0; k < r->ast->aliases[i].n; k++) {
            const struct rul_name *name = &r->ast->aliases[i].map[k].rule;
            if (rul_names_find(r->set->names, name->text) == UINT32_MAX) {
                return refuse(r, name, "is neither id nor name of a rule in this set");
            }
        }
    }
    return 0;
}

int rul_corr_resolve(struct rul_set *set, struct rul_doc *doc, uint32_t index,
                     struct rul_corr *out, struct hd_diags *diags)
{
    const struct rul_corr_ast *ast = doc->corr;
    const struct resolver r = {set, doc, ast, diags};
    struct rul_corr_ref *refs = hd_arena_alloc(&set->keep, ast->n_rules, sizeof(*refs));
    if (refs == NULL) {
        return HD_ENOMEM;
    }
    *out = (struct rul_corr){.rule = index,
                             .timespan_ns = ast->timespan_ns,
                             .bounds = ast->bounds,
                             .n_group = (uint8_t)ast->n_group,
                             .n_values = (uint8_t)ast->n_values,
                             .n_refs = (uint32_t)ast->n_rules,
                             .refs = refs};
    out->immediate = ast->bounds.min > 0 && ast->bounds.max == UINT64_MAX &&
                     ast->bounds.not_equal == UINT64_MAX;
    int err = check_aliases(&r);
    for (size_t i = 0; i < ast->n_rules && err == 0; i++) {
        err = resolve_ref(&r, &ast->rules[i], &refs[i]);
    }
    if (err != 0) {
        return err;
    }
    for (size_t i = 0; i < ast->n_group; i++) {
        out->group_names[i] = hd_arena_str(&set->keep, ast->group[i].text);
    }
    uint64_t hash = doc->rule.hash;
    for (size_t i = 0; i < ast->n_rules; i++) {
        struct rul_rule *rule = &set->rules[refs[i].rule];
        rule->feeds = true;
        hash = (hash ^ rule->hash) * UINT64_C(0x9e3779b97f4a7c15);
    }
    doc->rule.hash = hash;
    return set->keep.failed ? HD_ENOMEM : 0;
}
