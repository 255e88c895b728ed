/* SPDX-License-Identifier: Apache-2.0
 *
 * The rule set: decoders + Sigma rules compiled into one immutable snapshot that is
 * swapped whole and pinned by reference while it is in use. The seam of this room: the
 * correlator and the console see only this header, explain.h, filter.h, event.h,
 * decode/decode.h and correlate/correlate.h.
 */
#pragma once
#include <haidang/alert.h>
#include <haidang/diag.h>

#include "rules/decode/decode.h"
#include "rules/event.h"

struct rul_set;

struct rul_set_opts {
    const char *decoders_dir;
    const char *const *rules; /* files and directories (searched for *.yml), in order */
    size_t n_rules;
    const char *time_zone;
    const char *logsources;       /* file of other names of log sources, or NULL */
    const char *placeholders_dir; /* values of "%name%" (parse/placeholder.h), or NULL */
    /* Only rules of this level at least, and with one of these statuses; none given: all.
     * See select.h. */
    const char *min_level;
    const char *const *statuses;
    size_t n_statuses;
    bool keep_going; /* bad rules are left out (and reported); otherwise the load fails */
    bool no_self_test;
    bool only_read; /* for looking at rules: no databases, such a set matches nothing */
    /* Without decoders (decoders_dir NULL): one class for each log source that the rules
     * name, see rul_set_class_of. For tools that make events themselves. */
    /* Instead of decoders: every event has these log sources and the fields of its JSON
     * as they are named there, see declared.c. */
    const struct rul_logsource *declared;
    size_t n_declared;
    /* Event times farther from the receive time are not trusted; 0 = 24 h. */
    int64_t skew_max_ns;
};
/* Loads, compiles, self-tests. All problems are reported. HD_EPARSE when any rule was
 * refused and keep_going is false; HD_ECORRUPT when the pattern library fails the
 * self-test. */
int rul_set_load(const struct rul_set_opts *opts, struct rul_set **out,
                 struct hd_diags *diags) HD_MUST_USE;
struct rul_set *rul_set_ref(struct rul_set *set); /* any thread */
void rul_set_unref(struct rul_set *set);

const struct rul_fields *rul_set_fields(const struct rul_set *set);
const struct rul_decoders *rul_set_decoders(const struct rul_set *set);
const char *rul_set_hash(const struct rul_set *set); /* 64 hex digits over all sources */
/* The class of events that have exactly this log source; 0 when there is none. */
uint16_t rul_set_class_of(const struct rul_set *set, const struct rul_logsource *source);

enum rul_rule_type {
    RUL_DETECTION,
    RUL_EVENT_COUNT,
    RUL_VALUE_COUNT,
    RUL_VALUE_SUM,
    RUL_VALUE_AVG,
    RUL_VALUE_PERCENTILE,
    RUL_TEMPORAL,
    RUL_TEMPORAL_ORDERED
};
#define RUL_RULE_TYPES (RUL_TEMPORAL_ORDERED + 1)
/* As Sigma writes it; "detection" for the first. */
const char *rul_rule_type_name(enum rul_rule_type type);

struct rul_rule {   /* immutable; texts are NUL-terminated UTF-8, "" when absent */
    uint32_t index; /* in the set */
    enum rul_rule_type type;
    const char *id; /* UUID, or the rule's name when it has none */
    const char *name;
    const char *title, *title_vi, *description, *description_vi;
    const char *author, *license, *status;
    const char *level;         /* "informational" .. "critical" */
    enum hd_severity severity; /* low and informational = 1 */
    const char *const *tags;
    size_t n_tags;
    struct rul_logsource logsource; /* all empty: a correlation */
    const char *delivery;           /* "national" or "province" */
    const char *file;
    unsigned line;
    bool alerts;   /* false: only feeds correlations (generate: false) */
    bool feeds;    /* some correlation refers to it */
    uint64_t hash; /* over the rule's meaning: state survives a reload when unchanged */
};
size_t rul_set_count(const struct rul_set *set);
/* Rules that were read and left out because of their level or status. */
size_t rul_set_left_out(const struct rul_set *set);
const struct rul_rule *rul_set_rule(const struct rul_set *set, size_t index);
const struct rul_rule *rul_set_find(const struct rul_set *set,
                                    struct hd_slice id_or_name);

/* ---- matching ---- */

struct rul_scratch; /* one a thread and set */
int rul_scratch_new(const struct rul_set *set, struct rul_scratch **out) HD_MUST_USE;
void rul_scratch_free(struct rul_scratch *scratch);

/* Since the scratch was made. What could not be decided exactly counts as not matching.
 */
struct rul_match_stats {
    uint64_t no_memory;   /* a value could not be folded */
    uint64_t regex_limit; /* PCRE2 gave up on an expression and a value */
    uint64_t held_back;   /* hits that filters did not let stand, see filter.h */
};
void rul_scratch_stats(const struct rul_scratch *scratch, struct rul_match_stats *out);

/* Calls `hit` for each detection rule the event satisfies, in order of rule index. */
typedef void (*rul_on_hit)(void *ctx, const struct rul_rule *rule,
                           const struct rul_event *ev);
void rul_match(const struct rul_set *set, struct rul_scratch *scratch,
               const struct rul_event *ev, rul_on_hit hit, void *ctx);
/* The same; when `cost` is given it is told of each rule that was evaluated, and how long
 * that took: for samples, since reading the clock costs more than most rules. */
typedef void (*rul_on_cost)(void *ctx, const struct rul_rule *rule, uint64_t ns);
void rul_match_timed(const struct rul_set *set, struct rul_scratch *scratch,
                     const struct rul_event *ev, rul_on_hit hit, rul_on_cost cost,
                     void *ctx);

/* Fields that made the rule true on this event (for people): writes ids, returns how
 * many. */
size_t rul_explain_fields(const struct rul_set *set, const struct rul_rule *rule,
                          const struct rul_event *ev, uint16_t *ids, size_t cap);

/* The examples inside rule files (custom key `haidang.examples`): every `match` line must
 * fire the rule, no `no_match` line may. Reports failures; returns their count. */
unsigned rul_set_test(struct rul_set *set, struct hd_diags *diags, unsigned *examples);
