/* SPDX-License-Identifier: Apache-2.0
 *
 * One line of a detection: field, modifiers and values -> expression of atoms. Value
 * modifiers (windash, base64, wide ...) are expanded here, in the order written; what is
 * left is one comparison.
 */
#include <stdarg.h>
#include <stdio.h>

#include <haidang/num.h>

#include "rules/match/regex.h"
#include "rules/match/regex_cost.h"
#include "rules/parse/value.h"

#define MODS_MAX 8U

enum mod {
    MOD_CONTAINS,
    MOD_STARTS,
    MOD_ENDS,
    MOD_ALL,
    MOD_CASED,
    MOD_NEQ,
    MOD_WINDASH,
    MOD_UTF16LE,
    MOD_UTF16BE,
    MOD_UTF16,
    MOD_BASE64,
    MOD_BASE64OFFSET,
    MOD_RE,
    MOD_RE_I,
    MOD_RE_M,
    MOD_RE_S,
    MOD_CIDR,
    MOD_EXISTS,
    MOD_LT,
    MOD_LTE,
    MOD_GT,
    MOD_GTE,
    MOD_FIELDREF,
    MOD_EXPAND,
    MOD_MINUTE,
    MOD_HOUR,
    MOD_DAY,
    MOD_WEEK,
    MOD_MONTH,
    MOD_YEAR
};

static const struct {
    const char *name;
    enum mod mod;
} mods_table[] = {
    {"contains", MOD_CONTAINS},
    {"startswith", MOD_STARTS},
    {"endswith", MOD_ENDS},
    {"all", MOD_ALL},
    {"cased", MOD_CASED},
    {"neq", MOD_NEQ},
    {"windash", MOD_WINDASH},
    {"wide", MOD_UTF16LE},
    {"utf16le", MOD_UTF16LE},
    {"utf16be", MOD_UTF16BE},
    {"utf16", MOD_UTF16},
    {"base64", MOD_BASE64},
    {"re", MOD_RE},
    {"base64offset", MOD_BASE64OFFSET},
    {"i", MOD_RE_I},
    {"m", MOD_RE_M},
    {"s", MOD_RE_S},
    {"ignorecase", MOD_RE_I}, /* pySigma's long names */
    {"multiline", MOD_RE_M},
    {"dotall", MOD_RE_S},
    {"cidr", MOD_CIDR},
    {"exists", MOD_EXISTS},
    {"lt", MOD_LT},
    {"lte", MOD_LTE},
    {"gt", MOD_GT},
    {"gte", MOD_GTE},
    {"fieldref", MOD_FIELDREF},
    {"expand", MOD_EXPAND},
    {"minute", MOD_MINUTE},
    {"hour", MOD_HOUR},
    {"day", MOD_DAY},
    {"week", MOD_WEEK},
    {"month", MOD_MONTH},
    {"year", MOD_YEAR},
};
#define MODS_KNOWN (sizeof(mods_table) / sizeof(mods_table[0]))

struct item {
    struct hd_slice field; /* empty: keywords */
    enum mod mods[MODS_MAX];
    size_t n;
    uint32_t has; /* bit per enum mod */
    const struct hd_yaml *key;
};

static bool has(const struct item *item, enum mod mod)
{
    return (item->has >> mod) & 1U;
}

int rul_refuse(const struct rul_reader *r, const struct hd_yaml *at, const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    hd_diag_error(r->diags, r->file, at->line, at->column, "%s", text);
    return HD_EPARSE;
}

struct rul_expr *rul_expr_new(struct rul_reader *r, enum rul_expr_kind kind, size_t n)
{
    struct rul_expr *expr = hd_arena_alloc(r->load, 1, sizeof(*expr));
    if (expr == NULL) {
        return NULL;
    }
    expr->kind = kind;
    expr->kids = hd_arena_alloc(r->load, n, sizeof(struct rul_expr *));
    return expr->kids == NULL ? NULL : expr;
}

/* ---- the key: field|modifier|modifier ---- */

