/* SPDX-License-Identifier: Apache-2.0
 *
 * Grammar of a pattern: *( literal / "<" [field] [":" type] ">" ), "<<" = "<".
 */
#include "rules/decode/pattern.h"

#include <stdio.h>

#include <haidang/diag.h>
#include <haidang/inet.h>

#include "rules/decode/quoted.h"
#include "rules/decode/stamp.h"

#define STEPS_MAX              64U

#define CAPTURE_NAME(id, name) name,
static const char *const type_names[] = {RUL_CAPTURE_MAP(CAPTURE_NAME)};
#undef CAPTURE_NAME

/* ---- compiling ---- */

struct compiler {
    struct hd_arena *arena;
    struct hd_slice text;
    size_t at;
    struct rul_pattern_step steps[STEPS_MAX];
    struct rul_pattern_capture captures[RUL_PATTERN_CAPTURES_MAX];
    struct rul_pattern *out;
    struct rul_pattern_error *err;
};

static int refuse(struct compiler *c, size_t at, const char *why, struct hd_slice what)
{
    c->err->at = at;
    (void)snprintf(c->err->why, sizeof(c->err->why), "%s%.*s", why,
                   (int)(what.len < 80 ? what.len : 80), (const char *)what.ptr);
    return HD_EPARSE;
}

static int add_step(struct compiler *c, const struct rul_pattern_step *step)
{
    if (c->out->n_steps == STEPS_MAX) {
        return refuse(c, c->at, "too many parts in one pattern", HD_SLICE(""));
    }
    c->steps[c->out->n_steps++] = *step;
    return 0;
}

static bool starts_capture(struct hd_slice text, size_t at)
{
    return text.ptr[at] == '<' && !(at + 1 < text.len && text.ptr[at + 1] == '<');
}

/* Literal text up to the next capture, with "<<" undone. */
static int compile_literal(struct compiler *c)
{
    uint8_t *own = hd_arena_bytes(c->arena, c->text.len);
    size_t n = 0;
    if (own == NULL) {
        return HD_ENOMEM;
    }
    while (c->at < c->text.len && !starts_capture(c->text, c->at)) {
        c->at += c->text.ptr[c->at] == '<' ? 1 : 0;
        own[n++] = c->text.ptr[c->at++];
    }
    struct rul_pattern_step step = {.is_literal = true, .literal = hd_slice(own, n)};
    return add_step(c, &step);
}

static int type_of(struct compiler *c, size_t at, struct hd_slice name,
                   enum rul_capture_type *type)
{
    for (int i = 0; i < RUL_CAPTURES; i++) {
        if (hd_slice_eq(name, hd_slice_str(type_names[i]))) {
            *type = (enum rul_capture_type)i;
            return 0;
        }
    }
    struct hd_diag_hint hint;
    (void)refuse(c, at, "unknown capture type ", name);
    size_t len = strlen(c->err->why);
    (void)snprintf(c->err->why + len, sizeof(c->err->why) - len, "%s",
                   hd_diag_hint(name, type_names, RUL_CAPTURES, &hint));
    return HD_EPARSE;
}

static bool is_field_byte(uint8_t b)
{
    return hd_is_alnum(b) || b == '.' || b == '-' || b == '_' || b == '@';
}

static int compile_capture(struct compiler *c)
{
    size_t from = c->at + 1;
    size_t len = hd_slice_find_byte(hd_slice_from(c->text, from), '>');
    if (len == HD_NPOS) {
        return refuse(c, c->at, "\"<\" without \">\" (write << for the byte)",
                      HD_SLICE(""));
    }
    struct hd_slice name, type, inside = hd_slice(c->text.ptr + from, len);
    struct rul_pattern_capture capture = {.type = RUL_CAPTURE_UNTIL};
    type = inside;
    (void)hd_slice_split(&type, ':', &name);
    for (size_t i = 0; i < name.len; i++) {
        if (!is_field_byte(name.ptr[i])) {
            return refuse(c, from + i, "not a field name: ", name);
        }
    }
    int rc = type.len > 0 ? type_of(c, from + name.len + 1, type, &capture.type) : 0;
    if (rc != 0) {
        return rc;
    }
    if (c->out->n_captures == RUL_PATTERN_CAPTURES_MAX) {
        return refuse(c, c->at, "too many captures in one pattern", HD_SLICE(""));
    }
    capture.name = hd_arena_copy(c->arena, name);
    c->captures[c->out->n_captures] = capture;
    struct rul_pattern_step step = {.capture = c->out->n_captures++};
    c->at = from + len + 1;
    return add_step(c, &step);
}

