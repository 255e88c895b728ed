/* SPDX-License-Identifier: Apache-2.0
 *
 * Start-up test of the pattern library: every database scans a canary corpus made of its
 * own patterns, and must find exactly what a slow matcher finds. Libraries that lose
 * matches exist; a detector that loses them in silence must not start.
 */
#include <stdio.h>
#include <stdlib.h>

#include <haidang/buf.h>
#include <haidang/num.h>

#include "rules/compile/build.h"

#define HEAD_MAX   8U /* bytes of a literal that it is found by */
#define SAMPLE_MAX 512U

struct tally { /* equal tallies: the same matches, in any order */
    uint64_t n, sum;
};

static void count(struct tally *t, uint64_t id, uint64_t to)
{
    uint64_t mix =
        (id + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ (to + 1) * UINT64_C(0xc2b2ae3d27d4eb4f);
    mix ^= mix >> 29;
    t->n++;
    t->sum += mix * UINT64_C(0xbf58476d1ce4e5b9);
}

static int on_match(unsigned id, unsigned long long from, unsigned long long to,
                    unsigned flags, void *ctx)
{
    (void)from;
    (void)flags;
    count(ctx, id, to);
    return 0;
}

/* ---- literals ---- */

static struct hd_slice literal_of(const struct rul_program *p,
                                  const struct rul_slot *slot, uint32_t i)
{
    return rul_access_literal(p, &p->preds[p->uses[slot->literal[i].first_use].pred]);
}

/* Every literal, every other one in capitals, some of them touching. */
static void make_corpus(struct hd_buf *out, const struct hd_slice *literals, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        for (size_t k = 0; k < literals[i].len; k++) {
            uint8_t c = literals[i].ptr[k];
            hd_buf_byte(out, i % 2 == 1 && hd_is_lower(c) ? (uint8_t)(c - 32) : c);
        }
        if (i % 3 != 2) {
            hd_buf_byte(out, (uint8_t)(i % 7));
        }
    }
}

/* Literals by how they begin: a list of hashes has tens of thousands. */
struct beginnings {
    const struct hd_slice *literals;
    uint32_t *heads, *next; /* 1 + number of a literal; 0 = none */
    uint32_t mask;
    bool has[HEAD_MAX + 1]; /* beginnings of this length */
};

static size_t head_len(size_t len)
{
    return len >= HEAD_MAX ? HEAD_MAX : len >= 4 ? 4 : len;
}

static uint32_t head_of(const struct beginnings *b, const uint8_t *at, size_t len)
{
    uint32_t hash = (uint32_t)len;
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ hd_lower(at[i])) * 16777619U; /* FNV-1a */
    }
    return (hash ^ hash >> 15) & b->mask;
}

static int beginnings_make(struct beginnings *b, const struct hd_slice *literals,
                           uint32_t n)
{
    *b = (struct beginnings){.literals = literals, .mask = 1023};
    while (b->mask < n) {
        b->mask = 2 * b->mask + 1;
    }
    b->heads = calloc((size_t)b->mask + 1, sizeof(*b->heads));
    b->next = calloc((size_t)n + 1, sizeof(*b->next));
    if (b->heads == NULL || b->next == NULL) {
        return HD_ENOMEM;
    }
    for (uint32_t i = 0; i < n; i++) {
        size_t len = head_len(literals[i].len);
        uint32_t at = head_of(b, literals[i].ptr, len);
        b->has[len] = true;
        b->next[i] = b->heads[at];
        b->heads[at] = i + 1;
    }
    return HD_OK;
}

/* Counts those of the literals found by `len` bytes that stand at `rest`. */
static void count_at(const struct beginnings *b, size_t len, struct hd_slice rest,
                     size_t pos, struct tally *t)
{
    for (uint32_t i = b->heads[head_of(b, rest.ptr, len)]; i != 0; i = b->next[i - 1]) {
        const struct hd_slice *literal = &b->literals[i - 1];
        if (head_len(literal->len) == len && hd_slice_starts_nocase(rest, *literal)) {
            count(t, i - 1, pos + literal->len);
        }
    }
}

static int slow_literals(const struct hd_slice *literals, uint32_t n,
                         struct hd_slice corpus, struct tally *t)
{
    struct beginnings b;
    int err = beginnings_make(&b, literals, n);
    for (size_t pos = 0; err == HD_OK && pos < corpus.len; pos++) {
        struct hd_slice rest = hd_slice_from(corpus, pos);
        for (size_t len = 1; len <= HEAD_MAX && len <= rest.len; len++) {
            if (b.has[len]) {
                count_at(&b, len, rest, pos, t);
            }
        }
    }
    free(b.heads);
    free(b.next);
    return err;
}