static int unknown_modifier(const struct rul_reader *r, const struct item *item,
                            struct hd_slice name)
{
    const char *words[MODS_KNOWN];
    struct hd_diag_hint hint;
    for (size_t i = 0; i < MODS_KNOWN; i++) {
        words[i] = mods_table[i].name;
    }
    struct hd_slice shown = hd_slice_head(name, 60);
    return rul_refuse(r, item->key, "unknown modifier '%.*s'%s", HD_SLICE_FMT(shown),
                      hd_diag_hint(name, words, MODS_KNOWN, &hint));
}

static int add_modifier(const struct rul_reader *r, struct item *item,
                        struct hd_slice name)
{
    for (size_t i = 0; i < MODS_KNOWN; i++) {
        if (!hd_slice_eq(name, hd_slice_str(mods_table[i].name))) {
            continue;
        }
        enum mod mod = mods_table[i].mod;
        if (has(item, mod)) {
            return rul_refuse(r, item->key, "modifier '%s' is given twice",
                              mods_table[i].name);
        }
        if (item->n == MODS_MAX) {
            return rul_refuse(r, item->key, "more than %u modifiers", MODS_MAX);
        }
        item->mods[item->n++] = mod;
        item->has |= UINT32_C(1) << mod;
        return 0;
    }
    return unknown_modifier(r, item, name);
}

#define BIT(mod)   (UINT32_C(1) << (mod))
#define ANY_SET    (BIT(MOD_ALL) | BIT(MOD_NEQ) | BIT(MOD_EXPAND))
#define RE_SET     (BIT(MOD_RE) | BIT(MOD_RE_I) | BIT(MOD_RE_M) | BIT(MOD_RE_S))
#define NUMBER_SET (BIT(MOD_LT) | BIT(MOD_LTE) | BIT(MOD_GT) | BIT(MOD_GTE))
#define TIME_SET                                                                         \
    (BIT(MOD_MINUTE) | BIT(MOD_HOUR) | BIT(MOD_DAY) | BIT(MOD_WEEK) | BIT(MOD_MONTH) |   \
     BIT(MOD_YEAR))
#define PLACE_SET (BIT(MOD_CONTAINS) | BIT(MOD_STARTS) | BIT(MOD_ENDS))

/* Which modifiers may stand together. */
static int check_modifiers(const struct rul_reader *r, const struct item *item)
{
    static const struct {
        uint32_t any, allowed;
        const char *what;
    } groups[] = {
        {RE_SET, RE_SET | ANY_SET, "'re' goes only with i, m, s, all, neq and expand"},
        {BIT(MOD_CIDR), BIT(MOD_CIDR) | ANY_SET,
         "'cidr' goes only with all, neq and expand"},
        {BIT(MOD_EXISTS), BIT(MOD_EXISTS), "'exists' stands alone"},
        {TIME_SET, TIME_SET | NUMBER_SET | ANY_SET,
         "a part of a time goes only with lt, lte, gt, gte, neq, all and expand"},
        {NUMBER_SET, NUMBER_SET | TIME_SET | ANY_SET,
         "a number comparison goes only with parts of a time, neq, all and expand"},
        {BIT(MOD_FIELDREF), BIT(MOD_FIELDREF) | ANY_SET | PLACE_SET | BIT(MOD_CASED),
         "'fieldref' goes only with contains, startswith, endswith, cased, all, neq, "
         "expand"},
    };
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if ((item->has & groups[i].any) != 0 && (item->has & ~groups[i].allowed) != 0) {
            return rul_refuse(r, item->key, "these modifiers do not go together: %s",
                              groups[i].what);
        }
    }
    if (__builtin_popcount(item->has & PLACE_SET) > 1 ||
        __builtin_popcount(item->has & NUMBER_SET) > 1 ||
        __builtin_popcount(item->has & TIME_SET) > 1) {
        return rul_refuse(r, item->key, "these modifiers exclude each other");
    }
    if ((item->has & RE_SET) != 0 && !has(item, MOD_RE)) {
        return rul_refuse(r, item->key, "'i', 'm' and 's' belong behind 're'");
    }
    uint32_t keyword_set = ANY_SET | BIT(MOD_CONTAINS) | BIT(MOD_CASED) |
                           BIT(MOD_WINDASH) | BIT(MOD_UTF16LE) | BIT(MOD_UTF16BE) |
                           BIT(MOD_UTF16) | BIT(MOD_BASE64) | BIT(MOD_BASE64OFFSET) |
                           RE_SET;
    if (item->field.len == 0 && (item->has & ~keyword_set) != 0) {
        return rul_refuse(r, item->key, "this modifier needs a field");
    }
    return 0;
}

