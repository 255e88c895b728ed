/* SPDX-License-Identifier: Apache-2.0
 *
 * One correlation rule over three base rules, fed hit by hit.
 */
#pragma once
#include "tests/unit/rules/kit.h"

#include "rules/correlate/correlate.h"

#define SEC INT64_C(1000000000)
/* Rules that correlations of these tests count: base, second, third. */
#define BASE                                                                             \
    "title: base\nname: base\nlogsource: {product: p}\ndetection: {s: {F: x}, "          \
    "condition: s}\n---\n"                                                               \
    "title: second\nname: second\nlogsource: {product: p}\ndetection: {s: {G: x}, "      \
    "condition: s}\n---\n"                                                               \
    "title: third\nname: third\nlogsource: {product: p}\ndetection: {s: {H: x}, "        \
    "condition: s}\n---\n"

struct bench {
    struct kit kit;
    struct rul_correlator *c;
    unsigned fired;
    /* the last detection */
    uint64_t count, suppressed;
    int64_t first_ns, last_ns;
    bool is_ambiguous;
    char position[128], group[128], rule[64];
    uint64_t seq;
};

/* `correlation`: the members of the map of the rule "corr"; more documents may follow. */
void open_bench(struct bench *b, const char *correlation);
void open_with(struct bench *b, const char *correlation,
               const struct rul_correlator_opts *opts);
void close_bench(struct bench *b);
struct rul_correlator_stats bench_stats(const struct bench *b);
void bench_on_detection(void *ctx, const struct rul_detection *d,
                        const struct rul_event_copy *last);

/* A hit of `rule` with user.name, source.ip and source.port (NULL: absent); true when
 * something fired. */
bool hit_number(struct bench *b, const char *rule, int64_t time_ns, const char *user,
                const char *number);
bool hit_rule(struct bench *b, const char *rule, int64_t time_ns, const char *position,
              const char *user, const char *ip);
/* The same of "base", each at a position of its own. */
bool hit_as(struct bench *b, int64_t time_ns, const char *user, const char *ip);
bool hit(struct bench *b, int64_t time_ns);
/* Time goes on to there; true when something fired. */
bool close_at(struct bench *b, int64_t time_ns);
/* The rule is refused; the message has this text, and the place ":line:column:" in it. */
void expect_refused(const char *correlation, const char *place, const char *what);
