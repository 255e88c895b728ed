/* SPDX-License-Identifier: Apache-2.0 */
#include "console/search_where.h"

#include <haidang/utf8.h>

#include <stdlib.h>
#include <string.h>

#include "console/data.h"

_Static_assert(CON_LIST_MAX <= 64, "fields_found has a bit for each");

/* ---- words ---- */

/* own: NUL-terminated; NULL: no memory. */
static char *fold(struct hd_slice text)
{
    struct hd_buf folded;
    hd_buf_init(&folded, 0);
    hd_utf8_fold(&folded, text);
    char *out = folded.err == HD_OK ? hd_slice_dup(hd_buf_slice(&folded)) : NULL;
    hd_buf_fini(&folded);
    return out;
}

int con_words_init(struct con_words *words, const struct con_args *args, const char *name)
{
    size_t at = 0;
    const char *word;
    while ((word = con_args_next(args, name, &at)) != NULL) {
        words->list[words->n] = fold(hd_slice_str(word));
        if (words->list[words->n] == NULL) {
            return HD_ENOMEM;
        }
        words->n++;
    }
    return HD_OK;
}

void con_words_fini(struct con_words *words)
{
    for (size_t i = 0; i < words->n; i++) {
        free(words->list[i]);
    }
    words->n = 0;
}

/* Bytes of the character at the start, or of what is none. */
static size_t step(struct hd_slice text)
{
    size_t n = hd_utf8_step(text);
    return n > 0 ? n : 1;
}

bool con_wild_match(struct hd_slice pattern, struct hd_slice text)
{
    size_t p = 0, t = 0, star = HD_NPOS, retry = 0;
    while (t < text.len) {
        uint8_t c = p < pattern.len ? pattern.ptr[p] : 0;
        if (p < pattern.len && c == '*') {
            star = ++p;
            retry = t;
        } else if (p < pattern.len && c == '?') {
            p++;
            t += step(hd_slice_from(text, t));
        } else if (p < pattern.len && c == text.ptr[t]) {
            p++;
            t++;
        } else if (star != HD_NPOS) {
            p = star;
            t = ++retry;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*') {
        p++;
    }
    return p == pattern.len;
}

static struct hd_slice folded(struct hd_buf *room, struct hd_slice text)
{
    hd_buf_clear(room);
    hd_utf8_fold(room, text);
    return hd_buf_slice(room);
}

bool con_words_match(const struct con_words *words, struct hd_slice text,
                     struct hd_buf *room)
{
    if (words->n == 0) {
        return true;
    }
    struct hd_slice plain = folded(room, text);
    for (size_t i = 0; i < words->n; i++) {
        if (con_wild_match(hd_slice_str(words->list[i]), plain)) {
            return true;
        }
    }
    return false;
}

bool con_where_has_source(const struct con_where *where,
                          const struct hd_batch_source *source, struct hd_buf *room)
{
    bool is_host =
        con_words_match(&where->hosts, source->host, room) ||
        (source->peer.len > 0 && con_words_match(&where->hosts, source->peer, room));
    return is_host && con_words_match(&where->sources, source->name, room);
}

/* ---- fields ---- */

static int field_add(struct con_where *where, const char *text)
{
    struct con_where_field *field = &where->fields[where->n_fields];
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text) {
        return con_fail(HD_EINVAL, "--field is NAME=VALUE, not '%s'", text);
    }
    field->name = hd_slice_dup(hd_slice(text, (size_t)(equals - text)));
    field->value = fold(hd_slice_str(equals + 1));
    where->n_fields++;
    return field->name == NULL || field->value == NULL ? HD_ENOMEM : HD_OK;
}

