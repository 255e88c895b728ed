/* SPDX-License-Identifier: Apache-2.0
 *
 * What makes the pass over whole batches sound: a match in a line is also a match in the
 * record that ends at the same byte, since Hyperscan reports the ends of all matches. The
 * exceptions are seen to: `^` (rewritten), escaped records (each that may be one is a
 * candidate), and patterns that mean something else than they say to Hyperscan (then
 * every line is asked about).
 */
#include "console/search_pattern.h"

#include <haidang/array.h>
#include <haidang/buf.h>
#include <haidang/utf8.h>

#include <hs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/parse/expr.h"

#define HAS_ESCAPE  "\\\\n" /* what an escaped record has somewhere */
#define BEFORE_LINE "(?:^[0-9]{1,10}\\.[0-9]{6} [0-9]{1,3}e?t? )"

struct con_pattern {
    struct rul_regex *regex;
    hs_database_t *records; /* NULL: each line is asked about */
    bool is_text;           /* records must be UTF-8 */
};

struct con_pattern_scratch {
    struct rul_regex_scratch *regex;
    hs_scratch_t *hs;
    struct hd_slice records; /* being sought in */
    size_t *at;
    size_t n;
    size_t line_end; /* of the line of the last offset */
    bool is_unsorted;
    int err;
};

/* ---- what a pattern needs ---- */

struct needs {
    bool text;  /* its parts are characters, not bytes */
    bool lines; /* Hyperscan would not read it as PCRE2 does */
};

static bool is_one_of(uint8_t c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static uint8_t byte_at(struct hd_slice s, size_t at)
{
    return at < s.len ? s.ptr[at] : 0;
}

/* "(?i)" and the like, "(?x:", "(?^)", "(*UTF)", "(?#": */
static bool is_odd_group(struct hd_slice s, size_t at)
{
    if (byte_at(s, at + 1) == '*') {
        return true;
    }
    if (byte_at(s, at + 1) != '?') {
        return false;
    }
    size_t i = at + 2;
    while (hd_is_alpha(byte_at(s, i)) || is_one_of(byte_at(s, i), "-^#")) {
        if (is_one_of(s.ptr[i], "xmn^#-")) {
            return true;
        }
        i++;
    }
    return false;
}

/* Where a class ends: at its "]". */
static size_t class_end(struct hd_slice s, size_t at)
{
    at += byte_at(s, at + 1) == '^';
    at += byte_at(s, at + 1) == ']';
    for (at++; at < s.len && s.ptr[at] != ']'; at++) {
        at += s.ptr[at] == '\\';
    }
    return at;
}

static struct needs needs_of(struct hd_slice s)
{
    struct needs needs = {.text = !hd_utf8_is_ascii(s)};
    for (size_t i = 0; i < s.len; i++) {
        uint8_t next = byte_at(s, i + 1);
        switch (s.ptr[i]) {
        case '\\':
            needs.text |= is_one_of(next, "wWbBDSXNHVRpP") ||
                          (next == 'x' && byte_at(s, i + 2) == '{');
            needs.lines |= is_one_of(next, "QGKE");
            i++;
            break;
        case '[':
            /* what is excluded, named or escaped in a class may be any character */
            needs.text |= next == '^' || next == '[' ||
                          hd_slice_find_byte(
                              hd_slice_head(hd_slice_from(s, i), class_end(s, i) - i),
                              '\\') != HD_NPOS;
            i = class_end(s, i);
            break;
        case '.': /* any run of bytes is a run of characters */
            needs.text |= next != '*' && next != '+';
            break;
        case '(':
            needs.lines |= is_odd_group(s, i);
            break;
        default:
            break;
        }
    }
    return needs;
}

static bool has_no_operators(struct hd_slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (is_one_of(s.ptr[i], "\\^$.[]|()?*+{}")) {
            return false;
        }
    }
    return true;
}

/* ---- the pattern for records ---- */

static void rewrite_literal(struct hd_slice s, bool is_text, struct hd_buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        bool is_itself = hd_is_alnum(s.ptr[i]) || (is_text && s.ptr[i] >= 0x80);
        if (is_itself) {
            hd_buf_byte(out, s.ptr[i]);
        } else {
            hd_buf_printf(out, "\\x%02x", s.ptr[i]);
        }
    }
}

