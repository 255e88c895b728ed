/* SPDX-License-Identifier: Apache-2.0
 *
 * Target functions: con_pattern_new, con_pattern_seek, con_pattern_find. The first byte
 * is flags, the first line the pattern, the others lines of records. Every line in which
 * PCRE2 finds the pattern must be among those that are sought at once.
 */
#include <stdint.h>
#include <stdlib.h>

#include <haidang/buf.h>
#include <haidang/utf8.h>

#include "console/search_pattern.h"

#define LINES_MAX   64U
#define PATTERN_MAX 64U

enum { LITERAL = 1, CASELESS = 2, ESCAPED = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct records {
    struct hd_buf text; /* as in a batch */
    struct hd_slice lines[LINES_MAX];
    size_t ends[LINES_MAX];
    size_t n;
};

/* Letters whose properties are the same in all versions of Unicode that there are. */
static bool is_settled(struct hd_slice line)
{
    while (line.len > 0) {
        size_t n = hd_utf8_step(line);
        uint8_t c = line.ptr[0];
        bool is_latin = c < 0xca || (c == 0xe1 && n == 3 && line.ptr[1] >= 0xb8 &&
                                     line.ptr[1] <= 0xbb);
        if (n == 0 || !is_latin) {
            return false;
        }
        line = hd_slice_from(line, n);
    }
    return true;
}

/* With `is_escaped` a line "a\nb" stands for one with a line feed. */
static void add_record(struct records *r, struct hd_slice line, bool is_escaped)
{
    hd_buf_str(&r->text, is_escaped ? "1790000000.123456 0e " : "1790000000.123456 10 ");
    hd_buf_slice_add(&r->text, line);
    hd_buf_byte(&r->text, '\n');
    r->lines[r->n] = line;
    r->ends[r->n++] = r->text.len;
}

static struct hd_slice unescape(struct hd_slice line, struct hd_buf *out)
{
    hd_buf_clear(out);
    for (size_t i = 0; i < line.len; i++) {
        uint8_t c = line.ptr[i];
        if (c == '\\' && i + 1 < line.len &&
            (line.ptr[i + 1] == 'n' || line.ptr[i + 1] == '\\')) {
            c = line.ptr[++i] == 'n' ? '\n' : '\\';
        }
        hd_buf_byte(out, c);
    }
    return hd_buf_slice(out);
}

static void check(const struct con_pattern *p, const struct records *r, bool is_escaped)
{
    struct con_pattern_scratch *s = NULL;
    const size_t *at = NULL;
    size_t n = 0, k = 0;
    struct hd_buf line;
    if (con_pattern_scratch_new(p, &s) != HD_OK) {
        return;
    }
    hd_buf_init(&line, 0);
    int err = con_pattern_seek(p, s, hd_buf_slice(&r->text), &at, &n);
    for (size_t i = 0; err == HD_OK && i < r->n; i++) {
        struct rul_regex_span span = {0};
        struct hd_slice text = is_escaped ? unescape(r->lines[i], &line) : r->lines[i];
        size_t begin = i == 0 ? 0 : r->ends[i - 1];
        while (k < n && at[k] < begin) {
            k++;
        }
        bool is_candidate = k < n && at[k] < r->ends[i];
        /* an escaped record without a line feed is none */
        bool counts = !is_escaped || hd_slice_find_byte(text, '\n') != HD_NPOS;
        if (counts && !is_candidate && is_settled(text) &&
            con_pattern_find(p, s, text, &span) == 1) {
            abort();
        }
    }
    hd_buf_fini(&line);
    con_pattern_scratch_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct con_pattern *p = NULL;
    struct con_pattern_problem problem;
    struct hd_slice rest = hd_slice(data + 1, size > 0 ? size - 1 : 0), text, line;
    if (size < 2 || !hd_slice_split(&rest, '\n', &text) || text.len > PATTERN_MAX ||
        !hd_utf8_is_valid(text)) {
        return 0;
    }
    const struct con_pattern_opts opts = {
        .text = text, .is_literal = data[0] & LITERAL, .is_caseless = data[0] & CASELESS};
    if (con_pattern_new(&opts, &p, &problem) != HD_OK) {
        return 0;
    }
    struct records records = {0};
    while (records.n < LINES_MAX && hd_slice_split(&rest, '\n', &line)) {
        add_record(&records, line, data[0] & ESCAPED);
    }
    check(p, &records, data[0] & ESCAPED);
    hd_buf_fini(&records.text);
    con_pattern_free(p);
    return 0;
}
