/* SPDX-License-Identifier: Apache-2.0
 *
 * A record's line -> event: which decoder reads it, and what every event gets. The way of
 * a line: declared format, or its shape; syslog header; the decoder of the program; in
 * front of that, decoders of what PAM and the like write inside any program.
 */
#include <stdlib.h>

#include "rules/decode/fill.h"
#include "rules/decode/json_scan.h"
#include "rules/decode/syslog.h"

/* Every value made has a source in the line at most as long; decoded twins need more. */
#define ARENA_SIZE ((size_t)4 * HD_BATCH_LINE_MAX)

int rul_decode_scratch_new(struct rul_decode_scratch **out)
{
    struct rul_decode_scratch *scratch = calloc(1, sizeof(*scratch));
    uint8_t *bytes = malloc(ARENA_SIZE);
    if (scratch == NULL || bytes == NULL) {
        free(scratch);
        free(bytes);
        return HD_ENOMEM;
    }
    scratch->arena.bytes = bytes;
    scratch->arena.cap = ARENA_SIZE;
    *out = scratch;
    return 0;
}

void rul_decode_scratch_free(struct rul_decode_scratch *scratch)
{
    if (scratch != NULL) {
        rul_zones_close(&scratch->zones);
        free(scratch->arena.bytes);
        free(scratch);
    }
}

static struct hd_slice skip_spaces(struct hd_slice s)
{
    size_t n = 0;
    while (n < s.len && s.ptr[n] == ' ') {
        n++;
    }
    return hd_slice_from(s, n);
}

bool rul_shape_matches(struct hd_slice shape, struct hd_slice line)
{
    if (shape.len > 1 && shape.ptr[0] == '*') {
        size_t at = hd_slice_find_byte(line, shape.ptr[1]);
        return at != HD_NPOS &&
               rul_shape_matches(hd_slice_from(shape, 1), hd_slice_from(line, at));
    }
    if (line.len < shape.len) {
        return false;
    }
    for (size_t i = 0; i < shape.len; i++) {
        uint8_t want = shape.ptr[i], c = line.ptr[i];
        bool is_good = want == 'd'   ? hd_is_digit(c)
                       : want == 'a' ? hd_is_alpha(c)
                                     : c == want;
        if (!is_good) {
            return false;
        }
    }
    return true;
}

/* ---- text decoders ---- */

static const struct rul_decoder_pattern *try_pattern(const struct rul_decoder *dec,
                                                     uint16_t index,
                                                     struct hd_slice message,
                                                     struct hd_slice *values)
{
    const struct rul_decoder_pattern *pattern = &dec->patterns[index];
    return rul_pattern_match(&pattern->text.pattern, message, values, NULL) ? pattern
                                                                            : NULL;
}

static const struct rul_decoder_pattern *find_pattern(const struct rul_decoder *dec,
                                                      struct hd_slice message,
                                                      struct hd_slice *values)
{
    const struct rul_decoder_pattern *found = NULL;
    const struct rul_dispatch *dispatch = &dec->dispatch;
    uint32_t key;
    if (message.len >= sizeof(key)) {
        memcpy(&key, message.ptr, sizeof(key));
        const struct rul_bucket *bucket =
            &dispatch->buckets[rul_dispatch_slot(dispatch, key)];
        for (uint16_t i = 0; i < bucket->n && found == NULL; i++) {
            found = try_pattern(dec, dispatch->order[bucket->first + i], message, values);
        }
    }
    for (uint16_t i = 0; i < dispatch->n_loose && found == NULL; i++) {
        found = try_pattern(dec, dispatch->loose[i], message, values);
    }
    return found;
}

/* The decoder's reading of a message. Returns the class it gives. */
static uint16_t read_text(struct rul_fill *f, const struct rul_decoder *dec,
                          struct hd_slice message)
{
    struct rul_event *ev = f->ev;
    size_t used;
    if (dec->has_strip &&
        rul_pattern_match(&dec->strip.pattern, message, f->scratch->values, &used)) {
        rul_fill_captures(f, dec, &dec->strip);
        message = skip_spaces(hd_slice_from(message, used));
    }
    const struct rul_decoder_pattern *pattern =
        find_pattern(dec, message, f->scratch->values);
    ev->decoder = dec->name;
    if (pattern == NULL) {
        rul_fill_consts(f, dec->set, dec->n_set);
        return dec->class_id;
    }
    ev->pattern = pattern->id;
    rul_fill_consts(f, pattern->set, pattern->n_set);
    rul_fill_captures(f, dec, &pattern->text);
    return pattern->class_id;
}

/* ---- JSON ---- */

