/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/parse/value.h"

#include <haidang/hash.h>
#include <haidang/utf8.h>

/* ---- building ---- */

static struct rul_text *new_text(struct hd_arena *arena, size_t parts)
{
    struct rul_text *text = hd_arena_alloc(arena, 1, sizeof(*text));
    if (text != NULL) {
        text->parts = hd_arena_alloc(arena, parts + 1, sizeof(*text->parts));
    }
    return text == NULL || text->parts == NULL ? NULL : text;
}

static void add_part(struct rul_text *text, enum rul_part_kind kind, struct hd_slice s)
{
    text->parts[text->n++] = (struct rul_part){kind, s};
}

static size_t count_wildcards(struct hd_slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        n += s.ptr[i] == '*' || s.ptr[i] == '?';
    }
    return n;
}

int rul_text_parse(struct hd_arena *arena, struct hd_slice written, struct rul_text **out)
{
    struct rul_text *text = new_text(arena, 2 * count_wildcards(written) + 1);
    uint8_t *buf = hd_arena_bytes(arena, written.len);
    if (text == NULL || buf == NULL) {
        return HD_ENOMEM;
    }
    size_t start = 0, len = 0;
    for (size_t i = 0; i < written.len; i++) {
        uint8_t c = written.ptr[i];
        uint8_t following = i + 1 < written.len ? written.ptr[i + 1] : 0;
        if (c == '\\' && (following == '*' || following == '?' || following == '\\')) {
            buf[len++] = following;
            i++;
        } else if (c == '*' || c == '?') {
            if (len > start) {
                add_part(text, RUL_PART_TEXT, hd_slice(buf + start, len - start));
            }
            start = len;
            add_part(text, c == '*' ? RUL_PART_MANY : RUL_PART_ONE, HD_SLICE_EMPTY);
        } else {
            buf[len++] = c;
        }
    }
    if (len > start) {
        add_part(text, RUL_PART_TEXT, hd_slice(buf + start, len - start));
    }
    *out = text;
    return 0;
}

/* ---- windash: each dash or slash that starts a word, in all five forms ---- */

#define DASH_MAX 3U /* bytes */

static const char *const dashes[] = {"-", "/", "\xe2\x80\x93", "\xe2\x80\x94",
                                     "\xe2\x80\x95"};
#define DASHES (sizeof(dashes) / sizeof(dashes[0]))

/* Bytes of the dash or slash that `s` starts with, 0 when there is none. */
static size_t dash_len(struct hd_slice s)
{
    for (size_t i = 0; i < DASHES; i++) {
        if (hd_slice_starts(s, hd_slice_str(dashes[i]))) {
            return strlen(dashes[i]);
        }
    }
    return 0;
}

static bool is_word_byte(uint8_t c)
{
    return hd_is_alnum(c) || c == '_' || c >= 0x80;
}

static bool starts_word(struct hd_slice s)
{
    return s.len > 0 && is_word_byte(s.ptr[0]) && dash_len(s) == 0;
}

static bool ends_word(struct hd_slice s)
{
    bool is_dash = s.len >= DASH_MAX && dash_len(hd_slice_from(s, s.len - DASH_MAX)) == 3;
    return s.len > 0 && is_word_byte(s.ptr[s.len - 1]) && !is_dash;
}

/* Bytes of a dash at `i` that starts a word, or 0. */
static size_t dash_at(struct hd_slice s, size_t i)
{
    size_t len = dash_len(hd_slice_from(s, i));
    bool opens = len > 0 && !ends_word(hd_slice_head(s, i)) &&
                 starts_word(hd_slice_from(s, i + len));
    return opens ? len : 0;
}

static size_t count_dashes(const struct rul_text *text)
{
    size_t n = 0;
    for (size_t p = 0; p < text->n; p++) {
        struct hd_slice s = text->parts[p].text;
        for (size_t i = 0; i < s.len; i++) {
            n += dash_at(s, i) > 0;
        }
    }
    return n;
}