static int test_literals(const struct rul_program *p, const struct rul_slot *slot,
                         hs_scratch_t *scratch, char why[256])
{
    struct hd_slice *literals = calloc(slot->n_literals, sizeof(*literals));
    if (literals == NULL) {
        return HD_ENOMEM;
    }
    for (uint32_t i = 0; i < slot->n_literals; i++) {
        literals[i] = literal_of(p, slot, i);
    }
    struct hd_buf corpus;
    hd_buf_init(&corpus, 0);
    make_corpus(&corpus, literals, slot->n_literals);
    struct tally fast = {0}, slow = {0};
    int err = corpus.err;
    if (err == 0) {
        err = slow_literals(literals, slot->n_literals, hd_buf_slice(&corpus), &slow);
    }
    if (err == 0 &&
        hs_scan(slot->literals, (const char *)corpus.ptr, (unsigned)corpus.len, 0,
                scratch, on_match, &fast) != HS_SUCCESS) {
        err = HD_ECORRUPT;
    }
    if (err == 0 && (fast.n != slow.n || fast.sum != slow.sum)) {
        err = HD_ECORRUPT;
    }
    if (err == HD_ECORRUPT) {
        (void)snprintf(why, 256, "%llu matches of %u literals expected, %llu found",
                       (unsigned long long)slow.n, slot->n_literals,
                       (unsigned long long)fast.n);
    }
    hd_buf_fini(&corpus);
    free(literals);
    return err;
}

/* ---- expressions ---- */

struct sampler {
    struct hd_slice re;
    size_t pos;
    uint8_t out[SAMPLE_MAX];
    size_t len;
};

static void put(struct sampler *s, uint8_t c)
{
    if (s->len < SAMPLE_MAX) {
        s->out[s->len++] = c;
    }
}

static void put_escape(struct sampler *s, uint8_t c)
{
    static const char classes[] = "d7wasS x_D-W.SxnLtT";
    for (size_t i = 0; i + 1 < sizeof(classes) - 1; i += 2) {
        if ((uint8_t)classes[i] == c && c != 'n' && c != 't') {
            put(s, (uint8_t)classes[i + 1]);
            return;
        }
    }
    if (c != 'b' && c != 'B' && c != 'A' && c != 'z' && c != 'Z') {
        put(s, c == 'n' ? '\n' : c == 't' ? '\t' : c);
    }
}

/* The first member of [...]. */
static void put_set(struct sampler *s)
{
    size_t start = ++s->pos;
    bool negated = start < s->re.len && s->re.ptr[start] == '^';
    start += negated;
    size_t end = start + 1;
    while (end < s->re.len && s->re.ptr[end] != ']') {
        end += s->re.ptr[end] == '\\' ? 2U : 1U;
    }
    if (negated) {
        put(s, '~');
    } else if (start + 1 < s->re.len && s->re.ptr[start] == '\\') {
        put_escape(s, s->re.ptr[start + 1]);
    } else if (start < s->re.len) {
        put(s, s->re.ptr[start]);
    }
    s->pos = end;
}

/* {n,m} and + behind an item that put the bytes from `from`: repeated to its minimum. */
static void repeat(struct sampler *s, size_t from)
{
    size_t times = 1, len = s->len - from;
    if (s->pos + 1 < s->re.len && s->re.ptr[s->pos + 1] == '{') {
        size_t at = s->pos + 2;
        uint64_t least = 1;
        at += hd_num_prefix_u64(hd_slice_from(s->re, at), 3, SAMPLE_MAX, &least);
        times = (size_t)least;
        while (at < s->re.len && s->re.ptr[at] != '}') {
            at++;
        }
        s->pos = at;
    }
    for (size_t i = 1; i < times && s->len + len <= SAMPLE_MAX; i++) {
        memmove(s->out + s->len, s->out + from, len);
        s->len += len;
    }
}

/* A text that the expression probably matches: groups and alternatives flattened. */
static void sample(struct sampler *s)
{
    for (; s->pos < s->re.len; s->pos++) {
        uint8_t c = s->re.ptr[s->pos];
        size_t from = s->len;
        if (c == '\\' && s->pos + 1 < s->re.len) {
            put_escape(s, s->re.ptr[++s->pos]);
        } else if (c == '[') {
            put_set(s);
        } else if (c == '(' && s->pos + 2 < s->re.len && s->re.ptr[s->pos + 1] == '?') {
            while (s->pos + 1 < s->re.len && s->re.ptr[s->pos] != ':' &&
                   s->re.ptr[s->pos] != ')') {
                s->pos++;
            }
        } else if (c == '.') {
            put(s, '.');
        } else if (memchr("^$()|?*+", c, 8) == NULL) {
            put(s, c);
        }
        repeat(s, from);
    }
}