/* Sigma names fields without the spaces that some products put into them. */
static struct hd_slice without_spaces(struct hd_arena *arena, struct hd_slice name)
{
    if (hd_slice_find_byte(name, ' ') == HD_NPOS) {
        return name;
    }
    uint8_t *buf = hd_arena_bytes(arena, name.len);
    size_t n = 0;
    for (size_t i = 0; buf != NULL && i < name.len; i++) {
        if (name.ptr[i] != ' ') {
            buf[n++] = name.ptr[i];
        }
    }
    return hd_slice(buf, n);
}

static int read_key(struct rul_reader *r, const struct hd_yaml *key, struct item *item)
{
    item->key = key;
    struct hd_slice rest = key->text, word;
    if (!hd_slice_split(&rest, '|', &word)) {
        return rul_refuse(r, key, "a field name is missing here");
    }
    item->field = without_spaces(r->load, word);
    while (hd_slice_split(&rest, '|', &word)) {
        int err = add_modifier(r, item, word);
        if (err != 0) {
            return err;
        }
    }
    if (item->field.len == 0 && item->n == 0) {
        return rul_refuse(r, key, "a field name is missing here");
    }
    return check_modifiers(r, item);
}

/* ---- one value ---- */

static int new_atom(struct rul_reader *r, const struct item *item,
                    const struct hd_yaml *value, struct rul_expr **out)
{
    if (++r->atoms > RUL_ATOMS_MAX) {
        return rul_refuse(r, value, "rule has more than %u comparisons", RUL_ATOMS_MAX);
    }
    struct rul_expr *expr = rul_expr_new(r, RUL_EXPR_ATOM, 0);
    struct rul_atom *atom = hd_arena_alloc(r->load, 1, sizeof(*atom));
    if (expr == NULL || atom == NULL) {
        return HD_ENOMEM;
    }
    atom->field = item->field;
    atom->cased = has(item, MOD_CASED);
    atom->line = value->line;
    atom->column = value->column;
    expr->atom = atom;
    *out = expr;
    return 0;
}

static size_t count(const struct rul_text *list)
{
    size_t n = 0;
    for (; list != NULL; list = list->next) {
        n++;
    }
    return n;
}

static int apply(struct rul_reader *r, const struct item *item, enum mod mod,
                 struct rul_text **list)
{
    struct hd_arena *arena = r->load;
    bool keyword = item->field.len == 0;
    switch (mod) {
    case MOD_CONTAINS:
        return keyword ? 0 : rul_text_open(arena, true, true, list);
    case MOD_STARTS:
        return rul_text_open(arena, false, true, list);
    case MOD_ENDS:
        return rul_text_open(arena, true, false, list);
    case MOD_WINDASH:
        return rul_text_windash(arena, list);
    case MOD_UTF16LE:
        return rul_text_utf16(arena, RUL_UTF16_LE, list);
    case MOD_UTF16BE:
        return rul_text_utf16(arena, RUL_UTF16_BE, list);
    case MOD_UTF16:
        return rul_text_utf16(arena, RUL_UTF16_BOM, list);
    case MOD_BASE64:
        return rul_text_base64(arena, list);
    case MOD_BASE64OFFSET:
        return rul_text_base64_offset(arena, list);
    default:
        return 0;
    }
}

