/* SPDX-License-Identifier: Apache-2.0
 *
 * What a rule was compiled to, in words that its author knows.
 */
#include <math.h>
#include <stdlib.h>

#include <haidang/buf.h>

#include "rules/compile/build.h"
#include "rules/explain.h"
#include "rules/filter.h"
#include "rules/match/scratch.h"

/* ---- comparisons as Sigma writes them ---- */

static const char *const modifiers[] = {
    [RUL_OP_EQ] = "",
    [RUL_OP_CONTAINS] = "|contains",
    [RUL_OP_STARTS] = "|startswith",
    [RUL_OP_ENDS] = "|endswith",
    [RUL_OP_GLOB] = "",
    [RUL_OP_PRESENT] = "|exists",
    [RUL_OP_NULL] = "",
    [RUL_OP_RE] = "|re",
    [RUL_OP_CIDR] = "|cidr",
    [RUL_OP_LT] = "|lt",
    [RUL_OP_LTE] = "|lte",
    [RUL_OP_GT] = "|gt",
    [RUL_OP_GTE] = "|gte",
    [RUL_OP_REF_EQ] = "|fieldref",
    [RUL_OP_REF_CONTAINS] = "|fieldref|contains",
    [RUL_OP_REF_STARTS] = "|fieldref|startswith",
    [RUL_OP_REF_ENDS] = "|fieldref|endswith",
};

/* Wildcards that are meant as characters are escaped. */
static void write_literal(struct hd_buf *out, struct hd_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '*' || text.ptr[i] == '?') {
            hd_buf_byte(out, '\\');
        }
        hd_buf_byte(out, text.ptr[i]);
    }
}

static void write_glob(struct hd_buf *out, const struct rul_glob *glob)
{
    for (size_t i = 0; i < glob->n; i++) {
        if (glob->parts[i].kind == RUL_PART_TEXT) {
            write_literal(out, glob->parts[i].text);
        } else {
            hd_buf_byte(out, glob->parts[i].kind == RUL_PART_ONE ? '?' : '*');
        }
    }
}

static void write_network(struct hd_buf *out, const struct hd_cidr *net)
{
    char text[HD_IP_TEXT_MAX];
    unsigned mapped = hd_ip_is_v4(&net->base) ? 96 : 0;
    hd_buf_bytes(out, text, hd_ip_format(&net->base, text));
    hd_buf_printf(out, "/%u", net->bits - mapped);
}

static void write_value(const struct rul_set *set, const struct rul_pred *pred,
                        struct hd_buf *out)
{
    const struct rul_program *p = &set->program;
    switch (pred->op) {
    case RUL_OP_NULL:
        hd_buf_str(out, "null");
        return;
    case RUL_OP_PRESENT:
        hd_buf_str(out, "true");
        return;
    case RUL_OP_LT:
    case RUL_OP_LTE:
    case RUL_OP_GT:
    case RUL_OP_GTE:
        hd_buf_printf(out, "%.15g", p->numbers[pred->aux]);
        return;
    case RUL_OP_CIDR:
        write_network(out, &p->networks[pred->aux]);
        return;
    case RUL_OP_REF_EQ:
    case RUL_OP_REF_CONTAINS:
    case RUL_OP_REF_STARTS:
    case RUL_OP_REF_ENDS:
        hd_buf_slice_add(out, rul_fields_name(set->fields, (uint16_t)pred->aux));
        return;
    default:
        break;
    }
    hd_buf_byte(out, '\'');
    if (pred->op == RUL_OP_RE) {
        hd_buf_slice_add(out, p->expressions[pred->aux].pattern);
    } else if (pred->op == RUL_OP_GLOB) {
        write_glob(out, &p->globs[pred->aux]);
    } else {
        write_literal(out, pred->text);
    }
    hd_buf_byte(out, '\'');
}

static void write_pred(const struct rul_set *set, const struct rul_pred *pred,
                       struct hd_buf *out)
{
    if (pred->field == RUL_KEYWORD) {
        hd_buf_str(out, "keyword");
    } else {
        hd_buf_slice_add(out, rul_fields_name(set->fields, pred->field));
    }
    hd_buf_str(out, modifiers[pred->op]);
    if (pred->op == RUL_OP_RE) {
        unsigned flags = set->program.expressions[pred->aux].flags;
        hd_buf_str(out, (flags & RUL_RE_CASELESS) != 0 ? "|i" : "");
        hd_buf_str(out, (flags & RUL_RE_MULTILINE) != 0 ? "|m" : "");
        hd_buf_str(out, (flags & RUL_RE_DOTALL) != 0 ? "|s" : "");
    }
    hd_buf_str(out, pred->cased ? "|cased: " : ": ");
    write_value(set, pred, out);
}

