/* SPDX-License-Identifier: Apache-2.0
 *
 * Exact evaluation: predicates and expressions over one event, each predicate at most
 * once.
 */
#include <haidang/inet.h>
#include <haidang/num.h>
#include <haidang/utf8.h>

#include "rules/match/scratch.h"

/* ---- globs ---- */

/* Length of what a part takes at `at`, or HD_NPOS when it does not match there. */
static size_t part_len(const struct rul_part *part, struct hd_slice text, size_t at)
{
    struct hd_slice rest = hd_slice_from(text, at);
    if (part->kind == RUL_PART_ONE) {
        size_t step = rest.len == 0 ? 0 : hd_utf8_step(rest);
        return rest.len == 0 ? HD_NPOS : step == 0 ? 1 : step;
    }
    return hd_slice_starts(rest, part->text) ? part->text.len : HD_NPOS;
}

bool rul_glob_match(const struct rul_glob *glob, struct hd_slice text)
{
    size_t part = 0, at = 0, star = HD_NPOS, mark = 0;
    while (part < glob->n || at < text.len) {
        if (part < glob->n && glob->parts[part].kind == RUL_PART_MANY) {
            star = part++;
            mark = at;
            if (part == glob->n) {
                return true;
            }
            continue;
        }
        size_t len = part < glob->n ? part_len(&glob->parts[part], text, at) : HD_NPOS;
        if (len != HD_NPOS) {
            part++;
            at += len;
            continue;
        }
        if (star == HD_NPOS || mark >= text.len) {
            return false;
        }
        size_t step = hd_utf8_step(hd_slice_from(text, mark));
        mark += step == 0 ? 1 : step;
        part = star + 1;
        at = mark;
    }
    return true;
}

/* ---- one comparison ---- */

/* `text` is folded unless the predicate is cased. */
static bool compare_text(const struct rul_program *p, const struct rul_pred *pred,
                         struct hd_slice text)
{
    switch (pred->op) {
    case RUL_OP_EQ:
        return hd_slice_eq(text, pred->text);
    case RUL_OP_CONTAINS:
        return hd_slice_find(text, pred->text) != HD_NPOS;
    case RUL_OP_STARTS:
        return hd_slice_starts(text, pred->text);
    case RUL_OP_ENDS:
        return hd_slice_ends(text, pred->text);
    default:
        return rul_glob_match(&p->globs[pred->aux], text);
    }
}

static bool compare_number(const struct rul_program *p, const struct rul_pred *pred,
                           struct hd_slice value)
{
    double number = 0, bound = p->numbers[pred->aux];
    bool is_number = pred->part == RUL_PART_NONE
                         ? hd_num_double(value, &number) == 0
                         : rul_time_part(value, pred->part, &number);
    if (!is_number) {
        return false;
    }
    switch (pred->op) {
    case RUL_OP_LT:
        return number < bound;
    case RUL_OP_LTE:
        return number <= bound;
    case RUL_OP_GT:
        return number > bound;
    case RUL_OP_NUMBER:
        return number >= bound && number <= bound;
    default:
        return number >= bound;
    }
}

static bool compare_two(const struct rul_pred *pred, struct hd_slice a, struct hd_slice b)
{
    switch (pred->op) {
    case RUL_OP_REF_CONTAINS:
        return hd_slice_find(a, b) != HD_NPOS;
    case RUL_OP_REF_STARTS:
        return hd_slice_starts(a, b);
    case RUL_OP_REF_ENDS:
        return hd_slice_ends(a, b);
    default:
        return hd_slice_eq(a, b);
    }
}

/* With some value of the other field. `a` is folded unless the predicate is cased. */
static bool compare_reference(const struct rul_matcher *m, const struct rul_pred *pred,
                              struct hd_slice a)
{
    uint16_t other = (uint16_t)pred->aux;
    struct rul_values v;
    for (bool is = rul_values_first(m, other, &v); is; is = rul_values_next(m, &v)) {
        if (compare_two(pred, a, pred->cased ? v.value : rul_fold_value(m, other, &v))) {
            return true;
        }
    }
    return false;
}

/* ---- expressions ---- */

static bool find_slowly(const struct rul_matcher *m, const struct rul_pred *pred,
                        struct hd_slice text)
{
    const struct rul_regex *re = m->p->expressions[pred->aux].pcre;
    int found = rul_regex_find(re, m->s->pcre, text);
    m->s->stats.regex_limit += found < 0;
    return found == 1;
}

static bool confirm(const struct rul_matcher *m, const struct rul_pred *pred)
{
    struct rul_values v;
    if (pred->field != RUL_KEYWORD) {
        bool is = rul_values_first(m, pred->field, &v);
        while (is && !find_slowly(m, pred, v.value)) {
            is = rul_values_next(m, &v);
        }
        return is;
    }
    for (size_t i = 0; i < m->s->n_texts; i++) {
        if (find_slowly(m, pred, m->s->texts[i].raw)) {
            return true;
        }
    }
    return false;
}

static uint32_t slot_of(const struct rul_dispatch *d, uint16_t field)
{
    uint32_t low = 0, high = d->n_slots;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (d->slots[mid].field < field) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < d->n_slots && d->slots[low].field == field ? low : UINT32_MAX;
}

static bool eval_expression(const struct rul_matcher *m, uint32_t index,
                            const struct rul_pred *pred)
{
    if (m->p->expressions[pred->aux].mode == RUL_RE_SLOW) {
        return confirm(m, pred);
    }
    uint32_t slot = slot_of(m->d, pred->field);
    if (slot == UINT32_MAX) {
        return false; /* cannot be: every expression of the class has its slot */
    }
    rul_scan_expressions(m, slot);
    uint32_t memo = m->s->memo[index];
    if (memo >> 2 != m->s->epoch) {
        return false;
    }
    return (memo & 3) == RUL_MAYBE ? confirm(m, pred) : (memo & 3) == RUL_TRUE;
}

