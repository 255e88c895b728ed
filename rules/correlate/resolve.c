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

/* ---- what a correlation becomes ---- */

static const struct rul_corr *corr_of(const struct rul_set *set, uint32_t rule)
{
    uint32_t n = set->rules[rule].type == RUL_DETECTION ? 0 : set->n_corrs;
    for (uint32_t i = n; i > 0; i--) {
        if (set->corrs[i - 1].rule == rule) {
            return &set->corrs[i - 1];
        }
    }
    return NULL;
}

static int find_level(const struct resolver *r, struct rul_corr *corr)
{
    corr->level = 1;
    for (uint32_t i = 0; i < corr->n_refs; i++) {
        const struct rul_corr *below = corr_of(r->set, corr->refs[i].rule);
        if (below != NULL && below->level >= corr->level) {
            corr->level = (uint8_t)(below->level + 1);
        }
    }
    return corr->level <= RUL_LEVELS_MAX
               ? 0
               : refuse(r, &r->ast->rules[0],
                        "is a correlation of too many correlations of correlations");
}

/* The fields of the event that a detection is to the correlations that count it. */
static int name_group(const struct resolver *r, struct rul_corr *corr)
{
    int err = 0;
    for (size_t i = 0; i < r->ast->n_group && err == 0; i++) {
        corr->group_names[i] = hd_arena_str(&r->set->keep, r->ast->group[i].text);
        err =
            rul_fields_add(r->set->fields, r->ast->group[i].text, &corr->group_fields[i]);
    }
    return err == HD_ELIMIT ? refuse(r, &r->ast->group[0],
                                     "needs more field names than a set can hold")
                            : err;
}

static bool counts_up(const struct rul_corr *corr)
{
    if (corr->limits.has_min || corr->limits.has_max || corr->limits.has_not_equal) {
        return corr->limits.has_min && !corr->limits.has_max &&
               !corr->limits.has_not_equal;
    }
    return corr->bounds.min > 0 && corr->bounds.max == UINT64_MAX &&
           corr->bounds.not_equal == UINT64_MAX;
}

static int find_timing(const struct resolver *r, struct rul_corr *corr)
{
    const struct rul_corr_options *options = &r->doc->options;
    int err = 0;
    if (corr->type == RUL_TEMPORAL || corr->type == RUL_TEMPORAL_ORDERED) {
        err = rul_terms_resolve(r->set, r->doc, corr, r->diags);
    } else {
        corr->timing = counts_up(corr) ? RUL_SLIDING : RUL_ALIGNED;
    }
    if (options->window == RUL_WINDOW_TUMBLING) {
        corr->timing = RUL_ALIGNED;
    } else if (options->window == RUL_WINDOW_SESSION) {
        corr->timing = counts_up(corr) ? RUL_SESSION_NOW : RUL_SESSION_END;
    }
    if (err == 0 && corr->resets && !rul_counts_up(corr)) {
        hd_diag_error(r->diags, r->doc->rule.file, options->at->line, options->at->column,
                      "'haidang.reset' needs a condition that is met while counting up: "
                      "windows that are tested at their end fire once anyway");
        err = HD_EPARSE;
    }
    return err;
}

/* What is counted is part of the meaning. */
static void finish(const struct resolver *r, struct rul_doc *doc,
                   const struct rul_corr *corr)
{
    uint64_t hash = doc->rule.hash;
    for (uint32_t i = 0; i < corr->n_refs; i++) {
        struct rul_rule *rule = &r->set->rules[corr->refs[i].rule];
        rule->feeds = true;
        hash = (hash ^ rule->hash) * UINT64_C(0x9e3779b97f4a7c15);
    }
    doc->rule.hash = hash;
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
                             .type = doc->rule.type,
                             .timespan_ns = ast->timespan_ns,
                             .gap_ns = doc->options.gap_ns,
                             .bounds = ast->bounds,
                             .limits = ast->limits,
                             .has_null_group = doc->options.null_group,
                             .resets = doc->options.reset,
                             .n_group = (uint8_t)ast->n_group,
                             .n_values = (uint8_t)ast->n_values,
                             .n_refs = (uint32_t)ast->n_rules,
                             .refs = refs};
    int err = check_aliases(&r);
    for (size_t i = 0; i < ast->n_rules && err == 0; i++) {
        err = resolve_ref(&r, &ast->rules[i], &refs[i]);
    }
    err = err != 0 ? err : find_level(&r, out);
    err = err != 0 ? err : name_group(&r, out);
    err = err != 0 ? err : find_timing(&r, out);
    if (err != 0) {
        return err;
    }
    finish(&r, doc, out);
    return set->keep.failed ? HD_ENOMEM : 0;
}

/* ---- correlations of correlations: the counted come before those that count ---- */

const struct rul_name *rul_corr_missing(const struct rul_set *set,
                                        const struct rul_doc *doc)
{
    for (size_t i = 0; i < doc->corr->n_rules; i++) {
        const struct rul_name *name = &doc->corr->rules[i];
        if (rul_names_find(set->names, name->text) == UINT32_MAX) {
            return name;
        }
    }
    return NULL;
}

static const struct rul_doc *doc_named(struct rul_doc *const *docs, size_t n,
                                       struct hd_slice name)
{
    for (size_t i = 0; i < n; i++) {
        if (hd_slice_eq(hd_slice_str(docs[i]->rule.id), name) ||
            hd_slice_eq(hd_slice_str(docs[i]->rule.name), name)) {
            return docs[i];
        }
    }
    return NULL;
}

/* Does following what each waits for lead back? */
static bool is_cycle(const struct rul_set *set, struct rul_doc *const *waiting, size_t n,
                     const struct rul_doc *doc)
{
    const struct rul_doc *at = doc;
    for (size_t i = 0; i <= n && at != NULL; i++) {
        at = doc_named(waiting, n, rul_corr_missing(set, at)->text);
        if (at == doc) {
            return true;
        }
    }
    return false;
}

void rul_corr_explain(const struct rul_set *set, struct rul_doc *const *waiting, size_t n,
                      struct hd_diags *diags)
{
    for (size_t i = 0; i < n; i++) {
        const struct resolver r = {
            .doc = waiting[i], .ast = waiting[i]->corr, .diags = diags};
        const struct rul_name *name = rul_corr_missing(set, waiting[i]);
        const char *why = "is neither id nor name of a rule in this set";
        if (is_cycle(set, waiting, n, waiting[i])) {
            why = "counts, directly or through others, the correlation that counts it";
        } else if (doc_named(waiting, n, name->text) != NULL) {
            why = "is a correlation that cannot be used";
        }
        (void)refuse(&r, name, why);
    }
}
