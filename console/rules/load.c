/* SPDX-License-Identifier: Apache-2.0 */
#include "console/rules/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <haidang/clock.h>

#include "console/data.h"
#include "rules/explain.h"

/* events of any age are what these commands are for */
#define ANY_AGE      (INT64_C(200) * 365 * 86400 * HD_NS_PER_SEC)

#define STATUSES_MAX 8U

/* ---- --logsource ---- */

/* "product=windows,category=process_creation" */
static int parse_source(const char *text, struct rul_logsource *out)
{
    static const char *const words[] = {"product", "category", "service"};
    struct hd_slice rest = hd_slice_str(text), part;
    *out = (struct rul_logsource){0};
    while (hd_slice_split(&rest, ',', &part)) {
        struct hd_slice value = hd_slice_trim(part), name;
        struct hd_slice *where[] = {&out->product, &out->category, &out->service};
        size_t i = 0;
        bool is_pair = hd_slice_find_byte(value, '=') != HD_NPOS;
        (void)hd_slice_split(&value, '=', &name);
        while (i < 3 && !hd_slice_eq(name, hd_slice_str(words[i]))) {
            i++;
        }
        if (!is_pair || i == 3 || value.len == 0 || where[i]->len > 0) {
            struct hd_diag_hint hint;
            return con_fail(HD_EXIT_USAGE,
                            "--logsource: '%.*s' is not one of product=WORD, "
                            "category=WORD, service=WORD, each once%s",
                            HD_SLICE_FMT(part), hd_diag_hint(name, words, 3, &hint));
        }
        *where[i] = value;
    }
    return HD_EXIT_OK;
}

int con_sources_parse(struct con_sources *sources, const struct con_args *args)
{
    sources->n = args->n_list;
    if (sources->n > CON_SOURCES_MAX) {
        return con_fail(HD_EXIT_USAGE, "--logsource given more than %u times",
                        CON_SOURCES_MAX);
    }
    for (size_t i = 0; i < sources->n; i++) {
        int code = parse_source(args->list[i], &sources->list[i]);
        if (code != HD_EXIT_OK) {
            return code;
        }
    }
    return HD_EXIT_OK;
}

/* ---- rules ---- */

/* "stable,test" -> words, in `room`; what is none is told when the set is loaded. */
static size_t split_statuses(const char *text, char *room, size_t cap,
                             const char *out[STATUSES_MAX])
{
    size_t n = 0;
    (void)snprintf(room, cap, "%s", text == NULL ? "" : text);
    for (char *word = room; word != NULL && *word != 0 && n < STATUSES_MAX;) {
        char *comma = strchr(word, ',');
        out[n++] = word;
        if (comma != NULL) {
            *comma++ = 0;
        }
        word = comma;
    }
    return n;
}

void con_rules_load(struct con_rules *rules, const struct con_args *args,
                    const struct con_sources *declared)
{
    struct con_data_path decoders_room, rules_room;
    const char *installed = con_data_rules(&rules_room);
    const char *statuses[STATUSES_MAX];
    char room[128];
    size_t n_statuses =
        split_statuses(con_args_value(args, "statuses"), room, sizeof(room), statuses);
    const struct rul_set_opts opts = {
        .decoders_dir = con_data_decoders(args, &decoders_room),
        .rules = args->n_operands > 0 ? args->operands : &installed,
        .n_rules = args->n_operands > 0 ? args->n_operands : 1,
        .time_zone = con_args_value(args, "zone"),
        .placeholders_dir = con_args_value(args, "placeholders"),
        .min_level = con_args_value(args, "min-level"),
        .statuses = statuses,
        .n_statuses = n_statuses,
        .logsources = con_args_value(args, "logsources"),
        .keep_going = true,
        .only_read = rules->only_read,
        .declared = declared->list,
        .n_declared = declared->n,
        .skew_max_ns = ANY_AGE,
    };
    int64_t start = hd_clock_mono_ns();
    rules->err = rul_set_load(&opts, &rules->set, &rules->diags);
    if (rules->set == NULL && declared->n == 0 &&
        access(opts.decoders_dir, R_OK | X_OK) != 0) {
        (void)con_fail(HD_EXIT_CONFIG, "no decoders in %s; name them with --decoders",
                       opts.decoders_dir);
    }
    if (rules->set != NULL && rul_set_count(rules->set) == 0 &&
        rul_set_left_out(rules->set) == 0 && rules->diags.errors == 0) {
        hd_diag_error(&rules->diags, opts.rules[0], 0, 0,
                      "holds no rules; in directories files must end in .yml or .yaml");
    }
    rules->took_ms = (hd_clock_mono_ns() - start) / HD_NS_PER_MS;
}

