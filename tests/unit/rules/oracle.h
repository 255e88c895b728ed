/* SPDX-License-Identifier: Apache-2.0
 *
 * A second reading of the Sigma specification, for tests: reads rules with libyaml's own
 * tree, evaluates them by walking it, one event and one rule at a time. Shares no code
 * with the engine (only the library's text folding and address parsing), has no index
 * and no cache, and knows nothing of correlations.
 */
#pragma once
#include <haidang/slice.h>

#define ORACLE_FIELDS_MAX 128

struct oracle_text {
    struct hd_slice raw, folded; /* folded: by hd_utf8_fold, once an event */
};

struct oracle_event {
    struct oracle_text line; /* raw.len 0 = none */
    size_t n;
    struct {
        const char *name;
        struct oracle_text text;
        bool outside; /* not a view of the line: keywords are sought in it, too */
    } fields[ORACLE_FIELDS_MAX];
};

struct oracle_rule;
/* All detection rules of a file; own: oracle_free. NULL when it has none. */
struct oracle_rule *oracle_load(const char *path);
/* The same of a filter: it "matches" what it lets stand. */
struct oracle_rule *oracle_load_filter(const char *path);
void oracle_free(struct oracle_rule *rule);

/* Values of "%name%" for rules with the `expand` modifier: a YAML map of names to values.
 * Kept until the next call; NULL: none. */
void oracle_placeholders(const char *path);

const char *oracle_id(const struct oracle_rule *rule);
/* product, category or service; "" when not given */
const char *oracle_logsource(const struct oracle_rule *rule, const char *part);
bool oracle_matches(const struct oracle_rule *rule, const struct oracle_event *event);

/* One part of a time, "hour"; false when the value is none. */
bool oracle_time_part(struct hd_slice value, const char *part, double *out);

/* Every (field, modifiers, value) of the rule's searches, for making events. Field is ""
 * for keywords. */
typedef void (*oracle_each)(void *ctx, const char *key, const char *value);
void oracle_values(const struct oracle_rule *rule, oracle_each each, void *ctx);