/* `choice` in base DASHES says which form each dash takes, first dash = lowest digit. */
static struct rul_text *with_dashes(struct hd_arena *arena, const struct rul_text *from,
                                    size_t choice)
{
    struct rul_text *text = new_text(arena, from->n);
    for (size_t p = 0; text != NULL && p < from->n; p++) {
        struct hd_slice s = from->parts[p].text;
        uint8_t *buf = hd_arena_bytes(arena, DASH_MAX * s.len);
        if (buf == NULL) {
            return NULL;
        }
        size_t len = 0;
        for (size_t i = 0, dash = 0; i < s.len; i += dash == 0 ? 1 : dash) {
            dash = dash_at(s, i);
            if (dash == 0) {
                buf[len++] = s.ptr[i];
                continue;
            }
            for (const char *form = dashes[choice % DASHES]; *form != 0; form++) {
                buf[len++] = (uint8_t)*form;
            }
            choice /= DASHES;
        }
        add_part(text, from->parts[p].kind, hd_slice(buf, len));
    }
    return text;
}

int rul_text_windash(struct hd_arena *arena, struct rul_text **list)
{
    struct rul_text *out = NULL, **tail = &out;
    size_t made = 0;
    for (const struct rul_text *t = *list; t != NULL; t = t->next) {
        size_t forms = 1;
        for (size_t n = count_dashes(t); n > 0 && forms <= RUL_EXPANSION_MAX; n--) {
            forms *= DASHES;
        }
        made += forms;
        if (made > RUL_EXPANSION_MAX) {
            return HD_ELIMIT;
        }
        for (size_t choice = 0; choice < forms; choice++) {
            *tail = with_dashes(arena, t, choice);
            if (*tail == NULL) {
                return HD_ENOMEM;
            }
            tail = &(*tail)->next;
        }
    }
    *list = out;
    return 0;
}

/* ---- encodings ---- */

static size_t put_unit(uint8_t *out, uint32_t unit, bool big)
{
    out[big ? 0 : 1] = (uint8_t)(unit >> 8);
    out[big ? 1 : 0] = (uint8_t)unit;
    return 2;
}

/* The code point of a valid sequence of `len` bytes. */
static uint32_t code_point(const uint8_t *at, size_t len)
{
    static const uint8_t lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t cp = at[0] & lead[len];
    for (size_t i = 1; i < len; i++) {
        cp = cp << 6 | (at[i] & 0x3fU);
    }
    return cp;
}

/* HD_EINVAL when the text is not UTF-8. */
static int to_utf16(struct hd_arena *arena, enum rul_utf16 form, struct hd_slice *s)
{
    bool big = form == RUL_UTF16_BE;
    uint8_t *buf = hd_arena_bytes(arena, 2 * s->len + 2);
    if (buf == NULL) {
        return HD_ENOMEM;
    }
    size_t n = form == RUL_UTF16_BOM ? put_unit(buf, 0xfeff, false) : 0;
    for (struct hd_slice rest = *s; rest.len > 0;) {
        size_t len = hd_utf8_step(rest);
        if (len == 0) {
            return HD_EINVAL;
        }
        uint32_t cp = code_point(rest.ptr, len);
        if (cp > 0xffff) {
            n += put_unit(buf + n, 0xd800 + ((cp - 0x10000) >> 10), big);
            cp = 0xdc00 + ((cp - 0x10000) & 0x3ff);
        }
        n += put_unit(buf + n, cp, big);
        rest = hd_slice_from(rest, len);
    }
    *s = hd_slice(buf, n);
    return 0;
}

static int parts_to_utf16(struct hd_arena *arena, enum rul_utf16 form, struct rul_text *t)
{
    int err = 0;
    for (size_t p = 0; p < t->n && err == 0; p++) {
        if (t->parts[p].kind == RUL_PART_TEXT) {
            err = to_utf16(arena, form, &t->parts[p].text);
        }
    }
    return err;
}

int rul_text_utf16(struct hd_arena *arena, enum rul_utf16 form, struct rul_text **list)
{
    int err = 0;
    for (struct rul_text *t = *list; t != NULL && err == 0; t = t->next) {
        err = parts_to_utf16(arena, form, t);
    }
    return err;
}

