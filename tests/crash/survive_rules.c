/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include <haidang/buf.h>

#include "tests/crash/survive.h"

#define KINDS 5U /* of events; a detection rule each */
#define CORRS 7U

uint32_t chance_below(struct chance *c, uint32_t n)
{
    c->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = c->state;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ z >> 31) % n);
}

bool chance_one_in(struct chance *c, uint32_t n)
{
    return chance_below(c, n) == 0;
}

__attribute__((format(printf, 2, 3))) static void say(struct hd_buf *out,
                                                      const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    hd_buf_bytes(out, text, (size_t)len);
}

/* ---- detections ---- */

static const char *const levels[] = {"low", "medium", "high"};

static void detection(const char *name, unsigned kind, const char *level,
                      struct hd_buf *out)
{
    say(out,
        "---\ntitle: Of kind %u\nname: %s\nstatus: test\n"
        "logsource: {product: survive}\n"
        "detection: {selection: {kind: k%u}, condition: selection}\nlevel: %s\n",
        kind, name, kind, level);
}

/* ---- correlations ---- */

enum shape { COUNT, VALUES, SUM, MEAN, PERCENTILE, ANY_ORDER, ORDERED, SHAPES };

static const char *const types[SHAPES] = {
    "event_count",      "value_count", "value_sum",       "value_avg",
    "value_percentile", "temporal",    "temporal_ordered"};

static bool is_temporal(enum shape shape)
{
    return shape == ANY_ORDER || shape == ORDERED;
}

/* What a new era makes of a correlation; all zero: nothing. */
struct change {
    int number, span; /* more */
    bool other_title, other_group, other_generate;
};

static struct change change_of(uint64_t world, unsigned era, unsigned index)
{
    struct chance c = {world ^ (UINT64_C(0xc4a26e) * (index + 1))};
    struct change change = {0};
    if (era == 0 || chance_one_in(&c, 3)) {
        return change;
    }
    switch (chance_below(&c, 5)) {
    case 0:
        change.number = chance_one_in(&c, 2) ? 1 : -1;
        break;
    case 1:
        change.span = (int)chance_below(&c, 20) - 4;
        break;
    case 2:
        change.other_group = true;
        break;
    case 3:
        change.other_generate = true;
        break;
    default:
        change.other_title = true;
        break;
    }
    return change;
}

/* Does it fire while counting up? */
static bool limits(struct chance *c, int least, struct hd_buf *out)
{
    int n = least + (int)chance_below(c, 4);
    switch (chance_below(c, 7)) {
    case 0:
        say(out, "lte: %d", n);
        return false;
    case 1:
        say(out, "gte: %d, lte: %d", n, n + 2);
        return false;
    case 2:
        say(out, "neq: %d", n);
        return false;
    default:
        say(out, "gte: %d", n);
        return true;
    }
}

/* The rules counted: `n` kinds, or the correlation before. */
static void counted(struct chance *c, unsigned index, unsigned n, bool is_upper,
                    struct hd_buf *out)
{
    if (is_upper) {
        say(out, "c%u", index - 1);
        for (unsigned i = 1; i < n; i++) {
            say(out, ", k%u", (i + index) % KINDS);
        }
        return;
    }
    unsigned from = chance_below(c, KINDS);
    for (unsigned i = 0; i < n; i++) {
        say(out, "%sk%u", i == 0 ? "" : ", ", (from + i) % KINDS);
    }
}

static bool condition(struct chance *c, enum shape shape, unsigned n, int more,
                      struct hd_buf *out)
{
    if (is_temporal(shape)) {
        if (chance_one_in(c, 2)) {
            say(out, "  condition: {gte: %u}\n", 1 + chance_below(c, n));
        }
        return true;
    }
    say(out, "  condition: {");
    if (shape == VALUES) {
        say(out, "field: user, ");
    } else if (shape != COUNT) {
        say(out, "field: n, ");
    }
    if (shape == PERCENTILE) {
        say(out, "percentile: %u, ", 10 + 20 * chance_below(c, 5));
    }
    bool up = limits(c, (shape == MEAN || shape == PERCENTILE ? 1 : 2) + more, out);
    say(out, "}\n");
    return up;
}