/* "%name%" -> the values of the site. */
static int insert_values(struct rul_reader *r, const struct hd_yaml *value, bool is_raw,
                         struct rul_text **list)
{
    struct rul_expansion how = {
        .values = r->placeholders, .is_raw = is_raw, .hash = r->inserted};
    int err = rul_text_expand(r->load, &how, list);
    struct hd_diag_hint hint;
    r->inserted = how.hash;
    if (err == HD_ENOENT) {
        return rul_refuse(r, value,
                          "placeholder %%%.*s%% has no values: write them into %.*s.txt, "
                          "one a line, in "
                          "the directory of placeholders%s",
                          HD_SLICE_FMT(how.missing), HD_SLICE_FMT(how.missing),
                          rul_placeholder_hint(r->placeholders, how.missing, &hint));
    }
    if (err == HD_ELIMIT) {
        return rul_refuse(r, value, "placeholders give more than %u values",
                          RUL_ATOMS_MAX);
    }
    if (err == 0 && !how.found) {
        hd_diag_warn(r->diags, r->file, value->line, value->column,
                     "'expand' without a placeholder like %%name%%");
    }
    return err;
}

static int expand(struct rul_reader *r, const struct item *item,
                  const struct hd_yaml *value, struct rul_text **list)
{
    int err = rul_text_parse(r->load, value->text, list);
    for (size_t i = 0; err == 0 && i < item->n; i++) {
        err = item->mods[i] == MOD_EXPAND ? insert_values(r, value, false, list)
                                          : apply(r, item, item->mods[i], list);
    }
    if (err == 0 && item->field.len == 0) {
        err = rul_text_open(r->load, true, true, list);
    }
    if (err == HD_EINVAL) {
        return rul_refuse(r, value,
                          "an encoding modifier needs UTF-8 text of at least two bytes "
                          "without wildcards, and stands before contains");
    }
    if (err == HD_ELIMIT) {
        return rul_refuse(r, value, "value has more than %u forms", RUL_EXPANSION_MAX);
    }
    return err;
}

/* A string value -> one atom, or an OR of the forms it expands to. */
static int read_text(struct rul_reader *r, const struct item *item,
                     const struct hd_yaml *value, struct rul_expr **out)
{
    struct rul_text *list = NULL;
    int err = expand(r, item, value, &list);
    if (err != 0) {
        return err;
    }
    struct rul_expr *any = rul_expr_new(r, RUL_EXPR_OR, count(list));
    if (any == NULL) {
        return HD_ENOMEM;
    }
    for (const struct rul_text *t = list; t != NULL; t = t->next) {
        struct rul_expr *one = NULL;
        err = new_atom(r, item, value, &one);
        if (err == 0) {
            err = rul_text_classify(r->load, t, one->atom);
        }
        if (err != 0) {
            return err;
        }
        if (item->field.len == 0 && one->atom->op == RUL_OP_PRESENT) {
            return rul_refuse(r, value, "a keyword must not be empty");
        }
        any->kids[any->n++] = one;
    }
    *out = any->n == 1 ? any->kids[0] : any;
    return 0;
}

/* ---- values that are no text: atom->text is what is written ---- */

/* What Hyperscan would need for all expressions of the rule stays within bounds: a set
 * must not take minutes to compile for the sake of one. */
static int weigh_regex(struct rul_reader *r, const struct hd_yaml *value,
                       struct hd_slice pattern)
{
    const struct rul_regex_cost cost = rul_regex_cost(pattern);
    r->regex_work += cost.work;
    if (r->regex_work > RUL_REGEX_RULE_WORK_MAX) {
        return rul_refuse(r, value,
                          "with this one the rule's regular expressions take too long to "
                          "compile: %llu units, %u are allowed; split the rule, or use "
                          "'contains' where no expression is needed",
                          (unsigned long long)r->regex_work, RUL_REGEX_RULE_WORK_MAX);
    }
    if (cost.is_costly) {
        hd_diag_warn(r->diags, r->file, value->line, value->column,
                     "this expression is too much for Hyperscan (long or nested repeats) "
                     "and is tried alone: write it with fewer of them");
    }
    return HD_OK;
}

static int fill_regex(struct rul_reader *r, const struct item *item,
                      const struct hd_yaml *value, struct rul_atom *atom)
{
    atom->op = RUL_OP_RE;
    atom->re_flags = (has(item, MOD_RE_I) ? RUL_RE_CASELESS : 0U) |
                     (has(item, MOD_RE_M) ? RUL_RE_MULTILINE : 0U) |
                     (has(item, MOD_RE_S) ? RUL_RE_DOTALL : 0U);
    if (atom->text.len > RUL_REGEX_MAX) {
        return rul_refuse(r, value, "regular expression is longer than %u bytes",
                          RUL_REGEX_MAX);
    }
    char why[160];
    size_t offset = 0;
    int err = rul_regex_check(atom->text, atom->re_flags, &offset, why);
    if (err == HD_EPARSE) {
        return rul_refuse(r, value, "regular expression, at its byte %zu: %s", offset,
                          why);
    }
    return err != 0 ? err : weigh_regex(r, value, atom->text);
}

