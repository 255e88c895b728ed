/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/parse/collection.h"

struct merge {
    struct rul_reader *r;
    struct rul_collection *c;
    const struct hd_yaml *at; /* where to complain */
    int err;
};

/* A copy that may stand in another list; what is below it is shared. */
static struct hd_yaml *copy(struct merge *m, const struct hd_yaml *node)
{
    if (m->err == 0 && ++m->c->copied > HD_YAML_NODES_MAX) {
        m->err =
            rul_refuse(m->r, m->at, "the collection is too large: more than %u nodes",
                       HD_YAML_NODES_MAX);
    }
    struct hd_yaml *out =
        m->err != 0 ? NULL : hd_arena_alloc(m->r->load, 1, sizeof(*out));
    if (out == NULL) {
        m->err = m->err != 0 ? m->err : HD_ENOMEM;
        return NULL;
    }
    *out = *node;
    out->next = NULL;
    return out;
}

static const struct hd_yaml *find(const struct hd_yaml *map, const struct hd_yaml *key)
{
    for (const struct hd_yaml *v = map->first; v != NULL; v = v->next) {
        if (hd_slice_eq(v->key->text, key->text)) {
            return v;
        }
    }
    return NULL;
}

static struct hd_yaml *merge(struct merge *m, const struct hd_yaml *under,
                             const struct hd_yaml *over);

/* Members of `from` into the list at *tail; of those that `other` has, too, the one of
 * `over`. Returns the new tail. */
static const struct hd_yaml **put_member(struct merge *m, const struct hd_yaml *under,
                                         const struct hd_yaml *over,
                                         const struct hd_yaml **tail, uint32_t *n)
{
    bool both = under != NULL && over != NULL && under->kind == HD_YAML_MAP &&
                over->kind == HD_YAML_MAP;
    struct hd_yaml *made =
        both ? merge(m, under, over) : copy(m, over != NULL ? over : under);
    if (made == NULL) {
        return tail;
    }
    *tail = made;
    ++*n;
    return &made->next;
}

/* One map of two; it stands where `over` does. Depth is that of YAML. */
static struct hd_yaml *merge(struct merge *m, const struct hd_yaml *under,
                             const struct hd_yaml *over)
{
    struct hd_yaml *out = copy(m, over);
    const struct hd_yaml **tail = out == NULL ? NULL : &out->first;
    uint32_t n = 0;
    for (const struct hd_yaml *v = under->first; v != NULL && m->err == 0; v = v->next) {
        tail = put_member(m, v, find(over, v->key), tail, &n);
    }
    for (const struct hd_yaml *v = over->first; v != NULL && m->err == 0; v = v->next) {
        if (find(under, v->key) == NULL) {
            tail = put_member(m, NULL, v, tail, &n);
        }
    }
    if (m->err != 0) {
        return NULL;
    }
    *tail = NULL;
    out->n = n;
    return out;
}

/* The document without its `action`. */
static struct hd_yaml *without_action(struct merge *m, const struct hd_yaml *doc)
{
    struct hd_yaml *out = copy(m, doc);
    const struct hd_yaml **tail = out == NULL ? NULL : &out->first;
    for (const struct hd_yaml *v = doc->first; v != NULL && m->err == 0; v = v->next) {
        if (!hd_yaml_is(v->key, "action")) {
            uint32_t n = 0;
            tail = put_member(m, NULL, v, tail, &n);
        }
    }
    if (m->err != 0) {
        return NULL;
    }
    *tail = NULL;
    out->n--;
    return out;
}

static int act(struct merge *m, const struct hd_yaml *action, const struct hd_yaml *doc,
               const struct hd_yaml **rule)
{
    struct rul_collection *c = m->c;
    if (hd_yaml_is(action, "global")) {
        c->global = c->previous = without_action(m, doc);
    } else if (hd_yaml_is(action, "reset")) {
        c->global = NULL;
    } else if (!hd_yaml_is(action, "repeat")) {
        return rul_refuse(m->r, action, "'action' must be global, reset or repeat");
    } else if (c->previous == NULL) {
        return rul_refuse(m->r, action, "there is no rule before it to repeat");
    } else {
        struct hd_yaml *members = without_action(m, doc);
        *rule = members == NULL ? NULL : merge(m, c->previous, members);
        c->previous = *rule != NULL ? *rule : c->previous;
    }
    return m->err;
}

int rul_collection_next(struct rul_reader *r, struct rul_collection *c,
                        const struct hd_yaml *doc, const struct hd_yaml **rule)
{
    struct merge m = {.r = r, .c = c, .at = doc};
    const struct hd_yaml *action = hd_yaml_get(doc, "action");
    *rule = NULL;
    if (action != NULL) {
        return act(&m, action, doc, rule);
    }
    *rule = doc;
    if (c->global != NULL && doc->kind == HD_YAML_MAP) {
        /* what is global wins, as in pySigma; the rule stays where it is written */
        struct hd_yaml *whole = merge(&m, doc, c->global);
        if (whole == NULL) {
            return m.err;
        }
        whole->line = doc->line;
        whole->column = doc->column;
        *rule = whole;
    }
    c->previous = *rule;
    return 0;
}