/* "\A", "\Z" and "\z" are about lines, everything else stays. */
static void rewrite_escape(uint8_t c, struct hd_buf *out)
{
    if (c == 'A') {
        hd_buf_str(out, BEFORE_LINE);
    } else if (c == 'Z' || c == 'z') {
        hd_buf_byte(out, '$');
    } else {
        hd_buf_byte(out, '\\');
        hd_buf_byte(out, c);
    }
}

static void rewrite_regex(struct hd_slice s, struct hd_buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\\' && i + 1 < s.len) {
            rewrite_escape(s.ptr[++i], out);
        } else if (s.ptr[i] == '^') {
            hd_buf_str(out, BEFORE_LINE);
        } else if (s.ptr[i] == '[') {
            size_t end = class_end(s, i);
            hd_buf_slice_add(out, hd_slice_head(hd_slice_from(s, i), end + 1 - i));
            i = end;
        } else {
            hd_buf_byte(out, s.ptr[i]);
        }
    }
}

/* True: an empty text does not match. */
static bool has_width(const char *text, unsigned flags)
{
    hs_expr_info_t *info = NULL;
    hs_compile_error_t *error = NULL;
    bool has = hs_expression_info(text, flags, &info, &error) == HS_SUCCESS &&
               info->min_width > 0;
    free(info);
    hs_free_compile_error(error);
    return has;
}

static bool compile_records(struct con_pattern *p, const char *text, unsigned flags,
                            bool with_escapes)
{
    const char *texts[] = {text, HAS_ESCAPE};
    const unsigned all_flags[] = {flags, 0};
    const unsigned ids[] = {0, 1};
    hs_compile_error_t *error = NULL;
    if (!has_width(text, flags)) {
        return false;
    }
    hs_error_t rc = hs_compile_multi(texts, all_flags, ids, with_escapes ? 2 : 1,
                                     HS_MODE_BLOCK, NULL, &p->records, &error);
    hs_free_compile_error(error);
    return rc == HS_SUCCESS;
}

/* A pattern that Hyperscan has no way to seek is not wrong: then lines are asked. */
static int make_records(struct con_pattern *p, const struct con_pattern_opts *opts)
{
    struct needs needs = {.text = opts->is_caseless && !hd_utf8_is_ascii(opts->text)};
    struct hd_buf text;
    unsigned flags = HS_FLAG_MULTILINE;
    if (!opts->is_literal) {
        needs = needs_of(opts->text);
    }
    if (needs.lines) {
        return HD_OK;
    }
    hd_buf_init(&text, 0);
    if (opts->is_literal) {
        rewrite_literal(opts->text, needs.text, &text);
    } else {
        rewrite_regex(opts->text, &text);
    }
    const char *expression = hd_buf_cstr(&text);
    int err = text.err;
    flags |= opts->is_caseless ? HS_FLAG_CASELESS : 0;
    flags |= needs.text ? HS_FLAG_UTF8 | HS_FLAG_UCP : 0;
    p->is_text = needs.text;
    /* in a text without a backslash or a line feed nothing is escaped */
    bool with_escapes = !opts->is_literal ||
                        hd_slice_find_byte(opts->text, '\\') != HD_NPOS ||
                        hd_slice_find_byte(opts->text, '\n') != HD_NPOS;
    if (err == HD_OK && !compile_records(p, expression, flags, with_escapes)) {
        (void)compile_records(p, expression, flags | HS_FLAG_PREFILTER, with_escapes);
    }
    hd_buf_fini(&text);
    return err;
}

/* ---- life ---- */

static int make(struct con_pattern *p, const struct con_pattern_opts *opts,
                struct con_pattern_problem *problem)
{
    unsigned flags = RUL_RE_TEXT;
    flags |= opts->is_caseless ? RUL_RE_CASELESS : 0;
    flags |= opts->is_literal ? RUL_RE_LITERAL : RUL_RE_DOTALL;
    int err = rul_regex_check(opts->text, flags, &problem->offset, problem->why);
    err = err == HD_OK ? rul_regex_new(opts->text, flags, &p->regex) : err;
    return err == HD_OK ? make_records(p, opts) : err;
}

