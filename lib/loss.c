/* SPDX-License-Identifier: Apache-2.0 */
#include <haidang/loss.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <haidang/clock.h>
#include <haidang/json.h>

#include "lib/json_load.h"

#define TALLY_ROWS  64U
#define TIME_DIGITS 6

static const struct {
    const char *name, *unit, *why, *todo;
} kinds[] = {
#define HD_LOSS_ROW(id, name, unit, why, todo) {name, unit, why, todo},
    HD_LOSS_MAP(HD_LOSS_ROW)
#undef HD_LOSS_ROW
};

const char *hd_loss_name(enum hd_loss_kind kind)
{
    return kinds[kind].name;
}

const char *hd_loss_unit(enum hd_loss_kind kind)
{
    return kinds[kind].unit;
}

const char *hd_loss_why(enum hd_loss_kind kind)
{
    return kinds[kind].why;
}

const char *hd_loss_todo(enum hd_loss_kind kind)
{
    return kinds[kind].todo;
}

enum hd_loss_kind hd_loss_find(struct hd_slice name)
{
    for (unsigned i = 0; i < HD_LOSS_KINDS; i++) {
        if (hd_slice_eq(name, hd_slice_str(kinds[i].name))) {
            return (enum hd_loss_kind)i;
        }
    }
    return HD_LOSS_OTHER;
}

void hd_loss_text(char *out, size_t cap, struct hd_slice text)
{
    size_t n = text.len < cap ? text.len : cap - 1;
    if (n > 0) {
        memcpy(out, text.ptr, n);
    }
    out[n] = '\0';
}

/* ---- out ---- */

static void put_text(struct hd_json *j, const char *key, const char *text)
{
    if (text[0] != '\0') {
        hd_json_cstr(j, key, text);
    }
}

static void put_number(struct hd_json *j, const char *key, uint64_t value)
{
    if (value > 0) {
        hd_json_u64(j, key, value);
    }
}

int hd_loss_encode(const struct hd_loss *loss, struct hd_buf *out)
{
    struct hd_json j = hd_json(out);
    hd_json_object(&j, NULL);
    hd_json_u64(&j, "v", HD_LOSS_VERSION);
    hd_json_time(&j, "time", loss->time_ns, TIME_DIGITS);
    put_text(&j, "by", loss->by);
    put_text(&j, "agent", loss->agent);
    put_text(&j, "boot", loss->boot);
    put_text(&j, "source", loss->source);
    hd_json_cstr(&j, "kind", hd_loss_name(loss->kind));
    hd_json_u64(&j, "count", loss->count);
    hd_json_cstr(&j, "unit", hd_loss_unit(loss->kind));
    put_number(&j, "bytes", loss->bytes);
    hd_json_time(&j, "first", loss->first_ns, TIME_DIGITS);
    hd_json_time(&j, "last", loss->last_ns, TIME_DIGITS);
    put_number(&j, "first_seq", loss->first_seq);
    put_number(&j, "last_seq", loss->last_seq);
    put_text(&j, "at", loss->at);
    hd_json_cstr(&j, "why", loss->why[0] != '\0' ? loss->why : hd_loss_why(loss->kind));
    hd_json_cstr(&j, "do", hd_loss_todo(loss->kind));
    hd_json_end(&j, '}');
    hd_buf_byte(out, '\n');
    return out->err;
}

/* ---- in ---- */

static void get_text(const json_t *object, const char *key, char *out, size_t cap)
{
    const json_t *value = json_object_get(object, key);
    struct hd_slice text = HD_SLICE_EMPTY;
    if (json_is_string(value)) {
        text = hd_slice(json_string_value(value), json_string_length(value));
    }
    hd_loss_text(out, cap, text);
}
#define GET_TEXT(object, key, member) get_text(object, key, member, sizeof(member))

/* Absent: 0. */
static int get_number(const json_t *object, const char *key, uint64_t *out)
{
    const json_t *value = json_object_get(object, key);
    json_int_t number = json_integer_value(value);
    if (value != NULL && (!json_is_integer(value) || number < 0)) {
        return HD_EPARSE;
    }
    *out = (uint64_t)number;
    return HD_OK;
}

