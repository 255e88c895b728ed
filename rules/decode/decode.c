/* SPDX-License-Identifier: Apache-2.0
 *
 * A record's line -> event: which decoder reads it, and what every event gets. The way of
 * a line: declared format, or its shape; syslog header; the decoder of the program; in
 * front of that, decoders of what PAM and the like write inside any program.
 */
#include <stdlib.h>

#include <haidang/hash.h>

#include "rules/decode/fill.h"
#include "rules/decode/syslog.h"
#include "rules/decode/tree.h"

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

void rul_decode_scratch_stats(const struct rul_decode_scratch *scratch,
                              struct rul_decode_stats *out)
{
    *out = scratch->stats;
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
    rul_fill_make(f, dec);
    if (dec->join.n > 0) {
        rul_fill_join(f, &dec->join);
    }
    rul_fill_time_fields(f, dec);
    return dec->n_cases > 0 ? rul_when_apply(f, dec, pattern->class_id)
                            : pattern->class_id;
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

/* The message with the tag before it, if it is one. */
static struct hd_slice with_tag(const struct rul_syslog *header)
{
    const uint8_t *end = header->message.ptr + header->message.len;
    if (header->program.len == 0 || header->kind == RUL_SYSLOG_IETF ||
        hd_slice_eq(header->program, HD_SLICE("kernel"))) {
        return header->message; /* they do not stand together in the line */
    }
    return hd_slice(header->program.ptr, (size_t)(end - header->program.ptr));
}

/* The decoder that knows how the message begins, where no program's name does it: what
 * appliances send. *message is all that it reads. */
static const struct rul_decoder *find_begins(const struct rul_decoders *set,
                                             struct hd_slice whole,
                                             struct hd_slice *message)
{
    const struct rul_decoder *found = NULL;
    size_t longest = 0;
    whole = skip_spaces(whole);
    for (uint16_t i = 0; i < set->n_begins; i++) {
        const struct rul_decoder *dec = &set->all[set->begins[i]];
        for (uint16_t k = 0; k < dec->n_begins; k++) {
            if (dec->begins[k].len > longest && hd_slice_starts(whole, dec->begins[k])) {
                found = dec;
                longest = dec->begins[k].len;
            }
        }
    }
    *message = found != NULL ? whole : *message;
    return found;
}

static void read_syslog(struct rul_fill *f, const struct rul_syslog *header)
{
    const struct rul_decoders *set = f->set;
    struct rul_event *ev = f->ev;
    struct hd_slice message = skip_spaces(header->message);
    const struct rul_decoder *program = find_program(set, header->program, message);
    struct hd_slice whole = with_tag(header);
    program = program == NULL ? find_begins(set, whole, &message) : program;
    if (program == NULL && rul_tree_read(f, message)) {
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
    if (rul_tree_read(f, skip_spaces(line))) {
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

static uint64_t source_key(const struct hd_batch_source *source)
{
    return source == NULL ? 0 : hd_hash_stable(source->host, source->name.len);
}

void rul_decode(const struct rul_decoders *decoders, struct rul_decode_scratch *scratch,
                const struct rul_record *record, struct rul_event *ev)
{
    struct rul_fill f = {decoders, scratch, ev, source_key(record->source)};
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
    scratch->stats.values += ev->lost;
}
