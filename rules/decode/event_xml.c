/* SPDX-License-Identifier: Apache-2.0
 *
 * Grammar: XML 1.0 section 3, less what the header says. One loop over tags with a stack
 * of open elements; no recursion.
 */
#include "rules/decode/event_xml.h"

#include <haidang/num.h>
#include <haidang/utf8.h>

#include "rules/event.h"

struct open_element {
    struct hd_slice name;
    uint32_t node;     /* RUL_PATH_NONE: nothing of interest */
    bool has_elements; /* in it */
    bool is_unnamed;   /* <Data> without a name: there may be several */
};

struct xml {
    struct hd_slice in;
    size_t at;
    const struct rul_paths *paths;
    rul_json_on_leaf on_leaf;
    void *ctx;
    unsigned depth;
    struct open_element open[RUL_XML_DEPTH_MAX];
};

static struct hd_slice rest_of(const struct xml *x)
{
    return hd_slice_from(x->in, x->at);
}

static uint8_t peek(const struct xml *x)
{
    return x->at < x->in.len ? x->in.ptr[x->at] : 0;
}

static void skip_space(struct xml *x)
{
    while (x->at < x->in.len && hd_is_space(x->in.ptr[x->at])) {
        x->at++;
    }
}

static void show(struct xml *x, uint32_t node, struct hd_slice text, bool is_in_array)
{
    const struct rul_json_leaf leaf = {
        .text = text,
        .field = node == RUL_PATH_NONE ? RUL_FIELD_NONE : x->paths->nodes[node].field,
        .type = RUL_JSON_STRING,
        .has_escapes = hd_slice_find_byte(text, '&') != HD_NPOS,
        .is_in_array = is_in_array,
    };
    if (leaf.field != RUL_FIELD_NONE) {
        x->on_leaf(x->ctx, &leaf);
    }
}

static uint32_t step(const struct xml *x, uint32_t node, struct hd_slice name)
{
    return node == RUL_PATH_NONE ? node : rul_paths_step(x->paths, node, name);
}

static bool is_name_byte(uint8_t c)
{
    return hd_is_alnum(c) || c == '_' || c == '-' || c == '.' || c == ':' || c >= 0x80;
}

static enum hd_parse take_name(struct xml *x, struct hd_slice *name)
{
    size_t from = x->at;
    while (x->at < x->in.len && is_name_byte(x->in.ptr[x->at])) {
        x->at++;
    }
    *name = hd_slice(x->in.ptr + from, x->at - from);
    if (x->at >= x->in.len) {
        return HD_PARSE_MORE;
    }
    return name->len > 0 ? HD_PARSE_OK : HD_PARSE_BAD;
}

/* name "=" quoted */
static enum hd_parse take_attribute(struct xml *x, struct hd_slice *name,
                                    struct hd_slice *value)
{
    enum hd_parse rc = take_name(x, name);
    skip_space(x);
    if (rc != HD_PARSE_OK || peek(x) != '=') {
        return rc == HD_PARSE_OK && x->at < x->in.len ? HD_PARSE_BAD : HD_PARSE_MORE;
    }
    x->at++;
    skip_space(x);
    uint8_t quote = peek(x);
    if (quote != '"' && quote != '\'') {
        return x->at < x->in.len ? HD_PARSE_BAD : HD_PARSE_MORE;
    }
    x->at++;
    size_t len = hd_slice_find_byte(rest_of(x), quote);
    if (len == HD_NPOS) {
        return HD_PARSE_MORE;
    }
    *value = hd_slice_head(rest_of(x), len);
    x->at += len + 1;
    return hd_slice_find_byte(*value, '<') == HD_NPOS ? HD_PARSE_OK : HD_PARSE_BAD;
}

/* Of <Data Name="Image">, Image; the attributes of other elements are leaves. */
static void use_attribute(struct xml *x, struct open_element *element, uint32_t parent,
                          struct hd_slice name, struct hd_slice value)
{
    if (element->is_unnamed && hd_slice_eq(name, HD_SLICE("Name"))) {
        element->node = step(x, parent, value);
        element->is_unnamed = false;
        return;
    }
    uint32_t attributes = step(x, element->node, HD_SLICE("#attributes"));
    show(x, step(x, attributes, name), value, false);
}

/* Behind the "<" of a start tag. */
static enum hd_parse open_element(struct xml *x)
{
    struct hd_slice name, value;
    uint32_t parent = x->depth > 0 ? x->open[x->depth - 1].node : RUL_PATH_ROOT;
    enum hd_parse rc = take_name(x, &name);
    if (rc != HD_PARSE_OK || x->depth == RUL_XML_DEPTH_MAX) {
        return rc == HD_PARSE_OK ? HD_PARSE_BAD : rc;
    }
    if (x->depth > 0) {
        x->open[x->depth - 1].has_elements = true;
    }
    struct open_element *element = &x->open[x->depth++];
    *element = (struct open_element){.name = name,
                                     .node = step(x, parent, name),
                                     .is_unnamed = hd_slice_eq(name, HD_SLICE("Data"))};
    for (skip_space(x); peek(x) != '>' && peek(x) != '/'; skip_space(x)) {
        struct hd_slice key;
        rc = take_attribute(x, &key, &value);
        if (rc != HD_PARSE_OK) {
            return rc;
        }
        use_attribute(x, element, parent, key, value);
    }
    if (peek(x) == '/') {
        x->at++;
        x->depth--;
        if (x->at >= x->in.len) {
            return HD_PARSE_MORE;
        }
    }
    return x->in.ptr[x->at++] == '>' ? HD_PARSE_OK : HD_PARSE_BAD;
}