/* RFC 4648 section 4. */
static struct hd_slice encode_base64(struct hd_arena *arena, struct hd_slice s)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t *out = hd_arena_bytes(arena, (s.len + 2) / 3 * 4);
    size_t n = 0;
    for (size_t i = 0; out != NULL && i < s.len; i += 3) {
        uint32_t group = (uint32_t)s.ptr[i] << 16;
        group |= i + 1 < s.len ? (uint32_t)s.ptr[i + 1] << 8 : 0;
        group |= i + 2 < s.len ? s.ptr[i + 2] : 0;
        out[n++] = (uint8_t)digits[group >> 18];
        out[n++] = (uint8_t)digits[group >> 12 & 63];
        out[n++] = i + 1 < s.len ? (uint8_t)digits[group >> 6 & 63] : '=';
        out[n++] = i + 2 < s.len ? (uint8_t)digits[group & 63] : '=';
    }
    return hd_slice(out, n);
}

static bool is_one_text(const struct rul_text *t)
{
    return t->n == 1 && t->parts[0].kind == RUL_PART_TEXT;
}

int rul_text_base64(struct hd_arena *arena, struct rul_text **list)
{
    for (struct rul_text *t = *list; t != NULL; t = t->next) {
        if (!is_one_text(t)) {
            return HD_EINVAL;
        }
        t->parts[0].text = encode_base64(arena, t->parts[0].text);
    }
    return arena->failed ? HD_ENOMEM : 0;
}

/* The characters of the encoding that depend on the text alone, when `shift` unknown
 * bytes stand before it in its group of three. */
static struct rul_text *at_offset(struct hd_arena *arena, struct hd_slice s, size_t shift)
{
    static const size_t cut_front[] = {0, 2, 3}, cut_back[] = {0, 3, 2};
    struct rul_text *text = new_text(arena, 1);
    uint8_t *shifted = hd_arena_bytes(arena, s.len + shift);
    if (text == NULL || shifted == NULL) {
        return NULL;
    }
    memset(shifted, ' ', shift);
    memcpy(shifted + shift, s.ptr, s.len);
    struct hd_slice code = encode_base64(arena, hd_slice(shifted, s.len + shift));
    size_t back = cut_back[(s.len + shift) % 3];
    if (code.len < cut_front[shift] + back) {
        return NULL;
    }
    code = hd_slice_from(hd_slice_head(code, code.len - back), cut_front[shift]);
    add_part(text, RUL_PART_TEXT, code);
    return text;
}

int rul_text_base64_offset(struct hd_arena *arena, struct rul_text **list)
{
    struct rul_text *out = NULL, **tail = &out;
    for (const struct rul_text *t = *list; t != NULL; t = t->next) {
        if (!is_one_text(t) || t->parts[0].text.len < 2) {
            return HD_EINVAL;
        }
        for (size_t shift = 0; shift < 3; shift++) {
            *tail = at_offset(arena, t->parts[0].text, shift);
            if (*tail == NULL) {
                return arena->failed ? HD_ENOMEM : HD_EINVAL;
            }
            tail = &(*tail)->next;
        }
    }
    *list = out;
    return 0;
}

/* ---- placeholders ---- */

/* A text cut at its placeholders. */
struct cut {
    struct rul_part part;
    const struct rul_placeholder *from; /* NULL: the part as it is */
};

/* Plain text between placeholders: "\\%" is a percent sign. */
static struct hd_slice plain_percents(struct hd_arena *arena, struct hd_slice s)
{
    if (hd_slice_find(s, HD_SLICE("\\%")) == HD_NPOS) {
        return s;
    }
    uint8_t *buf = hd_arena_bytes(arena, s.len);
    size_t n = 0;
    for (size_t i = 0; buf != NULL && i < s.len; i++) {
        bool escapes = s.ptr[i] == '\\' && i + 1 < s.len && s.ptr[i + 1] == '%';
        if (!escapes) {
            buf[n++] = s.ptr[i];
        }
    }
    return hd_slice(buf, n);
}

static void add_cut(struct hd_arena *arena, struct cut *cuts, size_t *n,
                    struct hd_slice text)
{
    if (text.len > 0) {
        cuts[(*n)++] = (struct cut){{RUL_PART_TEXT, plain_percents(arena, text)}, NULL};
    }
}

/* HD_ENOENT: see how->missing. */
static int cut_part(struct hd_arena *arena, struct rul_expansion *how,
                    struct hd_slice text, struct cut *cuts, size_t *n)
{
    struct hd_slice name;
    size_t from = 0, at = 0;
    while (rul_placeholder_next(text, from, &at, &name)) {
        const struct rul_placeholder *p = rul_placeholder_find(how->values, name);
        if (p == NULL || p->n == 0) {
            how->missing = name;
            return HD_ENOENT;
        }
        how->found = true;
        add_cut(arena, cuts, n, hd_slice(text.ptr + from, at - from));
        cuts[(*n)++].from = p;
        from = at + name.len + 2;
    }
    add_cut(arena, cuts, n, hd_slice_from(text, from));
    return 0;
}

