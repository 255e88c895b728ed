/* SPDX-License-Identifier: Apache-2.0
 *
 * Grammar (RFC 5424 section 6; what the header says beside the program is not looked at):
 *
 *   <PRI>VERSION SP TIME SP HOST SP "haidang-canary" SP PROCID SP MSGID SP
 *   "[canary@32473" 8(SP NAME "=" DQUOTE VALUE DQUOTE) "]" SP MESSAGE
 *
 * Each name once, in any order: relays may write an element anew. Values are printable
 * ASCII without quotes, backslashes and brackets, so nothing is ever escaped.
 */
#include <haidang/canary.h>

#include <haidang/clock.h>
#include <haidang/num.h>

#define PRI         "<110>1 " /* log audit, informational */
#define ELEMENT     "[canary@32473 "
#define TIME_DIGITS 3
#define PRI_DIGITS  3U
#define VERSION_MAX 999U
#define STATEMENT   "haidang canary 1\n"

static const char *const classes[] = {
#define HD_CANARY_NAME(id, name) name,
    HD_CANARY_CLASS_MAP(HD_CANARY_NAME)
#undef HD_CANARY_NAME
};

const char *hd_canary_class_name(enum hd_canary_class class)
{
    return classes[class];
}

/* ---- in: values ---- */

static bool take_id(struct hd_slice value, struct hd_canary *out)
{
    out->id = value;
    return value.len == HD_CANARY_ID_LEN && hd_slice_is_hex(value);
}

static bool take_part(struct hd_slice value, struct hd_canary *out)
{
    struct hd_slice rest = value, part;
    return hd_slice_split(&rest, '/', &part) &&
           hd_num_u32(part, HD_CANARY_PARTS_MAX, &out->part) == HD_OK &&
           hd_num_u32(rest, HD_CANARY_PARTS_MAX, &out->parts) == HD_OK &&
           out->part >= 1 && out->part <= out->parts;
}

static bool take_class(struct hd_slice value, struct hd_canary *out)
{
    for (unsigned i = 0; i < HD_CANARY_CLASSES; i++) {
        if (hd_slice_eq(value, hd_slice_str(classes[i]))) {
            out->class = (enum hd_canary_class)i;
            return true;
        }
    }
    return false;
}

static bool take_rule(struct hd_slice value, struct hd_canary *out)
{
    out->rule = value;
    return value.len > 0 && value.len <= HD_CANARY_RULE_MAX;
}

static bool take_time(struct hd_slice value, struct hd_canary *out)
{
    return hd_clock_parse_rfc3339(value, &out->time_ns) == HD_OK;
}

static bool take_at(struct hd_slice value, struct hd_canary *out)
{
    return hd_num_u32(value, UINT32_MAX, &out->at_ms) == HD_OK;
}

static bool take_key(struct hd_slice value, struct hd_canary *out)
{
    return hd_num_hex_bytes(value, out->key_id, sizeof(out->key_id)) == HD_OK;
}

static bool take_signature(struct hd_slice value, struct hd_canary *out)
{
    return hd_num_hex_bytes(value, out->signature, sizeof(out->signature)) == HD_OK;
}

static const struct {
    const char *name;
    bool (*take)(struct hd_slice value, struct hd_canary *out);
} params[] = {{"id", take_id},     {"part", take_part},    {"class", take_class},
              {"rule", take_rule}, {"time", take_time},    {"at", take_at},
              {"key", take_key},   {"sig", take_signature}};
#define N_PARAMS (sizeof(params) / sizeof(params[0]))

static bool is_value(struct hd_slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.ptr[i];
        if (c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == ']') {
            return false;
        }
    }
    return true;
}

/* ---- in: the line ---- */

/* Up to and including the space behind it. */
static bool skip_word(struct hd_slice *rest)
{
    struct hd_slice word;
    return hd_slice_split(rest, ' ', &word) && rest->ptr != NULL && word.len > 0;
}

/* What stands behind "<PRI>VERSION TIME HOST ", empty when that is not there: most lines
 * of RFC 3164 fail at their sixth byte. */
static struct hd_slice find_program(struct hd_slice line)
{
    uint64_t number;
    if (line.len == 0 || line.ptr[0] != '<') {
        return HD_SLICE_EMPTY;
    }
    struct hd_slice rest = hd_slice_from(line, 1);
    rest = hd_slice_from(rest, hd_num_prefix_u64(rest, PRI_DIGITS, UINT64_MAX, &number));
    if (rest.len < 2 || rest.ptr[0] != '>' || !hd_is_digit(rest.ptr[1])) {
        return HD_SLICE_EMPTY;
    }
    rest = hd_slice_from(rest, 1);
    rest = hd_slice_from(rest, hd_num_prefix_u64(rest, PRI_DIGITS, VERSION_MAX, &number));
    if (rest.len == 0 || rest.ptr[0] != ' ') {
        return HD_SLICE_EMPTY;
    }
    rest = hd_slice_from(rest, 1);
    return skip_word(&rest) && skip_word(&rest) ? rest : HD_SLICE_EMPTY;
}

/* `NAME="VALUE"` and the byte behind it, a space or the end of the element. */
static bool take_param(struct hd_slice *rest, unsigned *seen, struct hd_canary *out)
{
    struct hd_slice name, value;
    if (!hd_slice_split(rest, '=', &name) || rest->len == 0 || rest->ptr[0] != '"') {
        return false;
    }
    *rest = hd_slice_from(*rest, 1);
    if (!hd_slice_split(rest, '"', &value) || rest->len == 0 || !is_value(value)) {
        return false;
    }
    for (unsigned i = 0; i < N_PARAMS; i++) {
        if (hd_slice_eq(name, hd_slice_str(params[i].name))) {
            bool is_first = (*seen & (1U << i)) == 0;
            *seen |= 1U << i;
            return is_first && params[i].take(value, out);
        }
    }
    return false;
}