/* Behind "</". `text` is what stood before it. */
static enum hd_parse close_element(struct xml *x, struct hd_slice text)
{
    struct hd_slice name;
    const struct open_element *element = &x->open[x->depth - 1];
    enum hd_parse rc = take_name(x, &name);
    skip_space(x);
    if (rc != HD_PARSE_OK || x->at >= x->in.len) {
        return rc == HD_PARSE_OK ? HD_PARSE_MORE : rc;
    }
    if (x->in.ptr[x->at++] != '>' || !hd_slice_eq(name, element->name)) {
        return HD_PARSE_BAD;
    }
    if (!element->has_elements && text.len > 0) {
        show(x, element->node, text, element->is_unnamed);
    }
    x->depth--;
    return HD_PARSE_OK;
}

/* Text, then the tag that ends it. */
static enum hd_parse take_content(struct xml *x)
{
    size_t len = hd_slice_find_byte(rest_of(x), '<');
    if (len == HD_NPOS) {
        return HD_PARSE_MORE;
    }
    struct hd_slice text = hd_slice_head(rest_of(x), len);
    x->at += len + 1;
    if (peek(x) != '/') {
        return open_element(x);
    }
    x->at++;
    return close_element(x, text);
}

static enum hd_parse skip_declaration(struct xml *x)
{
    if (!hd_slice_starts(x->in, HD_SLICE("<?xml "))) {
        return HD_PARSE_OK;
    }
    size_t len = hd_slice_find(x->in, HD_SLICE("?>"));
    if (len == HD_NPOS) {
        return HD_PARSE_MORE;
    }
    x->at = len + 2;
    skip_space(x);
    return HD_PARSE_OK;
}

enum hd_parse rul_event_xml_scan(struct hd_slice in, const struct rul_paths *paths,
                                 rul_json_on_leaf on_leaf, void *ctx)
{
    struct xml x = {.in = in, .paths = paths, .on_leaf = on_leaf, .ctx = ctx};
    enum hd_parse rc = skip_declaration(&x);
    if (rc == HD_PARSE_OK && x.at >= in.len) {
        return HD_PARSE_MORE;
    }
    if (rc != HD_PARSE_OK || in.ptr[x.at++] != '<') {
        return rc == HD_PARSE_OK ? HD_PARSE_BAD : rc;
    }
    rc = open_element(&x);
    while (rc == HD_PARSE_OK && x.depth > 0) {
        rc = take_content(&x);
    }
    skip_space(&x);
    return rc == HD_PARSE_OK && x.at < in.len ? HD_PARSE_BAD : rc;
}

/* ---- entities ---- */

/* "&#10;" or "&#xA;" between & and ;. */
static bool numeric_entity(struct hd_slice name, uint64_t *c)
{
    name = hd_slice_from(name, 1);
    if (name.len == 0 || name.len > 7) {
        return false;
    }
    if (name.ptr[0] != 'x') {
        return hd_num_u64(name, 0x10FFFF, c) == 0;
    }
    *c = 0;
    for (size_t i = 1; i < name.len; i++) {
        if (hd_hex_value(name.ptr[i]) < 0) {
            return false;
        }
        *c = *c << 4 | (uint64_t)hd_hex_value(name.ptr[i]);
    }
    return name.len > 1 && *c <= 0x10FFFF;
}

static bool entity(struct hd_slice name, uint64_t *c)
{
    static const struct {
        const char *name;
        uint8_t c;
    } known[] = {{"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}};
    if (name.len > 1 && name.ptr[0] == '#') {
        return numeric_entity(name, c);
    }
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (hd_slice_eq(name, hd_slice_str(known[i].name))) {
            *c = known[i].c;
            return true;
        }
    }
    return false;
}

size_t rul_event_xml_unescape(struct hd_slice raw, uint8_t *out)
{
    size_t n = 0, at = 0;
    while (at < raw.len) {
        struct hd_slice rest = hd_slice_from(raw, at);
        size_t len = rest.ptr[0] == '&' ? hd_slice_find_byte(hd_slice_head(rest, 10), ';')
                                        : HD_NPOS;
        uint64_t c;
        if (len != HD_NPOS && entity(hd_slice(rest.ptr + 1, len - 1), &c)) {
            n += rul_json_put_utf8((uint32_t)c, out + n);
            at += len + 1;
        } else {
            out[n++] = raw.ptr[at++];
        }
    }
    return n;
}