static int get_time(const json_t *object, const char *key, int64_t *out)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? HD_EPARSE : hd_clock_parse_rfc3339(hd_slice_str(text), out);
}

static int read_numbers(const json_t *object, struct hd_loss *out)
{
    int err = get_time(object, "time", &out->time_ns);
    err = err != HD_OK ? err : get_time(object, "first", &out->first_ns);
    err = err != HD_OK ? err : get_time(object, "last", &out->last_ns);
    err = err != HD_OK ? err : get_number(object, "count", &out->count);
    err = err != HD_OK ? err : get_number(object, "bytes", &out->bytes);
    err = err != HD_OK ? err : get_number(object, "first_seq", &out->first_seq);
    err = err != HD_OK ? err : get_number(object, "last_seq", &out->last_seq);
    return err == HD_OK || err == HD_ENOMEM ? err : HD_EPARSE;
}

static int read_object(const json_t *object, struct hd_loss *out)
{
    const json_t *kind = json_object_get(object, "kind");
    uint64_t version = 0;
    if (get_number(object, "v", &version) != HD_OK || !json_is_string(kind)) {
        return HD_EPARSE;
    }
    if (version != HD_LOSS_VERSION) {
        return HD_EVERSION;
    }
    out->kind = hd_loss_find(hd_slice(json_string_value(kind), json_string_length(kind)));
    GET_TEXT(object, "by", out->by);
    GET_TEXT(object, "agent", out->agent);
    GET_TEXT(object, "boot", out->boot);
    GET_TEXT(object, "source", out->source);
    GET_TEXT(object, "at", out->at);
    GET_TEXT(object, "why", out->why);
    return read_numbers(object, out);
}

int hd_loss_decode(struct hd_slice line, struct hd_loss *out)
{
    json_t *object = NULL;
    json_error_t error;
    *out = (struct hd_loss){0};
    if (line.len > HD_LOSS_LINE_MAX) {
        return HD_EPARSE;
    }
    int err = hd_json_load(line, &object, &error);
    err = err != HD_OK ? err : read_object(object, out);
    json_decref(object);
    return err;
}

/* ---- tally ---- */

struct hd_loss_tally {
    unsigned n;
    struct hd_loss rows[TALLY_ROWS + HD_LOSS_KINDS]; /* each kind has its "others" */
};

int hd_loss_tally_new(struct hd_loss_tally **out)
{
    *out = calloc(1, sizeof(**out));
    return *out == NULL ? HD_ENOMEM : HD_OK;
}

void hd_loss_tally_free(struct hd_loss_tally *tally)
{
    free(tally);
}

static struct hd_loss *find_row(struct hd_loss_tally *tally, const struct hd_loss *loss)
{
    for (unsigned i = 0; i < tally->n; i++) {
        struct hd_loss *row = &tally->rows[i];
        if (row->kind == loss->kind && strcmp(row->source, loss->source) == 0 &&
            strcmp(row->agent, loss->agent) == 0) {
            return row;
        }
    }
    return NULL;
}

void hd_loss_tally_add(struct hd_loss_tally *tally, const struct hd_loss *loss)
{
    struct hd_loss one = *loss;
    struct hd_loss *row = find_row(tally, &one);
    if (row == NULL && tally->n >= TALLY_ROWS) {
        HD_LOSS_SET(one.source, HD_SLICE("others"));
        one.agent[0] = '\0';
        row = find_row(tally, &one);
    }
    if (row == NULL) {
        tally->rows[tally->n++] = one;
        return;
    }
    row->count += one.count;
    row->bytes += one.bytes;
    row->first_ns = one.first_ns < row->first_ns ? one.first_ns : row->first_ns;
    row->last_ns = one.last_ns > row->last_ns ? one.last_ns : row->last_ns;
}

const struct hd_loss *hd_loss_tally_first(const struct hd_loss_tally *tally)
{
    return tally->n == 0 ? NULL : &tally->rows[0];
}

void hd_loss_tally_drop_first(struct hd_loss_tally *tally)
{
    tally->n--;
    memmove(&tally->rows[0], &tally->rows[1], tally->n * sizeof(tally->rows[0]));
}
