/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the fields of a profile: the mapping language. Small and total: each field has
 * one source, one form, bounds, and says what happens when its source is absent.
 */
#include <stdlib.h>

#include "forwarder/profile/profile_impl.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DEPTH_MAX    2
#define PATH_MAX_LEN 128U

static const char *const field_keys[] = {
    "out",    "from",    "const",   "setting", "emitted", "object", "as",
    "digits", "enum",    "absent",  "omit_if", "mask",    "trunc",  "min",
    "max",    "min_len", "max_len", "hex",     "mark",    "note"};

/* ---- source ---- */

/* Is `path` the dropped path or something below it? */
static bool is_below(const char *path, const char *dropped)
{
    size_t len = strlen(dropped);
    return strncmp(path, dropped, len) == 0 && (path[len] == '\0' || path[len] == '.');
}

static void check_privacy(struct fwd_load *load, const char *path)
{
    size_t i, k;
    json_t *rule, *dropped;
    json_array_foreach(load->privacy, i, rule)
    {
        json_array_foreach(json_object_get(rule, "drop"), k, dropped)
        {
            const char *text = json_string_value(dropped);
            if (text != NULL && is_below(path, text)) {
                fwd_load_error(load, "from",
                               "reads \"%s\", which /privacy/%zu/drop "
                               "forbids",
                               path, i);
            }
        }
    }
}

static void add_from(struct fwd_load *load, struct fwd_field *field, const json_t *path)
{
    if (!json_is_string(path) || json_string_length(path) == 0 ||
        json_string_length(path) > PATH_MAX_LEN) {
        fwd_load_error(load, "from", "must be a path of the alert, or a list of them");
        return;
    }
    if (field->n_from == FWD_FROM_MAX) {
        fwd_load_error(load, "from", "has more than %u paths", FWD_FROM_MAX);
        return;
    }
    check_privacy(load, json_string_value(path));
    field->from[field->n_from++] = json_string_value(path);
}

static void load_from(struct fwd_load *load, struct fwd_field *field, const json_t *from)
{
    size_t i;
    json_t *path;
    field->source = FWD_SOURCE_FROM;
    if (!json_is_array(from)) {
        add_from(load, field, from);
        return;
    }
    if (json_array_size(from) == 0) {
        fwd_load_error(load, "from", "must not be an empty list");
    }
    json_array_foreach(from, i, path)
    {
        add_from(load, field, path);
    }
}

static int load_source(struct fwd_load *load, struct fwd_field *field,
                       const json_t *object, int depth)
{
    static const char *const sources[] = {"from", "const", "setting", "emitted",
                                          "object"};
    unsigned n = 0;
    for (size_t i = 0; i < COUNT(sources); i++) {
        if (json_object_get(object, sources[i]) != NULL) {
            field->source = (enum fwd_source)i;
            n++;
        }
    }
    if (n != 1) {
        fwd_load_error(load, NULL,
                       "must have exactly one of from, const, setting, emitted, object");
        return HD_OK;
    }
    const json_t *value = json_object_get(object, sources[field->source]);
    switch (field->source) {
    case FWD_SOURCE_FROM:
        load_from(load, field, value);
        return HD_OK;
    case FWD_SOURCE_CONST:
        field->value = value;
        return HD_OK;
    case FWD_SOURCE_SETTING:
    case FWD_SOURCE_EMITTED:
        field->name = fwd_load_text(load, object, sources[field->source], true, 64);
        if (field->source == FWD_SOURCE_SETTING && depth > 0) {
            fwd_load_error(load, "setting", "is for fields of the message itself");
        }
        return HD_OK;
    default:
        break;
    }
    size_t was = fwd_load_enter(load, "object");
    int err = fwd_fields_load(load, value, depth + 1, &field->object, &field->n_object);
    fwd_load_leave(load, was);
    return err;
}

/* ---- form and bounds ---- */

static void load_number(struct fwd_load *load, const json_t *object, const char *key,
                        bool *has, double *out)
{
    const json_t *value = json_object_get(object, key);
    if (value != NULL && !json_is_number(value)) {
        fwd_load_error(load, key, "must be a number");
    } else if (value != NULL) {
        *has = true;
        *out = json_number_value(value);
    }
}

static void load_absent(struct fwd_load *load, struct fwd_field *field,
                        const json_t *object)
{
    static const char *const keys[] = {"const"};
    static const char *const words[] = {"reject", "omit", "null", NULL};
    const json_t *absent = json_object_get(object, "absent");
    if (!json_is_object(absent)) {
        field->absent = (enum fwd_absent)fwd_load_word(load, object, "absent", words,
                                                       FWD_ABSENT_REJECT);
        return;
    }
    fwd_load_known(load, absent, keys, COUNT(keys));
    field->absent = FWD_ABSENT_CONST;
    field->absent_value = json_object_get(absent, "const");
    if (field->absent_value == NULL) {
        fwd_load_error(load, "absent", "must be reject, omit, null or {\"const\": ...}");
    }
}