static int cut_text(struct hd_arena *arena, struct rul_expansion *how,
                    const struct rul_text *text, struct cut **out, size_t *n)
{
    size_t most = text->n;
    for (size_t i = 0; i < text->n; i++) {
        for (size_t k = 0; k < text->parts[i].text.len; k++) {
            most += text->parts[i].text.ptr[k] == '%';
        }
    }
    *out = hd_arena_alloc(arena, most + 1, sizeof(**out));
    *n = 0;
    int err = *out == NULL ? HD_ENOMEM : 0;
    for (size_t i = 0; i < text->n && err == 0; i++) {
        if (text->parts[i].kind == RUL_PART_TEXT) {
            err = cut_part(arena, how, text->parts[i].text, *out, n);
        } else {
            (*out)[(*n)++].part = text->parts[i];
        }
    }
    return err;
}

/* Text beside text becomes one, so that it is compared and folded as one. */
static int append(struct hd_arena *arena, struct rul_text *to,
                  const struct rul_part *part)
{
    struct rul_part *last = to->n == 0 ? NULL : &to->parts[to->n - 1];
    if (last == NULL || part->kind != RUL_PART_TEXT || last->kind != RUL_PART_TEXT) {
        add_part(to, part->kind, part->text);
        return 0;
    }
    uint8_t *joined = hd_arena_bytes(arena, last->text.len + part->text.len);
    if (joined == NULL) {
        return HD_ENOMEM;
    }
    memcpy(joined, last->text.ptr, last->text.len);
    memcpy(joined + last->text.len, part->text.ptr, part->text.len);
    last->text = hd_slice(joined, last->text.len + part->text.len);
    return 0;
}

static int parse_inserted(struct hd_arena *arena, const struct rul_expansion *how,
                          struct hd_slice value, struct rul_text **out)
{
    if (!how->is_raw) {
        return rul_text_parse(arena, value, out);
    }
    *out = new_text(arena, 1);
    if (*out == NULL) {
        return HD_ENOMEM;
    }
    add_part(*out, RUL_PART_TEXT, value);
    return 0;
}

/* `choice` says which value each placeholder takes, the first in the lowest place. */
static int fill_in(struct hd_arena *arena, struct rul_expansion *how,
                   const struct cut *cuts, size_t n, size_t choice, struct rul_text **out)
{
    size_t most = 0;
    struct rul_text **inserted = hd_arena_alloc(arena, n + 1, sizeof(struct rul_text *));
    for (size_t i = 0; inserted != NULL && i < n; i++) {
        if (cuts[i].from != NULL) {
            struct hd_slice value = cuts[i].from->values[choice % cuts[i].from->n];
            choice /= cuts[i].from->n;
            how->hash = hd_hash_stable(value, how->hash + 1);
            int err = parse_inserted(arena, how, value, &inserted[i]);
            if (err != 0) {
                return err;
            }
        }
        most += cuts[i].from != NULL ? inserted[i]->n : 1;
    }
    *out = new_text(arena, most);
    int err = *out == NULL || inserted == NULL ? HD_ENOMEM : 0;
    for (size_t i = 0; i < n && err == 0; i++) {
        if (cuts[i].from == NULL) {
            err = append(arena, *out, &cuts[i].part);
        }
        for (size_t k = 0; cuts[i].from != NULL && k < inserted[i]->n && err == 0; k++) {
            err = append(arena, *out, &inserted[i]->parts[k]);
        }
    }
    return err;
}

int rul_text_expand(struct hd_arena *arena, struct rul_expansion *how,
                    struct rul_text **list)
{
    struct rul_text *out = NULL, **tail = &out;
    size_t made = 0;
    for (const struct rul_text *t = *list; t != NULL; t = t->next) {
        struct cut *cuts = NULL;
        size_t n = 0, forms = 1;
        int err = cut_text(arena, how, t, &cuts, &n);
        for (size_t i = 0; i < n && err == 0 && forms <= RUL_ATOMS_MAX; i++) {
            forms *= cuts[i].from != NULL ? cuts[i].from->n : 1;
        }
        made += forms;
        if (err == 0 && made > RUL_ATOMS_MAX) {
            return HD_ELIMIT;
        }
        for (size_t choice = 0; choice < forms && err == 0; choice++) {
            err = fill_in(arena, how, cuts, n, choice, tail);
            tail = err == 0 ? &(*tail)->next : tail;
        }
        if (err != 0) {
            return err;
        }
    }
    *list = out;
    return 0;
}

