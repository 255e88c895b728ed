/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/centre/schema.h"

#include <arpa/inet.h>
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct at {
    char *why;
    char pointer[128];
};

static int wrong(const struct at *at, const char *text)
{
    (void)snprintf(at->why, 256, "%s: %s", at->pointer[0] == '\0' ? "/" : at->pointer,
                   text);
    return -1;
}

/* ---- the schema itself ---- */

static const char *const known[] = {"$schema",
                                    "$id",
                                    "title",
                                    "type",
                                    "required",
                                    "properties",
                                    "additionalProperties",
                                    "minimum",
                                    "maximum",
                                    "exclusiveMaximum",
                                    "minLength",
                                    "maxLength",
                                    "pattern",
                                    "enum",
                                    "const",
                                    "anyOf",
                                    "format",
                                    "if",
                                    "then",
                                    "else",
                                    "not",
                                    "description"};

static int check_children(const json_t *schema, const char *key, char why[256])
{
    const char *name;
    json_t *value;
    size_t i;
    if (strcmp(key, "properties") == 0) {
        json_object_foreach(json_object_get(schema, key), name, value)
        {
            if (schema_check(value, why) != 0) {
                return -1;
            }
        }
    } else if (strcmp(key, "anyOf") == 0) {
        json_array_foreach(json_object_get(schema, key), i, value)
        {
            if (schema_check(value, why) != 0) {
                return -1;
            }
        }
    } else if (strcmp(key, "if") == 0 || strcmp(key, "then") == 0 ||
               strcmp(key, "else") == 0 || strcmp(key, "not") == 0) {
        return schema_check(json_object_get(schema, key), why);
    }
    return 0;
}

int schema_check(const json_t *schema, char why[256])
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)schema, key, value)
    {
        bool is_known = false;
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
            is_known = is_known || strcmp(key, known[i]) == 0;
        }
        if (!is_known) {
            (void)snprintf(why, 256, "the keyword \"%.64s\" is not supported", key);
            return -1;
        }
        if (check_children(schema, key, why) != 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- values ---- */

static int check_type(const json_t *schema, const json_t *value, const struct at *at)
{
    const char *type = json_string_value(json_object_get(schema, "type"));
    bool is_right = type == NULL ||
                    (strcmp(type, "object") == 0 && json_is_object(value)) ||
                    (strcmp(type, "array") == 0 && json_is_array(value)) ||
                    (strcmp(type, "string") == 0 && json_is_string(value)) ||
                    (strcmp(type, "integer") == 0 && json_is_integer(value)) ||
                    (strcmp(type, "number") == 0 && json_is_number(value)) ||
                    (strcmp(type, "boolean") == 0 && json_is_boolean(value));
    return is_right ? 0 : wrong(at, "has the wrong type");
}

static int check_number(const json_t *schema, const json_t *value, const struct at *at)
{
    const json_t *min = json_object_get(schema, "minimum");
    const json_t *max = json_object_get(schema, "maximum");
    const json_t *below = json_object_get(schema, "exclusiveMaximum");
    if (!json_is_number(value)) {
        return 0;
    }
    double number = json_number_value(value);
    if (min != NULL && number < json_number_value(min)) {
        return wrong(at, "is below the minimum");
    }
    if ((max != NULL && number > json_number_value(max)) ||
        (below != NULL && number >= json_number_value(below))) {
        return wrong(at, "is above the maximum");
    }
    return 0;
}

static json_int_t characters(const json_t *value)
{
    json_int_t n = 0;
    for (const char *c = json_string_value(value); *c != '\0'; c++) {
        n += ((unsigned char)*c & 0xc0) != 0x80;
    }
    return n;
}

static int check_pattern(const char *pattern, const json_t *value, const struct at *at)
{
    regex_t regex;
    if (pattern == NULL) {
        return 0;
    }
    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0) {
        return wrong(at, "the schema's pattern is malformed");
    }
    int miss = regexec(&regex, json_string_value(value), 0, NULL, 0);
    regfree(&regex);
    return miss == 0 ? 0 : wrong(at, "does not match the pattern");
}