static const struct {
    enum mod mod;
    enum rul_time_part part;
    double min, max;
} time_parts[] = {
    {MOD_MINUTE, RUL_PART_MINUTE, 0, 59}, {MOD_HOUR, RUL_PART_HOUR, 0, 23},
    {MOD_DAY, RUL_PART_DAY, 1, 31},       {MOD_WEEK, RUL_PART_WEEK, 1, 53},
    {MOD_MONTH, RUL_PART_MONTH, 1, 12},   {MOD_YEAR, RUL_PART_YEAR, 0, 9999},
};

static int fill_time_part(struct rul_reader *r, const struct item *item,
                          const struct hd_yaml *value, struct rul_atom *atom)
{
    for (size_t i = 0; i < sizeof(time_parts) / sizeof(time_parts[0]); i++) {
        if (!has(item, time_parts[i].mod)) {
            continue;
        }
        atom->part = time_parts[i].part;
        if (atom->number < time_parts[i].min || atom->number > time_parts[i].max) {
            return rul_refuse(r, value, "a number from %g to %g was expected here",
                              time_parts[i].min, time_parts[i].max);
        }
    }
    return 0;
}

static int fill_number(struct rul_reader *r, const struct item *item,
                       const struct hd_yaml *value, struct rul_atom *atom)
{
    atom->op = has(item, MOD_LT)    ? RUL_OP_LT
               : has(item, MOD_LTE) ? RUL_OP_LTE
               : has(item, MOD_GT)  ? RUL_OP_GT
               : has(item, MOD_GTE) ? RUL_OP_GTE
                                    : RUL_OP_NUMBER;
    if (hd_num_double(atom->text, &atom->number) != 0) {
        return rul_refuse(r, value, "a number was expected here");
    }
    return fill_time_part(r, item, value, atom);
}

static int fill_reference(struct rul_reader *r, const struct item *item,
                          const struct hd_yaml *value, struct rul_atom *atom)
{
    atom->op = has(item, MOD_CONTAINS) ? RUL_OP_REF_CONTAINS
               : has(item, MOD_STARTS) ? RUL_OP_REF_STARTS
               : has(item, MOD_ENDS)   ? RUL_OP_REF_ENDS
                                       : RUL_OP_REF_EQ;
    atom->text = without_spaces(r->load, atom->text);
    bool has_wildcard = hd_slice_find_byte(atom->text, '*') != HD_NPOS ||
                        hd_slice_find_byte(atom->text, '?') != HD_NPOS;
    return atom->text.len == 0 || has_wildcard
               ? rul_refuse(r, value, "a field name without wildcards was expected here")
               : 0;
}

static int fill_network(struct rul_reader *r, const struct hd_yaml *value,
                        struct rul_atom *atom)
{
    atom->op = RUL_OP_CIDR;
    int err = hd_cidr_parse(atom->text, &atom->net);
    if (err == HD_EINVAL) {
        return rul_refuse(r, value, "network has bits set behind its prefix");
    }
    return err == 0 ? 0 : rul_refuse(r, value, "not a network like 10.0.0.0/8");
}

static int fill_exists(struct rul_reader *r, const struct hd_yaml *value,
                       struct rul_atom *atom)
{
    bool wanted = false;
    if (hd_num_bool(atom->text, &wanted) != 0) {
        return rul_refuse(r, value, "'exists' wants true or false");
    }
    atom->op = wanted ? RUL_OP_PRESENT : RUL_OP_NULL;
    return 0;
}