static bool is_open_ended(enum rul_capture_type type)
{
    return type == RUL_CAPTURE_REST || rul_capture_is_pairs(type);
}

/* Gives each capture the literal that ends it, and refuses what cannot end. */
static int link_steps(struct compiler *c)
{
    for (size_t i = 0; i < c->out->n_steps; i++) {
        struct rul_pattern_step *step = &c->steps[i];
        bool is_last = i + 1 == c->out->n_steps;
        if (step->is_literal) {
            continue;
        }
        struct rul_pattern_capture *capture = &c->captures[step->capture];
        bool needs_literal =
            capture->type == RUL_CAPTURE_UNTIL || capture->type == RUL_CAPTURE_GREEDY;
        if (is_last) {
            capture->type = needs_literal ? RUL_CAPTURE_REST : capture->type;
        } else if (is_open_ended(capture->type)) {
            return refuse(c, c->text.len,
                          "takes everything, so it must come last: ", capture->name);
        } else if (c->steps[i + 1].is_literal) {
            step->literal = c->steps[i + 1].literal;
        } else if (needs_literal) {
            return refuse(c, c->text.len, "nothing says where it ends: ", capture->name);
        }
    }
    return 0;
}

int rul_pattern_compile(struct hd_arena *arena, struct hd_slice text,
                        struct rul_pattern *out, struct rul_pattern_error *err)
{
    struct compiler c = {.arena = arena, .text = text, .out = out, .err = err};
    int rc = 0;
    *out = (struct rul_pattern){0};
    if (text.len == 0) {
        return refuse(&c, 0, "an empty pattern", HD_SLICE(""));
    }
    while (rc == 0 && c.at < text.len) {
        rc = starts_capture(text, c.at) ? compile_capture(&c) : compile_literal(&c);
    }
    if (rc == 0) {
        rc = link_steps(&c);
    }
    if (rc != 0) {
        return rc;
    }
    out->steps = hd_arena_alloc(arena, out->n_steps, sizeof(c.steps[0]));
    out->captures = hd_arena_alloc(arena, out->n_captures, sizeof(c.captures[0]));
    if (arena->failed) {
        return HD_ENOMEM;
    }
    memcpy(out->steps, c.steps, out->n_steps * sizeof(c.steps[0]));
    memcpy(out->captures, c.captures, out->n_captures * sizeof(c.captures[0]));
    out->first = out->steps[0].is_literal ? out->steps[0].literal : HD_SLICE("");
    return 0;
}

/* ---- matching ---- */

#define NO_MATCH ((size_t)-1)

static size_t find_last(struct hd_slice s, struct hd_slice needle)
{
    size_t end = s.len;
    while (end >= needle.len) {
        size_t room = end - needle.len + 1;
        const uint8_t *at = memrchr(s.ptr, needle.ptr[0], room);
        if (at == NULL) {
            break;
        }
        if (memcmp(at, needle.ptr, needle.len) == 0) {
            return (size_t)(at - s.ptr);
        }
        end = (size_t)(at - s.ptr) + needle.len - 1;
    }
    return HD_NPOS;
}

static size_t word_len(struct hd_slice s, struct hd_slice next)
{
    uint8_t stop = next.len > 0 ? next.ptr[0] : ' ';
    size_t n = 0;
    while (n < s.len && s.ptr[n] > ' ' && s.ptr[n] != stop) {
        n++;
    }
    return n > 0 ? n : NO_MATCH;
}

static size_t uint_len(struct hd_slice s)
{
    size_t n = 0;
    while (n < s.len && hd_is_digit(s.ptr[n])) {
        n++;
    }
    return n > 0 ? n : NO_MATCH;
}

