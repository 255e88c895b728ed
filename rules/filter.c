/* SPDX-License-Identifier: Apache-2.0
 *
 * Filters: joining them to rules while a set is loaded, and what they held back.
 */
#include "rules/filter.h"

#include <haidang/hash.h>

#include "rules/snapshot.h"

/* ---- joining ---- */

struct join {
    struct rul_set *set;
    struct rul_doc *const *docs; /* per rule */
    struct hd_arena *load;
    struct hd_diags *diags;
    const struct rul_doc *filter; /* the one at hand */
    uint32_t index;
};

static int add_link(struct join *j, struct rul_doc *doc)
{
    struct rul_filter_link **tail = &doc->filters;
    for (; *tail != NULL; tail = &(*tail)->next) {
        if ((*tail)->filter == j->index) {
            return 0; /* by id and by name */
        }
    }
    *tail = hd_arena_alloc(j->load, 1, sizeof(**tail));
    if (*tail == NULL) {
        return HD_ENOMEM;
    }
    (*tail)->filter = j->index;
    (*tail)->expr = j->filter->expr;
    struct rul_rule *rule = &j->set->rules[doc->rule.index];
    rule->hash = hd_hash_stable(
        hd_slice(&j->filter->rule.hash, sizeof(j->filter->rule.hash)), rule->hash);
    j->set->filters[j->index].n_rules++;
    return 0;
}

static void warn(const struct join *j, const struct rul_name *name, const char *why)
{
    hd_diag_warn(j->diags, j->filter->rule.file, name->line, name->column,
                 "the filter is not joined to '%.*s': %s", HD_SLICE_FMT(name->text), why);
}

static int join_name(struct join *j, const struct rul_name *name)
{
    uint32_t rule = rul_names_find(j->set->names, name->text);
    if (rule == UINT32_MAX) {
        warn(j, name, "it is neither id nor name of a rule in this set");
    } else if (j->docs[rule]->corr != NULL) {
        warn(j, name, "a filter goes with detections, this is a correlation");
    } else if (!rul_logsource_covers(&j->filter->logsource, &j->docs[rule]->logsource)) {
        warn(j, name, "the filter's log source does not cover that of the rule");
    } else {
        return add_link(j, j->docs[rule]);
    }
    return 0;
}

static int join_any(struct join *j)
{
    int err = 0;
    for (uint32_t i = 0; i < j->set->n_rules && err == 0; i++) {
        if (j->docs[i]->corr == NULL &&
            rul_logsource_covers(&j->filter->logsource, &j->docs[i]->logsource)) {
            err = add_link(j, j->docs[i]);
        }
    }
    return err;
}

static int join_one(struct join *j)
{
    const struct rul_filter_ast *ast = j->filter->filter;
    int err = ast->is_any ? join_any(j) : 0;
    for (size_t i = 0; i < ast->n_rules && err == 0; i++) {
        err = join_name(j, &ast->rules[i]);
    }
    if (err == 0 && j->set->filters[j->index].n_rules == 0) {
        hd_diag_warn(j->diags, j->filter->rule.file, j->filter->rule.line,
                     j->filter->column, "the filter is joined to no rule");
    }
    return err;
}

int rul_filters_join(struct rul_set *set, const struct rul_doc *filters,
                     struct rul_doc *const *docs, struct hd_arena *load,
                     struct hd_diags *diags)
{
    size_t n = 0;
    for (const struct rul_doc *f = filters; f != NULL; f = f->next) {
        n++;
    }
    set->filters = hd_arena_alloc(&set->keep, n, sizeof(*set->filters));
    struct join j = {.set = set, .docs = docs, .load = load, .diags = diags};
    int err = set->filters == NULL ? HD_ENOMEM : 0;
    for (const struct rul_doc *f = filters; f != NULL && err == 0; f = f->next) {
        j.filter = f;
        j.index = set->n_filters++;
        set->filters[j.index] = (struct rul_filter){
            f->rule.id, f->rule.title, f->rule.title_vi, f->rule.file, f->rule.line, 0};
        err = join_one(&j);
    }
    return err;
}

/* ---- what others see ---- */

size_t rul_set_filters(const struct rul_set *set)
{
    return set->n_filters;
}

const struct rul_filter *rul_set_filter(const struct rul_set *set, size_t index)
{
    return index < set->n_filters ? &set->filters[index] : NULL;
}

static uint64_t held_back(const struct rul_program *p, uint32_t use)
{
    return atomic_load_explicit(&p->filter_uses[use].held_back, memory_order_relaxed);
}

uint64_t rul_set_held_back(const struct rul_set *set, size_t filter)
{
    const struct rul_program *p = &set->program;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < p->n_filter_uses; i++) {
        sum += p->filter_uses[i].filter == filter ? held_back(p, i) : 0;
    }
    return sum;
}

void rul_set_each_held_back(const struct rul_set *set, size_t filter,
                            rul_on_held_back each, void *ctx)
{
    const struct rul_program *p = &set->program;
    for (uint32_t i = 0; i < p->n_filter_uses; i++) {
        uint64_t hits = p->filter_uses[i].filter == filter ? held_back(p, i) : 0;
        if (hits > 0) {
            each(ctx, &set->rules[p->filter_uses[i].rule], hits);
        }
    }
}