int con_rules_verdict(const struct con_rules *rules)
{
    if (rules->set == NULL) {
        return con_fail(HD_EXIT_CONFIG, "no rules could be loaded: %s",
                        hd_err_text(rules->err));
    }
    return rules->diags.errors > 0 ? HD_EXIT_CONFIG : HD_EXIT_OK;
}

void con_rules_fini(struct con_rules *rules)
{
    rul_set_unref(rules->set);
    rules->set = NULL;
}

/* ---- events ---- */

int con_events_open(struct con_events *e, const struct con_args *args,
                    const struct rul_set *set)
{
    const char *file = con_args_value(args, "events");
    const char *format = con_args_value(args, "format");
    const char *host = con_args_value(args, "host");
    int64_t now = hd_clock_wall_ns();
    *e = (struct con_events){
        .set = set,
        .is_declared = args->n_list > 0,
        .format = hd_slice_str(format != NULL ? format : "auto"),
        .start_ns = now,
        .last_ns = now,
        .source = {.host = hd_slice_str(host != NULL ? host : "localhost"),
                   .kind = HD_SLICE("file"),
                   .name = hd_slice_str(file)}};
    int code = con_lines_open(&e->lines, file);
    e->ev = calloc(1, sizeof(*e->ev));
    if (code == HD_EXIT_OK &&
        (e->ev == NULL || rul_decode_scratch_new(&e->scratch) != 0)) {
        code = con_fail(HD_EXIT_RUNTIME, "%s", hd_err_text(HD_ENOMEM));
    }
    return code;
}

void con_events_close(struct con_events *e)
{
    con_lines_close(&e->lines);
    rul_decode_scratch_free(e->scratch);
    free(e->ev);
}

static void refuse(struct con_events *e, const char *why)
{
    e->refused++;
    (void)fprintf(stderr, "%s:%llu: %s\n", e->lines.name,
                  (unsigned long long)e->lines.number, why);
}

static bool looks_like_json(struct hd_slice line)
{
    return line.len > 0 && line.ptr[0] == '{';
}

/* Says what is wrong with a line that is not what it began as. */
static bool is_broken(struct con_events *e, struct hd_slice text)
{
    bool is_json = !looks_like_json(text) || e->ev->decoder != NULL;
    if (e->lines.is_cut) {
        refuse(e, "line is longer than 256 KiB: cut");
    } else if (!is_json && !rul_is_json_object(text)) {
        refuse(e, "begins like a JSON object and is none: read as text");
    } else if (hd_slice_starts(text, HD_SLICE("[{"))) {
        refuse(e, "looks like a JSON array: one object a line is wanted (jq -c '.[]')");
    }
    return !is_json;
}

static void decode(struct con_events *e, struct hd_slice line, struct hd_slice format)
{
    e->source.format = format;
    const struct rul_record record = {
        .source = &e->source, .recv_ns = e->start_ns, .line = line};
    rul_decode(rul_set_decoders(e->set), e->scratch, &record, e->ev);
}

void con_events_decode(struct con_events *e, struct hd_slice line)
{
    decode(e, line,
           !e->is_declared                        ? e->format
           : looks_like_json(hd_slice_trim(line)) ? HD_SLICE("declared-json")
                                                  : HD_SLICE("declared-text"));
}

bool con_events_next(struct con_events *e)
{
    struct hd_slice line, text;
    do {
        if (!con_lines_next(&e->lines, &line)) {
            return false;
        }
        text = hd_slice_trim(line);
    } while (text.len == 0);
    con_events_decode(e, line);
    if (is_broken(e, text) && e->is_declared) {
        decode(e, line, HD_SLICE("declared-text"));
    }
    if (!e->ev->has_own_time) {
        e->ev->time_ns = e->last_ns;
    }
    e->last_ns = e->ev->time_ns;
    e->ev->recv_ns = e->ev->time_ns; /* nobody knows better when it came */
    return true;
}