/* The names come before the decoders, which then also take them out of JSON. */
static int fields_init(struct con_where *where, const struct con_args *args)
{
    size_t at = 0;
    const char *text;
    int err = HD_OK;
    while (err == HD_OK && (text = con_args_next(args, "field", &at)) != NULL) {
        err = field_add(where, text);
    }
    if (err != HD_OK || where->n_fields == 0) {
        return err;
    }
    err = rul_fields_new(&where->names);
    for (size_t i = 0; err == HD_OK && i < where->n_fields; i++) {
        struct con_where_field *field = &where->fields[i];
        err = rul_fields_add(where->names, hd_slice_str(field->name), &field->id);
    }
    return err;
}

static int load_decoders(struct con_where *where, const struct con_args *args)
{
    struct hd_diags diags = {.emit = hd_diag_print, .ctx = stderr};
    struct con_data_path room;
    const struct rul_decoders_opts opts = {.dir = con_data_decoders(args, &room),
                                           .time_zone = con_args_value(args, "zone")};
    int err = rul_decoders_load(&opts, where->names, &where->decoders, &diags);
    return err == HD_OK
               ? HD_OK
               : con_fail(err,
                          "cannot load the decoders in %s; name them with --decoders",
                          opts.dir);
}

int con_where_init(struct con_where *where, const struct con_args *args)
{
    int err = con_words_init(&where->hosts, args, "host");
    err = err == HD_OK ? con_words_init(&where->agents, args, "agent") : err;
    err = err == HD_OK ? con_words_init(&where->sources, args, "source") : err;
    err = err == HD_OK ? fields_init(where, args) : err;
    return err == HD_OK && where->n_fields > 0 ? load_decoders(where, args) : err;
}

void con_where_fini(struct con_where *where)
{
    con_words_fini(&where->hosts);
    con_words_fini(&where->agents);
    con_words_fini(&where->sources);
    for (size_t i = 0; i < where->n_fields; i++) {
        free(where->fields[i].name);
        free(where->fields[i].value);
    }
    rul_decoders_free(where->decoders);
    rul_fields_free(where->names);
    *where = (struct con_where){0};
}

int con_where_scratch_init(struct con_where_scratch *s, const struct con_where *where)
{
    hd_buf_init(&s->folded, 0);
    if (where->decoders == NULL) {
        return HD_OK;
    }
    s->event = calloc(1, sizeof(*s->event));
    return s->event == NULL ? HD_ENOMEM : rul_decode_scratch_new(&s->decode);
}

void con_where_scratch_fini(struct con_where_scratch *s)
{
    hd_buf_fini(&s->folded);
    rul_decode_scratch_free(s->decode);
    free(s->event);
    *s = (struct con_where_scratch){0};
}

bool con_where_has_fields(const struct con_where *where, struct con_where_scratch *s,
                          const struct rul_record *record)
{
    if (where->decoders == NULL) {
        return true;
    }
    bool has_all = true;
    rul_decode(where->decoders, s->decode, record, s->event);
    s->has_decoded = true;
    for (size_t i = 0; i < where->n_fields; i++) {
        const struct con_where_field *field = &where->fields[i];
        bool has = rul_event_has(s->event, field->id);
        s->fields_found |= (uint64_t)has << i;
        has_all &=
            has && con_wild_match(hd_slice_str(field->value),
                                  folded(&s->folded, rul_event_get(s->event, field->id)));
    }
    return has_all;
}

void con_where_tell_missing(const struct con_where *where, uint64_t fields_found)
{
    size_t n = where->names != NULL ? rul_fields_count(where->names) : 0;
    const char **names = calloc(n + 1, sizeof(*names));
    for (size_t i = 0; names != NULL && i < where->n_fields; i++) {
        struct hd_diag_hint hint;
        size_t known = 0;
        if (((fields_found >> i) & 1U) == 1) {
            continue;
        }
        for (uint16_t id = 0; id < n; id++) {
            if (id != where->fields[i].id) {
                names[known++] = (const char *)rul_fields_name(where->names, id).ptr;
            }
        }
        (void)con_fail(
            0, "no line that was looked at has a field '%s'%s", where->fields[i].name,
            hd_diag_hint(hd_slice_str(where->fields[i].name), names, known, &hint));
    }
    free(names);
}