struct found {
    uint8_t *bits; /* per expression of the slot */
    struct rul_regex **pcre;
    struct rul_regex_scratch *pcre_scratch;
};

static int on_expression(unsigned id, unsigned long long from, unsigned long long to,
                         unsigned flags, void *ctx)
{
    (void)from;
    (void)to;
    (void)flags;
    ((struct found *)ctx)->bits[id] = 1;
    return 0;
}

static const struct rul_expression *expression_of(const struct rul_program *p,
                                                  const struct rul_slot *slot, uint32_t i)
{
    return &p->expressions[p->preds[slot->re_preds[i]].aux];
}

/* All expressions of the slot against one canary. */
static int compare_canary(const struct rul_program *p, const struct rul_slot *slot,
                          hs_scratch_t *scratch, struct hd_slice canary,
                          struct found *found)
{
    memset(found->bits, 0, slot->n_re);
    if (hs_scan(slot->expressions, (const char *)canary.ptr, (unsigned)canary.len, 0,
                scratch, on_expression, found) != HS_SUCCESS) {
        return HD_ECORRUPT;
    }
    for (uint32_t i = 0; i < slot->n_re; i++) {
        enum rul_re_mode mode = expression_of(p, slot, i)->mode;
        int slow = rul_regex_find(found->pcre[i], found->pcre_scratch, canary);
        if (mode == RUL_RE_SLOW || slow < 0) {
            continue;
        }
        bool wrong = mode == RUL_RE_EXACT ? slow != found->bits[i]
                                          : slow == 1 && found->bits[i] == 0;
        if (wrong) {
            return HD_ECORRUPT;
        }
    }
    return 0;
}

static int run_canaries(const struct rul_program *p, const struct rul_slot *slot,
                        hs_scratch_t *scratch, struct found *found, char why[256])
{
    int err = 0;
    for (uint32_t i = 0; i < slot->n_re && err == 0; i++) {
        struct sampler s = {.re = expression_of(p, slot, i)->pattern};
        sample(&s);
        err = compare_canary(p, slot, scratch, hd_slice(s.out, s.len), found);
        if (err == HD_ECORRUPT) {
            (void)snprintf(why, 256, "wrong on a text made for the expression %.180s",
                           expression_of(p, slot, i)->cstr);
        }
    }
    return err;
}

static int test_expressions(const struct rul_program *p, const struct rul_slot *slot,
                            hs_scratch_t *scratch, char why[256])
{
    struct found found = {.bits = calloc(slot->n_re, 1),
                          .pcre = calloc(slot->n_re, sizeof(struct rul_regex *))};
    int err = found.bits == NULL || found.pcre == NULL
                  ? HD_ENOMEM
                  : rul_regex_scratch_new(&found.pcre_scratch);
    for (uint32_t i = 0; i < slot->n_re && err == 0; i++) {
        const struct rul_expression *e = expression_of(p, slot, i);
        err = rul_regex_new(e->pattern, e->flags, &found.pcre[i]);
    }
    if (err == 0) {
        err = run_canaries(p, slot, scratch, &found, why);
    }
    for (uint32_t i = 0; found.pcre != NULL && i < slot->n_re; i++) {
        rul_regex_free(found.pcre[i]);
    }
    rul_regex_scratch_free(found.pcre_scratch);
    free(found.pcre);
    free(found.bits);
    return err;
}

int rul_slot_self_test(const struct rul_program *p, const struct rul_slot *slot,
                       char why[256])
{
    hs_scratch_t *scratch = NULL;
    int err = 0;
    if (!slot->owns_literals && !slot->owns_expressions) {
        return 0;
    }
    if ((slot->literals != NULL &&
         hs_alloc_scratch(slot->literals, &scratch) != HS_SUCCESS) ||
        (slot->expressions != NULL &&
         hs_alloc_scratch(slot->expressions, &scratch) != HS_SUCCESS)) {
        err = HD_ENOMEM;
    }
    if (err == 0 && slot->owns_literals && slot->literals != NULL) {
        err = test_literals(p, slot, scratch, why);
    }
    if (err == 0 && slot->owns_expressions && slot->expressions != NULL) {
        err = test_expressions(p, slot, scratch, why);
    }
    (void)hs_free_scratch(scratch);
    return err;
}
