/* SPDX-License-Identifier: Apache-2.0
 *
 * The `detection` map: named searches and the condition that joins them. The `filter` map
 * of a filter is one with the member `rules` besides, which is read elsewhere.
 */
#include <stdlib.h>

#include "rules/parse/ast.h"
#include "rules/parse/condition.h"

#define SEARCHES_MAX 256U

struct search {
    struct hd_slice name;
    struct rul_expr *expr;
};

struct detection {
    struct rul_reader *r;
    size_t n;
    struct search searches[SEARCHES_MAX];
    struct rul_cond cond;
};

static struct rul_expr *only_child(struct rul_expr *expr)
{
    return expr->n == 1 ? expr->kids[0] : expr;
}

static int read_map(struct rul_reader *r, const struct hd_yaml *map,
                    struct rul_expr **out)
{
    if (map->n == 0) {
        return rul_refuse(r, map, "empty map: it would match everything");
    }
    struct rul_expr *all = rul_expr_new(r, RUL_EXPR_AND, map->n);
    if (all == NULL) {
        return HD_ENOMEM;
    }
    int result = 0;
    for (const struct hd_yaml *v = map->first; v != NULL && result != HD_ENOMEM;
         v = v->next) {
        int err = rul_item_read(r, v->key, v, &all->kids[all->n++]);
        result = err != 0 ? err : result;
    }
    *out = result == 0 ? only_child(all) : all;
    return result;
}

/* A map (and), one keyword, or a list of these or of lists (or). */
static int read_search(struct rul_reader *r, const struct hd_yaml *node,
                       struct rul_expr **out)
{
    if (node->kind == HD_YAML_MAP) {
        return read_map(r, node, out);
    }
    if (node->kind == HD_YAML_SCALAR) {
        return rul_item_read(r, NULL, node, out);
    }
    if (node->n == 0) {
        return rul_refuse(r, node, "empty list: nothing could ever match");
    }
    struct rul_expr *any = rul_expr_new(r, RUL_EXPR_OR, node->n);
    if (any == NULL) {
        return HD_ENOMEM;
    }
    int result = 0;
    for (const struct hd_yaml *v = node->first; v != NULL && result != HD_ENOMEM;
         v = v->next) {
        int err = read_search(r, v, &any->kids[any->n++]);
        result = err != 0 ? err : result;
    }
    *out = result == 0 ? only_child(any) : any;
    return result;
}

/* ---- condition ---- */

static struct rul_expr *find_search(struct detection *d, struct hd_slice name)
{
    for (size_t i = 0; i < d->n; i++) {
        if (hd_slice_eq(d->searches[i].name, name)) {
            return d->searches[i].expr;
        }
    }
    return NULL;
}

/* Column of an offset in a scalar; only as good as a scalar of one line allows. */
static int refuse_at(struct detection *d, const struct hd_yaml *node, size_t offset,
                     const char *what, struct hd_slice name)
{
    struct hd_yaml at = *node;
    if (node->is_one_line) {
        at.column += (unsigned)offset + (node->is_quoted ? 1U : 0U);
    }
    return rul_refuse(d->r, &at, "condition: %s%s%.*s%s", what, name.len ? " '" : "",
                      HD_SLICE_FMT(name), name.len ? "'" : "");
}

static bool selects(struct hd_slice pattern, struct hd_slice name)
{
    bool hidden = name.len > 0 && name.ptr[0] == '_';
    if (hd_slice_eq_nocase(pattern, HD_SLICE("them"))) {
        return !hidden;
    }
    return (!hidden || (pattern.len > 0 && pattern.ptr[0] == '_')) &&
           rul_cond_matches(pattern, name);
}

static int resolve_select(struct detection *d, const struct hd_yaml *node,
                          const struct rul_cond_node *cond, struct rul_expr **out)
{
    struct rul_expr *set = rul_expr_new(d->r, RUL_EXPR_OR, d->n);
    if (set == NULL) {
        return HD_ENOMEM;
    }
    for (size_t i = 0; i < d->n; i++) {
        if (selects(cond->text, d->searches[i].name)) {
            set->kids[set->n++] = d->searches[i].expr;
        }
    }
    if (set->n == 0) {
        return refuse_at(d, node, cond->offset, "no search is named like", cond->text);
    }
    if (cond->quantity == RUL_COND_ALL) {
        set->kind = RUL_EXPR_AND;
    } else if (cond->quantity > 1) {
        set->kind = RUL_EXPR_AT_LEAST;
        set->at_least = cond->quantity;
        if (cond->quantity > set->n) {
            return refuse_at(d, node, cond->offset, "fewer searches are named like",
                             cond->text);
        }
    }
    *out = set->n == 1 ? set->kids[0] : set;
    return 0;
}

