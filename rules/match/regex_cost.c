/* SPDX-License-Identifier: Apache-2.0
 *
 * Two measures: slack, how far the lengths that a piece may take are apart, and width,
 * the places of the automaton when repeats are written out. Measured in CPU time:
 * (.{0,25}a.{0,25}b){2} (slack 50 twice) compiles in 8 s,
 * [a-z]{1,400}.{1,400}[0-9]{1,400}x (slack 1197) in 7 s, (ab|cd){10000} (width 40,000, no
 * slack) in 20 s, (\d{1,3}\.){3}\d{1,3} and all that public rules have at once. Of some
 * 1,700 random ones within the bounds, each compiled by itself, none took above 0.4 s.
 */
#include "rules/match/regex_cost.h"

#include <haidang/num.h>

#define NESTING_MAX 250U  /* PCRE2's own limit */
#define SLACK_MAX   300U  /* of the whole */
#define REPEAT_MAX  48U   /* slack of a group times its repeats */
#define WIDTH_MAX   2000U /* of the whole */
#define OPEN_SLACK  4U    /* of "*", "+" and "{n,}" */
#define ENOUGH      UINT64_C(1000000000)

struct measure {
    struct hd_slice pattern;
    size_t at;
    size_t depth;
    uint64_t slack[NESTING_MAX + 1]; /* of the groups that are open */
    uint64_t width[NESTING_MAX + 1]; /* of the groups that are open */
    uint64_t last;                   /* slack of the piece before */
    uint64_t wide;                   /* its width */
    uint64_t repeated;               /* the worst "{n,m}" of a piece with slack */
};

static uint8_t byte_at(const struct measure *m, size_t at)
{
    return at < m->pattern.len ? m->pattern.ptr[at] : 0;
}

/* Behind "[": to its "]". */
static void skip_class(struct measure *m)
{
    m->at += byte_at(m, m->at) == '^';
    m->at += byte_at(m, m->at) == ']';
    while (m->at < m->pattern.len && m->pattern.ptr[m->at] != ']') {
        m->at += m->pattern.ptr[m->at] == '\\' ? 2 : 1;
    }
    m->at++;
}

/* Behind "{": "n}", "n,}" or "n,m}"; false when it is a plain brace. */
static bool take_counts(struct measure *m, uint64_t *min, uint64_t *max)
{
    size_t end = m->at;
    while (hd_is_digit(byte_at(m, end)) || byte_at(m, end) == ',') {
        end++;
    }
    struct hd_slice rest = hd_slice(m->pattern.ptr + m->at, end - m->at), low;
    if (byte_at(m, end) != '}' || !hd_slice_split(&rest, ',', &low) ||
        hd_num_u64(low, UINT16_MAX, min) != 0) {
        return false;
    }
    bool is_range = low.len < end - m->at;
    *max = is_range ? *min + OPEN_SLACK : *min;
    if (is_range && rest.len > 0 && hd_num_u64(rest, UINT16_MAX, max) != 0) {
        return false;
    }
    m->at = end + 1;
    return true;
}

/* One place more. */
static void take_place(struct measure *m)
{
    m->width[m->depth]++;
    m->last = 0;
    m->wide = 1;
}

/* "{n,}" is n pieces of which the last repeats; "*" is one. */
static void widen(struct measure *m, uint64_t times)
{
    uint64_t now = m->wide * (times > 0 ? times : 1);
    now = now < ENOUGH ? now : ENOUGH;
    m->width[m->depth] += now - m->wide;
    m->wide = now;
}

static void repeat(struct measure *m, uint64_t min, uint64_t max)
{
    uint64_t inner = m->last * max;
    uint64_t now = inner + (max > min ? max - min : 0);
    now = now < ENOUGH ? now : ENOUGH;
    m->slack[m->depth] += now - (m->last < now ? m->last : now);
    m->last = now;
}

static void open_group(struct measure *m)
{
    m->at += byte_at(m, m->at) == '?'; /* not a repeat, but "(?:" */
    if (m->depth < NESTING_MAX) {
        m->slack[++m->depth] = 0;
        m->width[m->depth] = 0;
    }
    m->last = m->wide = 0;
}

static void close_group(struct measure *m)
{
    if (m->depth > 0) {
        m->wide = m->width[m->depth];
        m->last = m->slack[m->depth--];
        m->slack[m->depth] += m->last;
        m->width[m->depth] += m->wide;
    }
}

static void take_piece(struct measure *m, uint8_t c)
{
    uint64_t min = 0, max = 1;
    m->at++;
    switch (c) {
    case '\\':
        m->at++;
        take_place(m);
        break;
    case '[':
        skip_class(m);
        take_place(m);
        break;
    case '(':
        open_group(m);
        break;
    case ')':
        close_group(m);
        break;
    case '|':
        m->last = m->wide = 0;
        break;
    case '*':
    case '+':
        repeat(m, 0, OPEN_SLACK);
        break;
    case '?':
        repeat(m, 0, 1);
        break;
    case '{':
        if (take_counts(m, &min, &max)) {
            bool is_worst = max > 1 && m->last * max > m->repeated;
            m->repeated = is_worst ? m->last * max : m->repeated;
            repeat(m, min, max);
            widen(m, max - min == OPEN_SLACK ? min : max);
        }
        break;
    default:
        take_place(m);
    }
}

struct rul_regex_cost rul_regex_cost(struct hd_slice pattern)
{
    struct measure m = {.pattern = pattern};
    while (m.at < pattern.len) {
        take_piece(&m, pattern.ptr[m.at]);
    }
    bool is_costly =
        m.repeated > REPEAT_MAX || m.slack[0] > SLACK_MAX || m.width[0] > WIDTH_MAX;
    return (struct rul_regex_cost){.is_costly = is_costly,
                                   .work = is_costly ? RUL_REGEX_ALONE_WORK
                                                     : m.slack[0] + m.width[0]};
}
