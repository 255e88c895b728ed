/* SPDX-License-Identifier: Apache-2.0
 *
 * The manual's key table, printed from the schema that the reader obeys, so that the two
 * cannot disagree. Thread: the caller's; no state.
 */
#include "lib/conf_impl.h"

#include <haidang/clock.h>

enum { KEY_MAX = 256 };

struct unit {
    const char *name;
    int64_t factor;
};

/* The value in the largest unit that divides it. */
static void add_in_unit(struct hd_buf *out, int64_t value, const struct unit *units,
                        size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (value % units[i].factor == 0 && (value != 0 || i + 1 == n)) {
            hd_buf_i64(out, value / units[i].factor);
            hd_buf_str(out, units[i].name);
            return;
        }
    }
}

static void add_bound(struct hd_buf *out, enum hd_conf_type type, int64_t value)
{
    static const struct unit sizes[] = {{"TiB", INT64_C(1) << 40},
                                        {"GiB", INT64_C(1) << 30},
                                        {"MiB", INT64_C(1) << 20},
                                        {"KiB", INT64_C(1) << 10},
                                        {"", 1}};
    static const struct unit times[] = {
        {"d", 86400 * HD_NS_PER_SEC}, {"h", 3600 * HD_NS_PER_SEC},
        {"m", 60 * HD_NS_PER_SEC},    {"s", HD_NS_PER_SEC},
        {"ms", HD_NS_PER_MS},         {"ns", 1}};
    if (type == HD_CONF_SIZE) {
        add_in_unit(out, value, sizes, sizeof(sizes) / sizeof(sizes[0]));
    } else if (type == HD_CONF_DURATION) {
        add_in_unit(out, value, times, sizeof(times) / sizeof(times[0]));
    } else {
        hd_buf_i64(out, value);
    }
}

static bool is_text(enum hd_conf_type type)
{
    return type == HD_CONF_STRING || type == HD_CONF_PATH;
}

void hd_conf_range(struct hd_buf *out, const struct hd_conf_item *item)
{
    if (item->min == 0 && item->max == 0) {
        if (is_text(item->type)) {
            hd_buf_printf(out, "at most %d bytes", HD_CONF_STRING_MAX);
        }
        return;
    }
    add_bound(out, item->type, item->min);
    hd_buf_str(out, " to ");
    add_bound(out, item->type, item->max);
    if (is_text(item->type)) {
        hd_buf_str(out, " bytes");
    } else if (item->type == HD_CONF_LIST || item->type == HD_CONF_STRINGS) {
        hd_buf_str(out, " entries");
    } else if (item->type == HD_CONF_INT && item->unit != NULL) {
        hd_buf_byte(out, ' ');
        hd_buf_str(out, item->unit);
    }
}

static const char *type_name(enum hd_conf_type type)
{
    static const char *const names[] = {
        [HD_CONF_BOOL] = "true or false", [HD_CONF_INT] = "number",
        [HD_CONF_SIZE] = "size",          [HD_CONF_DURATION] = "duration",
        [HD_CONF_STRING] = "text",        [HD_CONF_PATH] = "path",
        [HD_CONF_ENUM] = "one of",        [HD_CONF_STRINGS] = "list of texts",
        [HD_CONF_SECTION] = "section",    [HD_CONF_LIST] = "list of sections",
    };
    return names[type];
}

static void add_type(struct hd_buf *out, const struct hd_conf_item *item)
{
    hd_buf_str(out, type_name(item->type));
    for (size_t i = 0; item->type == HD_CONF_ENUM && item->names[i] != NULL; i++) {
        hd_buf_printf(out, i > 0 ? ", `%s`" : " `%s`", item->names[i]);
    }
    if (item->min != 0 || item->max != 0) {
        hd_buf_str(out, ", ");
        hd_conf_range(out, item);
    } else if (item->type == HD_CONF_INT && item->unit != NULL) {
        hd_buf_printf(out, ", %s", item->unit);
    }
}

/* A row of the table; a bar inside a cell would end it. */
static void print_row(FILE *out, const char *key, const struct hd_conf_item *item)
{
    struct hd_buf type;
    hd_buf_init(&type, 0);
    add_type(&type, item);
    (void)fprintf(out, "| `%s` | %s | ", key, hd_buf_cstr(&type));
    hd_buf_fini(&type);
    if (item->required) {
        (void)fputs("**required**", out);
    } else if (item->def != NULL) {
        (void)fprintf(out, "`%s`", item->def);
    }
    (void)fputs(" | ", out);
    for (const char *c = item->help == NULL ? "" : item->help; *c != '\0'; c++) {
        if (*c == '|') {
            (void)fputc('\\', out);
        }
        (void)fputc(*c, out);
    }
    (void)fputs(" |\n", out);
}

static void print_items(FILE *out, const char *prefix, const struct hd_conf_item *items)
{
    char key[KEY_MAX];
    for (const struct hd_conf_item *item = items; item->key != NULL; item++) {
        (void)snprintf(key, sizeof(key), "%s%s%s", prefix, item->key,
                       item->type == HD_CONF_LIST ? "[]" : "");
        print_row(out, key, item);
        if (item->sub != NULL) {
            (void)snprintf(key, sizeof(key), "%s%s%s.", prefix, item->key,
                           item->type == HD_CONF_LIST ? "[]" : "");
            print_items(out, key, item->sub);
        }
    }
}

void hd_conf_manual(const struct hd_conf_schema *schema, FILE *out)
{
    (void)fputs("| key | type | default | meaning |\n|---|---|---|---|\n", out);
    print_items(out, "", schema->items);
}