static int resolve(struct detection *d, const struct hd_yaml *node, uint16_t index,
                   struct rul_expr **out)
{
    static const enum rul_expr_kind kinds[] = {[RUL_COND_NOT] = RUL_EXPR_NOT,
                                               [RUL_COND_AND] = RUL_EXPR_AND,
                                               [RUL_COND_OR] = RUL_EXPR_OR};
    const struct rul_cond_node *cond = &d->cond.nodes[index];
    if (cond->kind == RUL_COND_SELECT) {
        return resolve_select(d, node, cond, out);
    }
    if (cond->kind == RUL_COND_NAME) {
        *out = find_search(d, cond->text);
        return *out != NULL
                   ? 0
                   : refuse_at(d, node, cond->offset, "no search is named", cond->text);
    }
    struct rul_expr *expr = rul_expr_new(d->r, kinds[cond->kind], 2);
    int err = expr == NULL ? HD_ENOMEM : resolve(d, node, cond->left, &expr->kids[0]);
    if (err == 0 && cond->kind != RUL_COND_NOT) {
        err = resolve(d, node, cond->right, &expr->kids[1]);
    }
    if (err == 0) {
        expr->n = cond->kind == RUL_COND_NOT ? 1 : 2;
        *out = expr;
    }
    return err;
}

static int read_condition(struct detection *d, const struct hd_yaml *node,
                          struct rul_expr **out)
{
    if (node->kind != HD_YAML_SCALAR) {
        return rul_refuse(d->r, node, "a condition is text");
    }
    if (rul_cond_parse(node->text, &d->cond) != 0) {
        return refuse_at(d, node, d->cond.error_offset, d->cond.error, HD_SLICE_EMPTY);
    }
    return resolve(d, node, d->cond.root, out);
}

static int read_conditions(struct detection *d, const struct hd_yaml *node,
                           struct rul_expr **out)
{
    if (node->kind != HD_YAML_LIST) {
        return read_condition(d, node, out);
    }
    if (node->n == 0) {
        return rul_refuse(d->r, node, "the list of conditions is empty");
    }
    struct rul_expr *any = rul_expr_new(d->r, RUL_EXPR_OR, node->n);
    if (any == NULL) {
        return HD_ENOMEM;
    }
    for (const struct hd_yaml *c = node->first; c != NULL; c = c->next) {
        int err = read_condition(d, c, &any->kids[any->n++]);
        if (err != 0) {
            return err;
        }
    }
    *out = only_child(any);
    return 0;
}

static int read_searches(struct detection *d, const struct hd_yaml *detection)
{
    int result = 0;
    for (const struct hd_yaml *v = detection->first; v != NULL; v = v->next) {
        if (hd_yaml_is(v->key, "condition") ||
            (hd_yaml_is(v->key, "rules") && hd_yaml_is(detection->key, "filter"))) {
            continue;
        }
        if (hd_yaml_is(v->key, "timeframe")) {
            return rul_refuse(d->r, v->key,
                              "'timeframe' is not part of Sigma any more: "
                              "write a correlation rule");
        }
        if (d->n == SEARCHES_MAX) {
            return rul_refuse(d->r, v->key, "more than %u searches", SEARCHES_MAX);
        }
        struct search *s = &d->searches[d->n];
        s->name = v->key->text;
        int err = read_search(d->r, v, &s->expr);
        if (err != 0 && s->expr == NULL) { /* the condition may still name it */
            s->expr = rul_expr_new(d->r, RUL_EXPR_OR, 1);
        }
        if (err == HD_ENOMEM || s->expr == NULL) {
            return HD_ENOMEM;
        }
        result = err != 0 ? err : result;
        d->n++;
    }
    return result;
}

int rul_detection_read(struct rul_reader *r, const struct hd_yaml *detection,
                       struct rul_expr **out)
{
    const struct hd_yaml *condition = hd_yaml_get(detection, "condition");
    if (detection->kind != HD_YAML_MAP || condition == NULL) {
        return rul_refuse(r, detection, "'%.*s' needs searches and a 'condition'",
                          HD_SLICE_FMT(detection->key->text));
    }
    struct detection *d = calloc(1, sizeof(*d));
    if (d == NULL) {
        return HD_ENOMEM;
    }
    d->r = r;
    int err = read_searches(d, detection);
    if (err != HD_ENOMEM) { /* what is wrong with the condition is worth telling, too */
        int rest = read_conditions(d, condition, out);
        err = err != 0 ? err : rest;
    }
    free(d);
    return err;
}