/* Elements of an array make one value, ", " between them. */
static bool join_values(struct rul_decode_arena *arena, struct hd_slice *value,
                        struct hd_slice more)
{
    size_t len = value->len + 2 + more.len;
    bool is_last = value->ptr + value->len == arena->bytes + arena->used;
    uint8_t *room = rul_decode_arena_room(arena, is_last ? len - value->len : len);
    if (room == NULL) {
        return false;
    }
    if (!is_last) {
        memcpy(room, value->ptr, value->len);
        *value = hd_slice(room, value->len);
        arena->used += value->len;
        room += value->len;
    }
    memcpy(room, ", ", 2);
    memcpy(room + 2, more.ptr, more.len);
    arena->used += 2 + more.len;
    value->len = len;
    return true;
}

static void take_leaf(void *ctx, const struct rul_json_leaf *leaf)
{
    struct rul_fill *f = ctx;
    uint16_t field = leaf->field;
    struct hd_slice value = leaf->text;
    struct rul_decode_arena *arena = &f->scratch->arena;
    bool is_joined = leaf->is_in_array && rul_event_has(f->ev, field);
    size_t before = arena->used;
    if (leaf->has_escapes) {
        uint8_t *room = rul_decode_arena_room(arena, value.len);
        if (room == NULL) {
            f->ev->lost++;
            return;
        }
        value = hd_slice(room, rul_json_unescape(value, room));
        arena->used += value.len;
    }
    if (!is_joined) {
        rul_event_set(f->ev, field, value);
        return;
    }
    struct hd_slice joined = f->ev->values[field];
    if (join_values(arena, &joined, value)) {
        rul_event_set(f->ev, field, joined);
    } else {
        arena->used = before;
        f->ev->lost++;
    }
}

static bool has_json_shape(const struct rul_event *ev, const struct rul_decoder *dec)
{
    for (uint16_t i = 0; i < dec->n_json_shapes; i++) {
        if (rul_fill_holds(ev, &dec->json_shapes[i])) {
            return true;
        }
    }
    return false;
}

/* The JSON decoder that knows an event with these fields. */
static const struct rul_decoder *find_json(const struct rul_fill *f)
{
    for (uint16_t i = 0; i < f->set->n_json; i++) {
        const struct rul_decoder *dec = &f->set->all[f->set->json[i]];
        if (has_json_shape(f->ev, dec)) {
            return dec;
        }
    }
    return NULL;
}

static void read_json_event(struct rul_fill *f, const struct rul_decoder *dec,
                            struct hd_slice text)
{
    struct rul_event *ev = f->ev;
    rul_fill_map(f, dec, &dec->map);
    rul_fill_time_fields(f, dec);
    const struct rul_decoder_pattern *pattern = rul_when_find(ev, dec);
    ev->decoder = dec->name;
    if (pattern != NULL) {
        ev->pattern = pattern->id;
        ev->class_id = pattern->class_id;
        rul_fill_map(f, dec, &pattern->map);
        rul_fill_consts(f, pattern->set, pattern->n_set);
    } else {
        ev->class_id = dec->class_id;
        rul_fill_consts(f, dec->set, dec->n_set);
    }
    if (!rul_event_has(ev, RUL_F_MESSAGE)) {
        rul_event_set(ev, RUL_F_MESSAGE, text);
    }
}

/* What a JSON text that turned out bad has left behind. */
static void forget_values(struct rul_event *ev)
{
    for (uint16_t i = 0; i < ev->n; i++) {
        ev->present[ev->ids[i] >> 6] = 0;
    }
    ev->n = 0;
    ev->lost = 0;
}

static bool read_json(struct rul_fill *f, struct hd_slice text)
{
    const struct rul_decoder *dec = NULL;
    if (text.len > 1 && text.ptr[0] == '{' &&
        rul_json_scan(text, rul_fields_paths(f->set->fields), take_leaf, f) ==
            HD_PARSE_OK) {
        dec = find_json(f);
    }
    if (dec == NULL) {
        forget_values(f->ev);
        f->scratch->arena.used = 0;
        return false;
    }
    read_json_event(f, dec, text);
    return true;
}

/* ---- syslog ---- */

static struct hd_slice small_number(unsigned n)
{
    static const char *const texts[] = {"0",  "1",  "2",  "3",  "4",  "5",  "6",  "7",
                                        "8",  "9",  "10", "11", "12", "13", "14", "15",
                                        "16", "17", "18", "19", "20", "21", "22", "23"};
    return hd_slice_str(texts[n]);
}

static void fill_if(struct rul_event *ev, uint16_t field, struct hd_slice value)
{
    if (value.len > 0) {
        rul_event_set(ev, field, value);
    }
}