static int check_string(const json_t *schema, const json_t *value, const struct at *at)
{
    const json_t *min = json_object_get(schema, "minLength");
    const json_t *max = json_object_get(schema, "maxLength");
    const char *format = json_string_value(json_object_get(schema, "format"));
    uint8_t address[16];
    if (!json_is_string(value)) {
        return 0;
    }
    if (min != NULL && characters(value) < json_integer_value(min)) {
        return wrong(at, "is too short");
    }
    if (max != NULL && characters(value) > json_integer_value(max)) {
        return wrong(at, "is too long");
    }
    if (format != NULL && inet_pton(strcmp(format, "ipv6") == 0 ? AF_INET6 : AF_INET,
                                    json_string_value(value), address) != 1) {
        return wrong(at, "is no such address");
    }
    return check_pattern(json_string_value(json_object_get(schema, "pattern")), value,
                         at);
}

static bool is_listed(const json_t *list, const json_t *value)
{
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry)
    {
        if (json_equal(entry, value)) {
            return true;
        }
    }
    return false;
}

static int validate(const json_t *schema, const json_t *value, const struct at *at);

static int check_object(const json_t *schema, const json_t *value, const struct at *at)
{
    const json_t *properties = json_object_get(schema, "properties");
    size_t i;
    json_t *name, *member;
    const char *key;
    json_array_foreach(json_object_get(schema, "required"), i, name)
    {
        if (json_is_object(value) &&
            json_object_get(value, json_string_value(name)) == NULL) {
            (void)snprintf(at->why, 256, "%s/%s: is missing", at->pointer,
                           json_string_value(name));
            return -1;
        }
    }
    if (!json_is_object(value)) {
        return 0;
    }
    json_object_foreach((json_t *)value, key, member)
    {
        struct at inner = {.why = at->why};
        (void)snprintf(inner.pointer, sizeof(inner.pointer), "%.60s/%.60s", at->pointer,
                       key);
        const json_t *rule = json_object_get(properties, key);
        if (rule == NULL &&
            json_is_false(json_object_get(schema, "additionalProperties"))) {
            return wrong(&inner, "is not expected");
        }
        if (rule != NULL && validate(rule, member, &inner) != 0) {
            return -1;
        }
    }
    return 0;
}

static int check_logic(const json_t *schema, const json_t *value, const struct at *at)
{
    char ignored[256];
    const struct at quiet = {.why = ignored};
    const json_t *condition = json_object_get(schema, "if");
    const json_t *no = json_object_get(schema, "not");
    const json_t *any = json_object_get(schema, "anyOf");
    size_t i;
    json_t *one;
    bool is_any = any == NULL;
    json_array_foreach(any, i, one)
    {
        is_any = is_any || validate(one, value, &quiet) == 0;
    }
    if (!is_any) {
        return wrong(at, "fits none of anyOf");
    }
    if (no != NULL && validate(no, value, &quiet) == 0) {
        return wrong(at, "fits what it must not");
    }
    if (condition == NULL) {
        return 0;
    }
    const json_t *branch = json_object_get(
        schema, validate(condition, value, &quiet) == 0 ? "then" : "else");
    return branch == NULL ? 0 : validate(branch, value, at);
}

static int validate(const json_t *schema, const json_t *value, const struct at *at)
{
    const json_t *list = json_object_get(schema, "enum");
    const json_t *only = json_object_get(schema, "const");
    if (check_type(schema, value, at) != 0 || check_number(schema, value, at) != 0 ||
        check_string(schema, value, at) != 0 || check_object(schema, value, at) != 0) {
        return -1;
    }
    if (list != NULL && !is_listed(list, value)) {
        return wrong(at, "is not in the list");
    }
    if (only != NULL && !json_equal(only, value)) {
        return wrong(at, "is not the value");
    }
    return check_logic(schema, value, at);
}

int schema_validate(const json_t *schema, const json_t *value, char why[256])
{
    const struct at at = {.why = why};
    return validate(schema, value, &at);
}