static bool temporal_expression(struct chance *c, struct hd_buf *out)
{
    static const char *const words[] = {"and", "or", "and not"};
    unsigned word = chance_below(c, 3), from = chance_below(c, KINDS);
    unsigned other = (from + 1 + chance_below(c, KINDS - 1)) % KINDS;
    say(out, "  rules: [k%u, k%u]\n  condition: k%u %s k%u\n", from, other, from,
        words[word], other);
    return word != 2;
}

static void options(struct chance *c, enum shape shape, unsigned span, bool up,
                    struct hd_buf *out)
{
    unsigned window = is_temporal(shape) ? 0 : chance_below(c, 4);
    if (window == 1) {
        up = false;
    }
    say(out, "haidang: {null_group: %s", chance_one_in(c, 3) ? "true" : "false");
    if (window == 1) {
        say(out, ", window: tumbling");
    } else if (window == 2) {
        say(out, ", window: session, gap: %us", 1 + chance_below(c, span));
    }
    if (up && chance_one_in(c, 4)) {
        say(out, ", reset: true");
    }
    say(out, "}\n");
}

static void head(struct chance *c, unsigned index, const struct change *change,
                 struct hd_buf *out)
{
    say(out, "---\ntitle: Correlation %u%s\nname: c%u\nstatus: test\nlevel: %s\n", index,
        change->other_title ? ", improved" : "", index, levels[chance_below(c, 3)]);
}

static void correlation(struct chance *c, unsigned index, const struct change *change,
                        struct hd_buf *out)
{
    static const char *const groups[] = {"", "  group-by: [src]\n",
                                         "  group-by: [src, user]\n"};
    enum shape shape = (enum shape)chance_below(c, SHAPES);
    unsigned span = 5 + chance_below(c, 40), n = 1 + chance_below(c, 3);
    bool is_upper =
        index > 0 && (shape == COUNT || is_temporal(shape)) && chance_one_in(c, 2);
    bool has_expression = is_temporal(shape) && !is_upper && chance_one_in(c, 2);
    n = is_temporal(shape) && n == 1 ? 2 : n;
    head(c, index, change, out);
    say(out, "correlation:\n  type: %s\n  timespan: %ds\n  generate: %s\n%s",
        types[shape], (int)span + change->span,
        chance_one_in(c, 3) != change->other_generate ? "true" : "false",
        groups[(chance_below(c, 3) + change->other_group) % 3]);
    bool up;
    if (has_expression) {
        up = temporal_expression(c, out);
    } else {
        say(out, "  rules: [");
        counted(c, index, n, is_upper, out);
        say(out, "]\n");
        up = condition(c, shape, n, change->number, out);
    }
    options(c, shape, span - 4, up, out);
}

/* ---- what comes, goes and changes ---- */

static void others(uint64_t world, unsigned set, unsigned place, struct hd_buf *out)
{
    struct chance c = {world * 1000 + set * 100 + place};
    char name[16];
    for (unsigned n = set == 0 ? 0 : chance_below(&c, 3); n > 0; n--) {
        unsigned id = 10 * place + n;
        (void)snprintf(name, sizeof(name), "x%u", id);
        detection(name, chance_below(&c, KINDS), levels[chance_below(&c, 3)], out);
        if (chance_one_in(&c, 2)) {
            say(out,
                "---\ntitle: Other\nname: y%u\nstatus: test\nlevel: low\n"
                "correlation: {type: event_count, rules: [%s], timespan: %us, "
                "group-by: [src], condition: {gte: %u}}\n",
                id, name, 5 + chance_below(&c, 20), 1 + chance_below(&c, 3));
        }
    }
}

void survive_rules(uint64_t world, struct survive_set which, struct hd_buf *out)
{
    struct chance c = {world};
    char name[16];
    for (unsigned i = 0; i < KINDS; i++) {
        others(world, which.other, i, out);
        (void)snprintf(name, sizeof(name), "k%u", i);
        detection(name, i, levels[chance_below(&c, 3)], out);
    }
    for (unsigned i = 0; i < CORRS; i++) {
        const struct change change = change_of(world, which.era, i);
        others(world, which.other, KINDS + i, out);
        correlation(&c, i, &change, out);
    }
}