/* ---- predicates ---- */

static bool eval_keyword(const struct rul_matcher *m, const struct rul_pred *pred)
{
    for (size_t i = 0; i < m->s->n_texts; i++) {
        if (!m->s->texts[i].is_covered &&
            compare_text(m->p, pred,
                         pred->cased ? m->s->texts[i].raw : rul_fold_keyword(m, i))) {
            return true;
        }
    }
    return false;
}

static bool in_network(const struct rul_matcher *m, const struct rul_pred *pred,
                       struct hd_slice value)
{
    struct hd_ip ip;
    return hd_ip_parse(value, &ip) == 0 && hd_cidr_has(&m->p->networks[pred->aux], &ip);
}

static bool eval_value(const struct rul_matcher *m, const struct rul_pred *pred,
                       const struct rul_values *v)
{
    switch (pred->op) {
    case RUL_OP_CIDR:
        return in_network(m, pred, v->value);
    case RUL_OP_LT:
    case RUL_OP_LTE:
    case RUL_OP_GT:
    case RUL_OP_GTE:
    case RUL_OP_NUMBER:
        return compare_number(m->p, pred, v->value);
    default:
        break;
    }
    struct hd_slice text = pred->cased ? v->value : rul_fold_value(m, pred->field, v);
    switch (pred->op) {
    case RUL_OP_REF_EQ:
    case RUL_OP_REF_CONTAINS:
    case RUL_OP_REF_STARTS:
    case RUL_OP_REF_ENDS:
        return compare_reference(m, pred, text);
    default:
        return compare_text(m->p, pred, text);
    }
}

static bool eval_fresh(const struct rul_matcher *m, uint32_t index,
                       const struct rul_pred *pred)
{
    if (pred->op == RUL_OP_RE &&
        (pred->field == RUL_KEYWORD || rul_event_has(m->ev, pred->field))) {
        return eval_expression(m, index, pred);
    }
    if (pred->field == RUL_KEYWORD) {
        return pred->op != RUL_OP_RE && eval_keyword(m, pred);
    }
    if (!rul_event_has(m->ev, pred->field)) {
        return pred->op == RUL_OP_NULL;
    }
    if (pred->op == RUL_OP_NULL || pred->op == RUL_OP_PRESENT) {
        return pred->op == RUL_OP_PRESENT;
    }
    struct rul_values v;
    bool is = rul_values_first(m, pred->field, &v);
    while (is && !eval_value(m, pred, &v)) {
        is = rul_values_next(m, &v);
    }
    return is;
}

bool rul_eval_pred(const struct rul_matcher *m, uint32_t index)
{
    uint32_t memo = m->s->memo[index];
    if (memo >> 2 == m->s->epoch && (memo & 3) != RUL_MAYBE) {
        return (memo & 3) == RUL_TRUE;
    }
    if (m->s->decided_epoch == m->s->epoch &&
        (m->d->decided[index / 64] >> (index % 64) & 1) != 0) {
        return false;
    }
    bool truth = eval_fresh(m, index, &m->p->preds[index]);
    rul_memo_set(m->s, index, truth ? RUL_TRUE : RUL_FALSE);
    return truth;
}

/* ---- expressions ---- */

/* In a long list the member that made the rule a candidate is known already. */
static bool known_true(const struct rul_matcher *m, const uint32_t *kids, uint32_t n)
{
    uint32_t wanted = m->s->epoch << 2 | RUL_TRUE;
    for (uint32_t i = 0; i < n; i++) {
        if ((kids[i] & RUL_REF_PRED) != 0 &&
            m->s->memo[kids[i] & RUL_REF_INDEX] == wanted) {
            return true;
        }
    }
    return false;
}

static bool eval_at_least(const struct rul_matcher *m, const struct rul_node *node)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < node->n && found < node->at_least; i++) {
        found += rul_eval(m, m->p->kids[node->first + i]);
    }
    return found >= node->at_least;
}

bool rul_eval(const struct rul_matcher *m, uint32_t ref)
{
    if ((ref & RUL_REF_PRED) != 0) {
        return rul_eval_pred(m, ref & RUL_REF_INDEX);
    }
    const struct rul_node *node = &m->p->nodes[ref];
    const uint32_t *kids = m->p->kids + node->first;
    switch (node->kind) {
    case RUL_EXPR_NOT:
        return !rul_eval(m, kids[0]);
    case RUL_EXPR_AND:
        for (uint32_t i = 0; i < node->n; i++) {
            if (!rul_eval(m, kids[i])) {
                return false;
            }
        }
        return true;
    case RUL_EXPR_OR:
        if (node->n > 8 && known_true(m, kids, node->n)) {
            return true;
        }
        for (uint32_t i = 0; i < node->n; i++) {
            if (rul_eval(m, kids[i])) {
                return true;
            }
        }
        return false;
    default:
        return eval_at_least(m, node);
    }
}

bool rul_eval_filters(const struct rul_matcher *m, uint32_t rule)
{
    const struct rul_program *p = m->p;
    bool stands = true;
    for (uint32_t i = p->first_filter[rule]; i < p->first_filter[rule + 1]; i++) {
        struct rul_filter_use *use = &p->filter_uses[i];
        if (!rul_eval(m, use->ref)) {
            (void)atomic_fetch_add_explicit(&use->held_back, 1, memory_order_relaxed);
            stands = false;
        }
    }
    m->s->stats.held_back += !stands;
    return stands;
}
