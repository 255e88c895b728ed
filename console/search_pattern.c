/* SPDX-License-Identifier: Apache-2.0
 *
 * What makes the pass over whole batches sound: a match in a line is also a match in the
 * record that ends at the same byte, since Hyperscan reports the ends of all matches; and
 * the pattern that Hyperscan gets is never narrower than the one that PCRE2 gets. It is
 * one of bytes: what stands for a character there stands here also for any bytes that may
 * be a character outside ASCII. `^` becomes what is before a line in a record. Escaped
 * records are candidates, all of them. Patterns that Hyperscan would read in another way
 * are not given to it: then every line is asked about.
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
#define CHARACTER   "[\\xc2-\\xf4][\\x80-\\xbf]{1,3}" /* or more, outside ASCII */

struct con_pattern {
    struct rul_regex *regex;
    hs_database_t *records; /* NULL: each line is asked about */
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

/* ---- what Hyperscan must not get ---- */

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

/* Behind "[:alpha:]" when that stands at `at`; else `at`. */
static size_t named_class_end(struct hd_slice s, size_t at)
{
    size_t i = at + 2;
    if (byte_at(s, at) != '[' || byte_at(s, at + 1) != ':') {
        return at;
    }
    while (hd_is_alpha(byte_at(s, i)) || byte_at(s, i) == '^') {
        i++;
    }
    return byte_at(s, i) == ':' && byte_at(s, i + 1) == ']' ? i + 2 : at;
}

/* Where a class ends: at its "]". */
static size_t class_end(struct hd_slice s, size_t at)
{
    at++;
    at += byte_at(s, at) == '^';
    at += byte_at(s, at) == ']';
    while (at < s.len && s.ptr[at] != ']') {
        size_t behind = named_class_end(s, at);
        at = behind > at ? behind : at + (s.ptr[at] == '\\' ? 2 : 1);
    }
    return at < s.len ? at : s.len;
}

/* "\\Q", "\\x{e9}", "\\xe9", "\\351", "\\p{L}": characters above ASCII by number, and
 * more. */
static bool is_odd_escape(struct hd_slice s, size_t at)
{
    uint8_t c = byte_at(s, at + 1), next = byte_at(s, at + 2);
    if (c == 'x') {
        return next == '{' || hd_hex_value(next) > 7;
    }
    return is_one_of(c, "QEGKXRCpPNo0c") || (hd_is_digit(c) && hd_is_digit(next));
}

static bool is_odd(struct hd_slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\\') {
            if (is_odd_escape(s, i)) {
                return true;
            }
            i++;
        } else if (s.ptr[i] == '(' && is_odd_group(s, i)) {
            return true;
        }
    }
    return hd_slice_find_byte(s, '\0') != HD_NPOS;
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

struct rewriting {
    struct hd_slice in;
    size_t at;
    bool is_caseless; /* or may be, in some part */
    struct hd_buf *out;
};

static void rewrite_literal(struct hd_slice s, struct hd_buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        hd_buf_printf(out, hd_is_alnum(s.ptr[i]) ? "%c" : "\\x%02x", s.ptr[i]);
    }
}

/* "(?i)" may come anywhere. */
static bool has_flags(struct hd_slice s)
{
    return hd_slice_find(s, HD_SLICE("(?")) != HD_NPOS;
}

/* A character outside ASCII; with its case ignored, any. */
static void rewrite_character(struct rewriting *r)
{
    size_t n = hd_utf8_step(hd_slice_from(r->in, r->at));
    hd_buf_str(r->out, "(?:");
    if (r->is_caseless) {
        hd_buf_str(r->out, CHARACTER);
    } else {
        rewrite_literal(hd_slice_head(hd_slice_from(r->in, r->at), n), r->out);
    }
    hd_buf_byte(r->out, ')');
    r->at += n;
}

static void rewrite_text(struct rewriting *r)
{
    while (r->at < r->in.len) {
        if (r->in.ptr[r->at] >= 0x80) {
            rewrite_character(r);
        } else {
            rewrite_literal(hd_slice_head(hd_slice_from(r->in, r->at++), 1), r->out);
        }
    }
}

static void rewrite_escape(struct rewriting *r)
{
    uint8_t c = byte_at(r->in, r->at + 1);
    if (c == 'A') {
        hd_buf_str(r->out, BEFORE_LINE);
    } else if (c == 'Z' || c == 'z') {
        hd_buf_byte(r->out, '$');
    } else if (c == 'b' || c == 'B') {
        hd_buf_str(r->out, "(?:)"); /* PCRE2 looks at what is beside it */
    } else if (is_one_of(c, "dDwWsShHvV")) {
        hd_buf_printf(r->out, "(?:\\%c|" CHARACTER ")", c);
    } else {
        hd_buf_printf(r->out, "\\%c", c);
    }
    r->at += 2;
}

/* Of plain letters, as it is; else it may be any character outside ASCII, too. */
static void rewrite_class(struct rewriting *r)
{
    size_t end = class_end(r->in, r->at);
    struct hd_slice body = hd_slice_head(hd_slice_from(r->in, r->at), end - r->at);
    bool is_negated = byte_at(body, 1) == '^';
    bool is_plain = !is_negated && hd_utf8_is_ascii(body) &&
                    hd_slice_find_byte(body, '\\') == HD_NPOS &&
                    hd_slice_find_byte(hd_slice_from(body, 1), '[') == HD_NPOS;
    hd_buf_str(r->out, is_plain ? "" : "(?:");
    hd_buf_slice_add(r->out, body);
    hd_buf_str(r->out, is_plain ? "]" : "]|" CHARACTER ")");
    r->at = end + 1;
}

static void rewrite_dot(struct rewriting *r)
{
    uint8_t next = byte_at(r->in, r->at + 1);
    bool is_run = next == '*' || next == '+'; /* of bytes as of characters */
    hd_buf_str(r->out, is_run ? "." : "(?:.|" CHARACTER ")");
    r->at++;
}

static void rewrite_regex(struct rewriting *r)
{
    while (r->at < r->in.len) {
        uint8_t c = r->in.ptr[r->at];
        if (c >= 0x80) {
            rewrite_character(r);
        } else if (c == '\\') {
            rewrite_escape(r);
        } else if (c == '[') {
            rewrite_class(r);
        } else if (c == '.') {
            rewrite_dot(r);
        } else if (c == '^') {
            hd_buf_str(r->out, BEFORE_LINE);
            r->at++;
        } else {
            hd_buf_byte(r->out, c);
            r->at++;
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
    struct hd_buf text;
    hd_buf_init(&text, 0);
    bool is_simple =
        opts->is_literal && (!opts->is_caseless || hd_utf8_is_ascii(opts->text));
    if (!opts->is_literal && is_odd(opts->text)) {
        return HD_OK;
    }
    if (is_simple) {
        rewrite_literal(opts->text, &text);
    } else {
        struct rewriting how = {.in = opts->text,
                                .is_caseless = opts->is_caseless || has_flags(opts->text),
                                .out = &text};
        (opts->is_literal ? rewrite_text : rewrite_regex)(&how);
    }
    const char *expression = hd_buf_cstr(&text);
    int err = text.err;
    unsigned flags = HS_FLAG_MULTILINE | (opts->is_caseless ? HS_FLAG_CASELESS : 0);
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
    if (p->records == NULL) {
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