static int fill(struct rul_reader *r, const struct item *item,
                const struct hd_yaml *value, struct rul_atom *atom)
{
    if (has(item, MOD_RE)) {
        return fill_regex(r, item, value, atom);
    }
    if (has(item, MOD_CIDR)) {
        return fill_network(r, value, atom);
    }
    if (has(item, MOD_EXISTS)) {
        return fill_exists(r, value, atom);
    }
    return has(item, MOD_FIELDREF) ? fill_reference(r, item, value, atom)
                                   : fill_number(r, item, value, atom);
}

static int read_special(struct rul_reader *r, const struct item *item,
                        const struct hd_yaml *value, struct rul_expr **out)
{
    struct rul_part part = {RUL_PART_TEXT, value->text};
    struct rul_text written = {.parts = &part, .n = 1}, *list = &written;
    int err = has(item, MOD_EXPAND) ? insert_values(r, value, true, &list) : 0;
    if (err != 0) {
        return err;
    }
    struct rul_expr *any = rul_expr_new(r, RUL_EXPR_OR, count(list));
    if (any == NULL) {
        return HD_ENOMEM;
    }
    for (const struct rul_text *t = list; t != NULL && err == 0; t = t->next) {
        struct rul_expr *one = NULL;
        err = new_atom(r, item, value, &one);
        if (err == 0) {
            any->kids[any->n++] = one;
            one->atom->text = t->n == 0 ? HD_SLICE_EMPTY : t->parts[0].text;
            err = fill(r, item, value, one->atom);
        }
    }
    *out = any->n == 1 ? any->kids[0] : any;
    return err;
}

static int read_null(struct rul_reader *r, const struct item *item,
                     const struct hd_yaml *value, struct rul_expr **out)
{
    if (item->field.len == 0 || (item->has & ~(BIT(MOD_ALL) | BIT(MOD_NEQ))) != 0) {
        return rul_refuse(r, value, "null goes only with a plain field");
    }
    int err = new_atom(r, item, value, out);
    if (err == 0) {
        (*out)->atom->op = RUL_OP_NULL;
    }
    return err;
}

static int read_value(struct rul_reader *r, const struct item *item,
                      const struct hd_yaml *value, struct rul_expr **out)
{
    if (value->kind != HD_YAML_SCALAR) {
        return rul_refuse(r, value, "a single value was expected here");
    }
    if (hd_yaml_is_null(value)) {
        return read_null(r, item, value, out);
    }
    uint32_t special = RE_SET | BIT(MOD_CIDR) | BIT(MOD_EXISTS) | NUMBER_SET | TIME_SET |
                       BIT(MOD_FIELDREF);
    return (item->has & special) != 0 ? read_special(r, item, value, out)
                                      : read_text(r, item, value, out);
}

/* ---- all values of one key ---- */

static int read_values(struct rul_reader *r, const struct item *item,
                       const struct hd_yaml *value, struct rul_expr **out)
{
    if (value->kind == HD_YAML_MAP) {
        return rul_refuse(r, value, "a value or a list of values was expected here");
    }
    if (value->kind == HD_YAML_SCALAR) {
        return read_value(r, item, value, out);
    }
    if (value->n == 0) {
        return rul_refuse(r, value, "empty list: nothing could ever match");
    }
    struct rul_expr *list =
        rul_expr_new(r, has(item, MOD_ALL) ? RUL_EXPR_AND : RUL_EXPR_OR, value->n);
    if (list == NULL) {
        return HD_ENOMEM;
    }
    for (const struct hd_yaml *v = value->first; v != NULL; v = v->next) {
        int err = read_value(r, item, v, &list->kids[list->n++]);
        if (err != 0) {
            return err;
        }
    }
    *out = list->n == 1 ? list->kids[0] : list;
    return 0;
}

int rul_item_read(struct rul_reader *r, const struct hd_yaml *key,
                  const struct hd_yaml *value, struct rul_expr **out)
{
    struct item item = {.key = value};
    int err = key == NULL ? 0 : read_key(r, key, &item);
    if (err == 0) {
        err = read_values(r, &item, value, out);
    }
    if (err == 0 && has(&item, MOD_NEQ)) {
        struct rul_expr *negated = rul_expr_new(r, RUL_EXPR_NOT, 1);
        if (negated == NULL) {
            return HD_ENOMEM;
        }
        negated->kids[negated->n++] = *out;
        *out = negated;
    }
    return err;
}