/* ---- the tree ---- */

struct walk {
    const struct rul_set *set;
    const struct rul_matcher *m; /* NULL: no event */
    uint32_t *uses;              /* per predicate: rules that make the comparison */
    rul_on_step each;
    void *ctx;
    struct hd_buf text;
};

static void show_pred(struct walk *w, uint32_t index, struct rul_step *step)
{
    const struct rul_pred *pred = &w->set->program.preds[index];
    hd_buf_clear(&w->text);
    write_pred(w->set, pred, &w->text);
    step->kind = RUL_STEP_COMPARE;
    step->text = hd_buf_slice(&w->text);
    step->field = pred->field;
    step->rules = w->uses[index];
    w->each(w->ctx, step);
}

static void show(struct walk *w, uint32_t ref, unsigned depth)
{
    const struct rul_program *p = &w->set->program;
    struct rul_step step = {.depth = depth,
                            .field = RUL_FIELD_NONE,
                            .holds = w->m != NULL && rul_eval(w->m, ref)};
    if ((ref & RUL_REF_PRED) != 0) {
        show_pred(w, ref & RUL_REF_INDEX, &step);
        return;
    }
    const struct rul_node *node = &p->nodes[ref];
    step.kind = node->kind == RUL_EXPR_AND   ? RUL_STEP_ALL
                : node->kind == RUL_EXPR_NOT ? RUL_STEP_NOT
                                             : RUL_STEP_ANY;
    step.n = node->kind == RUL_EXPR_AT_LEAST ? node->at_least : 1;
    w->each(w->ctx, &step);
    for (uint32_t i = 0; i < node->n; i++) {
        show(w, p->kids[node->first + i], depth + 1);
    }
}

static void show_filters(struct walk *w, uint32_t rule)
{
    const struct rul_program *p = &w->set->program;
    for (uint32_t i = p->first_filter[rule]; i < p->first_filter[rule + 1]; i++) {
        const struct rul_filter_use *use = &p->filter_uses[i];
        const struct rul_step step = {
            .kind = RUL_STEP_FILTER,
            .field = RUL_FIELD_NONE,
            .text = hd_slice_str(w->set->filters[use->filter].title),
            .holds = w->m != NULL && rul_eval(w->m, use->ref)};
        w->each(w->ctx, &step);
        show(w, use->ref, 1);
    }
}

/* ---- how many rules make a comparison ---- */

struct count {
    const struct rul_program *p;
    uint32_t *uses, *last; /* per predicate; last: rule + 1 that was counted */
    uint32_t rule;
};

static void count_uses(struct count *c, uint32_t ref)
{
    if ((ref & RUL_REF_PRED) != 0) {
        uint32_t index = ref & RUL_REF_INDEX;
        c->uses[index] += c->last[index] != c->rule + 1;
        c->last[index] = c->rule + 1;
        return;
    }
    const struct rul_node *node = &c->p->nodes[ref];
    for (uint32_t i = 0; i < node->n; i++) {
        count_uses(c, c->p->kids[node->first + i]);
    }
}

static uint32_t *count_all(const struct rul_program *p)
{
    struct count c = {.p = p,
                      .uses = calloc((size_t)p->n_preds + 1, sizeof(*c.uses)),
                      .last = calloc((size_t)p->n_preds + 1, sizeof(*c.last))};
    bool is_good = c.uses != NULL && c.last != NULL;
    for (; is_good && c.rule < p->n_roots; c.rule++) {
        if (p->roots[c.rule] != UINT32_MAX) {
            count_uses(&c, p->roots[c.rule]);
        }
    }
    free(c.last);
    if (!is_good) {
        free(c.uses);
        return NULL;
    }
    return c.uses;
}