static void fill_header(struct rul_fill *f, const struct rul_syslog *header)
{
    struct rul_event *ev = f->ev;
    if (header->has_stamp) {
        rul_fill_time(f, &header->stamp);
    }
    if (header->pri >= 0) {
        unsigned pri = (unsigned)header->pri;
        rul_event_set(ev, RUL_F_SYSLOG_FACILITY, small_number(pri >> 3));
        rul_event_set(ev, RUL_F_SYSLOG_SEVERITY, small_number(pri & 7U));
    }
    fill_if(ev, RUL_F_HOST_NAME, header->host);
    fill_if(ev, RUL_F_PROCESS_NAME, header->program);
    fill_if(ev, RUL_F_PROCESS_PID, header->pid);
}

#define DATA_NAME      "log.syslog.structured_data"
#define DATA_NAME_ROOM 256U

/* Parameters of structured data that some rule or decoder names:
 * log.syslog.structured_data.<id>.<name> */
static void fill_data(struct rul_fill *f, const struct rul_syslog *header)
{
    struct rul_syslog_param param = {0};
    struct hd_slice rest = header->data;
    char name[DATA_NAME_ROOM] = DATA_NAME ".";
    size_t prefix = sizeof(DATA_NAME);
    while (rul_syslog_next_param(&rest, &param)) {
        size_t len = prefix + param.id.len + 1 + param.name.len;
        if (len > sizeof(name)) {
            continue;
        }
        memcpy(name + prefix, param.id.ptr, param.id.len);
        name[prefix + param.id.len] = '.';
        memcpy(name + prefix + param.id.len + 1, param.name.ptr, param.name.len);
        uint16_t field = rul_fields_find(f->set->fields, hd_slice(name, len));
        if (field != RUL_FIELD_NONE) {
            fill_if(f->ev, field, param.value);
        }
    }
}

/* rsyslog and syslogd: "message repeated 3 times: [ Failed password ...]" */
static struct hd_slice unwrap_repeated(struct hd_slice message)
{
    struct hd_slice head = HD_SLICE("message repeated "), mark = HD_SLICE(" times: [");
    if (!hd_slice_starts(message, head)) {
        return message;
    }
    size_t at = hd_slice_find(message, mark);
    if (at == HD_NPOS || message.ptr[message.len - 1] != ']') {
        return message;
    }
    struct hd_slice inner = hd_slice_from(message, at + mark.len);
    inner.len--;
    return skip_spaces(inner);
}

static bool has_source(const struct rul_decoder *dec, const struct rul_record *record)
{
    for (uint16_t i = 0; i < dec->n_sources; i++) {
        if (record->source != NULL &&
            hd_slice_find_nocase(record->source->name, dec->sources[i]) != HD_NPOS) {
            return true;
        }
    }
    return dec->n_sources == 0;
}

/* The decoder of the chain whose shape the message has, else the first without one. */
static const struct rul_decoder *pick(const struct rul_decoders *set,
                                      const struct rul_decode_names *names,
                                      const struct rul_decode_name *name,
                                      struct hd_slice message)
{
    const struct rul_decoder *plain = NULL;
    while (name != NULL) {
        const struct rul_decoder *dec = &set->all[name->decoder];
        if (dec->shape.len > 0 && rul_shape_matches(dec->shape, message)) {
            return dec;
        }
        plain = plain == NULL && dec->shape.len == 0 ? dec : plain;
        name = name->next == RUL_NONE ? NULL : &names->entries[name->next];
    }
    return plain;
}

/* "/usr/sbin/cron" is cron, "postfix/smtpd" is postfix unless known as such. */
static const struct rul_decoder *find_program(const struct rul_decoders *set,
                                              struct hd_slice program,
                                              struct hd_slice message)
{
    if (program.len == 0) {
        return NULL;
    }
    const struct rul_decode_name *name = rul_decode_names_find(&set->programs, program);
    const uint8_t *slash = name == NULL ? memrchr(program.ptr, '/', program.len) : NULL;
    if (slash != NULL && program.ptr[0] == '/') {
        program = hd_slice_from(program, (size_t)(slash - program.ptr) + 1);
        name = rul_decode_names_find(&set->programs, program);
    } else if (slash != NULL) {
        program = hd_slice_head(program, hd_slice_find_byte(program, '/'));
        name = rul_decode_names_find(&set->programs, program);
    }
    return pick(set, &set->programs, name, message);
}

static const struct rul_decoder *find_inner(const struct rul_decoders *set,
                                            struct hd_slice subtag,
                                            struct hd_slice message)
{
    if (subtag.len > 0) {
        const struct rul_decode_name *name = rul_decode_names_find(&set->subtags, subtag);
        return pick(set, &set->subtags, name, message);
    }
    for (uint16_t i = 0; i < set->n_prefixes; i++) {
        const struct rul_decoder *dec = &set->all[set->prefixes[i]];
        for (uint16_t p = 0; p < dec->n_prefixes; p++) {
            if (hd_slice_starts(message, dec->prefixes[p])) {
                return dec;
            }
        }
    }
    return NULL;
}