/* Dotted IPv4, or IPv6 (also with an IPv4 tail). */
static size_t ip_len(struct hd_slice s)
{
    size_t n = 0, dots = 0;
    struct hd_ip ip;
    while (n < s.len &&
           (hd_hex_value(s.ptr[n]) >= 0 || s.ptr[n] == '.' || s.ptr[n] == ':')) {
        if (s.ptr[n] == ':' && dots > 0) {
            break; /* IPv4 and a port behind it */
        }
        dots += s.ptr[n] == '.' ? 1 : 0;
        n++;
    }
    if (n > 0 && s.ptr[n - 1] == ':' && (n < 2 || s.ptr[n - 2] != ':')) {
        n--; /* a colon that ends a phrase */
    }
    return n > 0 && hd_ip_parse(hd_slice_head(s, n), &ip) == 0 ? n : NO_MATCH;
}

static size_t quoted_len(struct hd_slice s)
{
    size_t n = rul_quoted_len(s);
    return n > 0 ? n : NO_MATCH;
}

/* Up to a "|" that no backslash escapes. */
static size_t piped_len(struct hd_slice s)
{
    for (size_t n = 0; n < s.len; n++) {
        if (s.ptr[n] == '\\') {
            n++;
        } else if (s.ptr[n] == '|') {
            return n;
        }
    }
    return NO_MATCH;
}

static size_t time_len(enum rul_capture_type type, struct hd_slice s)
{
    struct rul_stamp ignored;
    size_t n = type == RUL_CAPTURE_TIME_ISO   ? rul_stamp_iso(s, &ignored)
               : type == RUL_CAPTURE_TIME_CLF ? rul_stamp_clf(s, &ignored)
                                              : rul_stamp_ctime(s, &ignored);
    return n > 0 ? n : NO_MATCH;
}

/* How many bytes the capture takes. */
static size_t capture_len(enum rul_capture_type type, struct hd_slice s,
                          struct hd_slice next)
{
    switch (type) {
    case RUL_CAPTURE_UNTIL:
        return hd_slice_find(s, next);
    case RUL_CAPTURE_GREEDY:
        return find_last(s, next);
    case RUL_CAPTURE_WORD:
        return word_len(s, next);
    case RUL_CAPTURE_IP:
        return ip_len(s);
    case RUL_CAPTURE_UINT:
        return uint_len(s);
    case RUL_CAPTURE_QUOTED:
        return quoted_len(s);
    case RUL_CAPTURE_PIPED:
        return piped_len(s);
    case RUL_CAPTURE_TIME_ISO:
    case RUL_CAPTURE_TIME_CLF:
    case RUL_CAPTURE_TIME_CTIME:
        return time_len(type, s);
    case RUL_CAPTURE_REST:
    case RUL_CAPTURE_KV:
    case RUL_CAPTURE_KV_COMMA:
    case RUL_CAPTURE_CEF:
    case RUL_CAPTURE_LEEF:
    case RUL_CAPTURE_AUDIT:
    case RUL_CAPTURES:
        break;
    }
    return s.len;
}

static struct hd_slice trim_right(struct hd_slice s)
{
    while (s.len > 0 && s.ptr[s.len - 1] == ' ') {
        s.len--;
    }
    return s;
}

bool rul_pattern_match(const struct rul_pattern *pattern, struct hd_slice message,
                       struct hd_slice *values, size_t *used)
{
    struct hd_slice rest = message;
    for (size_t i = 0; i < pattern->n_steps; i++) {
        const struct rul_pattern_step *step = &pattern->steps[i];
        if (step->is_literal) {
            if (!hd_slice_starts(rest, step->literal)) {
                return false;
            }
            rest = hd_slice_from(rest, step->literal.len);
            continue;
        }
        enum rul_capture_type type = pattern->captures[step->capture].type;
        size_t n = capture_len(type, rest, step->literal);
        if (n == NO_MATCH) {
            return false;
        }
        struct hd_slice value = hd_slice_head(rest, n);
        if (type == RUL_CAPTURE_QUOTED) {
            value = hd_slice(rest.ptr + 1, n - 2);
        } else if (type == RUL_CAPTURE_REST) {
            value = trim_right(value);
        }
        values[step->capture] = value;
        rest = hd_slice_from(rest, n);
    }
    if (used != NULL) {
        *used = message.len - rest.len;
    }
    return true;
}
