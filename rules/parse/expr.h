/* SPDX-License-Identifier: Apache-2.0
 *
 * What a rule compares, normalised: modifiers are expanded, wildcards classified, names
 * of the condition resolved. Lives as long as the load.
 */
#pragma once
#include <haidang/inet.h>
#include <haidang/slice.h>

#include "rules/match/time_part.h"

#define RUL_ATOMS_MAX 20000U /* of one rule, expansions included */
#define RUL_REGEX_MAX 4096U  /* bytes of one expression */

enum rul_op {
    RUL_OP_EQ,
    RUL_OP_CONTAINS,
    RUL_OP_STARTS,
    RUL_OP_ENDS,
    RUL_OP_GLOB,
    RUL_OP_PRESENT, /* any value, even an empty one */
    RUL_OP_NULL,    /* no such field */
    RUL_OP_RE,
    RUL_OP_CIDR,
    RUL_OP_LT,
    RUL_OP_LTE,
    RUL_OP_GT,
    RUL_OP_GTE,
    RUL_OP_NUMBER, /* equal to a number: only of a part of a time */
    RUL_OP_REF_EQ, /* compare with another field of the event */
    RUL_OP_REF_CONTAINS,
    RUL_OP_REF_STARTS,
    RUL_OP_REF_ENDS
};

enum rul_part_kind { RUL_PART_TEXT, RUL_PART_ONE, RUL_PART_MANY }; /* "abc", "?", "*" */
struct rul_part {
    enum rul_part_kind kind;
    struct hd_slice text;
};

enum rul_re_flag {
    RUL_RE_CASELESS = 1,
    RUL_RE_MULTILINE = 2,
    RUL_RE_DOTALL = 4,
    RUL_RE_TEXT = 8,    /* characters of UTF-8 instead of bytes; `$` is the very end.
                           What is not UTF-8 in a subject matches nothing */
    RUL_RE_LITERAL = 16 /* no expression at all: the text itself */
};

struct rul_atom {
    struct hd_slice field; /* empty: a keyword */
    enum rul_op op;
    bool cased;
    unsigned re_flags;
    struct hd_slice text;   /* literal (folded unless cased), regex, other field */
    struct rul_part *parts; /* RUL_OP_GLOB; texts folded unless cased */
    size_t n_parts;
    struct hd_cidr net;
    double number;
    enum rul_time_part part; /* what of the field is compared with the number */
    unsigned line, column;
};

enum rul_expr_kind {
    RUL_EXPR_ATOM,
    RUL_EXPR_AND,
    RUL_EXPR_OR,
    RUL_EXPR_NOT,
    RUL_EXPR_AT_LEAST
};

struct rul_expr {
    enum rul_expr_kind kind;
    uint32_t at_least;
    struct rul_atom *atom;
    struct rul_expr **kids;
    size_t n;
    uint32_t compiled; /* the compiler's note: 0 = not yet */
};