static void load_form(struct fwd_load *load, struct fwd_field *field,
                      const json_t *object)
{
    static const char *const forms[] = {"string",   "integer", "number", "epoch_s",
                                        "epoch_ms", "rfc3339", "ip",     NULL};
    field->as = (enum fwd_as)fwd_load_word(load, object, "as", forms, FWD_AS_STRING);
    field->digits = (int)fwd_load_int(load, object, "digits", 0, 9, 0);
    if (field->as == FWD_AS_RFC3339 && field->digits % 3 != 0) {
        fwd_load_error(load, "digits", "must be 0, 3, 6 or 9 for rfc3339");
    }
    field->trunc = fwd_load_int(load, object, "trunc", 1, 65536, 0);
    field->min_len = fwd_load_int(load, object, "min_len", 0, 65536, 0);
    field->max_len = fwd_load_int(load, object, "max_len", 1, 65536, 0);
    field->hex = fwd_load_int(load, object, "hex", 1, 128, 0);
    load_number(load, object, "min", &field->has_min, &field->min);
    load_number(load, object, "max", &field->has_max, &field->max);
    const json_t *mask = json_object_get(object, "mask");
    if (mask != NULL && !json_is_boolean(mask)) {
        fwd_load_error(load, "mask", "must be true or false");
    }
    field->mask = json_is_true(mask);
    if (field->mask && field->as != FWD_AS_IP) {
        fwd_load_error(load, "mask", "is for fields that are an ip");
    }
    const char *table = fwd_load_text(load, object, "enum", false, 64);
    if (table != NULL) {
        field->table = json_object_get(load->enums, table);
        if (field->table == NULL) {
            fwd_load_error(load, "enum", "there is no table \"%s\" in /enums", table);
        }
    }
}

static void load_omit_if(struct fwd_load *load, struct fwd_field *field,
                         const json_t *object)
{
    size_t i;
    json_t *value;
    field->omit_if = json_object_get(object, "omit_if");
    if (json_is_object(field->omit_if)) {
        fwd_load_error(load, "omit_if", "must be a value or a list of values");
    }
    json_array_foreach(field->omit_if, i, value)
    {
        if (json_is_object(value) || json_is_array(value)) {
            fwd_load_error(load, "omit_if", "entry %zu must be a text or a number", i);
        }
    }
}

static int field_load(struct fwd_load *load, const json_t *object, int depth,
                      struct fwd_field *field)
{
    if (!json_is_object(object)) {
        fwd_load_error(load, NULL, "must be an object");
        return HD_OK;
    }
    fwd_load_known(load, object, field_keys, COUNT(field_keys));
    field->out = fwd_load_text(load, object, "out", true, 64);
    load_form(load, field, object);
    load_absent(load, field, object);
    load_omit_if(load, field, object);
    return load_source(load, field, object, depth);
}

/* ---- the list ---- */

static const struct fwd_field *field_named(const struct fwd_field *fields, size_t n,
                                           const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (fields[i].out != NULL && strcmp(fields[i].out, name) == 0) {
            return &fields[i];
        }
    }
    return NULL;
}

/* What only the whole list can tell: names are unique, `emitted` names a sibling. */
static void check_list(struct fwd_load *load, const struct fwd_field *fields, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t was = fwd_load_enter_at(load, i);
        const struct fwd_field *field = &fields[i];
        if (field->out != NULL && field_named(fields, i, field->out) != NULL) {
            fwd_load_error(load, "out", "\"%s\" is there twice", field->out);
        }
        if (field->source == FWD_SOURCE_EMITTED && field->name != NULL) {
            const struct fwd_field *of = field_named(fields, n, field->name);
            if (of == NULL || of->source == FWD_SOURCE_EMITTED) {
                fwd_load_error(load, "emitted", "there is no field \"%s\" beside it",
                               field->name);
            }
        }
        fwd_load_leave(load, was);
    }
}

int fwd_fields_load(struct fwd_load *load, const json_t *array, int depth,
                    struct fwd_field **fields, size_t *n)
{
    size_t count = json_array_size(array);
    if (!json_is_array(array) || count == 0 || count > FWD_PROFILE_FIELDS_MAX ||
        depth >= DEPTH_MAX) {
        fwd_load_error(load, NULL,
                       depth >= DEPTH_MAX ? "objects may not be nested deeper"
                                          : "must be a list of 1 to 64 fields");
        return HD_OK;
    }
    struct fwd_field *list = calloc(count, sizeof(*list));
    if (list == NULL) {
        return HD_ENOMEM;
    }
    *fields = list;
    *n = count;
    int err = HD_OK;
    for (size_t i = 0; i < count && err == HD_OK; i++) {
        size_t was = fwd_load_enter_at(load, i);
        err = field_load(load, json_array_get(array, i), depth, &list[i]);
        fwd_load_leave(load, was);
    }
    check_list(load, list, count);
    return err;
}

void fwd_fields_free(struct fwd_field *fields, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        fwd_fields_free(fields[i].object, fields[i].n_object);
    }
    free(fields);
}
