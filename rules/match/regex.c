/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/match/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#include "rules/parse/ast.h"

struct rul_regex {
    pcre2_code *code;
};

struct rul_regex_scratch {
    pcre2_match_data *data;
    pcre2_match_context *limits;
};

static pcre2_code *compile(struct hd_slice pattern, unsigned flags, int *code,
                           size_t *offset)
{
    bool is_text = flags & RUL_RE_TEXT;
    uint32_t options = is_text ? PCRE2_UTF | PCRE2_MATCH_INVALID_UTF : PCRE2_NEVER_UTF;
    if (flags & RUL_RE_LITERAL) {
        options |= PCRE2_LITERAL;
    } else {
        options |= PCRE2_NEVER_BACKSLASH_C;
        options |= is_text ? PCRE2_UCP | PCRE2_DOLLAR_ENDONLY : 0;
    }
    options |= flags & RUL_RE_CASELESS ? PCRE2_CASELESS : 0;
    options |= flags & RUL_RE_MULTILINE ? PCRE2_MULTILINE : 0;
    options |= flags & RUL_RE_DOTALL ? PCRE2_DOTALL : 0;
    const uint8_t *ptr = pattern.ptr != NULL ? pattern.ptr : (const uint8_t *)"";
    return pcre2_compile(ptr, pattern.len, options, code, offset, NULL);
}

int rul_regex_check(struct hd_slice pattern, unsigned flags, size_t *offset,
                    char why[160])
{
    int error = 0;
    pcre2_code *code = compile(pattern, flags, &error, offset);
    if (code != NULL) {
        pcre2_code_free(code);
        return 0;
    }
    if (error == PCRE2_ERROR_HEAP_FAILED) {
        return HD_ENOMEM;
    }
    if (pcre2_get_error_message(error, (PCRE2_UCHAR *)why, 160) < 0) {
        (void)snprintf(why, 160, "not a regular expression");
    }
    return HD_EPARSE;
}

int rul_regex_new(struct hd_slice pattern, unsigned flags, struct rul_regex **out)
{
    struct rul_regex *regex = calloc(1, sizeof(*regex));
    if (regex == NULL) {
        return HD_ENOMEM;
    }
    int error = 0;
    size_t offset = 0;
    regex->code = compile(pattern, flags, &error, &offset);
    if (regex->code == NULL) {
        free(regex);
        return error == PCRE2_ERROR_HEAP_FAILED ? HD_ENOMEM : HD_EPARSE;
    }
    if (flags & RUL_RE_TEXT) { /* faster where it can be had; means the same */
        (void)pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE);
    }
    *out = regex;
    return 0;
}

void rul_regex_free(struct rul_regex *regex)
{
    if (regex != NULL) {
        pcre2_code_free(regex->code);
        free(regex);
    }
}

int rul_regex_scratch_new(struct rul_regex_scratch **out)
{
    struct rul_regex_scratch *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return HD_ENOMEM;
    }
    s->data = pcre2_match_data_create(1, NULL);
    s->limits = pcre2_match_context_create(NULL);
    if (s->data == NULL || s->limits == NULL) {
        rul_regex_scratch_free(s);
        return HD_ENOMEM;
    }
    (void)pcre2_set_match_limit(s->limits, RUL_REGEX_STEPS_MAX);
    (void)pcre2_set_depth_limit(s->limits, RUL_REGEX_DEPTH_MAX);
    (void)pcre2_set_heap_limit(s->limits, RUL_REGEX_HEAP_KIB);
    *out = s;
    return 0;
}

void rul_regex_scratch_free(struct rul_regex_scratch *s)
{
    if (s != NULL) {
        pcre2_match_data_free(s->data);
        pcre2_match_context_free(s->limits);
        free(s);
    }
}

static int find(const struct rul_regex *regex, struct rul_regex_scratch *scratch,
                struct hd_slice subject, size_t from)
{
    const uint8_t *ptr = subject.ptr != NULL ? subject.ptr : (const uint8_t *)"";
    int rc = pcre2_match(regex->code, ptr, subject.len, from, 0, scratch->data,
                         scratch->limits);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT) {
        rc = pcre2_match(regex->code, ptr, subject.len, from, PCRE2_NO_JIT, scratch->data,
                         scratch->limits);
    }
    if (rc >= 0) {
        return 1;
    }
    return rc == PCRE2_ERROR_NOMATCH ? 0 : HD_ELIMIT;
}

int rul_regex_find(const struct rul_regex *regex, struct rul_regex_scratch *scratch,
                   struct hd_slice subject)
{
    return find(regex, scratch, subject, 0);
}

int rul_regex_find_from(const struct rul_regex *regex, struct rul_regex_scratch *scratch,
                        struct hd_slice subject, struct rul_regex_span *span)
{
    int found = find(regex, scratch, subject, span->end);
    if (found == 1) {
        const size_t *at = pcre2_get_ovector_pointer(scratch->data);
        span->begin = at[0];
        span->end = at[1];
    }
    return found;
}
