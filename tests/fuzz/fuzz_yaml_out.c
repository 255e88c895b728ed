/* SPDX-License-Identifier: Apache-2.0
 *
 * Target functions: con_yaml_write (and all below it). What was written must be read as
 * the same tree.
 */
#include <stdlib.h>

#include "console/yaml_out.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct hd_yaml *parse(struct hd_slice text, struct hd_arena *arena)
{
    struct hd_diags diags = {0};
    const struct hd_yaml_source src = {
        .file = "fuzz.yml", .diags = &diags, .has_aliases = true};
    const struct hd_yaml *docs = NULL;
    return hd_yaml_parse(&src, text, arena, &docs) == 0 ? docs : NULL;
}

/* Whether it is plain means nothing: neither null nor a number nor a boolean. */
static bool is_text(struct hd_slice s)
{
    bool is_word = true;
    for (size_t i = 0; i < s.len; i++) {
        is_word = is_word && s.ptr[i] > ' ' && s.ptr[i] < 0x7f;
    }
    bool is_mark = s.len == 1 && memchr("-?:", s.ptr[0], 3) != NULL;
    return !is_word || is_mark || (s.len > 0 && s.ptr[s.len - 1] == ':');
}

static bool is_same(const struct hd_yaml *a, const struct hd_yaml *b)
{
    if (a == NULL || b == NULL) {
        return a == b;
    }
    bool is_plain_kept = a->is_plain == b->is_plain || is_text(a->text);
    if (a->kind != b->kind || a->n != b->n || !is_plain_kept ||
        !hd_slice_eq(a->text, b->text)) {
        return false;
    }
    const struct hd_yaml *x = a->first, *y = b->first;
    for (; x != NULL && y != NULL; x = x->next, y = y->next) {
        if (!is_same(x->key, y->key) || !is_same(x, y)) {
            return false;
        }
    }
    return x == y;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hd_arena arena;
    struct hd_buf out;
    hd_arena_init(&arena, 256U << 20);
    hd_buf_init(&out, 64U << 20);
    const struct hd_yaml *doc = parse(hd_slice(data, size), &arena);
    if (doc != NULL && !hd_yaml_is_null(doc)) { /* nothing is no document again */
        con_yaml_write(&out, doc, 0);
        if (out.err == 0 && !is_same(doc, parse(hd_buf_slice(&out), &arena)) &&
            !arena.failed) {
            abort();
        }
    }
    hd_buf_fini(&out);
    hd_arena_fini(&arena);
    return 0;
}