static bool take_element(struct hd_slice *rest, struct hd_canary *out)
{
    unsigned seen = 0;
    if (!hd_slice_starts(*rest, HD_SLICE(ELEMENT))) {
        return false;
    }
    *rest = hd_slice_from(*rest, sizeof(ELEMENT) - 1);
    for (;;) {
        if (!take_param(rest, &seen, out)) {
            return false;
        }
        uint8_t end = rest->ptr[0];
        *rest = hd_slice_from(*rest, 1);
        if (end == ']') {
            return seen == (1U << N_PARAMS) - 1;
        }
        if (end != ' ') {
            return false;
        }
    }
}

enum hd_canary_kind hd_canary_parse(struct hd_slice line, struct hd_canary *out)
{
    struct hd_slice rest = find_program(line);
    if (!hd_slice_starts(rest, HD_SLICE(HD_CANARY_PROGRAM " "))) {
        return HD_CANARY_NONE;
    }
    *out = (struct hd_canary){0};
    rest = hd_slice_from(rest, sizeof(HD_CANARY_PROGRAM));
    if (!skip_word(&rest) || !skip_word(&rest) || !take_element(&rest, out) ||
        rest.len < 2 || rest.ptr[0] != ' ') {
        return HD_CANARY_BAD;
    }
    out->message = hd_slice_from(rest, 1);
    return HD_CANARY_OK;
}

/* ---- out ---- */

static void write_time(int64_t ns, struct hd_buf *out)
{
    char text[HD_RFC3339_LEN + 1];
    (void)hd_clock_format_rfc3339(ns, TIME_DIGITS, text);
    hd_buf_str(out, text);
}

/* What is signed: one line for each value, then the line inside. */
static void write_statement(const struct hd_canary *c, struct hd_buf *out)
{
    hd_buf_str(out, STATEMENT);
    hd_buf_slice_add(out, c->id);
    hd_buf_printf(out, "\n%u/%u\n%s\n", c->part, c->parts, classes[c->class]);
    hd_buf_slice_add(out, c->rule);
    hd_buf_printf(out, "\n%lld\n%u\n", (long long)c->time_ns, c->at_ms);
    hd_buf_slice_add(out, c->message);
}

static void write_line(const struct hd_canary *c, struct hd_slice host,
                       struct hd_buf *out)
{
    hd_buf_str(out, PRI);
    write_time(c->time_ns, out);
    hd_buf_byte(out, ' ');
    hd_buf_slice_add(out, host);
    hd_buf_str(out, " " HD_CANARY_PROGRAM " - - " ELEMENT "id=\"");
    hd_buf_slice_add(out, c->id);
    hd_buf_printf(out, "\" part=\"%u/%u\" class=\"%s\" rule=\"", c->part, c->parts,
                  classes[c->class]);
    hd_buf_slice_add(out, c->rule);
    hd_buf_str(out, "\" time=\"");
    write_time(c->time_ns, out);
    hd_buf_printf(out, "\" at=\"%u\" key=\"", c->at_ms);
    hd_buf_hex(out, hd_slice(c->key_id, sizeof(c->key_id)));
    hd_buf_str(out, "\" sig=\"");
    hd_buf_hex(out, hd_slice(c->signature, sizeof(c->signature)));
    hd_buf_str(out, "\"] ");
    hd_buf_slice_add(out, c->message);
}

/* What was written is read again: a value that breaks the line is found here. */
static bool is_readable(const struct hd_canary *c, struct hd_slice line)
{
    struct hd_canary back;
    return hd_canary_parse(line, &back) == HD_CANARY_OK && hd_slice_eq(back.id, c->id) &&
           hd_slice_eq(back.rule, c->rule) && hd_slice_eq(back.message, c->message) &&
           back.time_ns == c->time_ns;
}

int hd_canary_write(struct hd_canary *c, const struct hd_sign_key *key,
                    struct hd_slice host, struct hd_buf *out)
{
    struct hd_buf statement;
    size_t before = out->len;
    c->time_ns -= c->time_ns % HD_NS_PER_MS; /* as the line will say */
    memcpy(c->key_id, hd_sign_key_id(key), sizeof(c->key_id));
    hd_buf_init(&statement, 0);
    write_statement(c, &statement);
    int err = statement.err != HD_OK
                  ? statement.err
                  : hd_sign(key, hd_buf_slice(&statement), c->signature);
    hd_buf_fini(&statement);
    if (err != HD_OK) {
        return err;
    }
    write_line(c, host, out);
    if (out->err != HD_OK) {
        return out->err;
    }
    return is_readable(c, hd_slice_from(hd_buf_slice(out), before)) ? HD_OK : HD_EINVAL;
}

int hd_canary_verify(const struct hd_canary *c, const struct hd_sign_key *key)
{
    struct hd_buf statement;
    if (memcmp(c->key_id, hd_sign_key_id(key), sizeof(c->key_id)) != 0) {
        return HD_ENOENT;
    }
    hd_buf_init(&statement, 0);
    write_statement(c, &statement);
    int err = statement.err != HD_OK
                  ? statement.err
                  : hd_sign_verify(key, hd_buf_slice(&statement), c->signature);
    hd_buf_fini(&statement);
    return err;
}
