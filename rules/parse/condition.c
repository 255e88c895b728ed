/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/parse/condition.h"

#include <haidang/num.h>

enum token_kind { TOKEN_END, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_WORD, TOKEN_BAD };

struct cursor {
    struct hd_slice text;
    size_t pos;
    struct rul_cond *cond;
    unsigned depth;
    enum token_kind kind; /* the token under the cursor */
    size_t start;
    struct hd_slice word;
};

static bool is_word(uint8_t c)
{
    return hd_is_alnum(c) || c == '_' || c == '-' || c == '.' || c == '*' || c >= 0x80;
}

static void advance(struct cursor *c)
{
    while (c->pos < c->text.len && hd_is_space(c->text.ptr[c->pos])) {
        c->pos++;
    }
    c->start = c->pos;
    c->word = HD_SLICE_EMPTY;
    if (c->pos == c->text.len) {
        c->kind = TOKEN_END;
        return;
    }
    uint8_t byte = c->text.ptr[c->pos];
    if (byte == '(' || byte == ')') {
        c->kind = byte == '(' ? TOKEN_OPEN : TOKEN_CLOSE;
        c->pos++;
        return;
    }
    while (c->pos < c->text.len && is_word(c->text.ptr[c->pos])) {
        c->pos++;
    }
    c->kind = c->pos > c->start ? TOKEN_WORD : TOKEN_BAD;
    c->word = hd_slice(c->text.ptr + c->start, c->pos - c->start);
}

static bool at_word(const struct cursor *c, const char *word)
{
    return c->kind == TOKEN_WORD && hd_slice_eq_nocase(c->word, hd_slice_str(word));
}

static int fail(struct cursor *c, const char *why)
{
    if (c->cond->error == NULL) {
        c->cond->error = why;
        c->cond->error_offset = c->start;
    }
    return HD_EPARSE;
}

static int add(struct cursor *c, struct rul_cond_node node, uint16_t *index)
{
    if (c->cond->n == RUL_COND_NODES_MAX) {
        return fail(c, "condition is too long");
    }
    *index = c->cond->n;
    c->cond->nodes[c->cond->n++] = node;
    return 0;
}

static int parse_or(struct cursor *c, uint16_t *index);

/* The cursor stands on the word after the quantity, which must be "of". */
static int parse_select(struct cursor *c, uint32_t quantity, uint16_t *index)
{
    if (!at_word(c, "of")) {
        return fail(c, "'of' was expected here");
    }
    advance(c);
    if (c->kind != TOKEN_WORD) {
        return fail(c, "'them' or a pattern of names was expected here");
    }
    struct rul_cond_node node = {.kind = RUL_COND_SELECT,
                                 .quantity = quantity,
                                 .offset = c->start,
                                 .text = c->word};
    advance(c);
    return add(c, node, index);
}

static bool is_number(struct hd_slice word)
{
    for (size_t i = 0; i < word.len; i++) {
        if (!hd_is_digit(word.ptr[i])) {
            return false;
        }
    }
    return word.len > 0;
}

static int parse_word(struct cursor *c, uint16_t *index)
{
    struct rul_cond_node node = {
        .kind = RUL_COND_NAME, .offset = c->start, .text = c->word};
    bool is_all = at_word(c, "all");
    bool is_any = at_word(c, "any");
    uint32_t number = 1;
    if (is_number(c->word)) {
        if (hd_num_u32(c->word, 1000, &number) != 0 || number == 0) {
            return fail(c, "a number from 1 to 1000 was expected here");
        }
        advance(c);
        return parse_select(c, number, index);
    }
    if (at_word(c, "and") || at_word(c, "or") || at_word(c, "of")) {
        return fail(c, "a name was expected here");
    }
    advance(c);
    if ((is_all || is_any) && at_word(c, "of")) {
        return parse_select(c, is_all ? RUL_COND_ALL : 1, index);
    }
    if (hd_slice_find_byte(node.text, '*') != HD_NPOS) {
        c->start = node.offset;
        return fail(c, "a pattern needs '1 of' or 'all of' before it");
    }
    return add(c, node, index);
}

static int parse_primary(struct cursor *c, uint16_t *index)
{
    switch (c->kind) {
    case TOKEN_OPEN:
        advance(c);
        if (parse_or(c, index) != 0) {
            return HD_EPARSE;
        }
        if (c->kind != TOKEN_CLOSE) {
            return fail(c, "')' was expected here");
        }
        advance(c);
        return 0;
    case TOKEN_WORD:
        return parse_word(c, index);
    case TOKEN_END:
        return fail(c, "the condition ends where a name was expected");
    case TOKEN_CLOSE:
        return fail(c, "')' without '('");
    default:
        if (c->text.ptr[c->start] == '|') {
            return fail(c,
                        "aggregations behind '|' are not part of Sigma any more: write a "
                        "correlation rule");
        }
        return fail(c, "unexpected character");
    }
}

static int parse_not(struct cursor *c, uint16_t *index)
{
    if (++c->depth > RUL_COND_DEPTH_MAX) {
        return fail(c, "condition is nested too deeply");
    }
    int err = 0;
    if (at_word(c, "not")) {
        size_t offset = c->start;
        uint16_t inner = 0;
        advance(c);
        err = parse_not(c, &inner);
        if (err == 0) {
            err = add(c,
                      (struct rul_cond_node){
                          .kind = RUL_COND_NOT, .left = inner, .offset = offset},
                      index);
        }
    } else {
        err = parse_primary(c, index);
    }
    c->depth--;
    return err;
}

/* One level of binary operators: `word` joins what `operand` parses. */
static int parse_chain(struct cursor *c, enum rul_cond_kind kind, uint16_t *index)
{
    const char *word = kind == RUL_COND_AND ? "and" : "or";
    int err =
        kind == RUL_COND_AND ? parse_not(c, index) : parse_chain(c, RUL_COND_AND, index);
    while (err == 0 && at_word(c, word)) {
        struct rul_cond_node node = {.kind = kind, .left = *index, .offset = c->start};
        advance(c);
        err = kind == RUL_COND_AND ? parse_not(c, &node.right)
                                   : parse_chain(c, RUL_COND_AND, &node.right);
        if (err == 0) {
            err = add(c, node, index);
        }
    }
    return err;
}

static int parse_or(struct cursor *c, uint16_t *index)
{
    return parse_chain(c, RUL_COND_OR, index);
}

int rul_cond_parse(struct hd_slice text, struct rul_cond *cond)
{
    cond->n = 0;
    cond->error = NULL;
    cond->error_offset = 0;
    struct cursor c = {.text = text, .cond = cond};
    advance(&c);
    if (parse_or(&c, &cond->root) != 0) {
        return HD_EPARSE;
    }
    if (c.kind == TOKEN_END) {
        return 0;
    }
    if (c.kind == TOKEN_WORD) {
        return fail(&c, "'and' or 'or' was expected here");
    }
    return c.kind == TOKEN_BAD ? parse_primary(&c, &cond->root)
                               : fail(&c, "')' without '('");
}

bool rul_cond_matches(struct hd_slice pattern, struct hd_slice name)
{
    size_t p = 0, n = 0, star = HD_NPOS, mark = 0;
    while (n < name.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            mark = n;
        } else if (p < pattern.len && pattern.ptr[p] == name.ptr[n]) {
            p++;
            n++;
        } else if (star != HD_NPOS) {
            p = star + 1;
            n = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*') {
        p++;
    }
    return p == pattern.len;
}