int rul_text_open(struct hd_arena *arena, bool front, bool back, struct rul_text **list)
{
    for (struct rul_text *t = *list; t != NULL; t = t->next) {
        struct rul_text *wide = new_text(arena, t->n + 2);
        if (wide == NULL) {
            return HD_ENOMEM;
        }
        if (front) {
            add_part(wide, RUL_PART_MANY, HD_SLICE_EMPTY);
        }
        for (size_t p = 0; p < t->n; p++) {
            wide->parts[wide->n++] = t->parts[p];
        }
        if (back) {
            add_part(wide, RUL_PART_MANY, HD_SLICE_EMPTY);
        }
        t->parts = wide->parts;
        t->n = wide->n;
    }
    return 0;
}

/* ---- classification ---- */

static int fold(struct hd_arena *arena, struct hd_slice *s)
{
    struct hd_buf buf;
    hd_buf_init(&buf, 0);
    hd_utf8_fold(&buf, *s);
    int err = buf.err;
    *s = hd_arena_copy(arena, hd_buf_slice(&buf));
    hd_buf_fini(&buf);
    return err != 0 || arena->failed ? HD_ENOMEM : 0;
}

/* Folds texts, drops empty texts and "*" behind "*". */
static int normalise(struct hd_arena *arena, const struct rul_text *text, bool cased,
                     struct rul_text **out)
{
    struct rul_text *t = new_text(arena, text->n);
    if (t == NULL) {
        return HD_ENOMEM;
    }
    for (size_t i = 0; i < text->n; i++) {
        struct rul_part part = text->parts[i];
        if (part.kind == RUL_PART_TEXT && part.text.len == 0) {
            continue;
        }
        if (part.kind == RUL_PART_TEXT && !cased) {
            int err = fold(arena, &part.text);
            if (err != 0) {
                return err;
            }
        }
        if (part.kind == RUL_PART_MANY && t->n > 0 &&
            t->parts[t->n - 1].kind == RUL_PART_MANY) {
            continue;
        }
        t->parts[t->n++] = part;
    }
    *out = t;
    return 0;
}

static bool is_kind(const struct rul_text *t, size_t i, enum rul_part_kind kind)
{
    return t->parts[i].kind == kind;
}

int rul_text_classify(struct hd_arena *arena, const struct rul_text *text,
                      struct rul_atom *atom)
{
    struct rul_text *t = NULL;
    int err = normalise(arena, text, atom->cased, &t);
    if (err != 0) {
        return err;
    }
    atom->op = RUL_OP_GLOB;
    if (t->n == 0) {
        atom->op = RUL_OP_EQ;
    } else if (t->n == 1 && !is_kind(t, 0, RUL_PART_ONE)) {
        atom->op = is_kind(t, 0, RUL_PART_TEXT) ? RUL_OP_EQ : RUL_OP_PRESENT;
        atom->text = t->parts[0].text;
    } else if (t->n == 2 && is_kind(t, 0, RUL_PART_TEXT) &&
               is_kind(t, 1, RUL_PART_MANY)) {
        atom->op = RUL_OP_STARTS;
        atom->text = t->parts[0].text;
    } else if (t->n == 2 && is_kind(t, 0, RUL_PART_MANY) &&
               is_kind(t, 1, RUL_PART_TEXT)) {
        atom->op = RUL_OP_ENDS;
        atom->text = t->parts[1].text;
    } else if (t->n == 3 && is_kind(t, 0, RUL_PART_MANY) &&
               is_kind(t, 1, RUL_PART_TEXT) && is_kind(t, 2, RUL_PART_MANY)) {
        atom->op = RUL_OP_CONTAINS;
        atom->text = t->parts[1].text;
    } else {
        atom->parts = t->parts;
        atom->n_parts = t->n;
    }
    return 0;
}