int con_pattern_new(const struct con_pattern_opts *opts, struct con_pattern **out,
                    struct con_pattern_problem *problem)
{
    struct con_pattern_opts with = *opts;
    *problem = (struct con_pattern_problem){0};
    with.is_literal |= has_no_operators(opts->text);
    struct con_pattern *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        return HD_ENOMEM;
    }
    int err = make(p, &with, problem);
    if (err != HD_OK) {
        con_pattern_free(p);
        return err;
    }
    *out = p;
    return HD_OK;
}

void con_pattern_free(struct con_pattern *p)
{
    if (p != NULL) {
        (void)hs_free_database(p->records);
        rul_regex_free(p->regex);
        free(p);
    }
}

bool con_pattern_is_fast(const struct con_pattern *p)
{
    return p->records != NULL;
}

int con_pattern_scratch_new(const struct con_pattern *p, struct con_pattern_scratch **out)
{
    struct con_pattern_scratch *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return HD_ENOMEM;
    }
    int err = rul_regex_scratch_new(&s->regex);
    if (err == HD_OK && p->records != NULL &&
        hs_alloc_scratch(p->records, &s->hs) != HS_SUCCESS) {
        err = HD_ENOMEM;
    }
    if (err != HD_OK) {
        con_pattern_scratch_free(s);
        return err;
    }
    *out = s;
    return HD_OK;
}

void con_pattern_scratch_free(struct con_pattern_scratch *s)
{
    if (s != NULL) {
        rul_regex_scratch_free(s->regex);
        (void)hs_free_scratch(s->hs);
        free(s->at);
        free(s);
    }
}

/* ---- use ---- */

/* One offset a line is enough. */
static int on_end(unsigned id, unsigned long long from, unsigned long long to,
                  unsigned flags, void *ctx)
{
    struct con_pattern_scratch *s = ctx;
    size_t at = (size_t)to - 1;
    (void)id;
    (void)from;
    (void)flags;
    size_t last = s->n > 0 ? s->at[s->n - 1] : 0;
    if (s->n > 0 && at >= last && at < s->line_end) {
        return 0;
    }
    size_t *more = hd_array_grow(s->at, s->n, sizeof(*more));
    if (more == NULL) {
        s->err = HD_ENOMEM;
        return 1;
    }
    s->is_unsorted |= at < last;
    s->at = more;
    s->at[s->n++] = at;
    size_t rest = hd_slice_find_byte(hd_slice_from(s->records, at), '\n');
    s->line_end = rest == HD_NPOS ? s->records.len : at + rest + 1;
    return 0;
}

static int by_offset(const void *a, const void *b)
{
    size_t x = *(const size_t *)a;
    size_t y = *(const size_t *)b;
    return x < y ? -1 : x > y;
}

int con_pattern_seek(const struct con_pattern *p, struct con_pattern_scratch *s,
                     struct hd_slice records, const size_t **at, size_t *n)
{
    if (p->records == NULL || (p->is_text && !hd_utf8_is_valid(records))) {
        return HD_EUNSUPPORTED;
    }
    s->records = records;
    s->n = 0;
    s->line_end = 0;
    s->is_unsorted = false;
    s->err = HD_OK;
    hs_error_t rc = hs_scan(p->records, (const char *)records.ptr, (unsigned)records.len,
                            0, s->hs, on_end, s);
    if (s->err != HD_OK || rc != HS_SUCCESS) {
        return s->err != HD_OK ? s->err : HD_EUNSUPPORTED;
    }
    if (s->is_unsorted) {
        qsort(s->at, s->n, sizeof(*s->at), by_offset);
    }
    *at = s->at;
    *n = s->n;
    return HD_OK;
}

int con_pattern_find(const struct con_pattern *p, struct con_pattern_scratch *s,
                     struct hd_slice line, struct rul_regex_span *span)
{
    return rul_regex_find_from(p->regex, s->regex, line, span);
}
