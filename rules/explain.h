/* SPDX-License-Identifier: Apache-2.0
 *
 * For people who write rules: what a rule saw in an event. Read-only; beside set.h the
 * console's way into this room.
 */
#pragma once
#include "rules/set.h"

struct rul_hit { /* as the callback of rul_match is given it */
    const struct rul_rule *rule;
    const struct rul_event *ev;
};
/* As rul_explain_fields, but inside that callback and with the scratch in use: nothing is
 * allocated, and no predicate is evaluated twice. */
size_t rul_hit_fields(const struct rul_set *set, struct rul_scratch *scratch,
                      const struct rul_hit *hit, uint16_t *ids, size_t cap) HD_MUST_USE;

/* Is the text one valid JSON object, within the limits of decoding? */
bool rul_is_json_object(struct hd_slice text);

/* ---- classes of events ---- */

uint16_t rul_set_classes(const struct rul_set *set); /* ids are 0 .. n - 1 */
const struct rul_class *rul_set_class(const struct rul_set *set, uint16_t id);
/* Rules that events of the class meet. */
uint32_t rul_class_rules(const struct rul_set *set, uint16_t id);
bool rul_class_has(const struct rul_set *set, uint16_t id, const struct rul_rule *rule);

/* ---- what a rule was compiled to ---- */

enum rul_step_kind {
    RUL_STEP_ALL,     /* all steps one level deeper hold */
    RUL_STEP_ANY,     /* at least `n` of them */
    RUL_STEP_NOT,     /* the one below it does not hold */
    RUL_STEP_COMPARE, /* a comparison */
    RUL_STEP_FILTER   /* a filter of the set, by title; what is below must hold */
};
struct rul_step {
    enum rul_step_kind kind;
    unsigned depth;
    uint32_t n;
    struct hd_slice text; /* of comparisons as Sigma writes them: "Image|endswith: 'x'" */
    uint16_t field;       /* of comparisons; RUL_FIELD_NONE = keywords */
    uint32_t rules;       /* of comparisons: how many rules of the set make it */
    bool holds;           /* for the event, if one was given */
};
typedef void (*rul_on_step)(void *ctx, const struct rul_step *step);
/* The tree of a detection rule, parents first; with an event (hit->ev not NULL, scratch
 * of this set, outside of rul_match) what holds of it. HD_ENOMEM, HD_EINVAL: a
 * correlation, or an event of a class that does not meet the rule. */
int rul_explain_steps(const struct rul_set *set, struct rul_scratch *scratch,
                      const struct rul_hit *hit, rul_on_step each, void *ctx) HD_MUST_USE;

enum rul_way_kind {
    RUL_WAY_LITERAL,    /* `text` somewhere in the field */
    RUL_WAY_EQUAL,      /* the field is `text` */
    RUL_WAY_NETWORK,    /* the field is an address in the network `text` */
    RUL_WAY_EXPRESSION, /* the regular expression `text` is found */
    RUL_WAY_PRESENT     /* the field is there */
};
struct rul_way {
    enum rul_way_kind kind;
    uint16_t field; /* RUL_FIELD_NONE = keywords */
    struct hd_slice text;
};
typedef void (*rul_on_way)(void *ctx, const struct rul_way *way);
/* What is looked for in every event so that the rule is evaluated at all (its access
 * set); none: it is evaluated for all events of its classes. *cost: how often, in a
 * million events, that is expected to be found. */
int rul_explain_access(const struct rul_set *set, const struct rul_rule *rule,
                       rul_on_way each, void *ctx, double *cost) HD_MUST_USE;

/* The rules whose hits a correlation takes; how many were written to refs. */
size_t rul_explain_refs(const struct rul_set *set, const struct rul_rule *rule,
                        const struct rul_rule **refs, size_t cap);

/* ---- which events let a rule fire ---- */

/* Can a detection be true of an event that has no fields but those of the bitmap
 * (RUL_FIELDS_MAX bits)? */
bool rul_can_fire(const struct rul_set *set, const struct rul_rule *rule,
                  const uint64_t *fields);
/* The fields for want of which it cannot; how many were written to ids. */
size_t rul_missing_fields(const struct rul_set *set, const struct rul_rule *rule,
                          const uint64_t *fields, uint16_t *ids, size_t cap);

/* ---- what single rules cost ---- */

struct rul_candidate {
    const struct rul_rule *rule;
    bool holds;
    int64_t took_ns; /* evaluating it alone, its fields folded already */
};
typedef void (*rul_on_candidate)(void *ctx, const struct rul_candidate *candidate);
/* Each rule that the event makes the engine look at. */
int rul_profile_event(const struct rul_set *set, struct rul_scratch *scratch,
                      const struct rul_event *ev, rul_on_candidate each,
                      void *ctx) HD_MUST_USE;
