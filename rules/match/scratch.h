/* SPDX-License-Identifier: Apache-2.0
 *
 * What one thread needs to match events against one set. Nothing is cleared between
 * events: every entry carries the number (epoch) of the event it belongs to.
 */
#pragma once
#include "rules/snapshot.h"

#define RUL_EPOCH_MAX (UINT32_MAX >> 2)

enum rul_truth { RUL_FALSE = 0, RUL_TRUE = 1, RUL_MAYBE = 2 };

struct rul_scratch {
    const struct rul_program *program;
    hs_scratch_t *hs;
    struct rul_regex_scratch *pcre;
    struct rul_match_stats stats;
    uint32_t epoch;
    uint32_t decided_epoch; /* the event whose databases have all been asked */
    bool has_failed;        /* some database gave up on this event */
    uint32_t *memo;         /* per predicate: epoch << 2 | truth */
    uint32_t *scanned;      /* per slot of the class: epoch of its expressions' scan */
    uint64_t *candidates;   /* bitmap over the rules of the set */
    uint64_t *touched;      /* the words of it in which a bit is set */
    struct hd_arena folds;  /* folded values of this event */
    struct hd_buf fold_buf;
    size_t n_texts; /* what keywords are sought in */
    struct rul_keyword_text {
        struct hd_slice raw, folded;
        bool is_folded;
        bool is_covered; /* another text contains it: only expressions look here */
    } texts[RUL_EVENT_VALUES_MAX + 2];  /* the line, twice, and values made from it */
    uint32_t item_epoch[RUL_ITEMS_MAX]; /* of elements of lists */
    struct hd_slice item_fold[RUL_ITEMS_MAX];
    uint32_t fold_epoch[RUL_FIELDS_MAX];
    struct hd_slice fold[RUL_FIELDS_MAX];
};

/* One event being matched. */
struct rul_matcher {
    const struct rul_program *p;
    const struct rul_dispatch *d;
    struct rul_scratch *s;
    const struct rul_event *ev;
};

/* NFC + lower case of a value, in the scratch of this event. */
struct hd_slice rul_fold_text(struct rul_scratch *s, struct hd_slice text);
struct hd_slice rul_fold_field(const struct rul_matcher *m, uint16_t field);
struct hd_slice rul_fold_keyword(const struct rul_matcher *m, size_t text);

/* The values of a field that the event has, one after the other: those of its list, or
 * the only one. */
struct rul_values {
    struct hd_slice value;
    uint16_t item; /* RUL_ITEM_NONE: the field has no list */
};
bool rul_values_first(const struct rul_matcher *m, uint16_t field, struct rul_values *v);
static inline bool rul_values_next(const struct rul_matcher *m, struct rul_values *v)
{
    uint16_t next = v->item == RUL_ITEM_NONE ? v->item : m->ev->lists.items[v->item].next;
    if (next == RUL_ITEM_NONE) {
        return false;
    }
    *v = (struct rul_values){m->ev->lists.items[next].value, next};
    return true;
}
/* The value folded. */
struct hd_slice rul_fold_value(const struct rul_matcher *m, uint16_t field,
                               const struct rul_values *v);

static inline void rul_memo_set(struct rul_scratch *s, uint32_t pred,
                                enum rul_truth truth)
{
    s->memo[pred] = s->epoch << 2 | truth;
}

/* Scans the slot's expressions over the event, once. */
void rul_scan_expressions(const struct rul_matcher *m, uint32_t slot);

bool rul_eval_pred(const struct rul_matcher *m, uint32_t pred);
bool rul_eval(const struct rul_matcher *m, uint32_t ref);
/* Do all filters of a rule that has matched let the hit stand? Counts those that do not.
 */
bool rul_eval_filters(const struct rul_matcher *m, uint32_t rule);

/* Does a folded text match? "?" is one UTF-8 character (or one invalid byte). */
bool rul_glob_match(const struct rul_glob *glob, struct hd_slice text);
/* Starts an event: class, keywords' texts, new epoch. False: no rule can match. */
bool rul_matcher_begin(struct rul_matcher *m, const struct rul_set *set,
                       struct rul_scratch *scratch, const struct rul_event *ev);