int rul_explain_steps(const struct rul_set *set, struct rul_scratch *scratch,
                      const struct rul_hit *hit, rul_on_step each, void *ctx)
{
    struct rul_matcher m;
    uint32_t root = set->program.roots[hit->rule->index];
    if (root == UINT32_MAX ||
        (hit->ev != NULL && (!rul_class_has(set, hit->ev->class_id, hit->rule) ||
                             !rul_matcher_begin(&m, set, scratch, hit->ev)))) {
        return HD_EINVAL;
    }
    struct walk w = {.set = set,
                     .m = hit->ev != NULL ? &m : NULL,
                     .uses = count_all(&set->program),
                     .each = each,
                     .ctx = ctx};
    if (w.uses == NULL) {
        return HD_ENOMEM;
    }
    hd_buf_init(&w.text, 0);
    show(&w, root, 0);
    show_filters(&w, hit->rule->index);
    int err = w.text.err;
    hd_buf_fini(&w.text);
    free(w.uses);
    return err;
}

/* ---- access ---- */

static struct rul_way way_of(const struct rul_program *p, const struct rul_access *a,
                             struct hd_buf *text)
{
    if (a->pred == UINT32_MAX) {
        return (struct rul_way){.kind = RUL_WAY_PRESENT, .field = a->field};
    }
    const struct rul_pred *pred = &p->preds[a->pred];
    struct rul_way way = {.field = pred->field};
    if (pred->op == RUL_OP_EQ) {
        way.kind = RUL_WAY_EQUAL;
        way.text = pred->text;
    } else if (pred->op == RUL_OP_CIDR) {
        way.kind = RUL_WAY_NETWORK;
        hd_buf_clear(text);
        write_network(text, &p->networks[pred->aux]);
        way.text = hd_buf_slice(text);
    } else if (pred->op == RUL_OP_RE) {
        way.kind = RUL_WAY_EXPRESSION;
        way.text = p->expressions[pred->aux].pattern;
    } else {
        way.kind = RUL_WAY_LITERAL;
        way.text = rul_access_literal(p, pred);
    }
    return way;
}

int rul_explain_access(const struct rul_set *set, const struct rul_rule *rule,
                       rul_on_way each, void *ctx, double *cost)
{
    const struct rul_program *p = &set->program;
    uint32_t n = 0, root = p->roots[rule->index];
    if (root == UINT32_MAX) {
        return HD_EINVAL;
    }
    struct rul_access *found = calloc(RUL_ATOMS_MAX, sizeof(*found));
    if (found == NULL) {
        return HD_ENOMEM;
    }
    struct hd_buf text;
    hd_buf_init(&text, 0);
    int err = rul_access_choose(p, root, found, RUL_ATOMS_MAX, &n);
    *cost = rul_access_cost(p, root);
    for (uint32_t i = 0; err == 0 && i < n; i++) {
        const struct rul_way way = way_of(p, &found[i], &text);
        each(ctx, &way);
    }
    err = err != 0 ? err : text.err;
    hd_buf_fini(&text);
    free(found);
    return err;
}

/* ---- correlations ---- */

size_t rul_explain_refs(const struct rul_set *set, const struct rul_rule *rule,
                        const struct rul_rule **refs, size_t cap)
{
    size_t n = 0;
    for (uint32_t i = 0; i < set->n_corrs; i++) {
        const struct rul_corr *corr = &set->corrs[i];
        for (uint32_t k = 0; corr->rule == rule->index && k < corr->n_refs && n < cap;
             k++) {
            refs[n++] = &set->rules[corr->refs[k].rule];
        }
    }
    return n;
}

/* ---- classes ---- */

uint16_t rul_set_classes(const struct rul_set *set)
{
    return set->n_classes;
}

const struct rul_class *rul_set_class(const struct rul_set *set, uint16_t id)
{
    return id < set->n_classes ? &set->classes[id] : NULL;
}

uint32_t rul_class_rules(const struct rul_set *set, uint16_t id)
{
    return id < set->program.n_classes ? set->program.dispatch[id].n_rules : 0;
}

bool rul_class_has(const struct rul_set *set, uint16_t id, const struct rul_rule *rule)
{
    if (id >= set->program.n_classes) {
        return false;
    }
    const struct rul_dispatch *d = &set->program.dispatch[id];
    uint32_t low = 0, high = d->n_rules;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (d->rules[mid] < rule->index) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < d->n_rules && d->rules[low] == rule->index;
}