static void read_syslog(struct rul_fill *f, const struct rul_syslog *header)
{
    const struct rul_decoders *set = f->set;
    struct rul_event *ev = f->ev;
    struct hd_slice message = skip_spaces(header->message);
    const struct rul_decoder *program = find_program(set, header->program, message);
    if (program == NULL && read_json(f, message)) {
        fill_header(f, header); /* JSON inside syslog */
        return;
    }
    fill_header(f, header);
    if (header->data.len > 0) {
        fill_data(f, header);
    }
    rul_event_set(ev, RUL_F_MESSAGE, message);
    message = unwrap_repeated(message);
    const struct rul_decoder *inner = find_inner(set, header->subtag, message);
    bool has_header = header->kind != RUL_SYSLOG_BARE || header->program.len > 0;
    if (program == NULL && has_header && set->any_program != RUL_NONE) {
        program = &set->all[set->any_program];
    }
    if (inner != NULL) {
        uint16_t outer_class = program != NULL ? program->class_id : 0;
        uint16_t inner_class = read_text(f, inner, message);
        ev->class_id = set->merged[(size_t)outer_class * set->n_merged + inner_class];
    } else if (program != NULL) {
        ev->class_id = read_text(f, program, message);
    }
}

/* ---- routing ---- */

static struct hd_slice trim_end(struct hd_slice s)
{
    while (s.len > 0 && (hd_is_space(s.ptr[s.len - 1]) || s.ptr[s.len - 1] == '\0')) {
        s.len--;
    }
    return s;
}

static void read_whole(struct rul_fill *f, const struct rul_decoder *dec,
                       struct hd_slice line)
{
    rul_event_set(f->ev, RUL_F_MESSAGE, line);
    f->ev->class_id = read_text(f, dec, line);
}

static void read_auto(struct rul_fill *f, const struct rul_record *record,
                      struct hd_slice line)
{
    struct rul_syslog header;
    if (read_json(f, skip_spaces(line))) {
        return;
    }
    rul_syslog_parse(line, &header);
    for (uint16_t i = 0; i < f->set->n_shapes && !header.is_certain; i++) {
        const struct rul_decoder *dec = &f->set->all[f->set->shapes[i]];
        if (rul_shape_matches(dec->shape, line) && has_source(dec, record)) {
            read_whole(f, dec, line);
            return;
        }
    }
    read_syslog(f, &header);
}

/* A line whose format was declared; what does not have it is read as any other. */
static void read_declared(struct rul_fill *f, const struct rul_record *record,
                          struct hd_slice format, struct hd_slice line)
{
    const struct rul_decoders *set = f->set;
    if (hd_slice_eq(format, HD_SLICE("syslog"))) {
        struct rul_syslog header;
        rul_syslog_parse(line, &header);
        read_syslog(f, &header);
        return;
    }
    const struct rul_decoder *dec =
        pick(set, &set->formats, rul_decode_names_find(&set->formats, format), line);
    if (dec != NULL && !dec->is_json) {
        read_whole(f, dec, line);
        return;
    }
    read_auto(f, record, line);
}

void rul_decode(const struct rul_decoders *decoders, struct rul_decode_scratch *scratch,
                const struct rul_record *record, struct rul_event *ev)
{
    struct rul_fill f = {decoders, scratch, ev};
    struct hd_slice format =
        record->source != NULL ? record->source->format : HD_SLICE_EMPTY;
    struct hd_slice line = trim_end(record->line);
    scratch->arena.used = 0;
    rul_event_clear(ev);
    struct hd_slice zone = record->source != NULL ? record->source->zone : HD_SLICE_EMPTY;
    size_t victim = scratch->zones.victim;
    const struct hd_zone *found = rul_zones_find(&scratch->zones, zone, decoders->zone);
    if (scratch->zones.victim != victim) {
        scratch->clock.zone = NULL; /* a zone was closed: its address may be used again */
    }
    rul_stamp_clock_set(&scratch->clock, found, record->recv_ns);
    ev->recv_ns = record->recv_ns;
    ev->time_ns = record->recv_ns;
    ev->raw = record->line;
    if (format.len == 0 || hd_slice_eq(format, HD_SLICE("auto"))) {
        read_auto(&f, record, line);
    } else {
        read_declared(&f, record, format, line);
    }
    if (!rul_event_has(ev, RUL_F_MESSAGE)) {
        rul_event_set(ev, RUL_F_MESSAGE, line);
    }
    if (!rul_event_has(ev, RUL_F_HOST_NAME) && record->source != NULL) {
        fill_if(ev, RUL_F_HOST_NAME, record->source->host);
    }
    ev->made = hd_slice(scratch->arena.bytes, scratch->arena.used);
}
